/* SPDX-License-Identifier: Apache-2.0 */
#include "text.h"

#include "kit/base64.h"
#include "kit/siphash.h"

#include <stdlib.h>
#include <string.h>

/* ---- UTF-8 ----------------------------------------------------------------------------------- */

/* Bytes of the character at @p, 0: none. Overlong forms and surrogates are none. */
static size_t next_char(const uint8_t *p, size_t left, uint32_t *c)
{
    static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
    const size_t n = p[0] < 0x80 ? 1 : p[0] < 0xc0 ? 0 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;

    if (n == 0 || n > left || p[0] > 0xf4)
        return 0;
    *c = n == 1 ? p[0] : p[0] & (0x7fU >> n);
    for (size_t i = 1; i < n; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0;
        *c = *c << 6 | (p[i] & 0x3f);
    }
    return *c < least[n] || *c > 0x10ffff || (*c >= 0xd800 && *c < 0xe000) ? 0 : n;
}

static bool is_control(uint32_t c)
{
    return c < 0x20 || (c >= 0x7f && c < 0xa0);
}

/* What some store escapes, drops or takes for a mark: byte order marks and what is no character. */
static bool is_special(uint32_t c)
{
    return is_control(c) || c == '\\' || c == 0xfeff || (c & 0xfffe) == 0xfffe ||
           (c >= 0xfdd0 && c < 0xfdf0);
}

bool kt_text_is_plain(const void *data, size_t len)
{
    const uint8_t *p = data;
    size_t n;

    if (len == 0 || p[0] == ' ' || p[len - 1] == ' ')
        return false;
    for (size_t at = 0; at < len; at += n) {
        uint32_t c = 0;

        n = next_char(p + at, len - at, &c);
        if (n == 0 || is_special(c))
            return false;
    }
    return true;
}

bool kt_text_is_utf8(const char *text)
{
    const size_t len = strlen(text);
    size_t n;

    for (size_t at = 0; at < len; at += n) {
        uint32_t c = 0;

        n = next_char((const uint8_t *)text + at, len - at, &c);
        if (n == 0)
            return false;
    }
    return true;
}

bool kt_text_has_controls(const char *text)
{
    for (; *text != '\0'; text++)
        if ((unsigned char)*text < 0x20 || *text == 0x7f)
            return true;
    return false;
}

/* ---- base64, where an empty value is "=" ------------------------------------------------------- */

size_t kt_text_encoded_size(size_t len)
{
    return len == 0 ? 1 : kt_base64_encode(NULL, len, NULL);
}

void kt_text_encode(const void *data, size_t len, char *out)
{
    if (len == 0)
        *out = '=';
    else
        (void)kt_base64_encode(data, len, out);
}

bool kt_text_decode(const char *text, size_t len, void *out, size_t *out_len)
{
    *out_len = 0;
    if (len == 1)
        return text[0] == '=';
    return len > 0 && kt_base64_decode(text, len, out, out_len);
}

/* ---- attributes ------------------------------------------------------------------------------ */

static const char hex[] = "0123456789abcdef";

char *kt_text_escape(const char *text)
{
    char *out = malloc(strlen(text) * 3 + 2);
    char *to = out;

    if (out == NULL)
        return NULL;
    if (*text == '\0')
        *to++ = '%';
    for (; *text != '\0'; text++) {
        const unsigned char c = (unsigned char)*text;

        if (c >= 0x20 && c != 0x7f && c != '%') {
            *to++ = *text;
            continue;
        }
        *to++ = '%';
        *to++ = hex[c >> 4];
        *to++ = hex[c & 15];
    }
    *to = '\0';
    return out;
}

static int hex_value(char c)
{
    const char *at = c != '\0' ? strchr(hex, c) : NULL;

    return at != NULL ? (int)(at - hex) : -1;
}

bool kt_text_unescape(char *text)
{
    const char *whole = text;
    char *to = text;

    if (strcmp(text, "%") == 0) {
        *text = '\0';
        return true;
    }
    for (; *text != '\0'; text++) {
        if (*text != '%') {
            *to++ = *text;
            continue;
        }
        if (hex_value(text[1]) < 0 || hex_value(text[2]) < 0)
            return false;
        *to = (char)(hex_value(text[1]) << 4 | hex_value(text[2]));
        if (*to++ == '\0')
            return false;
        text += 2;
    }
    *to = '\0';
    return kt_text_is_utf8(whole);
}

/* ---- check ----------------------------------------------------------------------------------- */

static const uint64_t words_key[2] = { 0x6b657974726e3a31U, 0x6b657974726e3a32U };

/* The key is made of the version's id, which holds 62 random bits: who lacks the id learns nothing. */
uint64_t kt_text_check(const char *service, const char *name, const char *id, const void *data,
                       size_t len)
{
    const uint64_t place[2] = { kt_siphash(words_key, service, strlen(service)),
                                kt_siphash(words_key, name, strlen(name)) };
    uint64_t key[2] = { kt_siphash(place, id, strlen(id)), 0 };

    key[1] = kt_siphash((const uint64_t[2]){ place[1], place[0] }, id, strlen(id));
    return kt_siphash(key, data, len);
}
