/* SPDX-License-Identifier: Apache-2.0 */

/* Never has an answer, and keeps its contract: it waits as the host says. */

#include "mock.h"

static int hang(const struct mock *m, struct kt_call *call)
{
    return m->host->wait(call, -1, 0);
}

static int hang_get(void *state, struct kt_call *call, const char *name, const struct kt_want *want)
{
    (void)name;
    (void)want;
    return hang(state, call);
}

static int hang_list(void *state, struct kt_call *call, const char *prefix)
{
    (void)prefix;
    return hang(state, call);
}

static int hang_put(void *state, struct kt_call *call, enum kt_phase phase, const char *name,
                    const struct kt_put *put)
{
    (void)phase;
    (void)name;
    (void)put;
    return hang(state, call);
}

const struct kt_module kt_module = {
    MOCK_HEAD("mock_hang", "never answers, but ends in time"),
    .capabilities = KT_CAP_SCRIPTED | KT_CAP_BINARY | KT_CAP_LIST | KT_CAP_OWN_ID,
    .open = mock_open,
    .close = mock_close,
    .get = hang_get,
    .list = hang_list,
    .put = hang_put,
};
