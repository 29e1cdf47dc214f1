/* SPDX-License-Identifier: Apache-2.0 */

/* Kills its process in open. */

#include <signal.h>

#include "mock.h"

static const struct kt_option options[] = {
    { "how", KT_OPTION_CHOICE, "abort|abort|segv", "what it dies of" },
    { .name = NULL },
};

static int crash_open(const struct kt_host *host, struct kt_call *call,
                      const struct kt_open_args *args, void **state)
{
    (void)host;
    (void)call;
    (void)state;
    if (args->nargs > 0 && args->args[0].number == 1)
        raise(SIGSEGV);
    abort();
}

static int crash_get(void *state, struct kt_call *call, const char *name,
                     const struct kt_want *want)
{
    (void)call;
    (void)name;
    (void)want;
    return ((struct mock *)state)->host ? KT_NOT_FOUND : KT_IGNORE;
}

const struct kt_module kt_module = {
    MOCK_HEAD("mock_crash", "kills its process in open"),
    .options = options,
    .open = crash_open,
    .close = mock_close,
    .get = crash_get,
};
