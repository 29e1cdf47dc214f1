/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Each operation is killed at each call that changes a file: before it, after it, in the middle of a
 * write. Then a fresh process looks, and another one writes.
 */

#include "kill.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

enum how {
    WARM,  /* the line has been used */
    COLD,  /* the first thing that its process does */
    FRESH, /* the same, and there is no store */
    AGAIN, /* the same; tried again where an earlier one died */
    SLOW,  /* as COLD; it takes long: at some points only */
    BURST, /* a long row of operations of all kinds: the log goes into the database */
};

/** struct row - an operation in a store of its own */
static const struct row {
    const char *title;
    enum kt_op_kind kind;
    enum how how;
    uint32_t len;
    const char *verb;
} rows[] = {
    { "first put", KT_OP_PUT, FRESH, 51, NULL },
    { "first put, tried again", KT_OP_PUT, AGAIN, 51, NULL },
    { "put, cold", KT_OP_PUT, COLD, 51, NULL },
    { "put", KT_OP_PUT, WARM, 51, NULL },
    { "put 64 KiB", KT_OP_PUT, WARM, KT_VALUE_MAX, NULL },
    { "put --expect none", KT_OP_CREATE, COLD, 51, NULL },
    { "put --expect current", KT_OP_CAS, WARM, 51, NULL },
    { "put pending", KT_OP_PENDING, WARM, 5000, NULL },
    { "promote", KT_OP_PROMOTE, COLD, 0, NULL },
    { "unstage", KT_OP_UNSTAGE, WARM, 0, NULL },
    { "destroy", KT_OP_DESTROY, COLD, 0, NULL },
    { "purge", KT_OP_PURGE, WARM, 0, NULL },
    { "delete", KT_OP_DELETE, WARM, 0, NULL },
    { "burst", KT_OP_PUT, BURST, 0, NULL },
    { "check", KT_OP_VERB, COLD, 0, "check" },
    { "re-encrypt", KT_OP_VERB, COLD, 0, "re-encrypt" },
    { "compact", KT_OP_VERB, COLD, 0, "compact" },
    { "backup", KT_OP_VERB, COLD, 0, "backup" },
    { "restore", KT_OP_VERB, COLD, 0, "restore" },
    { "import", KT_OP_VERB, COLD, 0, "import" },
    { "export", KT_OP_VERB, SLOW, 0, "export" },
};
#define ROWS (sizeof(rows) / sizeof(rows[0]))

#define BURST_OPS 120
#define BURST_POINTS 40 /* of a thousand, at random */
#define SLOW_STEP 6     /* points */
/* The first points: the next try finds nothing but what was left over. */
#define AGAIN_POINTS 12
/* An operation does not always take as many calls as when they were counted. */
#define EXTRA 3

/** struct world - a row's store, and what it must hold */
struct world {
    const struct row *row;
    char dir[KT_DIR_MAX];
    struct kt_model model;
    unsigned points;
    unsigned kills;
    bool left_out;
    bool exported;
};

/** struct work_order - what a child does: @n operations, from @from on with the shim at work */
struct work_order {
    const char *dir;
    struct kt_op ops[KT_SCRIPT_MAX];
    unsigned n;
    unsigned from;
    bool cold;
    bool burst;
    const struct kt_model *model;
    uint64_t random;
    struct kt_shim *shim;
    bool lenient; /* a failure is looked at by the caller: */
    int status;   /* of the last */
};

/* ---- children ------------------------------------------------------------------------------- */

static void do_burst(struct kt_work *w, int fd, const struct work_order *o)
{
    static struct kt_model now;
    uint64_t random = o->random;
    struct kt_op op;

    now = *o->model;
    for (int i = 0; i < BURST_OPS; i++) {
        kt_model_any(&now, 0, KT_MODEL_SECRETS, &random, &op);
        if (kt_child_do(w, fd, &op) != KT_SUCCESS)
            return;
        kt_model_apply(&now, &op);
    }
}

static void work_body(int fd, void *arg)
{
    const struct work_order *o = arg;
    struct kt_work w;

    if (o->cold)
        kt_shim = o->shim;
    kt_work_open(&w, o->dir);
    for (unsigned i = 0; i < o->n; i++) {
        if (i == o->from)
            kt_shim = o->shim;
        if (kt_child_do(&w, fd, &o->ops[i]) != KT_SUCCESS)
            _exit(0); /* told */
    }
    if (o->burst) {
        kt_shim = o->shim;
        do_burst(&w, fd, o);
    }
    kt_work_close(&w);
}

/* Runs it and brings the model up to date; @pending: what was not acknowledged. True: it was killed. */
static bool run_order(struct campaign *c, struct world *w, struct work_order *o,
                      struct kt_op *pending, unsigned *npending)
{
    struct kt_child child;
    struct kt_msg m;
    int status;

    *npending = 0;
    o->dir = w->dir;
    o->model = &w->model;
    kt_child_start(&child, work_body, o);
    while (kt_child_hear(&child, &m)) {
        *npending = m.done ? 0 : 1;
        *pending = m.op;
        if (!m.done)
            continue;
        o->status = m.status;
        if (o->lenient)
            continue;
        if (m.status == KT_SUCCESS) {
            kt_model_apply(&w->model, &m.op);
            c->acked++;
            w->exported = w->exported || w->row->how == SLOW;
        } else if (m.op.kind == KT_OP_VERB && m.status == KT_UNSUPPORTED) {
            w->left_out = true;
        } else {
            campaign_fail(c, "%s: %s: status %d: %s", w->row->title, kt_op_text(&m.op), m.status,
                          m.text);
        }
    }
    status = kt_child_wait(&child);
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
        return true;
    if (status != 0)
        campaign_fail(c, "%s: a writer ended with status %#x", w->row->title, (unsigned)status);
    return false;
}

/* ---- one kill ------------------------------------------------------------------------------- */

static void start_anew(struct world *w)
{
    kt_work_empty(w->dir);
    memset(&w->model, 0, sizeof(w->model));
}

/* A backup is there whole, that of before or the new one, and puts the store in its state. */
static void check_backup(struct campaign *c, struct world *w)
{
    struct work_order o = { .n = 1, .from = 1, .lenient = true };
    struct kt_model *m = &w->model;
    struct kt_model before = *m;
    char why[KT_WHY_MAX];
    struct kt_op op;
    unsigned n;

    o.ops[0] = (struct kt_op){ .kind = KT_OP_VERB, .verb = kt_verb_find("restore") };
    (void)run_order(c, w, &o, &op, &n);
    if (o.status == KT_NOT_FOUND && !m->has_saved)
        return;
    memcpy(before.secrets, m->saved, sizeof(before.secrets));
    if (o.status != KT_SUCCESS)
        campaign_fail(c, "backup: cannot be restored: status %d", o.status);
    else if (!kt_check(w->dir, m, NULL, 0, 0, m, why) &&
             (!m->has_saved || !kt_check(w->dir, &before, NULL, 0, 0, m, why)))
        campaign_fail(c, "backup: neither the last one nor the new one: %s", why);
    memcpy(m->saved, m->secrets, sizeof(m->saved));
    m->has_saved = true;
}

/* The same of an archive: all of it can be read. */
static void check_archive(struct campaign *c, struct world *w)
{
    struct work_order o = { .n = 1, .from = 1, .lenient = true };
    struct kt_op op;
    unsigned n;

    o.ops[0] = (struct kt_op){ .kind = KT_OP_VERB, .verb = kt_verb_find("import an archive, dry") };
    (void)run_order(c, w, &o, &op, &n);
    if (o.status != KT_SUCCESS && (o.status != KT_NOT_FOUND || w->exported))
        campaign_fail(c, "export: the archive cannot be read: status %d", o.status);
}

/* What must be true after a kill, and whether the next writer is held up by anything. */
static void check_after(struct campaign *c, struct world *w, const struct kt_shim *shim,
                        const struct kt_op *pending, unsigned npending)
{
    const unsigned flags = KT_CHECK_LITTER | (kt_draw(&c->random, 2) == 0 ? KT_CHECK_CLOSE : 0) |
                           (w->kills % 16 == 0 ? KT_CHECK_SOUND : 0);
    struct work_order next = { .n = 1, .from = 1 };
    char why[KT_WHY_MAX];
    struct kt_op op;
    unsigned n;

    c->checks++;
    if (!kt_check(w->dir, &w->model, pending, npending, flags, &w->model, why)) {
        campaign_fail(c, "%s, killed %s point %u (%s of %s)%s%s: %s", w->row->title,
                      shim->action == KT_SHIM_KILL_BEFORE  ? "before"
                      : shim->action == KT_SHIM_KILL_AFTER ? "after"
                                                           : "in",
                      shim->at, kt_shim_kind(shim->kind), shim->path,
                      npending > 0 ? ", under way: " : "", npending > 0 ? kt_op_text(pending) : "",
                      why);
        start_anew(w);
        return;
    }
    if (!w->model.made)
        return;
    if (w->row->verb != NULL && strcmp(w->row->verb, "backup") == 0)
        check_backup(c, w);
    if (w->row->how == SLOW)
        check_archive(c, w);
    kt_model_any(&w->model, 0, KT_MODEL_SECRETS, &c->random, &next.ops[0]);
    (void)run_order(c, w, &next, &op, &n);
}

/* One run; with @action KT_SHIM_COUNT only to count the points. True: a process was killed. */
static bool shoot(struct campaign *c, struct world *w, enum kt_shim_action action, unsigned at,
                  struct kt_shim *shim)
{
    const struct row *r = w->row;
    struct work_order o = { .cold = r->how != WARM && r->how != BURST,
                            .burst = r->how == BURST,
                            .random = kt_draw(&c->random, UINT64_MAX),
                            .shim = shim };
    struct kt_op pending;
    unsigned npending;
    bool killed;

    if (r->how == FRESH || (r->how == AGAIN && w->model.made))
        start_anew(w);
    if (r->how == FRESH || r->how == AGAIN) {
        (void)kt_model_choose(&w->model, KT_OP_PUT, 0, &c->random, &o.ops[0]);
        o.ops[0].len = r->len;
        o.n = 1;
    } else if (!o.burst) {
        o.n = kt_script(&w->model, r->kind, r->verb != NULL ? kt_verb_find(r->verb) : 0, r->len,
                        &c->random, o.ops);
    }
    if (o.cold && o.n > 1) { /* another process prepares it */
        struct work_order first = o;

        first.n = first.from = o.n - 1;
        first.cold = false;
        (void)run_order(c, w, &first, &pending, &npending);
        o.ops[0] = o.ops[o.n - 1];
        o.n = 1;
    }
    o.from = o.cold || o.burst ? KT_SCRIPT_MAX : o.n - 1;
    *shim = (struct kt_shim){ .action = (int)action, .kinds = KT_SHIM_ALL, .at = at, .last = at };
    (void)snprintf(shim->dir, sizeof(shim->dir), "%s", w->dir);
    killed = run_order(c, w, &o, &pending, &npending);
    if (!killed)
        return false;
    c->kills++;
    w->kills++;
    check_after(c, w, shim, &pending, npending);
    return true;
}

/* ---- the plan ------------------------------------------------------------------------------- */

struct shot {
    unsigned char row;
    unsigned char action;
    unsigned short at;
};

static unsigned make_plan(struct campaign *c, const struct world *worlds, struct shot *out)
{
    unsigned n = 0;

    for (unsigned i = 0; i < ROWS; i++) {
        const bool burst = worlds[i].row->how == BURST;
        const unsigned points = burst                         ? BURST_POINTS
                                : worlds[i].row->how == AGAIN ? AGAIN_POINTS
                                                              : worlds[i].points + EXTRA;

        const unsigned step = worlds[i].row->how == SLOW ? SLOW_STEP : 1;

        for (unsigned at = 1; !worlds[i].left_out && at <= points; at += step)
            for (int a = KT_SHIM_KILL_BEFORE; a <= KT_SHIM_KILL_TORN; a++) {
                const unsigned where = burst ? 1 + (unsigned)kt_draw(&c->random, worlds[i].points)
                                             : at;

                if (out != NULL)
                    out[n] = (struct shot){ (unsigned char)i, (unsigned char)a,
                                            (unsigned short)where };
                n++;
            }
    }
    for (unsigned i = n; out != NULL && i > 1; i--) {
        const unsigned k = (unsigned)kt_draw(&c->random, i);
        const struct shot was = out[i - 1];

        out[i - 1] = out[k];
        out[k] = was;
    }
    return n;
}

static void open_world(struct campaign *c, struct world *w, unsigned i, struct kt_shim *shim)
{
    struct work_order first = { .n = 1, .from = KT_SCRIPT_MAX };
    struct kt_op op;
    unsigned n;

    *w = (struct world){ .row = &rows[i] };
    (void)snprintf(w->dir, sizeof(w->dir), "%s/row-%u", c->dir, i);
    (void)mkdir(w->dir, 0700);
    if (w->row->how != FRESH && w->row->how != AGAIN)
        for (unsigned k = 0; k < 8; k++) {
            kt_model_any(&w->model, 0, KT_MODEL_SECRETS, &c->random, &first.ops[0]);
            (void)run_order(c, w, &first, &op, &n);
        }
    (void)shoot(c, w, KT_SHIM_COUNT, 0, shim);
    w->points = shim->count;
    if (w->left_out)
        printf("  %-24s left out: the module does not do it\n", w->row->title);
    else if (w->points == 0 || (shim->seen[1] == 0 && w->row->verb == NULL) ||
             (shim->seen[3] == 0 && w->row->verb == NULL))
        campaign_fail(c, "%s: the interposer saw %u calls, %u writes, %u syncs", w->row->title,
                      shim->count, shim->seen[1], shim->seen[3]);
}

/* `file check` finds nothing to say. */
static void check_by_verb(struct campaign *c, struct world *w)
{
    struct work_order o = { .n = 1, .from = 1 };
    struct kt_op op;
    unsigned n;

    o.ops[0] = (struct kt_op){ .kind = KT_OP_VERB, .verb = kt_verb_find("check") };
    if (w->model.made)
        (void)run_order(c, w, &o, &op, &n);
}

void campaign_points(struct campaign *c, unsigned kills)
{
    static struct world worlds[ROWS];
    struct kt_shim *shim = kt_shared(sizeof(*shim));
    struct shot *plan;
    unsigned n;

    for (unsigned i = 0; i < ROWS && c->failures < FAILURES_MAX; i++)
        open_world(c, &worlds[i], i, shim);
    if (c->failures > 0)
        return;
    n = make_plan(c, worlds, NULL);
    plan = malloc((n + 1) * sizeof(*plan));
    n = plan != NULL ? make_plan(c, worlds, plan) : 0;
    if (n == 0)
        campaign_fail(c, "there is nothing to be killed");
    for (unsigned i = 0; i < n && c->kills < kills && c->failures < FAILURES_MAX; i++)
        (void)shoot(c, &worlds[plan[i].row], plan[i].action, plan[i].at, shim);
    free(plan);
    for (unsigned i = 0; i < ROWS; i++) {
        char why[KT_WHY_MAX];

        if (worlds[i].left_out)
            continue;
        printf("  %-24s %4u points, %5u kills\n", rows[i].title, worlds[i].points, worlds[i].kills);
        check_by_verb(c, &worlds[i]);
        if (!kt_check(worlds[i].dir, &worlds[i].model, NULL, 0, KT_CHECK_SOUND | KT_CHECK_CLOSE,
                      &worlds[i].model, why))
            campaign_fail(c, "%s, in the end: %s", rows[i].title, why);
    }
}
