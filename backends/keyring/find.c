/* SPDX-License-Identifier: Apache-2.0 */
#include "find.h"

#include "link.h"
#include "place.h"
#include "text.h"

#include <stdlib.h>
#include <string.h>

#define WINDOW 128 /* requests under way */
#define SECRETS 64 /* values in one request */

void kt_hits_init(struct kt_hits *h, GVariant *query)
{
    *h = (struct kt_hits){ .query = g_variant_ref_sink(query) };
    h->items = g_ptr_array_new_with_free_func((GDestroyNotify)kt_item_free);
}

void kt_hits_done(struct kt_hits *h)
{
    if (h->query != NULL)
        g_variant_unref(h->query);
    if (h->items != NULL)
        g_ptr_array_unref(h->items);
    *h = (struct kt_hits){ .query = NULL };
}

/* ---- many requests --------------------------------------------------------------------------- */

/* Not all at once: each waits for its turn in the bus's memory. */
static int make_room(struct kt_op *op)
{
    return op->waiting < WINDOW ? KT_SUCCESS : kt_op_wait(op);
}

static struct kt_reply *replies_new(size_t n)
{
    return calloc(n + 1, sizeof(struct kt_reply));
}

static void replies_free(struct kt_reply *r, size_t n)
{
    for (size_t i = 0; i < n; i++)
        kt_reply_done(&r[i]);
    free(r);
}

static int no_memory(struct kt_op *op)
{
    return op->host->fail(op->call, KT_NO_MEMORY, "keyring: out of memory");
}

/* ---- searching ------------------------------------------------------------------------------- */

static int search(struct kt_op *op, const char *collection, struct kt_hits *hits, size_t n,
                  struct kt_reply *replies)
{
    int rc = KT_SUCCESS;

    for (size_t i = 0; i < n && rc == KT_SUCCESS; i++) {
        rc = make_room(op);
        if (rc == KT_SUCCESS)
            kt_op_send(op, op->owner, collection, KT_COLLECTION, "SearchItems",
                       g_variant_new("(@a{ss})", hits[i].query), "(ao)", &replies[i]);
    }
    if (rc == KT_SUCCESS)
        rc = kt_op_wait(op);
    for (size_t i = 0; i < n && rc == KT_SUCCESS; i++)
        rc = kt_reply_status(&replies[i], "SearchItems");
    return rc;
}

/* ---- looking --------------------------------------------------------------------------------- */

/**
 * struct look - what is to be looked at
 * @paths:   of all searches, one after the other
 * @ends:    where those of each search end
 * @secrets: NULL, or replies with up to SECRETS values
 */
struct look {
    GPtrArray *paths;
    size_t *ends;
    struct kt_reply *attrs;
    struct kt_reply *secrets;
    size_t nsecrets;
};

static void look_done(struct look *l)
{
    const size_t n = l->paths->len;

    if (l->attrs != NULL)
        replies_free(l->attrs, n);
    if (l->secrets != NULL)
        replies_free(l->secrets, l->nsecrets);
    free(l->ends);
    g_ptr_array_unref(l->paths);
}

static void gather(struct look *l, struct kt_reply *replies, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        GVariantIter *at;
        const char *path;

        g_variant_get(replies[i].body, "(ao)", &at);
        while (g_variant_iter_next(at, "&o", &path))
            g_ptr_array_add(l->paths, g_strdup(path));
        g_variant_iter_free(at);
        l->ends[i] = l->paths->len;
    }
}

static void send_secrets(struct kt_op *op, struct look *l, size_t from)
{
    GVariantBuilder paths;

    g_variant_builder_init(&paths, G_VARIANT_TYPE("ao"));
    for (size_t i = from; i < l->paths->len && i < from + SECRETS; i++)
        g_variant_builder_add(&paths, "o", l->paths->pdata[i]);
    kt_op_send(op, op->owner, KT_SECRETS_PATH, KT_SERVICE, "GetSecrets",
               g_variant_new("(aoo)", &paths, kt_link_session(op)), "(a{o(oayays)})",
               &l->secrets[l->nsecrets++]);
}

/* Values first: attributes that fit now fitted then, for a value never changes under its id. */
static int fetch(struct kt_op *op, struct look *l, bool secrets)
{
    int rc = KT_SUCCESS;

    l->attrs = replies_new(l->paths->len);
    l->secrets = secrets ? replies_new(l->paths->len / SECRETS + 1) : NULL;
    if (l->attrs == NULL || (secrets && l->secrets == NULL))
        return no_memory(op);
    for (size_t i = 0; i < l->paths->len && rc == KT_SUCCESS; i++) {
        rc = make_room(op);
        if (rc != KT_SUCCESS)
            break;
        if (secrets && i % SECRETS == 0)
            send_secrets(op, l, i);
        kt_op_send(op, op->owner, l->paths->pdata[i], KT_PROPERTIES, "Get",
                   g_variant_new("(ss)", KT_ITEM, "Attributes"), "(v)", &l->attrs[i]);
    }
    return rc == KT_SUCCESS ? kt_op_wait(op) : rc;
}

/* Does the reply have the item's? It stays NULL for one that is locked, or gone. */
static GVariant *secret_of(const struct look *l, size_t i)
{
    const struct kt_reply *reply = &l->secrets[i / SECRETS];
    GVariant *all, *secret;

    if (reply->body == NULL)
        return NULL;
    all = g_variant_get_child_value(reply->body, 0);
    secret = g_variant_lookup_value(all, l->paths->pdata[i], G_VARIANT_TYPE("(oayays)"));
    g_variant_unref(all);
    return secret;
}

static int take_item(struct kt_op *op, const struct look *l, size_t i, bool secrets,
                     struct kt_hits *h)
{
    const int rc = kt_reply_status(&l->attrs[i], "Attributes");
    struct kt_item *item;
    GVariant *attrs;

    (void)op;
    if (rc == KT_ABSENT) {
        h->vanished = true;
        return KT_SUCCESS;
    }
    if (rc == KT_LOCKED) {
        h->locked = true;
        return KT_SUCCESS;
    }
    if (rc != KT_SUCCESS)
        return rc;
    g_variant_get(l->attrs[i].body, "(v)", &attrs);
    if (!g_variant_is_of_type(attrs, G_VARIANT_TYPE("a{ss}"))) {
        g_variant_unref(attrs);
        h->vanished = true;
        return KT_SUCCESS;
    }
    item = kt_item_new(l->paths->pdata[i], attrs);
    g_variant_unref(attrs);
    g_ptr_array_add(h->items, item);
    if (secrets) {
        item->secret = secret_of(l, i);
        h->locked = h->locked || item->secret == NULL;
    }
    return KT_SUCCESS;
}

static int secrets_status(const struct look *l)
{
    int rc = KT_SUCCESS;

    for (size_t i = 0; i < l->nsecrets && rc == KT_SUCCESS; i++) {
        rc = kt_reply_status(&l->secrets[i], "GetSecrets");
        if (rc == KT_LOCKED || rc == KT_ABSENT)
            rc = KT_SUCCESS; /* the items have none, then */
    }
    return rc;
}

static int look_at(struct kt_op *op, struct look *l, bool secrets, struct kt_hits *hits, size_t n)
{
    size_t at = 0;
    int rc = fetch(op, l, secrets);

    if (rc == KT_SUCCESS)
        rc = secrets_status(l);
    for (size_t i = 0; i < n && rc == KT_SUCCESS; i++) {
        g_ptr_array_set_size(hits[i].items, 0);
        hits[i].vanished = false;
        hits[i].locked = false;
        for (; at < l->ends[i] && rc == KT_SUCCESS; at++)
            rc = take_item(op, l, at, secrets, &hits[i]);
    }
    return rc;
}

int kt_find(struct kt_op *op, struct kt_hits *hits, size_t n, bool secrets)
{
    struct kt_reply *replies = replies_new(n);
    struct look l = { .paths = g_ptr_array_new_with_free_func(g_free),
                      .ends = calloc(n + 1, sizeof(size_t)) };
    char *collection = NULL;
    int rc;

    if (replies == NULL || l.ends == NULL) {
        free(replies);
        look_done(&l);
        return no_memory(op);
    }
    rc = kt_place_find(op, &collection);
    if (rc == KT_SUCCESS) {
        rc = search(op, collection, hits, n, replies);
        if (rc == KT_ABSENT)
            rc = kt_place_lost(op);
    }
    if (rc == KT_SUCCESS) {
        gather(&l, replies, n);
        rc = look_at(op, &l, secrets, hits, n);
    }
    g_free(collection);
    replies_free(replies, n);
    look_done(&l);
    return rc;
}

/* ---- what others wrote ----------------------------------------------------------------------- */

static bool has_foreign(const struct kt_hits *h)
{
    for (size_t i = 0; i < h->items->len; i++)
        if (!((struct kt_item *)h->items->pdata[i])->ours)
            return true;
    return false;
}

static int take_time(struct kt_reply *reply, struct kt_item *item)
{
    const int rc = kt_reply_status(reply, "Modified");
    GVariant *value;

    if (rc != KT_SUCCESS)
        return rc == KT_ABSENT ? KT_SUCCESS : rc;
    g_variant_get(reply->body, "(v)", &value);
    if (g_variant_is_of_type(value, G_VARIANT_TYPE_UINT64))
        item->modified = (int64_t)g_variant_get_uint64(value);
    g_variant_unref(value);
    if (!item->ours)
        kt_item_name_foreign(item);
    return KT_SUCCESS;
}

static int find_times(struct kt_op *op, struct kt_hits *h)
{
    const size_t n = h->items->len;
    struct kt_reply *replies = replies_new(n);
    int rc = KT_SUCCESS;

    if (replies == NULL)
        return no_memory(op);
    for (size_t i = 0; i < n && rc == KT_SUCCESS; i++) {
        const struct kt_item *item = h->items->pdata[i];

        rc = make_room(op);
        if (rc == KT_SUCCESS)
            kt_op_send(op, op->owner, item->path, KT_PROPERTIES, "Get",
                       g_variant_new("(ss)", KT_ITEM, "Modified"), "(v)", &replies[i]);
    }
    if (rc == KT_SUCCESS)
        rc = kt_op_wait(op);
    for (size_t i = 0; i < n && rc == KT_SUCCESS; i++)
        rc = take_time(&replies[i], h->items->pdata[i]);
    replies_free(replies, n);
    return rc;
}

int kt_find_times(struct kt_op *op, struct kt_hits *hits, size_t n)
{
    int rc = KT_SUCCESS;

    for (size_t i = 0; i < n && rc == KT_SUCCESS; i++)
        if (has_foreign(&hits[i]))
            rc = find_times(op, &hits[i]);
    return rc;
}

struct kt_item *kt_hits_current(const struct kt_hits *h, const char *service, const char *name)
{
    struct kt_item *best = NULL;

    for (size_t i = 0; i < h->items->len; i++) {
        struct kt_item *item = h->items->pdata[i];

        if (kt_item_is_current(item, service, name) && (best == NULL || kt_item_newer(item, best)))
            best = item;
    }
    return best;
}

/* ---- values ---------------------------------------------------------------------------------- */

static int corrupt(struct kt_op *op, const struct kt_item *item, const char *name, const char *why)
{
    return op->host->fail(op->call, KT_CORRUPT,
                          "keyring: version %s of '%s' %s since keyturn stored it; 'keyturn set' "
                          "stores it anew, or make another version current",
                          item->id, name, why);
}

static int use_bytes(struct kt_op *op, const struct kt_item *item, const char *name,
                     const void *data, size_t len,
                     int (*use)(void *arg, const void *data, size_t len), void *arg)
{
    if (len > KT_VALUE_MAX)
        return op->host->fail(op->call, KT_TOO_LARGE,
                              "keyring: the item '%s' of another program holds %zu bytes, a "
                              "value has at most %d",
                              name, len, KT_VALUE_MAX);
    if (item->checked && item->check != kt_text_check(op->line->service, name, item->id, data, len))
        return corrupt(op, item, name, "has been changed by something else");
    return use(arg, data, len);
}

static int decode(struct kt_op *op, const struct kt_item *item, const char *name, const char *text,
                  size_t len, int (*use)(void *arg, const void *data, size_t len), void *arg)
{
    size_t n = 0;
    char *data;
    int rc;

    if (!item->encoded)
        return use_bytes(op, item, name, text, len, use, arg);
    data = op->host->secret_alloc(len + 1, 0);
    if (data == NULL)
        return no_memory(op);
    if (kt_text_decode(text, len, data, &n))
        rc = use_bytes(op, item, name, data, n, use, arg);
    else
        rc = corrupt(op, item, name, "has been changed by something else");
    op->host->secret_free(data);
    return rc;
}

int kt_find_value(struct kt_op *op, const struct kt_item *item, const char *name,
                  int (*use)(void *arg, const void *data, size_t len), void *arg)
{
    SecretValue *value;
    const char *text;
    gsize len;
    int rc;

    if (item->damaged)
        return corrupt(op, item, name, "has had its attributes changed");
    if (item->secret == NULL)
        return op->host->fail(op->call, KT_LOCKED, "keyring: the item of '%s' is locked", name);
    value = secret_service_decode_dbus_secret(op->link->service, item->secret);
    if (value == NULL)
        return KT_LOST; /* not of our session */
    text = secret_value_get(value, &len);
    rc = decode(op, item, name, text, len, use, arg);
    secret_value_unref(value);
    return rc;
}
