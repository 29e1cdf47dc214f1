/* SPDX-License-Identifier: Apache-2.0 */
#include "harness.h"

#include <fcntl.h>
#include <grp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "child.h"
#include "core/path.h"

#define NOBODY 65534
#define SOMEBODY 12345 /* no entry in any password file */
#define SOME_GROUP 54321

static char *dir;
static char true_dir[PATH_MAX]; /* the same without links */

static void set_up(void)
{
    dir = kt_harness_dir();
    ck_assert_ptr_nonnull(realpath(dir, true_dir));
}

static void tear_down(void)
{
    free(dir);
}

/* Paths are given from the test's directory; one with a leading slash is itself. */
static const char *full(const char *name)
{
    static char paths[4][2 * PATH_MAX];
    static unsigned turn;
    char *path = paths[turn++ % 4];

    if (name[0] == '/')
        return name;
    snprintf(path, sizeof(paths[0]), "%s/%s", dir, name);
    return path;
}

static void make_file(const char *name, mode_t mode)
{
    kt_harness_write(full(name), name, mode);
}

static void make_dir(const char *name, mode_t mode)
{
    ck_assert_int_eq(mkdir(full(name), 0700), 0);
    ck_assert_int_eq(chmod(full(name), mode), 0);
}

static void make_link(const char *text, const char *name)
{
    ck_assert_int_eq(symlink(text, full(name)), 0);
}

static int try_open(const char *name, int flags, char real[PATH_MAX], struct kt_err *err)
{
    int fd = -1;
    int rc = kt_path_open(full(name), flags, &fd, real, err);

    if (rc == KT_SUCCESS) {
        ck_assert_int_ge(fd, 0);
        ck_assert(fcntl(fd, F_GETFD) & FD_CLOEXEC);
        ck_assert(!(fcntl(fd, F_GETFL) & O_NONBLOCK));
        close(fd);
    } else {
        ck_assert_int_eq(fd, -1);
    }
    return rc;
}

static void expect(const char *name, int flags, int want, const char *says)
{
    struct kt_err err = { .msg = "" };
    int rc = try_open(name, flags, NULL, &err);

    ck_assert_msg(rc == want, "%s: %s instead of %s: %s", name, kt_status_name(rc),
                  kt_status_name(want), err.msg);
    ck_assert_msg(says == NULL || strstr(err.msg, says) != NULL, "%s: no '%s' in: %s", name, says,
                  err.msg);
}

static void expect_real(const char *name, int flags, const char *want)
{
    char real[PATH_MAX], path[2 * PATH_MAX];

    snprintf(path, sizeof(path), "%s%s%s", true_dir, *want != '\0' ? "/" : "", want);
    ck_assert_msg(try_open(name, flags, real, NULL) == KT_SUCCESS, "%s", name);
    ck_assert_str_eq(real, path);
}

/* ---- what is opened ------------------------------------------------------------------------- */

START_TEST(a_file_is_opened_and_can_be_read)
{
    char text[16] = "";
    int fd;

    make_file("f", 0600);
    ck_assert_int_eq(kt_path_open(full("f"), O_RDONLY, &fd, NULL, NULL), KT_SUCCESS);
    ck_assert_int_eq(read(fd, text, sizeof(text)), 1);
    ck_assert_str_eq(text, "f");
    close(fd);
}
END_TEST

START_TEST(a_directory_is_opened_when_asked_for)
{
    int fd;

    make_dir("d", 0700);
    make_file("d/f", 0600);
    ck_assert_int_eq(kt_path_open(full("d"), O_RDONLY | O_DIRECTORY, &fd, NULL, NULL), KT_SUCCESS);
    ck_assert_int_eq(faccessat(fd, "f", R_OK, 0), 0);
    close(fd);
    ck_assert_int_eq(kt_path_open("/", O_RDONLY | O_DIRECTORY, &fd, NULL, NULL), KT_SUCCESS);
    close(fd);
    expect("d/f", O_RDONLY | O_DIRECTORY, KT_CONFIG_ERROR, "is not a directory");
    expect("d", O_RDONLY, KT_CONFIG_ERROR, "is a directory");
    expect("/", O_RDONLY, KT_CONFIG_ERROR, "is a directory");
}
END_TEST

START_TEST(the_real_path_has_no_links_dots_or_slashes)
{
    make_dir("d", 0700);
    make_dir("d/e", 0700);
    make_file("d/e/f", 0600);
    make_link("d", "rel");
    make_link("../d/./e//", "d/up");
    make_link(full("d/e/f"), "abs");
    make_link("rel/up/f", "chain");
    expect_real("d/e/f", O_RDONLY, "d/e/f");
    expect_real("d//e///f", O_RDONLY, "d/e/f");
    expect_real("./d/./e/f", O_RDONLY, "d/e/f");
    expect_real("d/e/../e/f", O_RDONLY, "d/e/f");
    expect_real("d/e/../../d/e/f", O_RDONLY, "d/e/f");
    expect_real("rel/e/f", O_RDONLY, "d/e/f");
    expect_real("d/up/f", O_RDONLY, "d/e/f");
    expect_real("rel/up/../e/f", O_RDONLY, "d/e/f"); /* the parent of where the link leads */
    expect_real("abs", O_RDONLY, "d/e/f");
    expect_real("chain", O_RDONLY, "d/e/f");
    expect_real("d/e/", O_RDONLY | O_DIRECTORY, "d/e");
    expect_real("rel/", O_RDONLY | O_DIRECTORY, "d");
    expect_real("d/e/..", O_RDONLY | O_DIRECTORY, "d");
    expect_real(".", O_RDONLY | O_DIRECTORY, "");
}
END_TEST

START_TEST(the_root_is_its_own_parent)
{
    char real[PATH_MAX];

    ck_assert_int_eq(try_open("/../..//.", O_RDONLY | O_DIRECTORY, real, NULL), KT_SUCCESS);
    ck_assert_str_eq(real, "/");
    ck_assert_int_eq(try_open("/../etc/../etc/passwd", O_RDONLY, real, NULL), KT_SUCCESS);
    ck_assert_str_eq(real, "/etc/passwd");
}
END_TEST

START_TEST(what_is_not_there_is_not_found)
{
    make_dir("d", 0700);
    make_link("nowhere", "dangling");
    expect("x", O_RDONLY, KT_NOT_FOUND, "No such file");
    expect("x/y/z", O_RDONLY, KT_NOT_FOUND, "/x'");
    expect("d/x", O_RDONLY | O_DIRECTORY, KT_NOT_FOUND, NULL);
    expect("dangling", O_RDONLY, KT_NOT_FOUND, "/nowhere'");
    expect("d/../x", O_RDONLY, KT_NOT_FOUND, NULL);
}
END_TEST

START_TEST(a_file_is_no_directory)
{
    make_file("f", 0600);
    make_link("f", "link");
    make_link("f/", "slashed");
    expect("f/x", O_RDONLY, KT_CONFIG_ERROR, "is not a directory");
    expect("f/..", O_RDONLY | O_DIRECTORY, KT_CONFIG_ERROR, "is not a directory");
    expect("f/", O_RDONLY, KT_CONFIG_ERROR, "is not a directory");
    expect("f/.", O_RDONLY, KT_CONFIG_ERROR, "is not a directory");
    expect("link/", O_RDONLY, KT_CONFIG_ERROR, "is not a directory");
    expect("slashed", O_RDONLY, KT_CONFIG_ERROR, "is not a directory");
}
END_TEST

/* Each of these would wait, or do something, if it were opened first and looked at then. */
START_TEST(only_regular_files_are_opened)
{
    ck_assert_int_eq(mkfifo(full("fifo"), 0600), 0);
    make_link("fifo", "link");
    expect("fifo", O_RDONLY, KT_CONFIG_ERROR, "is not a regular file");
    expect("link", O_RDONLY, KT_CONFIG_ERROR, "/fifo' is not a regular file");
    expect("/dev/null", O_RDONLY, KT_CONFIG_ERROR, NULL);
}
END_TEST

START_TEST(links_that_loop_are_refused)
{
    make_link("b", "a");
    make_link("a", "b");
    make_link("self/self", "self");
    expect("a", O_RDONLY, KT_CONFIG_ERROR, "symbolic link");
    expect("self", O_RDONLY, KT_CONFIG_ERROR, "symbolic link");
}
END_TEST

START_TEST(forty_links_are_followed_and_no_more)
{
    char from[16], to[16] = "f";

    make_file("f", 0600);
    for (int i = 1; i <= 41; i++) {
        snprintf(from, sizeof(from), "l%d", i);
        make_link(to, from);
        memcpy(to, from, sizeof(to));
    }
    expect("l40", O_RDONLY, KT_SUCCESS, NULL);
    expect("l41", O_RDONLY, KT_CONFIG_ERROR, "symbolic link");
}
END_TEST

/* By its text /proc/self/fd/N leads to nothing here: a deleted file, which its magic would open. */
START_TEST(links_of_proc_are_no_magic)
{
    char path[64];
    int fd;

    make_file("f", 0600);
    fd = open(full("f"), O_RDONLY | O_CLOEXEC);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(unlink(full("f")), 0);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    expect(path, O_RDONLY, KT_NOT_FOUND, NULL);
    close(fd);
}
END_TEST

START_TEST(paths_must_be_absolute_and_short_enough)
{
    static char path[3 * PATH_MAX] = "/";
    char text[PATH_MAX - 1];
    struct kt_err err;
    int fd = -1;

    ck_assert_int_eq(kt_path_open("etc/passwd", O_RDONLY, &fd, NULL, &err), KT_CONFIG_ERROR);
    ck_assert_ptr_nonnull(strstr(err.msg, "absolute"));
    ck_assert_int_eq(kt_path_open("", O_RDONLY, &fd, NULL, NULL), KT_CONFIG_ERROR);
    memset(path + 1, 'a', NAME_MAX + 1);
    ck_assert_int_eq(kt_path_open(path, O_RDONLY, &fd, NULL, &err), KT_CONFIG_ERROR);
    ck_assert_ptr_nonnull(strstr(err.msg, "too long"));
    memset(path + 1, 'a', sizeof(path) - 2);
    ck_assert_int_eq(kt_path_open(path, O_RDONLY, &fd, NULL, &err), KT_CONFIG_ERROR);
    ck_assert_ptr_nonnull(strstr(err.msg, "too long"));

    /* Links whose texts add up: what is left to walk does not fit any more. */
    memset(text, '/', sizeof(text));
    text[sizeof(text) - 1] = '\0';
    memcpy(text, "./", 2);
    make_link(text, "long");
    memset(path, '/', PATH_MAX - 1);
    path[PATH_MAX - 1] = '\0';
    memcpy(path, dir, strlen(dir));
    memcpy(path + strlen(dir), "/long", 5);
    ck_assert_int_eq(kt_path_open(path, O_RDONLY, &fd, NULL, &err), KT_CONFIG_ERROR);
    ck_assert_ptr_nonnull(strstr(err.msg, "too long"));
    ck_assert_int_eq(fd, -1);
}
END_TEST

/* A link of 2,000 bytes, and what is left behind it: they are walked if they fit together. */
START_TEST(what_a_link_leaves_to_walk_has_to_fit)
{
    const size_t text = 2000, fits = PATH_MAX - 2 - text;
    char link[PATH_MAX], path[2 * PATH_MAX];

    memset(link, '/', sizeof(link));
    link[0] = '.';
    link[text] = '\0';
    make_link(link, "l");
    make_file("f", 0600);
    for (size_t left = fits - 1; left <= fits + 1; left++) {
        struct kt_err err = { .msg = "" };
        int n = snprintf(path, sizeof(path), "%s/l", dir);

        memset(path + n, '/', left);
        path[(size_t)n + left - 1] = 'f';
        path[(size_t)n + left] = '\0';
        if (left <= fits) {
            ck_assert_msg(try_open(path, O_RDONLY, NULL, &err) == KT_SUCCESS, "%s", err.msg);
        } else {
            ck_assert_int_eq(try_open(path, O_RDONLY, NULL, &err), KT_CONFIG_ERROR);
            ck_assert_ptr_nonnull(strstr(err.msg, "too long"));
        }
    }
}
END_TEST

/* Short steps to a place whose path is too long to be told. */
START_TEST(a_real_path_has_to_fit)
{
    char name[NAME_MAX + 1];
    int depth, fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct kt_err err;

    memset(name, 'a', NAME_MAX);
    name[NAME_MAX] = '\0';
    for (depth = 0; depth < PATH_MAX / NAME_MAX + 1; depth++) {
        int next;

        ck_assert_int_eq(mkdirat(fd, name, 0700), 0);
        ck_assert_int_eq(symlinkat(name, fd, "l"), 0);
        next = openat(fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        ck_assert_int_ge(next, 0);
        close(fd);
        fd = next;
    }
    close(fd);
    ck_assert_int_eq(
        try_open("l/l/l/l/l/l/l/l/l/l/l/l/l/l/l/l/l", O_RDONLY | O_DIRECTORY, NULL, &err),
        KT_CONFIG_ERROR);
    ck_assert_ptr_nonnull(strstr(err.msg, "too long"));
}
END_TEST

/* ---- what is trusted ------------------------------------------------------------------------ */

static const struct {
    const char *title;
    mode_t dir;
    mode_t file;
    const char *says; /* NULL: it is trusted */
} modes[] = {
    { "private", 0700, 0600, NULL },
    { "readable by all", 0755, 0644, NULL },
    { "file writable by all", 0755, 0646, "/d/f' is writable by everyone" },
    { "directory writable by all", 0757, 0644, "/d' is writable by everyone" },
    { "both", 0777, 0666, "/d' is writable by everyone" },
    { "directory writable by all, execute only", 0703, 0644, "/d' is writable by everyone" },
};

START_TEST(modes_are_judged)
{
    make_dir("d", 0700);
    make_file("d/f", modes[_i].file);
    ck_assert_int_eq(chmod(full("d"), modes[_i].dir), 0);
    expect("d/f", O_RDONLY, modes[_i].says == NULL ? KT_SUCCESS : KT_CONFIG_ERROR, modes[_i].says);
}
END_TEST

START_TEST(every_component_is_judged_and_named)
{
    make_dir("a", 0700);
    make_dir("a/b", 0700);
    make_dir("a/b/c", 0700);
    make_file("a/b/c/f", 0600);
    make_link("a/b/c/f", "link");
    ck_assert_int_eq(chmod(full("a/b"), 0777), 0);
    expect("a/b/c/f", O_RDONLY, KT_CONFIG_ERROR, "/a/b' is writable by everyone");
    expect("link", O_RDONLY, KT_CONFIG_ERROR, "/a/b' is writable by everyone");
    expect("a/b/../b/c/f", O_RDONLY, KT_CONFIG_ERROR, "/a/b' is writable by everyone");
    expect("a/b", O_RDONLY | O_DIRECTORY, KT_CONFIG_ERROR, "/a/b' is writable by everyone");
    expect("a/b/none", O_RDONLY, KT_CONFIG_ERROR, "/a/b' is writable by everyone");
}
END_TEST

/* ---- other people's files; as root ----------------------------------------------------------- */

START_TEST(another_users_file_is_refused)
{
    if (geteuid() != 0)
        return;
    make_dir("d", 0755);
    make_file("d/f", 0644);
    ck_assert_int_eq(chown(full("d/f"), NOBODY, NOBODY), 0);
    expect("d/f", O_RDONLY, KT_CONFIG_ERROR, "/d/f' belongs to another user");
    expect("d/f", O_RDONLY, KT_CONFIG_ERROR, "sudo -H");
    expect("d/f", O_RDONLY, KT_CONFIG_ERROR, "-s");
    ck_assert_int_eq(chown(full("d/f"), 0, 0), 0);
    ck_assert_int_eq(chown(full("d"), NOBODY, NOBODY), 0);
    expect("d/f", O_RDONLY, KT_CONFIG_ERROR, "/d' belongs to another user");
}
END_TEST

/* In a sticky directory anybody can lay a link, and lead it elsewhere later. */
START_TEST(another_users_link_in_a_sticky_directory_is_refused)
{
    if (geteuid() != 0)
        return;
    make_dir("tmp", 01777);
    make_file("tmp/f", 0644);
    make_link("f", "tmp/own");
    make_link("f", "tmp/theirs");
    ck_assert_int_eq(lchown(full("tmp/theirs"), NOBODY, NOBODY), 0);
    expect("tmp/f", O_RDONLY, KT_SUCCESS, NULL);
    expect("tmp/own", O_RDONLY, KT_SUCCESS, NULL);
    expect("tmp/theirs", O_RDONLY, KT_CONFIG_ERROR, "/tmp/theirs' belongs to another user");
}
END_TEST

START_TEST(groups_are_judged)
{
    if (geteuid() != 0)
        return;
    make_file("f", 0664);
    expect("f", O_RDONLY, KT_SUCCESS, NULL); /* root's group */
    ck_assert_int_eq(chown(full("f"), 0, SOME_GROUP), 0);
    expect("f", O_RDONLY, KT_CONFIG_ERROR, "is writable by a group");
}
END_TEST

static void become_nobody(void)
{
    CHILD_MUST(setgroups(0, NULL) == 0 && setgid(NOBODY) == 0 && setuid(NOBODY) == 0);
}

static void open_as_nobody(void *arg)
{
    struct kt_err err;
    char real[PATH_MAX];
    int fd = -1;

    (void)arg;
    become_nobody();
    CHILD_MUST(kt_path_open(full("open/theirs"), O_RDONLY, &fd, real, &err) == KT_SUCCESS);
    close(fd);
    CHILD_MUST(kt_path_open(full("open/roots"), O_RDONLY, &fd, real, &err) == KT_SUCCESS);
    close(fd);
    fd = -1;
    CHILD_MUST(kt_path_open(full("shut/f"), O_RDONLY, &fd, real, &err) == KT_DENIED);
    CHILD_MUST(kt_path_open(full("open/unreadable"), O_RDONLY, &fd, real, &err) == KT_DENIED);
    CHILD_MUST(kt_path_open(full("open/somebodys"), O_RDONLY, &fd, real, &err) == KT_CONFIG_ERROR);
    CHILD_MUST(strstr(err.msg, "must be root's or yours") != NULL);
    CHILD_MUST(fd == -1);
    /* A directory that lets nobody out again. */
    CHILD_MUST(kt_path_open(full("open/../shut/../open/roots"), O_RDONLY, &fd, real, &err) ==
               KT_DENIED);
}

START_TEST(what_may_not_be_read_is_denied)
{
    const char *tmp = getenv("TESTTMP");

    if (geteuid() != 0)
        return;
    ck_assert_ptr_nonnull(tmp);
    ck_assert_int_eq(chmod(tmp, 0711), 0);
    ck_assert_int_eq(chmod(dir, 0711), 0);
    make_dir("open", 0755);
    make_file("open/theirs", 0600);
    ck_assert_int_eq(chown(full("open/theirs"), NOBODY, NOBODY), 0);
    make_file("open/somebodys", 0644);
    ck_assert_int_eq(chown(full("open/somebodys"), SOMEBODY, NOBODY), 0);
    make_file("open/roots", 0644);
    make_file("open/unreadable", 0600);
    make_dir("shut", 0700);
    make_file("shut/f", 0644);
    ck_assert_int_eq(run_child(open_as_nobody, NULL), 0);
}
END_TEST

/* ---- when the system fails ------------------------------------------------------------------- */

/* A system call that the walk needs, failing once the walk is under way. */
static const struct {
    int nr;
    int arg;
    uint32_t value;
    int error;
    int want;
} failures[] = {
    { SYS_openat, 2, O_PATH | O_DIRECTORY | O_CLOEXEC, EMFILE, KT_UNAVAILABLE }, /* "/", ".." */
    { SYS_openat, 2, O_PATH | O_NOFOLLOW | O_CLOEXEC, EIO, KT_UNAVAILABLE },
    { SYS_readlinkat, -1, 0, EIO, KT_UNAVAILABLE },
    { SYS_openat, 2, O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, EIO, KT_UNAVAILABLE },
#ifdef SYS_newfstatat /* what fstat() is depends on the architecture */
    { SYS_newfstatat, -1, 0, EIO, KT_UNAVAILABLE },
#endif
};

static void open_with_a_failure(void *arg)
{
    const int i = *(const int *)arg;
    struct kt_err err = { .msg = "" };
    int fd = -1;

    deny(failures[i].nr, failures[i].arg, failures[i].value, failures[i].error);
    CHILD_MUST(kt_path_open(full("link"), O_RDONLY, &fd, NULL, &err) == failures[i].want);
    CHILD_MUST(err.msg[0] != '\0' && fd == -1);
}

START_TEST(a_system_call_that_fails_is_could_not_ask)
{
    make_file("f", 0600);
    make_link("f", "link");
    ck_assert_int_eq(run_child(open_with_a_failure, &_i), 0);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("path");
    TCase *t = tcase_create("open");

    tcase_add_checked_fixture(t, set_up, tear_down);
    tcase_add_test(t, a_file_is_opened_and_can_be_read);
    tcase_add_test(t, a_directory_is_opened_when_asked_for);
    tcase_add_test(t, the_real_path_has_no_links_dots_or_slashes);
    tcase_add_test(t, the_root_is_its_own_parent);
    tcase_add_test(t, what_is_not_there_is_not_found);
    tcase_add_test(t, a_file_is_no_directory);
    tcase_add_test(t, only_regular_files_are_opened);
    tcase_add_test(t, links_that_loop_are_refused);
    tcase_add_test(t, forty_links_are_followed_and_no_more);
    tcase_add_test(t, links_of_proc_are_no_magic);
    tcase_add_test(t, paths_must_be_absolute_and_short_enough);
    tcase_add_test(t, what_a_link_leaves_to_walk_has_to_fit);
    tcase_add_test(t, a_real_path_has_to_fit);
    tcase_add_loop_test(t, modes_are_judged, 0, sizeof(modes) / sizeof(modes[0]));
    tcase_add_test(t, every_component_is_judged_and_named);
    tcase_add_test(t, another_users_file_is_refused);
    tcase_add_test(t, another_users_link_in_a_sticky_directory_is_refused);
    tcase_add_test(t, groups_are_judged);
    tcase_add_test(t, what_may_not_be_read_is_denied);
    tcase_add_loop_test(t, a_system_call_that_fails_is_could_not_ask, 0,
                        sizeof(failures) / sizeof(failures[0]));
    suite_add_tcase(s, t);
    return kt_harness_run(s);
}
