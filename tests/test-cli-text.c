/* SPDX-License-Identifier: Apache-2.0 */
/* Times, durations and text of keyturn(1). */
#include "cli/cli.h"

#include "harness.h"

#include <string.h>
#include <time.h>

static const struct {
    const char *text;
    int64_t ms;
} times[] = {
    { "1970-01-01T00:00:01Z", 1000 },
    { "2000-02-29T12:00:00Z", 951825600000 },
    { "2026-03-01T00:00:00.5Z", 1772323200500 },
    { "2026-03-01T00:00:00.123456789z", 1772323200123 },
    { "2026-03-01t01:30:00+01:30", 1772323200000 },
    { "2026-02-28 19:00:00-05:00", 1772323200000 },
    { "2016-12-31T23:59:60Z", 1483228799000 },
    { "9999-12-31T23:59:59Z", 253402300799000 },
    { "0001-01-01T00:00:00Z", -62135596800000 },
    { "1969-12-31T23:59:59Z", -1000 },
};

START_TEST(times_are_rfc_3339)
{
    int64_t ms = 0;

    ck_assert_msg(when_parse(times[_i].text, &ms), "%s", times[_i].text);
    ck_assert_int_eq(ms, times[_i].ms);
}
END_TEST

static const char *const no_times[] = {
    "",
    "2026-03-01",
    "2026-03-01T00:00:00",
    "2026-3-1T00:00:00Z",
    "2026-13-01T00:00:00Z",
    "2026-00-01T00:00:00Z",
    "2026-02-29T00:00:00Z",
    "1900-02-29T00:00:00Z",
    "2026-04-31T00:00:00Z",
    "2026-03-01T24:00:00Z",
    "2026-03-01T00:60:00Z",
    "2026-03-01T00:00:61Z",
    "2026-03-01T00:00:00.Z",
    "2026-03-01T00:00:00+0100",
    "2026-03-01T00:00:00+24:00",
    "2026-03-01T00:00:00Z ",
    "90",
    "-5d",
    "5 d",
    "5D",
    "d",
    "9223372036854775807d",
    "99999999999999999999s",
};

START_TEST(other_things_are_no_times)
{
    int64_t ms = 42;

    ck_assert_msg(!when_parse(no_times[_i], &ms), "%s", no_times[_i]);
}
END_TEST

START_TEST(a_duration_counts_from_now)
{
    int64_t ms, now = (int64_t)time(NULL) * 1000;

    ck_assert(when_parse("90d", &ms));
    ck_assert_int_ge(ms, now + 90 * 86400000LL - 1000);
    ck_assert_int_le(ms, now + 90 * 86400000LL + 60000);
}
END_TEST

static const struct {
    const char *text;
    int64_t ms;
} durations[] = {
    { "0", 0 },          { "0s", 0 },
    { "500ms", 500 },    { "10s", 10000 },
    { "5m", 300000 },    { "6h", 21600000 },
    { "7d", 604800000 }, { "9223372036854775807ms", INT64_MAX },
};

START_TEST(durations_have_units)
{
    int64_t ms = -1;

    ck_assert_msg(when_duration(durations[_i].text, &ms), "%s", durations[_i].text);
    ck_assert_int_eq(ms, durations[_i].ms);
}
END_TEST

START_TEST(what_was_formatted_is_parsed_again)
{
    /* a day apart but for a prime of milliseconds, from year 1 to year 9999 */
    for (int64_t ms = -62135596800000; ms <= 253402300799000; ms += 86400000LL * 97 + 7919) {
        char buf[WHEN_SIZE];
        int64_t back = 0;

        if (ms == 0)
            continue;
        ck_assert_msg(when_parse(when_format(ms, true, buf), &back), "%s", buf);
        ck_assert_msg(back == ms, "%s", buf);
    }
}
END_TEST

START_TEST(what_no_year_can_tell_is_empty)
{
    char buf[WHEN_SIZE];

    ck_assert_str_eq(when_format(0, true, buf), "");
    ck_assert_str_eq(when_format(INT64_MAX, true, buf), "");
    ck_assert_str_eq(when_format(INT64_MIN, true, buf), "");
    ck_assert_str_eq(when_format(1000, false, buf), "1970-01-01T00:00:01Z");
    ck_assert_str_eq(when_format(1001, true, buf), "1970-01-01T00:00:01.001Z");
}
END_TEST

static const struct {
    int64_t ms;
    const char *text;
} spans[] = {
    { -1, "" },          { 0, "0ms" },
    { 999, "999ms" },    { 1500, "1.5s" },
    { 59000, "59s" },    { 179000, "179s" },
    { 180000, "3m" },    { 10800000, "3h" },
    { 259200000, "3d" }, { INT64_MAX, "106751991167d" },
};

START_TEST(spans_are_short)
{
    char buf[WHEN_SIZE];

    ck_assert_str_eq(when_span(spans[_i].ms, buf), spans[_i].text);
}
END_TEST

static const struct {
    const char *bytes;
    size_t len;
    size_t want;
} characters[] = {
    { "a", 1, 1 },
    { "\x7f", 1, 1 },
    { "\xc3\xa9", 2, 2 },
    { "\xe2\x82\xac", 3, 3 },
    { "\xf0\x9f\x94\x91", 4, 4 },
    { "\xf4\x8f\xbf\xbf", 4, 4 },
    { "\xe2\x82", 2, 0 }, /* cut short */
    { "\x80", 1, 0 },     /* in the middle */
    { "\xc0\x80", 2, 0 }, /* overlong */
    { "\xc1\xbf", 2, 0 },
    { "\xe0\x9f\xbf", 3, 0 },
    { "\xf0\x8f\xbf\xbf", 4, 0 },
    { "\xed\xa0\x80", 3, 0 },     /* surrogate */
    { "\xf4\x90\x80\x80", 4, 0 }, /* past the last */
    { "\xf5\x80\x80\x80", 4, 0 },
    { "\xc3\x28", 2, 0 },
    { "", 0, 0 },
};

START_TEST(utf8_is_strict)
{
    ck_assert_uint_eq(utf8_length((const unsigned char *)characters[_i].bytes, characters[_i].len),
                      characters[_i].want);
}
END_TEST

START_TEST(a_terminal_sees_no_controls)
{
    ck_assert(!text_has_controls("line\r\n\ttab \xc3\xa9", 13));
    ck_assert(text_has_controls("\x1b[2J", 4));
    ck_assert(text_has_controls("a\x7f", 2));
    ck_assert(text_has_controls("\xc2\x9b", 2)); /* CSI in one character */
    ck_assert(text_has_controls("\xff", 1));
    ck_assert(text_has_controls("\0", 1));
    ck_assert(text_is_plain("\x1b", 1));
    ck_assert(!text_is_plain("a\0b", 3));
}
END_TEST

#define COUNT(a) (int)(sizeof(a) / sizeof((a)[0]))

int main(void)
{
    Suite *s = suite_create("cli text");
    TCase *t = tcase_create("text");

    tcase_add_loop_test(t, times_are_rfc_3339, 0, COUNT(times));
    tcase_add_loop_test(t, other_things_are_no_times, 0, COUNT(no_times));
    tcase_add_test(t, a_duration_counts_from_now);
    tcase_add_loop_test(t, durations_have_units, 0, COUNT(durations));
    tcase_add_test(t, what_was_formatted_is_parsed_again);
    tcase_add_test(t, what_no_year_can_tell_is_empty);
    tcase_add_loop_test(t, spans_are_short, 0, COUNT(spans));
    tcase_add_loop_test(t, utf8_is_strict, 0, COUNT(characters));
    tcase_add_test(t, a_terminal_sees_no_controls);
    suite_add_tcase(s, t);
    return kt_harness_run(s);
}
