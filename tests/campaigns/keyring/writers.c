/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Processes that write at once: `count` is counted up by all, by compare-and-swap, and says how often each
 * of them did; `own/W` is writer W's alone; `shared` gets whatever anybody puts.
 */

#include "keyring.h"

#include <sched.h>
#include <string.h>

#define WRITERS 20

static struct shared {
    _Atomic unsigned ready;
    _Atomic bool stop; /* one has found something wrong: the others need not go on */
    _Atomic uint64_t counted[WRITERS];
    _Atomic uint64_t own[WRITERS];
    _Atomic uint64_t puts;
    _Atomic uint64_t conflicts;
    _Atomic uint64_t worst_us;
} * shared;

static int timed(struct kt_handle *h, const char *name, const char *text, const char *expected)
{
    const int64_t began = now_us();
    const int rc = store(h, name, text, strlen(text), expected);
    const uint64_t took = (uint64_t)(now_us() - began);

    if (took > shared->worst_us)
        shared->worst_us = took;
    if (rc == KT_SUCCESS)
        shared->puts++;
    else
        shared->conflicts++;
    return rc;
}

/* Get, add one to one's own number, put if it is still the same one; until it is. */
static void count_up(struct kt_handle *h, unsigned me)
{
    uint64_t counts[WRITERS];
    char text[TEXT_MAX];
    char id[KT_ID_SIZE];

    while (!shared->stop) {
        struct kt_secret *s = fetch(h, "count", NULL);
        if (s == NULL)
            WRONG("count is gone");
        text_read("count", s, counts, WRITERS);
        (void)snprintf(id, sizeof(id), "%s", kt_secret_info(s)->id);
        kt_secret_free(s);
        if (counts[me] != shared->counted[me])
            WRONG("writer %u counted to %llu, the store says %llu", me,
                  (unsigned long long)shared->counted[me], (unsigned long long)counts[me]);
        counts[me]++;
        text_make("count", counts, WRITERS, text);
        if (timed(h, "count", text, id) == KT_SUCCESS) {
            shared->counted[me]++;
            break;
        }
    }
    if (any_of(4) == 0)
        (void)tidy(h, "count");
}

static void write_own(struct kt_handle *h, unsigned me)
{
    const uint64_t number = shared->own[me] + 1;
    uint64_t found = 0;
    char text[TEXT_MAX];
    char name[32];

    (void)snprintf(name, sizeof(name), "own/%u", me);
    text_make(name, &number, 1, text);
    (void)timed(h, name, text, NULL);
    shared->own[me] = number;
    struct kt_secret *s = fetch(h, name, NULL);
    if (s == NULL)
        WRONG("%s is gone", name);
    text_read(name, s, &found, 1);
    kt_secret_free(s);
    if (found != number)
        WRONG("%s is %llu, not %llu", name, (unsigned long long)found, (unsigned long long)number);
    (void)tidy(h, name);
}

static void write_shared(struct kt_handle *h, unsigned me)
{
    const uint64_t number = (shared->own[me] << 8) + me;
    uint64_t found = 0;
    char text[TEXT_MAX];

    text_make("shared", &number, 1, text);
    (void)timed(h, "shared", text, NULL);
    struct kt_secret *s = fetch(h, "shared", NULL);
    if (s == NULL)
        WRONG("shared is gone");
    text_read("shared", s, &found, 1);
    kt_secret_free(s);
    if (any_of(8) == 0)
        (void)tidy(h, "shared");
}

static int write_all(unsigned me)
{
    const uint64_t rounds = number_of("ROUNDS", 20);
    struct kt_handle *h = open_keyring();

    shared->ready++;
    while (shared->ready < WRITERS)
        (void)sched_yield();
    for (uint64_t i = 0; i < rounds && !shared->stop; i++) {
        count_up(h, me);
        write_own(h, me);
        write_shared(h, me);
    }
    kt_close(h);
    return EXIT_SUCCESS;
}

static int begin(unsigned me)
{
    const uint64_t counts[WRITERS] = { 0 };
    struct kt_handle *h = open_keyring();
    char text[TEXT_MAX];

    (void)me;
    text_make("count", counts, WRITERS, text);
    (void)store(h, "count", text, strlen(text), "");
    kt_close(h);
    return EXIT_SUCCESS;
}

static int verify(unsigned me)
{
    struct kt_handle *h = open_keyring();
    uint64_t counts[WRITERS];
    char name[32];

    (void)me;
    struct kt_secret *s = fetch(h, "count", NULL);
    if (s == NULL)
        WRONG("count is gone");
    text_read("count", s, counts, WRITERS);
    kt_secret_free(s);
    for (unsigned w = 0; w < WRITERS; w++) {
        uint64_t found = 0;

        (void)snprintf(name, sizeof(name), "own/%u", w);
        s = fetch(h, name, NULL);
        if (s == NULL)
            WRONG("%s is gone", name);
        text_read(name, s, &found, 1);
        kt_secret_free(s);
        if (counts[w] != shared->counted[w] || found != shared->own[w])
            WRONG("writer %u: counted %llu, the store says %llu; own %llu, the store says %llu", w,
                  (unsigned long long)shared->counted[w], (unsigned long long)counts[w],
                  (unsigned long long)shared->own[w], (unsigned long long)found);
        drop(h, name);
    }
    (void)tidy(h, "count");
    (void)tidy(h, "shared");
    drop(h, "count");
    drop(h, "shared");
    kt_close(h);
    return EXIT_SUCCESS;
}

int writers(void)
{
    const int64_t began = now_us();
    bool good = true;

    shared = shared_memory(sizeof(*shared));
    if (!reap(spawn(begin, 0)))
        return EXIT_FAILURE;
    for (unsigned w = 0; w < WRITERS; w++)
        (void)spawn(write_all, w);
    for (unsigned w = 0; w < WRITERS; w++) {
        if (!reap(0)) {
            good = false;
            shared->stop = true;
            shared->ready += WRITERS; /* nobody waits for it */
        }
    }
    good = good && reap(spawn(verify, 0));
    printf("%d writers: %llu puts, %llu conflicts, the longest put %.0f ms, %.1f s\n", WRITERS,
           (unsigned long long)shared->puts, (unsigned long long)shared->conflicts,
           (double)shared->worst_us / 1e3, (double)(now_us() - began) / 1e6);
    return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
