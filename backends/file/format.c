/* SPDX-License-Identifier: Apache-2.0 */

/* From each format to the next. Reading never does this: it takes an older store as it is. */

#include "format.h"
#include "keys.h"
#include "schema.h"

#include <stdlib.h>
#include <string.h>

static int run(struct kt_conn *c, const char *text, struct kt_fault *f)
{
    const int rc = sqlite3_exec(c->db, text, NULL, NULL, NULL);

    return rc == SQLITE_OK ? KT_SUCCESS : kt_conn_fault(c, rc, "bring to a new format", f);
}

static int set_sum(struct kt_conn *c, enum kt_sql which, const uint8_t sum[KT_SUM_SIZE], int64_t of,
                   struct kt_fault *f)
{
    sqlite3_stmt *s = kt_conn_stmt(c, which, f);
    int rc;

    if (s == NULL)
        return f->status;
    (void)sqlite3_bind_blob(s, 1, sum, KT_SUM_SIZE, SQLITE_STATIC);
    (void)sqlite3_bind_int64(s, 2, of);
    rc = kt_conn_run(c, which, f);
    (void)sqlite3_clear_bindings(s);
    return rc;
}

/* ---- the steps ------------------------------------------------------------------------------ */

/* Slots learn when they were made, and a label. One whose sum was wrong keeps it. */
static int from_1(struct kt_conn *c, struct kt_fault *f)
{
    struct kt_ring *ring = calloc(1, sizeof(*ring));
    uint8_t sum[KT_SUM_SIZE];
    int rc = ring == NULL ? kt_fault(f, KT_NO_MEMORY, "out of memory") : kt_ring_load(c, ring, f);

    if (rc == KT_SUCCESS)
        rc = run(c,
                 "ALTER TABLE slot ADD COLUMN " KT_SCHEMA_SLOT_CREATED ";"
                 "ALTER TABLE slot ADD COLUMN " KT_SCHEMA_SLOT_LABEL,
                 f);
    for (size_t i = 0; rc == KT_SUCCESS && i < ring->nslots; i++) {
        if (!ring->slots[i].whole)
            continue;
        kt_slot_sum(2, ring->store_id, &ring->slots[i], sum);
        rc = set_sum(c, KT_SQL_SLOT_SUM, sum, ring->slots[i].id, f);
    }
    free(ring);
    return rc;
}

/* From the format that is its place to the next. */
static int (*const steps[])(struct kt_conn *c, struct kt_fault *f) = { [1] = from_1 };
_Static_assert(sizeof(steps) / sizeof(steps[0]) == KT_FORMAT, "each format but the last has one");

/* ---- all of them ---------------------------------------------------------------------------- */

static int upgrade(struct kt_conn *c, int format, struct kt_fault *f)
{
    uint8_t sum[KT_SUM_SIZE];
    int64_t says = 0;
    int rc = KT_SUCCESS;

    /* the store's own row, which the connection may have read long ago */
    if (!kt_conn_store_row(c, &says) || says != format)
        return kt_fault(f, KT_CORRUPT, "%s is damaged (its own row); restore it from a backup",
                        c->path);
    for (int at = format; rc == KT_SUCCESS && at < KT_FORMAT; at++)
        rc = steps[at](c, f);
    if (rc != KT_SUCCESS)
        return rc;
    kt_store_sum(KT_FORMAT, c->store_id, c->index, sum);
    rc = set_sum(c, KT_SQL_STORE_FORMAT, sum, KT_FORMAT, f);
    if (rc == KT_SUCCESS)
        rc = run(c, "PRAGMA user_version = " KT_FORMAT_TEXT, f);
    return rc == KT_SUCCESS ? kt_conn_run(c, KT_SQL_COMMIT, f) : rc;
}

int kt_format_upgrade(struct kt_conn *c, struct kt_fault *f)
{
    for (;;) {
        int format = 0;
        int rc = kt_conn_format(c, &format, f);

        if (rc != KT_SUCCESS || format == KT_FORMAT)
            return rc;
        if (format > KT_FORMAT)
            return kt_conn_newer(c, format, f);
        if (format < 1)
            return kt_fault(f, KT_CORRUPT, "%s is damaged (its format); restore it from a backup",
                            c->path);
        rc = upgrade(c, format, f);
        if (rc == KT_SUCCESS)
            rc = kt_conn_run(c, KT_SQL_BEGIN, f);
        if (rc != KT_SUCCESS)
            return rc;
    }
}
