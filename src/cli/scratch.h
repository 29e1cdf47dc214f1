/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYTURN_CLI_SCRATCH_H
#define KEYTURN_CLI_SCRATCH_H

#include "cli.h"

/*
 * Services that a command makes for itself: a private directory with a service file, which goes when
 * the command ends, by a signal, too. Nothing in it is in the open. One at a time.
 */

#define SCRATCH_STORE "store.db" /* may lie in it, with what the file module puts beside it */

/** struct scratch - @dir: absolute */
struct scratch {
    const struct cli *cli;
    char dir[256];
};

/** scratch_begin - 0 or an exit code; scratch_done() whatever is returned */
int scratch_begin(const struct cli *cli, struct scratch *s);
void scratch_done(struct scratch *s);

/**
 * scratch_open - open a service whose file has this text, in place of the one before
 * @options: its config_dir is set
 */
int scratch_open(struct scratch *s, const char *text, struct kt_open_options *options,
                 struct kt_handle **h, struct kt_err *err) KT_MUST_CHECK;

/** scratch_words - @text without the place of the service's line, which nobody knows */
const char *scratch_words(const struct scratch *s, const char *text);

/** scratch_can_hold - can @text stand in brackets in a service file? */
bool scratch_can_hold(const char *text);

#endif
