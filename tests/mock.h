/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYTURN_TESTS_MOCK_H
#define KEYTURN_TESTS_MOCK_H

#include <stdlib.h>
#include <string.h>

#include <keyturn/module.h>

/* What the small mock modules have in common: one secret under any name, one option. */

#define MOCK_ID "mock:1"

struct mock {
    const struct kt_host *host;
    int64_t number; /* of the module's first option */
    char *text;     /* the same, as written; NULL if neither given nor defaulted */
};

#define MOCK_BODY(mock_name, what)                                                                 \
    .kind = KT_KIND_BACKEND, .role = KT_ROLE_STORE, .protection = KT_CLASS_MEMORY,                 \
    .value_max = KT_VALUE_MAX, .name_max = KT_NAME_MAX, .name = (mock_name), .version = "0.1",     \
    .summary = (what)

#define MOCK_HEAD(mock_name, what)                                                                 \
    .abi = KT_MODULE_ABI, .size = sizeof(struct kt_module), MOCK_BODY(mock_name, what)

__attribute__((unused)) static int mock_open(const struct kt_host *host, struct kt_call *call,
                                             const struct kt_open_args *args, void **state)
{
    struct mock *m = calloc(1, sizeof(*m));

    if (!m)
        return host->fail(call, KT_NO_MEMORY, "mock: out of memory");
    m->host = host;
    if (args->nargs > 0) {
        m->number = args->args[0].number;
        m->text = strdup(args->args[0].value);
    }
    *state = m;
    return KT_SUCCESS;
}

__attribute__((unused)) static void mock_close(void *state)
{
    struct mock *m = state;

    free(m->text);
    free(m);
}

__attribute__((unused)) static int mock_give(const struct mock *m, struct kt_call *call,
                                             const void *data, size_t len)
{
    const struct kt_version version = {
        .size = sizeof(version),
        .id = MOCK_ID,
        .stages = KT_STAGE_CURRENT,
    };

    return m->host->give(call, 0, &version, data, len);
}

#endif
