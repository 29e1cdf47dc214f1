/* SPDX-License-Identifier: Apache-2.0 */
#include "harness.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <keyturn/keyturn.h>

/* check reads it when a case is made: its own 4 seconds are too few for a loaded machine or valgrind. */
__attribute__((constructor)) static void patience(void)
{
    (void)setenv("CK_DEFAULT_TIMEOUT", "600", 0);
}

static int drop(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

int kt_harness_run(Suite *s)
{
    char own[] = "/tmp/keyturn-test.XXXXXX";
    const bool lent = getenv("TESTTMP") != NULL;

    if (!lent && (mkdtemp(own) == NULL || setenv("TESTTMP", own, 1) != 0)) {
        perror("harness: no temporary directory");
        return EXIT_FAILURE;
    }
    SRunner *runner = srunner_create(s);
    srunner_set_tap(runner, "-");
    srunner_run_all(runner, CK_SILENT);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    if (!lent)
        (void)nftw(own, drop, 16, FTW_DEPTH | FTW_PHYS);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

char *kt_harness_path(const char *dir, const char *name)
{
    char *path = NULL;

    ck_assert_int_ge(asprintf(&path, "%s/%s", dir, name), 0);
    return path;
}

char *kt_harness_dir(void)
{
    char *dir = kt_harness_path(getenv("TESTTMP"), "XXXXXX");

    ck_assert_ptr_nonnull(mkdtemp(dir));
    return dir;
}

void kt_harness_write(const char *path, const char *text, mode_t mode)
{
    const size_t len = strlen(text);
    const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    ck_assert_msg(fd >= 0, "%s: cannot be made", path);
    ck_assert_int_eq(write(fd, text, len), (ssize_t)len);
    ck_assert_int_eq(fchmod(fd, mode), 0);
    ck_assert_int_eq(close(fd), 0);
}

const char *kt_harness_modules(void)
{
    const char *dir = getenv("KEYTURN_TEST_MODULES");

    ck_assert_msg(dir != NULL, "KEYTURN_TEST_MODULES is not set: run the tests by make check");
    return dir;
}

void kt_harness_no_secrets(void)
{
    ck_assert_uint_eq(kt_secret_live(), 0);
}
