/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYTURN_CLI_FOLLOW_H
#define KEYTURN_CLI_FOLLOW_H

#include "refs.h"

/*
 * Following: to be told when a value that was fetched is another one. For --watch.
 *
 * Each service says with ttl= how often it is asked, and stores of this machine are asked every two
 * seconds; where the command line says --every, that counts.
 */

struct follow;

/** follow_new - watch everything in @refs, which has been fetched and outlives this; KT_SUCCESS or why not */
int follow_new(const struct cli *cli, struct refs *refs, struct follow **out,
               struct kt_err *err) KT_MUST_CHECK;
void follow_free(struct follow *f);

/** follow_fd - one descriptor to poll for reading, whatever is followed */
int follow_fd(const struct follow *f);

/**
 * follow_read - what happened, once follow_fd() is readable
 *
 * KT_SUCCESS: something changed, and @refs holds the new values. KT_IGNORE: nothing, or a failure
 * that was told already. Else why it could not be asked, told once until it can: the old values
 * stand, ask again when the descriptor is readable. Takes as long as the stores do: --timeout at most.
 */
int follow_read(struct follow *f, struct kt_err *err) KT_MUST_CHECK;

#endif
