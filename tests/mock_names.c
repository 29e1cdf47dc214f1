/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Lists `count` names, n/0000000 and so on, in no order; every one is 'there' for get. Its verb
 * `copy it` takes a path, and says what it was told and how far it is.
 */

#include <stdio.h>

#include "mock.h"

#define STRIDE 7919 /* a prime */

static const struct kt_option options[] = {
    { "count", KT_OPTION_NUMBER, "10", "how many names; no multiple of 7919" },
    { .name = NULL },
};

static int names_get(void *state, struct kt_call *call, const char *name,
                     const struct kt_want *want)
{
    (void)name;
    (void)want;
    return mock_give(state, call, "there", 5);
}

static int names_list(void *state, struct kt_call *call, const char *prefix)
{
    const struct mock *m = state;
    int rc = KT_SUCCESS;

    (void)prefix;
    for (int64_t i = 0; i < m->number && rc == KT_SUCCESS; i++) {
        char name[32];

        (void)snprintf(name, sizeof(name), "n/%07lld", (long long)(i * STRIDE % m->number));
        rc = m->host->give_name(call, name, NULL);
    }
    return rc;
}

static const struct kt_option copy_options[] = {
    { "to", KT_OPTION_PATH | KT_OPTION_OPERAND, NULL, "where to" },
    { "twice", KT_OPTION_FLAG, NULL, "say it twice" },
    { .name = NULL },
};

static int copy_it(void *state, struct kt_call *call, const struct kt_arg *args, size_t nargs)
{
    const struct mock *m = state;

    for (uint64_t i = 0; i <= 3; i++)
        m->host->progress(call, i, 3);
    for (size_t i = 0; i < nargs; i++)
        m->host->print(call, "%s=%s", args[i].name, args[i].value != NULL ? args[i].value : "");
    return KT_SUCCESS;
}

static const struct kt_verb verbs[] = {
    { "copy it", "copy it somewhere", copy_options, copy_it },
    { "copy", "copy nothing", NULL, copy_it },
    { .name = NULL },
};

const struct kt_module kt_module = {
    MOCK_HEAD("mock_names", "any number of names"),
    .capabilities = KT_CAP_LIST,
    .options = options,
    .verbs = verbs,
    .open = mock_open,
    .close = mock_close,
    .get = names_get,
    .list = names_list,
};
