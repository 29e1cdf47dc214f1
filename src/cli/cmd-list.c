/* SPDX-License-Identifier: Apache-2.0 */
#include "cli.h"

#include <string.h>
#include <unistd.h>

#define SHOWN (KT_FLAG_OVERRIDE | KT_FLAG_FOREIGN | KT_FLAG_COPY | KT_FLAG_STALE)

static void put_table(const struct kt_list *l)
{
    static const char *const heads[] = { "NAME",  "CREATED", "VERSION", "EXPIRES",
                                         "STATE", "FROM",    "NOTES" };
    struct table *t = table_new(heads, 7);
    const struct kt_item *item;

    for (size_t i = 0; (item = kt_list_item(l, i)) != NULL; i++) {
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

static void put_names(const struct kt_list *l)
{
    const struct kt_item *item;

    for (size_t i = 0; (item = kt_list_item(l, i)) != NULL; i++) {
        sink_text(&sink_out, item->name);
        sink_str(&sink_out, "\n");
    }
}

static void put_json(const struct kt_list *l)
{
    const struct kt_item *item;

    for (size_t i = 0; (item = kt_list_item(l, i)) != NULL; i++) {
        struct json j = json_open(&sink_out);

        json_text(&j, "name", item->name);
        info_json(&j, &item->info);
        info_origin(&j, &item->info, SHOWN);
        json_close(&j);
    }
}

static void tell_failures(const struct cli *cli, const struct kt_list *l)
{
    const struct kt_line_status *lines;
    size_t n = kt_list_lines(l, &lines);

    for (size_t i = 0; i < n; i++)
        if (lines[i].status != KT_SUCCESS && lines[i].status != KT_IGNORE)
            say_line_failed(cli, &lines[i]);
}

static int run(const struct cli *cli)
{
    AUTO(session_closep) struct kt_handle *h = NULL;
    AUTO(list_freep) struct kt_list *l = NULL;
    const struct kt_call_options options = session_call(cli);
    char prefix[KT_NAME_MAX + 2] = "";
    struct kt_err err = { 0 };
    size_t len = 0;
    int rc;

    if (cli->argc > 0) {
        len = strlen(cli->argv[0]);
        if (len >= sizeof(prefix))
            return fail_status(cli, KT_TOO_LARGE, NULL, "a prefix has at most %d bytes",
                               KT_NAME_MAX);
        memcpy(prefix, cli->argv[0], len + 1);
        if (len > 1 && prefix[len - 1] == '/') /* as completion leaves it */
            prefix[len - 1] = '\0';
    }
    rc = session_open(cli, &h);
    if (rc != 0)
        return rc;
    if (kt_list(h, len > 0 ? prefix : NULL, &options, &l, &err) != KT_SUCCESS)
        return fail_err(cli, NULL, &err);
    if (cli->json)
        put_json(l);
    else if (isatty(STDOUT_FILENO))
        put_table(l);
    else
        put_names(l);
    tell_failures(cli, l);
    return 0;
}

const struct cmd cmd_list = {
    .name = "list",
    .synopsis = "[PREFIX]",
    .help = "names below PREFIX; a table on a terminal, one a line elsewhere",
    .max = 1,
    .run = run,
};
