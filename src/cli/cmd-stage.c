/* SPDX-License-Identifier: Apache-2.0 */
#include "cli.h"

#include <string.h>

static bool is_stage(const char *word)
{
    return strcmp(word, "current") == 0 || strcmp(word, "pending") == 0 ||
           strcmp(word, "previous") == 0;
}

static uint32_t bit_of(const char *stage)
{
    return strcmp(stage, "current") == 0    ? KT_STAGE_CURRENT
           : strcmp(stage, "previous") == 0 ? KT_STAGE_PREVIOUS
                                            : KT_STAGE_PENDING;
}

/* The version that bears a stage now; 0, or an exit code. */
static int find_version(const struct cli *cli, struct kt_handle *h, const char *stage,
                        char id[KT_ID_SIZE])
{
    AUTO(list_freep) struct kt_list *l = NULL;
    const struct kt_call_options options = session_call(cli);
    const char *name = cli->argv[0];
    const struct kt_item *item;
    struct kt_err err = { 0 };

    if (kt_versions(h, name, &options, &l, &err) != KT_SUCCESS)
        return fail_err(cli, name, &err);
    for (size_t i = 0; (item = kt_list_item(l, i)) != NULL; i++) {
        if ((item->info.stages & bit_of(stage)) == 0)
            continue;
        memcpy(id, item->info.id, KT_ID_SIZE);
        return 0;
    }
    return fail_status(cli, KT_NOT_FOUND, name, "no version is %s", stage);
}

static int run(const struct cli *cli)
{
    AUTO(session_closep) struct kt_handle *h = NULL;
    const struct kt_call_options options = session_call(cli);
    const char *name = cli->argv[0], *version = cli->argv[1], *stage = cli->argv[2];
    const char *expected = session_expect(cli);
    struct kt_err err = { 0 };
    char id[KT_ID_SIZE];
    int rc;

    if (!is_stage(stage) &&
        is_stage(version)) { /* no id is a stage's name: either order is clear */
        stage = cli->argv[1];
        version = cli->argv[2];
    }
    if (!is_stage(stage) || strcmp(stage, "previous") == 0)
        return fail_usage(cli,
                          "stage: '%s' is neither current nor pending; previous follows current "
                          "by itself",
                          stage);
    if (strcmp(version, "none") == 0)
        version = NULL;
    if (version == NULL && strcmp(stage, "pending") != 0)
        return fail_usage(cli,
                          "stage: only pending can be taken away; name the version that shall be "
                          "current");
    if (expected != NULL && strcmp(stage, "current") != 0)
        return fail_usage(cli, "stage: --expect is for current only");
    rc = session_open(cli, &h);
    if (rc == 0 && version != NULL && is_stage(version)) {
        rc = find_version(cli, h, version, id);
        version = id;
    }
    if (rc != 0)
        return rc;
    if (kt_stage(h, name, stage, version, expected, &options, &err) != KT_SUCCESS)
        return fail_err(cli, name, &err);
    if (cli->json) {
        struct json j = json_open(&sink_out);

        json_text(&j, "name", name);
        json_str(&j, "version", version);
        json_text(&j, "stage", stage);
        json_close(&j);
    } else if (!cli->quiet) {
        sink_text(&sink_out, name);
        sink_printf(&sink_out, ": %s is %s\n", stage, version != NULL ? version : "taken away");
    }
    return 0;
}

static const struct opt opts[] = {
    { .name = "expect", .arg = "ID", .help = "only if ID is current now" },
    { 0 },
};

const struct cmd cmd_stage = {
    .name = "stage",
    .synopsis = "NAME VERSION current|pending [--expect ID]",
    .help = "move a stage label to a version, by its id or its stage now; none takes pending away",
    .opts = opts,
    .min = 3,
    .max = 3,
    .writes = true,
    .run = run,
};
