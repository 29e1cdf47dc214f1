/* SPDX-License-Identifier: Apache-2.0 */
#include "line.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VERSIONS_MAX 512

static void __attribute__((noreturn)) give_up(const struct pl_line *l, const char *what)
{
    fprintf(stderr, "powerloss: cannot %s: %s\n", what, l->call.msg);
    abort();
}

void pl_line_open(struct pl_line *l, const char *dir, const char *store)
{
    char *words = NULL;

    if (asprintf(&words, "path=%s/%s key=%s/%s", dir, store, dir, PL_KEY) < 0)
        give_up(l, "find memory");
    l->m = modhost_load("file");
    modhost_call_init(&l->call);
    if (modhost_open(l->m, &l->call, words, &l->state) != KT_SUCCESS)
        give_up(l, "open the line");
    free(words);
}

void pl_line_close(struct pl_line *l)
{
    if (l->m == NULL)
        return;
    l->m->close(l->state);
    modhost_call_done(&l->call);
    *l = (struct pl_line){ .m = NULL };
}

/* ---- writes --------------------------------------------------------------------------------- */

int pl_line_put(struct pl_line *l, const char *name, const struct kt_put *put)
{
    int rc;

    modhost_call_reset(&l->call);
    rc = l->m->put(l->state, &l->call, KT_PREPARE, name, put);
    return rc != KT_SUCCESS ? rc : l->m->put(l->state, &l->call, KT_COMMIT, name, put);
}

int pl_line_stage(struct pl_line *l, const char *name, uint32_t stage, const char *version,
                  const char *expected)
{
    int rc;

    modhost_call_reset(&l->call);
    rc = l->m->stage(l->state, &l->call, KT_PREPARE, name, stage, version, expected);
    return rc != KT_SUCCESS
               ? rc
               : l->m->stage(l->state, &l->call, KT_COMMIT, name, stage, version, expected);
}

int pl_line_delete(struct pl_line *l, const char *name, const char *version, bool purge)
{
    const struct kt_delete del = { .size = sizeof(del), .purge = purge, .version = version };
    bool restorable;
    int rc;

    modhost_call_reset(&l->call);
    rc = l->m->del(l->state, &l->call, KT_PREPARE, name, &del, &restorable);
    return rc != KT_SUCCESS ? rc
                            : l->m->del(l->state, &l->call, KT_COMMIT, name, &del, &restorable);
}

static char *words_for(struct pl_line *l, const struct kt_option *o, const char *operand)
{
    const char *name = NULL;
    const char *replace = "";
    char *words = NULL;

    for (; o != NULL && o->name != NULL; o++) {
        if ((o->type & KT_OPTION_OPERAND) != 0)
            name = o->name;
        if (strcmp(o->name, "replace") == 0)
            replace = " replace";
    }
    if (name == NULL || asprintf(&words, "%s=%s%s", name, operand, replace) < 0)
        give_up(l, "give the verb an operand");
    return words;
}

int pl_line_verb(struct pl_line *l, const char *verb, const char *operand)
{
    const struct kt_verb *v = l->m->verbs;
    char *words = NULL;
    int rc;

    while (v->name != NULL && strcmp(v->name, verb) != 0)
        v++;
    if (v->name == NULL)
        return KT_UNSUPPORTED;
    if (operand != NULL)
        words = words_for(l, v->options, operand);
    modhost_call_reset(&l->call);
    rc = modhost_verb(l->m, l->state, &l->call, verb, words);
    free(words);
    return rc;
}

/* ---- reads ---------------------------------------------------------------------------------- */

static int by_id(const void *a, const void *b)
{
    return strcmp(((const struct modhost_given *)a)->id, ((const struct modhost_given *)b)->id);
}

/* The call keeps the rows, sorted. */
static int ask_versions(struct pl_line *l, const char *name)
{
    int rc;

    modhost_call_reset(&l->call);
    rc = l->m->versions(l->state, &l->call, name);
    if (l->call.ngiven > 1)
        qsort(l->call.given, l->call.ngiven, sizeof(l->call.given[0]), by_id);
    return rc;
}

size_t pl_line_versions(struct pl_line *l, const char *name, struct pl_version *out, size_t max)
{
    const int rc = ask_versions(l, name);
    size_t n = 0;

    if (rc != KT_SUCCESS && rc != KT_NOT_FOUND)
        give_up(l, "ask for versions");
    for (; n < l->call.ngiven && n < max; n++) {
        const struct modhost_given *g = &l->call.given[n];

        out[n] = (struct pl_version){ .state = g->state, .stages = g->stages };
        (void)snprintf(out[n].id, sizeof(out[n].id), "%s", g->id);
    }
    return n;
}

static uint64_t hash(const uint8_t *data, size_t len)
{
    uint64_t h = 0xcbf29ce484222325U;

    for (size_t i = 0; i < len; i++)
        h = (h ^ data[i]) * 0x100000001b3U;
    return h;
}

/* What a get answers, on the rest of a line. */
static void print_get(struct pl_line *l, FILE *out, const char *name, const char *version)
{
    int rc;

    modhost_call_reset(&l->call);
    rc = l->m->get(l->state, &l->call, name, modhost_want(version));
    if (rc == KT_SUCCESS && l->call.ngiven == 1)
        fprintf(out, " value %s %zu %016jx;", l->call.given[0].id, l->call.given[0].len,
                (uintmax_t)hash(l->call.given[0].data, l->call.given[0].len));
    else if (rc == KT_DISABLED || rc == KT_NOT_FOUND)
        fprintf(out, " value none (%d);", rc);
    else
        fprintf(out, " value FAILED with status %d, %s;", rc, l->call.msg);
}

static void print_version(FILE *out, const struct modhost_given *g)
{
    fprintf(out, "%s state %u stages %u created %jd expires %jd from %jd", g->id, g->state,
            g->stages, (intmax_t)g->created_ms, (intmax_t)g->expires_ms,
            (intmax_t)g->not_before_ms);
    for (size_t i = 0; i < g->nattrs; i++)
        fprintf(out, " %s=%s", g->attrs[i].key, g->attrs[i].value);
}

char *pl_line_describe(struct pl_line *l, const char *name)
{
    char *rows[VERSIONS_MAX] = { NULL };
    char ids[VERSIONS_MAX][KT_ID_SIZE];
    char *text = NULL;
    size_t len;
    const int rc = ask_versions(l, name);
    const size_t n = l->call.ngiven < VERSIONS_MAX ? l->call.ngiven : VERSIONS_MAX;
    FILE *out = open_memstream(&text, &len);

    if (out == NULL)
        give_up(l, "find memory");
    if (rc != KT_SUCCESS && rc != KT_NOT_FOUND)
        fprintf(out, "FAILED with status %d, %s", rc, l->call.msg);
    for (size_t i = 0; i < n; i++) {
        FILE *row = open_memstream(&rows[i], &len);

        if (row == NULL)
            give_up(l, "find memory");
        print_version(row, &l->call.given[i]);
        (void)fclose(row);
        (void)snprintf(ids[i], sizeof(ids[i]), "%s", l->call.given[i].id);
    }
    for (size_t i = 0; i < n; i++) {
        fputs(rows[i], out);
        print_get(l, out, name, ids[i]);
        fputc(' ', out);
        free(rows[i]);
    }
    if (rc == KT_SUCCESS) {
        fputs("current", out);
        print_get(l, out, name, NULL);
    }
    (void)fclose(out);
    return text;
}

long pl_line_names(struct pl_line *l)
{
    int rc;

    modhost_call_reset(&l->call);
    rc = l->m->list(l->state, &l->call, NULL);
    if (rc == KT_NOT_FOUND)
        return 0;
    return rc == KT_SUCCESS ? (long)l->call.ngiven : -1;
}
