/* SPDX-License-Identifier: Apache-2.0 */
#include "doctor.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/timex.h>
#include <time.h>
#include <unistd.h>

#define LOCKED_MIN (256 * 1024) /* bytes: a few values of any size */
#define LONG_AGO 1735689600     /* 2025-01-01, in seconds: no keyturn is older */

/* A file of /proc or /sys, whole, as text; false: it is not to be had. */
static bool read_text(const char *path, char *out, size_t size)
{
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    size_t len = 0;
    ssize_t n = 0;

    if (fd < 0)
        return false;
    while (len < size - 1 && (n = read(fd, out + len, size - 1 - len)) > 0)
        len += (size_t)n;
    (void)close(fd);
    out[len] = '\0';
    return n >= 0;
}

/* ---- memory --------------------------------------------------------------------------------- */

static void look_at_locking(struct doctor *d)
{
    void *p = mmap(NULL, LOCKED_MIN, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    const int error = p == MAP_FAILED || mlock(p, LOCKED_MIN) != 0 ? errno : 0;
    struct rlimit limit = { 0, 0 };
    char fix[128] = "";

    (void)getrlimit(RLIMIT_MEMLOCK, &limit);
    if (p != MAP_FAILED)
        (void)munmap(p, LOCKED_MIN);
    if (error == 0) {
        if (limit.rlim_cur != RLIM_INFINITY)
            (void)snprintf(fix, sizeof(fix), ", up to %llu KiB",
                           (unsigned long long)limit.rlim_cur / 1024);
        doctor_tell(d, FINE, "memory", "locked memory", KT_SUCCESS, NULL,
                    "values are kept out of swap%s", fix);
        return;
    }
    if (limit.rlim_max >= LOCKED_MIN)
        (void)snprintf(fix, sizeof(fix), "ulimit -l %llu",
                       limit.rlim_max == RLIM_INFINITY ? 65536ULL
                                                       : (unsigned long long)limit.rlim_max / 1024);
    else
        (void)snprintf(fix, sizeof(fix), "sudo prlimit --memlock=8388608 --pid $$");
    doctor_tell(d, ODD, "memory", "locked memory", KT_NO_MEMORY, fix,
                "this shell may lock %llu KiB: values may be written to swap (%s)",
                (unsigned long long)limit.rlim_cur / 1024, strerror(error));
}

/* Our own limit is 0 since the start; whoever started us is what other programs inherit from. */
static void look_at_cores(struct doctor *d)
{
    static const char key[] = "Max core file size";
    char path[64], text[4096], pattern[256] = "";
    const char *line = NULL;

    (void)snprintf(path, sizeof(path), "/proc/%d/limits", (int)getppid());
    if (read_text(path, text, sizeof(text)))
        line = strstr(text, key);
    if (line == NULL) {
        doctor_tell(d, FINE, "core", "core dumps", KT_SUCCESS, NULL, "keyturn writes none");
        return;
    }
    line += sizeof(key) - 1;
    line += strspn(line, " ");
    if (line[0] == '0') {
        doctor_tell(d, FINE, "core", "core dumps", KT_SUCCESS, NULL,
                    "neither keyturn nor programs started from here write any");
        return;
    }
    (void)read_text("/proc/sys/kernel/core_pattern", pattern, sizeof(pattern));
    pattern[strcspn(pattern, "\n")] = '\0';
    doctor_tell(d, ODD, "core", "core dumps", KT_CONFIG_ERROR, "ulimit -c 0",
                "programs started from here write theirs, with the secrets they hold, to '%s'",
                pattern);
}

/* ---- swap ----------------------------------------------------------------------------------- */

/* @device: a directory of /sys. One that is made of others is encrypted if all of those are. */
static bool is_encrypted(const char *device, unsigned depth)
{
    char path[512], text[256];
    bool any = false, all = true;
    const struct dirent *e;
    DIR *slaves;

    (void)snprintf(path, sizeof(path), "%.256s/dm/uuid", device);
    if (read_text(path, text, sizeof(text)) && strncmp(text, "CRYPT-", 6) == 0)
        return true;
    (void)snprintf(path, sizeof(path), "%.256s/slaves", device);
    slaves = depth > 0 ? opendir(path) : NULL;
    while (slaves != NULL && all && (e = readdir(slaves)) != NULL) {
        if (e->d_name[0] == '.')
            continue;
        any = true;
        (void)snprintf(path, sizeof(path), "/sys/class/block/%.200s", e->d_name);
        all = is_encrypted(path, depth - 1);
    }
    if (slaves != NULL)
        (void)closedir(slaves);
    return any && all;
}

static void look_at_swap_area(struct doctor *d, const char *name)
{
    char device[64], fix[512];
    struct stat st;
    dev_t dev;

    if (strncmp(name, "/dev/zram", 9) == 0) {
        doctor_tell(d, FINE, "swap", name, KT_SUCCESS, NULL, "it is memory");
        return;
    }
    if (stat(name, &st) != 0) {
        doctor_tell(d, FINE, "swap", name, KT_SUCCESS, NULL, "cannot be looked at from here");
        return;
    }
    dev = S_ISBLK(st.st_mode) ? st.st_rdev : st.st_dev;
    (void)snprintf(device, sizeof(device), "/sys/dev/block/%u:%u", major(dev), minor(dev));
    (void)snprintf(fix, sizeof(fix), "sudo swapoff '%.400s'", name);
    if (is_encrypted(device, 4))
        doctor_tell(d, FINE, "swap", name, KT_SUCCESS, NULL, "encrypted");
    else
        doctor_tell(d, ODD, "swap", name, KT_CONFIG_ERROR, fix,
                    "not encrypted, as far as can be seen: programs' memory is written to it");
}

/* A line an area, behind a line of heads; blanks in names are octal escapes. */
static void look_at_swap(struct doctor *d)
{
    char text[8192], *rest = text, *line;
    bool any = false;

    if (!read_text("/proc/swaps", text, sizeof(text)))
        text[0] = '\0';
    for (unsigned i = 0; (line = strsep(&rest, "\n")) != NULL; i++) {
        line[strcspn(line, " \t")] = '\0';
        if (i == 0 || line[0] == '\0')
            continue;
        any = true;
        look_at_swap_area(d, line);
    }
    if (!any)
        doctor_tell(d, FINE, "swap", "swap", KT_SUCCESS, NULL, "none");
}

void doctor_memory(struct doctor *d)
{
    look_at_locking(d);
    look_at_cores(d);
    look_at_swap(d);
}

/* ---- time ----------------------------------------------------------------------------------- */

void doctor_clock(struct doctor *d)
{
    struct timespec wall = { 0, 0 }, boot = { 0, 0 };
    struct timex tx = { .modes = 0 };
    char text[64], when[WHEN_SIZE];

    (void)clock_gettime(CLOCK_REALTIME, &wall);
    (void)when_format((int64_t)wall.tv_sec * 1000, false, when);
    if (wall.tv_sec < LONG_AGO)
        doctor_tell(d, WRONG, "clock", "date", KT_CONFIG_ERROR, "sudo timedatectl set-ntp true",
                    "it says %s, which is past: expiry and copies are judged wrongly", when);
    else if (adjtimex(&tx) == TIME_ERROR && (tx.status & STA_UNSYNC) != 0)
        doctor_tell(d, ODD, "clock", "date", KT_CONFIG_ERROR, "sudo timedatectl set-ntp true",
                    "%s, which nobody keeps right: no time service synchronises it", when);
    else
        doctor_tell(d, FINE, "clock", "date", KT_SUCCESS, NULL, "%s", when);
    if (clock_gettime(CLOCK_BOOTTIME, &boot) != 0 ||
        !read_text("/proc/sys/kernel/random/boot_id", text, sizeof(text)))
        doctor_tell(
            d, ODD, "clock", "boot", KT_UNAVAILABLE, NULL,
            "which boot this is cannot be told: the age of copies on disk follows the date");
    else
        doctor_tell(d, FINE, "clock", "boot", KT_SUCCESS, NULL, "%s ago",
                    when_span((int64_t)boot.tv_sec * 1000, when));
}
