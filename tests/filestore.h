/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYTURN_TESTS_FILESTORE_H
#define KEYTURN_TESTS_FILESTORE_H

/* The file backend in a directory of its own, for its tests. */

#include "harness.h"
#include "modhost.h"

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

#endif
