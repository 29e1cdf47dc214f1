/* SPDX-License-Identifier: Apache-2.0 */
#include "jsontext.h"

#include <stdint.h>
#include <string.h>

static bool fail(struct kt_json *r, const char *why)
{
    r->why = why;
    return false;
}

/* ---- UTF-8 ----------------------------------------------------------------------------------- */

/* Source: Unicode, table 3-7. */
size_t kt_json_utf8(const unsigned char *p, const unsigned char *end)
{
    size_t n = p[0] < 0x80   ? 1
               : p[0] < 0xc2 ? 0
               : p[0] < 0xe0 ? 2
               : p[0] < 0xf0 ? 3
               : p[0] < 0xf5 ? 4
                             : 0;

    if (n > (size_t)(end - p))
        return 0;
    for (size_t i = 1; i < n; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) ||
        (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f))
        return 0;
    return n;
}

static size_t utf8_write(uint32_t c, char *out)
{
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        out[0] = (char)(0xc0 | c >> 6);
        out[1] = (char)(0x80 | (c & 0x3f));
        return 2;
    }
    if (c < 0x10000) {
        out[0] = (char)(0xe0 | c >> 12);
        out[1] = (char)(0x80 | (c >> 6 & 0x3f));
        out[2] = (char)(0x80 | (c & 0x3f));
        return 3;
    }
    out[0] = (char)(0xf0 | c >> 18);
    out[1] = (char)(0x80 | (c >> 12 & 0x3f));
    out[2] = (char)(0x80 | (c >> 6 & 0x3f));
    out[3] = (char)(0x80 | (c & 0x3f));
    return 4;
}

/* ---- words ----------------------------------------------------------------------------------- */

void kt_json_blanks(struct kt_json *r)
{
    while (r->at < r->end && (*r->at == ' ' || *r->at == '\t' || *r->at == '\n' || *r->at == '\r'))
        r->at++;
}

bool kt_json_take(struct kt_json *r, char c)
{
    if (r->at == r->end || *r->at != c)
        return false;
    r->at++;
    return true;
}

bool kt_json_expect(struct kt_json *r, char c, const char *why)
{
    return kt_json_take(r, c) || fail(r, why);
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

static bool take_hex4(struct kt_json *r, uint32_t *out)
{
    uint32_t v = 0;

    for (int i = 0; i < 4; i++, r->at++) {
        const int d = r->at < r->end ? hex_digit(*r->at) : -1;

        if (d < 0)
            return fail(r, "\\u needs four hexadecimal digits");
        v = v << 4 | (uint32_t)d;
    }
    *out = v;
    return true;
}

static bool take_escape(struct kt_json *r, uint32_t *c)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    const char *at = r->at < r->end && *r->at != '\0' ? strchr(from, *r->at) : NULL;
    uint32_t low;

    if (at != NULL) {
        *c = (unsigned char)to[at - from];
        r->at++;
        return true;
    }
    if (!kt_json_expect(r, 'u', "no such escape") || !take_hex4(r, c))
        return false;
    if (*c < 0xd800 || *c > 0xdfff)
        return true;
    if (*c > 0xdbff || !kt_json_take(r, '\\') || !kt_json_take(r, 'u'))
        return fail(r, "half of a surrogate pair");
    if (!take_hex4(r, &low))
        return false;
    if (low < 0xdc00 || low > 0xdfff)
        return fail(r, "half of a surrogate pair");
    *c = 0x10000 + ((*c - 0xd800) << 10) + (low - 0xdc00);
    return true;
}

/* One character of a string; @bytes: room for 4. */
static bool take_char(struct kt_json *r, char *bytes, size_t *len)
{
    if (kt_json_take(r, '\\')) {
        uint32_t c;

        if (!take_escape(r, &c))
            return false;
        *len = utf8_write(c, bytes);
        return true;
    }
    if ((unsigned char)*r->at < 0x20)
        return fail(r, "a control byte in a string, or a quote is missing");
    *len = kt_json_utf8((const unsigned char *)r->at, (const unsigned char *)r->end);
    if (*len == 0)
        return fail(r, "not UTF-8");
    memcpy(bytes, r->at, *len);
    r->at += *len;
    return true;
}

bool kt_json_string(struct kt_json *r, char *out, size_t *out_len)
{
    size_t n = 0;

    if (!kt_json_expect(r, '"', "a string is expected"))
        return false;
    while (r->at < r->end && *r->at != '"') {
        char bytes[4];
        size_t len;

        if (!take_char(r, bytes, &len))
            return false;
        if (out != NULL)
            memcpy(out + n, bytes, len);
        n += len;
        explicit_bzero(bytes, sizeof bytes);
    }
    if (out_len != NULL)
        *out_len = n;
    return kt_json_expect(r, '"', "a string that does not end");
}

static bool take_digits(struct kt_json *r)
{
    const char *from = r->at;

    while (r->at < r->end && *r->at >= '0' && *r->at <= '9')
        r->at++;
    return r->at > from || fail(r, "a digit is expected");
}

static bool take_number(struct kt_json *r)
{
    (void)kt_json_take(r, '-');
    if (!kt_json_take(r, '0') && !take_digits(r))
        return false;
    if (kt_json_take(r, '.') && !take_digits(r))
        return false;
    if (kt_json_take(r, 'e') || kt_json_take(r, 'E')) {
        if (!kt_json_take(r, '+'))
            (void)kt_json_take(r, '-');
        return take_digits(r);
    }
    return true;
}

static bool take_word(struct kt_json *r, const char *word)
{
    const size_t n = strlen(word);

    if ((size_t)(r->end - r->at) < n || memcmp(r->at, word, n) != 0)
        return false;
    r->at += n;
    return true;
}

/* ---- values ---------------------------------------------------------------------------------- */

static bool take_array(struct kt_json *r, int depth)
{
    kt_json_blanks(r);
    if (kt_json_take(r, ']'))
        return true;
    do {
        if (!kt_json_value(r, depth + 1))
            return false;
    } while (kt_json_take(r, ','));
    return kt_json_expect(r, ']', "',' or ']' is expected");
}

static bool take_object(struct kt_json *r, int depth)
{
    kt_json_blanks(r);
    if (kt_json_take(r, '}'))
        return true;
    do {
        kt_json_blanks(r);
        if (!kt_json_string(r, NULL, NULL))
            return false;
        kt_json_blanks(r);
        if (!kt_json_expect(r, ':', "':' is expected") || !kt_json_value(r, depth + 1))
            return false;
    } while (kt_json_take(r, ','));
    return kt_json_expect(r, '}', "',' or '}' is expected");
}

bool kt_json_value(struct kt_json *r, int depth)
{
    bool ok;

    if (depth > KT_JSON_DEPTH_MAX)
        return fail(r, "nested too deeply");
    kt_json_blanks(r);
    if (r->at == r->end)
        return fail(r, "a value is missing");
    if (*r->at == '"')
        ok = kt_json_string(r, NULL, NULL);
    else if (kt_json_take(r, '{'))
        ok = take_object(r, depth);
    else if (kt_json_take(r, '['))
        ok = take_array(r, depth);
    else if (*r->at == '-' || (*r->at >= '0' && *r->at <= '9'))
        ok = take_number(r);
    else
        ok = take_word(r, "true") || take_word(r, "false") || take_word(r, "null") ||
             fail(r, "a value is expected");
    if (ok)
        kt_json_blanks(r);
    return ok;
}
