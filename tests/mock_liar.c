/* SPDX-License-Identifier: Apache-2.0 */

/* Says what is not so, each time another way: the host must notice. */

#include "mock.h"

enum lie { NOTHING, TWICE, STATUS, LARGE, MUTE, BAD_ID, NO_ID, WRONG_VERSION };

static const struct kt_option options[] = {
    { "lie", KT_OPTION_CHOICE, "nothing|nothing|twice|status|large|mute|id|no-id|version",
      "success without a value, a value twice, a status that is none, a value over the limit, a "
      "failure without words, an id that is none, no id, another version than wanted" },
    { .name = NULL },
};

static int give_large(const struct mock *m, struct kt_call *call)
{
    const size_t len = KT_VALUE_MAX + 1;
    char *data = calloc(1, len);
    int rc;

    if (!data)
        return m->host->fail(call, KT_NO_MEMORY, "mock_liar: out of memory");
    rc = mock_give(m, call, data, len);
    free(data);
    (void)rc;
    return KT_SUCCESS;
}

static int give_id(const struct mock *m, struct kt_call *call, const char *id)
{
    const struct kt_version version = {
        .size = sizeof(version),
        .id = id,
        .stages = KT_STAGE_CURRENT,
    };

    (void)m->host->give(call, 0, &version, "lie", 3);
    return KT_SUCCESS;
}

static int lie(const struct mock *m, struct kt_call *call)
{
    switch ((enum lie)m->number) {
    case NOTHING:
        return KT_SUCCESS;
    case TWICE:
        (void)mock_give(m, call, "one", 3);
        (void)mock_give(m, call, "two", 3);
        return KT_SUCCESS;
    case STATUS:
        return 4711;
    case LARGE:
        return give_large(m, call);
    case MUTE:
        return KT_UNAVAILABLE;
    case BAD_ID:
        return give_id(m, call, "no id\n");
    case NO_ID:
        return give_id(m, call, NULL);
    case WRONG_VERSION:
        return give_id(m, call, "mock:other");
    }
    return KT_SUCCESS;
}

static int liar_get(void *state, struct kt_call *call, const char *name, const struct kt_want *want)
{
    (void)name;
    (void)want;
    return lie(state, call);
}

static int liar_list(void *state, struct kt_call *call, const char *prefix)
{
    const struct mock *m = state;

    (void)prefix;
    (void)m->host->give_name(call, "../not a name", NULL);
    return KT_SUCCESS;
}

static int liar_put(void *state, struct kt_call *call, enum kt_phase phase, const char *name,
                    const struct kt_put *put)
{
    (void)state;
    (void)call;
    (void)phase;
    (void)name;
    (void)put;
    return KT_SUCCESS;
}

const struct kt_module kt_module = {
    MOCK_HEAD("mock_liar", "says what is not so"),
    .capabilities = KT_CAP_BINARY | KT_CAP_LIST | KT_CAP_OWN_ID,
    .options = options,
    .open = mock_open,
    .close = mock_close,
    .get = liar_get,
    .list = liar_list,
    .put = liar_put,
};
