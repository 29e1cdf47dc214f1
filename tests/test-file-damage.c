/* SPDX-License-Identifier: Apache-2.0 */

/* What somebody who can write the file, or a bad disk, can and cannot do to the file backend. */

#include "filestore.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct filestore fs;
static char a1[KT_ID_SIZE];
static char a2[KT_ID_SIZE];
static char b1[KT_ID_SIZE];

/* Secrets a (two versions) and b; the line is closed, so that the file is all there is. */
static void setup(void)
{
    a1[0] = a2[0] = b1[0] = '\0';
    filestore_open(&fs, NULL);
    ck_assert_int_eq(filestore_put(&fs, "a", "a-one", a1, NULL), KT_SUCCESS);
    ck_assert_int_eq(filestore_put(&fs, "a", "a-two", a2, NULL), KT_SUCCESS);
    ck_assert_int_eq(filestore_put(&fs, "b", "b-one", b1, NULL), KT_SUCCESS);
}

static void teardown(void)
{
    filestore_close(&fs);
    ck_assert_uint_eq(modhost_live(), 0);
}

static void shut(void)
{
    fs.m->close(fs.state);
    modhost_call_done(&fs.call);
}

static void open_again(void)
{
    filestore_reopen(&fs, NULL);
}

/* SQL in which $A1 and so on stand for ids, $A and $B for tags. */
static void sql(const char *text)
{
    static const char tag_of[] = "(SELECT tag FROM record WHERE id='%s')";
    char out[4096];
    char tag[256];
    size_t n = 0;

    for (; *text != '\0'; text++) {
        const char *with = NULL;
        size_t skip = 2;

        if (strncmp(text, "$A1", 3) == 0 || strncmp(text, "$A2", 3) == 0) {
            with = text[2] == '1' ? a1 : a2;
            skip = 3;
        } else if (strncmp(text, "$B1", 3) == 0) {
            with = b1;
            skip = 3;
        } else if (strncmp(text, "$A", 2) == 0 || strncmp(text, "$B", 2) == 0) {
            /* of b's only version and a's older one: rows that no case takes away before it asks */
            (void)snprintf(tag, sizeof(tag), tag_of, text[1] == 'A' ? a1 : b1);
            with = tag;
        }
        if (with == NULL) {
            out[n++] = *text;
            continue;
        }
        n += (size_t)snprintf(out + n, sizeof(out) - n, "%s", with);
        text += skip - 1;
    }
    out[n] = '\0';
    filestore_sql(&fs, out);
}

static char *slurp(const char *path, size_t *len)
{
    FILE *f = fopen(path, "rb");
    char *data = malloc(1 << 20);

    ck_assert_ptr_nonnull(f);
    *len = fread(data, 1, 1 << 20, f);
    ck_assert_int_eq(fclose(f), 0);
    return data;
}

static void spill(const char *path, const char *data, size_t len)
{
    FILE *f = fopen(path, "wb");

    ck_assert_ptr_nonnull(f);
    ck_assert_uint_eq(fwrite(data, 1, len, f), len);
    ck_assert_int_eq(fclose(f), 0);
}

#define SAVE "CREATE TABLE saved AS SELECT * FROM record;"
#define BACK "INSERT OR REPLACE INTO record SELECT * FROM saved WHERE "

/*
 * Something is kept by @before, something is done, then @after is what the attacker does. @what it hits:
 * the secret, whatever is asked of it; its current version; or its older one, while the current one
 * is right.
 */
static const struct damage {
    const char *title;
    enum { SECRET, CURRENT, OLDER } what;
    const char *before;
    enum { NOTHING, PUT, STAGE, DESTROY, PURGE } act;
    const char *after;
    bool head; /* the list cannot tell the name */
} damages[] = {
    { .title = "current altered",
      .what = CURRENT,
      .after =
          "UPDATE record SET sealed = CAST(substr(sealed, 1, length(sealed) - 4) || x'deadbeef'"
          " AS BLOB) WHERE id = '$A2'" },
    { .title = "salt altered",
      .what = CURRENT,
      .after = "UPDATE record SET sealed = CAST(x'deadbeef' || substr(sealed, 5) AS BLOB)"
               " WHERE id = '$A2'" },
    { .title = "cut short",
      .what = CURRENT,
      .after =
          "UPDATE record SET sealed = substr(sealed, 1, length(sealed) - 1) WHERE id = '$A2'" },
    { .title = "cut to nothing",
      .what = CURRENT,
      .after = "UPDATE record SET sealed = x'' WHERE id = '$A2'" },
    { .title = "text",
      .what = CURRENT,
      .after = "UPDATE record SET sealed = 'hello' WHERE id = '$A2'" },
    { .title = "versions swapped",
      .what = CURRENT,
      .after = SAVE "UPDATE record SET sealed = (SELECT sealed FROM saved WHERE id = '$A1')"
                    " WHERE id = '$A2'; UPDATE record SET sealed = (SELECT sealed FROM saved WHERE"
                    " id = '$A2') WHERE id = '$A1'" },
    { .title = "another secret's value",
      .what = CURRENT,
      .after = "UPDATE record SET sealed = (SELECT sealed FROM record WHERE id = '$B1')"
               " WHERE id = '$A2'" },
    { .title = "older version moved away", .after = "UPDATE record SET id = 'x' WHERE id = '$A1'" },
    { .title = "older version removed", .after = "DELETE FROM record WHERE id = '$A1'" },
    { .title = "current removed", .after = "DELETE FROM record WHERE id = '$A2'" },
    { .title = "a row that the head does not list",
      .after = "INSERT INTO record SELECT tag, 'zzz', dk, sealed FROM record WHERE id = '$A1'" },
    { .title = "destroyed row put back",
      .what = OLDER,
      .before = SAVE,
      .act = DESTROY,
      .after = BACK "id = '$A1'" },
    { .title = "purged row put back", .before = SAVE, .act = PURGE, .after = BACK "id = '$A1'" },
    { .title = "head put back after put",
      .before = SAVE,
      .act = PUT,
      .after = BACK "tag = $A AND id = ''" },
    { .title = "head put back after stage",
      .what = CURRENT,
      .before = SAVE,
      .act = STAGE,
      .after = BACK "tag = $A AND id = ''" },
    { .title = "head put back after destroy",
      .what = CURRENT,
      .before = SAVE,
      .act = DESTROY,
      .after = BACK "tag = $A AND id = ''" },
    { .title = "head put back after purge",
      .before = SAVE,
      .act = PURGE,
      .after = BACK "tag = (SELECT tag FROM record WHERE id='$A2')"
                    " AND id = ''" },
    { .title = "unknown data key",
      .what = CURRENT,
      .after = "UPDATE record SET dk = 99 WHERE id = '$A2'" },
    { .title = "head removed",
      .after = "DELETE FROM record WHERE tag = $A AND id = ''",
      .head = true },
    { .title = "head altered",
      .after =
          "UPDATE record SET sealed = CAST(substr(sealed, 1, length(sealed) - 4) || x'deadbeef'"
          " AS BLOB) WHERE tag = $A AND id = ''",
      .head = true },
    { .title = "head of another secret",
      .after = "UPDATE record SET sealed = (SELECT sealed FROM record WHERE tag = $B AND id = '')"
               " WHERE tag = $A AND id = ''",
      .head = true },
    { .title = "head under another data key",
      .after = "UPDATE record SET dk = 0 WHERE tag = $A AND id = ''",
      .head = true },
    { .title = "head that is a number",
      .after = "UPDATE record SET sealed = 7 WHERE tag = $A AND id = ''",
      .head = true },
};

static void act_on(const struct damage *d)
{
    char id[KT_ID_SIZE] = "";

    switch (d->act) {
    case NOTHING:
        break;
    case PUT:
        ck_assert_int_eq(filestore_put(&fs, "a", "a-three", id, NULL), KT_SUCCESS);
        break;
    case STAGE:
        ck_assert_int_eq(filestore_stage(&fs, "a", KT_STAGE_CURRENT, a1, NULL), KT_SUCCESS);
        break;
    case DESTROY:
        ck_assert_int_eq(filestore_delete(&fs, "a", a1, false), KT_SUCCESS);
        break;
    case PURGE:
        /* previous is spared: another version becomes it first */
        ck_assert_int_eq(filestore_put(&fs, "a", "a-three", id, NULL), KT_SUCCESS);
        sql("DROP TABLE saved;" SAVE);
        ck_assert_int_eq(filestore_delete(&fs, "a", a1, true), KT_SUCCESS);
        break;
    }
}

static void must_be_corrupt(const char *title, int rc)
{
    ck_assert_msg(rc == KT_CORRUPT, "%s: %d %s", title, rc, fs.call.msg);
    ck_assert_msg(strstr(fs.call.msg, "'a'") != NULL, "%s: does not name it: %s", title,
                  fs.call.msg);
}

START_TEST(damage_is_named_and_harms_no_other_secret)
{
    const struct damage *d = &damages[_i];
    bool restorable;

    if (d->before != NULL)
        sql(d->before);
    act_on(d);
    sql(d->after);

    if (d->what == OLDER) {
        must_be_corrupt(d->title, filestore_get(&fs, "a", a1));
        filestore_must_get(&fs, "a", "a-two");
    } else {
        must_be_corrupt(d->title, filestore_get(&fs, "a", NULL));
    }
    must_be_corrupt(d->title, filestore_stage(&fs, "a", KT_STAGE_CURRENT, a1, NULL));
    if (d->what == SECRET)
        must_be_corrupt(d->title, filestore_put(&fs, "a", "x", (char[KT_ID_SIZE]){ "" }, NULL));
    modhost_call_reset(&fs.call);
    must_be_corrupt(d->title, fs.m->versions(fs.state, &fs.call, "a"));
    filestore_must_get(&fs, "b", "b-one");
    ck_assert_int_eq(filestore_put(&fs, "b", "b-two", (char[KT_ID_SIZE]){ "" }, b1), KT_SUCCESS);
    ck_assert_int_eq(filestore_get(&fs, "none", NULL), KT_NOT_FOUND);

    /* the list is not silently short */
    modhost_call_reset(&fs.call);
    ck_assert_int_eq(fs.m->list(fs.state, &fs.call, NULL), d->head ? KT_CORRUPT : KT_SUCCESS);
    ck_assert_uint_eq(fs.call.ngiven, d->head ? 1 : 2);

    /* the way out: nothing that a damaged head says is believed */
    modhost_call_reset(&fs.call);
    if (d->what == SECRET)
        must_be_corrupt(d->title, fs.m->del(fs.state, &fs.call, KT_COMMIT, "a",
                                            &(struct kt_delete){ .size = sizeof(struct kt_delete),
                                                                 .expected = a2 },
                                            &restorable));
    ck_assert_int_eq(filestore_delete(&fs, "a", NULL, false), KT_SUCCESS);
    ck_assert_int_eq(filestore_get(&fs, "a", NULL), KT_NOT_FOUND);
    ck_assert_int_eq(filestore_put(&fs, "a", "anew", (char[KT_ID_SIZE]){ "" }, ""), KT_SUCCESS);
    filestore_must_get(&fs, "a", "anew");
    filestore_must_get(&fs, "b", "b-two");
}
END_TEST

START_TEST(an_older_version_can_be_damaged_and_only_it_is_refused)
{
    sql("UPDATE record SET sealed = CAST(substr(sealed, 1, length(sealed) - 4) || x'deadbeef' AS"
        " BLOB) WHERE id = '$A1'");
    must_be_corrupt("altered", filestore_get(&fs, "a", a1));
    filestore_must_get(&fs, "a", "a-two");
}
END_TEST

START_TEST(a_follower_replaces_what_is_damaged)
{
    sql("DELETE FROM record WHERE id = '$A1'");
    ck_assert_int_eq(filestore_fill(&fs, "a", a2, "right", 1), KT_SUCCESS);
    filestore_must_get(&fs, "a", "right");
}
END_TEST

START_TEST(rows_of_a_deleted_secret_do_not_fit_a_new_one)
{
    sql(SAVE);
    ck_assert_int_eq(filestore_delete(&fs, "a", NULL, false), KT_SUCCESS);
    ck_assert_int_eq(filestore_put(&fs, "a", "new-two", a2, NULL), KT_SUCCESS);
    sql(BACK "id = '$A2'");
    must_be_corrupt("row of old", filestore_get(&fs, "a", NULL));
}
END_TEST

/* One that does not open, so that it shows: the line is open and has written all along. */
START_TEST(a_put_takes_the_newest_data_key_whoever_made_it)
{
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(filestore_put(&fs, "a", "before", (char[KT_ID_SIZE]){ "" }, NULL),
                         KT_SUCCESS);
        sql("INSERT INTO datakey (id, state, wrapped) SELECT 2, 1, wrapped FROM datakey");
        ck_assert_int_eq(filestore_put(&fs, "a", "during", (char[KT_ID_SIZE]){ "" }, NULL),
                         KT_CORRUPT);
        sql("DELETE FROM datakey WHERE id = 2");
    }
    ck_assert_int_eq(filestore_put(&fs, "a", "after", (char[KT_ID_SIZE]){ "" }, NULL), KT_SUCCESS);
}
END_TEST

START_TEST(damage_to_the_keys_is_not_taken_for_a_wrong_key)
{
    static const char *const rows[] = {
        "UPDATE slot SET wrapped = randomblob(80)",
        "UPDATE slot SET sum = randomblob(16)",
        "UPDATE slot SET params = x'00'",
        "UPDATE slot SET kind = 'passphrase'",
        "UPDATE slot SET kind = 'far too long for any kind of slot'",
        "UPDATE slot SET wrapped = 'text'",
        "DELETE FROM slot",
        "UPDATE store SET id = randomblob(16)",
        "UPDATE store SET id = randomblob(15)",
        "UPDATE store SET index_key = randomblob(80)",
        "UPDATE store SET format = 1",
        "UPDATE store SET sum = randomblob(16)",
        "DELETE FROM store",
        "DELETE FROM datakey",
        "UPDATE datakey SET wrapped = randomblob(80)",
        "UPDATE datakey SET wrapped = 7",
        "UPDATE datakey SET id = 2",
        "DROP TABLE store",
        "DROP TABLE slot",
        "DROP TABLE datakey",
        "DROP TABLE record",
        "ALTER TABLE record RENAME TO other; CREATE VIEW record AS SELECT * FROM other",
    };
    size_t len;
    char *whole;

    shut();
    whole = slurp(fs.path, &len);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        spill(fs.path, whole, len);
        sql(rows[i]);
        open_again();
        const int rc = filestore_get(&fs, "a", NULL);
        ck_assert_msg(rc == KT_CORRUPT, "%s: %d %s", rows[i], rc, fs.call.msg);
        ck_assert_int_ne(filestore_put(&fs, "c", "x", (char[KT_ID_SIZE]){ "" }, NULL), KT_SUCCESS);
        shut();
    }
    spill(fs.path, whole, len);
    open_again();
    filestore_must_get(&fs, "a", "a-two");
    free(whole);
}
END_TEST

START_TEST(a_whole_slot_of_several_is_enough)
{
    sql("INSERT INTO slot SELECT 2, 'keyfile', x'', randomblob(80), randomblob(16), 0, '';"
        "INSERT INTO slot SELECT 0, 'odd', x'', randomblob(80), randomblob(16), 0, ''");
    shut();
    open_again();
    filestore_must_get(&fs, "a", "a-two");
}
END_TEST

START_TEST(a_newer_format_is_refused_in_words)
{
    sql("PRAGMA user_version = 3");
    shut();
    open_again();
    ck_assert_int_eq(filestore_get(&fs, "a", NULL), KT_UNSUPPORTED);
    ck_assert_ptr_nonnull(strstr(fs.call.msg, "update keyturn"));
    ck_assert_int_eq(filestore_put(&fs, "a", "x", (char[KT_ID_SIZE]){ "" }, NULL), KT_UNSUPPORTED);
}
END_TEST

START_TEST(triggers_and_views_do_not_run)
{
    sql("CREATE TRIGGER t AFTER INSERT ON record BEGIN DELETE FROM record; END");
    ck_assert_int_eq(filestore_put(&fs, "c", "x", (char[KT_ID_SIZE]){ "" }, NULL), KT_SUCCESS);
    filestore_must_get(&fs, "a", "a-two");
}
END_TEST

/* Any bytes may be hit. Never another value, never a crash. */
START_TEST(random_damage_gives_the_right_value_or_says_so)
{
    const unsigned rounds = getenv("KEYTURN_TEST_LONG") != NULL ? 20000 : 300;
    unsigned corrupt = 0;
    size_t len;
    char *whole;
    char *hit;

    shut();
    whole = slurp(fs.path, &len);
    hit = malloc(len);
    srandom(7);
    for (unsigned i = 0; i < rounds; i++) {
        const size_t at = (size_t)random() % len;
        const size_t n = 1 + (size_t)random() % (i % 3 == 0 ? 400 : 4);

        memcpy(hit, whole, len);
        for (size_t k = at; k < at + n && k < len; k++)
            hit[k] = (char)random();
        spill(fs.path, hit, len);
        open_again();
        for (int b = 0; b < 2; b++) {
            const int rc = filestore_get(&fs, b ? "b" : "a", NULL);

            if (rc == KT_SUCCESS)
                ck_assert_str_eq(fs.given->data, b ? "b-one" : "a-two");
            else
                ck_assert_msg(rc == KT_CORRUPT || rc == KT_NOT_FOUND || rc == KT_UNSUPPORTED,
                              "round %u: %d %s", i, rc, fs.call.msg);
            corrupt += rc == KT_CORRUPT ? 1 : 0;
        }
        modhost_call_reset(&fs.call);
        (void)!fs.m->list(fs.state, &fs.call, NULL);
        shut();
    }
    ck_assert_uint_gt(corrupt, 10);
    spill(fs.path, whole, len);
    open_again();
    free(whole);
    free(hit);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("file-damage");
    TCase *tc = tcase_create("damage");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_loop_test(tc, damage_is_named_and_harms_no_other_secret, 0,
                        sizeof(damages) / sizeof(damages[0]));
    tcase_add_test(tc, an_older_version_can_be_damaged_and_only_it_is_refused);
    tcase_add_test(tc, a_follower_replaces_what_is_damaged);
    tcase_add_test(tc, rows_of_a_deleted_secret_do_not_fit_a_new_one);
    tcase_add_test(tc, a_put_takes_the_newest_data_key_whoever_made_it);
    tcase_add_test(tc, damage_to_the_keys_is_not_taken_for_a_wrong_key);
    tcase_add_test(tc, a_whole_slot_of_several_is_enough);
    tcase_add_test(tc, a_newer_format_is_refused_in_words);
    tcase_add_test(tc, triggers_and_views_do_not_run);
    tcase_add_test(tc, random_damage_gives_the_right_value_or_says_so);
    suite_add_tcase(s, tc);
    return kt_harness_run(s);
}
