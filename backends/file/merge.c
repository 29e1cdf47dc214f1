/* SPDX-License-Identifier: Apache-2.0 */
#include "merge.h"

#include "row.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STAGES (KT_STAGE_CURRENT | KT_STAGE_PREVIOUS | KT_STAGE_PENDING)

/**
 * struct merging - of one secret
 * @theirs, @ours: as they are
 * @head:   as it is going to be; its entries' ids belong to those
 * @tag:    in the store
 * @differ: the version that theirs bears a stage for is another one here
 */
struct merging {
    struct kt_merge *m;
    struct kt_session *to;
    struct kt_found theirs;
    struct kt_found ours;
    struct kt_head head;
    uint8_t tag[KT_TAG_SIZE];
    struct kt_row_key key;
    size_t added;
    bool differ;
};

static int no_memory(struct merging *g)
{
    return kt_fault(g->to != NULL ? &g->to->fault : &g->m->from->s.fault, KT_NO_MEMORY,
                    "out of memory");
}

static void note(struct merging *g, const char *id, const char *what)
{
    char text[KT_NAME_MAX + KT_ID_SIZE + 160];

    (void)snprintf(text, sizeof(text), "'%s' version %s: %s", g->theirs.head.name, id, what);
    g->m->counts.conflicts++;
    g->m->note(g->m->arg, text);
}

/* ---- rows ----------------------------------------------------------------------------------- */

static int write_body(struct merging *g, struct kt_entry *e, const struct kt_body *body)
{
    const size_t len = kt_body_size(body);
    void *plain;
    int rc;

    e->generation = g->head.generation;
    e->length = (uint32_t)body->len;
    if (g->m->dry)
        return KT_SUCCESS;
    plain = g->to->host->secret_alloc(len, 0);
    if (plain == NULL)
        return no_memory(g);
    kt_body_encode(body, plain);
    rc = kt_row_write(g->to, (struct kt_row_place){ g->tag, e->id, e->generation }, g->key,
                      (struct kt_bytes){ plain, len });
    g->to->host->secret_free(plain);
    return rc;
}

static int damaged(struct merging *g, const char *id)
{
    return kt_fault(&g->to->fault, KT_CORRUPT,
                    "'%.200s' in %.100s is damaged (version %.40s does not open); restore a backup "
                    "or delete the secret",
                    g->theirs.head.name, g->to->store->path, id);
}

/* A version of ours, opened in secret memory: released by the caller, whatever is returned. */
static int read_body(struct merging *g, const struct kt_entry *e, void **plain,
                     struct kt_body *body)
{
    struct kt_session *s = g->to;
    sqlite3_stmt *q = kt_conn_stmt(s->conn, KT_SQL_ROW, &s->fault);
    struct kt_bytes sealed = { "", 0 };
    struct kt_bytes key = { NULL, 0 };
    int code;
    int rc;

    if (q == NULL)
        return s->fault.status;
    (void)sqlite3_bind_blob(q, 1, g->tag, KT_TAG_SIZE, SQLITE_STATIC);
    (void)sqlite3_bind_text(q, 2, e->id, -1, SQLITE_STATIC);
    code = sqlite3_step(q);
    if (code != SQLITE_ROW && code != SQLITE_DONE)
        rc = kt_conn_fault(s->conn, code, "read", &s->fault);
    else if (code == SQLITE_DONE || !kt_conn_blob(q, 1, KT_SEAL_EXTRA, KT_SEALED_MAX, &sealed))
        rc = damaged(g, e->id);
    else
        rc = kt_session_datakey(s, sqlite3_column_int64(q, 0), &key);
    if (rc == KT_SUCCESS) {
        *plain = s->host->secret_alloc(sealed.len - KT_SEAL_EXTRA + 1, 0);
        rc = *plain == NULL ? no_memory(g)
                            : kt_row_open(s, (struct kt_row_place){ g->tag, e->id, e->generation },
                                          key, sealed, *plain);
        if (rc == KT_SUCCESS &&
            kt_body_decode(*plain, sealed.len - KT_SEAL_EXTRA, body) != KT_SUCCESS)
            rc = KT_CORRUPT;
        if (rc == KT_CORRUPT)
            rc = damaged(g, e->id);
    }
    (void)sqlite3_reset(q);
    (void)sqlite3_clear_bindings(q);
    return rc;
}

/* ---- versions ------------------------------------------------------------------------------- */

static void insert_entry(struct merging *g, size_t at, const struct kt_entry *e)
{
    struct kt_head *h = &g->head;

    memmove(&h->entries[at + 1], &h->entries[at], (h->n - at) * sizeof(h->entries[0]));
    h->entries[at] = *e;
    h->n++;
}

static int add_version(struct merging *g, size_t at, const struct kt_entry *theirs,
                       const struct kt_body *body)
{
    struct kt_entry e = *theirs;

    if (g->head.n == KT_VERSIONS_MAX)
        return kt_fault(&g->to->fault, KT_NO_SPACE,
                        "'%s' has %d versions; delete the oldest with --purge", g->theirs.head.name,
                        KT_VERSIONS_MAX);
    if (g->ours.exists)
        e.stages = 0;
    insert_entry(g, at, &e);
    g->added++;
    g->m->counts.versions++;
    return write_body(g, &g->head.entries[at], body);
}

/* One that both have. A destroyed one has no bytes that could differ. */
static int compare_version(struct merging *g, const struct kt_entry *ours,
                           const struct kt_entry *theirs, const struct kt_body *body)
{
    struct kt_body have = { .nattrs = 0 };
    void *plain = NULL;
    bool same;
    int rc;

    if (ours->state == KT_STATE_DESTROYED || theirs->state == KT_STATE_DESTROYED)
        return KT_SUCCESS;
    rc = read_body(g, ours, &plain, &have);
    if (rc == KT_SUCCESS) {
        same = have.len == body->len && kt_same(have.data, body->data, body->len);
        if (!same)
            note(g, theirs->id, "other bytes in the store than in the archive; left as it is");
        g->differ = g->differ || (!same && theirs->stages != 0);
    }
    g->to->host->secret_free(plain);
    return rc;
}

static int take_version(const struct kt_found *found, const struct kt_entry *entry,
                        const struct kt_body *body, void *arg)
{
    struct merging *g = arg;
    /* the same in the head that stays: @found goes */
    const size_t i = kt_head_find(&g->theirs.head, entry->id, NULL);
    const struct kt_entry *theirs = &g->theirs.head.entries[i];
    size_t at = 0;
    int rc;

    (void)found;
    if (i == g->theirs.head.n)
        return kt_fault(&g->m->from->s.fault, KT_UNAVAILABLE, "%s changed while it was read",
                        g->m->from->path);
    g->m->bytes += body->len;
    if (kt_head_find(&g->head, theirs->id, &at) < g->head.n)
        rc = compare_version(g, &g->head.entries[kt_head_find(&g->head, theirs->id, NULL)], theirs,
                             body);
    else
        rc = add_version(g, at, theirs, body);
    g->m->failed = rc == KT_SUCCESS || g->to == NULL; /* what fails from here on */
    return rc;
}

/* ---- stages --------------------------------------------------------------------------------- */

static uint8_t stages_in(const struct kt_head *h, const char *id)
{
    const size_t i = kt_head_find(h, id, NULL);

    return i < h->n ? h->entries[i].stages & STAGES : 0;
}

static bool can_move(struct merging *g)
{
    for (size_t i = 0; i < g->head.n; i++) {
        const struct kt_entry *e = &g->head.entries[i];
        const size_t at = kt_head_find(&g->theirs.head, e->id, NULL);

        if (at == g->theirs.head.n || g->theirs.head.entries[at].stages == 0 ||
            e->state == KT_STATE_ENABLED || g->theirs.head.entries[at].state != KT_STATE_ENABLED)
            continue;
        note(g, e->id, "disabled or destroyed in the store; no stage was moved");
        return false;
    }
    return !g->differ;
}

/* True: some have changed. */
static bool move_stages(struct merging *g)
{
    bool moved = false;

    for (size_t i = 0; i < g->head.n; i++)
        moved = moved ||
                g->head.entries[i].stages != stages_in(&g->theirs.head, g->head.entries[i].id);
    if (!moved || !can_move(g))
        return false;
    for (size_t i = 0; i < g->head.n; i++)
        g->head.entries[i].stages = stages_in(&g->theirs.head, g->head.entries[i].id);
    return true;
}

/* As every write of a head does (write.c): rows with a stage, before or now, get its generation. */
static int seal_staged(struct merging *g)
{
    int rc = KT_SUCCESS;

    for (size_t i = 0; rc == KT_SUCCESS && i < g->head.n; i++) {
        struct kt_entry *e = &g->head.entries[i];
        struct kt_body body = { .nattrs = 0 };
        void *plain = NULL;

        if (e->generation == g->head.generation ||
            (e->stages == 0 && stages_in(&g->ours.head, e->id) == 0))
            continue;
        rc = read_body(g, e, &plain, &body);
        if (rc == KT_SUCCESS)
            rc = write_body(g, e, &body);
        g->to->host->secret_free(plain);
    }
    return rc;
}

static int write_head(struct merging *g)
{
    const size_t len = kt_head_size(&g->head);
    void *plain;
    int rc;

    if (g->m->dry)
        return KT_SUCCESS;
    rc = seal_staged(g);
    if (rc != KT_SUCCESS)
        return rc;
    plain = malloc(len);
    if (plain == NULL)
        return no_memory(g);
    kt_head_encode(&g->head, plain);
    rc = kt_row_write(g->to, (struct kt_row_place){ g->tag, "", 0 }, g->key,
                      (struct kt_bytes){ plain, len });
    explicit_bzero(plain, len);
    free(plain);
    return rc;
}

/* ---- a secret ------------------------------------------------------------------------------- */

static int begin_head(struct merging *g)
{
    const struct kt_head *from = g->ours.exists ? &g->ours.head : &g->theirs.head;
    int rc = KT_SUCCESS;

    g->head = (struct kt_head){ .name = g->theirs.head.name,
                                .generation = g->ours.head.generation + 1,
                                .asof = from->asof,
                                .n = g->ours.head.n };
    g->head.entries = calloc(g->ours.head.n + g->theirs.head.n + 1, sizeof(struct kt_entry));
    if (g->head.entries == NULL)
        return no_memory(g);
    if (g->ours.head.n > 0)
        memcpy(g->head.entries, g->ours.head.entries, g->ours.head.n * sizeof(g->head.entries[0]));
    if (g->to == NULL)
        return rc;
    kt_keys_tag(g->to->keys, g->head.name, g->tag);
    if (!g->ours.exists) {
        /* as in write.c: rows of a secret of this name that was deleted do not fit this one */
        rc = kt_random(&g->head.generation, sizeof(g->head.generation), &g->to->fault);
        g->head.generation >>= 2;
    }
    return rc == KT_SUCCESS && !g->m->dry ? kt_session_newest(g->to, &g->key.id, &g->key.key) : rc;
}

static int merge_versions(struct merging *g, const uint8_t tag[KT_TAG_SIZE])
{
    struct kt_found again;
    int rc = begin_head(g);

    if (rc != KT_SUCCESS)
        return rc;
    g->m->failed = true;
    rc = kt_found_at(&g->m->from->s, tag, take_version, g, &again);
    g->m->failed = g->m->failed && rc != KT_SUCCESS;
    kt_found_done(g->m->from->s.host, &again);
    return rc;
}

static int merge(struct merging *g, const uint8_t tag[KT_TAG_SIZE])
{
    struct kt_merge_counts *counts = &g->m->counts;
    bool moved;
    int rc;

    rc = kt_found_at(&g->m->from->s, tag, NULL, NULL, &g->theirs);
    g->m->failed = rc != KT_SUCCESS;
    if (rc == KT_SUCCESS && g->to != NULL)
        rc = kt_found_load(g->to, g->theirs.head.name, (struct kt_pick){ .id = NULL }, &g->ours);
    if (rc == KT_SUCCESS)
        rc = merge_versions(g, tag);
    if (rc != KT_SUCCESS)
        return rc;
    moved = g->ours.exists && g->m->replace && move_stages(g);
    if (g->ours.exists && g->added == 0 && !moved) {
        counts->same++;
        return KT_SUCCESS;
    }
    rc = write_head(g);
    counts->made += g->ours.exists ? 0 : 1;
    counts->changed += g->ours.exists ? 1 : 0;
    return rc;
}

int kt_merge_secret(struct kt_merge *m, const uint8_t tag[KT_TAG_SIZE], struct kt_session *to)
{
    struct merging g = { .m = m, .to = to };
    int rc = merge(&g, tag);

    free(g.head.entries);
    kt_found_done(m->from->s.host, &g.ours);
    kt_found_done(m->from->s.host, &g.theirs);
    return rc;
}
