/* SPDX-License-Identifier: Apache-2.0 */
#include "scan.h"

#include <string.h>
#include <sys/resource.h>

/* A directory that is open for each level of a deep tree. */
static void raise_files(void)
{
    struct rlimit r;

    if (getrlimit(RLIMIT_NOFILE, &r) == 0 && r.rlim_cur < r.rlim_max) {
        r.rlim_cur = r.rlim_max < 4096 ? r.rlim_max : 4096;
        (void)setrlimit(RLIMIT_NOFILE, &r);
    }
}

static int look(struct scan *s, bool staged, bool shapes_only)
{
    const struct cli *cli = s->cli;

    if (!shapes_only)
        load_own(s);
    if (finder_new(s->own, ignores_key(s->ignores), scan_found, s, &s->finder) != KT_SUCCESS)
        return fail_status(cli, KT_NO_MEMORY, NULL, "out of memory");
    tell_begin(s);
    if (staged)
        staged_scan(s, cli->argc > 0 ? cli->argv[0] : NULL);
    for (int i = 0; i < cli->argc && !staged && !scan_stop(s); i++)
        walk_path(s, cli->argv[i]);
    tell_end(s, s->told > 0 ? EXIT_FOUND : s->failed);
    scan_note(s, "looked at %llu; told of %llu; allowed by " IGNORE_FILE ": %llu",
              (unsigned long long)s->documents, (unsigned long long)s->told,
              (unsigned long long)s->allowed);
    return s->told > 0 ? EXIT_FOUND : s->failed;
}

static void done(struct scan *s)
{
    finder_free(s->finder);
    finder_free(s->words);
    history_free(s);
    own_free(s->own);
    ignores_free(s->ignores);
}

static int check(const struct cli *cli)
{
    static const char *const modes[] = { "staged", "install-hook", "uninstall-hook" };
    const char *mode = NULL;

    for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
        if (args_value(cli, modes[i]) == NULL)
            continue;
        if (mode != NULL)
            return fail_usage(cli, "scan: --%s and --%s exclude each other", mode, modes[i]);
        mode = modes[i];
    }
    if (mode != NULL && cli->argc > 1)
        return fail_usage(cli, "scan: --%s is about one repository", mode);
    if (mode == NULL && cli->argc == 0)
        return fail_usage(cli, "scan: something is missing: keyturn scan PATH...");
    if (cli->json && args_value(cli, "sarif") != NULL)
        return fail_usage(cli, "scan: --json and --sarif exclude each other");
    return 0;
}

static int run(const struct cli *cli)
{
    const char *first = cli->argc > 0 && strcmp(cli->argv[0], "-") != 0 ? cli->argv[0] : ".";
    const bool shapes_only = args_value(cli, "shapes-only") != NULL;
    struct scan s = {
        .cli = cli,
        .output = cli->json                          ? SCAN_JSON
                  : args_value(cli, "sarif") != NULL ? SCAN_SARIF
                                                     : SCAN_TEXT,
        .history = args_value(cli, "no-history") == NULL,
        .lead = NULL,
    };
    int rc = check(cli);

    if (rc != 0)
        return rc;
    rules_init();
    raise_files();
    if (args_value(cli, "install-hook") != NULL)
        return hook_install(&s, first, shapes_only);
    if (args_value(cli, "uninstall-hook") != NULL)
        return hook_uninstall(&s, first);
    rc = ignores_new(&s, first, args_value(cli, "no-ignore") == NULL, &s.ignores);
    if (rc == 0)
        rc = look(&s, args_value(cli, "staged") != NULL, shapes_only);
    if (rc == EXIT_FOUND && args_value(cli, "allow") != NULL) {
        rc = ignores_save(&s);
        rc = rc == 0 ? s.failed : rc;
    }
    done(&s);
    return rc;
}

static const struct opt opts[] = {
    { .name = "staged", .help = "what the next commit of git would bring" },
    { .name = "no-history", .help = "only files, not what git has of former ones" },
    { .name = "shapes-only", .help = "do not look for the service's own values" },
    { .name = "sarif", .help = "SARIF 2.1.0, for code scanning" },
    { .name = "allow", .help = "write what is found into " IGNORE_FILE },
    { .name = "no-ignore", .help = "tell what " IGNORE_FILE " allows, too" },
    { .name = "install-hook", .help = "let git refuse commits with keys, in PATH or here" },
    { .name = "uninstall-hook", .help = "no longer" },
    { 0 },
};

const struct cmd cmd_scan = {
    .name = "scan",
    .synopsis = "PATH...",
    .help = "find keys in files and in the history of git",
    .opts = opts,
    .max = -1,
    .run = run,
};
