/* SPDX-License-Identifier: Apache-2.0 */
#include "follow.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define LOCAL_EVERY_MS 2000 /* what costs nobody anything is asked more often than ttl= says */

/** struct followed - a secret; @index: of the first reference to it; @failing: that was told */
struct followed {
    struct kt_watch *watch;
    size_t index;
    bool failing;
};

/** struct follow - @behind: a change was noticed and not fetched yet; @failing: nor could it be */
struct follow {
    struct refs *refs;
    int epoll;
    int timer; /* -1: none */
    size_t n;
    bool behind;
    bool failing;
    struct followed at[];
};

static int explain(struct kt_err *err, int status, const char *what, int errnum)
{
    return err_explain(err, status, "%s: %s", what, strerror(errnum));
}

static int listen_to(const struct follow *f, int fd, size_t i, struct kt_err *err)
{
    struct epoll_event e = { .events = EPOLLIN, .data.u64 = i };

    if (epoll_ctl(f->epoll, EPOLL_CTL_ADD, fd, &e) != 0)
        return explain(err, KT_UNAVAILABLE, "cannot follow so many secrets", errno);
    return KT_SUCCESS;
}

static bool is_followed(const struct follow *f, size_t index)
{
    for (size_t i = 0; i < f->n; i++)
        if (refs_handle(f->refs, f->at[i].index) == refs_handle(f->refs, index) &&
            strcmp(refs_name(f->refs, f->at[i].index), refs_name(f->refs, index)) == 0)
            return true;
    return false;
}

static int follow_each(struct follow *f, struct kt_err *err)
{
    int rc = KT_SUCCESS;

    for (size_t i = 0; rc == KT_SUCCESS && i < refs_count(f->refs); i++) {
        struct followed *to = &f->at[f->n];

        if (!refs_moves(f->refs, i) || is_followed(f, i))
            continue;
        rc = kt_watch_open(refs_handle(f->refs, i), refs_name(f->refs, i), &to->watch, err);
        if (rc != KT_SUCCESS)
            return rc;
        to->index = i;
        rc = listen_to(f, kt_watch_fd(to->watch), f->n++, err);
    }
    return rc;
}

/* Of its own clock: the machine that slept asks when it wakes. */
static int follow_every(struct follow *f, int64_t ms, struct kt_err *err)
{
    const struct timespec span = { ms / 1000, ms % 1000 * 1000000 };
    const struct itimerspec when = { span, span };

    f->timer = timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK);
    if (f->timer < 0 || timerfd_settime(f->timer, 0, &when, NULL) != 0)
        return explain(err, KT_UNAVAILABLE, "cannot make a timer", errno);
    return listen_to(f, f->timer, SIZE_MAX, err);
}

/* 0: as the services say */
static int every_of(const struct cli *cli, int64_t *ms, struct kt_err *err)
{
    const char *every = args_value(cli, "every");

    *ms = 0;
    if (every == NULL || (when_duration(every, ms) && *ms >= 100))
        return KT_SUCCESS;
    return err_explain(err, KT_INVALID, "--every '%s' is no duration from 100ms on, such as 10s",
                       every);
}

static void look(void *cookie, const struct kt_module_info *m)
{
    bool *local = cookie;

    *local = m->status == KT_SUCCESS && m->protection != NULL &&
             strcmp(m->protection, "cloud") != 0 && strcmp(m->protection, "hardware") != 0;
}

/* No store that counts or delays requests has answered. */
static bool are_local(const struct cli *cli, const struct refs *refs)
{
    const char *last = "";
    struct kt_open_options options;
    struct kt_err err = { 0 };
    bool local = true;

    session_options(cli, &options);
    options.log = NULL;
    for (size_t i = 0; local && i < refs_count(refs); i++) {
        const struct kt_info *info = refs_info(refs, i);

        local = info != NULL && info->module != NULL;
        if (!local || strcmp(info->module, last) == 0)
            continue;
        last = info->module;
        local = false;
        if (kt_modules(last, &options, NULL, look, &local, &err) != KT_SUCCESS)
            local = false;
    }
    return local;
}

int follow_new(const struct cli *cli, struct refs *refs, struct follow **out, struct kt_err *err)
{
    struct follow *f = calloc(1, sizeof(*f) + refs_count(refs) * sizeof(f->at[0]));
    int64_t ms = 0;
    int rc;

    if (f == NULL)
        return explain(err, KT_NO_MEMORY, "cannot follow", ENOMEM);
    f->refs = refs;
    f->timer = -1;
    f->epoll = epoll_create1(EPOLL_CLOEXEC);
    rc = f->epoll >= 0 ? every_of(cli, &ms, err)
                       : explain(err, KT_UNAVAILABLE, "cannot follow", errno);
    if (rc == KT_SUCCESS && ms == 0)
        rc = follow_each(f, err);
    if (rc == KT_SUCCESS && (ms > 0 || are_local(cli, refs)))
        rc = follow_every(f, ms > 0 ? ms : LOCAL_EVERY_MS, err);
    if (rc == KT_SUCCESS)
        *out = f;
    else
        follow_free(f);
    return rc;
}

void follow_free(struct follow *f)
{
    if (f == NULL)
        return;
    for (size_t i = 0; i < f->n; i++)
        kt_watch_free(f->at[i].watch);
    if (f->timer >= 0)
        (void)close(f->timer);
    if (f->epoll >= 0)
        (void)close(f->epoll);
    free(f);
}

int follow_fd(const struct follow *f)
{
    return f->epoll;
}

/* What the first turn tells is mostly what was fetched. */
static bool is_held(const struct follow *f, const struct followed *at, const char *id)
{
    const struct kt_info *info = refs_info(f->refs, at->index);

    return info != NULL && (info->stages & KT_STAGE_CURRENT) != 0 && strcmp(info->id, id) == 0;
}

/* KT_SUCCESS: asked; else a failure that was not told yet */
static int ask(struct follow *f, struct followed *at, struct kt_err *err)
{
    char id[KT_ID_SIZE];
    const char *name;
    const int rc = kt_watch_read(at->watch, &name, id, err);
    const bool told = at->failing;

    at->failing = rc != KT_SUCCESS && rc != KT_IGNORE;
    if (rc == KT_SUCCESS)
        f->behind |= !is_held(f, at, id);
    return at->failing && !told ? rc : KT_SUCCESS;
}

/* Asks those whose time has come; the first failure that was not told yet is returned. */
static int ask_each(struct follow *f, struct kt_err *err)
{
    struct epoll_event ready[16];
    const int n = epoll_wait(f->epoll, ready, sizeof(ready) / sizeof(ready[0]), 0);
    int first = KT_SUCCESS;

    for (int i = 0; i < n; i++) {
        struct kt_err e = { 0 };
        uint64_t ticks;
        int rc = KT_SUCCESS;

        if (ready[i].data.u64 != SIZE_MAX)
            rc = ask(f, &f->at[ready[i].data.u64], &e);
        else if (read(f->timer, &ticks, sizeof(ticks)) > 0)
            f->behind = true;
        if (rc != KT_SUCCESS && first == KT_SUCCESS) {
            first = rc;
            *err = e;
        }
    }
    return first;
}

int follow_read(struct follow *f, struct kt_err *err)
{
    const bool told = f->failing;
    size_t failed;
    int rc = ask_each(f, err);

    if (rc != KT_SUCCESS)
        return rc;
    if (!f->behind)
        return KT_IGNORE;
    rc = refs_fetch(f->refs, &failed, err);
    f->failing = rc != KT_SUCCESS;
    if (rc != KT_SUCCESS)
        return told ? KT_IGNORE : rc;
    f->behind = false;
    return refs_changed(f->refs) ? KT_SUCCESS : KT_IGNORE;
}
