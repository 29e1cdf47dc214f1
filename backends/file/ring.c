/* SPDX-License-Identifier: Apache-2.0 */
#include "keys.h"

#include "schema.h"

#include <string.h>

/* Columns of the table slot; the last two are there since format 2. */
enum { ID, KIND, PARAMS, WRAPPED, SUM, CREATED, LABEL, COLUMNS };

static bool take_params(sqlite3_stmt *s, struct kt_slot *out)
{
    struct kt_bytes params = { "", 0 };

    /* an empty blob has no address */
    if (sqlite3_column_bytes(s, PARAMS) > 0 &&
        !kt_conn_blob(s, PARAMS, 1, KT_SLOT_PARAMS_MAX, &params))
        return false;
    if (strcmp(out->kind, "secret") == 0 &&
        (params.len == 0 || !kt_text_is_plain(params.data, params.len)))
        return false;
    memcpy(out->params, params.data, params.len);
    out->params_len = params.len;
    return true;
}

static bool take_label(sqlite3_stmt *s, struct kt_slot *out)
{
    const char *label = (const char *)sqlite3_column_text(s, LABEL);
    const size_t len = label != NULL ? (size_t)sqlite3_column_bytes(s, LABEL) : 0;

    if (label == NULL || len > KT_SLOT_LABEL_MAX || !kt_text_is_plain(label, len))
        return false;
    memcpy(out->label, label, len);
    out->created_ms = sqlite3_column_int64(s, CREATED);
    return true;
}

/* The columns tell the format: another process may have changed both since we connected. */
static bool take_slot(sqlite3_stmt *s, const uint8_t *store_id, struct kt_slot *out)
{
    const int format = sqlite3_column_count(s) < COLUMNS ? 1 : KT_FORMAT;
    const char *kind = (const char *)sqlite3_column_text(s, KIND);
    struct kt_bytes wrapped;
    struct kt_bytes sum;
    uint8_t expected[KT_SUM_SIZE];

    *out = (struct kt_slot){ .id = sqlite3_column_int64(s, ID) };
    if (kind == NULL || strlen(kind) >= sizeof(out->kind))
        return false;
    memcpy(out->kind, kind, strlen(kind));
    if (!kt_conn_blob(s, WRAPPED, KT_WRAPPED_SIZE, KT_WRAPPED_SIZE, &wrapped) ||
        !kt_conn_blob(s, SUM, KT_SUM_SIZE, KT_SUM_SIZE, &sum) || !take_params(s, out) ||
        (format > 1 && !take_label(s, out)))
        return false;
    memcpy(out->wrapped, wrapped.data, wrapped.len);
    kt_slot_sum(format, store_id, out, expected);
    return memcmp(expected, sum.data, sum.len) == 0;
}

static int load_slots(struct kt_conn *c, struct kt_ring *out, struct kt_fault *f)
{
    sqlite3_stmt *s = kt_conn_stmt(c, KT_SQL_SLOTS, f);
    int rc;

    out->nslots = 0;
    if (s == NULL)
        return f->status;
    while ((rc = sqlite3_step(s)) == SQLITE_ROW && out->nslots < KT_SLOTS_MAX) {
        struct kt_slot *slot = &out->slots[out->nslots++];

        slot->whole = take_slot(s, out->store_id, slot);
    }
    (void)sqlite3_reset(s);
    return rc == SQLITE_DONE || rc == SQLITE_ROW ? KT_SUCCESS : kt_conn_fault(c, rc, "read", f);
}

static int load_datakeys(struct kt_conn *c, struct kt_ring *out, struct kt_fault *f)
{
    sqlite3_stmt *s = kt_conn_stmt(c, KT_SQL_DATAKEYS, f);
    struct kt_bytes wrapped;
    int rc;

    out->ndatakeys = 0;
    if (s == NULL)
        return f->status;
    while ((rc = sqlite3_step(s)) == SQLITE_ROW && out->ndatakeys < KT_DATAKEYS_MAX) {
        struct kt_datakey *d = &out->datakeys[out->ndatakeys];

        if (!kt_conn_blob(s, 2, KT_WRAPPED_SIZE, KT_WRAPPED_SIZE, &wrapped))
            continue; /* what it sealed will say so */
        d->id = sqlite3_column_int64(s, 0);
        memcpy(d->wrapped, wrapped.data, wrapped.len);
        out->ndatakeys++;
    }
    (void)sqlite3_reset(s);
    return rc == SQLITE_DONE || rc == SQLITE_ROW ? KT_SUCCESS : kt_conn_fault(c, rc, "read", f);
}

int kt_ring_load(struct kt_conn *c, struct kt_ring *out, struct kt_fault *f)
{
    int rc = kt_conn_format(c, &out->format, f);

    memcpy(out->store_id, c->store_id, sizeof(out->store_id));
    memcpy(out->index, c->index, sizeof(out->index));
    out->read_only = c->immutable;
    if (rc == KT_SUCCESS)
        rc = load_slots(c, out, f);
    return rc == KT_SUCCESS ? load_datakeys(c, out, f) : rc;
}

int kt_ring_add_slot(struct kt_conn *c, const struct kt_slot *s, struct kt_fault *f)
{
    sqlite3_stmt *q = kt_conn_stmt(c, KT_SQL_SLOT_ADD, f);
    uint8_t sum[KT_SUM_SIZE];
    int rc;

    if (q == NULL)
        return f->status;
    kt_slot_sum(KT_FORMAT, c->store_id, s, sum);
    (void)sqlite3_bind_int64(q, ID + 1, s->id);
    (void)sqlite3_bind_text(q, KIND + 1, s->kind, -1, SQLITE_STATIC);
    (void)sqlite3_bind_blob(q, PARAMS + 1, s->params, (int)s->params_len, SQLITE_STATIC);
    (void)sqlite3_bind_blob(q, WRAPPED + 1, s->wrapped, KT_WRAPPED_SIZE, SQLITE_STATIC);
    (void)sqlite3_bind_blob(q, SUM + 1, sum, sizeof(sum), SQLITE_STATIC);
    (void)sqlite3_bind_int64(q, CREATED + 1, s->created_ms);
    (void)sqlite3_bind_text(q, LABEL + 1, s->label, -1, SQLITE_STATIC);
    rc = kt_conn_run(c, KT_SQL_SLOT_ADD, f);
    (void)sqlite3_clear_bindings(q);
    return rc;
}

int kt_ring_remove_slot(struct kt_conn *c, int64_t id, struct kt_fault *f)
{
    sqlite3_stmt *q = kt_conn_stmt(c, KT_SQL_SLOT_REMOVE, f);

    if (q == NULL)
        return f->status;
    (void)sqlite3_bind_int64(q, 1, id);
    return kt_conn_run(c, KT_SQL_SLOT_REMOVE, f);
}

int kt_ring_replace_slot(struct kt_conn *c, const struct kt_slot *old, const struct kt_slot *s,
                         struct kt_fault *f)
{
    sqlite3_stmt *q = kt_conn_stmt(c, KT_SQL_SLOT_REPLACE, f);
    uint8_t sum[KT_SUM_SIZE];
    int rc;

    if (q == NULL)
        return f->status;
    kt_slot_sum(KT_FORMAT, c->store_id, s, sum);
    (void)sqlite3_bind_blob(q, 1, s->params, (int)s->params_len, SQLITE_STATIC);
    (void)sqlite3_bind_blob(q, 2, s->wrapped, KT_WRAPPED_SIZE, SQLITE_STATIC);
    (void)sqlite3_bind_blob(q, 3, sum, sizeof(sum), SQLITE_STATIC);
    (void)sqlite3_bind_int64(q, 4, s->id);
    (void)sqlite3_bind_blob(q, 5, old->wrapped, KT_WRAPPED_SIZE, SQLITE_STATIC);
    rc = kt_conn_run(c, KT_SQL_SLOT_REPLACE, f);
    (void)sqlite3_clear_bindings(q);
    return rc;
}
