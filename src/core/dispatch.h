/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYTURN_CORE_DISPATCH_H
#define KEYTURN_CORE_DISPATCH_H

#include "service.h"

/*
 * The stack machine: which line's turn it is, and what the stack says so far. It calls nothing; who
 * drives it feeds the status of each line. Same controls and statuses give libpam's answer, but for
 * DESIGN's D1 and D2. Source: Linux-PAM's _pam_dispatch_aux.
 */

enum kt_impression { KT_UNDECIDED = 0, KT_GRANTED = 1, KT_REFUSED = 2 };

struct kt_standing {
    enum kt_impression impression;
    int status;
    int granter; /* line whose value is the answer, -1 none */
};

/**
 * struct kt_run - a walk through one stack
 * @now:       what the stack says so far
 * @next:      whose turn it is; the stack's n when it is over
 * @telling:   the most telling failure seen, KT_SUCCESS if none
 * @save:      standing when each level of substacks was entered; what `reset` goes back to
 */
struct kt_run {
    struct kt_standing now;
    size_t next;
    int telling;
    unsigned level;
    struct kt_standing save[KT_DEPTH_MAX + 2];
};

void kt_run_start(struct kt_run *run, const struct kt_stack *stack);

/** kt_run_over - no line is left */
bool kt_run_over(const struct kt_run *run, const struct kt_stack *stack);

/** kt_run_feed - the line at @next answered @status; moves on. Returns the action taken: an enum
 * kt_action or a jump. A status that is none, and KT_MODULE_ERROR, are bad whatever the control. */
int kt_run_feed(struct kt_run *run, const struct kt_stack *stack, int status);

/** kt_run_end - go no further: the answer is @status whatever was said */
void kt_run_end(struct kt_run *run, const struct kt_stack *stack, int status);

/** kt_run_answer - what the stack gives if it ends here (D1, D2) */
int kt_run_answer(const struct kt_run *run);

/** kt_action_text - "ok", "jump 2"; @buf is used for jumps */
const char *kt_action_text(int action, char buf[24]);
const char *kt_impression_text(enum kt_impression impression);

#endif
