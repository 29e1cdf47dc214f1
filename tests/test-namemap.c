/* SPDX-License-Identifier: Apache-2.0 */
#include "core/namemap.h"
#include "harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct row {
    enum kt_naming naming;
    const char *template;
    const char *name;
    const char *place;
    bool back; /* a list gives the name again */
};

static const struct row rows[] = {
    { KT_NAMING_PLAIN, NULL, "deepseek/api-key", "deepseek/api-key", true },
    { KT_NAMING_DASHES, NULL, "deepseek-api-key", "deepseek-api-key", true },
    { KT_NAMING_DASHES, NULL, "deepseek/api-key", "deepseek--2fapi-key", true },
    { KT_NAMING_DASHES, NULL, "a--b", "a--2d--2db", true },
    { KT_NAMING_DASHES, NULL, "-a-", "--2da--2d", true },
    { KT_NAMING_DASHES, NULL, "a/-b", "a--2f--2db", true },
    { KT_NAMING_DASHES, NULL, "a_b", "a--5fb", true },
    { KT_NAMING_UNDERSCORE, NULL, "deepseek/api-key", "deepseek_2fapi-key", true },
    { KT_NAMING_UNDERSCORE, NULL, "a_b--c", "a_5fb--c", true },
    { KT_NAMING_PLAIN, "prod/%n", "a/b", "prod/a/b", true },
    { KT_NAMING_PLAIN, "%n-live", "a/b", "a/b-live", true },
    { KT_NAMING_PLAIN, "100%%/%n", "a", "100%/a", true },
    { KT_NAMING_PLAIN, "x/%b", "a/b", "x/b", false },
    { KT_NAMING_PLAIN, "fixed", "a/b", "fixed", false },
    { KT_NAMING_PLAIN, "fixed", ".keyturn/rotation/a", "fixed-keyturn-rotation--2fa", false },
    { KT_NAMING_DASHES, "prod-%n", "a/b", "prod-a/b", true },
};

START_TEST(maps_there_and_back)
{
    const struct row *r = &rows[_i];
    struct kt_module m = { .naming = r->naming, .name_max = 512 };
    struct kt_line line = { .core = { .name = (char *)r->template } };
    char place[KT_PLACE_SIZE], name[KT_NAME_MAX + 1];
    struct kt_err err;

    ck_assert_int_eq(kt_name_to_store(&line, &m, r->name, place, &err), KT_SUCCESS);
    ck_assert_str_eq(place, r->place);
    ck_assert_int_eq(kt_name_is_listable(&line), r->back);
    if (!r->back)
        return;
    ck_assert_int_eq(kt_name_from_store(&line, &m, place, name), KT_SUCCESS);
    ck_assert_str_eq(name, r->name);
}
END_TEST

static const struct {
    enum kt_naming naming;
    const char *template;
    const char *place;
    int want;
} foreign[] = {
    { KT_NAMING_DASHES, NULL, "a--2Fb", KT_INVALID }, /* upper case: not ours */
    { KT_NAMING_DASHES, NULL, "a--61b", KT_INVALID }, /* a letter needs no escape */
    { KT_NAMING_DASHES, NULL, "a--2", KT_INVALID },
    { KT_NAMING_DASHES, NULL, "-a", KT_INVALID },
    { KT_NAMING_DASHES, NULL, "a--2f", KT_INVALID }, /* a name that ends in `/` */
    { KT_NAMING_UNDERSCORE, NULL, "a_zz", KT_INVALID },
    { KT_NAMING_PLAIN, NULL, "a b", KT_INVALID },
    { KT_NAMING_PLAIN, "prod/%n", "test/a", KT_IGNORE },
    { KT_NAMING_PLAIN, "prod/%n", "prod/", KT_IGNORE },
    { KT_NAMING_PLAIN, "prod/%n", "pr", KT_IGNORE },
    { KT_NAMING_PLAIN, "%n-live", "-live", KT_IGNORE },
};

START_TEST(what_we_would_not_write_is_not_ours)
{
    struct kt_module m = { .naming = foreign[_i].naming, .name_max = 512 };
    struct kt_line line = { .core = { .name = (char *)foreign[_i].template } };
    char name[KT_NAME_MAX + 1];

    ck_assert_int_eq(kt_name_from_store(&line, &m, foreign[_i].place, name), foreign[_i].want);
}
END_TEST

/* Every pair of short names over a hostile alphabet: no two share a place. */
START_TEST(escaping_is_injective)
{
    static const char alphabet[] = "a2f-_=.";
    struct kt_module m = { .naming = _i == 0 ? KT_NAMING_DASHES : KT_NAMING_UNDERSCORE,
                           .name_max = 512 };
    struct kt_line line = { .core = { .name = NULL } };
    char place[KT_PLACE_SIZE], back[KT_NAME_MAX + 1], name[5];
    struct kt_err err;
    int made = 0;

    for (int i = 0; i < 7 * 7 * 7 * 7; i++) {
        (void)snprintf(name, sizeof name, "%c%c%c%c", alphabet[i % 7], alphabet[i / 7 % 7],
                       alphabet[i / 49 % 7], alphabet[i / 343]);
        if (kt_name_check(name, NULL) != KT_SUCCESS)
            continue;
        ck_assert_int_eq(kt_name_to_store(&line, &m, name, place, &err), KT_SUCCESS);
        ck_assert_msg(kt_name_from_store(&line, &m, place, back) == KT_SUCCESS &&
                          strcmp(back, name) == 0,
                      "%s became %s", name, place);
        made++;
    }
    ck_assert_int_gt(made, 2000);
}
END_TEST

START_TEST(too_long_for_the_store_is_said_before_it_is_asked)
{
    struct kt_module m = { .naming = KT_NAMING_DASHES, .name_max = 10 };
    struct kt_line line = { .core = { .name = NULL } };
    char place[KT_PLACE_SIZE];
    struct kt_err err;

    ck_assert_int_eq(kt_name_to_store(&line, &m, "a/b/c", place, &err), KT_TOO_LARGE);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("namemap");
    TCase *t = tcase_create("namemap");

    tcase_add_loop_test(t, maps_there_and_back, 0, (int)(sizeof rows / sizeof rows[0]));
    tcase_add_loop_test(t, what_we_would_not_write_is_not_ours, 0,
                        (int)(sizeof foreign / sizeof foreign[0]));
    tcase_add_loop_test(t, escaping_is_injective, 0, 2);
    tcase_add_test(t, too_long_for_the_store_is_said_before_it_is_asked);
    suite_add_tcase(s, t);
    return kt_harness_run(s);
}
