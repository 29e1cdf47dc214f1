/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYTURN_CACHE_TABLE_H
#define KEYTURN_CACHE_TABLE_H

#include <keyturn/module.h>

/*
 * A table of secrets that readers use without a lock and without writing to shared memory.
 *
 * Sets of WAYS slots; a name's keyed hash picks its set. Each slot is a seqlock over a pointer to a
 * block of secret memory, which holds the entry as 64-bit words. A reader copies the words and then
 * looks whether the slot's sequence number is still the same; only then is the copy one entry.
 * Blocks go back to the host when the table is freed and not before, so that a reader who is late
 * reads a block that has another entry by now, never memory that is gone.
 *
 * Writers hold a mutex. All words and slots are read and written by atomic operations: the words by
 * release stores and acquire loads, so that whoever saw a new word sees the sequence number that
 * came before it.
 * Source: Boehm, "Can seqlocks get along with programming language memory models?" (2012).
 */

#define TABLE_COPY_WORDS 256 /* entries up to 2 KiB are read without the mutex */

struct table;

/**
 * struct entry - what is kept for a name; strings and bytes are borrowed
 * @id:    NULL: there is no such secret, for the @misses-th time in a row
 * @attrs: @nattrs pairs of strings, each NUL-terminated, one after the other: key, value, key, …
 */
struct entry {
    const char *name;
    const char *id;
    uint32_t state;
    uint32_t misses;
    int64_t created_ms;
    int64_t expires_ms;
    int64_t not_before_ms;
    struct kt_asof asof;
    const char *attrs;
    size_t nattrs;
    const void *data;
    size_t len;
};

/** table_new - room for @entries, which hold at most @memory bytes together; NULL: no memory */
struct table *table_new(const struct kt_host *host, size_t entries, size_t memory);
void table_free(struct table *t); /* wipes; NULL is allowed */

/**
 * table_get - find @name and call @use with its entry, which lives until @use returns
 *
 * Returns what @use returns, KT_IGNORE if there is no entry. Takes no lock unless the entry is
 * larger than TABLE_COPY_WORDS, or it is written again and again just now.
 */
int table_get(struct table *t, const char *name, int (*use)(void *cookie, const struct entry *e),
              void *cookie);

/**
 * table_change - change what is kept for @name; one writer at a time
 * @change: gets the entry there is (NULL: none), which lives until it returns, and @out, a copy of
 *          it (or an empty entry with the name), to fill
 * @attrs:  @nattrs of @out come from here, in place of @out->attrs; NULL: from @out->attrs
 *
 * @change answers what becomes of the entry. One that does not fit is dropped.
 */
enum table_change { TABLE_KEEP, TABLE_STORE, TABLE_EVICT };
void table_change(struct table *t, const char *name,
                  enum table_change (*change)(void *cookie, const struct entry *old,
                                              struct entry *out),
                  void *cookie, const struct kt_attr *attrs);

#endif
