/* SPDX-License-Identifier: Apache-2.0 */
#include "guess.h"

#include "link.h"
#include "place.h"

#include <string.h>

#define GUESSES_MAX 1024

/* ---- what is remembered ---------------------------------------------------------------------- */

/* A path, with a `!` before it if others made the item: its time is needed, too. */
static char *recall(struct kt_keyring *line, const char *name)
{
    char *guess = NULL;

    (void)pthread_mutex_lock(&line->lock);
    if (line->guesses != NULL)
        guess = g_strdup(g_hash_table_lookup(line->guesses, name));
    (void)pthread_mutex_unlock(&line->lock);
    return guess;
}

void kt_guess_keep(struct kt_keyring *line, const char *name, const struct kt_item *item)
{
    char *guess = g_strconcat(item->ours ? "" : "!", item->path, NULL);
    const char *has;

    (void)pthread_mutex_lock(&line->lock);
    if (line->guesses == NULL)
        line->guesses = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    if (g_hash_table_size(line->guesses) >= GUESSES_MAX)
        g_hash_table_remove_all(line->guesses);
    has = g_hash_table_lookup(line->guesses, name);
    if (has == NULL || strcmp(has, guess) != 0)
        (void)g_hash_table_insert(line->guesses, g_strdup(name), g_strdup(guess));
    (void)pthread_mutex_unlock(&line->lock);
    g_free(guess);
}

void kt_guess_drop(struct kt_keyring *line, const char *name)
{
    (void)pthread_mutex_lock(&line->lock);
    if (line->guesses != NULL)
        (void)g_hash_table_remove(line->guesses, name);
    (void)pthread_mutex_unlock(&line->lock);
}

/* ---- asking ---------------------------------------------------------------------------------- */

enum { SEARCH, SECRET, PROPERTIES, REPLIES };

static bool found_only(struct kt_reply *search, const char *path)
{
    GVariant *paths = g_variant_get_child_value(search->body, 0);
    const char *only = NULL;
    bool same = false;

    if (g_variant_n_children(paths) == 1) {
        g_variant_get_child(paths, 0, "&o", &only);
        same = strcmp(only, path) == 0;
    }
    g_variant_unref(paths);
    return same;
}

/* Of a reply to Get or to GetAll; NULL: it is no such thing. */
static GVariant *property(const struct kt_reply *reply, bool all, const char *name,
                          const char *type)
{
    GVariant *value = NULL, *table;

    if (all) {
        table = g_variant_get_child_value(reply->body, 0);
        value = g_variant_lookup_value(table, name, G_VARIANT_TYPE(type));
        g_variant_unref(table);
        return value;
    }
    g_variant_get(reply->body, "(v)", &value);
    if (g_variant_is_of_type(value, G_VARIANT_TYPE(type)))
        return value;
    g_variant_unref(value);
    return NULL;
}

static struct kt_item *item_of(struct kt_reply r[REPLIES], const char *path, bool foreign)
{
    GVariant *attrs = property(&r[PROPERTIES], foreign, "Attributes", "a{ss}"), *time = NULL;
    struct kt_item *item;

    if (attrs == NULL)
        return NULL;
    item = kt_item_new(path, attrs);
    g_variant_unref(attrs);
    item->secret = g_variant_get_child_value(r[SECRET].body, 0);
    if (foreign)
        time = property(&r[PROPERTIES], true, "Modified", "t");
    if (time != NULL) {
        item->modified = (int64_t)g_variant_get_uint64(time);
        g_variant_unref(time);
    }
    if (!item->ours)
        kt_item_name_foreign(item);
    return item;
}

/* In this order: the value belongs to the attributes that are seen after it. */
static int send_all(struct kt_op *op, const char *collection, const char *path, bool foreign,
                    GVariant *query, struct kt_reply r[REPLIES])
{
    kt_op_send(op, op->owner, collection, KT_COLLECTION, "SearchItems",
               g_variant_new("(@a{ss})", query), "(ao)", &r[SEARCH]);
    kt_op_send(op, op->owner, path, KT_ITEM, "GetSecret", g_variant_new("(o)", kt_link_session(op)),
               "((oayays))", &r[SECRET]);
    if (foreign)
        kt_op_send(op, op->owner, path, KT_PROPERTIES, "GetAll", g_variant_new("(s)", KT_ITEM),
                   "(a{sv})", &r[PROPERTIES]);
    else
        kt_op_send(op, op->owner, path, KT_PROPERTIES, "Get",
                   g_variant_new("(ss)", KT_ITEM, "Attributes"), "(v)", &r[PROPERTIES]);
    return kt_op_wait(op);
}

bool kt_guess_find(struct kt_op *op, const char *name, struct kt_hits *h, int *status)
{
    struct kt_reply r[REPLIES] = { { .op = op } };
    char *guess = recall(op->line, name), *collection = NULL;
    const bool foreign = guess != NULL && guess[0] == '!';
    struct kt_item *item = NULL;

    if (guess == NULL)
        return false;
    *status = kt_place_find(op, &collection);
    if (*status == KT_SUCCESS)
        *status = send_all(op, collection, guess + foreign, foreign, h->query, r);
    if (*status == KT_SUCCESS && r[SEARCH].body != NULL && r[SECRET].body != NULL &&
        r[PROPERTIES].body != NULL && found_only(&r[SEARCH], guess + foreign))
        item = item_of(r, guess + foreign, foreign);
    if (item != NULL && !item->ours && item->modified == 0) { /* others' by now: ask for its time */
        kt_item_free(item);
        item = NULL;
    }
    if (item != NULL)
        g_ptr_array_add(h->items, item);
    else if (*status == KT_SUCCESS)
        kt_guess_drop(op->line, name);
    for (size_t i = 0; i < REPLIES; i++)
        kt_reply_done(&r[i]);
    g_free(collection);
    g_free(guess);
    return item != NULL || *status != KT_SUCCESS;
}
