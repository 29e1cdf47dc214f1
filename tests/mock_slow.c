/* SPDX-License-Identifier: Apache-2.0 */

/* Answers, but only after `delay`; gives up when the call is cancelled or its time is over. */

#include "mock.h"

static const struct kt_option options[] = {
    { "delay", KT_OPTION_DURATION, "200ms", "how long each answer takes" },
    { .name = NULL },
};

static int slow_get(void *state, struct kt_call *call, const char *name, const struct kt_want *want)
{
    const struct mock *m = state;
    int rc = m->host->sleep(call, m->number);

    (void)name;
    (void)want;
    return rc == KT_SUCCESS ? mock_give(m, call, "slow", 4) : rc;
}

static int slow_list(void *state, struct kt_call *call, const char *prefix)
{
    const struct mock *m = state;

    (void)prefix;
    return m->host->sleep(call, m->number);
}

static int slow_put(void *state, struct kt_call *call, enum kt_phase phase, const char *name,
                    const struct kt_put *put)
{
    const struct mock *m = state;

    (void)name;
    (void)put;
    return phase == KT_COMMIT ? m->host->sleep(call, m->number) : KT_SUCCESS;
}

const struct kt_module kt_module = {
    MOCK_HEAD("mock_slow", "answers late"),
    .capabilities = KT_CAP_SCRIPTED | KT_CAP_BINARY | KT_CAP_LIST | KT_CAP_OWN_ID,
    .options = options,
    .open = mock_open,
    .close = mock_close,
    .get = slow_get,
    .list = slow_list,
    .put = slow_put,
};
