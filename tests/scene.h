/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYTURN_TESTS_SCENE_H
#define KEYTURN_TESTS_SCENE_H

#include "harness.h"

#include <keyturn/keyturn.h>

#include <stdatomic.h>

#define SECOND 1000LL
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)

/* Of the clockwork: so much goes by with each reading of the monotonic clock, and nothing between. */
#define SCENE_TICK_MS 1LL

/**
 * struct scene - service files, clocks that the test moves, and a log
 *
 * The wall and the boot clock stand but for the test's own moves, so that no age depends on how fast the
 * machine is. The monotonic clock runs: calls wait by it.
 *
 * @dir:     of everything
 * @shift_ms: added to the clocks, by enum kt_clock_id
 * @runs:    the wall and the boot clock run as the system's do
 * @clockwork: the monotonic clock goes on by SCENE_TICK_MS a reading: how long something may take can
 *           be told exactly; waits are real, and as many as there are ticks: a few dozen, not more
 * @boot:    first byte of the boot id
 * @log:     what the library logged, a line each
 */
struct scene {
    char *dir;
    char *config;
    _Atomic int64_t shift_ms[3];
    _Atomic unsigned boot;
    bool runs;
    bool clockwork;
    _Atomic int64_t readings;
    _Atomic int64_t skipped_ns;
    _Atomic int64_t last_ns;
    int64_t begin_ns[3];
    struct kt_clock clock;
    char log[4096];
};

struct scene *scene_new(void);
void scene_free(struct scene *s);

/** scene_write - a service file; `%s` and kin as in printf */
void scene_write(struct scene *s, const char *service, const char *fmt, ...) KT_PRINTF(3, 4);

/** scene_try - open it */
int scene_try(struct scene *s, const char *service, struct kt_handle **out, struct kt_err *err);

/** scene_open - write and open: it must work */
struct kt_handle *scene_open(struct scene *s, const char *service, const char *fmt, ...)
    KT_PRINTF(3, 4);

/** scene_later - wall and boot clock go on by @ms; the monotonic clock does not, or deadlines end */
void scene_later(struct scene *s, int64_t ms);

/** scene_get - the value as text, in a buffer of the function's; "" unless it returns success */
const char *scene_get(struct kt_handle *h, const char *name, const struct kt_get_options *o,
                      int *status, struct kt_info *info);

/** scene_expect - get @name: success with @value, or, with @value NULL, the failure @status */
void scene_expect(struct kt_handle *h, const char *name, const char *value, int status);

/** scene_put - put @value; must work */
void scene_put(struct kt_handle *h, const char *name, const char *value, char id[KT_ID_SIZE]);

/** scene_steps - "LINE:STATUS LINE:STATUS …" of a trace, those that were not asked in parentheses */
const char *scene_steps(struct kt_handle *h, const char *name, const struct kt_get_options *o);

/** scene_await_waits - until @n calls on @h are waiting inside modules, where kt_cancel() finds them */
void scene_await_waits(struct kt_handle *h, size_t n);

/** scene_read - a file's text, "" if there is none; in a buffer of the function's */
const char *scene_read(const char *path);

/** GET_OPTIONS - options of a get, for one call */
#define GET_OPTIONS(...)                                                                           \
    (&(const struct kt_get_options){ .size = sizeof(struct kt_get_options), __VA_ARGS__ })

/** scene_add_rows - a loop test over a table */
#define scene_add_rows(tc, test, table)                                                            \
    tcase_add_loop_test(tc, test, 0, (int)(sizeof(table) / sizeof((table)[0])))

/** scene_now_ms - what the scene's clock says */
int64_t scene_now_ms(struct scene *s, enum kt_clock_id which);

#endif
