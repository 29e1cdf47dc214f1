/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What a connection has found out about its store holds until somebody commits: SQLite has a number
 * that is another one after each commit, whoever made it, here or in another process. What this
 * connection commits itself changes nothing here, unless its own hooks have seen that it does.
 */

#include "conn.h"

static void refresh(struct kt_conn *c)
{
    unsigned now = 0;

    (void)sqlite3_file_control(c->db, "main", SQLITE_FCNTL_DATA_VERSION, &now);
    if (now != c->known.at)
        c->known = (struct kt_known){ .at = now };
}

static void forget(void *arg)
{
    struct kt_conn *c = arg;

    c->known = (struct kt_known){ .at = c->known.at };
}

/* Of rows in every table but `record`, which has no rowids. */
static void row_changed(void *arg, int what, const char *db, const char *table, sqlite3_int64 rowid)
{
    (void)what;
    (void)db;
    (void)table;
    (void)rowid;
    forget(arg);
}

void kt_known_watch(struct kt_conn *c)
{
    (void)sqlite3_update_hook(c->db, row_changed, c);
    (void)sqlite3_rollback_hook(c->db, forget, c);
}

const struct kt_known *kt_conn_known(struct kt_conn *c)
{
    refresh(c);
    return &c->known;
}

void kt_conn_know(struct kt_conn *c, int64_t newest, bool store)
{
    refresh(c);
    c->known.newest = newest != 0 ? newest : c->known.newest;
    c->known.store = store || c->known.store;
}

int kt_conn_commit(struct kt_conn *c, struct kt_fault *f)
{
    const struct kt_known known = *kt_conn_known(c);
    const int rc = kt_conn_run(c, KT_SQL_COMMIT, f);

    refresh(c);
    if (rc != KT_SUCCESS)
        return rc;
    kt_conn_know(c, known.newest, known.store);
    return kt_log_settle(c, f);
}
