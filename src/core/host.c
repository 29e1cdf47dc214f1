/* SPDX-License-Identifier: Apache-2.0 */
#include "call.h"

#include "arena.h"
#include "clock.h"
#include "err.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define LOG_MAX 1024

KT_PRINTF(3, 4)
static int host_fail(struct kt_call *call, int status, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    (void)kt_vfail(&call->err, status, fmt, ap);
    va_end(ap);
    return status;
}

KT_PRINTF(3, 4)
static void host_log(struct kt_call *call, enum kt_log_level level, const char *fmt, ...)
{
    const struct kt_open_options *o = &call->budget->handle->options;
    struct kt_err text;
    char line[LOG_MAX];
    va_list ap;

    if (o->log == NULL)
        return;
    va_start(ap, fmt);
    (void)kt_vfail(&text, KT_SUCCESS, fmt, ap);
    va_end(ap);
    (void)snprintf(line, sizeof line, "%s: %s", call->module, text.msg);
    o->log(o->cookie, level, line);
}

static int64_t host_now_ns(struct kt_call *call, enum kt_clock_id which)
{
    return kt_clock_ns(&call->budget->handle->clock, which);
}

static int64_t host_left_ms(struct kt_call *call)
{
    const int64_t left = call->deadline_ns -
                         kt_clock_ns(&call->budget->handle->clock, KT_CLOCK_MONOTONIC);

    /* Rounded up: 0 means that it is over. */
    return left <= 0 ? 0 : (left + 999999) / 1000000;
}

/* Made when first asked for: most calls never wait. */
static int host_cancel_fd(struct kt_call *call)
{
    struct kt_handle *h = call->budget->handle;

    if (call->waiting)
        return call->waiter.fd;
    call->waiter.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (call->waiter.fd < 0)
        return -1;
    call->waiting = true;
    (void)pthread_mutex_lock(&h->lock);
    call->waiter.next = h->waiters;
    h->waiters = &call->waiter;
    if (kt_budget_cancelled(call->budget))
        (void)eventfd_write(call->waiter.fd, 1);
    (void)pthread_mutex_unlock(&h->lock);
    return call->waiter.fd;
}

static int wait_until(struct kt_call *call, int fd, short events, int64_t until_ns, int over)
{
    struct pollfd p[2] = { { .fd = host_cancel_fd(call), .events = POLLIN },
                           { .fd = fd, .events = events } };

    for (;;) {
        const int64_t left = until_ns - host_now_ns(call, KT_CLOCK_MONOTONIC);
        /* In slices of a second at most: the clock may be the host's own. */
        const int64_t slice = left > 1000000000 ? 1000000000 : left < 0 ? 0 : left;
        const struct timespec ts = { slice / 1000000000, slice % 1000000000 };
        const int n = ppoll(p, 2, &ts, NULL);

        if (kt_budget_cancelled(call->budget))
            return host_fail(call, KT_CANCELLED, "cancelled by the program");
        if (n > 0 && p[1].revents != 0)
            return KT_SUCCESS;
        if (n < 0 && errno != EINTR)
            return host_fail(call, KT_UNAVAILABLE, "poll: %m");
        if (left <= 0)
            return over;
    }
}

static int host_wait(struct kt_call *call, int fd, short events)
{
    const int rc = wait_until(call, fd, events, call->deadline_ns, KT_TIMEOUT);

    return rc == KT_TIMEOUT ? host_fail(call, rc, "no answer before the deadline") : rc;
}

static int host_sleep(struct kt_call *call, int64_t ms)
{
    const int64_t until = host_now_ns(call, KT_CLOCK_MONOTONIC) + ms * 1000000;

    if (until > call->deadline_ns)
        return host_wait(call, -1, 0);
    return wait_until(call, -1, 0, until, KT_SUCCESS);
}

static int host_prompt(struct kt_call *call, const char *text, bool echo, char *buf, size_t len)
{
    const struct kt_open_options *o = &call->budget->handle->options;
    size_t shown = strlen(text);
    int n;

    while (shown > 0 && strchr(" :", text[shown - 1]) != NULL)
        shown--;
    if (!call->budget->may_prompt || o->prompt == NULL)
        return -host_fail(
            call, KT_LOCKED,
            "a person has to answer '%.*s', and nobody may be asked here: there is no "
            "terminal, or the program does not allow it",
            (int)shown, text);
    n = o->prompt(o->cookie, text, echo, buf, len, host_left_ms(call), host_cancel_fd(call));
    if (n > (int)len)
        return -host_fail(call, KT_INVALID, "the answer is longer than %zu bytes", len);
    if (n < 0)
        return -host_fail(call, -n, "'%.*s' was not answered: %s", (int)shown, text,
                          kt_status_meaning(-n));
    return n;
}

static int host_give(struct kt_call *call, size_t index, const struct kt_version *version,
                     const void *data, size_t len)
{
    const struct kt_sink *s = call->sink;

    if (s == NULL || s->value == NULL)
        return host_fail(call, KT_MODULE_ERROR, "it gave a value where none was asked for");
    return s->value(s->cookie, index, version, data, len);
}

static int host_give_version(struct kt_call *call, const struct kt_version *version)
{
    const struct kt_sink *s = call->sink;

    if (s == NULL || s->version == NULL)
        return host_fail(call, KT_MODULE_ERROR, "it gave a version where none was asked for");
    return s->version(s->cookie, version);
}

static int host_give_name(struct kt_call *call, const char *name, const struct kt_version *version)
{
    const struct kt_sink *s = call->sink;

    if (s == NULL || s->name == NULL)
        return host_fail(call, KT_MODULE_ERROR, "it gave a name where none was asked for");
    return s->name(s->cookie, name, version);
}

/* `SERVICE/NAME`: opens that service as the program opened ours. */
static int open_other(struct kt_call *call, const char *where, struct kt_handle **out,
                      const char **name)
{
    const struct kt_handle *h = call->budget->handle;
    const char *slash = strchr(where, '/');
    char service[72];
    struct kt_err err;
    int rc;

    if (slash == NULL || slash == where || (size_t)(slash - where) >= sizeof service)
        return host_fail(call, KT_CONFIG_ERROR, "'%s' is not SERVICE/NAME", where);
    memcpy(service, where, (size_t)(slash - where));
    service[slash - where] = '\0';
    for (const struct kt_handle *p = h; p != NULL; p = p->parent)
        if (p->service != NULL && strcmp(p->service->name, service) == 0)
            return host_fail(call, KT_CONFIG_ERROR,
                             "service '%s' needs a secret of itself: a cycle over '%s'", service,
                             where);
    rc = kt_handle_open(service, &h->options, h, out, &err);
    if (rc != KT_SUCCESS)
        return host_fail(call, rc, "for '%s': %s", where, err.msg);
    *name = slash + 1;
    return KT_SUCCESS;
}

static int host_get_secret(struct kt_call *call, const char *where, void **data, size_t *len)
{
    struct kt_get_options o = { .size = sizeof o, .may_prompt = call->budget->may_prompt };
    struct kt_secret *s = NULL;
    struct kt_handle *h;
    const char *name;
    struct kt_err err;
    void *copy;
    int rc = open_other(call, where, &h, &name);

    if (rc != KT_SUCCESS)
        return rc;
    o.timeout_ms = host_left_ms(call);
    rc = o.timeout_ms == 0 ? kt_fail(&err, KT_TIMEOUT, "no time is left")
                           : kt_get(h, name, &o, &s, &err);
    kt_close(h);
    if (rc != KT_SUCCESS)
        return host_fail(call, rc, "%s", err.msg);
    copy = kt_arena_alloc(kt_secret_len(s) + 1, KT_MEM_WIPEONFORK);
    if (copy == NULL) {
        kt_secret_free(s);
        return host_fail(call, KT_NO_MEMORY, "out of memory");
    }
    memcpy(copy, kt_secret_data(s), kt_secret_len(s));
    *data = copy;
    *len = kt_secret_len(s);
    kt_secret_free(s);
    return KT_SUCCESS;
}

static int host_put_secret(struct kt_call *call, const char *where, const void *data, size_t len)
{
    struct kt_put_options o = { .size = sizeof o, .may_prompt = call->budget->may_prompt };
    struct kt_handle *h;
    const char *name;
    struct kt_err err;
    int rc = open_other(call, where, &h, &name);

    if (rc != KT_SUCCESS)
        return rc;
    o.timeout_ms = host_left_ms(call);
    rc = o.timeout_ms == 0 ? kt_fail(&err, KT_TIMEOUT, "no time is left")
                           : kt_put(h, name, data, len, &o, NULL, &err);
    kt_close(h);
    return rc == KT_SUCCESS ? rc : host_fail(call, rc, "%s", err.msg);
}

KT_PRINTF(2, 3)
static void host_print(struct kt_call *call, const char *fmt, ...)
{
    struct kt_err text;
    va_list ap;

    if (call->sink == NULL || call->sink->print == NULL)
        return;
    va_start(ap, fmt);
    (void)kt_vfail(&text, KT_SUCCESS, fmt, ap);
    va_end(ap);
    call->sink->print(call->sink->cookie, text.msg);
    explicit_bzero(&text, sizeof text); /* may have been a recovery code */
}

static void host_progress(struct kt_call *call, uint64_t done, uint64_t total)
{
    if (call->sink != NULL && call->sink->progress != NULL)
        call->sink->progress(call->sink->cookie, done, total);
}

static bool host_may_prompt(struct kt_call *call)
{
    return call->budget->may_prompt;
}

const struct kt_host kt_host = {
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
    .secret_alloc = kt_arena_alloc,
    .secret_free = kt_arena_free,
    .give = host_give,
    .give_version = host_give_version,
    .give_name = host_give_name,
    .get_secret = host_get_secret,
    .put_secret = host_put_secret,
    .print = host_print,
    .progress = host_progress,
    .may_prompt = host_may_prompt,
};
