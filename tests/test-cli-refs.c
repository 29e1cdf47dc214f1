/* SPDX-License-Identifier: Apache-2.0 */
/* References, as they are written and taken apart. */
#include "cli/refs.h"

#include "harness.h"

#include <stdio.h>
#include <string.h>

bool session_is_opening(void)
{
    return false;
}

static const struct {
    const char *text;
    bool bare;
    struct {
        const char *service, *name, *version, *stage, *field;
    } want;
} good[] = {
    { "keyturn:///a", false, { .name = "a" } },
    { "keyturn:///a/b.c@d+e=f-1_2", false, { .name = "a/b.c@d+e=f-1_2" } },
    { "keyturn://deepseek/a/b", false, { .service = "deepseek", .name = "a/b" } },
    { "keyturn://a_b-9/c", true, { .service = "a_b-9", .name = "c" } },
    { "keyturn:///a?stage=previous", false, { .name = "a", .stage = "previous" } },
    { "keyturn:///a?version=aws:1", false, { .name = "a", .version = "aws:1" } },
    { "keyturn:///a?field=x", false, { .name = "a", .field = "x" } },
    { "keyturn:///a?field=x=y?z", false, { .name = "a", .field = "x=y?z" } },
    { "keyturn:///a?field=%26%3d%25%c3%A9+", false, { .name = "a", .field = "&=%\303\251+" } },
    { "keyturn:///a?stage=pending&field=x",
      false,
      { .name = "a", .stage = "pending", .field = "x" } },
    { "keyturn:///a?field=x&version=1", false, { .name = "a", .version = "1", .field = "x" } },
    { "a", true, { .name = "a" } },
    { "a/b?field=c", true, { .name = "a/b", .field = "c" } },
};

static bool same(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static void take_apart(const char *text, size_t len, size_t i)
{
    struct ref r = { 0 };
    struct kt_err err = { 0 };

    ck_assert_msg(ref_parse(text, len, good[i].bare, &r, &err) == KT_SUCCESS, "%s: %s",
                  good[i].text, err.msg);
    ck_assert_msg(same(r.service, good[i].want.service) && same(r.name, good[i].want.name) &&
                      same(r.version, good[i].want.version) && same(r.stage, good[i].want.stage) &&
                      same(r.field, good[i].want.field),
                  "%s: service %s, name %s, version %s, stage %s, field %s", good[i].text,
                  r.service, r.name, r.version, r.stage, r.field);
    ref_done(&r);
    ck_assert_ptr_null(r.name);
}

START_TEST(references_are_taken_apart)
{
    const size_t i = (size_t)_i, len = strlen(good[i].text);
    char longer[128];

    take_apart(good[i].text, len, i);
    /* as many bytes as are said, whatever follows */
    (void)snprintf(longer, sizeof(longer), "%s%%&?=", good[i].text);
    take_apart(longer, len, i);
}
END_TEST

static const char *const bad[] = {
    "",
    "keyturn:",
    "keyturn:a",
    "keyturn:/a",
    "keyturn://a",
    "keyturn:///",
    "keyturn://s/",
    "keyturn:////a",
    "keyturn:///a//b",
    "keyturn:///a/",
    "keyturn:///../a",
    "keyturn:///a b",
    "keyturn:///a#b",
    "keyturn:///a%2fb",
    "keyturn://S/a",
    "keyturn://a.b/c",
    "keyturn://user@s/a",
    "keyturn:///a?",
    "keyturn:///a?field",
    "keyturn:///a?field=",
    "keyturn:///a?Field=x",
    "keyturn:///a?field=x&",
    "keyturn:///a?field=x&field=y",
    "keyturn:///a?member=x",
    "keyturn:///a?stage=last",
    "keyturn:///a?stage=",
    "keyturn:///a?stage=current&version=1",
    "keyturn:///a?field=%",
    "keyturn:///a?field=%4",
    "keyturn:///a?field=%4g",
    "keyturn:///a?field=%00",
    "KEYTURN:///a",
    "http:///a",
    "a/",
    "/a",
    "a\nb",
};

START_TEST(anything_else_is_refused)
{
    struct ref r = { .name = NULL };
    struct kt_err err = { 0 };
    int rc = ref_parse(bad[_i], strlen(bad[_i]), true, &r, &err);

    ck_assert_msg(rc == KT_INVALID, "'%s': %s", bad[_i], kt_status_name(rc));
    ck_assert_msg(err.msg[0] != '\0' && err.status == KT_INVALID, "'%s' is not explained", bad[_i]);
    ck_assert_ptr_null(r.name);
}
END_TEST

START_TEST(a_bare_name_is_one_only_where_it_may)
{
    struct ref r = { 0 };
    struct kt_err err = { 0 };

    ck_assert_int_eq(ref_parse("a", 1, false, &r, &err), KT_INVALID);
}
END_TEST

START_TEST(long_and_odd_ones_are_refused)
{
    static char text[100000] = "keyturn:///";
    struct ref r = { 0 };
    struct kt_err err = { 0 };

    memset(text + 11, 'a', sizeof(text) - 12);
    ck_assert_int_eq(ref_parse(text, 11 + KT_NAME_MAX, false, &r, &err), KT_SUCCESS);
    ref_done(&r);
    ck_assert_int_eq(ref_parse(text, 12 + KT_NAME_MAX, false, &r, &err), KT_INVALID);
    ck_assert_int_eq(ref_parse(text, sizeof(text) - 1, false, &r, &err), KT_INVALID);
    text[12] = '?';
    ck_assert_int_eq(ref_parse(text, sizeof(text) - 1, false, &r, &err), KT_INVALID);
    ck_assert_uint_lt(strlen(err.msg), 200); /* the text is shown, not all of it */
    ck_assert_int_eq(ref_parse("keyturn:///a\0b", 14, false, &r, &err), KT_INVALID);
    for (size_t i = 0; i < 9; i++)
        text[12 + i] = "?version="[i];
    ck_assert_int_eq(ref_parse(text, 21 + KT_ID_SIZE - 1, false, &r, &err), KT_SUCCESS);
    ref_done(&r);
    ck_assert_int_eq(ref_parse(text, 21 + KT_ID_SIZE, false, &r, &err), KT_INVALID);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("cli-refs");
    TCase *t = tcase_create("cli-refs");

    tcase_add_loop_test(t, references_are_taken_apart, 0, sizeof(good) / sizeof(good[0]));
    tcase_add_loop_test(t, anything_else_is_refused, 0, sizeof(bad) / sizeof(bad[0]));
    tcase_add_test(t, a_bare_name_is_one_only_where_it_may);
    tcase_add_test(t, long_and_odd_ones_are_refused);
    suite_add_tcase(s, t);
    return kt_harness_run(s);
}
