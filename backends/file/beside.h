/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYTURN_FILE_BESIDE_H
#define KEYTURN_FILE_BESIDE_H

#include "fault.h"

#include <sqlite3.h>

/*
 * SQLite makes its temporary files where the environment says, or in /var/tmp: a place that may be
 * full, slow or other people's. A connection opened by this name makes them beside a store: there is
 * room for a second one, or there is no room for the log either. They have no name as soon as they
 * are open, so nothing of them is left by whoever is killed.
 */

/**
 * kt_beside_open - open a database whose temporary files lie in its directory
 * @path: borrowed until the connection is closed
 * @db:   set whatever is returned, unless there is no memory
 *
 * Returns what sqlite3_open_v2() does. One at a time in a thread, used and closed by that one.
 */
int kt_beside_open(const char *path, sqlite3 **db) KT_MUST_CHECK;

#endif
