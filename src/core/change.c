/* SPDX-License-Identifier: Apache-2.0 */
#include "change.h"

#include "ask.h"
#include "err.h"
#include "namemap.h"
#include "tale.h"

#include <stdlib.h>

static bool out_of_range(int status)
{
    return status < 0 || status >= KT_STATUS_COUNT;
}

static int turn_at(struct kt_change *c, const struct kt_budget *b, struct kt_turn *t)
{
    char place[KT_PLACE_SIZE];
    int rc;

    if (kt_budget_cancelled(b))
        return kt_fail(&t->call.err, KT_CANCELLED, "cancelled by the program");
    if (kt_budget_left_ms(b) == 0)
        return kt_fail(&t->call.err, KT_TIMEOUT, "not asked: the call's deadline is over");
    if (t->store == NULL)
        return kt_fail(&t->call.err, KT_UNAVAILABLE, "module '%s' is not installed",
                       t->line->module);
    rc = kt_store_ready(t->store, &t->call);
    if (rc == KT_SUCCESS)
        rc = kt_name_to_store(t->line, &t->store->ops, c->name, place, &t->call.err);
    if (rc != KT_SUCCESS)
        return rc;
    t->place = place;
    rc = c->turn(c, t);
    t->place = NULL;
    if (out_of_range(rc))
        return kt_fail(&t->call.err, KT_MODULE_ERROR, "it answered %d, which is no status", rc);
    if (rc == KT_NOT_FOUND && c->absent_ok && !t->authority)
        return KT_SUCCESS;
    return rc;
}

static void turn_start(struct kt_turn *t, const struct kt_budget *b, size_t at, enum kt_phase phase)
{
    const struct kt_handle *h = b->handle;

    t->line = &h->service->write.lines[at];
    t->store = h->write_stores[at];
    t->phase = phase;
    t->authority = t->store != NULL && kt_line_is_authority(h->service, t->line);
    /* The first pass leaves time for the second. */
    kt_call_start(&t->call, b, t->line, t->line->module, NULL,
                  phase == KT_COMMIT && at + 1 == h->service->write.n);
}

/* What the change's answer does not tell: a program that has a log shall know of it. */
static void log_failure(const struct kt_change *c, const struct kt_turn *t, int status)
{
    const struct kt_open_options *o = &t->call.budget->handle->options;
    /* not being there is what `-` before a line allows */
    const enum kt_log_level level = t->store != NULL ? KT_LOG_WARNING : KT_LOG_INFO;
    struct kt_err why, text;

    if (o->log == NULL)
        return;
    (void)kt_call_explain(&t->call, c->name, status, &why);
    (void)kt_fail(&text, status, "%s (%s): not done there; 'keyturn repair' makes up for it",
                  why.msg, kt_status_name(status));
    o->log(o->cookie, level, text.msg);
}

/* Only a line whose control calls the failure bad refuses a change, or makes it partial. */
static bool harms(const struct kt_line *line, int status)
{
    return line->control.action[status] == KT_DO_BAD || line->control.action[status] == KT_DO_DIE;
}

/* The first pass: which lines will be written? */
static int prepare(struct kt_change *c, const struct kt_budget *b, bool *chosen, struct kt_err *err)
{
    const struct kt_handle *h = b->handle;
    const struct kt_stack *stack = &h->service->write;
    char where[KT_WHERE_SIZE];
    struct kt_tale tale;
    struct kt_run run;
    struct kt_turn t;
    bool authority = false;
    int status;

    kt_tale_start(&tale);
    kt_run_start(&run, stack);
    while (!kt_run_over(&run, stack)) {
        const size_t at = run.next;
        int action;

        turn_start(&t, b, at, KT_PREPARE);
        status = turn_at(c, b, &t);
        chosen[at] = status == KT_SUCCESS;
        authority = authority || (chosen[at] && t.authority);
        action = kt_run_feed(&run, stack, status);
        kt_tale_keep(&tale, &t.call, c->name, &run, status, action);
        if (!chosen[at] && status != KT_IGNORE && !t.authority && !harms(t.line, status))
            log_failure(c, &t, status);
        if (status == KT_CONFIG_ERROR || kt_budget_cancelled(b))
            kt_run_end(&run, stack, status == KT_CONFIG_ERROR ? status : KT_CANCELLED);
        kt_call_done(&t.call);
    }
    status = kt_run_answer(&run);
    if (status != KT_SUCCESS)
        return kt_tale_tell(&tale, c->name, h->service->name, status, err);
    if (!authority)
        return kt_fail(err, KT_MODULE_ERROR, "%s: the authority, %s: %s, took no part", c->name,
                       kt_line_where(h->service->authority, where), h->service->authority->module);
    return KT_SUCCESS;
}

static int commit(struct kt_change *c, const struct kt_budget *b, const bool *chosen,
                  struct kt_err *err)
{
    const struct kt_stack *stack = &b->handle->service->write;
    bool partial = false;
    struct kt_err why;

    for (size_t at = 0; at < stack->n; at++) {
        struct kt_turn t;
        int rc;

        if (!chosen[at])
            continue;
        turn_start(&t, b, at, KT_COMMIT);
        rc = turn_at(c, b, &t);
        if (rc != KT_SUCCESS && t.authority) {
            kt_call_done(&t.call);
            return kt_call_explain(&t.call, c->name, rc, err);
        }
        if (rc != KT_SUCCESS && rc != KT_IGNORE) {
            if (!harms(t.line, rc) || partial) {
                log_failure(c, &t, rc);
            } else {
                partial = true;
                (void)kt_call_explain(&t.call, c->name, rc, &why);
            }
        }
        kt_call_done(&t.call);
    }
    if (partial)
        return kt_fail(err, KT_PARTIAL, "%s; the authority has it: repeat, or keyturn repair",
                       why.msg);
    return KT_SUCCESS;
}

int kt_change_run(struct kt_change *c, const struct kt_budget *b, struct kt_err *err)
{
    const struct kt_service *s = b->handle->service;
    bool *chosen;
    int rc;

    if (!s->writable)
        return kt_fail(err, KT_UNSUPPORTED,
                       "%s: service '%s' has no write lines: nothing can be written", c->name,
                       s->name);
    chosen = calloc(s->write.n, sizeof *chosen);
    if (chosen == NULL)
        return kt_fail(err, KT_NO_MEMORY, "out of memory");
    rc = prepare(c, b, chosen, err);
    if (rc == KT_SUCCESS) {
        rc = commit(c, b, chosen, err);
        kt_forget(b, c->name, rc == KT_SUCCESS || rc == KT_PARTIAL ? c->id : NULL, false);
    } else if (rc == KT_CONFLICT || rc == KT_NOT_FOUND) {
        kt_forget(b, c->name, NULL, true);
    }
    free(chosen);
    return rc;
}

/* ---- reading while writing ------------------------------------------------------------------- */

struct taking {
    struct kt_call *call;
    const struct kt_line *line;
    struct kt_offer *out;
};

static int take_value(void *cookie, size_t index, const struct kt_version *v, const void *data,
                      size_t len)
{
    struct taking *t = cookie;

    if (index != 0)
        return kt_fail(&t->call->err, KT_MODULE_ERROR, "it gave a value nobody asked for");
    return kt_offer_take(t->out, t->line, v, data, len);
}

static int get_at(struct kt_turn *t, struct kt_store *store, const struct kt_line *line,
                  const char *place, const struct kt_want *want, struct kt_offer *out)
{
    struct kt_call call;
    struct taking taking = { &call, line, out };
    const struct kt_sink sink = { .value = take_value, .cookie = &taking };
    int rc;

    kt_call_start(&call, t->call.budget, line, line->module, &sink, true);
    if (call.deadline_ns > t->call.deadline_ns)
        call.deadline_ns = t->call.deadline_ns;
    rc = kt_store_ready(store, &call);
    if (rc == KT_SUCCESS)
        rc = store->ops.get(store->state, &call, place, want);
    kt_call_done(&call);
    if (out->fault != NULL)
        rc = kt_fail(&call.err, KT_MODULE_ERROR, "%s", out->fault);
    else if (rc == KT_SUCCESS && (out->line == NULL || out->negative))
        rc = kt_fail(&call.err, KT_MODULE_ERROR, "it said success and gave no value");
    if (rc != KT_SUCCESS)
        t->call.err = call.err;
    return rc;
}

int kt_raw_get(struct kt_turn *t, const struct kt_want *want, struct kt_offer *out)
{
    return get_at(t, t->store, t->line, t->place, want, out);
}

int kt_authority_get(struct kt_turn *t, const char *name, const struct kt_want *want,
                     struct kt_offer *out)
{
    const struct kt_handle *h = t->call.budget->handle;
    const struct kt_line *line = h->service->authority;
    char place[KT_PLACE_SIZE];
    int rc = kt_store_ready(h->authority, &t->call);

    if (rc == KT_SUCCESS)
        rc = kt_name_to_store(line, &h->authority->ops, name, place, &t->call.err);
    if (rc == KT_SUCCESS)
        rc = get_at(t, h->authority, line, place, want, out);
    if (rc == KT_SUCCESS && line->core.field != NULL)
        rc = kt_offer_pick(out, line->core.field, &t->call.err);
    return rc;
}

int kt_needs_cas(struct kt_turn *t, const char *expected)
{
    if (expected == NULL || t->store->ops.cas != KT_CAS_NONE)
        return KT_SUCCESS;
    return kt_fail(
        &t->call.err, KT_UNSUPPORTED,
        "an expected version needs a store that can compare and swap, and this one cannot");
}
