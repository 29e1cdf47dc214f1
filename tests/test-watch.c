/* SPDX-License-Identifier: Apache-2.0 */

/* A watch: a descriptor to poll, and what is current when it is readable. */

#include "scene.h"

#include <poll.h>
#include <string.h>

static struct scene *s;
static struct kt_handle *h;

static void set_up(void)
{
    s = scene_new();
    h = scene_open(s, "t", "read required mock_good ttl=100ms\nwrite required mock_good\n");
}

static void tear_down(void)
{
    kt_close(h);
    scene_free(s);
    kt_harness_no_secrets();
}

static int wait_for(struct kt_watch *w, int ms)
{
    struct pollfd p = { .fd = kt_watch_fd(w), .events = POLLIN };

    return poll(&p, 1, ms);
}

/* Polls until there is news or a failure; a watch that has none may wake us. */
static int next(struct kt_watch *w, char id[KT_ID_SIZE], struct kt_err *err)
{
    const char *name = NULL;
    int rc = KT_IGNORE;

    for (int i = 0; i < 100 && rc == KT_IGNORE; i++) {
        ck_assert_int_eq(wait_for(w, 30000), 1);
        rc = kt_watch_read(w, &name, id, err);
    }
    if (rc == KT_SUCCESS)
        ck_assert_str_eq(name, "a");
    return rc;
}

START_TEST(the_first_read_tells_the_version_of_now)
{
    struct kt_watch *w = NULL;
    char id[KT_ID_SIZE], got[KT_ID_SIZE] = "before";

    scene_put(h, "a", "1", id);
    ck_assert_int_eq(kt_watch_open(h, "a", &w, NULL), KT_SUCCESS);
    ck_assert_int_eq(next(w, got, NULL), KT_SUCCESS);
    ck_assert_str_eq(got, id);
    kt_watch_free(w);
}
END_TEST

START_TEST(changes_are_told_and_nothing_else)
{
    struct kt_watch *w = NULL;
    char id[KT_ID_SIZE], got[KT_ID_SIZE] = "before";
    const char *name = NULL;

    ck_assert_int_eq(kt_watch_open(h, "a", &w, NULL), KT_SUCCESS);
    ck_assert_int_eq(next(w, got, NULL), KT_SUCCESS);
    ck_assert_str_eq(got, ""); /* there is none */
    /* Never waits: no news yet is an answer. */
    ck_assert_int_eq(kt_watch_read(w, &name, got, NULL), KT_IGNORE);
    scene_put(h, "a", "1", id);
    ck_assert_int_eq(next(w, got, NULL), KT_SUCCESS);
    ck_assert_str_eq(got, id);
    scene_put(h, "a", "2", id);
    ck_assert_int_eq(next(w, got, NULL), KT_SUCCESS);
    ck_assert_str_eq(got, id);
    ck_assert_int_eq(wait_for(w, 30000), 1);
    ck_assert_int_eq(kt_watch_read(w, &name, got, NULL), KT_IGNORE);
    ck_assert_str_eq(got, id); /* untouched */
    ck_assert_int_eq(kt_delete(h, "a", NULL, NULL, NULL), KT_SUCCESS);
    ck_assert_int_eq(next(w, got, NULL), KT_SUCCESS);
    ck_assert_str_eq(got, "");
    kt_watch_free(w);
}
END_TEST

START_TEST(could_not_ask_is_told_and_is_no_change)
{
    struct kt_handle *down = scene_open(s, "down",
                                        "read required debug get=unavailable ttl=100ms\n");
    struct kt_watch *w = NULL;
    char got[KT_ID_SIZE] = "before";
    struct kt_err err = { 0 };

    ck_assert_int_eq(kt_watch_open(down, "a", &w, NULL), KT_SUCCESS);
    for (int i = 0; i < 2; i++) { /* and goes on trying */
        ck_assert_int_eq(next(w, got, &err), KT_UNAVAILABLE);
        ck_assert_int_eq(err.status, KT_UNAVAILABLE);
        ck_assert_str_eq(got, "before");
    }
    kt_watch_free(w);
    kt_close(down);
}
END_TEST

START_TEST(watches_do_not_mind_each_other)
{
    struct kt_watch *w[3] = { NULL };
    char id[KT_ID_SIZE], got[KT_ID_SIZE];

    scene_put(h, "a", "1", id);
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(kt_watch_open(h, "a", &w[i], NULL), KT_SUCCESS);
    ck_assert_int_ne(kt_watch_fd(w[0]), kt_watch_fd(w[1]));
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(next(w[i], got, NULL), KT_SUCCESS);
        ck_assert_str_eq(got, id);
        kt_watch_free(w[i]);
    }
    kt_watch_free(NULL);
}
END_TEST

START_TEST(a_name_that_breaks_the_rules_is_refused)
{
    struct kt_watch *w = NULL;
    struct kt_err err = { 0 };

    ck_assert_int_eq(kt_watch_open(h, "a//b", &w, &err), KT_INVALID);
    ck_assert_int_eq(err.status, KT_INVALID);
    ck_assert_int_eq(kt_watch_open(h, ".keyturn/x", &w, NULL), KT_INVALID);
    ck_assert_ptr_null(w);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("watch");
    TCase *tc = tcase_create("watch");

    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_add_test(tc, the_first_read_tells_the_version_of_now);
    tcase_add_test(tc, changes_are_told_and_nothing_else);
    tcase_add_test(tc, could_not_ask_is_told_and_is_no_change);
    tcase_add_test(tc, watches_do_not_mind_each_other);
    tcase_add_test(tc, a_name_that_breaks_the_rules_is_refused);
    suite_add_tcase(suite, tc);
    return kt_harness_run(suite);
}
