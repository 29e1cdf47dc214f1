/* SPDX-License-Identifier: Apache-2.0 */

/* Built for a newer host: its descriptor has members that this one does not know. */

#include "mock.h"

struct newer {
    struct kt_module known;
    int (*unheard_of)(void *state);
    uint64_t more;
};

static int newer_get(void *state, struct kt_call *call, const char *name,
                     const struct kt_want *want)
{
    (void)name;
    (void)want;
    return mock_give(state, call, "newer", 5);
}

static int unheard_of(void *state)
{
    (void)state;
    abort();
}

/* The symbol has another type here than the header says, so it goes by another name in C. */
KT_MODULE_EXPORT extern const struct newer newer __asm__("kt_module");
const struct newer newer = {
    .known =
        {
            .abi = KT_MODULE_ABI,
            .size = sizeof(struct newer),
            MOCK_BODY("mock_newer", "has a descriptor longer than the host's"),
            .capabilities = KT_CAP_SCRIPTED | KT_CAP_BINARY,
            .open = mock_open,
            .close = mock_close,
            .get = newer_get,
        },
    .unheard_of = unheard_of,
    .more = UINT64_MAX,
};
