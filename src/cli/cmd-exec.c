/* SPDX-License-Identifier: Apache-2.0 */
#include "exec.h"

/* Our descriptors close by themselves; the stores are closed now, as any command does. */
static int run_program(struct plan *p)
{
    struct kt_err err = { 0 };
    int rc = plan_has(p, TO_MOUNT) ? plan_fetch_apart(p) : plan_fetch(p);

    if (rc != 0)
        return rc;
    if (env_make(p, &err) != KT_SUCCESS || files_make(p, &err) != KT_SUCCESS)
        return failed(p->cli, NULL, &err);
    if (!plan_has(p, TO_MOUNT)) {
        refs_free(p->refs);
        p->refs = NULL;
    }
    return become(p, -1);
}

static int run(const struct cli *cli)
{
    AUTO(plan_done) struct plan p;
    struct kt_err err = { 0 };
    const int rc = plan_make(cli, &p);

    if (rc != 0)
        return rc;
    if (mounts_check(&p, &err) != KT_SUCCESS)
        return failed(cli, NULL, &err);
    return p.watch ? watch_program(&p) : run_program(&p);
}

static const struct opt opts[] = {
    { .name = "env",
      .many = true,
      .arg = "VAR=NAME",
      .help = "the variable VAR holds the secret NAME, or keyturn://SERVICE/NAME" },
    { .name = "env-file",
      .many = true,
      .arg = "FILE",
      .help = "variables and references from FILE; .env.keyturn here is read if "
              "nothing is given" },
    { .name = "file",
      .many = true,
      .arg = "VAR=NAME",
      .help = "the variable VAR holds the path of a file in memory" },
    { .name = "fd",
      .many = true,
      .arg = "NUMBER=NAME",
      .help = "the descriptor NUMBER reads the secret" },
    { .name = "mount",
      .many = true,
      .arg = "PATH=NAME",
      .help = "the program alone sees the secret in the file PATH" },
    { .name = "clean", .help = "no variables but HOME, PATH and the like, and those given" },
    { .name = "watch", .help = "when a secret changes, start the program again" },
    { .name = "signal",
      .arg = "SIGNAL",
      .help = "with --watch: renew the files, and send the program this signal instead" },
    { .name = "every",
      .arg = "DURATION",
      .help = "with --watch: how often to ask; default: the ttl= of the service" },
    { .name = "stop-timeout",
      .arg = "DURATION",
      .help = "with --watch: from TERM to KILL; default: 10s" },
    { 0 },
};

const struct cmd cmd_exec = {
    .name = "exec",
    .synopsis = "[--env VAR=NAME]... [--env-file FILE]... [--file VAR=NAME]...\n"
                "[--fd NUMBER=NAME]... [--mount PATH=NAME]... [--clean]\n"
                "[--watch [--every DURATION] [--signal SIGNAL | --stop-timeout DURATION]]\n"
                "-- COMMAND [ARG]...",
    .help = "run a program with secrets in its environment, in files or on descriptors",
    .opts = opts,
    .min = 1,
    .max = -1,
    .runs = true,
    .run = run,
};
