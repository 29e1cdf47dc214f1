/* SPDX-License-Identifier: Apache-2.0 */
#include "scan-rules.h"

#include <string.h>

unsigned spread_of(const unsigned char *p, size_t len)
{
    unsigned count[256] = { 0 };
    uint64_t sum = 0;

    if (len == 0)
        return 0;
    if (len > SHAPE_MAX)
        len = SHAPE_MAX;
    for (size_t i = 0; i < len; i++)
        sum += 2 * (uint64_t)count[p[i]]++ + 1; /* squares are sums of odd numbers */
    return (unsigned)((uint64_t)len * len / sum);
}

/* "abcdefgh": eight letters in the order of the alphabet. */
static bool is_alphabet(const unsigned char *p, size_t len)
{
    size_t n = 1;

    for (size_t i = 1; i < len; i++) {
        const unsigned char c = p[i] | 0x20;

        n = c >= 'b' && c <= 'z' && c == (p[i - 1] | 0x20) + 1 ? n + 1 : 1;
        if (n == 8)
            return true;
    }
    return false;
}

bool is_placeholder(const unsigned char *p, size_t len)
{
    static const char *const words[] = {
        "example", "placeholder", "changeme", "redacted", "replace", "dummy",   "your-",
        "your_",   "yourkey",     "yourapi",  "yourtok",  "xxxxxx",  "notreal", "secretkey",
    };
    size_t same = 1;

    for (size_t i = 0; i < len; i++) {
        same = i > 0 && p[i] == p[i - 1] ? same + 1 : 1;
        if (same == 8)
            return true;
        for (size_t w = 0; w < sizeof(words) / sizeof(words[0]); w++) {
            size_t k = 0;

            while (words[w][k] != '\0' && i + k < len &&
                   (p[i + k] == '_' ? '_' : p[i + k] | 0x20) == words[w][k])
                k++;
            if (words[w][k] == '\0')
                return true;
        }
    }
    return is_alphabet(p, len);
}

size_t has_break(const unsigned char *p, size_t len)
{
    if (len >= 1 && p[0] == '\n')
        return 1;
    if (len >= 2 && p[0] == '\r' && p[1] == '\n')
        return 2;
    if (len >= 4 && memcmp(p, "\\r\\n", 4) == 0)
        return 4;
    if (len >= 2 && p[0] == '\\' && p[1] == 'n')
        return 2;
    return 0;
}

/* CRC-32 as in IEEE 802.3. */
static uint32_t crc32_of(const unsigned char *p, size_t len)
{
    uint32_t crc = 0xffffffff;

    for (size_t i = 0; i < len; i++) {
        crc ^= p[i];
        for (int k = 0; k < 8; k++)
            crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
    }
    return ~crc;
}

/* The last six of the 36 after a prefix of four are the CRC-32 of the thirty before, in base 62. */
enum verdict check_crc(const unsigned char *key, size_t len)
{
    static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    uint32_t crc;

    if (len != 40)
        return VERDICT_NO;
    crc = crc32_of(key + 4, 30);
    for (size_t i = 0; i < 6; i++, crc /= 62)
        if (key[39 - i] != (unsigned char)digits[crc % 62])
            return VERDICT_DOUBTFUL;
    return VERDICT_YES;
}

enum verdict check_sendgrid(const unsigned char *key, size_t len)
{
    return len == 69 && key[25] == '.' ? VERDICT_YES : VERDICT_NO;
}

/* 64 bytes in base64: the last of 86 digits has four bits that are zero. */
enum verdict check_azure_storage(const unsigned char *key, size_t len)
{
    return len == 86 && strchr("AQgw", key[85]) != NULL ? VERDICT_YES : VERDICT_NO;
}

/* Numbers come first: xoxb-123456789012-… */
enum verdict check_slack(const unsigned char *key, size_t len)
{
    size_t digits = 0;

    for (size_t i = 5; i < len; i++)
        digits += key[i] >= '0' && key[i] <= '9';
    return digits >= 8 ? VERDICT_YES : VERDICT_NO;
}

static int base64url(unsigned char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '-' ? 62 : c == '_' ? 63 : -1;
}

/* Does the text that @p encodes hold @word? */
static bool says(const unsigned char *p, size_t len, const char *word)
{
    char text[512] = { 0 };
    size_t n = 0;
    uint32_t bits = 0;
    int have = 0;

    for (size_t i = 0; i < len && n < sizeof(text); i++) {
        const int v = base64url(p[i]);

        if (v < 0)
            return false;
        bits = bits << 6 | (uint32_t)v;
        have += 6;
        if (have >= 8) {
            have -= 8;
            text[n++] = (char)(bits >> have & 0xff);
        }
    }
    return memmem(text, n, word, strlen(word)) != NULL;
}

/* HEADER.CLAIMS.SIGNATURE, and the header is an object with "alg". jwt.io's example is none. */
enum verdict check_jwt(const unsigned char *key, size_t len)
{
    const unsigned char *dot = memchr(key, '.', len), *second;
    size_t signature;

    if (dot == NULL || !says(key, (size_t)(dot - key), "\"alg\""))
        return VERDICT_NO;
    second = memchr(dot + 1, '.', len - (size_t)(dot + 1 - key));
    if (second == NULL || second - dot < 16 || memcmp(dot + 1, "eyJ", 3) != 0)
        return VERDICT_NO;
    signature = len - (size_t)(second + 1 - key);
    if (signature < 40 || memchr(second + 1, '.', signature) != NULL ||
        says(dot + 1, (size_t)(second - dot - 1), "\"1234567890\""))
        return VERDICT_NO;
    return VERDICT_YES;
}
