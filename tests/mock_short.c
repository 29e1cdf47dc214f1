/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Built for an older host: its descriptor ends before @put. What lies behind its end in memory is
 * not the descriptor's; whoever calls it crashes.
 */

#include <stddef.h>

#include "mock.h"

#define RUBBISH(type) ((type)(uintptr_t)0x17)

static int short_get(void *state, struct kt_call *call, const char *name,
                     const struct kt_want *want)
{
    (void)name;
    (void)want;
    return mock_give(state, call, "short", 5);
}

const struct kt_module kt_module = {
    .abi = KT_MODULE_ABI,
    .size = offsetof(struct kt_module, put),
    MOCK_BODY("mock_short", "has a descriptor shorter than the host's"),
    .capabilities = KT_CAP_SCRIPTED | KT_CAP_BINARY,
    .open = mock_open,
    .close = mock_close,
    .get = short_get,
    .put = RUBBISH(__typeof__(kt_module.put)),
    .stage = RUBBISH(__typeof__(kt_module.stage)),
    .del = RUBBISH(__typeof__(kt_module.del)),
    .restore = RUBBISH(__typeof__(kt_module.restore)),
    .fill = RUBBISH(__typeof__(kt_module.fill)),
    .forget = RUBBISH(__typeof__(kt_module.forget)),
    .report = RUBBISH(__typeof__(kt_module.report)),
};
