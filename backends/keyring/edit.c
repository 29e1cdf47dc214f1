/* SPDX-License-Identifier: Apache-2.0 */
#include "edit.h"

#include "link.h"
#include "lock.h"
#include "place.h"
#include "prompt.h"
#include "text.h"

#include <string.h>

#define QUIET_MS 5000 /* KeePassXC makes a prompt of each change; most ask nobody */

/* ---- loading --------------------------------------------------------------------------------- */

static int load(struct kt_op *op, struct kt_edit *e)
{
    const char *service = op->line->service;
    struct kt_hits h[2];
    int rc;

    kt_hits_init(&h[0], kt_query_versions(service, e->name, NULL, NULL));
    kt_hits_init(&h[1], kt_query_current(service, e->name));
    rc = kt_find(op, h, 2, false);
    if (rc == KT_SUCCESS)
        rc = kt_find_times(op, h, 2);
    e->versions = h[0];
    e->currents = h[1];
    e->current = kt_hits_current(&e->currents, service, e->name);
    return rc;
}

int kt_edit_run(struct kt_op *op, const char *name, bool dry, kt_edit_fn *body, void *arg)
{
    struct kt_edit e = { .name = name };
    int rc = kt_place_open(op);

    if (rc == KT_SUCCESS && !dry)
        rc = kt_lock_take(op);
    if (rc != KT_SUCCESS)
        return rc;
    rc = load(op, &e);
    if (rc == KT_SUCCESS)
        rc = body(op, &e, arg);
    if (!dry)
        kt_lock_release(op);
    kt_hits_done(&e.versions);
    kt_hits_done(&e.currents);
    return rc;
}

/* ---- what is there --------------------------------------------------------------------------- */

int kt_edit_expect(struct kt_op *op, const struct kt_edit *e, const char *expected)
{
    if (expected == NULL)
        return KT_SUCCESS;
    if (expected[0] == '\0')
        return e->current == NULL && e->versions.items->len == 0
                   ? KT_SUCCESS
                   : op->host->fail(op->call, KT_CONFLICT, "keyring: '%s' exists already", e->name);
    if (e->current == NULL)
        return op->host->fail(op->call, KT_CONFLICT,
                              "keyring: '%s' has no current version, expected %s", e->name,
                              expected);
    if (strcmp(e->current->id, expected) != 0)
        return op->host->fail(op->call, KT_CONFLICT,
                              "keyring: the current version of '%s' is %s, expected %s", e->name,
                              e->current->id, expected);
    return KT_SUCCESS;
}

int kt_edit_guard(struct kt_op *op, const struct kt_edit *e, const char *expected)
{
    if (e->current == NULL || e->current->ours ||
        (expected != NULL && strcmp(e->current->id, expected) == 0))
        return KT_SUCCESS;
    return op->host->fail(op->call, KT_EXISTS,
                          "keyring: the item 'service=%s name=%s' was made by another program; to "
                          "replace it, say that version %s is expected",
                          op->line->service, e->name, e->current->id);
}

struct kt_item *kt_edit_version(const struct kt_edit *e, const char *id)
{
    struct kt_item *found = NULL;

    if (e->current != NULL && strcmp(e->current->id, id) == 0)
        return e->current;
    for (size_t i = 0; i < e->versions.items->len && found == NULL; i++)
        if (strcmp(((struct kt_item *)e->versions.items->pdata[i])->id, id) == 0)
            found = e->versions.items->pdata[i];
    return found;
}

uint64_t kt_edit_turn(const struct kt_edit *e)
{
    uint64_t turn = 0;

    for (size_t i = 0; i < e->versions.items->len; i++)
        if (((struct kt_item *)e->versions.items->pdata[i])->turn > turn)
            turn = ((struct kt_item *)e->versions.items->pdata[i])->turn;
    return turn + 1;
}

int kt_edit_value(struct kt_op *op, const struct kt_edit *e, struct kt_item *item,
                  int (*use)(void *arg, const void *data, size_t len), void *arg)
{
    struct kt_reply reply;
    int rc = kt_op_ask(op, op->owner, item->path, KT_ITEM, "GetSecret",
                       g_variant_new("(o)", kt_link_session(op)), "((oayays))", &reply);

    if (rc != KT_SUCCESS)
        return rc;
    if (item->secret != NULL)
        g_variant_unref(item->secret);
    item->secret = g_variant_get_child_value(reply.body, 0);
    kt_reply_done(&reply);
    return kt_find_value(op, item, e->name, use, arg);
}

/* ---- single requests ------------------------------------------------------------------------- */

/* A prompt that the caller did not allow may still be one that asks nobody. */
static int run_prompt(struct kt_op *op, const char *path, const char *what)
{
    const bool allowed = op->host->may_prompt(op->call);
    bool dismissed = false;
    int rc;

    if (kt_prompt_none(path))
        return KT_SUCCESS;
    rc = kt_prompt_run(op, path, allowed ? -1 : QUIET_MS, &dismissed);
    if (rc == KT_ABSENT)
        return op->host->fail(op->call, KT_LOCKED,
                              "keyring: to %s, the service asks a person, which this program does "
                              "not allow: do it on a terminal, or see the service's settings",
                              what);
    if (rc == KT_SUCCESS && dismissed)
        return op->host->fail(op->call, KT_DENIED, "keyring: the prompt to %s was dismissed", what);
    return rc;
}

static GVariant *secret_variant(const struct kt_op *op, const void *data, size_t len)
{
    SecretValue *value = secret_value_new(data, (gssize)len, "text/plain");
    GVariant *secret = secret_service_encode_dbus_secret(op->link->service, value);

    secret_value_unref(value);
    return secret;
}

/* Text of base64 in secret memory; NULL: no memory. */
static char *encode(const struct kt_op *op, const void *data, size_t len)
{
    char *text = op->host->secret_alloc(kt_text_encoded_size(len), 0);

    if (text != NULL)
        kt_text_encode(data, len, text);
    return text;
}

static int wrap(struct kt_op *op, const void *data, size_t len, GVariant **secret)
{
    char *text;

    if (kt_text_is_plain(data, len)) {
        *secret = secret_variant(op, data, len);
        return KT_SUCCESS;
    }
    text = encode(op, data, len);
    if (text == NULL)
        return op->host->fail(op->call, KT_NO_MEMORY, "keyring: out of memory");
    *secret = secret_variant(op, text, kt_text_encoded_size(len));
    op->host->secret_free(text);
    return KT_SUCCESS;
}

static int create_at(struct kt_op *op, const char *collection, const char *label, GHashTable *attrs,
                     GVariant *secret)
{
    struct kt_reply reply;
    GVariantBuilder b;
    const char *prompt;
    int rc;

    g_variant_builder_init(&b, G_VARIANT_TYPE("a{sv}"));
    g_variant_builder_add(&b, "{sv}", KT_ITEM ".Label", g_variant_new_string(label));
    g_variant_builder_add(&b, "{sv}", KT_ITEM ".Attributes", kt_attrs_variant(attrs));
    rc = kt_op_ask(op, op->owner, collection, KT_COLLECTION, "CreateItem",
                   g_variant_new("(a{sv}@(oayays)b)", &b, secret, FALSE), "(oo)", &reply);
    if (rc != KT_SUCCESS)
        return rc == KT_ABSENT ? kt_place_lost(op) : rc;
    g_variant_get(reply.body, "(&o&o)", NULL, &prompt);
    rc = run_prompt(op, prompt, "store an item");
    kt_reply_done(&reply);
    return rc;
}

int kt_edit_create(struct kt_op *op, const char *label, GHashTable *attrs, const void *data,
                   size_t len)
{
    GVariant *secret = NULL;
    char *collection = NULL;
    int rc = kt_place_find(op, &collection);

    if (rc == KT_SUCCESS)
        rc = wrap(op, data, len, &secret);
    if (rc == KT_SUCCESS)
        rc = create_at(op, collection, label, attrs, secret);
    g_free(collection);
    return rc;
}

int kt_edit_set(struct kt_op *op, const struct kt_item *item, GHashTable *attrs)
{
    struct kt_reply reply;
    const int rc = kt_op_ask(op, op->owner, item->path, KT_PROPERTIES, "Set",
                             g_variant_new("(ssv)", KT_ITEM, "Attributes", kt_attrs_variant(attrs)),
                             "()", &reply);

    if (rc == KT_SUCCESS)
        kt_reply_done(&reply);
    return rc;
}

int kt_edit_set_secret(struct kt_op *op, const struct kt_item *item, const void *data, size_t len)
{
    struct kt_reply reply;
    GVariant *secret;
    int rc = wrap(op, data, len, &secret);

    if (rc == KT_SUCCESS)
        rc = kt_op_ask(op, op->owner, item->path, KT_ITEM, "SetSecret",
                       g_variant_new("(@(oayays))", secret), "()", &reply);
    if (rc == KT_SUCCESS)
        kt_reply_done(&reply);
    return rc;
}

int kt_edit_remove(struct kt_op *op, const struct kt_item *item)
{
    struct kt_reply reply;
    const char *prompt;
    int rc = kt_op_ask(op, op->owner, item->path, KT_ITEM, "Delete", NULL, "(o)", &reply);

    if (rc == KT_ABSENT)
        return KT_SUCCESS;
    if (rc != KT_SUCCESS)
        return rc;
    g_variant_get(reply.body, "(&o)", &prompt);
    rc = run_prompt(op, prompt, "delete an item");
    kt_reply_done(&reply);
    return rc;
}

/* ---- tidying up ------------------------------------------------------------------------------ */

static int retire(struct kt_op *op, const struct kt_edit *e, const struct kt_item *item)
{
    GHashTable *attrs = kt_attrs_of(item);
    int rc;

    kt_attrs_retire(attrs, op->line->service, e->name, item->id);
    if (!item->ours)
        kt_attrs_set_number(attrs, "keyturn:created", (uint64_t)item->modified * 1000);
    rc = kt_edit_set(op, item, attrs);
    g_hash_table_unref(attrs);
    return rc == KT_ABSENT ? KT_SUCCESS : rc;
}

static int unlabel(struct kt_op *op, const struct kt_item *item)
{
    GHashTable *attrs = kt_attrs_of(item);
    int rc;

    kt_attrs_set(attrs, "keyturn:stage", "");
    rc = kt_edit_set(op, item, attrs);
    g_hash_table_unref(attrs);
    return rc == KT_ABSENT ? KT_SUCCESS : rc;
}

/* Ours are retired, and of others' the one that was named. */
static bool is_to_go(const struct kt_item *item, const char *took)
{
    return item->ours || (took != NULL && strcmp(item->id, took) == 0);
}

static bool is_at(const struct kt_item *item, const char *path)
{
    return path != NULL && strcmp(item->path, path) == 0;
}

int kt_edit_settle(struct kt_op *op, const struct kt_edit *e, const char *current,
                   const char *pending, const char *id, const char *took)
{
    int rc = KT_SUCCESS;

    for (size_t i = 0; i < e->currents.items->len && rc == KT_SUCCESS; i++) {
        const struct kt_item *item = e->currents.items->pdata[i];

        if (!kt_item_is_current(item, op->line->service, e->name) || is_at(item, current) ||
            current == NULL || !is_to_go(item, took))
            continue;
        rc = id != NULL && strcmp(item->id, id) == 0 ? kt_edit_remove(op, item)
                                                     : retire(op, e, item);
    }
    for (size_t i = 0; i < e->versions.items->len && rc == KT_SUCCESS; i++) {
        const struct kt_item *item = e->versions.items->pdata[i];

        if (is_at(item, current) || kt_item_is_current(item, op->line->service, e->name))
            continue;
        if (id != NULL && strcmp(item->id, id) == 0)
            rc = kt_edit_remove(op, item);
        else if (pending != NULL && item->pending && !is_at(item, pending))
            rc = unlabel(op, item);
    }
    return rc;
}
