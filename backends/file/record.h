/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYTURN_FILE_RECORD_H
#define KEYTURN_FILE_RECORD_H

#include <keyturn/module.h>

/*
 * What is sealed in a row, as bytes. Integers are little-endian; a string is its length (16 bits), its
 * bytes and a NUL, so that it can be used where it lies. Nothing may be left over at the end.
 *
 *     head  1 | flags (1: as-of) | name | generation 64
 *           [ wall 64 | boot 64 | boot id 16 bytes ]
 *           count 32 | count times, in order of id:
 *               id | state 8 | stages 8 | created 64 | expires 64 | not-before 64
 *               | generation of the row's seal 64 | length of the value 32
 *     body  1 | count 16 | count times: key, value | the value's bytes, to the end
 *
 * Nothing is padded: a key of a known provider has a known length, a row's length tells no more than
 * the provider's manual, and padding to hide longer values would cost every store its room.
 */

#define KT_TAG_SIZE 16
#define KT_STORE_ID_SIZE 16
#define KT_VERSIONS_MAX 65536

/**
 * struct kt_entry - what the head says of a version
 * @generation: of the secret when the version's row was sealed: an older row does not open
 */
struct kt_entry {
    const char *id;
    uint8_t state;
    uint8_t stages;
    int64_t created_ms;
    int64_t expires_ms;
    int64_t not_before_ms;
    uint64_t generation;
    uint32_t length;
};

/** struct kt_head - @entries has room for one more than @n; strings are borrowed */
struct kt_head {
    const char *name;
    uint64_t generation;
    struct kt_asof asof;
    struct kt_entry *entries;
    size_t n;
};

/** struct kt_body - a version's own part; strings and bytes are borrowed */
struct kt_body {
    struct kt_attr attrs[KT_ATTRS_MAX];
    size_t nattrs;
    const void *data;
    size_t len;
};

/**
 * kt_head_decode - @plain stays where it is as long as @out is used
 *
 * Returns KT_SUCCESS (release with kt_head_done()), KT_CORRUPT or KT_NO_MEMORY; nothing is explained.
 */
int kt_head_decode(const void *plain, size_t len, struct kt_head *out) KT_MUST_CHECK;
void kt_head_done(struct kt_head *h);
size_t kt_head_size(const struct kt_head *h);
void kt_head_encode(const struct kt_head *h, void *out);

/** kt_head_find - index of a version; @h->n if there is none, and then @at (may be NULL) is where it
 * would go */
size_t kt_head_find(const struct kt_head *h, const char *id, size_t *at);

/** kt_head_staged - index of the version that bears one label; @h->n: none */
size_t kt_head_staged(const struct kt_head *h, uint32_t stage);

/** kt_head_move - give a label to entry @to and take it from all others; current leaves previous
 * behind, and what becomes current is no longer pending */
void kt_head_move(struct kt_head *h, uint32_t stage, size_t to);

int kt_body_decode(const void *plain, size_t len, struct kt_body *out) KT_MUST_CHECK;
size_t kt_body_size(const struct kt_body *b);
void kt_body_encode(const struct kt_body *b, void *out);

/**
 * kt_record_context - the associated data of a row: format, store, kind, place, version, generation
 * @id: "" for a head, with @generation 0
 *
 * Returns the bytes used of @out.
 */
#define KT_CONTEXT_SIZE (16 + KT_STORE_ID_SIZE + KT_TAG_SIZE + 8 + KT_ID_SIZE)
size_t kt_record_context(const uint8_t store[KT_STORE_ID_SIZE], const uint8_t tag[KT_TAG_SIZE],
                         const char *id, uint64_t generation, uint8_t out[KT_CONTEXT_SIZE]);

#endif
