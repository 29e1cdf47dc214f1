/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYTURN_CLI_IMPORT_GPG_H
#define KEYTURN_CLI_IMPORT_GPG_H

#include "cli.h"

/**
 * gpg_decrypt - what a file holds, through the program gpg and a pipe
 * @fd:  of the file; becomes gpg's standard input
 * @out: gets it, of at most INPUT_MAX bytes
 *
 * KT_SUCCESS, or explained in @err: KT_LOCKED: no secret key opens it, or nobody gave the passphrase;
 * KT_CORRUPT; KT_TOO_LARGE; KT_UNSUPPORTED: there is no gpg. Pinentry asks, where there is a terminal.
 */
int gpg_decrypt(const struct cli *cli, int fd, struct input *out, struct kt_err *err) KT_MUST_CHECK;

#endif
