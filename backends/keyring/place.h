/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYTURN_KEYRING_PLACE_H
#define KEYTURN_KEYRING_PLACE_H

#include "op.h"

/* The line's collection: found once a connection, and unlocked. */

/** kt_place_find - its object path, released with g_free(); KT_UNAVAILABLE (explained): none such */
int kt_place_find(struct kt_op *op, char **path);

/** kt_place_lost - it is not where it was: KT_LOST, so that it is looked up again */
int kt_place_lost(struct kt_op *op);

/** kt_place_locked - is it? */
int kt_place_locked(struct kt_op *op, bool *locked);

/**
 * kt_place_unlock - ask for it, and a person if need be and allowed
 * @path:      of the collection, or of an item that is locked by itself
 * @interface: KT_COLLECTION or KT_ITEM
 *
 * KT_LOCKED: nobody may be asked. KT_DENIED: somebody was, and refused. At most one prompt a call.
 */
int kt_place_unlock(struct kt_op *op, const char *path, const char *interface);

/** kt_place_open - unlock the collection unless it is unlocked */
int kt_place_open(struct kt_op *op);

/** kt_place_closed - KT_LOCKED, in words with the remedy */
int kt_place_closed(struct kt_op *op);

#endif
