/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYTURN_POWERLOSS_WORK_H
#define KEYTURN_POWERLOSS_WORK_H

#include <stdint.h>

#define PL_SECRETS 10

/** pl_secret_name - of secret @i */
const char *pl_secret_name(unsigned i);

/**
 * pl_work - @ops operations on a store in @dir, which is empty, by two processes in turns
 *
 * Runs with the shim and marks, in its log, when each operation begins ("begin N WHAT"), when it has
 * been acknowledged ("done N"), and what the secrets are then that it was about ("after N", then a line
 * for each: its name, a tab, pl_line_describe()). "copy N": PL_BACKUP is the store as it is now.
 *
 * Returns 0, or 1 if an operation did not answer as it should.
 */
int pl_work(const char *dir, uint32_t ops, uint64_t seed);

#endif
