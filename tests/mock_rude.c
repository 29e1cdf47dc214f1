/* SPDX-License-Identifier: Apache-2.0 */

/* An empty store that cannot behave in the process of others: `does` says what it does in a get. */

#include <fcntl.h>
#include <locale.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mock.h"

enum rude {
    NOTHING,
    PRINT,
    COMPLAIN,
    SETENV,
    UNSETENV,
    HANDLER,
    MASK,
    CHDIR,
    LOCALE,
    UMASK,
    THREAD,
    LEAK
};

static const struct kt_option options[] = {
    { "does", KT_OPTION_CHOICE,
      "nothing|nothing|print|complain|setenv|unsetenv|handler|mask|chdir|locale|umask|thread|leak",
      "to standard output, to standard error, a variable, a signal's handler, a blocked signal, "
      "the "
      "working directory, the locale, the umask, a thread that stays, a descriptor left open" },
    { .name = NULL },
};

static void *stay(void *cookie)
{
    for (;;)
        (void)pause();
    return cookie;
}

static void misbehave(enum rude what)
{
    pthread_t thread;
    sigset_t set;

    switch (what) {
    case NOTHING:
        break;
    case PRINT:
        (void)printf("who is there?\n");
        break;
    case COMPLAIN:
        (void)fprintf(stderr, "who is there?\n");
        break;
    case SETENV:
        (void)setenv("MOCK_RUDE", "yes", 1);
        break;
    case UNSETENV:
        (void)unsetenv("MOCK_RUDE_WAS_THERE");
        break;
    case HANDLER:
        (void)signal(SIGUSR1, SIG_IGN);
        break;
    case MASK:
        (void)sigemptyset(&set);
        (void)sigaddset(&set, SIGUSR2);
        (void)pthread_sigmask(SIG_BLOCK, &set, NULL);
        break;
    case CHDIR:
        if (chdir("/") != 0)
            abort();
        break;
    case LOCALE:
        (void)setlocale(LC_ALL, "C.UTF-8");
        break;
    case UMASK:
        (void)umask(0);
        break;
    case THREAD:
        if (pthread_create(&thread, NULL, stay, NULL) == 0)
            (void)pthread_detach(thread);
        break;
    case LEAK:
        (void)open("/dev/null", O_RDONLY | O_CLOEXEC);
        break;
    }
}

static int rude_get(void *state, struct kt_call *call, const char *name, const struct kt_want *want)
{
    const struct mock *m = state;

    (void)call;
    (void)name;
    (void)want;
    misbehave((enum rude)m->number);
    return KT_NOT_FOUND;
}

const struct kt_module kt_module = {
    MOCK_HEAD("mock_rude", "an empty store without manners"),
    .capabilities = KT_CAP_BINARY,
    .options = options,
    .open = mock_open,
    .close = mock_close,
    .get = rude_get,
};
