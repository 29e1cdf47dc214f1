/* SPDX-License-Identifier: Apache-2.0 */
#include "scene.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "core/handle.h"

#define PAUSE_NS 250000000

static int64_t system_ns(enum kt_clock_id which)
{
    static const clockid_t ids[] = { CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_BOOTTIME };
    struct timespec ts = { 0 };

    (void)clock_gettime(ids[which], &ts);
    return ts.tv_sec * 1000000000LL + ts.tv_nsec;
}

/* No process that was stopped for a while misses a deadline: a pause between two readings is cut short. */
static int64_t patient_ns(struct scene *s)
{
    for (;;) {
        int64_t skipped = atomic_load(&s->skipped_ns);
        int64_t last = atomic_load(&s->last_ns);
        const int64_t now = system_ns(KT_CLOCK_MONOTONIC) - skipped;

        if (now - last > PAUSE_NS &&
            !atomic_compare_exchange_strong(&s->skipped_ns, &skipped,
                                            skipped + (now - last - PAUSE_NS)))
            continue;
        const int64_t told = now - last > PAUSE_NS ? last + PAUSE_NS : now;

        while (last < told && !atomic_compare_exchange_weak(&s->last_ns, &last, told))
            ;
        return told;
    }
}

static int64_t now_ns(void *ctx, enum kt_clock_id which)
{
    struct scene *s = ctx;
    int64_t ns;

    if (which == KT_CLOCK_MONOTONIC)
        ns = s->clockwork ? (atomic_fetch_add(&s->readings, 1) + 1) * SCENE_TICK_MS * 1000000
                          : patient_ns(s);
    else if (s->runs)
        ns = system_ns(which);
    else /* stands, but no two versions are of one instant */
        ns = s->begin_ns[which] + atomic_fetch_add(&s->readings, 1) * 1000;
    return ns + atomic_load(&s->shift_ms[which]) * 1000000;
}

static void boot_id(void *ctx, uint8_t id[16])
{
    const struct scene *s = ctx;

    memset(id, 0xb0, 16);
    id[0] = (uint8_t)atomic_load(&s->boot);
}

static void keep_log(void *cookie, enum kt_log_level level, const char *text)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    struct scene *s = cookie;

    (void)pthread_mutex_lock(&lock);
    const size_t len = strlen(s->log);
    (void)snprintf(s->log + len, sizeof(s->log) - len, "%d %s\n", (int)level, text);
    (void)pthread_mutex_unlock(&lock);
}

struct scene *scene_new(void)
{
    struct scene *s = calloc(1, sizeof(*s));

    ck_assert_ptr_nonnull(s);
    s->dir = kt_harness_dir();
    s->config = kt_harness_path(s->dir, "config");
    ck_assert_int_eq(mkdir(s->config, 0755), 0);
    s->clock = (struct kt_clock){ .ctx = s, .now_ns = now_ns, .boot_id = boot_id };
    s->begin_ns[KT_CLOCK_WALL] = system_ns(KT_CLOCK_WALL);
    s->begin_ns[KT_CLOCK_BOOT] = system_ns(KT_CLOCK_BOOT);
    s->last_ns = system_ns(KT_CLOCK_MONOTONIC);
    return s;
}

void scene_free(struct scene *s)
{
    free(s->config);
    free(s->dir);
    free(s);
}

KT_PRINTF(3, 0)
static void write_service(struct scene *s, const char *service, const char *fmt, va_list ap)
{
    char *path = kt_harness_path(s->config, service);
    char *text = NULL;

    ck_assert_int_ge(vasprintf(&text, fmt, ap), 0);
    kt_harness_write(path, text, 0644);
    free(text);
    free(path);
}

void scene_write(struct scene *s, const char *service, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    write_service(s, service, fmt, ap);
    va_end(ap);
}

int scene_try(struct scene *s, const char *service, struct kt_handle **out, struct kt_err *err)
{
    const struct kt_open_options o = {
        .size = sizeof(o),
        .config_dir = s->config,
        .module_dir = kt_harness_modules(),
        .log = keep_log,
        .cookie = s,
        .clock = &s->clock,
    };

    return kt_open(service, &o, out, err);
}

struct kt_handle *scene_open(struct scene *s, const char *service, const char *fmt, ...)
{
    struct kt_handle *h = NULL;
    struct kt_err err = { 0 };
    va_list ap;

    va_start(ap, fmt);
    write_service(s, service, fmt, ap);
    va_end(ap);
    ck_assert_msg(scene_try(s, service, &h, &err) == KT_SUCCESS, "%s does not open: %s", service,
                  err.msg);
    return h;
}

void scene_later(struct scene *s, int64_t ms)
{
    atomic_fetch_add(&s->shift_ms[KT_CLOCK_WALL], ms);
    atomic_fetch_add(&s->shift_ms[KT_CLOCK_BOOT], ms);
}

const char *scene_get(struct kt_handle *h, const char *name, const struct kt_get_options *o,
                      int *status, struct kt_info *info)
{
    static _Thread_local char value[1024];
    struct kt_err err = { 0 };
    size_t len = 0;

    *status = kt_get_into(h, name, o, value, sizeof(value) - 1, &len, info, &err);
    value[len] = '\0';
    return value;
}

void scene_expect(struct kt_handle *h, const char *name, const char *value, int status)
{
    struct kt_secret *got = NULL;
    struct kt_err err = { 0 };
    const int rc = kt_get(h, name, NULL, &got, &err);

    if (value == NULL) {
        ck_assert_msg(rc == status, "%s: %s (%s), not %s", name, kt_status_name(rc), err.msg,
                      kt_status_name(status));
        ck_assert_ptr_null(got);
        ck_assert_int_eq(err.status, rc);
        ck_assert_msg(err.msg[0] != '\0' && strchr(err.msg, '\n') == NULL, "no line of words: '%s'",
                      err.msg);
        return;
    }
    ck_assert_msg(rc == KT_SUCCESS, "%s: %s (%s)", name, kt_status_name(rc), err.msg);
    ck_assert_str_eq(kt_secret_data(got), value);
    ck_assert_uint_eq(kt_secret_len(got), strlen(value));
    kt_secret_free(got);
}

void scene_put(struct kt_handle *h, const char *name, const char *value, char id[KT_ID_SIZE])
{
    struct kt_err err = { 0 };
    const int rc = kt_put(h, name, value, strlen(value), NULL, id, &err);

    ck_assert_msg(rc == KT_SUCCESS, "%s: %s (%s)", name, kt_status_name(rc), err.msg);
}

static void note_step(void *cookie, const struct kt_step *step)
{
    char *out = cookie;
    const size_t len = strlen(out);

    if (step->module == NULL)
        return;
    (void)snprintf(out + len, 1024 - len, step->raw >= 0 ? "%s%u:%s" : "%s(%u:%s)",
                   len > 0 ? " " : "", step->line, kt_status_name(step->status));
}

const char *scene_steps(struct kt_handle *h, const char *name, const struct kt_get_options *o)
{
    static _Thread_local char steps[1024];
    struct kt_err err = { 0 };

    steps[0] = '\0';
    if (kt_trace(h, name, o, note_step, steps, NULL, &err) < 0)
        ck_abort_msg("a negative status");
    return steps;
}

static size_t waiting(struct kt_handle *h)
{
    size_t n = 0;

    (void)pthread_mutex_lock(&h->lock);
    for (const struct kt_waiter *w = h->waiters; w != NULL; w = w->next)
        n++;
    (void)pthread_mutex_unlock(&h->lock);
    return n;
}

void scene_await_waits(struct kt_handle *h, size_t n)
{
    while (waiting(h) < n)
        (void)nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
}

const char *scene_read(const char *path)
{
    static _Thread_local char text[65536];
    FILE *f = fopen(path, "re");
    size_t n = 0;

    if (f != NULL) {
        n = fread(text, 1, sizeof(text) - 1, f);
        (void)fclose(f);
    }
    text[n] = '\0';
    return text;
}

int64_t scene_now_ms(struct scene *s, enum kt_clock_id which)
{
    return now_ns(s, which) / 1000000;
}
