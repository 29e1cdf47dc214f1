/* SPDX-License-Identifier: Apache-2.0 */
#include "cli.h"

/* Source: RFC 3629, section 4. */
size_t utf8_length(const unsigned char *s, size_t len)
{
    unsigned char low = 0x80, high = 0xbf;
    size_t n;

    if (len == 0)
        return 0;
    if (s[0] < 0x80)
        return 1;
    if (s[0] >= 0xc2 && s[0] <= 0xdf)
        n = 2;
    else if (s[0] >= 0xe0 && s[0] <= 0xef)
        n = 3;
    else if (s[0] >= 0xf0 && s[0] <= 0xf4)
        n = 4;
    else
        return 0;
    if (n > len)
        return 0;
    /* no overlong forms, no surrogates, nothing past U+10FFFF: the second byte tells */
    if (s[0] == 0xe0)
        low = 0xa0;
    else if (s[0] == 0xed)
        high = 0x9f;
    else if (s[0] == 0xf0)
        low = 0x90;
    else if (s[0] == 0xf4)
        high = 0x8f;
    if (s[1] < low || s[1] > high)
        return 0;
    for (size_t i = 2; i < n; i++)
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    return n;
}

bool text_is_plain(const void *data, size_t len)
{
    const unsigned char *p = data;
    size_t n;

    for (; len > 0; p += n, len -= n) {
        n = *p == 0 ? 0 : utf8_length(p, len);
        if (n == 0)
            return false;
    }
    return true;
}

size_t text_step(const unsigned char *s, size_t len, bool *control)
{
    size_t n = utf8_length(s, len);

    /* U+0080 to U+009F are terminal controls too */
    *control = n == 0 || *s < 0x20 || *s == 0x7f || (s[0] == 0xc2 && s[1] < 0xa0);
    return n == 0 ? 1 : n;
}

bool text_has_controls(const void *data, size_t len)
{
    const unsigned char *p = data;
    bool control;
    size_t n;

    for (; len > 0; p += n, len -= n) {
        n = text_step(p, len, &control);
        if (control && *p != '\n' && *p != '\t' && *p != '\r')
            return true;
    }
    return false;
}
