/* SPDX-License-Identifier: Apache-2.0 */
#include "copying.h"

#include <string.h>

#define SERVICE_DEFAULT "deepseek"

/* Without a file a service is the default store: as one end of a copy that is a mistyped name. */
static int open_service(const struct cli *cli, const char *name, struct kt_handle **h)
{
    struct kt_authority a = { .size = sizeof(a) };
    struct kt_err err = { 0 };
    int rc = session_open_service(cli, name, h, &err);

    if (rc == KT_SUCCESS && strcmp(name, SERVICE_DEFAULT) != 0 &&
        kt_authority(*h, &a, NULL) == KT_SUCCESS && a.line == 0)
        return fail_status(cli, KT_NOT_FOUND, NULL,
                           "there is no file for service '%s': nothing was copied", name);
    return rc == KT_SUCCESS ? 0 : fail_err(cli, NULL, &err);
}

/* The prefix as the library wants it; 0, or an exit code. */
static int take_prefix(const struct cli *cli, char prefix[KT_NAME_MAX + 1])
{
    struct kt_err err = { 0 };
    size_t len;

    prefix[0] = '\0';
    if (cli->argc == 0)
        return 0;
    len = strlen(cli->argv[0]);
    if (len > 1 && cli->argv[0][len - 1] == '/') /* as completion leaves it */
        len--;
    if (len > KT_NAME_MAX)
        return fail_status(cli, KT_TOO_LARGE, NULL, "a prefix has at most %d bytes", KT_NAME_MAX);
    memcpy(prefix, cli->argv[0], len);
    prefix[len] = '\0';
    return kt_name_check(prefix, &err) == KT_SUCCESS ? 0 : fail_err(cli, NULL, &err);
}

static bool is_empty(const struct copy_count *n)
{
    return n->copied + n->unchanged + n->left + n->failed == 0;
}

static int run(const struct cli *cli)
{
    AUTO(session_closep) struct kt_handle *from = NULL;
    AUTO(session_closep) struct kt_handle *to = NULL;
    const char *own = cli->service != NULL ? cli->service : SERVICE_DEFAULT;
    struct copying c = {
        .cli = cli,
        .from_name = args_value(cli, "from"),
        .to_name = args_value(cli, "to"),
        .dry = args_value(cli, "dry-run") != NULL,
        .replace = args_value(cli, "replace") != NULL,
        .current_only = args_value(cli, "current") != NULL,
        .allow_weaker = args_value(cli, "allow-weaker") != NULL,
    };
    char prefix[KT_NAME_MAX + 1];
    int rc;

    if (c.from_name == NULL)
        c.from_name = own;
    if (c.to_name == NULL)
        c.to_name = own;
    if (strcmp(c.from_name, c.to_name) == 0)
        return fail_usage(cli, "copy: from '%s' to itself: say --from or --to", c.from_name);
    rc = take_prefix(cli, prefix);
    if (rc == 0)
        rc = open_service(cli, c.from_name, &from);
    if (rc == 0)
        rc = open_service(cli, c.to_name, &to);
    if (rc != 0)
        return rc;
    c.from = from;
    c.to = to;
    rc = copying_begin(&c);
    if (rc == 0)
        rc = copying_all(&c, prefix[0] != '\0' ? prefix : NULL);
    rc = copying_end(&c, rc);
    if (rc == 0 && prefix[0] != '\0' && is_empty(&c.secrets))
        return fail_status(cli, KT_NOT_FOUND, NULL, "no secret below '%s' in '%s'", prefix,
                           c.from_name);
    return rc;
}

static const struct opt opts[] = {
    { .name = "from", .arg = "SERVICE", .help = "where they come from; default: what -s says" },
    { .name = "to", .arg = "SERVICE", .help = "where they go; default: what -s says" },
    { .name = "current", .help = "only current versions" },
    { .name = "replace",
      .help = "also where the target has a current version that the source does not know" },
    { .name = "allow-weaker", .help = "to a store that protects secrets less" },
    { .name = "dry-run", .letter = 'n', .help = "tell what would be copied, and write nothing" },
    { 0 },
};

const struct cmd cmd_copy = {
    .name = "copy",
    .synopsis = "[--from SERVICE] [--to SERVICE] [PREFIX] [--current] [--replace] "
                "[--allow-weaker]\n"
                "            [-n]",
    .help = "copy secrets from one service to another, versions and all",
    .opts = opts,
    .max = 1,
    .writes = true,
    .run = run,
};
