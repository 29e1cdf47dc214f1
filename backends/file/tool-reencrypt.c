/* SPDX-License-Identifier: Apache-2.0 */

/* `keyturn file re-encrypt`: a new data key, a walk, and the old keys go. */

#include "pages.h"
#include "reseal.h"
#include "tools.h"

#include <stdlib.h>
#include <string.h>

/** struct job - one run of the verb. @names: what is damaged, a line each */
struct job {
    const struct kt_line_state *line;
    struct kt_call *call;
    struct kt_exchange exchange;
    struct kt_reseal turn;
    int64_t total;
    int64_t now_ms;
    uint64_t secrets;
    uint64_t versions;
    uint64_t sealed;
    bool fresh;
    bool changed;
    char *names;
    size_t names_len;
};

static int count_body(struct kt_session *s, void *arg)
{
    struct job *j = arg;

    return kt_pages_number(s->conn, KT_SQL_COUNT_HEADS, &j->total, &s->fault);
}

static int begin_body(struct kt_session *s, void *arg)
{
    struct job *j = arg;

    return kt_datakey_begin(s, j->now_ms, j->fresh, &j->exchange);
}

static int end_body(struct kt_session *s, void *arg)
{
    struct job *j = arg;

    return kt_datakey_end(s, &j->exchange, &j->turn.from.kept, &j->changed);
}

/*
 * What was sealed under the old key, and that key, go from the log, too, if no reader is in the way.
 * The transaction is empty: no checkpoint runs inside one.
 */
static int tidy_body(struct kt_session *s, void *arg)
{
    const int rc = kt_conn_run(s->conn, KT_SQL_COMMIT, &s->fault);

    (void)arg;
    if (rc == KT_SUCCESS)
        (void)sqlite3_wal_checkpoint_v2(s->conn->db, "main", SQLITE_CHECKPOINT_TRUNCATE, NULL,
                                        NULL);
    return rc;
}

/* What it did is committed. */
static int take_turn(struct job *j)
{
    struct kt_reseal *t = &j->turn;

    t->from = t->to;
    for (size_t i = 0; i < t->nnames; i++) {
        const size_t len = strlen(t->names[i]) + 1;
        char *more = realloc(j->names, j->names_len + len);

        if (more == NULL)
            return j->line->host->fail(j->call, KT_NO_MEMORY, "file: out of memory");
        memcpy(more + j->names_len, t->names[i], len);
        j->names = more;
        j->names_len += len;
    }
    return KT_SUCCESS;
}

static int check_time(const struct job *j)
{
    const struct kt_host *host = j->line->host;

    if (host->left_ms(j->call) == 0)
        return host->fail(
            j->call, KT_TIMEOUT,
            "file: re-encryption was not at its end in time; run it again, it goes on "
            "from there");
    return host->sleep(j->call, 0); /* cancelled? */
}

static int walk(struct job *j)
{
    struct kt_reseal *t = &j->turn;
    int rc = KT_SUCCESS;

    *t = (struct kt_reseal){ .key = j->exchange.key };
    j->names_len = 0;
    while (rc == KT_SUCCESS && !t->from.ended) {
        rc = kt_store_run(j->line->store, j->call, KT_WRITE, kt_reseal_body, t);
        if (rc == KT_SUCCESS)
            rc = take_turn(j);
        j->line->host->progress(j->call, t->from.seen,
                                t->from.seen > (uint64_t)j->total ? t->from.seen
                                                                  : (uint64_t)j->total);
        if (rc == KT_SUCCESS && !t->from.ended)
            rc = check_time(j);
    }
    j->secrets += t->from.secrets;
    j->versions += t->from.versions;
    j->sealed += t->from.sealed;
    return rc;
}

/* A key, a walk, and the old keys go; again if the store was exchanged meanwhile. */
static int exchange(struct job *j)
{
    struct kt_store *store = j->line->store;
    bool resumed = false;
    bool first = true;
    int rc;

    for (;;) {
        j->now_ms = j->line->host->now_ns(j->call, KT_CLOCK_WALL) / 1000000;
        rc = kt_store_run(store, j->call, KT_WRITE, begin_body, j);
        if (rc != KT_SUCCESS)
            return rc;
        resumed = first ? j->exchange.resumed : resumed;
        first = false;
        rc = walk(j);
        if (rc == KT_SUCCESS)
            rc = kt_store_run(store, j->call, KT_WRITE, end_body, j);
        if (rc != KT_SUCCESS)
            return rc;
        j->exchange.resumed = resumed;
        if (!j->changed && (!resumed || j->sealed > 0 || j->fresh))
            return KT_SUCCESS;
        /* it had been interrupted when all was done, or nothing can be done: so begin anew */
        j->fresh = !j->changed;
    }
}

static void print_names(const struct job *j)
{
    for (size_t at = 0; at < j->names_len; at += strlen(j->names + at) + 1)
        j->line->host->print(j->call, "%s", j->names + at);
}

static int report(const struct job *j, int64_t took_ns)
{
    const struct kt_host *host = j->line->host;
    const struct kt_walk *w = &j->turn.from;

    host->print(j->call, "%s%llu secrets with %llu versions in %lld.%03lld s, data key %lld",
                j->exchange.resumed ? "resumed: " : "", (unsigned long long)j->secrets,
                (unsigned long long)j->versions, (long long)(took_ns / 1000000000),
                (long long)(took_ns / 1000000 % 1000), (long long)j->exchange.key);
    if (w->damaged == 0 && !w->strays)
        return KT_SUCCESS;
    return host->fail(
        j->call, KT_CORRUPT,
        "file: %llu of %llu secrets in %s are damaged%s and stay under their old data "
        "keys; restore a backup or delete them, then run re-encrypt again",
        (unsigned long long)w->damaged, (unsigned long long)w->seen, j->line->store->path,
        w->strays ? ", and rows that no name leads to," : "");
}

KT_TOOL(kt_file_reencrypt)
{
    const struct kt_line_state *line = state;
    struct job *j = calloc(1, sizeof(*j));
    const int64_t began = line->host->now_ns(call, KT_CLOCK_MONOTONIC);
    int rc;

    (void)args;
    (void)nargs;
    if (j == NULL)
        return line->host->fail(call, KT_NO_MEMORY, "file: out of memory");
    j->line = line;
    j->call = call;
    rc = kt_store_run(line->store, call, KT_READ, count_body, j);
    if (rc == KT_SUCCESS)
        rc = exchange(j);
    if (rc == KT_SUCCESS)
        rc = kt_store_run(line->store, call, KT_WRITE, tidy_body, NULL);
    print_names(j);
    if (rc == KT_SUCCESS)
        rc = report(j, line->host->now_ns(call, KT_CLOCK_MONOTONIC) - began);
    free(j->names);
    free(j);
    return rc;
}
