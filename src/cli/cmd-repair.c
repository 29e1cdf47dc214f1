/* SPDX-License-Identifier: Apache-2.0 */
#include "cli.h"

static int run(const struct cli *cli)
{
    AUTO(session_closep) struct kt_handle *h = NULL;
    const struct kt_call_options options = session_call(cli);
    const char *name = cli->argv[0];
    struct kt_err err = { 0 };
    int rc = session_open(cli, &h);

    if (rc != 0)
        return rc;
    if (kt_repair(h, name, &options, &err) != KT_SUCCESS)
        return fail_err(cli, name, &err);
    return say_done(cli, name, "repaired");
}

const struct cmd cmd_repair = {
    .name = "repair",
    .synopsis = "NAME",
    .help = "copy the authority's secret to the followers, deletion too",
    .min = 1,
    .max = 1,
    .writes = true,
    .run = run,
};
