/* SPDX-License-Identifier: Apache-2.0 */
#include "servicefile.h"

#include "core/policy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MINUTE 60000LL
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)
#define STORE "read required mock_store\n"

static const struct {
    const char *keys;
    struct kt_policy want;
} policies[] = {
    { "",
      { .rotate_ms = 21 * DAY,
        .grace_ms = 7 * DAY,
        .expire_ms = 30 * DAY,
        .renew_before_ms = HOUR,
        .keep = 5,
        .window_from = -1,
        .window_to = -1 } },
    { "profile=quarterly",
      { .rotate_ms = 90 * DAY,
        .grace_ms = 7 * DAY,
        .expire_ms = 120 * DAY,
        .renew_before_ms = HOUR,
        .keep = 5,
        .window_from = -1,
        .window_to = -1 } },
    { "profile=daily",
      { .rotate_ms = DAY,
        .grace_ms = 6 * HOUR,
        .expire_ms = 30 * DAY,
        .renew_before_ms = HOUR,
        .keep = 5,
        .window_from = -1,
        .window_to = -1 } },
    { "grace=8h profile=daily keep=0", /* what the line says stands over the profile */
      { .rotate_ms = DAY,
        .grace_ms = 8 * HOUR,
        .expire_ms = 30 * DAY,
        .renew_before_ms = HOUR,
        .keep = 0,
        .window_from = -1,
        .window_to = -1 } },
    { "issuer=spare rotate=10d grace=2d expire=20d renew-before=2h window=22:30-04:00Z jitter=30m "
      "keep=9 allow-outage lease=locks/deepseek/rotate",
      { .rotate_ms = 10 * DAY,
        .grace_ms = 2 * DAY,
        .expire_ms = 20 * DAY,
        .renew_before_ms = 2 * HOUR,
        .jitter_ms = 30 * MINUTE,
        .keep = 9,
        .issuer = "spare",
        .lease = "locks/deepseek/rotate",
        .window_from = 1350,
        .window_to = 240,
        .window_utc = true,
        .allow_outage = true } },
    { "window=00:00-23:59",
      { .rotate_ms = 21 * DAY,
        .grace_ms = 7 * DAY,
        .expire_ms = 30 * DAY,
        .renew_before_ms = HOUR,
        .keep = 5,
        .window_from = 0,
        .window_to = 1439 } },
    { "rotate=0 expire=0 grace=0",
      { .renew_before_ms = HOUR, .keep = 5, .window_from = -1, .window_to = -1 } },
};

static void same_text(const char *is, const char *want)
{
    ck_assert_int_eq(is != NULL, want != NULL);
    if (is != NULL)
        ck_assert_str_eq(is, want);
}

START_TEST(policies_have_keys_and_profiles)
{
    const struct kt_policy *want = &policies[_i].want, *p;
    struct kt_service *s;
    char text[512];

    (void)snprintf(text, sizeof(text), STORE "issuer spare mock_issuer\npolicy a/** %s\n",
                   policies[_i].keys);
    s = servicefile_good(text);
    ck_assert_uint_eq(s->npolicies, 1);
    p = &s->policies[0];
    ck_assert_str_eq(p->pattern, "a/**");
    ck_assert_ptr_eq(p->line, &s->policy_lines.lines[0]);
    same_text(p->issuer, want->issuer);
    same_text(p->lease, want->lease);
    ck_assert_int_eq(p->rotate_ms, want->rotate_ms);
    ck_assert_int_eq(p->grace_ms, want->grace_ms);
    ck_assert_int_eq(p->expire_ms, want->expire_ms);
    ck_assert_int_eq(p->renew_before_ms, want->renew_before_ms);
    ck_assert_int_eq(p->jitter_ms, want->jitter_ms);
    ck_assert_int_eq(p->keep, want->keep);
    ck_assert_int_eq(p->window_from, want->window_from);
    ck_assert_int_eq(p->window_to, want->window_to);
    ck_assert_int_eq(p->window_utc, want->window_utc);
    ck_assert_int_eq(p->allow_outage, want->allow_outage);
    kt_service_free(s);
}
END_TEST

static const struct {
    const char *keys;
    const char *says;
} refused[] = {
    { "rotat=1d", "svc:2:11: expected issuer, rotate, grace, expire, renew-before, window" },
    { "rotate", "svc:2:11: expected 'rotate=...', found 'rotate' alone" },
    { "allow-outage=yes", "svc:2:11: expected 'allow-outage' alone" },
    { "keep=1 keep=2", "svc:2:18: keep is given twice" },
    { "profile=daily profile=daily", "svc:2:25: profile is given twice" },
    { "profile=hourly", "profile: expected quarterly or daily, found 'hourly'" },
    { "profile=default", "profile: expected quarterly or daily" },
    { "rotate=3w", "rotate: expected a time such as 90m, 6h or 21d" },
    { "rotate=10001d", "of at most 10000d" },
    { "grace=x", "grace: expected a time" },
    { "expire=", "expire: expected a time" },
    { "renew-before=-1h", "renew-before: expected a time" },
    { "jitter=1", "jitter: expected a time" },
    { "keep=-1", "keep: expected a number of versions" },
    { "keep=1000001", "keep: expected a number of versions" },
    { "lease=x", "lease: expected SERVICE/NAME, found 'x'" },
    { "lease=/x", "lease: expected SERVICE/NAME" },
    { "lease=a/", "lease: expected SERVICE/NAME" },
    { "lease=A/b", "lease: expected SERVICE/NAME" },
    { "lease=a/../b", "lease: expected SERVICE/NAME" },
    { "lease=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa/b",
      "lease: expected SERVICE/NAME" },
    { "window=", "window: expected HH:MM-HH:MM" },
    { "window=1:00-2:00", "window: expected HH:MM-HH:MM" },
    { "window=01:00", "window: expected HH:MM-HH:MM" },
    { "window=01:00-", "window: expected HH:MM-HH:MM" },
    { "window=01:00-02:0", "window: expected HH:MM-HH:MM" },
    { "window=01:00-02:00z", "window: expected HH:MM-HH:MM" },
    { "window=01:00-02:00ZZ", "window: expected HH:MM-HH:MM" },
    { "window=01:00-24:00", "window: expected HH:MM-HH:MM" },
    { "window=01:60-02:00", "window: expected HH:MM-HH:MM" },
    { "window=01:00-01:00", "window: expected HH:MM-HH:MM, or with Z after it for UTC, not empty" },
    { "issuer=nobody", "svc:2:1: expected the label of an issuer line, found issuer='nobody'" },
    { "issuer=", "expected the label of an issuer line" },
    /* sums */
    { "rotate=22d", NULL },
    { "rotate=23d", "svc:2:1: keys of '**' would expire in use: rotate 23d + grace 7d + window 0 + "
                    "jitter 0 = 30d, over expire 30d - renew-before 1h = 719h" },
    { "rotate=22d window=00:00-02:00", NULL },
    { "rotate=22d window=00:00-00:59",
      "rotate 22d + grace 7d + window 1381m + jitter 0 = 43141m, over" },
    { "rotate=22d window=23:30-01:30", NULL }, /* over midnight it is two hours long */
    { "rotate=22d jitter=23h", NULL },
    { "rotate=22d jitter=24h", "+ jitter 1d = 30d, over" },
    { "rotate=23d expire=0", NULL },
    { "rotate=10000d grace=10000d jitter=10000d",
      "rotate 10000d + grace 10000d + window 0 + jitter "
      "10000d = 30000d" },
    { "profile=quarterly expire=97d", "rotate 90d + grace 7d" },
};

START_TEST(policies_that_cannot_be_or_cannot_hold_are_refused)
{
    char text[512];

    (void)snprintf(text, sizeof(text), STORE "policy ** %s\n", refused[_i].keys);
    if (refused[_i].says == NULL)
        kt_service_free(servicefile_good(text));
    else
        servicefile_bad(text, refused[_i].says);
}
END_TEST

static const struct {
    const char *text;
    const char *says;
} graces[] = {
    { "read required mock_store\npolicy ** grace=0", NULL },
    { "read required mock_store max-stale=9h\npolicy ** grace=0", NULL }, /* no copies there */
    { "read front mock_cache\nread required mock_store\npolicy ** grace=65m", NULL },
    { "read front mock_cache\nread required mock_store\npolicy ** grace=64m",
      "svc:3:1: old keys of '**' would be revoked while still served: grace 64m is under max-stale "
      "1h + ttl 5m of line 1 + the authority's propagation 0 = 65m" },
    { "read front mock_agent\nread required mock_store\npolicy ** grace=64m", "= 65m" },
    { "read optional mock_store max-stale=2h ttl=1h\nread front mock_cache max-stale=150m ttl=1m\n"
      "read required mock_plain\npolicy ** grace=179m",
      "max-stale 2h + ttl 1h of line 1" },
    { "read optional mock_store max-stale=2h ttl=1h\nread front mock_cache max-stale=150m ttl=1m\n"
      "read required mock_plain\npolicy ** grace=3h",
      NULL },
    { "read optional mock_env\nread optional mock_plain max-stale=none\nread required mock_store\n"
      "policy ** grace=0",
      NULL },
    { "read required mock_cloud\npolicy ** grace=10m", NULL },
    { "read required mock_cloud\npolicy ** grace=599s",
      "grace 599s is under max-stale 0 + ttl 0 + the authority's propagation 10m = 10m" },
    { "read front mock_cache\nread required mock_store\nwrite required mock_cloud\n",
      "add max-stale" },
    { "read front mock_cache\nread required mock_cloud\nwrite required mock_cloud\n"
      "policy ** grace=74m",
      "+ the authority's propagation 10m = 75m" },
    { "read front mock_cache max-stale=6h\nread required mock_store\npolicy a grace=7h\n"
      "policy b grace=6h",
      "svc:4:1: old keys of 'b'" },
    { "read front mock_cache\nread required mock_store\npolicy ** grace=1m rotate=0", NULL },
    { "-read fallback mock_none max-stale=2h\nread required mock_store\npolicy ** grace=2h",
      "max-stale 2h + ttl 5m of line 1" },
    { "read optional mock_test max-stale=4h\nread required mock_store\npolicy ** grace=0", NULL },
    { "-read required mock_none\npolicy ** grace=0", NULL },
    { "policy **", NULL },
    /* the shipped profiles hold with the shipped ages, and with the longest that need no policy */
    { "read front mock_cache max-stale=5h\nread required mock_cloud\npolicy a profile=daily\n"
      "policy b profile=quarterly\npolicy c",
      NULL },
};

START_TEST(grace_covers_every_copy)
{
    if (graces[_i].says == NULL)
        kt_service_free(servicefile_good(graces[_i].text));
    else
        servicefile_bad(graces[_i].text, graces[_i].says);
}
END_TEST

START_TEST(the_first_pattern_that_matches_rules)
{
    struct kt_service *s = servicefile_good(STORE "policy a/b rotate=1d\npolicy a/* rotate=2d\n"
                                                  "policy a/** rotate=3d\n");

    ck_assert_int_eq(kt_service_policy(s, "a/b")->rotate_ms, DAY);
    ck_assert_int_eq(kt_service_policy(s, "a/c")->rotate_ms, 2 * DAY);
    ck_assert_int_eq(kt_service_policy(s, "a/c/d")->rotate_ms, 3 * DAY);
    ck_assert_ptr_null(kt_service_policy(s, "b"));
    kt_service_free(s);
}
END_TEST

static const struct {
    int64_t ms;
    const char *want;
} durations[] = {
    { 0, "0" },         { 1, "1ms" },      { 1500, "1500ms" }, { 90000, "90s" },
    { 5400000, "90m" }, { 3600000, "1h" }, { 86400000, "1d" }, { 25 * HOUR, "25h" },
};

START_TEST(durations_are_printed_as_they_are_written)
{
    char out[24];
    int64_t back;

    ck_assert_str_eq(kt_duration_print(durations[_i].ms, out), durations[_i].want);
    ck_assert_int_eq(kt_duration_parse(out, &back), KT_SUCCESS);
    ck_assert_int_eq(back, durations[_i].ms);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("policy");
    TCase *c = tcase_create("policy");

    tcase_add_checked_fixture(c, NULL, servicefile_forget);
    tcase_add_loop_test(c, policies_have_keys_and_profiles, 0, ROWS(policies));
    tcase_add_loop_test(c, policies_that_cannot_be_or_cannot_hold_are_refused, 0, ROWS(refused));
    tcase_add_loop_test(c, grace_covers_every_copy, 0, ROWS(graces));
    tcase_add_test(c, the_first_pattern_that_matches_rules);
    tcase_add_loop_test(c, durations_are_printed_as_they_are_written, 0, ROWS(durations));
    suite_add_tcase(s, c);
    return kt_harness_run(s);
}
