/* SPDX-License-Identifier: Apache-2.0 */
#include "core/field.h"
#include "harness.h"

#include <stdlib.h>
#include <string.h>

struct find_row {
    const char *text;
    const char *member;
    int want;
    const char *value; /* decoded */
};

static const struct find_row find_rows[] = {
    { "{\"api_key\":\"sk-1\"}", "api_key", KT_SUCCESS, "sk-1" },
    { " {\n \"a\" : 1 , \"api_key\" : \"sk\\u002d1\\n\" }\n", "api_key", KT_SUCCESS, "sk-1\n" },
    { "{\"a\":{\"api_key\":\"inner\"},\"api_key\":\"outer\"}", "api_key", KT_SUCCESS, "outer" },
    { "{\"a\":[1,2,{\"b\":null}]}", "a", KT_SUCCESS, "[1,2,{\"b\":null}]" },
    { "{\"n\":-1.5e+3}", "n", KT_SUCCESS, "-1.5e+3" },
    { "{\"t\":true ,\"x\":0}", "t", KT_SUCCESS, "true" },
    { "{\"\\u0061\":\"x\"}", "a", KT_SUCCESS, "x" },
    { "{\"a\":\"\\ud83d\\ude00\"}", "a", KT_SUCCESS, "\xf0\x9f\x98\x80" },
    { "{\"a\":\"\"}", "a", KT_SUCCESS, "" },
    { "{}", "a", KT_NOT_FOUND, NULL },
    { "{\"b\":1}", "a", KT_NOT_FOUND, NULL },
    { "", "a", KT_CORRUPT, NULL },
    { "sk-1", "a", KT_CORRUPT, NULL },
    { "[1]", "a", KT_CORRUPT, NULL },
    { "{\"a\":1", "a", KT_CORRUPT, NULL },
    { "{\"a\":1}x", "a", KT_CORRUPT, NULL },
    { "{\"a\":1,}", "a", KT_CORRUPT, NULL },
    { "{\"a\":01}", "a", KT_CORRUPT, NULL },
    { "{\"a\":.5}", "a", KT_CORRUPT, NULL },
    { "{\"a\":1.}", "a", KT_CORRUPT, NULL },
    { "{\"a\":tru}", "a", KT_CORRUPT, NULL },
    { "{\"a\":\"\\x\"}", "a", KT_CORRUPT, NULL },
    { "{\"a\":\"\\ud83d\"}", "a", KT_CORRUPT, NULL },
    { "{\"a\":\"\\ude00\"}", "a", KT_CORRUPT, NULL },
    { "{\"a\":\"\xff\"}", "a", KT_CORRUPT, NULL },
    { "{\"a\":\"\xc0\x80\"}", "a", KT_CORRUPT, NULL },
    { "{\"a\":\"\xed\xa0\x80\"}", "a", KT_CORRUPT, NULL },
    { "{\"a\":\"line\nbreak\"}", "a", KT_CORRUPT, NULL },
    { "{\"a\":1,\"a\":2}", "a", KT_CORRUPT, NULL },
    { "{a:1}", "a", KT_CORRUPT, NULL },
};

START_TEST(finds_a_member_or_says_why_not)
{
    const struct find_row *r = &find_rows[_i];
    struct kt_field f;
    char out[256];
    const int rc = kt_field_find(r->text, strlen(r->text), r->member, &f);

    ck_assert_msg(rc == r->want, "%s: %d, not %d", r->text, rc, r->want);
    if (rc != KT_SUCCESS)
        return;
    const size_t n = kt_field_decode(r->text, &f, out);

    ck_assert_msg(n == strlen(r->value) && memcmp(out, r->value, n) == 0, "%s", r->text);
}
END_TEST

START_TEST(depth_is_bounded)
{
    char text[4096] = "{\"a\":";
    struct kt_field f;

    memset(text + 5, '[', 1000);
    memset(text + 1005, ']', 1000);
    text[2005] = '}';
    ck_assert_int_eq(kt_field_find(text, 2006, "a", &f), KT_CORRUPT);
}
END_TEST

struct set_row {
    const char *text;
    const char *value;
    int want;
    const char *result;
};

static const struct set_row set_rows[] = {
    { NULL, "v", KT_SUCCESS, "{\"k\":\"v\"}" },
    { "{}", "v", KT_SUCCESS, "{\"k\":\"v\"}" },
    { "{ }", "v", KT_SUCCESS, "{\"k\":\"v\" }" },
    { "{\"a\": 1 }", "v", KT_SUCCESS, "{\"k\":\"v\",\"a\": 1 }" },
    { "{\"a\":1,\"k\" : [2] , \"b\":\"\\u00e9\"}", "v", KT_SUCCESS,
      "{\"a\":1,\"k\" : \"v\" , \"b\":\"\\u00e9\"}" },
    { "{\"k\":\"old\"}", "a\"b\\c\n\x01", KT_SUCCESS, "{\"k\":\"a\\\"b\\\\c\\u000a\\u0001\"}" },
    { "{\"k\":1}", "\xff", KT_INVALID, NULL },
    { "plain", "v", KT_CORRUPT, NULL },
};

START_TEST(sets_a_member_and_keeps_the_others_bytes)
{
    const struct set_row *r = &set_rows[_i];
    const size_t len = r->text != NULL ? strlen(r->text) : 0;
    char *out = malloc(kt_field_encoded_size(len, "k", strlen(r->value)));
    size_t n = 0;
    const int rc = kt_field_set(r->text, len, "k", r->value, strlen(r->value), out, &n);

    ck_assert_msg(rc == r->want, "row %d: %d", _i, rc);
    if (rc == KT_SUCCESS)
        ck_assert_msg(n == strlen(r->result) && memcmp(out, r->result, n) == 0, "%.*s", (int)n,
                      out);
    free(out);
}
END_TEST

struct remove_row {
    const char *text;
    int want;
    const char *result;
};

static const struct remove_row remove_rows[] = {
    { "{\"k\":1}", KT_SUCCESS, "{}" },
    { "{\"k\":1,\"a\":2}", KT_SUCCESS, "{\"a\":2}" },
    { "{\"a\":2 , \"k\":1}", KT_SUCCESS, "{\"a\":2 }" },
    { "{\"a\":\",\",\"k\":1,\"b\":3}", KT_SUCCESS, "{\"a\":\",\",\"b\":3}" },
    { "{\"a\":2}", KT_NOT_FOUND, NULL },
    { "x", KT_CORRUPT, NULL },
};

START_TEST(removes_a_member_and_keeps_an_object)
{
    const struct remove_row *r = &remove_rows[_i];
    char out[256];
    size_t n = 0;
    struct kt_field f;
    const int rc = kt_field_remove(r->text, strlen(r->text), "k", out, &n);

    ck_assert_int_eq(rc, r->want);
    if (rc != KT_SUCCESS)
        return;
    ck_assert_msg(n == strlen(r->result) && memcmp(out, r->result, n) == 0, "%.*s", (int)n, out);
    ck_assert_int_eq(kt_field_find(out, n, "k", &f), KT_NOT_FOUND);
}
END_TEST

#define COUNT(rows) ((int)(sizeof(rows) / sizeof(rows)[0]))

int main(void)
{
    Suite *s = suite_create("field");
    TCase *t = tcase_create("field");

    tcase_add_loop_test(t, finds_a_member_or_says_why_not, 0, COUNT(find_rows));
    tcase_add_test(t, depth_is_bounded);
    tcase_add_loop_test(t, sets_a_member_and_keeps_the_others_bytes, 0, COUNT(set_rows));
    tcase_add_loop_test(t, removes_a_member_and_keeps_an_object, 0, COUNT(remove_rows));
    suite_add_tcase(s, t);
    return kt_harness_run(s);
}
