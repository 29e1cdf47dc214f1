/* SPDX-License-Identifier: Apache-2.0 */

/* Keeps its one secret in another service, `from=SERVICE/NAME`, or asks a person with `from=?`. */

#include "mock.h"

static const struct kt_option options[] = {
    { "from", KT_OPTION_STRING, NULL, "where the secret is" },
    { .name = NULL },
};

static int ask_person(const struct mock *m, struct kt_call *call)
{
    char answer[8];
    const int n = m->host->prompt(call, "What is it? ", false, answer, sizeof(answer));

    return n < 0 ? -n : mock_give(m, call, answer, (size_t)n);
}

static int asks_get(void *state, struct kt_call *call, const char *name, const struct kt_want *want)
{
    const struct mock *m = state;
    void *data = NULL;
    size_t len = 0;
    int rc;

    (void)name;
    (void)want;
    if (strcmp(m->text, "?") == 0)
        return ask_person(m, call);
    rc = m->host->get_secret(call, m->text, &data, &len);
    if (rc == KT_SUCCESS)
        rc = mock_give(m, call, data, len);
    m->host->secret_free(data);
    return rc;
}

static int asks_put(void *state, struct kt_call *call, enum kt_phase phase, const char *name,
                    const struct kt_put *put)
{
    const struct mock *m = state;

    (void)name;
    return phase == KT_PREPARE ? KT_SUCCESS
                               : m->host->put_secret(call, m->text, put->data, put->len);
}

const struct kt_module kt_module = {
    MOCK_HEAD("mock_asks", "keeps its secret in another service"),
    .capabilities = KT_CAP_SCRIPTED | KT_CAP_BINARY,
    .options = options,
    .open = mock_open,
    .close = mock_close,
    .get = asks_get,
    .put = asks_put,
};
