/* SPDX-License-Identifier: Apache-2.0 */

/* kt_cancel(): whatever is under way ends soon, and nothing that begins later. */

#include "scene.h"

#include <pthread.h>
#include <string.h>

#define CALLS 5

static struct scene *s;
static struct kt_handle *h;

static void set_up(void)
{
    s = scene_new();
    /* Every control passes over what it can: none of them passes over this. */
    h = scene_open(s, "t",
                   "read optional mock_hang max-stale=1h timeout=1h\nread required debug\n"
                   "write required debug\n"
                   "write optional mock_hang timeout=1h\n");
}

static void tear_down(void)
{
    kt_close(h);
    scene_free(s);
    kt_harness_no_secrets();
}

static const struct kt_get_options patient = { .size = sizeof(patient), .timeout_ms = HOUR };
static const struct kt_call_options patient_call = { .size = sizeof(patient_call),
                                                     .timeout_ms = HOUR };

static int do_get(struct kt_handle *on)
{
    struct kt_secret *v = NULL;
    const int rc = kt_get(on, "a", &patient, &v, NULL);

    kt_secret_free(v);
    return rc;
}

static int do_get_into(struct kt_handle *on)
{
    char buf[64];
    size_t len;

    return kt_get_into(on, "a", &patient, buf, sizeof(buf), &len, NULL, NULL);
}

static int do_get_many(struct kt_handle *on)
{
    static const char *const names[] = { "a", "b" };
    struct kt_result r[2];

    if (kt_get_many(on, names, 2, &patient, r, NULL) != KT_SUCCESS)
        return -1;
    kt_secret_free(r[0].secret);
    kt_secret_free(r[1].secret);
    return r[0].status == r[1].status ? r[0].status : -1;
}

static int do_put(struct kt_handle *on)
{
    const struct kt_put_options o = { .size = sizeof(o), .timeout_ms = HOUR };

    return kt_put(on, "a", "v", 1, &o, NULL, NULL);
}

static int do_list(struct kt_handle *on)
{
    struct kt_list *l = NULL;
    const int rc = kt_list(on, NULL, &patient_call, &l, NULL);

    kt_list_free(l);
    return rc;
}

static const struct {
    const char *name;
    int (*run)(struct kt_handle *on);
} calls[CALLS] = {
    { "get", do_get }, { "get_into", do_get_into }, { "get_many", do_get_many },
    { "put", do_put }, { "list", do_list },
};

static void *run(void *arg)
{
    const size_t i = (size_t)arg;

    return (void *)(intptr_t)calls[i].run(h);
}

START_TEST(every_call_under_way_is_cancelled)
{
    pthread_t threads[CALLS];

    for (size_t i = 0; i < CALLS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, run, (void *)i), 0);
    scene_await_waits(h, CALLS);
    kt_cancel(h); /* or each takes an hour */
    for (size_t i = 0; i < CALLS; i++) {
        void *rc;

        ck_assert_int_eq(pthread_join(threads[i], &rc), 0);
        ck_assert_msg((intptr_t)rc == KT_CANCELLED, "%s: %ld", calls[i].name, (long)(intptr_t)rc);
    }
}
END_TEST

START_TEST(calls_that_begin_later_are_not_touched)
{
    struct kt_handle *quick = scene_open(s, "u", "read required debug\nwrite required debug\n");

    for (size_t i = 0; i < CALLS; i++) {
        kt_cancel(quick);
        ck_assert_msg(calls[i].run(quick) == KT_SUCCESS, "%s", calls[i].name);
    }
    kt_close(quick);
}
END_TEST

START_TEST(another_handle_is_not_touched)
{
    struct kt_handle *other = scene_open(s, "u", "read required mock_slow delay=300ms\n");
    struct kt_list *l = NULL;
    pthread_t thread;
    void *rc;

    ck_assert_int_eq(pthread_create(&thread, NULL, run, (void *)0), 0);
    scene_await_waits(h, 1);
    kt_cancel(other);
    scene_expect(other, "a", "slow", KT_SUCCESS);
    ck_assert_int_eq(kt_list(other, NULL, NULL, &l, NULL), KT_SUCCESS);
    kt_list_free(l);
    kt_cancel(h);
    ck_assert_int_eq(pthread_join(thread, &rc), 0);
    ck_assert_int_eq((intptr_t)rc, KT_CANCELLED);
    kt_close(other);
}
END_TEST

/* The clock of a handle is the caller's: each asking of it is a place where a cancel can fall. */
static struct kt_handle *victim;
static _Atomic int countdown;

static int64_t cancelling_ns(void *ctx, enum kt_clock_id which)
{
    if (atomic_fetch_sub(&countdown, 1) == 1)
        kt_cancel(victim);
    return scene_now_ms(ctx, which) * 1000000;
}

START_TEST(a_cancel_at_any_point_gives_the_answer_or_cancelled)
{
    const struct kt_clock clock = { .now_ns = cancelling_ns,
                                    .boot_id = s->clock.boot_id,
                                    .ctx = s };
    const struct kt_open_options o = { .size = sizeof(o),
                                       .config_dir = s->config,
                                       .module_dir = kt_harness_modules(),
                                       .clock = &clock };
    int cancelled = 0, answered = 0;

    s->clockwork = true;
    scene_write(s, "v",
                "read optional debug get=not_found\nread optional debug value=x get=timeout\n"
                "read required mock_slow delay=1ms\n");
    for (int at = 2; at < 40; at++) {
        struct kt_secret *v = NULL;
        int rc;

        atomic_store(&countdown, 0);
        ck_assert_int_eq(kt_open("v", &o, &victim, NULL), KT_SUCCESS);
        atomic_store(&countdown, at);
        rc = kt_get(victim, "a", NULL, &v, NULL);
        ck_assert_msg(rc == KT_SUCCESS || rc == KT_CANCELLED, "at %d: %s", at, kt_status_name(rc));
        cancelled += rc == KT_CANCELLED;
        answered += rc == KT_SUCCESS;
        kt_secret_free(v);
        atomic_store(&countdown, 0);
        kt_close(victim);
    }
    ck_assert_int_gt(cancelled, 2);
    ck_assert_int_gt(answered, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("cancel");
    TCase *tc = tcase_create("cancel");

    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_add_test(tc, every_call_under_way_is_cancelled);
    tcase_add_test(tc, calls_that_begin_later_are_not_touched);
    tcase_add_test(tc, another_handle_is_not_touched);
    tcase_add_test(tc, a_cancel_at_any_point_gives_the_answer_or_cancelled);
    suite_add_tcase(suite, tc);
    return kt_harness_run(suite);
}
