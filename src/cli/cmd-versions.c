/* SPDX-License-Identifier: Apache-2.0 */
#include "cli.h"

#include <stdio.h>
#include <unistd.h>

/* "account=main team=web", cut where it gets long: --json has all. */
static const char *attrs_text(const struct kt_info *info, char *out, size_t size)
{
    size_t at = 0;

    out[0] = '\0';
    for (size_t i = 0; i < info->nattrs && at < size; i++) {
        int n = snprintf(out + at, size - at, "%s%s=%s", i > 0 ? " " : "", info->attrs[i].key,
                         info->attrs[i].value);

        at += n > 0 ? (size_t)n : 0;
    }
    return out;
}

static void put_table(const struct kt_list *l)
{
    static const char *const heads[] = { "VERSION", "STATE",   "STAGES",
                                         "CREATED", "EXPIRES", "ATTRIBUTES" };
    struct table *t = table_new(heads, 6);
    const struct kt_item *item;

    for (size_t i = 0; (item = kt_list_item(l, i)) != NULL; i++) {
        char created[WHEN_SIZE], expires[WHEN_SIZE], stages[WHEN_SIZE], attrs[256];

        table_row(t, (const char *[]){
                         item->info.id,
                         state_name(item->info.state),
                         stage_names(item->info.stages, stages),
                         when_format(item->info.created_ms, false, created),
                         when_format(item->info.expires_ms, false, expires),
                         attrs_text(&item->info, attrs, sizeof(attrs)),
                     });
    }
    table_print(t, isatty(STDOUT_FILENO));
}

static int run(const struct cli *cli)
{
    AUTO(session_closep) struct kt_handle *h = NULL;
    AUTO(list_freep) struct kt_list *l = NULL;
    const struct kt_call_options options = session_call(cli);
    const struct kt_item *item;
    struct kt_err err = { 0 };
    int rc = session_open(cli, &h);

    if (rc != 0)
        return rc;
    if (kt_versions(h, cli->argv[0], &options, &l, &err) != KT_SUCCESS)
        return fail_err(cli, cli->argv[0], &err);
    if (!cli->json) {
        put_table(l);
        return 0;
    }
    for (size_t i = 0; (item = kt_list_item(l, i)) != NULL; i++) {
        struct json j = json_open(&sink_out);

        json_text(&j, "name", cli->argv[0]);
        info_json(&j, &item->info);
        json_close(&j);
    }
    return 0;
}

const struct cmd cmd_versions = {
    .name = "versions",
    .synopsis = "NAME",
    .help = "all versions of a secret, newest first",
    .min = 1,
    .max = 1,
    .run = run,
};
