/* SPDX-License-Identifier: Apache-2.0 */

/* `keyturn file check`: what it finds, what it says, and what it leaves alone. */

#include "filestore.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct filestore fs;
static char a1[KT_ID_SIZE];
static char a2[KT_ID_SIZE];
static char b1[KT_ID_SIZE];

/* Secrets a (two versions) and b. */
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

static int check(void)
{
    int rc;

    modhost_call_reset(&fs.call);
    rc = modhost_verb(fs.m, fs.state, &fs.call, "check", NULL);
    ck_assert_int_eq(fs.call.fails, rc == KT_SUCCESS ? 0 : 1);
    if (fs.call.out == NULL)
        fs.call.out = strdup("");
    return rc;
}

static void must_say(const char *title, const char *text)
{
    ck_assert_msg(strstr(fs.call.out, text) != NULL, "%s: no '%s' in: %s", title, text,
                  fs.call.out);
}

static void must_not_say(const char *title, const char *text)
{
    ck_assert_msg(strstr(fs.call.out, text) == NULL, "%s: '%s' in: %s", title, text, fs.call.out);
}

/* SQL in which @1, @2 and @b stand for the ids. */
static void sql(const char *text)
{
    char out[2048];
    size_t n = 0;

    for (; *text != '\0'; text++) {
        const char *with = NULL;

        if (text[0] == '@')
            with = text[1] == '1' ? a1 : text[1] == '2' ? a2 : b1;
        if (with != NULL)
            n += (size_t)snprintf(out + n, sizeof(out) - n, "'%s'", with);
        else
            out[n++] = *text;
        text += with != NULL ? 1 : 0;
    }
    out[n] = '\0';
    filestore_sql(&fs, out);
}

#define TAG_A "(SELECT tag FROM record WHERE id = @1)"
#define HEAD_A " WHERE id = '' AND tag = (SELECT tag FROM record WHERE id = @1)"

START_TEST(a_sound_store_is_called_sound)
{
    ck_assert_msg(check() == KT_SUCCESS, "%s %s", fs.call.msg, fs.call.out);
    ck_assert_str_eq(fs.call.out, "checked 2 secrets, 3 versions: sound\n");
    ck_assert_uint_eq(fs.call.progress_done, 2);
    ck_assert_uint_eq(fs.call.progress_total, 2);
}
END_TEST

START_TEST(a_store_that_was_never_made_is_not_found)
{
    struct filestore none;

    filestore_open(&none, NULL);
    ck_assert_int_eq(modhost_verb(none.m, none.state, &none.call, "check", NULL), KT_NOT_FOUND);
    ck_assert_int_eq(none.call.fails, 1);
    ck_assert_ptr_null(none.call.out);
    filestore_close(&none);
}
END_TEST

/* @say: a line; @sum: the end of the last one. @bare: the record can be checked without a key */
static const struct finding {
    const char *title;
    const char *sql;
    const char *say;
    const char *sum;
    bool bare;
} findings[] = {
    { "version altered", "UPDATE record SET sealed = zeroblob(length(sealed)) WHERE id = @1",
      "damaged: 'a': version @1 does not open", ": 1 damaged\n", false },
    { "versions swapped",
      "UPDATE record SET sealed = (SELECT sealed FROM record WHERE id = @b) WHERE id = @2",
      "damaged: 'a': version @2 does not open", ": 1 damaged\n", false },
    { "version cut", "UPDATE record SET sealed = x'00' WHERE id = @1",
      "damaged: 'a': version @1 is cut short", ": 1 damaged\n", true },
    { "version of text", "UPDATE record SET sealed = 'text' WHERE id = @1",
      "damaged: 'a': version @1 is cut short", ": 1 damaged\n", true },
    { "version missing", "DELETE FROM record WHERE id = @1", "damaged: 'a': version @1 is missing",
      ": 1 damaged\n", false },
    { "last version missing", "DELETE FROM record WHERE id = @2",
      "damaged: 'a': version @2 is missing", ": 1 damaged\n", false },
    { "version too many",
      "INSERT INTO record SELECT tag, 'zzz', dk, sealed FROM record WHERE id = @1",
      "damaged: 'a': version zzz is not one that its head lists", ": 1 damaged\n", false },
    { "no such data key", "UPDATE record SET dk = 99 WHERE id = @1",
      "damaged: 'a': version @1 is under a data key that is not there", ": 1 damaged\n", true },
    { "data key of text", "UPDATE record SET dk = '1x' WHERE id = @1",
      "damaged: 'a': version @1 has a data key that makes no sense", ": 1 damaged\n", true },
    { "id of bytes", "UPDATE record SET id = CAST(id AS BLOB) WHERE id = @1",
      "damaged: 'a': a row has an id that makes no sense", ": 1 damaged\n", true },
    { "two heads", "INSERT INTO record SELECT tag, x'', dk, sealed FROM record" HEAD_A,
      "damaged: 'a': a row has an id that makes no sense", ": 1 damaged\n", true },
    { "head altered", "UPDATE record SET sealed = zeroblob(length(sealed))" HEAD_A,
      "damaged: a secret whose name cannot be read (tag ", ": 1 damaged\n", false },
    { "head of another",
      "UPDATE record SET sealed = (SELECT sealed FROM record WHERE id = '' AND tag ="
      " (SELECT tag FROM record WHERE id = @b))" HEAD_A,
      "): its head does not open", ": 1 damaged\n", false },
    { "head cut", "UPDATE record SET sealed = 7" HEAD_A, "): its head is cut short",
      ": 1 damaged\n", true },
    { "head missing", "DELETE FROM record" HEAD_A, "): its head is missing", ": 1 damaged\n",
      true },
    { "head without data key", "UPDATE record SET dk = 0" HEAD_A,
      "): its head is under a data key that is not there", ": 1 damaged\n", true },
    { "tag of text", "INSERT INTO record VALUES ('tag', '', 1, x'00')",
      "damaged: there are rows whose tag makes no sense", ": the store itself is damaged\n", true },
    { "tag of 15 bytes", "INSERT INTO record VALUES (zeroblob(15), '', 1, x'00')",
      "damaged: there are rows whose tag makes no sense", ": the store itself is damaged\n", true },
    { "slot altered", "UPDATE slot SET wrapped = randomblob(80)",
      "damaged: slot 1 is not as it was written", ": the store itself is damaged\n", true },
    { "slot too many",
      "INSERT INTO slot (id, kind, params, wrapped, sum) SELECT 7, kind, params, wrapped, sum FROM"
      " slot",
      "damaged: slot 7 is not as it was written", ": the store itself is damaged\n", true },
    { "no slot", "DELETE FROM slot", "damaged: no slot is left", ": the store itself is damaged\n",
      true },
    { "data key altered", "UPDATE datakey SET wrapped = randomblob(80)",
      "damaged: data key 1 does not open", ": 2 damaged, and the store itself\n", false },
    { "data key cut", "UPDATE datakey SET wrapped = x'00'", "damaged: data key 1 is cut short",
      ", and the store itself\n", false },
    { "data key in no state", "UPDATE datakey SET state = 3",
      "damaged: data key 1 is in no state that there is", ": the store itself is damaged\n", true },
    { "no data key in use", "UPDATE datakey SET state = 2", "damaged: no data key is in use",
      ": the store itself is damaged\n", true },
    { "no data key", "DELETE FROM datakey", "damaged: no data key is in use",
      ": 2 damaged, and the store itself\n", true },
    { "own row altered", "UPDATE store SET sum = randomblob(16)",
      "damaged: the store's own row is not as it was written", ": the store itself is damaged\n",
      true },
    { "no own row", "DELETE FROM store", "damaged: the store's own row is not as it was written",
      ": the store itself is damaged\n", true },
    { "two own rows", "INSERT INTO store SELECT * FROM store",
      "damaged: the store has 2 rows of its own", ": the store itself is damaged\n", true },
    { "user version", "PRAGMA user_version = 0",
      "damaged: the database's header: its user version is 0, expected 2",
      ": the store itself is damaged\n", true },
    { "user version that looks newer", "PRAGMA user_version = 9",
      "damaged: the database's header: its user version is 9, expected 2",
      ": the store itself is damaged\n", true },
    { "application", "PRAGMA application_id = 9",
      "damaged: the database's header: its application id is 9", ": the store itself is damaged\n",
      true },
    { "trigger", "CREATE TRIGGER t AFTER INSERT ON record BEGIN DELETE FROM record; END",
      "damaged: the schema has a trigger t, which is not keyturn's",
      ": the store itself is damaged\n", true },
    { "view", "CREATE VIEW v AS SELECT 1", "damaged: the schema has a view v",
      ": the store itself is damaged\n", true },
    { "table, its name not for a terminal", "CREATE TABLE \"t\x1b[2J\" (a)",
      "damaged: the schema has a table t?[2J", ": the store itself is damaged\n", true },
    { "index", "CREATE INDEX i ON record (id)", "damaged: the schema has a index i",
      ": the store itself is damaged\n", true },
    { "column", "ALTER TABLE record ADD COLUMN more",
      "damaged: the schema has a column record.more", ": the store itself is damaged\n", true },
    { "table lost", "DROP TABLE slot", "damaged: the schema lacks the table slot",
      ": the store itself is damaged\n", true },
    { "collation",
      "PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql = replace(sql, 'id TEXT',"
      " 'id TEXT COLLATE NOCASE') WHERE name = 'record'",
      "damaged: the schema has a constraint of record", "the store itself is damaged\n", true },
    { "page that is never used",
      "CREATE TABLE t (a); PRAGMA writable_schema = ON; DELETE FROM sqlite_schema WHERE name = 't'",
      "damaged: the database: Page ", ": the store itself is damaged\n", true },
};

/* With @1, @2 and @b as in sql(). */
static void must_say_of(const char *title, const char *text)
{
    char out[512];
    size_t n = 0;

    for (; *text != '\0'; text++)
        if (*text == '@') {
            text++;
            n += (size_t)snprintf(out + n, sizeof(out) - n, "%s",
                                  *text == '1'   ? a1
                                  : *text == '2' ? a2
                                                 : b1);
        } else {
            out[n++] = *text;
        }
    out[n] = '\0';
    must_say(title, out);
}

START_TEST(damage_is_found_named_and_counted)
{
    const struct finding *f = &findings[_i];

    shut();
    sql(f->sql);
    open_again();
    ck_assert_msg(check() == KT_CORRUPT, "%s: %d %s", f->title, fs.call.status, fs.call.msg);
    ck_assert_ptr_nonnull(strstr(fs.call.msg, "is damaged, see above"));
    must_say_of(f->title, f->say);
    must_say(f->title, f->sum);
    /* the other one is not accused */
    must_not_say(f->title, "'b'");
}
END_TEST

START_TEST(without_a_key_what_can_be_seen_is_seen)
{
    const struct finding *f = &findings[_i];
    char *away = kt_harness_path(fs.dir, "away");

    shut();
    sql(f->sql);
    ck_assert_int_eq(rename(fs.key, away), 0);
    open_again();
    if (f->bare) {
        ck_assert_msg(check() == KT_CORRUPT, "%s: %d %s", f->title, fs.call.status, fs.call.msg);
        must_say(f->title, "damaged");
    } else {
        const int rc = check();

        ck_assert_msg(rc == KT_LOCKED || rc == KT_CORRUPT, "%s: %d %s", f->title, rc, fs.call.msg);
    }
    must_say(f->title, "without opening them");
    ck_assert_int_eq(rename(away, fs.key), 0);
    free(away);
}
END_TEST

START_TEST(a_sound_store_without_its_key_is_locked)
{
    shut();
    ck_assert_int_eq(unlink(fs.key), 0);
    open_again();
    ck_assert_int_eq(check(), KT_LOCKED);
    ck_assert_str_eq(fs.call.out, "checked 2 secrets, 3 versions without opening them: "
                                  "nothing is wrong as far as one can see\n");
}
END_TEST

START_TEST(every_damage_is_told_not_only_the_first)
{
    shut();
    sql("UPDATE record SET sealed = zeroblob(99) WHERE id = @1;"
        "UPDATE record SET sealed = zeroblob(99) WHERE id = @b;"
        "CREATE VIEW v AS SELECT 1; INSERT INTO record VALUES (7, '', 1, x'')");
    open_again();
    ck_assert_int_eq(check(), KT_CORRUPT);
    must_say_of("a", "'a': version @1");
    must_say_of("b", "'b': version @b");
    must_say("view", "view v");
    must_say("tag", "tag makes no sense");
    must_say("sum", "checked 2 secrets, 3 versions: 2 damaged, and the store itself\n");
}
END_TEST

START_TEST(many_findings_about_one_secret_are_few_lines)
{
    char id[KT_ID_SIZE];
    size_t lines = 0;

    for (int i = 0; i < 30; i++) {
        id[0] = '\0';
        ck_assert_int_eq(filestore_put(&fs, "a", "more", id, NULL), KT_SUCCESS);
    }
    shut();
    sql("UPDATE record SET sealed = zeroblob(99) WHERE id <> '' AND tag = " TAG_A);
    open_again();
    ck_assert_int_eq(check(), KT_CORRUPT);
    for (const char *at = fs.call.out; (at = strstr(at, "damaged: 'a'")) != NULL; at++)
        lines++;
    ck_assert_uint_eq(lines, 8);
    must_say("more", "'a': and more like that");
    must_say("sum", "checked 2 secrets, 33 versions: 1 damaged\n");
}
END_TEST

/* ---- notes ---------------------------------------------------------------------------------- */

START_TEST(what_lies_beside_and_who_may_read_is_a_note)
{
    char *left = kt_harness_path(fs.dir, "store.db-new");
    char *lock = kt_harness_path(fs.dir, "store.db-lock");
    char *other = kt_harness_path(fs.dir, "store.dbx");

    kt_harness_write(left, "", 0600);
    kt_harness_write(other, "", 0600);
    ck_assert_int_eq(chmod(lock, 0666), 0);
    ck_assert_int_eq(chmod(fs.path, 0640), 0);
    ck_assert_int_eq(chmod(fs.dir, 0777), 0);
    ck_assert_int_eq(check(), KT_SUCCESS);
    must_say("left", "store.db-new is left over");
    must_say("lock", "store.db-lock can be written by others (mode 0666)");
    must_say("store", "store.db can be read by others (mode 0640)");
    must_say("directory", "can be written by others (mode 0777)");
    must_not_say("other", "dbx");
    must_say("sum", "checked 2 secrets, 3 versions: sound\n");
    ck_assert_int_eq(chmod(fs.dir, 0700), 0);
    free(left);
    free(lock);
    free(other);
}
END_TEST

START_TEST(a_replaced_data_key_that_seals_nothing_is_a_note)
{
    filestore_sql(&fs, "CREATE TABLE kept AS SELECT * FROM datakey");
    ck_assert_int_eq(modhost_verb(fs.m, fs.state, &fs.call, "re-encrypt", NULL), KT_SUCCESS);
    filestore_sql(&fs, "INSERT INTO datakey SELECT id, 2, wrapped FROM kept; DROP TABLE kept");
    ck_assert_msg(check() == KT_SUCCESS, "%s %s", fs.call.msg, fs.call.out);
    must_say("note", "note: data key 1 is replaced and seals nothing any more");
    filestore_sql(&fs, "UPDATE datakey SET wrapped = randomblob(80) WHERE id = 1");
    ck_assert_int_eq(check(), KT_CORRUPT);
    must_say("key", "damaged: data key 1 does not open");
}
END_TEST

/* ---- others at work --------------------------------------------------------------------------- */

START_TEST(a_check_ends_when_it_is_cancelled_or_its_time_is_over)
{
    int fds[2];

    ck_assert_int_eq(pipe(fds), 0);
    ck_assert_int_eq(write(fds[1], "x", 1), 1);
    fs.call.cancel_fd = fds[0];
    ck_assert_int_eq(check(), KT_CANCELLED);
    fs.call.cancel_fd = -1;
    modhost_call_reset(&fs.call);
    fs.call.deadline_ms = 0;
    ck_assert_int_eq(modhost_verb(fs.m, fs.state, &fs.call, "check", NULL), KT_TIMEOUT);
    (void)close(fds[0]);
    (void)close(fds[1]);
}
END_TEST

static volatile bool stop;

static void *write_on(void *arg)
{
    struct filestore *other = arg;
    unsigned n = 0;

    while (!stop || n < 50) {
        char name[32];
        char id[KT_ID_SIZE] = "";
        int rc;

        (void)snprintf(name, sizeof(name), "w/%u", n % 40);
        rc = filestore_put(other, name, "value", id, NULL);
        MUST(rc == KT_SUCCESS);
        if (n++ % 3 == 0)
            MUST(filestore_delete(other, name, NULL, false) == KT_SUCCESS);
    }
    return NULL;
}

START_TEST(what_others_write_meanwhile_is_no_finding)
{
    struct filestore other;
    pthread_t thread;

    filestore_again(&other, &fs, NULL);
    stop = false;
    ck_assert_int_eq(pthread_create(&thread, NULL, write_on, &other), 0);
    for (int i = 0; i < 60; i++)
        ck_assert_msg(check() == KT_SUCCESS, "round %d: %s %s", i, fs.call.msg, fs.call.out);
    stop = true;
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    filestore_close(&other);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("file-check");
    TCase *tc = tcase_create("check");
    const int n = sizeof(findings) / sizeof(findings[0]);

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, a_sound_store_is_called_sound);
    tcase_add_test(tc, a_store_that_was_never_made_is_not_found);
    tcase_add_loop_test(tc, damage_is_found_named_and_counted, 0, n);
    tcase_add_loop_test(tc, without_a_key_what_can_be_seen_is_seen, 0, n);
    tcase_add_test(tc, a_sound_store_without_its_key_is_locked);
    tcase_add_test(tc, every_damage_is_told_not_only_the_first);
    tcase_add_test(tc, many_findings_about_one_secret_are_few_lines);
    tcase_add_test(tc, what_lies_beside_and_who_may_read_is_a_note);
    tcase_add_test(tc, a_replaced_data_key_that_seals_nothing_is_a_note);
    tcase_add_test(tc, a_check_ends_when_it_is_cancelled_or_its_time_is_over);
    tcase_add_test(tc, what_others_write_meanwhile_is_no_finding);
    suite_add_tcase(s, tc);
    return kt_harness_run(s);
}
