/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYTURN_POWERLOSS_PLAN_H
#define KEYTURN_POWERLOSS_PLAN_H

#include "story.h"

/**
 * struct pl_plan - how many states are to be built at each cut
 * @states:      for each record of the log: when the power is cut before it
 * @cuts:        how many of them are not 0
 * @checkpoints: of the log into the database, as the log shows them
 * @restarts:    of the log, from its beginning
 */
struct pl_plan {
    uint32_t *states;
    size_t cuts;
    size_t checkpoints;
    size_t restarts;
};

/** pl_plan_make - about @states in all; the same for the same log and seed */
void pl_plan_make(struct pl_plan *p, const struct pl_log *log, size_t states, uint64_t seed);
void pl_plan_free(struct pl_plan *p);

#endif
