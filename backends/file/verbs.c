/* SPDX-License-Identifier: Apache-2.0 */
#include "ops.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

/** struct report - what is seen inside, to be printed outside the gate */
struct report {
    struct kt_ring ring;
    int64_t secrets;
    int64_t rows;
    bool immutable;
};

static int count(struct kt_session *s, enum kt_sql which, int64_t *out)
{
    sqlite3_stmt *q = kt_conn_stmt(s->conn, which, &s->fault);
    int rc;

    if (q == NULL)
        return s->fault.status;
    rc = sqlite3_step(q);
    *out = sqlite3_column_int64(q, 0);
    (void)sqlite3_reset(q);
    return rc == SQLITE_ROW ? KT_SUCCESS : kt_conn_fault(s->conn, rc, "read", &s->fault);
}

static int look_body(struct kt_session *s, void *arg)
{
    struct report *r = arg;
    int rc = kt_ring_load(s->conn, &r->ring, &s->fault);

    r->immutable = s->conn->immutable;
    if (rc == KT_SUCCESS)
        rc = count(s, KT_SQL_COUNT_HEADS, &r->secrets);
    return rc == KT_SUCCESS ? count(s, KT_SQL_COUNT_ROWS, &r->rows) : rc;
}

static int nothing(struct kt_session *s, void *arg)
{
    (void)s;
    (void)arg;
    return KT_SUCCESS;
}

static void print_slots(const struct kt_line_state *line, struct kt_call *call,
                        const struct kt_ring *ring)
{
    for (size_t i = 0; i < ring->nslots; i++) {
        const struct kt_slot *slot = &ring->slots[i];
        const char *what = !slot->whole ? " (damaged)" : "";

        if (strcmp(slot->kind, "keyfile") == 0)
            line->host->print(call, "slot %lld: key file %s%s", (long long)slot->id,
                              line->store->key_path, what);
        else if (strcmp(slot->kind, "secret") == 0)
            line->host->print(call, "slot %lld: secret %.*s%s", (long long)slot->id,
                              (int)slot->params_len, (const char *)slot->params, what);
        else
            line->host->print(call, "slot %lld: %s%s", (long long)slot->id, slot->kind, what);
    }
}

static bool never_made(const struct kt_line_state *line, struct kt_call *call)
{
    struct stat st;

    if (stat(line->store->path, &st) == 0 || errno != ENOENT)
        return false;
    line->host->print(call, "store: %s, not made yet: the first put makes it", line->store->path);
    line->host->print(call, "key:   %s",
                      line->store->passphrase ? "a passphrase will be asked for"
                                              : line->store->key_path);
    return true;
}

/* Can it be opened, and with what? */
static int viable(void *state, struct kt_call *call, const struct kt_arg *args, size_t nargs)
{
    const struct kt_line_state *line = state;
    struct report r = { .secrets = 0 };
    int rc;

    (void)args;
    (void)nargs;
    if (never_made(line, call))
        return KT_SUCCESS;
    rc = kt_store_run(line->store, call, KT_LOOK, look_body, &r);
    if (rc != KT_SUCCESS)
        return rc;
    line->host->print(call, "store: %s", line->store->path);
    print_slots(line, call, &r.ring);
    rc = kt_store_run(line->store, call, KT_READ, nothing, NULL);
    if (rc == KT_SUCCESS)
        line->host->print(call, "it can be opened%s", r.immutable ? ", for reading only" : "");
    return rc;
}

/* What is known without a key. */
static int status(void *state, struct kt_call *call, const struct kt_arg *args, size_t nargs)
{
    const struct kt_line_state *line = state;
    struct report r = { .secrets = 0 };
    int rc;

    (void)args;
    (void)nargs;
    if (never_made(line, call))
        return KT_SUCCESS;
    rc = kt_store_run(line->store, call, KT_LOOK, look_body, &r);
    if (rc != KT_SUCCESS)
        return rc;
    line->host->print(call, "store:     %s%s", line->store->path,
                      r.immutable ? " (read-only medium)" : "");
    line->host->print(call, "format:    1");
    line->host->print(call, "secrets:   %lld", (long long)r.secrets);
    line->host->print(call, "versions:  %lld", (long long)(r.rows - r.secrets));
    line->host->print(call, "data keys: %zu", r.ring.ndatakeys);
    print_slots(line, call, &r.ring);
    return KT_SUCCESS;
}

const struct kt_verb kt_file_verbs[] = {
    { "viable", "say where the store is, and whether it can be opened", NULL, viable },
    { "status", "say what is in the store: secrets, versions, slots, data keys", NULL, status },
    { .name = NULL },
};
