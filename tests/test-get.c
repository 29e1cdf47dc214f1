/* SPDX-License-Identifier: Apache-2.0 */

/* What a get answers, from where, and by when. Ages are test-age.c's. */

#include "scene.h"

#include <stdlib.h>
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

/* ---- whose answer it is ---------------------------------------------------------------------- */

START_TEST(the_value_is_the_first_granters)
{
    struct kt_handle *h = scene_open(s, "t",
                                     "# one comment\n"
                                     "read optional debug get=not_found\n"
                                     "read required \\\n   debug value=one id=debug:7\n"
                                     "read required debug value=two id=debug:8\n");
    struct kt_secret *v = NULL;

    ck_assert_int_eq(kt_get(h, "a", NULL, &v, NULL), KT_SUCCESS);
    kt_close(h);
    /* The value outlives the handle. */
    const struct kt_info *i = kt_secret_info(v);
    ck_assert_str_eq(kt_secret_data(v), "one");
    ck_assert_uint_eq(kt_secret_len(v), 3);
    ck_assert_str_eq(i->id, "debug:7");
    ck_assert_str_eq(i->module, "debug");
    ck_assert_uint_eq(i->line, 3);
    ck_assert_ptr_nonnull(strstr(i->file, "/config/t"));
    ck_assert_uint_eq(i->flags, 0);
    ck_assert_int_eq(i->age_ms, 0);
    ck_assert_uint_eq(i->state, KT_STATE_ENABLED);
    kt_secret_free(v);
}
END_TEST

START_TEST(a_later_line_vetoes_and_leaves_the_output_alone)
{
    struct kt_handle *h = scene_open(s, "t",
                                     "read required debug value=one\n"
                                     "read required debug get=locked\n");
    struct kt_secret *v = (struct kt_secret *)s;
    struct kt_err err = { 0 };
    char buf[8] = "before";
    size_t len = 4711;
    struct kt_info info = { .age_ms = 4711 };

    ck_assert_int_eq(kt_get(h, "a", NULL, &v, &err), KT_LOCKED);
    ck_assert_ptr_eq(v, s);
    ck_assert_int_eq(err.status, KT_LOCKED);
    ck_assert_msg(strstr(err.msg, "/config/t:2") != NULL, "no place in: %s", err.msg);
    ck_assert_int_eq(kt_get_into(h, "a", NULL, buf, sizeof(buf), &len, &info, NULL), KT_LOCKED);
    ck_assert_str_eq(buf, "before");
    ck_assert_uint_eq(len, 4711);
    ck_assert_int_eq(info.age_ms, 4711);
    kt_close(h);
}
END_TEST

START_TEST(a_reset_brings_the_first_granters_value_back)
{
    struct kt_handle *h;

    scene_write(s, "sub",
                "read required debug get=denied\nread [default=reset] debug get=ignore\n");
    h = scene_open(s, "t",
                   "read required debug value=one\nread substack sub\n"
                   "read required debug value=two\n");
    scene_expect(h, "a", "one", KT_SUCCESS);
    kt_close(h);
}
END_TEST

START_TEST(an_included_line_is_told_by_its_own_file)
{
    struct kt_handle *h;
    struct kt_secret *v = NULL;

    scene_write(s, "other", "\n\nread required debug value=deep\n");
    h = scene_open(s, "t", "read include other\n");
    ck_assert_int_eq(kt_get(h, "a", NULL, &v, NULL), KT_SUCCESS);
    ck_assert_uint_eq(kt_secret_info(v)->line, 3);
    ck_assert_ptr_nonnull(strstr(kt_secret_info(v)->file, "/config/other"));
    kt_secret_free(v);
    kt_close(h);
}
END_TEST

static const struct {
    const char *title;
    const char *stack;
    int want;
    const char *steps;
} answers[] = {
    { "config_error ends the call", "read optional debug get=config_error\nread required debug\n",
      KT_CONFIG_ERROR, "1:config_error" },
    { "an option that is none is config_error",
      "read optional debug give=all\nread required debug\n", KT_CONFIG_ERROR, NULL },
    { "an option's value that is none is config_error",
      "read optional debug get=perhaps\nread required debug\n", KT_CONFIG_ERROR, NULL },
    { "a module that answers cancelled cancels nothing",
      "read optional debug get=cancelled\nread required debug\n", KT_SUCCESS,
      "1:cancelled 2:success" },
    { "a facility without lines", "write required mock_good\n", KT_UNSUPPORTED, "" },
    { "no lines at all", "# nothing\n", KT_UNSUPPORTED, "" },
    { "a module that is not installed, behind a dash",
      "-read sufficient nobody_has_this max-stale=1h\nread required debug\n", KT_SUCCESS,
      "(1:unavailable) 2:success" },
    { "only modules that are not installed", "-read sufficient nobody_has_this\n", KT_UNAVAILABLE,
      "(1:unavailable)" },
    { "not found, and could not ask",
      "read optional debug get=not_found\n"
      "read optional debug get=unavailable\nread optional debug get=not_found\n",
      KT_UNAVAILABLE, "1:not_found 2:unavailable 3:not_found" },
    { "fallback passes over what could not be asked",
      "read fallback debug get=throttled\nread required debug\n", KT_SUCCESS,
      "1:throttled 2:success" },
    { "fallback believes a refusal", "read fallback debug get=denied\nread required debug\n",
      KT_DENIED, "1:denied" },
    { "front believes not_found", "read front debug get=not_found\nread required debug\n",
      KT_NOT_FOUND, "1:not_found" },
    { "a short descriptor answers", "read required mock_short\n", KT_SUCCESS, "1:success" },
    { "a newer descriptor answers", "read required mock_newer\n", KT_SUCCESS, "1:success" },
    { "a member of a JSON object", "read required debug value={\"a\":\"x\"} field=a\n", KT_SUCCESS,
      "1:success" },
    { "a member that is missing", "read required debug value={\"a\":\"x\"} field=b\n", KT_NOT_FOUND,
      "1:not_found" },
    { "a member of no JSON object", "read required debug value=x field=b\n", KT_CORRUPT,
      "1:corrupt" },
};

START_TEST(a_stack_answers_as_its_row_says)
{
    struct kt_handle *h = scene_open(s, "t", "%s", answers[_i].stack);
    const char *steps;

    if (answers[_i].want == KT_SUCCESS) {
        int status;

        (void)scene_get(h, "a", NULL, &status, NULL);
        ck_assert_msg(status == KT_SUCCESS, "%s: %s", answers[_i].title, kt_status_name(status));
    } else {
        scene_expect(h, "a", NULL, answers[_i].want);
    }
    steps = scene_steps(h, "a", NULL);
    ck_assert_msg(answers[_i].steps == NULL || strcmp(steps, answers[_i].steps) == 0, "%s: %s",
                  answers[_i].title, steps);
    kt_close(h);
}
END_TEST

/* ---- modules that lie ------------------------------------------------------------------------- */

static const struct {
    const char *lie;
    int want;
} lies[] = {
    { "nothing", KT_MODULE_ERROR }, { "twice", KT_MODULE_ERROR }, { "status", KT_MODULE_ERROR },
    { "large", KT_MODULE_ERROR },   { "id", KT_MODULE_ERROR },    { "no-id", KT_MODULE_ERROR },
    { "mute", KT_UNAVAILABLE },
};

START_TEST(a_lie_is_noticed_and_no_control_forgives_it)
{
    struct kt_handle *h = scene_open(s, "t", "read required mock_liar lie=%s\n", lies[_i].lie);

    scene_expect(h, "a", NULL, lies[_i].want);
    kt_close(h);
    h = scene_open(s, "t", "read optional mock_liar lie=%s max-stale=none\nread required debug\n",
                   lies[_i].lie);
    if (lies[_i].want == KT_MODULE_ERROR)
        scene_expect(h, "a", NULL, KT_MODULE_ERROR);
    else
        scene_expect(h, "a", "debug", KT_SUCCESS);
    kt_close(h);
}
END_TEST

START_TEST(another_version_than_wanted_is_no_answer)
{
    struct kt_handle *h = scene_open(s, "t", "read required mock_liar lie=version\n");
    int status;

    (void)scene_get(h, "a", GET_OPTIONS(.version = "mock:wanted"), &status, NULL);
    ck_assert_int_eq(status, KT_MODULE_ERROR);
    kt_close(h);
}
END_TEST

/* ---- deadlines --------------------------------------------------------------------------------- */

static const struct {
    const char *title;
    const char *stack;
    int64_t timeout_ms;
    int want;
    int64_t over_ms; /* by the clockwork it may not take longer */
} waits[] = {
    { "a hanging first line has half",
      "read fallback mock_hang max-stale=1h\nread required debug\n", 60, KT_SUCCESS, 50 },
    { "timeout= has its say",
      "read fallback mock_hang max-stale=1h timeout=20ms\nread required debug\n", 60000, KT_SUCCESS,
      50 },
    { "two hanging lines have half and a quarter",
      "read fallback mock_hang max-stale=1h\nread fallback mock_hang max-stale=2h\n"
      "read required debug\n",
      80, KT_SUCCESS, 75 },
    { "the last line has all that is left", "read required mock_hang\n", 40, KT_TIMEOUT, 50 },
    { "an answer that is slow and in time", "read required mock_slow delay=20ms\n", 60000,
      KT_SUCCESS, 50 },
    { "an answer that would be late", "read required mock_slow delay=1h\n", 40, KT_TIMEOUT, 50 },
};

START_TEST(no_line_outlasts_the_deadline)
{
    struct kt_handle *h = scene_open(s, "t", "%s", waits[_i].stack);
    int64_t begin, took;
    int status;

    s->clockwork = true;
    begin = scene_now_ms(s, KT_CLOCK_MONOTONIC);
    (void)scene_get(h, "a", GET_OPTIONS(.timeout_ms = waits[_i].timeout_ms), &status, NULL);
    took = scene_now_ms(s, KT_CLOCK_MONOTONIC) - begin;
    ck_assert_msg(status == waits[_i].want, "%s: %s", waits[_i].title, kt_status_name(status));
    ck_assert_msg(took <= waits[_i].over_ms, "%s: %lld ms", waits[_i].title, (long long)took);
    kt_close(h);
}
END_TEST

/* ---- what the caller may ask for -------------------------------------------------------------- */

START_TEST(versions_and_stages_are_served)
{
    struct kt_handle *h = scene_open(s, "t", "read required mock_good\nwrite required mock_good\n");
    const struct kt_put_options pending = { .size = sizeof(pending), .stage = "pending" };
    char one[KT_ID_SIZE], two[KT_ID_SIZE], three[KT_ID_SIZE];
    struct kt_info info;
    int status;

    scene_put(h, "a", "1", one);
    ck_assert_str_eq(scene_get(h, "a", GET_OPTIONS(.stage = "previous"), &status, NULL), "");
    ck_assert_int_eq(status, KT_NOT_FOUND);
    scene_put(h, "a", "2", two);
    ck_assert_int_eq(kt_put(h, "a", "3", 1, &pending, three, NULL), KT_SUCCESS);

    ck_assert_str_eq(scene_get(h, "a", NULL, &status, &info), "2");
    ck_assert_str_eq(info.id, two);
    ck_assert_uint_eq(info.stages & KT_STAGE_CURRENT, KT_STAGE_CURRENT);
    ck_assert_str_eq(scene_get(h, "a", GET_OPTIONS(.stage = "current"), &status, NULL), "2");
    ck_assert_str_eq(scene_get(h, "a", GET_OPTIONS(.stage = "previous"), &status, NULL), "1");
    ck_assert_str_eq(scene_get(h, "a", GET_OPTIONS(.stage = "pending"), &status, &info), "3");
    ck_assert_str_eq(info.id, three);
    ck_assert_str_eq(scene_get(h, "a", GET_OPTIONS(.version = one), &status, NULL), "1");
    ck_assert_str_eq(scene_get(h, "a", GET_OPTIONS(.version = "mock:none"), &status, NULL), "");
    ck_assert_int_eq(status, KT_NOT_FOUND);
    kt_close(h);
}
END_TEST

START_TEST(not_version_passes_copies_over_and_flags_the_authoritys)
{
    struct kt_handle *h = scene_open(s, "t",
                                     "read front cache\nread required mock_good\n"
                                     "write required mock_good\n");
    struct kt_handle *elsewhere = scene_open(s, "u",
                                             "read required mock_good\n"
                                             "write required mock_good\n");
    char one[KT_ID_SIZE], two[KT_ID_SIZE];
    struct kt_info info;
    int status;

    scene_put(elsewhere, "a", "1", one);
    scene_expect(h, "a", "1", KT_SUCCESS);
    ck_assert_str_eq(scene_steps(h, "a", NULL), "1:success");

    ck_assert_str_eq(scene_get(h, "a", GET_OPTIONS(.not_version = one), &status, &info), "1");
    ck_assert_uint_eq(info.flags & KT_FLAG_SAME, KT_FLAG_SAME);
    ck_assert_uint_eq(info.line, 2);

    scene_put(elsewhere, "a", "2", two);
    scene_expect(h, "a", "1", KT_SUCCESS);
    ck_assert_str_eq(scene_get(h, "a", GET_OPTIONS(.not_version = one), &status, &info), "2");
    ck_assert_uint_eq(info.flags & KT_FLAG_SAME, 0);
    ck_assert_str_eq(info.id, two);
    /* What was learnt so is in the cache now. */
    scene_expect(h, "a", "2", KT_SUCCESS);
    ck_assert_str_eq(scene_steps(h, "a", NULL), "1:success");
    kt_close(elsewhere);
    kt_close(h);
}
END_TEST

static const struct {
    const char *title;
    const char *name;
    int want;
} names[] = {
    { "empty", "", KT_INVALID },
    { "ours", ".keyturn/rotation/a", KT_INVALID },
    { "ours, bare", ".keyturn", KT_INVALID },
    { "an empty part", "a//b", KT_INVALID },
    { "a slash at the end", "a/", KT_INVALID },
    { "a part of dots", "a/../b", KT_INVALID },
    { "a blank", "a b", KT_INVALID },
    { "a newline", "a\n", KT_INVALID },
    { "all that is allowed", "A-z_0.9+=@/..a/...", KT_SUCCESS },
};

START_TEST(a_name_that_breaks_the_rules_is_refused)
{
    struct kt_handle *h = scene_open(s, "t", "read required debug\n");
    int status;

    (void)scene_get(h, names[_i].name, NULL, &status, NULL);
    ck_assert_msg(status == names[_i].want, "%s: %s", names[_i].title, kt_status_name(status));
    kt_close(h);
}
END_TEST

START_TEST(a_name_over_the_limit_is_refused)
{
    struct kt_handle *h = scene_open(s, "t", "read required debug\n");
    char name[KT_NAME_MAX + 2];
    int status;

    memset(name, 'a', sizeof(name));
    name[KT_NAME_MAX + 1] = '\0';
    (void)scene_get(h, name, NULL, &status, NULL);
    ck_assert_int_eq(status, KT_TOO_LARGE);
    name[KT_NAME_MAX] = '\0';
    (void)scene_get(h, name, NULL, &status, NULL);
    ck_assert_int_eq(status, KT_SUCCESS);
    kt_close(h);
}
END_TEST

START_TEST(options_that_break_the_rules_are_refused)
{
    struct kt_handle *h = scene_open(s, "t", "read required debug\n");
    const struct kt_get_options rows[] = {
        { .size = sizeof(rows[0]) + 8 },
        { .size = 0 },
        { .size = sizeof(rows[0]), .timeout_ms = -1 },
        { .size = sizeof(rows[0]), .timeout_ms = DAY + 1 },
        { .size = sizeof(rows[0]), .bound_age = true, .max_age_ms = -1 },
        { .size = sizeof(rows[0]), .stage = "next" },
        { .size = sizeof(rows[0]), .stage = "previous", .version = "debug:1" },
        { .size = sizeof(rows[0]), .version = "no id\n" },
        { .size = sizeof(rows[0]), .version = "" },
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct kt_secret *v = NULL;
        struct kt_err err = { 0 };

        ck_assert_msg(kt_get(h, "a", &rows[i], &v, &err) == KT_INVALID, "row %zu", i);
        ck_assert_ptr_null(v);
        ck_assert_int_eq(err.status, KT_INVALID);
        ck_assert_str_ne(err.msg, "");
    }
    kt_close(h);
}
END_TEST

START_TEST(a_buffer_that_is_too_small_is_told_the_size)
{
    struct kt_handle *h = scene_open(s, "t", "read required debug value=12345\n");
    char buf[5] = "abcde";
    size_t len = 0;

    ck_assert_int_eq(kt_get_into(h, "a", NULL, buf, 4, &len, NULL, NULL), KT_TOO_LARGE);
    ck_assert_uint_eq(len, 5);
    ck_assert_mem_eq(buf, "abcde", 5);
    ck_assert_int_eq(kt_get_into(h, "a", NULL, buf, 5, &len, NULL, NULL), KT_SUCCESS);
    ck_assert_uint_eq(len, 5);
    ck_assert_mem_eq(buf, "12345", 5);
    kt_close(h);
}
END_TEST

/* ---- bytes and times ------------------------------------------------------------------------- */

START_TEST(bytes_come_out_as_they_went_in)
{
    struct kt_handle *h = scene_open(s, "t",
                                     "read front cache\nread required mock_good\n"
                                     "write required mock_good\n");
    static char big[KT_VALUE_MAX];
    const struct {
        const char *data;
        size_t len;
    } rows[] = { { "", 0 },       { "\n", 1 },         { "\0", 1 },  { "a\0b\r\n\xff\xfe", 7 },
                 { "line\n", 5 }, { big, 511 },        { big, 512 }, { big, 513 },
                 { big, 16384 },  { big, sizeof(big) } };

    for (size_t i = 0; i < sizeof(big); i++)
        big[i] = (char)(i * 7 + i / 251);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct kt_secret *v = NULL;

        ck_assert_int_eq(kt_put(h, "a", rows[i].data, rows[i].len, NULL, NULL, NULL), KT_SUCCESS);
        for (int again = 0; again < 2; again++) { /* from the store, then from the cache */
            ck_assert_int_eq(kt_get(h, "a", NULL, &v, NULL), KT_SUCCESS);
            ck_assert_uint_eq(kt_secret_len(v), rows[i].len);
            ck_assert_int_eq(memcmp(kt_secret_data(v), rows[i].data, rows[i].len), 0);
            ck_assert_int_eq(((const char *)kt_secret_data(v))[rows[i].len], '\0');
            kt_secret_free(v);
        }
    }
    kt_close(h);
}
END_TEST

static const struct {
    const char *title;
    int64_t expires_ms; /* from now; 0 none */
    int64_t not_before_ms;
    const char *option;
    int want;
    uint32_t flags;
} validity[] = {
    { "valid", HOUR, -HOUR, "", KT_SUCCESS, 0 },
    { "past its expiry, warned", -HOUR, 0, "", KT_SUCCESS, KT_FLAG_EXPIRED },
    { "past its expiry, enforced", -HOUR, 0, "expiry=enforce", KT_EXPIRED, 0 },
    { "not valid yet, warned", 0, HOUR, "expiry=warn", KT_SUCCESS, KT_FLAG_NOT_YET },
    { "not valid yet, enforced", 0, HOUR, "expiry=enforce", KT_NOT_YET, 0 },
};

START_TEST(expiry_warns_or_is_enforced)
{
    struct kt_handle *h = scene_open(s, "t",
                                     "read front cache\nread required mock_good %s\n"
                                     "write required mock_good\n",
                                     validity[_i].option);
    const int64_t now = scene_now_ms(s, KT_CLOCK_WALL);
    const struct kt_put_options o = {
        .size = sizeof(o),
        .expires_ms = validity[_i].expires_ms != 0 ? now + validity[_i].expires_ms : 0,
        .not_before_ms = validity[_i].not_before_ms != 0 ? now + validity[_i].not_before_ms : 0,
    };
    struct kt_err err = { 0 };
    struct kt_info info;
    int status;

    ck_assert_msg(kt_put(h, "a", "v", 1, &o, NULL, &err) == KT_SUCCESS, "%s", err.msg);
    for (int again = 0; again < 2; again++) { /* a cache above changes nothing */
        (void)scene_get(h, "a", NULL, &status, &info);
        ck_assert_msg(status == validity[_i].want, "%s: %s", validity[_i].title,
                      kt_status_name(status));
        if (status == KT_SUCCESS) {
            ck_assert_uint_eq(info.flags & ~KT_FLAG_COPY, validity[_i].flags);
            ck_assert_int_eq(info.expires_ms, o.expires_ms);
            ck_assert_int_eq(info.not_before_ms, o.not_before_ms);
        }
    }
    kt_close(h);
}
END_TEST

START_TEST(attributes_come_with_the_value)
{
    struct kt_handle *h = scene_open(s, "t",
                                     "read front cache\nread required mock_good\n"
                                     "write required mock_good\n");
    const struct kt_attr attrs[] = { { "owner", "us" }, { "account", "4711" } };
    const struct kt_put_options o = { .size = sizeof(o), .attrs = attrs, .nattrs = 2 };

    ck_assert_int_eq(kt_put(h, "a", "v", 1, &o, NULL, NULL), KT_SUCCESS);
    for (int again = 0; again < 2; again++) {
        struct kt_secret *v = NULL;

        ck_assert_int_eq(kt_get(h, "a", NULL, &v, NULL), KT_SUCCESS);
        const struct kt_info *info = kt_secret_info(v);
        ck_assert_uint_eq(info->nattrs, 2);
        for (size_t i = 0; i < 2; i++) {
            const struct kt_attr *want = &attrs[strcmp(info->attrs[i].key, "owner") == 0 ? 0 : 1];

            ck_assert_str_eq(info->attrs[i].key, want->key);
            ck_assert_str_eq(info->attrs[i].value, want->value);
        }
        kt_secret_free(v);
    }
    kt_close(h);
}
END_TEST

/* ---- what is loaded ---------------------------------------------------------------------------- */

START_TEST(a_get_answered_by_the_first_line_maps_no_later_module)
{
    struct kt_handle *h = scene_open(s, "t",
                                     "read sufficient debug value=first\n"
                                     "read required mock_slow delay=1ms\n");
    const char *const maps = "/proc/self/maps";

    scene_expect(h, "a", "first", KT_SUCCESS);
    ck_assert_ptr_nonnull(strstr(scene_read(maps), "/debug.so"));
    ck_assert_ptr_null(strstr(scene_read(maps), "/mock_slow.so"));
    kt_close(h);

    /* The same test is right: asked, it is there. */
    h = scene_open(s, "t",
                   "read sufficient debug get=unavailable\n"
                   "read required mock_slow delay=1ms\n");
    ck_assert_ptr_null(strstr(scene_read(maps), "/mock_slow.so"));
    scene_expect(h, "a", "slow", KT_SUCCESS);
    ck_assert_ptr_nonnull(strstr(scene_read(maps), "/mock_slow.so"));
    kt_close(h);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("get");
    TCase *tc = tcase_create("get");

    tcase_add_checked_fixture(tc, set_up, tear_down);
    /* First: where nothing forks, the others load what it must not find. */
    tcase_add_test(tc, a_get_answered_by_the_first_line_maps_no_later_module);
    tcase_add_test(tc, the_value_is_the_first_granters);
    tcase_add_test(tc, a_later_line_vetoes_and_leaves_the_output_alone);
    tcase_add_test(tc, a_reset_brings_the_first_granters_value_back);
    tcase_add_test(tc, an_included_line_is_told_by_its_own_file);
    scene_add_rows(tc, a_stack_answers_as_its_row_says, answers);
    scene_add_rows(tc, a_lie_is_noticed_and_no_control_forgives_it, lies);
    tcase_add_test(tc, another_version_than_wanted_is_no_answer);
    scene_add_rows(tc, no_line_outlasts_the_deadline, waits);
    tcase_add_test(tc, versions_and_stages_are_served);
    tcase_add_test(tc, not_version_passes_copies_over_and_flags_the_authoritys);
    scene_add_rows(tc, a_name_that_breaks_the_rules_is_refused, names);
    tcase_add_test(tc, a_name_over_the_limit_is_refused);
    tcase_add_test(tc, options_that_break_the_rules_are_refused);
    tcase_add_test(tc, a_buffer_that_is_too_small_is_told_the_size);
    tcase_add_test(tc, bytes_come_out_as_they_went_in);
    scene_add_rows(tc, expiry_warns_or_is_enforced, validity);
    tcase_add_test(tc, attributes_come_with_the_value);
    suite_add_tcase(suite, tc);
    return kt_harness_run(suite);
}
