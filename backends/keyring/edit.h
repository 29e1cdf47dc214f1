/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYTURN_KEYRING_EDIT_H
#define KEYTURN_KEYRING_EDIT_H

#include "find.h"

/*
 * What all writes do. Each step is one request, and after each of them readers find a version that
 * was written whole: first the new current version is there, then the one before is made an older one.
 * A writer that finds two makes that good.
 */

/**
 * struct kt_edit - a change of one secret, under the writers' lock
 * @versions: of ours, all of them
 * @currents: what bears {service, name}; of others, too
 * @current:  of @currents the one that counts; NULL: none
 */
struct kt_edit {
    const char *name;
    struct kt_hits versions;
    struct kt_hits currents;
    struct kt_item *current;
};

typedef int kt_edit_fn(struct kt_op *op, struct kt_edit *e, void *arg);

/**
 * kt_edit_run - @body with the collection unlocked, the lock taken and @e loaded
 * @dry: only look, without the lock: the preliminary phase
 */
int kt_edit_run(struct kt_op *op, const char *name, bool dry, kt_edit_fn *body, void *arg);

/** kt_edit_expect - KT_CONFLICT unless @expected is what struct kt_put says of it */
int kt_edit_expect(struct kt_op *op, const struct kt_edit *e, const char *expected);

/** kt_edit_guard - KT_EXISTS if the current one is another's and not what @expected names */
int kt_edit_guard(struct kt_op *op, const struct kt_edit *e, const char *expected);

/** kt_edit_version - the newest item with this id; NULL: none */
struct kt_item *kt_edit_version(const struct kt_edit *e, const char *id);

/** kt_edit_turn - greater than that of any that is current or pending */
uint64_t kt_edit_turn(const struct kt_edit *e);

/** kt_edit_value - look at an item's bytes, as kt_find_value() */
int kt_edit_value(struct kt_op *op, const struct kt_edit *e, struct kt_item *item,
                  int (*use)(void *arg, const void *data, size_t len), void *arg);

int kt_edit_create(struct kt_op *op, const char *label, GHashTable *attrs, const void *data,
                   size_t len);
int kt_edit_set(struct kt_op *op, const struct kt_item *item, GHashTable *attrs);
int kt_edit_set_secret(struct kt_op *op, const struct kt_item *item, const void *data, size_t len);
int kt_edit_remove(struct kt_op *op, const struct kt_item *item);

/**
 * kt_edit_settle - one current version, and one pending
 * @current: path of it; "": the new one, which was not there when @e was loaded; NULL: leave it
 * @pending: likewise
 * @id:      of the new one: other items with it are removed; NULL: none is new
 * @took:    NULL, or the id of another's item that the caller has named
 */
int kt_edit_settle(struct kt_op *op, const struct kt_edit *e, const char *current,
                   const char *pending, const char *id, const char *took);

#endif
