/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYTURN_CORE_CLOCK_H
#define KEYTURN_CORE_CLOCK_H

#include <keyturn/keyturn.h>
#include <keyturn/module.h>

extern const struct kt_clock kt_clock_system; /* boot id from /proc/sys/kernel/random/boot_id */

int64_t kt_clock_ns(const struct kt_clock *c, enum kt_clock_id which);
int64_t kt_clock_ms(const struct kt_clock *c, enum kt_clock_id which);

/** kt_asof_now - the present, as a copy keeps it */
void kt_asof_now(const struct kt_clock *c, struct kt_asof *out);

/** kt_asof_of_age - the instant @age_ms ago */
void kt_asof_of_age(const struct kt_clock *c, int64_t age_ms, struct kt_asof *out);

/**
 * kt_asof_age_ms - how old a copy is
 *
 * Same boot id: by the boot clock (CLOCK_BOOTTIME, which counts suspend), whatever the wall clock
 * did; another boot: by the wall clock. Returns -1 when it cannot be told: no as-of (all zero), or
 * one in the future. Source: DESIGN 3, promise 10.
 */
int64_t kt_asof_age_ms(const struct kt_clock *c, const struct kt_asof *asof);

#endif
