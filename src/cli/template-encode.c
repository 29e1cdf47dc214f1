/* SPDX-License-Identifier: Apache-2.0 */
#include "template.h"

#include "cli.h"
#include "kit/base64.h"

#include <string.h>

#define STEP 384 /* bytes of a value that are encoded at a time; a multiple of 3 */

bool encode_fits(enum encoding encoding, const void *data, size_t len)
{
    const unsigned char *p = data;

    while (encoding == ENCODE_JSON && len > 0) {
        const size_t n = utf8_length(p, len);

        if (n == 0)
            return false;
        p += n;
        len -= n;
    }
    return true;
}

static char *put_json(char *to, const unsigned char *from, size_t len)
{
    static const char digits[] = "0123456789abcdef";
    static const char plain[] = "\b\f\n\r\t\"\\", escaped[] = "bfnrt\"\\";

    for (size_t i = 0; i < len; i++) {
        const char *found = from[i] != '\0' ? strchr(plain, from[i]) : NULL;

        if (found != NULL) {
            *to++ = '\\';
            *to++ = escaped[found - plain];
        } else if (from[i] < 0x20 || from[i] == 0x7f) {
            for (const char *head = "\\u00"; *head != '\0'; head++)
                *to++ = *head;
            *to++ = digits[from[i] >> 4];
            *to++ = digits[from[i] & 15];
        } else {
            *to++ = (char)from[i];
        }
    }
    return to;
}

static char *put_uri(char *to, const unsigned char *from, size_t len)
{
    static const char digits[] = "0123456789ABCDEF";

    for (size_t i = 0; i < len; i++) {
        const unsigned char c = from[i];

        if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
            (c != '\0' && strchr("-._~", c) != NULL)) {
            *to++ = (char)c;
        } else {
            *to++ = '%';
            *to++ = digits[c >> 4];
            *to++ = digits[c & 15];
        }
    }
    return to;
}

/* @len bytes to @to, which has room for 6 times as many; returns the end of what they became */
static char *put(enum encoding encoding, char *to, const unsigned char *from, size_t len)
{
    if (encoding == ENCODE_BASE64)
        return to + kt_base64_encode(from, len, to);
    return encoding == ENCODE_JSON ? put_json(to, from, len) : put_uri(to, from, len);
}

int encode(enum encoding encoding, const void *data, size_t len, emit_fn *emit, void *cookie)
{
    const unsigned char *p = data;
    char room[6 * STEP];
    int rc = 0;

    if (encoding == ENCODE_NOT)
        return len > 0 ? emit(cookie, data, len) : 0;
    while (len > 0 && rc == 0) {
        const size_t n = len < STEP ? len : STEP;

        rc = emit(cookie, room, (size_t)(put(encoding, room, p, n) - room));
        p += n;
        len -= n;
    }
    explicit_bzero(room, sizeof(room));
    return rc;
}
