/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYTURN_CORE_CHANGE_H
#define KEYTURN_CORE_CHANGE_H

#include "call.h"
#include "offer.h"

/*
 * Changes go through the `write` stack twice, as pam_chauthtok does: the first pass asks and writes
 * nothing, the second writes at exactly the lines that the first one chose, the authority first.
 * Source: DESIGN 5, put.
 */

/** struct kt_turn - a write line's turn */
struct kt_turn {
    struct kt_call call;
    struct kt_store *store;
    const struct kt_line *line;
    const char *place; /* the store's name for the secret */
    enum kt_phase phase;
    bool authority;
};

/**
 * struct kt_change - what is to be done
 * @turn:      does its part at one line, in one phase
 * @absent_ok: a follower that has no such secret has nothing left to do
 * @id:        what `forget` tells: the new current version, NULL not known
 */
struct kt_change {
    const char *name;
    int (*turn)(struct kt_change *c, struct kt_turn *t);
    bool absent_ok;
    const char *id;
};

int kt_change_run(struct kt_change *c, const struct kt_budget *budget, struct kt_err *err);

/** kt_raw_get - ask one store, nothing judged; @out was initialised and is cleared by the caller */
int kt_raw_get(struct kt_turn *t, const struct kt_want *want, struct kt_offer *out);

/** kt_authority_get - the authority's version of @name, as a copy for followers; same rules */
int kt_authority_get(struct kt_turn *t, const char *name, const struct kt_want *want,
                     struct kt_offer *out);

/** kt_put_turn - store @put at a line, `field=` and the store's limits included */
int kt_put_turn(struct kt_turn *t, const char *name, const struct kt_put *put);

/** kt_copy_turn - make a follower's copy what the authority has now, or has no more */
int kt_copy_turn(struct kt_turn *t, const char *name);

/** kt_needs_cas - KT_UNSUPPORTED if @expected is wanted of a store that cannot compare and swap */
int kt_needs_cas(struct kt_turn *t, const char *expected);

/** kt_stage_bit - a stage by its name */
int kt_stage_bit(const char *stage, uint32_t *bit, struct kt_err *err);

#endif
