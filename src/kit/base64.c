/* SPDX-License-Identifier: Apache-2.0 */
#include "base64.h"

#include <stdint.h>

static int digit_of(char c)
{
    return c >= 'A' && c <= 'Z'   ? c - 'A'
           : c >= 'a' && c <= 'z' ? c - 'a' + 26
           : c >= '0' && c <= '9' ? c - '0' + 52
           : c == '+'             ? 62
           : c == '/'             ? 63
                                  : -1;
}

bool kt_base64_decode(const char *text, size_t len, void *out, size_t *out_len)
{
    unsigned char *to = out;
    size_t n = len;
    uint32_t bits = 0;
    int have = 0;

    if (n % 4 != 0)
        return false;
    for (int pad = 0; pad < 2 && n > 0 && text[n - 1] == '='; pad++)
        n--;
    for (size_t i = 0; i < n; i++) {
        const int d = digit_of(text[i]);

        if (d < 0)
            return false;
        bits = (bits << 6 | (uint32_t)d) & 0xfff;
        have += 6;
        if (have >= 8) {
            have -= 8;
            *to++ = (unsigned char)(bits >> have & 0xff);
        }
    }
    if ((bits & ((1U << have) - 1)) != 0) /* not what an encoder writes */
        return false;
    *out_len = (size_t)(to - (unsigned char *)out);
    return true;
}

size_t kt_base64_encode(const void *data, size_t len, char *out)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const unsigned char *p = data;
    const size_t encoded = (len + 2) / 3 * 4;

    for (; out != NULL && len > 0; p += 3) {
        const uint32_t bits = (uint32_t)p[0] << 16 | (len > 1 ? (uint32_t)p[1] << 8 : 0) |
                              (len > 2 ? p[2] : 0);

        *out++ = digits[bits >> 18];
        *out++ = digits[bits >> 12 & 63];
        *out++ = len > 1 ? digits[bits >> 6 & 63] : '=';
        *out++ = len > 2 ? digits[bits & 63] : '=';
        if (len <= 3)
            break;
        len -= 3;
    }
    return encoded;
}
