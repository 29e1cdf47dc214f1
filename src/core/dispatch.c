/* SPDX-License-Identifier: Apache-2.0 */
#include "dispatch.h"

#include <stdio.h>

static const struct kt_standing undecided = { KT_UNDECIDED, KT_DENIED, -1 };

static void note_level(struct kt_run *run, unsigned level)
{
    if (run->level < level)
        run->save[level] = run->now;
    run->level = level;
}

/* Pass markers and note what stood when each level was entered: `reset` goes back to that. */
static void settle(struct kt_run *run, const struct kt_stack *stack)
{
    for (; run->next < stack->n; run->next++) {
        note_level(run, stack->lines[run->next].level);
        if (!stack->lines[run->next].substack)
            return;
    }
}

void kt_run_start(struct kt_run *run, const struct kt_stack *stack)
{
    run->now = undecided;
    run->save[0] = undecided;
    run->next = 0;
    run->level = 0;
    run->telling = KT_SUCCESS;
    settle(run, stack);
}

bool kt_run_over(const struct kt_run *run, const struct kt_stack *stack)
{
    return run->next >= stack->n;
}

static void leave_level(struct kt_run *run, const struct kt_stack *stack, unsigned level)
{
    while (run->next < stack->n && stack->lines[run->next].level >= level)
        run->next++;
}

/* A unit is a line of this level with the substack that hangs on it. */
static void jump(struct kt_run *run, const struct kt_stack *stack, unsigned level, int units)
{
    while (units-- > 0 && run->next < stack->n && stack->lines[run->next].level >= level) {
        do
            run->next++;
        while (run->next < stack->n && stack->lines[run->next].level > level);
    }
}

static bool agree(struct kt_run *run, int status, int line)
{
    struct kt_standing *now = &run->now;

    if (now->impression == KT_UNDECIDED ||
        (now->impression == KT_GRANTED && now->status == KT_SUCCESS)) {
        if (now->impression == KT_UNDECIDED && status == KT_SUCCESS)
            now->granter = line;
        now->impression = KT_GRANTED;
        now->status = status;
    }
    return now->impression == KT_GRANTED;
}

static void refuse(struct kt_run *run, int status)
{
    if (run->now.impression == KT_REFUSED)
        return;
    run->now.impression = KT_REFUSED;
    /* A stack that refuses cannot say "success" or "ignore". Source: PAM_MUST_FAIL_CODE. */
    run->now.status = status == KT_IGNORE || status == KT_SUCCESS ? KT_DENIED : status;
    run->now.granter = -1;
}

static void note_failure(struct kt_run *run, int status)
{
    if (status != KT_SUCCESS && status != KT_IGNORE &&
        kt_status_tell(status) > kt_status_tell(run->telling))
        run->telling = status;
}

int kt_run_feed(struct kt_run *run, const struct kt_stack *stack, int status)
{
    const size_t at = run->next;
    const struct kt_line *line = &stack->lines[at];
    int action = KT_DO_BAD;

    if (status < 0 || status >= KT_STATUS_COUNT)
        status = KT_MODULE_ERROR;
    if (status != KT_MODULE_ERROR || line->control.action[status] == KT_DO_DIE)
        action = line->control.action[status];
    note_failure(run, status);
    run->next++;
    switch (action) {
    case KT_DO_IGNORE:
        break;
    case KT_DO_OK:
        (void)agree(run, status, (int)at);
        break;
    case KT_DO_DONE:
        if (agree(run, status, (int)at))
            leave_level(run, stack, line->level);
        break;
    case KT_DO_BAD:
        refuse(run, status);
        break;
    case KT_DO_DIE:
        refuse(run, status);
        leave_level(run, stack, line->level);
        break;
    case KT_DO_RESET:
        run->now = run->save[line->level];
        break;
    default:
        jump(run, stack, line->level, action);
        break;
    }
    settle(run, stack);
    return action;
}

void kt_run_end(struct kt_run *run, const struct kt_stack *stack, int status)
{
    run->now = (struct kt_standing){ KT_REFUSED, status, -1 };
    run->next = stack->n;
}

int kt_run_answer(const struct kt_run *run)
{
    if (run->now.impression != KT_UNDECIDED && run->now.status != KT_IGNORE)
        return run->now.status;
    return run->telling != KT_SUCCESS ? run->telling : KT_UNSUPPORTED;
}

const char *kt_action_text(int action, char buf[24])
{
    static const char *const words[] = { "ignore", "ok", "done", "bad", "die", "reset" };

    if (action <= 0 && action >= KT_DO_RESET)
        return words[-action];
    (void)snprintf(buf, 24, "jump %d", action);
    return buf;
}

const char *kt_impression_text(enum kt_impression impression)
{
    static const char *const words[] = { "undecided", "granted", "refused" };

    return words[impression];
}
