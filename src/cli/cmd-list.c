/* SPDX-License-Identifier: Apache-2.0 */
#include "cli.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SHOWN (KT_FLAG_OVERRIDE | KT_FLAG_FOREIGN | KT_FLAG_COPY | KT_FLAG_STALE)

/* Rows are sorted this many at a time, so that any number of them fits in memory. */
#define PIECE 32768

struct rows {
    const struct cli *cli;
    struct kt_item *items; /* PIECE of them */
    size_t n;
    bool begun; /* something was printed */
};

static void put_table(const struct rows *r)
{
    static const char *const heads[] = { "NAME",  "CREATED", "VERSION", "EXPIRES",
                                         "STATE", "FROM",    "NOTES" };
    struct table *t = table_new(heads, 7);

    for (size_t i = 0; i < r->n; i++) {
        const struct kt_item *item = &r->items[i];
        char created[WHEN_SIZE], expires[WHEN_SIZE], notes[64];

        table_row(t, (const char *[]){
                         item->name,
                         when_format(item->info.created_ms, false, created),
                         item->info.id,
                         when_format(item->info.expires_ms, false, expires),
                         state_name(item->info.state),
                         item->info.module,
                         flag_names(item->info.flags, notes),
                     });
    }
    table_print(t, true);
}

static void put_names(const struct rows *r)
{
    for (size_t i = 0; i < r->n; i++) {
        sink_text(&sink_out, r->items[i].name);
        sink_str(&sink_out, "\n");
    }
}

static void put_json(const struct rows *r)
{
    for (size_t i = 0; i < r->n; i++) {
        const struct kt_item *item = &r->items[i];
        struct json j = json_open(&sink_out);

        json_text(&j, "name", item->name);
        info_json(&j, &item->info);
        info_origin(&j, &item->info, SHOWN);
        json_close(&j);
    }
}

static void empty(struct rows *r)
{
    for (size_t i = 0; i < r->n; i++) {
        free((char *)r->items[i].name);
        free((void *)r->items[i].info.attrs);
    }
    r->n = 0;
}

static void rows_done(struct rows *r)
{
    empty(r);
    free(r->items);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct kt_item *)a)->name, ((const struct kt_item *)b)->name);
}

static void put(struct rows *r)
{
    if (r->n == 0 && r->begun)
        return;
    if (r->n > 0)
        qsort(r->items, r->n, sizeof(r->items[0]), by_name);
    if (r->cli->json)
        put_json(r);
    else if (isatty(STDOUT_FILENO))
        put_table(r);
    else
        put_names(r);
    r->begun = true;
    empty(r);
}

/* In one block, the strings behind the array; @ok: there was memory for it. */
static const struct kt_attr *copy_attrs(const struct kt_info *info, bool *ok)
{
    size_t size = info->nattrs * sizeof(struct kt_attr);
    struct kt_attr *attrs;
    char *p;

    if (info->nattrs == 0)
        return NULL;
    for (size_t i = 0; i < info->nattrs; i++)
        size += strlen(info->attrs[i].key) + strlen(info->attrs[i].value) + 2;
    attrs = malloc(size);
    *ok = attrs != NULL;
    if (attrs == NULL)
        return NULL;
    p = (char *)&attrs[info->nattrs];
    for (size_t i = 0; i < info->nattrs; i++) {
        attrs[i].key = p;
        p = stpcpy(p, info->attrs[i].key) + 1;
        attrs[i].value = p;
        p = stpcpy(p, info->attrs[i].value) + 1;
    }
    return attrs;
}

static int take(void *cookie, const struct kt_item *item)
{
    struct rows *r = cookie;
    struct kt_item *copy;
    bool ok = true;

    if (r->n == PIECE)
        put(r);
    if (sink_out.error != 0) /* nobody reads any more */
        return KT_CANCELLED;
    copy = &r->items[r->n++]; /* and empty() frees what it has */
    *copy = *item;
    copy->name = strdup(item->name);
    copy->info.attrs = copy_attrs(&item->info, &ok);
    return copy->name != NULL && ok ? KT_SUCCESS : KT_NO_MEMORY;
}

static void tell_failures(const struct cli *cli, const struct kt_list *l)
{
    const struct kt_line_status *lines;
    size_t n = kt_list_lines(l, &lines);

    for (size_t i = 0; i < n; i++)
        if (lines[i].status != KT_SUCCESS && lines[i].status != KT_IGNORE)
            say_line_failed(cli, &lines[i]);
}

/* The prefix as the library wants it; 0, or an exit code. */
static int take_prefix(const struct cli *cli, char prefix[KT_NAME_MAX + 2])
{
    size_t len;

    prefix[0] = '\0';
    if (cli->argc == 0)
        return 0;
    len = strlen(cli->argv[0]);
    if (len > KT_NAME_MAX + 1)
        return fail_status(cli, KT_TOO_LARGE, NULL, "a prefix has at most %d bytes", KT_NAME_MAX);
    memcpy(prefix, cli->argv[0], len + 1);
    if (len > 1 && prefix[len - 1] == '/') /* as completion leaves it */
        prefix[len - 1] = '\0';
    return 0;
}

static int run(const struct cli *cli)
{
    AUTO(session_closep) struct kt_handle *h = NULL;
    AUTO(list_freep) struct kt_list *lines = NULL;
    const struct kt_call_options options = session_call(cli);
    struct rows rows = { .cli = cli };
    char prefix[KT_NAME_MAX + 2];
    struct kt_err err = { 0 };
    int rc = take_prefix(cli, prefix);

    if (rc == 0)
        rc = session_open(cli, &h);
    if (rc != 0)
        return rc;
    rows.items = calloc(PIECE, sizeof(rows.items[0]));
    if (rows.items == NULL)
        return fail_status(cli, KT_NO_MEMORY, NULL, "out of memory");
    rc = kt_list_each(h, prefix, &options, take, &rows, &lines, &err);
    /* a list that failed shows nothing, unless it was too long to wait for its end */
    if (rc == KT_SUCCESS) {
        put(&rows);
        tell_failures(cli, lines);
    }
    rows_done(&rows);
    if (rc != KT_SUCCESS && sink_out.error == 0)
        return fail_err(cli, NULL, &err);
    return 0;
}

const struct cmd cmd_list = {
    .name = "list",
    .synopsis = "[PREFIX]",
    .help = "names below PREFIX; a table on a terminal, one a line elsewhere",
    .max = 1,
    .run = run,
};
