/* SPDX-License-Identifier: Apache-2.0 */
/* Which store is a service's truth: told without asking it. */

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

static const struct {
    const char *text;
    const char *module;
    uint32_t line;
    bool writable;
    bool member;
} rows[] = {
    { "read required mock_good\n", "mock_good", 1, false, false },
    { "read required mock_good\nwrite required mock_good\n", "mock_good", 2, true, false },
    { "read optional mock_good max-stale=1h\nread required debug\n\nwrite required debug\n"
      "write optional mock_good\n",
      "debug", 4, true, false },
    { "read required mock_good field=key\n", "mock_good", 1, false, true },
    { "read required mock_good field=key\nwrite required mock_good\n", "mock_good", 2, true, true },
};

START_TEST(it_is_told)
{
    struct kt_authority a = { .size = sizeof(a) };
    struct kt_err err = { 0 };
    struct kt_handle *h = scene_open(s, "it", "%s", rows[_i].text);

    ck_assert_msg(kt_authority(h, &a, &err) == KT_SUCCESS, "%s", err.msg);
    ck_assert_str_eq(a.service, "it");
    ck_assert_str_eq(a.module, rows[_i].module);
    ck_assert_uint_eq(a.line, rows[_i].line);
    ck_assert_ptr_nonnull(strstr(a.file, "/config/it"));
    ck_assert_int_eq(a.writable, rows[_i].writable);
    ck_assert_int_eq(a.member, rows[_i].member);
    kt_close(h);
}
END_TEST

START_TEST(nothing_but_a_cache_is_none)
{
    struct kt_authority a = { .size = sizeof(a), .module = "untouched" };
    struct kt_handle *h = scene_open(s, "it", "read required mock_cache\n");

    ck_assert_int_eq(kt_authority(h, &a, NULL), KT_UNSUPPORTED);
    ck_assert_str_eq(a.module, "untouched");
    a.size--;
    ck_assert_int_eq(kt_authority(h, &a, NULL), KT_INVALID);
    kt_close(h);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("authority");
    TCase *tc = tcase_create("authority");

    tcase_add_checked_fixture(tc, set_up, tear_down);
    scene_add_rows(tc, it_is_told, rows);
    tcase_add_test(tc, nothing_but_a_cache_is_none);
    suite_add_tcase(suite, tc);
    return kt_harness_run(suite);
}
