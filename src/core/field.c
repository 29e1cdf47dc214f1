/* SPDX-License-Identifier: Apache-2.0 */
#include "field.h"

#include "jsontext.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

static bool is_key(const char *from, const char *to, const char *member)
{
    struct kt_json r = { .at = from, .end = to };
    const size_t want = strlen(member);
    char key[2048];
    size_t n = 0;

    if (!kt_json_string(&r, NULL, &n) || n != want || n > sizeof key)
        return false;
    r.at = from;
    return kt_json_string(&r, key, &n) && memcmp(key, member, n) == 0;
}

int kt_field_find(const char *text, size_t len, const char *member, struct kt_field *f)
{
    struct kt_json r = { .at = text, .end = text + len };
    bool found = false;

    memset(f, 0, sizeof *f);
    kt_json_blanks(&r);
    if (!kt_json_take(&r, '{'))
        return KT_CORRUPT;
    f->inside = (size_t)(r.at - text);
    kt_json_blanks(&r);
    if (r.at < r.end && *r.at != '}') {
        do {
            const char *key, *key_end, *value, *value_end;

            kt_json_blanks(&r);
            key = r.at;
            if (!kt_json_string(&r, NULL, NULL))
                return KT_CORRUPT;
            key_end = r.at;
            kt_json_blanks(&r);
            if (!kt_json_take(&r, ':'))
                return KT_CORRUPT;
            kt_json_blanks(&r);
            value = r.at;
            if (!kt_json_value(&r, 1))
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
        } while (kt_json_take(&r, ','));
    }
    f->close = (size_t)(r.at - text);
    if (!kt_json_take(&r, '}'))
        return KT_CORRUPT;
    kt_json_blanks(&r);
    if (r.at != r.end)
        return KT_CORRUPT;
    return found ? KT_SUCCESS : KT_NOT_FOUND;
}

size_t kt_field_decode(const char *text, const struct kt_field *f, char *out)
{
    struct kt_json r = { .at = text + f->value_from, .end = text + f->value_to };
    size_t n = f->value_to - f->value_from;

    if (r.at < r.end && *r.at == '"')
        (void)kt_json_string(&r, out, &n);
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
        const size_t n = kt_json_utf8(p, end);

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
