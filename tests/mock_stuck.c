/* SPDX-License-Identifier: Apache-2.0 */

/* Breaks its contract: sleeps for `delay`, whatever the deadline and whoever cancels. */

#include <errno.h>
#include <time.h>

#include "mock.h"

static const struct kt_option options[] = {
    { "delay", KT_OPTION_DURATION, "2s", "how long each answer takes" },
    { .name = NULL },
};

static int stuck_get(void *state, struct kt_call *call, const char *name,
                     const struct kt_want *want)
{
    const struct mock *m = state;
    struct timespec rest = { m->number / 1000, m->number % 1000 * 1000000 };

    (void)name;
    (void)want;
    while (nanosleep(&rest, &rest) < 0 && errno == EINTR)
        ;
    return mock_give(m, call, "stuck", 5);
}

const struct kt_module kt_module = {
    MOCK_HEAD("mock_stuck", "does not look at the deadline"),
    .capabilities = KT_CAP_BINARY,
    .options = options,
    .open = mock_open,
    .close = mock_close,
    .get = stuck_get,
};
