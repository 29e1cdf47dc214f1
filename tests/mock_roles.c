/* SPDX-License-Identifier: Apache-2.0 */

/* Modules that differ in what their descriptor says and answer nothing: for service files. */

#include <keyturn/module.h>

#ifndef MOCK_ABI
#define MOCK_ABI KT_MODULE_ABI
#endif
#ifndef MOCK_SIZE
#define MOCK_SIZE sizeof(struct kt_module)
#endif
#ifndef MOCK_KIND
#define MOCK_KIND KT_KIND_BACKEND
#endif
#ifndef MOCK_ROLE
#define MOCK_ROLE KT_ROLE_STORE
#endif
#ifndef MOCK_CLASS
#define MOCK_CLASS KT_CLASS_SEALED
#endif
#ifndef MOCK_CAS
#define MOCK_CAS KT_CAS_NATIVE
#endif
#ifndef MOCK_PROPAGATION
#define MOCK_PROPAGATION 0
#endif
#ifndef MOCK_CAPABILITIES
#define MOCK_CAPABILITIES 0
#endif

static int mock_open(const struct kt_host *host, struct kt_call *call,
                     const struct kt_open_args *args, void **state)
{
    static char nothing;

    (void)host;
    (void)call;
    (void)args;
    *state = &nothing;
    return KT_SUCCESS;
}

static void mock_close(void *state)
{
    (void)state;
}

static int mock_get(void *state, struct kt_call *call, const char *name, const struct kt_want *want)
{
    (void)state;
    (void)call;
    (void)name;
    (void)want;
    return KT_NOT_FOUND;
}

const struct kt_module kt_module = {
    .abi = MOCK_ABI,
    .size = MOCK_SIZE,
    .kind = MOCK_KIND,
    .role = MOCK_ROLE,
    .protection = MOCK_CLASS,
    .cas = MOCK_CAS,
    .propagation_s = MOCK_PROPAGATION,
    .capabilities = MOCK_CAPABILITIES,
    .value_max = KT_VALUE_MAX,
    .name_max = KT_NAME_MAX,
    .name = MOCK_NAME,
    .version = "0",
    .summary = "a descriptor and no answers",
    .open = mock_open,
    .close = mock_close,
    .get = mock_get,
};
