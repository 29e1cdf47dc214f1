/* SPDX-License-Identifier: Apache-2.0 */

/* What a session finds out about data keys inside its turn. */

#include "store.h"

#include <string.h>

/* A key that was made after ours were loaded. */
static int load_datakey(struct kt_session *s, int64_t id)
{
    sqlite3_stmt *q = kt_conn_stmt(s->conn, KT_SQL_DATAKEY, &s->fault);
    struct kt_datakey d = { .id = id };
    struct kt_keys *more = NULL;
    struct kt_bytes wrapped;
    bool found;
    int rc;

    if (q == NULL)
        return s->fault.status;
    (void)sqlite3_bind_int64(q, 1, id);
    rc = sqlite3_step(q);
    found = rc == SQLITE_ROW && kt_conn_blob(q, 0, KT_WRAPPED_SIZE, KT_WRAPPED_SIZE, &wrapped);
    if (found)
        memcpy(d.wrapped, wrapped.data, wrapped.len);
    (void)sqlite3_reset(q);
    if (rc != SQLITE_ROW && rc != SQLITE_DONE)
        return kt_conn_fault(s->conn, rc, "read", &s->fault);
    if (!found)
        return kt_fault(&s->fault, KT_CORRUPT, "there is no data key %lld", (long long)id);
    rc = kt_keys_with(s->host, s->keys, &d, &more, &s->fault);
    if (rc != KT_SUCCESS)
        return rc;
    (void)pthread_mutex_lock(&s->store->mutex);
    if (s->store->keys == s->keys) {
        kt_store_unref_keys(s->store, s->store->keys);
        s->store->keys = more;
        more->refs++;
    }
    kt_store_unref_keys(s->store, s->keys);
    s->keys = more;
    (void)pthread_mutex_unlock(&s->store->mutex);
    return KT_SUCCESS;
}

int kt_session_datakey(struct kt_session *s, int64_t id, struct kt_bytes *out)
{
    int rc = KT_SUCCESS;

    *out = kt_keys_find(s->keys, id);
    if (out->data == NULL) {
        rc = load_datakey(s, id);
        *out = kt_keys_find(s->keys, id);
    }
    return rc;
}

int kt_session_newest(struct kt_session *s, int64_t *id, struct kt_bytes *out)
{
    sqlite3_stmt *q;
    bool found;
    int rc;

    *id = kt_conn_known(s->conn)->newest;
    if (*id != 0)
        return kt_session_datakey(s, *id, out);
    q = kt_conn_stmt(s->conn, KT_SQL_NEWEST_DATAKEY, &s->fault);
    if (q == NULL)
        return s->fault.status;
    rc = sqlite3_step(q);
    found = rc == SQLITE_ROW && sqlite3_column_type(q, 0) == SQLITE_INTEGER;
    *id = sqlite3_column_int64(q, 0);
    (void)sqlite3_reset(q);
    if (rc != SQLITE_ROW)
        return kt_conn_fault(s->conn, rc, "read", &s->fault);
    if (!found)
        return kt_fault(&s->fault, KT_CORRUPT,
                        "%s has no data key in use; restore it from a backup", s->store->path);
    kt_conn_know(s->conn, *id, false);
    return kt_session_datakey(s, *id, out);
}
