/* SPDX-License-Identifier: Apache-2.0 */
#include "arena.h"
#include "change.h"
#include "clock.h"
#include "err.h"
#include "field.h"
#include "id.h"
#include "name.h"

#include <string.h>

/* ---- one line -------------------------------------------------------------------------------- */

/* What the store cannot hold is refused before anything is written; a follower may hold less. */
static int fits(struct kt_turn *t, struct kt_put *put)
{
    const struct kt_module *m = &t->store->ops;
    struct kt_err *err = &t->call.err;

    if (m->put == NULL)
        return kt_fail(err, KT_UNSUPPORTED, "this store cannot be written");
    if (put->len > m->value_max)
        return kt_fail(err, KT_TOO_LARGE, "the value has %zu bytes, the store takes %llu", put->len,
                       (unsigned long long)m->value_max);
    if (put->len < m->value_min)
        return kt_fail(err, KT_INVALID, "the value has %zu bytes, the store wants at least %llu",
                       put->len, (unsigned long long)m->value_min);
    if (put->stage != KT_STAGE_CURRENT && (m->capabilities & KT_CAP_STAGES) == 0)
        return t->authority ? kt_fail(err, KT_UNSUPPORTED, "this store keeps no pending version")
                            : KT_IGNORE;
    if (put->nattrs > 0 && (m->capabilities & KT_CAP_ATTRS) == 0) {
        if (t->authority)
            return kt_fail(err, KT_UNSUPPORTED, "this store keeps no attributes");
        put->nattrs = 0;
    }
    if ((put->expires_ms != 0 || put->not_before_ms != 0) &&
        (m->capabilities & KT_CAP_EXPIRES) == 0) {
        if (t->authority)
            return kt_fail(err, KT_UNSUPPORTED, "this store keeps no times of validity");
        put->expires_ms = put->not_before_ms = 0;
    }
    return t->authority ? kt_needs_cas(t, put->expected) : KT_SUCCESS;
}

/* The id is there already: with the same member it is this put, repeated. */
static int repeated(struct kt_turn *t, const struct kt_put *put)
{
    const struct kt_want want = { .size = sizeof want, .version = put->id, .max_age_ms = -1 };
    struct kt_offer old;
    int rc;

    kt_offer_init(&old, NULL);
    rc = kt_raw_get(t, &want, &old);
    if (rc == KT_SUCCESS)
        rc = kt_offer_pick(&old, t->line->core.field, &t->call.err);
    if (rc == KT_SUCCESS)
        rc = old.len == put->len && memcmp(old.data, put->data, put->len) == 0 ? KT_SUCCESS
                                                                               : KT_EXISTS;
    else if (rc == KT_NOT_FOUND || rc == KT_UNSUPPORTED || rc == KT_IGNORE)
        rc = KT_NOT_FOUND;
    kt_offer_clear(&old);
    return rc;
}

/* One round of read, splice, compare-and-swap. KT_CONFLICT where another writer was faster. */
static int put_member(struct kt_turn *t, const struct kt_put *put, bool first)
{
    const struct kt_want want = { .size = sizeof want, .stage = put->stage, .max_age_ms = -1 };
    const char *field = t->line->core.field;
    struct kt_put whole = *put;
    struct kt_offer old;
    char *text = NULL;
    size_t len = 0, room;
    int rc;

    kt_offer_init(&old, NULL);
    rc = kt_raw_get(t, &want, &old);
    if (rc != KT_SUCCESS && rc != KT_NOT_FOUND)
        goto out;
    if (first && put->expected != NULL &&
        strcmp(put->expected, old.line != NULL ? old.id : "") != 0) {
        rc = kt_fail(&t->call.err, KT_CONFLICT, "the current version is not the expected one");
        goto out;
    }
    room = kt_field_encoded_size(old.len, field, put->len);
    text = kt_arena_alloc(room, 0);
    if (text == NULL) {
        rc = kt_fail(&t->call.err, KT_NO_MEMORY, "out of memory");
        goto out;
    }
    rc = kt_field_set(old.data, old.len, field, put->data, put->len, text, &len);
    if (rc != KT_SUCCESS) {
        rc = kt_fail(&t->call.err, rc, "field=%s: %s", field,
                     rc == KT_INVALID ? "the value is no UTF-8, a JSON string cannot hold it"
                                      : "what is stored there is no JSON object");
        goto out;
    }
    whole.data = text;
    whole.len = len;
    whole.expected = t->store->ops.cas == KT_CAS_NONE ? NULL : old.line != NULL ? old.id : "";
    rc = fits(t, &whole);
    if (rc == KT_SUCCESS)
        rc = t->store->ops.put(t->store->state, &t->call, t->phase, t->place, &whole);
out:
    kt_arena_free(text);
    kt_offer_clear(&old);
    return rc;
}

static int put_field(struct kt_turn *t, const struct kt_put *put)
{
    int rc = repeated(t, put);

    if (rc != KT_NOT_FOUND)
        return rc;
    rc = put_member(t, put, true);
    while (rc == KT_CONFLICT && put->expected == NULL && t->phase == KT_COMMIT &&
           kt_host.left_ms(&t->call) > 0)
        rc = put_member(t, put, false);
    return rc;
}

int kt_put_turn(struct kt_turn *t, const char *name, const struct kt_put *wanted)
{
    const struct kt_handle *h = t->call.budget->handle;
    struct kt_put put = *wanted;
    int rc;

    /* The authority needs no word on how old its own version is; a copy is as of now. */
    if (!t->authority) {
        put.expected = NULL;
        kt_asof_now(&h->clock, &put.asof);
    }
    rc = fits(t, &put);
    if (rc != KT_SUCCESS)
        return rc;
    if (t->line->core.field != NULL && !kt_name_is_ours(name))
        return put_field(t, &put);
    return t->store->ops.put(t->store->state, &t->call, t->phase, t->place, &put);
}

/* ---- kt_put ---------------------------------------------------------------------------------- */

struct putting {
    struct kt_change change;
    struct kt_put put;
};

static int put_turn(struct kt_change *c, struct kt_turn *t)
{
    return kt_put_turn(t, c->name, &((struct putting *)c)->put);
}

static int check_attrs(const struct kt_attr *attrs, size_t n, struct kt_err *err)
{
    if (n > KT_ATTRS_MAX)
        return kt_fail(err, KT_TOO_LARGE, "%zu attributes: at most %d", n, KT_ATTRS_MAX);
    for (size_t i = 0; i < n; i++) {
        if (attrs[i].key == NULL || attrs[i].value == NULL || attrs[i].key[0] == '\0')
            return kt_fail(err, KT_INVALID, "an attribute without key or value");
        if (strlen(attrs[i].key) > KT_ATTR_KEY_MAX || strlen(attrs[i].value) > KT_ATTR_VALUE_MAX)
            return kt_fail(err, KT_TOO_LARGE,
                           "attribute %.40s: keys have at most %d bytes, values %d", attrs[i].key,
                           KT_ATTR_KEY_MAX, KT_ATTR_VALUE_MAX);
        for (size_t j = 0; j < i; j++)
            if (strcmp(attrs[i].key, attrs[j].key) == 0)
                return kt_fail(err, KT_INVALID, "attribute %.40s is given twice", attrs[i].key);
    }
    return KT_SUCCESS;
}

int kt_stage_bit(const char *stage, uint32_t *bit, struct kt_err *err)
{
    if (stage == NULL || strcmp(stage, "current") == 0)
        *bit = KT_STAGE_CURRENT;
    else if (strcmp(stage, "pending") == 0)
        *bit = KT_STAGE_PENDING;
    else if (strcmp(stage, "previous") == 0)
        *bit = KT_STAGE_PREVIOUS;
    else
        return kt_fail(err, KT_INVALID, "'%.40s' is no stage: current, previous or pending", stage);
    return KT_SUCCESS;
}

static int check_put(const char *name, const void *data, size_t len, const struct kt_put_options *o,
                     struct kt_put *put, struct kt_err *err)
{
    int rc = kt_name_for_program(name, err);

    if (rc != KT_SUCCESS)
        return rc;
    if (o->size != sizeof *o)
        return kt_fail(err, KT_INVALID, "struct kt_put_options has size %zu, this library's %zu",
                       o->size, sizeof *o);
    if (len > KT_VALUE_MAX)
        return kt_fail(err, KT_TOO_LARGE, "%s: the value has %zu bytes: at most %d", name, len,
                       KT_VALUE_MAX);
    if (data == NULL && len > 0)
        return kt_fail(err, KT_INVALID, "%s: a length without bytes", name);
    if (o->id != NULL && !kt_id_is_ours(o->id))
        return kt_fail(err, KT_INVALID, "%s: a new version's id is a UUIDv7 in lower case", name);
    if (o->expected != NULL && o->expected[0] != '\0') {
        rc = kt_id_check(o->expected, err);
        if (rc != KT_SUCCESS)
            return rc;
    }
    if (o->expires_ms < 0 || o->not_before_ms < 0)
        return kt_fail(err, KT_INVALID, "%s: a time before 1970", name);
    rc = kt_stage_bit(o->stage, &put->stage, err);
    if (rc == KT_SUCCESS && put->stage == KT_STAGE_PREVIOUS)
        rc = kt_fail(err, KT_INVALID, "%s: a new version is current or pending", name);
    return rc == KT_SUCCESS ? check_attrs(o->attrs, o->nattrs, err) : rc;
}

int kt_put(struct kt_handle *h, const char *name, const void *data, size_t len,
           const struct kt_put_options *options, char id[KT_ID_SIZE], struct kt_err *err)
{
    static const struct kt_put_options no_options = { .size = sizeof no_options };
    const struct kt_put_options *o = options != NULL ? options : &no_options;
    struct putting p = { .change = { .name = name, .turn = put_turn },
                         .put = { .size = sizeof p.put, .data = data != NULL ? data : "" } };
    char made[KT_ID_SIZE];
    struct kt_budget budget;
    int rc = check_put(name, data, len, o, &p.put, err);

    if (rc == KT_SUCCESS)
        rc = kt_budget_start(&budget, h, o->timeout_ms, o->may_prompt, err);
    if (rc == KT_SUCCESS && o->id == NULL)
        rc = kt_id_make(kt_clock_ns(&h->clock, KT_CLOCK_WALL), made, err);
    if (rc != KT_SUCCESS)
        return rc;
    p.put.id = o->id != NULL ? o->id : made;
    p.put.len = len;
    p.put.expected = o->expected;
    p.put.created_ms = kt_id_ms(p.put.id);
    p.put.expires_ms = o->expires_ms;
    p.put.not_before_ms = o->not_before_ms;
    p.put.attrs = o->attrs;
    p.put.nattrs = o->nattrs;
    p.change.id = p.put.stage == KT_STAGE_CURRENT ? p.put.id : NULL;
    rc = kt_change_run(&p.change, &budget, err);
    if (id != NULL && (rc == KT_SUCCESS || rc == KT_PARTIAL))
        memcpy(id, p.put.id, strlen(p.put.id) + 1);
    return rc;
}
