/* SPDX-License-Identifier: Apache-2.0 */
#include "harness.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "child.h"
#include "core/arena.h"

#define THREADS 4
#define SLOTS 50
#define BLOCKS_MAX 200 /* that they hold at once */

_Static_assert(BLOCKS_MAX == THREADS * SLOTS, "too many blocks");

static bool is_byte(const void *p, int byte, size_t len)
{
    const unsigned char *b = p;

    for (size_t i = 0; i < len; i++)
        if (b[i] != byte)
            return false;
    return true;
}

static void *churn(void *arg)
{
    unsigned seed = (unsigned)(uintptr_t)arg;
    struct {
        unsigned char *p;
        size_t len;
    } slots[SLOTS] = { 0 };

    for (int step = 0; step < 4000; step++) {
        const unsigned i = (unsigned)rand_r(&seed) % SLOTS;

        if (slots[i].p != NULL) {
            CHILD_MUST(is_byte(slots[i].p, (int)i + 1, slots[i].len));
            kt_arena_free(slots[i].p);
            slots[i].p = NULL;
        } else {
            slots[i].len = (size_t)rand_r(&seed) % (step % 100 == 0 ? 100000 : 500);
            slots[i].p = kt_arena_alloc(slots[i].len, step % 2 ? KT_MEM_WIPEONFORK : 0);
            CHILD_MUST(slots[i].p != NULL && is_byte(slots[i].p, 0, slots[i].len));
            memset(slots[i].p, (int)i + 1, slots[i].len);
        }
    }
    for (unsigned i = 0; i < SLOTS; i++)
        kt_arena_free(slots[i].p);
    return NULL;
}

static void start(pthread_t threads[THREADS])
{
    for (uintptr_t i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, churn, (void *)(i + 1)), 0);
}

static void join(pthread_t threads[THREADS])
{
    for (unsigned i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
}

START_TEST(many_threads_share_it)
{
    pthread_t threads[THREADS];

    start(threads);
    for (int i = 0; i < 1000; i++)
        ck_assert_uint_le(kt_arena_live(), BLOCKS_MAX);
    join(threads);
    ck_assert_uint_eq(kt_arena_live(), 0);
}
END_TEST

static void use_it(void *arg)
{
    void *p = kt_arena_alloc(100, 0);

    (void)arg;
    CHILD_MUST(p != NULL);
    kt_arena_free(p);
    fflush(NULL);
    _exit(0);
}

START_TEST(a_child_born_amid_other_threads_can_use_it)
{
    pthread_t threads[THREADS];

    start(threads);
    for (int i = 0; i < 20; i++)
        ck_assert_int_eq(run_child(use_it, NULL), 0);
    join(threads);
    ck_assert_uint_eq(kt_arena_live(), 0);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("arena-threads");
    TCase *t = tcase_create("threads");

    tcase_add_checked_fixture(t, NULL, kt_harness_no_secrets);
    tcase_add_test(t, many_threads_share_it);
    tcase_add_test(t, a_child_born_amid_other_threads_can_use_it);
    suite_add_tcase(s, t);
    return kt_harness_run(s);
}
