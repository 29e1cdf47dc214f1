/* SPDX-License-Identifier: Apache-2.0 */

/* The keyring module's leaves: values as text, attributes= and its names, bus addresses, damaged files. */

#include "harness.h"

#include "../backends/keyring/address.h"
#include "../backends/keyring/pattern.h"
#include "../backends/keyring/scan.h"
#include "../backends/keyring/text.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ROWS(table) (int)(sizeof(table) / sizeof((table)[0]))
#define TEXT(s) (s), sizeof(s) - 1

/* ---- values ---------------------------------------------------------------------------------- */

static const struct {
    const char *title, *data;
    size_t len;
    bool plain;
} values[] = {
    { "a key", TEXT("sk-0123456789abcdef"), true },
    { "blanks inside", TEXT("a b  c"), true },
    { "umlauts", TEXT("p\xc3\xa4ssw\xc3\xb6rd"), true },
    { "beyond the BMP", TEXT("\xf0\x9f\x94\x91"), true },
    { "nothing", TEXT(""), false },
    { "a blank before", TEXT(" a"), false },
    { "a blank behind", TEXT("a "), false },
    { "a blank", TEXT(" "), false },
    { "a newline", TEXT("a\nb"), false },
    { "a NUL", TEXT("a\0b"), false },
    { "a tab", TEXT("a\tb"), false },
    { "DEL", TEXT("a\x7f"), false },
    { "a C1 control", TEXT("a\xc2\x9b"), false },
    { "a backslash", TEXT("a\\nb"), false },
    { "a byte order mark", TEXT("\xef\xbb\xbf"), false },
    { "U+FFFE", TEXT("\xef\xbf\xbe"), false },
    { "U+FDD0", TEXT("\xef\xb7\x90"), false },
    { "Latin-1", TEXT("p\xe4"), false },
    { "an overlong form", TEXT("\xc0\xaf"), false },
    { "a surrogate", TEXT("\xed\xa0\x80"), false },
    { "beyond Unicode", TEXT("\xf4\x90\x80\x80"), false },
    { "a cut character", TEXT("a\xe2\x82"), false },
};

START_TEST(only_plain_text_is_kept_as_it_is)
{
    ck_assert_msg(kt_text_is_plain(values[_i].data, values[_i].len) == values[_i].plain, "%s",
                  values[_i].title);
}
END_TEST

START_TEST(base64_gives_every_length_back)
{
    unsigned char data[300], back[303];
    char text[404];
    size_t len;

    for (size_t i = 0; i < sizeof(data); i++)
        data[i] = (unsigned char)(i * 37 + 11);
    for (size_t n = 0; n <= sizeof(data); n++) {
        kt_text_encode(data, n, text);
        ck_assert_msg(kt_text_is_plain(text, kt_text_encoded_size(n)), "%zu", n);
        ck_assert(kt_text_decode(text, kt_text_encoded_size(n), back, &len));
        ck_assert_uint_eq(len, n);
        ck_assert(memcmp(data, back, n) == 0);
    }
}
END_TEST

START_TEST(base64_is_what_others_make_of_it)
{
    char text[8];

    kt_text_encode("Man", 3, text);
    ck_assert(memcmp(text, "TWFu", 4) == 0);
    kt_text_encode("\xff\xfe\0\n", 4, text);
    ck_assert(memcmp(text, "//4ACg==", 8) == 0);
    kt_text_encode("", 0, text);
    ck_assert(text[0] == '=' && kt_text_encoded_size(0) == 1);
}
END_TEST

static const char *const no_base64[] = {
    "",     "a",     "ab",   "abc",   "abcde", "ab=c",     "a===",
    "====", "ab\n=", "YWJ=", "YR==x", "Y-J_",  "YQ==YQ==",
};

START_TEST(base64_that_we_did_not_make_is_refused)
{
    char out[16];
    size_t len;

    ck_assert_msg(!kt_text_decode(no_base64[_i], strlen(no_base64[_i]), out, &len), "'%s'",
                  no_base64[_i]);
}
END_TEST

static const struct {
    const char *text, *kept;
} escapes[] = {
    { "plain", "plain" },       { "", "%" },
    { "100%", "100%25" },       { "a\nb\r\x1b", "a%0ab%0d%1b" },
    { "\x7f", "%7f" },          { " a ", " a " },
    { "\xc3\xa4", "\xc3\xa4" }, { "%", "%25" },
};

START_TEST(attributes_are_escaped_and_come_back)
{
    char *kept = kt_text_escape(escapes[_i].text);

    ck_assert_str_eq(kept, escapes[_i].kept);
    ck_assert(kt_text_unescape(kept));
    ck_assert_str_eq(kept, escapes[_i].text);
    free(kept);
}
END_TEST

static const char *const no_escapes[] = { "a%", "a%2", "%zz", "%00", "%C3", "%c3", "a\xff" };

START_TEST(escapes_that_we_did_not_make_are_refused)
{
    char *text = strdup(no_escapes[_i]);

    ck_assert_msg(!kt_text_unescape(text), "'%s'", no_escapes[_i]);
    free(text);
}
END_TEST

START_TEST(the_check_is_bound_to_the_version_and_the_same_for_ever)
{
    static const char id[] = "0197f3a0-0000-7000-8000-000000000000";
    const uint64_t check = kt_text_check("s", "n", id, "value", 5);

    ck_assert(check == kt_text_check("s", "n", id, "value", 5));
    ck_assert(check != kt_text_check("t", "n", id, "value", 5));
    ck_assert(check != kt_text_check("s", "m", id, "value", 5));
    ck_assert(check != kt_text_check("s", "n", "0197f3a0-0000-7000-8000-000000000001", "value", 5));
    ck_assert(check != kt_text_check("s", "n", id, "valuf", 5));
    ck_assert(check != kt_text_check("s", "n", id, "value", 4));
    ck_assert_uint_eq(check, UINT64_C(0x2b313a5d459aa1d6));
}
END_TEST

/* ---- attributes= ----------------------------------------------------------------------------- */

START_TEST(a_pattern_has_keys_and_values)
{
    struct kt_pattern *p = NULL;
    char out[64], name[64];

    ck_assert_ptr_null(kt_pattern_parse("xdg:schema:org.foo,user:a/%n%%,a%:b:c%,d%:,e:", &p));
    ck_assert_uint_eq(p->n, 4);
    ck_assert_str_eq(p->pairs[0].key, "xdg:schema");
    ck_assert_str_eq(p->pairs[2].key, "a:b");
    ck_assert(kt_pattern_expand(p->pairs[1].value, "x/y", out, sizeof(out)));
    ck_assert_str_eq(out, "a/x/y%");
    ck_assert(kt_pattern_expand(p->pairs[2].value, "x", out, sizeof(out)));
    ck_assert_str_eq(out, "c,d:");
    ck_assert(kt_pattern_expand(p->pairs[3].value, "x", out, sizeof(out)));
    ck_assert_str_eq(out, "");
    ck_assert_uint_eq(kt_pattern_named(p), 1);
    ck_assert(kt_pattern_match(p->pairs[1].value, "a/x/y%", name, sizeof(name)));
    ck_assert_str_eq(name, "x/y");
    ck_assert(!kt_pattern_match(p->pairs[1].value, "a/%", name, sizeof(name)));
    ck_assert(!kt_pattern_match(p->pairs[1].value, "b/x%", name, sizeof(name)));
    ck_assert(!kt_pattern_match(p->pairs[1].value, "a/x", name, sizeof(name)));
    ck_assert(!kt_pattern_match(p->pairs[1].value, "a/xyz%", name, 3));
    kt_pattern_free(p);
}
END_TEST

START_TEST(a_value_that_does_not_fit_is_told)
{
    char out[6];

    ck_assert(kt_pattern_expand("%n-%b", "a/b", out, sizeof(out)));
    ck_assert_str_eq(out, "a/b-b");
    ck_assert(!kt_pattern_expand("%n-%b", "a/bc", out, sizeof(out)));
}
END_TEST

static const char *const no_patterns[] = {
    "",        "a",
    ":v",      "a:b,",
    "a:b,c",   ",a:b",
    "a:%x",    "a:%",
    "%n:b",    "a%b:c",
    "a:1,a:2", "a:\n",
    "a:\xff",  "a:1,b:1,c:1,d:1,e:1,f:1,g:1,h:1,i:1,j:1,k:1,l:1,m:1,n:1,o:1,p:1,q:1",
};

START_TEST(a_malformed_pattern_is_refused)
{
    struct kt_pattern *p = NULL;

    ck_assert_msg(kt_pattern_parse(no_patterns[_i], &p) != NULL, "'%s'", no_patterns[_i]);
    ck_assert_ptr_null(p);
}
END_TEST

/* ---- addresses ------------------------------------------------------------------------------- */

static const struct {
    const char *text, *paths[3]; /* a `@` begins an abstract one */
} addresses[] = {
    { "unix:path=/run/user/0/bus", { "/run/user/0/bus" } },
    { "unix:path=/a%20b,guid=00", { "/a b" } },
    { "unix:guid=00,path=/a", { "/a" } },
    { "unix:abstract=/tmp/x,guid=0", { "@/tmp/x" } },
    { "tcp:host=h,port=1;unix:path=/b;unix:abstract=c", { "/b", "@c" } },
    { "autolaunch:", { NULL } },
    { "unixexec:path=/bin/sh", { NULL } },
    { "unix:tmpdir=/tmp", { NULL } },
    { "unix:path=", { NULL } },
    { "unix:path=/a%2", { NULL } },
    { "unix:path=/a%00b", { NULL } },
    { "unix:path", { NULL } },
    { ";;", { NULL } },
    { "", { NULL } },
    { "unix:path=/0123456789012345678901234567890123456789012345678901234567890123456789"
      "012345678901234567890123456789012345678901234567890",
      { NULL } },
};

START_TEST(only_unix_sockets_are_taken)
{
    const char *rest = addresses[_i].text;
    struct kt_address a;

    for (int k = 0; addresses[_i].paths[k] != NULL; k++) {
        const char *path = addresses[_i].paths[k];

        ck_assert_msg(kt_address_next(&rest, &a), "%s", addresses[_i].text);
        if (path[0] != '@') {
            ck_assert_str_eq(a.un.sun_path, path);
            continue;
        }
        ck_assert(a.un.sun_path[0] == '\0');
        ck_assert_uint_eq(a.len, offsetof(struct sockaddr_un, sun_path) + strlen(path));
        ck_assert(memcmp(a.un.sun_path + 1, path + 1, strlen(path) - 1) == 0);
    }
    ck_assert_msg(!kt_address_next(&rest, &a), "%s", addresses[_i].text);
}
END_TEST

/* ---- damaged files --------------------------------------------------------------------------- */

#define HEAD "[keyring]\ndisplay-name=x\nctime=1\nlock-on-idle=false\n\n"
#define ITEM "[1]\nitem-type=0\ndisplay-name=a\nsecret="
#define ATTR "[1:attribute0]\nname=k\ntype=string\nvalue=v\n"

static const struct {
    const char *title, *text;
    size_t len;
    long line;
} files[] = {
    { "sound", TEXT(HEAD ITEM "abc\nmtime=1\n\n" ATTR), 0 },
    { "a secret with a `=` in it", TEXT(HEAD ITEM "abc=d\n" ATTR), 0 },
    { "an empty secret", TEXT(HEAD ITEM "\n" ATTR), 0 },
    { "no newline at the end", TEXT(HEAD ITEM "abc"), 0 },
    { "a newline in a secret", TEXT(HEAD ITEM "line1\nline2\nmtime=1\n" ATTR), 10 },
    { "a second line with a `=`", TEXT(HEAD ITEM "line1\nuser=joe\n" ATTR), 10 },
    { "a second line that is long", TEXT(HEAD ITEM "line1\n0123456789012345678901234=\n"), 10 },
    { "a newline at the end of a secret", TEXT(HEAD ITEM "line1\n\nmtime=1\n"), 0 },
    { "the last line", TEXT(HEAD ITEM "line1\nline2"), 10 },
    { "an encrypted one", TEXT("GnomeKeyring\n\r\0\n\0abc\nxyz\n"), 0 },
    { "nothing", TEXT(""), 0 },
    { "something else", TEXT("hello\nworld\n"), 0 },
};

START_TEST(lines_that_are_none_are_found)
{
    char *dir = kt_harness_dir();
    const int fd = open(dir, O_RDONLY | O_DIRECTORY);
    const int file = openat(fd, "x.keyring", O_WRONLY | O_CREAT, 0600);

    ck_assert_int_eq(write(file, files[_i].text, files[_i].len), (ssize_t)files[_i].len);
    (void)close(file);
    ck_assert_msg(kt_scan_file(fd, "x.keyring") == files[_i].line, "%s: %ld", files[_i].title,
                  kt_scan_file(fd, "x.keyring"));
    ck_assert_int_eq(kt_scan_file(fd, "absent.keyring"), -1);
    ck_assert_int_eq(symlinkat("x.keyring", fd, "link.keyring"), 0);
    ck_assert_int_eq(kt_scan_file(fd, "link.keyring"), -1);
    ck_assert_int_eq(kt_scan_file(fd, "."), -1);
    (void)close(fd);
    free(dir);
}
END_TEST

START_TEST(it_does_not_matter_how_a_file_is_cut)
{
    const char *const text = HEAD ITEM "line1\nline2\nmtime=1\n" ATTR;

    for (size_t step = 1; step < 20; step++) {
        struct kt_scan s = { .n = 0 };

        for (size_t at = 0; at < strlen(text); at += step)
            kt_scan_bytes(&s, text + at, strlen(text) - at < step ? strlen(text) - at : step);
        kt_scan_end(&s);
        ck_assert_uint_eq(s.bad, 10);
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("keyring-text");
    TCase *tc = tcase_create("text");

    tcase_add_loop_test(tc, only_plain_text_is_kept_as_it_is, 0, ROWS(values));
    tcase_add_test(tc, base64_gives_every_length_back);
    tcase_add_test(tc, base64_is_what_others_make_of_it);
    tcase_add_loop_test(tc, base64_that_we_did_not_make_is_refused, 0, ROWS(no_base64));
    tcase_add_loop_test(tc, attributes_are_escaped_and_come_back, 0, ROWS(escapes));
    tcase_add_loop_test(tc, escapes_that_we_did_not_make_are_refused, 0, ROWS(no_escapes));
    tcase_add_test(tc, the_check_is_bound_to_the_version_and_the_same_for_ever);
    tcase_add_test(tc, a_pattern_has_keys_and_values);
    tcase_add_test(tc, a_value_that_does_not_fit_is_told);
    tcase_add_loop_test(tc, a_malformed_pattern_is_refused, 0, ROWS(no_patterns));
    tcase_add_loop_test(tc, only_unix_sockets_are_taken, 0, ROWS(addresses));
    tcase_add_loop_test(tc, lines_that_are_none_are_found, 0, ROWS(files));
    tcase_add_test(tc, it_does_not_matter_how_a_file_is_cut);
    suite_add_tcase(s, tc);
    return kt_harness_run(s);
}
