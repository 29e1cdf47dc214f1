/* SPDX-License-Identifier: Apache-2.0 */
#include "kit/put.h"
#include "edit.h"
#include "place.h"
#include "text.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

/* ---- what the store holds -------------------------------------------------------------------- */

/* NULL, or what the store cannot hold; *@rc is then the status. */
static const char *unfit(const char *name, const struct kt_put *put, int *rc)
{
    const char *why = kt_put_unfit(name, put, rc);

    for (size_t i = 0; why == NULL && i < put->nattrs; i++)
        if (!kt_text_is_utf8(put->attrs[i].key) || !kt_text_is_utf8(put->attrs[i].value))
            why = "an attribute is not UTF-8";
    return why;
}

static int check(const struct kt_keyring *line, struct kt_call *call, const char *name,
                 const struct kt_put *put)
{
    int rc;
    const char *why;

    if (line->pattern != NULL)
        return line->host->fail(call, KT_READ_ONLY,
                                "keyring: a line with attributes= reads items of other programs "
                                "and writes none");
    why = unfit(name, put, &rc);
    if (why == NULL)
        return kt_keyring_takes(line, call, name);
    return line->host->fail(call, rc, "keyring: cannot store '%.100s': %s", name, why);
}

/* ---- put ------------------------------------------------------------------------------------- */

struct putting {
    const char *name;
    const struct kt_put *put;
};

/* What a person sees of it. It never changes: of several versions the time tells which is which. */
static void label_of(const struct kt_op *op, const struct putting *p, char *label, size_t size)
{
    const int64_t ms = p->put->created_ms != 0
                           ? p->put->created_ms
                           : op->host->now_ns(op->call, KT_CLOCK_WALL) / 1000000;
    const time_t seconds = (time_t)(ms / 1000);
    char when[40] = "";
    struct tm tm;

    if (gmtime_r(&seconds, &tm) != NULL)
        (void)strftime(when, sizeof(when), ", %Y-%m-%d %H:%M:%S UTC", &tm);
    (void)snprintf(label, size, "%s (keyturn %s%s)", p->name, op->line->service, when);
}

static int create(struct kt_op *op, const struct kt_edit *e, const struct putting *p,
                  uint32_t stage)
{
    const bool encoded = !kt_text_is_plain(p->put->data, p->put->len);
    GHashTable *attrs = kt_attrs_new(op->line->service, p->name, p->put, encoded);
    char label[KT_NAME_MAX + 160];
    int rc;

    label_of(op, p, label, sizeof(label));
    if (stage == KT_STAGE_CURRENT)
        kt_attrs_promote(
            attrs, op->line->service, p->name, kt_edit_turn(e),
            e->current != NULL && strcmp(e->current->id, p->put->id) != 0 ? e->current->id : NULL);
    else
        kt_attrs_set(attrs, "keyturn:stage", "pending");
    kt_attrs_set_number(attrs, "keyturn:turn", kt_edit_turn(e));
    rc = kt_edit_create(op, label, attrs, p->put->data, p->put->len);
    g_hash_table_unref(attrs);
    return rc;
}

static int same_bytes(void *arg, const void *data, size_t len)
{
    const struct kt_put *put = arg;
    unsigned char differ = len != put->len;

    for (size_t i = 0; i < len && len == put->len; i++)
        differ |= ((const unsigned char *)data)[i] ^ ((const unsigned char *)put->data)[i];
    return differ == 0 ? KT_SUCCESS : KT_EXISTS;
}

/* The version is there: the same put again, or another one with its id. What a crash left is mended. */
static int put_again(struct kt_op *op, struct kt_edit *e, const struct putting *p,
                     struct kt_item *same)
{
    int rc;

    if (same->state == KT_STATE_DESTROYED)
        return op->host->fail(op->call, KT_EXISTS,
                              "keyring: version %s of '%s' existed and was destroyed", same->id,
                              p->name);
    rc = kt_edit_value(op, e, same, same_bytes, (void *)p->put);
    if (rc == KT_EXISTS)
        return op->host->fail(op->call, KT_EXISTS,
                              "keyring: version %s of '%s' exists with another value", same->id,
                              p->name);
    if (rc != KT_SUCCESS || same != e->current)
        return rc;
    return kt_edit_settle(op, e, same->path, NULL, NULL, p->put->expected);
}

static int put_edit(struct kt_op *op, struct kt_edit *e, void *arg)
{
    const struct putting *p = arg;
    struct kt_item *same = kt_edit_version(e, p->put->id);
    int rc;

    if (same != NULL)
        return put_again(op, e, p, same);
    rc = kt_edit_expect(op, e, p->put->expected);
    if (rc == KT_SUCCESS && p->put->stage == KT_STAGE_CURRENT)
        rc = kt_edit_guard(op, e, p->put->expected);
    if (rc == KT_SUCCESS)
        rc = create(op, e, p, p->put->stage);
    if (rc != KT_SUCCESS)
        return rc;
    if (p->put->stage == KT_STAGE_CURRENT)
        return kt_edit_settle(op, e, "", NULL, NULL, p->put->expected);
    return kt_edit_settle(op, e, NULL, "", NULL, NULL);
}

static int put_body(struct kt_op *op, void *arg)
{
    return kt_edit_run(op, ((struct putting *)arg)->name, false, put_edit, arg);
}

static int prepare_body(struct kt_op *op, void *arg)
{
    (void)arg;
    return kt_place_open(op);
}

int kt_keyring_put(void *state, struct kt_call *call, enum kt_phase phase, const char *name,
                   const struct kt_put *put)
{
    const struct kt_keyring *line = state;
    struct putting p = { name, put };
    int rc = check(line, call, name, put);

    if (rc != KT_SUCCESS)
        return rc;
    if (put->id == NULL || (put->stage != KT_STAGE_CURRENT && put->stage != KT_STAGE_PENDING))
        return line->host->fail(call, KT_INVALID,
                                "keyring: cannot store '%s': expected a version id, and the stage "
                                "current or pending",
                                name);
    return kt_op_run(state, call, phase == KT_PREPARE ? prepare_body : put_body, &p);
}

/* ---- fill ------------------------------------------------------------------------------------ */

/* Current from now on, as the authority says. */
static int refresh(struct kt_op *op, struct kt_edit *e, const struct putting *p,
                   const struct kt_item *item)
{
    GHashTable *attrs = kt_attrs_of(item);
    int rc;

    if (item != e->current)
        kt_attrs_promote(attrs, op->line->service, p->name, kt_edit_turn(e),
                         e->current != NULL ? e->current->id : NULL);
    kt_attrs_set_asof(attrs, &p->put->asof);
    rc = kt_edit_set(op, item, attrs);
    g_hash_table_unref(attrs);
    return rc == KT_SUCCESS ? kt_edit_settle(op, e, item->path, NULL, NULL, NULL) : rc;
}

static int fill_edit(struct kt_op *op, struct kt_edit *e, void *arg)
{
    const struct putting *p = arg;
    struct kt_item *same = kt_edit_version(e, p->put->id);
    int rc = kt_edit_guard(op, e, NULL);

    if (rc != KT_SUCCESS)
        return rc;
    if (p->put->data == NULL)
        return same != NULL && same == e->current
                   ? refresh(op, e, p, same)
                   : op->host->fail(op->call, KT_NOT_FOUND,
                                    "keyring: version %s of '%s' is not current here", p->put->id,
                                    p->name);
    if (same != NULL && same->state == p->put->state) {
        rc = kt_edit_value(op, e, same, same_bytes, (void *)p->put);
        if (rc == KT_SUCCESS)
            return refresh(op, e, p, same);
        if (rc != KT_EXISTS && rc != KT_CORRUPT)
            return rc;
    }
    rc = create(op, e, p, KT_STAGE_CURRENT);
    return rc == KT_SUCCESS ? kt_edit_settle(op, e, "", NULL, p->put->id, NULL) : rc;
}

/* There is no such secret any more. */
static int forget_edit(struct kt_op *op, struct kt_edit *e, void *arg)
{
    int rc = KT_SUCCESS;

    (void)arg;
    for (size_t i = 0; i < e->versions.items->len && rc == KT_SUCCESS; i++)
        rc = kt_edit_remove(op, e->versions.items->pdata[i]);
    return rc;
}

static int fill_body(struct kt_op *op, void *arg)
{
    const struct putting *p = arg;

    return kt_edit_run(op, p->name, false, p->put->id != NULL ? fill_edit : forget_edit, arg);
}

int kt_keyring_fill(void *state, struct kt_call *call, const char *name, const struct kt_put *copy)
{
    struct putting p = { name, copy };
    const int rc = check(state, call, name, copy);

    return rc == KT_SUCCESS ? kt_op_run(state, call, fill_body, &p) : rc;
}
