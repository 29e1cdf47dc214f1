/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What `keyturn scan` takes for a key, and how it finds one in data. No key stands in this file: they
 * are put together from a prefix and letters that are drawn.
 */
#include "cli/scan-find.h"

#include "harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(a) (int)(sizeof(a) / sizeof((a)[0]))
#define HEX "0123456789abcdef"
#define UPPER "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define LOWER "abcdefghijklmnopqrstuvwxyz"
#define ALNUM UPPER LOWER "0123456789"
#define WORD ALNUM "-_"

static const uint64_t print_key[2] = { 7, 9 };

/* ---- what was found ------------------------------------------------------------------------- */

static struct found got[64];
static int ngot;

static void found(void *cookie, const struct found *f)
{
    (void)cookie;
    ck_assert_int_lt(ngot, COUNT(got));
    got[ngot++] = *f;
}

static struct finder *new_finder(const struct own *own)
{
    struct finder *f;

    rules_init();
    ck_assert_int_eq(finder_new(own, print_key, found, NULL, &f), KT_SUCCESS);
    ngot = 0;
    return f;
}

static void look(const struct own *own, const void *data, size_t len)
{
    struct finder *f = new_finder(own);

    finder_add(f, data, len);
    finder_end(f);
    finder_free(f);
}

static void look_text(const char *text)
{
    look(NULL, text, strlen(text));
}

/* @n letters of @of, the same each time for the same @seed */
static char *draw(char *out, const char *of, size_t n, uint64_t seed)
{
    uint64_t x = 0x9e3779b97f4a7c15U * (seed + 1);

    for (size_t i = 0; i < n; i++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        out[i] = of[(x >> 20) % strlen(of)];
    }
    out[n] = '\0';
    return out;
}

static size_t base64(const unsigned char *in, size_t len, char *out, size_t width)
{
    static const char digits[] = UPPER LOWER "0123456789+/";
    size_t n = 0, column = 0;

    for (size_t i = 0; i < len; i += 3) {
        const uint32_t bits = (uint32_t)in[i] << 16 | (i + 1 < len ? (uint32_t)in[i + 1] << 8 : 0) |
                              (i + 2 < len ? in[i + 2] : 0);

        for (int k = 0; k < 4; k++) {
            if (width != 0 && column == width) {
                out[n++] = '\n';
                column = 0;
            }
            out[n++] = i + (size_t)k > len ? '=' : digits[bits >> (18 - 6 * k) & 63];
            column++;
        }
    }
    out[n] = '\0';
    return n;
}

/* ---- shapes --------------------------------------------------------------------------------- */

static const struct {
    const char *rule;
    const char *prefix;
    const char *letters;
    size_t n;
    const char *suffix;
    bool doubtful;
} shapes[] = {
    { "deepseek", "sk-", HEX, 32, "", false },
    { "openai", "sk-", ALNUM, 48, "", false },
    { "openai", "sk-proj-", WORD, 156, "", false },
    { "openai", "sk-proj-", HEX, 48, "", false },
    { "openai", "sk-svcacct-", WORD, 116, "", false },
    { "openai-admin", "sk-admin-", WORD, 116, "", false },
    { "openrouter", "sk-or-v1-", HEX, 64, "", false },
    { "anthropic", "sk-ant-api03-", WORD, 93, "AA", false },
    { "anthropic", "sk-ant-admin01-", WORD, 93, "AA", false },
    { "aws-access-key", "AKIA", UPPER "234567", 16, "", false },
    { "aws-access-key", "ASIA", UPPER "0123456789", 16, "", false },
    { "aws-secret-key", "aws_secret_access_key = ", ALNUM "/+", 40, "", false },
    { "azure-storage", "AccountKey=", ALNUM, 76, "+AStAAAAAg==", false },
    { "azure-client-secret", "Abc8Q~", ALNUM "._~-", 34, "", false },
    { "cerebras", "csk-", ALNUM, 48, "", false },
    { "databricks", "dapi", HEX, 32, "", false },
    { "digitalocean", "dop_v1_", HEX, 64, "", false },
    { "docker", "dckr_pat_", ALNUM, 27, "", false },
    { "github", "ghp_", ALNUM, 36, "", true },
    { "github", "ghs_", ALNUM, 36, "", true },
    { "github-fine-grained", "github_pat_", ALNUM, 82, "", false },
    { "gitlab", "glpat-", ALNUM, 20, "", false },
    { "google", "AIza", WORD, 35, "", false },
    { "google-oauth", "GOCSPX-", ALNUM, 28, "", false },
    { "grafana", "glsa_", ALNUM, 32, "_0a1b2c3d", false },
    { "groq", "gsk_", ALNUM, 52, "", false },
    { "huggingface", "hf_", UPPER LOWER, 34, "", false },
    { "linear", "lin_api_", ALNUM, 40, "", false },
    { "npm", "npm_", ALNUM, 36, "", true },
    { "nvidia", "nvapi-", WORD, 64, "", false },
    { "perplexity", "pplx-", ALNUM, 48, "", false },
    { "private-key", "-----BEGIN PRIVATE KEY-----\n", ALNUM "/+", 64, "\n", false },
    { "private-key", "-----BEGIN RSA PRIVATE KEY-----\\n", ALNUM "/+", 64, "\\n", false },
    { "private-key", "-----BEGIN OPENSSH PRIVATE KEY-----\r\n", ALNUM "/+", 70, "\r\n", false },
    { "private-key",
      "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: "
      "AES-128-CBC,00112233445566"
      "778899AABBCCDDEEFF\n\n",
      ALNUM "/+", 64, "\n", false },
    { "private-key", "-----BEGIN PGP PRIVATE KEY BLOCK-----\n\n", ALNUM "/+", 64, "\n", false },
    { "private-key", "AGE-SECRET-KEY-1", UPPER "234567", 58, "", false },
    { "pypi", "pypi-AgEIcHlwaS5vcmc", WORD, 120, "", false },
    { "replicate", "r8_", ALNUM, 37, "", false },
    { "sendgrid", "SG.", ALNUM, 22, ".abcXYZ0123456789qrsTUVuvw4567890lmnOPQ89012", false },
    { "shopify", "shpat_", HEX, 32, "", false },
    { "slack", "xoxb-123456789012-234567890123-", ALNUM, 24, "", false },
    { "stripe", "sk_live_", ALNUM, 24, "", false },
    { "stripe", "rk_live_", ALNUM, 99, "", false },
    { "tavily", "tvly-dev-", ALNUM, 32, "", false },
    { "together", "tgp_v1_", WORD, 43, "", false },
    { "vault", "hvs.", WORD, 90, "", false },
    { "xai", "xai-", ALNUM, 80, "", false },
};

/* Each with other text around it, and for several draws. */
static const char *const around[][2] = {
    { "", "" },
    { "KEY=", "\n" },
    { "'", "'" },
    { "\\n", " " },
    { "a%3D", "&b" },
    { "\\u003d", "\"}" },
    { "\x1b[1;32m", "\x1b" },
    { "://u:", "@host" },
};

START_TEST(a_shape_is_found)
{
    char body[256], text[1024];

    for (int a = 0; a < COUNT(around); a++) {
        for (uint64_t seed = 0; seed < 20; seed++) {
            const size_t len = (size_t)snprintf(text, sizeof(text), "first\n%s%s%s%s%s",
                                                around[a][0], shapes[_i].prefix,
                                                draw(body, shapes[_i].letters, shapes[_i].n, seed),
                                                shapes[_i].suffix, around[a][1]);

            look(NULL, text, len);
            ck_assert_msg(ngot == 1, "%s: %d found in: %s", shapes[_i].rule, ngot, text);
            ck_assert_str_eq(got[0].rule->name, shapes[_i].rule);
            ck_assert_int_eq(got[0].doubtful, shapes[_i].doubtful);
            ck_assert_uint_ge(got[0].from, 6 + strlen(around[a][0]));
            ck_assert_uint_le(got[0].to, len);
        }
    }
}
END_TEST

START_TEST(a_shape_within_a_word_or_of_another_length_is_none)
{
    static const char *const wrong[][2] = {
        { "task-", "" },      { "1sk-", "" }, { "sk-", "a" }, { "sk-", "0" },
        { "desk_risk-", "" }, { "SK-", "" },  { "sk_", "" },  { "sk--", "" },
    };
    char body[64], text[256];

    for (int i = 0; i < COUNT(wrong); i++) {
        (void)snprintf(text, sizeof(text), "%s%s%s", wrong[i][0], draw(body, HEX, 32, 5),
                       wrong[i][1]);
        look_text(text);
        ck_assert_msg(ngot == 0, "%s", wrong[i][0]);
    }
    (void)snprintf(text, sizeof(text), "sk-%s", draw(body, HEX, 31, 5));
    look_text(text);
    ck_assert_int_eq(ngot, 0);
}
END_TEST

static const char *const placeholders[] = {
    "sk-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
    "sk-00000000000000000000000000000000",
    "sk-aaaaaaaabbbbbbbbccccccccdddddddd",
    "sk-deadbeefdeadbeefdeadbeefdeadbeef",
    "sk-proj-your-openai-api-key-goes-here-please-do-not-share",
    "sk-ant-api03-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
    "sk-ant-this-is-not-a-real-key-but-words-and-words-and-words",
    "AKIAIOSFODNN7EXAMPLE",
    "AKIAI44QH8DHBEXAMPLE",
    "AKIAXXXXXXXXXXXXXXXX",
    "aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    "aws_secret_access_key = da39a3ee5e6b4b0d3255bfef95601890afd80709",
    "ghp_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
    "ghp_abcdefghijklmnopqrstuvwxyz0123456789",
    "hf_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
    "xoxb-your-bot-token-goes-here-please",
    "xoxb-xxxxxxxxxxxx-xxxxxxxxxxxx-xxxxxxxxxxxxxxxxxxxxxxxx",
    "gsk_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
    "sk_live_xxxxxxxxxxxxxxxxxxxxxxxx",
    "-----BEGIN PRIVATE KEY-----\n...\n-----END PRIVATE KEY-----\n",
    "-----BEGIN PRIVATE KEY-----",
    ("eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIiwibmFtZSI6IkpvaG4gRG9lIiwiaWF0"
     "IjoxNTE2MjM5MDIyfQ.SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV_adQssw5c"),
    "skeletonkey-0123456789abcdef0123456789abcdef",
    "mask-0123456789abcdef0123456789abcdef",
};

START_TEST(a_placeholder_is_no_key)
{
    look_text(placeholders[_i]);
    ck_assert_msg(ngot == 0, "%s", placeholders[_i]);
}
END_TEST

START_TEST(a_certificate_is_no_private_key)
{
    char body[128], text[512];

    (void)snprintf(text, sizeof(text),
                   "-----BEGIN CERTIFICATE-----\n%s\n-----BEGIN PUBLIC KEY-----\n%s\n",
                   draw(body, ALNUM, 64, 1), body);
    look_text(text);
    ck_assert_int_eq(ngot, 0);
}
END_TEST

START_TEST(a_checksum_is_checked)
{
    /* from GitHub's own description of the format, long revoked; in two halves */
    char text[64];

    (void)snprintf(text, sizeof(text), "%s%s", "ghp_zQWBuTSOoRi4A9spH", "cVY5ncnsDkxkJ0mLq17");
    look_text(text);
    ck_assert_int_eq(ngot, 1);
    ck_assert(!got[0].doubtful);
    text[10]++;
    look_text(text);
    ck_assert_int_eq(ngot, 1);
    ck_assert(got[0].doubtful);
}
END_TEST

START_TEST(a_secret_key_is_found_near_its_id)
{
    char id[32], body[64], text[512];

    (void)snprintf(text, sizeof(text), "AKIA%s,\n%s\n", draw(id, UPPER, 16, 3),
                   draw(body, ALNUM, 40, 4));
    look_text(text);
    ck_assert_int_eq(ngot, 2);
    look_text(body);
    ck_assert_int_eq(ngot, 0);
}
END_TEST

START_TEST(a_web_token_is_found)
{
    static const char head[] = "{\"alg\":\"HS256\"}", claims[] = "{\"iss\":\"keyturn\",\"n\":42}";
    char a[64], b[64], sig[64], text[256];

    (void)base64((const unsigned char *)head, strlen(head), a, 0);
    (void)base64((const unsigned char *)claims, strlen(claims), b, 0);
    a[strcspn(a, "=")] = b[strcspn(b, "=")] = '\0';
    (void)snprintf(text, sizeof(text), "Bearer %s.%s.%s.", a, b, draw(sig, ALNUM, 43, 8));
    look_text(text);
    ck_assert_int_eq(ngot, 1);
    ck_assert_str_eq(got[0].rule->name, "jwt");
}
END_TEST

/* ---- encodings ------------------------------------------------------------------------------ */

static char key[64];

/* Also in `key`. */
static const char *a_key(void)
{
    char body[40];

    (void)snprintf(key, sizeof(key), "sk-%s", draw(body, HEX, 32, 11));
    return key;
}

static size_t wide(const char *text, unsigned char *out, bool big)
{
    const size_t n = strlen(text);

    for (size_t i = 0; i < n; i++) {
        out[2 * i + (big ? 1 : 0)] = (unsigned char)text[i];
        out[2 * i + (big ? 0 : 1)] = 0;
    }
    return 2 * n;
}

START_TEST(utf_16_is_read_at_any_offset)
{
    unsigned char data[512];
    char text[128];

    (void)snprintf(text, sizeof(text), "one\ntwo key=%s\nend", a_key());
    for (size_t pad = 0; pad < 9; pad++) {
        for (int big = 0; big < 2; big++) {
            size_t n;

            memset(data, 0xee, pad);
            n = pad + wide(text, data + pad, big);
            look(NULL, data, n);
            ck_assert_int_eq(ngot, 1);
            ck_assert_uint_eq(got[0].how, HOW_WIDE);
            ck_assert_uint_eq(got[0].line, 2);
            ck_assert_uint_eq(got[0].column, 9);
        }
    }
}
END_TEST

START_TEST(base64_is_read_at_any_alignment)
{
    static const size_t widths[] = { 0, 76, 64, 60, 20 };
    char plain[160], coded[400], text[600];

    for (size_t pad = 0; pad < 90; pad++) {
        for (int w = 0; w < COUNT(widths); w++) {
            for (size_t glued = 0; glued < 4; glued++) {
                memset(plain, 'p', pad);
                (void)snprintf(plain + pad, sizeof(plain) - pad, " %s!", a_key());
                (void)base64((unsigned char *)plain, strlen(plain), coded, widths[w]);
                /* with a line of any other length first, wrapped lines are no block */
                if (glued != 0 && widths[w] != 0)
                    continue;
                (void)snprintf(text, sizeof(text), "x\n%.*s%s\n", (int)glued, "///", coded);
                look_text(text);
                ck_assert_msg(ngot == 1, "%d found: pad %zu width %zu glued %zu", ngot, pad,
                              widths[w], glued);
                ck_assert_uint_eq(got[0].how, HOW_BASE64);
                ck_assert_uint_ge(got[0].line, 2);
                const size_t digit = (pad + 1) / 3 * 4 + (pad + 1) % 3;
                ck_assert_uint_eq(got[0].from,
                                  2 + glued + digit + (widths[w] != 0 ? digit / widths[w] : 0));
            }
        }
    }
}
END_TEST

START_TEST(base64_of_urls_and_of_utf_16_is_read)
{
    unsigned char data[256];
    char coded[400];
    size_t n = wide(a_key(), data, false);

    (void)base64(data, n, coded, 0);
    look_text(coded);
    ck_assert_int_eq(ngot, 1);
    ck_assert_uint_eq(got[0].how, HOW_BASE64 | HOW_WIDE);
    /* ~~~ and ??? make `+` and `/` */
    n = (size_t)snprintf((char *)data, sizeof(data), "~~~???%s~~~???", a_key());
    (void)base64(data, n, coded, 0);
    for (char *p = coded; *p != '\0'; p++)
        *p = *p == '+' ? '-' : *p == '/' ? '_' : *p;
    look_text(coded);
    ck_assert_int_eq(ngot, 1);
}
END_TEST

/* ---- our own -------------------------------------------------------------------------------- */

static struct own *owning(const char *const *values, size_t n)
{
    struct own *o;

    ck_assert_int_eq(own_new(print_key, &o), KT_SUCCESS);
    for (size_t i = 0; i < n; i++) {
        char name[16];

        (void)snprintf(name, sizeof(name), "name%zu", i);
        ck_assert_int_eq(own_add(o, name, "v", values[i], strlen(values[i])), OWN_ADDED);
    }
    ck_assert(own_build(o));
    return o;
}

static const char *const ours[] = {
    "correct horse 7",        /* words and blanks */
    "x9!kQ2#z",               /* as short as may be */
    "aW4gYmFzZTY0IGl0c2VsZg", /* in the letters of base64 */
    "multi\nline \"quoted\" value/with slash",
    "a longer one, which has more than the sixteen windows that are kept",
};

START_TEST(our_own_are_found_anywhere)
{
    char data[256];

    for (int with = 0; with < 2; with++) {
        /* alone, and with others: the shortest of all decides in which steps data are looked at */
        struct own *o = with ? owning(ours, 5) : owning(ours + _i, 1);

        for (size_t at = 0; at < 40; at++) {
            const size_t n = strlen(ours[_i]);

            memset(data, '.', sizeof(data));
            memcpy(data + at, ours[_i], n);
            look(o, data, at + n);
            ck_assert_msg(ngot == 1, "%d found at %zu", ngot, at);
            ck_assert_ptr_null(got[0].rule);
            ck_assert_uint_eq(got[0].from, at);
            ck_assert_uint_eq(got[0].to, at + n);
            data[at + n - 1] ^= 1;
            look(o, data, at + n);
            ck_assert_int_eq(ngot, 0);
        }
        own_free(o);
    }
}
END_TEST

START_TEST(our_own_are_found_encoded)
{
    static const struct {
        const char *text;
        enum own_form form;
    } rows[] = {
        { "{\"k\":\"multi\\nline \\\"quoted\\\" value/with slash\"}", OWN_JSON },
        { "k=multi%0Aline%20%22quoted%22%20value%2Fwith%20slash&", OWN_PERCENT },
        { "k=correct%20horse%207", OWN_PERCENT },
    };
    struct own *o = owning(ours, 5);
    unsigned char data[256];
    char coded[256];

    for (int i = 0; i < COUNT(rows); i++) {
        look(o, rows[i].text, strlen(rows[i].text));
        ck_assert_int_eq(ngot, 1);
        ck_assert_int_eq(got[0].own.form, rows[i].form);
    }
    for (int i = 0; i < 5; i++) {
        uint64_t print;

        look(o, ours[i], strlen(ours[i]));
        print = got[0].print;
        look(o, data, wide(ours[i], data, i % 2));
        ck_assert_int_eq(ngot, 1);
        ck_assert_uint_eq(got[0].how, HOW_WIDE);
        for (size_t pad = 0; pad < 6; pad++) {
            memset(data, '#', pad);
            memcpy(data + pad, ours[i], strlen(ours[i]));
            (void)snprintf((char *)data + pad + strlen(ours[i]), 32, "## and some more");
            (void)base64(data, strlen((char *)data), coded, 0);
            look(o, coded, strlen(coded));
            ck_assert_msg(ngot == 1, "value %d, pad %zu: %d", i, pad, ngot);
            ck_assert_uint_eq(got[0].how, HOW_BASE64);
            ck_assert_uint_eq(got[0].print, print);
        }
    }
    own_free(o);
}
END_TEST

START_TEST(our_own_may_be_bytes)
{
    unsigned char value[32], data[128];
    char coded[256];
    struct own *o;

    for (size_t i = 0; i < sizeof(value); i++)
        value[i] = (unsigned char)(0x80 + 37 * i);
    ck_assert_int_eq(own_new(print_key, &o), KT_SUCCESS);
    ck_assert_int_eq(own_add(o, "n", "v", value, sizeof(value)), OWN_ADDED);
    ck_assert(own_build(o));
    memset(data, 0, sizeof(data));
    memcpy(data + 50, value, sizeof(value));
    look(o, data, sizeof(data));
    ck_assert_int_eq(ngot, 1);
    (void)base64(data + 47, 40, coded, 20);
    look(o, coded, strlen(coded));
    ck_assert_int_eq(ngot, 1);
    own_free(o);
}
END_TEST

START_TEST(ours_go_before_shapes_and_the_longest_first)
{
    char text[256], longer[80];
    const char *values[2] = { a_key(), longer };
    struct own *o;

    (void)snprintf(longer, sizeof(longer), "%s-and-more", a_key());
    o = owning(values, 2);
    (void)snprintf(text, sizeof(text), "%s, %s;", key, longer);
    look(o, text, strlen(text));
    ck_assert_int_eq(ngot, 2);
    ck_assert_str_eq(got[0].own.name, "name0");
    ck_assert_str_eq(got[1].own.name, "name1");
    own_free(o);
}
END_TEST

START_TEST(what_any_text_may_hold_is_not_looked_for)
{
    static const struct {
        const char *value;
        enum own_added want;
    } rows[] = {
        { "", OWN_SHORT },
        { "short", OWN_SHORT },
        { "  short \n", OWN_SHORT },
        { "password", OWN_SIMPLE },
        { "20261121", OWN_SIMPLE },
        { "aaaaaaaaaaaaaaaaaaaa", OWN_SIMPLE },
        { "Production", OWN_SIMPLE },
        { "passw0rd", OWN_ADDED },
        { "production-db", OWN_ADDED },
    };
    struct own *o;

    ck_assert_int_eq(own_new(print_key, &o), KT_SUCCESS);
    for (int i = 0; i < COUNT(rows); i++)
        ck_assert_msg(own_add(o, "n", "v", rows[i].value, strlen(rows[i].value)) == rows[i].want,
                      "%s", rows[i].value);
    own_free(o);
}
END_TEST

START_TEST(line_ends_around_a_value_do_not_count_and_members_do)
{
    static const char value[] = "{\"user\": \"somebody-else\", \"key\":\"Tr0ub4dor&3 and on\"}\n";
    const char *values[] = { value };
    struct own *o = owning(values, 1);

    look_text("");
    look(o, value, strlen(value) - 1);
    ck_assert_int_eq(ngot, 1);
    look(o, "key=Tr0ub4dor&3 and on.", 23);
    ck_assert_int_eq(ngot, 1);
    ck_assert_str_eq(got[0].own.name, "name0");
    own_free(o);
}
END_TEST

/* ---- pieces --------------------------------------------------------------------------------- */

/* This program is built with pieces of 12,000 bytes: a key lies across their borders at every
 * offset, and is found once, where it is. */
static void straddle(const struct own *own, const char *what, size_t n, unsigned how, size_t step)
{
    static unsigned char data[48000];
    struct finder *f = new_finder(own);

    for (size_t at = 20000; at < 20000 + 12500; at += step) {
        memset(data, ' ', sizeof(data));
        data[100] = data[15000] = '\n';
        memcpy(data + at, what, n);
        ngot = 0;
        for (size_t i = 0; i < sizeof(data); i += 3000)
            finder_add(f, data + i, sizeof(data) - i < 3000 ? sizeof(data) - i : 3000);
        finder_end(f);
        ck_assert_msg(ngot == 1, "%d found at %zu", ngot, at);
        ck_assert_uint_eq(got[0].how, how);
        ck_assert_uint_ge(got[0].from, at);
        ck_assert_uint_le(got[0].to, at + n);
        ck_assert_uint_ge(got[0].line, 3);
    }
    finder_free(f);
}

/* What makes it none, or a key, may be in the piece before. */
START_TEST(what_is_before_counts_across_pieces)
{
    static unsigned char data[48000];
    struct finder *f = new_finder(NULL);
    char text[256], id[32], body[64];
    size_t n = (size_t)snprintf(text, sizeof(text), "a%s AKIA%s %s", a_key(),
                                draw(id, UPPER, 16, 3), draw(body, ALNUM, 40, 4));

    for (size_t at = 20000; at < 20000 + 12500; at++) {
        memset(data, ' ', sizeof(data));
        memcpy(data + at, text, n);
        ngot = 0;
        finder_add(f, data, sizeof(data));
        finder_end(f);
        ck_assert_msg(ngot == 2, "%d found at %zu", ngot, at);
        ck_assert_str_eq(got[0].rule->name, "aws-access-key");
        ck_assert_str_eq(got[1].rule->name, "aws-secret-key");
    }
    finder_free(f);
}
END_TEST

START_TEST(a_key_may_lie_across_pieces)
{
    char text[256], coded[512];
    unsigned char data[256];
    struct own *o = owning(ours + 4, 1);

    (void)snprintf(text, sizeof(text), " %s ", a_key());
    straddle(NULL, text, strlen(text), 0, 1);
    straddle(o, ours[4], strlen(ours[4]), 0, 1);
    straddle(NULL, (const char *)data, wide(text, data, false), HOW_WIDE, 3);
    coded[0] = '\n';
    (void)base64((unsigned char *)text, strlen(text), coded + 1, 20);
    strncat(coded, "\n", 2);
    straddle(NULL, coded, strlen(coded), HOW_BASE64, 3);
    own_free(o);
}
END_TEST

START_TEST(lines_and_columns_are_counted_through_pieces)
{
    struct finder *f = new_finder(NULL);
    char line[200];

    for (int i = 0; i < 5000; i++) {
        int n = i == 7 || i == 4321 ? snprintf(line, sizeof(line), "%d: %s\n", i, a_key())
                                    : snprintf(line, sizeof(line), "%d: nothing\n", i);

        finder_add(f, line, (size_t)n);
    }
    finder_end(f);
    ck_assert_int_eq(ngot, 2);
    ck_assert_uint_eq(got[0].line, 8);
    ck_assert_uint_eq(got[0].column, 4);
    ck_assert_uint_eq(got[1].line, 4322);
    ck_assert_uint_eq(got[1].column, 7);
    /* and from 1 again in the next one */
    (void)a_key();
    finder_add(f, key, strlen(key));
    finder_end(f);
    ck_assert_uint_eq(got[2].line, 1);
    ck_assert_uint_eq(got[2].from, 0);
    finder_free(f);
}
END_TEST

START_TEST(holes_are_jumped_over)
{
    struct finder *f = new_finder(NULL);

    (void)a_key();
    finder_add(f, key, strlen(key));
    finder_skip(f, (uint64_t)6 << 30);
    finder_add(f, "\n", 1);
    finder_add(f, key, strlen(key));
    finder_skip(f, 10);
    finder_end(f);
    ck_assert_int_eq(ngot, 2);
    ck_assert_uint_eq(got[0].from, 0);
    ck_assert_uint_eq(got[1].from, strlen(key) + ((uint64_t)6 << 30) + 1);
    ck_assert_uint_eq(got[1].line, 2);
    ck_assert_uint_eq(got[1].column, 1);
    finder_free(f);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("cli scan");
    TCase *t = tcase_create("scan");

    tcase_set_timeout(t, 300);
    tcase_add_checked_fixture(t, NULL, kt_harness_no_secrets);
    tcase_add_loop_test(t, a_shape_is_found, 0, COUNT(shapes));
    tcase_add_test(t, a_shape_within_a_word_or_of_another_length_is_none);
    tcase_add_loop_test(t, a_placeholder_is_no_key, 0, COUNT(placeholders));
    tcase_add_test(t, a_certificate_is_no_private_key);
    tcase_add_test(t, a_checksum_is_checked);
    tcase_add_test(t, a_secret_key_is_found_near_its_id);
    tcase_add_test(t, a_web_token_is_found);
    tcase_add_test(t, utf_16_is_read_at_any_offset);
    tcase_add_test(t, base64_is_read_at_any_alignment);
    tcase_add_test(t, base64_of_urls_and_of_utf_16_is_read);
    tcase_add_loop_test(t, our_own_are_found_anywhere, 0, COUNT(ours));
    tcase_add_test(t, our_own_are_found_encoded);
    tcase_add_test(t, our_own_may_be_bytes);
    tcase_add_test(t, ours_go_before_shapes_and_the_longest_first);
    tcase_add_test(t, what_any_text_may_hold_is_not_looked_for);
    tcase_add_test(t, line_ends_around_a_value_do_not_count_and_members_do);
    tcase_add_test(t, a_key_may_lie_across_pieces);
    tcase_add_test(t, what_is_before_counts_across_pieces);
    tcase_add_test(t, lines_and_columns_are_counted_through_pieces);
    tcase_add_test(t, holes_are_jumped_over);
    suite_add_tcase(s, t);
    return kt_harness_run(s);
}
