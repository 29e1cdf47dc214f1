/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A writer is killed at random, over and over; its successor goes on. A reader looks all the time. What was
 * acknowledged, and what somebody is about to write, lies in memory that they share.
 */

#include "keyring.h"

#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define NAME "victim"

static struct shared {
    _Atomic uint64_t done;  /* the number that was acknowledged last */
    _Atomic uint64_t about; /* the one that somebody may have written, or done */
    _Atomic uint64_t gets;
    _Atomic uint64_t puts;
    _Atomic uint64_t kept;  /* versions of NAME, at the end */
    _Atomic uint64_t lives; /* of writers that have looked, and begin to write */
    _Atomic bool stop;
} * shared;

static uint64_t look(struct kt_handle *h, char id[KT_ID_SIZE])
{
    uint64_t number = 0;
    struct kt_secret *s = fetch(h, NAME, NULL);

    if (s == NULL)
        WRONG("there is no value");
    text_read(NAME, s, &number, 1);
    if (id != NULL)
        (void)snprintf(id, KT_ID_SIZE, "%s", kt_secret_info(s)->id);
    kt_secret_free(s);
    return number;
}

static void promote(struct kt_handle *h, const char *text)
{
    const struct kt_put_options put = { .size = sizeof(put), .stage = "pending" };
    char id[KT_ID_SIZE];
    struct kt_err err;

    if (kt_put(h, NAME, text, strlen(text), &put, id, &err) != KT_SUCCESS)
        WRONG("put pending: %s", err.msg);
    if (kt_stage(h, NAME, "current", id, NULL, NULL, &err) != KT_SUCCESS)
        WRONG("promote: %s", err.msg);
}

static void write_one(struct kt_handle *h, uint64_t number)
{
    char text[TEXT_MAX];
    char id[KT_ID_SIZE];

    text_make(NAME, &number, 1, text);
    shared->about = number;
    if (any_of(4) == 0) {
        promote(h, text);
    } else if (any_of(2) == 0) {
        (void)store(h, NAME, text, strlen(text), NULL);
    } else {
        (void)look(h, id);
        if (store(h, NAME, text, strlen(text), id) != KT_SUCCESS)
            WRONG("a conflict, and nobody else writes");
    }
    shared->done = number;
    shared->puts++;
}

/* The successor: what is there is what was acknowledged, or what was under way. */
static int write_on(unsigned me)
{
    struct kt_handle *h = open_keyring();
    uint64_t number = look(h, NULL);

    (void)me;
    if (number != shared->done && number != shared->about)
        WRONG("%llu was acknowledged, %llu under way, %llu is there",
              (unsigned long long)shared->done, (unsigned long long)shared->about,
              (unsigned long long)number);
    shared->done = number;
    shared->lives++;
    while (!shared->stop) {
        number++;
        write_one(h, number);
        if (any_of(4) == 0)
            (void)tidy(h, NAME);
    }
    shared->kept = tidy(h, NAME);
    if (look(h, NULL) != number)
        WRONG("the last value is not there");
    kt_close(h);
    return EXIT_SUCCESS;
}

static int read_on(unsigned me)
{
    struct kt_handle *h = open_keyring();

    (void)me;
    while (!shared->stop) {
        const uint64_t before = shared->done;
        const uint64_t number = look(h, NULL);
        const uint64_t after = shared->about;

        shared->gets++;
        if (number < before || number > after)
            WRONG("a reader got %llu, between %llu and %llu", (unsigned long long)number,
                  (unsigned long long)before, (unsigned long long)after);
    }
    kt_close(h);
    return EXIT_SUCCESS;
}

static int begin(unsigned me)
{
    struct kt_handle *h = open_keyring();
    const uint64_t number = 1;
    char text[TEXT_MAX];

    (void)me;
    text_make(NAME, &number, 1, text);
    (void)store(h, NAME, text, strlen(text), "");
    shared->done = shared->about = number;
    kt_close(h);
    return EXIT_SUCCESS;
}

/* One writer's life: until it is killed, mostly while it writes. False: it died of something else. */
static bool kill_one(void)
{
    const uint64_t lives = shared->lives;
    const bool early = any_of(10) == 0;
    const pid_t pid = spawn(write_on, 0);
    siginfo_t ended = { 0 };
    int status = 0;

    while (!early && shared->lives == lives && ended.si_pid == 0) {
        (void)usleep(500);
        (void)waitid(P_PID, (id_t)pid, &ended, WEXITED | WNOHANG | WNOWAIT);
    }
    (void)usleep((useconds_t)any_of(number_of("KILL_MS", 200) * 1000));
    (void)kill(pid, SIGKILL);
    return waitpid(pid, &status, 0) == pid && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
}

int kills(void)
{
    const uint64_t wanted = number_of("KILLS", 500);
    const int64_t began = now_us();
    bool good = true;
    uint64_t n;

    shared = shared_memory(sizeof(*shared));
    if (!reap(spawn(begin, 0)))
        return EXIT_FAILURE;
    const pid_t reader = spawn(read_on, 0);
    for (n = 0; good && n < wanted; n++)
        good = kill_one();
    /* The last one is not killed: it goes on until it is told to stop. */
    const uint64_t puts = shared->puts;
    const pid_t last = spawn(write_on, 0);
    siginfo_t ended = { 0 };
    while (good && shared->puts < puts + 10 && ended.si_pid == 0) {
        (void)usleep(1000);
        (void)waitid(P_PID, (id_t)last, &ended, WEXITED | WNOHANG | WNOWAIT);
    }
    shared->stop = true;
    good = reap(last) && good;
    good = reap(reader) && good;
    printf("%llu kills: %llu puts acknowledged, %llu gets, %.1f s; %llu versions are kept\n",
           (unsigned long long)n, (unsigned long long)shared->puts,
           (unsigned long long)shared->gets, (double)(now_us() - began) / 1e6,
           (unsigned long long)shared->kept);
    return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
