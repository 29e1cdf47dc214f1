/* SPDX-License-Identifier: Apache-2.0 */
#include "checkpoint.h"

#include <time.h>

#define LONG_PAGES 1000
#define MORE_PAGES 250 /* until the next try, if a reader did not get done */
#define WAIT_NS 200000
#define PATIENCE_NS 20000000 /* for all readers together */

static int64_t clock_ns(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int wait_for_readers(void *arg, int waits)
{
    static const struct timespec a_little = { .tv_nsec = WAIT_NS };
    const int64_t *until_ns = arg;

    (void)waits;
    if (clock_ns() >= *until_ns)
        return 0;
    (void)nanosleep(&a_little, NULL);
    return 1;
}

/* After a commit, whose success does not depend on this. The writer lock is still ours. */
static int committed(void *arg, sqlite3 *db, const char *name, int pages)
{
    struct kt_conn *c = arg;
    int64_t until_ns = clock_ns() + PATIENCE_NS;

    if (pages < LONG_PAGES)
        c->log_due = LONG_PAGES;
    if (pages < c->log_due)
        return SQLITE_OK;
    c->log_due = LONG_PAGES;
    (void)sqlite3_busy_handler(db, wait_for_readers, &until_ns);
    if (sqlite3_wal_checkpoint_v2(db, name, SQLITE_CHECKPOINT_RESTART, NULL, NULL) != SQLITE_OK)
        c->log_due = pages + MORE_PAGES;
    (void)sqlite3_busy_handler(db, NULL, NULL);
    return SQLITE_OK;
}

void kt_checkpoint_watch(struct kt_conn *c)
{
    c->log_due = LONG_PAGES;
    (void)sqlite3_wal_hook(c->db, committed, c);
}
