/* SPDX-License-Identifier: Apache-2.0 */

/* Many threads that miss a cache on one name at once: one asks, the others get what it got. */

#include "scene.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define THREADS 8

static struct scene *s;
static struct kt_handle *h;
static char *count;
static pthread_barrier_t start;
static int results[THREADS];
static atomic_bool over;

static void set_up(void)
{
    s = scene_new();
    atomic_store(&over, false);
    count = kt_harness_path(s->dir, "count");
    ck_assert_int_eq(pthread_barrier_init(&start, NULL, THREADS), 0);
}

static void tear_down(void)
{
    kt_close(h);
    (void)pthread_barrier_destroy(&start);
    free(count);
    scene_free(s);
    kt_harness_no_secrets();
}

struct job {
    int at;
    const char *name;
    int64_t timeout_ms;
};

static void *get(void *arg)
{
    const struct job *j = arg;
    struct kt_get_options o = { .size = sizeof o, .timeout_ms = j->timeout_ms };
    char value[64];
    size_t len;

    (void)pthread_barrier_wait(&start);
    results[j->at] = kt_get_into(h, j->name, &o, value, sizeof value, &len, NULL, NULL);
    return NULL;
}

static void all_get(const char *even, const char *odd, int64_t timeout_ms)
{
    pthread_t threads[THREADS];
    struct job jobs[THREADS];

    for (int i = 0; i < THREADS; i++) {
        jobs[i] = (struct job){ i, i % 2 == 0 ? even : odd, timeout_ms };
        ck_assert_int_eq(pthread_create(&threads[i], NULL, get, &jobs[i]), 0);
    }
    for (int i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
}

/* How often the module below was asked. */
static size_t asked(void)
{
    const char *text = scene_read(count);
    size_t n = 0;

    for (; *text != '\0'; text++)
        n += *text == 'g';
    return n;
}

/* The counted module answers, then the stack takes its time. */
#define SLOW(after) "read sufficient cache\nread required mock_counts file=%s\nread " after

START_TEST(one_asks_for_all)
{
    h = scene_open(s, "t", SLOW("optional debug delay=300ms\n"), count);
    all_get("a", "a", HOUR);
    for (int i = 0; i < THREADS; i++)
        ck_assert_int_eq(results[i], KT_SUCCESS);
    ck_assert_uint_eq(asked(), 1);
}
END_TEST

START_TEST(each_name_has_its_own_flight)
{
    h = scene_open(s, "t", SLOW("optional debug delay=300ms\n"), count);
    all_get("a", "b", HOUR);
    for (int i = 0; i < THREADS; i++)
        ck_assert_int_eq(results[i], KT_SUCCESS);
    ck_assert_uint_eq(asked(), 2);
}
END_TEST

START_TEST(behind_front_an_absence_is_asked_for_once)
{
    h = scene_open(s, "t",
                   "read front cache\nread optional mock_counts file=%s max-stale=1h\n"
                   "read requisite debug get=not_found delay=300ms\n",
                   count);
    all_get("a", "a", HOUR);
    for (int i = 0; i < THREADS; i++)
        ck_assert_int_eq(results[i], KT_NOT_FOUND);
    ck_assert_uint_eq(asked(), 1);
}
END_TEST

START_TEST(a_failure_is_nobody_elses)
{
    h = scene_open(s, "t", SLOW("required debug get=unavailable delay=20ms\n"), count);
    all_get("a", "a", HOUR);
    for (int i = 0; i < THREADS; i++)
        ck_assert_int_eq(results[i], KT_UNAVAILABLE);
}
END_TEST

START_TEST(waiting_ends_by_the_deadline)
{
    h = scene_open(s, "t", "read sufficient cache\nread required mock_hang\n");
    all_get("a", "a", 200);
    for (int i = 0; i < THREADS; i++)
        ck_assert_int_eq(results[i], KT_TIMEOUT);
}
END_TEST

/* Again and again: a get that begins after a cancel is not its concern. */
static void *cancel_all(void *arg)
{
    (void)arg;
    scene_await_waits(h, 1);
    while (!atomic_load(&over)) {
        (void)usleep(50000);
        kt_cancel(h);
    }
    return NULL;
}

START_TEST(waiting_can_be_cancelled)
{
    pthread_t t;

    h = scene_open(s, "t", "read sufficient cache\nread required mock_hang\n");
    ck_assert_int_eq(pthread_create(&t, NULL, cancel_all, NULL), 0);
    all_get("a", "a", HOUR);
    atomic_store(&over, true);
    ck_assert_int_eq(pthread_join(t, NULL), 0);
    for (int i = 0; i < THREADS; i++)
        ck_assert_int_eq(results[i], KT_CANCELLED);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("flight");
    TCase *tc = tcase_create("flight");

    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_add_test(tc, one_asks_for_all);
    tcase_add_test(tc, each_name_has_its_own_flight);
    tcase_add_test(tc, behind_front_an_absence_is_asked_for_once);
    tcase_add_test(tc, a_failure_is_nobody_elses);
    tcase_add_test(tc, waiting_ends_by_the_deadline);
    tcase_add_test(tc, waiting_can_be_cancelled);
    suite_add_tcase(suite, tc);
    return kt_harness_run(suite);
}
