/* SPDX-License-Identifier: Apache-2.0 */

/* Built for another ABI: must be refused by number, before any of its code runs. */

#include "mock.h"

__attribute__((constructor)) static void loaded(void)
{
    abort();
}

static int badabi_get(void *state, struct kt_call *call, const char *name,
                      const struct kt_want *want)
{
    (void)name;
    (void)want;
    return mock_give(state, call, "badabi", 6);
}

const struct kt_module kt_module = {
    .abi = 4711,
    .size = sizeof(struct kt_module),
    MOCK_BODY("mock_badabi", "is built for another ABI"),
    .open = mock_open,
    .close = mock_close,
    .get = badabi_get,
};
