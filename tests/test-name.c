/* SPDX-License-Identifier: Apache-2.0 */
#include "harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/name.h"

#define ROWS(table) (int)(sizeof(table) / sizeof((table)[0]))

/* ---- names ---------------------------------------------------------------------------------- */

static const struct {
    const char *name;
    int want;
    const char *says;
} names[] = {
    { "deepseek-api-key", KT_SUCCESS, NULL },
    { "a", KT_SUCCESS, NULL },
    { "deepseek/prod/web", KT_SUCCESS, NULL },
    { "AZaz09_+=.@-/x", KT_SUCCESS, NULL },
    { "-rf", KT_SUCCESS, NULL },
    { "...", KT_SUCCESS, NULL },
    { ".hidden/..x/x..", KT_SUCCESS, NULL },
    { ".keyturn/rotation/x", KT_SUCCESS, NULL }, /* a name, though not a program's */
    { NULL, KT_INVALID, "is empty" },
    { "", KT_INVALID, "is empty" },
    { ".", KT_INVALID, "'.' or '..'" },
    { "..", KT_INVALID, "'.' or '..'" },
    { "a/../b", KT_INVALID, "(byte 3)" },
    { "a/.", KT_INVALID, "(byte 3)" },
    { "/", KT_INVALID, "empty part" },
    { "/a", KT_INVALID, "empty part" },
    { "a/", KT_INVALID, "(byte 3)" },
    { "a//b", KT_INVALID, "empty part" },
    { "a b", KT_INVALID, "a character" },
    { "a\nb", KT_INVALID, "a?b" },
    { "a*", KT_INVALID, "a character" },
    { "a:b", KT_INVALID, "a character" },
    { "a\\b", KT_INVALID, "a character" },
    { "a%b", KT_INVALID, "a character" },
    { "a~", KT_INVALID, "a character" },
    { "caf\xc3\xa9", KT_INVALID, "a character" },
    { "x/a\x7f", KT_INVALID, "(byte 4)" },
    { "abcd e/f", KT_INVALID, "(byte 5)" },
};

START_TEST(names_follow_the_rules)
{
    struct kt_err err = { .status = -1 };

    ck_assert_int_eq(kt_name_check(names[_i].name, &err), names[_i].want);
    ck_assert_int_eq(kt_name_check(names[_i].name, NULL), names[_i].want);
    if (names[_i].says != NULL)
        ck_assert_msg(strstr(err.msg, names[_i].says) != NULL, "%s", err.msg);
    else
        ck_assert_int_eq(err.status, -1);
}
END_TEST

START_TEST(every_byte_is_judged)
{
    static const char good[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
                               "_+=.@-";

    for (int c = 1; c < 256; c++) {
        const char name[] = { 'a', (char)c, 'b', '\0' };
        const bool want = c == '/' || strchr(good, c) != NULL;

        ck_assert_msg((kt_name_check(name, NULL) == KT_SUCCESS) == want, "byte %d", c);
    }
}
END_TEST

START_TEST(a_name_has_at_most_512_bytes)
{
    char name[100000];
    struct kt_err err;

    memset(name, 'a', sizeof(name));
    name[KT_NAME_MAX] = '\0';
    ck_assert_int_eq(kt_name_check(name, NULL), KT_SUCCESS);
    name[KT_NAME_MAX] = 'a';
    name[KT_NAME_MAX + 1] = '\0';
    ck_assert_int_eq(kt_name_check(name, &err), KT_TOO_LARGE);
    ck_assert_ptr_nonnull(strstr(err.msg, "512"));
    name[KT_NAME_MAX + 1] = 'a';
    name[sizeof(name) - 1] = '\0';
    ck_assert_int_eq(kt_name_check(name, NULL), KT_TOO_LARGE);
    ck_assert_int_eq(kt_pattern_check(name, NULL), KT_TOO_LARGE);
}
END_TEST

static const struct {
    const char *name;
    bool ours;
} owned[] = {
    { ".keyturn", true },      { ".keyturn/x", true },    { ".keyturn/rotation/a/b", true },
    { ".keyturnx", false },    { ".keyturn-x/y", false }, { "keyturn/x", false },
    { "a/.keyturn/x", false }, { ".Keyturn/x", false },   { ".", false },
};

START_TEST(our_names_are_not_for_programs)
{
    const char *name = owned[_i].name;
    struct kt_err err;

    ck_assert_int_eq(kt_name_is_ours(name), owned[_i].ours);
    if (owned[_i].ours) {
        ck_assert_int_eq(kt_name_check(name, NULL), KT_SUCCESS);
        ck_assert_int_eq(kt_name_for_program(name, &err), KT_INVALID);
        ck_assert_ptr_nonnull(strstr(err.msg, "keyturn's own"));
    } else {
        ck_assert_int_eq(kt_name_for_program(name, &err), kt_name_check(name, NULL));
    }
}
END_TEST

static const struct {
    const char *name;
    const char *prefix;
    bool want;
} prefixes[] = {
    { "a/b", NULL, true },    { "a/b", "a", true },     { "a/b", "a/b", true },
    { "a/b/c", "a/b", true }, { "ab", "a", false },     { "a", "ab", false },
    { "a", "a/b", false },    { "a/bc", "a/b", false }, { "b/a", "a", false },
};

START_TEST(a_prefix_is_whole_parts)
{
    ck_assert_int_eq(kt_name_has_prefix(prefixes[_i].name, prefixes[_i].prefix), prefixes[_i].want);
}
END_TEST

/* ---- services ------------------------------------------------------------------------------- */

static const struct {
    const char *name;
    int want;
} services[] = {
    { "deepseek", KT_SUCCESS },
    { "a", KT_SUCCESS },
    { "-_09az", KT_SUCCESS },
    { NULL, KT_INVALID },
    { "", KT_INVALID },
    { "Deepseek", KT_INVALID },
    { "a/b", KT_INVALID },
    { "..", KT_INVALID },
    { "a.b", KT_INVALID },
    { "a b", KT_INVALID },
    { "a\n", KT_INVALID },
    { "caf\xc3\xa9", KT_INVALID },
    { "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", KT_SUCCESS },
    { "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0", KT_INVALID },
};

START_TEST(services_follow_the_rules)
{
    struct kt_err err = { .msg = "" };

    ck_assert_int_eq(kt_service_name_check(services[_i].name, &err), services[_i].want);
    ck_assert_int_eq(err.msg[0] == '\0', services[_i].want == KT_SUCCESS);
}
END_TEST

/* ---- patterns ------------------------------------------------------------------------------- */

static const struct {
    const char *pattern;
    int want;
} patterns[] = {
    { "deepseek/**", KT_SUCCESS }, { "**", KT_SUCCESS },        { "*", KT_SUCCESS },
    { "a*b*c", KT_SUCCESS },       { "*a/*/**/b", KT_SUCCESS }, { "**/**", KT_SUCCESS },
    { ".*", KT_SUCCESS },          { "*.", KT_SUCCESS },        { "a.b/c", KT_SUCCESS },
    { NULL, KT_INVALID },          { "", KT_INVALID },          { "a/", KT_INVALID },
    { "/a", KT_INVALID },          { "a//b", KT_INVALID },      { "a**", KT_INVALID },
    { "**a", KT_INVALID },         { "***", KT_INVALID },       { "a/../b", KT_INVALID },
    { ".", KT_INVALID },           { "a?b", KT_INVALID },       { "[ab]", KT_INVALID },
    { "a b", KT_INVALID },         { "*:", KT_INVALID },
};

START_TEST(patterns_follow_the_rules)
{
    struct kt_err err = { .msg = "" };

    ck_assert_int_eq(kt_pattern_check(patterns[_i].pattern, &err), patterns[_i].want);
    ck_assert_int_eq(err.msg[0] == '\0', patterns[_i].want == KT_SUCCESS);
}
END_TEST

static const struct {
    const char *pattern;
    const char *name;
    bool want;
} matches[] = {
    { "a", "a", true },
    { "a", "b", false },
    { "a", "ab", false },
    { "ab", "a", false },
    { "a/b", "a/b", true },
    { "a/b", "a", false },
    { "a", "a/b", false },
    { "*", "a", true },
    { "*", "a/b", false },
    { "*/b", "a/b", true },
    { "a/*", "a/b", true },
    { "a/*", "a", false },
    { "a/*", "a/b/c", false },
    { "a*", "a", true },
    { "a*", "abc", true },
    { "*c", "abc", true },
    { "a*c", "abc", true },
    { "a*c", "ac", true },
    { "a*c", "acb", false },
    { "a*b*c", "aXbYbZc", true },
    { "a*b*c", "aXcYb", false },
    { "*ab", "aab", true },
    { "*aab", "aaab", true },
    { "a*", "a/b", false },
    { "**", "a", true },
    { "**", "a/b/c", true },
    { "a/**", "a", true },
    { "a/**", "a/b/c", true },
    { "a/**", "ab", false },
    { "a/**", "b/a", false },
    { "**/c", "c", true },
    { "**/c", "a/b/c", true },
    { "**/c", "a/b/cd", false },
    { "a/**/c", "a/c", true },
    { "a/**/c", "a/x/y/c", true },
    { "a/**/c", "a/x/y/d", false },
    { "a/**/b/c", "a/b/b/c", true },
    { "**/**", "a", true },
    { "a/**/**", "a", true },
    { "**/a/**/b", "x/a/y/a/b", true },
    { "**/a/**/b", "x/b/y/a", false },
    { "**/a/b/**/c", "a/x/a/b/c", true },
    { "a/**/*", "a", false },
    { "a/**/*", "a/b", true },
    { "deepseek/**", ".keyturn/deepseek/x", false },
};

START_TEST(patterns_match)
{
    ck_assert_msg(kt_pattern_match(matches[_i].pattern, matches[_i].name) == matches[_i].want,
                  "'%s' and '%s'", matches[_i].pattern, matches[_i].name);
}
END_TEST

/* The definition, exponential and plain. NULL is past the last part. */
static bool ends(const char *text)
{
    return *text == '\0' || *text == '/';
}

static bool part_plainly(const char *p, const char *n)
{
    if (*p == '*')
        return part_plainly(p + 1, n) || (!ends(n) && part_plainly(p, n + 1));
    if (ends(p) || ends(n))
        return ends(p) && ends(n);
    return *p == *n && part_plainly(p + 1, n + 1);
}

static const char *after_slash(const char *text)
{
    const char *slash = strchr(text, '/');

    return slash != NULL ? slash + 1 : NULL;
}

static bool plainly(const char *p, const char *n)
{
    if (p == NULL)
        return n == NULL;
    if (strncmp(p, "**", 2) == 0)
        return plainly(after_slash(p), n) || (n != NULL && plainly(p, after_slash(n)));
    return n != NULL && part_plainly(p, n) && plainly(after_slash(p), after_slash(n));
}

/* Names and patterns of up to five parts over {a, b} and {a, b, *, **}. */
static void random_text(unsigned *seed, const char *const *parts, unsigned nparts, char out[64])
{
    unsigned n = 1 + (unsigned)rand_r(seed) % 5;
    size_t len = 0;

    while (n-- > 0)
        len += (size_t)snprintf(out + len, 64 - len, "%s%s", parts[(unsigned)rand_r(seed) % nparts],
                                n > 0 ? "/" : "");
}

START_TEST(matching_agrees_with_its_definition)
{
    static const char *const pparts[] = { "**", "*", "a*", "*b", "a", "*a*b", "**", "ab" };
    static const char *const nparts[] = { "a", "b", "ab", "aab", "ba" };
    unsigned seed = 1, hits = 0;
    char pattern[64] = "", name[64] = "";

    for (unsigned i = 0; i < 50000; i++) {
        bool want;

        random_text(&seed, pparts, 8, pattern);
        random_text(&seed, nparts, 5, name);
        ck_assert_int_eq(kt_pattern_check(pattern, NULL), KT_SUCCESS);
        want = plainly(pattern, name);
        ck_assert_msg(kt_pattern_match(pattern, name) == want, "'%s' and '%s'", pattern, name);
        hits += want;
    }
    ck_assert_uint_gt(hits, 1000);
}
END_TEST

static void repeat(char *out, const char *text, size_t times, const char *end)
{
    const size_t len = strlen(text);

    for (size_t i = 0; i < times * len; i++)
        out[i] = text[i % len];
    memcpy(out + times * len, end, strlen(end) + 1);
}

/* Backtracking that is not bounded would not end within the life of the machine. */
START_TEST(hostile_patterns_end)
{
    char pattern[KT_NAME_MAX + 1], name[KT_NAME_MAX + 1];

    repeat(pattern, "*a", KT_NAME_MAX / 2, "");
    repeat(name, "a", KT_NAME_MAX - 1, "b");
    ck_assert(!kt_pattern_match(pattern, name));
    repeat(pattern, "**/a/", 100, "c");
    repeat(name, "a/", 255, "b");
    ck_assert(!kt_pattern_match(pattern, name));
}
END_TEST

int main(void)
{
    Suite *s = suite_create("name");
    TCase *t = tcase_create("name");

    tcase_add_loop_test(t, names_follow_the_rules, 0, ROWS(names));
    tcase_add_test(t, every_byte_is_judged);
    tcase_add_test(t, a_name_has_at_most_512_bytes);
    tcase_add_loop_test(t, our_names_are_not_for_programs, 0, ROWS(owned));
    tcase_add_loop_test(t, a_prefix_is_whole_parts, 0, ROWS(prefixes));
    tcase_add_loop_test(t, services_follow_the_rules, 0, ROWS(services));
    suite_add_tcase(s, t);

    t = tcase_create("pattern");
    tcase_add_loop_test(t, patterns_follow_the_rules, 0, ROWS(patterns));
    tcase_add_loop_test(t, patterns_match, 0, ROWS(matches));
    tcase_add_test(t, matching_agrees_with_its_definition);
    tcase_add_test(t, hostile_patterns_end);
    suite_add_tcase(s, t);
    return kt_harness_run(s);
}
