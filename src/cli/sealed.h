/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYTURN_CLI_SEALED_H
#define KEYTURN_CLI_SEALED_H

#include "scratch.h"

/*
 * Sealed archives, for `export` and `import`: an archive is a store of the file module, as
 * `keyturn file backup` makes it. It is filled and read as a service of its own, whose store lies in a
 * private directory.
 */

/** struct sealed - @archive: its path, for words; borrowed */
struct sealed {
    const struct cli *cli;
    const char *archive;
    struct scratch scratch;
    char store[300];
    struct kt_handle *h;
};

/** sealed_make - an empty one, under --keyfile or a passphrase that is asked for; 0 or an exit code */
int sealed_make(const struct cli *cli, const char *archive, struct sealed *s);
/** sealed_read - what is in @archive, unlocked; 0 or an exit code */
int sealed_read(const struct cli *cli, const char *archive, struct sealed *s);
/** sealed_write - it gets the archive's name, whole and synced; @force: a file of this name may go */
int sealed_write(struct sealed *s, bool force);
/** sealed_done - always, exactly once */
void sealed_done(struct sealed *s);

#endif
