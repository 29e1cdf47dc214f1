/* SPDX-License-Identifier: Apache-2.0 */

/* Many threads on one handle, others that open and close their own: right answers, nothing torn. */

#include "scene.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define THREADS 6
#define NAMES 4

static struct scene *s;
static struct kt_handle *h;
static atomic_int wrong;   /* answers that nobody may give */
static atomic_int granted; /* values that were read */
static atomic_bool over;

static void set_up(void)
{
    s = scene_new();
    s->runs = true; /* copies that live for some milliseconds */
    atomic_store(&wrong, 0);
    atomic_store(&granted, 0);
    atomic_store(&over, false);
}

static void tear_down(void)
{
    kt_close(h);
    h = NULL;
    scene_free(s);
    kt_harness_no_secrets();
}

/* How often each thread goes round: fewer where each step takes fifty times as long. */
static int rounds(void)
{
    const char *text = getenv("KEYTURN_TEST_ROUNDS");

    return text != NULL ? atoi(text) : 300;
}

/* A value is one letter again and again, as often as the letter says: half of it shows. */
static size_t make_value(unsigned n, char value[2048])
{
    const size_t len = 1 + n % 26 * 70;

    memset(value, 'a' + (int)(n % 26), len);
    return len;
}

static bool whole(const char *value, size_t len)
{
    char want[2048];

    return len > 0 && value[0] >= 'a' && value[0] <= 'z' &&
           make_value((unsigned)(value[0] - 'a'), want) == len && memcmp(value, want, len) == 0;
}

static void complain(const char *what, int rc, const struct kt_err *err)
{
    (void)fprintf(stderr, "# %s: %s: %s\n", what, kt_status_name(rc), err->msg);
    atomic_fetch_add(&wrong, 1);
}

static void step(unsigned kind, const char *name, unsigned n)
{
    struct kt_err err = { 0 };
    char value[2048];
    int rc = KT_SUCCESS;

    if (kind == 0) {
        rc = kt_put(h, name, value, make_value(n, value), NULL, NULL, &err);
    } else if (kind == 1) {
        rc = kt_report(h, name, NULL, n % 3 == 0 ? KT_USED : KT_REJECTED, NULL, &err);
    } else if (kind == 2) {
        static const char *const names[] = { "n0", "n1", "n2", "n3" };
        struct kt_result r[NAMES];

        rc = kt_get_many(h, names, NAMES, NULL, r, &err);
        for (size_t i = 0; rc == KT_SUCCESS && i < NAMES; i++) {
            if (r[i].status != KT_SUCCESS)
                complain("get_many", r[i].status, &r[i].err);
            else if (!whole(kt_secret_data(r[i].secret), kt_secret_len(r[i].secret)))
                complain("get_many: a torn value", rc, &err);
            kt_secret_free(r[i].secret);
        }
    } else if (kind == 3) {
        struct kt_list *l = NULL;

        rc = kt_list(h, NULL, NULL, &l, &err);
        if (rc == KT_SUCCESS && kt_list_count(l) != NAMES)
            complain("list: names are missing", rc, &err);
        kt_list_free(l);
    } else {
        size_t len = 0;
        struct kt_info info;

        rc = kt_get_into(h, name, n % 7 == 0 ? GET_OPTIONS(.bound_age = true) : NULL, value,
                         sizeof(value), &len, &info, &err);
        if (rc == KT_SUCCESS && !whole(value, len))
            complain("get: a torn value", rc, &err);
        atomic_fetch_add(&granted, rc == KT_SUCCESS);
    }
    if (rc != KT_SUCCESS)
        complain(name, rc, &err);
}

static void *storm(void *arg)
{
    const unsigned self = (unsigned)(uintptr_t)arg;
    const int n = rounds();
    unsigned seed = self * 2654435761U + 1;
    char name[8];

    for (int i = 0; i < n; i++) {
        seed = seed * 1664525U + 1013904223U;
        (void)snprintf(name, sizeof(name), "n%u", (seed >> 8) % NAMES);
        step((seed >> 16) % 10, name, seed >> 24);
    }
    return NULL;
}

/* Opens the same service again and again, and uses it now and then. */
static void *come_and_go(void *arg)
{
    (void)arg;
    while (!atomic_load(&over)) {
        struct kt_handle *own = NULL;
        struct kt_err err = { 0 };
        struct kt_secret *v = NULL;
        int rc = scene_try(s, "t", &own, &err);

        if (rc == KT_SUCCESS) {
            rc = kt_get(own, "n0", NULL, &v, &err);
            kt_close(own);
        }
        if (rc != KT_SUCCESS)
            complain("another handle", rc, &err);
        else if (!whole(kt_secret_data(v), kt_secret_len(v)))
            complain("another handle: a torn value", rc, &err);
        kt_secret_free(v);
    }
    return NULL;
}

static const char *const services[] = {
    "read front cache ttl=2ms\nread required mock_good\nwrite required mock_good\n",
    "read front cache ttl=2ms\n"
    "read fallback mock_good label=f max-stale=1h ttl=1ms fill\n"
    "read required mock_good\nwrite required mock_good\nwrite optional mock_good label=f\n",
    "read required mock_good\nread optional debug\nwrite required mock_good\n",
};

START_TEST(a_storm_of_threads_gets_right_answers)
{
    pthread_t threads[THREADS], other;
    char name[8], value[2048];

    h = scene_open(s, "t", "%s", services[_i]);
    for (unsigned i = 0; i < NAMES; i++) {
        (void)snprintf(name, sizeof(name), "n%u", i);
        ck_assert_int_eq(kt_put(h, name, value, make_value(i, value), NULL, NULL, NULL),
                         KT_SUCCESS);
    }
    ck_assert_int_eq(pthread_create(&other, NULL, come_and_go, NULL), 0);
    for (size_t i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, storm, (void *)i), 0);
    for (size_t i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
    atomic_store(&over, true);
    ck_assert_int_eq(pthread_join(other, NULL), 0);
    ck_assert_int_eq(atomic_load(&wrong), 0);
    ck_assert_int_gt(atomic_load(&granted), 0);
}
END_TEST

static void *first_get(void *arg)
{
    struct kt_err err = { 0 };
    struct kt_secret *v = NULL;
    const int rc = kt_get(h, "a", NULL, &v, &err);

    (void)arg;
    if (rc != KT_SUCCESS)
        complain("a first get", rc, &err);
    kt_secret_free(v);
    return NULL;
}

/* A module is loaded and opened once, however many threads reach its line first. */
START_TEST(a_module_is_opened_once)
{
    char *counts = kt_harness_path(s->dir, "counts");
    pthread_t threads[THREADS];

    h = scene_open(s, "t", "read required mock_counts file=%s\n", counts);
    for (size_t i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, first_get, NULL), 0);
    for (size_t i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
    ck_assert_int_eq(atomic_load(&wrong), 0);
    ck_assert_ptr_eq(strchr(scene_read(counts), 'o'), strrchr(scene_read(counts), 'o'));
    ck_assert_uint_eq(strlen(scene_read(counts)), THREADS + 1);
    free(counts);
}
END_TEST

static void *cancel_often(void *arg)
{
    (void)arg;
    while (!atomic_load(&over))
        kt_cancel(h);
    return NULL;
}

static void *get_or_be_cancelled(void *arg)
{
    const int n = rounds();

    (void)arg;
    for (int i = 0; i < n; i++) {
        struct kt_err err = { 0 };
        struct kt_secret *v = NULL;
        const int rc = kt_get(h, "a", NULL, &v, &err);

        if (rc != KT_SUCCESS && rc != KT_CANCELLED)
            complain("get", rc, &err);
        kt_secret_free(v);
    }
    return NULL;
}

START_TEST(cancels_among_gets_harm_nothing)
{
    pthread_t threads[THREADS], other;

    h = scene_open(s, "t",
                   "read sufficient debug get=unavailable delay=1ms\nread required debug\n");
    ck_assert_int_eq(pthread_create(&other, NULL, cancel_often, NULL), 0);
    for (size_t i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, get_or_be_cancelled, NULL), 0);
    for (size_t i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
    atomic_store(&over, true);
    ck_assert_int_eq(pthread_join(other, NULL), 0);
    ck_assert_int_eq(atomic_load(&wrong), 0);
    scene_expect(h, "a", "debug", KT_SUCCESS);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("threads");
    TCase *tc = tcase_create("threads");

    tcase_add_checked_fixture(tc, set_up, tear_down);
    scene_add_rows(tc, a_storm_of_threads_gets_right_answers, services);
    tcase_add_test(tc, a_module_is_opened_once);
    tcase_add_test(tc, cancels_among_gets_harm_nothing);
    suite_add_tcase(suite, tc);
    return kt_harness_run(suite);
}
