/* SPDX-License-Identifier: Apache-2.0 */
#include "model.h"

#include "work.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

uint64_t kt_draw(uint64_t *state, uint64_t below)
{
    uint64_t x = *state += 0x9e3779b97f4a7c15U;

    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9U;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebU;
    return (x ^ (x >> 31)) % below;
}

void kt_model_name(unsigned secret, char out[16])
{
    (void)snprintf(out, 16, "s/%02u", secret);
}

/* The seed comes first: a value tells which it is. */
void kt_model_value(uint64_t seed, uint32_t len, uint8_t *out)
{
    uint64_t state = seed;

    for (uint32_t i = 0; i < len; i += 8) {
        const uint64_t word = i == 0 ? seed : kt_draw(&state, UINT64_MAX);

        memcpy(out + i, &word, len - i < 8 ? len - i : 8);
    }
}

bool kt_model_seed(const uint8_t *data, size_t len, uint64_t *seed)
{
    uint8_t expected[KT_VALUE_MAX];

    *seed = 0;
    if (len == 0)
        return true;
    if (len < sizeof(*seed) || len > sizeof(expected))
        return false;
    memcpy(seed, data, sizeof(*seed));
    kt_model_value(*seed, (uint32_t)len, expected);
    return memcmp(data, expected, len) == 0;
}

/* ---- one secret ----------------------------------------------------------------------------- */

static struct kt_mversion *staged(struct kt_msecret *s, uint32_t stage)
{
    for (unsigned i = 0; i < s->n; i++)
        if ((s->v[i].stages & stage) != 0)
            return &s->v[i];
    return NULL;
}

static struct kt_mversion *find(struct kt_msecret *s, const char *id)
{
    for (unsigned i = 0; i < s->n; i++)
        if (strcmp(s->v[i].id, id) == 0)
            return &s->v[i];
    return NULL;
}

/* One that must be there: what was chosen on the same model. */
static struct kt_mversion *have(struct kt_msecret *s, const char *id)
{
    struct kt_mversion *v = find(s, id);

    if (v == NULL)
        abort();
    return v;
}

static void set_label(struct kt_msecret *s, uint32_t stage, struct kt_mversion *to)
{
    for (unsigned i = 0; i < s->n; i++)
        s->v[i].stages &= ~stage;
    if (to != NULL)
        to->stages |= stage;
}

/* Who was current becomes previous; what is current is neither previous nor pending. */
static void move_current(struct kt_msecret *s, struct kt_mversion *to)
{
    struct kt_mversion *old = staged(s, KT_STAGE_CURRENT);

    set_label(s, KT_STAGE_CURRENT, to);
    to->stages &= ~(KT_STAGE_PENDING | KT_STAGE_PREVIOUS);
    if (old != NULL && old != to)
        set_label(s, KT_STAGE_PREVIOUS, old);
}

static struct kt_mversion *add(struct kt_msecret *s, const struct kt_op *op)
{
    unsigned at = 0;

    while (at < s->n && strcmp(s->v[at].id, op->id) < 0)
        at++;
    memmove(&s->v[at + 1], &s->v[at], (s->n - at) * sizeof(s->v[0]));
    s->v[at] = (struct kt_mversion){ .seed = op->seed, .len = op->len };
    memcpy(s->v[at].id, op->id, sizeof(op->id));
    s->n++;
    return &s->v[at];
}

static void drop(struct kt_msecret *s, const struct kt_mversion *v)
{
    const unsigned at = (unsigned)(v - s->v);

    s->n--;
    memmove(&s->v[at], &s->v[at + 1], (s->n - at) * sizeof(s->v[0]));
}

bool kt_model_same(const struct kt_msecret *a, const struct kt_msecret *b)
{
    if (a->n != b->n)
        return false;
    for (unsigned i = 0; i < a->n; i++) {
        const struct kt_mversion *x = &a->v[i];
        const struct kt_mversion *y = &b->v[i];

        if (strcmp(x->id, y->id) != 0 || x->stages != y->stages || x->destroyed != y->destroyed)
            return false;
        if (!x->destroyed && (x->len != y->len || (x->len > 0 && x->seed != y->seed)))
            return false;
    }
    return true;
}

/* ---- operations ----------------------------------------------------------------------------- */

/* A version without any of these stages that is not destroyed, or is; NULL: none. */
static const struct kt_mversion *pick(const struct kt_msecret *s, uint32_t without, bool destroyed,
                                      uint64_t *random)
{
    const unsigned from = s->n > 0 ? (unsigned)kt_draw(random, s->n) : 0;

    for (unsigned i = 0; i < s->n; i++) {
        const struct kt_mversion *v = &s->v[(from + i) % s->n];

        if ((v->stages & without) == 0 && (destroyed || !v->destroyed))
            return v;
    }
    return NULL;
}

/* Mostly keys, now and then a page, many pages, nothing. */
static uint32_t some_length(uint64_t *random)
{
    switch (kt_draw(random, 16)) {
    case 0:
        return 0;
    case 1:
        return KT_VALUE_MAX - (uint32_t)kt_draw(random, 100);
    case 2:
    case 3:
        return 1000 + (uint32_t)kt_draw(random, 9000);
    default:
        return 8 + (uint32_t)kt_draw(random, 120);
    }
}

static void make_put(const struct kt_mversion *current, uint64_t *random, struct kt_op *out)
{
    modhost_id(out->id);
    out->seed = kt_draw(random, UINT64_MAX);
    out->len = some_length(random);
    if (current != NULL && out->kind == KT_OP_CAS)
        memcpy(out->expected, current->id, sizeof(current->id));
}

static bool choose_version(const struct kt_mversion *v, struct kt_op *out)
{
    if (v != NULL)
        memcpy(out->id, v->id, sizeof(v->id));
    return v != NULL;
}

bool kt_model_choose(const struct kt_model *m, enum kt_op_kind kind, unsigned secret,
                     uint64_t *random, struct kt_op *out)
{
    struct kt_msecret s = m->secrets[secret];
    const uint32_t any = KT_STAGE_CURRENT | KT_STAGE_PREVIOUS | KT_STAGE_PENDING;
    const struct kt_mversion *current = staged(&s, KT_STAGE_CURRENT);

    *out = (struct kt_op){ .kind = kind, .secret = secret };
    switch (kind) {
    case KT_OP_PUT:
    case KT_OP_CREATE:
    case KT_OP_CAS:
    case KT_OP_PENDING:
        if (s.n == KT_MODEL_VERSIONS || (kind == KT_OP_CREATE && s.n > 0) ||
            (kind == KT_OP_CAS && current == NULL))
            return false;
        make_put(current, random, out);
        return true;
    case KT_OP_PROMOTE:
        return choose_version(pick(&s, KT_STAGE_CURRENT, false, random), out);
    case KT_OP_UNSTAGE:
        return staged(&s, KT_STAGE_PENDING) != NULL;
    case KT_OP_DESTROY:
        return choose_version(pick(&s, KT_STAGE_CURRENT, false, random), out);
    case KT_OP_PURGE:
        return choose_version(pick(&s, any, true, random), out);
    case KT_OP_DELETE:
        return s.n > 0;
    case KT_OP_VERB:
        break;
    }
    return false;
}

void kt_model_any(const struct kt_model *m, unsigned from, unsigned n, uint64_t *random,
                  struct kt_op *out)
{
    static const enum kt_op_kind kinds[] = {
        KT_OP_PUT,     KT_OP_PUT,     KT_OP_PUT,     KT_OP_CREATE,  KT_OP_CAS,
        KT_OP_CAS,     KT_OP_PENDING, KT_OP_PROMOTE, KT_OP_PROMOTE, KT_OP_UNSTAGE,
        KT_OP_DESTROY, KT_OP_PURGE,   KT_OP_PURGE,   KT_OP_PURGE,   KT_OP_DELETE,
    };

    for (;;) {
        const unsigned secret = from + (unsigned)kt_draw(random, n);
        const uint64_t i = kt_draw(random, sizeof(kinds) / sizeof(kinds[0]));

        if (kt_model_choose(m, kinds[i], secret, random, out))
            return;
    }
}

static void apply_verb(struct kt_model *m, const struct kt_op *op)
{
    switch (kt_verbs[op->verb].effect) {
    case KT_EFFECT_NONE:
        break;
    case KT_EFFECT_SAVE:
        m->has_saved = true;
        memcpy(m->saved, m->secrets, sizeof(m->saved));
        break;
    case KT_EFFECT_LOAD:
        memcpy(m->secrets, m->saved, sizeof(m->secrets));
        break;
    }
}

void kt_model_apply(struct kt_model *m, const struct kt_op *op)
{
    struct kt_msecret *s = &m->secrets[op->secret];

    switch (op->kind) {
    case KT_OP_PUT:
    case KT_OP_CREATE:
    case KT_OP_CAS:
        m->made = true;
        move_current(s, add(s, op));
        break;
    case KT_OP_PENDING:
        m->made = true;
        set_label(s, KT_STAGE_PENDING, add(s, op));
        break;
    case KT_OP_PROMOTE:
        move_current(s, have(s, op->id));
        break;
    case KT_OP_UNSTAGE:
        set_label(s, KT_STAGE_PENDING, NULL);
        break;
    case KT_OP_DESTROY:
        have(s, op->id)->destroyed = true;
        break;
    case KT_OP_PURGE:
        drop(s, have(s, op->id));
        break;
    case KT_OP_DELETE:
        s->n = 0;
        break;
    case KT_OP_VERB:
        apply_verb(m, op);
        break;
    }
}

const char *kt_op_text(const struct kt_op *op)
{
    static const char *const kinds[] = { "put",
                                         "put --expect none",
                                         "put --expect current",
                                         "pending",
                                         "promote",
                                         "unstage",
                                         "destroy",
                                         "purge",
                                         "delete" };
    static _Thread_local char text[120];
    char name[16];

    kt_model_name(op->secret, name);
    if (op->kind == KT_OP_VERB)
        (void)snprintf(text, sizeof(text), "%s", kt_verbs[op->verb].verb);
    else
        (void)snprintf(text, sizeof(text), "%s %s %s (%u bytes)", kinds[op->kind], name, op->id,
                       op->len);
    return text;
}
