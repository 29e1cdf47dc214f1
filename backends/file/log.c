/* SPDX-License-Identifier: Apache-2.0 */

/* SQLite's write-ahead log, as far as SQLite leaves it to us. */

#include "conn.h"

#include <errno.h>

int kt_log_settle(struct kt_conn *c, struct kt_fault *f)
{
    sqlite3_file *log = NULL;
    int rc;

    c->settled = c->settled || sqlite3_total_changes(c->db) != c->changes;
    if (c->settled)
        return KT_SUCCESS;
    rc = sqlite3_file_control(c->db, "main", SQLITE_FCNTL_JOURNAL_POINTER, &log);
    errno = 0;
    if (rc == SQLITE_OK && log != NULL && log->pMethods != NULL)
        rc = log->pMethods->xSync(log, SQLITE_SYNC_NORMAL);
    c->settled = rc == SQLITE_OK;
    return rc == SQLITE_OK ? KT_SUCCESS : kt_conn_fault(c, rc, "sync the log of", f);
}
