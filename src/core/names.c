/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Which names there are. Every line is asked, the one that speaks for all of them last: its rows pass
 * through as they come, and only the others' are kept, so that a long list needs no room. A name counts
 * if the authority has it, or an override; the row told is that of the first line that has it.
 */

#include "list.h"

#include "err.h"
#include "name.h"
#include "namemap.h"

#include <stdlib.h>
#include <string.h>

#define NOBODY SIZE_MAX

typedef int each_fn(void *cookie, const struct kt_item *item);

/* What becomes of another line's row. */
enum fate {
    COUNTS, /* to be told, unless the speaker has the name */
    HIDDEN, /* only if nobody speaks */
    TOLD
};

/**
 * struct listing - a list under way
 * @speaker: rank of the line whose rows pass through; NOBODY: all rows are kept
 * @stands:  by rank: its names count whatever the authority says
 * @spoke:   some line that speaks for the rest has answered
 * @others:  rows of the other lines; in order of name and rank when the speaker is asked
 * @fates:   of the rows of @others
 * @stopped: what @each returned to end it
 */
struct listing {
    const struct kt_budget *budget;
    const char *prefix;
    each_fn *each;
    void *cookie;
    size_t speaker;
    bool *stands;
    bool spoke;
    struct kt_list others;
    enum fate *fates;
    int stopped;
    /* the turn */
    size_t rank;
    const struct kt_line *line;
    const struct kt_store *store;
};

/* ---- rows ------------------------------------------------------------------------------------ */

static int tell(struct listing *l, const struct kt_item *item)
{
    if (l->stopped == KT_SUCCESS)
        l->stopped = l->each(l->cookie, item);
    return l->stopped;
}

/* The first of the others' rows with this name; their number if there is none. */
static size_t find_other(const struct listing *l, const char *name)
{
    size_t low = 0, high = l->others.n;

    while (low < high) {
        const size_t middle = low + (high - low) / 2;

        if (strcmp(l->others.items[middle].name, name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low < l->others.n && strcmp(l->others.items[low].name, name) == 0 ? low : l->others.n;
}

static int take_item(struct listing *l, struct kt_item *item)
{
    size_t at;
    int rc;

    if (l->rank != l->speaker)
        return kt_list_add(&l->others, l->rank, item);
    at = find_other(l, item->name);
    if (at == l->others.n) {
        rc = tell(l, item);
    } else {
        rc = tell(l, l->others.ranks[at] < l->rank ? &l->others.items[at] : item);
        l->fates[at] = TOLD;
    }
    kt_item_done(item);
    return rc;
}

static int take_name(void *cookie, const char *place, const struct kt_version *v)
{
    struct listing *l = cookie;
    char name[KT_NAME_MAX + 1];
    struct kt_item item;
    int rc = kt_name_from_store(l->line, &l->store->ops, place, name);
    const bool foreign = rc == KT_INVALID && l->prefix == NULL;

    if (!foreign &&
        (rc != KT_SUCCESS || kt_name_is_ours(name) || !kt_name_has_prefix(name, l->prefix)))
        return KT_SUCCESS;
    rc = kt_item_fill(l->line, foreign ? place : name, foreign ? KT_FLAG_FOREIGN : 0, v, &item);
    return rc == KT_SUCCESS ? take_item(l, &item) : rc;
}

/* ---- lines ----------------------------------------------------------------------------------- */

static int ask_line(struct listing *l, struct kt_store *store, struct kt_err *err)
{
    const struct kt_sink sink = { .name = take_name, .cookie = l };
    const bool plain = l->line->core.name == NULL;
    struct kt_call call;
    int rc;

    kt_call_start(&call, l->budget, l->line, l->line->module, &sink, l->rank == l->speaker);
    if (kt_budget_cancelled(l->budget))
        rc = kt_fail(&call.err, KT_CANCELLED, "cancelled by the program");
    else if (kt_budget_left_ms(l->budget) == 0)
        rc = kt_fail(&call.err, KT_TIMEOUT, "not asked: the call's deadline is over");
    else if (store == NULL)
        rc = kt_fail(&call.err, KT_UNAVAILABLE, "module '%s' is not installed", l->line->module);
    else
        rc = kt_store_ready(store, &call);
    if (rc == KT_SUCCESS && !kt_name_is_listable(l->line))
        rc = kt_fail(&call.err, KT_UNSUPPORTED,
                     "name=%s cannot be listed: it does not say which "
                     "secret is which",
                     l->line->core.name);
    if (rc == KT_SUCCESS && store->ops.list == NULL)
        rc = kt_fail(&call.err, KT_UNSUPPORTED, "this store cannot be listed");
    if (rc == KT_SUCCESS) {
        l->store = store;
        rc = store->ops.list(store->state, &call,
                             plain && store->ops.naming == KT_NAMING_PLAIN ? l->prefix : NULL);
        if (rc < 0 || rc >= KT_STATUS_COUNT)
            rc = kt_fail(&call.err, KT_MODULE_ERROR, "it answered %d, which is no status", rc);
    }
    kt_call_done(&call);
    if (rc != KT_SUCCESS)
        (void)kt_call_explain(&call, NULL, rc, err);
    return rc;
}

static bool asked_before(const struct kt_handle *h, size_t at)
{
    for (size_t i = 0; i < at; i++)
        if (h->read_stores[i] != NULL && h->read_stores[i] == h->read_stores[at] &&
            (h->service->read.lines[i].core.name == NULL ||
             strcmp(h->service->read.lines[i].core.name, h->service->read.lines[at].core.name) ==
                 0))
            return true;
    return false;
}

static bool is_cache(const struct kt_handle *h, size_t at)
{
    return h->read_stores[at] != NULL &&
           h->service->places[h->service->read.lines[at].place].probe.role == KT_ROLE_CACHE;
}

static bool is_asked(const struct kt_handle *h, size_t at)
{
    return !h->service->read.lines[at].substack && !is_cache(h, at) && !asked_before(h, at);
}

static bool speaks(const struct kt_handle *h, const struct kt_line *line)
{
    const struct kt_place *p = line->place >= 0 ? &h->service->places[line->place] : NULL;

    return kt_line_is_authority(h->service, line) ||
           (p != NULL && (p->probe.role == KT_ROLE_AGENT || p->probe.role == KT_ROLE_TEST));
}

/* The authority, else the last that speaks for the others. */
static size_t find_speaker(const struct kt_handle *h)
{
    const struct kt_stack *stack = &h->service->read;
    size_t speaker = NOBODY;

    for (size_t at = 0; at < stack->n; at++) {
        if (!is_asked(h, at) || !speaks(h, &stack->lines[at]))
            continue;
        speaker = at;
        if (kt_line_is_authority(h->service, &stack->lines[at]))
            break;
    }
    return speaker;
}

static int by_name(const void *a, const void *b, void *arg)
{
    const struct kt_list *l = arg;
    const size_t i = *(const size_t *)a, j = *(const size_t *)b;
    const int c = strcmp(l->items[i].name, l->items[j].name);

    return c != 0 ? c : l->ranks[i] < l->ranks[j] ? -1 : l->ranks[i] > l->ranks[j];
}

/* In order of name; of several rows the first line's stays, and counts if one of them does. */
static int settle_others(struct listing *l)
{
    struct kt_list *o = &l->others;
    size_t *order = malloc((o->n + 1) * sizeof *order);
    struct kt_item *items = malloc((o->n + 1) * sizeof *items);
    size_t *ranks = malloc((o->n + 1) * sizeof *ranks);
    size_t n = 0;
    int rc = KT_NO_MEMORY;

    l->fates = calloc(o->n + 1, sizeof *l->fates);
    if (order == NULL || items == NULL || ranks == NULL || l->fates == NULL)
        goto out;
    for (size_t i = 0; i < o->n; i++)
        order[i] = i;
    qsort_r(order, o->n, sizeof *order, by_name, o);
    for (size_t i = 0; i < o->n; i++) {
        struct kt_item *item = &o->items[order[i]];

        if (n > 0 && strcmp(items[n - 1].name, item->name) == 0) {
            if (l->stands[o->ranks[order[i]]])
                l->fates[n - 1] = COUNTS;
            free((char *)item->name);
            kt_item_done(item);
            continue;
        }
        l->fates[n] = l->stands[o->ranks[order[i]]] ? COUNTS : HIDDEN;
        items[n] = *item;
        ranks[n++] = o->ranks[order[i]];
    }
    free(o->items);
    free(o->ranks);
    o->items = items;
    o->ranks = ranks;
    o->n = n;
    items = NULL;
    ranks = NULL;
    rc = KT_SUCCESS;
out:
    free(order);
    free(items);
    free(ranks);
    return rc;
}

/** struct outcome - how the lines fared, by rank */
struct outcome {
    bool answered;
    bool authority_failed;
    struct kt_err why;
};

/* One line's turn; what it came to is noted in @lines. KT_SUCCESS: the list goes on. */
static int take_turn(struct listing *l, size_t at, struct outcome *o, struct kt_list *lines,
                     struct kt_err *err)
{
    const struct kt_handle *h = l->budget->handle;
    struct kt_err line_err = { .status = KT_SUCCESS };
    unsigned lineno, column;
    const char *words;
    int status;
    int rc;

    l->rank = at;
    l->line = &h->service->read.lines[at];
    status = ask_line(l, h->read_stores[at], &line_err);
    if (l->stopped != KT_SUCCESS)
        return kt_fail(err, l->stopped, "the list was ended by the program");
    words = kt_where_skip(l->line, line_err.msg, &lineno, &column);
    rc = kt_list_add_line(lines, l->line, status, kt_without_name(words, l->line->module));
    if (rc != KT_SUCCESS)
        return kt_fail(err, rc, "out of memory");
    if (status == KT_CONFIG_ERROR || (status == KT_CANCELLED && kt_budget_cancelled(l->budget)))
        return kt_fail(err, status, "%s", line_err.msg);
    if (status == KT_SUCCESS) {
        o->answered = true;
        l->spoke = l->spoke || speaks(h, l->line);
        l->stands[at] = l->stands[at] || speaks(h, l->line);
        return KT_SUCCESS;
    }
    if (o->why.status == KT_SUCCESS || kt_line_is_authority(h->service, l->line))
        o->why = line_err;
    o->authority_failed = o->authority_failed || kt_line_is_authority(h->service, l->line);
    return KT_SUCCESS;
}

/* The speaker was asked last, and stands where its line stands. */
static void order_lines(const struct listing *l, struct kt_list *lines)
{
    struct kt_line_status *s = lines->lines;
    size_t to = 0;

    if (l->speaker == NOBODY)
        return;
    for (size_t at = 0; at < l->speaker; at++)
        to += is_asked(l->budget->handle, at) ? 1 : 0;
    const struct kt_line_status last = s[lines->nlines - 1];
    memmove(&s[to + 1], &s[to], (lines->nlines - 1 - to) * sizeof *s);
    s[to] = last;
}

static int ask_all(struct listing *l, struct outcome *o, struct kt_list *lines, struct kt_err *err)
{
    const struct kt_handle *h = l->budget->handle;
    const size_t n = h->service->read.n;
    int rc = KT_SUCCESS;

    for (size_t at = 0; at < n && rc == KT_SUCCESS; at++) {
        l->stands[at] = h->service->read.lines[at].place >= 0 &&
                        kt_line_is_override(h->service, &h->service->read.lines[at]);
        if (at != l->speaker && is_asked(h, at))
            rc = take_turn(l, at, o, lines, err);
    }
    if (rc == KT_SUCCESS && settle_others(l) != KT_SUCCESS)
        rc = kt_fail(err, KT_NO_MEMORY, "out of memory");
    if (rc == KT_SUCCESS && l->speaker != NOBODY)
        rc = take_turn(l, l->speaker, o, lines, err);
    return rc;
}

/* What nobody has told yet. */
static int tell_others(struct listing *l)
{
    for (size_t i = 0; i < l->others.n && l->stopped == KT_SUCCESS; i++)
        if (l->fates[i] == COUNTS || (l->fates[i] == HIDDEN && !l->spoke))
            (void)tell(l, &l->others.items[i]);
    return l->stopped;
}

static int run(struct listing *l, struct kt_list *lines, struct kt_err *err)
{
    const struct kt_service *service = l->budget->handle->service;
    struct outcome o = { .answered = false, .why = { .status = KT_SUCCESS } };
    int rc = ask_all(l, &o, lines, err);

    if (rc != KT_SUCCESS)
        return rc;
    if (service->read.n == 0)
        return kt_fail(err, KT_UNSUPPORTED, "service '%s' has no read lines", service->name);
    if (o.authority_failed || !o.answered)
        return o.why.status != KT_SUCCESS
                   ? kt_fail(err, o.why.status, "%s", o.why.msg)
                   : kt_fail(err, KT_UNSUPPORTED, "no line of service '%s' can be listed",
                             service->name);
    rc = tell_others(l);
    if (rc != KT_SUCCESS)
        return kt_fail(err, rc, "the list was ended by the program");
    order_lines(l, lines);
    return KT_SUCCESS;
}

int kt_list_each(struct kt_handle *h, const char *prefix, const struct kt_call_options *options,
                 int (*each)(void *cookie, const struct kt_item *item), void *cookie,
                 struct kt_list **lines, struct kt_err *err)
{
    struct kt_budget b;
    struct listing l = { .budget = &b, .each = each, .cookie = cookie };
    struct kt_list *statuses;
    int rc;

    if (prefix != NULL && prefix[0] != '\0')
        l.prefix = prefix;
    rc = kt_budget_begin(&b, h, l.prefix, options, err);
    if (rc != KT_SUCCESS)
        return rc;
    l.speaker = find_speaker(h);
    l.stands = calloc(h->service->read.n + 1, sizeof *l.stands);
    statuses = calloc(1, sizeof *statuses);
    rc = l.stands != NULL && statuses != NULL ? run(&l, statuses, err)
                                              : kt_fail(err, KT_NO_MEMORY, "out of memory");
    if (rc == KT_SUCCESS && lines != NULL) {
        *lines = statuses;
        statuses = NULL;
    }
    for (size_t i = 0; i < l.others.n; i++) {
        free((char *)l.others.items[i].name);
        kt_item_done(&l.others.items[i]);
    }
    free(l.others.items);
    free(l.others.ranks);
    free(l.fates);
    free(l.stands);
    kt_list_free(statuses);
    return rc;
}
