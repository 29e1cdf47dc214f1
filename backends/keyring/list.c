/* SPDX-License-Identifier: Apache-2.0 */
#include "find.h"
#include "place.h"

#include <stdlib.h>
#include <string.h>

/* ---- names ----------------------------------------------------------------------------------- */

struct list {
    const char *prefix;
    struct kt_hits hits;
};

static bool has_prefix(const char *name, const char *prefix)
{
    const size_t n = prefix != NULL ? strlen(prefix) : 0;

    return n == 0 || (strncmp(name, prefix, n) == 0 && (name[n] == '\0' || name[n] == '/'));
}

/* The pairs without a name in them: what all items have. */
static GVariant *common_query(const struct kt_keyring *line, size_t named)
{
    const struct kt_pattern *p = line->pattern;
    char value[KT_PATTERN_VALUE_MAX];
    GVariantBuilder b;

    g_variant_builder_init(&b, G_VARIANT_TYPE("a{ss}"));
    for (size_t i = 0; i < p->n; i++)
        if (i != named && kt_pattern_expand(p->pairs[i].value, "", value, sizeof(value)))
            g_variant_builder_add(&b, "{ss}", p->pairs[i].key, value);
    return g_variant_builder_end(&b);
}

/* False: it has no name here. */
static bool name_of(const struct kt_keyring *line, const struct kt_item *item, size_t named,
                    char name[KT_NAME_MAX + 1])
{
    const char *key = line->pattern != NULL ? line->pattern->pairs[named].key : "name";
    const char *text = g_hash_table_lookup(item->attrs, key);

    if (text == NULL || text[0] == '\0')
        return false;
    if (line->pattern != NULL)
        return kt_pattern_match(line->pattern->pairs[named].value, text, name, KT_NAME_MAX + 1);
    if (strlen(text) > KT_NAME_MAX || !kt_item_is_current(item, line->service, text))
        return false;
    (void)g_strlcpy(name, text, KT_NAME_MAX + 1);
    return true;
}

/** struct row - a name, and the item that counts of those that bear it */
struct row {
    char name[KT_NAME_MAX + 1];
    const struct kt_item *item;
};

static int by_name(const void *a, const void *b)
{
    const struct row *x = a, *y = b;
    const int order = strcmp(x->name, y->name);

    if (order != 0)
        return order;
    return kt_item_newer(x->item, y->item) ? -1 : 1;
}

static int tell(struct kt_op *op, const struct list *l, size_t named)
{
    struct row *rows = calloc(l->hits.items->len + 1, sizeof(*rows));
    size_t n = 0;
    int rc = KT_SUCCESS;

    if (rows == NULL)
        return op->host->fail(op->call, KT_NO_MEMORY, "keyring: out of memory");
    for (size_t i = 0; i < l->hits.items->len; i++) {
        rows[n].item = l->hits.items->pdata[i];
        if (name_of(op->line, rows[n].item, named, rows[n].name) &&
            has_prefix(rows[n].name, l->prefix))
            n++;
    }
    if (n > 0)
        qsort(rows, n, sizeof(*rows), by_name);
    for (size_t i = 0; i < n && rc == KT_SUCCESS; i++) {
        const struct kt_version v = kt_item_version(rows[i].item, KT_STAGE_CURRENT);

        if (i == 0 || strcmp(rows[i].name, rows[i - 1].name) != 0)
            rc = op->host->give_name(op->call, rows[i].name, &v);
    }
    free(rows);
    return rc;
}

static int list_body(struct kt_op *op, void *arg)
{
    struct list *l = arg;
    const struct kt_pattern *p = op->line->pattern;
    const size_t named = p != NULL ? kt_pattern_named(p) : 0;
    int rc;

    if (p != NULL && named == p->n)
        return op->host->fail(op->call, KT_UNSUPPORTED,
                              "keyring: a line with attributes= can list only if one of them "
                              "holds %%n once");
    rc = kt_place_open(op);
    if (rc != KT_SUCCESS)
        return rc;
    kt_hits_init(&l->hits, p != NULL ? common_query(op->line, named)
                                     : kt_query_current(op->line->service, NULL));
    rc = kt_find(op, &l->hits, 1, false);
    if (rc == KT_SUCCESS)
        rc = kt_find_times(op, &l->hits, 1);
    if (rc == KT_SUCCESS)
        rc = tell(op, l, named);
    kt_hits_done(&l->hits);
    return rc;
}

int kt_keyring_list(void *state, struct kt_call *call, const char *prefix)
{
    struct list l = { .prefix = prefix };

    return kt_op_run(state, call, list_body, &l);
}

/* ---- versions -------------------------------------------------------------------------------- */

/* Of several items with one id the newest speaks: the current one, or the last in order. */
static bool is_double(const struct kt_item *const *items, size_t i, const struct kt_item *current)
{
    if (items[i] == current)
        return false;
    for (size_t k = 0; k < i; k++)
        if (strcmp(items[k]->id, items[i]->id) == 0)
            return true;
    return current != NULL && strcmp(current->id, items[i]->id) == 0;
}

static const struct kt_item *pending_of(const struct kt_item *const *items, size_t n)
{
    const struct kt_item *best = NULL;

    for (size_t i = 0; i < n; i++)
        if (items[i]->pending && (best == NULL || kt_item_newer(items[i], best)))
            best = items[i];
    return best;
}

static int tell_versions(struct kt_op *op, const struct kt_item *const *items, size_t n,
                         const struct kt_item *current)
{
    const struct kt_item *pending = pending_of(items, n);
    int rc = KT_SUCCESS;

    for (size_t i = 0; i < n && rc == KT_SUCCESS; i++) {
        const bool previous = current != NULL && current->previous != NULL && items[i] != current &&
                              strcmp(current->previous, items[i]->id) == 0;
        const uint32_t stages = (items[i] == current ? KT_STAGE_CURRENT : 0) |
                                (previous ? KT_STAGE_PREVIOUS : 0) |
                                (items[i] == pending ? KT_STAGE_PENDING : 0);
        const struct kt_version v = kt_item_version(items[i], stages);

        if (items[i]->id[0] != '\0' && !is_double(items, i, current))
            rc = op->host->give_version(op->call, &v);
    }
    return rc;
}

/* Of ours by one search; a current one that others made by the other. */
static int versions_of(struct kt_op *op, const char *name, const struct kt_hits h[2])
{
    const struct kt_item *current = kt_hits_current(&h[1], op->line->service, name);
    const struct kt_item **items = calloc(h[0].items->len + h[1].items->len + 1,
                                          sizeof(const struct kt_item *));
    size_t n = 0;
    int rc;

    if (items == NULL)
        return op->host->fail(op->call, KT_NO_MEMORY, "keyring: out of memory");
    for (size_t i = 0; i < h[1].items->len; i++)
        if (kt_item_is_current(h[1].items->pdata[i], op->line->service, name))
            items[n++] = h[1].items->pdata[i];
    for (size_t i = 0; i < h[0].items->len; i++)
        if (!kt_item_is_current(h[0].items->pdata[i], op->line->service, name))
            items[n++] = h[0].items->pdata[i];
    rc = n > 0 ? tell_versions(op, items, n, current) : KT_NOT_FOUND;
    free(items);
    return rc;
}

static int versions_body(struct kt_op *op, void *arg)
{
    const char *name = arg, *service = op->line->service;
    struct kt_hits h[2];
    int rc = kt_place_open(op);

    if (rc != KT_SUCCESS)
        return rc;
    kt_hits_init(&h[0], kt_query_versions(service, name, NULL, NULL));
    kt_hits_init(&h[1], kt_query_current(service, name));
    rc = kt_find(op, h, 2, false);
    if (rc == KT_SUCCESS)
        rc = kt_find_times(op, h, 2);
    if (rc == KT_SUCCESS)
        rc = versions_of(op, name, h);
    kt_hits_done(&h[0]);
    kt_hits_done(&h[1]);
    return rc;
}

int kt_keyring_versions(void *state, struct kt_call *call, const char *name)
{
    const struct kt_keyring *line = state;
    int rc;

    if (line->pattern != NULL)
        return line->host->fail(call, KT_UNSUPPORTED,
                                "keyring: items that a line with attributes= reads have no "
                                "versions");
    rc = kt_keyring_takes(line, call, name);
    return rc == KT_SUCCESS ? kt_op_run(state, call, versions_body, (void *)name) : rc;
}
