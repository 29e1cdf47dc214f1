/* SPDX-License-Identifier: Apache-2.0 */
#include "export.h"

#include "kit/dotenv.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BATCH 500 /* names asked for at once */

void export_done(struct export *e)
{
    for (size_t i = 0; i < e->n; i++) {
        free(e->items[i].name);
        free(e->items[i].key);
        kt_secret_free(e->items[i].secret);
    }
    free(e->items);
    e->items = NULL;
    e->n = 0;
}

static int no_memory(const struct export *e)
{
    return fail_status(e->cli, KT_NO_MEMORY, NULL, "out of memory; nothing was written");
}

/* ---- names ----------------------------------------------------------------------------------- */

static int take_names(struct export *e, struct kt_handle *h)
{
    AUTO(list_freep) struct kt_list *l = NULL;
    const struct kt_call_options call = session_call(e->cli);
    const struct kt_line_status *lines;
    struct kt_err err = { 0 };
    size_t n;

    if (kt_list(h, e->prefix, &call, &l, &err) != KT_SUCCESS)
        return fail_err(e->cli, NULL, &err);
    n = kt_list_lines(l, &lines);
    for (size_t i = 0; i < n; i++)
        if (lines[i].status != KT_SUCCESS && lines[i].status != KT_IGNORE)
            say_line_failed(e->cli, &lines[i]);
    n = kt_list_count(l);
    e->items = calloc(n + 1, sizeof(*e->items));
    if (e->items == NULL)
        return no_memory(e);
    for (size_t i = 0; i < n; i++) {
        char *name = strdup(kt_list_item(l, i)->name);

        if (name == NULL)
            return no_memory(e);
        e->items[e->n++].name = name;
    }
    if (n == 0)
        return fail_status(e->cli, KT_NOT_FOUND, e->prefix,
                           "there is nothing to export; nothing was written");
    return 0;
}

/* ---- values ---------------------------------------------------------------------------------- */

/* It has no value now: that is no failure to ask. */
static bool has_none(int status)
{
    return status == KT_DISABLED || status == KT_EXPIRED || status == KT_NOT_YET ||
           status == KT_NOT_FOUND;
}

static int take_result(struct export *e, struct exported *x, struct kt_result *r)
{
    x->secret = r->secret;
    if (r->status == KT_SUCCESS)
        return 0;
    if (!has_none(r->status))
        return fail_err(e->cli, x->name, &r->err);
    say_warning(e->cli, "%s stays behind: %s", x->name, r->err.msg);
    e->left++;
    return 0;
}

/* All of them are taken, or they would leak; the first failure is told. */
static int take_batch(struct export *e, struct kt_handle *h, struct exported *from, size_t n)
{
    const struct kt_call_options call = session_call(e->cli);
    const struct kt_get_options options = { .size = sizeof(options),
                                            .timeout_ms = call.timeout_ms,
                                            .may_prompt = call.may_prompt };
    struct kt_result *results = calloc(n, sizeof(*results));
    const char **names = calloc(n, sizeof(*names));
    struct kt_err err = { 0 };
    int rc = 0;

    if (results == NULL || names == NULL) {
        free(names);
        free(results);
        return no_memory(e);
    }
    for (size_t i = 0; i < n; i++)
        names[i] = from[i].name;
    if (kt_get_many(h, names, n, &options, results, &err) != KT_SUCCESS)
        rc = fail_err(e->cli, NULL, &err);
    for (size_t i = 0; i < n; i++) {
        if (rc == 0)
            rc = take_result(e, &from[i], &results[i]);
        else
            kt_secret_free(results[i].secret);
    }
    free(names);
    free(results);
    return rc;
}

static void drop_empty(struct export *e)
{
    size_t n = 0;

    for (size_t i = 0; i < e->n; i++) {
        if (e->items[i].secret != NULL)
            e->items[n++] = e->items[i];
        else
            free(e->items[i].name);
    }
    e->n = n;
}

/* ---- keys ------------------------------------------------------------------------------------ */

/* The name in --map KEY=NAME that is @name; its KEY. */
static char *mapped(const struct export *e, const char *name)
{
    const char *given;
    size_t from = 0;

    while ((given = args_next(e->cli, "map", &from)) != NULL) {
        const char *equals = strchr(given, '=');

        if (strcmp(equals + 1, name) == 0)
            return strndup(given, (size_t)(equals - given));
    }
    return NULL;
}

static int check_mapped(const struct export *e)
{
    const char *given;
    size_t from = 0;

    while ((given = args_next(e->cli, "map", &from)) != NULL) {
        const char *name = strchr(given, '=') + 1;
        bool found = false;

        for (size_t i = 0; i < e->n && !found; i++)
            found = strcmp(e->items[i].name, name) == 0;
        if (!found)
            return fail_status(e->cli, KT_NOT_FOUND, NULL,
                               "--map %s: %s is not among what is exported; nothing was written",
                               given, name);
    }
    return 0;
}

/* What PREFIX/ stands before goes without it; what is no variable's name becomes one, in capitals. */
static char *variable(const struct export *e, const char *name)
{
    const size_t skip = e->prefix != NULL ? strlen(e->prefix) : 0;
    const char *last = strrchr(name, '/');
    char *key;

    if (skip > 0 && name[skip] == '/')
        name += skip + 1;
    else if (skip > 0 && last != NULL)
        name = last + 1; /* PREFIX itself */
    if (kt_dotenv_is_key(name))
        return strdup(name);
    if (asprintf(&key, "%s%s", isdigit((unsigned char)*name) ? "_" : "", name) < 0)
        return NULL;
    for (char *p = key; *p != '\0'; p++)
        *p = isalnum((unsigned char)*p) ? (char)toupper((unsigned char)*p) : '_';
    return key;
}

static int by_key(const void *a, const void *b)
{
    return strcmp((*(const struct exported *const *)a)->key,
                  (*(const struct exported *const *)b)->key);
}

static int check_twice(const struct export *e)
{
    const struct exported **sorted = calloc(e->n + 1, sizeof(void *));
    int rc = 0;

    if (sorted == NULL)
        return no_memory(e);
    for (size_t i = 0; i < e->n; i++)
        sorted[i] = &e->items[i];
    qsort(sorted, e->n, sizeof(void *), by_key);
    for (size_t i = 1; i < e->n && rc == 0; i++)
        if (strcmp(sorted[i - 1]->key, sorted[i]->key) == 0)
            rc = fail_status(e->cli, KT_INVALID, NULL,
                             "%s and %s would both be %s: --map KEY=NAME tells them apart; "
                             "nothing was written",
                             sorted[i - 1]->name, sorted[i]->name, sorted[i]->key);
    free(sorted);
    return rc;
}

static int check_env(const struct export *e, const struct exported *x)
{
    if (!kt_dotenv_is_key(x->key))
        return fail_status(e->cli, KT_INVALID, x->name,
                           "'%s' is no variable: letters, digits and _, no digit first; "
                           "nothing was written",
                           x->key);
    if (memchr(kt_secret_data(x->secret), '\0', kt_secret_len(x->secret)) != NULL)
        return fail_status(e->cli, KT_INVALID, x->name,
                           "the value has a NUL byte, which no .env file can hold; nothing was "
                           "written: --format json can");
    return 0;
}

static int take_keys(struct export *e)
{
    int rc = check_mapped(e);

    for (size_t i = 0; i < e->n && rc == 0; i++) {
        struct exported *x = &e->items[i];

        x->key = mapped(e, x->name);
        if (x->key == NULL)
            x->key = e->env ? variable(e, x->name) : strdup(x->name);
        if (x->key == NULL)
            return no_memory(e);
        if (e->env)
            rc = check_env(e, x);
    }
    return rc == 0 ? check_twice(e) : rc;
}

int export_gather(struct export *e, struct kt_handle *h)
{
    int rc = take_names(e, h);

    for (size_t i = 0; i < e->n && rc == 0; i += BATCH)
        rc = take_batch(e, h, e->items + i, e->n - i < BATCH ? e->n - i : BATCH);
    if (rc == 0)
        drop_empty(e);
    return rc == 0 ? take_keys(e) : rc;
}
