/* SPDX-License-Identifier: Apache-2.0 */
#include "cli.h"
#include "sanitized.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

const struct cmd *const cmds[] = {
    &cmd_get,     &cmd_set,     &cmd_list,   &cmd_versions, &cmd_stage,  &cmd_delete,
    &cmd_restore, &cmd_repair,  &cmd_exec,   &cmd_render,   &cmd_copy,   &cmd_import,
    &cmd_export,  &cmd_scan,    &cmd_unlock, &cmd_explain,  &cmd_doctor, &cmd_check,
    &cmd_modules, &cmd_conform, &cmd_help,   NULL,
};

/* A closed standard descriptor would be the number of the next file opened: a store, say. The
 * stand-in is opened the wrong way round, so that using it fails. */
static void keep_standard_fds(void)
{
    for (int fd = 0; fd <= 2; fd++) {
        int got = fd;

        if (fcntl(fd, F_GETFD) == -1 && errno == EBADF)
            got = open("/dev/null", (fd == 0 ? O_WRONLY : O_RDONLY) | O_CLOEXEC);
        if (got != fd)
            _exit(EXIT_IO);
    }
}

/* What the process was given, and harden() changed. */
static struct {
    struct rlimit core;
    mode_t mask;
    struct sigaction pipe;
} given;

static void harden(void)
{
    const struct sigaction ignore = { .sa_handler = SIG_IGN };

    keep_standard_fds();
    if (!KT_SANITIZED) /* the leak check attaches to the process */
        (void)prctl(PR_SET_DUMPABLE, 0);
    (void)getrlimit(RLIMIT_CORE, &given.core);
    (void)setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, given.core.rlim_max });
    given.mask = umask(077);
    (void)sigaction(SIGPIPE, &ignore, &given.pipe); /* a broken pipe is an error like another */
}

/* Nobody will want cores again. */
static void harden_for_good(void)
{
    (void)setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 });
}

/* The kernel makes what is executed dumpable again, and closes the stand-ins. */
void give_back(void)
{
    (void)setrlimit(RLIMIT_CORE, &given.core);
    (void)umask(given.mask);
    (void)sigaction(SIGPIPE, &given.pipe, NULL);
}

static int run(const struct cli *cli)
{
    if (cli->version) {
        sink_str(&sink_out, "keyturn " KT_VERSION "\n");
        return 0;
    }
    if (cli->help && cli->cmd == NULL && cli->word != NULL)
        return verb_help(cli, cli->word, cli->argc > 0 ? cli->argv[0] : NULL);
    if (cli->help)
        return cli->cmd != NULL ? help_cmd(cli, cli->cmd) : help_all(cli);
    if (cli->cmd != NULL)
        return cli->cmd->run(cli);
    if (cli->word == NULL)
        return fail_usage(cli, "no command; 'keyturn help' lists them");
    return verb_run(cli);
}

int main(int argc, char **argv)
{
    struct cli cli = { .timeout_ms = 30000, .begun_ms = session_now_ms() };
    int rc;

    harden();
    rc = args_parse(&cli, argc, argv);
    if (cli.cmd == NULL || !cli.cmd->runs)
        harden_for_good();
    else if (rc != 0)
        rc = EXIT_FAILED;
    if (rc == 0)
        rc = run(&cli);
    /* what was not written was not answered; NFS and quotas tell on close */
    if (sink_flush(&sink_out) == 0 && close(STDOUT_FILENO) != 0 && errno != EBADF)
        sink_out.error = errno;
    if (sink_out.error == EPIPE) { /* whoever reads has enough */
        rc = rc == 0 ? EXIT_IO : rc;
    } else if (sink_out.error != 0) {
        int failed = fail_io(&cli, "standard output", sink_out.error);

        rc = rc == 0 ? failed : rc;
    }
    return rc;
}
