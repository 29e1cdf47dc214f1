/* SPDX-License-Identifier: Apache-2.0 */
#include "harness.h"

#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>

#include "child.h"
#include "core/clock.h"

#define SECOND 1000LL
#define HOUR (3600 * SECOND)
#define DAY (24 * HOUR)

/* A clock that stands where it is put. */
struct fake {
    int64_t ms[3];
    uint8_t boot;
};

static int64_t fake_now_ns(void *ctx, enum kt_clock_id which)
{
    return ((const struct fake *)ctx)->ms[which] * 1000000;
}

static void fake_boot_id(void *ctx, uint8_t id[16])
{
    memset(id, ((const struct fake *)ctx)->boot, 16);
}

/* A copy is made at wall 1,000 days, boot 10 h, on boot 1; then the clocks move. */
static const struct {
    const char *title;
    int64_t wall;
    int64_t monotonic;
    int64_t boot_ms;
    uint8_t boot;
    int64_t want;
} rows[] = {
    { "nothing moved", 0, 0, 0, 1, 0 },
    { "an hour passes", HOUR, HOUR, HOUR, 1, HOUR },
    { "the wall clock is set back a day", HOUR - DAY, HOUR, HOUR, 1, HOUR },
    { "the wall clock is set forward a day", HOUR + DAY, HOUR, HOUR, 1, HOUR },
    { "suspended: only the boot clock and the wall clock ran", HOUR, 0, HOUR, 1, HOUR },
    { "another boot: the wall clock decides", HOUR, -9 * HOUR, -9 * HOUR, 2, HOUR },
    { "another boot that runs longer already", HOUR, 5 * DAY, 5 * DAY, 2, HOUR },
    { "another boot and the wall clock was set back", -1, HOUR, HOUR, 2, -1 },
    { "same boot, as-of in the future", HOUR, HOUR, -1, 1, -1 },
    { "boot not known: the wall clock decides", HOUR, 0, 2 * HOUR, 0, HOUR },
};

START_TEST(age_rows)
{
    struct fake fake = { .ms = { 1000 * DAY, 7 * HOUR, 10 * HOUR }, .boot = 1 };
    const struct kt_clock clock = { .ctx = &fake, .now_ns = fake_now_ns, .boot_id = fake_boot_id };
    struct kt_asof asof;

    if (rows[_i].boot == 0)
        fake.boot = 0; /* was not known then either */
    kt_asof_now(&clock, &asof);
    ck_assert_int_eq(asof.wall_ms, 1000 * DAY);
    ck_assert_int_eq(asof.boot_ms, 10 * HOUR);
    fake.ms[KT_CLOCK_WALL] += rows[_i].wall;
    fake.ms[KT_CLOCK_MONOTONIC] += rows[_i].monotonic;
    fake.ms[KT_CLOCK_BOOT] += rows[_i].boot_ms;
    fake.boot = rows[_i].boot;
    ck_assert_msg(kt_asof_age_ms(&clock, &asof) == rows[_i].want, "%s: %lld", rows[_i].title,
                  (long long)kt_asof_age_ms(&clock, &asof));
}
END_TEST

START_TEST(no_asof_has_no_age)
{
    struct fake fake = { .ms = { 1000 * DAY, 7 * HOUR, 10 * HOUR }, .boot = 1 };
    const struct kt_clock clock = { .ctx = &fake, .now_ns = fake_now_ns, .boot_id = fake_boot_id };
    struct kt_asof asof = { 0 };

    ck_assert_int_eq(kt_asof_age_ms(&clock, &asof), -1);
    ck_assert_int_eq(kt_asof_age_ms(&kt_clock_system, &asof), -1);
}
END_TEST

static const int64_t ages[] = { 0, 1, HOUR, 20 * HOUR, 400 * DAY };

START_TEST(an_age_becomes_an_asof_and_back)
{
    struct fake fake = { .ms = { 1000 * DAY, 7 * HOUR, 10 * HOUR }, .boot = 1 };
    const struct kt_clock clock = { .ctx = &fake, .now_ns = fake_now_ns, .boot_id = fake_boot_id };
    struct kt_asof asof;

    kt_asof_of_age(&clock, ages[_i], &asof);
    ck_assert_int_eq(asof.wall_ms, 1000 * DAY - ages[_i]);
    ck_assert_int_eq(kt_asof_age_ms(&clock, &asof), ages[_i]);
    fake.boot = 2;
    ck_assert_int_eq(kt_asof_age_ms(&clock, &asof), ages[_i]);
}
END_TEST

START_TEST(what_is_no_age_becomes_no_asof)
{
    static const struct kt_asof none;
    static const int64_t bad[] = { -1, INT64_MIN };
    struct kt_asof asof;

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        kt_asof_of_age(&kt_clock_system, bad[i], &asof);
        ck_assert_mem_eq(&asof, &none, sizeof(none));
    }
}
END_TEST

START_TEST(hostile_numbers_have_no_age)
{
    struct kt_asof asof;

    for (int same = 0; same < 2; same++) {
        kt_asof_now(&kt_clock_system, &asof);
        asof.boot_id[0] ^= (uint8_t)!same;
        asof.wall_ms = asof.boot_ms = INT64_MIN;
        ck_assert_int_eq(kt_asof_age_ms(&kt_clock_system, &asof), -1);
        asof.wall_ms = asof.boot_ms = INT64_MAX;
        ck_assert_int_eq(kt_asof_age_ms(&kt_clock_system, &asof), -1);
    }
}
END_TEST

START_TEST(what_is_older_than_time_itself_is_not_young)
{
    struct fake fake = { .ms = { 1000 * DAY, 0, 10 * HOUR }, .boot = 1 };
    const struct kt_clock clock = { .ctx = &fake, .now_ns = fake_now_ns, .boot_id = fake_boot_id };
    struct kt_asof asof;

    kt_asof_of_age(&clock, INT64_MAX, &asof);
    ck_assert_int_eq(kt_asof_age_ms(&clock, &asof), INT64_MAX);
    fake.ms[KT_CLOCK_WALL] += 1; /* a number that has no name */
    fake.ms[KT_CLOCK_BOOT] += 1;
    ck_assert_int_eq(kt_asof_age_ms(&clock, &asof), -1);
}
END_TEST

START_TEST(a_clock_that_cannot_go_back_so_far_gives_no_asof)
{
    static const struct kt_asof none;
    struct fake fake = { .ms = { -10, 0, 0 }, .boot = 1 };
    const struct kt_clock clock = { .ctx = &fake, .now_ns = fake_now_ns, .boot_id = fake_boot_id };
    struct kt_asof asof;

    kt_asof_of_age(&clock, INT64_MAX, &asof);
    ck_assert_mem_eq(&asof, &none, sizeof(none));
}
END_TEST

START_TEST(the_systems_clocks_run)
{
    int64_t monotonic;

    for (int which = KT_CLOCK_WALL; which <= KT_CLOCK_BOOT; which++) {
        int64_t first = kt_clock_ns(&kt_clock_system, (enum kt_clock_id)which);

        ck_assert_int_gt(first, 0);
        usleep(2000);
        ck_assert_int_gt(kt_clock_ns(&kt_clock_system, (enum kt_clock_id)which), first);
        ck_assert_int_ge(kt_clock_ms(&kt_clock_system, (enum kt_clock_id)which), first / 1000000);
    }
    monotonic = kt_clock_ms(&kt_clock_system, KT_CLOCK_MONOTONIC); /* first: both go on meanwhile */
    ck_assert_int_ge(kt_clock_ms(&kt_clock_system, KT_CLOCK_BOOT), monotonic);
}
END_TEST

START_TEST(the_systems_boot_id_is_the_kernels)
{
    char text[64] = "", got[64];
    uint8_t id[16];
    const uint8_t *b = id;
    FILE *f = fopen("/proc/sys/kernel/random/boot_id", "re");

    ck_assert_ptr_nonnull(f);
    ck_assert_ptr_nonnull(fgets(text, sizeof(text), f));
    fclose(f);
    kt_clock_system.boot_id(NULL, id);
    snprintf(got, sizeof(got),
             "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x\n", b[0], b[1],
             b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14],
             b[15]);
    ck_assert_str_eq(got, text);
}
END_TEST

/* What the boot id's file says; NULL: it cannot be opened. @dry: no random numbers either. */
struct boot_file {
    const char *text;
    bool dry;
};

static const struct boot_file boot_files[] = {
    { NULL, false },
    { NULL, true },
    { "not a boot id", false },
    { "0123-4567", false },
};

/* Lay a file of ours over the kernel's, in a mount namespace of this process; needs root. */
static bool replace_boot_file(const char *text)
{
    char path[] = "/tmp/keyturn-clock.XXXXXX";
    int fd;

    if (unshare(CLONE_NEWNS) != 0)
        return false;
    fd = mkstemp(path);
    CHILD_MUST(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text) && close(fd) == 0);
    CHILD_MUST(mount("none", "/", "", MS_REC | MS_PRIVATE, NULL) == 0);
    CHILD_MUST(mount(path, "/proc/sys/kernel/random/boot_id", "", MS_BIND, NULL) == 0);
    CHILD_MUST(unlink(path) == 0);
    return true;
}

static void ask_without_boot_id(void *arg)
{
    const struct boot_file *row = arg;
    static const uint8_t zero[16];
    uint8_t id[16], again[16];
    struct kt_asof asof;

    if (row->text == NULL)
        deny(SYS_openat, 2, O_RDONLY | O_CLOEXEC, ENOENT);
    else if (!replace_boot_file(row->text))
        return;
    if (row->dry)
        deny(SYS_getrandom, -1, 0, EAGAIN);
    kt_clock_system.boot_id(NULL, id);
    kt_clock_system.boot_id(NULL, again);
    CHILD_MUST(memcmp(id, again, sizeof(id)) == 0);
    CHILD_MUST((memcmp(id, zero, sizeof(id)) == 0) == row->dry);
    kt_asof_now(&kt_clock_system, &asof);
    CHILD_MUST(kt_asof_age_ms(&kt_clock_system, &asof) >= 0);
}

/* The first of all tests: a process reads its boot id once. */
START_TEST(without_a_boot_id_copies_in_memory_still_age)
{
    struct boot_file row = boot_files[_i];

    ck_assert_int_eq(run_child(ask_without_boot_id, &row), 0);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("clock");
    TCase *t = tcase_create("asof");

    tcase_add_loop_test(t, without_a_boot_id_copies_in_memory_still_age, 0,
                        sizeof(boot_files) / sizeof(boot_files[0]));
    tcase_add_loop_test(t, age_rows, 0, sizeof(rows) / sizeof(rows[0]));
    tcase_add_test(t, no_asof_has_no_age);
    tcase_add_loop_test(t, an_age_becomes_an_asof_and_back, 0, sizeof(ages) / sizeof(ages[0]));
    tcase_add_test(t, what_is_no_age_becomes_no_asof);
    tcase_add_test(t, hostile_numbers_have_no_age);
    tcase_add_test(t, what_is_older_than_time_itself_is_not_young);
    tcase_add_test(t, a_clock_that_cannot_go_back_so_far_gives_no_asof);
    suite_add_tcase(s, t);

    t = tcase_create("system");
    tcase_add_test(t, the_systems_clocks_run);
    tcase_add_test(t, the_systems_boot_id_is_the_kernels);
    suite_add_tcase(s, t);
    return kt_harness_run(s);
}
