/* SPDX-License-Identifier: Apache-2.0 */

/* Lines with `name=` and `field=`: one member of a JSON object, at a place of its own. */

#include "scene.h"

#include <string.h>

static struct scene *s;

static void set_up(void)
{
    s = scene_new();
}

static void tear_down(void)
{
    scene_free(s);
    kt_harness_no_secrets();
}

#define MEMBER                                                                                     \
    "read required mock_good field=api_key name=app/key\n"                                         \
    "write required mock_good\n"

/* Two views of one store in one service: the member first, then the whole text under another name. */
#define BOTH                                                                                       \
    "read [success=done not_found=ignore corrupt=die default=die] mock_good field=api_key "        \
    "name=%%n-x\n"                                                                                 \
    "read required mock_good name=%%n\n"                                                           \
    "write required mock_good field=api_key name=%%n-x\n"

static const char *id_of_next(char id[KT_ID_SIZE])
{
    ck_assert_int_eq(kt_id_new(id), KT_SUCCESS);
    return id;
}

START_TEST(a_member_is_written_read_and_removed)
{
    struct kt_handle *h = scene_open(s, "t", MEMBER);
    char first[KT_ID_SIZE], second[KT_ID_SIZE];

    scene_expect(h, "any/name", NULL, KT_NOT_FOUND);
    scene_put(h, "any/name", "sk-1", first);
    scene_expect(h, "any/name", "sk-1", KT_SUCCESS);
    scene_put(h, "any/name", "sk-\"2\"\n", second);
    scene_expect(h, "any/name", "sk-\"2\"\n", KT_SUCCESS);
    scene_expect(h, "other", "sk-\"2\"\n", KT_SUCCESS); /* one fixed place */
    ck_assert_int_eq(kt_delete(h, "any/name", NULL, NULL, NULL), KT_SUCCESS);
    scene_expect(h, "any/name", NULL, KT_NOT_FOUND);
    ck_assert_int_eq(kt_delete(h, "any/name", NULL, NULL, NULL), KT_NOT_FOUND);
    kt_close(h);
}
END_TEST

START_TEST(the_whole_object_keeps_its_other_members)
{
    struct kt_handle *h = scene_open(s, "t", BOTH);
    char id[KT_ID_SIZE];

    scene_put(h, "a", "v1", id);
    scene_expect(h, "a", "v1", KT_SUCCESS);
    scene_expect(h, "a-x", "{\"api_key\":\"v1\"}", KT_SUCCESS); /* by the second line */
    kt_close(h);
}
END_TEST

START_TEST(a_repeated_put_is_known_by_its_member)
{
    struct kt_handle *h = scene_open(s, "t", MEMBER);
    char id[KT_ID_SIZE];
    struct kt_put_options o = { .size = sizeof o, .id = id_of_next(id) };

    ck_assert_int_eq(kt_put(h, "a", "v", 1, &o, NULL, NULL), KT_SUCCESS);
    ck_assert_int_eq(kt_put(h, "a", "v", 1, &o, NULL, NULL), KT_SUCCESS);
    ck_assert_int_eq(kt_put(h, "a", "w", 1, &o, NULL, NULL), KT_EXISTS);
    kt_close(h);
}
END_TEST

START_TEST(an_expected_version_guards_a_member)
{
    struct kt_handle *h = scene_open(s, "t", MEMBER);
    char id[KT_ID_SIZE];
    struct kt_put_options o = { .size = sizeof o, .expected = "" };

    ck_assert_int_eq(kt_put(h, "a", "v", 1, &o, id, NULL), KT_SUCCESS);
    ck_assert_int_eq(kt_put(h, "a", "w", 1, &o, NULL, NULL), KT_CONFLICT);
    o.expected = id;
    ck_assert_int_eq(kt_put(h, "a", "w", 1, &o, NULL, NULL), KT_SUCCESS);
    ck_assert_int_eq(kt_put(h, "a", "x", 1, &o, NULL, NULL), KT_CONFLICT);
    scene_expect(h, "a", "w", KT_SUCCESS);
    kt_close(h);
}
END_TEST

START_TEST(what_json_cannot_hold_is_refused_before_the_write)
{
    struct kt_handle *h = scene_open(s, "t", MEMBER);
    struct kt_err err;

    ck_assert_int_eq(kt_put(h, "a", "\xff\xfe", 2, NULL, NULL, &err), KT_INVALID);
    ck_assert_ptr_nonnull(strstr(err.msg, "UTF-8"));
    scene_expect(h, "a", NULL, KT_NOT_FOUND);
    kt_close(h);
}
END_TEST

START_TEST(stored_text_that_is_no_object_is_corrupt)
{
    struct kt_handle *h = scene_open(s, "t",
                                     "read [success=done corrupt=die default=ignore] mock_good "
                                     "field=api_key name=%%n\n"
                                     "write required mock_good name=%%n\n");

    scene_put(h, "a", "plain text", NULL);
    scene_expect(h, "a", NULL, KT_CORRUPT);
    scene_put(h, "a", "{\"other\":1}", NULL);
    scene_expect(h, "a", NULL, KT_NOT_FOUND);
    scene_put(h, "a", "{\"api_key\":\"sk\"}", NULL);
    scene_expect(h, "a", "sk", KT_SUCCESS);
    kt_close(h);
}
END_TEST

START_TEST(a_list_is_translated_back_or_says_that_it_cannot_be)
{
    struct kt_handle *h = scene_open(s, "t",
                                     "read required mock_good name=prod/%%n\n"
                                     "write required mock_good\n");
    struct kt_list *l = NULL;
    struct kt_err err;

    scene_put(h, "b", "1", NULL);
    scene_put(h, "a/c", "1", NULL);
    ck_assert_int_eq(kt_list(h, NULL, NULL, &l, NULL), KT_SUCCESS);
    ck_assert_uint_eq(kt_list_count(l), 2);
    ck_assert_str_eq(kt_list_item(l, 0)->name, "a/c");
    ck_assert_str_eq(kt_list_item(l, 1)->name, "b");
    kt_list_free(l);
    kt_close(h);

    h = scene_open(s, "u", MEMBER);
    ck_assert_int_eq(kt_list(h, NULL, NULL, &l, &err), KT_UNSUPPORTED);
    kt_close(h);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("member");
    TCase *tc = tcase_create("member");

    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_add_test(tc, a_member_is_written_read_and_removed);
    tcase_add_test(tc, the_whole_object_keeps_its_other_members);
    tcase_add_test(tc, a_repeated_put_is_known_by_its_member);
    tcase_add_test(tc, an_expected_version_guards_a_member);
    tcase_add_test(tc, what_json_cannot_hold_is_refused_before_the_write);
    tcase_add_test(tc, stored_text_that_is_no_object_is_corrupt);
    tcase_add_test(tc, a_list_is_translated_back_or_says_that_it_cannot_be);
    suite_add_tcase(suite, tc);
    return kt_harness_run(suite);
}
