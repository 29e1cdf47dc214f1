/* SPDX-License-Identifier: Apache-2.0 */

/* `compact` of the file backend. */

#include "child.h"
#include "filestore.h"

#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
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

static ino_t inode(void)
{
    struct stat st;

    ck_assert_int_eq(stat(fs.path, &st), 0);
    return st.st_ino;
}

static off_t size(const char *suffix)
{
    char *path = NULL;
    struct stat st = { .st_size = 0 };

    ck_assert_int_ge(asprintf(&path, "%s%s", fs.path, suffix), 0);
    (void)stat(path, &st);
    free(path);
    return st.st_size;
}

static void leave_room(void)
{
    char name[32];

    put_many(0, 400);
    for (unsigned i = 20; i < 400; i++) {
        (void)snprintf(name, sizeof(name), "many/%u", i);
        ck_assert_int_eq(filestore_delete(&fs, name, NULL, false), KT_SUCCESS);
    }
}

START_TEST(compacting_shrinks_the_same_file)
{
    ino_t before;
    off_t was;

    leave_room();
    before = inode();
    was = size("");
    ck_assert_msg(verb("compact") == KT_SUCCESS, "%s", fs.call.msg);
    ck_assert_msg(printed(" bytes before, "), "%s", fs.call.out);
    ck_assert_uint_eq(inode(), before);
    ck_assert_int_lt(size(""), was / 2);
    ck_assert_int_eq(size("-wal"), 0);
    must_have(0, 20);
    ck_assert_int_eq(filestore_get(&fs, "many/20", NULL), KT_NOT_FOUND);
    put("after", "1");
    filestore_must_get(&fs, "after", "1");
    ck_assert_int_eq(verb("re-encrypt"), KT_SUCCESS);

    ck_assert_int_eq(verb("compact"), KT_SUCCESS);
    ck_assert_msg(printed("little to gain"), "%s", fs.call.out);
    ck_assert_int_eq(size("-wal"), 0);
    must_have(0, 20);
}
END_TEST

/* Nothing may be written any more: the file that VACUUM makes, or the log. */
static void compact_on_a_full_disk(void *arg)
{
    struct filestore mine;

    (void)arg;
    filestore_again(&mine, &fs, NULL);
    CHILD_MUST(filestore_get(&mine, "many/1", NULL) == KT_SUCCESS);
    deny(SYS_pwrite64, -1, 0, ENOSPC);
    CHILD_MUST(verb_of(&mine, "compact") == KT_NO_SPACE);
    CHILD_MUST(filestore_get(&mine, "many/1", NULL) == KT_SUCCESS);
    _exit(0);
}

START_TEST(a_full_disk_stops_it_and_loses_nothing)
{
    leave_room();
    ck_assert_int_eq(run_child(compact_on_a_full_disk, NULL), 0);
    must_have(0, 20);
    ck_assert_int_eq(verb("compact"), KT_SUCCESS);
    must_have(0, 20);
}
END_TEST

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

START_TEST(compacting_can_be_cancelled)
{
    int fds[2];

    fill(20000);
    empty();
    fill(20000);
    ck_assert_int_eq(pipe(fds), 0);
    ck_assert_int_eq(write(fds[1], "x", 1), 1);
    modhost_call_reset(&fs.call);
    fs.call.cancel_fd = fds[0];
    ck_assert_int_eq(modhost_verb(fs.m, fs.state, &fs.call, "compact", NULL), KT_CANCELLED);
    ck_assert_int_eq(fs.call.fails, 1);
    fs.call.cancel_fd = -1;
    (void)close(fds[0]);
    (void)close(fds[1]);
    must_have(0, 200);
}
END_TEST

/* Its temporary file is made beside the store, and has no name. */
START_TEST(nothing_is_left_beside_the_store)
{
    char *command = NULL;

    leave_room();
    ck_assert_int_eq(verb("compact"), KT_SUCCESS);
    ck_assert_int_ge(asprintf(&command, "test -z \"$(ls '%s' | grep -e temp -e etilqs)\"", fs.dir),
                     0);
    ck_assert_int_eq(system(command), 0); /* NOLINT(cert-env33-c) */
    free(command);
}
END_TEST

/* ---- media ---------------------------------------------------------------------------------- */

static void use_read_only(void *arg)
{
    struct filestore mine;

    (void)arg;
    if (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount(fs.dir, fs.dir, NULL, MS_BIND, NULL) != 0 ||
        mount(NULL, fs.dir, NULL, MS_BIND | MS_REMOUNT | MS_RDONLY, NULL) != 0)
        _exit(77);
    filestore_again(&mine, &fs, NULL);
    CHILD_MUST(filestore_get(&mine, "a", NULL) == KT_SUCCESS);
    CHILD_MUST(verb_of(&mine, "re-encrypt") == KT_READ_ONLY);
    CHILD_MUST(verb_of(&mine, "compact") == KT_READ_ONLY);
    CHILD_MUST(filestore_get(&mine, "a", NULL) == KT_SUCCESS);
    _exit(0);
}

START_TEST(on_a_read_only_medium_both_are_refused)
{
    int status;

    put("a", "1");
    fs.m->close(fs.state);
    modhost_call_done(&fs.call);
    status = run_child(use_read_only, NULL);
    ck_assert(status == 0 || (WIFEXITED(status) && WEXITSTATUS(status) == 77));
    filestore_reopen(&fs, NULL);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("file-compact");
    TCase *tc = tcase_create("compact");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, compacting_shrinks_the_same_file);
    tcase_add_test(tc, a_full_disk_stops_it_and_loses_nothing);
    tcase_add_test(tc, compacting_can_be_cancelled);
    tcase_add_test(tc, nothing_is_left_beside_the_store);
    tcase_add_test(tc, on_a_read_only_medium_both_are_refused);
    suite_add_tcase(s, tc);
    return kt_harness_run(s);
}
