/* SPDX-License-Identifier: Apache-2.0 */

/* kt_get_many(): each name as kt_get() would have it, each module asked once. */

#include "scene.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct scene *s;
static char *counts;

static void set_up(void)
{
    s = scene_new();
    counts = kt_harness_path(s->dir, "counts");
}

static void tear_down(void)
{
    free(counts);
    scene_free(s);
    kt_harness_no_secrets();
}

static void free_results(struct kt_result *r, size_t n)
{
    for (size_t i = 0; i < n; i++)
        kt_secret_free(r[i].secret);
}

START_TEST(each_module_is_asked_once_for_all_that_reached_it)
{
    static const char *const names[] = { "a", "not_found/b", "c", "unavailable/d", "e" };
    char *below = kt_harness_path(s->dir, "below");
    struct kt_handle *h = scene_open(s, "t",
                                     "read sufficient mock_many file=%s\n"
                                     "read sufficient mock_many file=%s\n"
                                     "read required debug value=last\n",
                                     counts, below);
    struct kt_result r[5];

    ck_assert_int_eq(kt_get_many(h, names, 5, NULL, r, NULL), KT_SUCCESS);
    ck_assert_str_eq(scene_read(counts), "m");
    ck_assert_str_eq(scene_read(below), "m");
    for (size_t i = 0; i < 5; i++) {
        const bool last = strchr(names[i], '/') != NULL;

        ck_assert_int_eq(r[i].status, KT_SUCCESS);
        ck_assert_str_eq(kt_secret_data(r[i].secret), last ? "last" : names[i]);
        ck_assert_uint_eq(kt_secret_info(r[i].secret)->line, last ? 3 : 1);
    }
    free_results(r, 5);
    /* Who has no name to answer for is not asked. */
    ck_assert_int_eq(kt_get_many(h, names, 1, NULL, r, NULL), KT_SUCCESS);
    ck_assert_str_eq(scene_read(below), "m");
    free_results(r, 1);
    kt_close(h);
    free(below);
}
END_TEST

static const char *const stacks[] = {
    "read required mock_many\n",
    "read required mock_many\nread optional debug value=other\n",
    "read optional mock_many\nread required debug value=other\n",
    "read sufficient mock_many\nread required debug get=not_found\n",
    "read fallback mock_many\nread required debug value=other\n",
    "read front mock_many\nread required debug value=other\n",
    "read front cache\nread required mock_many\n",
    "read binding mock_many\nread required debug get=denied\n",
    ("read [success=1 default=ignore] mock_many\nread requisite debug get=timeout\n"
     "read required debug\n"),
    "read substack other\nread required debug get=throttled\n",
    "read include other\nread required debug get=throttled\n",
    "read [default=ok] mock_many\nread required debug\n",
    "read [default=die] mock_many\nread required debug\n",
    "read required debug value=other\nread required mock_many\n",
};

START_TEST(each_name_fares_as_it_would_alone)
{
    struct kt_handle *h, *alone;
    const char *names[KT_STATUS_COUNT + 4];
    char text[KT_STATUS_COUNT][64];
    struct kt_result r[KT_STATUS_COUNT + 4];
    size_t n = 0;

    for (int i = 1; i < KT_STATUS_COUNT; i++) {
        (void)snprintf(text[i], sizeof(text[i]), "%s/x", kt_status_name(i));
        names[n++] = text[i];
    }
    names[n++] = "plain";
    names[n++] = "lie";
    names[n++] = "no//name";
    names[n++] = "plain"; /* twice is allowed */
    scene_write(s, "other", "read sufficient mock_many\nread [default=reset] debug get=ignore\n");
    h = scene_open(s, "t", "%s", stacks[_i]);
    alone = scene_open(s, "u", "%s", stacks[_i]);
    ck_assert_int_eq(kt_get_many(h, names, n, NULL, r, NULL), KT_SUCCESS);
    for (size_t i = 0; i < n; i++) {
        struct kt_secret *v = NULL;
        struct kt_err err = { 0 };
        const int rc = kt_get(alone, names[i], NULL, &v, &err);

        ck_assert_msg(r[i].status == rc, "stack %d, %s: %s, alone %s", _i, names[i],
                      kt_status_name(r[i].status), kt_status_name(rc));
        if (rc == KT_SUCCESS) {
            ck_assert_str_eq(kt_secret_data(r[i].secret), kt_secret_data(v));
            if (strcmp(kt_secret_info(v)->module, "cache") != 0) /* by now */
                ck_assert_uint_eq(kt_secret_info(r[i].secret)->line, kt_secret_info(v)->line);
        } else {
            ck_assert_ptr_null(r[i].secret);
            ck_assert_int_eq(r[i].err.status, rc);
            ck_assert_str_ne(r[i].err.msg, "");
        }
        kt_secret_free(v);
    }
    free_results(r, n);
    kt_close(alone);
    kt_close(h);
}
END_TEST

START_TEST(a_module_without_get_many_is_asked_for_each)
{
    static const char *const names[] = { "a", "b", "c" };
    struct kt_handle *h = scene_open(
        s, "t", "read front cache\nread required mock_counts file=%s\n", counts);
    struct kt_result r[3];

    ck_assert_int_eq(kt_get_many(h, names, 3, NULL, r, NULL), KT_SUCCESS);
    ck_assert_str_eq(scene_read(counts), "oggg");
    free_results(r, 3);
    ck_assert_int_eq(kt_get_many(h, names, 3, NULL, r, NULL), KT_SUCCESS);
    ck_assert_str_eq(scene_read(counts), "oggg"); /* each was filled in */
    for (size_t i = 0; i < 3; i++)
        ck_assert_str_eq(kt_secret_info(r[i].secret)->module, "cache");
    free_results(r, 3);
    kt_close(h);
}
END_TEST

START_TEST(what_cannot_be_asked_at_all_sets_every_result)
{
    const struct kt_get_options odd = { .size = 3 };
    static const char *names[10001];
    static struct kt_result r[10001];
    struct kt_handle *h = scene_open(s, "t", "read required mock_many\n");
    struct kt_err err = { 0 };

    for (size_t i = 0; i < 10001; i++)
        names[i] = "a";
    ck_assert_int_eq(kt_get_many(h, names, 10001, NULL, r, &err), KT_TOO_LARGE);
    ck_assert_int_eq(err.status, KT_TOO_LARGE);
    for (size_t i = 0; i < 10001; i++) {
        ck_assert_int_eq(r[i].status, KT_TOO_LARGE);
        ck_assert_ptr_null(r[i].secret);
    }
    memset(r, 0x5a, 2 * sizeof(r[0]));
    ck_assert_int_eq(kt_get_many(h, names, 2, &odd, r, NULL), KT_INVALID);
    ck_assert_int_eq(r[1].status, KT_INVALID);
    ck_assert_ptr_null(r[1].secret);
    ck_assert_int_eq(kt_get_many(h, names, 0, NULL, NULL, NULL), KT_SUCCESS);
    ck_assert_int_eq(kt_get_many(h, names, 10000, NULL, r, NULL), KT_SUCCESS);
    ck_assert_int_eq(r[9999].status, KT_SUCCESS);
    free_results(r, 10000);
    kt_close(h);
}
END_TEST

START_TEST(a_hanging_line_is_waited_for_once)
{
    static const char *const names[] = { "a", "b", "c", "d" };
    struct kt_handle *h = scene_open(s, "t",
                                     "read fallback mock_hang max-stale=1h timeout=30ms\n"
                                     "read required debug\n");
    struct kt_result r[4];
    int64_t begin;

    s->clockwork = true;
    begin = scene_now_ms(s, KT_CLOCK_MONOTONIC);
    ck_assert_int_eq(kt_get_many(h, names, 4, NULL, r, NULL), KT_SUCCESS);
    ck_assert_int_lt(scene_now_ms(s, KT_CLOCK_MONOTONIC) - begin, 60);
    for (size_t i = 0; i < 4; i++)
        ck_assert_int_eq(r[i].status, KT_SUCCESS);
    free_results(r, 4);
    kt_close(h);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("many");
    TCase *tc = tcase_create("many");

    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_add_test(tc, each_module_is_asked_once_for_all_that_reached_it);
    scene_add_rows(tc, each_name_fares_as_it_would_alone, stacks);
    tcase_add_test(tc, a_module_without_get_many_is_asked_for_each);
    tcase_add_test(tc, what_cannot_be_asked_at_all_sets_every_result);
    tcase_add_test(tc, a_hanging_line_is_waited_for_once);
    suite_add_tcase(suite, tc);
    return kt_harness_run(suite);
}
