/* SPDX-License-Identifier: Apache-2.0 */
#include "import-source.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void source_done(struct source *s)
{
    for (size_t i = 0; i < s->n; i++) {
        free(s->items[i].key);
        free(s->items[i].name);
    }
    free(s->items);
    input_free(&s->text);
    input_free(&s->values);
    s->items = NULL;
    s->n = 0;
}

static int no_memory(const struct source *s)
{
    return fail_status(s->cli, KT_NO_MEMORY, NULL, "out of memory; nothing was imported");
}

int source_add(struct source *s, const char *key, size_t key_len, struct item **out)
{
    struct item *item;

    if (s->n == SOURCE_ITEMS)
        return fail_status(s->cli, KT_TOO_LARGE, NULL,
                           "%s has more than %d secrets; nothing was imported", s->shown,
                           SOURCE_ITEMS);
    if (s->n == s->room) {
        const size_t room = 2 * s->room + 64;
        struct item *grown = realloc(s->items, room * sizeof(*grown));

        if (grown == NULL)
            return no_memory(s);
        s->items = grown;
        s->room = room;
    }
    item = &s->items[s->n];
    *item = (struct item){ .key = strndup(key, key_len) };
    if (item->key == NULL)
        return no_memory(s);
    s->n++;
    *out = item;
    return 0;
}

void item_bad(struct item *item, int status, const char *fmt, ...)
{
    va_list ap;

    if (item->bad_status != KT_SUCCESS)
        return; /* the first reason is told */
    item->bad_status = status;
    va_start(ap, fmt);
    (void)vsnprintf(item->bad, sizeof(item->bad), fmt, ap);
    va_end(ap);
}

char *source_value(struct source *s, size_t len)
{
    char *at;

    if (s->values.data == NULL && !input_room(&s->values, s->text.len + 1))
        return NULL;
    if (len > s->values.size - s->values_len)
        return NULL;
    at = (char *)s->values.data + s->values_len;
    s->values_len += len;
    return at;
}

int source_damaged_at(const struct source *s, size_t line, size_t column, const char *why)
{
    return fail_status(s->cli, KT_CORRUPT, NULL,
                       "%s, line %zu, column %zu: %s; nothing was imported", s->shown, line, column,
                       why);
}

int source_damaged(const struct source *s, const char *at, const char *why)
{
    size_t line = 1, column = 1;

    for (const char *p = (const char *)s->text.data; p < at; p++) {
        column++;
        if (*p == '\n') {
            line++;
            column = 1;
        }
    }
    return source_damaged_at(s, line, column, why);
}

/* ---- names ----------------------------------------------------------------------------------- */

/* Is @given, a word KEY=NAME or KEY, about @key? Returns what stands behind the `=`. */
static const char *about(const char *given, const char *key)
{
    const size_t len = strlen(key);

    if (strncmp(given, key, len) != 0)
        return NULL;
    return given[len] == '=' ? given + len + 1 : NULL;
}

static const char *mapped(const struct cli *cli, const char *key)
{
    size_t from = 0;
    const char *given, *name;

    while ((given = args_next(cli, "map", &from)) != NULL) {
        name = about(given, key);
        if (name != NULL)
            return name;
    }
    return NULL;
}

static bool is_wanted(const struct cli *cli, const char *key)
{
    size_t from = 0;
    const char *given;
    bool any = false;

    while ((given = args_next(cli, "only", &from)) != NULL) {
        any = true;
        if (strcmp(given, key) == 0)
            return true;
    }
    return !any;
}

/* --map and --only speak of what is there: a key mistyped must not be left out in silence. */
static int check_keys(const struct source *s, const char *option)
{
    size_t from = 0;
    const char *given;

    while ((given = args_next(s->cli, option, &from)) != NULL) {
        bool found = false;

        for (size_t i = 0; i < s->n && !found; i++)
            found = strcmp(given, s->items[i].key) == 0 || about(given, s->items[i].key) != NULL;
        if (!found)
            return fail_status(s->cli, KT_NOT_FOUND, NULL,
                               "--%s %s: %s has no such key; nothing was imported", option, given,
                               s->shown);
    }
    return 0;
}

/* What a name like @key could be: other characters become `-`, and no part is empty. */
static void suggest(const char *key, char *out, size_t size)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                  "_+=.@-";
    size_t n = 0;

    for (const char *p = key; *p != '\0' && n + 1 < size; p++) {
        if (*p == '/' && (n == 0 || out[n - 1] == '/'))
            continue;
        if (*p == '/' || strchr(allowed, *p) != NULL)
            out[n++] = *p;
        else if (n > 0 && out[n - 1] != '-' && out[n - 1] != '/')
            out[n++] = '-';
    }
    while (n > 0 && (out[n - 1] == '/' || out[n - 1] == '-'))
        n--;
    out[n] = '\0';
}

static void check_name(struct item *item)
{
    struct kt_err err = { 0 };
    char other[64];
    const int rc = kt_name_check(item->name, &err);

    if (rc == KT_SUCCESS)
        return;
    suggest(item->key, other, sizeof(other));
    if (item->key[0] == '\0')
        item_bad(item, rc, "not a name: it is empty");
    else if (rc == KT_TOO_LARGE || kt_name_check(other, NULL) != KT_SUCCESS)
        item_bad(item, rc, "not a name; --map %.60s=NAME gives it one", item->key);
    else
        item_bad(item, rc,
                 "not a name: parts of letters, digits and _+=.@- joined by /; "
                 "--map '%.60s=%s' gives it one",
                 item->key, other);
}

static int name_item(struct source *s, struct item *item, const char *prefix)
{
    const char *name = mapped(s->cli, item->key);
    int n;

    if (name != NULL)
        n = asprintf(&item->name, "%s", name);
    else if (prefix != NULL)
        n = asprintf(&item->name, "%s%s%s", prefix, prefix[strlen(prefix) - 1] == '/' ? "" : "/",
                     item->key);
    else
        n = asprintf(&item->name, "%s", item->key);
    if (n < 0) {
        item->name = NULL;
        return no_memory(s);
    }
    check_name(item);
    return 0;
}

static int by_name(const void *a, const void *b)
{
    return strcmp((*(const struct item *const *)a)->name, (*(const struct item *const *)b)->name);
}

static int check_twice(const struct source *s)
{
    const struct item **sorted = calloc(s->n + 1, sizeof(void *));
    int rc = 0;

    if (sorted == NULL)
        return no_memory(s);
    for (size_t i = 0; i < s->n; i++)
        sorted[i] = &s->items[i];
    qsort(sorted, s->n, sizeof(void *), by_name);
    for (size_t i = 1; i < s->n && rc == 0; i++)
        if (strcmp(sorted[i - 1]->name, sorted[i]->name) == 0)
            rc = fail_status(s->cli, KT_INVALID, NULL,
                             "%s and %s of %s would both be %s: --map gives one another name; "
                             "nothing was imported",
                             sorted[i - 1]->key, sorted[i]->key, s->shown, sorted[i]->name);
    free(sorted);
    return rc;
}

static void drop_unwanted(struct source *s)
{
    size_t n = 0;

    for (size_t i = 0; i < s->n; i++) {
        if (is_wanted(s->cli, s->items[i].key)) {
            s->items[n++] = s->items[i];
        } else {
            free(s->items[i].key);
            free(s->items[i].name);
        }
    }
    s->n = n;
}

int source_names(struct source *s)
{
    const char *prefix = args_value(s->cli, "prefix");
    int rc = check_keys(s, "map");

    if (rc == 0)
        rc = check_keys(s, "only");
    if (rc == 0)
        drop_unwanted(s);
    for (size_t i = 0; i < s->n && rc == 0; i++)
        rc = name_item(s, &s->items[i], prefix);
    return rc == 0 ? check_twice(s) : rc;
}
