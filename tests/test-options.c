/* SPDX-License-Identifier: Apache-2.0 */
#include "harness.h"

#include "core/options.h"

#include <stdlib.h>
#include <string.h>

#define ROWS(table) (int)(sizeof(table) / sizeof((table)[0]))

static const struct {
    int (*parse)(const char *text, int64_t *out);
    const char *text;
    int64_t want; /* -1: refused */
} numbers[] = {
    { kt_duration_parse, "0", 0 },
    { kt_duration_parse, "0s", 0 },
    { kt_duration_parse, "500ms", 500 },
    { kt_duration_parse, "10s", 10000 },
    { kt_duration_parse, "5m", 300000 },
    { kt_duration_parse, "6h", 21600000 },
    { kt_duration_parse, "7d", 604800000 },
    { kt_duration_parse, "007s", 7000 },
    { kt_duration_parse, "9223372036854775807ms", INT64_MAX },
    { kt_duration_parse, "9223372036854775808ms", -1 },
    { kt_duration_parse, "9223372036854775807s", -1 },
    { kt_duration_parse, "", -1 },
    { kt_duration_parse, "5", -1 },
    { kt_duration_parse, "s", -1 },
    { kt_duration_parse, "5 s", -1 },
    { kt_duration_parse, "5S", -1 },
    { kt_duration_parse, "5sec", -1 },
    { kt_duration_parse, "-5s", -1 },
    { kt_duration_parse, "1.5h", -1 },
    { kt_duration_parse, "1h30m", -1 },
    { kt_size_parse, "0", 0 },
    { kt_size_parse, "17", 17 },
    { kt_size_parse, "64K", 65536 },
    { kt_size_parse, "2M", 2097152 },
    { kt_size_parse, "3G", 3221225472 },
    { kt_size_parse, "9223372036854775807K", -1 },
    { kt_size_parse, "64k", -1 },
    { kt_size_parse, "64KB", -1 },
    { kt_size_parse, "", -1 },
    { kt_number_parse, "0", 0 },
    { kt_number_parse, "9223372036854775807", INT64_MAX },
    { kt_number_parse, "9223372036854775808", -1 },
    { kt_number_parse, "99999999999999999999", -1 },
    { kt_number_parse, "1K", -1 },
    { kt_number_parse, "+1", -1 },
    { kt_number_parse, " 1", -1 },
    { kt_number_parse, "", -1 },
};

START_TEST(numbers_have_one_spelling)
{
    int64_t out = -7;
    const int rc = numbers[_i].parse(numbers[_i].text, &out);

    ck_assert_msg(rc == (numbers[_i].want < 0 ? KT_INVALID : KT_SUCCESS), "'%s'", numbers[_i].text);
    ck_assert_int_eq(out, numbers[_i].want < 0 ? -7 : numbers[_i].want);
}
END_TEST

static const struct kt_option table[] = {
    { "region", KT_OPTION_STRING, NULL, "where" },
    { "quick", KT_OPTION_FLAG, NULL, "be quick" },
    { "tries", KT_OPTION_NUMBER, "3", "how often" },
    { "wait", KT_OPTION_DURATION, "10s", "how long" },
    { "most", KT_OPTION_SIZE, NULL, "how much" },
    { "path", KT_OPTION_PATH, NULL, "which file" },
    { "mode", KT_OPTION_CHOICE, "slow|fast|slow|none", "how" },
    { NULL, KT_OPTION_STRING, NULL, NULL },
};

/* Parse up to 4 words that stand on line 4, a column each. */
static int parse(const struct kt_option *options, const char *const *texts, struct kt_arg **args,
                 size_t *n, struct kt_err *err)
{
    struct kt_word words[4];
    size_t nwords = 0;

    for (; nwords < 4 && texts[nwords] != NULL; nwords++)
        words[nwords] = (struct kt_word){ .text = (char *)texts[nwords],
                                          .column = 10 * (unsigned)(nwords + 1),
                                          .lineno = 4 };
    return kt_options_parse(options, words, nwords, "f:4", args, n, err);
}

static const struct {
    const char *words[4];
    const char *name;
    const char *value; /* NULL: the option is not there */
    int64_t number;
    size_t nargs;
} given[] = {
    { { NULL }, "tries", "3", 3, 3 },
    { { NULL }, "wait", "10s", 10000, 3 },
    { { NULL }, "mode", "slow", 1, 3 },
    { { NULL }, "region", NULL, 0, 3 },
    { { NULL }, "quick", NULL, 0, 3 },
    { { "region=eu-1" }, "region", "eu-1", 0, 4 },
    { { "region=" }, "region", "", 0, 4 },
    { { "region=a=b c" }, "region", "a=b c", 0, 4 },
    { { "quick" }, "quick", "", 1, 4 },
    { { "tries=0" }, "tries", "0", 0, 3 },
    { { "mode=none", "wait=1m", "most=1K" }, "wait", "1m", 60000, 4 },
    { { "mode=none", "wait=1m", "most=1K" }, "most", "1K", 1024, 4 },
    { { "mode=fast" }, "mode", "fast", 0, 3 },
    { { "mode=none" }, "mode", "none", 2, 3 },
    { { "path=/etc/x" }, "path", "/etc/x", 0, 4 },
};

START_TEST(options_are_given_or_have_a_default)
{
    struct kt_arg *args = NULL;
    const struct kt_arg *found = NULL;
    struct kt_err err;
    size_t n = 0;

    ck_assert_int_eq(parse(table, given[_i].words, &args, &n, &err), KT_SUCCESS);
    ck_assert_uint_eq(n, given[_i].nargs);
    for (size_t i = 0; i < n; i++)
        if (strcmp(args[i].name, given[_i].name) == 0)
            found = &args[i];
    ck_assert_int_eq(found != NULL, given[_i].value != NULL);
    if (found != NULL) {
        ck_assert_str_eq(found->value, given[_i].value);
        ck_assert_int_eq(found->number, given[_i].number);
    }
    kt_options_free(args, n);
}
END_TEST

static const struct {
    const char *words[4];
    const char *says;
} refused[] = {
    { { "nope=sk-secret" }, "f:4:10: unknown option 'nope': expected one of region quick tries" },
    { { "quick", "regio" }, "f:4:20: unknown option 'regio'" },
    { { "" }, "f:4:10: unknown option ''" },
    { { "region" }, "f:4:10: expected 'region=...', found 'region' alone" },
    { { "quick=yes" }, "f:4:10: expected 'quick' alone, found a value after it" },
    { { "quick", "tries=1", "quick" }, "f:4:30: option 'quick' is given twice" },
    { { "region=a", "region=a" }, "f:4:20: option 'region' is given twice" },
    { { "tries=many" }, "f:4:10: option 'tries': expected a decimal number, found 'many'" },
    { { "wait=10" }, "option 'wait': expected a time such as 500ms" },
    { { "most=1T" }, "option 'most': expected bytes, or a number with K, M or G, found '1T'" },
    { { "path=x" }, "option 'path': expected a path that begins with / or ~/, found 'x'" },
    { { "path=~root/x" }, "expected a path" },
    { { "mode=" }, "option 'mode': expected one of fast|slow|none, found ''" },
    { { "mode=slo" }, "found 'slo'" },
    { { "mode=fast|slow" }, "found 'fast|slow'" },
};

START_TEST(other_options_are_refused)
{
    struct kt_arg *args = NULL;
    struct kt_err err;
    size_t n = 77;

    ck_assert_int_eq(parse(table, refused[_i].words, &args, &n, &err), KT_CONFIG_ERROR);
    ck_assert_msg(strstr(err.msg, refused[_i].says) != NULL, "%s", err.msg);
    ck_assert_ptr_null(strstr(err.msg, "sk-secret"));
    ck_assert_ptr_null(args);
    ck_assert_uint_eq(n, 77);
}
END_TEST

START_TEST(a_module_without_options_takes_none)
{
    const char *const words[] = { "x=1", NULL }, *const nothing[] = { NULL };
    struct kt_arg *args = NULL;
    struct kt_err err;
    size_t n = 1;

    ck_assert_int_eq(parse(NULL, nothing, &args, &n, &err), KT_SUCCESS);
    ck_assert_uint_eq(n, 0);
    kt_options_free(args, n);
    ck_assert_int_eq(parse(NULL, words, &args, &n, &err), KT_CONFIG_ERROR);
    ck_assert_str_eq(err.msg, "f:4:10: unknown option 'x': expected none");
}
END_TEST

START_TEST(messages_say_where_a_continued_line_goes_on)
{
    struct kt_word w = { .text = (char *)"x", .column = 3, .lineno = 6 };
    struct kt_arg *args;
    struct kt_err err;
    size_t n;

    ck_assert_int_eq(kt_options_parse(NULL, &w, 1, "f:4", &args, &n, &err), KT_CONFIG_ERROR);
    ck_assert_str_eq(err.msg, "f:4, at 6:3: unknown option 'x': expected none");
    w.column = 0; /* a verb's words stand nowhere */
    ck_assert_int_eq(kt_options_parse(NULL, &w, 1, "keyturn file", &args, &n, &err),
                     KT_CONFIG_ERROR);
    ck_assert_str_eq(err.msg, "keyturn file: unknown option 'x': expected none");
}
END_TEST

START_TEST(a_path_may_begin_at_home)
{
    static const struct kt_option at_home[] = { { "path", KT_OPTION_PATH, "~/d", "" },
                                                { NULL, KT_OPTION_STRING, NULL, NULL } };
    const char *const words[] = { "path=~/a/b", NULL }, *const nothing[] = { NULL };
    struct kt_arg *args;
    struct kt_err err;
    size_t n;

    ck_assert_int_eq(parse(at_home, words, &args, &n, &err), KT_SUCCESS);
    ck_assert_int_eq(args[0].value[0], '/');
    ck_assert_str_eq(args[0].value + strlen(args[0].value) - 4, "/a/b");
    kt_options_free(args, n);
    ck_assert_int_eq(parse(at_home, nothing, &args, &n, &err), KT_SUCCESS);
    ck_assert_str_eq(args[0].value + strlen(args[0].value) - 2, "/d");
    kt_options_free(args, n);
}
END_TEST

START_TEST(a_default_of_another_type_is_refused)
{
    static const struct kt_option bad[] = { { "a", KT_OPTION_STRING, "x", "" },
                                            { "wait", KT_OPTION_DURATION, "soon", "" },
                                            { NULL, KT_OPTION_STRING, NULL, NULL } };
    const char *const nothing[] = { NULL };
    struct kt_arg *args;
    struct kt_err err;
    size_t n;

    ck_assert_int_eq(parse(bad, nothing, &args, &n, &err), KT_CONFIG_ERROR);
    ck_assert_str_eq(err.msg,
                     "f:4: option 'wait': expected a time such as 500ms, 10s, 5m, 6h or 7d, "
                     "found 'soon'");
}
END_TEST

int main(void)
{
    Suite *s = suite_create("options");
    TCase *c = tcase_create("options");

    tcase_add_loop_test(c, numbers_have_one_spelling, 0, ROWS(numbers));
    tcase_add_loop_test(c, options_are_given_or_have_a_default, 0, ROWS(given));
    tcase_add_loop_test(c, other_options_are_refused, 0, ROWS(refused));
    tcase_add_test(c, a_module_without_options_takes_none);
    tcase_add_test(c, messages_say_where_a_continued_line_goes_on);
    tcase_add_test(c, a_path_may_begin_at_home);
    tcase_add_test(c, a_default_of_another_type_is_refused);
    suite_add_tcase(s, c);
    return kt_harness_run(s);
}
