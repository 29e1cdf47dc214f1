/* SPDX-License-Identifier: Apache-2.0 */

/* Has verbs, and asks; with MOCK_TALKS_DIES in the environment it kills its process when loaded. */

#include <signal.h>
#include <stdio.h>

#include "mock.h"

static const struct kt_option options[] = {
    { "mood", KT_OPTION_CHOICE, "calm|calm|merry", "how it feels" },
    { .name = NULL },
};

static const struct kt_option greet_options[] = {
    { "who", KT_OPTION_STRING, "world", "whom to greet" },
    { "loud", KT_OPTION_FLAG, NULL, "in capitals" },
    { .name = NULL },
};

static const struct kt_option no_options[] = {
    { .name = NULL },
};

__attribute__((constructor)) static void die(void)
{
    if (getenv("MOCK_TALKS_DIES") != NULL)
        raise(SIGKILL);
}

static int talks_get(void *state, struct kt_call *call, const char *name,
                     const struct kt_want *want)
{
    char answer[64];
    const struct mock *m = state;
    int n;

    (void)name;
    (void)want;
    n = m->host->prompt(call, "Password: ", false, answer, sizeof(answer));
    return n < 0 ? -n : mock_give(m, call, answer, (size_t)n);
}

static int greet(void *state, struct kt_call *call, const struct kt_arg *args, size_t nargs)
{
    const struct mock *m = state;
    const char *who = "nobody", *hello = "hello";

    for (size_t i = 0; i < nargs; i++) {
        if (strcmp(args[i].name, "who") == 0)
            who = args[i].value;
        if (strcmp(args[i].name, "loud") == 0 && args[i].number != 0)
            hello = "HELLO";
    }
    m->host->print(call, "%s, %s", hello, who);
    m->host->print(call, "mood %s", m->text != NULL ? m->text : "none");
    return KT_SUCCESS;
}

static int refuse(void *state, struct kt_call *call, const struct kt_arg *args, size_t nargs)
{
    const struct mock *m = state;

    (void)args;
    (void)nargs;
    return m->host->fail(call, KT_LOCKED, "talks: not today; come back tomorrow");
}

static const struct kt_verb verbs[] = {
    { "greet", "say hello", greet_options, greet },
    { "refuse", "fail, with a reason", no_options, refuse },
    { .name = NULL },
};

const struct kt_module kt_module = {
    MOCK_HEAD("mock_talks", "has verbs and asks"),
    .options = options,
    .verbs = verbs,
    .open = mock_open,
    .close = mock_close,
    .get = talks_get,
};
