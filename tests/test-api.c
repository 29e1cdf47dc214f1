/* SPDX-License-Identifier: Apache-2.0 */
/* The table for programs that dlopen: nothing is missing in it, and another version's is not given. */
#include "harness.h"

#include <string.h>

#include <keyturn/keyturn.h>

START_TEST(the_table_is_whole)
{
    const struct kt_api *api = kt_api_get(KT_API_VERSION);
    const size_t head = offsetof(struct kt_api, open);
    void (*none)(void) = NULL;

    ck_assert_ptr_nonnull(api);
    ck_assert_uint_eq(api->version, KT_API_VERSION);
    ck_assert_uint_eq(api->size, sizeof(struct kt_api));
    for (size_t at = head; at < sizeof(struct kt_api); at += sizeof none)
        ck_assert_msg(memcmp((const char *)api + at, &none, sizeof none) != 0,
                      "function %zu is missing", (at - head) / sizeof none);
    ck_assert_str_eq(api->status_name(KT_NOT_FOUND), "not_found");
    ck_assert_uint_eq(api->secret_live(), 0);
}
END_TEST

START_TEST(another_version_is_not_given)
{
    ck_assert_ptr_null(kt_api_get(0));
    ck_assert_ptr_null(kt_api_get(KT_API_VERSION + 1));
}
END_TEST

int main(void)
{
    Suite *s = suite_create("api");
    TCase *tc = tcase_create("api");

    tcase_add_test(tc, the_table_is_whole);
    tcase_add_test(tc, another_version_is_not_given);
    suite_add_tcase(s, tc);
    return kt_harness_run(s);
}
