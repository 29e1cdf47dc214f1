/* SPDX-License-Identifier: Apache-2.0 */

/* keyturn file backup: a copy of one instant, whole or not at all, while others write. */

#include "child.h"
#include "filestore.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>

#define BIG 60000

static struct filestore fs;
static char *backup;

static void setup(void)
{
    filestore_open(&fs, NULL);
    ck_assert_int_eq(filestore_put(&fs, "a", "kept", (char[KT_ID_SIZE]){ "" }, NULL), KT_SUCCESS);
    backup = kt_harness_path(fs.dir, "b.db");
}

static void teardown(void)
{
    free(backup);
    filestore_close(&fs);
    ck_assert_uint_eq(modhost_live(), 0);
}

static int run_backup(struct filestore *f, const char *to, const char *more)
{
    char words[600];

    (void)snprintf(words, sizeof(words), "to=%s %s", to, more);
    modhost_call_reset(&f->call);
    return modhost_verb(f->m, f->state, &f->call, "backup", words);
}

/* Another line, on the copy and with the same key file. */
static void open_copy(struct filestore *copy, const char *path)
{
    *copy = (struct filestore){
        .m = fs.m, .dir = strdup(fs.dir), .path = strdup(path), .key = strdup(fs.key)
    };
    filestore_reopen(copy, NULL);
}

static void fill(struct filestore *f, int n)
{
    char *big = malloc(BIG + 1);

    memset(big, 'x', BIG);
    big[BIG] = '\0';
    for (int i = 0; i < n; i++) {
        char name[16];

        (void)snprintf(name, sizeof(name), "big/%d", i);
        MUST(filestore_put(f, name, big, (char[KT_ID_SIZE]){ "" }, NULL) == KT_SUCCESS);
    }
    free(big);
}

/* How many files of the store's directory begin with @prefix. */
static int count_files(const char *prefix)
{
    DIR *dir = opendir(fs.dir);
    const struct dirent *e;
    int n = 0;

    ck_assert_ptr_nonnull(dir);
    while ((e = readdir(dir)) != NULL)
        n += strncmp(e->d_name, prefix, strlen(prefix)) == 0 ? 1 : 0;
    (void)closedir(dir);
    return n;
}

/* ---- what it is ----------------------------------------------------------------------------- */

START_TEST(a_backup_is_a_store_of_one_file)
{
    struct filestore copy;
    struct stat st;

    /* only in the log so far */
    ck_assert_int_eq(filestore_put(&fs, "b", "logged", (char[KT_ID_SIZE]){ "" }, NULL), KT_SUCCESS);
    ck_assert_msg(run_backup(&fs, backup, "") == KT_SUCCESS, "%s", fs.call.msg);
    ck_assert_ptr_nonnull(strstr(fs.call.out, "secrets: 2, versions: 2"));
    ck_assert_ptr_nonnull(strstr(fs.call.out, "not in it"));
    ck_assert_ptr_nonnull(strstr(fs.call.out, fs.key));
    ck_assert_int_eq(count_files("b.db"), 1);
    ck_assert_int_eq(stat(backup, &st), 0);
    ck_assert_uint_eq(st.st_mode & 07777, 0600);
    ck_assert_int_eq(filestore_put(&fs, "b", "later", (char[KT_ID_SIZE]){ "" }, NULL), KT_SUCCESS);

    open_copy(&copy, backup);
    filestore_must_get(&copy, "a", "kept");
    filestore_must_get(&copy, "b", "logged");
    ck_assert_int_eq(filestore_put(&copy, "b", "its own", (char[KT_ID_SIZE]){ "" }, NULL),
                     KT_SUCCESS);
    filestore_close(&copy);
    filestore_must_get(&fs, "b", "later");
}
END_TEST

START_TEST(a_backup_needs_no_key)
{
    struct filestore locked;

    fs.m->close(fs.state);
    ck_assert_int_eq(rename(fs.key, backup), 0);
    filestore_again(&locked, &fs, NULL);
    ck_assert_int_eq(filestore_get(&locked, "a", NULL), KT_LOCKED);
    ck_assert_int_eq(rename(backup, fs.key), 0);
    ck_assert_int_eq(chmod(fs.key, 0644), 0); /* nor would this one do */
    ck_assert_msg(run_backup(&locked, backup, "") == KT_SUCCESS, "%s", locked.call.msg);
    ck_assert_int_eq(chmod(fs.key, 0600), 0);
    filestore_close(&locked);
    filestore_reopen(&fs, NULL);
    open_copy(&locked, backup);
    filestore_must_get(&locked, "a", "kept");
    filestore_close(&locked);
}
END_TEST

START_TEST(what_was_never_made_is_not_backed_up)
{
    struct filestore none;

    filestore_open(&none, NULL);
    ck_assert_int_eq(run_backup(&none, backup, ""), KT_NOT_FOUND);
    ck_assert_int_eq(none.call.fails, 1);
    ck_assert_int_eq(count_files("b.db"), 0);
    filestore_close(&none);
}
END_TEST

/* ---- names ---------------------------------------------------------------------------------- */

static const struct name {
    const char *to; /* in the store's directory */
    const char *more;
    const char *there; /* a file that is made before; ending in '/': a directory */
    int want;
    const char *word;
} names[] = {
    { "b.db", "", "b.db", KT_EXISTS, "replace" },
    { "b.db", "replace", "b.db", KT_SUCCESS, "" },
    { "b.db", "replace", "b.db/", KT_EXISTS, "regular" },
    { "b.db", "", "b.db-wal", KT_EXISTS, "log" },
    { "b.db", "replace", "b.db-journal", KT_EXISTS, "log" },
    { "store.db", "", NULL, KT_INVALID, "itself" },
    { "store.db", "replace", NULL, KT_INVALID, "itself" },
    { "store.db-wal", "replace", NULL, KT_INVALID, "itself" },
    { "store.db-shm", "replace", NULL, KT_INVALID, "itself" },
    { "store.db-journal", "", NULL, KT_INVALID, "itself" },
    { "store.db-new", "", NULL, KT_INVALID, "itself" },
    { "store.key", "replace", NULL, KT_INVALID, "itself" },
    { "hard", "replace", NULL, KT_INVALID, "itself" }, /* a link to the store, made below */
    { "soft", "replace", NULL, KT_INVALID, "itself" },
    { "no/where", "", NULL, KT_UNAVAILABLE, "No such file" },
};

START_TEST(no_name_is_taken_that_is_not_free)
{
    const struct name *n = &names[_i];
    char *to = kt_harness_path(fs.dir, n->to);
    char *hard = kt_harness_path(fs.dir, "hard");
    char *soft = kt_harness_path(fs.dir, "soft");
    int rc;

    ck_assert_int_eq(link(fs.path, hard), 0);
    ck_assert_int_eq(symlink("store.db", soft), 0);
    if (n->there != NULL) {
        char *there = kt_harness_path(fs.dir, n->there);

        if (there[strlen(there) - 1] == '/')
            ck_assert_int_eq(mkdir(there, 0700), 0);
        else
            kt_harness_write(there, "something", 0600);
        free(there);
    }
    rc = run_backup(&fs, to, n->more);
    ck_assert_msg(rc == n->want, "%s %s: %d %s", n->to, n->more, rc, fs.call.msg);
    ck_assert_int_eq(fs.call.fails, n->want == KT_SUCCESS ? 0 : 1);
    ck_assert_msg(strstr(fs.call.msg, n->word) != NULL, "%s: %s", n->to, fs.call.msg);
    ck_assert_int_eq(count_files("b.db.part"), 0);
    filestore_must_get(&fs, "a", "kept");
    free(to);
    free(hard);
    free(soft);
}
END_TEST

START_TEST(a_verb_wants_its_operand)
{
    modhost_call_reset(&fs.call);
    ck_assert_int_eq(modhost_verb(fs.m, fs.state, &fs.call, "backup", ""), KT_INVALID);
    ck_assert_int_eq(fs.call.fails, 1);
    modhost_call_reset(&fs.call);
    ck_assert_int_eq(modhost_verb(fs.m, fs.state, &fs.call, "restore", ""), KT_INVALID);
    ck_assert_int_eq(fs.call.fails, 1);
}
END_TEST

START_TEST(one_at_a_time)
{
    char *dir = kt_harness_path(fs.dir, "b.db.part");
    int fd;

    ck_assert_int_eq(mkdir(dir, 0700), 0);
    fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    ck_assert_int_eq(flock(fd, LOCK_EX), 0);
    ck_assert_int_eq(run_backup(&fs, backup, ""), KT_BUSY);
    ck_assert_int_eq(count_files("b.db"), 1);
    (void)close(fd);
    /* left over from one that was killed */
    ck_assert_int_eq(run_backup(&fs, backup, ""), KT_SUCCESS);
    ck_assert_int_eq(count_files("b.db"), 1);
    ck_assert_int_eq(unlink(backup), 0);
    /* somebody else's trap */
    ck_assert_int_eq(mkdir(dir, 0700), 0);
    ck_assert_int_eq(chmod(dir, 0777), 0);
    ck_assert_int_eq(run_backup(&fs, backup, ""), KT_EXISTS);
    ck_assert_int_eq(chmod(dir, 0700), 0);
    free(dir);
}
END_TEST

/* ---- others write --------------------------------------------------------------------------- */

static struct filestore_other other;
static int written;

/* x first, then y: no instant has a y without its x. */
static void write_half_a_pair(struct kt_call *call)
{
    char text[16];

    (void)call;
    (void)snprintf(text, sizeof(text), "%d", written / 2);
    filestore_other_put(&other, written % 2 == 0 ? "x" : "y", text);
    written++;
}

START_TEST(a_backup_is_of_one_instant_and_holds_up_nobody)
{
    fill(&fs, 60);
    filestore_other_start(&other, &fs);
    written = 0;
    write_half_a_pair(NULL);
    write_half_a_pair(NULL);
    for (int i = 0; i < 10; i++) {
        const int before = written;
        struct filestore copy;
        int x;
        int y;

        fs.call.meanwhile = write_half_a_pair;
        ck_assert_msg(run_backup(&fs, backup, "replace") == KT_SUCCESS, "%s", fs.call.msg);
        fs.call.meanwhile = NULL;
        ck_assert_int_gt(written, before + 2); /* before each step of the copying */
        open_copy(&copy, backup);
        ck_assert_int_eq(filestore_get(&copy, "x", NULL), KT_SUCCESS);
        x = atoi(copy.given->data);
        ck_assert_int_eq(filestore_get(&copy, "y", NULL), KT_SUCCESS);
        y = atoi(copy.given->data);
        ck_assert_msg(x == y || x == y + 1, "x %d y %d", x, y);
        filestore_close(&copy);
    }
    filestore_other_end(&other);
}
END_TEST

/* ---- what goes wrong ------------------------------------------------------------------------ */

static void backup_and_say(void *arg)
{
    struct filestore mine;

    (void)arg;
    filestore_again(&mine, &fs, NULL);
    CHILD_MUST(run_backup(&mine, backup, "") == KT_SUCCESS);
    _exit(0);
}

#define ROUNDS 30

START_TEST(a_killed_backup_has_no_name)
{
    int64_t us;
    int whole = 0;
    int none = 0;

    fill(&fs, 40);
    us = -modhost.now_ns(NULL, KT_CLOCK_MONOTONIC) / 1000;
    ck_assert_int_eq(run_child(backup_and_say, NULL), 0);
    us += modhost.now_ns(NULL, KT_CLOCK_MONOTONIC) / 1000;
    ck_assert_int_eq(unlink(backup), 0);
    for (int round = 0; round < ROUNDS || (none == 0 && round < 1000); round++) {
        struct filestore copy;
        const pid_t pid = fork();

        if (pid == 0)
            backup_and_say(NULL);
        (void)usleep((useconds_t)(us * 3 / 2 * (round % ROUNDS) / ROUNDS));
        (void)kill(pid, SIGKILL);
        ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
        if (access(backup, F_OK) != 0) {
            none++;
            continue;
        }
        whole++;
        open_copy(&copy, backup);
        filestore_must_get(&copy, "a", "kept");
        ck_assert_int_eq(filestore_get(&copy, "big/39", NULL), KT_SUCCESS);
        filestore_close(&copy);
        ck_assert_int_eq(unlink(backup), 0);
    }
    ck_assert_int_gt(none, 0);
    ck_assert_msg(run_backup(&fs, backup, "replace") == KT_SUCCESS, "%s", fs.call.msg);
    ck_assert_int_eq(count_files("b.db.part"), 0);
    printf("# killed before its end: %d, after: %d\n", none, whole);
}
END_TEST

static void backup_against_a_limit(void *arg)
{
    struct filestore mine;

    (void)arg;
    (void)signal(SIGXFSZ, SIG_IGN);
    filestore_again(&mine, &fs, NULL);
    CHILD_MUST(filestore_get(&mine, "a", NULL) == KT_SUCCESS);
    CHILD_MUST(setrlimit(RLIMIT_FSIZE, &(struct rlimit){ 300000, 300000 }) == 0);
    CHILD_MUST(run_backup(&mine, backup, "") == KT_NO_SPACE);
    CHILD_MUST(mine.call.fails == 1);
    filestore_close(&mine);
}

START_TEST(a_full_disk_leaves_nothing)
{
    fill(&fs, 20);
    ck_assert_int_eq(run_child(backup_against_a_limit, NULL), 0);
    ck_assert_int_eq(count_files("b.db"), 0);
    ck_assert_msg(run_backup(&fs, backup, "") == KT_SUCCESS, "%s", fs.call.msg);
}
END_TEST

START_TEST(a_cancelled_backup_leaves_nothing)
{
    int cancel[2];

    ck_assert_int_eq(pipe(cancel), 0);
    ck_assert_int_eq(write(cancel[1], "x", 1), 1);
    fs.call.cancel_fd = cancel[0];
    ck_assert_int_eq(run_backup(&fs, backup, ""), KT_CANCELLED);
    ck_assert_int_eq(fs.call.fails, 1);
    fs.call.cancel_fd = -1;
    ck_assert_int_eq(count_files("b.db"), 0);
    (void)close(cancel[0]);
    (void)close(cancel[1]);
}
END_TEST

START_TEST(a_damaged_store_is_not_backed_up)
{
    char garbage[4096];
    struct stat st;
    int fd;

    fill(&fs, 20);
    fs.m->close(fs.state); /* all in the file now */
    memset(garbage, 0xa5, sizeof(garbage));
    fd = open(fs.path, O_WRONLY | O_CLOEXEC);
    ck_assert_int_eq(fstat(fd, &st), 0);
    for (off_t at = 6 * 4096; at < st.st_size; at += 8 * 4096)
        ck_assert_int_eq(pwrite(fd, garbage, sizeof(garbage), at), (ssize_t)sizeof(garbage));
    (void)close(fd);
    filestore_reopen(&fs, NULL);
    ck_assert_int_eq(run_backup(&fs, backup, ""), KT_CORRUPT);
    ck_assert_ptr_nonnull(strstr(fs.call.msg, "check"));
    ck_assert_int_eq(count_files("b.db"), 0);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("file-backup");
    TCase *tc = tcase_create("backup");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, a_backup_is_a_store_of_one_file);
    tcase_add_test(tc, a_backup_needs_no_key);
    tcase_add_test(tc, what_was_never_made_is_not_backed_up);
    tcase_add_loop_test(tc, no_name_is_taken_that_is_not_free, 0, sizeof(names) / sizeof(names[0]));
    tcase_add_test(tc, a_verb_wants_its_operand);
    tcase_add_test(tc, one_at_a_time);
    tcase_add_test(tc, a_backup_is_of_one_instant_and_holds_up_nobody);
    tcase_add_test(tc, a_killed_backup_has_no_name);
    tcase_add_test(tc, a_full_disk_leaves_nothing);
    tcase_add_test(tc, a_cancelled_backup_leaves_nothing);
    tcase_add_test(tc, a_damaged_store_is_not_backed_up);
    suite_add_tcase(s, tc);
    return kt_harness_run(s);
}
