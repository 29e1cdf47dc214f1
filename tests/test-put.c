/* SPDX-License-Identifier: Apache-2.0 */

/* Changes: two passes, the authority first, and what followers and readers learn of them. */

#include "scene.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ID1 "01890a5d-ac96-774b-bcce-b302099a8057"
#define ID2 "01890a5d-ac97-774b-bcce-b302099a8057"

static struct scene *s;
static char *counts;
static struct kt_handle *truth; /* the store `a`, alone */

static void set_up(void)
{
    s = scene_new();
    counts = kt_harness_path(s->dir, "counts");
    truth = scene_open(s, "truth",
                       "read required mock_good label=a\n"
                       "write required mock_good label=a\n");
}

static void tear_down(void)
{
    kt_close(truth);
    free(counts);
    scene_free(s);
    kt_harness_no_secrets();
}

#define OPTIONS .size = sizeof(struct kt_put_options)
#define PUT_OPTIONS(...) (&(const struct kt_put_options){ OPTIONS, __VA_ARGS__ })

static int put(struct kt_handle *h, const char *name, const char *value,
               const struct kt_put_options *o)
{
    struct kt_err err = { 0 };
    const int rc = kt_put(h, name, value, strlen(value), o, NULL, &err);

    if (rc != KT_SUCCESS) {
        ck_assert_int_eq(err.status, rc);
        ck_assert_msg(err.msg[0] != '\0' && strchr(err.msg, '\n') == NULL, "no line of words: '%s'",
                      err.msg);
        ck_assert_msg(strstr(err.msg, "canary") == NULL, "the value in: %s", err.msg);
    }
    return rc;
}

/* How many versions the authority has. */
static size_t versions(const char *name)
{
    struct kt_list *l = NULL;
    const int rc = kt_versions(truth, name, NULL, &l, NULL);
    const size_t n = rc == KT_SUCCESS ? kt_list_count(l) : 0;

    kt_list_free(l);
    return n;
}

/* ---- two passes --------------------------------------------------------------------------------- */

START_TEST(every_line_is_asked_before_one_is_written)
{
    char *other = kt_harness_path(s->dir, "other");
    struct kt_handle *h;

    /* Two stores to us, one file: the order shows. */
    ck_assert_int_eq(symlink(counts, other), 0);
    h = scene_open(s, "t",
                   "write required mock_counts file=%s\nwrite required mock_counts file=%s\n",
                   counts, other);
    ck_assert_int_eq(put(h, "a", "v", NULL), KT_SUCCESS);
    ck_assert_str_eq(scene_read(counts), "oPoPpp");
    kt_close(h);
    free(other);
}
END_TEST

START_TEST(only_chosen_lines_are_written)
{
    char *other = kt_harness_path(s->dir, "other");
    struct kt_handle *h = scene_open(s, "t",
                                     "write required mock_good label=a\n"
                                     "write optional debug prepare=locked commit=denied\n"
                                     "write sufficient mock_counts file=%s\n"
                                     "write required mock_counts file=%s\n",
                                     counts, other);

    ck_assert_int_eq(put(h, "a", "v", NULL), KT_SUCCESS);
    ck_assert_str_eq(scene_read(counts), "oPp");
    ck_assert_str_eq(scene_read(other), ""); /* not reached */
    /* asked and unwilling: the answer does not tell, so the log does */
    ck_assert_msg(strstr(s->log, "1 a: ") == s->log, "log: %s", s->log);
    ck_assert_ptr_nonnull(strstr(s->log, "t:2: debug: told to answer 'locked' (locked): not done"));
    scene_expect(truth, "a", "v", KT_SUCCESS);
    kt_close(h);
    free(other);
}
END_TEST

static const struct {
    const char *title;
    const char *stack;
    int want;
    bool stored;
} rows[] = {
    { "alone", "", KT_SUCCESS, true },
    { "a required follower that is unwilling", "write required debug prepare=locked\n", KT_LOCKED,
      false },
    { "a required follower that fails", "write required debug prepare=success commit=unavailable\n",
      KT_PARTIAL, true },
    { "a requisite follower that fails", "write requisite debug prepare=success commit=no_space\n",
      KT_PARTIAL, true },
    { "an optional follower that fails",
      "write optional debug prepare=success commit=unavailable\n", KT_SUCCESS, true },
    { "an optional follower that is unwilling", "write optional debug prepare=read_only\n",
      KT_SUCCESS, true },
    { "a follower that takes no part", "write required debug prepare=ignore\n", KT_SUCCESS, true },
    { "config_error of a follower ends it", "write optional debug prepare=config_error\n",
      KT_CONFIG_ERROR, false },
    { "module_error of a follower is bad", "write optional debug prepare=module_error\n",
      KT_MODULE_ERROR, false },
    { "one that cannot be written", "write optional mock_short\n", KT_SUCCESS, true },
    { "one that must be, and cannot", "write required mock_short\n", KT_UNSUPPORTED, false },
    { "a required one that fails before an optional one",
      "write required debug prepare=success commit=busy\n"
      "write optional mock_good label=f\n",
      KT_PARTIAL, true },
};

START_TEST(a_put_ends_as_its_row_says)
{
    struct kt_handle *h = scene_open(s, "t",
                                     "read required mock_good label=a\n"
                                     "write required mock_good label=a\n%s",
                                     rows[_i].stack);
    char id[KT_ID_SIZE] = "before";
    struct kt_err err = { 0 };
    const int rc = kt_put(h, "a", "canary", 6, NULL, id, &err);

    ck_assert_msg(rc == rows[_i].want, "%s: %s (%s)", rows[_i].title, kt_status_name(rc), err.msg);
    ck_assert_ptr_null(strstr(err.msg, "canary"));
    ck_assert_ptr_null(strstr(s->log, "canary"));
    if (rows[_i].stored) {
        ck_assert_uint_eq(strlen(id), KT_UUID_SIZE - 1);
        scene_expect(truth, "a", "canary", KT_SUCCESS);
        scene_expect(h, "a", "canary", KT_SUCCESS);
    } else {
        ck_assert_str_eq(id, "before");
        scene_expect(truth, "a", NULL, KT_NOT_FOUND);
    }
    if (rc == KT_PARTIAL) { /* said with the place, and safe to repeat */
        ck_assert_msg(strstr(err.msg, "/config/t:3") != NULL, "%s", err.msg);
        ck_assert_int_eq(put(h, "a", "canary", PUT_OPTIONS(.id = id)), KT_PARTIAL);
        ck_assert_uint_eq(versions("a"), 1);
    }
    kt_close(h);
}
END_TEST

START_TEST(where_the_authority_fails_nobody_else_is_written)
{
    struct kt_handle *h = scene_open(s, "t",
                                     "write required debug prepare=success commit=denied\n"
                                     "write required mock_counts file=%s\n",
                                     counts);

    ck_assert_int_eq(put(h, "a", "v", NULL), KT_DENIED);
    ck_assert_str_eq(scene_read(counts), "oP");
    kt_close(h);
}
END_TEST

START_TEST(a_follower_that_hangs_does_not_take_the_authoritys_time)
{
    struct kt_handle *h = scene_open(s, "t",
                                     "write required mock_good label=a\n"
                                     "write optional mock_hang\n");
    int64_t begin;

    s->clockwork = true;
    begin = scene_now_ms(s, KT_CLOCK_MONOTONIC);
    ck_assert_int_eq(put(h, "a", "v", PUT_OPTIONS(.timeout_ms = 60)), KT_SUCCESS);
    ck_assert_int_lt(scene_now_ms(s, KT_CLOCK_MONOTONIC) - begin, 70);
    s->clockwork = false;
    scene_expect(truth, "a", "v", KT_SUCCESS);
    kt_close(h);
}
END_TEST

START_TEST(without_write_lines_nothing_can_be_written)
{
    struct kt_handle *h = scene_open(s, "t", "read required mock_good label=a\n");
    char id[KT_ID_SIZE];

    scene_put(truth, "a", "v", id);
    ck_assert_int_eq(put(h, "a", "w", NULL), KT_UNSUPPORTED);
    ck_assert_int_eq(kt_delete(h, "a", NULL, NULL, NULL), KT_UNSUPPORTED);
    ck_assert_int_eq(kt_stage(h, "a", "current", id, NULL, NULL, NULL), KT_UNSUPPORTED);
    ck_assert_int_eq(kt_restore(h, "a", NULL, NULL), KT_UNSUPPORTED);
    ck_assert_int_eq(kt_repair(h, "a", NULL, NULL), KT_UNSUPPORTED);
    scene_expect(h, "a", "v", KT_SUCCESS);
    kt_close(h);
}
END_TEST

/* ---- ids and expectations ----------------------------------------------------------------------- */

START_TEST(a_put_repeated_with_its_id_is_one_version)
{
    char id[KT_ID_SIZE];

    ck_assert_int_eq(put(truth, "a", "v", PUT_OPTIONS(.id = ID1)), KT_SUCCESS);
    ck_assert_int_eq(put(truth, "a", "v", PUT_OPTIONS(.id = ID1)), KT_SUCCESS);
    /* Whatever is expected: it has been done. */
    ck_assert_int_eq(put(truth, "a", "v", PUT_OPTIONS(.id = ID1, .expected = "")), KT_SUCCESS);
    ck_assert_int_eq(put(truth, "a", "v", PUT_OPTIONS(.id = ID1, .expected = ID2)), KT_SUCCESS);
    ck_assert_uint_eq(versions("a"), 1);
    ck_assert_int_eq(put(truth, "a", "w", PUT_OPTIONS(.id = ID1)), KT_EXISTS);
    ck_assert_int_eq(put(truth, "a", "", PUT_OPTIONS(.id = ID1)), KT_EXISTS);
    scene_expect(truth, "a", "v", KT_SUCCESS);
    scene_put(truth, "a", "w", id);
    ck_assert_str_ne(id, ID1);
    ck_assert_uint_eq(versions("a"), 2);
}
END_TEST

START_TEST(what_is_expected_must_be_current)
{
    ck_assert_int_eq(put(truth, "a", "v", PUT_OPTIONS(.id = ID1, .expected = ID2)), KT_CONFLICT);
    ck_assert_uint_eq(versions("a"), 0);
    ck_assert_int_eq(put(truth, "a", "v", PUT_OPTIONS(.id = ID1, .expected = "")), KT_SUCCESS);
    ck_assert_int_eq(put(truth, "a", "w", PUT_OPTIONS(.expected = "")), KT_CONFLICT);
    ck_assert_int_eq(put(truth, "a", "w", PUT_OPTIONS(.expected = ID2)), KT_CONFLICT);
    scene_expect(truth, "a", "v", KT_SUCCESS);
    ck_assert_int_eq(put(truth, "a", "w", PUT_OPTIONS(.id = ID2, .expected = ID1)), KT_SUCCESS);
    scene_expect(truth, "a", "w", KT_SUCCESS);
}
END_TEST

START_TEST(followers_are_not_held_to_what_is_expected)
{
    struct kt_handle *h = scene_open(s, "t",
                                     "read required mock_good label=a\n"
                                     "write required mock_good label=a\n"
                                     "write required mock_good label=f\n");

    ck_assert_int_eq(put(truth, "a", "v", PUT_OPTIONS(.id = ID1)), KT_SUCCESS);
    ck_assert_int_eq(put(h, "a", "w", PUT_OPTIONS(.id = ID2, .expected = ID1)), KT_SUCCESS);
    kt_close(h);
}
END_TEST

START_TEST(an_expectation_needs_a_store_that_can_hold_to_it)
{
    struct kt_handle *h = scene_open(s, "t", "write required mock_counts file=%s\n", counts);
    struct kt_err err = { 0 };

    ck_assert_int_eq(kt_put(h, "a", "v", 1, PUT_OPTIONS(.expected = ""), NULL, &err),
                     KT_UNSUPPORTED);
    ck_assert_msg(strstr(err.msg, "/config/t:1") != NULL, "no line named: %s", err.msg);
    ck_assert_str_eq(scene_read(counts), "o");
    kt_close(h);
}
END_TEST

START_TEST(a_version_id_is_made_of_the_time)
{
    char one[KT_ID_SIZE], two[KT_ID_SIZE];
    struct kt_info info;
    int status;
    const int64_t before = scene_now_ms(s, KT_CLOCK_WALL);

    scene_put(truth, "a", "1", one);
    (void)scene_get(truth, "a", NULL, &status, &info);
    ck_assert_str_eq(info.id, one);
    ck_assert_int_ge(info.created_ms, before);
    ck_assert_int_le(info.created_ms, scene_now_ms(s, KT_CLOCK_WALL));
    ck_assert_int_eq(one[14], '7');
    scene_later(s, -DAY); /* order never decides who is current */
    scene_put(truth, "a", "2", two);
    ck_assert_str_lt(two, one);
    scene_expect(truth, "a", "2", KT_SUCCESS);
}
END_TEST

/* ---- what is refused before anything is written --------------------------------------------------- */

static const struct {
    const char *title;
    struct kt_put_options o;
    int want;
} refused[] = {
    { "another size", { .size = sizeof(struct kt_put_options) - 8 }, KT_INVALID },
    { "an id that is not ours", { OPTIONS, .id = "mock:1" }, KT_INVALID },
    { "an id in capitals", { OPTIONS, .id = "01890A5D-AC96-774B-BCCE-B302099A8057" }, KT_INVALID },
    { "a UUIDv4", { OPTIONS, .id = "01890a5d-ac96-474b-bcce-b302099a8057" }, KT_INVALID },
    { "an expectation that is no id", { OPTIONS, .expected = "no id" }, KT_INVALID },
    { "previous", { OPTIONS, .stage = "previous" }, KT_INVALID },
    { "a stage that is none", { OPTIONS, .stage = "next" }, KT_INVALID },
    { "a time before 1970", { OPTIONS, .expires_ms = -1 }, KT_INVALID },
    { "a timeout before now", { OPTIONS, .timeout_ms = -1 }, KT_INVALID },
    { "an attribute without a key",
      { OPTIONS, .attrs = &(const struct kt_attr){ "", "v" }, .nattrs = 1 },
      KT_INVALID },
    { "an attribute without a value",
      { OPTIONS, .attrs = &(const struct kt_attr){ "k", NULL }, .nattrs = 1 },
      KT_INVALID },
    { "an attribute given twice",
      { OPTIONS, .attrs = (const struct kt_attr[]){ { "k", "v" }, { "k", "w" } }, .nattrs = 2 },
      KT_INVALID },
    { "too many attributes",
      { OPTIONS, .attrs = &(const struct kt_attr){ "k", "v" }, .nattrs = KT_ATTRS_MAX + 1 },
      KT_TOO_LARGE },
};

START_TEST(what_breaks_a_rule_reaches_no_store)
{
    struct kt_handle *h = scene_open(s, "t", "write required mock_counts file=%s\n", counts);
    const int rc = put(h, "a", "canary", &refused[_i].o);

    ck_assert_msg(rc == refused[_i].want, "%s: %s", refused[_i].title, kt_status_name(rc));
    ck_assert_str_eq(scene_read(counts), "");
    kt_close(h);
}
END_TEST

START_TEST(values_over_the_limit_and_bad_names_reach_no_store)
{
    static char big[KT_VALUE_MAX + 1];
    struct kt_handle *h = scene_open(s, "t", "write required mock_counts file=%s\n", counts);
    char long_key[KT_ATTR_KEY_MAX + 2];
    const struct kt_attr attr = { long_key, "v" };

    ck_assert_int_eq(kt_put(h, "a", big, sizeof(big), NULL, NULL, NULL), KT_TOO_LARGE);
    ck_assert_int_eq(kt_put(h, "a", big, SIZE_MAX, NULL, NULL, NULL), KT_TOO_LARGE);
    ck_assert_int_eq(kt_put(h, "a", NULL, 1, NULL, NULL, NULL), KT_INVALID);
    ck_assert_int_eq(put(h, "a//b", "v", NULL), KT_INVALID);
    ck_assert_int_eq(put(h, ".keyturn/a", "v", NULL), KT_INVALID);
    memset(long_key, 'k', sizeof(long_key));
    long_key[KT_ATTR_KEY_MAX + 1] = '\0';
    ck_assert_int_eq(put(h, "a", "v", PUT_OPTIONS(.attrs = &attr, .nattrs = 1)), KT_TOO_LARGE);
    ck_assert_str_eq(scene_read(counts), "");
    ck_assert_int_eq(kt_put(h, "a", big, KT_VALUE_MAX, NULL, NULL, NULL), KT_SUCCESS);
    ck_assert_int_eq(kt_put(h, "a", NULL, 0, NULL, NULL, NULL), KT_SUCCESS);
    kt_close(h);
}
END_TEST

/* ---- what others learn ----------------------------------------------------------------------------- */

START_TEST(every_change_is_told_to_the_modules_that_read)
{
    struct kt_handle *h = scene_open(s, "t",
                                     "read optional mock_counts file=%s max-stale=1h\n"
                                     "read required mock_good label=a\n"
                                     "write required mock_good label=a\n"
                                     "write required debug prepare=success commit=unavailable "
                                     "stage=success delete=success\n",
                                     counts);

    ck_assert_int_eq(put(truth, "a", "0", NULL), KT_SUCCESS);
    scene_expect(h, "a", "0", KT_SUCCESS);
    ck_assert_str_eq(scene_read(counts), "og");
    ck_assert_int_eq(put(h, "a", "1", PUT_OPTIONS(.id = ID1)), KT_PARTIAL);
    ck_assert_str_eq(scene_read(counts), "ogx");
    ck_assert_int_eq(kt_stage(h, "a", "pending", ID1, NULL, NULL, NULL), KT_SUCCESS);
    ck_assert_str_eq(scene_read(counts), "ogxx");
    ck_assert_int_eq(kt_delete(h, "a", NULL, NULL, NULL), KT_SUCCESS);
    ck_assert_str_eq(scene_read(counts), "ogxxx");
    ck_assert_int_eq(kt_restore(h, "a", NULL, NULL), KT_SUCCESS);
    ck_assert_str_eq(scene_read(counts), "ogxxxx");
    kt_close(h);
}
END_TEST

START_TEST(a_change_shows_through_every_copy_of_ours)
{
    struct kt_handle *h = scene_open(s, "t",
                                     "read front cache\n"
                                     "read fallback mock_good label=f max-stale=1h fill\n"
                                     "read required mock_good label=a\n"
                                     "write required mock_good label=a\n");
    char id[KT_ID_SIZE];

    scene_put(h, "a", "1", id);
    scene_expect(h, "a", "1", KT_SUCCESS);
    scene_expect(h, "a", "1", KT_SUCCESS);
    scene_put(h, "a", "2", id);
    scene_expect(h, "a", "2", KT_SUCCESS);
    ck_assert_int_eq(kt_delete(h, "a", NULL, NULL, NULL), KT_SUCCESS);
    scene_expect(h, "a", NULL, KT_NOT_FOUND);
    kt_close(h);
}
END_TEST

START_TEST(what_a_put_left_in_a_follower_is_a_young_copy)
{
    struct kt_handle *h = scene_open(s, "t",
                                     "read required mock_good label=a\n"
                                     "write required mock_good label=a\n"
                                     "write required mock_good label=f\n");
    struct kt_handle *down = scene_open(s, "down",
                                        "read fallback mock_good label=f max-stale=1h\n"
                                        "read required debug get=unavailable\n");
    char id[KT_ID_SIZE];
    struct kt_info info;
    int status;

    scene_put(h, "a", "v", id);
    ck_assert_str_eq(scene_get(down, "a", NULL, &status, &info), "v");
    ck_assert_str_eq(info.id, id);
    ck_assert_uint_eq(info.flags, KT_FLAG_COPY);
    kt_close(down);
    kt_close(h);
}
END_TEST

START_TEST(a_field_is_put_beside_the_others)
{
    struct kt_handle *h = scene_open(s, "t",
                                     "read required mock_good label=a field=key\n"
                                     "write required mock_good label=a field=key\n");

    ck_assert_int_eq(put(truth, "a", "{\"other\": 1, \"key\": \"old\"}", NULL), KT_SUCCESS);
    scene_expect(h, "a", "old", KT_SUCCESS);
    ck_assert_int_eq(put(h, "a", "new", PUT_OPTIONS(.id = ID1)), KT_SUCCESS);
    ck_assert_int_eq(put(h, "a", "new", PUT_OPTIONS(.id = ID1)), KT_SUCCESS);
    scene_expect(h, "a", "new", KT_SUCCESS);
    int status;
    const char *whole = scene_get(truth, "a", NULL, &status, NULL);
    ck_assert_msg(strstr(whole, "\"other\"") != NULL && strstr(whole, "\"new\"") != NULL, "%s",
                  whole);
    ck_assert_uint_eq(versions("a"), 2);
    ck_assert_int_eq(kt_put(h, "a", "\xff", 1, NULL, NULL, NULL), KT_INVALID);
    ck_assert_int_eq(kt_delete(h, "a", NULL, NULL, NULL), KT_SUCCESS);
    scene_expect(h, "a", NULL, KT_NOT_FOUND);
    whole = scene_get(truth, "a", NULL, &status, NULL);
    ck_assert_msg(strstr(whole, "\"other\"") != NULL && strstr(whole, "key") == NULL, "%s", whole);
    kt_close(h);
}
END_TEST

/* ---- stores that keep little ------------------------------------------------------------------- */

static const struct {
    const char *title;
    const char *value;
    struct kt_put_options o;
    int want; /* as the authority; as a follower it is told what it can keep */
    bool followed;
} little[] = {
    { "what fits", "v", { OPTIONS }, KT_SUCCESS, true },
    { "what just fits", "0123456789abcdef", { OPTIONS }, KT_SUCCESS, true },
    { "too large", "0123456789abcdefg", { OPTIONS }, KT_TOO_LARGE, false },
    { "too small", "", { OPTIONS }, KT_INVALID, false },
    { "pending", "v", { OPTIONS, .stage = "pending" }, KT_UNSUPPORTED, false },
    { "with an expiry", "v", { OPTIONS, .expires_ms = 4102444800000 }, KT_UNSUPPORTED, true },
    { "with a beginning", "v", { OPTIONS, .not_before_ms = 1 }, KT_UNSUPPORTED, true },
    { "with an attribute",
      "v",
      { OPTIONS, .attrs = &(const struct kt_attr){ "k", "v" }, .nattrs = 1 },
      KT_UNSUPPORTED,
      true },
    { "with an expectation", "v", { OPTIONS, .expected = "" }, KT_UNSUPPORTED, true },
};

START_TEST(a_store_is_given_only_what_it_can_keep)
{
    struct kt_handle *alone = scene_open(s, "t",
                                         "read required mock_less\nwrite required mock_less\n");
    struct kt_handle *below = scene_open(s, "u",
                                         "read sufficient mock_less max-stale=none\n"
                                         "read required debug get=not_found\n"
                                         "write required mock_good label=a\n"
                                         "write optional mock_less\n");
    const int rc = put(alone, "a", little[_i].value, &little[_i].o);

    ck_assert_msg(rc == little[_i].want, "%s: %s", little[_i].title, kt_status_name(rc));
    scene_expect(alone, "a", rc == KT_SUCCESS ? little[_i].value : NULL, KT_NOT_FOUND);
    ck_assert_int_eq(put(below, "a", little[_i].value, &little[_i].o), KT_SUCCESS);
    scene_expect(below, "a", little[_i].followed ? little[_i].value : NULL, KT_NOT_FOUND);
    kt_close(below);
    kt_close(alone);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("put");
    TCase *tc = tcase_create("put");

    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_add_test(tc, every_line_is_asked_before_one_is_written);
    tcase_add_test(tc, only_chosen_lines_are_written);
    scene_add_rows(tc, a_put_ends_as_its_row_says, rows);
    tcase_add_test(tc, where_the_authority_fails_nobody_else_is_written);
    tcase_add_test(tc, a_follower_that_hangs_does_not_take_the_authoritys_time);
    tcase_add_test(tc, without_write_lines_nothing_can_be_written);
    tcase_add_test(tc, a_put_repeated_with_its_id_is_one_version);
    tcase_add_test(tc, what_is_expected_must_be_current);
    tcase_add_test(tc, followers_are_not_held_to_what_is_expected);
    tcase_add_test(tc, an_expectation_needs_a_store_that_can_hold_to_it);
    tcase_add_test(tc, a_version_id_is_made_of_the_time);
    scene_add_rows(tc, what_breaks_a_rule_reaches_no_store, refused);
    tcase_add_test(tc, values_over_the_limit_and_bad_names_reach_no_store);
    tcase_add_test(tc, every_change_is_told_to_the_modules_that_read);
    tcase_add_test(tc, a_change_shows_through_every_copy_of_ours);
    tcase_add_test(tc, what_a_put_left_in_a_follower_is_a_young_copy);
    tcase_add_test(tc, a_field_is_put_beside_the_others);
    scene_add_rows(tc, a_store_is_given_only_what_it_can_keep, little);
    suite_add_tcase(suite, tc);
    return kt_harness_run(suite);
}
