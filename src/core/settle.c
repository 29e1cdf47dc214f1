/* SPDX-License-Identifier: Apache-2.0 */
#include "settle.h"

#include "control.h"
#include "err.h"
#include "policy.h"
#include "words.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int refuse(const struct kt_line *l, struct kt_err *err, const char *fmt, ...)
    KT_PRINTF(3, 4);

static int refuse(const struct kt_line *l, struct kt_err *err, const char *fmt, ...)
{
    char text[sizeof(err->msg)];
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    return kt_refuse(err, l->file, l->lineno, l->column, "%s", text);
}

const struct kt_probe *kt_line_probe(const struct kt_service *s, const struct kt_line *line)
{
    return line->place < 0 ? NULL : &s->places[line->place].probe;
}

enum kt_role kt_line_role(const struct kt_service *s, const struct kt_line *line)
{
    const struct kt_probe *p = kt_line_probe(s, line);

    return p == NULL ? KT_ROLE_STORE : (enum kt_role)p->role;
}

/* ---- which store a line names ----------------------------------------------------------------- */

/* The only read line of @module; NULL if there is none or more than one. */
static const struct kt_line *only_reader(const struct kt_service *s, const char *module)
{
    const struct kt_line *found = NULL;

    for (size_t i = 0; i < s->read.n; i++) {
        const struct kt_line *l = &s->read.lines[i];
        if (l->module == NULL || strcmp(l->module, module) != 0)
            continue;
        if (found != NULL)
            return NULL;
        found = l;
    }
    return found;
}

static int copy_text(const char *from, char **to, struct kt_err *err)
{
    if (from == NULL)
        return KT_SUCCESS;
    *to = strdup(from);
    return *to != NULL ? KT_SUCCESS : kt_fail(err, KT_NO_MEMORY, "out of memory");
}

/* A write line without options means the store that its module's read line describes. */
static int inherit(const struct kt_service *s, struct kt_line *l, struct kt_err *err)
{
    const struct kt_line *from = l->module != NULL ? only_reader(s, l->module) : NULL;
    int rc = KT_SUCCESS;

    if (from == NULL || l->nwords > 0)
        return KT_SUCCESS;
    free(l->words);
    l->words = calloc(from->nwords + 1, sizeof(*l->words));
    if (l->words == NULL)
        return kt_fail(err, KT_NO_MEMORY, "out of memory");
    for (; l->nwords < from->nwords && rc == KT_SUCCESS; l->nwords++) {
        struct kt_word *w = &l->words[l->nwords];
        *w = (struct kt_word){ .lineno = l->lineno, .column = l->column };
        rc = copy_text(from->words[l->nwords].text, &w->text, err);
    }
    if (l->core.store != NULL || l->core.name != NULL || l->core.field != NULL)
        return rc;
    if (rc == KT_SUCCESS)
        rc = copy_text(from->core.store, &l->core.store, err);
    if (rc == KT_SUCCESS)
        rc = copy_text(from->core.name, &l->core.name, err);
    if (rc == KT_SUCCESS)
        rc = copy_text(from->core.field, &l->core.field, err);
    return rc;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Module and options, an option a line: no word holds a newline, and their order means nothing. */
static int identify(struct kt_line *l, struct kt_err *err)
{
    const char **texts = calloc(l->nwords + 1, sizeof(*texts));
    size_t size = strlen(l->module) + 1;
    char *p;

    for (size_t i = 0; texts != NULL && i < l->nwords; i++) {
        texts[i] = l->words[i].text;
        size += strlen(texts[i]) + 1;
    }
    l->identity = malloc(size);
    if (texts == NULL || l->identity == NULL) {
        free(texts);
        return kt_fail(err, KT_NO_MEMORY, "out of memory");
    }
    qsort(texts, l->nwords, sizeof(*texts), by_text);
    p = stpcpy(l->identity, l->module);
    for (size_t i = 0; i < l->nwords; i++)
        p = stpcpy(stpcpy(p, "\n"), texts[i]);
    free(texts);
    return KT_SUCCESS;
}

static int identify_all(struct kt_service *s, struct kt_err *err)
{
    struct kt_stack *const stacks[] = { &s->read, &s->write, &s->sets };
    int rc = KT_SUCCESS;

    for (size_t i = 0; i < s->write.n && rc == KT_SUCCESS; i++)
        rc = inherit(s, &s->write.lines[i], err);
    for (size_t i = 0; i < sizeof(stacks) / sizeof(stacks[0]); i++)
        for (size_t k = 0; k < stacks[i]->n && rc == KT_SUCCESS; k++)
            if (stacks[i]->lines[k].module != NULL)
                rc = identify(&stacks[i]->lines[k], err);
    return rc;
}

bool kt_line_same_store(const struct kt_line *a, const struct kt_line *b)
{
    if (a->identity == NULL || b->identity == NULL)
        return false;
    return strcmp(a->identity, b->identity) == 0 ||
           (a->core.store != NULL && b->core.store != NULL &&
            strcmp(a->core.store, b->core.store) == 0);
}

/* ---- the authority ---------------------------------------------------------------------------- */

static int find_in_write(struct kt_service *s, struct kt_err *err)
{
    const struct kt_line *first = NULL;

    for (size_t i = 0; i < s->write.n && first == NULL; i++)
        if (!s->write.lines[i].substack)
            first = &s->write.lines[i];
    if (first == NULL)
        return KT_SUCCESS; /* nothing but an empty substack */
    if (!kt_control_demands(&first->control))
        return refuse(first, err,
                      "expected required or requisite on the first write line, which names the "
                      "authority, found '%s'",
                      first->control.text);
    if (kt_line_role(s, first) == KT_ROLE_CACHE)
        return refuse(first, err,
                      "expected a store on the first write line, which names the authority, "
                      "found the cache '%s'",
                      first->module);
    s->authority = first;
    s->writable = true;
    return KT_SUCCESS;
}

/* Without write lines: the first line that no success above can do without, else the last. */
static void find_in_read(struct kt_service *s)
{
    for (size_t i = 0; i < s->read.n; i++) {
        const struct kt_line *l = &s->read.lines[i];
        if (l->substack || kt_line_role(s, l) == KT_ROLE_CACHE)
            continue;
        s->authority = l;
        if (kt_control_demands(&l->control) || strcmp(l->control.text, "binding") == 0)
            return;
    }
}

bool kt_line_is_authority(const struct kt_service *s, const struct kt_line *line)
{
    return s->authority != NULL && kt_line_same_store(s->authority, line);
}

bool kt_line_is_follower(const struct kt_service *s, const struct kt_line *line)
{
    if (line->module == NULL || kt_line_is_authority(s, line))
        return false;
    return kt_line_role(s, line) == KT_ROLE_STORE || kt_line_role(s, line) == KT_ROLE_OVERRIDE;
}

bool kt_line_is_override(const struct kt_service *s, const struct kt_line *line)
{
    return kt_line_is_follower(s, line) &&
           (kt_line_role(s, line) == KT_ROLE_OVERRIDE || line->core.max_stale_ms == KT_FOREVER);
}

/* ---- ages ------------------------------------------------------------------------------------- */

/* Options that only one of the lines has, by name: values may be nobody's business. */
static void add_missing(const struct kt_line *a, const struct kt_line *b, char *out, size_t size)
{
    for (size_t i = 0; i < a->nwords; i++) {
        const int len = (int)strcspn(a->words[i].text, "=");
        char name[KT_QUOTE_SIZE + 2], quoted[KT_QUOTE_SIZE];
        const size_t used = strlen(out);
        bool there = false;

        for (size_t k = 0; k < b->nwords; k++)
            there = there || strcmp(a->words[i].text, b->words[k].text) == 0;
        (void)snprintf(quoted, sizeof(quoted), "%.*s", len, a->words[i].text);
        (void)snprintf(name, sizeof(name), "'%s'", quoted);
        if (!there && strstr(out, name) == NULL)
            (void)snprintf(out + used, size - used, "%s%s", used > 0 ? ", " : "", name);
    }
}

/* Two lines of one module: perhaps one store was meant. */
static int refuse_differing(const struct kt_service *s, const struct kt_line *l, struct kt_err *err)
{
    char names[200] = "";

    add_missing(l, s->authority, names, sizeof(names));
    add_missing(s->authority, l, names, sizeof(names));
    return refuse(
        l, err,
        "this line and the authority on line %u differ in %s: give both the same options, "
        "or the same store=LABEL; or, if this is another store, which holds copies, "
        "max-stale=1h",
        s->authority->lineno, names[0] != '\0' ? names : "their options");
}

static int settle_ages(const struct kt_service *s, struct kt_line *l, struct kt_err *err)
{
    struct kt_core_options *c = &l->core;
    const unsigned given = c->given & (KT_GIVEN_TTL | KT_GIVEN_MAX_STALE);
    char ttl[24], stale[24];

    if (kt_line_role(s, l) == KT_ROLE_STORE && kt_line_is_follower(s, l) &&
        (given & KT_GIVEN_MAX_STALE) == 0 && strcmp(l->module, s->authority->module) == 0)
        return refuse_differing(s, l, err);
    if (kt_line_role(s, l) == KT_ROLE_STORE && kt_line_is_follower(s, l) &&
        (given & KT_GIVEN_MAX_STALE) == 0)
        return refuse(l, err,
                      "'%s' holds copies here, the authority is '%s' on line %u: add max-stale=1h, "
                      "or how old they may be when the authority is out of reach",
                      l->module, s->authority->module, s->authority->lineno);
    if (c->max_stale_ms == KT_FOREVER &&
        (kt_line_role(s, l) == KT_ROLE_CACHE || kt_line_role(s, l) == KT_ROLE_AGENT))
        return refuse(l, err,
                      "expected a time as max-stale of '%s', found 'none', which is for stores",
                      l->module);
    if (given == KT_GIVEN_MAX_STALE && c->ttl_ms > c->max_stale_ms)
        c->ttl_ms = c->max_stale_ms; /* the default gives way */
    if (c->ttl_ms > c->max_stale_ms)
        return refuse(l, err, "expected a ttl of at most max-stale, found ttl=%s, max-stale=%s%s",
                      kt_duration_print(c->ttl_ms, ttl), kt_duration_print(c->max_stale_ms, stale),
                      given == KT_GIVEN_TTL ? " (the default): say max-stale too" : "");
    if (s->policy_lines.n == 0 && c->max_stale_ms != KT_FOREVER &&
        c->max_stale_ms > KT_MAX_STALE_UNRULED)
        return refuse(l, err,
                      "max-stale=%s is over 5h, which needs a policy line whose grace covers it",
                      kt_duration_print(c->max_stale_ms, stale));
    return KT_SUCCESS;
}

int kt_settle(struct kt_service *s, struct kt_err *err)
{
    int rc = identify_all(s, err);

    if (rc == KT_SUCCESS)
        rc = find_in_write(s, err);
    if (rc == KT_SUCCESS && s->authority == NULL)
        find_in_read(s);
    for (size_t i = 0; i < s->read.n && rc == KT_SUCCESS; i++)
        if (!s->read.lines[i].substack && s->read.lines[i].place >= 0)
            rc = settle_ages(s, &s->read.lines[i], err);
    return rc;
}
