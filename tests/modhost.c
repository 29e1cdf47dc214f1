/* SPDX-License-Identifier: Apache-2.0 */
#include "modhost.h"

#include <dlfcn.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <time.h>

#define ARGS_MAX 64
#define SECRETS_MAX 16
#define HOUR_MS 3600000

struct block { /* before each secret; keeps it 16-byte aligned */
    size_t len;
    size_t mapped; /* bytes of the mapping, 0: from malloc */
} __attribute__((aligned(16)));

static _Atomic size_t live;
static _Atomic int64_t shift_ms[3];
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct {
    char *where;
    void *data;
    size_t len;
} secrets[SECRETS_MAX];

static void __attribute__((noreturn, format(printf, 1, 2))) die(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    (void)fputs("modhost: ", stderr);
    (void)vfprintf(stderr, fmt, ap);
    (void)fputc('\n', stderr);
    va_end(ap);
    abort();
}

static void *must(void *p)
{
    if (p == NULL)
        die("out of memory");
    return p;
}

KT_PRINTF(2, 0)
static void append(char **text, const char *fmt, va_list ap)
{
    char *line = NULL;
    size_t have = *text != NULL ? strlen(*text) : 0;
    int n = vasprintf(&line, fmt, ap);

    if (n < 0)
        die("out of memory");
    *text = must(realloc(*text, have + (size_t)n + 2));
    memcpy(*text + have, line, (size_t)n);
    memcpy(*text + have + n, "\n", 2);
    free(line);
}

/* ---- the host's functions ------------------------------------------------------------------- */

KT_PRINTF(3, 4)
static int host_fail(struct kt_call *call, int status, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(call->msg, sizeof(call->msg), fmt, ap);
    va_end(ap);
    if (strchr(call->msg, '\n') != NULL)
        die("a failure of more than one line: %s", call->msg);
    call->status = status;
    call->fails++;
    return status;
}

KT_PRINTF(3, 4)
static void host_log(struct kt_call *call, enum kt_log_level level, const char *fmt, ...)
{
    va_list ap;

    (void)level;
    va_start(ap, fmt);
    append(&call->log, fmt, ap);
    va_end(ap);
}

static void host_progress(struct kt_call *call, uint64_t done, uint64_t total)
{
    call->progress_done = done;
    call->progress_total = total;
    if (call->meanwhile != NULL)
        call->meanwhile(call);
}

KT_PRINTF(2, 3)
static void host_print(struct kt_call *call, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    append(&call->out, fmt, ap);
    va_end(ap);
}

static int64_t host_now_ns(struct kt_call *call, enum kt_clock_id which)
{
    static const clockid_t ids[] = { CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_BOOTTIME };
    struct timespec t;

    (void)call;
    if (clock_gettime(ids[which], &t) != 0)
        die("clock_gettime: %s", strerror(errno));
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec + shift_ms[which] * 1000000;
}

static int64_t host_left_ms(struct kt_call *call)
{
    int64_t left = call->deadline_ms - host_now_ns(call, KT_CLOCK_MONOTONIC) / 1000000;

    if (call->meanwhile != NULL)
        call->meanwhile(call);
    return left > 0 ? left : 0;
}

static int host_cancel_fd(struct kt_call *call)
{
    return call->cancel_fd;
}

/* Polls @fd and the cancel descriptor for at most @ms; KT_IGNORE: neither came. */
static int wait_at_most(struct kt_call *call, int fd, short events, int64_t ms)
{
    struct pollfd p[2] = { { .fd = fd, .events = events },
                           { .fd = call->cancel_fd, .events = POLLIN } };
    struct timespec t = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };

    if (ppoll(p, 2, &t, NULL) < 0 && errno != EINTR)
        die("ppoll: %s", strerror(errno));
    if (p[1].revents != 0)
        return host_fail(call, KT_CANCELLED, "the call was cancelled");
    return p[0].revents != 0 ? KT_SUCCESS : KT_IGNORE;
}

static int host_wait(struct kt_call *call, int fd, short events)
{
    int rc;

    while ((rc = wait_at_most(call, fd, events, host_left_ms(call))) == KT_IGNORE)
        if (host_left_ms(call) == 0)
            return host_fail(call, KT_TIMEOUT, "no answer before the deadline");
    return rc;
}

static int host_sleep(struct kt_call *call, int64_t ms)
{
    int64_t left = host_left_ms(call);
    int rc = wait_at_most(call, -1, 0, ms < left ? ms : left);

    if (rc != KT_IGNORE)
        return rc;
    if (ms > left)
        return host_fail(call, KT_TIMEOUT, "no answer before the deadline");
    return KT_SUCCESS;
}

static int host_prompt(struct kt_call *call, const char *text, bool echo, char *buf, size_t len)
{
    const char *answer = call->answers != NULL ? call->answers[call->asked] : NULL;
    size_t n;

    (void)echo;
    (void)snprintf(call->question, sizeof(call->question), "%s", text);
    if (answer == NULL)
        return -host_fail(call, KT_LOCKED, "nobody may be asked");
    call->asked++;
    n = strlen(answer);
    if (n > len)
        n = len;
    memcpy(buf, answer, n);
    return (int)n;
}

static void *host_secret_alloc(size_t len, unsigned flags)
{
    struct block *b;
    size_t size = sizeof(*b) + len;
    bool map = (flags & KT_MEM_WIPEONFORK) != 0;

    if (map) {
        /* the header lies on a page of its own, which fork leaves alone */
        b = mmap(NULL, 4096 + len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (b == MAP_FAILED || madvise((char *)b + 4096, len, MADV_WIPEONFORK) != 0)
            return NULL;
        b = (struct block *)(void *)((char *)b + 4096 - sizeof(*b));
    } else {
        b = calloc(1, size);
        if (b == NULL)
            return NULL;
    }
    b->len = len;
    b->mapped = map ? 4096 + len : 0;
    live++;
    return b + 1;
}

static void host_secret_free(void *p)
{
    struct block *b = p;

    if (p == NULL)
        return;
    b--;
    if (live-- == 0)
        die("secret_free of what was not allocated");
    explicit_bzero(p, b->len);
    if (b->mapped != 0)
        (void)munmap((char *)p - 4096, b->mapped);
    else
        free(b);
}

static struct modhost_given *add_given(struct kt_call *call, const struct kt_version *v)
{
    struct modhost_given *g;

    call->given = must(realloc(call->given, (call->ngiven + 1) * sizeof(*call->given)));
    g = &call->given[call->ngiven++];
    *g = (struct modhost_given){ .version = v != NULL };
    if (v == NULL)
        return g;
    if (v->size != sizeof(*v))
        die("struct kt_version of size %u", v->size);
    g->id = v->id != NULL ? must(strdup(v->id)) : NULL;
    g->state = v->state;
    g->stages = v->stages;
    g->flags = v->flags;
    g->misses = v->misses;
    g->created_ms = v->created_ms;
    g->expires_ms = v->expires_ms;
    g->not_before_ms = v->not_before_ms;
    g->asof = v->asof;
    g->nattrs = v->nattrs;
    g->attrs = must(calloc(v->nattrs + 1, sizeof(*g->attrs)));
    for (size_t i = 0; i < v->nattrs; i++) {
        g->attrs[i].key = must(strdup(v->attrs[i].key));
        g->attrs[i].value = must(strdup(v->attrs[i].value));
    }
    return g;
}

static int host_give(struct kt_call *call, size_t index, const struct kt_version *version,
                     const void *data, size_t len)
{
    struct modhost_given *g;

    for (size_t i = 0; i < call->ngiven; i++)
        if (call->given[i].name == NULL && call->given[i].index == index)
            die("two values for name %zu", index);
    g = add_given(call, version);
    g->index = index;
    g->data = must(calloc(1, len + 1));
    if (len > 0)
        memcpy(g->data, data, len);
    g->len = len;
    return KT_SUCCESS;
}

static int host_give_version(struct kt_call *call, const struct kt_version *version)
{
    (void)add_given(call, version);
    return KT_SUCCESS;
}

static int host_give_name(struct kt_call *call, const char *name, const struct kt_version *version)
{
    if (call->stop_list != KT_SUCCESS && call->ngiven >= call->stop_after)
        return host_fail(call, call->stop_list, "the list was stopped");
    add_given(call, version)->name = must(strdup(name));
    return KT_SUCCESS;
}

static int host_get_secret(struct kt_call *call, const char *where, void **data, size_t *len)
{
    int rc = KT_NOT_FOUND;

    (void)pthread_mutex_lock(&mutex);
    for (size_t i = 0; i < SECRETS_MAX; i++) {
        if (secrets[i].where == NULL || strcmp(secrets[i].where, where) != 0)
            continue;
        *data = must(host_secret_alloc(secrets[i].len + 1, 0));
        memcpy(*data, secrets[i].data, secrets[i].len);
        *len = secrets[i].len;
        rc = KT_SUCCESS;
    }
    (void)pthread_mutex_unlock(&mutex);
    return rc == KT_SUCCESS ? rc : host_fail(call, rc, "no secret '%s'", where);
}

static int host_put_secret(struct kt_call *call, const char *where, const void *data, size_t len)
{
    (void)call;
    modhost_secret_set(where, data, len);
    return KT_SUCCESS;
}

static bool host_may_prompt(struct kt_call *call)
{
    return call->answers != NULL;
}

const struct kt_host modhost = {
    .abi = KT_MODULE_ABI,
    .size = sizeof(struct kt_host),
    .fail = host_fail,
    .log = host_log,
    .now_ns = host_now_ns,
    .left_ms = host_left_ms,
    .cancel_fd = host_cancel_fd,
    .wait = host_wait,
    .sleep = host_sleep,
    .prompt = host_prompt,
    .secret_alloc = host_secret_alloc,
    .secret_free = host_secret_free,
    .give = host_give,
    .give_version = host_give_version,
    .give_name = host_give_name,
    .get_secret = host_get_secret,
    .put_secret = host_put_secret,
    .print = host_print,
    .progress = host_progress,
    .may_prompt = host_may_prompt,
};

/* ---- for tests ------------------------------------------------------------------------------ */

void modhost_call_init(struct kt_call *call)
{
    *call = (struct kt_call){ .cancel_fd = -1 };
    call->deadline_ms = host_now_ns(call, KT_CLOCK_MONOTONIC) / 1000000 + HOUR_MS;
}

void modhost_call_reset(struct kt_call *call)
{
    struct kt_call keep = *call;

    modhost_call_done(call);
    modhost_call_init(call);
    call->cancel_fd = keep.cancel_fd;
    call->stop_list = keep.stop_list;
    call->stop_after = keep.stop_after;
    call->answers = keep.answers;
    call->meanwhile = keep.meanwhile;
}

void modhost_call_done(struct kt_call *call)
{
    for (size_t i = 0; i < call->ngiven; i++) {
        struct modhost_given *g = &call->given[i];

        for (size_t k = 0; k < g->nattrs; k++) {
            free((char *)g->attrs[k].key);
            free((char *)g->attrs[k].value);
        }
        free(g->attrs);
        free(g->name);
        free(g->id);
        free(g->data);
    }
    free(call->given);
    free(call->log);
    free(call->out);
    *call = (struct kt_call){ .cancel_fd = -1 };
}

const struct kt_module *modhost_load(const char *name)
{
    const char *dir = getenv("KEYTURN_TEST_MODULES");
    const struct kt_module *m;
    char path[4096];
    void *so;

    if (dir == NULL)
        die("KEYTURN_TEST_MODULES is not set");
    (void)snprintf(path, sizeof(path), "%s/%s.so", dir, name);
    so = dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (so == NULL)
        die("%s", dlerror());
    m = dlsym(so, "kt_module");
    if (m == NULL || m->abi != KT_MODULE_ABI || m->size != sizeof(*m))
        die("%s: no descriptor of this ABI", path);
    return m;
}

static const struct kt_option *find_option(const struct kt_option *table, const char *word)
{
    size_t n = strcspn(word, "=");

    for (; table != NULL && table->name != NULL; table++)
        if (strlen(table->name) == n && strncmp(table->name, word, n) == 0)
            return table;
    die("no option '%s'", word);
}

static int64_t number_of(const struct kt_option *o, const char *value)
{
    static const struct {
        const char *unit;
        int64_t factor;
    } units[] = { { "ms", 1 },       { "s", 1000 },    { "m", 60000 },   { "h", 3600000 },
                  { "d", 86400000 }, { "K", 1 << 10 }, { "M", 1 << 20 }, { "G", 1 << 30 } };
    const char *choice = o->def != NULL ? strchr(o->def, '|') : NULL;
    char *end;
    int64_t n;

    if ((o->type & ~KT_OPTION_OPERAND) == KT_OPTION_FLAG)
        return 1;
    if ((o->type & ~KT_OPTION_OPERAND) == KT_OPTION_CHOICE) {
        for (int64_t i = 0; choice != NULL; i++) {
            size_t len = strcspn(choice + 1, "|");

            if (strlen(value) == len && strncmp(choice + 1, value, len) == 0)
                return i;
            choice = strchr(choice + 1, '|');
        }
        die("option %s has no choice '%s'", o->name, value);
    }
    if ((o->type & ~KT_OPTION_OPERAND) == KT_OPTION_STRING ||
        (o->type & ~KT_OPTION_OPERAND) == KT_OPTION_PATH)
        return 0;
    n = strtoll(value, &end, 10);
    for (size_t i = 0; *end != '\0' && i < sizeof(units) / sizeof(units[0]); i++)
        if (strcmp(end, units[i].unit) == 0)
            return n * units[i].factor;
    return n;
}

/* Words to arguments in the table's order, defaults filled in. @words is cut up and kept alive. */
static size_t parse_args(const struct kt_option *table, char *words, struct kt_arg *args)
{
    char *given[ARGS_MAX];
    char *save = NULL;
    size_t n = 0;
    size_t nargs = 0;

    for (char *w = strtok_r(words, " ", &save); w != NULL; w = strtok_r(NULL, " ", &save)) {
        (void)find_option(table, w);
        given[n++] = w;
    }
    for (const struct kt_option *o = table; o != NULL && o->name != NULL; o++) {
        const char *value = (o->type & ~KT_OPTION_OPERAND) == KT_OPTION_FLAG ? NULL : o->def;
        char first[64];

        if ((o->type & ~KT_OPTION_OPERAND) == KT_OPTION_CHOICE && value != NULL) {
            (void)snprintf(first, sizeof(first), "%.*s", (int)strcspn(value, "|"), value);
            value = first;
        }
        for (size_t i = 0; i < n; i++)
            if (find_option(table, given[i]) == o)
                value = strchr(given[i], '=') != NULL ? strchr(given[i], '=') + 1 : "";
        if (value == NULL)
            continue;
        args[nargs++] = (struct kt_arg){ o->name, must(strdup(value)), number_of(o, value) };
    }
    return nargs;
}

static void free_args(struct kt_arg *args, size_t nargs)
{
    for (size_t i = 0; i < nargs; i++)
        free((char *)args[i].value);
}

int modhost_open_as(const struct kt_module *m, struct kt_call *call, const struct kt_open_args *as,
                    const char *options, void **state)
{
    struct kt_arg args[ARGS_MAX];
    struct kt_open_args open_args = *as;
    char *words = must(strdup(options != NULL ? options : ""));
    int rc;

    open_args.size = sizeof(open_args);
    open_args.args = args;
    open_args.nargs = parse_args(m->options, words, args);
    rc = m->open(&modhost, call, &open_args, state);
    free_args(args, open_args.nargs);
    free(words);
    return rc;
}

int modhost_open(const struct kt_module *m, struct kt_call *call, const char *options, void **state)
{
    return modhost_open_as(m, call, &(struct kt_open_args){ .service = "test" }, options, state);
}

int modhost_verb(const struct kt_module *m, void *state, struct kt_call *call, const char *verb,
                 const char *options)
{
    const struct kt_verb *v = m->verbs;
    struct kt_arg args[ARGS_MAX];
    char *words = must(strdup(options != NULL ? options : ""));
    size_t nargs;
    int rc;

    while (v != NULL && v->name != NULL && strcmp(v->name, verb) != 0)
        v++;
    if (v == NULL || v->name == NULL)
        die("no verb '%s'", verb);
    nargs = parse_args(v->options, words, args);
    rc = v->run(state, call, args, nargs);
    free_args(args, nargs);
    free(words);
    return rc;
}

const struct kt_want *modhost_want(const char *version)
{
    static _Thread_local struct kt_want want;

    want = (struct kt_want){
        .size = sizeof(want), .stage = KT_STAGE_CURRENT, .version = version, .max_age_ms = -1
    };
    return &want;
}

void modhost_id(char id[KT_UUID_SIZE])
{
    const uint64_t ns = (uint64_t)host_now_ns(NULL, KT_CLOCK_WALL);
    const uint64_t ms = ns / 1000000;
    const unsigned fraction = (unsigned)(ns % 1000000 * 4096 / 1000000);
    uint8_t r[8];

    if (getrandom(r, sizeof(r), 0) != sizeof(r))
        die("getrandom: %s", strerror(errno));
    (void)snprintf(id, KT_UUID_SIZE, "%08x-%04x-7%03x-%02x%02x-%02x%02x%02x%02x%02x%02x",
                   (unsigned)(ms >> 16), (unsigned)(ms & 0xffff), fraction, (r[0] & 0x3f) | 0x80,
                   r[1], r[2], r[3], r[4], r[5], r[6], r[7]);
}

void modhost_clock_add(enum kt_clock_id which, int64_t ms)
{
    shift_ms[which] += ms;
}

void modhost_clock_reset(void)
{
    for (size_t i = 0; i < 3; i++)
        shift_ms[i] = 0;
}

void modhost_secret_set(const char *where, const void *data, size_t len)
{
    size_t at = SECRETS_MAX;

    (void)pthread_mutex_lock(&mutex);
    for (size_t i = 0; i < SECRETS_MAX; i++) {
        if (secrets[i].where != NULL && strcmp(secrets[i].where, where) == 0) {
            free(secrets[i].where);
            free(secrets[i].data);
            secrets[i].where = NULL;
            secrets[i].data = NULL;
        }
        if (secrets[i].where == NULL && at == SECRETS_MAX)
            at = i;
    }
    if (data != NULL) {
        if (at == SECRETS_MAX)
            die("too many secrets");
        secrets[at].where = must(strdup(where));
        secrets[at].data = must(malloc(len + 1));
        memcpy(secrets[at].data, data, len);
        secrets[at].len = len;
    }
    (void)pthread_mutex_unlock(&mutex);
}

size_t modhost_live(void)
{
    return live;
}
