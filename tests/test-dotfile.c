/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A file that is replaced as a whole: at each step of that the process is killed, or the step fails.
 * The steps are libc's functions of these names, which win here over libc's own.
 */

#include "child.h"
#include "harness.h"

#include "kit/dotfile.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

static int fsyncs, step, stop_at; /* stop_at 0: never */
static int fail_with;             /* errno; 0: kill */

/* true: this step fails. */
static bool stops(void)
{
    if (++step != stop_at)
        return false;
    if (fail_with == 0)
        (void)raise(SIGKILL);
    errno = fail_with;
    return true;
}

int fchmod(int fd, mode_t mode)
{
    return stops() ? -1 : (int)syscall(SYS_fchmod, fd, mode);
}

int fsync(int fd)
{
    fsyncs++;
    return stops() ? -1 : (int)syscall(SYS_fsync, fd);
}

int linkat(int from_dir, const char *from, int to_dir, const char *to, int flags)
{
    return stops() ? -1 : (int)syscall(SYS_linkat, from_dir, from, to_dir, to, flags);
}

int renameat(int from_dir, const char *from, int to_dir, const char *to)
{
    return stops() ? -1 : (int)syscall(SYS_renameat2, from_dir, from, to_dir, to, 0);
}

int renameat2(int from_dir, const char *from, int to_dir, const char *to, unsigned flags)
{
    return stops() ? -1 : (int)syscall(SYS_renameat2, from_dir, from, to_dir, to, flags);
}

/* ------------------------------------------------------------------------------------------------ */

static char *dir, *path, *temp;

static void setup(void)
{
    dir = kt_harness_dir();
    path = kt_harness_path(dir, ".env");
    temp = kt_harness_path(dir, "..env.keyturn");
    step = stop_at = fail_with = 0;
}

static void teardown(void)
{
    free(dir);
    free(path);
    free(temp);
}

static void is_text(const char *want)
{
    char text[64] = "";
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, text, sizeof(text) - 1) : -1;

    ck_assert_int_ge(fd, 0);
    ck_assert_int_ge(n, 0);
    close(fd);
    ck_assert_str_eq(text, want);
}

static int replace(const char *text, bool fresh, const char **what)
{
    struct kt_dotfile f;
    int rc = kt_dotfile_open(&f, path, what);

    if (rc == 0)
        rc = kt_dotfile_lock(&f, what);
    if (rc == 0)
        rc = kt_dotfile_replace(&f, text, strlen(text), fresh, what);
    kt_dotfile_close(&f);
    return rc;
}

static void replace_in_child(void *arg)
{
    const char *what = "";

    (void)arg;
    (void)replace("new", false, &what);
}

/* How many steps there are. */
static int count_steps(void)
{
    const char *what = "";

    stop_at = step = fsyncs = 0;
    ck_assert_int_eq(replace("old", false, &what), 0);
    ck_assert_int_eq(fsyncs, 2); /* the file, before it has the name; the directory */
    return step;
}

START_TEST(killed_at_any_step_it_left_the_old_file_or_the_new)
{
    const int steps = count_steps();
    int olds = 0, news = 0;
    struct stat st;

    ck_assert_int_ge(steps, 4);
    for (int i = 1; i <= steps; i++) {
        const char *what = "";
        char text[8] = "";
        int fd, status;

        stop_at = 0;
        ck_assert_int_eq(replace("old", false, &what), 0);
        ck_assert_int_ne(stat(temp, &st), 0);
        stop_at = i;
        step = 0;
        status = run_child(replace_in_child, NULL);
        ck_assert(WIFSIGNALED(status));
        fd = open(path, O_RDONLY | O_CLOEXEC);
        ck_assert_int_ge(fd, 0);
        ck_assert_int_eq(read(fd, text, sizeof(text)), 3);
        close(fd);
        olds += strcmp(text, "old") == 0;
        news += strcmp(text, "new") == 0;
        ck_assert_int_eq(olds + news, i);
        if (stat(temp, &st) == 0) /* the next one takes it away */
            ck_assert_int_eq(st.st_mode & 07777, 0600);
    }
    ck_assert_int_gt(olds, 0);
    ck_assert_int_gt(news, 0);
}
END_TEST

START_TEST(a_step_that_fails_leaves_the_old_file_alone)
{
    const int steps = count_steps();
    struct stat st;

    for (int i = 1; i < steps; i++) { /* the last is the directory's fsync */
        const char *what = "";

        stop_at = i;
        step = 0;
        fail_with = ENOSPC;
        ck_assert_int_eq(replace("new", false, &what), -1);
        ck_assert_int_eq(errno, ENOSPC);
        ck_assert_str_eq(what, "write");
        is_text("old");
        ck_assert_int_ne(stat(temp, &st), 0);
    }
    stop_at = steps;
    step = 0;
    const char *what = "";
    ck_assert_int_eq(replace("new", false, &what), -1);
    ck_assert_str_eq(what, "sync its directory");
}
END_TEST

START_TEST(what_must_be_new_is_never_written_over)
{
    const char *what = "";

    ck_assert_int_eq(replace("one", true, &what), 0);
    ck_assert_int_eq(replace("two", true, &what), -1);
    ck_assert_int_eq(errno, EEXIST);
    is_text("one");
    ck_assert_int_ne(access(temp, F_OK), 0);
}
END_TEST

START_TEST(a_rename_that_cannot_refuse_is_done_without)
{
    const char *what = "";

    (void)unlink(path);
    ck_assert_int_eq(replace("one", true, &what), 0);
    (void)unlink(path);
    stop_at = step - 1; /* the rename: the directory's fsync comes after it */
    step = 0;
    fail_with = EINVAL;
    ck_assert_int_eq(replace("two", true, &what), 0);
    is_text("two");
    ck_assert_int_ne(access(temp, F_OK), 0);
}
END_TEST

START_TEST(a_lock_is_had_by_one)
{
    const char *what = "";
    struct kt_dotfile a, b;

    ck_assert_int_eq(kt_dotfile_open(&a, path, &what), 0);
    ck_assert_int_eq(kt_dotfile_open(&b, path, &what), 0);
    ck_assert_int_eq(kt_dotfile_lock(&a, &what), 0);
    ck_assert_int_eq(kt_dotfile_lock(&b, &what), -1);
    ck_assert_int_eq(errno, EWOULDBLOCK);
    kt_dotfile_close(&a);
    ck_assert_int_eq(kt_dotfile_lock(&b, &what), 0);
    kt_dotfile_close(&b);
}
END_TEST

START_TEST(a_mode_that_others_could_read_is_taken_back)
{
    const char *what = "";
    struct stat st;

    kt_harness_write(path, "old", 0666);
    ck_assert_int_eq(replace("new", false, &what), 0);
    ck_assert_int_eq(stat(path, &st), 0);
    ck_assert_int_eq(st.st_mode & 07777, 0600);
}
END_TEST

static const char *const bad_paths[] = { "", ".", "..", "/", "nosuch/", "nosuch/x" };

START_TEST(what_is_no_file_is_refused)
{
    const char *what = "";
    struct kt_dotfile f;

    ck_assert_int_eq(chdir(dir), 0);
    if (kt_dotfile_open(&f, bad_paths[_i], &what) == 0) {
        /* a directory has a name, too; nothing can take its place */
        ck_assert_int_eq(kt_dotfile_replace(&f, "x", 1, false, &what), -1);
        kt_dotfile_close(&f);
    }
    ck_assert_int_eq(chdir("/"), 0);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("dotfile");
    TCase *tc = tcase_create("dotfile");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, killed_at_any_step_it_left_the_old_file_or_the_new);
    tcase_add_test(tc, a_step_that_fails_leaves_the_old_file_alone);
    tcase_add_test(tc, what_must_be_new_is_never_written_over);
    tcase_add_test(tc, a_rename_that_cannot_refuse_is_done_without);
    tcase_add_test(tc, a_lock_is_had_by_one);
    tcase_add_test(tc, a_mode_that_others_could_read_is_taken_back);
    tcase_add_loop_test(tc, what_is_no_file_is_refused, 0,
                        sizeof(bad_paths) / sizeof(bad_paths[0]));
    suite_add_tcase(s, tc);
    return kt_harness_run(s);
}
