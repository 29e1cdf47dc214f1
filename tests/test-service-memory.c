/* SPDX-License-Identifier: Apache-2.0 */
#include "servicefile.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * Linked with --wrap for each function below: the allocation with number @fail_at fails, the others
 * succeed. With sanitizers or valgrind it is also a test that nothing is leaked then.
 */
static long count, fail_at = -1;

static bool fails(void)
{
    errno = ENOMEM;
    return fail_at >= 0 && count++ == fail_at;
}

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_reallocarray(void *p, size_t n, size_t size);
char *__real_strdup(const char *s);
char *__real_strndup(const char *s, size_t n);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_reallocarray(void *p, size_t n, size_t size);
char *__wrap_strdup(const char *s);
char *__wrap_strndup(const char *s, size_t n);
int __wrap_asprintf(char **out, const char *fmt, ...) KT_PRINTF(2, 3);
int __wrap___asprintf_chk(char **out, int flag, const char *fmt, ...) KT_PRINTF(3, 4);

void *__wrap_malloc(size_t size)
{
    return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size)
{
    return fails() ? NULL : __real_calloc(n, size);
}

void *__wrap_reallocarray(void *p, size_t n, size_t size)
{
    return fails() ? NULL : __real_reallocarray(p, n, size);
}

char *__wrap_strdup(const char *s)
{
    return fails() ? NULL : __real_strdup(s);
}

char *__wrap_strndup(const char *s, size_t n)
{
    return fails() ? NULL : __real_strndup(s, n);
}

int __wrap_asprintf(char **out, const char *fmt, ...)
{
    va_list ap;
    int n = -1;

    va_start(ap, fmt);
    if (!fails())
        n = vasprintf(out, fmt, ap);
    va_end(ap);
    return n;
}

int __wrap___asprintf_chk(char **out, int flag, const char *fmt, ...)
{
    va_list ap;
    int n = -1;

    (void)flag;
    va_start(ap, fmt);
    if (!fails())
        n = vasprintf(out, fmt, ap);
    va_end(ap);
    return n;
}

static const char text[] = "read front mock_cache ttl=1m store=c\n"
                           "read [success=done default=ignore] mock_plain max-stale=1h [a=b c] \\\n"
                           "   region=eu name=%n field=f store=p\n"
                           "read substack other\n"
                           "write required mock_store\n"
                           "write optional mock_plain\n"
                           "issuer spare mock_issuer\n"
                           "notify mock_notify x=1\n"
                           "policy ** issuer=spare\n";

START_TEST(each_allocation_of_a_service_may_fail)
{
    /* made beforehand: check allocates, too */
    const struct kt_open_options options = {
        .size = sizeof(options),
        .config_dir = servicefile_dir(),
        .module_dir = kt_harness_modules(),
    };
    struct kt_service *s = NULL;
    int rc = KT_NO_MEMORY;
    long n = 0;

    servicefile_put("svc", text);
    servicefile_put("other", "read required mock_store\n");
    for (; rc != KT_SUCCESS; n++) {
        struct kt_err err = { .status = KT_SUCCESS };
        count = 0;
        fail_at = n;
        rc = kt_service_read("svc", &options, &s, &err);
        fail_at = -1;
        ck_assert_msg(rc == KT_SUCCESS || rc == KT_NO_MEMORY, "%ld: %d %s", n, rc, err.msg);
        ck_assert_int_eq(rc, err.status);
        ck_assert_int_eq(s != NULL, rc == KT_SUCCESS);
    }
    ck_assert_int_gt(n, 50); /* else nothing was made to fail */
    ck_assert_uint_eq(s->read.n, 4);
    kt_service_free(s);
}
END_TEST

START_TEST(each_allocation_of_options_may_fail)
{
    static const struct kt_option table[] = {
        { "name", KT_OPTION_STRING, NULL, "" },    { "quick", KT_OPTION_FLAG, NULL, "" },
        { "wait", KT_OPTION_DURATION, "1s", "" },  { "path", KT_OPTION_PATH, "~/x", "" },
        { "mode", KT_OPTION_CHOICE, "a|a|b", "" }, { NULL, KT_OPTION_STRING, NULL, NULL },
    };
    const struct kt_word words[] = { { (char *)"quick", 1, 1 }, { (char *)"name=x", 7, 1 } };
    struct kt_arg *args = NULL;
    size_t nargs = 0;
    int rc = KT_NO_MEMORY;
    long n = 0;

    for (; rc != KT_SUCCESS; n++) {
        count = 0;
        fail_at = n;
        rc = kt_options_parse(table, words, 2, "f:1", &args, &nargs, NULL);
        fail_at = -1;
        ck_assert_msg(rc == KT_SUCCESS || rc == KT_NO_MEMORY, "%ld: %d", n, rc);
        ck_assert_int_eq(args != NULL, rc == KT_SUCCESS);
    }
    ck_assert_int_gt(n, 6);
    ck_assert_uint_eq(nargs, 5);
    kt_options_free(args, nargs);
}
END_TEST

static void hear(void *cookie, const struct kt_finding *f)
{
    (void)f;
    ++*(int *)cookie;
}

START_TEST(lint_without_memory_tells_what_it_can)
{
    struct kt_service *s = servicefile_good("read [default=die] mock_store\n"
                                            "read required mock_store fill\n");
    int all = 0, some = 0;

    kt_service_lint(s, hear, &all);
    count = 0;
    fail_at = 0;
    kt_service_lint(s, hear, &some);
    fail_at = -1;
    ck_assert_int_eq(all, 2);
    ck_assert_int_eq(some, 1);
    kt_service_free(s);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("service-memory");
    TCase *c = tcase_create("memory");

    tcase_add_checked_fixture(c, NULL, servicefile_forget);
    tcase_add_test(c, each_allocation_of_a_service_may_fail);
    tcase_add_test(c, each_allocation_of_options_may_fail);
    tcase_add_test(c, lint_without_memory_tells_what_it_can);
    suite_add_tcase(s, c);
    return kt_harness_run(s);
}
