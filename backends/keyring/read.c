/* SPDX-License-Identifier: Apache-2.0 */
#include "guess.h"
#include "place.h"
#include "text.h"

#include <stdlib.h>
#include <string.h>

#define TRIES 50 /* writers that replace what was found before it is looked at */

enum kind { CURRENT, BY_ID, PENDING, BY_PATTERN };

/**
 * struct ask - one name
 * @id:     BY_ID, BY_PATTERN: the version that is wanted; NULL: any
 * @own:    @id, if it had to be looked up
 * @status: what came of it; KT_IGNORE while nothing has
 */
struct ask {
    size_t index;
    const char *name;
    enum kind kind;
    uint32_t stages;
    const char *id;
    char *own;
    int status;
};

/**
 * struct get - all names of a call
 * @opened: it is known that the collection is not locked
 */
struct get {
    struct ask *asks;
    size_t n;
    bool opened;
};

/* ---- what is looked for ---------------------------------------------------------------------- */

static GVariant *pattern_query(const struct kt_pattern *p, const char *name)
{
    char value[KT_PATTERN_VALUE_MAX];
    GVariantBuilder b;

    g_variant_builder_init(&b, G_VARIANT_TYPE("a{ss}"));
    for (size_t i = 0; i < p->n; i++)
        g_variant_builder_add(
            &b, "{ss}", p->pairs[i].key,
            kt_pattern_expand(p->pairs[i].value, name, value, sizeof(value)) ? value : "");
    return g_variant_builder_end(&b);
}

/* What others wrote bears no id; theirs are made of the item and the time. */
static bool is_foreign_id(const char *id)
{
    return id != NULL && strncmp(id, "keyring:", 8) == 0;
}

static GVariant *query_of(const struct kt_keyring *line, const struct ask *a)
{
    switch (a->kind) {
    case BY_PATTERN:
        return pattern_query(line->pattern, a->name);
    case BY_ID:
        return kt_query_versions(line->service, a->name, "keyturn:id", a->id);
    case PENDING:
        return kt_query_versions(line->service, a->name, "keyturn:stage", "pending");
    case CURRENT:
        break;
    }
    return kt_query_current(line->service, a->name);
}

/* A store may find more than it was asked for. */
static bool fits(const struct kt_keyring *line, const struct ask *a, const struct kt_item *item)
{
    if (a->id != NULL && strcmp(item->id, a->id) != 0)
        return false;
    if (a->kind == CURRENT)
        return kt_item_is_current(item, line->service, a->name);
    return a->kind != PENDING || item->pending;
}

static const struct kt_item *pick(const struct kt_keyring *line, const struct ask *a,
                                  const struct kt_hits *h)
{
    const struct kt_item *best = NULL;

    for (size_t i = 0; i < h->items->len; i++) {
        const struct kt_item *item = h->items->pdata[i];

        if (fits(line, a, item) && (best == NULL || kt_item_newer(item, best)))
            best = item;
    }
    return best;
}

/* ---- giving ---------------------------------------------------------------------------------- */

struct giving {
    struct kt_op *op;
    const struct ask *ask;
    const struct kt_item *item;
};

static int give_bytes(void *arg, const void *data, size_t len)
{
    const struct giving *g = arg;
    const uint32_t stages = g->ask->stages |
                            (kt_item_is_current(g->item, g->op->line->service, g->ask->name)
                                 ? KT_STAGE_CURRENT
                                 : 0);
    const struct kt_version v = kt_item_version(g->item, stages);

    return g->op->host->give(g->op->call, g->ask->index, &v, data, len);
}

static int give(struct kt_op *op, const struct ask *a, const struct kt_item *item)
{
    struct giving g = { op, a, item };

    if (item->state != KT_STATE_ENABLED)
        return op->host->fail(op->call, KT_DISABLED, "keyring: version %s of '%s' is %s", item->id,
                              a->name, item->state == KT_STATE_DISABLED ? "disabled" : "destroyed");
    return kt_find_value(op, item, a->name, give_bytes, &g);
}

/* ---- seeking --------------------------------------------------------------------------------- */

/**
 * struct round - what one search of all names has brought
 * @hits:   of the names without a status, in order
 * @again:  something was replaced meanwhile
 * @locked: path of an item that is locked by itself
 */
struct round {
    struct kt_hits *hits;
    size_t n;
    bool again;
    bool absent;
    char *locked;
};

/* One name's current version. */
static bool is_usual(const struct get *g)
{
    return g->n == 1 && g->asks[0].id == NULL &&
           (g->asks[0].kind == CURRENT || g->asks[0].kind == BY_PATTERN);
}

static int seek(struct kt_op *op, const struct get *g, struct round *r)
{
    int rc;

    r->hits = calloc(g->n, sizeof(*r->hits));
    if (r->hits == NULL)
        return op->host->fail(op->call, KT_NO_MEMORY, "keyring: out of memory");
    for (size_t i = 0; i < g->n; i++)
        if (g->asks[i].status == KT_IGNORE)
            kt_hits_init(&r->hits[r->n++], query_of(op->line, &g->asks[i]));
    if (is_usual(g) && kt_guess_find(op, g->asks[0].name, &r->hits[0], &rc))
        return rc;
    rc = kt_find(op, r->hits, r->n, true);
    return rc == KT_SUCCESS ? kt_find_times(op, r->hits, r->n) : rc;
}

static void round_done(struct round *r)
{
    for (size_t i = 0; i < r->n; i++)
        kt_hits_done(&r->hits[i]);
    free(r->hits);
    g_free(r->locked);
}

/* What is locked is not told apart: GNOME Keyring shows no true attributes of it. */
static int settle(struct kt_op *op, struct ask *a, const struct kt_hits *h, struct round *r)
{
    const struct kt_item *item = pick(op->line, a, h);

    if (h->locked) {
        for (size_t i = 0; i < h->items->len && r->locked == NULL; i++)
            if (((struct kt_item *)h->items->pdata[i])->secret == NULL)
                r->locked = g_strdup(((struct kt_item *)h->items->pdata[i])->path);
        r->absent = true;
    } else if (item != NULL) {
        a->status = give(op, a, item);
        if (a->id == NULL && h->items->len == 1)
            kt_guess_keep(op->line, a->name, item);
    } else if (h->vanished || (a->id == NULL && h->items->len > 0)) {
        r->again = true;
    } else {
        r->absent = true;
    }
    return a->status < 0 ? a->status : KT_SUCCESS;
}

static int settle_all(struct kt_op *op, const struct get *g, struct round *r)
{
    size_t at = 0;
    int rc = KT_SUCCESS;

    for (size_t i = 0; i < g->n && rc == KT_SUCCESS; i++) {
        struct ask *a = &g->asks[i];

        if (a->status != KT_IGNORE)
            continue;
        rc = settle(op, a, &r->hits[at++], r);
        if (a->status < 0)
            a->status = KT_IGNORE; /* once more */
    }
    return rc;
}

/* Nothing found may mean that it is locked. KT_NOT_FOUND: it is not. */
static int open_for(struct kt_op *op, struct get *g, const struct round *r)
{
    bool locked = false;
    int rc = KT_SUCCESS;

    if (!g->opened)
        rc = kt_place_locked(op, &locked);
    if (rc != KT_SUCCESS)
        return rc;
    g->opened = true;
    if (locked)
        return kt_place_open(op);
    return r->locked != NULL ? kt_place_unlock(op, r->locked, KT_ITEM) : KT_NOT_FOUND;
}

static void end_all(const struct get *g, int status)
{
    for (size_t i = 0; i < g->n; i++)
        if (g->asks[i].status == KT_IGNORE)
            g->asks[i].status = status;
}

static bool is_open(const struct get *g)
{
    for (size_t i = 0; i < g->n; i++)
        if (g->asks[i].status == KT_IGNORE)
            return true;
    return false;
}

/* A failure that is nobody's own is everybody's. */
static int seek_once(struct kt_op *op, struct get *g)
{
    struct round r = { .n = 0 };
    int rc = seek(op, g, &r);

    if (rc == KT_SUCCESS)
        rc = settle_all(op, g, &r);
    if (rc == KT_SUCCESS && r.absent) {
        rc = open_for(op, g, &r);
        if (rc == KT_NOT_FOUND && r.again)
            rc = KT_SUCCESS;
    }
    round_done(&r);
    return rc;
}

/* ---- previous -------------------------------------------------------------------------------- */

/* The id stands with the current version. */
static int find_previous(struct kt_op *op, struct get *g)
{
    struct round r = { .n = 0 };
    int rc;

    r.hits = calloc(g->n, sizeof(*r.hits));
    if (r.hits == NULL)
        return op->host->fail(op->call, KT_NO_MEMORY, "keyring: out of memory");
    for (; r.n < g->n; r.n++)
        kt_hits_init(&r.hits[r.n], kt_query_current(op->line->service, g->asks[r.n].name));
    rc = kt_find(op, r.hits, r.n, false);
    if (rc == KT_SUCCESS)
        rc = kt_find_times(op, r.hits, r.n);
    for (size_t i = 0; i < g->n && rc == KT_SUCCESS; i++) {
        struct ask *a = &g->asks[i];
        const struct kt_item *item = kt_hits_current(&r.hits[i], op->line->service, a->name);

        if (a->status != KT_IGNORE || a->id != NULL)
            continue;
        if (item == NULL || item->previous == NULL)
            a->status = KT_NOT_FOUND;
        else
            a->id = a->own = g_strdup(item->previous);
    }
    round_done(&r);
    return rc;
}

static int get_body(struct kt_op *op, void *arg)
{
    struct get *g = arg;
    int rc = KT_SUCCESS;

    if (g->asks[0].kind == BY_ID || g->asks[0].kind == PENDING) {
        rc = kt_place_open(op);
        g->opened = true;
    }
    if (rc == KT_SUCCESS && g->asks[0].kind == BY_ID && g->asks[0].stages == KT_STAGE_PREVIOUS)
        rc = find_previous(op, g);
    for (int tries = 0; tries < TRIES && rc == KT_SUCCESS && is_open(g); tries++)
        rc = seek_once(op, g);
    if (rc == KT_SUCCESS && is_open(g))
        rc = op->host->fail(op->call, KT_BUSY,
                            "keyring: what was found was replaced before it could be read, %d "
                            "times",
                            TRIES);
    if (rc >= 0)
        end_all(g, rc);
    return rc < 0 ? rc : KT_SUCCESS;
}

/* ---- the module's ---------------------------------------------------------------------------- */

static struct ask ask_for(const struct kt_keyring *line, const struct kt_want *want, size_t index,
                          const char *name)
{
    struct ask a = { .index = index, .name = name, .id = want->version, .status = KT_IGNORE };

    if (want->version != NULL && !kt_text_is_utf8(want->version)) {
        a.status = KT_NOT_FOUND;
    } else if (line->pattern != NULL) {
        a.kind = BY_PATTERN;
        if (want->version == NULL && want->stage != KT_STAGE_CURRENT && want->stage != 0)
            a.status = KT_NOT_FOUND;
    } else if (want->version != NULL) {
        a.kind = BY_ID;
    } else if (want->stage == KT_STAGE_PREVIOUS) {
        a.kind = BY_ID;
        a.stages = KT_STAGE_PREVIOUS;
    } else if (want->stage == KT_STAGE_PENDING) {
        a.kind = PENDING;
        a.stages = KT_STAGE_PENDING;
    } else {
        a.kind = CURRENT;
    }
    return a;
}

static int run(struct kt_keyring *line, struct kt_call *call, struct get *g)
{
    const int rc = is_open(g) ? kt_op_run(line, call, get_body, g) : KT_SUCCESS;

    for (size_t i = 0; i < g->n; i++)
        g_free(g->asks[i].own);
    if (rc != KT_SUCCESS)
        end_all(g, rc);
    return rc;
}

int kt_keyring_get_many(void *state, struct kt_call *call, const char *const *names, size_t n,
                        const struct kt_want *want, int *statuses)
{
    struct kt_keyring *line = state;
    struct get g = { .asks = calloc(n + 1, sizeof(*g.asks)), .n = n };
    int rc;

    if (g.asks == NULL)
        return line->host->fail(call, KT_NO_MEMORY, "keyring: out of memory");
    if (is_foreign_id(want->version)) {
        free(g.asks);
        return KT_UNSUPPORTED; /* one by one */
    }
    for (size_t i = 0; i < n; i++) {
        g.asks[i] = ask_for(line, want, i, names[i]);
        if (kt_keyring_takes(line, call, names[i]) != KT_SUCCESS)
            g.asks[i].status = KT_INVALID;
    }
    rc = run(line, call, &g);
    for (size_t i = 0; i < n; i++)
        statuses[i] = g.asks[i].status;
    free(g.asks);
    return rc;
}

int kt_keyring_get(void *state, struct kt_call *call, const char *name, const struct kt_want *want)
{
    struct kt_keyring *line = state;
    struct ask a = ask_for(line, want, 0, name);
    struct get g = { .asks = &a, .n = 1 };
    int rc = kt_keyring_takes(line, call, name);

    if (rc != KT_SUCCESS)
        return rc;
    rc = run(line, call, &g);
    if (rc == KT_SUCCESS)
        rc = a.status;
    if (rc != KT_NOT_FOUND || !is_foreign_id(want->version) || line->pattern != NULL)
        return rc;
    a = (struct ask){ .name = name, .id = want->version, .status = KT_IGNORE };
    g.opened = false;
    rc = run(line, call, &g);
    return rc == KT_SUCCESS ? a.status : rc;
}
