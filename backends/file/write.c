/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Every write of a head adds or removes a row, or seals all rows that bear a stage anew under the
 * secret's new generation: an older head that is put back alone does not fit the rows beside it.
 */

#include "found.h"
#include "kit/put.h"
#include "ops.h"
#include "row.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define FRESH_NS 1000000000

/**
 * struct edit - one change of one secret
 * @dry:        only look: the preliminary phase
 * @generation: of the secret after the change
 */
struct edit {
    const char *name;
    bool dry;
    struct kt_found found;
    uint64_t generation;
    struct kt_row_key key;
    /* what is asked; each operation uses its own */
    const struct kt_put *put;
    const struct kt_delete *del;
    const char *version;
    const char *expected;
    uint32_t stage;
    int64_t now_ms;
};

/* ---- what all writes do --------------------------------------------------------------------- */

static int check_writable(struct kt_session *s)
{
    if (sqlite3_db_readonly(s->conn->db, "main") == 1)
        return kt_conn_fault(s->conn, SQLITE_READONLY, "write", &s->fault);
    return KT_SUCCESS;
}

/* Load the secret, and open the picked version. */
static int edit_begin(struct kt_session *s, struct edit *e, struct kt_pick pick)
{
    int rc = e->dry ? check_writable(s) : KT_SUCCESS;

    kt_found_done(s->host, &e->found);
    if (rc == KT_SUCCESS)
        rc = kt_found_load(s, e->name, pick, &e->found);
    if (rc != KT_SUCCESS || e->dry)
        return rc;
    e->generation = e->found.head.generation + 1;
    if (!e->found.exists) {
        /* not 1: rows of a secret of this name that was deleted do not fit this one */
        rc = kt_random(&e->generation, sizeof(e->generation), &s->fault);
        e->generation >>= 2;
        e->found.head.name = e->name;
        e->found.head.entries = calloc(1, sizeof(struct kt_entry));
        if (rc == KT_SUCCESS && e->found.head.entries == NULL)
            rc = kt_fault(&s->fault, KT_NO_MEMORY, "out of memory");
    }
    return rc == KT_SUCCESS ? kt_session_newest(s, &e->key.id, &e->key.key) : rc;
}

static int check_expected(struct kt_session *s, const struct edit *e)
{
    const struct kt_head *h = &e->found.head;
    size_t current;

    if (e->expected == NULL)
        return KT_SUCCESS;
    if (e->expected[0] == '\0')
        return !e->found.exists ? KT_SUCCESS
                                : kt_fault(&s->fault, KT_CONFLICT, "'%s' exists already", e->name);
    current = kt_head_staged(h, KT_STAGE_CURRENT);
    if (current == h->n)
        return kt_fault(&s->fault, KT_CONFLICT, "'%s' has no current version, expected %s", e->name,
                        e->expected);
    if (strcmp(h->entries[current].id, e->expected) != 0)
        return kt_fault(&s->fault, KT_CONFLICT, "the current version of '%s' is %s, expected %s",
                        e->name, h->entries[current].id, e->expected);
    return KT_SUCCESS;
}

/* Seals what lies at @plain into the row (tag, id). */
static int write_row(struct kt_session *s, const struct edit *e, const char *id,
                     uint64_t generation, struct kt_bytes plain)
{
    return kt_row_write(s, (struct kt_row_place){ e->found.tag, id, generation }, e->key, plain);
}

static int write_version(struct kt_session *s, const struct edit *e, struct kt_entry *entry,
                         const struct kt_body *body)
{
    const size_t len = kt_body_size(body);
    void *plain = s->host->secret_alloc(len, 0);
    int rc;

    if (plain == NULL)
        return kt_fault(&s->fault, KT_NO_MEMORY, "out of memory");
    entry->generation = e->generation;
    entry->length = (uint32_t)body->len;
    kt_body_encode(body, plain);
    rc = write_row(s, e, entry->id, entry->generation, (struct kt_bytes){ plain, len });
    s->host->secret_free(plain);
    return rc;
}

static int write_head(struct kt_session *s, struct edit *e)
{
    const size_t len = kt_head_size(&e->found.head);
    void *plain = malloc(len);
    int rc;

    if (plain == NULL)
        return kt_fault(&s->fault, KT_NO_MEMORY, "out of memory");
    e->found.head.generation = e->generation;
    kt_head_encode(&e->found.head, plain);
    rc = write_row(s, e, "", 0, (struct kt_bytes){ plain, len });
    explicit_bzero(plain, len);
    free(plain);
    return rc;
}

/* The versions that edit_begin() opened, but not the one at @but, and the head. */
static int write_opened(struct kt_session *s, struct edit *e, size_t but)
{
    struct kt_found *f = &e->found;
    int rc = KT_SUCCESS;

    for (size_t i = 0; rc == KT_SUCCESS && i < f->nopened; i++)
        if (f->opened[i].index != but)
            rc = write_version(s, e, &f->head.entries[f->opened[i].index], &f->opened[i].body);
    return rc == KT_SUCCESS ? write_head(s, e) : rc;
}

static int remove_secret(struct kt_session *s, const struct edit *e)
{
    sqlite3_stmt *q = kt_conn_stmt(s->conn, KT_SQL_REMOVE_ALL, &s->fault);

    if (q == NULL)
        return s->fault.status;
    (void)sqlite3_bind_blob(q, 1, e->found.tag, KT_TAG_SIZE, SQLITE_STATIC);
    return kt_conn_run(s->conn, KT_SQL_REMOVE_ALL, &s->fault);
}

static int remove_row(struct kt_session *s, const struct edit *e, const char *id)
{
    sqlite3_stmt *q = kt_conn_stmt(s->conn, KT_SQL_REMOVE, &s->fault);

    if (q == NULL)
        return s->fault.status;
    (void)sqlite3_bind_blob(q, 1, e->found.tag, KT_TAG_SIZE, SQLITE_STATIC);
    (void)sqlite3_bind_text(q, 2, id, -1, SQLITE_STATIC);
    return kt_conn_run(s->conn, KT_SQL_REMOVE, &s->fault);
}

/* Both phases of an operation on a secret that must exist. */
static int run_edit(const struct kt_line_state *line, struct kt_call *call, enum kt_phase phase,
                    kt_body_fn *body, struct edit *e)
{
    int rc;

    e->dry = phase == KT_PREPARE;
    rc = kt_store_run(line->store, call, e->dry ? KT_READ : KT_WRITE, body, e);
    kt_found_done(line->host, &e->found);
    return rc;
}

/* ---- put ------------------------------------------------------------------------------------ */

/* Makes room for a version among the others; its place. */
static size_t insert_entry(struct kt_found *f, const char *id)
{
    struct kt_head *h = &f->head;
    size_t at = 0;

    (void)kt_head_find(h, id, &at);
    for (size_t i = 0; i < f->nopened; i++)
        f->opened[i].index += f->opened[i].index >= at ? 1 : 0;
    memmove(&h->entries[at + 1], &h->entries[at], (h->n - at) * sizeof(h->entries[0]));
    h->entries[at] = (struct kt_entry){ .id = id };
    h->n++;
    return at;
}

static int write_new(struct kt_session *s, struct edit *e, size_t at, uint32_t stage)
{
    const struct kt_put *put = e->put;
    struct kt_entry *entry = &e->found.head.entries[at];
    struct kt_body body = { .nattrs = put->nattrs, .data = put->data, .len = put->len };
    int rc;

    if (put->nattrs > 0)
        memcpy(body.attrs, put->attrs, put->nattrs * sizeof(body.attrs[0]));
    entry->state = (uint8_t)put->state;
    entry->created_ms = put->created_ms != 0 ? put->created_ms : e->now_ms;
    entry->expires_ms = put->expires_ms;
    entry->not_before_ms = put->not_before_ms;
    kt_head_move(&e->found.head, stage, at);
    e->found.head.asof = put->asof;
    rc = write_version(s, e, entry, &body);
    return rc == KT_SUCCESS ? write_opened(s, e, at) : rc;
}

/* The version is there already: the same put again, or another one with its id. */
static int put_again(struct kt_session *s, struct edit *e)
{
    const struct kt_entry *entry = &e->found.head.entries[e->found.picked];
    const struct kt_body *body = kt_found_body(&e->found);

    if (entry->state == KT_STATE_DESTROYED)
        return kt_fault(&s->fault, KT_EXISTS, "version %s of '%s' existed and was destroyed",
                        entry->id, e->name);
    if (body->len != e->put->len || !kt_same(body->data, e->put->data, body->len))
        return kt_fault(&s->fault, KT_EXISTS, "version %s of '%s' exists with another value",
                        entry->id, e->name);
    return KT_SUCCESS;
}

static int put_body(struct kt_session *s, void *arg)
{
    struct edit *e = arg;
    struct kt_head *h = &e->found.head;
    int rc;

    /* nothing to compare with: what the secret is now is looked up once, by the write itself */
    if (e->dry && e->expected == NULL)
        return check_writable(s);
    rc = edit_begin(s, e, (struct kt_pick){ .id = e->put->id });
    if (rc != KT_SUCCESS)
        return rc;
    if (e->found.exists && e->found.picked < h->n)
        return put_again(s, e);
    rc = check_expected(s, e);
    if (rc == KT_SUCCESS && h->n == KT_VERSIONS_MAX)
        rc = kt_fault(&s->fault, KT_NO_SPACE,
                      "'%s' has %d versions; delete the oldest with --purge", e->name,
                      KT_VERSIONS_MAX);
    if (rc != KT_SUCCESS || e->dry)
        return rc;
    return write_new(s, e, insert_entry(&e->found, e->put->id), e->put->stage);
}

/* The last put succeeded less than a second ago: a look at the store would tell nothing new. */
static bool is_fresh(struct kt_store *store, struct kt_call *call)
{
    const int64_t at = atomic_load(&store->put_ns);
    const int64_t age = store->host->now_ns(call, KT_CLOCK_MONOTONIC) - at;

    return at != 0 && age >= 0 && age < FRESH_NS;
}

int kt_file_put(void *state, struct kt_call *call, enum kt_phase phase, const char *name,
                const struct kt_put *put)
{
    const struct kt_line_state *line = state;
    struct edit e = {
        .name = name,
        .dry = phase == KT_PREPARE,
        .put = put,
        .expected = put->expected,
        .now_ms = line->host->now_ns(call, KT_CLOCK_WALL) / 1000000,
    };
    int rc;
    const char *why = kt_put_unfit(name, put, &rc);

    if (why != NULL)
        return line->host->fail(call, rc, "file: cannot store '%.100s': %s", name, why);
    if (put->id == NULL || (put->stage != KT_STAGE_CURRENT && put->stage != KT_STAGE_PENDING))
        return line->host->fail(call, KT_INVALID,
                                "file: cannot store '%s': expected a version id, and the stage "
                                "current or pending",
                                name);
    if (e.dry && e.expected == NULL && is_fresh(line->store, call))
        return KT_SUCCESS;
    rc = kt_store_run(line->store, call, e.dry ? KT_CHECK : KT_WRITE_CREATE, put_body, &e);
    kt_found_done(line->host, &e.found);
    if (!e.dry)
        atomic_store(&line->store->put_ns,
                     rc == KT_SUCCESS ? line->host->now_ns(call, KT_CLOCK_MONOTONIC) : 0);
    return rc;
}

/* ---- fill ----------------------------------------------------------------------------------- */

static int fill_body(struct kt_session *s, void *arg)
{
    struct edit *e = arg;
    struct kt_head *h = &e->found.head;
    const struct kt_pick pick = { .id = e->put->id, .staged = true };
    int rc = edit_begin(s, e, pick);
    size_t at;

    /* a copy that is damaged is replaced by what the authority said */
    if (rc == KT_CORRUPT && e->put->data != NULL && s->tries > 1) {
        rc = remove_secret(s, e);
        if (rc == KT_SUCCESS)
            rc = edit_begin(s, e, pick);
    }
    if (rc != KT_SUCCESS)
        return rc;
    at = e->found.exists ? e->found.picked : h->n;
    if (e->put->data != NULL)
        return write_new(s, e, at < h->n ? at : insert_entry(&e->found, e->put->id),
                         KT_STAGE_CURRENT);
    if (at == h->n || at != kt_head_staged(h, KT_STAGE_CURRENT))
        return kt_fault(&s->fault, KT_NOT_FOUND, "version %s of '%s' is not current here",
                        e->put->id, e->name);
    h->asof = e->put->asof;
    return write_opened(s, e, h->n);
}

static int forget_body(struct kt_session *s, void *arg)
{
    struct edit *e = arg;
    const int rc = kt_found_same_store(s);

    kt_keys_tag(s->keys, e->name, e->found.tag);
    return rc == KT_SUCCESS ? remove_secret(s, e) : rc;
}

int kt_file_fill(void *state, struct kt_call *call, const char *name, const struct kt_put *copy)
{
    const struct kt_line_state *line = state;
    struct edit e = {
        .name = name,
        .put = copy,
        .now_ms = line->host->now_ns(call, KT_CLOCK_WALL) / 1000000,
    };
    /* a copy makes the store, too, unless a person would have to be asked for its passphrase */
    const bool create = copy->data != NULL && !line->store->passphrase &&
                        line->store->secret == NULL;
    int rc;
    const char *why = kt_put_unfit(name, copy, &rc);

    if (why != NULL)
        return line->host->fail(call, rc, "file: cannot keep '%.100s': %s", name, why);
    if (copy->id == NULL)
        return kt_store_run(line->store, call, KT_WRITE_CHECK, forget_body, &e);
    rc = kt_store_run(line->store, call, create ? KT_WRITE_CREATE : KT_WRITE, fill_body, &e);
    kt_found_done(line->host, &e.found);
    return rc;
}

/* ---- stage ---------------------------------------------------------------------------------- */

static int stage_body(struct kt_session *s, void *arg)
{
    struct edit *e = arg;
    struct kt_head *h = &e->found.head;
    /* a label that goes away: the row that bore it is the one to be sealed anew */
    int rc = edit_begin(s, e, (struct kt_pick){ e->version, e->stage, true });
    size_t at;

    if (rc != KT_SUCCESS)
        return rc;
    if (!e->found.exists)
        return kt_fault(&s->fault, KT_NOT_FOUND, "no secret '%s'", e->name);
    at = e->found.picked;
    if (e->version == NULL && at == h->n)
        return KT_SUCCESS; /* nobody bears it */
    if (at == h->n)
        return kt_fault(&s->fault, KT_NOT_FOUND, "no version %s of '%s'", e->version, e->name);
    /* done already: the same request again */
    if (e->version != NULL && (h->entries[at].stages & e->stage) != 0)
        return KT_SUCCESS;
    rc = check_expected(s, e);
    if (rc == KT_SUCCESS && e->version != NULL && h->entries[at].state != KT_STATE_ENABLED)
        rc = kt_fault(&s->fault, KT_DISABLED, "version %s of '%s' is disabled or destroyed",
                      e->version, e->name);
    if (rc != KT_SUCCESS || e->dry)
        return rc;
    kt_head_move(h, e->stage, e->version != NULL ? at : h->n);
    return write_opened(s, e, h->n);
}

int kt_file_stage(void *state, struct kt_call *call, enum kt_phase phase, const char *name,
                  uint32_t stage, const char *version, const char *expected)
{
    const struct kt_line_state *line = state;
    struct edit e = { .name = name, .version = version, .expected = expected, .stage = stage };

    if (stage != KT_STAGE_PENDING && (stage != KT_STAGE_CURRENT || version == NULL))
        return line->host->fail(call, KT_INVALID,
                                "file: '%s': current can be moved, pending moved and taken away; "
                                "previous follows current",
                                name);
    return run_edit(line, call, phase, stage_body, &e);
}

/* ---- delete --------------------------------------------------------------------------------- */

/* The whole secret: also one that is damaged, as long as nothing depends on what it says. */
static int delete_body(struct kt_session *s, void *arg)
{
    struct edit *e = arg;
    int rc = edit_begin(s, e, (struct kt_pick){ .id = NULL });

    if (rc == KT_CORRUPT && e->expected == NULL && s->tries > 1)
        return e->dry ? KT_SUCCESS : remove_secret(s, e);
    if (rc == KT_SUCCESS && !e->found.exists)
        rc = kt_fault(&s->fault, KT_NOT_FOUND, "no secret '%s'", e->name);
    if (rc == KT_SUCCESS)
        rc = check_expected(s, e);
    return rc != KT_SUCCESS || e->dry ? rc : remove_secret(s, e);
}

/* The record goes, too. It may be the last. */
static int purge_version(struct kt_session *s, struct edit *e)
{
    struct kt_head *h = &e->found.head;
    const size_t at = e->found.picked;
    int rc;

    if (h->n == 1)
        return remove_secret(s, e);
    rc = remove_row(s, e, h->entries[at].id);
    if (rc != KT_SUCCESS)
        return rc;
    memmove(&h->entries[at], &h->entries[at + 1], (h->n - at - 1) * sizeof(h->entries[0]));
    h->n--;
    return write_head(s, e);
}

static int destroy_body(struct kt_session *s, void *arg)
{
    struct edit *e = arg;
    struct kt_head *h = &e->found.head;
    int rc = edit_begin(s, e, (struct kt_pick){ .id = e->del->version, .staged = true });
    struct kt_entry *entry;

    if (rc != KT_SUCCESS)
        return rc;
    if (!e->found.exists || e->found.picked == h->n)
        return kt_fault(&s->fault, KT_NOT_FOUND, "no version %s of '%s'", e->del->version, e->name);
    entry = &h->entries[e->found.picked];
    const bool purge = e->del->purge != 0 && entry->stages == 0;
    if (e->dry || (entry->state == KT_STATE_DESTROYED && !purge))
        return KT_SUCCESS;
    if (purge)
        return purge_version(s, e);
    entry->state = KT_STATE_DESTROYED;
    kt_found_body(&e->found)->len = 0; /* the attributes stay with the record */
    return write_opened(s, e, h->n);
}

int kt_file_del(void *state, struct kt_call *call, enum kt_phase phase, const char *name,
                const struct kt_delete *del, bool *restorable)
{
    const struct kt_line_state *line = state;
    struct edit e = { .name = name, .del = del };
    int rc;

    if (del->version == NULL)
        e.expected = del->expected;
    rc = run_edit(line, call, phase, del->version != NULL ? destroy_body : delete_body, &e);
    if (rc == KT_SUCCESS && restorable != NULL)
        *restorable = false;
    return rc;
}
