/* SPDX-License-Identifier: Apache-2.0 */

/* keyturn file import, into a store that has some of it already. */

#include "filestore.h"

#include <string.h>

static struct filestore fs;    /* what is exported */
static struct filestore other; /* what it is imported into: made by that */
static char *archive;

static const char *const twice[] = { "over the rainbow", "over the rainbow", NULL };

static void setup(void)
{
    filestore_open(&fs, NULL);
    filestore_open(&other, NULL);
    archive = kt_harness_path(fs.dir, "archive");
}

static void teardown(void)
{
    free(archive);
    filestore_close(&fs);
    filestore_close(&other);
    ck_assert_uint_eq(modhost_live(), 0);
}

static int run(struct filestore *f, const char *verb, const char *const *answers, const char *path,
               const char *more)
{
    char words[600];
    int rc;

    (void)snprintf(words, sizeof(words), "%s=%s %s", verb[0] == 'e' ? "to" : "from", path, more);
    modhost_call_reset(&f->call);
    f->call.answers = answers;
    rc = modhost_verb(f->m, f->state, &f->call, verb, words);
    f->call.answers = NULL;
    MUST(f->call.fails == (rc == KT_SUCCESS ? 0 : 1));
    return rc;
}

static int export_to(const char *more)
{
    return run(&fs, "export", twice, archive, more);
}

static int import_from(const char *more)
{
    return run(&other, "import", twice, archive, more);
}

static bool says(const struct filestore *f, const char *text)
{
    if (f->call.out != NULL && strstr(f->call.out, text) != NULL)
        return true;
    fprintf(stderr, "# not said: '%s' in:\n%s", text, f->call.out != NULL ? f->call.out : "");
    return false;
}

static void put(struct filestore *f, const char *name, const char *value, char id[KT_ID_SIZE])
{
    char own[KT_ID_SIZE] = "";

    ck_assert_msg(filestore_put(f, name, value, id != NULL ? id : own, NULL) == KT_SUCCESS, "%s",
                  f->call.msg);
}

/* The archive: s has v1, v2 (current), p (pending). The store: v1, and v3, current. */
static char v1[KT_ID_SIZE];
static char v2[KT_ID_SIZE];
static char v3[KT_ID_SIZE];
static char p[KT_ID_SIZE];

static void make_two(const char *value_of_v1)
{
    struct kt_put pending = {
        .size = sizeof(pending), .stage = KT_STAGE_PENDING, .id = p, .data = "p", .len = 1
    };

    v1[0] = v2[0] = v3[0] = p[0] = '\0';
    modhost_id(p);
    put(&fs, "s", "1", v1);
    put(&fs, "s", "2", v2);
    ck_assert_int_eq(filestore_put_as(&fs, "s", &pending), KT_SUCCESS);
    put(&fs, "new", "n", NULL);
    put(&other, "s", value_of_v1, v1);
    put(&other, "s", "3", v3);
    ck_assert_int_eq(export_to(""), KT_SUCCESS);
}

START_TEST(missing_versions_come_and_stages_stay)
{
    make_two("1");
    ck_assert_msg(import_from("dry-run") == KT_SUCCESS, "%s", other.call.msg);
    ck_assert(says(&other, "secrets would be made: 1\nsecrets would be changed: 1\n"
                           "secrets unchanged: 0\nversions would be added: 3\nconflicts: 0\n"));
    ck_assert_int_eq(filestore_get(&other, "new", NULL), KT_NOT_FOUND);
    ck_assert_int_eq(filestore_get(&other, "s", v2), KT_NOT_FOUND);
    ck_assert_msg(import_from("") == KT_SUCCESS, "%s", other.call.msg);
    ck_assert(says(&other, "secrets made: 1\nsecrets changed: 1\nsecrets unchanged: 0\n"
                           "versions added: 3\nconflicts: 0\n"));
    filestore_must_get(&other, "s", "3");
    ck_assert_int_eq(filestore_get(&other, "s", v2), KT_SUCCESS);
    ck_assert_str_eq(other.given->data, "2");
    ck_assert_uint_eq(other.given->stages, 0);
    ck_assert_int_eq(filestore_get_stage(&other, "s", KT_STAGE_PREVIOUS), KT_SUCCESS);
    ck_assert_str_eq(other.given->id, v1);
    ck_assert_int_eq(filestore_get_stage(&other, "s", KT_STAGE_PENDING), KT_NOT_FOUND);
    filestore_must_get(&other, "new", "n");
    ck_assert_int_eq(import_from(""), KT_SUCCESS);
    ck_assert(says(&other, "secrets unchanged: 2\nversions added: 0\n"));
}
END_TEST

START_TEST(with_replace_the_archives_stages_win)
{
    make_two("1");
    ck_assert_msg(import_from("replace") == KT_SUCCESS, "%s", other.call.msg);
    filestore_must_get(&other, "s", "2");
    ck_assert_int_eq(filestore_get_stage(&other, "s", KT_STAGE_PREVIOUS), KT_SUCCESS);
    ck_assert_str_eq(other.given->id, v1);
    ck_assert_int_eq(filestore_get_stage(&other, "s", KT_STAGE_PENDING), KT_SUCCESS);
    ck_assert_str_eq(other.given->id, p);
    ck_assert_int_eq(filestore_get(&other, "s", v3), KT_SUCCESS); /* it stays */
    ck_assert_uint_eq(other.given->stages, 0);
    ck_assert_int_eq(import_from("replace"), KT_SUCCESS);
    ck_assert(says(&other, "secrets changed: 0\nsecrets unchanged: 2\n"));
    put(&other, "s", "4", NULL);
    filestore_must_get(&other, "s", "4");
}
END_TEST

START_TEST(other_bytes_under_the_same_id_are_named_and_left)
{
    make_two("different");
    ck_assert_msg(import_from("replace") == KT_SUCCESS, "%s", other.call.msg);
    ck_assert(says(&other, "conflicts: 1\n"));
    ck_assert(says(&other, v1));
    ck_assert(says(&other, "'s'"));
    ck_assert_ptr_null(strstr(other.call.out, "different"));
    ck_assert_int_eq(filestore_get(&other, "s", v1), KT_SUCCESS);
    ck_assert_str_eq(other.given->data, "different");
    filestore_must_get(&other, "s", "3"); /* v1 is previous in the archive: no stage moves */
    ck_assert_int_eq(filestore_get(&other, "s", v2), KT_SUCCESS);
}
END_TEST

START_TEST(what_was_destroyed_stays_so)
{
    make_two("1");
    ck_assert_int_eq(import_from(""), KT_SUCCESS);
    ck_assert_int_eq(filestore_delete(&other, "s", v2, false), KT_SUCCESS);
    ck_assert_int_eq(import_from("replace"), KT_SUCCESS);
    ck_assert(says(&other, "conflicts: 1\n"));
    filestore_must_get(&other, "s", "3");
    ck_assert_int_eq(filestore_get(&other, "s", v2), KT_DISABLED);
}
END_TEST

START_TEST(a_damaged_secret_of_the_store)
{
    put(&fs, "good", "1", NULL);
    put(&fs, "bad", "2", NULL);
    ck_assert_int_eq(export_to(""), KT_SUCCESS);
    put(&other, "bad", "3", NULL);
    filestore_sql(&other, "UPDATE record SET sealed = zeroblob(length(sealed)) WHERE id = ''");
    ck_assert_int_eq(import_from(""), KT_CORRUPT);
    ck_assert_int_eq(filestore_get(&other, "good", NULL), KT_NOT_FOUND);
    ck_assert_msg(import_from("skip-damaged") == KT_SUCCESS, "%s", other.call.msg);
    ck_assert(says(&other, "left out, damaged: 1"));
    filestore_must_get(&other, "good", "1");
}
END_TEST

int main(void)
{
    Suite *s = suite_create("file-merge");
    TCase *tc = tcase_create("merge");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, missing_versions_come_and_stages_stay);
    tcase_add_test(tc, with_replace_the_archives_stages_win);
    tcase_add_test(tc, other_bytes_under_the_same_id_are_named_and_left);
    tcase_add_test(tc, what_was_destroyed_stays_so);
    tcase_add_test(tc, a_damaged_secret_of_the_store);
    suite_add_tcase(s, tc);
    return kt_harness_run(s);
}
