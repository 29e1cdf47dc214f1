/* SPDX-License-Identifier: Apache-2.0 */
#include "clock.h"

#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_S 1000000000LL
#define NS_PER_MS 1000000

static pthread_once_t boot_once = PTHREAD_ONCE_INIT;
static uint8_t boot_id[16];

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* "b6ff1e3c-…\n" to 16 bytes */
static bool parse_uuid(const char *text, size_t len, uint8_t id[16])
{
    size_t digits = 0;

    for (size_t i = 0; i < len && digits < 32; i++) {
        int digit = hex_digit(text[i]);

        if (text[i] == '-')
            continue;
        if (digit < 0)
            return false;
        id[digits / 2] = (uint8_t)(id[digits / 2] << 4 | digit);
        digits++;
    }
    return digits == 32;
}

/*
 * Without /proc (a chroot) this process still knows itself: its own number is as good among its
 * copies in memory, and no copy on disk will be taken for one of this boot.
 */
static void read_boot_id(void)
{
    char text[64];
    ssize_t n = -1;
    int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);

    if (fd >= 0) {
        n = read(fd, text, sizeof(text));
        close(fd);
    }
    if (n < 0 || !parse_uuid(text, (size_t)n, boot_id))
        if (getrandom(boot_id, sizeof(boot_id), GRND_NONBLOCK) != (ssize_t)sizeof(boot_id))
            memset(boot_id, 0, sizeof(boot_id));
}

static void system_boot_id(void *ctx, uint8_t id[16])
{
    (void)ctx;
    pthread_once(&boot_once, read_boot_id);
    memcpy(id, boot_id, sizeof(boot_id));
}

static int64_t system_now_ns(void *ctx, enum kt_clock_id which)
{
    static const clockid_t clocks[] = {
        [KT_CLOCK_WALL] = CLOCK_REALTIME,
        [KT_CLOCK_MONOTONIC] = CLOCK_MONOTONIC,
        [KT_CLOCK_BOOT] = CLOCK_BOOTTIME,
    };
    struct timespec t = { 0 };

    (void)ctx;
    clock_gettime(clocks[which], &t);
    return t.tv_sec * NS_PER_S + t.tv_nsec;
}

const struct kt_clock kt_clock_system = {
    .now_ns = system_now_ns,
    .boot_id = system_boot_id,
};

int64_t kt_clock_ns(const struct kt_clock *c, enum kt_clock_id which)
{
    return c->now_ns(c->ctx, which);
}

int64_t kt_clock_ms(const struct kt_clock *c, enum kt_clock_id which)
{
    return kt_clock_ns(c, which) / NS_PER_MS;
}

void kt_asof_now(const struct kt_clock *c, struct kt_asof *out)
{
    out->wall_ms = kt_clock_ms(c, KT_CLOCK_WALL);
    out->boot_ms = kt_clock_ms(c, KT_CLOCK_BOOT);
    c->boot_id(c->ctx, out->boot_id);
}

void kt_asof_of_age(const struct kt_clock *c, int64_t age_ms, struct kt_asof *out)
{
    kt_asof_now(c, out);
    if (age_ms < 0 || __builtin_sub_overflow(out->wall_ms, age_ms, &out->wall_ms) ||
        __builtin_sub_overflow(out->boot_ms, age_ms, &out->boot_ms))
        memset(out, 0, sizeof(*out)); /* no age that can be told */
}

int64_t kt_asof_age_ms(const struct kt_clock *c, const struct kt_asof *asof)
{
    static const struct kt_asof none;
    struct kt_asof now;
    int64_t age;
    bool same_boot;

    if (memcmp(asof, &none, sizeof(none)) == 0)
        return -1;
    kt_asof_now(c, &now);
    same_boot = memcmp(now.boot_id, asof->boot_id, sizeof(now.boot_id)) == 0 &&
                memcmp(now.boot_id, none.boot_id, sizeof(now.boot_id)) != 0;
    if (same_boot ? __builtin_sub_overflow(now.boot_ms, asof->boot_ms, &age)
                  : __builtin_sub_overflow(now.wall_ms, asof->wall_ms, &age))
        return -1;
    return age >= 0 ? age : -1;
}
