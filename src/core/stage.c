/* SPDX-License-Identifier: Apache-2.0 */
#include "arena.h"
#include "change.h"
#include "clock.h"
#include "err.h"
#include "field.h"
#include "id.h"
#include "name.h"

#include <string.h>

/* ---- copies ---------------------------------------------------------------------------------- */

static int fill_turn(struct kt_turn *t, const char *name, const struct kt_put *put)
{
    const struct kt_module *m = &t->store->ops;

    if (m->fill != NULL && t->line->core.field == NULL)
        return m->fill(t->store->state, &t->call, t->place, put);
    if (put->id != NULL)
        return kt_put_turn(t, name, put);
    if (m->del != NULL && t->line->core.field == NULL) {
        const struct kt_delete all = { .size = sizeof all };
        bool restorable;

        return m->del(t->store->state, &t->call, t->phase, t->place, &all, &restorable);
    }
    return kt_fail(&t->call.err, KT_UNSUPPORTED, "this store cannot be made to forget a secret");
}

int kt_copy_turn(struct kt_turn *t, const char *name)
{
    const struct kt_want want = { .size = sizeof want,
                                  .stage = KT_STAGE_CURRENT,
                                  .max_age_ms = -1 };
    struct kt_put put = { .size = sizeof put, .stage = KT_STAGE_CURRENT };
    struct kt_offer o;
    int rc;

    kt_offer_init(&o, NULL);
    rc = kt_authority_get(t, name, &want, &o);
    if (rc == KT_SUCCESS) {
        put.id = o.id;
        put.data = o.data;
        put.len = o.len;
        put.created_ms = o.created_ms;
        put.expires_ms = o.expires_ms;
        put.not_before_ms = o.not_before_ms;
        put.attrs = o.attrs;
        put.nattrs = o.nattrs;
    }
    if (rc == KT_SUCCESS || rc == KT_NOT_FOUND) {
        t->call.err.status = KT_SUCCESS;
        t->call.err.msg[0] = '\0';
        kt_asof_now(&t->call.budget->handle->clock, &put.asof);
        rc = fill_turn(t, name, &put);
    }
    kt_offer_clear(&o);
    return rc;
}

/* ---- stage ----------------------------------------------------------------------------------- */

struct staging {
    struct kt_change change;
    uint32_t stage;
    const char *version;
    const char *expected;
};

/* A follower that lacks the version gets a copy of it: what counts there is the current one. */
static int stage_turn(struct kt_change *c, struct kt_turn *t)
{
    const struct staging *s = (const struct staging *)c;
    const struct kt_module *m = &t->store->ops;
    const char *expected = t->authority ? s->expected : NULL;
    int rc = kt_needs_cas(t, expected);

    if (rc != KT_SUCCESS)
        return rc;
    rc = m->stage == NULL || t->line->core.field != NULL
             ? kt_fail(&t->call.err, KT_UNSUPPORTED, "this store does not move stages")
             : m->stage(t->store->state, &t->call, t->phase, t->place, s->stage, s->version,
                        expected);
    if (t->authority || (rc != KT_NOT_FOUND && rc != KT_UNSUPPORTED))
        return rc;
    if (s->stage != KT_STAGE_CURRENT)
        return KT_IGNORE;
    return t->phase == KT_PREPARE ? KT_SUCCESS : kt_copy_turn(t, c->name);
}

int kt_stage(struct kt_handle *h, const char *name, const char *stage, const char *version,
             const char *expected, const struct kt_call_options *options, struct kt_err *err)
{
    struct staging s = { .change = { .name = name, .turn = stage_turn },
                         .version = version,
                         .expected = expected };
    struct kt_budget budget;
    int rc = stage == NULL ? kt_fail(err, KT_INVALID, "no stage was named")
                           : kt_stage_bit(stage, &s.stage, err);

    if (rc != KT_SUCCESS)
        return rc;
    if (s.stage == KT_STAGE_PREVIOUS)
        return kt_fail(err, KT_INVALID, "previous follows current by itself");
    if (version == NULL && s.stage == KT_STAGE_CURRENT)
        return kt_fail(err, KT_INVALID, "current moves to a version: name it");
    if (expected != NULL && s.stage != KT_STAGE_CURRENT)
        return kt_fail(err, KT_INVALID, "an expected version goes with current");
    if (version != NULL && kt_id_check(version, err) != KT_SUCCESS)
        return KT_INVALID;
    rc = kt_budget_begin(&budget, h, name, options, err);
    if (rc != KT_SUCCESS)
        return rc;
    s.change.id = s.stage == KT_STAGE_CURRENT ? version : NULL;
    return kt_change_run(&s.change, &budget, err);
}

/* ---- delete ---------------------------------------------------------------------------------- */

struct deleting {
    struct kt_change change;
    struct kt_delete del;
    bool restorable;
};

/* On a line with `field=` the secret is a member: a new version of the object without it. */
static int delete_member(struct kt_turn *t)
{
    const struct kt_want want = { .size = sizeof want,
                                  .stage = KT_STAGE_CURRENT,
                                  .max_age_ms = -1 };
    struct kt_handle *h = t->call.budget->handle;
    struct kt_put put = { .size = sizeof put, .stage = KT_STAGE_CURRENT };
    char id[KT_ID_SIZE];
    struct kt_offer old;
    char *text = NULL;
    int rc;

    kt_offer_init(&old, NULL);
    rc = kt_raw_get(t, &want, &old);
    if (rc == KT_SUCCESS) {
        text = kt_arena_alloc(old.len + 1, 0);
        rc = text == NULL ? kt_fail(&t->call.err, KT_NO_MEMORY, "out of memory")
                          : kt_field_remove(old.data, old.len, t->line->core.field, text, &put.len);
    }
    if (rc == KT_CORRUPT)
        (void)kt_fail(&t->call.err, rc, "field=%s: what is stored there is no JSON object",
                      t->line->core.field);
    if (rc == KT_SUCCESS && t->store->ops.put == NULL)
        rc = kt_fail(&t->call.err, KT_UNSUPPORTED, "this store cannot be written");
    if (rc == KT_SUCCESS)
        rc = kt_id_make(kt_clock_ns(&h->clock, KT_CLOCK_WALL), id, &t->call.err);
    if (rc == KT_SUCCESS) {
        put.id = id;
        put.created_ms = kt_id_ms(id);
        put.data = text;
        put.expected = t->store->ops.cas != KT_CAS_NONE ? old.id : NULL;
        if (!t->authority)
            kt_asof_now(&h->clock, &put.asof);
        rc = t->store->ops.put(t->store->state, &t->call, t->phase, t->place, &put);
    }
    kt_arena_free(text);
    kt_offer_clear(&old);
    return rc;
}

static int delete_turn(struct kt_change *c, struct kt_turn *t)
{
    struct deleting *d = (struct deleting *)c;
    struct kt_delete del = d->del;
    bool restorable = false;
    int rc;

    if (!t->authority)
        del.expected = NULL;
    rc = kt_needs_cas(t, del.expected);
    if (rc != KT_SUCCESS)
        return rc;
    if (t->line->core.field != NULL && !kt_name_is_ours(c->name))
        return del.version == NULL && del.expected == NULL
                   ? delete_member(t)
                   : kt_fail(&t->call.err, KT_UNSUPPORTED,
                             "on a line with field= only the whole member can be deleted");
    if (del.version != NULL && (t->store->ops.capabilities & KT_CAP_DESTROY) == 0)
        return kt_fail(&t->call.err, KT_UNSUPPORTED, "this store does not destroy single versions");
    if (t->store->ops.del == NULL)
        return kt_fail(&t->call.err, KT_UNSUPPORTED, "this store deletes nothing");
    rc = t->store->ops.del(t->store->state, &t->call, t->phase, t->place, &del, &restorable);
    if (rc == KT_SUCCESS && t->authority)
        d->restorable = restorable;
    return rc;
}

int kt_delete(struct kt_handle *h, const char *name, const struct kt_delete_options *options,
              bool *restorable, struct kt_err *err)
{
    static const struct kt_delete_options none = { .size = sizeof none };
    const struct kt_delete_options *o = options != NULL ? options : &none;
    const struct kt_call_options co = { .size = sizeof co,
                                        .timeout_ms = o->timeout_ms,
                                        .may_prompt = o->may_prompt };
    struct deleting d = { .change = { .name = name, .turn = delete_turn, .absent_ok = true },
                          .del = { .size = sizeof d.del,
                                   .purge = o->purge,
                                   .version = o->version,
                                   .expected = o->expected } };
    struct kt_budget budget;
    int rc;

    if (o->size != sizeof *o)
        return kt_fail(err, KT_INVALID, "struct kt_delete_options has size %zu, this library's %zu",
                       o->size, sizeof *o);
    if (o->version != NULL && o->expected != NULL)
        return kt_fail(err, KT_INVALID, "an expected version goes with the whole secret");
    if (o->version != NULL && kt_id_check(o->version, err) != KT_SUCCESS)
        return KT_INVALID;
    rc = kt_budget_begin(&budget, h, name, &co, err);
    if (rc == KT_SUCCESS)
        rc = kt_change_run(&d.change, &budget, err);
    if (rc == KT_SUCCESS && restorable != NULL)
        *restorable = d.restorable;
    return rc;
}

/* ---- restore --------------------------------------------------------------------------------- */

static int restore_turn(struct kt_change *c, struct kt_turn *t)
{
    if (t->store->ops.restore != NULL && t->line->core.field == NULL)
        return t->store->ops.restore(t->store->state, &t->call, t->phase, t->place);
    if (t->authority)
        return kt_fail(&t->call.err, KT_UNSUPPORTED, "this store brings nothing back");
    return t->phase == KT_PREPARE ? KT_SUCCESS : kt_copy_turn(t, c->name);
}

int kt_restore(struct kt_handle *h, const char *name, const struct kt_call_options *options,
               struct kt_err *err)
{
    struct kt_change c = { .name = name, .turn = restore_turn };
    struct kt_budget budget;
    const int rc = kt_budget_begin(&budget, h, name, options, err);

    return rc == KT_SUCCESS ? kt_change_run(&c, &budget, err) : rc;
}

/* ---- repair ---------------------------------------------------------------------------------- */

/* At the authority it is only asked, so that an outage there ends it before a copy is touched. */
static int repair_turn(struct kt_change *c, struct kt_turn *t)
{
    const struct kt_want want = { .size = sizeof want,
                                  .stage = KT_STAGE_CURRENT,
                                  .max_age_ms = -1 };
    struct kt_offer o;
    int rc;

    if (t->phase == KT_COMMIT)
        return t->authority ? KT_SUCCESS : kt_copy_turn(t, c->name);
    if (!t->authority)
        return KT_SUCCESS;
    kt_offer_init(&o, NULL);
    rc = kt_raw_get(t, &want, &o);
    kt_offer_clear(&o);
    return rc == KT_NOT_FOUND ? KT_SUCCESS : rc;
}

int kt_repair(struct kt_handle *h, const char *name, const struct kt_call_options *options,
              struct kt_err *err)
{
    struct kt_change c = { .name = name, .turn = repair_turn, .absent_ok = true };
    struct kt_budget budget;
    const int rc = kt_budget_begin(&budget, h, name, options, err);

    return rc == KT_SUCCESS ? kt_change_run(&c, &budget, err) : rc;
}
