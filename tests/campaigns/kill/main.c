/* SPDX-License-Identifier: Apache-2.0 */

/* Usage: main DIRECTORY [KILLS [SEED]]. README.md says what this shows. */

#include "kill.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

void campaign_fail(struct campaign *c, const char *fmt, ...)
{
    va_list ap;

    c->failures++;
    (void)fputs("FAILED: ", stdout);
    va_start(ap, fmt);
    (void)vprintf(fmt, ap);
    va_end(ap);
    (void)fputc('\n', stdout);
}

int main(int argc, char **argv)
{
    struct campaign c = { .random = argc > 3 ? strtoull(argv[3], NULL, 10) : (uint64_t)time(NULL) };
    const unsigned kills = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 4000;
    const unsigned long long seed = c.random;
    struct timespec begin;
    struct timespec end;

    if (argc < 2 || strlen(argv[1]) >= sizeof(c.dir)) {
        fprintf(stderr, "usage: %s DIRECTORY [KILLS [SEED]]\n", argv[0]);
        return 2;
    }
    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    (void)snprintf(c.dir, sizeof(c.dir), "%s", argv[1]);
    (void)modhost_load("file"); /* once, for all processes; nothing of it is called here */
    (void)clock_gettime(CLOCK_MONOTONIC, &begin);
    campaign_points(&c, kills / 2);
    if (c.failures < FAILURES_MAX)
        campaign_writers(&c, kills > c.kills ? kills - c.kills : 1);
    (void)clock_gettime(CLOCK_MONOTONIC, &end);
    printf("kill: %u kills, %lu operations acknowledged, %u looks at the store, %u failures, %ld "
           "s, seed "
           "%llu\n",
           c.kills, c.acked, c.checks, c.failures, (long)(end.tv_sec - begin.tv_sec), seed);
    return c.failures == 0 && c.kills >= kills ? 0 : 1;
}
