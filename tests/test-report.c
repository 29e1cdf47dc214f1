/* SPDX-License-Identifier: Apache-2.0 */

/* What a program tells of a value: a 401 evicts and makes the next get fresh, and erases nothing. */

#include "scene.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct scene *s;
static char *counts;
static struct kt_handle *h, *elsewhere;

static void set_up(void)
{
    s = scene_new();
    counts = kt_harness_path(s->dir, "counts");
    h = scene_open(s, "t",
                   "read front cache\n"
                   "read fallback mock_good label=f max-stale=1h fill\n"
                   "read required mock_good label=a\n"
                   "write required mock_good label=a\n");
    elsewhere = scene_open(s, "a",
                           "read required mock_good label=a\n"
                           "write required mock_good label=a\n");
}

static void tear_down(void)
{
    kt_close(h);
    kt_close(elsewhere);
    free(counts);
    scene_free(s);
    kt_harness_no_secrets();
}

static int report(const char *name, const char *version, enum kt_report what)
{
    struct kt_err err = { 0 };
    const int rc = kt_report(h, name, version, what, NULL, &err);

    ck_assert_int_eq(err.status, rc);
    return rc;
}

START_TEST(a_rejection_makes_the_next_get_fresh)
{
    char one[KT_ID_SIZE], two[KT_ID_SIZE];

    scene_put(elsewhere, "a", "1", one);
    scene_expect(h, "a", "1", KT_SUCCESS);
    scene_put(elsewhere, "a", "2", two);
    scene_expect(h, "a", "1", KT_SUCCESS);
    ck_assert_int_eq(report("a", one, KT_REJECTED), KT_SUCCESS);
    ck_assert_str_eq(scene_steps(h, "a", NULL), "(1:ignore) (2:ignore) 3:success");
    /* Learnt, and answered from above again. */
    scene_expect(h, "a", "2", KT_SUCCESS);
    ck_assert_str_eq(scene_steps(h, "a", NULL), "1:success");
    /* Nothing is erased because of one 401. */
    scene_expect(elsewhere, "a", "2", KT_SUCCESS);
    ck_assert_str_eq(scene_steps(elsewhere, "a", GET_OPTIONS(.version = one)), "1:success");
}
END_TEST

START_TEST(a_rejected_value_that_is_still_current_is_given_again)
{
    char id[KT_ID_SIZE];

    scene_put(elsewhere, "a", "1", id);
    scene_expect(h, "a", "1", KT_SUCCESS);
    ck_assert_int_eq(report("a", id, KT_REJECTED), KT_SUCCESS);
    scene_expect(h, "a", "1", KT_SUCCESS);
    ck_assert_int_eq(report("a", NULL, KT_REJECTED), KT_SUCCESS);
    scene_expect(h, "a", "1", KT_SUCCESS);
}
END_TEST

START_TEST(another_name_stays_as_it_is)
{
    char id[KT_ID_SIZE];

    scene_put(elsewhere, "a", "1", id);
    scene_put(elsewhere, "b", "1", id);
    scene_expect(h, "a", "1", KT_SUCCESS);
    scene_expect(h, "b", "1", KT_SUCCESS);
    ck_assert_int_eq(report("a", NULL, KT_REJECTED), KT_SUCCESS);
    ck_assert_str_eq(scene_steps(h, "b", NULL), "1:success");
}
END_TEST

START_TEST(use_changes_nothing)
{
    char id[KT_ID_SIZE];

    scene_put(elsewhere, "a", "1", id);
    scene_expect(h, "a", "1", KT_SUCCESS);
    ck_assert_int_eq(report("a", id, KT_USED), KT_SUCCESS);
    ck_assert_str_eq(scene_steps(h, "a", NULL), "1:success");
}
END_TEST

START_TEST(an_outage_after_a_rejection_serves_no_copy)
{
    struct kt_handle *down = scene_open(s, "down",
                                        "read fallback mock_good label=f max-stale=1h\n"
                                        "read required debug get=unavailable\n");
    char id[KT_ID_SIZE];

    scene_put(elsewhere, "a", "1", id);
    scene_expect(h, "a", "1", KT_SUCCESS);
    scene_expect(down, "a", "1", KT_SUCCESS);
    ck_assert_int_eq(kt_report(down, "a", id, KT_REJECTED, NULL, NULL), KT_SUCCESS);
    scene_expect(down, "a", NULL, KT_UNAVAILABLE);
    kt_close(down);
}
END_TEST

START_TEST(modules_that_are_open_are_told)
{
    struct kt_handle *c = scene_open(s, "c", "read required mock_counts file=%s\n", counts);

    ck_assert_int_eq(kt_report(c, "a", NULL, KT_USED, NULL, NULL), KT_SUCCESS);
    ck_assert_str_eq(scene_read(counts), ""); /* what was never asked remembers nothing */
    scene_expect(c, "a", "counts", KT_SUCCESS);
    ck_assert_int_eq(kt_report(c, "a", "mock:1", KT_USED, NULL, NULL), KT_SUCCESS);
    ck_assert_int_eq(kt_report(c, "a", "mock:1", KT_REJECTED, NULL, NULL), KT_SUCCESS);
    ck_assert_str_eq(scene_read(counts), "ogur");
    kt_close(c);
    ck_assert_str_eq(scene_read(counts), "ogurc");
}
END_TEST

START_TEST(a_report_that_breaks_the_rules_is_refused)
{
    ck_assert_int_eq(report("a//b", NULL, KT_USED), KT_INVALID);
    ck_assert_int_eq(report(".keyturn/a", NULL, KT_USED), KT_INVALID);
    ck_assert_int_eq(report("a", "no id", KT_USED), KT_INVALID);
    ck_assert_int_eq(report("a", NULL, (enum kt_report)0), KT_INVALID);
    ck_assert_int_eq(report("a", NULL, (enum kt_report)3), KT_INVALID);
}
END_TEST

START_TEST(more_names_may_be_suspect_than_are_remembered)
{
    char name[32];

    for (int i = 0; i < 3000; i++) {
        (void)snprintf(name, sizeof(name), "name-%d", i);
        ck_assert_int_eq(report(name, NULL, KT_REJECTED), KT_SUCCESS);
        ck_assert_int_eq(report(name, NULL, KT_REJECTED), KT_SUCCESS);
    }
    ck_assert_str_eq(scene_steps(h, name, NULL), "(1:ignore) (2:ignore) 3:not_found");
    ck_assert_str_eq(scene_steps(h, name, NULL), "1:not_found");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("report");
    TCase *tc = tcase_create("report");

    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_add_test(tc, a_rejection_makes_the_next_get_fresh);
    tcase_add_test(tc, a_rejected_value_that_is_still_current_is_given_again);
    tcase_add_test(tc, another_name_stays_as_it_is);
    tcase_add_test(tc, use_changes_nothing);
    tcase_add_test(tc, an_outage_after_a_rejection_serves_no_copy);
    tcase_add_test(tc, modules_that_are_open_are_told);
    tcase_add_test(tc, a_report_that_breaks_the_rules_is_refused);
    tcase_add_test(tc, more_names_may_be_suspect_than_are_remembered);
    suite_add_tcase(suite, tc);
    return kt_harness_run(suite);
}
