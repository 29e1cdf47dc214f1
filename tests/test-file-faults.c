/* SPDX-License-Identifier: Apache-2.0 */

/* What the file backend says when the disk, the medium or other processes do not let it work. */

#include "child.h"
#include "filestore.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <sqlite3.h>

static struct filestore fs;

static void setup(void)
{
    filestore_open(&fs, NULL);
    ck_assert_int_eq(filestore_put(&fs, "a", "kept", (char[KT_ID_SIZE]){ "" }, NULL), KT_SUCCESS);
}

static void teardown(void)
{
    filestore_close(&fs);
    ck_assert_uint_eq(modhost_live(), 0);
}

static bool get_is(struct filestore *f, const char *name, const char *value)
{
    const int rc = filestore_get(f, name, NULL);

    if (rc != KT_SUCCESS)
        fprintf(stderr, "# get %s: %d %s\n", name, rc, f->call.msg);
    return rc == KT_SUCCESS && strcmp(f->given->data, value) == 0;
}

static bool put_is(struct filestore *f, int want, const char *word)
{
    char id[KT_ID_SIZE] = "";
    const int rc = filestore_put(f, "b", "new", id, NULL);

    if (rc != want || strstr(f->call.msg, word) == NULL)
        fprintf(stderr, "# put: %d %s\n", rc, f->call.msg);
    return rc == want && strstr(f->call.msg, word) != NULL;
}

/* ---- the disk ------------------------------------------------------------------------------- */

static const struct fault {
    const char *title;
    int nr;
    int error;
    int want;
    const char *word;
} faults[] = {
    { "a full disk", SYS_pwrite64, ENOSPC, KT_NO_SPACE, "full" },
    { "a quota", SYS_fdatasync, EDQUOT, KT_NO_SPACE, "quota" },
    { "a bad disk", SYS_pwrite64, EIO, KT_UNAVAILABLE, "Input/output" },
    { "a disk that does not sync", SYS_fdatasync, EIO, KT_UNAVAILABLE, "Input/output" },
    { "no locks", SYS_fcntl, ENOLCK, KT_UNAVAILABLE, "" },
};

static void use_with_a_fault(void *arg)
{
    const struct fault *f = arg;
    struct filestore mine;

    filestore_again(&mine, &fs, NULL);
    CHILD_MUST(get_is(&mine, "a", "kept"));
    if (f->nr == SYS_fcntl)
        deny(f->nr, 1, F_OFD_SETLK, f->error);
    else
        deny(f->nr, -1, 0, f->error);
    CHILD_MUST(put_is(&mine, f->want, f->word));
    CHILD_MUST(get_is(&mine, "a", "kept"));
    CHILD_MUST(filestore_get(&mine, "b", NULL) == KT_NOT_FOUND);
    CHILD_MUST(put_is(&mine, f->want, f->word));
    mine.m->close(mine.state);
    _exit(0);
}

START_TEST(what_was_there_stays_readable)
{
    ck_assert_int_eq(run_child(use_with_a_fault, (void *)&faults[_i]), 0);
    filestore_must_get(&fs, "a", "kept");
    ck_assert(put_is(&fs, KT_SUCCESS, ""));
    filestore_must_get(&fs, "b", "new");
}
END_TEST

/* The log may not grow: a full disk, for a program whose writes are otherwise real. */
static void write_against_a_limit(void *arg)
{
    struct filestore mine;
    char *big = malloc(60001);
    char name[16];
    int rc = KT_SUCCESS;
    int n = 0;

    (void)arg;
    memset(big, 'x', 60000);
    big[60000] = '\0';
    (void)signal(SIGXFSZ, SIG_IGN);
    CHILD_MUST(setrlimit(RLIMIT_FSIZE, &(struct rlimit){ 600000, 600000 }) == 0);
    filestore_again(&mine, &fs, NULL);
    for (; rc == KT_SUCCESS && n < 100; n++) {
        char id[KT_ID_SIZE] = "";

        (void)snprintf(name, sizeof(name), "big/%d", n);
        rc = filestore_put(&mine, name, big, id, NULL);
    }
    CHILD_MUST(rc == KT_NO_SPACE);
    CHILD_MUST(n > 2 && get_is(&mine, "a", "kept"));
    for (int i = 0; i < n - 1; i++) {
        (void)snprintf(name, sizeof(name), "big/%d", i);
        CHILD_MUST(get_is(&mine, name, big));
    }
    (void)snprintf(name, sizeof(name), "big/%d", n - 1);
    CHILD_MUST(filestore_get(&mine, name, NULL) == KT_NOT_FOUND);
    filestore_close(&mine);
    free(big);
}

START_TEST(a_disk_that_fills_up_loses_nothing)
{
    ck_assert_int_eq(run_child(write_against_a_limit, NULL), 0);
    filestore_must_get(&fs, "a", "kept");
}
END_TEST

/* The index of the log cannot be made: read all the same. */
static void read_without_room(void *arg)
{
    struct filestore mine;

    (void)arg;
    (void)signal(SIGXFSZ, SIG_IGN);
    CHILD_MUST(setrlimit(RLIMIT_FSIZE, &(struct rlimit){ 1000, 1000 }) == 0);
    filestore_again(&mine, &fs, NULL);
    CHILD_MUST(get_is(&mine, "a", "kept") && get_is(&mine, "a", "kept"));
    CHILD_MUST(put_is(&mine, KT_NO_SPACE, ""));
    filestore_close(&mine);
}

START_TEST(a_full_disk_can_be_read)
{
    fs.m->close(fs.state);
    ck_assert_int_eq(run_child(read_without_room, NULL), 0);
    filestore_reopen(&fs, NULL);
}
END_TEST

/* ---- the medium ----------------------------------------------------------------------------- */

static void read_from_a_read_only_mount(void *arg)
{
    const bool *logged = arg;
    struct filestore mine;

    CHILD_MUST(unshare(CLONE_NEWNS) == 0);
    CHILD_MUST(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0);
    CHILD_MUST(mount(fs.dir, fs.dir, NULL, MS_BIND, NULL) == 0);
    CHILD_MUST(mount(NULL, fs.dir, NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL) == 0);
    filestore_again(&mine, &fs, NULL);
    CHILD_MUST(get_is(&mine, "a", *logged ? "logged" : "kept"));
    CHILD_MUST(get_is(&mine, "a", *logged ? "logged" : "kept"));
    CHILD_MUST(put_is(&mine, KT_READ_ONLY, ""));
    CHILD_MUST(filestore_delete(&mine, "a", NULL, false) == KT_READ_ONLY);
    CHILD_MUST(get_is(&mine, "a", *logged ? "logged" : "kept"));
    filestore_close(&mine);
}

static void die_with_a_log(void *arg)
{
    struct filestore mine;
    char id[KT_ID_SIZE] = "";

    (void)arg;
    filestore_again(&mine, &fs, NULL);
    CHILD_MUST(filestore_put(&mine, "a", "logged", id, NULL) == KT_SUCCESS);
    _exit(0); /* what was put is in the log only */
}

START_TEST(a_read_only_medium_can_be_read)
{
    bool logged = _i == 1;

    if (geteuid() != 0)
        return; /* nobody else can mount */
    fs.m->close(fs.state);
    if (logged)
        ck_assert_int_eq(run_child(die_with_a_log, NULL), 0);
    ck_assert_int_eq(run_child(read_from_a_read_only_mount, &logged), 0);
    filestore_reopen(&fs, NULL);
    filestore_must_get(&fs, "a", logged ? "logged" : "kept");
}
END_TEST

/* ---- other processes ------------------------------------------------------------------------ */

START_TEST(another_writer_is_waited_for_until_the_deadline)
{
    const int lock = filestore_lock(&fs);
    const struct kt_put put = {
        .size = sizeof(put), .stage = KT_STAGE_CURRENT, .id = "x", .data = "v", .len = 1
    };
    pthread_t clock;
    int cancel[2];

    modhost_call_reset(&fs.call);
    clock = filestore_stop_waiting(&lock);
    ck_assert_int_eq(fs.m->put(fs.state, &fs.call, KT_COMMIT, "a", &put), KT_BUSY);
    ck_assert_int_eq(modhost.left_ms(&fs.call), 0);
    ck_assert_int_eq(pthread_join(clock, NULL), 0);
    modhost_clock_reset();
    ck_assert_int_eq(fs.call.fails, 1);
    filestore_must_get(&fs, "a", "kept"); /* reading does not wait */

    /* cancelled */
    ck_assert_int_eq(pipe(cancel), 0);
    ck_assert_int_eq(write(cancel[1], "x", 1), 1);
    modhost_call_reset(&fs.call);
    fs.call.cancel_fd = cancel[0];
    ck_assert_int_eq(fs.m->put(fs.state, &fs.call, KT_COMMIT, "a", &put), KT_CANCELLED);
    ck_assert_int_eq(fs.call.fails, 1);
    fs.call.cancel_fd = -1;

    (void)close(lock);
    ck_assert_int_eq(filestore_put(&fs, "a", "new", (char[KT_ID_SIZE]){ "" }, NULL), KT_SUCCESS);
}
END_TEST

/* Somebody with SQLite's own tool, who knows nothing of our lock. */
START_TEST(a_foreign_transaction_is_waited_for)
{
    sqlite3 *db;

    ck_assert_int_eq(sqlite3_open(fs.path, &db), SQLITE_OK);
    ck_assert_int_eq(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    modhost_call_reset(&fs.call);
    fs.call.deadline_ms = modhost.now_ns(NULL, KT_CLOCK_MONOTONIC) / 1000000 + 100;
    ck_assert_int_eq(fs.m->del(fs.state, &fs.call, KT_COMMIT, "a",
                               &(struct kt_delete){ .size = sizeof(struct kt_delete) },
                               &(bool){ false }),
                     KT_BUSY);
    filestore_must_get(&fs, "a", "kept");
    ck_assert_int_eq(sqlite3_exec(db, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
    ck_assert_int_eq(sqlite3_close(db), SQLITE_OK);
    ck_assert(put_is(&fs, KT_SUCCESS, ""));
}
END_TEST

static void write_and_wait(void *arg)
{
    struct filestore mine;

    filestore_again(&mine, &fs, NULL);
    for (int i = 0; i < 100000; i++) {
        char id[KT_ID_SIZE] = "";
        char name[32];

        (void)snprintf(name, sizeof(name), "k/%d", i);
        MUST(filestore_put(&mine, name, name, id, NULL) == KT_SUCCESS);
        MUST(write(*(int *)arg, &i, sizeof(i)) == sizeof(i));
    }
}

/* Every acknowledged write of a killed process is there, and the next writer is not held up. */
START_TEST(a_killed_writer_loses_nothing_and_holds_nothing)
{
    int ack[2];

    for (int round = 0; round < 15; round++) {
        char name[32];
        int last = -1;
        int got;
        int status;
        pid_t pid;

        ck_assert_int_eq(pipe(ack), 0);
        pid = fork();
        if (pid == 0) {
            (void)close(ack[0]);
            write_and_wait(&ack[1]);
            _exit(0);
        }
        (void)close(ack[1]);
        ck_assert_int_ge(read(ack[0], &last, sizeof(last)), 0);
        (void)usleep(3000 + 700 * (useconds_t)round);
        ck_assert_int_eq(kill(pid, SIGKILL), 0);
        ck_assert_int_eq(waitpid(pid, &status, 0), pid);
        while (read(ack[0], &got, sizeof(got)) == sizeof(got))
            last = got;
        (void)close(ack[0]);
        for (int i = 0; i <= last; i++) {
            (void)snprintf(name, sizeof(name), "k/%d", i);
            filestore_must_get(&fs, name, name);
        }
        ck_assert_int_eq(filestore_put(&fs, "next", "v", (char[KT_ID_SIZE]){ "" }, NULL),
                         KT_SUCCESS);
    }
}
END_TEST

static void read_and_close(void *arg)
{
    char *log = kt_harness_path(fs.dir, "store.db-wal");
    struct filestore mine;
    struct stat st;

    (void)arg;
    filestore_again(&mine, &fs, NULL);
    CHILD_MUST(get_is(&mine, "a", "logged"));
    filestore_close(&mine);
    CHILD_MUST(stat(log, &st) != 0 || st.st_size == 0);
    free(log);
}

/* Else each process that reads would read the log again, until somebody writes. */
START_TEST(what_a_killed_writer_left_in_the_log_is_put_in_its_place)
{
    fs.m->close(fs.state);
    ck_assert_int_eq(run_child(die_with_a_log, NULL), 0);
    ck_assert_int_eq(run_child(read_and_close, NULL), 0);
    filestore_reopen(&fs, NULL);
    filestore_must_get(&fs, "a", "logged");
}
END_TEST

START_TEST(deleted_rows_are_overwritten)
{
    static const char needle[] = "aws:a-foreign-id-to-look-for";
    char *text = malloc(1 << 20);
    size_t len;
    FILE *f;

    ck_assert_int_eq(filestore_fill(&fs, "gone", needle, "v", 1), KT_SUCCESS);
    ck_assert_int_eq(filestore_delete(&fs, "gone", NULL, false), KT_SUCCESS);
    fs.m->close(fs.state); /* what was in the log is in the file now */
    f = fopen(fs.path, "rb");
    ck_assert_ptr_nonnull(f);
    len = fread(text, 1, 1 << 20, f);
    ck_assert_int_eq(fclose(f), 0);
    ck_assert_ptr_null(memmem(text, len, needle, strlen(needle)));
    free(text);
    filestore_reopen(&fs, NULL);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("file-faults");
    TCase *tc = tcase_create("faults");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_loop_test(tc, what_was_there_stays_readable, 0, sizeof(faults) / sizeof(faults[0]));
    tcase_add_test(tc, a_disk_that_fills_up_loses_nothing);
    tcase_add_test(tc, a_full_disk_can_be_read);
    tcase_add_loop_test(tc, a_read_only_medium_can_be_read, 0, 2);
    tcase_add_test(tc, another_writer_is_waited_for_until_the_deadline);
    tcase_add_test(tc, a_foreign_transaction_is_waited_for);
    tcase_add_test(tc, a_killed_writer_loses_nothing_and_holds_nothing);
    tcase_add_test(tc, what_a_killed_writer_left_in_the_log_is_put_in_its_place);
    tcase_add_test(tc, deleted_rows_are_overwritten);
    suite_add_tcase(s, tc);
    return kt_harness_run(s);
}
