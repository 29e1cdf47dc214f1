/* SPDX-License-Identifier: Apache-2.0 */

/* Changes to versions that are there: stages, deletion, restoring, repair. */

#include "scene.h"

#include <string.h>

#define ID1 "01890a5d-ac96-774b-bcce-b302099a8057"
#define ID2 "01890a5d-ac97-774b-bcce-b302099a8057"

static struct scene *s;
static struct kt_handle *truth; /* the store `a`, alone */

static void set_up(void)
{
    s = scene_new();
    truth = scene_open(s, "truth",
                       "read required mock_good label=a\n"
                       "write required mock_good label=a\n");
}

static void tear_down(void)
{
    kt_close(truth);
    scene_free(s);
    kt_harness_no_secrets();
}

static int put(struct kt_handle *h, const char *value, const char *id, const char *stage)
{
    const struct kt_put_options o = { .size = sizeof(o), .id = id, .stage = stage };

    return kt_put(h, "a", value, strlen(value), &o, NULL, NULL);
}

START_TEST(a_pending_version_is_promoted)
{
    struct kt_handle *h = scene_open(s, "t",
                                     "read front cache\nread required mock_good label=a\n"
                                     "write required mock_good label=a\n");
    int status;

    ck_assert_int_eq(put(h, "1", ID1, NULL), KT_SUCCESS);
    ck_assert_int_eq(put(h, "2", ID2, "pending"), KT_SUCCESS);
    scene_expect(h, "a", "1", KT_SUCCESS);
    ck_assert_int_eq(kt_stage(h, "a", "current", ID2, ID2, NULL, NULL), KT_CONFLICT);
    scene_expect(h, "a", "1", KT_SUCCESS);
    ck_assert_int_eq(kt_stage(h, "a", "current", ID2, ID1, NULL, NULL), KT_SUCCESS);
    scene_expect(h, "a", "2", KT_SUCCESS);
    ck_assert_str_eq(scene_get(h, "a", GET_OPTIONS(.stage = "previous"), &status, NULL), "1");
    ck_assert_str_eq(scene_get(h, "a", GET_OPTIONS(.stage = "pending"), &status, NULL), "");
    ck_assert_int_eq(status, KT_NOT_FOUND);

    ck_assert_int_eq(kt_stage(h, "a", "pending", ID1, NULL, NULL, NULL), KT_SUCCESS);
    ck_assert_str_eq(scene_get(h, "a", GET_OPTIONS(.stage = "pending"), &status, NULL), "1");
    ck_assert_int_eq(kt_stage(h, "a", "pending", NULL, NULL, NULL, NULL), KT_SUCCESS);
    (void)scene_get(h, "a", GET_OPTIONS(.stage = "pending"), &status, NULL);
    ck_assert_int_eq(status, KT_NOT_FOUND);
    kt_close(h);
}
END_TEST

START_TEST(stages_that_cannot_be_moved_so)
{
    static const struct {
        const char *stage, *version, *expected;
        int want;
    } bad[] = {
        { "previous", ID1, NULL, KT_INVALID },  { "next", ID1, NULL, KT_INVALID },
        { NULL, ID1, NULL, KT_INVALID },        { "current", NULL, NULL, KT_INVALID },
        { "pending", ID1, ID1, KT_INVALID },    { "current", "no id", NULL, KT_INVALID },
        { "current", ID2, NULL, KT_NOT_FOUND },
    };

    ck_assert_int_eq(put(truth, "1", ID1, NULL), KT_SUCCESS);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        ck_assert_msg(kt_stage(truth, "a", bad[i].stage, bad[i].version, bad[i].expected, NULL,
                               NULL) == bad[i].want,
                      "row %zu", i);
    ck_assert_int_eq(kt_stage(truth, "b", "current", ID1, NULL, NULL, NULL), KT_NOT_FOUND);
    scene_expect(truth, "a", "1", KT_SUCCESS);
}
END_TEST

START_TEST(a_secret_is_deleted_and_brought_back)
{
    const struct kt_delete_options purge = { .size = sizeof(purge), .purge = true };
    const struct kt_delete_options other = { .size = sizeof(other), .expected = ID2 };
    const struct kt_delete_options size = { .size = 1 };
    struct kt_handle *h = scene_open(s, "t",
                                     "read front cache\nread required mock_good label=a\n"
                                     "write required mock_good label=a\n"
                                     "write required mock_good label=f\n");
    bool restorable = false;

    ck_assert_int_eq(kt_delete(h, "a", NULL, NULL, NULL), KT_NOT_FOUND);
    ck_assert_int_eq(put(truth, "1", ID1, NULL), KT_SUCCESS);
    scene_expect(h, "a", "1", KT_SUCCESS);
    ck_assert_int_eq(kt_delete(h, "a", &size, NULL, NULL), KT_INVALID);
    ck_assert_int_eq(kt_delete(h, "a", &other, NULL, NULL), KT_CONFLICT);
    /* The follower never had it: nothing is left to do there. */
    ck_assert_int_eq(kt_delete(h, "a", NULL, &restorable, NULL), KT_SUCCESS);
    ck_assert(restorable);
    scene_expect(h, "a", NULL, KT_NOT_FOUND);
    ck_assert_int_eq(kt_restore(truth, "a", NULL, NULL), KT_SUCCESS);
    scene_expect(truth, "a", "1", KT_SUCCESS);
    ck_assert_int_eq(kt_restore(truth, "a", NULL, NULL), KT_EXISTS);
    ck_assert_int_eq(kt_delete(truth, "a", &purge, &restorable, NULL), KT_SUCCESS);
    ck_assert(!restorable);
    ck_assert_int_eq(kt_restore(truth, "a", NULL, NULL), KT_NOT_FOUND);
    kt_close(h);
}
END_TEST

START_TEST(one_version_is_destroyed)
{
    const struct kt_delete_options old = { .size = sizeof(old), .version = ID1 };
    const struct kt_delete_options both = { .size = sizeof(both), .version = ID1, .expected = ID2 };
    int status;

    ck_assert_int_eq(put(truth, "1", ID1, NULL), KT_SUCCESS);
    ck_assert_int_eq(put(truth, "2", ID2, NULL), KT_SUCCESS);
    ck_assert_int_eq(kt_delete(truth, "a", &both, NULL, NULL), KT_INVALID);
    ck_assert_int_eq(kt_delete(truth, "a", &old, NULL, NULL), KT_SUCCESS);
    (void)scene_get(truth, "a", GET_OPTIONS(.version = ID1), &status, NULL);
    ck_assert_int_eq(status, KT_DISABLED);
    scene_expect(truth, "a", "2", KT_SUCCESS);
    struct kt_list *l = NULL;
    ck_assert_int_eq(kt_versions(truth, "a", NULL, &l, NULL), KT_SUCCESS);
    ck_assert_uint_eq(kt_list_count(l), 2); /* the record stays */
    kt_list_free(l);
}
END_TEST

START_TEST(repair_makes_followers_what_the_authority_is)
{
    struct kt_handle *h = scene_open(s, "t",
                                     "read required mock_good label=a\n"
                                     "write required mock_good label=a\n"
                                     "write required mock_good label=f\n");
    struct kt_handle *copy = scene_open(s, "copy",
                                        "read required mock_good label=f\n"
                                        "write required mock_good label=f\n");
    struct kt_handle *down = scene_open(s, "down",
                                        "write required debug get=unavailable\n"
                                        "write required mock_good label=f\n");
    char id[KT_ID_SIZE];

    scene_put(truth, "a", "new", id);
    scene_put(copy, "a", "old", id);
    scene_put(copy, "b", "gone", id);
    ck_assert_int_eq(kt_repair(h, "a", NULL, NULL), KT_SUCCESS);
    ck_assert_int_eq(kt_repair(h, "b", NULL, NULL), KT_SUCCESS);
    scene_expect(copy, "a", "new", KT_SUCCESS);
    scene_expect(copy, "b", NULL, KT_NOT_FOUND);
    scene_expect(truth, "a", "new", KT_SUCCESS);
    scene_expect(truth, "b", NULL, KT_NOT_FOUND);
    /* An authority that cannot be asked says nothing: no copy is touched. */
    ck_assert_int_eq(kt_repair(down, "a", NULL, NULL), KT_UNAVAILABLE);
    scene_expect(copy, "a", "new", KT_SUCCESS);
    kt_close(down);
    kt_close(copy);
    kt_close(h);
}
END_TEST

/* A store that can do none of this: as the authority it says so, as a follower it gets a copy. */
START_TEST(a_store_that_only_puts)
{
    const struct kt_delete_options old = { .size = sizeof(old), .version = ID1 };
    struct kt_handle *alone = scene_open(s, "t",
                                         "read required mock_less\nwrite required mock_less\n");
    struct kt_handle *below = scene_open(s, "u",
                                         "read sufficient mock_less max-stale=none\n"
                                         "read required mock_good label=a\n"
                                         "write required mock_good label=a\n"
                                         "write required mock_less\n");

    ck_assert_int_eq(put(alone, "1", ID1, NULL), KT_SUCCESS);
    ck_assert_int_eq(kt_stage(alone, "a", "current", ID1, NULL, NULL, NULL), KT_UNSUPPORTED);
    ck_assert_int_eq(kt_stage(alone, "a", "current", ID1, ID1, NULL, NULL), KT_UNSUPPORTED);
    ck_assert_int_eq(kt_delete(alone, "a", NULL, NULL, NULL), KT_UNSUPPORTED);
    ck_assert_int_eq(kt_delete(alone, "a", &old, NULL, NULL), KT_UNSUPPORTED);
    ck_assert_int_eq(kt_restore(alone, "a", NULL, NULL), KT_UNSUPPORTED);
    scene_expect(alone, "a", "1", KT_SUCCESS);

    ck_assert_int_eq(put(truth, "1", ID1, NULL), KT_SUCCESS);
    ck_assert_int_eq(put(truth, "2", ID2, "pending"), KT_SUCCESS);
    ck_assert_int_eq(kt_repair(below, "a", NULL, NULL), KT_SUCCESS);
    scene_expect(below, "a", "1", KT_SUCCESS);
    ck_assert_int_eq(kt_stage(below, "a", "pending", ID2, NULL, NULL, NULL), KT_SUCCESS);
    scene_expect(below, "a", "1", KT_SUCCESS);
    ck_assert_int_eq(kt_stage(below, "a", "current", ID2, ID1, NULL, NULL), KT_SUCCESS);
    scene_expect(below, "a", "2", KT_SUCCESS);
    /* What a required follower could not do is refused before anybody does it. */
    ck_assert_int_eq(kt_delete(below, "a", NULL, NULL, NULL), KT_UNSUPPORTED);
    scene_expect(truth, "a", "2", KT_SUCCESS);
    kt_close(below);
    kt_close(alone);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("stage");
    TCase *tc = tcase_create("stage");

    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_add_test(tc, a_pending_version_is_promoted);
    tcase_add_test(tc, stages_that_cannot_be_moved_so);
    tcase_add_test(tc, a_secret_is_deleted_and_brought_back);
    tcase_add_test(tc, one_version_is_destroyed);
    tcase_add_test(tc, repair_makes_followers_what_the_authority_is);
    tcase_add_test(tc, a_store_that_only_puts);
    suite_add_tcase(suite, tc);
    return kt_harness_run(suite);
}
