/* SPDX-License-Identifier: Apache-2.0 */

/* How a store of the file backend comes into being, and what opens it. */

#include "child.h"
#include "filestore.h"

#include <fcntl.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

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

static void must_put(struct filestore *f, const char *name, const char *value)
{
    char id[KT_ID_SIZE] = "";
    const int rc = filestore_put(f, name, value, id, NULL);

    ck_assert_msg(rc == KT_SUCCESS, "put: %s", f->call.msg);
}

static void reopen(const char *options)
{
    fs.m->close(fs.state); /* first: lines share what is open */
    filestore_reopen(&fs, options);
}

static mode_t mode_of(const char *path)
{
    struct stat st;

    ck_assert_msg(stat(path, &st) == 0, "%s is missing", path);
    return st.st_mode & 07777;
}

static bool there(const char *dir, const char *name)
{
    char *path = kt_harness_path(dir, name);
    const bool yes = access(path, F_OK) == 0;

    free(path);
    return yes;
}

START_TEST(the_first_put_makes_store_and_key_for_this_user_alone)
{
    struct filestore deep;
    char *words;
    char *path = kt_harness_path(fs.dir, "new/dir/store.db");
    char *key = kt_harness_path(fs.dir, "key/dir/store.key");
    char *dir = kt_harness_path(fs.dir, "new/dir");
    const mode_t old = umask(0);

    ck_assert_int_ge(asprintf(&words, "path=%s key=%s", path, key), 0);
    deep = fs;
    modhost_call_init(&deep.call);
    ck_assert_int_eq(modhost_open(fs.m, &deep.call, words, &deep.state), KT_SUCCESS);
    ck_assert_int_eq(filestore_get(&deep, "a", NULL), KT_NOT_FOUND);
    ck_assert(!there(fs.dir, "new"));
    must_put(&deep, "a", "1");
    filestore_must_get(&deep, "a", "1");
    ck_assert_int_eq(mode_of(path), 0600);
    ck_assert_int_eq(mode_of(key), 0600);
    ck_assert_int_eq(mode_of(dir), 0700);
    ck_assert(!there(dir, "store.db-new"));
    (void)umask(old);
    fs.m->close(deep.state);
    modhost_call_done(&deep.call);
    free(words);
    free(path);
    free(key);
    free(dir);
}
END_TEST

START_TEST(a_store_opens_again_with_its_key_only)
{
    char *away = kt_harness_path(fs.dir, "away");

    must_put(&fs, "a", "1");
    reopen(NULL);
    filestore_must_get(&fs, "a", "1");

    ck_assert_int_eq(rename(fs.key, away), 0);
    filestore_must_get(&fs, "a", "1"); /* open already */
    reopen(NULL);
    ck_assert_int_eq(filestore_get(&fs, "a", NULL), KT_LOCKED);
    ck_assert_ptr_nonnull(strstr(fs.call.msg, fs.key));
    ck_assert_int_eq(filestore_put(&fs, "a", "2", (char[KT_ID_SIZE]){ "" }, NULL), KT_LOCKED);
    ck_assert(!there(fs.dir, "store.key")); /* no new key for an old store */

    kt_harness_write(fs.key, "another key, long enough to be one", 0600);
    ck_assert_int_eq(filestore_get(&fs, "a", NULL), KT_LOCKED);
    ck_assert_int_eq(rename(away, fs.key), 0);
    filestore_must_get(&fs, "a", "1");
    free(away);
}
END_TEST

START_TEST(a_key_file_that_is_there_is_taken)
{
    kt_harness_write(fs.key, "0123456789abcdef\n", 0400);
    must_put(&fs, "a", "1");
    reopen(NULL);
    filestore_must_get(&fs, "a", "1");
}
END_TEST

START_TEST(a_key_file_that_others_could_read_is_refused)
{
    static const struct {
        const char *title;
        mode_t mode;
        size_t len;
        int want;
    } rows[] = {
        { "mine", 0600, 32, KT_SUCCESS },
        { "read-only", 0400, 32, KT_SUCCESS },
        { "read by all", 0604, 32, KT_CONFIG_ERROR },
        { "written by all", 0602, 32, KT_CONFIG_ERROR },
        { "written by group", 0620, 32, KT_CONFIG_ERROR },
        { "short", 0600, 15, KT_CONFIG_ERROR },
        { "empty", 0600, 0, KT_CONFIG_ERROR },
    };
    char text[33] = "0123456789abcdef0123456789abcdef";

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct filestore one;

        filestore_open(&one, NULL);
        text[rows[i].len] = '\0';
        kt_harness_write(one.key, text, rows[i].mode);
        text[rows[i].len] = 'x';
        const int rc = filestore_put(&one, "a", "1", (char[KT_ID_SIZE]){ "" }, NULL);
        ck_assert_msg(rc == rows[i].want, "%s: %d %s", rows[i].title, rc, one.call.msg);
        ck_assert(there(one.dir, "store.db") == (rc == KT_SUCCESS));
        filestore_close(&one);
    }
    ck_assert_int_eq(mkdir(fs.key, 0700), 0);
    ck_assert_int_eq(filestore_put(&fs, "a", "1", (char[KT_ID_SIZE]){ "" }, NULL), KT_CONFIG_ERROR);
    ck_assert_int_eq(rmdir(fs.key), 0);
    ck_assert_int_eq(mkfifo(fs.key, 0600), 0);
    ck_assert_int_eq(filestore_put(&fs, "a", "1", (char[KT_ID_SIZE]){ "" }, NULL), KT_CONFIG_ERROR);
}
END_TEST

START_TEST(a_passphrase_protects_a_store)
{
    static const char *const good[] = { "correct horse", "correct horse", NULL };
    static const char *const differ[] = { "correct horse", "battery staple", NULL };
    static const char *const empty[] = { "", "", NULL };
    static const char *const wrong[] = { "battery staple", NULL };
    char denied[508];

    reopen("passphrase");
    ck_assert_int_eq(filestore_put(&fs, "a", "1", (char[KT_ID_SIZE]){ "" }, NULL), KT_LOCKED);
    fs.call.answers = differ;
    ck_assert_int_eq(filestore_put(&fs, "a", "1", (char[KT_ID_SIZE]){ "" }, NULL), KT_INVALID);
    fs.call.answers = empty;
    ck_assert_int_eq(filestore_put(&fs, "a", "1", (char[KT_ID_SIZE]){ "" }, NULL), KT_INVALID);
    ck_assert(!there(fs.dir, "store.db"));
    fs.call.answers = good;
    must_put(&fs, "a", "1");
    ck_assert(!there(fs.dir, "store.key"));
    fs.call.answers = NULL;
    filestore_must_get(&fs, "a", "1"); /* asked once */

    reopen("passphrase");
    ck_assert_int_eq(filestore_get(&fs, "a", NULL), KT_LOCKED);
    fs.call.answers = wrong;
    ck_assert_int_eq(filestore_get(&fs, "a", NULL), KT_DENIED);
    (void)snprintf(denied, sizeof(denied), "%s", fs.call.msg);
    ck_assert_ptr_null(strstr(denied, "battery"));
    fs.call.answers = (const char *const[]){ "x", NULL };
    ck_assert_int_eq(filestore_get(&fs, "a", NULL), KT_DENIED);
    ck_assert_str_eq(fs.call.msg, denied);
    fs.call.answers = good;
    filestore_must_get(&fs, "a", "1");

    /* a line without the flag asks as well: the store says what opens it */
    reopen(NULL);
    fs.call.answers = good;
    filestore_must_get(&fs, "a", "1");
    fs.call.answers = NULL;
}
END_TEST

START_TEST(a_copy_does_not_ask_for_a_new_passphrase)
{
    static const char *const good[] = { "correct horse", "correct horse", NULL };

    reopen("passphrase");
    fs.call.answers = good;
    ck_assert_int_eq(filestore_fill(&fs, "a", "x", "v", 1), KT_NOT_FOUND);
    ck_assert_uint_eq(fs.call.asked, 0);
    ck_assert(!there(fs.dir, "store.db"));
    fs.call.answers = NULL;
}
END_TEST

START_TEST(a_copy_makes_a_store_with_a_key_file)
{
    ck_assert_int_eq(filestore_fill(&fs, "a", "x", "v", 1), KT_SUCCESS);
    filestore_must_get(&fs, "a", "v");
}
END_TEST

START_TEST(what_a_crash_left_behind_does_no_harm)
{
    static const char *const left[] = { "store.db-new", "store.db-new-wal", "store.db-new-journal",
                                        "store.db-wal", "store.db-shm",     "store.db-journal",
                                        "store.db-lock" };

    for (size_t i = 0; i < sizeof(left) / sizeof(left[0]); i++) {
        char *path = kt_harness_path(fs.dir, left[i]);

        kt_harness_write(path, "not what it should be", 0600);
        free(path);
    }
    ck_assert_int_eq(filestore_get(&fs, "a", NULL), KT_NOT_FOUND);
    must_put(&fs, "a", "1");
    reopen(NULL);
    filestore_must_get(&fs, "a", "1");
    ck_assert(!there(fs.dir, "store.db-new"));
}
END_TEST

/* ---- many processes make one store ---------------------------------------------------------- */

#define MAKERS 6

static void make_one(void *arg)
{
    const int i = *(int *)arg;
    char name[8];
    char id[KT_ID_SIZE] = "";
    struct filestore mine;

    (void)snprintf(name, sizeof(name), "s%d", i);
    filestore_again(&mine, &fs, NULL);
    CHILD_MUST(filestore_put(&mine, name, name, id, "") == KT_SUCCESS);
    CHILD_MUST(filestore_get(&mine, name, NULL) == KT_SUCCESS);
    filestore_close(&mine);
}

START_TEST(processes_that_make_a_store_at_once_make_one)
{
    pid_t pids[MAKERS];
    char name[8];

    for (int round = 0; round < 10; round++) {
        teardown();
        setup();
        for (int i = 0; i < MAKERS; i++) {
            pids[i] = fork();
            ck_assert_int_ge(pids[i], 0);
            if (pids[i] == 0) {
                make_one(&i);
                _exit(0);
            }
        }
        for (int i = 0; i < MAKERS; i++) {
            int status = -1;

            ck_assert_int_eq(waitpid(pids[i], &status, 0), pids[i]);
            ck_assert_int_eq(status, 0);
        }
        for (int i = 0; i < MAKERS; i++) {
            (void)snprintf(name, sizeof(name), "s%d", i);
            filestore_must_get(&fs, name, name);
        }
    }
}
END_TEST

/* Killed at any instant of the making: a reader finds no store or a whole one, and the next put works. */
START_TEST(a_store_is_made_whole_or_not_at_all)
{
    const int64_t start = modhost.now_ns(NULL, KT_CLOCK_MONOTONIC);
    unsigned made = 0;
    useconds_t whole;

    must_put(&fs, "a", "1");
    whole = (useconds_t)((modhost.now_ns(NULL, KT_CLOCK_MONOTONIC) - start) / 1000);
    /* long enough for some to be made in time, however the disk fares just now */
    for (useconds_t i = 0; i < 60 || (made == 0 && i < 2000); i++) {
        int status;
        pid_t pid;
        int rc;

        teardown();
        setup();
        pid = fork();
        ck_assert_int_ge(pid, 0);
        if (pid == 0) {
            (void)filestore_put(&fs, "a", "1", (char[KT_ID_SIZE]){ "" }, NULL);
            (void)pause();
            _exit(0);
        }
        (void)usleep(whole * i / 40);
        ck_assert_int_eq(kill(pid, SIGKILL), 0);
        ck_assert_int_eq(waitpid(pid, &status, 0), pid);
        rc = filestore_get(&fs, "a", NULL);
        ck_assert_msg(rc == KT_SUCCESS || rc == KT_NOT_FOUND, "%d: %s", rc, fs.call.msg);
        made += rc == KT_SUCCESS ? 1 : 0;
        must_put(&fs, "b", "2");
        filestore_must_get(&fs, "b", "2");
        if (rc == KT_SUCCESS)
            filestore_must_get(&fs, "a", "1");
    }
    ck_assert_uint_gt(made, 0);
}
END_TEST

/* ---- places --------------------------------------------------------------------------------- */

static void open_as_nobody(void *arg)
{
    const char *want = arg;
    struct kt_call call;
    const struct kt_module *m = modhost_load("file");
    void *state = NULL;

    if (geteuid() == 0)
        CHILD_MUST(setresgid(65534, 65534, 65534) == 0 && setresuid(65534, 65534, 65534) == 0);
    modhost_call_init(&call);
    CHILD_MUST(modhost_open(m, &call, NULL, &state) == KT_SUCCESS);
    /* told, and that nobody can make it there */
    CHILD_MUST(modhost_verb(m, state, &call, "viable", NULL) == KT_READ_ONLY);
    if (strstr(call.out, want) == NULL)
        fprintf(stderr, "%sexpected %s\n", call.out, want);
    CHILD_MUST(strstr(call.out, want) != NULL);
    m->close(state);
    modhost_call_done(&call);
}

START_TEST(the_default_places_are_the_users)
{
    ck_assert_int_eq(setenv("HOME", "/nowhere/home", 1), 0);
    ck_assert_int_eq(unsetenv("XDG_DATA_HOME"), 0);
    ck_assert_int_eq(unsetenv("XDG_CONFIG_HOME"), 0);
    ck_assert_int_eq(
        run_child(open_as_nobody, (void *)"/nowhere/home/.local/share/keyturn/store.db"), 0);
    ck_assert_int_eq(run_child(open_as_nobody, (void *)"/nowhere/home/.config/keyturn/store.key"),
                     0);
    ck_assert_int_eq(setenv("XDG_DATA_HOME", "/nowhere/data", 1), 0);
    ck_assert_int_eq(setenv("XDG_CONFIG_HOME", "relative/is/ignored", 1), 0);
    ck_assert_int_eq(run_child(open_as_nobody, (void *)"/nowhere/data/keyturn/store.db"), 0);
    ck_assert_int_eq(run_child(open_as_nobody, (void *)"/nowhere/home/.config/keyturn/store.key"),
                     0);
}
END_TEST

START_TEST(the_machine_has_its_own_places)
{
    const struct kt_open_args privileged = { .privileged = true };
    void *state = NULL;
    int rc;

    ck_assert_int_eq(setenv("XDG_DATA_HOME", "/nowhere/data", 1), 0);
    modhost_call_reset(&fs.call);
    ck_assert_int_eq(modhost_open_as(fs.m, &fs.call, &privileged, NULL, &state), KT_SUCCESS);
    fs.m->close(state);
    if (access("/var/lib/keyturn/store.db", F_OK) == 0)
        return; /* not ours to look into */
    ck_assert_int_eq(modhost_open_as(fs.m, &fs.call, &privileged, NULL, &state), KT_SUCCESS);
    rc = modhost_verb(fs.m, state, &fs.call, "viable", NULL);
    ck_assert(rc == KT_SUCCESS || (geteuid() != 0 && rc == KT_READ_ONLY));
    ck_assert_ptr_nonnull(strstr(fs.call.out, KT_STATE_DIR "/store.db"));
    ck_assert_ptr_nonnull(strstr(fs.call.out, KT_KEY_DIR "/store.key"));
    fs.m->close(state);
}
END_TEST

START_TEST(a_path_must_be_absolute_and_a_file)
{
    static const char *const bad[] = { "path=store.db", "path=/tmp/", "key=store.key" };

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        void *state = NULL;

        modhost_call_reset(&fs.call);
        ck_assert_msg(modhost_open(fs.m, &fs.call, bad[i], &state) == KT_CONFIG_ERROR, "%s",
                      bad[i]);
    }
}
END_TEST

START_TEST(links_to_a_store_lead_to_one_store)
{
    struct filestore other;
    char *link = kt_harness_path(fs.dir, "link.db");

    must_put(&fs, "a", "1");
    ck_assert_int_eq(symlink(fs.path, link), 0);
    filestore_again(&other, &fs, NULL);
    free(other.path);
    other.path = link;
    reopen(NULL);
    must_put(&other, "a", "2");
    filestore_must_get(&fs, "a", "2");
    ck_assert(!there(fs.dir, "link.db-lock"));
    filestore_close(&other);
}
END_TEST

START_TEST(what_is_no_store_is_refused)
{
    static const struct {
        const char *title;
        const char *sql; /* or NULL: the text */
        const char *text;
        int want;
    } rows[] = {
        { "text", NULL, "hello", KT_CORRUPT },
        { "empty", NULL, "", KT_CORRUPT },
        { "another database", "CREATE TABLE t (x); INSERT INTO t VALUES (1)", NULL,
          KT_CONFIG_ERROR },
        { "newer", "PRAGMA user_version = 3; CREATE TABLE t (x)", NULL, KT_UNSUPPORTED },
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        (void)unlink(fs.path);
        if (rows[i].sql != NULL)
            filestore_sql(&fs, rows[i].sql);
        else
            kt_harness_write(fs.path, rows[i].text, 0600);
        ck_assert_int_eq(chmod(fs.path, 0600), 0);
        const int rc = filestore_get(&fs, "a", NULL);
        ck_assert_msg(rc == rows[i].want, "%s: %d %s", rows[i].title, rc, fs.call.msg);
        ck_assert_int_eq(filestore_put(&fs, "a", "1", (char[KT_ID_SIZE]){ "" }, NULL),
                         rows[i].want);
    }
}
END_TEST

START_TEST(a_store_that_others_can_write_is_refused)
{
    must_put(&fs, "a", "1");
    ck_assert_int_eq(chmod(fs.path, 0660), 0);
    reopen(NULL);
    ck_assert_int_eq(filestore_get(&fs, "a", NULL), KT_CONFIG_ERROR);
    ck_assert_int_eq(chmod(fs.path, 0640), 0);
    filestore_must_get(&fs, "a", "1");
    if (geteuid() == 0) {
        ck_assert_int_eq(chown(fs.path, 65534, 65534), 0);
        reopen(NULL);
        ck_assert_int_eq(filestore_get(&fs, "a", NULL), KT_CONFIG_ERROR);
    }
}
END_TEST

static void read_as_nobody(void *arg)
{
    const int want = *(const int *)arg;
    struct filestore mine;

    CHILD_MUST(setresgid(65534, 65534, 65534) == 0 && setresuid(65534, 65534, 65534) == 0);
    filestore_again(&mine, &fs, NULL);
    const int rc = filestore_get(&mine, "a", NULL);
    if (rc != want)
        fprintf(stderr, "%d: %s\n", rc, mine.call.msg);
    CHILD_MUST(rc == want);
    filestore_close(&mine);
}

START_TEST(out_of_reach_is_not_absent)
{
    int want = KT_UNAVAILABLE;
    char *file = kt_harness_path(fs.dir, "file");
    struct kt_call call;
    char *words;
    void *state;

    must_put(&fs, "a", "1");
    if (geteuid() == 0) {
        ck_assert_int_eq(chmod(getenv("TESTTMP"), 0711), 0);
        ck_assert_int_eq(run_child(read_as_nobody, &want), 0);
    }
    /* a file where a directory should be */
    kt_harness_write(file, "x", 0600);
    ck_assert_int_ge(asprintf(&words, "path=%s/store.db", file), 0);
    modhost_call_init(&call);
    ck_assert_int_eq(modhost_open(fs.m, &call, words, &state), KT_SUCCESS);
    ck_assert_int_eq(fs.m->get(state, &call, "a", modhost_want(NULL)), KT_UNAVAILABLE);
    fs.m->close(state);
    modhost_call_done(&call);
    free(words);
    free(file);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("file-make");
    TCase *tc = tcase_create("make");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, the_first_put_makes_store_and_key_for_this_user_alone);
    tcase_add_test(tc, a_store_opens_again_with_its_key_only);
    tcase_add_test(tc, a_key_file_that_is_there_is_taken);
    tcase_add_test(tc, a_key_file_that_others_could_read_is_refused);
    tcase_add_test(tc, a_passphrase_protects_a_store);
    tcase_add_test(tc, a_copy_does_not_ask_for_a_new_passphrase);
    tcase_add_test(tc, a_copy_makes_a_store_with_a_key_file);
    tcase_add_test(tc, what_a_crash_left_behind_does_no_harm);
    tcase_add_test(tc, processes_that_make_a_store_at_once_make_one);
    tcase_add_test(tc, a_store_is_made_whole_or_not_at_all);
    tcase_add_test(tc, the_default_places_are_the_users);
    tcase_add_test(tc, the_machine_has_its_own_places);
    tcase_add_test(tc, a_path_must_be_absolute_and_a_file);
    tcase_add_test(tc, links_to_a_store_lead_to_one_store);
    tcase_add_test(tc, what_is_no_store_is_refused);
    tcase_add_test(tc, a_store_that_others_can_write_is_refused);
    tcase_add_test(tc, out_of_reach_is_not_absent);
    suite_add_tcase(s, tc);
    return kt_harness_run(s);
}
