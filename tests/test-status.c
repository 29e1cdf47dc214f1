/* SPDX-License-Identifier: Apache-2.0 */
#include "harness.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/err.h"

/* ---- the table ------------------------------------------------------------------------------ */

START_TEST(names_are_unique_lower_case_words)
{
    for (int i = 0; i < KT_STATUS_COUNT; i++) {
        const char *name = kt_status_name(i);

        ck_assert_uint_gt(strlen(name), 0);
        ck_assert_uint_eq(strspn(name, "abcdefghijklmnopqrstuvwxyz_"), strlen(name));
        for (int j = 0; j < i; j++)
            ck_assert_str_ne(name, kt_status_name(j));
    }
}
END_TEST

START_TEST(exit_codes_are_unique_and_leave_1_and_2)
{
    ck_assert_int_eq(kt_status_exit(KT_SUCCESS), 0);
    for (int i = 1; i < KT_STATUS_COUNT; i++) {
        ck_assert_int_gt(kt_status_exit(i), 2);
        ck_assert_int_lt(kt_status_exit(i), 125); /* those are exec's */
        for (int j = 0; j < i; j++)
            ck_assert_int_ne(kt_status_exit(i), kt_status_exit(j));
    }
}
END_TEST

START_TEST(could_not_ask_tells_more_than_not_found)
{
    static const int asked_nobody[] = { KT_UNAVAILABLE, KT_THROTTLED, KT_TIMEOUT, KT_LOCKED,
                                        KT_BUSY,        KT_CANCELLED, KT_DENIED };

    for (size_t i = 0; i < sizeof(asked_nobody) / sizeof(asked_nobody[0]); i++)
        ck_assert_int_gt(kt_status_tell(asked_nobody[i]), kt_status_tell(KT_NOT_FOUND));
    for (int i = 0; i < KT_STATUS_COUNT; i++) {
        if (i != KT_CONFIG_ERROR)
            ck_assert_int_lt(kt_status_tell(i), kt_status_tell(KT_CONFIG_ERROR));
        for (int j = 0; j < i; j++) /* 0: never an answer */
            if (kt_status_tell(i) != 0)
                ck_assert_int_ne(kt_status_tell(i), kt_status_tell(j));
    }
}
END_TEST

START_TEST(meanings_are_one_line)
{
    for (int i = -1; i <= KT_STATUS_COUNT; i++) {
        const char *meaning = kt_status_meaning(i);

        ck_assert_uint_gt(strlen(meaning), 0);
        ck_assert_ptr_null(strpbrk(meaning, "\n\t."));
    }
}
END_TEST

START_TEST(what_is_no_status_is_spoken_of_as_a_broken_module)
{
    static const int none[] = { -1, KT_STATUS_COUNT, 1 << 30, -(1 << 30) };

    for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
        ck_assert_str_eq(kt_status_name(none[i]), "unknown");
        ck_assert_int_eq(kt_status_exit(none[i]), kt_status_exit(KT_MODULE_ERROR));
        ck_assert_int_eq(kt_status_tell(none[i]), kt_status_tell(KT_MODULE_ERROR));
    }
}
END_TEST

/* Output of the script that the manual is made with. */
static FILE *table(const char *format)
{
    const char *top = getenv("srcdir");
    char script[4096], header[4096];
    int status, out = memfd_create("table", MFD_CLOEXEC);
    pid_t pid;

    ck_assert_msg(top != NULL, "srcdir is not set: run the tests by make check");
    snprintf(script, sizeof(script), "%s/build-aux/status-table", top);
    snprintf(header, sizeof(header), "%s/src/include/keyturn/status.h", top);
    pid = fork();
    if (pid == 0) {
        int in = open(header, O_RDONLY | O_CLOEXEC);

        if (in >= 0 && dup2(in, 0) == 0 && dup2(out, 1) == 1)
            execl("/bin/sh", "sh", script, format, (char *)NULL);
        _exit(127);
    }
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(status, 0);
    ck_assert_int_eq(lseek(out, 0, SEEK_SET), 0);
    return fdopen(out, "r");
}

START_TEST(the_script_says_what_the_code_says)
{
    char got[256], want[256];
    FILE *tsv = table("tsv"), *mdoc = table("mdoc");

    for (int i = 0; i < KT_STATUS_COUNT; i++) {
        snprintf(want, sizeof(want), "%s\t%d\t%d\t%d\t%s\n", kt_status_name(i), i,
                 kt_status_tell(i), kt_status_exit(i), kt_status_meaning(i));
        ck_assert_ptr_nonnull(fgets(got, sizeof(got), tsv));
        ck_assert_str_eq(got, want);
        snprintf(want, sizeof(want), ".It Cm %s Ta %d Ta %s\n", kt_status_name(i),
                 kt_status_exit(i), kt_status_meaning(i));
        ck_assert_ptr_nonnull(fgets(got, sizeof(got), mdoc));
        ck_assert_str_eq(got, want);
    }
    ck_assert_ptr_null(fgets(got, sizeof(got), tsv));
    ck_assert_ptr_null(fgets(got, sizeof(got), mdoc));
    fclose(tsv);
    fclose(mdoc);
}
END_TEST

/* ---- errors --------------------------------------------------------------------------------- */

START_TEST(fail_fills_status_and_text)
{
    struct kt_err err;

    memset(&err, 'x', sizeof(err));
    ck_assert_int_eq(kt_fail(&err, KT_LOCKED, "'%s' is %d", "store", 7), KT_LOCKED);
    ck_assert_int_eq(err.status, KT_LOCKED);
    ck_assert_str_eq(err.msg, "'store' is 7");
    ck_assert_int_eq(err.msg[sizeof(err.msg) - 1], 'x'); /* the rest is not touched */
}
END_TEST

START_TEST(fail_needs_no_err_and_keeps_errno)
{
    struct kt_err err;

    errno = EXDEV;
    ck_assert_int_eq(kt_fail(NULL, KT_DENIED, "%d", 1), KT_DENIED);
    ck_assert_int_eq(errno, EXDEV);
    ck_assert_int_eq(kt_fail(&err, KT_DENIED, "%m"), KT_DENIED);
    ck_assert_str_eq(err.msg, strerror(EXDEV));
    ck_assert_int_eq(errno, EXDEV);
    ck_assert_int_eq(kt_fail_errno(NULL, "x"), KT_UNAVAILABLE);
    ck_assert_int_eq(errno, EXDEV);
}
END_TEST

START_TEST(fail_may_quote_its_own_message)
{
    struct kt_err err;

    (void)kt_fail(&err, KT_DENIED, "%s", "inner");
    (void)kt_fail(&err, KT_DENIED, "outer: %s, %s", err.msg, err.msg);
    ck_assert_str_eq(err.msg, "outer: inner, inner");
}
END_TEST

START_TEST(control_bytes_become_question_marks)
{
    struct kt_err err;

    (void)kt_fail(&err, KT_DENIED, "%s", "a\nb\r\tc\033[2Jd\177e\001\xc3\xa9");
    ck_assert_str_eq(err.msg, "a?b??c?[2Jd?e?\xc3\xa9");
}
END_TEST

START_TEST(long_texts_end_in_dots)
{
    static const size_t max = sizeof(((struct kt_err *)NULL)->msg) - 1;
    char text[2000];
    struct kt_err err;

    memset(text, 'a', sizeof(text));
    text[max] = '\0';
    (void)kt_fail(&err, KT_DENIED, "%s", text);
    ck_assert_str_eq(err.msg, text); /* just fits */

    text[max] = 'a';
    text[max + 1] = '\0';
    (void)kt_fail(&err, KT_DENIED, "%s", text);
    ck_assert_uint_eq(strlen(err.msg), max);
    ck_assert_str_eq(err.msg + max - 4, "a...");
}
END_TEST

START_TEST(long_texts_are_not_cut_within_a_character)
{
    char text[2001];
    struct kt_err err;

    for (size_t shift = 0; shift < 3; shift++) {
        size_t len;

        memset(text, 'a', shift);
        for (size_t i = shift; i + 3 < sizeof(text); i += 3)
            memcpy(text + i, "\xe2\x82\xac", 4);
        (void)kt_fail(&err, KT_DENIED, "%s", text);
        len = strlen(err.msg);
        ck_assert_str_eq(err.msg + len - 3, "...");
        ck_assert_uint_eq((len - 3 - shift) % 3, 0);
        ck_assert_uint_gt(len, sizeof(err.msg) - 4);
        ck_assert_mem_eq(err.msg, text, len - 3);
    }
}
END_TEST

START_TEST(a_text_that_cannot_be_composed_is_the_meaning)
{
    static const wchar_t bad[] = { 0x110000, 0 }; /* beyond Unicode: printf gives up */
    struct kt_err err;

    ck_assert_int_eq(kt_fail(&err, KT_CORRUPT, "%ls", bad), KT_CORRUPT);
    ck_assert_str_eq(err.msg, kt_status_meaning(KT_CORRUPT));
    errno = EROFS;
    ck_assert_int_eq(kt_fail_errno(&err, "%ls", bad), KT_READ_ONLY);
    ck_assert_str_eq(err.msg, ": Read-only file system");
}
END_TEST

static const struct {
    int error;
    int status;
} errnos[] = {
    { ENOENT, KT_NOT_FOUND },    { EACCES, KT_DENIED },      { EPERM, KT_DENIED },
    { ENOSPC, KT_NO_SPACE },     { EDQUOT, KT_NO_SPACE },    { EROFS, KT_READ_ONLY },
    { ENOMEM, KT_NO_MEMORY },    { EIO, KT_UNAVAILABLE },    { ECONNREFUSED, KT_UNAVAILABLE },
    { ENOTDIR, KT_UNAVAILABLE }, { EMFILE, KT_UNAVAILABLE }, { 0, KT_UNAVAILABLE },
};

START_TEST(errno_has_a_status)
{
    struct kt_err err;
    char want[256];

    errno = errnos[_i].error;
    ck_assert_int_eq(kt_fail_errno(&err, "open '%s'", "x"), errnos[_i].status);
    ck_assert_int_eq(err.status, errnos[_i].status);
    snprintf(want, sizeof(want), "open 'x': %s", strerror(errnos[_i].error));
    ck_assert_str_eq(err.msg, want);
    ck_assert_int_eq(errno, errnos[_i].error);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("status");
    TCase *t = tcase_create("table");

    tcase_add_test(t, names_are_unique_lower_case_words);
    tcase_add_test(t, exit_codes_are_unique_and_leave_1_and_2);
    tcase_add_test(t, could_not_ask_tells_more_than_not_found);
    tcase_add_test(t, meanings_are_one_line);
    tcase_add_test(t, what_is_no_status_is_spoken_of_as_a_broken_module);
    tcase_add_test(t, the_script_says_what_the_code_says);
    suite_add_tcase(s, t);

    t = tcase_create("err");
    tcase_add_test(t, fail_fills_status_and_text);
    tcase_add_test(t, fail_needs_no_err_and_keeps_errno);
    tcase_add_test(t, fail_may_quote_its_own_message);
    tcase_add_test(t, control_bytes_become_question_marks);
    tcase_add_test(t, long_texts_end_in_dots);
    tcase_add_test(t, long_texts_are_not_cut_within_a_character);
    tcase_add_test(t, a_text_that_cannot_be_composed_is_the_meaning);
    tcase_add_loop_test(t, errno_has_a_status, 0, sizeof(errnos) / sizeof(errnos[0]));
    suite_add_tcase(s, t);
    return kt_harness_run(s);
}
