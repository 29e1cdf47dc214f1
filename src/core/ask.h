/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYTURN_CORE_ASK_H
#define KEYTURN_CORE_ASK_H

#include "call.h"
#include "clock.h"
#include "dispatch.h"
#include "flight.h"
#include "judge.h"
#include "tale.h"

/* How many follower lines with `fill` are remembered in one get; further ones are filled whole. */
#define KT_SEEN_MAX 4

/** struct kt_seen - what a line above had, so that a fill can be spared */
struct kt_seen {
    size_t line;
    char id[KT_ID_SIZE];
    int64_t age_ms;
};

/**
 * struct kt_ask - one name on its way through the read stack
 * @turn:  what the line whose turn it is gave
 * @best:  the first granter's
 * @hand:  the youngest copy in hand
 * @denier: the last line that said not_found, -1 none
 * @alone: in a walk of its own: it may wait for another get of the same name
 * @tale:  of the failure that will be the answer, if it is one
 */
struct kt_ask {
    const char *name;
    const struct kt_terms *terms;
    struct kt_run run;
    struct kt_offer turn;
    struct kt_offer best;
    struct kt_offer hand;
    size_t best_line;
    int denier;
    struct kt_seen seen[KT_SEEN_MAX];
    size_t nseen;
    struct kt_tale tale;
    struct kt_handle *handle;
    struct kt_flight flight;
    bool alone;
};

/** struct kt_storage - room for the values of one ask, on the stack of a single get */
struct kt_storage {
    char turn[KT_OFFER_INLINE];
    char best[KT_OFFER_INLINE];
    char hand[KT_OFFER_INLINE];
};

typedef void kt_step_fn(void *cookie, const struct kt_step *step);

/** kt_ask_start - @storage may be NULL: values then live in the arena */
void kt_ask_start(struct kt_ask *ask, struct kt_handle *h, const char *name,
                  const struct kt_terms *terms, struct kt_storage *storage);

/** kt_ask_walk - take @n asks through the stack; each module is asked once for all that reached it.
 * @step may be NULL; it is called for each line of each ask. */
void kt_ask_walk(const struct kt_budget *budget, struct kt_ask **asks, size_t n, kt_step_fn *step,
                 void *cookie);

/** kt_ask_finish - the answer, in @ask->best on KT_SUCCESS, else explained; fills caches */
int kt_ask_finish(struct kt_ask *ask, const struct kt_budget *budget, struct kt_err *err);
void kt_ask_done(struct kt_ask *ask);

/** kt_get_terms - options of a get as terms; KT_INVALID where they break a rule */
int kt_get_terms(struct kt_handle *h, const char *name, const struct kt_get_options *o,
                 struct kt_terms *terms, struct kt_err *err) KT_MUST_CHECK;

/** kt_forget - `forget` to each module of the read stack; @caches_only: what the answer evicts */
void kt_forget(const struct kt_budget *budget, const char *name, const char *id, bool caches_only);

#endif
