/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYTURN_TESTS_CAMPAIGNS_KILL_H
#define KEYTURN_TESTS_CAMPAIGNS_KILL_H

#include "../common/child.h"

/** struct campaign - @dir: an own one; @kills: so far; @acked: operations acknowledged */
struct campaign {
    char dir[KT_DIR_MAX - 40];
    uint64_t random;
    unsigned kills;
    unsigned checks;
    unsigned long acked;
    unsigned failures;
};

/** campaign_fail - say what did not hold; the campaign goes on until there are FAILURES_MAX */
#define FAILURES_MAX 12
void campaign_fail(struct campaign *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/** campaign_points - kill once in each way at each point of each operation, but at most @kills times */
void campaign_points(struct campaign *c, unsigned kills);

/** campaign_writers - kill several writers at random, until @kills were killed in all */
void campaign_writers(struct campaign *c, unsigned kills);

#endif
