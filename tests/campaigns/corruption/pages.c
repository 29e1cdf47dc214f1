/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Which bytes of a database are the sealed part of a row, and whose. Source: SQLite, "Database File
 * Format", chapter 1.6 and 2.1; the table record is an index b-tree.
 */

#include "corrupt.h"

#include <string.h>

#define SEALED_COLUMN 3

static uint32_t number(const uint8_t *p, size_t n)
{
    uint32_t v = 0;

    for (size_t i = 0; i < n; i++)
        v = v << 8 | p[i];
    return v;
}

static size_t varint(const uint8_t *p, uint64_t *out)
{
    *out = 0;
    for (size_t i = 0; i < 8; i++) {
        *out = *out << 7 | (p[i] & 0x7f);
        if ((p[i] & 0x80) == 0)
            return i + 1;
    }
    *out = *out << 8 | p[8];
    return 9;
}

static size_t size_of(uint64_t type)
{
    static const size_t sizes[] = { 0, 1, 2, 3, 4, 6, 8, 8, 0, 0 };

    return type < 10 ? sizes[type] : (size_t)(type - 12) / 2;
}

/* Where the sealed column begins within the payload, and the tag's row: which owner. */
static size_t sealed_at(const struct base *b, const uint8_t *payload, uint8_t *owner)
{
    uint64_t header;
    uint64_t type;
    size_t at = varint(payload, &header);
    size_t body = (size_t)header;
    const uint8_t *tag = payload + header;

    for (int i = 0; i < SEALED_COLUMN; i++) {
        at += varint(payload + at, &type);
        body += size_of(type);
    }
    *owner = NAMES_MAX;
    for (size_t i = 0; i < b->nrows; i++)
        if (memcmp(b->rows[i].tag, tag, sizeof(b->rows[i].tag)) == 0)
            *owner = (uint8_t)b->rows[i].owner;
    MUST(*owner < NAMES_MAX);
    return body;
}

static void map_cell(struct base *b, const uint8_t *cell)
{
    const size_t u = b->page_size;
    const size_t x = (u - 12) * 64 / 255 - 23;
    const size_t m = (u - 12) * 32 / 255 - 23;
    uint64_t p;
    const uint8_t *payload = cell + varint(cell, &p);
    const size_t k = m + ((size_t)p - m) % (u - 4);
    const size_t local = p <= x ? (size_t)p : k <= x ? k : m;
    const size_t at = (size_t)(payload - b->db.data);
    size_t left = (size_t)p - local;
    uint8_t owner;
    const size_t from = sealed_at(b, payload, &owner);

    memset(b->owner + at + from, owner, local - from);
    for (size_t page = left > 0 ? number(payload + local, 4) : 0; page != 0;) {
        const size_t start = (page - 1) * u;
        const size_t n = left < u - 4 ? left : u - 4;

        memset(b->owner + start + 4, owner, n);
        left -= n;
        page = number(b->db.data + start, 4);
    }
}

static void map_page(struct base *b, size_t page)
{
    const uint8_t *p = b->db.data + (page - 1) * b->page_size;
    const bool leaf = p[0] == 10;
    const size_t cells = number(p + 3, 2);

    MUST(leaf || p[0] == 2);
    for (size_t i = 0; i < cells; i++) {
        const uint8_t *cell = p + number(p + (leaf ? 8 : 12) + 2 * i, 2);

        if (!leaf)
            map_page(b, number(cell, 4));
        map_cell(b, cell + (leaf ? 0 : 4));
    }
    if (!leaf)
        map_page(b, number(p + 8, 4));
}

void pages_map(struct base *b, sqlite3 *db)
{
    sqlite3_stmt *q;
    size_t root;

    MUST(sqlite3_prepare_v2(db, "SELECT rootpage FROM sqlite_schema WHERE name = 'record'", -1, &q,
                            NULL) == SQLITE_OK);
    MUST(sqlite3_step(q) == SQLITE_ROW);
    root = (size_t)sqlite3_column_int64(q, 0);
    MUST(sqlite3_finalize(q) == SQLITE_OK);
    b->page_size = number(b->db.data + 16, 2);
    b->owner = malloc(b->db.len);
    MUST(b->owner != NULL);
    memset(b->owner, NAMES_MAX, b->db.len);
    map_page(b, root);
}
