/* SPDX-License-Identifier: Apache-2.0 */
#include "child.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static void __attribute__((noreturn)) die(const char *what)
{
    fprintf(stderr, "%s: %s\n", what, strerror(errno));
    abort();
}

void kt_child_start(struct kt_child *c, void (*body)(int fd, void *arg), void *arg)
{
    int ends[2];

    if (pipe(ends) != 0)
        die("pipe");
    (void)fflush(NULL);
    c->out = ends[0];
    c->pid = fork();
    if (c->pid < 0)
        die("fork");
    if (c->pid == 0) {
        (void)close(ends[0]);
        body(ends[1], arg);
        _exit(0);
    }
    (void)close(ends[1]);
}

bool kt_child_hear(const struct kt_child *c, struct kt_msg *out)
{
    size_t have = 0;

    while (have < sizeof(*out)) {
        const ssize_t n = read(c->out, (char *)out + have, sizeof(*out) - have);

        if (n < 0 && errno != EINTR)
            die("read");
        if (n == 0)
            return false; /* a message is whole or not there: PIPE_BUF */
        have += n > 0 ? (size_t)n : 0;
    }
    return true;
}

int kt_child_wait(struct kt_child *c)
{
    int status;

    while (waitpid(c->pid, &status, 0) != c->pid)
        if (errno != EINTR)
            die("waitpid");
    (void)close(c->out);
    c->pid = 0;
    return status;
}

void kt_child_tell(int fd, const struct kt_op *op, bool done, int status, const char *text)
{
    struct kt_msg m = { .done = done, .op = *op, .status = status };

    _Static_assert(sizeof(m) <= 4096, "a message is written at once");
    (void)snprintf(m.text, sizeof(m.text), "%s", text);
    if (write(fd, &m, sizeof(m)) != (ssize_t)sizeof(m))
        _exit(98); /* the parent has gone */
}

int kt_child_do(struct kt_work *w, int fd, const struct kt_op *op)
{
    const char *broken = getenv("BREAK");
    const bool early = broken != NULL && strcmp(broken, "early") == 0;
    int rc;

    kt_child_tell(fd, op, false, KT_SUCCESS, "");
    if (early)
        kt_child_tell(fd, op, true, KT_SUCCESS, "");
    rc = kt_work_do(w, op);
    if (!early)
        kt_child_tell(fd, op, true, rc, w->call.msg);
    return rc;
}

void *kt_shared(size_t len)
{
    void *p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (p == MAP_FAILED)
        die("mmap");
    return p;
}

/* ---- checking ------------------------------------------------------------------------------- */

struct report {
    struct kt_model seen;
    bool looked;
    bool ok;
    char why[KT_WHY_MAX];
};

struct question {
    const char *dir;
    const struct kt_model *acked;
    const struct kt_op *pending;
    size_t npending;
    unsigned flags;
    struct report *report;
};

static void check_body(int fd, void *arg)
{
    const struct question *q = arg;
    struct report *r = q->report;
    struct kt_work w;

    (void)fd;
    kt_shim = NULL;
    kt_work_open(&w, q->dir);
    r->looked = kt_work_look(&w, &r->seen, r->why);
    r->ok = r->looked && kt_work_match(&r->seen, q->acked, q->pending, q->npending, r->why);
    if ((q->flags & KT_CHECK_CLOSE) != 0)
        kt_work_close(&w);
    if (r->ok && (q->flags & KT_CHECK_LITTER) != 0)
        r->ok = !kt_work_litter(q->dir, 1, r->why);
    if (r->ok && (q->flags & KT_CHECK_SOUND) != 0)
        r->ok = kt_work_sound(q->dir, r->why);
}

bool kt_check(const char *dir, const struct kt_model *acked, const struct kt_op *pending,
              size_t npending, unsigned flags, struct kt_model *seen, char why[KT_WHY_MAX])
{
    static struct report *report;
    struct question q = { dir, acked, pending, npending, flags, NULL };
    struct kt_child c;
    int status;

    if (report == NULL)
        report = kt_shared(sizeof(*report));
    report->ok = report->looked = false;
    (void)snprintf(report->why, sizeof(report->why), "the process that looked died");
    q.report = report;
    kt_child_start(&c, check_body, &q);
    status = kt_child_wait(&c);
    if (report->looked) {
        memcpy(seen->secrets, report->seen.secrets, sizeof(seen->secrets));
        seen->made = report->seen.made;
    }
    (void)snprintf(why, KT_WHY_MAX, "%s", report->why);
    return report->ok && status == 0;
}

/* ---- scripts -------------------------------------------------------------------------------- */

static void step(struct kt_model *m, enum kt_op_kind kind, unsigned secret, uint64_t *random,
                 struct kt_op *ops, unsigned *n)
{
    if (!kt_model_choose(m, kind, secret, random, &ops[*n]))
        return;
    kt_model_apply(m, &ops[*n]);
    (*n)++;
}

/* A secret with room and with versions to choose from: if it is nearly full it is made anew. */
unsigned kt_script(const struct kt_model *m, enum kt_op_kind kind, unsigned verb, uint32_t len,
                   uint64_t *random, struct kt_op out[KT_SCRIPT_MAX])
{
    static struct kt_model now;
    const unsigned secret = (unsigned)kt_draw(random, KT_MODEL_SECRETS);
    unsigned n = 0;

    now = *m;
    if (now.secrets[secret].n > KT_MODEL_VERSIONS - KT_SCRIPT_MAX || kind == KT_OP_CREATE)
        step(&now, KT_OP_DELETE, secret, random, out, &n);
    if (kind == KT_OP_PROMOTE || kind == KT_OP_DESTROY || kind == KT_OP_PURGE)
        for (int i = 0; i < 3; i++)
            step(&now, KT_OP_PUT, secret, random, out, &n);
    else if (kind != KT_OP_CREATE && !kt_model_choose(&now, KT_OP_CAS, secret, random, &out[n]))
        step(&now, KT_OP_PUT, secret, random, out, &n);
    if (kind == KT_OP_UNSTAGE)
        step(&now, KT_OP_PENDING, secret, random, out, &n);
    if (kind == KT_OP_VERB && kt_verbs[verb].effect == KT_EFFECT_LOAD) {
        out[n] = (struct kt_op){ .kind = kind, .verb = kt_verb_find("backup") };
        kt_model_apply(&now, &out[n++]);
        step(&now, kt_verbs[verb].whole ? KT_OP_PUT : KT_OP_DELETE, secret, random, out, &n);
    }
    if (kind == KT_OP_VERB)
        out[n] = (struct kt_op){ .kind = kind, .verb = verb };
    else if (!kt_model_choose(&now, kind, secret, random, &out[n]))
        abort();
    if (kind <= KT_OP_PENDING)
        out[n].len = len;
    return n + 1;
}
