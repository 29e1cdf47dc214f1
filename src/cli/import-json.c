/* SPDX-License-Identifier: Apache-2.0 */

/*
 * JSON: an object whose members are secrets, those of an object in it being parts of names; a list of
 * objects with `name` (or `key`) and `value`; or such objects a line, as `keyturn get --json` prints.
 * {"encoding":"base64","value":…} holds bytes.
 */

#include "core/jsontext.h"
#include "kit/base64.h"

#include "import-source.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEPTH_MAX 32
#define NAME_ROOM (2 * KT_NAME_MAX)

/** struct seen - a member, so that one that stands twice is found; @path is owned */
struct seen {
    char *path;
    const char *at;
};

struct reading {
    struct source *s;
    struct kt_json r;
    struct seen *seen;
    size_t n;
    size_t room;
    char path[NAME_ROOM + 1];
    size_t len;
};

/** struct record - the members of an object that we know; each lies in the text, NULL: not there */
struct record {
    const char *name;
    const char *key;
    const char *value;
    const char *encoding;
    const char *version;
    size_t others;
    const char *twice;
};

static int damaged(const struct reading *j)
{
    return source_damaged(j->s, j->r.at, j->r.why != NULL ? j->r.why : "not understood");
}

static int damaged_at(const struct reading *j, const char *at, const char *why)
{
    return source_damaged(j->s, at, why);
}

static int no_memory(const struct reading *j)
{
    return fail_status(j->s->cli, KT_NO_MEMORY, NULL, "out of memory; nothing was imported");
}

/* ---- names ----------------------------------------------------------------------------------- */

static int note_member(struct reading *j, const char *at)
{
    char *path;

    if (j->n == SOURCE_ITEMS)
        return damaged_at(j, at, "too many members");
    if (j->n == j->room) {
        const size_t room = 2 * j->room + 64;
        struct seen *grown = realloc(j->seen, room * sizeof(*grown));

        if (grown == NULL)
            return no_memory(j);
        j->seen = grown;
        j->room = room;
    }
    path = strndup(j->path, j->len);
    if (path == NULL)
        return no_memory(j);
    j->seen[j->n++] = (struct seen){ .path = path, .at = at };
    return 0;
}

static int by_path(const void *a, const void *b)
{
    const struct seen *x = a, *y = b;
    const int order = strcmp(x->path, y->path);

    return order != 0 ? order : (x->at > y->at) - (x->at < y->at);
}

static int check_seen(struct reading *j)
{
    const struct seen *twice = NULL;

    if (j->n > 0)
        qsort(j->seen, j->n, sizeof(j->seen[0]), by_path);
    for (size_t i = 1; i < j->n; i++)
        if (strcmp(j->seen[i - 1].path, j->seen[i].path) == 0 &&
            (twice == NULL || j->seen[i].at < twice->at))
            twice = &j->seen[i];
    return twice != NULL ? damaged_at(j, twice->at, "this key stands there twice") : 0;
}

/* A member's key, which becomes the last part of the path. */
static int take_key(struct reading *j)
{
    const char *at = j->r.at;
    char decoded[KT_NAME_MAX];
    struct kt_json probe = j->r;
    size_t n = 0;

    if (!kt_json_string(&j->r, NULL, &n))
        return damaged(j);
    if (n > KT_NAME_MAX || j->len + 1 + n > NAME_ROOM)
        return damaged_at(j, at, "a key that is longer than a name can be");
    (void)kt_json_string(&probe, decoded, &n);
    if (memchr(decoded, '\0', n) != NULL)
        return damaged_at(j, at, "a NUL in a key");
    if (j->len > 0)
        j->path[j->len++] = '/';
    memcpy(j->path + j->len, decoded, n);
    j->len += n;
    return note_member(j, at);
}

/* ---- values ---------------------------------------------------------------------------------- */

/* The value at @at as bytes: a string's content, a number, true and false as they are written. */
static int take_scalar(struct reading *j, const char *at, struct item *item)
{
    struct kt_json r = { .at = at, .end = j->r.end };
    char *room;
    size_t len = 0;

    if (*at != '"') {
        (void)kt_json_value(&r, 1);
        while (r.at > at && strchr(" \t\r\n", r.at[-1]) != NULL)
            r.at--;
        item->data = at;
        item->len = (size_t)(r.at - at);
        return 0;
    }
    (void)kt_json_string(&r, NULL, &len);
    room = source_value(j->s, len);
    if (room == NULL)
        return no_memory(j);
    r.at = at;
    (void)kt_json_string(&r, room, &item->len);
    item->data = room;
    return 0;
}

static int take_bytes(struct reading *j, const struct record *rec, struct item *item)
{
    static const char base64[] = "\"base64\"";
    int rc;

    if (rec->value == NULL)
        return damaged_at(j, rec->name != NULL ? rec->name : rec->key,
                          "an object that names a secret, but has no value");
    if (*rec->value == '{' || *rec->value == '[' || *rec->value == 'n') {
        item_bad(item, KT_INVALID, "its value is neither a string nor a number");
        return 0;
    }
    rc = take_scalar(j, rec->value, item);
    if (rc != 0 || rec->encoding == NULL)
        return rc;
    if ((size_t)(j->r.end - rec->encoding) < sizeof(base64) - 1 ||
        memcmp(rec->encoding, base64, sizeof(base64) - 1) != 0)
        return damaged_at(j, rec->encoding, "an encoding that is not known: base64 is");
    return kt_base64_decode(item->data, item->len, (char *)(uintptr_t)item->data, &item->len)
               ? 0
               : damaged_at(j, rec->value, "this is no base64");
}

/* ---- objects --------------------------------------------------------------------------------- */

static const char **member_of(struct record *rec, const char *at, const char *end)
{
    struct {
        const char *word;
        const char **to;
    } rows[] = {
        { "\"name\"", &rec->name },       { "\"key\"", &rec->key },
        { "\"value\"", &rec->value },     { "\"encoding\"", &rec->encoding },
        { "\"version\"", &rec->version },
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const size_t n = strlen(rows[i].word);

        if ((size_t)(end - at) >= n && memcmp(at, rows[i].word, n) == 0)
            return rows[i].to;
    }
    return NULL;
}

/* Looks through the object at @r, its `{` taken already; false: it is malformed, and @r says where. */
static bool look(struct kt_json *r, struct record *rec)
{
    *rec = (struct record){ 0 };
    kt_json_blanks(r);
    if (kt_json_take(r, '}'))
        return true;
    do {
        const char **to, *key;

        kt_json_blanks(r);
        key = r->at;
        to = member_of(rec, key, r->end);
        if (!kt_json_string(r, NULL, NULL))
            return false;
        kt_json_blanks(r);
        if (!kt_json_expect(r, ':', "':' is expected"))
            return false;
        kt_json_blanks(r);
        if (to != NULL && *to != NULL && rec->twice == NULL)
            rec->twice = key;
        if (to != NULL)
            *to = r->at;
        else
            rec->others++;
        if (!kt_json_value(r, 1))
            return false;
    } while (kt_json_take(r, ','));
    return kt_json_expect(r, '}', "',' or '}' is expected");
}

static int take_member(struct reading *j, int depth);

static int take_members(struct reading *j, int depth)
{
    const size_t len = j->len;
    int rc;

    kt_json_blanks(&j->r);
    if (kt_json_take(&j->r, '}'))
        return 0;
    do {
        kt_json_blanks(&j->r);
        j->len = len;
        rc = take_key(j);
        if (rc != 0)
            return rc;
        kt_json_blanks(&j->r);
        if (!kt_json_expect(&j->r, ':', "':' is expected"))
            return damaged(j);
        kt_json_blanks(&j->r);
        rc = take_member(j, depth);
        if (rc != 0)
            return rc;
        kt_json_blanks(&j->r);
    } while (kt_json_take(&j->r, ','));
    j->len = len;
    return kt_json_expect(&j->r, '}', "',' or '}' is expected") ? 0 : damaged(j);
}

/* {"encoding":"base64","value":…} is bytes; any other object holds more secrets. */
static bool is_bytes(struct kt_json r, struct record *rec)
{
    return kt_json_take(&r, '{') && look(&r, rec) && rec->encoding != NULL && rec->value != NULL &&
           rec->name == NULL && rec->key == NULL && rec->version == NULL && rec->others == 0 &&
           rec->twice == NULL;
}

static int take_member(struct reading *j, int depth)
{
    const char *at = j->r.at;
    struct record rec = { .value = at };
    struct item *item = NULL;
    int rc;

    if (depth > DEPTH_MAX)
        return damaged_at(j, at, "nested too deeply");
    if (at < j->r.end && *at == '{' && !is_bytes(j->r, &rec)) {
        j->r.at++;
        return take_members(j, depth + 1);
    }
    if (!kt_json_value(&j->r, depth))
        return damaged(j);
    rc = source_add(j->s, j->path, j->len, &item);
    if (rc != 0)
        return rc;
    return take_bytes(j, &rec, item);
}

/* An object that names its secret itself. */
static int take_record(struct reading *j)
{
    const char *at = j->r.at, *name;
    struct kt_json r;
    struct record rec;
    struct item *item = NULL;
    int rc;

    if (!kt_json_expect(&j->r, '{', "an object with name and value is expected"))
        return damaged(j);
    if (!look(&j->r, &rec))
        return damaged(j);
    if (rec.twice != NULL)
        return damaged_at(j, rec.twice, "this key stands there twice");
    name = rec.name != NULL ? rec.name : rec.key;
    if (name == NULL || *name != '"')
        return damaged_at(j, at, "an object without a name (or key) that is a string");
    r = j->r;
    j->r.at = name;
    j->len = 0;
    rc = take_key(j);
    j->r.at = r.at;
    if (rc == 0)
        rc = source_add(j->s, j->path, j->len, &item);
    return rc == 0 ? take_bytes(j, &rec, item) : rc;
}

static int take_list(struct reading *j)
{
    kt_json_blanks(&j->r);
    if (kt_json_take(&j->r, ']'))
        return 0;
    do {
        int rc;

        kt_json_blanks(&j->r);
        rc = take_record(j);
        if (rc != 0)
            return rc;
        kt_json_blanks(&j->r);
    } while (kt_json_take(&j->r, ','));
    return kt_json_expect(&j->r, ']', "',' or ']' is expected") ? 0 : damaged(j);
}

/* As `keyturn get --json` prints them: one alone has a version, too, several follow each other. */
static bool are_records(struct kt_json r)
{
    struct record rec;

    if (!kt_json_take(&r, '{') || !look(&r, &rec) || rec.name == NULL || *rec.name != '"')
        return false;
    kt_json_blanks(&r);
    return rec.version != NULL || r.at < r.end;
}

static int take_text(struct reading *j)
{
    int rc = 0;

    kt_json_blanks(&j->r);
    if (are_records(j->r)) {
        while (rc == 0 && j->r.at < j->r.end) {
            rc = take_record(j);
            kt_json_blanks(&j->r);
        }
        return rc;
    }
    if (kt_json_take(&j->r, '['))
        rc = take_list(j);
    else if (kt_json_expect(&j->r, '{', "an object or a list is expected"))
        rc = take_members(j, 1);
    else
        return damaged(j);
    kt_json_blanks(&j->r);
    if (rc == 0 && j->r.at < j->r.end)
        return damaged_at(j, j->r.at, "text after the end");
    return rc;
}

int import_json(struct source *s)
{
    struct reading *j = calloc(1, sizeof(*j));
    int rc;

    if (j == NULL)
        return fail_status(s->cli, KT_NO_MEMORY, NULL, "out of memory; nothing was imported");
    j->s = s;
    rc = source_plain_text(s);
    j->r = (struct kt_json){ .at = (const char *)s->text.data,
                             .end = (const char *)s->text.data + s->text.len };
    if (rc == 0)
        rc = take_text(j);
    if (rc == 0)
        rc = check_seen(j);
    for (size_t i = 0; i < j->n; i++)
        free(j->seen[i].path);
    free(j->seen);
    free(j);
    return rc;
}
