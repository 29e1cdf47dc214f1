/* SPDX-License-Identifier: Apache-2.0 */

/* Older and newer formats of a store of the file backend, and scrypt that was weaker. */

#include "child.h"
#include "format1.h"
#include "slots.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* As a slot that an older keyturn, on a slower machine, made: scrypt with N=2^10. */
static void weaken(int64_t id, const char *typed)
{
    const struct kt_bytes passphrase = { typed, strlen(typed) };
    uint8_t store_id[KT_STORE_ID_SIZE];
    uint8_t master[KT_KEY_SIZE];
    uint8_t kek[KT_KEY_SIZE];
    sqlite3 *db = slots_database();
    struct kt_slot slot;
    struct kt_fault f;

    slots_load(db, id, store_id, &slot);
    ck_assert_int_eq(kt_slot_stretch(&slot, passphrase, kek, &f), KT_SUCCESS);
    ck_assert_int_eq(kt_slot_try(store_id, &slot, (struct kt_bytes){ kek, sizeof(kek) }, master),
                     KT_SUCCESS);
    slot.params[1] = 10;
    ck_assert(kt_slot_is_weak(&slot));
    ck_assert_int_eq(kt_slot_stretch(&slot, passphrase, kek, &f), KT_SUCCESS);
    ck_assert_int_eq(
        kt_slot_seal(store_id, &slot, (struct kt_bytes){ kek, sizeof(kek) }, master, &f),
        KT_SUCCESS);
    slots_save(db, store_id, &slot, 2);
    (void)sqlite3_close(db);
}

static int64_t log_n_of(int64_t id)
{
    char sql[160];

    (void)snprintf(sql, sizeof(sql),
                   "SELECT instr(x'000102030405060708090a0b0c0d0e0f1011', substr(params, 2, 1)) - 1"
                   " FROM slot WHERE id = %lld",
                   (long long)id);
    return slots_number(sql);
}

/* Give the store the sums and the header of format 1, once its tables are that. */
static void sum_store_as_1(sqlite3 *db)
{
    const uint8_t one = 1;
    uint8_t digest[KT_DIGEST_SIZE];
    sqlite3_stmt *s = NULL;
    struct kt_bytes pieces[] = { { "keyturn-file store", 18 }, { &one, 1 }, { 0 }, { 0 } };

    ck_assert_int_eq(sqlite3_prepare_v2(db, "SELECT id, index_key FROM store", -1, &s, NULL),
                     SQLITE_OK);
    ck_assert_int_eq(sqlite3_step(s), SQLITE_ROW);
    for (int i = 0; i < 2; i++)
        pieces[2 + i] = (struct kt_bytes){ sqlite3_column_blob(s, i),
                                           (size_t)sqlite3_column_bytes(s, i) };
    kt_digest(pieces, 4, digest);
    (void)sqlite3_finalize(s);
    ck_assert_int_eq(sqlite3_prepare_v2(db, "UPDATE store SET format = 1, sum = ?", -1, &s, NULL),
                     SQLITE_OK);
    slots_bind(s, 1, digest, KT_SUM_SIZE);
    ck_assert_int_eq(sqlite3_step(s), SQLITE_DONE);
    (void)sqlite3_finalize(s);
}

/* The store as the format 1 that it would have been. */
static void turn_into_format_1(void)
{
    sqlite3 *db = slots_database();
    uint8_t store_id[KT_STORE_ID_SIZE];
    struct kt_slot slots[4];
    const int64_t n = slots_number("SELECT max(id) FROM slot");

    ck_assert_int_le(n, 4);
    for (int64_t i = 0; i < n; i++)
        slots_load(db, i + 1, store_id, &slots[i]);
    ck_assert_int_eq(sqlite3_exec(db,
                                  "ALTER TABLE slot DROP COLUMN created;"
                                  "ALTER TABLE slot DROP COLUMN label;"
                                  "PRAGMA user_version = 1",
                                  NULL, NULL, NULL),
                     SQLITE_OK);
    for (int64_t i = 0; i < n; i++)
        slots_save(db, store_id, &slots[i], 1);
    sum_store_as_1(db);
    (void)sqlite3_close(db);
}

/* ---- formats -------------------------------------------------------------------------------- */

static void make_format_1(void)
{
    kt_harness_write(fs.key, FORMAT1_KEY, 0600);
    filestore_sql(&fs, format1);
    ck_assert_int_eq(chmod(fs.path, 0600), 0);
}

START_TEST(a_store_of_format_1_is_read_as_it_is)
{
    make_format_1();
    filestore_must_get(&fs, "a", "two");
    filestore_must_get(&fs, "b/c", "three");
    ck_assert_int_eq(filestore_get(&fs, "a", FORMAT1_OLD), KT_SUCCESS);
    ck_assert_str_eq(fs.given->data, "one");
    ck_assert_int_eq(filestore_get(&fs, "c", NULL), KT_NOT_FOUND);
    slots_must("status", NULL);
    slots_say("format:    1");
    slots_list("slot 1: key file ");
    slots_must("viable", NULL);
    fs.m->close(fs.state);
    ck_assert_int_eq(slots_format(), 1);
    filestore_reopen(&fs, NULL);
}
END_TEST

static void read_format_1_from_a_read_only_mount(void *arg)
{
    struct filestore mine;
    char id[KT_ID_SIZE] = "";

    (void)arg;
    CHILD_MUST(unshare(CLONE_NEWNS) == 0);
    CHILD_MUST(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0);
    CHILD_MUST(mount(fs.dir, fs.dir, NULL, MS_BIND, NULL) == 0);
    CHILD_MUST(mount(NULL, fs.dir, NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL) == 0);
    filestore_again(&mine, &fs, NULL);
    CHILD_MUST(filestore_get(&mine, "a", NULL) == KT_SUCCESS);
    CHILD_MUST(strcmp(mine.given->data, "two") == 0);
    CHILD_MUST(filestore_put(&mine, "a", "x", id, NULL) == KT_READ_ONLY);
    CHILD_MUST(filestore_get(&mine, "a", NULL) == KT_SUCCESS);
    filestore_close(&mine);
}

START_TEST(a_store_of_format_1_is_read_from_a_read_only_medium)
{
    if (geteuid() != 0)
        return; /* nobody else can mount */
    make_format_1();
    ck_assert_int_eq(run_child(read_format_1_from_a_read_only_mount, NULL), 0);
    ck_assert_int_eq(slots_format(), 1);
}
END_TEST

START_TEST(the_first_write_brings_it_to_today)
{
    make_format_1();
    filestore_must_get(&fs, "a", "two"); /* by a connection that knows it as format 1 */
    slots_put(&fs, "a", "four");
    ck_assert_int_eq(slots_format(), 2);
    filestore_must_get(&fs, "a", "four");
    slots_must("status", NULL);
    slots_say("format:    2");
    slots_reopen(NULL);
    filestore_must_get(&fs, "a", "four");
    filestore_must_get(&fs, "b/c", "three");
    slots_list("slot 1: key file ");
    ck_assert_ptr_null(strstr(slots_out(), "made"));
    ck_assert_ptr_null(strstr(slots_out(), "damaged"));
}
END_TEST

START_TEST(a_write_that_is_refused_may_have_brought_it_there)
{
    make_format_1();
    ck_assert_int_eq(filestore_put(&fs, "a", "x", (char[KT_ID_SIZE]){ "" }, ""), KT_CONFLICT);
    ck_assert_int_le(slots_format(), 2);
    filestore_must_get(&fs, "a", "two");
    slots_must("slot add", "recovery");
    ck_assert_int_eq(slots_format(), 2);
}
END_TEST

START_TEST(a_slot_that_was_damaged_stays_so)
{
    make_format_1();
    filestore_sql(&fs, "INSERT INTO slot SELECT 2, kind, params, wrapped, sum FROM slot");
    slots_list("slot 2: key file (damaged)");
    slots_put(&fs, "a", "four");
    slots_list("slot 2: key file (damaged)");
    ck_assert_int_eq(slots_format(), 2);
    slots_reopen(NULL);
    filestore_must_get(&fs, "a", "four");
}
END_TEST

/* Steps of two processes, by bytes through two pipes. */
static int to_child[2];
static int to_parent[2];

static void tell(const int pipe_[2])
{
    CHILD_MUST(write(pipe_[1], "", 1) == 1);
}

static void await(const int pipe_[2])
{
    char c;

    CHILD_MUST(read(pipe_[0], &c, 1) == 1);
}

static void use_while_another_brings_it_to_today(void)
{
    struct filestore mine;
    char id[KT_ID_SIZE] = "";

    filestore_again(&mine, &fs, NULL);
    CHILD_MUST(filestore_get(&mine, "a", NULL) == KT_SUCCESS);
    tell(to_parent);
    await(to_child);
    CHILD_MUST(filestore_get(&mine, "a", NULL) == KT_SUCCESS);
    CHILD_MUST(strcmp(mine.given->data, "four") == 0);
    modhost_call_reset(&mine.call);
    CHILD_MUST(modhost_verb(mine.m, mine.state, &mine.call, "slot list", NULL) == KT_SUCCESS);
    CHILD_MUST(strstr(mine.call.out, "label there") != NULL);
    CHILD_MUST(strstr(mine.call.out, "damaged") == NULL);
    CHILD_MUST(filestore_put(&mine, "a", "five", id, NULL) == KT_SUCCESS);
    modhost_call_reset(&mine.call);
    CHILD_MUST(modhost_verb(mine.m, mine.state, &mine.call, "slot remove", "id=2") == KT_SUCCESS);
    filestore_close(&mine);
    _exit(0);
}

START_TEST(whoever_has_it_open_goes_on)
{
    char *other = kt_harness_path(fs.dir, "other.key");
    char *words;
    int status = -1;
    pid_t pid;

    ck_assert_int_ge(asprintf(&words, "label=there keyfile=%s", other), 0);
    ck_assert_int_eq(pipe(to_child), 0);
    ck_assert_int_eq(pipe(to_parent), 0);
    make_format_1();
    pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0)
        use_while_another_brings_it_to_today();
    await(to_parent);
    ck_assert_int_eq(slots_format(), 1);
    slots_put(&fs, "a", "four");
    slots_must("slot add", words);
    ck_assert_int_eq(slots_format(), 2);
    tell(to_child);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(status, 0);
    filestore_must_get(&fs, "a", "five");
    slots_must("slot list", NULL);
    ck_assert_ptr_null(strstr(slots_out(), "slot 2"));
    for (int i = 0; i < 2; i++) {
        (void)close(to_child[i]);
        (void)close(to_parent[i]);
    }
    free(words);
    free(other);
}
END_TEST

START_TEST(killed_on_the_way_it_is_the_old_format_or_the_new)
{
    unsigned seen[3] = { 0 };

    for (useconds_t i = 0; i < 60 || (seen[1] == 0 && i < 1000); i++) {
        int64_t format;
        int status;
        pid_t pid;

        slots_teardown();
        slots_setup();
        make_format_1();
        pid = fork();
        ck_assert_int_ge(pid, 0);
        if (pid == 0) {
            (void)filestore_put(&fs, "d", "new", (char[KT_ID_SIZE]){ "" }, NULL);
            if (i < 55 || i >= 60)
                (void)pause();
            _exit(0);
        }
        if (i < 55 || i >= 60) { /* the others come to their end, however slow the machine */
            (void)usleep(i % 60 * 300);
            ck_assert_int_eq(kill(pid, SIGKILL), 0);
        }
        ck_assert_int_eq(waitpid(pid, &status, 0), pid);
        filestore_must_get(&fs, "a", "two");
        format = slots_format();
        ck_assert(format == 1 || format == 2);
        seen[format]++;
        slots_put(&fs, "b/c", "more");
        filestore_must_get(&fs, "b/c", "more");
        ck_assert_int_eq(slots_format(), 2);
    }
    ck_assert_uint_gt(seen[1], 0);
    ck_assert_uint_gt(seen[2], 0);
}
END_TEST

START_TEST(a_newer_format_is_refused_and_left_alone)
{
    char before[508];
    struct stat st;
    struct stat after;

    slots_put(&fs, "a", "1");
    filestore_sql(&fs, "PRAGMA user_version = 3");
    /* open already: it is noticed before anything is written */
    ck_assert_int_eq(filestore_put(&fs, "a", "2", (char[KT_ID_SIZE]){ "" }, NULL), KT_UNSUPPORTED);
    ck_assert_ptr_nonnull(strstr(fs.call.msg, "update keyturn"));
    (void)snprintf(before, sizeof(before), "%s", fs.call.msg);
    slots_reopen(NULL);
    ck_assert_int_eq(stat(fs.path, &st), 0);
    ck_assert_int_eq(filestore_get(&fs, "a", NULL), KT_UNSUPPORTED);
    ck_assert_str_eq(fs.call.msg, before);
    ck_assert_int_eq(filestore_put(&fs, "a", "2", (char[KT_ID_SIZE]){ "" }, NULL), KT_UNSUPPORTED);
    slots_refused("slot add", "recovery", KT_UNSUPPORTED, "update keyturn");
    slots_refused("slot remove", "id=1", KT_UNSUPPORTED, "update keyturn");
    ck_assert_int_eq(stat(fs.path, &after), 0);
    ck_assert(st.st_mtim.tv_sec == after.st_mtim.tv_sec &&
              st.st_mtim.tv_nsec == after.st_mtim.tv_nsec);
    filestore_sql(&fs, "PRAGMA user_version = 2");
    slots_reopen(NULL);
    filestore_must_get(&fs, "a", "1");
}
END_TEST

/* ---- scrypt is raised ----------------------------------------------------------------------- */

static void make_weak(void)
{
    slots_reopen("passphrase");
    (void)slots_typing("correct horse", "correct horse");
    slots_put(&fs, "a", "1");
    fs.m->close(fs.state);
    weaken(1, "correct horse");
    filestore_reopen(&fs, NULL);
    ck_assert_int_eq(log_n_of(1), 10);
}

START_TEST(a_weak_slot_is_raised_by_whoever_opens_it)
{
    make_weak();
    (void)slots_typing("wrong", NULL);
    ck_assert_int_eq(filestore_get(&fs, "a", NULL), KT_DENIED);
    ck_assert_int_eq(log_n_of(1), 10);
    (void)slots_typing("correct horse", NULL);
    filestore_must_get(&fs, "a", "1");
    ck_assert_int_eq(log_n_of(1), KT_SCRYPT_LOG_N);
    ck_assert_ptr_nonnull(strstr(fs.call.log, "today's scrypt"));
    slots_reopen(NULL);
    (void)slots_typing("correct horse", NULL);
    filestore_must_get(&fs, "a", "1");
    ck_assert_ptr_null(fs.call.log);
    slots_list("slot 1: passphrase, scrypt N=2^17 r=8 p=1, made 20");
    fs.call.answers = NULL;
}
END_TEST

START_TEST(a_weak_slot_stays_while_it_cannot_be_written)
{
    char *lock = NULL;
    struct flock all = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
    int fd;

    make_weak();
    /* another writer has the lock: nobody who only reads waits for it */
    ck_assert_int_ge(asprintf(&lock, "%s-lock", fs.path), 0);
    fd = open(lock, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(fcntl(fd, F_OFD_SETLK, &all), 0);
    (void)slots_typing("correct horse", NULL);
    filestore_must_get(&fs, "a", "1");
    ck_assert_ptr_nonnull(strstr(fs.call.log, "weaker scrypt"));
    ck_assert_int_eq(log_n_of(1), 10);
    (void)close(fd);
    slots_reopen(NULL);
    (void)slots_typing("correct horse", NULL);
    slots_put(&fs, "a", "2");
    ck_assert_int_eq(log_n_of(1), KT_SCRYPT_LOG_N);
    filestore_must_get(&fs, "a", "2");
    fs.call.answers = NULL;
    free(lock);
}
END_TEST

START_TEST(a_weak_slot_of_an_old_format_waits_until_that_is_today)
{
    make_weak();
    fs.m->close(fs.state);
    turn_into_format_1();
    filestore_reopen(&fs, NULL);
    (void)slots_typing("correct horse", NULL);
    filestore_must_get(&fs, "a", "1");
    ck_assert_int_eq(log_n_of(1), 10);
    ck_assert_int_eq(slots_format(), 1);
    slots_put(&fs, "a", "2");
    ck_assert_int_eq(slots_format(), 2);
    slots_reopen(NULL);
    (void)slots_typing("correct horse", NULL);
    filestore_must_get(&fs, "a", "2");
    ck_assert_int_eq(log_n_of(1), KT_SCRYPT_LOG_N);
    slots_reopen(NULL);
    (void)slots_typing("correct horse", NULL);
    filestore_must_get(&fs, "a", "2");
    fs.call.answers = NULL;
}
END_TEST

START_TEST(what_a_slot_demands_has_bounds)
{
    static const struct {
        const char *title;
        uint8_t at;
        uint8_t value;
    } rows[] = {
        { "version", 0, 2 },     { "N too large", 1, 24 }, { "N absurd", 1, 63 },
        { "r too large", 3, 1 }, { "p too large", 6, 65 },
    };
    uint8_t store_id[KT_STORE_ID_SIZE];
    struct kt_slot whole;
    sqlite3 *db;

    slots_reopen("passphrase");
    (void)slots_typing("correct horse", "correct horse");
    slots_put(&fs, "a", "1");
    db = slots_database();
    slots_load(db, 1, store_id, &whole);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct kt_slot bad = whole;

        bad.params[rows[i].at] = rows[i].value;
        slots_save(db, store_id, &bad, 2);
        slots_reopen(NULL);
        (void)slots_typing("correct horse", NULL);
        const int rc = filestore_get(&fs, "a", NULL);
        ck_assert_msg(rc == KT_UNSUPPORTED, "%s: %d %s", rows[i].title, rc, fs.call.msg);
    }
    slots_save(db, store_id, &whole, 2);
    (void)sqlite3_close(db);
    slots_reopen(NULL);
    (void)slots_typing("correct horse", NULL);
    filestore_must_get(&fs, "a", "1");
    fs.call.answers = NULL;
}
END_TEST

int main(void)
{
    Suite *s = suite_create("file-format");
    TCase *tc = tcase_create("format");

    tcase_add_checked_fixture(tc, slots_setup, slots_teardown);
    tcase_add_test(tc, a_store_of_format_1_is_read_as_it_is);
    tcase_add_test(tc, a_store_of_format_1_is_read_from_a_read_only_medium);
    tcase_add_test(tc, the_first_write_brings_it_to_today);
    tcase_add_test(tc, a_write_that_is_refused_may_have_brought_it_there);
    tcase_add_test(tc, a_slot_that_was_damaged_stays_so);
    tcase_add_test(tc, whoever_has_it_open_goes_on);
    tcase_add_test(tc, killed_on_the_way_it_is_the_old_format_or_the_new);
    tcase_add_test(tc, a_newer_format_is_refused_and_left_alone);
    tcase_add_test(tc, a_weak_slot_is_raised_by_whoever_opens_it);
    tcase_add_test(tc, a_weak_slot_stays_while_it_cannot_be_written);
    tcase_add_test(tc, a_weak_slot_of_an_old_format_waits_until_that_is_today);
    tcase_add_test(tc, what_a_slot_demands_has_bounds);
    suite_add_tcase(s, tc);
    return kt_harness_run(s);
}
