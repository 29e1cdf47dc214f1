/* SPDX-License-Identifier: Apache-2.0 */
#include "harness.h"

#include "core/words.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROWS(table) (int)(sizeof(table) / sizeof((table)[0]))

/* All logical lines as text: words in |…|, those in brackets in {…}, each line ended by ';'. */
static int spell(const char *text, size_t len, char *out, size_t size, struct kt_err *err)
{
    struct kt_words w = { .n = 0 };
    struct kt_text t;
    char *copy = malloc(len + 1);
    size_t used = 0;
    int rc;

    out[0] = '\0';
    memcpy(copy, text, len);
    rc = kt_text_init(&t, "f", copy, len, err);
    while (rc == KT_SUCCESS) {
        rc = kt_words_next(&t, &w, err);
        if (rc != KT_SUCCESS || w.n == 0)
            break;
        for (size_t i = 0; i < w.n; i++) {
            const bool grouped = (w.form[i] & KT_WORD_GROUPED) != 0;
            used += (size_t)snprintf(out + used, size - used, grouped ? "{%s}" : "|%s|",
                                     w.at[i].text);
        }
        used += (size_t)snprintf(out + used, size - used, ";");
    }
    kt_words_done(&w);
    free(copy);
    return rc;
}

static const struct {
    const char *text;
    const char *want;
} lines[] = {
    { "", "" },
    { "\n\n \t\n", "" },
    { "a b", "|a||b|;" },
    { "  a\tb  \n", "|a||b|;" },
    { "a\nb\n\nc\n", "|a|;|b|;|c|;" },
    { "# all of it\na # rest\nb#c # d\n", "|a|;|b#c|;" },
    { "a\\\nb", "|a||b|;" },
    { "a \\\n b \\\n c\nd", "|a||b||c|;|d|;" },
    { "a \\  \t\nb", "|a||b|;" },         /* PAM allows blanks after the backslash */
    { "a \\\n\nb", "|a|;|b|;" },          /* an empty line still ends it */
    { "a \\\n# note \\\nb", "|a|;|b|;" }, /* a comment ends the logical line, backslash or not */
    { "a # note \\\nb", "|a|;|b|;" },
    { "a\\b \\x \\\\y", "|a\\b||\\x||\\\\y|;" }, /* a backslash elsewhere is a backslash */
    { "\\\na", "|a|;" },
    { "[a b] c", "{a b}|c|;" },
    { "x [k=some  value] y", "|x|{k=some  value}|y|;" },
    { "[a\\]b]", "{a]b};" },
    { "[a\\b]", "{a\\b};" },
    { "[a]b", "{a}|b|;" },
    { "a[b c]", "|a[b||c]|;" }, /* in the middle of a word it groups nothing */
    { "[a #b] c", "{a #b}|c|;" },
    { "[]", "{};" },
    { "[a \\\n   b]", "{a  b};" },
    { "[a\\\nb]", "{a b};" },
    { "[[a]", "{[a};" },
    { "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x94\x91",
      "|caf\xc3\xa9||\xe2\x82\xac||\xf0\x9f\x94\x91|;" },
};

START_TEST(lines_are_read_as_words)
{
    struct kt_err err = { .msg = "" };
    char out[256];

    ck_assert_msg(spell(lines[_i].text, strlen(lines[_i].text), out, sizeof(out), &err) ==
                      KT_SUCCESS,
                  "'%s': %s", lines[_i].text, err.msg);
    ck_assert_str_eq(out, lines[_i].want);
}
END_TEST

#define BYTES(s) s, sizeof(s) - 1

static const struct {
    const char *text;
    size_t len;
    const char *says;
} refused[] = {
    { BYTES("a b\r\n"), "f:1:4: expected a newline alone, found a carriage return" },
    { BYTES("a\n# \r\n"), "f:2:3: expected a newline alone" },
    { BYTES("a\nb\0c"), "f:2:2: expected text, found control byte 0x00" },
    { BYTES("\x1b[31m"), "f:1:1: expected text, found control byte 0x1b" },
    { BYTES("a\x7f"), "f:1:2: expected text, found control byte 0x7f" },
    { BYTES("a\xc2\x9b"), "f:1:2: expected text, found control byte 0x9b" },
    { BYTES("\xff"), "f:1:1: expected UTF-8, found byte 0xff" },
    { BYTES("\xc3"), "f:1:1: expected UTF-8" },
    { BYTES("\xc3("), "f:1:1: expected UTF-8" },
    { BYTES("\xc0\xaf"), "expected UTF-8" },         /* overlong */
    { BYTES("\xe0\x80\xaf"), "expected UTF-8" },     /* overlong */
    { BYTES("\xed\xa0\x80"), "expected UTF-8" },     /* a surrogate */
    { BYTES("\xf4\x90\x80\x80"), "expected UTF-8" }, /* past U+10FFFF */
    { BYTES("\xe2\x82("), "expected UTF-8" },
    { BYTES("a \\"), "f:1:3: expected another line after '\\', found the end of the file" },
    { BYTES("a \\\n"), "f:1:3: expected another line after '\\'" },
    { BYTES("a\nb\\  "), "f:2:2: expected another line after '\\'" },
    { BYTES("a\n b [c d\n]"), "f:2:4: expected ']'" },
    { BYTES("[a"), "f:1:1: expected ']'" },
    { BYTES("[a\\]"), "f:1:1: expected ']'" },
    { BYTES("[a \\\n"), "f:1:4: expected another line" },
};

START_TEST(what_stands_nowhere_is_refused)
{
    struct kt_err err = { .msg = "" };
    char out[256];

    ck_assert_int_eq(spell(refused[_i].text, refused[_i].len, out, sizeof(out), &err),
                     KT_CONFIG_ERROR);
    ck_assert_msg(strncmp(err.msg, refused[_i].says, strlen(refused[_i].says)) == 0 ||
                      (refused[_i].says[0] == 'e' && strstr(err.msg, refused[_i].says) != NULL),
                  "%s", err.msg);
}
END_TEST

START_TEST(a_word_knows_where_it_stands)
{
    char text[] = "\n  aa \\\n\tbb [c\\\n d] e\n";
    static const struct kt_word want[] = {
        { .text = (char *)"aa", .column = 3, .lineno = 2 },
        { .text = (char *)"bb", .column = 2, .lineno = 3 },
        { .text = (char *)"c d", .column = 5, .lineno = 3 },
        { .text = (char *)"e", .column = 5, .lineno = 4 },
    };
    struct kt_words w = { .n = 0 };
    struct kt_text t;

    ck_assert_int_eq(kt_text_init(&t, "f", text, sizeof(text) - 1, NULL), KT_SUCCESS);
    ck_assert_int_eq(kt_words_next(&t, &w, NULL), KT_SUCCESS);
    ck_assert_uint_eq(w.n, ROWS(want));
    for (size_t i = 0; i < w.n; i++) {
        ck_assert_str_eq(w.at[i].text, want[i].text);
        ck_assert_uint_eq(w.at[i].column, want[i].column);
        ck_assert_uint_eq(w.at[i].lineno, want[i].lineno);
    }
    ck_assert_uint_eq(w.form[2], KT_WORD_GROUPED | KT_WORD_BROKEN);
    ck_assert_uint_eq(w.form[3], 0);
    kt_words_done(&w);
}
END_TEST

START_TEST(words_in_a_line_are_bounded)
{
    char text[2 * KT_WORDS_MAX + 3], out[4 * KT_WORDS_MAX + 8];
    struct kt_err err;

    for (size_t i = 0; i < sizeof(text); i++)
        text[i] = i % 2 == 0 ? 'a' : ' ';
    ck_assert_int_eq(spell(text, sizeof(text) - 3, out, sizeof(out), &err), KT_SUCCESS);
    ck_assert_int_eq(spell(text, sizeof(text) - 2, out, sizeof(out), &err), KT_CONFIG_ERROR);
    ck_assert_str_eq(err.msg, "f:1:513: expected at most 256 words in a line");
}
END_TEST

START_TEST(quotes_are_short_and_whole)
{
    char text[100], out[KT_QUOTE_SIZE];

    memset(text, 'a', sizeof(text));
    text[KT_QUOTE_SIZE - 1] = '\0';
    ck_assert_str_eq(kt_quote(text, out), text);
    memset(text, 'a', sizeof(text));
    text[99] = '\0';
    ck_assert_uint_eq(strlen(kt_quote(text, out)), KT_QUOTE_SIZE - 1);
    ck_assert_str_eq(out + KT_QUOTE_SIZE - 5, "a...");
    memcpy(text + KT_QUOTE_SIZE - 5, "\xc3\xa9", 2); /* would be cut in two */
    ck_assert_str_eq(kt_quote(text, out) + KT_QUOTE_SIZE - 6, "a...");
}
END_TEST

START_TEST(a_long_path_leaves_room_for_the_message)
{
    char path[2000];
    struct kt_err err;

    memset(path, 'd', sizeof(path));
    memcpy(path + sizeof(path) - 5, "/end", 5);
    ck_assert_int_eq(kt_refuse(&err, path, 3, 4, "expected %s", "this"), KT_CONFIG_ERROR);
    ck_assert_ptr_nonnull(strstr(err.msg, "d/end:3:4: expected this"));
    ck_assert_int_eq(strncmp(err.msg, "...d", 4), 0);
    (void)kt_refuse(&err, "f", 3, 0, "x");
    ck_assert_str_eq(err.msg, "f:3: x");
    (void)kt_refuse(&err, "f", 0, 0, "x");
    ck_assert_str_eq(err.msg, "f: x");
    ck_assert_int_eq(kt_refuse_as(&err, KT_DENIED, "f", 1, 2, "x"), KT_DENIED);
    ck_assert_int_eq(err.status, KT_DENIED);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("words");
    TCase *c = tcase_create("words");

    tcase_add_loop_test(c, lines_are_read_as_words, 0, ROWS(lines));
    tcase_add_loop_test(c, what_stands_nowhere_is_refused, 0, ROWS(refused));
    tcase_add_test(c, a_word_knows_where_it_stands);
    tcase_add_test(c, words_in_a_line_are_bounded);
    tcase_add_test(c, quotes_are_short_and_whole);
    tcase_add_test(c, a_long_path_leaves_room_for_the_message);
    suite_add_tcase(s, c);
    return kt_harness_run(s);
}
