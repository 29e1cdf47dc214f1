/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYTURN_KIT_SIPHASH_H
#define KEYTURN_KIT_SIPHASH_H

#include <endian.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/*
 * SipHash-1-3, a keyed hash of 64 bits for tables: without the key nobody can make names collide.
 * Source: Aumasson, Bernstein, "SipHash: a fast short-input PRF" (2012), with c = 1, d = 3.
 */

static inline uint64_t kt_siphash_rotl(uint64_t x, int bits)
{
    return x << bits | x >> (64 - bits);
}

static inline void kt_siphash_round(uint64_t v[4])
{
    v[0] += v[1];
    v[2] += v[3];
    v[1] = kt_siphash_rotl(v[1], 13) ^ v[0];
    v[3] = kt_siphash_rotl(v[3], 16) ^ v[2];
    v[0] = kt_siphash_rotl(v[0], 32);
    v[2] += v[1];
    v[0] += v[3];
    v[1] = kt_siphash_rotl(v[1], 17) ^ v[2];
    v[3] = kt_siphash_rotl(v[3], 21) ^ v[0];
    v[2] = kt_siphash_rotl(v[2], 32);
}

/** kt_siphash - of @len bytes; the same on every machine */
static inline uint64_t kt_siphash(const uint64_t key[2], const void *data, size_t len)
{
    uint64_t v[4] = {
        key[0] ^ 0x736f6d6570736575U,
        key[1] ^ 0x646f72616e646f6dU,
        key[0] ^ 0x6c7967656e657261U,
        key[1] ^ 0x7465646279746573U,
    };
    const uint8_t *p = data;
    uint64_t last = (uint64_t)len << 56;
    uint64_t word;

    for (size_t left = len; left >= sizeof(word); left -= sizeof(word), p += sizeof(word)) {
        memcpy(&word, p, sizeof(word));
        word = le64toh(word);
        v[3] ^= word;
        kt_siphash_round(v);
        v[0] ^= word;
    }
    word = 0;
    if (len % sizeof(word))
        memcpy(&word, p, len % sizeof(word));
    last |= le64toh(word);
    v[3] ^= last;
    kt_siphash_round(v);
    v[0] ^= last;
    v[2] ^= 0xff;
    for (int i = 0; i < 3; i++)
        kt_siphash_round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

#endif
