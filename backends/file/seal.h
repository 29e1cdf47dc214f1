/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYTURN_FILE_SEAL_H
#define KEYTURN_FILE_SEAL_H

#include "fault.h"

/*
 * The one way in which this module encrypts. A sealed thing is
 *
 *     salt (32 random bytes) | AES-256-GCM ciphertext | tag (16)
 *
 * under a key that is used for it alone: HKDF-SHA256 (RFC 5869) of the keying material with that
 * salt. With a key that never comes again the nonce may be, and is, all zero. Sealing twice takes two
 * salts, so no key and nonce meet two plaintexts. What the thing is goes in as associated data.
 */

#define KT_KEY_SIZE 32
#define KT_SALT_SIZE 32
#define KT_SEAL_EXTRA 48 /* salt and tag */
#define KT_DIGEST_SIZE 32

struct kt_bytes {
    const void *data;
    size_t len;
};

/** kt_seal_setup - set the library up, once a process; every other function here needs it */
int kt_seal_setup(struct kt_fault *f);

/** kt_seal - @out gets @plain.len + KT_SEAL_EXTRA bytes; KT_SUCCESS, KT_NO_MEMORY, KT_UNAVAILABLE */
int kt_seal(struct kt_bytes ikm, struct kt_bytes aad, struct kt_bytes plain, void *out,
            struct kt_fault *f) KT_MUST_CHECK;

/** kt_seal_open - @out gets @sealed.len - KT_SEAL_EXTRA bytes; KT_CORRUPT (not explained: the caller
 * knows what it was), and @out is then wiped */
int kt_seal_open(struct kt_bytes ikm, struct kt_bytes aad, struct kt_bytes sealed,
                 void *out) KT_MUST_CHECK;

/** kt_hmac - HMAC-SHA256 (RFC 2104) of the @n pieces, at most 7, one after the other */
void kt_hmac(struct kt_bytes key, const struct kt_bytes *pieces, size_t n,
             uint8_t out[KT_DIGEST_SIZE]);

/** kt_digest - SHA-256 of the pieces: tells damage from a wrong key, protects nothing */
void kt_digest(const struct kt_bytes *pieces, size_t n, uint8_t out[KT_DIGEST_SIZE]);

/** kt_same - compare in a time that tells nothing but @len */
bool kt_same(const void *a, const void *b, size_t len);

/** kt_scrypt - RFC 7914; takes 128 * @r * 2^@log_n bytes for the while. @r is 8. */
int kt_scrypt(struct kt_bytes passphrase, struct kt_bytes salt, unsigned log_n, unsigned r,
              unsigned p, uint8_t out[KT_KEY_SIZE], struct kt_fault *f) KT_MUST_CHECK;

/** kt_random - bytes from the kernel: no generator of the process's that a fork could copy */
int kt_random(void *out, size_t len, struct kt_fault *f) KT_MUST_CHECK;

#endif
