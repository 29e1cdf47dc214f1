/* SPDX-License-Identifier: Apache-2.0 */
#include "cli.h"

#include <stdio.h>
#include <unistd.h>

static bool confirmed(const struct cli *cli, const char *name, const struct kt_delete_options *o)
{
    char question[KT_NAME_MAX + KT_ID_SIZE + 64];

    if (args_value(cli, "force") != NULL || !isatty(STDIN_FILENO))
        return true;
    if (o->version != NULL)
        (void)snprintf(question, sizeof(question), "Destroy version %s of %s? [y/N] ", o->version,
                       name);
    else
        (void)snprintf(question, sizeof(question), "Delete %s with all its versions%s? [y/N] ",
                       name, o->purge ? ", beyond restore" : "");
    return prompt_yes(question, session_left_ms(cli));
}

static void put_result(const struct cli *cli, const char *name, const char *version,
                       bool restorable)
{
    if (cli->json) {
        struct json j = json_open(&sink_out);

        json_text(&j, "name", name);
        json_text(&j, "result", version != NULL ? "destroyed" : "deleted");
        if (version != NULL)
            json_text(&j, "version", version);
        json_bool(&j, "restorable", restorable);
        json_close(&j);
    } else if (restorable && !cli->quiet) {
        sink_text(&sink_out, name);
        sink_str(&sink_out, ": deleted; 'keyturn restore ");
        sink_text(&sink_out, name);
        sink_str(&sink_out, "' brings it back\n");
    } else {
        (void)say_done(cli, name,
                       version != NULL ? "version destroyed, for good" : "deleted, for good");
    }
}

static int run(const struct cli *cli)
{
    AUTO(session_closep) struct kt_handle *h = NULL;
    const struct kt_call_options call = session_call(cli);
    const char *name = cli->argv[0];
    const struct kt_delete_options options = {
        .size = sizeof(options),
        .timeout_ms = call.timeout_ms,
        .may_prompt = call.may_prompt,
        .purge = args_value(cli, "purge") != NULL,
        .version = args_value(cli, "version"),
        .expected = session_expect(cli),
    };
    struct kt_err err = { 0 };
    bool restorable = false;
    int rc;

    if (options.version != NULL && options.expected != NULL)
        return fail_usage(cli, "delete: --expect is for the whole secret, not for --version");
    rc = session_open(cli, &h);
    if (rc != 0)
        return rc;
    if (!confirmed(cli, name, &options))
        return fail_status(cli, KT_CANCELLED, name, "not confirmed; nothing was deleted");
    if (kt_delete(h, name, &options, &restorable, &err) != KT_SUCCESS)
        return fail_err(cli, name, &err);
    put_result(cli, name, options.version, restorable);
    return 0;
}

static const struct opt opts[] = {
    { .name = "version", .arg = "ID", .help = "destroy this version only; its record stays" },
    { .name = "purge", .help = "beyond restore, where the store knows the difference" },
    { .name = "expect", .arg = "ID", .help = "only if ID is current" },
    { .name = "force", .letter = 'f', .help = "do not ask, on a terminal either" },
    { 0 },
};

const struct cmd cmd_delete = {
    .name = "delete",
    .synopsis = "NAME [--version ID] [--purge] [--expect ID] [-f]",
    .help = "delete a secret, or destroy one version; says whether restore can undo it",
    .opts = opts,
    .min = 1,
    .max = 1,
    .writes = true,
    .run = run,
};
