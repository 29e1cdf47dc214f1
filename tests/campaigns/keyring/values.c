/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Value I has the bytes that break stores: which, its number tells alone, so that the next process knows
 * what it must find. It is put at place I % PLACES: over the one before, or after both were deleted. So
 * at most twice PLACES are alive.
 */

#include "keyring.h"

#include <string.h>

#define PLACES 25

static uint64_t seed;

static uint64_t next(void)
{
    uint64_t z = seed += 0x9e3779b97f4a7c15U;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9U;
    z = (z ^ z >> 27) * 0x94d049bb133111ebU;
    return z ^ z >> 31;
}

/* One in sixteen is long, a few have all 65,536 bytes. */
static size_t length_of(void)
{
    const uint64_t dice = next() % 64;

    if (dice == 0)
        return KT_VALUE_MAX;
    return dice < 4 ? next() % KT_VALUE_MAX : next() % 200;
}

static size_t fill(unsigned char *out, const char *some)
{
    const size_t len = length_of(), n = strlen(some) + 1; /* its NUL is one of them */

    for (size_t i = 0; i < len; i++)
        out[i] = (unsigned char)some[next() % n];
    return len;
}

static size_t any_bytes(unsigned char *out)
{
    const size_t len = length_of();

    for (size_t i = 0; i < len; i++)
        out[i] = (unsigned char)next();
    return len;
}

static size_t value_make(uint64_t i, unsigned char out[KT_VALUE_MAX])
{
    seed = i * 1000003 + number_of("SEED", 1);
    switch (next() % 8) {
    case 0:
        return fill(out, "ab\n\r\t ");
    case 1:
        return fill(out, "\\ns \"%=#;[]");
    case 2:
        return fill(out, "\x80\xc3\xff\xed\xa0z");
    case 3: /* one byte, or none */
        out[0] = (unsigned char)i;
        return i % 3 == 0 ? 0 : 1;
    case 4:
        return (size_t)snprintf((char *)out, KT_VALUE_MAX, "[%llu]\nsecret=not this\nitem-type=0\n",
                                (unsigned long long)i);
    case 5:
        return (size_t)snprintf((char *)out, KT_VALUE_MAX, "sk-%016llx\xc3\xbc\xf0\x9f\x94\x91",
                                (unsigned long long)next());
    default:
        return any_bytes(out);
    }
}

static void must_be(struct kt_handle *h, uint64_t i, const char *stage)
{
    static unsigned char wanted[KT_VALUE_MAX];
    const size_t len = value_make(i, wanted);
    char name[32];

    (void)snprintf(name, sizeof(name), "place/%llu", (unsigned long long)(i % PLACES));
    struct kt_secret *s = fetch(h, name, stage);
    if (s == NULL)
        WRONG("%s, %s: value %llu is gone", name, stage, (unsigned long long)i);
    if (kt_secret_len(s) != len || (len > 0 && memcmp(kt_secret_data(s), wanted, len) != 0))
        WRONG("%s, %s: %zu bytes that are not the %zu of value %llu", name, stage, kt_secret_len(s),
              len, (unsigned long long)i);
    kt_secret_free(s);
}

static void put(struct kt_handle *h, uint64_t i)
{
    static unsigned char data[KT_VALUE_MAX];
    const size_t len = value_make(i, data);
    char name[32];

    (void)snprintf(name, sizeof(name), "place/%llu", (unsigned long long)(i % PLACES));
    if (i >= PLACES && i / PLACES % 2 == 0) {
        drop(h, name);
        if (fetch(h, name, "current") != NULL)
            WRONG("%s is there after it was deleted", name);
    }
    (void)store(h, name, data, len, NULL);
    must_be(h, i, "current");
}

/* Each place has its last value, and the one before where that was not deleted. */
static size_t verify(struct kt_handle *h, uint64_t to)
{
    size_t alive = 0;

    for (uint64_t i = to > PLACES ? to - PLACES : 0; i < to; i++) {
        must_be(h, i, "current");
        alive++;
        if (i / PLACES % 2 == 1) {
            must_be(h, i - PLACES, "previous");
            alive++;
        }
    }
    return alive;
}

int values(uint64_t from, uint64_t to)
{
    struct kt_handle *h = open_keyring();
    const int64_t began = now_us();
    const size_t found = verify(h, from);

    for (uint64_t i = from; i < to; i++)
        put(h, i);
    const size_t left = verify(h, to);
    kt_close(h);
    printf("values %llu to %llu: %zu were there, %zu are, %.1f s\n", (unsigned long long)from,
           (unsigned long long)to, found, left, (double)(now_us() - began) / 1e6);
    return EXIT_SUCCESS;
}
