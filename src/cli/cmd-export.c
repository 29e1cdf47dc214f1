/* SPDX-License-Identifier: Apache-2.0 */
#include "export.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static int to_standard_output(const struct export *e)
{
    AUTO(input_free) struct input text = { 0 };
    const size_t len = e->env ? export_env(e, NULL) : export_json(e, NULL);

    if (isatty(STDOUT_FILENO))
        say_warning(e->cli, "the values appear on this terminal, in the open");
    if (!input_room(&text, len + 1))
        return fail_status(e->cli, KT_NO_MEMORY, NULL, "out of memory");
    text.len = e->env ? export_env(e, (char *)text.data) : export_json(e, (char *)text.data);
    sink_direct(&sink_out, text.data, text.len);
    return 0;
}

static int in_the_open(const struct cli *cli, const char *file, const char *prefix, bool env)
{
    AUTO(session_closep) struct kt_handle *h = NULL;
    AUTO(export_done) struct export e = { .cli = cli, .file = file, .prefix = prefix, .env = env };
    int rc = session_open(cli, &h);

    if (rc == 0)
        rc = export_gather(&e, h);
    if (rc == 0)
        rc = strcmp(file, "-") == 0 ? to_standard_output(&e) : export_file(&e);
    if (rc == 0 && e.left > 0)
        return fail_status(cli, KT_PARTIAL, NULL, "%zu of %zu secrets stay behind", e.left,
                           e.left + e.n);
    return rc;
}

/* `.env`, `.env.local`, `web.env` */
static bool is_env_name(const char *file)
{
    const char *slash = strrchr(file, '/'), *base = slash != NULL ? slash + 1 : file;
    const size_t n = strlen(base);

    return strncmp(base, ".env.", 5) == 0 || (n >= 4 && strcmp(base + n - 4, ".env") == 0);
}

static int check_options(const struct cli *cli, const char *format, bool plaintext)
{
    const char *given;
    size_t from = 0;

    if (format != NULL && strcmp(format, "env") != 0 && strcmp(format, "json") != 0 &&
        strcmp(format, "archive") != 0)
        return fail_usage(cli, "export: --format '%s' is none of env, json, archive", format);
    if (!plaintext && format != NULL && strcmp(format, "archive") != 0)
        return fail_usage(cli,
                          "export: --format %s writes secrets in the open; say --plaintext if "
                          "that is meant",
                          format);
    if (plaintext && format != NULL && strcmp(format, "archive") == 0)
        return fail_usage(cli, "export: an archive is sealed: --plaintext and --format archive "
                               "exclude each other");
    if (plaintext && args_value(cli, "keyfile") != NULL)
        return fail_usage(cli, "export: --keyfile is for an archive, not for --plaintext");
    while ((given = args_next(cli, "map", &from)) != NULL) {
        if (!plaintext)
            return fail_usage(cli, "export: --map is for --plaintext; an archive keeps the names");
        if (strchr(given, '=') == NULL || given[0] == '=')
            return fail_usage(cli, "export: --map '%s' is not KEY=NAME", given);
    }
    if (!plaintext && strcmp(cli->argv[0], "-") == 0)
        return fail_usage(cli, "export: an archive is a file; name one");
    return 0;
}

static int take_prefix(const struct cli *cli, char prefix[KT_NAME_MAX + 2])
{
    const size_t len = cli->argc > 1 ? strlen(cli->argv[1]) : 0;
    struct kt_err err = { 0 };

    prefix[0] = '\0';
    if (len == 0)
        return 0;
    if (len > KT_NAME_MAX + 1)
        return fail_status(cli, KT_TOO_LARGE, NULL, "a prefix has at most %d bytes", KT_NAME_MAX);
    memcpy(prefix, cli->argv[1], len + 1);
    if (len > 1 && prefix[len - 1] == '/') /* as completion leaves it */
        prefix[len - 1] = '\0';
    return kt_name_check(prefix, &err) == KT_SUCCESS ? 0 : fail_err(cli, NULL, &err);
}

static int run(const struct cli *cli)
{
    const char *file = cli->argv[0], *format = args_value(cli, "format");
    const bool plaintext = args_value(cli, "plaintext") != NULL;
    char prefix[KT_NAME_MAX + 2];
    int rc = check_options(cli, format, plaintext);

    if (rc == 0)
        rc = take_prefix(cli, prefix);
    if (rc != 0)
        return rc;
    if (!plaintext)
        return export_archive(cli, file, prefix[0] != '\0' ? prefix : NULL);
    return in_the_open(cli, file, prefix[0] != '\0' ? prefix : NULL,
                       format != NULL ? strcmp(format, "env") == 0 : is_env_name(file));
}

static const struct opt opts[] = {
    { .name = "keyfile", .arg = "PATH", .help = "a key file opens the archive; made if not there" },
    { .name = "force", .help = "a FILE that is there may go" },
    { .name = "plaintext", .help = "write values in the open; FILE - is standard output" },
    { .name = "format",
      .arg = "FORMAT",
      .help = "with --plaintext: env or json; else by FILE's name" },
    { .name = "map", .many = true, .arg = "KEY=NAME", .help = "call the secret NAME KEY there" },
    { 0 },
};

const struct cmd cmd_export = {
    .name = "export",
    .synopsis = "FILE [PREFIX] [--keyfile PATH] [--force]\n"
                "       keyturn export --plaintext FILE [PREFIX] [--format FORMAT] [--force]\n"
                "                      [--map KEY=NAME]…",
    .help = "write secrets to a sealed archive, or in the open if told so",
    .opts = opts,
    .min = 1,
    .max = 2,
    .run = run,
};
