/* SPDX-License-Identifier: Apache-2.0 */
#include "ask.h"

#include "arena.h"
#include "clock.h"
#include "err.h"
#include "name.h"
#include "namemap.h"

#include <stdlib.h>
#include <string.h>

/** struct turn - one line's turn, for the asks that reached it */
struct turn {
    const struct kt_line *line;
    struct kt_call call;
    struct kt_ask **asks;
    size_t n;
};

void kt_ask_start(struct kt_ask *ask, struct kt_handle *h, const char *name,
                  const struct kt_terms *terms, struct kt_storage *storage)
{
    ask->name = name;
    ask->terms = terms;
    ask->nseen = 0;
    ask->best_line = 0;
    ask->denier = -1;
    ask->handle = h;
    kt_flight_init(&ask->flight, h);
    ask->alone = false;
    kt_tale_start(&ask->tale);
    kt_offer_init(&ask->turn, storage != NULL ? storage->turn : NULL);
    kt_offer_init(&ask->best, storage != NULL ? storage->best : NULL);
    kt_offer_init(&ask->hand, storage != NULL ? storage->hand : NULL);
    kt_run_start(&ask->run, &h->service->read);
}

void kt_ask_done(struct kt_ask *ask)
{
    kt_flight_land(&ask->flight, ask->handle);
    kt_offer_clear(&ask->turn);
    kt_offer_clear(&ask->best);
    kt_offer_clear(&ask->hand);
}

/* ---- one turn -------------------------------------------------------------------------------- */

static int take_value(void *cookie, size_t index, const struct kt_version *v, const void *data,
                      size_t len)
{
    struct turn *t = cookie;

    if (index >= t->n)
        return kt_fail(&t->call.err, KT_MODULE_ERROR,
                       "it gave a value for a name nobody asked for");
    return kt_offer_take(&t->asks[index]->turn, t->line, v, data, len);
}

/* A module that says one thing and does another. */
static int honest(struct turn *t, const struct kt_ask *ask, int raw)
{
    const bool given = ask->turn.line != NULL;

    if (raw < 0 || raw >= KT_STATUS_COUNT)
        return kt_fail(&t->call.err, KT_MODULE_ERROR, "it answered %d, which is no status", raw);
    if (ask->turn.fault != NULL)
        return kt_fail(&t->call.err, KT_MODULE_ERROR, "%s", ask->turn.fault);
    if (raw == KT_SUCCESS && (!given || ask->turn.negative))
        return kt_fail(&t->call.err, KT_MODULE_ERROR, "it said success and gave no value");
    if (raw == KT_SUCCESS && ask->terms->want.version != NULL &&
        strcmp(ask->terms->want.version, ask->turn.id) != 0)
        return kt_fail(&t->call.err, KT_MODULE_ERROR,
                       "it gave another version than it was asked for");
    return raw;
}

static int ask_one(struct turn *t, struct kt_store *store)
{
    struct kt_ask *ask = t->asks[0];
    char place[KT_PLACE_SIZE];
    int rc = kt_name_to_store(t->line, &store->ops, ask->name, place, &t->call.err);

    /* Nothing can be stored under a name that the store does not take. */
    if (rc != KT_SUCCESS)
        return KT_NOT_FOUND;
    rc = store->ops.get(store->state, &t->call, place, &ask->terms->want);
    rc = honest(t, ask, rc);
    if (rc == KT_SUCCESS && t->line->core.field != NULL && !kt_name_is_ours(ask->name))
        rc = kt_offer_pick(&ask->turn, t->line->core.field, &t->call.err);
    return rc;
}

/* A batch has one place for words: whose they are cannot be told, so each name gets its status's. */
static int pick_one(struct turn *t, struct kt_ask *ask, int raw)
{
    int rc;

    t->call.err.status = KT_SUCCESS;
    t->call.err.msg[0] = '\0';
    rc = honest(t, ask, raw);
    if (rc == KT_SUCCESS && t->line->core.field != NULL && !kt_name_is_ours(ask->name))
        rc = kt_offer_pick(&ask->turn, t->line->core.field, &t->call.err);
    return rc;
}

static int ask_batch(struct turn *t, struct kt_store *store, int *statuses)
{
    const char **names = calloc(t->n, sizeof *names);
    char(*places)[KT_PLACE_SIZE] = NULL;
    const bool mapped = t->line->core.name != NULL || store->ops.naming >= KT_NAMING_DASHES;
    int rc = KT_SUCCESS;

    if (mapped)
        places = calloc(t->n, sizeof *places);
    if (names == NULL || (mapped && places == NULL)) {
        rc = kt_fail(&t->call.err, KT_NO_MEMORY, "out of memory");
        goto out;
    }
    for (size_t i = 0; i < t->n && rc == KT_SUCCESS; i++) {
        names[i] = t->asks[i]->name;
        statuses[i] = KT_MODULE_ERROR;
        if (!mapped)
            continue;
        /* A name that the store does not take: one by one, so that it harms no other. */
        if (kt_name_to_store(t->line, &store->ops, names[i], places[i], NULL) != KT_SUCCESS)
            rc = KT_UNSUPPORTED;
        names[i] = places[i];
    }
    if (rc == KT_SUCCESS)
        rc = store->ops.get_many(store->state, &t->call, names, t->n, &t->asks[0]->terms->want,
                                 statuses);
out:
    free(places);
    free(names);
    return rc;
}

/* ---- the stack ------------------------------------------------------------------------------- */

static void tell_step(const struct turn *t, const struct kt_ask *ask, int raw, int status,
                      int action, int64_t started_ns, const char *note, kt_step_fn *step,
                      void *cookie)
{
    const struct kt_budget *b = t->call.budget;
    char jump[24];
    struct kt_err err;
    struct kt_step s = {
        .file = t->line->file,
        .line = t->line->lineno,
        .level = t->line->level,
        .control = t->line->control.text,
        .module = t->line->module,
        .status = status,
        .raw = raw,
        .action = kt_action_text(action, jump),
        .impression = kt_impression_text(ask->run.now.impression),
        .state = kt_run_answer(&ask->run),
        .elapsed_ms = (kt_clock_ns(&b->handle->clock, KT_CLOCK_MONOTONIC) - started_ns) / 1000000,
        .age_ms = ask->turn.line != NULL ? ask->turn.age_ms : -1,
        .id = ask->turn.line != NULL ? ask->turn.id : "",
        .note = note,
    };

    if (note[0] == '\0' && status != KT_SUCCESS && status != KT_IGNORE) {
        err = t->call.err;
        s.note = err.msg[0] != '\0' && err.status == status ? err.msg : kt_status_meaning(status);
    }
    step(cookie, &s);
}

static void remember(struct kt_ask *ask, size_t at, const struct kt_line *line)
{
    struct kt_seen *seen;

    if (!line->core.fill || ask->turn.line == NULL || ask->nseen == KT_SEEN_MAX)
        return;
    seen = &ask->seen[ask->nseen++];
    seen->line = at;
    seen->age_ms = ask->turn.age_ms;
    memcpy(seen->id, ask->turn.id, sizeof seen->id);
}

/* A cache has nothing to answer with. Is another get fetching the same thing? Then see what it got. */
static bool worth_again(const struct turn *t, struct kt_ask *ask, int status)
{
    const struct kt_handle *h = t->call.budget->handle;

    return status == KT_IGNORE && ask->alone &&
           h->service->places[t->line->place].probe.role == KT_ROLE_CACHE &&
           ask->terms->want.version == NULL && ask->terms->want.stage == KT_STAGE_CURRENT &&
           kt_flight_board(&ask->flight, t->call.budget, ask->name, t->call.deadline_ns);
}

/* The line at @at answered @raw for one ask: judge, feed, keep what is worth keeping. */
static void settle(struct turn *t, struct kt_ask *ask, size_t at, int raw, bool asked,
                   const char *skipped, int64_t started_ns, kt_step_fn *step, void *cookie)
{
    struct kt_handle *h = t->call.budget->handle;
    const struct kt_stack *stack = &h->service->read;
    enum kt_verdict verdict = KT_PASSED;
    const char *note = skipped != NULL ? skipped : "";
    int status = raw, action;

    if (asked && raw != KT_MODULE_ERROR)
        status = kt_judge(h, t->line, ask->terms, raw, &ask->turn, &verdict, &note);
    if (asked && worth_again(t, ask, status)) {
        kt_offer_clear(&ask->turn);
        raw = ask_one(t, h->read_stores[at]);
        status = kt_judge(h, t->line, ask->terms, raw, &ask->turn, &verdict, &note);
    }
    action = kt_run_feed(&ask->run, stack, status);
    if (status == KT_NOT_FOUND)
        ask->denier = (int)at;
    kt_tale_keep(&ask->tale, &t->call, ask->name, &ask->run, status, action);
    remember(ask, at, t->line);
    if (status == KT_CONFIG_ERROR || kt_budget_cancelled(t->call.budget))
        kt_run_end(&ask->run, stack, status == KT_CONFIG_ERROR ? status : KT_CANCELLED);
    if (step != NULL)
        tell_step(t, ask, asked ? raw : -1, status, action, started_ns, note, step, cookie);
    /* Kept also while the stack refuses: a `reset` may bring its granter back. */
    if (status == KT_SUCCESS && verdict == KT_ANSWERS && ask->run.now.granter == (int)at) {
        kt_offer_move(&ask->best, &ask->turn);
        ask->best_line = at;
    } else if (verdict == KT_IN_HAND &&
               (ask->hand.line == NULL || ask->turn.age_ms < ask->hand.age_ms)) {
        kt_offer_move(&ask->hand, &ask->turn);
    }
    kt_offer_clear(&ask->turn);
}

/* What keeps a line from being asked at all; KT_SUCCESS if nothing does. */
static int ready(struct turn *t, struct kt_store *store)
{
    const struct kt_budget *b = t->call.budget;

    if (kt_budget_cancelled(b))
        return kt_fail(&t->call.err, KT_CANCELLED, "cancelled by the program");
    if (kt_budget_left_ms(b) == 0)
        return kt_fail(&t->call.err, KT_TIMEOUT, "not asked: the call's deadline is over");
    if (store == NULL)
        return kt_fail(&t->call.err, KT_UNAVAILABLE, "module '%s' is not installed",
                       t->line->module);
    return kt_store_ready(store, &t->call);
}

static void take_turn(struct turn *t, size_t at, kt_step_fn *step, void *cookie)
{
    const struct kt_budget *b = t->call.budget;
    struct kt_handle *h = b->handle;
    struct kt_store *store = h->read_stores[at];
    const int64_t started = step != NULL ? kt_clock_ns(&h->clock, KT_CLOCK_MONOTONIC) : 0;
    const char *skipped = NULL;
    int *statuses = NULL;
    int rc;

    if (t->line->place >= 0 && kt_judge_skips(h, t->line, t->asks[0]->terms, &skipped))
        rc = KT_IGNORE;
    else
        rc = ready(t, store);
    if (skipped == NULL && rc == KT_SUCCESS && t->n > 1 && store->ops.get_many != NULL) {
        statuses = calloc(t->n, sizeof *statuses);
        rc = statuses != NULL ? ask_batch(t, store, statuses) : KT_NO_MEMORY;
        for (size_t i = 0; i < t->n && rc != KT_UNSUPPORTED; i++)
            settle(t, t->asks[i], at, rc == KT_SUCCESS ? pick_one(t, t->asks[i], statuses[i]) : rc,
                   true, NULL, started, step, cookie);
        free(statuses);
        if (rc != KT_UNSUPPORTED)
            return;
        rc = KT_SUCCESS;
    }
    for (size_t i = 0; i < t->n; i++) {
        struct turn one = *t;
        const bool asked = skipped == NULL && rc == KT_SUCCESS;

        if (t->n == 1) {
            settle(t, t->asks[0], at, asked ? ask_one(t, store) : rc, asked, skipped, started, step,
                   cookie);
            return;
        }
        one.asks = &t->asks[i];
        one.n = 1;
        one.call.sink = NULL;
        if (asked) {
            struct kt_sink sink = { .value = take_value, .cookie = &one };

            kt_call_start(&one.call, b, t->line, t->line->module, &sink, true);
            one.call.deadline_ns = t->call.deadline_ns;
            rc = ready(&one, store);
            settle(&one, one.asks[0], at, rc == KT_SUCCESS ? ask_one(&one, store) : rc,
                   rc == KT_SUCCESS, NULL, started, step, cookie);
            kt_call_done(&one.call);
            rc = KT_SUCCESS;
        } else {
            settle(&one, one.asks[0], at, rc, false, skipped, started, step, cookie);
        }
    }
}

static void turn_of(const struct kt_budget *budget, struct kt_ask **asks, size_t n, size_t at,
                    kt_step_fn *step, void *cookie)
{
    const struct kt_stack *stack = &budget->handle->service->read;
    struct turn t = { .line = &stack->lines[at], .asks = asks, .n = n };
    const struct kt_sink sink = { .value = take_value, .cookie = &t };

    kt_call_start(&t.call, budget, t.line, t.line->module, &sink, at + 1 == stack->n);
    take_turn(&t, at, step, cookie);
    kt_call_done(&t.call);
}

void kt_ask_walk(const struct kt_budget *budget, struct kt_ask **asks, size_t n, kt_step_fn *step,
                 void *cookie)
{
    const struct kt_stack *stack = &budget->handle->service->read;
    struct kt_ask **here;

    if (n == 1) {
        asks[0]->alone = true;
        while (!kt_run_over(&asks[0]->run, stack))
            turn_of(budget, asks, 1, asks[0]->run.next, step, cookie);
        return;
    }
    here = calloc(n, sizeof(struct kt_ask *));
    for (size_t at = 0; at < stack->n; at++) {
        size_t reached = 0;

        for (size_t i = 0; i < n; i++) {
            if (asks[i]->run.next != at)
                continue;
            if (here != NULL)
                here[reached++] = asks[i];
            else
                kt_run_end(&asks[i]->run, stack, KT_NO_MEMORY);
        }
        if (reached > 0)
            turn_of(budget, here, reached, at, step, cookie);
    }
    free(here);
}
