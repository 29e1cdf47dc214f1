/* SPDX-License-Identifier: Apache-2.0 */
#include "edit.h"

#include <string.h>

static int read_only(const struct kt_keyring *line, struct kt_call *call)
{
    return line->host->fail(call, KT_READ_ONLY,
                            "keyring: a line with attributes= reads items of other programs and "
                            "changes none");
}

/* ---- stage ----------------------------------------------------------------------------------- */

struct staging {
    const char *name;
    uint32_t stage;
    const char *version;
    const char *expected;
    bool dry;
};

static int label_current(struct kt_op *op, struct kt_edit *e, const struct staging *s,
                         const struct kt_item *item)
{
    GHashTable *attrs;
    int rc;

    if (item != e->current) {
        attrs = kt_attrs_of(item);
        kt_attrs_promote(attrs, op->line->service, s->name, kt_edit_turn(e),
                         e->current != NULL ? e->current->id : NULL);
        rc = kt_edit_set(op, item, attrs);
        g_hash_table_unref(attrs);
        if (rc != KT_SUCCESS)
            return rc;
    }
    return kt_edit_settle(op, e, item->path, NULL, NULL, s->expected);
}

static int label_pending(struct kt_op *op, struct kt_edit *e, const struct kt_item *item)
{
    GHashTable *attrs;
    int rc = KT_SUCCESS;

    if (!item->pending) {
        attrs = kt_attrs_of(item);
        kt_attrs_set(attrs, "keyturn:stage", "pending");
        kt_attrs_set_number(attrs, "keyturn:turn", kt_edit_turn(e));
        rc = kt_edit_set(op, item, attrs);
        g_hash_table_unref(attrs);
    }
    return rc == KT_SUCCESS ? kt_edit_settle(op, e, NULL, item->path, NULL, NULL) : rc;
}

static int stage_edit(struct kt_op *op, struct kt_edit *e, void *arg)
{
    const struct staging *s = arg;
    struct kt_item *item;
    int rc;

    if (e->current == NULL && e->versions.items->len == 0)
        return op->host->fail(op->call, KT_NOT_FOUND, "keyring: no secret '%s'", s->name);
    if (s->version == NULL)
        return s->dry ? KT_SUCCESS : kt_edit_settle(op, e, NULL, "", NULL, NULL);
    item = kt_edit_version(e, s->version);
    if (item == NULL)
        return op->host->fail(op->call, KT_NOT_FOUND, "keyring: no version %s of '%s'", s->version,
                              s->name);
    if (s->stage == KT_STAGE_CURRENT && item != e->current) {
        rc = kt_edit_expect(op, e, s->expected);
        if (rc == KT_SUCCESS)
            rc = kt_edit_guard(op, e, s->expected);
        if (rc != KT_SUCCESS)
            return rc;
    }
    if (item->state != KT_STATE_ENABLED)
        return op->host->fail(op->call, KT_DISABLED,
                              "keyring: version %s of '%s' is disabled or destroyed", s->version,
                              s->name);
    if (s->dry || !item->ours)
        return KT_SUCCESS;
    return s->stage == KT_STAGE_CURRENT ? label_current(op, e, s, item)
                                        : label_pending(op, e, item);
}

static int stage_body(struct kt_op *op, void *arg)
{
    const struct staging *s = arg;

    return kt_edit_run(op, s->name, s->dry, stage_edit, arg);
}

int kt_keyring_stage(void *state, struct kt_call *call, enum kt_phase phase, const char *name,
                     uint32_t stage, const char *version, const char *expected)
{
    const struct kt_keyring *line = state;
    struct staging s = { name, stage, version, expected, phase == KT_PREPARE };
    int rc;

    if (line->pattern != NULL)
        return read_only(line, call);
    if (stage != KT_STAGE_PENDING && (stage != KT_STAGE_CURRENT || version == NULL))
        return line->host->fail(call, KT_INVALID,
                                "keyring: '%s': current can be moved, pending moved and taken "
                                "away; previous follows current",
                                name);
    rc = kt_keyring_takes(line, call, name);
    return rc == KT_SUCCESS ? kt_op_run(state, call, stage_body, &s) : rc;
}

/* ---- delete ---------------------------------------------------------------------------------- */

struct deleting {
    const char *name;
    const struct kt_delete *del;
    bool dry;
};

/* The current version last: until then nothing has changed for readers, and no older one rises. */
static int remove_all(struct kt_op *op, struct kt_edit *e)
{
    int rc = KT_SUCCESS;

    for (size_t i = 0; i < e->versions.items->len && rc == KT_SUCCESS; i++) {
        const struct kt_item *item = e->versions.items->pdata[i];

        if (e->current == NULL || strcmp(item->path, e->current->path) != 0)
            rc = kt_edit_remove(op, item);
    }
    return rc == KT_SUCCESS && e->current != NULL ? kt_edit_remove(op, e->current) : rc;
}

static int delete_secret(struct kt_op *op, struct kt_edit *e, const struct deleting *d)
{
    int rc;

    if (e->current == NULL && e->versions.items->len == 0)
        return op->host->fail(op->call, KT_NOT_FOUND, "keyring: no secret '%s'", d->name);
    rc = kt_edit_expect(op, e, d->del->expected);
    if (rc != KT_SUCCESS)
        return rc;
    if (kt_edit_guard(op, e, d->del->expected) != KT_SUCCESS)
        return op->host->fail(op->call, KT_DENIED,
                              "keyring: the item 'service=%s name=%s' was made by another "
                              "program; to delete it, name its version %s",
                              op->line->service, d->name, e->current->id);
    return d->dry ? KT_SUCCESS : remove_all(op, e);
}

/* First it is said to be destroyed, then it is. */
static int destroy(struct kt_op *op, const struct kt_item *item)
{
    GHashTable *attrs = kt_attrs_of(item);
    int rc;

    kt_attrs_set(attrs, "keyturn:state", "destroyed");
    kt_attrs_set(attrs, "keyturn:check", "");
    kt_attrs_set(attrs, "keyturn:encoding", "base64");
    rc = kt_edit_set(op, item, attrs);
    g_hash_table_unref(attrs);
    return rc == KT_SUCCESS ? kt_edit_set_secret(op, item, NULL, 0) : rc;
}

static bool is_staged(const struct kt_edit *e, const struct kt_item *item)
{
    return item == e->current || item->pending ||
           (e->current != NULL && e->current->previous != NULL &&
            strcmp(e->current->previous, item->id) == 0);
}

static int delete_version(struct kt_op *op, struct kt_edit *e, const struct deleting *d)
{
    struct kt_item *item = kt_edit_version(e, d->del->version);
    const bool purge = d->del->purge != 0 && item != NULL && !is_staged(e, item);

    if (item == NULL)
        return op->host->fail(op->call, KT_NOT_FOUND, "keyring: no version %s of '%s'",
                              d->del->version, d->name);
    if (d->dry)
        return KT_SUCCESS;
    if (purge || !item->ours)
        return kt_edit_remove(op, item);
    return destroy(op, item);
}

static int delete_edit(struct kt_op *op, struct kt_edit *e, void *arg)
{
    const struct deleting *d = arg;

    return d->del->version != NULL ? delete_version(op, e, d) : delete_secret(op, e, d);
}

static int delete_body(struct kt_op *op, void *arg)
{
    const struct deleting *d = arg;

    return kt_edit_run(op, d->name, d->dry, delete_edit, arg);
}

int kt_keyring_del(void *state, struct kt_call *call, enum kt_phase phase, const char *name,
                   const struct kt_delete *del, bool *restorable)
{
    const struct kt_keyring *line = state;
    struct deleting d = { name, del, phase == KT_PREPARE };
    int rc;

    if (line->pattern != NULL)
        return read_only(line, call);
    rc = kt_keyring_takes(line, call, name);
    if (rc == KT_SUCCESS)
        rc = kt_op_run(state, call, delete_body, &d);
    if (rc == KT_SUCCESS && restorable != NULL)
        *restorable = false;
    return rc;
}
