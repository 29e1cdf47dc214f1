/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Several writers at one store, killed at any instant. Each has secrets of its own, of which it is known
 * what they must be; all of them count up one secret by compare-and-swap, and no number may come twice
 * or get lost. One more process keeps running what may run beside them.
 */

#include "kill.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define WRITERS 4
#define OWN (KT_MODEL_SECRETS / WRITERS) /* secrets */
#define KEEPER WRITERS                   /* the process with the verbs */
#define CHILDREN (WRITERS + 1)
#define COUNTS (1U << 20)
#define PATIENCE_MS 60000 /* until a survivor must have done something */

/* Counting up is no operation of the model: it is told as one with this in place of a secret. */
#define COUNTER KT_MODEL_SECRETS

/** struct crowd - @counted: numbers that were acknowledged or seen; @highest of them; @there: seen last */
struct crowd {
    struct campaign *c;
    char dir[KT_DIR_MAX];
    struct kt_model model;
    struct kt_child children[CHILDREN];
    struct kt_op pending[CHILDREN];
    bool under_way[CHILDREN];
    unsigned long done[CHILDREN];
    unsigned verbs; /* bits: may be run */
    uint8_t *counted;
    uint64_t highest;
    uint64_t *there; /* shared */
};

struct writer {
    const struct crowd *crowd;
    unsigned which;
    uint64_t random;
};

/* ---- the secret that all count up --------------------------------------------------------------- */

static int get_counter(struct kt_work *w, char id[KT_UUID_SIZE], uint64_t *number)
{
    int rc;

    modhost_call_reset(&w->call);
    rc = w->m->get(w->state, &w->call, KT_SHARED, modhost_want(NULL));
    if (rc != KT_SUCCESS)
        return rc;
    if (w->call.given->len != sizeof(*number))
        return KT_CORRUPT;
    memcpy(number, w->call.given->data, sizeof(*number));
    (void)snprintf(id, KT_UUID_SIZE, "%s", w->call.given->id);
    return rc;
}

static int put_counter(struct kt_work *w, const char *id, const char *expected, uint64_t number)
{
    const struct kt_put p = { .size = sizeof(p),
                              .stage = KT_STAGE_CURRENT,
                              .id = id,
                              .data = &number,
                              .len = sizeof(number),
                              .expected = expected };

    modhost_call_reset(&w->call);
    return w->m->put(w->state, &w->call, KT_COMMIT, KT_SHARED, &p);
}

/* So that it does not get slow: the versions without a stage go. Another writer may be at it, too. */
static void tidy_counter(struct kt_work *w)
{
    const struct kt_delete d = { .size = sizeof(d), .purge = 1, .version = NULL };
    char ids[16][KT_UUID_SIZE];
    unsigned n = 0;
    bool restorable;

    modhost_call_reset(&w->call);
    if (w->m->versions(w->state, &w->call, KT_SHARED) != KT_SUCCESS)
        return;
    for (size_t i = 0; i < w->call.ngiven && n < 16; i++)
        if (w->call.given[i].stages == 0)
            (void)snprintf(ids[n++], KT_UUID_SIZE, "%s", w->call.given[i].id);
    for (unsigned i = 0; i < n; i++) {
        struct kt_delete one = d;

        one.version = ids[i];
        modhost_call_reset(&w->call);
        (void)!w->m->del(w->state, &w->call, KT_COMMIT, KT_SHARED, &one, &restorable);
    }
}

static void count_up(struct kt_work *w, int fd)
{
    struct kt_op op = { .kind = KT_OP_CAS, .secret = COUNTER };
    uint64_t number = 0;
    int rc = get_counter(w, op.expected, &number);

    if (rc == KT_SUCCESS) {
        op.seed = number + 1;
        modhost_id(op.id);
        kt_child_tell(fd, &op, false, KT_SUCCESS, "");
        rc = put_counter(w, op.id, op.expected, number + 1);
    } else if (rc == KT_NOT_FOUND) {
        kt_child_tell(fd, &op, false, KT_SUCCESS, "");
        modhost_id(op.id);
        rc = put_counter(w, op.id, "", 0);
    }
    kt_child_tell(fd, &op, true, rc == KT_CONFLICT ? KT_IGNORE : rc, w->call.msg);
    if (rc == KT_SUCCESS && number % 8 == 0)
        tidy_counter(w);
}

/* ---- children ------------------------------------------------------------------------------- */

static void writer_body(int fd, void *arg)
{
    struct writer *me = arg;
    static struct kt_model mine;
    struct kt_work w;
    struct kt_op op;

    mine = me->crowd->model;
    kt_work_open(&w, me->crowd->dir);
    for (;;) {
        if (kt_draw(&me->random, 4) == 0) {
            count_up(&w, fd);
            continue;
        }
        kt_model_any(&mine, me->which * OWN, OWN, &me->random, &op);
        if (kt_child_do(&w, fd, &op) != KT_SUCCESS)
            _exit(0);
        kt_model_apply(&mine, &op);
    }
}

static void keeper_body(int fd, void *arg)
{
    struct writer *me = arg;
    struct kt_work w;
    struct kt_op op = { .kind = KT_OP_VERB };

    kt_work_open(&w, me->crowd->dir);
    for (;;) {
        do
            op.verb = (unsigned)kt_draw(&me->random, 32);
        while ((me->crowd->verbs & 1U << op.verb) == 0);
        if (kt_child_do(&w, fd, &op) != KT_SUCCESS)
            _exit(0);
    }
}

static void start(struct crowd *k, unsigned which)
{
    struct writer me = { k, which, kt_draw(&k->c->random, UINT64_MAX) };

    if (which == KEEPER && k->verbs == 0)
        return;
    k->under_way[which] = false;
    k->done[which] = 0;
    kt_child_start(&k->children[which], which == KEEPER ? keeper_body : writer_body, &me);
}

/* ---- what they tell ------------------------------------------------------------------------- */

static void take_counted(struct crowd *k, const struct kt_msg *m)
{
    const uint64_t number = m->op.seed;

    if (m->status == KT_IGNORE)
        return;
    if (number >= COUNTS) {
        campaign_fail(k->c, "the counter says %llu", (unsigned long long)number);
        return;
    }
    if (k->counted[number] != 0)
        campaign_fail(k->c, "lost update: %llu was acknowledged to two writers",
                      (unsigned long long)number);
    k->counted[number] = 1;
    k->highest = number > k->highest ? number : k->highest;
}

static void take(struct crowd *k, unsigned which, const struct kt_msg *m)
{
    k->under_way[which] = !m->done;
    k->pending[which] = m->op;
    if (!m->done)
        return;
    k->done[which]++;
    if (m->status != KT_SUCCESS && m->status != KT_IGNORE) {
        campaign_fail(k->c, "writer %u: %s: status %d: %s", which, kt_op_text(&m->op), m->status,
                      m->text);
        return;
    }
    k->c->acked++;
    if (m->op.kind != KT_OP_VERB && m->op.secret == COUNTER)
        take_counted(k, m);
    else if (m->op.kind != KT_OP_VERB)
        kt_model_apply(&k->model, &m->op);
}

/* Everything that a writer has said up to now; @until: wait for that many operations. */
static void listen_to(struct crowd *k, unsigned which, unsigned long until)
{
    struct pollfd p = { .fd = k->children[which].out, .events = POLLIN };
    struct kt_msg m;

    while (poll(&p, 1, k->done[which] < until ? PATIENCE_MS : 0) > 0 &&
           kt_child_hear(&k->children[which], &m))
        take(k, which, &m);
    if (k->done[which] < until)
        campaign_fail(k->c, "process %u did nothing for %d ms after others were killed%s%s", which,
                      PATIENCE_MS, k->under_way[which] ? ": " : "",
                      k->under_way[which] ? kt_op_text(&k->pending[which]) : "");
}

static void kill_one(struct crowd *k, unsigned which)
{
    struct kt_msg m;
    int status;

    if (k->children[which].pid == 0)
        return;
    (void)kill(k->children[which].pid, SIGKILL);
    while (kt_child_hear(&k->children[which], &m))
        take(k, which, &m);
    status = kt_child_wait(&k->children[which]);
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
        k->c->kills++;
    else
        campaign_fail(k->c, "process %u ended by itself with status %#x", which, (unsigned)status);
}

/* ---- rounds --------------------------------------------------------------------------------- */

static void sleep_us(unsigned us)
{
    const struct timespec t = { .tv_nsec = (long)us * 1000 };

    (void)nanosleep(&t, NULL);
}

/* The counter is what the last acknowledged put made it, or one that was under way. */
static void counter_body(int fd, void *arg)
{
    const struct crowd *k = arg;
    char id[KT_UUID_SIZE];
    uint64_t number = 0;
    uint64_t most = k->highest;
    struct kt_work w;
    int rc;

    (void)fd;
    for (unsigned i = 0; i < WRITERS; i++)
        if (k->under_way[i] && k->pending[i].secret == COUNTER && k->pending[i].seed > most)
            most = k->pending[i].seed;
    kt_work_open(&w, k->dir);
    rc = get_counter(&w, id, &number);
    if (rc == KT_NOT_FOUND && k->counted[0] == 0)
        _exit(0);
    *k->there = number;
    if (rc == KT_SUCCESS && number >= k->highest && number <= most)
        _exit(0);
    fprintf(stderr, "counter: status %d %s, is %llu, acknowledged %llu, under way %llu\n", rc,
            w.call.msg, (unsigned long long)number, (unsigned long long)k->highest,
            (unsigned long long)most);
    _exit(1);
}

static void check_all(struct crowd *k, unsigned round)
{
    const unsigned flags = (round % 25 == 0 ? KT_CHECK_SOUND : 0) | KT_CHECK_LITTER |
                           (kt_draw(&k->c->random, 4) == 0 ? KT_CHECK_CLOSE : 0);
    struct kt_op pending[WRITERS];
    struct kt_child child;
    unsigned n = 0;
    char why[KT_WHY_MAX];

    k->c->checks++;
    for (unsigned i = 0; i < WRITERS; i++)
        if (k->under_way[i] && k->pending[i].secret != COUNTER)
            pending[n++] = k->pending[i];
    if (!kt_check(k->dir, &k->model, pending, n, flags, &k->model, why))
        campaign_fail(k->c, "writers, round %u: %s", round, why);
    *k->there = k->highest;
    kt_child_start(&child, counter_body, k);
    if (kt_child_wait(&child) != 0 || *k->there >= COUNTS) {
        campaign_fail(k->c, "writers, round %u: an update was lost", round);
        return;
    }
    if (*k->there > k->highest) { /* one that was under way */
        k->highest = *k->there;
        k->counted[k->highest] = 1;
    }
}

/* Kill some first: the others must get on. Then all. */
static void play_round(struct crowd *k, unsigned round)
{
    const unsigned some = kt_draw(&k->c->random, 2) == 0 ? 0
                                                         : 1 + (unsigned)kt_draw(&k->c->random, 14);

    for (unsigned i = 0; i < CHILDREN; i++)
        start(k, i);
    sleep_us(500 + (unsigned)kt_draw(&k->c->random, 25000));
    for (unsigned i = 0; i < WRITERS; i++)
        if ((some & 1U << i) != 0)
            kill_one(k, i);
    for (unsigned i = 0; some != 0 && i < WRITERS; i++)
        if (k->children[i].pid != 0) {
            listen_to(k, i, 0);
            listen_to(k, i, k->done[i] + 2);
        }
    for (unsigned i = 0; i < CHILDREN; i++)
        kill_one(k, i);
    check_all(k, round);
}

/* Which verbs the module has. */
static void probe_body(int fd, void *arg)
{
    const struct crowd *k = arg;
    struct kt_work w;

    kt_work_open(&w, k->dir);
    for (unsigned i = 0; kt_verbs[i].verb != NULL; i++)
        if (kt_verbs[i].beside)
            (void)kt_child_do(&w, fd, &(struct kt_op){ .kind = KT_OP_VERB, .verb = i });
    kt_work_close(&w);
}

static void probe(struct crowd *k)
{
    struct kt_child child;
    struct kt_msg m;

    kt_child_start(&child, probe_body, k);
    while (kt_child_hear(&child, &m))
        if (m.done && m.status == KT_SUCCESS)
            k->verbs |= 1U << m.op.verb;
        else if (m.done && m.status != KT_UNSUPPORTED)
            campaign_fail(k->c, "%s: status %d: %s", kt_op_text(&m.op), m.status, m.text);
    (void)kt_child_wait(&child);
}

static void first_body(int fd, void *arg)
{
    const struct crowd *k = arg;
    uint64_t random = 1;
    struct kt_work w;
    struct kt_op op;

    kt_work_open(&w, k->dir);
    (void)kt_model_choose(&k->model, KT_OP_PUT, 0, &random, &op);
    (void)kt_child_do(&w, fd, &op);
    kt_work_close(&w);
}

void campaign_writers(struct campaign *c, unsigned kills)
{
    static struct crowd crowd;
    const unsigned goal = c->kills + kills;
    struct kt_msg m;

    crowd = (struct crowd){ .c = c, .counted = calloc(COUNTS, 1) };
    crowd.there = kt_shared(sizeof(*crowd.there));
    if (crowd.counted == NULL)
        abort();
    (void)snprintf(crowd.dir, sizeof(crowd.dir), "%s/writers", c->dir);
    (void)mkdir(crowd.dir, 0700);
    kt_child_start(&crowd.children[0], first_body, &crowd);
    while (kt_child_hear(&crowd.children[0], &m))
        take(&crowd, 0, &m);
    (void)kt_child_wait(&crowd.children[0]);
    probe(&crowd);
    for (unsigned round = 1; c->kills < goal && c->failures < FAILURES_MAX; round++)
        play_round(&crowd, round);
    printf("  %d writers%s: counted up to %llu\n", WRITERS,
           crowd.verbs != 0 ? " and the verbs" : "", (unsigned long long)crowd.highest);
    free(crowd.counted);
}
