/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Each call of the copying: ended by a signal, within --timeout, and repeated where a store asks for
 * patience. A read comes from the authority, never from a copy.
 */

#include "copying-parts.h"

#include <stdio.h>

#define WAIT_FIRST_MS 100
#define WAIT_MAX_MS 5000
#define LIST_MS (24 * 3600 * 1000LL)

struct attempt {
    int64_t begun_ms;
    int64_t limit_ms;
    int wait_ms;
};

static int refuse(struct kt_err *err, int status, const char *text)
{
    err->status = status;
    (void)snprintf(err->msg, sizeof(err->msg), "%s", text);
    return status;
}

/* What the call has: --timeout is for the whole command, its default for each request. */
static int begin(const struct copying *c, struct attempt *a, int64_t *timeout_ms,
                 struct kt_err *err)
{
    const int64_t left = c->cli->timed ? session_left_ms(c->cli) : *timeout_ms;

    if (copy_signals_came(c->state->signals))
        return refuse(err, KT_CANCELLED, "interrupted");
    if (left == 0)
        return refuse(err, KT_TIMEOUT, "--timeout is over");
    *timeout_ms = left;
    if (a->begun_ms == 0) {
        a->begun_ms = session_now_ms();
        a->limit_ms = left;
        a->wait_ms = WAIT_FIRST_MS;
    }
    return KT_SUCCESS;
}

/* Longer each time, and not in step with others who were told the same. */
static bool again(const struct copying *c, struct attempt *a, int status)
{
    int wait;

    if (status != KT_THROTTLED && status != KT_BUSY)
        return false;
    const int64_t now = session_now_ms();
    wait = a->wait_ms + (int)(now % (a->wait_ms / 2));
    if (now - a->begun_ms + wait >= a->limit_ms)
        return false;
    copy_signals_wait(c->state->signals, wait);
    a->wait_ms = a->wait_ms * 2 < WAIT_MAX_MS ? a->wait_ms * 2 : WAIT_MAX_MS;
    return true;
}

int copy_versions(struct copying *c, struct kt_handle *h, const char *name, struct kt_list **out,
                  struct kt_err *err)
{
    struct kt_call_options o = session_call(c->cli);
    struct attempt a = { 0 };
    int rc;

    do {
        o.timeout_ms = c->cli->timeout_ms;
        rc = begin(c, &a, &o.timeout_ms, err);
        if (rc == KT_SUCCESS)
            rc = kt_versions(h, name, &o, out, err);
    } while (again(c, &a, rc));
    return rc;
}

int copy_get(struct copying *c, struct kt_handle *h, const char *name, const char *version,
             struct kt_secret **out, struct kt_err *err)
{
    struct kt_get_options o = {
        .size = sizeof(o),
        .may_prompt = session_call(c->cli).may_prompt,
        .bound_age = true,
        .version = version,
    };
    struct attempt a = { 0 };
    int rc;

    do {
        o.timeout_ms = c->cli->timeout_ms;
        rc = begin(c, &a, &o.timeout_ms, err);
        if (rc == KT_SUCCESS)
            rc = kt_get(h, name, &o, out, err);
    } while (again(c, &a, rc));
    return rc;
}

int copy_put(struct copying *c, const char *name, const char *id, const char *stage,
             const char *expected, const struct kt_secret *like, struct kt_err *err)
{
    const struct copy_side *target = &c->state->target;
    const struct kt_info *info = kt_secret_info(like);
    struct kt_put_options o = {
        .size = sizeof(o),
        .may_prompt = session_call(c->cli).may_prompt,
        .id = id,
        .expected = target->cas ? expected : NULL,
        .stage = stage,
        .expires_ms = target->times ? info->expires_ms : 0,
        .not_before_ms = target->times ? info->not_before_ms : 0,
        .attrs = info->attrs,
        .nattrs = target->attrs ? info->nattrs : 0,
    };
    struct attempt a = { 0 };
    int rc;

    do {
        o.timeout_ms = c->cli->timeout_ms;
        rc = begin(c, &a, &o.timeout_ms, err);
        if (rc == KT_SUCCESS)
            rc = kt_put(c->to, name, kt_secret_data(like), kt_secret_len(like), &o, NULL, err);
    } while (again(c, &a, rc));
    return rc;
}

int copy_stage(struct copying *c, const char *name, const char *stage, const char *version,
               const char *expected, struct kt_err *err)
{
    struct kt_call_options o = session_call(c->cli);
    struct attempt a = { 0 };
    int rc;

    do {
        o.timeout_ms = c->cli->timeout_ms;
        rc = begin(c, &a, &o.timeout_ms, err);
        if (rc == KT_SUCCESS)
            rc = kt_stage(c->to, name, stage, version, c->state->target.cas ? expected : NULL, &o,
                          err);
    } while (again(c, &a, rc));
    return rc;
}

int copy_list(struct copying *c, const char *prefix,
              int (*each)(void *cookie, const struct kt_item *item), void *cookie,
              struct kt_list **lines, struct kt_err *err)
{
    struct kt_call_options o = session_call(c->cli);
    struct attempt a = { 0 };
    int rc;

    do {
        o.timeout_ms = LIST_MS;
        rc = begin(c, &a, &o.timeout_ms, err);
        if (rc == KT_SUCCESS)
            rc = kt_list_each(c->from, prefix, &o, each, cookie, lines, err);
    } while (again(c, &a, rc));
    return rc;
}
