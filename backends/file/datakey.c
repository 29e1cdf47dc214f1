/* SPDX-License-Identifier: Apache-2.0 */
#include "datakey.h"

#include "schema.h"

/** struct held - the table datakey, as far as it matters here */
struct held {
    int64_t ids[2 * KT_DATAKEYS_MAX]; /* the first of them */
    size_t n;                         /* of all */
    int64_t newest;                   /* of those in use; 0: none */
    int64_t largest;
};

#define HELD_MAX (sizeof(((struct held *)NULL)->ids) / sizeof(int64_t))

static int load(struct kt_session *s, struct held *out)
{
    sqlite3_stmt *q = kt_conn_stmt(s->conn, KT_SQL_DATAKEYS, &s->fault);
    int code;

    *out = (struct held){ .n = 0 };
    if (q == NULL)
        return s->fault.status;
    while ((code = sqlite3_step(q)) == SQLITE_ROW) {
        const int64_t id = sqlite3_column_int64(q, 0);

        if (out->n < HELD_MAX)
            out->ids[out->n] = id;
        out->n++;
        out->largest = id; /* they come in order */
        if (sqlite3_column_int(q, 1) == KT_DATAKEY_IN_USE)
            out->newest = id;
    }
    (void)sqlite3_reset(q);
    return code == SQLITE_DONE ? KT_SUCCESS : kt_conn_fault(s->conn, code, "read", &s->fault);
}

static int mark_of(struct kt_session *s, struct kt_mark *out)
{
    sqlite3_stmt *q = kt_conn_stmt(s->conn, KT_SQL_COOKIE, &s->fault);
    int code;

    if (q == NULL)
        return s->fault.status;
    code = sqlite3_step(q);
    *out = (struct kt_mark){ s->conn->st.st_dev, s->conn->st.st_ino, sqlite3_column_int64(q, 0) };
    (void)sqlite3_reset(q);
    return code == SQLITE_ROW ? KT_SUCCESS : kt_conn_fault(s->conn, code, "read", &s->fault);
}

static int add(struct kt_session *s, int64_t id)
{
    sqlite3_stmt *insert = kt_conn_stmt(s->conn, KT_SQL_ADD_DATAKEY, &s->fault);
    sqlite3_stmt *replace = kt_conn_stmt(s->conn, KT_SQL_REPLACE_DATAKEYS, &s->fault);
    struct kt_datakey d;
    int rc;

    if (insert == NULL || replace == NULL)
        return s->fault.status;
    rc = kt_keys_new_datakey(s->keys, id, &d, &s->fault);
    if (rc != KT_SUCCESS)
        return rc;
    (void)sqlite3_bind_int64(insert, 1, id);
    (void)sqlite3_bind_blob(insert, 2, d.wrapped, sizeof(d.wrapped), SQLITE_STATIC);
    rc = kt_conn_run(s->conn, KT_SQL_ADD_DATAKEY, &s->fault);
    (void)sqlite3_clear_bindings(insert);
    if (rc != KT_SUCCESS)
        return rc;
    (void)sqlite3_bind_int64(replace, 1, id);
    return kt_conn_run(s->conn, KT_SQL_REPLACE_DATAKEYS, &s->fault);
}

int kt_datakey_begin(struct kt_session *s, int64_t now_ms, bool fresh, struct kt_exchange *out)
{
    struct held held;
    int rc = load(s, &held);

    if (rc == KT_SUCCESS)
        rc = mark_of(s, &out->mark);
    if (rc != KT_SUCCESS)
        return rc;
    out->key = held.newest;
    out->resumed = !fresh && held.n > 1 && held.newest == held.largest;
    if (out->resumed)
        return KT_SUCCESS;
    if (held.n >= KT_DATAKEYS_MAX)
        return kt_fault(&s->fault, KT_CORRUPT,
                        "%zu data keys of %s are kept for secrets that are damaged; restore or "
                        "delete those first ('keyturn file check' names them)",
                        held.n, s->store->path);
    if (held.largest == INT64_MAX)
        return kt_fault(&s->fault, KT_CORRUPT,
                        "%s is damaged (the id of a data key); restore it from a backup",
                        s->store->path);
    out->key = now_ms > held.largest ? now_ms : held.largest + 1;
    return add(s, out->key);
}

void kt_kept_add(struct kt_kept *kept, int64_t id)
{
    for (size_t i = 0; i < kept->n; i++)
        if (kept->ids[i] == id)
            return;
    if (kept->n < KT_DATAKEYS_MAX)
        kept->ids[kept->n++] = id;
    else
        kept->all = true;
}

static bool is_kept(const struct kt_kept *kept, int64_t id)
{
    for (size_t i = 0; i < kept->n; i++)
        if (kept->ids[i] == id)
            return true;
    return kept->all;
}

/* A row under a key that is not there: which one it was, nobody can tell. */
static bool has_strangers(const struct held *held, const struct kt_kept *kept)
{
    for (size_t i = 0; i < kept->n; i++) {
        bool known = false;

        for (size_t k = 0; k < held->n && k < HELD_MAX; k++)
            known = known || held->ids[k] == kept->ids[i];
        if (!known)
            return true;
    }
    return false;
}

static int drop(struct kt_session *s, int64_t id)
{
    sqlite3_stmt *q = kt_conn_stmt(s->conn, KT_SQL_DROP_DATAKEY, &s->fault);

    if (q == NULL)
        return s->fault.status;
    (void)sqlite3_bind_int64(q, 1, id);
    return kt_conn_run(s->conn, KT_SQL_DROP_DATAKEY, &s->fault);
}

int kt_datakey_end(struct kt_session *s, const struct kt_exchange *e, const struct kt_kept *kept,
                   bool *changed)
{
    struct kt_mark now;
    struct held held;
    bool there = false;
    int rc = mark_of(s, &now);

    if (rc == KT_SUCCESS)
        rc = load(s, &held);
    if (rc != KT_SUCCESS)
        return rc;
    for (size_t i = 0; i < held.n && i < HELD_MAX; i++)
        there = there || held.ids[i] == e->key;
    *changed = !there || now.dev != e->mark.dev || now.ino != e->mark.ino ||
               now.cookie != e->mark.cookie;
    if (*changed || has_strangers(&held, kept))
        return KT_SUCCESS;
    for (size_t i = 0; rc == KT_SUCCESS && i < held.n && i < HELD_MAX; i++)
        if (held.ids[i] < e->key && !is_kept(kept, held.ids[i]))
            rc = drop(s, held.ids[i]);
    return rc;
}
