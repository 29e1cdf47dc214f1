/* SPDX-License-Identifier: Apache-2.0 */
#include "harness.h"

#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

#include "child.h"
#include "core/clock.h"
#include "core/id.h"

#define NS_PER_MS 1000000LL

START_TEST(an_id_is_a_uuid_7_of_its_time)
{
    const int64_t ms = 0x0192f3a4b5c6; /* October 2024 */
    char id[KT_ID_SIZE];

    ck_assert_int_eq(kt_id_make(ms * NS_PER_MS + 500000, id, NULL), KT_SUCCESS);
    ck_assert_uint_eq(strlen(id), KT_UUID_SIZE - 1);
    ck_assert_int_eq(strncmp(id, "0192f3a4-b5c6-7800-", 19), 0); /* half a millisecond: 0x800 */
    ck_assert_ptr_nonnull(strchr("89ab", id[19]));
    ck_assert(kt_id_is_ours(id));
    ck_assert_int_eq(kt_id_check(id, NULL), KT_SUCCESS);
    ck_assert_int_eq(kt_id_ms(id), ms);
}
END_TEST

static const struct {
    int64_t ns;
    const char *head;
} times[] = {
    { 0, "00000000-0000-7000-" },         { -1, "00000000-0000-7000-" }, /* a clock before 1970 */
    { INT64_MIN, "00000000-0000-7000-" }, { NS_PER_MS - 1, "00000000-0000-7fff-" },
    { NS_PER_MS, "00000000-0001-7000-" }, { INT64_MAX, "08637bd0-5af6-7c69-" }, /* the year 2262 */
};

START_TEST(times_at_the_edges)
{
    char id[KT_ID_SIZE];

    ck_assert_int_eq(kt_id_make(times[_i].ns, id, NULL), KT_SUCCESS);
    ck_assert_msg(strncmp(id, times[_i].head, 19) == 0, "%s is not %s", id, times[_i].head);
    ck_assert(kt_id_is_ours(id));
    ck_assert_int_eq(kt_id_ms(id), times[_i].ns > 0 ? times[_i].ns / NS_PER_MS : 0);
}
END_TEST

START_TEST(ids_of_later_times_sort_later)
{
    char first[KT_ID_SIZE], second[KT_ID_SIZE];
    int64_t ns = 1700000000LL * 1000 * NS_PER_MS;

    for (int i = 0; i < 10000; i++) { /* 245 ns: the step of the 12 bits */
        ck_assert_int_eq(kt_id_make(ns, first, NULL), KT_SUCCESS);
        ck_assert_int_eq(kt_id_make(ns += 245, second, NULL), KT_SUCCESS);
        ck_assert_int_lt(strcmp(first, second), 0);
    }
}
END_TEST

START_TEST(a_new_id_is_of_now)
{
    char id[KT_ID_SIZE];
    int64_t before = kt_clock_ms(&kt_clock_system, KT_CLOCK_WALL);

    ck_assert_int_eq(kt_id_new(id), KT_SUCCESS);
    ck_assert_int_ge(kt_id_ms(id), before);
    ck_assert_int_le(kt_id_ms(id), kt_clock_ms(&kt_clock_system, KT_CLOCK_WALL));
}
END_TEST

static int by_text(const void *a, const void *b)
{
    return strcmp(a, b);
}

START_TEST(ids_of_one_instant_differ)
{
    enum { N = 10000 };
    static char ids[N][KT_ID_SIZE];

    for (int i = 0; i < N; i++)
        ck_assert_int_eq(kt_id_make(NS_PER_MS, ids[i], NULL), KT_SUCCESS);
    qsort(ids, N, sizeof(ids[0]), by_text);
    for (int i = 1; i < N; i++)
        ck_assert_str_ne(ids[i - 1], ids[i]);
}
END_TEST

static void ask_a_dry_kernel(void *arg)
{
    const int error = *(const int *)arg;
    char id[KT_ID_SIZE] = "as it was";
    struct kt_err err;

    deny(SYS_getrandom, -1, 0, error);
    CHILD_MUST(kt_id_make(0, id, &err) == KT_UNAVAILABLE);
    CHILD_MUST(strstr(err.msg, "random") != NULL);
    CHILD_MUST(strcmp(id, "as it was") == 0);
    CHILD_MUST(kt_id_new(id) == KT_UNAVAILABLE);
}

START_TEST(without_random_numbers_there_is_no_id)
{
    static int errors[] = { EAGAIN, ENOSYS };

    ck_assert_int_eq(run_child(ask_a_dry_kernel, &errors[_i]), 0);
}
END_TEST

static const struct {
    const char *id;
    int check;
    bool ours;
} ids[] = {
    { "0192f3a4-b5c6-7800-8000-000000000000", KT_SUCCESS, true },
    { "ffffffff-ffff-7fff-bfff-ffffffffffff", KT_SUCCESS, true },
    { "0192f3a4-b5c6-4800-8000-000000000000", KT_INVALID, false }, /* version 4 */
    { "0192f3a4-b5c6-7800-c000-000000000000", KT_INVALID, false }, /* variant 110 */
    { "0192f3a4-b5c6-7800-7000-000000000000", KT_INVALID, false }, /* variant 0 */
    { "0192F3A4-B5C6-7800-8000-000000000000", KT_INVALID, false },
    { "0192f3a4-b5c6-7800-8000-00000000000", KT_INVALID, false },
    { "0192f3a4-b5c6-7800-8000-0000000000000", KT_INVALID, false },
    { "0192f3a4b5c6-7800-8000-0000000000000", KT_INVALID, false },
    { "0192f3a4-b5c6-7800-8000_000000000000", KT_INVALID, false },
    { "g192f3a4-b5c6-7800-8000-000000000000", KT_INVALID, false },
    { "aws:EXAMPLE1-90ab-cdef-fedc-ba987EXAMPLE", KT_SUCCESS, false },
    { "gcp:17", KT_SUCCESS, false },
    { "my_own-2:a:b/c~!", KT_SUCCESS, false },
    { NULL, KT_INVALID, false },
    { "", KT_INVALID, false },
    { "17", KT_INVALID, false },
    { ":17", KT_INVALID, false },
    { "gcp:", KT_INVALID, false },
    { "GCP:17", KT_INVALID, false },
    { "gcp:1 7", KT_INVALID, false },
    { "gcp:1\n7", KT_INVALID, false },
    { "gcp:1\x7f", KT_INVALID, false },
    { "gcp:\xc3\xa9", KT_INVALID, false },
};

START_TEST(ids_follow_the_rules)
{
    struct kt_err err = { .msg = "" };

    ck_assert_int_eq(kt_id_check(ids[_i].id, &err), ids[_i].check);
    ck_assert_int_eq(err.msg[0] == '\0', ids[_i].check == KT_SUCCESS);
    if (ids[_i].id != NULL) {
        ck_assert_int_eq(kt_id_is_ours(ids[_i].id), ids[_i].ours);
        if (!ids[_i].ours)
            ck_assert_int_eq(kt_id_ms(ids[_i].id), 0);
    }
}
END_TEST

START_TEST(an_id_has_at_most_95_bytes)
{
    char id[2 * KT_ID_SIZE];

    memset(id, 'a', sizeof(id));
    memcpy(id, "aws:", 4);
    id[KT_ID_SIZE - 1] = '\0';
    ck_assert_int_eq(kt_id_check(id, NULL), KT_SUCCESS);
    id[KT_ID_SIZE - 1] = 'a';
    id[KT_ID_SIZE] = '\0';
    ck_assert_int_eq(kt_id_check(id, NULL), KT_INVALID);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("id");
    TCase *t = tcase_create("id");

    tcase_add_test(t, an_id_is_a_uuid_7_of_its_time);
    tcase_add_loop_test(t, times_at_the_edges, 0, sizeof(times) / sizeof(times[0]));
    tcase_add_test(t, ids_of_later_times_sort_later);
    tcase_add_test(t, a_new_id_is_of_now);
    tcase_add_test(t, ids_of_one_instant_differ);
    tcase_add_loop_test(t, without_random_numbers_there_is_no_id, 0, 2);
    tcase_add_loop_test(t, ids_follow_the_rules, 0, sizeof(ids) / sizeof(ids[0]));
    tcase_add_test(t, an_id_has_at_most_95_bytes);
    suite_add_tcase(s, t);
    return kt_harness_run(s);
}
