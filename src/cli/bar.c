/* SPDX-License-Identifier: Apache-2.0 */
#include "cli.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define WIDTH 30
#define PAUSE_MS 100 /* between two drawings */

static int64_t now_ms(void)
{
    struct timespec ts;

    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* The pace so far, and what is left at it; nothing while that says little. */
static void put_rest(const struct bar *b, int64_t now, uint64_t done, uint64_t total)
{
    const int64_t spent = now - b->begun_ms;

    if (spent < 2000 || done == 0 || done >= total)
        return;
    if (b->rate)
        sink_printf(&sink_err, "  %.*f/s", done * 1000 < (uint64_t)spent * 10 ? 1 : 0,
                    (double)done * 1000 / (double)spent);
    const int64_t left = (int64_t)((double)spent * (double)(total - done) / (double)done / 1000);
    sink_printf(&sink_err, "  %lld:%02lld left", (long long)(left / 60), (long long)(left % 60));
}

void bar_show(void *bar, uint64_t done, uint64_t total)
{
    struct bar *b = bar;
    const int64_t now = now_ms();
    const size_t full = total > 0 ? (size_t)((double)done / (double)total * WIDTH) : 0;
    char line[WIDTH + 1];

    if (b->begun_ms == 0)
        b->begun_ms = now;
    if (!isatty(STDERR_FILENO) || (b->shown && now - b->last_ms < PAUSE_MS && done < total))
        return;
    for (size_t i = 0; i < WIDTH; i++)
        line[i] = i < full ? '#' : '.';
    line[WIDTH] = '\0';
    sink_printf(&sink_err, "\r[%s] %llu", line, (unsigned long long)done);
    if (total > 0)
        sink_printf(&sink_err, "/%llu", (unsigned long long)total);
    put_rest(b, now, done, total);
    sink_str(&sink_err, "\x1b[K");
    (void)sink_flush(&sink_err);
    b->shown = true;
    b->last_ms = now;
}

void bar_hide(struct bar *b)
{
    if (!b->shown)
        return;
    sink_str(&sink_err, "\r\x1b[K");
    (void)sink_flush(&sink_err);
    b->shown = false;
}
