/* SPDX-License-Identifier: Apache-2.0 */
#include "list.h"

#include "arena.h"
#include "err.h"
#include "id.h"
#include "namemap.h"

#include <stdlib.h>
#include <string.h>

#define ROWS_MAX 10000000

void kt_item_done(struct kt_item *item)
{
    kt_arena_free((void *)item->info.attrs);
}

static void free_item(struct kt_item *item)
{
    free((char *)item->name);
    kt_item_done(item);
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

int kt_item_fill(const struct kt_line *line, const char *name, uint32_t flags,
                 const struct kt_version *v, struct kt_item *out)
{
    struct kt_info *info = &out->info;

    *out = (struct kt_item){ .name = name,
                             .info = { .age_ms = -1,
                                       .line = line->lineno,
                                       .file = line->file,
                                       .module = line->module,
                                       .flags = flags } };
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
    info->flags |= v->flags;
    return copy_attrs(v, info);
}

int kt_list_add(struct kt_list *l, size_t rank, struct kt_item *item)
{
    int rc = grow(l);
    char *name = rc == KT_SUCCESS ? strdup(item->name) : NULL;

    if (name == NULL) {
        kt_item_done(item);
        return rc == KT_SUCCESS ? KT_NO_MEMORY : rc;
    }
    item->name = name;
    l->items[l->n] = *item;
    l->ranks[l->n++] = rank;
    return KT_SUCCESS;
}

int kt_list_add_line(struct kt_list *l, const struct kt_line *line, int status, const char *msg)
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

static int keep(void *cookie, const struct kt_item *item)
{
    struct kt_list *l = cookie;
    struct kt_item copy = *item;
    const struct kt_version attrs = { .attrs = item->info.attrs, .nattrs = item->info.nattrs };
    int rc;

    copy.info.attrs = NULL;
    copy.info.nattrs = 0;
    rc = copy_attrs(&attrs, &copy.info);
    return rc == KT_SUCCESS ? kt_list_add(l, 0, &copy) : rc;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct kt_item *)a)->name, ((const struct kt_item *)b)->name);
}

/* Some store has told a name twice: what came first stands. */
static void drop_doubles(struct kt_list *l)
{
    size_t n = 0;

    for (size_t i = 0; i < l->n; i++)
        if (n > 0 && strcmp(l->items[n - 1].name, l->items[i].name) == 0)
            free_item(&l->items[i]);
        else
            l->items[n++] = l->items[i];
    l->n = n;
}

int kt_list(struct kt_handle *h, const char *prefix, const struct kt_call_options *options,
            struct kt_list **out, struct kt_err *err)
{
    struct kt_list *rows = calloc(1, sizeof *rows);
    struct kt_list *lines = NULL;
    int rc;

    if (rows == NULL)
        return kt_fail(err, KT_NO_MEMORY, "out of memory");
    rc = kt_list_each(h, prefix, options, keep, rows, &lines, err);
    if (rc == KT_SUCCESS) {
        if (rows->n > 0)
            qsort(rows->items, rows->n, sizeof *rows->items, by_name);
        drop_doubles(rows);
        rows->lines = lines->lines;
        rows->nlines = lines->nlines;
        lines->lines = NULL;
        lines->nlines = 0;
        *out = rows;
        rows = NULL;
    }
    kt_list_free(lines);
    kt_list_free(rows);
    return rc;
}

/* ---- versions -------------------------------------------------------------------------------- */

struct telling {
    struct kt_list *list;
    const struct kt_line *line;
    const char *name;
};

static int take_version(void *cookie, const struct kt_version *v)
{
    struct telling *t = cookie;
    struct kt_item item;
    int rc;

    if (v == NULL || v->id == NULL)
        return KT_MODULE_ERROR;
    rc = kt_item_fill(t->line, t->name, 0, v, &item);
    return rc == KT_SUCCESS ? kt_list_add(t->list, 0, &item) : rc;
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
    struct telling t = { .list = l, .line = h->service->authority, .name = name };
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
    rc = kt_list_add_line(l, t.line, KT_SUCCESS, "");
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
