/* SPDX-License-Identifier: Apache-2.0 */
#include "err.h"
#include "handle.h"
#include "name.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/timerfd.h>
#include <unistd.h>

/**
 * struct kt_watch
 * @told: a version has been told, @last: which ("" = that there is none)
 */
struct kt_watch {
    struct kt_handle *h;
    char *name;
    int fd;
    int64_t period_ms;
    bool told;
    char last[KT_ID_SIZE];
};

/* As often as the shortest-lived copy would be asked for again. */
static int64_t period_of(const struct kt_service *s)
{
    int64_t ms = INT64_MAX;

    for (size_t i = 0; i < s->read.n; i++)
        if (!s->read.lines[i].substack && s->read.lines[i].core.ttl_ms < ms)
            ms = s->read.lines[i].core.ttl_ms;
    return ms < 100 ? 100 : ms > KT_TIMEOUT_MAX_MS ? KT_TIMEOUT_MAX_MS : ms;
}

/* Within a tenth of the period before or after it, so that many programs do not ask at once. */
static int arm(struct kt_watch *w, bool at_once, struct kt_err *err)
{
    struct itimerspec when = { .it_value = { 0, 1 } };
    uint32_t random = 0;
    int64_t ms = w->period_ms;

    if (getrandom(&random, sizeof random, GRND_NONBLOCK) != sizeof random)
        random = UINT32_MAX / 2;
    ms += ms / 10 * ((int64_t)random - UINT32_MAX / 2) / (UINT32_MAX / 2);
    if (!at_once)
        when.it_value = (struct timespec){ ms / 1000, ms % 1000 * 1000000 + 1 };
    if (timerfd_settime(w->fd, 0, &when, NULL) != 0)
        return kt_fail_errno(err, "cannot set the timer of a watch");
    return KT_SUCCESS;
}

int kt_watch_open(struct kt_handle *h, const char *name, struct kt_watch **out, struct kt_err *err)
{
    struct kt_watch *w;
    int rc = kt_name_for_program(name, err);

    if (rc != KT_SUCCESS)
        return rc;
    w = calloc(1, sizeof *w);
    if (w == NULL)
        return kt_fail(err, KT_NO_MEMORY, "out of memory");
    w->h = h;
    w->period_ms = period_of(h->service);
    w->name = strdup(name);
    /* CLOCK_BOOTTIME: a machine that slept asks when it wakes. */
    w->fd = timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK);
    if (w->name == NULL)
        rc = kt_fail(err, KT_NO_MEMORY, "out of memory");
    else if (w->fd < 0)
        rc = kt_fail_errno(err, "cannot make the timer of a watch");
    else
        rc = arm(w, true, err);
    if (rc == KT_SUCCESS)
        *out = w;
    else
        kt_watch_free(w);
    return rc;
}

int kt_watch_fd(const struct kt_watch *w)
{
    return w->fd;
}

int kt_watch_read(struct kt_watch *w, const char **name, char id[KT_ID_SIZE], struct kt_err *err)
{
    const struct kt_get_options o = { .size = sizeof o };
    struct kt_secret *s = NULL;
    char now[KT_ID_SIZE] = "";
    uint64_t ticks;
    int rc;

    if (read(w->fd, &ticks, sizeof ticks) < 0)
        return errno == EAGAIN || errno == EINTR
                   ? kt_fail(err, KT_IGNORE, "%s: no news yet", w->name)
                   : kt_fail_errno(err, "cannot read the timer of a watch");
    rc = arm(w, false, err);
    if (rc != KT_SUCCESS)
        return rc;
    rc = kt_get(w->h, w->name, &o, &s, err);
    if (rc == KT_SUCCESS)
        memcpy(now, kt_secret_info(s)->id, sizeof now);
    kt_secret_free(s);
    if (rc != KT_SUCCESS && rc != KT_NOT_FOUND)
        return rc;
    if (w->told && strcmp(w->last, now) == 0)
        return kt_fail(err, KT_IGNORE, "%s: no news yet", w->name);
    w->told = true;
    memcpy(w->last, now, sizeof now);
    *name = w->name;
    memcpy(id, now, sizeof now);
    return KT_SUCCESS;
}

void kt_watch_free(struct kt_watch *w)
{
    if (w == NULL)
        return;
    if (w->fd >= 0)
        (void)close(w->fd);
    free(w->name);
    free(w);
}
