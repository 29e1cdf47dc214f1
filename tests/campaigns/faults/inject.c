/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Each operation meets each fault at each call that changes a file, once or from there on. Its status has
 * to say what happened; the same handle reads everything while the fault lasts, and writes when it is
 * over; what failed is there whole or not at all.
 */

#include "faults.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum how {
    WARM,  /* the line has been used */
    COLD,  /* the first thing that its process does */
    FRESH, /* the same, and there is no store */
};

/** struct row - @step: points to go on by, for what writes one page after the other; 0: 1; @log: moves
 * the log into the database when all is done, which may fail: the log stays */
static const struct row {
    const char *title;
    enum kt_op_kind kind;
    enum how how;
    uint32_t len;
    const char *verb;
    unsigned step;
    bool log;
} rows[] = {
    { "first put", KT_OP_PUT, FRESH, 51, NULL, 0, false },
    { "put, cold", KT_OP_PUT, COLD, 51, NULL, 0, false },
    { "put", KT_OP_PUT, WARM, 51, NULL, 0, false },
    { "put 20 KiB", KT_OP_PUT, WARM, 20000, NULL, 0, false },
    { "put --expect current", KT_OP_CAS, WARM, 51, NULL, 0, false },
    { "put pending", KT_OP_PENDING, COLD, 5000, NULL, 0, false },
    { "promote", KT_OP_PROMOTE, WARM, 0, NULL, 0, false },
    { "destroy", KT_OP_DESTROY, WARM, 0, NULL, 0, false },
    { "purge", KT_OP_PURGE, COLD, 0, NULL, 0, false },
    { "delete", KT_OP_DELETE, WARM, 0, NULL, 0, false },
    { "check", KT_OP_VERB, COLD, 0, "check", 0, false },
    { "re-encrypt", KT_OP_VERB, COLD, 0, "re-encrypt", 3, true },
    { "compact", KT_OP_VERB, COLD, 0, "compact", 0, false },
    { "backup", KT_OP_VERB, COLD, 0, "backup", 2, false },
    { "restore", KT_OP_VERB, COLD, 0, "restore", 6, true },
    { "import", KT_OP_VERB, COLD, 0, "import", 0, false },
};
#define ROWS (sizeof(rows) / sizeof(rows[0]))

/** struct fault - @want: the status; KT_SUCCESS: nobody may notice; @word: in the text */
static const struct fault {
    const char *title;
    enum kt_shim_action action;
    int error;
    unsigned kinds;
    int want;
    const char *word;
    bool once;
    bool onward;
} faults[] = {
    { "full", KT_SHIM_FAIL, ENOSPC, KT_SHIM_ALL & ~KT_SHIM_UNLINK, KT_NO_SPACE, "", true, true },
    { "quota", KT_SHIM_FAIL, EDQUOT, KT_SHIM_ALL & ~KT_SHIM_UNLINK, KT_NO_SPACE, "", true, true },
    { "I/O error", KT_SHIM_FAIL, EIO, KT_SHIM_ALL, KT_UNAVAILABLE, "Input/output error", true,
      true },
    { "read-only", KT_SHIM_FAIL, EROFS, KT_SHIM_ALL, KT_READ_ONLY, "", true, true },
    { "interrupted", KT_SHIM_FAIL, EINTR, KT_SHIM_WRITE | KT_SHIM_TRUNCATE | KT_SHIM_SYNC,
      KT_SUCCESS, "", true, false },
    { "short writes", KT_SHIM_SHORT, 0, KT_SHIM_WRITE, KT_SUCCESS, "", true, true },
};
#define FAULTS (sizeof(faults) / sizeof(faults[0]))

/**
 * struct trial - one run; shared with the process that does it, which keeps @model up to date
 * @over: the operation took fewer calls than @at
 */
struct trial {
    const struct row *row;
    const struct fault *fault;
    bool onward;
    unsigned at;
    char dir[KT_DIR_MAX];
    uint64_t random;
    struct kt_model model;
    struct kt_op ops[KT_SCRIPT_MAX];
    unsigned n;
    struct kt_shim shim;
    int status;
    unsigned hits;
    bool over;
    bool told;
    bool left_out;
    unsigned readings;
    bool failed;
    char why[KT_WHY_MAX];
};

static void fail(struct trial *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void fail(struct trial *t, const char *fmt, ...)
{
    va_list ap;

    if (t->failed)
        return;
    t->failed = true;
    va_start(ap, fmt);
    (void)vsnprintf(t->why, sizeof(t->why), fmt, ap);
    va_end(ap);
}

/* ---- in the process that meets the fault -------------------------------------------------------- */

static void must_do(struct trial *t, struct kt_work *w, const struct kt_op *op, const char *when)
{
    const int rc = kt_work_do(w, op);

    if (rc == KT_SUCCESS)
        kt_model_apply(&t->model, op);
    else if (op->kind == KT_OP_VERB && rc == KT_UNSUPPORTED)
        t->left_out = true;
    else
        fail(t, "%s: %s: status %d: %s", when, kt_op_text(op), rc, w->call.msg);
}

/* The log's index holds nothing that is not in the log: there is another way without it. */
static bool is_index(const char *path)
{
    const size_t n = strlen(path);

    return n > 4 && strcmp(path + n - 4, "-shm") == 0;
}

static void judge(struct trial *t, const struct kt_work *w)
{
    const struct fault *f = t->fault;

    t->told = t->status != KT_SUCCESS;
    if (t->hits == 0 && t->status != KT_SUCCESS)
        fail(t, "status %d without a fault: %s", t->status, w->call.msg);
    else if (t->status != KT_SUCCESS &&
             (t->status != f->want || strstr(w->call.msg, f->word) == NULL))
        fail(t, "status %d, expected %d: %s", t->status, f->want, w->call.msg);
    /* What is not on the disk must not be acknowledged. */
    else if (t->status == KT_SUCCESS && t->hits > 0 && f->want != KT_SUCCESS && !t->row->log &&
             (t->shim.kind & (KT_SHIM_SYNC | KT_SHIM_WRITE)) != 0 && !is_index(t->shim.path) &&
             (strcmp(t->shim.path, t->dir) != 0 || t->shim.names))
        fail(t, "success");
}

/* Read all; what failed is there whole or not at all, and @done says which. */
static void look(struct trial *t, struct kt_work *w, const struct kt_op *op, const char *when,
                 bool *done)
{
    static struct kt_model seen;
    static struct kt_model after;
    char why[KT_WHY_MAX];

    after = t->model;
    kt_model_apply(&after, op);
    *done = false;
    t->readings++;
    if (!kt_work_look(w, &seen, why)) {
        fail(t, "%s: %.400s", when, why);
        return;
    }
    if (t->status == KT_SUCCESS || kt_work_match(&seen, &t->model, NULL, 0, why) == false)
        *done = kt_work_match(&seen, &after, NULL, 0, why);
    if (!*done && (t->status == KT_SUCCESS || !kt_work_match(&seen, &t->model, NULL, 0, why)))
        fail(t, "%s, after status %d: %.400s", when, t->status, why);
}

static void arm(struct trial *t)
{
    t->shim = (struct kt_shim){ .action = (int)t->fault->action,
                                .error = t->fault->error,
                                .kinds = t->fault->kinds,
                                .at = t->at,
                                .last = t->onward ? UINT_MAX : t->at };
    (void)snprintf(t->shim.dir, sizeof(t->shim.dir), "%s", t->dir);
    kt_shim = &t->shim;
}

/* BREAK=deaf in the environment: no failure is told. A campaign that does not find that out is worth
 * nothing. */
static bool is_broken(void)
{
    const char *broken = getenv("BREAK");

    return broken != NULL && strcmp(broken, "deaf") == 0;
}

static void trial_body(int fd, void *arg)
{
    struct trial *t = arg;
    const struct kt_op *op = &t->ops[t->n - 1];
    struct kt_op next;
    struct kt_work w;
    bool done;

    (void)fd;
    if (t->row->how != WARM)
        arm(t);
    kt_work_open(&w, t->dir);
    if (t->row->how == WARM) {
        for (unsigned i = 0; i + 1 < t->n; i++)
            must_do(t, &w, &t->ops[i], "before the fault");
        arm(t);
    }
    t->status = kt_work_do(&w, op);
    if (is_broken())
        t->status = KT_SUCCESS;
    t->hits = t->shim.hits;
    t->over = t->shim.count < t->at;
    if (t->row->kind == KT_OP_VERB && t->status == KT_UNSUPPORTED) {
        t->left_out = true;
        return;
    }
    judge(t, &w);
    if (t->onward)
        look(t, &w, op, "while the fault lasts", &done);
    t->shim.at = 0;
    look(t, &w, op, "when the fault is over", &done);
    if (done)
        kt_model_apply(&t->model, op);
    kt_model_any(&t->model, 0, KT_MODEL_SECRETS, &t->random, &next);
    must_do(t, &w, &next, "when the fault is over");
    if (kt_draw(&t->random, 2) == 0)
        kt_work_close(&w);
}

/* What is done before, in a process of its own. */
static void prepare_body(int fd, void *arg)
{
    struct trial *t = arg;
    struct kt_work w;

    (void)fd;
    kt_work_open(&w, t->dir);
    for (unsigned i = 0; i + 1 < t->n; i++)
        must_do(t, &w, &t->ops[i], "before the fault");
    kt_work_close(&w);
}

/* A process that comes while the fault lasts, and only reads. */
static void reader_body(int fd, void *arg)
{
    struct trial *t = arg;
    static struct kt_model seen;
    char why[KT_WHY_MAX];
    struct kt_work w;

    (void)fd;
    t->at = 1;
    t->onward = true;
    arm(t);
    kt_work_open(&w, t->dir);
    t->readings++;
    if (!kt_work_look(&w, &seen, why) || !kt_work_match(&seen, &t->model, NULL, 0, why))
        fail(t, "a process that came while the fault lasted: %.400s", why);
    kt_work_close(&w);
}

/* ---- in the parent -------------------------------------------------------------------------- */

static bool run(struct trial *t, void (*body)(int fd, void *arg))
{
    struct kt_child child;
    int status;

    kt_child_start(&child, body, t);
    status = kt_child_wait(&child);
    if (status != 0)
        fail(t, "the process ended with status %#x", (unsigned)status);
    return !t->failed;
}

static void make_script(struct campaign *c, struct trial *t)
{
    const struct row *r = t->row;

    if (r->how == FRESH) {
        kt_work_empty(t->dir);
        memset(&t->model, 0, sizeof(t->model));
        (void)kt_model_choose(&t->model, KT_OP_PUT, 0, &c->random, &t->ops[0]);
        t->ops[0].len = r->len;
        t->n = 1;
        return;
    }
    t->n = kt_script(&t->model, r->kind, r->verb != NULL ? kt_verb_find(r->verb) : 0, r->len,
                     &c->random, t->ops);
}

/* True: the operation has a point @t->at, or may have. */
static bool try_one(struct campaign *c, struct trial *t)
{
    char why[KT_WHY_MAX];

    make_script(c, t);
    t->failed = t->told = t->over = false;
    t->hits = t->readings = 0;
    t->random = kt_draw(&c->random, UINT64_MAX);
    if (t->row->how == COLD && !run(t, prepare_body))
        goto out;
    if (!run(t, trial_body) || t->left_out)
        goto out;
    if (!kt_check(t->dir, &t->model, NULL, 0,
                  KT_CHECK_LITTER | (t->hits > 0 && t->at % 8 == 0 ? KT_CHECK_SOUND : 0) |
                      (kt_draw(&c->random, 2) == 0 ? KT_CHECK_CLOSE : 0),
                  &t->model, why))
        fail(t, "a fresh process: %.500s", why);
    if (!t->failed && t->onward && t->at % 3 == 1) {
        const unsigned at = t->at;

        (void)run(t, reader_body);
        t->at = at;
    }
out:
    c->faults += t->hits > 0 ? 1 : 0;
    c->told += t->told ? 1 : 0;
    c->readings += t->readings;
    if (t->failed) {
        campaign_fail(c, "%s, %s %s point %u (%s of %s): %s", t->row->title, t->fault->title,
                      t->onward ? "from" : "at", t->at, kt_shim_kind(t->shim.kind), t->shim.path,
                      t->why);
        kt_work_empty(t->dir);
        memset(&t->model, 0, sizeof(t->model));
    }
    return !t->over && !t->left_out;
}

static void try_row(struct campaign *c, struct trial *t, unsigned stride)
{
    const unsigned step = stride * (t->row->step != 0 ? t->row->step : 1);
    const unsigned before = c->faults;
    unsigned most = 0;

    for (unsigned f = 0; f < FAULTS; f++)
        for (int onward = 0; onward < 2; onward++) {
            t->fault = &faults[f];
            t->onward = onward == 1;
            if (t->onward ? !t->fault->onward : !t->fault->once)
                continue;
            t->at = 1 + (unsigned)kt_draw(&c->random, step);
            while (c->failures < FAILURES_MAX && try_one(c, t)) {
                most = t->at > most ? t->at : most;
                t->at += step;
            }
        }
    if (t->left_out)
        printf("  %-24s left out: the module does not do it\n", t->row->title);
    else
        printf("  %-24s %4u points, %5u faults\n", t->row->title, most, c->faults - before);
    if (!t->left_out && t->shim.count == 0 && t->row->kind != KT_OP_VERB)
        campaign_fail(c, "%s: the interposer saw nothing", t->row->title);
}

void campaign_inject(struct campaign *c, unsigned stride)
{
    struct trial *t = kt_shared(sizeof(*t));

    for (unsigned i = 0; i < ROWS && c->failures < FAILURES_MAX; i++) {
        memset(t, 0, sizeof(*t));
        t->row = &rows[i];
        (void)snprintf(t->dir, sizeof(t->dir), "%s/row-%u", c->dir, i);
        (void)mkdir(t->dir, 0700);
        try_row(c, t, stride);
    }
}
