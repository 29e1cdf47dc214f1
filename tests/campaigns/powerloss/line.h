/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYTURN_POWERLOSS_LINE_H
#define KEYTURN_POWERLOSS_LINE_H

#include "../../modhost.h"

/* Where everything lies below the watched directory, and below each state. */
#define PL_STORE "data/keyturn/store.db"
#define PL_KEY "config/keyturn/store.key"
#define PL_BACKUP "backup.db"

/** struct pl_line - a line `file path=DIR/… key=DIR/…`; zeros: not open */
struct pl_line {
    const struct kt_module *m;
    void *state;
    struct kt_call call;
};

/** pl_line_open - on @store (as PL_STORE) in @dir; aborts if the module will not */
void pl_line_open(struct pl_line *l, const char *dir, const char *store);
void pl_line_close(struct pl_line *l);

/* Both phases; the status. @l->call.msg says why not. */
int pl_line_put(struct pl_line *l, const char *name, const struct kt_put *put);
int pl_line_stage(struct pl_line *l, const char *name, uint32_t stage, const char *version,
                  const char *expected);
int pl_line_delete(struct pl_line *l, const char *name, const char *version, bool purge);

/** pl_line_verb - by itself, or with an operand and `replace`; KT_UNSUPPORTED: there is no such verb */
int pl_line_verb(struct pl_line *l, const char *verb, const char *operand);

/** struct pl_version - a row of versions */
struct pl_version {
    char id[KT_ID_SIZE];
    uint32_t state;
    uint32_t stages;
};

/** pl_line_versions - at most @max of them, by id; 0: the secret is not there. Aborts otherwise. */
size_t pl_line_versions(struct pl_line *l, const char *name, struct pl_version *out, size_t max);

/**
 * pl_line_describe - a secret in words: each version with all that is known of it, its value as length
 * and hash; "" if there is no such secret. What cannot be read says so. The caller frees it.
 */
char *pl_line_describe(struct pl_line *l, const char *name);

/** pl_line_names - how many secrets a list has; -1: it failed */
long pl_line_names(struct pl_line *l);

#endif
