/* SPDX-License-Identifier: Apache-2.0 */
#include "ask.h"

#include "err.h"
#include "name.h"
#include "namemap.h"

#include <string.h>

static enum kt_role role_of(const struct kt_handle *h, const struct kt_line *line)
{
    return (enum kt_role)h->service->places[line->place].probe.role;
}

/* ---- telling modules ------------------------------------------------------------------------- */

/* Not opened yet, it remembers nothing; but an agent remembers for the whole machine. */
static bool worth_telling(const struct kt_handle *h, const struct kt_store *store)
{
    return store != NULL && (atomic_load_explicit(&store->ready, memory_order_acquire) ||
                             h->service->places[store->line->place].probe.role == KT_ROLE_AGENT);
}

void kt_forget(const struct kt_budget *budget, const char *name, const char *id, bool caches_only)
{
    struct kt_handle *h = budget->handle;
    const struct kt_stack *stack = &h->service->read;

    for (size_t i = 0; i < stack->n; i++) {
        struct kt_store *store = h->read_stores[i];
        char place[KT_PLACE_SIZE];
        struct kt_call call;

        if (!worth_telling(h, store) ||
            (caches_only && role_of(h, &stack->lines[i]) != KT_ROLE_CACHE))
            continue;
        kt_call_start(&call, budget, &stack->lines[i], stack->lines[i].module, NULL, true);
        if (kt_store_ready(store, &call) == KT_SUCCESS && store->ops.forget != NULL &&
            kt_name_to_store(&stack->lines[i], &store->ops, name, place, NULL) == KT_SUCCESS)
            (void)store->ops.forget(store->state, &call, place, id);
        kt_call_done(&call);
    }
}

/* ---- filling --------------------------------------------------------------------------------- */

static const struct kt_seen *seen_at(const struct kt_ask *ask, size_t line)
{
    for (size_t i = 0; i < ask->nseen; i++)
        if (ask->seen[i].line == line)
            return &ask->seen[i];
    return NULL;
}

/* What to hand a line above: all of it, only a new as-of, or nothing. */
static bool wants(const struct kt_handle *h, const struct kt_ask *ask, size_t at,
                  struct kt_put *put)
{
    const struct kt_line *line = &h->service->read.lines[at];
    const struct kt_seen *seen = seen_at(ask, at);

    if (role_of(h, line) == KT_ROLE_CACHE)
        return true;
    if (!line->core.fill || !kt_line_is_follower(h->service, line) ||
        kt_line_is_override(h->service, line))
        return false;
    if (seen == NULL || put->id == NULL || strcmp(seen->id, put->id) != 0)
        return true;
    if (seen->age_ms >= 0 &&
        (seen->age_ms < line->core.max_stale_ms / 4 || seen->age_ms <= ask->best.age_ms))
        return false;
    put->data = NULL;
    put->len = 0;
    return true;
}

/* A failed fill only changes the log: the answer stands without it. */
static void fill_line(const struct kt_budget *budget, size_t at, const char *name,
                      const struct kt_put *put)
{
    struct kt_handle *h = budget->handle;
    const struct kt_line *line = &h->service->read.lines[at];
    struct kt_store *store = h->read_stores[at];
    char place[KT_PLACE_SIZE];
    struct kt_call call;
    int rc;

    kt_call_start(&call, budget, line, line->module, NULL, false);
    rc = kt_store_ready(store, &call);
    if (rc == KT_SUCCESS && store->ops.fill == NULL)
        rc = kt_fail(&call.err, KT_UNSUPPORTED, "it keeps no copies: drop `fill`");
    if (rc == KT_SUCCESS && line->core.field != NULL)
        rc = kt_fail(&call.err, KT_UNSUPPORTED, "a line with field= cannot be filled: drop `fill`");
    if (rc == KT_SUCCESS)
        rc = kt_name_to_store(line, &store->ops, name, place, &call.err);
    if (rc == KT_SUCCESS)
        rc = store->ops.fill(store->state, &call, place, put);
    if (rc != KT_SUCCESS && rc != KT_IGNORE)
        kt_host.log(&call, KT_LOG_WARNING, "%s was not filled in: %s: %s", name, kt_status_name(rc),
                    call.err.msg);
    kt_call_done(&call);
}

static void fill_above(const struct kt_ask *ask, const struct kt_budget *budget, size_t below,
                       const struct kt_put *put)
{
    struct kt_handle *h = budget->handle;

    for (size_t i = 0; i < below; i++) {
        struct kt_put copy = *put;

        if (h->read_stores[i] != NULL && wants(h, ask, i, &copy))
            fill_line(budget, i, ask->name, &copy);
    }
}

static bool keeps_copies(const struct kt_handle *h, size_t below)
{
    for (size_t i = 0; i < below; i++)
        if (h->read_stores[i] != NULL && (h->service->read.lines[i].core.fill ||
                                          role_of(h, &h->service->read.lines[i]) == KT_ROLE_CACHE))
            return true;
    return false;
}

static struct kt_asof asof_of(const struct kt_offer *o, const struct kt_handle *h)
{
    struct kt_asof asof = o->asof;

    if ((o->flags & KT_FLAG_COPY) == 0)
        kt_asof_of_age(&h->clock, kt_clock_ms(&h->clock, KT_CLOCK_BOOT) - o->asof.boot_ms, &asof);
    return asof;
}

static void fill_value(const struct kt_ask *ask, const struct kt_budget *budget)
{
    const struct kt_offer *o = &ask->best;
    struct kt_put put = {
        .size = sizeof put,
        .stage = KT_STAGE_CURRENT,
        .state = o->state,
        .id = o->id,
        .data = o->data,
        .len = o->len,
        .created_ms = o->created_ms,
        .expires_ms = o->expires_ms,
        .not_before_ms = o->not_before_ms,
        .attrs = o->attrs,
        .nattrs = o->nattrs,
    };

    if ((o->flags & (KT_FLAG_STALE | KT_FLAG_OVERRIDE)) != 0 || o->age_ms < 0 ||
        !keeps_copies(budget->handle, ask->best_line))
        return;
    put.asof = asof_of(o, budget->handle);
    fill_above(ask, budget, ask->best_line, &put);
}

/* The authority's "no such secret", kept by caches only. */
static void fill_absence(const struct kt_ask *ask, const struct kt_budget *budget)
{
    struct kt_handle *h = budget->handle;
    struct kt_put put = { .size = sizeof put, .stage = KT_STAGE_CURRENT };

    kt_asof_now(&h->clock, &put.asof);
    for (size_t i = 0; i < h->service->read.n; i++)
        if (h->read_stores[i] != NULL && role_of(h, &h->service->read.lines[i]) == KT_ROLE_CACHE &&
            ask->denier != (int)i)
            fill_line(budget, i, ask->name, &put);
}

/* ---- the answer ------------------------------------------------------------------------------ */

static bool is_plain(const struct kt_ask *ask)
{
    return ask->terms->want.version == NULL && ask->terms->want.stage == KT_STAGE_CURRENT;
}

static bool could_not_ask(int status)
{
    return status == KT_UNAVAILABLE || status == KT_THROTTLED || status == KT_TIMEOUT;
}

int kt_ask_finish(struct kt_ask *ask, const struct kt_budget *budget, struct kt_err *err)
{
    struct kt_handle *h = budget->handle;
    const int status = kt_run_answer(&ask->run);

    if (status == KT_SUCCESS) {
        if (is_plain(ask) && ask->best_line > 0)
            fill_value(ask, budget);
        return KT_SUCCESS;
    }
    if (could_not_ask(status) && ask->hand.line != NULL) {
        kt_offer_move(&ask->best, &ask->hand);
        ask->best.flags |= KT_FLAG_STALE;
        return KT_SUCCESS;
    }
    if (is_plain(ask) && status == KT_NOT_FOUND && ask->denier >= 0)
        fill_absence(ask, budget);
    else if (status == KT_DENIED || status == KT_DISABLED ||
             (status == KT_NOT_FOUND && !is_plain(ask)))
        kt_forget(budget, ask->name, NULL, true);
    if (h->service->read.n == 0)
        return kt_fail(err, status, "%s: service '%s' has no read lines: nothing can be read",
                       ask->name, h->service->name);
    return kt_tale_tell(&ask->tale, ask->name, h->service->name, status, err);
}
