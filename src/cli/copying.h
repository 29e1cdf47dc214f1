/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYTURN_CLI_COPYING_H
#define KEYTURN_CLI_COPYING_H

#include "cli.h"

/*
 * Copying secrets from one open service to another: for `copy`, `export` and `import`.
 *
 *     struct copying c = { .cli = cli, .from = a, .to = b, .from_name = "a", .to_name = "b" };
 *     int rc = copying_begin(&c);
 *
 *     if (rc == 0)
 *         rc = copying_all(&c, prefix);    or copying_one() for each name
 *     rc = copying_end(&c, rc);            always, exactly once; its answer is the exit code
 *
 * Everything is told as it happens, to standard output with --json, else to standard error. Nothing
 * is ever deleted in the target, and its current version is never one that the source has left behind.
 */

/** struct copy_count - what became of versions, or of secrets */
struct copy_count {
    uint64_t copied;    /* written and read back; with @dry: would be written */
    uint64_t unchanged; /* was there already, with the same bytes, attributes and times */
    uint64_t left; /* stays behind: disabled, too large, a name that the target cannot have … */
    uint64_t failed;
};

struct copy_state; /* the copying's own */

/**
 * struct copying - from where to where, and how; @secrets and @versions count
 * @from_name:    how messages call the two: a service's name, or a file's; without quotes
 * @dry:          nothing is written; what would be is told
 * @replace:      a secret that the target has with a current (or pending) version that the source does
 *                not know gets the source's; without it that is `conflict`
 * @current_only: only current versions; older ones are not even mentioned
 * @allow_weaker: the target's class of protection may be weaker than the source's
 * @weaker_hint:  how to allow it, for the message: "--allow-weaker"; NULL: that one
 * @keep_signals: SIGINT, SIGTERM and SIGHUP are the caller's affair; else they end the copying between
 *                two writes, with `cancelled`
 */
struct copying {
    const struct cli *cli;
    struct kt_handle *from;
    struct kt_handle *to;
    const char *from_name;
    const char *to_name;
    bool dry;
    bool replace;
    bool current_only;
    bool allow_weaker;
    bool keep_signals;
    const char *weaker_hint;

    struct copy_count secrets;
    struct copy_count versions;
    struct copy_state *state;
};

/**
 * copying_begin - look at both authorities, before anything is read or written
 *
 * 0, or an exit code after saying why: the target has no write lines (`unsupported`), or is of a
 * weaker class (`denied`).
 */
int copying_begin(struct copying *c);

/**
 * copying_one - a secret with its versions, stages, attributes and times
 *
 * 0: go on with the next one, whatever became of this one: it was told and counted. Else the run ends
 * here: an exit code, told as well (the target is out of reach or full, somebody pressed Ctrl-C).
 */
int copying_one(struct copying *c, const char *name);

/**
 * copying_all - every secret below @prefix (NULL: all), in order of name, with a bar on a terminal
 *
 * As copying_one(). A source that could not tell all its names is told, and counts as a failure.
 */
int copying_all(struct copying *c, const char *prefix);

/**
 * copying_end - the summary, and the exit code
 * @rc: what the function before returned
 *
 * 0: all is there. Else the status that weighs most among the failures; `partial` if there was none,
 * but something that the target could keep stays behind.
 */
int copying_end(struct copying *c, int rc);

#endif
