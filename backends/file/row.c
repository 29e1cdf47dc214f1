/* SPDX-License-Identifier: Apache-2.0 */
#include "row.h"

#include <stdlib.h>
#include <string.h>

int kt_row_open(struct kt_session *s, struct kt_row_place place, struct kt_bytes key,
                struct kt_bytes sealed, void *out)
{
    uint8_t context[KT_CONTEXT_SIZE];
    const struct kt_bytes aad = { context, kt_record_context(s->keys->store_id, place.tag, place.id,
                                                             place.generation, context) };
    const int rc = kt_seal_open(key, aad, sealed, out);

    return rc == KT_NO_MEMORY ? kt_fault(&s->fault, KT_NO_MEMORY, "out of memory") : rc;
}

int kt_row_write(struct kt_session *s, struct kt_row_place place, struct kt_row_key key,
                 struct kt_bytes plain)
{
    sqlite3_stmt *q = kt_conn_stmt(s->conn, KT_SQL_WRITE, &s->fault);
    const size_t len = plain.len + KT_SEAL_EXTRA;
    uint8_t context[KT_CONTEXT_SIZE];
    const struct kt_bytes aad = { context, kt_record_context(s->keys->store_id, place.tag, place.id,
                                                             place.generation, context) };
    void *sealed;
    int rc;

    if (q == NULL)
        return s->fault.status;
    sealed = malloc(len);
    if (sealed == NULL)
        return kt_fault(&s->fault, KT_NO_MEMORY, "out of memory");
    rc = kt_seal(key.key, aad, plain, sealed, &s->fault);
    if (rc == KT_SUCCESS) {
        (void)sqlite3_bind_blob(q, 1, place.tag, KT_TAG_SIZE, SQLITE_STATIC);
        (void)sqlite3_bind_text(q, 2, place.id, -1, SQLITE_STATIC);
        (void)sqlite3_bind_int64(q, 3, key.id);
        (void)sqlite3_bind_blob(q, 4, sealed, (int)len, SQLITE_STATIC);
        rc = kt_conn_run(s->conn, KT_SQL_WRITE, &s->fault);
        (void)sqlite3_clear_bindings(q);
    }
    free(sealed);
    return rc;
}
