/* SPDX-License-Identifier: Apache-2.0 */

/*
 * cached - what kt_get_into() costs when a cache line answers
 *
 * cached MODULE-DIR SERVICE NAME NAME
 *
 * Median of single calls on one thread, with the clock's own cost taken off; then the throughput of
 * one thread, and of two on different names at once. The threads take turns three times: the best
 * of each counts, since other load can only slow them.
 */

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <keyturn/keyturn.h>

#define SAMPLES 200000
#define BATCH 16 /* calls between two looks at the clock */
#define SECONDS 1.0
#define TURNS 3

struct worker {
    struct kt_handle *h;
    const char *name;
    atomic_bool *stop;
    pthread_barrier_t *start;
    unsigned long calls;
};

static int64_t now_ns(void)
{
    struct timespec ts;

    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static void get(struct kt_handle *h, const char *name)
{
    char value[256];
    size_t len = 0;
    struct kt_err err;

    if (kt_get_into(h, name, NULL, value, sizeof value, &len, NULL, &err) != KT_SUCCESS) {
        fprintf(stderr, "cached: %s: %s\n", name, err.msg);
        exit(EXIT_FAILURE);
    }
}

static int order(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static double median_ns(struct kt_handle *h, const char *name)
{
    double *samples = calloc(SAMPLES, sizeof *samples);

    if (samples == NULL)
        exit(EXIT_FAILURE);
    for (size_t i = 0; i < SAMPLES; i++) {
        const int64_t start = now_ns();
        for (int n = 0; n < BATCH; n++)
            get(h, name);
        samples[i] = (double)(now_ns() - start) / BATCH;
    }
    qsort(samples, SAMPLES, sizeof *samples, order);
    const double median = samples[SAMPLES / 2];
    free(samples);
    return median;
}

static void *work(void *arg)
{
    struct worker *w = arg;
    unsigned long calls = 0;

    (void)pthread_barrier_wait(w->start);
    while (!atomic_load_explicit(w->stop, memory_order_relaxed)) {
        get(w->h, w->name);
        calls++;
    }
    w->calls = calls;
    return NULL;
}

/* Calls a second of @n threads together. */
static double throughput(struct kt_handle *h, const char *const *names, unsigned n)
{
    struct worker workers[2];
    pthread_t threads[2];
    pthread_barrier_t start;
    atomic_bool stop = false;
    unsigned long calls = 0;

    (void)pthread_barrier_init(&start, NULL, n + 1);
    for (unsigned i = 0; i < n; i++) {
        workers[i] = (struct worker){ .h = h, .name = names[i], .stop = &stop, .start = &start };
        if (pthread_create(&threads[i], NULL, work, &workers[i]) != 0)
            exit(EXIT_FAILURE);
    }
    (void)pthread_barrier_wait(&start);
    const int64_t from = now_ns();
    const struct timespec span = { (time_t)SECONDS, 0 };
    (void)nanosleep(&span, NULL);
    atomic_store(&stop, true);
    for (unsigned i = 0; i < n; i++)
        (void)pthread_join(threads[i], NULL);
    const double seconds = (double)(now_ns() - from) / 1e9;
    for (unsigned i = 0; i < n; i++)
        calls += workers[i].calls;
    (void)pthread_barrier_destroy(&start);
    return (double)calls / seconds;
}

int main(int argc, char **argv)
{
    struct kt_handle *h = NULL;
    struct kt_err err;
    double one = 0, two = 0;

    if (argc != 5) {
        fprintf(stderr, "usage: cached MODULE-DIR SERVICE NAME NAME\n");
        return 2;
    }
    const struct kt_open_options options = { .size = sizeof options, .module_dir = argv[1] };
    const char *const names[2] = { argv[3], argv[4] };
    if (kt_open(argv[2], &options, &h, &err) != KT_SUCCESS) {
        fprintf(stderr, "cached: %s\n", err.msg);
        return EXIT_FAILURE;
    }
    get(h, names[0]);
    get(h, names[1]);

    const double median = median_ns(h, names[0]);
    for (int turn = 0; turn < TURNS; turn++) {
        const double a = throughput(h, names, 1), b = throughput(h, names, 2);
        one = a > one ? a : one;
        two = b > two ? b : two;
    }
    printf("kt_get_into, cached: median %.0f ns   (wanted: at most 1000)\n", median);
    printf("one thread   %10.0f calls/s\n", one);
    printf("two threads  %10.0f calls/s, %.2f of one   (wanted: at least 1.60)\n", two, two / one);
    kt_close(h);
    return EXIT_SUCCESS;
}
