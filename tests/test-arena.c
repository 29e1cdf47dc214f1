/* SPDX-License-Identifier: Apache-2.0 */
#include "harness.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "child.h"
#include "core/arena.h"

#define TOP (KT_VALUE_MAX + 64) /* the largest size class */

static bool is_byte(const void *p, int byte, size_t len)
{
    const unsigned char *b = p;

    for (size_t i = 0; i < len; i++)
        if (b[i] != byte)
            return false;
    return true;
}

/* The VmFlags of the mapping that @p lies in, as smaps has them: " rd wr dd lo …". */
static void flags_of(const void *p, char flags[256])
{
    unsigned long from, to, at = (unsigned long)p;
    bool here = false;
    char line[512];
    FILE *f = fopen("/proc/self/smaps", "re");

    flags[0] = '\0';
    CHILD_MUST(f != NULL);
    while (fgets(line, sizeof(line), f) != NULL) {
        if (sscanf(line, "%lx-%lx ", &from, &to) == 2)
            here = from <= at && at < to;
        else if (here && strncmp(line, "VmFlags:", 8) == 0)
            snprintf(flags, 256, "%.255s", line + 8);
    }
    fclose(f);
}

static bool has_flag(const void *p, const char *flag)
{
    char flags[256], word[8];

    flags_of(p, flags);
    snprintf(word, sizeof(word), " %s ", flag);
    return strstr(flags, word) != NULL;
}

static bool is_mapped(const void *p)
{
    const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    unsigned char there;

    return mincore((void *)((uintptr_t)p / page * page), 1, &there) == 0;
}

/* ---- blocks --------------------------------------------------------------------------------- */

static const size_t sizes[] = { 0,     1,       31,   32,      33,     64,     65,
                                100,   128,     1000, 4096,    4097,   65535,  65536,
                                65537, TOP - 1, TOP,  TOP + 1, 100000, 1 << 20 };

START_TEST(a_block_is_zero_aligned_and_ones_own)
{
    const size_t len = sizes[_i];
    char *blocks[10];

    for (int flags = 0; flags < 2; flags++) {
        for (int round = 0; round < 3; round++) {
            for (int i = 0; i < 10; i++) {
                blocks[i] = kt_arena_alloc(len, flags ? KT_MEM_WIPEONFORK : 0);
                ck_assert_ptr_nonnull(blocks[i]);
                ck_assert_uint_eq((uintptr_t)blocks[i] % 16, 0);
                ck_assert(is_byte(blocks[i], 0, len));
                memset(blocks[i], i + 1, len);
            }
            ck_assert_uint_eq(kt_arena_live(), 10);
            for (int i = 0; i < 10; i++) {
                ck_assert(is_byte(blocks[i], i + 1, len));
                kt_arena_free(blocks[i]);
            }
            ck_assert_uint_eq(kt_arena_live(), 0);
        }
    }
}
END_TEST

START_TEST(null_may_be_freed)
{
    kt_arena_free(NULL);
    ck_assert_uint_eq(kt_arena_live(), 0);
}
END_TEST

START_TEST(random_blocks_keep_what_they_hold)
{
    enum { N = 2000 };
    static struct {
        unsigned char *p;
        size_t len;
    } slots[N];
    unsigned seed = 7;

    for (int step = 0; step < 20000; step++) {
        const int i = rand_r(&seed) % N;

        if (slots[i].p == NULL) {
            slots[i].len = (size_t)1 << rand_r(&seed) % 12;
            slots[i].len += (size_t)rand_r(&seed) % slots[i].len;
            slots[i].p = kt_arena_alloc(slots[i].len, rand_r(&seed) % 2 ? KT_MEM_WIPEONFORK : 0);
            ck_assert_ptr_nonnull(slots[i].p);
            ck_assert(is_byte(slots[i].p, 0, slots[i].len));
            memset(slots[i].p, i & 0xff, slots[i].len);
        } else {
            ck_assert(is_byte(slots[i].p, i & 0xff, slots[i].len));
            kt_arena_free(slots[i].p);
            slots[i].p = NULL;
        }
    }
    for (int i = 0; i < N; i++)
        kt_arena_free(slots[i].p);
}
END_TEST

/* The slab stays mapped while a neighbour lives, so the place can be looked at. */
START_TEST(a_freed_block_is_wiped_whole)
{
    static const size_t lens[] = { 20, 32, 1000, 60000, KT_VALUE_MAX, TOP };

    for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
        char *neighbour = kt_arena_alloc(lens[i], 0);
        char *p = kt_arena_alloc(lens[i], 0);

        ck_assert_ptr_nonnull(neighbour);
        ck_assert_ptr_nonnull(p);
        memset(neighbour, 'n', lens[i]);
        memset(p, 's', lens[i]);
        kt_arena_free(p);
        ck_assert(is_byte(p, 0, lens[i]));
        ck_assert(is_byte(neighbour, 'n', lens[i]));
        kt_arena_free(neighbour);
    }
}
END_TEST

START_TEST(a_slab_is_reused)
{
    void *first = kt_arena_alloc(100, 0);

    kt_arena_free(first);
    for (int i = 0; i < 1000; i++) {
        void *p = kt_arena_alloc(100, 0);

        ck_assert_ptr_eq(p, first);
        kt_arena_free(p);
    }
}
END_TEST

START_TEST(a_hole_is_filled_before_a_slab_is_made)
{
    enum { N = 2 * 65536 / 32 }; /* two full slabs */
    static void *blocks[N];

    for (int i = 0; i < N; i++)
        ck_assert_ptr_nonnull(blocks[i] = kt_arena_alloc(32, 0));
    for (int i = 5; i < N; i += 511) {
        void *hole = blocks[i];

        kt_arena_free(hole);
        blocks[i] = kt_arena_alloc(20, 0);
        ck_assert_ptr_eq(blocks[i], hole);
    }
    for (int i = 0; i < N; i++)
        kt_arena_free(blocks[i]);
}
END_TEST

START_TEST(empty_slabs_but_one_are_unmapped)
{
    enum { N = 64, PER_SLAB = 4 };
    void *blocks[N], *own;
    size_t mapped = 0;

    for (int i = 0; i < N; i++)
        ck_assert_ptr_nonnull(blocks[i] = kt_arena_alloc(KT_VALUE_MAX, 0));
    for (int i = 0; i < N; i++)
        kt_arena_free(blocks[(i * 37) % N]);
    for (int i = 0; i < N; i++)
        mapped += is_mapped(blocks[i]);
    ck_assert_uint_eq(mapped, PER_SLAB);

    own = kt_arena_alloc(1 << 20, 0); /* pages of its own: never stay */
    ck_assert_ptr_nonnull(own);
    ck_assert(is_mapped(own));
    kt_arena_free(own);
    ck_assert(!is_mapped(own));
}
END_TEST

/* 65,530 is the kernel's usual limit of mappings, and a search of them all for each free would not
 * end within the test's time. */
START_TEST(a_hundred_thousand_blocks)
{
    enum { N = 100000, SLAB = 65536 };
    static char *blocks[N];
    size_t mapped = 0;

    for (size_t i = 0; i < N; i++) {
        blocks[i] = kt_arena_alloc(64 + i % 64, 0);
        ck_assert_ptr_nonnull(blocks[i]);
        *(size_t *)(void *)blocks[i] = i;
    }
    ck_assert_uint_eq(kt_arena_live(), N);
    for (size_t i = 0; i < N; i++) {
        size_t j = i * 7919 % N; /* each once: 7919 is a prime that does not divide N */

        ck_assert_uint_eq(*(size_t *)(void *)blocks[j], j);
        kt_arena_free(blocks[j]);
    }
    ck_assert_uint_eq(kt_arena_live(), 0);
    for (size_t i = 0; i < N; i++)
        mapped += is_mapped(blocks[i]);
    ck_assert_uint_le(mapped, SLAB / 64 + SLAB / 128); /* a slab of each of the two classes */
}
END_TEST

/* ---- pages ---------------------------------------------------------------------------------- */

START_TEST(pages_are_locked_and_not_dumped)
{
    struct rlimit lim;
    char *blocks[] = { kt_arena_alloc(32, 0), kt_arena_alloc(65536, 0), kt_arena_alloc(1 << 18, 0),
                       kt_arena_alloc(32, KT_MEM_WIPEONFORK) };

    ck_assert_int_eq(getrlimit(RLIMIT_MEMLOCK, &lim), 0);
    for (int i = 0; i < 4; i++) {
        ck_assert_ptr_nonnull(blocks[i]);
        ck_assert_msg(has_flag(blocks[i], "dd"), "block %d", i);
        if (lim.rlim_cur >= 2 << 20)
            ck_assert_msg(has_flag(blocks[i], "lo"), "block %d", i);
        ck_assert_int_eq(has_flag(blocks[i], "wf"), i == 3);
    }
    for (int i = 0; i < 4; i++)
        kt_arena_free(blocks[i]);
}
END_TEST

static void run_without_locks(void *arg)
{
    const struct rlimit none = { 0, 0 };
    char *p;

    (void)arg;
    CHILD_MUST(setrlimit(RLIMIT_MEMLOCK, &none) == 0);
    if (geteuid() == 0)
        CHILD_MUST(setgid(65534) == 0 && setuid(65534) == 0);
    CHILD_MUST(prctl(PR_SET_DUMPABLE, 1) == 0); /* setuid took it, and with it /proc/self */
    p = kt_arena_alloc(2048, 0);
    CHILD_MUST(p != NULL && is_byte(p, 0, 2048));
    memset(p, 'x', 2048);
    CHILD_MUST(!has_flag(p, "lo"));
    CHILD_MUST(has_flag(p, "dd"));
    kt_arena_free(p);
}

START_TEST(without_a_right_to_lock_it_works_unlocked)
{
    ck_assert_int_eq(run_child(run_without_locks, NULL), 0);
}
END_TEST

static void run_without_mlock2(void *arg)
{
    char page[8192];
    char *p;

    (void)arg;
    deny(SYS_mlock2, -1, 0, ENOSYS);
    for (int i = 0; i < 2; i++) {
        p = kt_arena_alloc((size_t)3000 << i, 0);
        CHILD_MUST(p != NULL);
        (void)mlock(page, sizeof(page)); /* limits forbid it, sanitizers make it do nothing */
        CHILD_MUST(has_flag(p, "lo") == has_flag(page, "lo"));
        kt_arena_free(p);
    }
}

START_TEST(without_mlock2_whole_slabs_are_locked)
{
    ck_assert_int_eq(run_child(run_without_mlock2, NULL), 0);
}
END_TEST

static void touch(void *at)
{
    signal(SIGSEGV, SIG_DFL); /* a sanitizer's handler would write a page about it */
    *(volatile char *)at = 'x';
}

START_TEST(a_slab_lies_between_guard_pages)
{
    const long page = sysconf(_SC_PAGESIZE);
    char *p = kt_arena_alloc((size_t)(32 * page), 0); /* pages of its own */

    ck_assert_ptr_nonnull(p);
    ck_assert_int_eq(run_child(touch, p), 0);
    ck_assert_int_eq(run_child(touch, p + 32 * page - 1), 0);
    ck_assert_int_eq(WTERMSIG(run_child(touch, p - 1)), SIGSEGV);
    ck_assert_int_eq(WTERMSIG(run_child(touch, p + 32 * page)), SIGSEGV);
    kt_arena_free(p);
}
END_TEST

/* ---- fork ----------------------------------------------------------------------------------- */

struct pair {
    char *kept;
    char *wiped;
    bool locked;
    bool by_kernel;
};

static void look_at_pair(void *arg)
{
    const struct pair *pair = arg;
    char *fresh;

    CHILD_MUST(is_byte(pair->kept, 'k', 100));
    CHILD_MUST(is_byte(pair->wiped, 0, 100));
    CHILD_MUST(has_flag(pair->wiped, "wf") == pair->by_kernel);
    CHILD_MUST(!has_flag(pair->kept, "lo")); /* the kernel drops locks in a child … */
    CHILD_MUST(kt_arena_live() == 2);
    fresh = kt_arena_alloc(100, KT_MEM_WIPEONFORK);
    CHILD_MUST(fresh != NULL && fresh != pair->wiped && is_byte(fresh, 0, 100));
    CHILD_MUST(has_flag(pair->kept, "lo") == pair->locked); /* … and they are taken again */
    kt_arena_free(fresh);
    kt_arena_free(pair->kept);
    kt_arena_free(pair->wiped);
    CHILD_MUST(kt_arena_live() == 0);
}

START_TEST(a_child_has_the_values_and_not_the_keys)
{
    struct pair pair = { .by_kernel = true };

    pair.kept = kt_arena_alloc(100, 0);
    pair.wiped = kt_arena_alloc(100, KT_MEM_WIPEONFORK);
    ck_assert_ptr_nonnull(pair.kept);
    ck_assert_ptr_nonnull(pair.wiped);
    memset(pair.kept, 'k', 100);
    memset(pair.wiped, 'w', 100);
    pair.locked = has_flag(pair.kept, "lo");
    ck_assert_int_eq(run_child(look_at_pair, &pair), 0);
    ck_assert(is_byte(pair.kept, 'k', 100));
    ck_assert(is_byte(pair.wiped, 'w', 100));
    ck_assert(has_flag(pair.kept, "lo") == pair.locked);
    kt_arena_free(pair.kept);
    kt_arena_free(pair.wiped);
}
END_TEST

/* A kernel that does not know MADV_WIPEONFORK. */
static void fork_on_an_old_kernel(void *arg)
{
    struct pair pair = { .by_kernel = false };

    (void)arg;
    deny(SYS_madvise, 2, MADV_WIPEONFORK, EINVAL);
    pair.kept = kt_arena_alloc(100, 0);
    pair.wiped = kt_arena_alloc(100, KT_MEM_WIPEONFORK);
    CHILD_MUST(pair.kept != NULL && pair.wiped != NULL);
    memset(pair.kept, 'k', 100);
    memset(pair.wiped, 'w', 100);
    pair.locked = has_flag(pair.kept, "lo");
    CHILD_MUST(run_child(look_at_pair, &pair) == 0);
    CHILD_MUST(is_byte(pair.wiped, 'w', 100));
    kt_arena_free(pair.kept);
    kt_arena_free(pair.wiped);
}

START_TEST(a_kernel_that_cannot_wipe_is_helped)
{
    ck_assert_int_eq(run_child(fork_on_an_old_kernel, NULL), 0);
}
END_TEST

/* ---- no memory ------------------------------------------------------------------------------ */

static void map_nothing(void *arg)
{
    void *before = kt_arena_alloc(100, 0);

    (void)arg;
    CHILD_MUST(before != NULL);
    deny(SYS_mmap, 2, PROT_NONE, ENOMEM); /* only slabs begin as that */
    CHILD_MUST(kt_arena_alloc(TOP, 0) == NULL);
    CHILD_MUST(kt_arena_alloc(1 << 20, 0) == NULL);
    CHILD_MUST(kt_arena_live() == 1);
    kt_arena_free(before);
}

static void protect_nothing(void *arg)
{
    (void)arg;
    deny(SYS_mprotect, 2, PROT_READ | PROT_WRITE, ENOMEM);
    CHILD_MUST(kt_arena_alloc(TOP, 0) == NULL);
    CHILD_MUST(kt_arena_live() == 0);
}

START_TEST(no_memory_is_an_answer)
{
    static void (*const bodies[])(void *) = { map_nothing, protect_nothing };

    ck_assert_int_eq(run_child(bodies[_i], NULL), 0);
}
END_TEST

START_TEST(absurd_sizes_are_no_memory)
{
    ck_assert_ptr_null(kt_arena_alloc(SIZE_MAX, 0));
    ck_assert_ptr_null(kt_arena_alloc(SIZE_MAX - 4095, 0));
    ck_assert_ptr_null(kt_arena_alloc((size_t)PTRDIFF_MAX + 1, 0));
    ck_assert_ptr_null(kt_arena_alloc(PTRDIFF_MAX / 2, 0));
    ck_assert_uint_eq(kt_arena_live(), 0);
}
END_TEST

/* ---- our own mistakes ----------------------------------------------------------------------- */

static void free_twice(void *arg)
{
    void *neighbour = kt_arena_alloc(100, 0);
    void *p = kt_arena_alloc(100, 0);

    (void)arg;
    CHILD_MUST(neighbour != NULL);
    kt_arena_free(p);
    kt_arena_free(p);
}

static void free_own_pages_twice(void *arg)
{
    void *p = kt_arena_alloc(1 << 20, 0);

    (void)arg;
    kt_arena_free(p);
    kt_arena_free(p);
}

static void free_the_middle(void *arg)
{
    (void)arg;
    kt_arena_free((char *)kt_arena_alloc(100, 0) + 16);
}

static void free_a_neighbour_never_given(void *arg)
{
    (void)arg;
    kt_arena_free((char *)kt_arena_alloc(100, 0) + 128);
}

static void free_behind_a_slab(void *arg)
{
    (void)arg;
    kt_arena_free((char *)kt_arena_alloc(1 << 20, 0) + (1 << 20));
}

static void free_what_is_not_ours(void *arg)
{
    (void)arg;
    CHILD_MUST(kt_arena_alloc(100, 0) != NULL);
    kt_arena_free((void *)(uintptr_t)4096); /* before all slabs */
}

static void free_where_nothing_is(void *arg)
{
    (void)arg;
    kt_arena_free((void *)(uintptr_t)4096);
}

START_TEST(a_wrong_free_aborts)
{
    static void (*const bodies[])(void *) = {
        free_twice,
        free_own_pages_twice,
        free_the_middle,
        free_a_neighbour_never_given,
        free_behind_a_slab,
        free_what_is_not_ours,
        free_where_nothing_is,
    };
    int status = run_child(bodies[_i], NULL);

    ck_assert(WIFSIGNALED(status));
    ck_assert_int_eq(WTERMSIG(status), SIGABRT);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("arena");
    TCase *t = tcase_create("fresh"); /* first: no slab is there yet */

    tcase_add_loop_test(t, a_wrong_free_aborts, 0, 7);
    tcase_add_loop_test(t, no_memory_is_an_answer, 0, 2);
    tcase_add_test(t, a_kernel_that_cannot_wipe_is_helped);
    tcase_add_test(t, without_a_right_to_lock_it_works_unlocked);
    tcase_add_test(t, without_mlock2_whole_slabs_are_locked);
    suite_add_tcase(s, t);

    t = tcase_create("blocks");
    tcase_add_checked_fixture(t, NULL, kt_harness_no_secrets);
    tcase_add_loop_test(t, a_block_is_zero_aligned_and_ones_own, 0,
                        sizeof(sizes) / sizeof(sizes[0]));
    tcase_add_test(t, null_may_be_freed);
    tcase_add_test(t, random_blocks_keep_what_they_hold);
    tcase_add_test(t, a_freed_block_is_wiped_whole);
    tcase_add_test(t, a_slab_is_reused);
    tcase_add_test(t, a_hole_is_filled_before_a_slab_is_made);
    tcase_add_test(t, empty_slabs_but_one_are_unmapped);
    tcase_add_test(t, a_hundred_thousand_blocks);
    tcase_add_test(t, absurd_sizes_are_no_memory);
    suite_add_tcase(s, t);

    t = tcase_create("pages");
    tcase_add_checked_fixture(t, NULL, kt_harness_no_secrets);
    tcase_add_test(t, pages_are_locked_and_not_dumped);
    tcase_add_test(t, a_slab_lies_between_guard_pages);
    tcase_add_test(t, a_child_has_the_values_and_not_the_keys);
    suite_add_tcase(s, t);
    return kt_harness_run(s);
}
