/* SPDX-License-Identifier: Apache-2.0 */

/* A store with a door: whether it is open, and what opens it, is its option. */

#include <signal.h>
#include <unistd.h>

#include "mock.h"

static const struct kt_option options[] = {
    { "door", KT_OPTION_CHOICE, "open|open|asks|stuck|away|crash|hang", "what it is like" },
    { .name = NULL },
};

static const struct mock *look_at(void *state)
{
    const struct mock *m = state;

    if (strcmp(m->text, "crash") == 0)
        (void)raise(SIGKILL);
    while (strcmp(m->text, "hang") == 0)
        (void)pause();
    return m;
}

static int viable(void *state, struct kt_call *call, const struct kt_arg *args, size_t nargs)
{
    const struct mock *m = look_at(state);

    (void)args;
    (void)nargs;
    if (m->host->may_prompt(call))
        return m->host->fail(call, KT_INVALID, "doctor asks nobody");
    if (strcmp(m->text, "away") == 0)
        return m->host->fail(call, KT_UNAVAILABLE, "the house is away; call it back");
    if (strcmp(m->text, "open") == 0) {
        m->host->print(call, "the door is open");
        m->host->print(call, "and wide");
        return KT_SUCCESS;
    }
    m->host->print(call, "there is a door");
    if (strcmp(m->text, "stuck") == 0)
        m->host->print(call, "remedy: crowbar --door");
    return m->host->fail(call, KT_LOCKED, "the door is locked");
}

static int unlock(void *state, struct kt_call *call, const struct kt_arg *args, size_t nargs)
{
    const struct mock *m = look_at(state);
    char answer[16];
    int n;

    (void)args;
    (void)nargs;
    if (strcmp(m->text, "away") == 0)
        return m->host->fail(call, KT_UNAVAILABLE, "the house is away; call it back");
    if (strcmp(m->text, "stuck") == 0)
        return m->host->fail(call, KT_UNSUPPORTED, "it opens from within only: ring the bell");
    if (strcmp(m->text, "open") == 0)
        return KT_SUCCESS;
    n = m->host->prompt(call, "Word: ", false, answer, sizeof(answer));
    if (n < 0)
        return -n;
    if (n != 6 || memcmp(answer, "sesame", 6) != 0)
        return m->host->fail(call, KT_DENIED, "that is not the word");
    m->host->print(call, "opened by its word");
    return KT_SUCCESS;
}

static int door_get(void *state, struct kt_call *call, const char *name, const struct kt_want *want)
{
    (void)name;
    (void)want;
    return mock_give(state, call, "inside", 6);
}

static const struct kt_verb verbs[] = {
    { "viable", "look at the door", NULL, viable },
    { "unlock", "open it", NULL, unlock },
    { .name = NULL },
};

const struct kt_module kt_module = {
    MOCK_HEAD("mock_door", "has a door"),
    .options = options,
    .verbs = verbs,
    .open = mock_open,
    .close = mock_close,
    .get = door_get,
};
