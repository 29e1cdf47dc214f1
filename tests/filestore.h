/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYTURN_TESTS_FILESTORE_H
#define KEYTURN_TESTS_FILESTORE_H

/* The file backend in a directory of its own, for its tests. */

#include "harness.h"
#include "modhost.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

/* In threads and after fork(): check's own asserts take a lock that a child may find taken. */
#define MUST(what)                                                                                 \
    do {                                                                                           \
        if (!(what)) {                                                                             \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #what);                             \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

/**
 * struct filestore - a line `file path=DIR/store.db key=DIR/store.key`
 * @given: the answer of the last get, valid until the next call
 */
struct filestore {
    const struct kt_module *m;
    void *state;
    struct kt_call call;
    char *dir;
    char *path;
    char *key;
    struct modhost_given *given;
};

/** filestore_open - in a fresh directory; @options besides, or NULL. No store is made. */
void filestore_open(struct filestore *fs, const char *options);

/** filestore_again - another line on the same store */
void filestore_again(struct filestore *fs, const struct filestore *of, const char *options);
void filestore_close(struct filestore *fs);

/** filestore_reopen - the line again, after its state was closed (@fs->m->close) */
void filestore_reopen(struct filestore *fs, const char *options);

/** filestore_put - both phases; @id "": a new one is made and put there. Returns the status. */
int filestore_put(struct filestore *fs, const char *name, const char *value, char id[KT_ID_SIZE],
                  const char *expected);
int filestore_put_as(struct filestore *fs, const char *name, const struct kt_put *put);
int filestore_fill(struct filestore *fs, const char *name, const char *id, const char *value,
                   int64_t wall_ms);

/** filestore_get - current, or @version; sets @fs->given */
int filestore_get(struct filestore *fs, const char *name, const char *version);
int filestore_get_stage(struct filestore *fs, const char *name, uint32_t stage);
int filestore_stage(struct filestore *fs, const char *name, uint32_t stage, const char *version,
                    const char *expected);
int filestore_delete(struct filestore *fs, const char *name, const char *version, bool purge);

/** filestore_must_get - current is @value */
void filestore_must_get(struct filestore *fs, const char *name, const char *value);

/** filestore_sql - change the database behind the module's back */
void filestore_sql(struct filestore *fs, const char *sql);

/** filestore_lock - be the writer; returns the descriptor of the lock file, whose closing ends that */
int filestore_lock(const struct filestore *fs);

/** filestore_queue - how many writers are waiting for that lock, each in its place; any descriptor of it */
unsigned filestore_queue(int lock);

/** filestore_await_queue - until there are @n */
void filestore_await_queue(int lock, unsigned n);

/**
 * filestore_stop_waiting - the deadline comes for the writer that waits behind @lock: a thread puts the
 * clock on by an hour once it sees it there. To be joined, and then modhost_clock_reset().
 */
pthread_t filestore_stop_waiting(const int *lock);

/** struct filestore_other - another process, that puts when it is told to */
struct filestore_other {
    pid_t pid;
    int ask;
    int told;
};

void filestore_other_start(struct filestore_other *o, const struct filestore *of);

/** filestore_other_put - done when this returns, however long that takes */
void filestore_other_put(const struct filestore_other *o, const char *name, const char *value);
void filestore_other_end(const struct filestore_other *o);

#endif
