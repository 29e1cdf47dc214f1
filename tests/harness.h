/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYTURN_TESTS_HARNESS_H
#define KEYTURN_TESTS_HARNESS_H

#include <check.h>
#include <sys/types.h>

/**
 * kt_harness_run - run a suite, TAP on standard output
 *
 * Returns main()'s exit status. Frees the suite.
 */
int kt_harness_run(Suite *s);

/** kt_harness_dir - a fresh directory of mode 0700, removed with the whole run; the caller frees the name */
char *kt_harness_dir(void);

/** kt_harness_path - "DIR/NAME"; the caller frees it */
char *kt_harness_path(const char *dir, const char *name);

/** kt_harness_write - make a file with this text and mode, whatever the umask */
void kt_harness_write(const char *path, const char *text, mode_t mode);

/** kt_harness_modules - the directory with the built modules and mocks */
const char *kt_harness_modules(void);

/** kt_harness_no_secrets - teardown of a checked fixture: no secret memory is in use */
void kt_harness_no_secrets(void);

#endif
