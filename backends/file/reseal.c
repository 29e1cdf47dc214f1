/* SPDX-License-Identifier: Apache-2.0 */

#include "reseal.h"

#include "found.h"
#include "row.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define TURN_NS 15000000  /* of work, before it is committed */
#define WANTED_NS 3000000 /* of it, if others are waiting */
#define ASK_NS 1000000    /* between two looks whether they are */

/* How long others wait for us is a matter of real time, whatever the host's clocks say. */
static int64_t clock_ns(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static bool is_wanted(const struct kt_session *s)
{
    bool wanted;

    (void)pthread_mutex_lock(&s->store->mutex);
    wanted = kt_lock_is_wanted(s);
    (void)pthread_mutex_unlock(&s->store->mutex);
    return wanted;
}

static bool is_over(const struct kt_session *s, struct kt_reseal *t)
{
    const int64_t now = clock_ns();

    if (t->nnames == KT_RESEAL_NAMES || now - t->began_ns > TURN_NS)
        return true;
    if (now < t->ask_ns)
        return false;
    t->ask_ns = now + ASK_NS;
    return is_wanted(s);
}

/* ---- damage --------------------------------------------------------------------------------- */

/* The data keys of all rows that will be left as they are. */
static int keep_keys(struct kt_session *s, struct kt_reseal *t)
{
    sqlite3_stmt *q = kt_conn_stmt(s->conn, KT_SQL_ROWS, &s->fault);
    int code;

    if (q == NULL)
        return s->fault.status;
    (void)sqlite3_bind_blob(q, 1, t->to.tag, KT_TAG_SIZE, SQLITE_TRANSIENT);
    while ((code = sqlite3_step(q)) == SQLITE_ROW)
        if (sqlite3_column_int64(q, 1) < t->key)
            kt_kept_add(&t->to.kept, sqlite3_column_int64(q, 1));
    (void)sqlite3_reset(q);
    (void)sqlite3_clear_bindings(q);
    return code == SQLITE_DONE ? KT_SUCCESS : kt_conn_fault(s->conn, code, "read", &s->fault);
}

/* Something of this secret is damaged: believed when it was seen through a second connection. */
static int spoil(struct kt_session *s, struct kt_reseal *t, const char *name, const char *what)
{
    struct kt_walk *w = &t->to;
    char place[2 * KT_TAG_SIZE + 1];

    if (s->tries == 1)
        return kt_fault(&s->fault, KT_CORRUPT, "%s is damaged", s->store->path);
    if (w->spoilt)
        return KT_SUCCESS;
    w->spoilt = true;
    for (size_t i = 0; i < KT_TAG_SIZE; i++)
        (void)snprintf(place + 2 * i, 3, "%02x", w->tag[i]);
    if (name != NULL)
        (void)snprintf(t->names[t->nnames++], sizeof(t->names[0]), "damaged: '%.300s' (%s)", name,
                       what);
    else
        (void)snprintf(t->names[t->nnames++], sizeof(t->names[0]),
                       "damaged: a secret whose name cannot be read, at %s (%s)", place, what);
    return KT_SUCCESS;
}

/* ---- one secret ----------------------------------------------------------------------------- */

/** struct row - a version's row, opened. @plain is NULL if it is not under an old key */
struct row {
    char id[KT_ID_SIZE];
    uint64_t generation;
    void *plain;
    size_t len;
};

static int seal_row(struct kt_session *s, struct kt_reseal *t, const char *id, uint64_t generation,
                    struct kt_bytes plain)
{
    struct kt_row_key key = { .id = t->newest };
    int rc = kt_session_datakey(s, key.id, &key.key);

    if (rc == KT_SUCCESS)
        rc = kt_row_write(s, (struct kt_row_place){ t->to.tag, id, generation }, key, plain);
    t->to.sealed += rc == KT_SUCCESS ? 1 : 0;
    return rc;
}

/* Opens what the statement is at. KT_CORRUPT, not explained: damaged. */
static int open_row(struct kt_session *s, const struct kt_reseal *t, const struct kt_found *f,
                    sqlite3_stmt *q, struct row *out)
{
    const int64_t dk = sqlite3_column_int64(q, 1);
    const size_t at = kt_head_find(&f->head, out->id, NULL);
    struct kt_bytes sealed;
    struct kt_bytes key;
    int rc;

    if (dk >= t->key)
        return KT_SUCCESS;
    if (at == f->head.n || !kt_conn_blob(q, 2, KT_SEAL_EXTRA, KT_SEALED_MAX, &sealed))
        return KT_CORRUPT;
    rc = kt_session_datakey(s, dk, &key);
    if (rc != KT_SUCCESS)
        return rc;
    out->generation = f->head.entries[at].generation;
    out->len = sealed.len - KT_SEAL_EXTRA;
    out->plain = s->host->secret_alloc(out->len + 1, 0);
    if (out->plain == NULL)
        return kt_fault(&s->fault, KT_NO_MEMORY, "out of memory");
    return kt_row_open(s, (struct kt_row_place){ t->to.tag, out->id, out->generation }, key, sealed,
                       out->plain);
}

/* The next row behind @to.id; its id is then there. KT_NOT_FOUND: there is none. */
static int next_row(struct kt_session *s, struct kt_reseal *t, const struct kt_found *f,
                    struct row *out)
{
    sqlite3_stmt *q = kt_conn_stmt(s->conn, KT_SQL_ROW_AFTER, &s->fault);
    const char *id;
    int code;
    int rc;

    *out = (struct row){ .plain = NULL };
    if (q == NULL)
        return s->fault.status;
    (void)sqlite3_bind_blob(q, 1, t->to.tag, KT_TAG_SIZE, SQLITE_STATIC);
    (void)sqlite3_bind_text(q, 2, t->to.id, -1, SQLITE_STATIC);
    code = sqlite3_step(q);
    if (code == SQLITE_ROW) {
        id = (const char *)sqlite3_column_text(q, 0);
        rc = KT_CORRUPT;
        /* behind an id that is none of ours nobody can go on: the rest stays, too */
        if (id == NULL || strlen(id) >= sizeof(out->id) ||
            strlen(id) != (size_t)sqlite3_column_bytes(q, 0)) {
            out->id[0] = '\0';
        } else {
            memcpy(out->id, id, strlen(id) + 1);
            rc = open_row(s, t, f, q, out);
        }
    } else {
        rc = code == SQLITE_DONE ? KT_NOT_FOUND : kt_conn_fault(s->conn, code, "read", &s->fault);
    }
    (void)sqlite3_reset(q);
    (void)sqlite3_clear_bindings(q);
    return rc;
}

/* One version; KT_NOT_FOUND: that was all. */
static int reseal_version(struct kt_session *s, struct kt_reseal *t, const struct kt_found *f)
{
    struct kt_walk *w = &t->to;
    struct row row;
    int rc = next_row(s, t, f, &row);

    if (rc == KT_CORRUPT) {
        rc = spoil(s, t, f->head.name, "a version does not open");
        if (rc == KT_SUCCESS && row.id[0] == '\0')
            rc = KT_NOT_FOUND;
    } else if (rc == KT_SUCCESS && row.plain != NULL) {
        rc = seal_row(s, t, row.id, row.generation, (struct kt_bytes){ row.plain, row.len });
        w->versions += rc == KT_SUCCESS ? 1 : 0;
    }
    if (rc == KT_SUCCESS) {
        memcpy(w->id, row.id, sizeof(w->id));
        w->rows++;
    }
    s->host->secret_free(row.plain);
    return rc;
}

static int load_head(struct kt_session *s, const struct kt_reseal *t, struct kt_found *f,
                     int64_t *dk)
{
    sqlite3_stmt *q = kt_conn_stmt(s->conn, KT_SQL_ROWS, &s->fault);
    struct kt_bytes sealed;
    int code;
    int rc = KT_CORRUPT;

    *f = (struct kt_found){ .exists = false };
    memcpy(f->tag, t->to.tag, KT_TAG_SIZE);
    if (q == NULL)
        return s->fault.status;
    (void)sqlite3_bind_blob(q, 1, f->tag, KT_TAG_SIZE, SQLITE_STATIC);
    code = sqlite3_step(q);
    if (code != SQLITE_ROW && code != SQLITE_DONE)
        rc = kt_conn_fault(s->conn, code, "read", &s->fault);
    else if (code == SQLITE_ROW && sqlite3_column_bytes(q, 0) == 0 &&
             kt_conn_blob(q, 2, KT_SEAL_EXTRA, KT_SEALED_MAX, &sealed)) {
        *dk = sqlite3_column_int64(q, 1);
        rc = kt_found_head(s, *dk, sealed, NULL, f);
    }
    (void)sqlite3_reset(q);
    (void)sqlite3_clear_bindings(q);
    return rc;
}

/* Its versions are all looked at: the head, and the count. */
static int finish_secret(struct kt_session *s, struct kt_reseal *t, const struct kt_found *f,
                         int64_t dk)
{
    struct kt_walk *w = &t->to;
    int rc = KT_SUCCESS;

    /* a head that was written meanwhile is under a new key: then so are the rows that are new */
    if (!w->spoilt && dk < t->key && w->rows != f->head.n)
        rc = spoil(s, t, f->head.name, "a version is missing");
    if (rc == KT_SUCCESS && !w->spoilt && dk < t->key)
        rc = seal_row(s, t, "", 0, (struct kt_bytes){ f->plain, f->plain_len });
    if (rc == KT_SUCCESS && w->spoilt)
        rc = keep_keys(s, t);
    if (rc != KT_SUCCESS)
        return rc;
    w->within = false;
    w->seen++;
    if (w->spoilt)
        w->damaged++;
    else
        w->secrets++;
    return KT_SUCCESS;
}

static int reseal_secret(struct kt_session *s, struct kt_reseal *t)
{
    struct kt_found f;
    int64_t dk = 0;
    int rc = load_head(s, t, &f, &dk);

    if (rc == KT_CORRUPT) {
        rc = spoil(s, t, NULL, "its head does not open");
        if (rc == KT_SUCCESS)
            rc = finish_secret(s, t, &f, dk);
    } else if (rc == KT_SUCCESS) {
        do
            rc = reseal_version(s, t, &f);
        while (rc == KT_SUCCESS && !is_over(s, t));
        if (rc == KT_NOT_FOUND)
            rc = finish_secret(s, t, &f, dk);
    }
    kt_found_done(s->host, &f);
    return rc;
}

/* ---- all of them ---------------------------------------------------------------------------- */

static void enter(struct kt_walk *w, const uint8_t tag[KT_TAG_SIZE])
{
    memcpy(w->tag, tag, KT_TAG_SIZE);
    w->begun = true;
    w->within = true;
    w->spoilt = false;
    w->id[0] = '\0';
    w->rows = 0;
}

static void pass(struct kt_walk *w, const uint8_t tag[KT_TAG_SIZE])
{
    memcpy(w->tag, tag, KT_TAG_SIZE);
    w->begun = true;
    w->seen++;
}

/* To the next secret that has a row under an old key. Returns what SQLite says. */
static int skip_new(const struct kt_session *s, struct kt_reseal *t, sqlite3_stmt *q)
{
    struct kt_walk *w = &t->to;
    uint8_t last[KT_TAG_SIZE];
    bool any = false;
    int code;

    while ((code = sqlite3_step(q)) == SQLITE_ROW) {
        const int64_t dk = sqlite3_column_int64(q, 1);
        struct kt_bytes tag;

        if (!kt_conn_blob(q, 0, KT_TAG_SIZE, KT_TAG_SIZE, &tag)) {
            w->strays = true;
            if (dk < t->key)
                kt_kept_add(&w->kept, dk);
            continue;
        }
        if (any && memcmp(last, tag.data, KT_TAG_SIZE) != 0) {
            pass(w, last);
            any = false;
            if (is_over(s, t))
                break;
        }
        memcpy(last, tag.data, KT_TAG_SIZE);
        any = true;
        if (dk < t->key) {
            enter(w, last);
            break;
        }
    }
    if (code == SQLITE_DONE && any)
        pass(w, last);
    return code;
}

static int find_next(struct kt_session *s, struct kt_reseal *t)
{
    sqlite3_stmt *q = kt_conn_stmt(s->conn, KT_SQL_SCAN, &s->fault);
    int code;

    if (q == NULL)
        return s->fault.status;
    /* numbers come before all else that may stand there */
    if (t->to.begun)
        (void)sqlite3_bind_blob(q, 1, t->to.tag, KT_TAG_SIZE, SQLITE_TRANSIENT);
    else
        (void)sqlite3_bind_int64(q, 1, INT64_MIN);
    code = skip_new(s, t, q);
    (void)sqlite3_reset(q);
    (void)sqlite3_clear_bindings(q);
    if (code != SQLITE_ROW && code != SQLITE_DONE)
        return kt_conn_fault(s->conn, code, "read", &s->fault);
    t->to.ended = code == SQLITE_DONE;
    return KT_SUCCESS;
}

int kt_reseal_body(struct kt_session *s, void *arg)
{
    struct kt_reseal *t = arg;
    struct kt_bytes key;
    int rc = kt_session_newest(s, &t->newest, &key);

    t->to = t->from;
    t->nnames = 0;
    t->began_ns = clock_ns();
    t->ask_ns = t->began_ns + WANTED_NS;
    if (rc == KT_SUCCESS && t->newest < t->key)
        return kt_fault(&s->fault, KT_CONFLICT,
                        "%s was restored from a backup meanwhile; run re-encrypt again",
                        s->store->path);
    while (rc == KT_SUCCESS && !t->to.ended && !is_over(s, t)) {
        rc = t->to.within ? KT_SUCCESS : find_next(s, t);
        if (rc == KT_SUCCESS && t->to.within)
            rc = reseal_secret(s, t);
    }
    return rc;
}
