/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYTURN_KEYRING_GUESS_H
#define KEYTURN_KEYRING_GUESS_H

#include "find.h"

/*
 * Where a name's item was the last time: so its value and attributes are asked for together with the
 * search, in one round and not in two. Nothing that is remembered is believed: unless the search finds
 * that item and no other, it is as if nothing had been asked.
 */

/**
 * kt_guess_find - what the search of @h finds, if that was guessed
 *
 * False: it was not: search. True with a @status other than KT_SUCCESS: no answer came.
 */
bool kt_guess_find(struct kt_op *op, const char *name, struct kt_hits *h, int *status);

/** kt_guess_keep - remember where @name is */
void kt_guess_keep(struct kt_keyring *line, const char *name, const struct kt_item *item);
void kt_guess_drop(struct kt_keyring *line, const char *name);

#endif
