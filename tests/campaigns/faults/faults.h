/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYTURN_TESTS_CAMPAIGNS_FAULTS_H
#define KEYTURN_TESTS_CAMPAIGNS_FAULTS_H

#include "../common/child.h"

/**
 * struct campaign - counts
 * @faults:   runs in which a call was made to fail, or to do less
 * @told:     of these, where the operation said so
 * @readings: of everything, while the fault lasted
 */
struct campaign {
    char dir[KT_DIR_MAX - 40];
    uint64_t random;
    unsigned faults;
    unsigned told;
    unsigned readings;
    unsigned skipped;
    unsigned failures;
};

#define FAILURES_MAX 12

void campaign_fail(struct campaign *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void campaign_skip(struct campaign *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/** campaign_inject - every fault at every point of every operation; @stride: only at each that manyth of them */
void campaign_inject(struct campaign *c, unsigned stride);

/** campaign_real - a disk that is full, a limit, a medium that cannot be written, somebody else's files */
void campaign_real(struct campaign *c);

#endif
