/* SPDX-License-Identifier: Apache-2.0 */

/*
 * `keyturn file compact`. SQLite's VACUUM writes a packed copy to a temporary file and from there
 * through the log over the database: one transaction, whose file stays the same, and readers see
 * the old pages until it is committed. It cannot be cut into pieces, so writers wait for all of it: where
 * there is little to gain only the log goes back into the database.
 */

#include "beside.h"
#include "tools.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <time.h>

#define READERS_MS 2000  /* to let readers go on to the new pages */
#define WORTH_ONE_IN 16  /* pages */
#define LOOK_EVERY 10000 /* steps of SQLite's machine: a millisecond */

/** struct sizes - of a store; what VACUUM would leave is a guess */
struct sizes {
    int64_t page;
    int64_t pages;
    int64_t packed;
    int64_t file; /* bytes of database and log */
};

/** struct compact - a run */
struct compact {
    struct sizes before;
    int64_t left_ms;
    int cancel_fd;
    int64_t began_ns;
    int stopped; /* a status, if it was */
    bool vacuum;
    bool log_is_left;
};

static int64_t clock_ns(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* ---- what there is to gain ------------------------------------------------------------------ */

static int number(struct kt_session *s, const char *sql, int64_t *out)
{
    sqlite3_stmt *q = NULL;
    int code = sqlite3_prepare_v2(s->conn->db, sql, -1, &q, NULL);

    if (code == SQLITE_OK)
        code = sqlite3_step(q);
    if (code == SQLITE_ROW)
        *out = sqlite3_column_int64(q, 0);
    (void)sqlite3_finalize(q);
    return code == SQLITE_ROW ? KT_SUCCESS : kt_conn_fault(s->conn, code, "read", &s->fault);
}

/* Pages of overflow, and bytes in its leaf, of an entry of @len bytes: SQLite's file format, 1.6. */
static void add_entry(int64_t len, int64_t page, int64_t *pages, int64_t *bytes)
{
    const int64_t max = (page - 12) * 64 / 255 - 23;
    const int64_t min = (page - 12) * 32 / 255 - 23;
    int64_t local = len;

    if (len > max) {
        local = min + (len - min) % (page - 4);
        if (local > max)
            local = min;
        *pages += (len - local + page - 5) / (page - 4);
        local += 4;
    }
    *bytes += local + 4; /* its length, its place in the page */
}

static int guess_packed(struct kt_session *s, struct sizes *out)
{
    sqlite3_stmt *q = NULL;
    int code = sqlite3_prepare_v2(
        s->conn->db, "SELECT length(tag) + length(id) + length(sealed) + 12 FROM record", -1, &q,
        NULL);
    int64_t bytes = 0;

    out->packed = 8; /* the other tables */
    while (code == SQLITE_OK || code == SQLITE_ROW) {
        code = sqlite3_step(q);
        if (code == SQLITE_ROW)
            add_entry(sqlite3_column_int64(q, 0), out->page, &out->packed, &bytes);
    }
    (void)sqlite3_finalize(q);
    out->packed += bytes / (out->page - 12) * 105 / 100; /* no page is full to the last byte */
    return code == SQLITE_DONE ? KT_SUCCESS : kt_conn_fault(s->conn, code, "read", &s->fault);
}

static int64_t size_of(const char *path, const char *suffix)
{
    char name[4096];
    struct stat st;

    if (snprintf(name, sizeof(name), "%s%s", path, suffix) >= (int)sizeof(name) ||
        stat(name, &st) != 0)
        return 0;
    return st.st_size;
}

static int64_t bytes_of(const struct kt_store *store)
{
    return size_of(store->path, "") + size_of(store->path, "-wal");
}

static int look_body(struct kt_session *s, void *arg)
{
    struct sizes *sizes = arg;
    int rc = number(s, "PRAGMA page_size", &sizes->page);

    if (rc == KT_SUCCESS)
        rc = number(s, "PRAGMA page_count", &sizes->pages);
    if (rc == KT_SUCCESS)
        rc = guess_packed(s, sizes);
    sizes->file = bytes_of(s->store);
    return rc;
}

/* ---- in the writer lock --------------------------------------------------------------------- */

/* SQLite asks now and then: is it to stop? */
static int should_stop(void *arg)
{
    struct compact *c = arg;
    struct pollfd p = { .fd = c->cancel_fd, .events = POLLIN };

    if (clock_ns() - c->began_ns > c->left_ms * 1000000)
        c->stopped = KT_TIMEOUT;
    else if (c->cancel_fd >= 0 && poll(&p, 1, 0) == 1)
        c->stopped = KT_CANCELLED;
    return c->stopped != 0;
}

/* All of the log goes into the database, and nothing of it stays: as soon as no reader needs it. */
static void empty_log(struct compact *c, sqlite3 *db)
{
    (void)sqlite3_busy_timeout(db, READERS_MS);
    c->log_is_left = sqlite3_wal_checkpoint_v2(db, "main", SQLITE_CHECKPOINT_TRUNCATE, NULL,
                                               NULL) != SQLITE_OK;
}

static int vacuum(struct kt_session *s, struct compact *c, struct kt_conn *own)
{
    int code = sqlite3_exec(own->db,
                            "PRAGMA synchronous = FULL; PRAGMA secure_delete = ON;"
                            "PRAGMA temp_store = FILE",
                            NULL, NULL, NULL);

    sqlite3_progress_handler(own->db, LOOK_EVERY, should_stop, c);
    errno = 0;
    if (code == SQLITE_OK)
        code = sqlite3_exec(own->db, "VACUUM", NULL, NULL, NULL);
    sqlite3_progress_handler(own->db, 0, NULL, NULL);
    if (code == SQLITE_OK)
        return KT_SUCCESS;
    if (c->stopped != 0)
        return kt_fault(&s->fault, c->stopped, "%s was not compacted: %s", s->store->path,
                        c->stopped == KT_TIMEOUT ? "not in time" : "the call was cancelled");
    return kt_conn_fault(own, sqlite3_extended_errcode(own->db), "compact", &s->fault);
}

/*
 * A connection of its own, for its temporary file. Within SQLite the locks of all connections of a
 * process are one, so that closing it takes nothing from the others.
 */
static int compact_body(struct kt_session *s, void *arg)
{
    struct compact *c = arg;
    struct kt_conn own = { .path = s->store->path };
    const int code = kt_beside_open(own.path, &own.db);
    int rc = KT_SUCCESS;

    if (own.db == NULL)
        return kt_fault(&s->fault, KT_NO_MEMORY, "out of memory");
    (void)sqlite3_extended_result_codes(own.db, 1);
    if (code != SQLITE_OK)
        rc = kt_conn_fault(&own, code, "open", &s->fault);
    else if (sqlite3_db_readonly(own.db, "main") == 1)
        rc = kt_fault(&s->fault, KT_READ_ONLY, "%s cannot be written", own.path);
    c->began_ns = clock_ns();
    c->stopped = 0;
    if (rc == KT_SUCCESS && c->vacuum)
        rc = vacuum(s, c, &own);
    if (rc != KT_READ_ONLY)
        empty_log(c, own.db); /* after a failure, too: the log has grown */
    (void)sqlite3_close(own.db);
    return rc;
}

/* ---- the verb ------------------------------------------------------------------------------- */

static void report(const struct kt_line_state *line, struct kt_call *call, const struct compact *c,
                   int64_t took_ns)
{
    const struct kt_host *host = line->host;

    if (!c->vacuum)
        host->print(call, "there is little to gain: only the log was moved into the database");
    if (c->log_is_left)
        host->print(call, "the log could not be emptied: somebody has been reading for long");
    host->print(call, "%lld bytes before, %lld after, in %lld.%03lld s", (long long)c->before.file,
                (long long)bytes_of(line->store), (long long)(took_ns / 1000000000),
                (long long)(took_ns / 1000000 % 1000));
}

KT_TOOL(kt_file_compact)
{
    const struct kt_line_state *line = state;
    struct compact c = { .cancel_fd = line->host->cancel_fd(call) };
    const int64_t began = line->host->now_ns(call, KT_CLOCK_MONOTONIC);
    int rc = kt_store_run(line->store, call, KT_LOOK, look_body, &c.before);

    (void)args;
    (void)nargs;
    if (rc != KT_SUCCESS)
        return rc;
    c.vacuum = (c.before.pages - c.before.packed) * WORTH_ONE_IN > c.before.pages;
    c.left_ms = line->host->left_ms(call);
    rc = kt_store_run(line->store, call, KT_ALONE, compact_body, &c);
    if (rc == KT_SUCCESS)
        report(line, call, &c, line->host->now_ns(call, KT_CLOCK_MONOTONIC) - began);
    return rc;
}
