/* SPDX-License-Identifier: Apache-2.0 */
#include "crowd.h"

#include <string.h>

static void note_wait(struct tally *t, int64_t us)
{
    const uint64_t bucket = (uint64_t)us / BUCKET_US;

    t->waits[bucket < BUCKETS ? bucket : BUCKETS - 1]++;
    if ((uint64_t)us > t->worst_us)
        t->worst_us = (uint64_t)us;
}

/* Both phases, timed. */
static int put(struct filestore *fs, unsigned me, const char *name, const char *value,
               const char *expected)
{
    char id[KT_ID_SIZE] = "";
    const int64_t began = now_us();
    int rc = KT_SUCCESS;

    if (crowd->break_cas) /* as if the store did not compare */
        expected = NULL;
    if (!crowd->break_ack || any_of(20) != 0) /* else as if it lied */
        rc = filestore_put(fs, name, value, id, expected);

    note_wait(&crowd->writers[me], now_us() - began);
    crowd->writers[me].puts++;
    return rc;
}

/* ---- counters ------------------------------------------------------------------------------- */

/* What the store says of my own count: that is how a lost update shows. */
static void settle_count(unsigned me, unsigned c, uint64_t stored)
{
    struct deed *d = &crowd->counts[me][c];

    if (d->next != 0 && stored == d->next)
        d->now = d->next; /* it was written, and nobody lived to hear of it */
    d->next = 0;
    if (stored != d->now)
        WRONG("count/%u: writer %u counted to %llu, the store says %llu", c, me,
              (unsigned long long)d->now, (unsigned long long)stored);
}

static void read_count(struct filestore *fs, const char *name, uint64_t counts[WRITERS],
                       char id[KT_ID_SIZE])
{
    const int rc = filestore_get(fs, name, NULL);

    if (rc != KT_SUCCESS)
        WRONG("get %s: %d %s", name, rc, fs->call.msg);
    counts_of(name, fs->given, counts);
    (void)snprintf(id, KT_ID_SIZE, "%s", fs->given->id);
}

/* The versions that bear no stage go, lest the heads grow for ever. Others may be about the same. */
static void purge(struct filestore *fs, unsigned me, const char *name)
{
    char ids[64][KT_ID_SIZE];
    size_t n = 0;
    int rc;

    modhost_call_reset(&fs->call);
    rc = fs->m->versions(fs->state, &fs->call, name);
    if (rc != KT_SUCCESS)
        WRONG("versions of %s: %d %s", name, rc, fs->call.msg);
    for (size_t i = 0; i < fs->call.ngiven && n < 64; i++)
        if (fs->call.given[i].stages == 0)
            (void)snprintf(ids[n++], KT_ID_SIZE, "%s", fs->call.given[i].id);
    crowd->writers[me].versions++;
    for (size_t i = 0; i < n; i++) {
        rc = filestore_delete(fs, name, ids[i], true);
        if (rc != KT_SUCCESS && rc != KT_NOT_FOUND)
            WRONG("purge a version of %s: %d %s", name, rc, fs->call.msg);
        crowd->writers[me].deletes++;
    }
}

static void count_up(struct filestore *fs, unsigned me)
{
    const unsigned c = (unsigned)any_of(COUNTERS);
    struct deed *d = &crowd->counts[me][c];
    uint64_t counts[WRITERS];
    char value[VALUE_MAX];
    char id[KT_ID_SIZE];
    char now[KT_ID_SIZE];
    char name[32];
    int rc;

    (void)snprintf(name, sizeof(name), "count/%u", c);
    read_count(fs, name, counts, id);
    settle_count(me, c, counts[me]);
    d->next = ++counts[me];
    counts_make(name, counts, value);
    rc = put(fs, me, name, value, id);
    if (rc == KT_SUCCESS) {
        d->now = d->next;
        crowd->writers[me].counted++;
    } else if (rc == KT_CONFLICT) {
        crowd->writers[me].conflicts++;
    } else {
        WRONG("put %s: %d %s", name, rc, fs->call.msg);
    }
    d->next = 0;
    if (rc == KT_CONFLICT) { /* then another one is current, or it was a lie */
        read_count(fs, name, counts, now);
        if (strcmp(now, id) == 0)
            WRONG("put %s: a conflict, and %s is still current", name, id);
    }
    if (rc == KT_SUCCESS && any_of(16) == 0)
        purge(fs, me, name);
}

/* ---- secrets of its own --------------------------------------------------------------------- */

static void settle_own(struct filestore *fs, unsigned me, unsigned k)
{
    struct deed *d = &crowd->own[me][k];
    uint64_t number = 0;
    char name[32];
    int rc;

    (void)snprintf(name, sizeof(name), "own/%u/%u", me, k);
    rc = filestore_get(fs, name, NULL);
    if (rc != KT_SUCCESS && rc != KT_NOT_FOUND)
        WRONG("get %s: %d %s", name, rc, fs->call.msg);
    if (rc == KT_SUCCESS)
        number = value_number(name, fs->given);
    if (d->next != 0 && DEED_THERE(d->next) == (rc == KT_SUCCESS) &&
        (rc == KT_NOT_FOUND || number == DEED_NUMBER(d->next)))
        d->now = d->next;
    d->next = 0;
    if (DEED_THERE(d->now) != (rc == KT_SUCCESS) ||
        (rc == KT_SUCCESS && number != DEED_NUMBER(d->now)))
        WRONG("%s: %s at deed %llu, the store says %s %llu", name,
              DEED_THERE(d->now) ? "there" : "gone", (unsigned long long)DEED_NUMBER(d->now),
              rc == KT_SUCCESS ? "there" : "gone", (unsigned long long)number);
}

static int put_own(struct filestore *fs, unsigned me, const char *name, uint64_t number, bool there)
{
    char value[VALUE_MAX];
    char id[KT_ID_SIZE] = "";
    const char *expected = there ? NULL : "";

    if (there && any_of(4) == 0) {
        if (filestore_get(fs, name, NULL) != KT_SUCCESS)
            WRONG("get %s: %s", name, fs->call.msg);
        (void)snprintf(id, sizeof(id), "%s", fs->given->id);
        expected = id;
    }
    value_make(name, number, value);
    return put(fs, me, name, value, expected);
}

/* Nobody else writes here: there is no conflict to be had. */
static void write_own(struct filestore *fs, unsigned me)
{
    const unsigned k = (unsigned)any_of(OWN);
    struct deed *d = &crowd->own[me][k];
    const bool there = DEED_THERE(d->now);
    const bool away = there && any_of(5) == 0;
    const uint64_t number = DEED_NUMBER(d->now) + 1;
    char name[32];
    int rc;

    (void)snprintf(name, sizeof(name), "own/%u/%u", me, k);
    d->next = DEED(number, !away);
    if (away) {
        rc = filestore_delete(fs, name, NULL, false);
        crowd->writers[me].deletes++;
    } else {
        rc = put_own(fs, me, name, number, there);
    }
    if (rc != KT_SUCCESS)
        WRONG("%s %s: %d %s", away ? "delete" : "put", name, rc, fs->call.msg);
    d->now = d->next;
    d->next = 0;
}

/* ---- a writer ------------------------------------------------------------------------------- */

void settle(struct filestore *fs, unsigned me)
{
    for (unsigned c = 0; c < COUNTERS; c++) {
        uint64_t counts[WRITERS];
        char id[KT_ID_SIZE];
        char name[32];

        (void)snprintf(name, sizeof(name), "count/%u", c);
        read_count(fs, name, counts, id);
        settle_count(me, c, counts[me]);
    }
    for (unsigned k = 0; k < OWN; k++)
        settle_own(fs, me, k);
}

void writer(unsigned me, bool alone)
{
    struct filestore fs;

    open_store(&fs);
    settle(&fs, me);
    while (!crowd->stop) {
        if (alone || any_of(3) == 0)
            write_own(&fs, me);
        else
            count_up(&fs, me);
    }
    settle(&fs, me);
    filestore_close(&fs);
}
