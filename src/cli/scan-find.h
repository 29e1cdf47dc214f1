/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYTURN_CLI_SCAN_FIND_H
#define KEYTURN_CLI_SCAN_FIND_H

/*
 * Keys in a document of any length, handed over in pieces: as they stand, as UTF-16, and in base64,
 * or as one of these within another. Memory is bounded whatever the document.
 */

#include "scan-own.h"
#include "scan-rules.h"

enum {
    HOW_WIDE = 1,   /* every other byte is 0: UTF-16 of ASCII, in either order */
    HOW_BASE64 = 2, /* either alphabet, wrapped or not */
};

/**
 * struct found - a key
 * @rule:    its shape; NULL: it is ours, and @own has more
 * @how:     HOW_* bits
 * @print:   fingerprint of its value
 * @from:    its first byte in the document; @to: after its last
 * @line, @column: from 1; @column counts bytes, in UTF-16 units
 */
struct found {
    const struct rule *rule;
    struct own_match own;
    bool doubtful;
    unsigned how;
    uint64_t print;
    uint64_t from, to;
    uint64_t line, column;
};

struct finder;

/** finder_new - @own: NULL = only shapes; borrowed; KT_SUCCESS or KT_NO_MEMORY */
int finder_new(const struct own *own, const uint64_t print_key[2],
               void (*found)(void *cookie, const struct found *f), void *cookie,
               struct finder **out) KT_MUST_CHECK;
void finder_free(struct finder *f);

/** finder_room - where the next bytes of the document go; at least a page */
unsigned char *finder_room(struct finder *f, size_t *room);
void finder_took(struct finder *f, size_t n);
/** finder_end - the document is over; the next one may begin */
void finder_end(struct finder *f);

/** finder_add - the same, from elsewhere */
void finder_add(struct finder *f, const void *data, size_t len);
/** finder_skip - @len bytes that are zeros */
void finder_skip(struct finder *f, uint64_t len);

#endif
