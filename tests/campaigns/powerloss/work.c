/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The workload. Operation N is the same for the same seed and the same store, whoever does it, so
 * that one process can repeat what another was killed in.
 */

#include "work.h"

#include "line.h"
#include "log.h"
#include "random.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define VERSIONS_MAX 256
#define EPOCH_MS 1700000000000

static pl_mark_fn *mark_fn;
static pl_die_fn *die_fn;

/** struct work - of one process */
struct work {
    const char *dir;
    uint64_t seed;
    uint32_t ops;
    struct pl_line line;
};

const char *pl_secret_name(unsigned i)
{
    static const char *const names[PL_SECRETS] = {
        "deepseek/api-key",
        "deepseek/spare/1",
        "deepseek/spare/2",
        "gateway/a",
        "gateway/b",
        "x",
        "long/name/of/a/secret",
        "team.one/key",
        "team.two/key",
        "y@z",
    };

    return names[i];
}

static void __attribute__((format(printf, 1, 2))) mark(const char *fmt, ...)
{
    va_list ap;
    char *text = NULL;
    int n;

    va_start(ap, fmt);
    n = vasprintf(&text, fmt, ap);
    va_end(ap);
    if (n < 0)
        abort();
    mark_fn(text, (uint32_t)n);
    free(text);
}

/* ---- one operation -------------------------------------------------------------------------- */

/**
 * struct op - what operation N is about
 * @versions: of the secret, before
 * @want:     the status that it must have
 */
struct op {
    struct work *w;
    uint32_t n;
    struct pl_random r;
    const char *name;
    struct pl_version versions[VERSIONS_MAX];
    size_t nversions;
    const char *what;
    int want;
};

static void id_of(uint32_t n, char id[KT_ID_SIZE])
{
    const uint64_t ms = EPOCH_MS + n;

    (void)snprintf(id, KT_ID_SIZE, "%08x-%04x-7000-8000-%012x", (unsigned)(ms >> 16),
                   (unsigned)(ms & 0xffff), n);
}

static const struct pl_version *staged(const struct op *o, uint32_t stage)
{
    for (size_t i = 0; i < o->nversions; i++)
        if ((o->versions[i].stages & stage) != 0)
            return &o->versions[i];
    return NULL;
}

static const char *current_id(const struct op *o)
{
    const struct pl_version *v = staged(o, KT_STAGE_CURRENT);

    return v != NULL ? v->id : "";
}

/* A long stretch without a last close, and with large values: the log grows until it is begun anew. */
static bool in_stretch(const struct work *w, uint32_t n)
{
    return (uint64_t)n * 100 > (uint64_t)w->ops * 57 && (uint64_t)n * 100 < (uint64_t)w->ops * 88;
}

/* The version that operation @n puts: always the same. */
static struct kt_put version_of(const struct work *w, uint32_t n, char id[KT_ID_SIZE],
                                uint8_t *value, struct kt_attr attrs[3])
{
    static const size_t sizes[] = { 0, 1, 35, 35, 100, 600, 4000, 4096, 12000, 40000, 65536 };
    struct pl_random r = pl_random_of(w->seed, n, 1);
    struct kt_put put = { .size = sizeof(put), .stage = KT_STAGE_CURRENT, .id = id };

    id_of(n, id);
    put.data = value;
    put.len = sizes[pl_random_below(&r, sizeof(sizes) / sizeof(sizes[0]))];
    if (in_stretch(w, n) && pl_random_percent(&r, 40))
        put.len = KT_VALUE_MAX;
    for (size_t i = 0; i < put.len; i++)
        value[i] = (uint8_t)pl_random_next(&r);
    put.created_ms = EPOCH_MS + n;
    put.expires_ms = pl_random_percent(&r, 30) ? EPOCH_MS + 1000 + n : 0;
    put.nattrs = pl_random_below(&r, 4);
    attrs[0] = (struct kt_attr){ "account", "a-1" };
    attrs[1] = (struct kt_attr){ "label", n % 2 == 0 ? "even" : "odd" };
    attrs[2] = (struct kt_attr){ "note", "kept beside the value" };
    put.attrs = attrs;
    return put;
}

static int put_version(struct op *o, uint32_t n, uint32_t stage, const char *expected)
{
    static uint8_t value[KT_VALUE_MAX];
    struct kt_attr attrs[3];
    char id[KT_ID_SIZE];
    struct kt_put put = version_of(o->w, n, id, value, attrs);

    put.stage = stage;
    put.expected = expected;
    return pl_line_put(&o->w->line, o->name, &put);
}

static int do_put(struct op *o)
{
    return put_version(o, o->n, KT_STAGE_CURRENT, NULL);
}

static int do_cas(struct op *o)
{
    const bool none = o->nversions > 0 && staged(o, KT_STAGE_CURRENT) == NULL;

    return put_version(o, o->n, KT_STAGE_CURRENT, none ? NULL : current_id(o));
}

static int do_cas_in_vain(struct op *o)
{
    o->want = KT_CONFLICT;
    return put_version(o, o->n, KT_STAGE_CURRENT, "0190-nobody");
}

static int do_pending(struct op *o)
{
    return put_version(o, o->n, KT_STAGE_PENDING, NULL);
}

static int do_promote(struct op *o)
{
    const struct pl_version *v = staged(o, KT_STAGE_PENDING);

    if (v == NULL)
        return do_pending(o);
    /* of no current version a stage move cannot say that it expects it */
    return pl_line_stage(&o->w->line, o->name, KT_STAGE_CURRENT, v->id,
                         staged(o, KT_STAGE_CURRENT) != NULL ? current_id(o) : NULL);
}

static int do_go_back(struct op *o)
{
    const struct pl_version *v = staged(o, KT_STAGE_PREVIOUS);

    if (v == NULL || v->state != KT_STATE_ENABLED)
        return do_put(o);
    return pl_line_stage(&o->w->line, o->name, KT_STAGE_CURRENT, v->id, NULL);
}

static int do_unstage(struct op *o)
{
    if (o->nversions == 0)
        return do_pending(o);
    return pl_line_stage(&o->w->line, o->name, KT_STAGE_PENDING, NULL, NULL);
}

static int remove_one(struct op *o, bool purge)
{
    const struct pl_version *v;

    if (o->nversions < 3)
        return do_put(o);
    v = &o->versions[pl_random_below(&o->r, o->nversions)];
    if ((v->stages & KT_STAGE_CURRENT) != 0)
        return do_put(o);
    return pl_line_delete(&o->w->line, o->name, v->id, purge);
}

static int do_destroy(struct op *o)
{
    return remove_one(o, false);
}

static int do_purge(struct op *o)
{
    return remove_one(o, true);
}

static int do_delete(struct op *o)
{
    if (o->nversions == 0)
        return do_put(o);
    return pl_line_delete(&o->w->line, o->name, NULL, false);
}

static int do_fill(struct op *o)
{
    static uint8_t value[KT_VALUE_MAX];
    struct kt_attr attrs[3];
    char id[KT_ID_SIZE];
    struct kt_put put = version_of(o->w, o->n, id, value, attrs);

    put.asof = (struct kt_asof){ .wall_ms = EPOCH_MS, .boot_ms = 7, .boot_id = { 1 } };
    modhost_call_reset(&o->w->line.call);
    return o->w->line.m->fill(o->w->line.state, &o->w->line.call, o->name, &put);
}

static const struct kind {
    unsigned percent;
    const char *what;
    int (*run)(struct op *o);
} kinds[] = {
    { 38, "put", do_put },
    { 12, "put-expected", do_cas },
    { 4, "put-refused", do_cas_in_vain },
    { 8, "put-pending", do_pending },
    { 8, "promote", do_promote },
    { 4, "go-back", do_go_back },
    { 4, "unstage", do_unstage },
    { 6, "destroy", do_destroy },
    { 6, "purge", do_purge },
    { 5, "delete", do_delete },
    { 5, "fill", do_fill },
};

/* Verbs, at so many thousandths of the way. */
static const struct verb {
    unsigned at;
    const char *verb;
    bool operand;
} verbs[] = {
    { 300, "re-encrypt", false }, { 450, "backup", true },      { 550, "compact", false },
    { 700, "restore", true },     { 800, "re-encrypt", false }, { 900, "compact", false },
};

static const struct verb *verb_at(const struct work *w, uint32_t n)
{
    for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
        if (w->ops >= 100 && (uint64_t)verbs[i].at * w->ops / 1000 == n)
            return &verbs[i];
    return NULL;
}

static bool bad(const struct work *w, uint32_t n, const char *what, int rc)
{
    fprintf(stderr, "powerloss: operation %u, %s: status %d, %s\n", n, what, rc, w->line.call.msg);
    return false;
}

/* What the secrets are now; @name NULL: all of them. */
static void mark_after(struct work *w, uint32_t n, const char *name)
{
    char *text = NULL;
    size_t len;
    FILE *out = open_memstream(&text, &len);

    if (out == NULL)
        abort();
    fprintf(out, "after %u\n", n);
    for (unsigned i = 0; i < PL_SECRETS; i++) {
        char *words;

        if (name != NULL && strcmp(name, pl_secret_name(i)) != 0)
            continue;
        words = pl_line_describe(&w->line, pl_secret_name(i));
        fprintf(out, "%s\t%s\n", pl_secret_name(i), words);
        free(words);
    }
    (void)fclose(out);
    mark_fn(text, (uint32_t)len);
    free(text);
}

static bool run_verb(struct work *w, const struct verb *v, uint32_t n)
{
    char *backup = NULL;
    int rc;

    if (asprintf(&backup, "%s/%s", w->dir, PL_BACKUP) < 0)
        abort();
    mark("begin %u %s", n, v->verb);
    rc = pl_line_verb(&w->line, v->verb, v->operand ? backup : NULL);
    free(backup);
    mark("done %u", n);
    if (rc == KT_UNSUPPORTED)
        printf("powerloss: %s: left out, the module has no such verb\n", v->verb);
    else if (rc != KT_SUCCESS)
        return bad(w, n, v->verb, rc);
    else if (strcmp(v->verb, "backup") == 0)
        mark("copy %u", n);
    mark_after(w, n, NULL);
    return true;
}

/* @again: somebody was killed in it; @kill: we shall be. Then it is a put. */
static bool run_op(struct work *w, uint32_t n, bool kill, bool again)
{
    struct op o = { .w = w, .n = n, .r = pl_random_of(w->seed, n, 2), .want = KT_SUCCESS };
    unsigned draw = (unsigned)pl_random_below(&o.r, 100);
    const struct kind *k = kinds;
    int rc;

    o.name = pl_secret_name((unsigned)pl_random_below(&o.r, PL_SECRETS));
    if (!kill && !again) {
        o.nversions = pl_line_versions(&w->line, o.name, o.versions, VERSIONS_MAX);
        for (; draw >= k->percent; k++)
            draw -= k->percent;
    }
    if (!again)
        mark("begin %u %s %s", n, kill ? "put-killed" : k->what, o.name);
    if (kill)
        die_fn("-wal");
    rc = k->run(&o);
    if (kill) /* nothing was synced, nothing has killed it */
        (void)raise(SIGKILL);
    mark("done %u", n);
    if (rc != o.want)
        return bad(w, n, k->what, rc);
    mark_after(w, n, o.name);
    return true;
}

/* ---- two processes -------------------------------------------------------------------------- */

enum job { DO = 'd', KILLED = 'k', AGAIN = 'a', CLOSE = 'c' };

struct order {
    enum job job;
    uint32_t n;
};

struct actor {
    pid_t pid;
    int orders;
    int answers;
};

/* An actor's life: orders come, a byte goes back. */
static void act(struct work *w, int orders, int answers)
{
    const struct verb *v;
    struct order o;
    bool good = true;

    while (read(orders, &o, sizeof(o)) == (ssize_t)sizeof(o)) {
        if (o.job == CLOSE) {
            pl_line_close(&w->line);
        } else {
            if (w->line.m == NULL)
                pl_line_open(&w->line, w->dir, PL_STORE);
            v = o.job == DO ? verb_at(w, o.n) : NULL;
            good = v != NULL ? run_verb(w, v, o.n)
                             : run_op(w, o.n, o.job == KILLED, o.job == AGAIN);
        }
        if (write(answers, good ? "y" : "n", 1) != 1)
            break;
    }
    pl_line_close(&w->line);
    _exit(0);
}

static void start(struct actor pair[2], unsigned who, struct work *w)
{
    struct actor *a = &pair[who];
    const struct actor *other = &pair[1 - who];
    int orders[2];
    int answers[2];

    fflush(NULL);
    if (pipe(orders) != 0 || pipe(answers) != 0 || (a->pid = fork()) < 0)
        abort();
    if (a->pid == 0) {
        (void)close(orders[1]);
        (void)close(answers[0]);
        if (other->pid != 0) {
            (void)close(other->orders);
            (void)close(other->answers);
        }
        act(w, orders[0], answers[1]);
    }
    (void)close(orders[0]);
    (void)close(answers[1]);
    a->orders = orders[1];
    a->answers = answers[0];
}

static void stop(struct actor *a)
{
    (void)close(a->orders);
    (void)close(a->answers);
    (void)waitpid(a->pid, NULL, 0);
}

/* 'y', 'n', or '\0': it was killed */
static char tell(const struct actor *a, enum job job, uint32_t n)
{
    const struct order o = { job, n };
    char answer = '\0';

    if (write(a->orders, &o, sizeof(o)) != (ssize_t)sizeof(o) || read(a->answers, &answer, 1) != 1)
        return '\0';
    return answer;
}

/* Killed between write and sync; the other one asks for the same again. */
static bool killed_and_repeated(struct actor pair[2], struct work *w, uint32_t n, unsigned who,
                                bool alone)
{
    if (alone && (tell(&pair[0], CLOSE, n) != 'y' || tell(&pair[1], CLOSE, n) != 'y'))
        return false;
    if (tell(&pair[who], KILLED, n) != '\0') {
        fprintf(stderr, "powerloss: operation %u lives on\n", n);
        return false;
    }
    stop(&pair[who]);
    start(pair, who, w);
    return tell(&pair[1 - who], AGAIN, n) == 'y';
}

static bool step(struct actor pair[2], struct work *w, uint32_t n)
{
    struct pl_random r = pl_random_of(w->seed, n, 3);
    const unsigned who = (unsigned)pl_random_below(&r, 2);
    const unsigned draw = (unsigned)pl_random_below(&r, 100);

    if (n > 1 && draw < 6 && verb_at(w, n) == NULL)
        return killed_and_repeated(pair, w, n, who, draw < 4 && !in_stretch(w, n));
    if (draw < 12 && tell(&pair[who], CLOSE, n) != 'y')
        return false;
    if (draw < 9 && !in_stretch(w, n) &&
        tell(&pair[1 - who], CLOSE, n) != 'y') /* the last: the log goes */
        return false;
    return tell(&pair[who], DO, n) == 'y';
}

/* For every second seed: a process that was killed while it made the directories has left some, the
 * last of each path not synced. */
static void predecessor(const char *dir)
{
    static const char *const made[] = { "config", "config/keyturn", "data" };
    char path[4096];
    int fd;

    for (size_t i = 0; i < 3; i++) {
        (void)snprintf(path, sizeof(path), "%s/%s", dir, made[i]);
        if (mkdir(path, 0700) != 0)
            abort();
        if (strcmp(made[i], "config") != 0)
            continue;
        fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0 || fsync(fd) != 0)
            abort();
        (void)close(fd);
    }
}

int pl_work(const char *dir, uint32_t ops, uint64_t seed)
{
    struct work w = { .dir = dir, .seed = seed, .ops = ops };
    struct actor pair[2] = { { .pid = 0 } };
    bool good = true;

    *(void **)&mark_fn = dlsym(RTLD_DEFAULT, PL_MARK_SYMBOL);
    *(void **)&die_fn = dlsym(RTLD_DEFAULT, PL_DIE_SYMBOL);
    if (mark_fn == NULL || die_fn == NULL) {
        fputs("powerloss: the workload needs the shim in LD_PRELOAD\n", stderr);
        return 1;
    }
    (void)signal(SIGPIPE, SIG_IGN);
    if (seed % 2 == 0)
        predecessor(dir);
    start(pair, 0, &w);
    start(pair, 1, &w);
    for (uint32_t n = 1; good && n <= ops; n++)
        good = step(pair, &w, n);
    stop(&pair[0]);
    stop(&pair[1]);
    return good ? 0 : 1;
}
