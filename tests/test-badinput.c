/* SPDX-License-Identifier: Apache-2.0 */

/* Bad input: the service does not open, and one line says where and what. */

#include "scene.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define STRANGER 54321 /* a uid and gid of nobody's */

static struct scene *s;
static char *modules; /* a directory of our own with copies of modules */

static void copy_module(const char *name)
{
    char *from = kt_harness_path(kt_harness_modules(), name);
    char *to = kt_harness_path(modules, name);
    char buf[65536];
    ssize_t n;
    const int in = open(from, O_RDONLY | O_CLOEXEC);
    const int out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);

    ck_assert_msg(in >= 0 && out >= 0, "%s cannot be copied", from);
    while ((n = read(in, buf, sizeof(buf))) > 0)
        ck_assert_int_eq(write(out, buf, (size_t)n), n);
    ck_assert_int_eq(fchmod(out, 0755), 0);
    (void)close(in);
    (void)close(out);
    free(from);
    free(to);
}

static void set_up(void)
{
    s = scene_new();
    modules = kt_harness_path(s->dir, "modules");
    ck_assert_int_eq(mkdir(modules, 0755), 0);
    copy_module("debug.so");
}

static void tear_down(void)
{
    free(modules);
    scene_free(s);
    kt_harness_no_secrets();
}

static int try_open(const char *service, struct kt_err *err)
{
    const struct kt_open_options o = { .size = sizeof(o),
                                       .config_dir = s->config,
                                       .module_dir = modules };
    struct kt_handle *h = NULL;
    const int rc = kt_open(service, &o, &h, err);

    if (rc == KT_SUCCESS)
        kt_close(h);
    else
        ck_assert_ptr_null(h);
    return rc;
}

/* It does not open; the message is one line and has each of these words. */
static void refused(const char *title, int want, const char *where, const char *what)
{
    struct kt_err err = { 0 };
    const int rc = try_open("t", &err);

    ck_assert_msg(rc == want, "%s: %s (%s)", title, kt_status_name(rc), err.msg);
    ck_assert_int_eq(err.status, rc);
    ck_assert_msg(strchr(err.msg, '\n') == NULL, "%s: more than a line: %s", title, err.msg);
    ck_assert_msg(strstr(err.msg, where) != NULL, "%s: no '%s' in: %s", title, where, err.msg);
    ck_assert_msg(strstr(err.msg, what) != NULL, "%s: no '%s' in: %s", title, what, err.msg);
}

static const struct {
    const char *title;
    const char *text;
    const char *where;
    const char *what;
} texts[] = {
    { "an unknown facility", "# first\nreed required debug\n", "/t:2:1", "reed" },
    { "a facility in capitals", "Read required debug\n", "/t:1:1", "Read" },
    { "an unknown control", "read must debug\n", "/t:1:6", "must" },
    { "a control in capitals", "read REQUIRED debug\n", "/t:1:6", "REQUIRED" },
    { "an unknown module", "read required nosuch\n", "/t:1:", "nosuch" },
    { "a module with a path", "read required ../debug\n", "/t:1:15", "../debug" },
    { "a module with its suffix", "read required debug.so\n", "/t:1:15", "debug.so" },
    { "no module", "read required\n", "/t:1", "module" },
    { "no control", "read\n", "/t:1", "control" },
    { "CR at the line's end", "read required debug\r\n", "/t:1:20", "carriage return" },
    { "a NUL byte", "read required debug", "/t:1:20", "0x00" }, /* added below */
    { "a file that includes itself", "read include t\n", "/t:1", "t" },
    { "a file that splices itself", "@include t\n", "/t:1", "t" },
    { "a substack of itself", "read substack t\n", "/t:1", "t" },
    { "a circle", "read include u\n", "/u:1", "t" },
    { "an include that is not there", "read include nothing\n", "/t:1", "nothing" },
    { "an include with a path", "read include ./u\n", "/t:1:14", "./u" },
    { "a jump past the end", "read [success=1 default=bad] debug\n", "/t:1", "1" },
    { "a jump past a substack's end", "read substack v\nread required debug\n", "/v:1", "2" },
    { "a jump of nothing", "read [success=0 default=bad] debug\nread required debug\n", "/t:1",
      "0" },
    { "a jump back", "read [success=-1 default=bad] debug\nread required debug\n", "/t:1", "-1" },
    { "a jump over all numbers", "read [success=99999999999999999999] debug\n", "/t:1", "9999" },
    { "an unknown status", "read [victory=ok default=bad] debug\n", "/t:1:7", "victory" },
    { "a status that is a beginning", "read [not=ok default=bad] debug\n", "/t:1:7", "not" },
    { "an unknown action", "read [success=okay default=bad] debug\n", "/t:1", "okay" },
    { "pairs without a blank", "read [success=okdefault=bad] debug\n", "/t:1", "okdefault" },
    { "a status without an action", "read [success default=bad] debug\n", "/t:1:15", "'='" },
    { "an empty bracket", "read [] debug\n", "/t:1:7", "" },
    { "an open bracket", "read [success=ok default=bad debug\n", "/t:1:6", "]" },
    { "a last line that goes on", "read required debug \\", "/t:1", "" },
    { "an option's value that is none", "read required debug timeout=soon\n", "/t:1:21", "soon" },
    { "an option given twice", "read required debug timeout=1s timeout=2s\n", "/t:1:32",
      "timeout" },
    { "an option without a value", "read required debug timeout\n", "/t:1:21", "timeout" },
    { "a first write line that is optional", "write optional debug\n", "/t:1", "optional" },
    { "a policy that cannot hold", "policy ** rotate=30d expire=1d\nread required debug\n", "/t:1",
      "expire" },
    { "a policy with an unknown key", "policy ** rotation=30d\nread required debug\n", "/t:1:11",
      "rotation" },
    { "a policy with an issuer that is not there", "policy ** issuer=gone\nread required debug\n",
      "/t:1", "gone" },
};

START_TEST(a_service_file_that_is_not_understood_is_refused)
{
    scene_write(s, "t", "%s", texts[_i].text);
    scene_write(s, "u", "read include t\n");
    scene_write(s, "v", "read [default=2] debug\nread required debug\n");
    if (strcmp(texts[_i].what, "0x00") == 0) {
        char *path = kt_harness_path(s->config, "t");
        const int fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);

        ck_assert_int_eq(write(fd, "\0\n", 2), 2);
        (void)close(fd);
        free(path);
    }
    refused(texts[_i].title, KT_CONFIG_ERROR, texts[_i].where, texts[_i].what);
}
END_TEST

START_TEST(includes_go_sixteen_deep_and_no_deeper)
{
    struct kt_err err = { 0 };
    char name[16] = "t";

    for (int i = 1; i <= 17; i++) {
        char next[16];

        (void)snprintf(next, sizeof(next), "d%d", i);
        scene_write(s, name, "read include %s\n", next);
        (void)snprintf(name, sizeof(name), "%s", next);
    }
    scene_write(s, name, "read required debug\n");
    refused("too deep", KT_CONFIG_ERROR, ":1", "16");
    ck_assert_msg(try_open("d1", &err) == KT_SUCCESS, "%s", err.msg);
}
END_TEST

START_TEST(a_file_over_the_limit_is_refused)
{
    char *text = malloc(1024 * 1024 + 2);

    ck_assert_ptr_nonnull(text);
    memset(text, '#', 1024 * 1024 + 1);
    text[1024 * 1024 + 1] = '\0';
    scene_write(s, "t", "%s", text);
    refused("too large", KT_CONFIG_ERROR, "/t", "");
    free(text);
}
END_TEST

START_TEST(an_option_of_no_module_is_refused_when_its_line_is_reached)
{
    const struct kt_open_options o = { .size = sizeof(o),
                                       .config_dir = s->config,
                                       .module_dir = modules };
    struct kt_handle *h = NULL;
    struct kt_secret *v = NULL;
    struct kt_err err = { 0 };

    scene_write(s, "t", "read required debug gett=locked\n");
    ck_assert_int_eq(kt_open("t", &o, &h, NULL), KT_SUCCESS);
    ck_assert_int_eq(kt_get(h, "a", NULL, &v, &err), KT_CONFIG_ERROR);
    ck_assert_msg(strstr(err.msg, "/t:1:21") != NULL && strstr(err.msg, "gett") != NULL, "%s",
                  err.msg);
    kt_close(h);
    /* What loads all modules says so at once. */
    memset(&err, 0, sizeof(err));
    ck_assert_int_eq(kt_check("t", &o, NULL, NULL, &err), KT_CONFIG_ERROR);
    ck_assert_msg(strstr(err.msg, "/t:1:21") != NULL && strstr(err.msg, "gett") != NULL, "%s",
                  err.msg);
}
END_TEST

static const char *const bad_names[] = {
    "",    "T",      "a b",      "../t",
    "a/b", "t.conf", "\xc3\xa4", "a2345678901234567890123456789012345678901234567890123456789012345"
};

START_TEST(a_service_name_that_breaks_the_rules_is_refused)
{
    struct kt_err err = { 0 };
    const int rc = try_open(bad_names[_i], &err);

    ck_assert_msg(rc == KT_INVALID, "'%s': %s", bad_names[_i], kt_status_name(rc));
    ck_assert_str_ne(err.msg, "");
}
END_TEST

START_TEST(a_service_that_is_not_there_is_the_builtin_one)
{
    refused("not there", KT_CONFIG_ERROR, "builtin", "'file'");
}
END_TEST

/* ---- files and modes ------------------------------------------------------------------------- */

enum target { FILE_T, CONFIG_DIR, MODULE, MODULE_DIR };

static const struct {
    const char *title;
    enum target target;
    mode_t mode;
    uid_t owner;
    gid_t group;
    bool root; /* only root can set it up */
    int want;
} modes[] = {
    { "as it should be", FILE_T, 0644, 0, 0, false, KT_SUCCESS },
    { "a service file that only we may read", FILE_T, 0600, 0, 0, false, KT_SUCCESS },
    { "a service file that everyone may write", FILE_T, 0666, 0, 0, false, KT_CONFIG_ERROR },
    { "a service file of a stranger's", FILE_T, 0644, STRANGER, 0, true, KT_CONFIG_ERROR },
    { "a service file that a strange group may write", FILE_T, 0664, 0, STRANGER, true,
      KT_CONFIG_ERROR },
    { "a service file that a strange group may read", FILE_T, 0640, 0, STRANGER, true, KT_SUCCESS },
    { "a directory that everyone may write", CONFIG_DIR, 0777, 0, 0, false, KT_CONFIG_ERROR },
    { "a directory of a stranger's", CONFIG_DIR, 0755, STRANGER, 0, true, KT_CONFIG_ERROR },
    { "a sticky directory of root's", CONFIG_DIR, 01777, 0, 0, true, KT_SUCCESS },
    { "a sticky directory of a stranger's", CONFIG_DIR, 01777, STRANGER, 0, true, KT_CONFIG_ERROR },
    { "a module that everyone may write", MODULE, 0777, 0, 0, false, KT_CONFIG_ERROR },
    { "a module of a stranger's", MODULE, 0755, STRANGER, 0, true, KT_CONFIG_ERROR },
    { "a module that a strange group may write", MODULE, 0775, 0, STRANGER, true, KT_CONFIG_ERROR },
    { "modules where everyone may write", MODULE_DIR, 0777, 0, 0, false, KT_CONFIG_ERROR },
    { "modules where a stranger may write", MODULE_DIR, 0755, STRANGER, 0, true, KT_CONFIG_ERROR },
};

START_TEST(only_what_nobody_else_can_change_is_believed)
{
    char *file = kt_harness_path(s->config, "t");
    char *module = kt_harness_path(modules, "debug.so");
    const char *const targets[] = { file, s->config, module, modules };
    const char *target = targets[modes[_i].target];
    struct kt_err err = { 0 };

    if (!modes[_i].root || geteuid() == 0) {
        scene_write(s, "t", "read required debug\n");
        if (modes[_i].root)
            ck_assert_int_eq(chown(target, modes[_i].owner, modes[_i].group), 0);
        ck_assert_int_eq(chmod(target, modes[_i].mode), 0);
        if (modes[_i].want == KT_SUCCESS)
            ck_assert_msg(try_open("t", &err) == KT_SUCCESS, "%s: %s", modes[_i].title, err.msg);
        else
            refused(modes[_i].title, modes[_i].want, target, "");
    }
    free(file);
    free(module);
}
END_TEST

/* As somebody whom root's file does not let in. */
START_TEST(a_file_that_may_not_be_read_is_no_absent_file)
{
    int status;
    pid_t child;

    if (geteuid() != 0)
        return;
    scene_write(s, "t", "read required debug\n");
    char *path = kt_harness_path(s->config, "t");

    ck_assert_int_eq(chmod(path, 0600), 0);
    ck_assert_int_eq(chmod(s->dir, 0755), 0);
    ck_assert_int_eq(chmod(getenv("TESTTMP"), 0755), 0);
    child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        struct kt_err err = { 0 };

        if (setgid(65534) != 0 || setuid(65534) != 0)
            _exit(100);
        if (try_open("t", &err) != KT_DENIED)
            _exit(101);
        _exit(strstr(err.msg, path) != NULL ? 0 : 102);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "ended with %#x",
                  (unsigned)status);
    free(path);
}
END_TEST

START_TEST(links_are_followed_to_where_they_lead)
{
    char *link = kt_harness_path(s->config, "t");
    char *real = kt_harness_path(s->dir, "real");
    struct kt_err err = { 0 };

    kt_harness_write(real, "read required debug\n", 0644);
    ck_assert_int_eq(symlink(real, link), 0);
    ck_assert_msg(try_open("t", &err) == KT_SUCCESS, "%s", err.msg);
    ck_assert_int_eq(chmod(real, 0666), 0);
    refused("a link to a file that everyone may write", KT_CONFIG_ERROR, real, "");
    ck_assert_int_eq(unlink(link), 0);
    ck_assert_int_eq(symlink("t", link), 0);
    refused("a link to itself", KT_CONFIG_ERROR, "/t", "");
    ck_assert_int_eq(unlink(link), 0);
    ck_assert_int_eq(mkdir(link, 0755), 0);
    refused("a directory", KT_CONFIG_ERROR, "/t", "");
    ck_assert_int_eq(rmdir(link), 0);
    ck_assert_int_eq(mkfifo(link, 0644), 0);
    refused("a pipe that nobody writes", KT_CONFIG_ERROR, "/t", "");
    free(link);
    free(real);
}
END_TEST

/* ---- modules that cannot be used -------------------------------------------------------------- */

START_TEST(a_module_of_another_abi_is_refused_by_number)
{
    copy_module("mock_badabi.so");
    scene_write(s, "t", "read required debug\nread required mock_badabi max-stale=1h\n");
    refused("another ABI", KT_MODULE_ERROR, "mock_badabi", "4711");
}
END_TEST

START_TEST(a_file_that_is_no_module_is_refused)
{
    static const struct {
        const char *title;
        const char *data;
        size_t len;
    } rows[] = {
        { "an empty file", "", 0 },
        { "a text", "hello\n", 6 },
        { "a head alone",
          "\x7f"
          "ELF\2\1\1\0\0\0\0\0\0\0\0\0",
          16 },
    };
    char *path = kt_harness_path(modules, "odd.so");

    scene_write(s, "t", "read required odd\n");
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);

        ck_assert_int_eq(write(fd, rows[i].data, rows[i].len), (ssize_t)rows[i].len);
        ck_assert_int_eq(fchmod(fd, 0755), 0);
        (void)close(fd);
        refused(rows[i].title, KT_MODULE_ERROR, "odd", "");
    }
    free(path);
}
END_TEST

START_TEST(a_module_that_is_called_otherwise_is_refused)
{
    char *from = kt_harness_path(modules, "debug.so");
    char *to = kt_harness_path(modules, "other.so");
    const struct kt_open_options o = { .size = sizeof(o),
                                       .config_dir = s->config,
                                       .module_dir = modules };
    struct kt_handle *h = NULL;
    struct kt_secret *v = NULL;

    ck_assert_int_eq(rename(from, to), 0);
    scene_write(s, "t", "read optional other\n");
    ck_assert_int_eq(kt_open("t", &o, &h, NULL), KT_SUCCESS);
    ck_assert_int_eq(kt_get(h, "a", NULL, &v, NULL), KT_MODULE_ERROR);
    kt_close(h);
    free(from);
    free(to);
}
END_TEST

START_TEST(options_that_break_the_rules_are_refused)
{
    const struct kt_open_options rows[] = {
        { .size = 1, .config_dir = s->config },
        { .size = sizeof(rows[0]), .config_dir = s->config, .module_dir = "modules" },
        { .size = sizeof(rows[0]), .config_dir = "config" },
    };

    scene_write(s, "t", "read required debug\n");
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct kt_handle *h = NULL;
        struct kt_err err = { 0 };
        const int rc = kt_open("t", &rows[i], &h, &err);

        ck_assert_msg(rc == KT_INVALID || rc == KT_CONFIG_ERROR, "row %zu: %s", i,
                      kt_status_name(rc));
        ck_assert_ptr_null(h);
        ck_assert_int_eq(err.status, rc);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("badinput");
    TCase *tc = tcase_create("badinput");

    tcase_add_checked_fixture(tc, set_up, tear_down);
    scene_add_rows(tc, a_service_file_that_is_not_understood_is_refused, texts);
    tcase_add_test(tc, includes_go_sixteen_deep_and_no_deeper);
    tcase_add_test(tc, a_file_over_the_limit_is_refused);
    tcase_add_test(tc, an_option_of_no_module_is_refused_when_its_line_is_reached);
    scene_add_rows(tc, a_service_name_that_breaks_the_rules_is_refused, bad_names);
    tcase_add_test(tc, a_service_that_is_not_there_is_the_builtin_one);
    scene_add_rows(tc, only_what_nobody_else_can_change_is_believed, modes);
    tcase_add_test(tc, a_file_that_may_not_be_read_is_no_absent_file);
    tcase_add_test(tc, links_are_followed_to_where_they_lead);
    tcase_add_test(tc, a_module_of_another_abi_is_refused_by_number);
    tcase_add_test(tc, a_file_that_is_no_module_is_refused);
    tcase_add_test(tc, a_module_that_is_called_otherwise_is_refused);
    tcase_add_test(tc, options_that_break_the_rules_are_refused);
    suite_add_tcase(suite, tc);
    return kt_harness_run(suite);
}
