/* SPDX-License-Identifier: Apache-2.0 */
#include "field.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

#define DEPTH_MAX 64

struct reader {
    const char *at;
    const char *end;
};

/* ---- UTF-8 ----------------------------------------------------------------------------------- */

/* Length of the well-formed sequence at @p, 0 if there is none. Source: Unicode, table 3-7. */
static size_t utf8_length(const unsigned char *p, const unsigned char *end)
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

/* ---- reading --------------------------------------------------------------------------------- */

static void skip_blanks(struct reader *r)
{
    while (r->at < r->end && (*r->at == ' ' || *r->at == '\t' || *r->at == '\n' || *r->at == '\r'))
        r->at++;
}

static bool take(struct reader *r, char c)
{
    if (r->at == r->end || *r->at != c)
        return false;
    r->at++;
    return true;
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

static bool take_hex4(struct reader *r, uint32_t *out)
{
    uint32_t v = 0;

    if (r->end - r->at < 4)
        return false;
    for (int i = 0; i < 4; i++) {
        const int d = hex_digit(*r->at++);

        if (d < 0)
            return false;
        v = v << 4 | (uint32_t)d;
    }
    *out = v;
    return true;
}

static bool take_escape(struct reader *r, uint32_t *c)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    uint32_t low;
    const char *at;

    if (r->at == r->end)
        return false;
    if (*r->at != 'u') {
        at = *r->at != '\0' ? strchr(from, *r->at) : NULL;
        r->at++;
        if (at != NULL)
            *c = (unsigned char)to[at - from];
        return at != NULL;
    }
    r->at++;
    if (!take_hex4(r, c) || (*c >= 0xdc00 && *c <= 0xdfff))
        return false;
    if (*c < 0xd800 || *c > 0xdbff)
        return true;
    if (!take(r, '\\') || !take(r, 'u') || !take_hex4(r, &low) || low < 0xdc00 || low > 0xdfff)
        return false;
    *c = 0x10000 + ((*c - 0xd800) << 10) + (low - 0xdc00);
    return true;
}

/* A string, its opening quote not yet taken. @out NULL: only checked. */
static bool take_string(struct reader *r, char *out, size_t *out_len)
{
    size_t n = 0;

    if (!take(r, '"'))
        return false;
    while (r->at < r->end && *r->at != '"') {
        char bytes[4];
        size_t len;

        if (*r->at == '\\') {
            uint32_t c;

            r->at++;
            if (!take_escape(r, &c))
                return false;
            len = utf8_write(c, bytes);
        } else {
            len = utf8_length((const unsigned char *)r->at, (const unsigned char *)r->end);
            if (len == 0 || (unsigned char)*r->at < 0x20)
                return false;
            memcpy(bytes, r->at, len);
            r->at += len;
        }
        if (out != NULL)
            memcpy(out + n, bytes, len);
        n += len;
        explicit_bzero(bytes, sizeof bytes);
    }
    if (out_len != NULL)
        *out_len = n;
    return take(r, '"');
}

static bool take_digits(struct reader *r)
{
    const char *from = r->at;

    while (r->at < r->end && *r->at >= '0' && *r->at <= '9')
        r->at++;
    return r->at > from;
}

static bool take_number(struct reader *r)
{
    (void)take(r, '-');
    if (!take(r, '0') && !take_digits(r))
        return false;
    if (take(r, '.') && !take_digits(r))
        return false;
    if (take(r, 'e') || take(r, 'E')) {
        if (!take(r, '+'))
            (void)take(r, '-');
        return take_digits(r);
    }
    return true;
}

static bool take_word(struct reader *r, const char *word)
{
    const size_t n = strlen(word);

    if ((size_t)(r->end - r->at) < n || memcmp(r->at, word, n) != 0)
        return false;
    r->at += n;
    return true;
}

static bool take_value(struct reader *r, int depth);

static bool take_array(struct reader *r, int depth)
{
    skip_blanks(r);
    if (take(r, ']'))
        return true;
    do {
        if (!take_value(r, depth + 1))
            return false;
    } while (take(r, ','));
    return take(r, ']');
}

static bool take_object(struct reader *r, int depth)
{
    skip_blanks(r);
    if (take(r, '}'))
        return true;
    do {
        skip_blanks(r);
        if (!take_string(r, NULL, NULL))
            return false;
        skip_blanks(r);
        if (!take(r, ':') || !take_value(r, depth + 1))
            return false;
    } while (take(r, ','));
    return take(r, '}');
}

/* Blanks on both sides are taken too. */
static bool take_value(struct reader *r, int depth)
{
    bool ok;

    if (depth > DEPTH_MAX)
        return false;
    skip_blanks(r);
    if (r->at == r->end)
        return false;
    if (*r->at == '"')
        ok = take_string(r, NULL, NULL);
    else if (take(r, '{'))
        ok = take_object(r, depth);
    else if (take(r, '['))
        ok = take_array(r, depth);
    else if (*r->at == '-' || (*r->at >= '0' && *r->at <= '9'))
        ok = take_number(r);
    else
        ok = take_word(r, "true") || take_word(r, "false") || take_word(r, "null");
    skip_blanks(r);
    return ok;
}

static bool is_key(const char *from, const char *to, const char *member)
{
    struct reader r = { from, to };
    const size_t want = strlen(member);
    char key[2048];
    size_t n = 0;

    if (!take_string(&r, NULL, &n) || n != want || n > sizeof key)
        return false;
    r.at = from;
    return take_string(&r, key, &n) && memcmp(key, member, n) == 0;
}

int kt_field_find(const char *text, size_t len, const char *member, struct kt_field *f)
{
    struct reader r = { text, text + len };
    bool found = false;

    memset(f, 0, sizeof *f);
    skip_blanks(&r);
    if (!take(&r, '{'))
        return KT_CORRUPT;
    f->inside = (size_t)(r.at - text);
    skip_blanks(&r);
    if (r.at < r.end && *r.at != '}') {
        do {
            const char *key, *key_end, *value, *value_end;

            skip_blanks(&r);
            key = r.at;
            if (!take_string(&r, NULL, NULL))
                return KT_CORRUPT;
            key_end = r.at;
            skip_blanks(&r);
            if (!take(&r, ':'))
                return KT_CORRUPT;
            skip_blanks(&r);
            value = r.at;
            if (!take_value(&r, 1))
                return KT_CORRUPT;
            value_end = r.at;
            while (value_end > value && strchr(" \t\n\r", value_end[-1]) != NULL)
                value_end--;
            if (is_key(key, key_end, member)) {
                if (found)
                    return KT_CORRUPT;
                found = true;
                f->member_from = (size_t)(key - text);
                f->value_from = (size_t)(value - text);
                f->value_to = (size_t)(value_end - text);
                f->index = f->count;
            }
            f->count++;
        } while (take(&r, ','));
    }
    f->close = (size_t)(r.at - text);
    if (!take(&r, '}'))
        return KT_CORRUPT;
    skip_blanks(&r);
    if (r.at != r.end)
        return KT_CORRUPT;
    return found ? KT_SUCCESS : KT_NOT_FOUND;
}

size_t kt_field_decode(const char *text, const struct kt_field *f, char *out)
{
    struct reader r = { text + f->value_from, text + f->value_to };
    size_t n = f->value_to - f->value_from;

    if (r.at < r.end && *r.at == '"')
        (void)take_string(&r, out, &n);
    else
        memcpy(out, text + f->value_from, n);
    return n;
}

/* ---- writing --------------------------------------------------------------------------------- */

static char *put_bytes(char *out, const void *from, size_t n)
{
    if (n > 0)
        memcpy(out, from, n);
    return out + n;
}

static char *put_string(char *out, const char *s, size_t len)
{
    static const char digits[] = "0123456789abcdef";

    *out++ = '"';
    for (size_t i = 0; i < len; i++) {
        const unsigned char c = (unsigned char)s[i];

        if (c == '"' || c == '\\') {
            *out++ = '\\';
            *out++ = (char)c;
        } else if (c < 0x20) {
            out = put_bytes(out, "\\u00", 4);
            *out++ = digits[c >> 4];
            *out++ = digits[c & 15];
        } else {
            *out++ = (char)c;
        }
    }
    *out++ = '"';
    return out;
}

static bool is_utf8(const unsigned char *p, size_t len)
{
    const unsigned char *end = p + len;

    while (p < end) {
        const size_t n = utf8_length(p, end);

        if (n == 0)
            return false;
        p += n;
    }
    return true;
}

size_t kt_field_encoded_size(size_t len, const char *member, size_t value_len)
{
    return len + 6 * strlen(member) + 6 * value_len + 16;
}

int kt_field_set(const char *text, size_t len, const char *member, const void *value,
                 size_t value_len, char *out, size_t *out_len)
{
    struct kt_field f;
    char *at = out;
    int rc;

    if (value_len > 0 && !is_utf8(value, value_len))
        return KT_INVALID;
    if (text == NULL || len == 0) {
        text = "{}";
        len = 2;
    }
    rc = kt_field_find(text, len, member, &f);
    if (rc == KT_CORRUPT)
        return rc;
    if (rc == KT_SUCCESS) {
        at = put_bytes(at, text, f.value_from);
        at = put_string(at, value, value_len);
        at = put_bytes(at, text + f.value_to, len - f.value_to);
    } else {
        at = put_bytes(at, text, f.inside);
        at = put_string(at, member, strlen(member));
        at = put_bytes(at, ":", 1);
        at = put_string(at, value, value_len);
        if (f.count > 0)
            at = put_bytes(at, ",", 1);
        at = put_bytes(at, text + f.inside, len - f.inside);
    }
    *out_len = (size_t)(at - out);
    return KT_SUCCESS;
}

int kt_field_remove(const char *text, size_t len, const char *member, char *out, size_t *out_len)
{
    struct kt_field f;
    size_t from, to;
    const int rc = kt_field_find(text, len, member, &f);

    if (rc != KT_SUCCESS)
        return rc;
    from = f.member_from;
    to = f.value_to;
    if (f.index + 1 < f.count) {
        while (text[to] != ',')
            to++;
        to++;
    } else if (f.index > 0) {
        while (text[from] != ',')
            from--;
    }
    memcpy(out, text, from);
    memcpy(out + from, text + to, len - to);
    *out_len = len - (to - from);
    return KT_SUCCESS;
}
