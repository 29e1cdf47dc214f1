/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYTURN_FILE_CHECKPOINT_H
#define KEYTURN_FILE_CHECKPOINT_H

#include "conn.h"

/**
 * kt_checkpoint_watch - from now on a commit through this connection that leaves a long log behind moves it
 * into the database and begins it anew
 *
 * SQLite's own way is to move what no reader is in the way of. With readers that come and go all the
 * time there is always one in the way of the rest: the log grows for as long as they do, every commit
 * syncs twice more, and who comes after a crash reads all of it before anybody can go on. So here the
 * writer waits, for a few milliseconds at most, until those that read old pages are done.
 */
void kt_checkpoint_watch(struct kt_conn *c);

#endif
