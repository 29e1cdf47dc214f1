/* SPDX-License-Identifier: Apache-2.0 */

/* `re-encrypt` of the file backend. */

#include "child.h"
#include "filestore.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

#include <sqlite3.h>

static struct filestore fs;

static void setup(void)
{
    filestore_open(&fs, NULL);
}

static void teardown(void)
{
    filestore_close(&fs);
    ck_assert_uint_eq(modhost_live(), 0);
}

static void put(const char *name, const char *value)
{
    const int rc = filestore_put(&fs, name, value, (char[KT_ID_SIZE]){ "" }, NULL);

    ck_assert_msg(rc == KT_SUCCESS, "put %s: %s", name, fs.call.msg);
}

static void put_many(unsigned from, unsigned to)
{
    char name[32];

    for (unsigned i = from; i < to; i++) {
        (void)snprintf(name, sizeof(name), "many/%u", i);
        put(name, name);
    }
}

static void must_have(unsigned from, unsigned to)
{
    char name[32];

    for (unsigned i = from; i < to; i++) {
        (void)snprintf(name, sizeof(name), "many/%u", i);
        filestore_must_get(&fs, name, name);
    }
}

static int verb_of(struct filestore *f, const char *verb)
{
    modhost_call_reset(&f->call);
    return modhost_verb(f->m, f->state, &f->call, verb, NULL);
}

static int verb(const char *name)
{
    return verb_of(&fs, name);
}

static bool printed(const char *text)
{
    return fs.call.out != NULL && strstr(fs.call.out, text) != NULL;
}

/* The number that a query gives, asked behind the module's back. */
static int64_t ask(const char *sql)
{
    sqlite3_stmt *q = NULL;
    sqlite3 *db;
    int64_t n;

    ck_assert_int_eq(sqlite3_open(fs.path, &db), SQLITE_OK);
    (void)sqlite3_busy_timeout(db, 600000);
    ck_assert_msg(sqlite3_prepare_v2(db, sql, -1, &q, NULL) == SQLITE_OK, "%s: %s", sql,
                  sqlite3_errmsg(db));
    ck_assert_int_eq(sqlite3_step(q), SQLITE_ROW);
    n = sqlite3_column_int64(q, 0);
    (void)sqlite3_finalize(q);
    (void)sqlite3_close(db);
    return n;
}

#define COUNT "SELECT count(*) FROM "
#define KEYS COUNT "datakey"
#define OLD COUNT "record WHERE dk < (SELECT max(id) FROM datakey WHERE state = 1)"

/* ---- all that is there ---------------------------------------------------------------------- */

START_TEST(everything_is_sealed_anew_and_the_old_key_goes)
{
    char first[KT_ID_SIZE] = "";
    int64_t key;

    put_many(0, 300);
    ck_assert_int_eq(filestore_put(&fs, "two", "older", first, NULL), KT_SUCCESS);
    put("two", "newer");
    ck_assert_int_eq(ask("SELECT max(dk) FROM record"), 1);
    ck_assert_msg(verb("re-encrypt") == KT_SUCCESS, "%s", fs.call.msg);
    ck_assert_msg(printed("301 secrets with 302 versions in "), "%s", fs.call.out);
    ck_assert(!printed("resumed"));
    ck_assert_uint_eq(fs.call.progress_done, 301);
    ck_assert_uint_eq(fs.call.progress_total, 301);
    ck_assert_int_eq(ask(KEYS), 1);
    key = ask("SELECT id FROM datakey WHERE state = 1");
    ck_assert_int_gt(key, 1);
    ck_assert_int_eq(ask("SELECT min(dk) FROM record"), key);
    ck_assert_int_eq(ask("SELECT max(dk) FROM record"), key);
    must_have(0, 300);
    filestore_must_get(&fs, "two", "newer");
    ck_assert_int_eq(filestore_get(&fs, "two", first), KT_SUCCESS);
    ck_assert_str_eq(fs.given->data, "older");
    put("two", "newest");

    /* and again: ids only grow */
    ck_assert_int_eq(verb("re-encrypt"), KT_SUCCESS);
    ck_assert_int_gt(ask("SELECT id FROM datakey"), key);
    filestore_must_get(&fs, "two", "newest");
}
END_TEST

START_TEST(versions_of_one_secret_take_many_turns)
{
    char ids[150][KT_ID_SIZE] = { "" };
    char *big = malloc(30001);

    memset(big, 'x', 30000);
    big[30000] = '\0';
    for (int i = 0; i < 150; i++)
        ck_assert_int_eq(filestore_put(&fs, "long", i == 7 ? "seven" : big, ids[i], NULL),
                         KT_SUCCESS);
    ck_assert_int_eq(verb("re-encrypt"), KT_SUCCESS);
    ck_assert_msg(printed("1 secrets with 150 versions in "), "%s", fs.call.out);
    ck_assert_int_eq(ask(OLD), 0);
    ck_assert_int_eq(filestore_get(&fs, "long", ids[7]), KT_SUCCESS);
    ck_assert_str_eq(fs.given->data, "seven");
    filestore_must_get(&fs, "long", big);
    free(big);
}
END_TEST

START_TEST(an_empty_store_gets_a_new_key)
{
    put("a", "1");
    ck_assert_int_eq(filestore_delete(&fs, "a", NULL, false), KT_SUCCESS);
    ck_assert_int_eq(verb("re-encrypt"), KT_SUCCESS);
    ck_assert(printed("0 secrets with 0 versions in "));
    ck_assert_int_eq(ask(KEYS), 1);
    put("a", "2");
    filestore_must_get(&fs, "a", "2");
}
END_TEST

START_TEST(a_store_never_made_is_not_found)
{
    ck_assert_int_eq(verb("re-encrypt"), KT_NOT_FOUND);
    ck_assert_int_eq(verb("compact"), KT_NOT_FOUND);
    ck_assert_int_ne(access(fs.path, F_OK), 0);
}
END_TEST

/* Another process has the old key only, and its connection. */
START_TEST(others_find_the_new_key)
{
    int go[2];
    int status = -1;
    char byte = 0;
    pid_t pid;

    put("a", "1");
    ck_assert_int_eq(pipe(go), 0);
    pid = fork();
    if (pid == 0) {
        struct filestore mine;

        filestore_again(&mine, &fs, NULL);
        CHILD_MUST(filestore_get(&mine, "a", NULL) == KT_SUCCESS);
        CHILD_MUST(write(go[1], "x", 1) == 1);
        while (filestore_get(&mine, "b", NULL) == KT_NOT_FOUND)
            (void)usleep(1000);
        CHILD_MUST(strcmp(mine.given->data, "written after") == 0);
        CHILD_MUST(filestore_get(&mine, "a", NULL) == KT_SUCCESS);
        CHILD_MUST(filestore_put(&mine, "a", "2", (char[KT_ID_SIZE]){ "" }, NULL) == KT_SUCCESS);
        filestore_close(&mine);
        _exit(0);
    }
    ck_assert_int_eq(read(go[0], &byte, 1), 1);
    ck_assert_int_eq(verb("re-encrypt"), KT_SUCCESS);
    put("b", "written after");
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(status, 0);
    filestore_must_get(&fs, "a", "2");
    ck_assert_int_eq(ask(OLD), 0);
}
END_TEST

/* ---- interruptions -------------------------------------------------------------------------- */

/* Runs until it is cancelled: the descriptor is readable from the beginning. */
static void run_one_turn(void)
{
    int fds[2];

    ck_assert_int_eq(pipe(fds), 0);
    ck_assert_int_eq(write(fds[1], "x", 1), 1);
    modhost_call_reset(&fs.call);
    fs.call.cancel_fd = fds[0];
    ck_assert_int_eq(modhost_verb(fs.m, fs.state, &fs.call, "re-encrypt", NULL), KT_CANCELLED);
    ck_assert_int_eq(fs.call.fails, 1);
    fs.call.cancel_fd = -1;
    (void)close(fds[0]);
    (void)close(fds[1]);
}

/* So many that no machine does them in one turn. */
static void fill(unsigned n)
{
    sqlite3_stmt *q = NULL;
    sqlite3 *db;

    put_many(0, 200);
    /* what takes the time of a turn need not open: rows of secrets with no name, under the new key */
    ck_assert_int_eq(sqlite3_open(fs.path, &db), SQLITE_OK);
    ck_assert_int_eq(
        sqlite3_prepare_v2(db,
                           "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE"
                           " i < ?1) INSERT INTO record SELECT randomblob(16), '',"
                           " 9000000000000000000, randomblob(100) FROM n",
                           -1, &q, NULL),
        SQLITE_OK);
    (void)sqlite3_bind_int(q, 1, (int)n);
    ck_assert_int_eq(sqlite3_step(q), SQLITE_DONE);
    (void)sqlite3_finalize(q);
    (void)sqlite3_close(db);
}

static void empty(void)
{
    filestore_sql(&fs, "DELETE FROM record WHERE dk = 9000000000000000000");
}

START_TEST(what_was_interrupted_is_resumed)
{
    int64_t key;
    int64_t old;

    fill(100000);
    run_one_turn();
    key = ask("SELECT max(id) FROM datakey");
    old = ask(OLD);
    ck_assert_int_gt(key, 1);
    ck_assert_int_eq(ask(KEYS), 2);
    ck_assert_int_gt(old, 0);
    must_have(0, 200);
    put("many/7", "changed");

    run_one_turn(); /* no third key */
    ck_assert_int_eq(ask(KEYS), 2);
    empty();
    ck_assert_msg(verb("re-encrypt") == KT_SUCCESS, "%s", fs.call.msg);
    ck_assert(printed("resumed: "));
    ck_assert_int_eq(ask("SELECT id FROM datakey"), key);
    ck_assert_int_eq(ask(OLD), 0);
    filestore_must_get(&fs, "many/7", "changed");
    must_have(8, 200);
}
END_TEST

/* Killed between the last row and the end: nothing is left to do, so a new round begins. */
START_TEST(a_walk_that_was_done_is_ended_and_another_begun)
{
    int64_t key;

    put_many(0, 20);
    ck_assert_int_eq(verb("re-encrypt"), KT_SUCCESS);
    key = ask("SELECT id FROM datakey");
    filestore_sql(&fs, "INSERT INTO datakey SELECT 1, 2, wrapped FROM datakey");
    ck_assert_int_eq(verb("re-encrypt"), KT_SUCCESS);
    ck_assert(printed("20 secrets"));
    ck_assert_int_eq(ask(KEYS), 1);
    ck_assert_int_gt(ask("SELECT id FROM datakey"), key);
    must_have(0, 20);
}
END_TEST

START_TEST(the_deadline_ends_it_and_nothing_is_lost)
{
    fill(100000);
    modhost_call_reset(&fs.call);
    fs.call.deadline_ms = modhost.now_ns(NULL, KT_CLOCK_MONOTONIC) / 1000000 + 20;
    ck_assert_int_eq(modhost_verb(fs.m, fs.state, &fs.call, "re-encrypt", NULL), KT_TIMEOUT);
    empty();
    must_have(0, 200);
    ck_assert_int_eq(verb("re-encrypt"), KT_SUCCESS);
    ck_assert_int_eq(ask(OLD), 0);
    must_have(0, 200);
}
END_TEST

/* Killed at any instant: it goes on, and the secrets are what they were. */
START_TEST(killed_again_and_again_it_comes_to_its_end)
{
    put_many(0, 300);
    for (int i = 0; i < 12; i++) {
        int status = 0;
        const pid_t pid = fork();

        if (pid == 0) {
            struct filestore mine;

            filestore_again(&mine, &fs, NULL);
            for (;;)
                CHILD_MUST(verb_of(&mine, "re-encrypt") == KT_SUCCESS);
        }
        (void)usleep(2000 + 1500 * (unsigned)i);
        ck_assert_int_eq(kill(pid, SIGKILL), 0);
        ck_assert_int_eq(waitpid(pid, &status, 0), pid);
        ck_assert(WIFSIGNALED(status));
        ck_assert_int_le(ask(KEYS), 2);
        must_have((unsigned)i * 25, (unsigned)i * 25 + 25);
    }
    ck_assert_int_eq(verb("re-encrypt"), KT_SUCCESS);
    ck_assert_int_eq(ask(KEYS), 1);
    ck_assert_int_eq(ask(OLD), 0);
    must_have(0, 300);
}
END_TEST

START_TEST(two_at_once_are_safe)
{
    pid_t pids[2];

    put_many(0, 200);
    for (int i = 0; i < 2; i++) {
        pids[i] = fork();
        if (pids[i] == 0) {
            struct filestore mine;

            filestore_again(&mine, &fs, NULL);
            for (int k = 0; k < 5; k++)
                CHILD_MUST(verb_of(&mine, "re-encrypt") == KT_SUCCESS);
            filestore_close(&mine);
            _exit(0);
        }
    }
    for (int i = 0; i < 2; i++) {
        int status = -1;

        ck_assert_int_eq(waitpid(pids[i], &status, 0), pids[i]);
        ck_assert_int_eq(status, 0);
    }
    ck_assert_int_eq(ask(OLD), 0);
    must_have(0, 200);
    ck_assert_int_eq(verb("re-encrypt"), KT_SUCCESS);
    ck_assert_int_eq(ask(KEYS), 1);
}
END_TEST

/* A compaction while the walk is on looks like another store: all is looked at again. */
START_TEST(compacting_meanwhile_is_noticed)
{
    int status = -1;
    pid_t pid;

    put_many(0, 300);
    pid = fork();
    if (pid == 0) {
        struct filestore mine;

        filestore_again(&mine, &fs, NULL);
        for (int i = 0; i < 20; i++) {
            char id[KT_ID_SIZE] = "";

            CHILD_MUST(filestore_put(&mine, "gap", "1", id, NULL) == KT_SUCCESS);
            filestore_close(&mine);
            filestore_again(&mine, &fs, NULL);
            CHILD_MUST(verb_of(&mine, "compact") == KT_SUCCESS);
        }
        filestore_close(&mine);
        _exit(0);
    }
    for (int i = 0; i < 10; i++)
        ck_assert_int_eq(verb("re-encrypt"), KT_SUCCESS);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(status, 0);
    ck_assert_int_eq(ask(OLD), 0);
    must_have(0, 300);
}
END_TEST

/* ---- damage --------------------------------------------------------------------------------- */

static const struct damage {
    const char *title;
    const char *sql; /* $ID: the id of the secret's first version */
    const char *word;
    const char *back; /* undoes it, from the table saved */
} damages[] = {
    { "a version altered", "UPDATE record SET sealed = zeroblob(100) WHERE id = '$ID'",
      "damaged: 'hurt' (a version does not open)", "id = '$ID'" },
    { "a version cut short", "UPDATE record SET sealed = x'00' WHERE id = '$ID'",
      "damaged: 'hurt' (a version does not open)", "id = '$ID'" },
    { "a version gone", "DELETE FROM record WHERE id = '$ID'",
      "damaged: 'hurt' (a version is missing)", "id = '$ID'" },
    { "a key that is not there", "UPDATE record SET dk = -5 WHERE id = '$ID'",
      "damaged: 'hurt' (a version does not open)", "id = '$ID'" },
    { "the head altered",
      "UPDATE record SET sealed = zeroblob(100) WHERE id = '' AND tag ="
      " (SELECT tag FROM record WHERE id = '$ID')",
      "damaged: a secret whose name cannot be read, at ",
      "id = '' AND tag = (SELECT tag FROM record WHERE id = '$ID')" },
    { "the head gone",
      "DELETE FROM record WHERE id = '' AND tag = (SELECT tag FROM record WHERE id = '$ID')",
      "damaged: a secret whose name cannot be read, at ",
      "id = '' AND tag = (SELECT tag FROM record WHERE id = '$ID')" },
    { "a row that nobody knows",
      "INSERT INTO record SELECT tag, 'zzz', 1, sealed FROM record WHERE id = '$ID'",
      "damaged: 'hurt' (a version does not open)", NULL },
    { "a row with an id that is no text",
      "INSERT INTO record SELECT tag, x'00ff', 1, sealed FROM record WHERE id = '$ID'",
      "damaged: 'hurt' (a version does not open)", NULL },
};

/* SQL in which $ID stands for a version. */
static void sql_of(const char *text, const char *id)
{
    const char *at = strstr(text, "$ID");
    char sql[600];

    (void)snprintf(sql, sizeof(sql), "%.*s%s%s", (int)(at - text), text, id, at + 3);
    filestore_sql(&fs, sql);
}

START_TEST(what_is_damaged_is_named_and_stays_as_it_is)
{
    const struct damage *d = &damages[_i];
    char id[KT_ID_SIZE] = "";

    put_many(0, 30);
    ck_assert_int_eq(filestore_put(&fs, "hurt", "one", id, NULL), KT_SUCCESS);
    put("hurt", "two");
    filestore_sql(&fs, "CREATE TABLE saved AS SELECT * FROM record");
    sql_of(d->sql, id);
    ck_assert_msg(verb("re-encrypt") == KT_CORRUPT, "%s: %s", d->title, fs.call.msg);
    ck_assert_msg(strstr(fs.call.msg, "1 of 31 secrets") != NULL, "%s: %s", d->title, fs.call.msg);
    ck_assert_msg(printed(d->word), "%s: %s", d->title, fs.call.out);
    ck_assert_msg(ask(KEYS) == 2, "%s", d->title);
    ck_assert_msg(printed("30 secrets"), "%s: %s", d->title, fs.call.out);
    must_have(0, 30);

    /* once more: nothing can be mended, so all else gets another key; the old one is still kept */
    ck_assert_int_eq(verb("re-encrypt"), KT_CORRUPT);
    ck_assert_msg(printed(d->word), "%s: %s", d->title, fs.call.out);
    ck_assert_int_ge(ask(KEYS), 2);
    ck_assert_int_eq(ask(COUNT "datakey WHERE id = 1"), 1);
    must_have(0, 30);

    /* it is put back as it was, and opens */
    if (d->back != NULL) {
        char back[300] = "INSERT OR REPLACE INTO record SELECT * FROM saved WHERE ";

        (void)strncat(back, d->back, sizeof(back) - strlen(back) - 1);
        sql_of(back, id);
    } else {
        filestore_sql(&fs, "DELETE FROM record WHERE id IN ('zzz', x'00ff')");
    }
    filestore_must_get(&fs, "hurt", "two");
    ck_assert_int_eq(filestore_get(&fs, "hurt", id), KT_SUCCESS);
    ck_assert_msg(verb("re-encrypt") == KT_SUCCESS, "%s: %s", d->title, fs.call.msg);
    ck_assert_int_eq(ask(KEYS), 1);
    ck_assert_int_eq(ask(OLD), 0);
    filestore_must_get(&fs, "hurt", "two");
}
END_TEST

START_TEST(rows_without_a_place_are_counted)
{
    put("a", "1");
    filestore_sql(&fs,
                  "INSERT INTO record SELECT x'01', id, dk, sealed FROM record WHERE id <> ''");
    filestore_sql(&fs, "INSERT INTO record SELECT 'tag', id, dk, sealed FROM record WHERE id = ''");
    ck_assert_int_eq(verb("re-encrypt"), KT_CORRUPT);
    ck_assert_msg(strstr(fs.call.msg, "no name leads to") != NULL, "%s", fs.call.msg);
    ck_assert_int_eq(ask(KEYS), 2);
    filestore_must_get(&fs, "a", "1");
}
END_TEST

/* Runs that come to no end because of damage do not pile up keys for ever. */
START_TEST(there_is_an_end_to_keys)
{
    char sql[300];
    int rc = KT_CORRUPT;

    put("fine", "1");
    for (int i = 0; i < 40 && (fs.call.msg[0] == '\0' || strstr(fs.call.msg, "are kept") == NULL);
         i++) {
        char id[KT_ID_SIZE] = "";
        char name[16];

        (void)snprintf(name, sizeof(name), "hurt/%d", i);
        ck_assert_int_eq(filestore_put(&fs, name, "1", id, NULL), KT_SUCCESS);
        (void)snprintf(sql, sizeof(sql), "UPDATE record SET sealed = x'00' WHERE id = '%s'", id);
        filestore_sql(&fs, sql);
        rc = verb("re-encrypt");
        ck_assert_int_eq(rc, KT_CORRUPT);
        ck_assert_int_le(ask(KEYS), 16);
        filestore_must_get(&fs, "fine", "1");
        (void)verb("re-encrypt");
    }
    ck_assert_msg(strstr(fs.call.msg, "data keys of") != NULL, "%s", fs.call.msg);
    for (int i = 0; i < 40; i++) {
        char name[16];

        (void)snprintf(name, sizeof(name), "hurt/%d", i);
        (void)filestore_delete(&fs, name, NULL, false);
    }
    ck_assert_msg(verb("re-encrypt") == KT_SUCCESS, "%s", fs.call.msg);
    ck_assert_int_eq(ask(KEYS), 1);
    filestore_must_get(&fs, "fine", "1");
}
END_TEST

/* The number that stands for the newest key cannot be made larger. */
START_TEST(a_key_with_the_largest_id_is_damage)
{
    put("a", "1");
    filestore_sql(&fs, "INSERT INTO datakey SELECT 9223372036854775807, 2, wrapped FROM datakey");
    ck_assert_int_eq(verb("re-encrypt"), KT_CORRUPT);
    filestore_must_get(&fs, "a", "1");
}
END_TEST

int main(void)
{
    Suite *s = suite_create("file-reencrypt");
    TCase *tc = tcase_create("re-encrypt");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, everything_is_sealed_anew_and_the_old_key_goes);
    tcase_add_test(tc, versions_of_one_secret_take_many_turns);
    tcase_add_test(tc, an_empty_store_gets_a_new_key);
    tcase_add_test(tc, a_store_never_made_is_not_found);
    tcase_add_test(tc, others_find_the_new_key);
    tcase_add_test(tc, what_was_interrupted_is_resumed);
    tcase_add_test(tc, a_walk_that_was_done_is_ended_and_another_begun);
    tcase_add_test(tc, the_deadline_ends_it_and_nothing_is_lost);
    tcase_add_test(tc, killed_again_and_again_it_comes_to_its_end);
    tcase_add_test(tc, two_at_once_are_safe);
    tcase_add_test(tc, compacting_meanwhile_is_noticed);
    tcase_add_loop_test(tc, what_is_damaged_is_named_and_stays_as_it_is, 0,
                        sizeof(damages) / sizeof(damages[0]));
    tcase_add_test(tc, rows_without_a_place_are_counted);
    tcase_add_test(tc, there_is_an_end_to_keys);
    tcase_add_test(tc, a_key_with_the_largest_id_is_damage);
    suite_add_tcase(s, tc);
    return kt_harness_run(s);
}
