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
    if (kt_restore(h, name, &options, &err) != KT_SUCCESS)
        return fail_err(cli, name, &err);
    return say_done(cli, name, "restored");
}

const struct cmd cmd_restore = {
    .name = "restore",
    .synopsis = "NAME",
    .help = "bring a deleted secret back",
    .min = 1,
    .max = 1,
    .writes = true,
    .run = run,
};
