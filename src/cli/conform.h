/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYTURN_CLI_CONFORM_H
#define KEYTURN_CLI_CONFORM_H

#include <keyturn/keyturn.h>

/*
 * The battery of `keyturn conform MODULE [OPTION …]`: what module.h asks of a module, seen as a
 * program sees it. It runs in a process that may die of the module, so each check is announced.
 */

enum conform_verdict { CONFORM_OK, CONFORM_FAILED, CONFORM_SKIPPED };

/**
 * struct conform_options
 * @module_dir: as in struct kt_open_options
 * @output:     a file that standard output and error lead to, empty; -1: what is printed is not seen
 * @begin:      told the title of each check before it runs: whoever is left knows which one killed
 *              the process
 * @end:        told how it went; @why is "" for a check that passed, else one line
 * @err:        filled if the battery could not be run at all
 */
struct conform_options {
    const char *module_dir;
    int output;
    void (*begin)(void *cookie, const char *title);
    void (*end)(void *cookie, const char *title, enum conform_verdict verdict, const char *why);
    void *cookie;
    struct kt_err *err;
};

/**
 * conform_run - put a module through the battery
 * @args: @nargs words, as on a line of a service file
 *
 * Secrets are written under names of the battery's own and deleted again. KT_SUCCESS: no check
 * failed; KT_MODULE_ERROR: some did, and have been told; anything else: it could not be run, and
 * @o->err says why.
 */
int conform_run(const char *module, int nargs, const char *const *args,
                const struct conform_options *o);

#endif
