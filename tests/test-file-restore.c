/* SPDX-License-Identifier: Apache-2.0 */

/* keyturn file restore: in place, the old state or the new, and all who have the store open go on. */

#include "child.h"
#include "filestore.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <sqlite3.h>

#define BIG 60000

static struct filestore fs;
static char *backup;

static int verb(struct filestore *f, const char *name, const char *words)
{
    modhost_call_reset(&f->call);
    return modhost_verb(f->m, f->state, &f->call, name, words);
}

static int run_backup(struct filestore *f, const char *to)
{
    char words[600];

    (void)snprintf(words, sizeof(words), "to=%s replace", to);
    return verb(f, "backup", words);
}

static int run_restore(struct filestore *f, const char *from, const char *more)
{
    char words[600];

    (void)snprintf(words, sizeof(words), "from=%s %s", from, more);
    return verb(f, "restore", words);
}

static bool put(struct filestore *f, const char *name, const char *value)
{
    return filestore_put(f, name, value, (char[KT_ID_SIZE]){ "" }, NULL) == KT_SUCCESS;
}

static bool get_is(struct filestore *f, const char *name, const char *value)
{
    const int rc = filestore_get(f, name, NULL);

    if (rc != KT_SUCCESS)
        fprintf(stderr, "# get %s: %d %s\n", name, rc, f->call.msg);
    return rc == KT_SUCCESS && strcmp(f->given->data, value) == 0;
}

/* The backup has a = old and no b; the store a = new and b. */
static void setup(void)
{
    filestore_open(&fs, NULL);
    backup = kt_harness_path(fs.dir, "b.db");
    ck_assert(put(&fs, "a", "old"));
    ck_assert_msg(run_backup(&fs, backup) == KT_SUCCESS, "%s", fs.call.msg);
    ck_assert(put(&fs, "a", "new"));
    ck_assert(put(&fs, "b", "new"));
}

static void teardown(void)
{
    free(backup);
    filestore_close(&fs);
    ck_assert_uint_eq(modhost_live(), 0);
}

/* ---- a process that has the store open ------------------------------------------------------ */

struct holder {
    pid_t pid;
    int go;
    int said;
};

static void hold(int go, int said, bool write_first)
{
    struct filestore mine;
    char c;

    filestore_again(&mine, &fs, NULL);
    CHILD_MUST(get_is(&mine, "a", "new"));
    if (write_first)
        CHILD_MUST(put(&mine, "held", "1"));
    CHILD_MUST(write(said, "r", 1) == 1);
    CHILD_MUST(read(go, &c, 1) == 1);
    CHILD_MUST(filestore_get(&mine, "b", NULL) == KT_NOT_FOUND);
    CHILD_MUST(get_is(&mine, "a", "old"));
    modhost_call_reset(&mine.call);
    CHILD_MUST(mine.m->list(mine.state, &mine.call, NULL) == KT_SUCCESS);
    CHILD_MUST(mine.call.ngiven == 1);
    CHILD_MUST(put(&mine, "a", "newest"));
    CHILD_MUST(put(&mine, "c", "another"));
    CHILD_MUST(get_is(&mine, "a", "newest"));
    filestore_close(&mine);
    _exit(0);
}

static void holder_start(struct holder *h, bool write_first)
{
    int go[2];
    int said[2];
    char c;

    ck_assert_int_eq(pipe(go), 0);
    ck_assert_int_eq(pipe(said), 0);
    h->pid = fork();
    if (h->pid == 0)
        hold(go[0], said[1], write_first);
    (void)close(go[0]);
    (void)close(said[1]);
    h->go = go[1];
    h->said = said[0];
    ck_assert_int_eq(read(h->said, &c, 1), 1);
}

static void holder_end(struct holder *h)
{
    int status;

    ck_assert_int_eq(write(h->go, "g", 1), 1);
    ck_assert_int_eq(waitpid(h->pid, &status, 0), h->pid);
    ck_assert_int_eq(status, 0);
    (void)close(h->go);
    (void)close(h->said);
}

static ino_t inode(void)
{
    struct stat st;

    ck_assert_int_eq(stat(fs.path, &st), 0);
    return st.st_ino;
}

START_TEST(a_backup_goes_in_place_and_others_go_on)
{
    struct holder h;
    const ino_t was = inode();

    holder_start(&h, _i == 1);
    ck_assert_msg(run_restore(&fs, backup, "replace") == KT_SUCCESS, "%s", fs.call.msg);
    ck_assert_ptr_nonnull(strstr(fs.call.out, "secrets: 1, versions: 1"));
    ck_assert_uint_eq(inode(), was);
    filestore_must_get(&fs, "a", "old");
    ck_assert_int_eq(filestore_get(&fs, "b", NULL), KT_NOT_FOUND);
    holder_end(&h);
    filestore_must_get(&fs, "a", "newest");
    filestore_must_get(&fs, "c", "another");
}
END_TEST

/* What was sealed under a data key that came after the backup is gone with it. */
START_TEST(a_backup_from_before_a_re_encryption)
{
    struct holder h;
    int rc = verb(&fs, "re-encrypt", "");

    ck_assert_msg(rc == KT_SUCCESS, "%d %s", rc, fs.call.msg);
    ck_assert(get_is(&fs, "b", "new"));
    holder_start(&h, true);
    ck_assert_msg(run_restore(&fs, backup, "replace") == KT_SUCCESS, "%s", fs.call.msg);
    ck_assert(put(&fs, "d", "after"));
    ck_assert_int_eq(filestore_delete(&fs, "d", NULL, false), KT_SUCCESS);
    holder_end(&h);
    filestore_must_get(&fs, "a", "newest");
    rc = verb(&fs, "re-encrypt", "");
    ck_assert_msg(rc == KT_SUCCESS, "%d %s", rc, fs.call.msg);
    filestore_must_get(&fs, "a", "newest");
    filestore_must_get(&fs, "c", "another");
}
END_TEST

/* ---- what is refused ------------------------------------------------------------------------ */

START_TEST(nothing_is_lost_by_mistake)
{
    ck_assert_int_eq(run_restore(&fs, backup, ""), KT_EXISTS);
    ck_assert_int_eq(fs.call.fails, 1);
    ck_assert_ptr_nonnull(strstr(fs.call.msg, "2 secrets, 3 versions"));
    ck_assert_ptr_nonnull(strstr(fs.call.msg, "replace"));
    filestore_must_get(&fs, "b", "new");
    /* an empty one has nothing to lose */
    ck_assert_int_eq(filestore_delete(&fs, "a", NULL, false), KT_SUCCESS);
    ck_assert_int_eq(filestore_delete(&fs, "b", NULL, false), KT_SUCCESS);
    ck_assert_msg(run_restore(&fs, backup, "") == KT_SUCCESS, "%s", fs.call.msg);
    filestore_must_get(&fs, "a", "old");
}
END_TEST

START_TEST(another_stores_backup_is_refused)
{
    struct filestore other;

    filestore_open(&other, NULL);
    ck_assert(put(&other, "z", "other"));
    ck_assert_int_eq(run_restore(&other, backup, "replace"), KT_CONFLICT);
    ck_assert_ptr_nonnull(strstr(other.call.msg, "import"));
    filestore_must_get(&other, "z", "other");
    filestore_close(&other);
}
END_TEST

static void sql_at(const char *path, const char *sql)
{
    sqlite3 *db;

    ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
    ck_assert_int_eq(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    ck_assert_int_eq(sqlite3_close(db), SQLITE_OK);
}

static void spoil(const char *path, off_t from, off_t step)
{
    char garbage[4096];
    struct stat st;
    const int fd = open(path, O_WRONLY | O_CLOEXEC);

    memset(garbage, 0xa5, sizeof(garbage));
    ck_assert_int_eq(fstat(fd, &st), 0);
    for (off_t at = from; at < st.st_size; at += step)
        ck_assert_int_eq(pwrite(fd, garbage, sizeof(garbage), at), (ssize_t)sizeof(garbage));
    (void)close(fd);
}

static void use_it(const char *path)
{
    sqlite3 *db;

    CHILD_MUST(sqlite3_open(path, &db) == SQLITE_OK);
    CHILD_MUST(sqlite3_exec(db, "SELECT * FROM store", NULL, NULL, NULL) == SQLITE_OK);
    (void)raise(SIGSTOP);
    _exit(1);
}

START_TEST(a_backup_is_looked_at_first)
{
    int status;
    pid_t pid;

    ck_assert_int_eq(run_restore(&fs, fs.path, "replace"), KT_INVALID);
    ck_assert_int_eq(run_restore(&fs, "/nonexistent/b.db", "replace"), KT_NOT_FOUND);
    ck_assert_int_eq(run_restore(&fs, fs.dir, "replace"), KT_CONFIG_ERROR);
    ck_assert_int_eq(chmod(backup, 0666), 0);
    ck_assert_int_eq(run_restore(&fs, backup, "replace"), KT_CONFIG_ERROR);
    ck_assert_int_eq(chmod(backup, 0600), 0);

    pid = fork();
    if (pid == 0)
        use_it(backup);
    ck_assert_int_eq(waitpid(pid, &status, WUNTRACED), pid);
    ck_assert(WIFSTOPPED(status));
    ck_assert_int_eq(run_restore(&fs, backup, "replace"), KT_BUSY);
    ck_assert_ptr_nonnull(strstr(fs.call.msg, "in use"));
    ck_assert_int_eq(kill(pid, SIGKILL), 0);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);

    sql_at(backup, "PRAGMA user_version = 99; UPDATE store SET format = 99");
    ck_assert_int_eq(run_restore(&fs, backup, "replace"), KT_UNSUPPORTED);
    spoil(backup, 4096, 4096);
    ck_assert_int_ne(run_restore(&fs, backup, "replace"), KT_SUCCESS);
    kt_harness_write(backup, "no backup at all, and long enough to be looked at", 0600);
    ck_assert_int_eq(run_restore(&fs, backup, "replace"), KT_CORRUPT);
    ck_assert_ptr_nonnull(strstr(fs.call.msg, "no backup"));
    ck_assert_int_eq(unlink(backup), 0);
    sql_at(backup, "CREATE TABLE other (x)");
    ck_assert_int_eq(chmod(backup, 0600), 0);
    ck_assert_int_eq(run_restore(&fs, backup, "replace"), KT_CONFIG_ERROR);
    ck_assert_ptr_nonnull(strstr(fs.call.msg, "no backup"));
    filestore_must_get(&fs, "a", "new");
    filestore_must_get(&fs, "b", "new");
}
END_TEST

START_TEST(a_damaged_backup_is_refused)
{
    ck_assert_int_eq(run_restore(&fs, backup, "replace"), KT_SUCCESS);
    spoil(backup, 3 * 4096, 4096); /* the tables, not the first pages */
    ck_assert_int_eq(run_restore(&fs, backup, "replace"), KT_CORRUPT);
    filestore_must_get(&fs, "a", "old");
}
END_TEST

/* ---- over what is damaged ------------------------------------------------------------------- */

enum damage { HEADER, ZEROS, EMPTY, CUT, SHORT, ALL, OWN_ROW, DAMAGES };

static void do_damage(enum damage what)
{
    char page[4096] = { 0 };
    struct stat st;
    int fd;

    if (what == OWN_ROW) {
        sql_at(fs.path, "UPDATE store SET sum = x'00112233445566778899aabbccddeeff'");
        return;
    }
    fd = open(fs.path, O_WRONLY | O_CLOEXEC);
    ck_assert_int_eq(fstat(fd, &st), 0);
    if (what != ZEROS)
        memset(page, 0xa5, sizeof(page));
    if (what == HEADER || what == ZEROS)
        ck_assert_int_eq(pwrite(fd, page, sizeof(page), 0), 4096);
    if (what == EMPTY || what == CUT || what == SHORT)
        ck_assert_int_eq(ftruncate(fd, what == EMPTY ? 0 : what == CUT ? 8192 : 50), 0);
    if (what == ALL)
        spoil(fs.path, 0, 4096);
    (void)close(fd);
}

/* @_i: the damage, and whether somebody has the store open: not at all, reading, writing */
START_TEST(a_damaged_store_is_restored_in_place)
{
    const enum damage what = (enum damage)(_i % DAMAGES);
    const int held = _i / DAMAGES;
    struct holder h;
    const ino_t was = inode();
    int rc;

    fs.m->close(fs.state); /* the log is in the file now */
    if (held > 0)
        holder_start(&h, held == 2);
    do_damage(what);
    filestore_reopen(&fs, NULL);
    rc = run_restore(&fs, backup, "");
    ck_assert_msg(rc == KT_EXISTS, "damage %d held %d: %d %s", what, held, rc, fs.call.msg);
    rc = run_restore(&fs, backup, "replace");
    ck_assert_msg(rc == KT_SUCCESS, "damage %d held %d: %d %s", what, held, rc, fs.call.msg);
    ck_assert_uint_eq(inode(), was);
    filestore_must_get(&fs, "a", "old");
    if (held > 0) {
        holder_end(&h);
        filestore_must_get(&fs, "a", "newest");
        filestore_must_get(&fs, "c", "another");
    }
    ck_assert(put(&fs, "b", "again"));
    fs.m->close(fs.state);
    filestore_reopen(&fs, NULL);
    filestore_must_get(&fs, "b", "again");
}
END_TEST

/* Whose store it was cannot be told. Who has it open must neither miss what is there nor write under
 * keys that nobody else has. */
static void hold_another(int go, int said)
{
    struct filestore mine;
    char c;

    filestore_again(&mine, &fs, NULL);
    CHILD_MUST(get_is(&mine, "a", "new"));
    CHILD_MUST(write(said, "r", 1) == 1);
    CHILD_MUST(read(go, &c, 1) == 1);
    CHILD_MUST(put(&mine, "p", "under its keys"));
    CHILD_MUST(filestore_get(&mine, "b", NULL) == KT_NOT_FOUND);
    CHILD_MUST(get_is(&mine, "z", "other"));
    filestore_close(&mine);
    _exit(0);
}

START_TEST(a_damaged_store_becomes_another)
{
    struct filestore other;
    struct holder h;
    int go[2];
    int said[2];
    int status;
    char c;

    /* a second store that the same key file opens */
    filestore_open(&other, NULL);
    other.m->close(other.state);
    free(other.key);
    other.key = strdup(fs.key);
    filestore_reopen(&other, NULL);
    ck_assert(put(&other, "z", "other"));
    ck_assert_int_eq(run_backup(&other, backup), KT_SUCCESS);
    filestore_close(&other);

    ck_assert_int_eq(pipe(go), 0);
    ck_assert_int_eq(pipe(said), 0);
    h.pid = fork();
    if (h.pid == 0)
        hold_another(go[0], said[1]);
    ck_assert_int_eq(read(said[0], &c, 1), 1);
    fs.m->close(fs.state);
    do_damage(HEADER);
    filestore_reopen(&fs, NULL);
    ck_assert_msg(run_restore(&fs, backup, "replace") == KT_SUCCESS, "%s", fs.call.msg);
    ck_assert_int_eq(write(go[1], "g", 1), 1);
    ck_assert_int_eq(waitpid(h.pid, &status, 0), h.pid);
    ck_assert_int_eq(status, 0);
    filestore_must_get(&fs, "z", "other");
    filestore_must_get(&fs, "p", "under its keys");
}
END_TEST

START_TEST(where_there_is_no_store_one_is_made)
{
    struct filestore fresh;
    char *log;
    struct stat st;

    fs.m->close(fs.state);
    ck_assert_int_eq(unlink(fs.path), 0);
    log = kt_harness_path(fs.dir, "store.db-wal");
    kt_harness_write(log, "the log of a store that is no more", 0600);
    filestore_again(&fresh, &fs, NULL);
    ck_assert_msg(run_restore(&fresh, backup, "") == KT_SUCCESS, "%s", fresh.call.msg);
    ck_assert_int_eq(stat(fs.path, &st), 0);
    ck_assert_uint_eq(st.st_mode & 07777, 0600);
    filestore_must_get(&fresh, "a", "old");
    ck_assert(put(&fresh, "a", "on"));
    filestore_close(&fresh);
    filestore_reopen(&fs, NULL);
    filestore_must_get(&fs, "a", "on");
    free(log);
}
END_TEST

/* ---- what goes wrong ------------------------------------------------------------------------ */

static void fill(struct filestore *f, int n, char c)
{
    char *big = malloc(BIG + 1);

    memset(big, c, BIG);
    big[BIG] = '\0';
    for (int i = 0; i < n; i++) {
        char name[16];

        (void)snprintf(name, sizeof(name), "big/%d", i);
        MUST(put(f, name, big));
    }
    free(big);
}

/* All of one state or all of the other; which? */
static char state_of(struct filestore *f, int n)
{
    char state = 0;

    for (int i = 0; i < n; i++) {
        char name[16];

        (void)snprintf(name, sizeof(name), "big/%d", i);
        ck_assert_msg(filestore_get(f, name, NULL) == KT_SUCCESS, "%s", f->call.msg);
        ck_assert(state == 0 || state == *(const char *)f->given->data);
        state = *(const char *)f->given->data;
    }
    return state;
}

static void restore_and_say(void *arg)
{
    struct filestore mine;

    (void)arg;
    filestore_again(&mine, &fs, NULL);
    CHILD_MUST(run_restore(&mine, backup, "replace") == KT_SUCCESS);
    _exit(0);
}

#define ROUNDS 20

/* The store has the state 'n', or is damaged. */
static void make_new(const char *from, bool damaged)
{
    ck_assert_msg(run_restore(&fs, from, "replace") == KT_SUCCESS, "%s", fs.call.msg);
    if (!damaged)
        return;
    fs.m->close(fs.state);
    do_damage(HEADER);
    filestore_reopen(&fs, NULL);
}

START_TEST(a_killed_restore_leaves_the_old_state_or_the_new)
{
    const bool damaged = _i == 1;
    char *new = kt_harness_path(fs.dir, "n.db");
    const int old = damaged ? 'd' : 'n';
    int states[256] = { 0 };
    int64_t us;

    fill(&fs, 20, 'o');
    ck_assert_int_eq(run_backup(&fs, backup), KT_SUCCESS);
    fill(&fs, 20, 'n');
    ck_assert_int_eq(run_backup(&fs, new), KT_SUCCESS);
    make_new(new, damaged);
    us = -modhost.now_ns(NULL, KT_CLOCK_MONOTONIC) / 1000;
    ck_assert_int_eq(run_child(restore_and_say, NULL), 0);
    us += modhost.now_ns(NULL, KT_CLOCK_MONOTONIC) / 1000;
    /* longer, if none was killed soon enough to change nothing */
    for (int round = 0; round < ROUNDS || (states[old] == 0 && round < 1000); round++) {
        pid_t pid;

        make_new(new, damaged);
        pid = fork();
        if (pid == 0)
            restore_and_say(NULL);
        (void)usleep((useconds_t)(us * 5 / 4 * (round % ROUNDS) / ROUNDS));
        (void)kill(pid, SIGKILL);
        ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
        if (damaged && filestore_get(&fs, "a", NULL) == KT_CORRUPT)
            states['d']++; /* as damaged as before */
        else
            states[(unsigned char)state_of(&fs, 20)]++;
        /* and the next one goes through */
        ck_assert_msg(run_restore(&fs, backup, "replace") == KT_SUCCESS, "%s", fs.call.msg);
        ck_assert_int_eq(state_of(&fs, 20), 'o');
    }
    ck_assert_int_gt(states[old], 0);
    printf("# old %d, damaged %d, restored %d\n", states['n'], states['d'], states['o']);
    free(new);
}
END_TEST

static void restore_against_a_limit(void *arg)
{
    struct filestore mine;

    (void)arg;
    (void)signal(SIGXFSZ, SIG_IGN);
    filestore_again(&mine, &fs, NULL);
    CHILD_MUST(get_is(&mine, "a", "new"));
    CHILD_MUST(setrlimit(RLIMIT_FSIZE, &(struct rlimit){ 300000, 300000 }) == 0);
    CHILD_MUST(run_restore(&mine, backup, "replace") == KT_NO_SPACE);
    CHILD_MUST(mine.call.fails == 1);
    CHILD_MUST(state_of(&mine, 20) == 'n');
    filestore_close(&mine);
}

START_TEST(a_full_disk_leaves_the_old_state)
{
    fill(&fs, 20, 'o');
    ck_assert_int_eq(run_backup(&fs, backup), KT_SUCCESS);
    fill(&fs, 20, 'n');
    ck_assert_int_eq(run_child(restore_against_a_limit, NULL), 0);
    ck_assert_int_eq(state_of(&fs, 20), 'n');
    filestore_must_get(&fs, "a", "new");
    ck_assert_msg(run_restore(&fs, backup, "replace") == KT_SUCCESS, "%s", fs.call.msg);
    ck_assert_int_eq(state_of(&fs, 20), 'o');
}
END_TEST

START_TEST(a_writer_is_waited_for_and_a_cancel_is_heard)
{
    const int lock = filestore_lock(&fs);
    pthread_t clock;
    int cancel[2];

    clock = filestore_stop_waiting(&lock);
    ck_assert_int_eq(run_restore(&fs, backup, "replace"), KT_BUSY);
    ck_assert_int_eq(pthread_join(clock, NULL), 0);
    modhost_clock_reset();
    ck_assert_int_eq(fs.call.fails, 1);
    (void)close(lock);

    ck_assert_int_eq(pipe(cancel), 0);
    ck_assert_int_eq(write(cancel[1], "x", 1), 1);
    fs.call.cancel_fd = cancel[0];
    ck_assert_int_eq(run_restore(&fs, backup, "replace"), KT_CANCELLED);
    fs.call.cancel_fd = -1;
    filestore_must_get(&fs, "a", "new");
    (void)close(cancel[0]);
    (void)close(cancel[1]);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("file-restore");
    TCase *tc = tcase_create("restore");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_loop_test(tc, a_backup_goes_in_place_and_others_go_on, 0, 2);
    tcase_add_test(tc, a_backup_from_before_a_re_encryption);
    tcase_add_test(tc, nothing_is_lost_by_mistake);
    tcase_add_test(tc, another_stores_backup_is_refused);
    tcase_add_test(tc, a_backup_is_looked_at_first);
    tcase_add_test(tc, a_damaged_backup_is_refused);
    tcase_add_loop_test(tc, a_damaged_store_is_restored_in_place, 0, 3 * DAMAGES);
    tcase_add_test(tc, a_damaged_store_becomes_another);
    tcase_add_test(tc, where_there_is_no_store_one_is_made);
    tcase_add_loop_test(tc, a_killed_restore_leaves_the_old_state_or_the_new, 0, 2);
    tcase_add_test(tc, a_full_disk_leaves_the_old_state);
    tcase_add_test(tc, a_writer_is_waited_for_and_a_cancel_is_heard);
    suite_add_tcase(s, tc);
    return kt_harness_run(s);
}
