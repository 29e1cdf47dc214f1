/* SPDX-License-Identifier: Apache-2.0 */
#include "harness.h"

#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
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

/* Empty and without a group where the password file has nothing. */
static struct passwd entry_of(uid_t uid)
{
    static char buf[4096];
    struct passwd pw = { .pw_gid = (gid_t)-1 }, *found = NULL;

    if (getpwuid_r(uid, &pw, buf, sizeof(buf), &found) != 0 || found == NULL)
        pw.pw_dir = NULL;
    return pw;
}

/* ---- who is trusted, by root and by nobody -------------------------------------------------- */

static const struct {
    const char *title;
    uid_t uid;
    gid_t gid;
    mode_t mode;
    bool by_root; /* root trusts it */
    bool by_user; /* nobody, uid and primary group 65534, trusts it */
} stats[] = {
    { "root's", 0, 0, S_IFREG | 0644, true, true },
    { "nobody's", NOBODY, NOBODY, S_IFREG | 0600, false, true },
    { "somebody else's", SOMEBODY, 0, S_IFREG | 0600, false, false },
    { "writable by root's group", 0, 0, S_IFREG | 0664, true, true },
    { "writable by nobody's group", 0, NOBODY, S_IFREG | 0664, false, true },
    { "nobody's, writable by own group", NOBODY, NOBODY, S_IFREG | 0660, false, true },
    { "writable by some group", 0, SOME_GROUP, S_IFREG | 0664, false, false },
    { "nobody's, writable by some group", NOBODY, SOME_GROUP, S_IFREG | 0664, false, false },
    { "writable by all", 0, 0, S_IFREG | 0666, false, false },
    { "a sticky directory of root's", 0, 0, S_IFDIR | 01777, true, true },
    { "a sticky directory of root's, some group", 0, SOME_GROUP, S_IFDIR | 01777, true, true },
    { "a sticky directory of one's own", NOBODY, NOBODY, S_IFDIR | 01777, false, false },
    { "a sticky file of root's", 0, 0, S_IFREG | 01666, false, false },
    { "a link of root's", 0, 0, S_IFLNK | 0777, true, true },
    { "a link of nobody's", NOBODY, NOBODY, S_IFLNK | 0777, false, true },
    { "a link of somebody else's", SOMEBODY, 0, S_IFLNK | 0777, false, false },
};

static void judge_stats(void *arg)
{
    const bool root = geteuid() == 0;

    (void)arg;
    for (size_t i = 0; i < sizeof(stats) / sizeof(stats[0]); i++) {
        const struct stat st = { .st_uid = stats[i].uid,
                                 .st_gid = stats[i].gid,
                                 .st_mode = stats[i].mode };
        const char *problem = kt_path_trusted(&st);

        if ((problem == NULL) != (root ? stats[i].by_root : stats[i].by_user)) {
            fprintf(stderr, "%s: %s\n", stats[i].title, problem != NULL ? problem : "trusted");
            _exit(98);
        }
    }
}

static void become_nobody(void)
{
    CHILD_MUST(setgroups(0, NULL) == 0 && setgid(NOBODY) == 0 && setuid(NOBODY) == 0);
}

static void judge_as_nobody(void *arg)
{
    become_nobody();
    judge_stats(arg);
}

/* newgrp and setgid programs change the group, not whom the files of that group belong to. */
static void judge_in_another_group(void *arg)
{
    CHILD_MUST(setgroups(0, NULL) == 0 && setgid(SOME_GROUP) == 0 && setuid(NOBODY) == 0);
    judge_stats(arg);
}

static void judge_without_an_entry(void *arg)
{
    const struct stat st = { .st_uid = 0, .st_gid = SOME_GROUP, .st_mode = S_IFREG | 0664 };

    (void)arg;
    CHILD_MUST(setgroups(0, NULL) == 0 && setgid(SOME_GROUP) == 0 && setuid(SOMEBODY) == 0);
    CHILD_MUST(kt_path_trusted(&st) != NULL);
}

START_TEST(trust_depends_on_who_asks)
{
    if (geteuid() != 0)
        return;
    ck_assert_int_eq(entry_of(NOBODY).pw_gid, NOBODY);
    ck_assert_int_eq(run_child(judge_stats, NULL), 0);
    ck_assert_int_eq(run_child(judge_as_nobody, NULL), 0);
    ck_assert_int_eq(run_child(judge_in_another_group, NULL), 0);
    ck_assert_int_eq(run_child(judge_without_an_entry, NULL), 0);
}
END_TEST

/* ---- home ------------------------------------------------------------------------------------ */

START_TEST(root_goes_home_by_the_password_file)
{
    char home[PATH_MAX];

    if (geteuid() != 0)
        return;
    ck_assert_int_eq(setenv("HOME", "/home/mallory", 1), 0);
    ck_assert_int_eq(kt_home(home, sizeof(home), NULL), KT_SUCCESS);
    ck_assert_str_eq(home, entry_of(0).pw_dir);
    ck_assert_int_eq(kt_home(home, 3, NULL), KT_TOO_LARGE);
}
END_TEST

/* HOME and what a user without entry, or nobody, makes of it. */
static void go_home(void *arg)
{
    struct kt_err err = { .msg = "" };
    char home[PATH_MAX] = "as it was";
    const char *own = entry_of(geteuid() == 0 ? NOBODY : geteuid()).pw_dir;

    (void)arg;
    if (geteuid() == 0)
        CHILD_MUST(setgroups(0, NULL) == 0 && setgid(NOBODY) == 0 && setuid(NOBODY) == 0);
    CHILD_MUST(setenv("HOME", "home/relative", 1) == 0);
    CHILD_MUST(kt_home(home, sizeof(home), &err) == KT_NOT_FOUND);
    CHILD_MUST(strstr(err.msg, "absolute") != NULL && strcmp(home, "as it was") == 0);
    CHILD_MUST(setenv("HOME", "/home/somebody", 1) == 0);
    CHILD_MUST(kt_home(home, 14, &err) == KT_TOO_LARGE && strcmp(home, "as it was") == 0);
    CHILD_MUST(kt_home(home, 15, &err) == KT_SUCCESS && strcmp(home, "/home/somebody") == 0);
    for (int i = 0; i < 2 && own != NULL; i++) {
        CHILD_MUST(i == 0 ? setenv("HOME", "", 1) == 0 : unsetenv("HOME") == 0);
        CHILD_MUST(kt_home(home, sizeof(home), &err) == KT_SUCCESS);
        CHILD_MUST(strcmp(home, own) == 0);
    }
}

static void go_home_without_an_entry(void *arg)
{
    char home[PATH_MAX];

    (void)arg;
    CHILD_MUST(setgroups(0, NULL) == 0 && setgid(SOMEBODY) == 0 && setuid(SOMEBODY) == 0);
    CHILD_MUST(unsetenv("HOME") == 0);
    CHILD_MUST(kt_home(home, sizeof(home), NULL) == KT_NOT_FOUND);
    deny(SYS_openat, 2, O_RDONLY | O_CLOEXEC, EMFILE);
    CHILD_MUST(kt_home(home, sizeof(home), NULL) == KT_UNAVAILABLE);
}

START_TEST(others_go_home_by_the_environment)
{
    ck_assert_int_eq(run_child(go_home, NULL), 0);
    if (geteuid() == 0)
        ck_assert_int_eq(run_child(go_home_without_an_entry, NULL), 0);
}
END_TEST

START_TEST(a_test_is_not_privileged)
{
    ck_assert(!kt_privileged());
}
END_TEST

int main(void)
{
    Suite *s = suite_create("trust");
    TCase *t = tcase_create("trust");

    tcase_add_test(t, trust_depends_on_who_asks);
    tcase_add_test(t, root_goes_home_by_the_password_file);
    tcase_add_test(t, others_go_home_by_the_environment);
    tcase_add_test(t, a_test_is_not_privileged);
    suite_add_tcase(s, t);
    return kt_harness_run(s);
}
