/* SPDX-License-Identifier: Apache-2.0 */
#include "import-source.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- the source ------------------------------------------------------------------------------ */

static const struct {
    const char *name;
    int (*take)(struct source *s);
} formats[] = {
    { .name = "env", .take = import_env },
    { .name = "json", .take = import_json },
    { .name = "python-keyring", .take = import_python_file },
    { .name = "pass" },
    { .name = "archive" },
};

#define FORMATS (sizeof(formats) / sizeof(formats[0]))

static size_t find_format(const char *name)
{
    size_t i = 0;

    while (i < FORMATS && strcmp(formats[i].name, name) != 0)
        i++;
    return i;
}

/* Where pass keeps its store, when it is not told otherwise. */
static int pass_place(const struct cli *cli, char path[PATH_MAX])
{
    const char *told = getenv("PASSWORD_STORE_DIR"), *home = getenv("HOME");
    const bool is_told = told != NULL && told[0] != '\0';

    if (!is_told && home == NULL)
        return fail_usage(cli, "import: there is no HOME: name the SOURCE");
    if (snprintf(path, PATH_MAX, "%s%s", is_told ? told : home,
                 is_told ? "" : "/.password-store") >= PATH_MAX)
        return fail_io(cli, is_told ? told : home, ENAMETOOLONG);
    return 0;
}

static bool is_directory(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* A store of the file module: an SQLite file. */
static bool is_archive(const char *path)
{
    static const char magic[] = "SQLite format 3";
    char head[sizeof(magic)];
    struct stat st;
    /* a pipe that is opened twice has lost what came first */
    bool regular = strcmp(path, "-") != 0 && stat(path, &st) == 0 && S_ISREG(st.st_mode);
    int fd = regular ? open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK) : -1;
    bool is = fd >= 0 && pread(fd, head, sizeof(head), 0) == (ssize_t)sizeof(head) &&
              memcmp(head, magic, sizeof(head)) == 0;

    if (fd >= 0)
        (void)close(fd);
    return is;
}

/* A directory is pass's, if it says so or looks like it. */
static int guess_directory(const struct cli *cli, const char *path, const char **format)
{
    char id[PATH_MAX + 16];

    (void)snprintf(id, sizeof(id), "%s/.gpg-id", path);
    if (access(id, F_OK) != 0)
        return fail_status(cli, KT_INVALID, NULL,
                           "%s is a directory without .gpg-id, so it is no store of pass", path);
    *format = "pass";
    return 0;
}

/* Reads and takes apart; 0 or an exit code. */
static int take_source(struct source *s, const char *path, const char *format)
{
    int rc;

    s->format = format;
    if (format != NULL && strcmp(format, "pass") == 0)
        return import_pass(s, path);
    if (path == NULL)
        return import_python_service(s);
    rc = source_read(s, path);
    if (rc != 0)
        return rc;
    s->format = format != NULL ? format : source_guess(s, path);
    return formats[find_format(s->format)].take(s);
}

static int import_items(const struct cli *cli, const char *path, const char *format)
{
    AUTO(session_closep) struct kt_handle *h = NULL;
    AUTO(source_done) struct source s = { .cli = cli, .shown = path };
    int rc = take_source(&s, path, format);

    if (rc == 0)
        rc = source_names(&s);
    if (rc == 0)
        rc = session_open(cli, &h);
    if (rc == 0)
        rc = import_store(cli, h, &s);
    import_python_done();
    return rc;
}

/* With or without a slash at its end, as completion leaves it. */
static int check_prefix(const struct cli *cli, const char *prefix)
{
    char name[KT_NAME_MAX + 2];
    size_t len = strlen(prefix);
    struct kt_err err = { 0 };

    if (len > KT_NAME_MAX + 1)
        return fail_status(cli, KT_TOO_LARGE, NULL, "a prefix has at most %d bytes", KT_NAME_MAX);
    if (len > 1 && prefix[len - 1] == '/')
        len--;
    memcpy(name, prefix, len);
    name[len] = '\0';
    return kt_name_check(name, &err) == KT_SUCCESS ? 0 : fail_err(cli, NULL, &err);
}

static int check_options(const struct cli *cli, const char *format)
{
    static const char *const pairs[][2] = { { "whole", "pass" }, { "keyfile", "archive" } };
    const char *prefix = args_value(cli, "prefix"), *given;
    size_t from = 0;

    while ((given = args_next(cli, "map", &from)) != NULL)
        if (strchr(given, '=') == NULL || given[0] == '=')
            return fail_usage(cli, "import: --map '%s' is not KEY=NAME", given);
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++)
        if (args_value(cli, pairs[i][0]) != NULL && strcmp(format, pairs[i][1]) != 0)
            return fail_usage(cli, "import: --%s is for --format %s", pairs[i][0], pairs[i][1]);
    return prefix != NULL ? check_prefix(cli, prefix) : 0;
}

static int run(const struct cli *cli)
{
    const char *path = cli->argc > 0 ? cli->argv[0] : NULL, *format = args_value(cli, "format");
    char usual[PATH_MAX];
    int rc = 0;

    if (format != NULL && find_format(format) == FORMATS)
        return fail_usage(cli,
                          "import: --format '%s' is none of env, json, pass, python-keyring, "
                          "archive",
                          format);
    if (path == NULL && format != NULL && strcmp(format, "pass") == 0) {
        rc = pass_place(cli, usual);
        path = usual;
    }
    if (path == NULL && (format == NULL || strcmp(format, "python-keyring") != 0))
        return fail_usage(cli, "import: which file? keyturn import SOURCE, such as .env; - is "
                               "standard input");
    if (rc == 0 && format == NULL && is_directory(path))
        rc = guess_directory(cli, path, &format);
    if (rc == 0 && format == NULL && is_archive(path))
        format = "archive";
    if (rc == 0)
        rc = check_options(cli, format != NULL ? format : "");
    if (rc == 0 && path != NULL && strcmp(path, "-") == 0 && isatty(STDIN_FILENO))
        rc = fail_usage(cli, "import: standard input is a terminal; pipe something in");
    if (rc != 0)
        return rc;
    if (format != NULL && strcmp(format, "archive") == 0)
        return import_archive(cli, path);
    return import_items(cli, path, format);
}

static const struct opt opts[] = {
    { .name = "format",
      .arg = "FORMAT",
      .help = "env, json, pass, python-keyring or archive; else by what SOURCE is" },
    { .name = "prefix", .arg = "PREFIX", .help = "put PREFIX/ before the names" },
    { .name = "map", .many = true, .arg = "KEY=NAME", .help = "call what is KEY there NAME" },
    { .name = "only", .many = true, .arg = "KEY", .help = "only this one; may be repeated" },
    { .name = "replace", .help = "where the store has another value, store a new version" },
    { .name = "dry-run", .help = "tell what would be done" },
    { .name = "whole", .help = "pass: all lines, not only the first" },
    { .name = "keyfile", .arg = "PATH", .help = "archive: the key file that opens it" },
    { 0 },
};

const struct cmd cmd_import = {
    .name = "import",
    .synopsis = "[SOURCE] [--format FORMAT] [--prefix PREFIX] [--map KEY=NAME]… [--only KEY]…\n"
                "               [--replace] [--dry-run] [--whole] [--keyfile PATH]",
    .help = "store what a .env file, JSON, pass, Python's keyring or an archive holds",
    .opts = opts,
    .max = 1,
    .writes = true,
    .run = run,
};
