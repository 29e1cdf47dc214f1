/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Ctrl-C while a store is being asked: kt_cancel() is not for signal handlers, so a thread waits for
 * the signals. A call that begins just after a cancel is not touched by it: it is cancelled again.
 */

#include "copying-parts.h"

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#define AGAIN_MS 50

struct copy_signals {
    struct kt_handle *from;
    struct kt_handle *to;
    pthread_t thread;
    sigset_t caught;
    sigset_t before;
    int signal_fd;
    int came_fd; /* readable once a signal came */
    int end_fd;
    atomic_bool came;
};

static void *await(void *arg)
{
    struct copy_signals *s = arg;
    struct pollfd fds[] = {
        { .fd = s->end_fd, .events = POLLIN },
        { .fd = s->signal_fd, .events = POLLIN },
    };

    do {
        (void)poll(fds, 2, -1);
    } while (fds[0].revents == 0 && fds[1].revents == 0);
    if (fds[0].revents != 0)
        return NULL;
    atomic_store(&s->came, true);
    (void)eventfd_write(s->came_fd, 1);
    struct signalfd_siginfo first;
    (void)!read(s->signal_fd, &first, sizeof(first));
    /* whoever asks twice is not made to wait for a store */
    (void)pthread_sigmask(SIG_UNBLOCK, &s->caught, NULL);
    do {
        kt_cancel(s->from);
        kt_cancel(s->to);
        (void)poll(fds, 1, AGAIN_MS);
    } while (fds[0].revents == 0);
    return NULL;
}

/* nohup and `&` in a script mean it: what is ignored stays ignored. */
static void choose(sigset_t *set)
{
    static const int wanted[] = { SIGINT, SIGTERM, SIGHUP };

    (void)sigemptyset(set);
    for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
        struct sigaction act;

        if (sigaction(wanted[i], NULL, &act) == 0 && act.sa_handler != SIG_IGN)
            (void)sigaddset(set, wanted[i]);
    }
}

static void close_all(const struct copy_signals *s)
{
    const int fds[] = { s->signal_fd, s->came_fd, s->end_fd };

    for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
        if (fds[i] >= 0)
            (void)close(fds[i]);
}

struct copy_signals *copy_signals_begin(struct kt_handle *from, struct kt_handle *to)
{
    struct copy_signals *s = calloc(1, sizeof(*s));

    if (s == NULL)
        return NULL;
    s->from = from;
    s->to = to;
    atomic_init(&s->came, false);
    choose(&s->caught);
    s->signal_fd = signalfd(-1, &s->caught, SFD_CLOEXEC);
    s->came_fd = eventfd(0, EFD_CLOEXEC);
    s->end_fd = eventfd(0, EFD_CLOEXEC);
    (void)pthread_sigmask(SIG_BLOCK, &s->caught, &s->before);
    if (s->signal_fd >= 0 && s->came_fd >= 0 && s->end_fd >= 0 &&
        pthread_create(&s->thread, NULL, await, s) == 0)
        return s;
    (void)pthread_sigmask(SIG_SETMASK, &s->before, NULL);
    close_all(s);
    free(s);
    return NULL;
}

void copy_signals_end(struct copy_signals *s)
{
    if (s == NULL)
        return;
    (void)eventfd_write(s->end_fd, 1);
    (void)pthread_join(s->thread, NULL);
    (void)pthread_sigmask(SIG_SETMASK, &s->before, NULL);
    close_all(s);
    free(s);
}

bool copy_signals_came(const struct copy_signals *s)
{
    return s != NULL && atomic_load(&s->came);
}

void copy_signals_wait(const struct copy_signals *s, int ms)
{
    struct pollfd fd = { .fd = s != NULL ? s->came_fd : -1, .events = POLLIN };

    (void)poll(&fd, 1, ms);
}
