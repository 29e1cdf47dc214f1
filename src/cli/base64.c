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

bool base64_decode(char *data, size_t *len)
{
    size_t n = *len, out = 0;
    uint32_t bits = 0;
    int have = 0;

    if (n % 4 != 0)
        return false;
    for (int pad = 0; pad < 2 && n > 0 && data[n - 1] == '='; pad++)
        n--;
    for (size_t i = 0; i < n; i++) {
        const int d = digit_of(data[i]);

        if (d < 0)
            return false;
        bits = (bits << 6 | (uint32_t)d) & 0xfff;
        have += 6;
        if (have >= 8) {
            have -= 8;
            data[out++] = (char)(bits >> have & 0xff);
        }
    }
    if ((bits & ((1U << have) - 1)) != 0) /* not what an encoder writes */
        return false;
    *len = out;
    return true;
}

size_t base64_encode(const void *data, size_t len, char *out)
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
