/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Followers, caches and how old their copies may be. Where the authority must fail, a second service
 * has the same follower over a `debug` line: stores of mock_good with one label are one store.
 */

#include "scene.h"

#include <stdlib.h>
#include <string.h>

static struct scene *s;
static struct kt_handle *up; /* follower f, filled from authority a */

static void set_up(void)
{
    s = scene_new();
    up = scene_open(s, "up",
                    "read fallback mock_good label=f max-stale=1h fill\n"
                    "read required mock_good label=a\n"
                    "write required mock_good label=a\n");
}

static void tear_down(void)
{
    kt_close(up);
    scene_free(s);
    kt_harness_no_secrets();
}

/* The follower has a copy of "v" that the authority confirmed just now. */
static void make_copy(char id[KT_ID_SIZE])
{
    scene_put(up, "a", "v", id);
    scene_expect(up, "a", "v", KT_SUCCESS);
    ck_assert_str_eq(s->log, "");
}

/* ---- ages ----------------------------------------------------------------------------------------- */

enum copy { YOUNG, IN_HAND, TOO_OLD };

static const struct {
    const char *title;
    int64_t wall_ms;
    int64_t boot_ms;
    bool rebooted;
    enum copy copy;
    int64_t age_ms;
} ages[] = {
    { "at once", 0, 0, false, YOUNG, 0 },
    { "just under ttl", 299 * SECOND, 299 * SECOND, false, YOUNG, 299 * SECOND },
    { "at ttl", 300 * SECOND, 300 * SECOND, false, IN_HAND, 300 * SECOND },
    { "just under max-stale", 3590 * SECOND, 3590 * SECOND, false, IN_HAND, 3590 * SECOND },
    { "over max-stale", HOUR + SECOND, HOUR + SECOND, false, TOO_OLD, 0 },
    { "a wall clock set back a day", -DAY, 0, false, YOUNG, 0 },
    { "a wall clock set back a day, six minutes on", 6 * MINUTE - DAY, 6 * MINUTE, false, IN_HAND,
      6 * MINUTE },
    { "a wall clock set on a day", DAY, 0, false, YOUNG, 0 },
    { "a suspend of six minutes", 6 * MINUTE, 6 * MINUTE, false, IN_HAND, 6 * MINUTE },
    { "a suspend of two hours", 2 * HOUR, 2 * HOUR, false, TOO_OLD, 0 },
    { "a suspend that the wall clock missed", 0, 6 * MINUTE, false, IN_HAND, 6 * MINUTE },
    { "the boot clock of the same boot went back: an as-of to come", 0, -MINUTE, false, TOO_OLD,
      0 },
    { "another boot, a minute later", MINUTE, -1, true, YOUNG, MINUTE },
    { "another boot, six minutes later", 6 * MINUTE, -1, true, IN_HAND, 6 * MINUTE },
    { "another boot, two hours later", 2 * HOUR, -1, true, TOO_OLD, 0 },
    { "another boot, the wall clock set back: an as-of to come", -DAY, -1, true, TOO_OLD, 0 },
};

static const struct {
    const char *authority;
    bool stale_is_served;
    int status;
} failures[] = {
    { "unavailable", true, KT_UNAVAILABLE }, { "throttled", true, KT_THROTTLED },
    { "timeout", true, KT_TIMEOUT },         { "denied", false, KT_DENIED },
    { "not_found", false, KT_NOT_FOUND },    { "locked", false, KT_LOCKED },
    { "disabled", false, KT_DISABLED },      { "corrupt", false, KT_CORRUPT },
};

START_TEST(a_copy_is_worth_what_its_age_allows)
{
    const size_t row = (size_t)_i / (sizeof(failures) / sizeof(failures[0]));
    const size_t failure = (size_t)_i % (sizeof(failures) / sizeof(failures[0]));
    char id[KT_ID_SIZE];
    struct kt_info info;
    int status, want = KT_SUCCESS;
    uint32_t flags = 0;

    make_copy(id);
    atomic_fetch_add(&s->shift_ms[KT_CLOCK_WALL], ages[row].wall_ms);
    if (ages[row].rebooted) {
        atomic_fetch_add(&s->boot, 1);
        /* The boot clock begins anew. */
        atomic_fetch_sub(&s->shift_ms[KT_CLOCK_BOOT], scene_now_ms(s, KT_CLOCK_BOOT) - 30 * SECOND);
    } else {
        atomic_fetch_add(&s->shift_ms[KT_CLOCK_BOOT], ages[row].boot_ms);
    }
    struct kt_handle *down = scene_open(s, "down",
                                        "read fallback mock_good label=f max-stale=1h\n"
                                        "read required debug get=%s\n",
                                        failures[failure].authority);

    if (ages[row].copy == TOO_OLD)
        want = failures[failure].status;
    else if (ages[row].copy == IN_HAND && failures[failure].stale_is_served)
        flags = KT_FLAG_STALE | KT_FLAG_COPY;
    else if (ages[row].copy == IN_HAND)
        want = failures[failure].status;
    else
        flags = KT_FLAG_COPY;
    const char *value = scene_get(down, "a", NULL, &status, &info);

    ck_assert_msg(status == want, "%s, %s: %s", ages[row].title, failures[failure].authority,
                  kt_status_name(status));
    if (want == KT_SUCCESS) {
        ck_assert_str_eq(value, "v");
        ck_assert_str_eq(info.id, id);
        ck_assert_str_eq(info.module, "mock_good");
        ck_assert_uint_eq(info.line, 1);
        ck_assert_msg(info.flags == flags, "%s: flags %#x", ages[row].title, info.flags);
        ck_assert_msg(info.age_ms >= ages[row].age_ms &&
                          info.age_ms < ages[row].age_ms + 5 * SECOND,
                      "%s: age %lld ms", ages[row].title, (long long)info.age_ms);
    }
    kt_close(down);
}
END_TEST

/* ---- what the caller bounds ------------------------------------------------------------------- */

START_TEST(max_age_lowers_ttl_and_max_stale)
{
    struct kt_handle *down = scene_open(s, "down",
                                        "read fallback mock_good label=f max-stale=1h\n"
                                        "read required debug get=unavailable\n");
    char id[KT_ID_SIZE];
    int status;

    make_copy(id);
    scene_later(s, 2 * MINUTE);
    (void)scene_get(down, "a", NULL, &status, NULL);
    ck_assert_int_eq(status, KT_SUCCESS);
    (void)scene_get(down, "a", GET_OPTIONS(.bound_age = true, .max_age_ms = 3 * MINUTE), &status,
                    NULL);
    ck_assert_int_eq(status, KT_SUCCESS);
    (void)scene_get(down, "a", GET_OPTIONS(.bound_age = true, .max_age_ms = MINUTE), &status, NULL);
    ck_assert_int_eq(status, KT_UNAVAILABLE);
    /* max_age is no promise to wait longer: a large one changes nothing. */
    scene_later(s, 2 * HOUR);
    (void)scene_get(down, "a", GET_OPTIONS(.bound_age = true, .max_age_ms = DAY), &status, NULL);
    ck_assert_int_eq(status, KT_UNAVAILABLE);
    kt_close(down);
}
END_TEST

START_TEST(fresh_asks_only_the_authority)
{
    const struct kt_get_options *fresh = GET_OPTIONS(.bound_age = true, .max_age_ms = 0);
    struct kt_handle *down = scene_open(s, "down",
                                        "read front cache\n"
                                        "read fallback mock_good label=f max-stale=1h\n"
                                        "read sufficient mock_newer max-stale=none\n"
                                        "read required debug get=unavailable\n");
    char id[KT_ID_SIZE];
    int status;

    make_copy(id);
    (void)scene_get(down, "a", fresh, &status, NULL);
    ck_assert_int_eq(status, KT_UNAVAILABLE);
    ck_assert_str_eq(scene_steps(down, "a", fresh),
                     "(1:ignore) (2:ignore) (3:ignore) 4:unavailable");
    scene_expect(down, "a", "v", KT_SUCCESS);
    kt_close(down);
}
END_TEST

START_TEST(a_version_by_id_is_served_by_any_line_whatever_its_age)
{
    struct kt_handle *down = scene_open(s, "down",
                                        "read fallback mock_good label=f max-stale=1h\n"
                                        "read required debug get=unavailable\n");
    char id[KT_ID_SIZE];
    struct kt_info info;
    int status;

    make_copy(id);
    scene_later(s, 2 * HOUR);
    ck_assert_str_eq(scene_get(down, "a", GET_OPTIONS(.version = id), &status, &info), "v");
    ck_assert_int_eq(status, KT_SUCCESS);
    ck_assert_uint_eq(info.line, 1);
    kt_close(down);
}
END_TEST

START_TEST(the_youngest_copy_in_hand_is_served)
{
    struct kt_handle *g = scene_open(s, "g",
                                     "read fallback mock_good label=g max-stale=1h fill\n"
                                     "read required mock_good label=a\n"
                                     "write required mock_good label=a\n");
    struct kt_handle *down;
    char id[KT_ID_SIZE];
    struct kt_info info;
    int status;

    make_copy(id);
    scene_later(s, 10 * MINUTE);
    scene_expect(g, "a", "v", KT_SUCCESS);
    scene_later(s, 10 * MINUTE);
    for (int turned = 0; turned < 2; turned++) {
        down = scene_open(s, "down",
                          "read fallback mock_good label=%s max-stale=1h\n"
                          "read fallback mock_good label=%s max-stale=1h\n"
                          "read required debug get=unavailable\n",
                          turned ? "g" : "f", turned ? "f" : "g");
        ck_assert_str_eq(scene_get(down, "a", NULL, &status, &info), "v");
        ck_assert_uint_eq(info.line, turned ? 1 : 2);
        ck_assert_uint_eq(info.flags, KT_FLAG_STALE | KT_FLAG_COPY);
        ck_assert_int_ge(info.age_ms, 10 * MINUTE);
        ck_assert_int_lt(info.age_ms, 11 * MINUTE);
        kt_close(down);
    }
    kt_close(g);
}
END_TEST

/* ---- followers and overrides ------------------------------------------------------------------ */

START_TEST(a_follower_never_says_not_found)
{
    struct kt_handle *h = scene_open(s, "t",
                                     "read required mock_good label=empty max-stale=1h\n"
                                     "read required mock_good label=a\n"
                                     "write required mock_good label=a\n");
    char id[KT_ID_SIZE];

    scene_put(up, "a", "v", id);
    scene_expect(h, "a", "v", KT_SUCCESS);
    ck_assert_str_eq(scene_steps(h, "a", NULL), "1:ignore 2:success");
    scene_expect(h, "b", NULL, KT_NOT_FOUND);
    kt_close(h);
}
END_TEST

START_TEST(a_copy_without_an_age_is_passed_over)
{
    struct kt_handle *alone = scene_open(s, "alone",
                                         "read required mock_good label=f\n"
                                         "write required mock_good label=f\n");
    struct kt_handle *down = scene_open(s, "down",
                                        "read fallback mock_good label=f max-stale=1h\n"
                                        "read required debug get=unavailable\n");
    char id[KT_ID_SIZE];

    /* Written by somebody to whom it was the authority: nobody said that it is a copy. */
    scene_put(alone, "a", "theirs", id);
    scene_expect(down, "a", NULL, KT_UNAVAILABLE);
    ck_assert_str_eq(scene_steps(down, "a", NULL), "1:ignore 2:unavailable");
    kt_close(down);
    kt_close(alone);
}
END_TEST

START_TEST(an_override_is_served_whatever_its_age_and_flagged)
{
    struct kt_handle *down = scene_open(s, "down",
                                        "read front cache\n"
                                        "read sufficient mock_good label=f max-stale=none\n"
                                        "read required debug get=not_found\n");
    char id[KT_ID_SIZE];
    struct kt_info info;
    int status;

    make_copy(id);
    scene_later(s, 400 * DAY);
    ck_assert_str_eq(scene_get(down, "a", NULL, &status, &info), "v");
    ck_assert_uint_eq(info.flags & KT_FLAG_OVERRIDE, KT_FLAG_OVERRIDE);
    ck_assert_uint_eq(info.flags & KT_FLAG_STALE, 0);
    /* Never copied into a cache, never the one that says there is none. */
    ck_assert_str_eq(scene_steps(down, "a", NULL), "1:ignore 2:success");
    ck_assert_str_eq(scene_steps(down, "b", NULL), "1:ignore 2:ignore 3:not_found");
    kt_close(down);
}
END_TEST

START_TEST(env_is_an_override_unless_it_is_the_authority)
{
    struct kt_handle *h;
    struct kt_info info;
    int status;

    ck_assert_int_eq(setenv("KEYTURN_TEST_KEY", "from the environment", 1), 0);
    h = scene_open(s, "t", "read sufficient env name=KEYTURN_TEST_KEY\nread required debug\n");
    ck_assert_str_eq(scene_get(h, "a", NULL, &status, &info), "from the environment");
    ck_assert_uint_eq(info.flags, KT_FLAG_OVERRIDE);
    kt_close(h);
    h = scene_open(s, "t", "read required env name=KEYTURN_TEST_KEY\n");
    ck_assert_str_eq(scene_get(h, "a", NULL, &status, &info), "from the environment");
    ck_assert_uint_eq(info.flags, 0);
    ck_assert_int_eq(unsetenv("KEYTURN_TEST_KEY"), 0);
    scene_expect(h, "a", NULL, KT_NOT_FOUND);
    kt_close(h);
}
END_TEST

START_TEST(without_a_policy_nothing_is_served_after_five_hours)
{
    struct kt_handle *h = NULL;
    struct kt_err err = { 0 };

    scene_write(s, "t", "read fallback mock_good label=f max-stale=6h\nread required debug\n");
    ck_assert_int_eq(scene_try(s, "t", &h, &err), KT_CONFIG_ERROR);
    ck_assert_msg(strstr(err.msg, "/config/t:1") != NULL, "no place in: %s", err.msg);
    scene_write(s, "t", "read fallback mock_good label=f\nread required debug\n");
    ck_assert_int_eq(scene_try(s, "t", &h, &err), KT_CONFIG_ERROR);
    ck_assert_msg(strstr(err.msg, "max-stale") != NULL, "not told what is missing: %s", err.msg);
}
END_TEST

/* ---- filling ---------------------------------------------------------------------------------- */

START_TEST(a_fill_is_spared_while_the_copy_is_young)
{
    struct kt_handle *h, *down;
    char *counts = kt_harness_path(s->dir, "counts");
    char id[KT_ID_SIZE];
    struct kt_info info;
    int status;

    /* What has no age is filled each time; only lines that say `fill` are. */
    h = scene_open(s, "t",
                   "read fallback mock_counts file=%s max-stale=1h fill\n"
                   "read fallback mock_good label=n max-stale=1h\n"
                   "read required mock_good label=a\nwrite required mock_good label=a\n",
                   counts);
    scene_put(up, "a", "v", id);
    scene_expect(h, "a", "v", KT_SUCCESS);
    ck_assert_str_eq(scene_read(counts), "ogf");
    ck_assert_ptr_nonnull(strstr(scene_steps(h, "a", NULL), "2:ignore"));
    kt_close(h);
    free(counts);

    /* An as-of is rewritten once a quarter of max-stale has gone by, and then by the next asking. */
    scene_expect(up, "a", "v", KT_SUCCESS);
    scene_later(s, 20 * MINUTE);
    scene_expect(up, "a", "v", KT_SUCCESS); /* older than ttl: the authority says it again */
    down = scene_open(s, "down",
                      "read fallback mock_good label=f max-stale=1h\n"
                      "read required debug get=unavailable\n");
    (void)scene_get(down, "a", NULL, &status, &info);
    ck_assert_int_eq(status, KT_SUCCESS);
    ck_assert_int_lt(info.age_ms, 5 * SECOND);
    kt_close(down);
}
END_TEST

START_TEST(an_unchanged_copy_is_written_once_a_quarter_of_max_stale)
{
    struct kt_handle *brief = scene_open(
        s, "brief",
        "read fallback mock_good label=f max-stale=1h ttl=1m fill\n"
        "read required mock_good label=a\n"
        "write required mock_good label=a\n");
    struct kt_handle *down = scene_open(s, "down",
                                        "read fallback mock_good label=f max-stale=1h\n"
                                        "read required debug get=unavailable\n");
    char id[KT_ID_SIZE];
    struct kt_info info;
    int status;

    make_copy(id);
    scene_later(s, 10 * MINUTE);
    scene_expect(brief, "a", "v", KT_SUCCESS);
    ck_assert_str_eq(scene_steps(brief, "a", NULL), "1:ignore 2:success");
    (void)scene_get(down, "a", NULL, &status, &info);
    ck_assert_int_ge(info.age_ms, 10 * MINUTE); /* spared */
    scene_later(s, 6 * MINUTE);
    scene_expect(brief, "a", "v", KT_SUCCESS);
    (void)scene_get(down, "a", NULL, &status, &info);
    ck_assert_int_lt(info.age_ms, 5 * SECOND); /* written */
    kt_close(down);
    kt_close(brief);
}
END_TEST

START_TEST(a_failed_fill_changes_only_the_log)
{
    struct kt_handle *h = scene_open(s, "t",
                                     "read fallback mock_short max-stale=1h fill\n"
                                     "read required debug value=canary-value\n");

    scene_expect(h, "a", "canary-value", KT_SUCCESS);
    ck_assert_msg(strstr(s->log, "mock_short") != NULL, "log: %s", s->log);
    ck_assert_ptr_null(strstr(s->log, "canary-value"));
    kt_close(h);
}
END_TEST

/* ---- caches ------------------------------------------------------------------------------------ */

START_TEST(a_cache_answers_for_its_ttl)
{
    char *counts = kt_harness_path(s->dir, "counts");
    struct kt_handle *h = scene_open(s, "t",
                                     "read front cache ttl=1m\n"
                                     "read required mock_counts file=%s\n",
                                     counts);
    struct kt_info info;
    int status;

    scene_expect(h, "a", "counts", KT_SUCCESS);
    scene_expect(h, "a", "counts", KT_SUCCESS);
    ck_assert_str_eq(scene_read(counts), "og");
    ck_assert_str_eq(scene_get(h, "a", NULL, &status, &info), "counts");
    ck_assert_str_eq(info.module, "cache");
    ck_assert_uint_eq(info.flags, KT_FLAG_COPY);
    scene_later(s, 61 * SECOND);
    scene_expect(h, "a", "counts", KT_SUCCESS);
    ck_assert_str_eq(scene_read(counts), "ogg");
    scene_expect(h, "b", "counts", KT_SUCCESS);
    ck_assert_str_eq(scene_read(counts), "oggg");
    kt_close(h);
    free(counts);
}
END_TEST

START_TEST(a_cached_age_is_the_authoritys)
{
    struct kt_handle *h = scene_open(s, "t",
                                     "read front cache ttl=10m\n"
                                     "read fallback mock_good label=f max-stale=1h\n"
                                     "read required debug get=unavailable\n");
    char id[KT_ID_SIZE];
    struct kt_info info;
    int status;

    make_copy(id);
    scene_later(s, 4 * MINUTE);
    scene_expect(h, "a", "v", KT_SUCCESS);
    /* Through two hands, and still four minutes old. */
    (void)scene_get(h, "a", NULL, &status, &info);
    ck_assert_str_eq(info.module, "cache");
    ck_assert_int_ge(info.age_ms, 4 * MINUTE);
    ck_assert_int_lt(info.age_ms, 5 * MINUTE);
    kt_close(h);
}
END_TEST

START_TEST(a_stale_answer_is_not_cached)
{
    struct kt_handle *h = scene_open(s, "t",
                                     "read front cache\n"
                                     "read fallback mock_good label=f max-stale=1h\n"
                                     "read required debug get=unavailable\n");
    char id[KT_ID_SIZE];

    make_copy(id);
    scene_later(s, 10 * MINUTE);
    scene_expect(h, "a", "v", KT_SUCCESS);
    ck_assert_str_eq(scene_steps(h, "a", NULL), "1:ignore 2:ignore 3:unavailable");
    kt_close(h);
}
END_TEST

START_TEST(a_negative_entry_lasts_longer_each_time)
{
    static const int64_t lasts[] = { 5, 10, 20, 40, 60, 60 };
    struct kt_handle *h = scene_open(s, "t",
                                     "read front cache\nread required debug get=not_found\n");

    for (size_t i = 0; i < sizeof(lasts) / sizeof(lasts[0]); i++) {
        scene_expect(h, "a", NULL, KT_NOT_FOUND);
        ck_assert_str_eq(scene_steps(h, "a", NULL), "1:not_found");
        scene_later(s, (lasts[i] - 1) * SECOND);
        ck_assert_msg(strcmp(scene_steps(h, "a", NULL), "1:not_found") == 0, "round %zu: forgotten",
                      i);
        scene_later(s, 2 * SECOND);
        /* Asking for the steps asks the authority: that is one more miss. */
        ck_assert_msg(strcmp(scene_steps(h, "a", NULL), "1:ignore 2:not_found") == 0,
                      "round %zu: remembered", i);
    }
    kt_close(h);
}
END_TEST

START_TEST(a_name_that_came_to_be_ends_its_negative_entry)
{
    struct kt_handle *h = scene_open(s, "t",
                                     "read front cache negative=30s\n"
                                     "read required mock_good label=a\n"
                                     "write required mock_good label=a\n");
    char id[KT_ID_SIZE];

    scene_expect(h, "a", NULL, KT_NOT_FOUND);
    scene_put(up, "a", "v", id); /* by another: the entry stands */
    scene_expect(h, "a", NULL, KT_NOT_FOUND);
    ck_assert_str_eq(scene_steps(h, "a", NULL), "1:not_found");
    scene_later(s, 31 * SECOND);
    scene_expect(h, "a", "v", KT_SUCCESS);
    scene_expect(h, "b", NULL, KT_NOT_FOUND);
    scene_put(h, "b", "w", id); /* by us: it does not */
    scene_expect(h, "b", "w", KT_SUCCESS);
    kt_close(h);
}
END_TEST

START_TEST(negative_entries_can_be_off)
{
    struct kt_handle *h = scene_open(s, "t",
                                     "read front cache negative=0\n"
                                     "read required debug get=not_found\n");

    scene_expect(h, "a", NULL, KT_NOT_FOUND);
    ck_assert_str_eq(scene_steps(h, "a", NULL), "1:ignore 2:not_found");
    kt_close(h);
}
END_TEST

static const struct {
    const char *authority;
    bool evicts;
} evictions[] = {
    { "denied", true },     { "not_found", true }, { "disabled", true }, { "unavailable", false },
    { "throttled", false }, { "timeout", false },  { "locked", false },
};

/*
 * One cache before and after: the authority is a follower's copy first, then, when that is too old,
 * what the row says; what the cache has left shows when it is asked once more.
 */
START_TEST(only_the_authoritys_word_evicts)
{
    struct kt_handle *h = scene_open(s, "t",
                                     "read front cache max-stale=5h ttl=1m\n"
                                     "read fallback mock_good label=f max-stale=1m ttl=1m\n"
                                     "read required debug get=%s\n",
                                     evictions[_i].authority);
    char id[KT_ID_SIZE];
    struct kt_info info;
    int status;

    make_copy(id);
    scene_expect(h, "a", "v", KT_SUCCESS);
    scene_later(s, 2 * MINUTE);
    (void)scene_get(h, "a", NULL, &status, NULL);
    /* By id, a cache answers whatever the age of its copy. */
    (void)scene_get(h, "a", GET_OPTIONS(.version = id), &status, &info);
    if (evictions[_i].evicts) {
        ck_assert_msg(strncmp(scene_steps(h, "a", GET_OPTIONS(.version = id)), "1:success", 9) != 0,
                      "%s did not evict", evictions[_i].authority);
    } else {
        ck_assert_int_eq(status, KT_SUCCESS);
        ck_assert_str_eq(info.module, "cache");
    }
    kt_close(h);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("age");
    TCase *tc = tcase_create("age");

    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_add_loop_test(
        tc, a_copy_is_worth_what_its_age_allows, 0,
        (int)(sizeof(ages) / sizeof(ages[0]) * sizeof(failures) / sizeof(failures[0])));
    tcase_add_test(tc, max_age_lowers_ttl_and_max_stale);
    tcase_add_test(tc, fresh_asks_only_the_authority);
    tcase_add_test(tc, a_version_by_id_is_served_by_any_line_whatever_its_age);
    tcase_add_test(tc, the_youngest_copy_in_hand_is_served);
    tcase_add_test(tc, a_follower_never_says_not_found);
    tcase_add_test(tc, a_copy_without_an_age_is_passed_over);
    tcase_add_test(tc, an_override_is_served_whatever_its_age_and_flagged);
    tcase_add_test(tc, env_is_an_override_unless_it_is_the_authority);
    tcase_add_test(tc, without_a_policy_nothing_is_served_after_five_hours);
    tcase_add_test(tc, a_fill_is_spared_while_the_copy_is_young);
    tcase_add_test(tc, an_unchanged_copy_is_written_once_a_quarter_of_max_stale);
    tcase_add_test(tc, a_failed_fill_changes_only_the_log);
    tcase_add_test(tc, a_cache_answers_for_its_ttl);
    tcase_add_test(tc, a_cached_age_is_the_authoritys);
    tcase_add_test(tc, a_stale_answer_is_not_cached);
    tcase_add_test(tc, a_negative_entry_lasts_longer_each_time);
    tcase_add_test(tc, a_name_that_came_to_be_ends_its_negative_entry);
    tcase_add_test(tc, negative_entries_can_be_off);
    scene_add_rows(tc, only_the_authoritys_word_evicts, evictions);
    suite_add_tcase(suite, tc);
    return kt_harness_run(suite);
}
