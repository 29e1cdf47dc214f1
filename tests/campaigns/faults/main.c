/* SPDX-License-Identifier: Apache-2.0 */

/* Usage: main DIRECTORY [STRIDE [SEED]]. README.md says what this shows. */

#include "faults.h"

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

/* Under CI nothing is left out. */
void campaign_skip(struct campaign *c, const char *fmt, ...)
{
    const char *ci = getenv("CI");
    va_list ap;

    c->skipped++;
    c->failures += ci != NULL && strcmp(ci, "true") == 0 ? 1 : 0;
    (void)fputs("skipped: ", stdout);
    va_start(ap, fmt);
    (void)vprintf(fmt, ap);
    va_end(ap);
    (void)fputc('\n', stdout);
}

int main(int argc, char **argv)
{
    struct campaign c = { .random = argc > 3 ? strtoull(argv[3], NULL, 10) : (uint64_t)time(NULL) };
    const unsigned stride = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 1;
    const unsigned long long seed = c.random;
    struct timespec begin;
    struct timespec end;

    if (argc < 2 || strlen(argv[1]) >= sizeof(c.dir) || stride == 0) {
        fprintf(stderr, "usage: %s DIRECTORY [STRIDE [SEED]]\n", argv[0]);
        return 2;
    }
    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    (void)snprintf(c.dir, sizeof(c.dir), "%s", argv[1]);
    (void)modhost_load("file"); /* once, for all processes; nothing of it is called here */
    (void)clock_gettime(CLOCK_MONOTONIC, &begin);
    campaign_inject(&c, stride);
    campaign_real(&c);
    (void)clock_gettime(CLOCK_MONOTONIC, &end);
    printf("faults: %u faults, %u told, %u readings under a fault or after it, %u skipped, "
           "%u failures, %ld s, seed %llu\n",
           c.faults, c.told, c.readings, c.skipped, c.failures, (long)(end.tv_sec - begin.tv_sec),
           seed);
    return c.failures == 0 && c.faults > 0 ? 0 : 1;
}
