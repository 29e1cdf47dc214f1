/* SPDX-License-Identifier: Apache-2.0 */
#include "arena.h"
#include "call.h"
#include "err.h"
#include "id.h"
#include "name.h"
#include "namemap.h"

#include <stdlib.h>
#include <string.h>

#define ROWS_MAX 10000000

/**
 * struct kt_list - rows, and how each line fared
 * @ranks: while it is made: which line (or turn) brought a row; earlier ones win
 */
struct kt_list {
    struct kt_item *items;
    size_t n;
    size_t room;
    size_t *ranks;
    struct kt_line_status *lines;
    size_t nlines;
};

static void free_item(struct kt_item *item)
{
    free((char *)item->name);
    kt_arena_free((void *)item->info.attrs);
}

void kt_list_free(struct kt_list *l)
{
    if (l == NULL)
        return;
    for (size_t i = 0; i < l->n; i++)
        free_item(&l->items[i]);
    for (size_t i = 0; i < l->nlines; i++) {
        free((char *)l->lines[i].file);
        free((char *)l->lines[i].module);
        free((char *)l->lines[i].msg);
    }
    free(l->items);
    free(l->ranks);
    free(l->lines);
    free(l);
}

size_t kt_list_count(const struct kt_list *l)
{
    return l->n;
}

const struct kt_item *kt_list_item(const struct kt_list *l, size_t i)
{
    return i < l->n ? &l->items[i] : NULL;
}

size_t kt_list_lines(const struct kt_list *l, const struct kt_line_status **lines)
{
    *lines = l->lines;
    return l->nlines;
}

/* ---- making one ------------------------------------------------------------------------------ */

static int grow(struct kt_list *l)
{
    const size_t room = l->room == 0 ? 64 : l->room * 2;
    struct kt_item *items;
    size_t *ranks;

    if (l->n < l->room)
        return KT_SUCCESS;
    if (l->n >= ROWS_MAX)
        return KT_TOO_LARGE;
    items = realloc(l->items, room * sizeof *items);
    if (items == NULL)
        return KT_NO_MEMORY;
    l->items = items;
    ranks = realloc(l->ranks, room * sizeof *ranks);
    if (ranks == NULL)
        return KT_NO_MEMORY;
    l->ranks = ranks;
    l->room = room;
    return KT_SUCCESS;
}

static int copy_attrs(const struct kt_version *v, struct kt_info *info)
{
    size_t size = v->nattrs * sizeof *v->attrs;
    struct kt_attr *attrs;
    char *at;

    if (v->nattrs == 0)
        return KT_SUCCESS;
    for (size_t i = 0; i < v->nattrs; i++)
        size += strlen(v->attrs[i].key) + strlen(v->attrs[i].value) + 2;
    attrs = kt_arena_alloc(size, 0);
    if (attrs == NULL)
        return KT_NO_MEMORY;
    at = (char *)(attrs + v->nattrs);
    for (size_t i = 0; i < v->nattrs; i++) {
        attrs[i].key = at;
        at = stpcpy(at, v->attrs[i].key) + 1;
        attrs[i].value = at;
        at = stpcpy(at, v->attrs[i].value) + 1;
    }
    info->attrs = attrs;
    info->nattrs = v->nattrs;
    return KT_SUCCESS;
}

static int fill_info(const struct kt_line *line, const struct kt_version *v, struct kt_info *info)
{
    info->age_ms = -1;
    info->line = line->lineno;
    info->file = line->file;
    info->module = line->module;
    if (v == NULL)
        return KT_SUCCESS;
    if (v->size < sizeof *v || v->nattrs > KT_ATTRS_MAX)
        return KT_MODULE_ERROR;
    if (v->id != NULL) {
        if (kt_id_check(v->id, NULL) != KT_SUCCESS)
            return KT_MODULE_ERROR;
        memcpy(info->id, v->id, strlen(v->id) + 1);
        info->created_ms = v->created_ms != 0 ? v->created_ms : kt_id_ms(v->id);
    }
    info->expires_ms = v->expires_ms;
    info->not_before_ms = v->not_before_ms;
    info->state = v->state;
    info->stages = v->stages;
    info->flags = v->flags;
    return copy_attrs(v, info);
}

static int add_row(struct kt_list *l, size_t rank, const struct kt_line *line, const char *name,
                   uint32_t flags, const struct kt_version *v)
{
    struct kt_item item = { .name = NULL };
    int rc = grow(l);

    if (rc != KT_SUCCESS)
        return rc;
    item.name = strdup(name);
    if (item.name == NULL)
        return KT_NO_MEMORY;
    rc = fill_info(line, v, &item.info);
    item.info.flags |= flags;
    if (rc != KT_SUCCESS) {
        free_item(&item);
        return rc;
    }
    l->items[l->n] = item;
    l->ranks[l->n++] = rank;
    return KT_SUCCESS;
}

static int add_line(struct kt_list *l, const struct kt_line *line, int status, const char *msg)
{
    struct kt_line_status *lines = realloc(l->lines, (l->nlines + 1) * sizeof *lines);
    struct kt_line_status *s;

    if (lines == NULL)
        return KT_NO_MEMORY;
    l->lines = lines;
    s = &lines[l->nlines++];
    s->status = status;
    s->line = line->lineno;
    s->file = strdup(line->file);
    s->module = strdup(line->module);
    s->msg = strdup(msg);
    return s->file != NULL && s->module != NULL && s->msg != NULL ? KT_SUCCESS : KT_NO_MEMORY;
}

/* ---- names ----------------------------------------------------------------------------------- */

struct listing {
    struct kt_list *list;
    const struct kt_line *line;
    const struct kt_store *store;
    const char *prefix;
    size_t rank;
};

static int take_name(void *cookie, const char *place, const struct kt_version *v)
{
    struct listing *t = cookie;
    char name[KT_NAME_MAX + 1];
    const int rc = kt_name_from_store(t->line, &t->store->ops, place, name);

    if (rc == KT_INVALID && t->prefix == NULL)
        return add_row(t->list, t->rank, t->line, place, KT_FLAG_FOREIGN, v);
    if (rc != KT_SUCCESS || kt_name_is_ours(name) || !kt_name_has_prefix(name, t->prefix))
        return KT_SUCCESS;
    return add_row(t->list, t->rank, t->line, name, 0, v);
}

static int list_line(struct listing *t, const struct kt_budget *b, struct kt_store *store,
                     bool last, struct kt_err *err)
{
    const struct kt_sink sink = { .name = take_name, .cookie = t };
    const bool plain = t->line->core.name == NULL;
    struct kt_call call;
    int rc;

    kt_call_start(&call, b, t->line, t->line->module, &sink, last);
    if (kt_budget_cancelled(b))
        rc = kt_fail(&call.err, KT_CANCELLED, "cancelled by the program");
    else if (kt_budget_left_ms(b) == 0)
        rc = kt_fail(&call.err, KT_TIMEOUT, "not asked: the call's deadline is over");
    else if (store == NULL)
        rc = kt_fail(&call.err, KT_UNAVAILABLE, "module '%s' is not installed", t->line->module);
    else
        rc = kt_store_ready(store, &call);
    if (rc == KT_SUCCESS && !kt_name_is_listable(t->line))
        rc = kt_fail(&call.err, KT_UNSUPPORTED,
                     "name=%s cannot be listed: it does not say which "
                     "secret is which",
                     t->line->core.name);
    if (rc == KT_SUCCESS && store->ops.list == NULL)
        rc = kt_fail(&call.err, KT_UNSUPPORTED, "this store cannot be listed");
    if (rc == KT_SUCCESS) {
        t->store = store;
        rc = store->ops.list(store->state, &call,
                             plain && store->ops.naming == KT_NAMING_PLAIN ? t->prefix : NULL);
        if (rc < 0 || rc >= KT_STATUS_COUNT)
            rc = kt_fail(&call.err, KT_MODULE_ERROR, "it answered %d, which is no status", rc);
    }
    kt_call_done(&call);
    if (rc != KT_SUCCESS)
        (void)kt_call_explain(&call, NULL, rc, err);
    return rc;
}

static int by_name(const void *a, const void *b, void *arg)
{
    const struct kt_list *l = arg;
    const size_t i = *(const size_t *)a, j = *(const size_t *)b;
    const int c = strcmp(l->items[i].name, l->items[j].name);

    return c != 0 ? c : l->ranks[i] < l->ranks[j] ? -1 : l->ranks[i] > l->ranks[j];
}

/* Which lines' rows count though the authority answered and has none of that name. */
struct rules {
    size_t authority;   /* rank; SIZE_MAX: it did not answer */
    const bool *stands; /* by rank: an override's rows stand for themselves */
};

static int settle_rows(struct kt_list *l, const struct rules *rules)
{
    size_t *order = malloc((l->n + 1) * sizeof *order);
    struct kt_item *items = malloc((l->n + 1) * sizeof *items);
    size_t n = 0;

    if (order == NULL || items == NULL) {
        free(order);
        free(items);
        return KT_NO_MEMORY;
    }
    for (size_t i = 0; i < l->n; i++)
        order[i] = i;
    qsort_r(order, l->n, sizeof *order, by_name, l);
    for (size_t i = 0; i < l->n;) {
        size_t end = i;
        bool counts = rules->authority == SIZE_MAX;

        while (end < l->n && strcmp(l->items[order[end]].name, l->items[order[i]].name) == 0) {
            const size_t rank = l->ranks[order[end]];

            counts = counts || rank == rules->authority || rules->stands[rank];
            end++;
        }
        for (size_t j = i; j < end; j++)
            if (j == i && counts)
                items[n++] = l->items[order[j]];
            else
                free_item(&l->items[order[j]]);
        i = end;
    }
    free(order);
    free(l->items);
    l->items = items;
    l->n = n;
    return KT_SUCCESS;
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

static bool speaks(const struct kt_handle *h, const struct kt_line *line)
{
    const struct kt_place *p = line->place >= 0 ? &h->service->places[line->place] : NULL;

    return kt_line_is_authority(h->service, line) ||
           (p != NULL && (p->probe.role == KT_ROLE_AGENT || p->probe.role == KT_ROLE_TEST));
}

static int list_lines(struct kt_list *l, const struct kt_budget *b, const char *prefix,
                      bool *stands, struct kt_err *err)
{
    const struct kt_handle *h = b->handle;
    const struct kt_stack *stack = &h->service->read;
    struct rules rules = { SIZE_MAX, stands };
    struct kt_err why = { .status = KT_SUCCESS };
    bool answered = false, authority_failed = false;
    int rc = KT_SUCCESS;

    for (size_t at = 0; at < stack->n && rc == KT_SUCCESS; at++) {
        struct listing t = { .list = l, .line = &stack->lines[at], .prefix = prefix, .rank = at };
        struct kt_err line_err = { .status = KT_SUCCESS };
        int status;

        if (t.line->substack || is_cache(h, at) || asked_before(h, at))
            continue;
        stands[at] = t.line->place >= 0 && kt_line_is_override(h->service, t.line);
        status = list_line(&t, b, h->read_stores[at], at + 1 == stack->n, &line_err);
        rc = add_line(l, t.line, status, line_err.msg);
        if (status == KT_CONFIG_ERROR || (status == KT_CANCELLED && kt_budget_cancelled(b)))
            return kt_fail(err, status, "%s", line_err.msg);
        if (status == KT_SUCCESS) {
            answered = true;
            if (speaks(h, t.line)) {
                rules.authority = at;
                stands[at] = true;
            }
        } else {
            if (why.status == KT_SUCCESS || kt_line_is_authority(h->service, t.line))
                why = line_err;
            authority_failed = authority_failed || kt_line_is_authority(h->service, t.line);
        }
    }
    if (rc == KT_SUCCESS && (authority_failed || !answered))
        return why.status != KT_SUCCESS
                   ? kt_fail(err, why.status, "%s", why.msg)
                   : kt_fail(err, KT_UNSUPPORTED, "no line of service '%s' can be listed",
                             h->service->name);
    if (rc == KT_SUCCESS)
        rc = settle_rows(l, &rules);
    return rc == KT_SUCCESS ? rc : kt_fail(err, rc, "%s", kt_status_meaning(rc));
}

int kt_list(struct kt_handle *h, const char *prefix, const struct kt_call_options *options,
            struct kt_list **out, struct kt_err *err)
{
    struct kt_list *l = NULL;
    struct kt_budget b;
    bool *stands = NULL;
    int rc;

    if (prefix != NULL && prefix[0] == '\0')
        prefix = NULL;
    rc = kt_budget_begin(&b, h, prefix, options, err);
    if (rc != KT_SUCCESS)
        return rc;
    l = calloc(1, sizeof *l);
    stands = calloc(h->service->read.n + 1, sizeof *stands);
    rc = l != NULL && stands != NULL ? list_lines(l, &b, prefix, stands, err)
                                     : kt_fail(err, KT_NO_MEMORY, "out of memory");
    if (rc == KT_SUCCESS) {
        *out = l;
        l = NULL;
    }
    free(stands);
    kt_list_free(l);
    return rc;
}

/* ---- versions -------------------------------------------------------------------------------- */

static int take_version(void *cookie, const struct kt_version *v)
{
    struct listing *t = cookie;

    if (v == NULL || v->id == NULL)
        return KT_MODULE_ERROR;
    return add_row(t->list, 0, t->line, t->prefix, 0, v);
}

/* Newest first; ids break ties, so that the order is always the same. */
static int by_age(const void *a, const void *b)
{
    const struct kt_item *x = a, *y = b;

    if (x->info.created_ms != y->info.created_ms)
        return x->info.created_ms > y->info.created_ms ? -1 : 1;
    return strcmp(y->info.id, x->info.id);
}

static int list_versions(struct kt_list *l, const struct kt_budget *b, const char *name,
                         struct kt_err *err)
{
    struct kt_handle *h = b->handle;
    struct listing t = { .list = l, .line = h->service->authority, .prefix = name };
    const struct kt_sink sink = { .version = take_version, .cookie = &t };
    struct kt_store *store = h->authority;
    char place[KT_PLACE_SIZE];
    struct kt_call call;
    int rc;

    if (t.line == NULL || store == NULL)
        return kt_fail(err, KT_UNSUPPORTED, "%s: service '%s' has no authority to ask", name,
                       h->service->name);
    kt_call_start(&call, b, t.line, t.line->module, &sink, true);
    rc = kt_store_ready(store, &call);
    if (rc == KT_SUCCESS && store->ops.versions == NULL)
        rc = kt_fail(&call.err, KT_UNSUPPORTED, "this store does not tell its versions");
    if (rc == KT_SUCCESS)
        rc = kt_name_to_store(t.line, &store->ops, name, place, &call.err);
    if (rc == KT_SUCCESS) {
        rc = store->ops.versions(store->state, &call, place);
        if (rc < 0 || rc >= KT_STATUS_COUNT)
            rc = kt_fail(&call.err, KT_MODULE_ERROR, "it answered %d, which is no status", rc);
    }
    kt_call_done(&call);
    if (rc != KT_SUCCESS)
        return kt_call_explain(&call, name, rc, err);
    qsort(l->items, l->n, sizeof *l->items, by_age);
    rc = add_line(l, t.line, KT_SUCCESS, "");
    return rc == KT_SUCCESS ? rc : kt_fail(err, rc, "%s", kt_status_meaning(rc));
}

int kt_versions(struct kt_handle *h, const char *name, const struct kt_call_options *options,
                struct kt_list **out, struct kt_err *err)
{
    struct kt_list *l = NULL;
    struct kt_budget b;
    int rc = kt_budget_begin(&b, h, name, options, err);

    if (rc != KT_SUCCESS)
        return rc;
    l = calloc(1, sizeof *l);
    rc = l != NULL ? list_versions(l, &b, name, err) : kt_fail(err, KT_NO_MEMORY, "out of memory");
    if (rc == KT_SUCCESS) {
        *out = l;
        l = NULL;
    }
    kt_list_free(l);
    return rc;
}
