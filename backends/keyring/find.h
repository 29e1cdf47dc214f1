/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYTURN_KEYRING_FIND_H
#define KEYTURN_KEYRING_FIND_H

#include "item.h"
#include "op.h"

/**
 * struct kt_hits - what one search found
 * @query:    a{ss}
 * @items:    struct kt_item, freed with the array
 * @vanished: something that was found was gone when it was looked at
 * @locked:   something has no secret for us
 */
struct kt_hits {
    GVariant *query;
    GPtrArray *items;
    bool vanished;
    bool locked;
};

/** kt_hits_init - @query: floating, taken; released with kt_hits_done() */
void kt_hits_init(struct kt_hits *h, GVariant *query);
void kt_hits_done(struct kt_hits *h);

/**
 * kt_find - @n exact searches of the line's collection at once, and what was found looked at
 * @secrets: fetch the values, too
 *
 * Two rounds of requests, however many there are: the searches, then attributes and values.
 * KT_ABSENT: the collection is not there.
 */
int kt_find(struct kt_op *op, struct kt_hits *hits, size_t n, bool secrets);

/** kt_find_times - when items that others wrote were changed, if there are such in @hits */
int kt_find_times(struct kt_op *op, struct kt_hits *hits, size_t n);

/** kt_hits_current - of those that bear {service, name} the one that counts; NULL: none */
struct kt_item *kt_hits_current(const struct kt_hits *h, const char *service, const char *name);

/** kt_find_value - the bytes of an item, handed to @use; explained */
int kt_find_value(struct kt_op *op, const struct kt_item *item, const char *name,
                  int (*use)(void *arg, const void *data, size_t len), void *arg);

#endif
