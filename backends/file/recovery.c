/* SPDX-License-Identifier: Apache-2.0 */
#include "recovery.h"

#include <string.h>

#define BYTES 16
#define CHARACTERS (KT_RECOVERY_SIZE - 1)
#define GROUP 4
#define SLIP 2 /* characters missing or too many, for a typo to be taken for one */

static const char digits[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/* The 128 bits, and behind them the first 12 of a digest; 140 bits are 28 characters. */
static void encode(const uint8_t secret[BYTES], char out[KT_RECOVERY_SIZE])
{
    uint8_t bits[BYTES + 2];
    uint8_t digest[KT_DIGEST_SIZE];
    const struct kt_bytes pieces[] = { { "keyturn recovery code", 21 }, { secret, BYTES } };

    kt_digest(pieces, 2, digest);
    memcpy(bits, secret, BYTES);
    memcpy(bits + BYTES, digest, 2);
    for (size_t i = 0; i < CHARACTERS; i++) {
        const size_t at = 5 * i;
        unsigned v = (unsigned)bits[at / 8] << 8;

        if (at / 8 + 1 < sizeof(bits))
            v |= bits[at / 8 + 1];
        out[i] = digits[v >> (11 - at % 8) & 31];
    }
    out[CHARACTERS] = '\0';
    explicit_bzero(bits, sizeof(bits));
    explicit_bzero(digest, sizeof(digest));
}

static void decode(const char code[CHARACTERS], uint8_t secret[BYTES])
{
    memset(secret, 0, BYTES);
    for (size_t bit = 0; bit < 8 * BYTES; bit++) {
        const size_t v = (size_t)(strchr(digits, code[bit / 5]) - digits);

        if ((v >> (4 - bit % 5) & 1) != 0)
            secret[bit / 8] |= (uint8_t)(0x80 >> bit % 8);
    }
}

int kt_recovery_make(char out[KT_RECOVERY_SIZE], struct kt_fault *f)
{
    uint8_t secret[BYTES];
    int rc = kt_random(secret, sizeof(secret), f);

    if (rc == KT_SUCCESS)
        encode(secret, out);
    explicit_bzero(secret, sizeof(secret));
    return rc;
}

void kt_recovery_show(const char code[KT_RECOVERY_SIZE], char out[KT_RECOVERY_SHOWN_SIZE])
{
    for (size_t i = 0; i < CHARACTERS; i++) {
        if (i > 0 && i % GROUP == 0)
            *out++ = '-';
        *out++ = code[i];
    }
    *out = '\0';
}

/* The digit that a letter stands for; 0: none. */
static char digit(char c)
{
    if (c >= 'a' && c <= 'z')
        c = (char)(c - 'a' + 'A');
    if (c == 'O')
        return '0';
    if (c == 'I' || c == 'L')
        return '1';
    return c != '\0' && strchr(digits, c) != NULL ? c : '\0';
}

enum kt_recovery kt_recovery_read(const char *typed, size_t len, char out[KT_RECOVERY_SIZE])
{
    char code[KT_RECOVERY_SIZE] = "";
    char right[KT_RECOVERY_SIZE];
    uint8_t secret[BYTES];
    enum kt_recovery what = KT_RECOVERY_TYPO;
    size_t n = 0;

    for (size_t i = 0; i < len && what != KT_RECOVERY_NONE; i++) {
        const char c = digit(typed[i]);

        if (typed[i] == '-' || typed[i] == ' ' || typed[i] == '\t')
            continue;
        if (c == '\0' || n == CHARACTERS + SLIP)
            what = KT_RECOVERY_NONE;
        else if (n < CHARACTERS)
            code[n] = c;
        n++;
    }
    if (n < CHARACTERS - SLIP)
        what = KT_RECOVERY_NONE;
    if (what == KT_RECOVERY_TYPO && n == CHARACTERS) {
        decode(code, secret);
        encode(secret, right);
        if (memcmp(code, right, CHARACTERS) == 0) {
            memcpy(out, code, KT_RECOVERY_SIZE);
            what = KT_RECOVERY_CODE;
        }
        explicit_bzero(secret, sizeof(secret));
        explicit_bzero(right, sizeof(right));
    }
    explicit_bzero(code, sizeof(code));
    return what;
}
