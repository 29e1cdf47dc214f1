/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYTURN_CAMPAIGNS_CROWD_H
#define KEYTURN_CAMPAIGNS_CROWD_H

/*
 * Writers, readers and a re-encryption, each a process of its own, at one store. What they know of it
 * lies in memory that they share: what was acknowledged, and what somebody is about to write. So a
 * writer that was killed has a successor that knows what it may find, and everybody can tell a right
 * value from a wrong one.
 *
 *     count/C   counted up by all writers, by compare-and-swap; says how often each of them did
 *     own/W/K   written, replaced and deleted by writer W alone
 *     base/N    never changes
 */

#include "../../filestore.h"

#include <stdatomic.h>

#define WRITERS 4
#define READERS 4
#define COUNTERS 4
#define OWN 16
#define VALUE_MAX 4096
#define BUCKETS 4096
#define BUCKET_US 250

/**
 * struct deed - what a writer has done last, and what it is about: one word each, so that a kill
 * leaves the one or the other. @next is 0 if it is about nothing.
 */
struct deed {
    _Atomic uint64_t now;
    _Atomic uint64_t next;
};

/* A deed at own/W/K: how many there were, and whether the secret is there after it. */
#define DEED(n, there) ((uint64_t)(n) << 1 | ((there) ? 1 : 0))
#define DEED_NUMBER(d) ((d) >> 1)
#define DEED_THERE(d) (((d)&1) != 0)

/** struct tally - what one process has seen; its successor goes on with it */
struct tally {
    _Atomic uint64_t puts;
    _Atomic uint64_t counted;
    _Atomic uint64_t conflicts;
    _Atomic uint64_t deletes;
    _Atomic uint64_t gets;
    _Atomic uint64_t lists;
    _Atomic uint64_t versions;
    _Atomic uint64_t resumed;
    _Atomic uint64_t runs;
    _Atomic uint64_t worst_us;
    _Atomic uint64_t waits[BUCKETS];
};

/** struct crowd - shared by all. @break_cas, @break_ack: lies, to be found out */
struct crowd {
    _Atomic bool stop;
    _Atomic unsigned wrong;
    unsigned secrets;
    bool break_cas;
    bool break_ack;
    char path[4096];
    char key[4096];
    struct deed counts[WRITERS][COUNTERS];
    struct deed own[WRITERS][OWN];
    struct tally writers[WRITERS];
    struct tally readers[READERS];
    struct tally sealer;
};

extern struct crowd *crowd;

/** WRONG - something did not hold: said, counted, and the end of this process */
#define WRONG(...)                                                                                 \
    do {                                                                                           \
        fprintf(stderr, "crowd: " __VA_ARGS__);                                                    \
        fputc('\n', stderr);                                                                       \
        crowd->wrong++;                                                                            \
        crowd->stop = true;                                                                        \
        _Exit(1);                                                                                  \
    } while (0)

/* crowd.c */
int64_t now_us(void);
uint64_t any_of(uint64_t n);
void open_store(struct filestore *fs);

/** value_make - the value of a base or own secret; value_number - what is in one, which must be whole */
void value_make(const char *name, uint64_t number, char out[VALUE_MAX]);
uint64_t value_number(const char *name, const struct modhost_given *g);

/** counts_of - what a counter's value says; counts_make makes one */
void counts_of(const char *name, const struct modhost_given *g, uint64_t out[WRITERS]);
void counts_make(const char *name, const uint64_t counts[WRITERS], char out[VALUE_MAX]);

/* writer.c */
void writer(unsigned me, bool alone);
/** settle - read what is in the store and see that it is what this writer's deeds make of it */
void settle(struct filestore *fs, unsigned me);

/* reader.c */
void reader(unsigned me);

#endif
