/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYTURN_POWERLOSS_RANDOM_H
#define KEYTURN_POWERLOSS_RANDOM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Numbers that are the same for the same seed (splitmix64). */
struct pl_random {
    uint64_t state;
};

static inline uint64_t pl_random_next(struct pl_random *r)
{
    uint64_t z = r->state += 0x9e3779b97f4a7c15U;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
    return z ^ (z >> 31);
}

/** pl_random_of - a row of numbers of its own for each (@seed, @a, @b) */
static inline struct pl_random pl_random_of(uint64_t seed, uint64_t a, uint64_t b)
{
    struct pl_random r = { seed * 0x2545f4914f6cdd1dU + a };

    r.state = pl_random_next(&r) + b;
    (void)pl_random_next(&r);
    return r;
}

/** pl_random_below - 0 to @n - 1 */
static inline size_t pl_random_below(struct pl_random *r, size_t n)
{
    return (size_t)(pl_random_next(r) >> 11) % n;
}

static inline bool pl_random_percent(struct pl_random *r, unsigned percent)
{
    return pl_random_below(r, 100) < percent;
}

#endif
