/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYTURN_FILE_ROW_H
#define KEYTURN_FILE_ROW_H

#include "store.h"

/** struct kt_row_place - what a row is bound to. @id: "" for a head, with @generation 0 */
struct kt_row_place {
    const uint8_t *tag; /* KT_TAG_SIZE bytes */
    const char *id;
    uint64_t generation;
};

/** struct kt_row_key - the data key that a row is sealed under: kt_session_newest() fills it */
struct kt_row_key {
    int64_t id;
    struct kt_bytes key;
};

/**
 * kt_row_open - open a sealed row
 * @out: gets @sealed.len - KT_SEAL_EXTRA bytes; @sealed.len is at least KT_SEAL_EXTRA
 *
 * KT_CORRUPT if it does not open: @s->fault is not set, the caller knows what it was.
 */
int kt_row_open(struct kt_session *s, struct kt_row_place place, struct kt_bytes key,
                struct kt_bytes sealed, void *out) KT_MUST_CHECK;

/** kt_row_write - seal @plain and write or replace the row; inside a transaction */
int kt_row_write(struct kt_session *s, struct kt_row_place place, struct kt_row_key key,
                 struct kt_bytes plain) KT_MUST_CHECK;

#endif
