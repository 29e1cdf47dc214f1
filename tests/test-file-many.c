/* SPDX-License-Identifier: Apache-2.0 */

/* Many threads and processes at one store of the file backend. */

#include "child.h"
#include "filestore.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

static struct filestore fs;

static void setup(void)
{
    filestore_open(&fs, NULL);
}

static void teardown(void)
{
    filestore_close(&fs);
    ck_assert_uint_eq(modhost_live(), 0);
}

/* One more, by compare-and-swap: how often it took, counting the conflicts. */
static unsigned count_up(struct filestore *f)
{
    for (unsigned tries = 1;; tries++) {
        char id[KT_ID_SIZE] = "";
        char current[KT_ID_SIZE] = "";
        char value[32] = "1";
        int rc = filestore_get(f, "counter", NULL);

        MUST(rc == KT_SUCCESS || rc == KT_NOT_FOUND);
        if (rc == KT_SUCCESS) {
            (void)snprintf(value, sizeof(value), "%d", atoi(f->given->data) + 1);
            (void)snprintf(current, KT_ID_SIZE, "%s", f->given->id);
        }
        rc = filestore_put(f, "counter", value, id, current);
        if (rc != KT_SUCCESS && rc != KT_CONFLICT)
            fprintf(stderr, "%d: %s\n", rc, f->call.msg);
        MUST(rc == KT_SUCCESS || rc == KT_CONFLICT);
        if (rc == KT_SUCCESS)
            return tries;
    }
}

#define COUNTERS 4
#define EACH 60

START_TEST(processes_that_count_by_compare_and_swap_lose_nothing)
{
    pid_t pids[COUNTERS];

    for (int i = 0; i < COUNTERS; i++) {
        pids[i] = fork();
        if (pids[i] == 0) {
            struct filestore mine;

            filestore_again(&mine, &fs, NULL);
            for (int k = 0; k < EACH; k++)
                (void)count_up(&mine);
            filestore_close(&mine);
            _exit(0);
        }
    }
    for (int i = 0; i < COUNTERS; i++) {
        int status = -1;

        ck_assert_int_eq(waitpid(pids[i], &status, 0), pids[i]);
        ck_assert_int_eq(status, 0);
    }
    filestore_must_get(&fs, "counter", "240");
    modhost_call_reset(&fs.call);
    ck_assert_int_eq(fs.m->versions(fs.state, &fs.call, "counter"), KT_SUCCESS);
    ck_assert_uint_eq(fs.call.ngiven, COUNTERS * EACH);
}
END_TEST

/* ---- threads -------------------------------------------------------------------------------- */

#define THREADS 8
#define ROUNDS 25

static void *storm(void *arg)
{
    const int me = *(const int *)arg;
    struct filestore mine;
    char name[32];

    filestore_again(&mine, &fs, NULL);
    (void)snprintf(name, sizeof(name), "thread/%d", me);
    for (int i = 0; i < ROUNDS; i++) {
        char id[KT_ID_SIZE] = "";
        char value[32];

        (void)snprintf(value, sizeof(value), "%d-%d", me, i);
        MUST(filestore_put(&mine, name, value, id, NULL) == KT_SUCCESS);
        MUST(filestore_get(&mine, name, NULL) == KT_SUCCESS);
        MUST(strcmp(mine.given->data, value) == 0);
        (void)count_up(&mine);
        if (i % 5 == 0) {
            modhost_call_reset(&mine.call);
            MUST(mine.m->list(mine.state, &mine.call, "thread") == KT_SUCCESS);
            MUST(mine.call.ngiven >= 1 && mine.call.ngiven <= THREADS);
            modhost_call_reset(&mine.call);
            MUST(mine.m->versions(mine.state, &mine.call, name) == KT_SUCCESS);
            MUST(mine.call.ngiven == (size_t)i + 1);
        }
    }
    filestore_close(&mine);
    return NULL;
}

START_TEST(threads_on_lines_of_one_store)
{
    pthread_t threads[THREADS];
    int numbers[THREADS];

    for (int i = 0; i < THREADS; i++) {
        numbers[i] = i;
        ck_assert_int_eq(pthread_create(&threads[i], NULL, storm, &numbers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
    filestore_must_get(&fs, "counter", "200");
}
END_TEST

/* Many threads share one state, too: a handle. */
static atomic_int asked_for;

static void *get_same_state(void *arg)
{
    struct filestore mine = *(struct filestore *)arg;

    modhost_call_init(&mine.call);
    for (int i = 0; i < 200; i++) {
        MUST(filestore_get(&mine, "a", NULL) == KT_SUCCESS);
        MUST(strcmp(mine.given->data, "value") == 0);
    }
    asked_for += (int)mine.call.asked;
    modhost_call_done(&mine.call);
    return NULL;
}

START_TEST(threads_on_one_state)
{
    pthread_t threads[THREADS];

    ck_assert_int_eq(filestore_put(&fs, "a", "value", (char[KT_ID_SIZE]){ "" }, NULL), KT_SUCCESS);
    for (int i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, get_same_state, &fs), 0);
    for (int i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
}
END_TEST

static void *ask_once(void *arg)
{
    static const char *const answer[] = { "correct horse", NULL };
    struct filestore mine = *(struct filestore *)arg;

    modhost_call_init(&mine.call);
    mine.call.deadline_ms += 60000;
    mine.call.answers = answer;
    MUST(mine.m->get(mine.state, &mine.call, "a", modhost_want(NULL)) == KT_SUCCESS);
    asked_for += (int)mine.call.asked;
    modhost_call_done(&mine.call);
    return NULL;
}

START_TEST(threads_that_need_a_passphrase_ask_once)
{
    static const char *const twice[] = { "correct horse", "correct horse", NULL };
    struct filestore locked;
    struct filestore fresh;
    pthread_t threads[THREADS];

    filestore_open(&locked, "passphrase");
    locked.call.answers = twice;
    ck_assert_int_eq(filestore_put(&locked, "a", "value", (char[KT_ID_SIZE]){ "" }, NULL),
                     KT_SUCCESS);
    locked.m->close(locked.state);
    filestore_again(&fresh, &locked, "passphrase");
    asked_for = 0;
    for (int i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, ask_once, &fresh), 0);
    for (int i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
    ck_assert_int_eq(asked_for, 1);
    filestore_close(&fresh);
    modhost_call_done(&locked.call);
    free(locked.dir);
    free(locked.path);
    free(locked.key);
}
END_TEST

/* ---- fairness ------------------------------------------------------------------------------- */

static void put_without_pause(int64_t until_ms, int report)
{
    struct filestore mine;
    int64_t worst = 0;

    filestore_again(&mine, &fs, NULL);
    for (;;) {
        const int64_t begin = modhost.now_ns(NULL, KT_CLOCK_MONOTONIC) / 1000000;
        char id[KT_ID_SIZE] = "";
        int64_t took;

        if (begin > until_ms)
            break;
        CHILD_MUST(filestore_put(&mine, "busy", "v", id, NULL) == KT_SUCCESS);
        took = modhost.now_ns(NULL, KT_CLOCK_MONOTONIC) / 1000000 - begin;
        worst = took > worst ? took : worst;
        /* many versions make long heads, and this is about waiting */
        if (id[35] == '0')
            CHILD_MUST(filestore_delete(&mine, "busy", NULL, false) != KT_BUSY);
    }
    CHILD_MUST(write(report, &worst, sizeof(worst)) == sizeof(worst));
    filestore_close(&mine);
}

START_TEST(no_writer_waits_long_for_others)
{
    const int64_t until = modhost.now_ns(NULL, KT_CLOCK_MONOTONIC) / 1000000 + 3000;
    int report[2];
    int64_t worst;

    ck_assert_int_eq(filestore_put(&fs, "a", "v", (char[KT_ID_SIZE]){ "" }, NULL), KT_SUCCESS);
    ck_assert_int_eq(pipe(report), 0);
    for (int i = 0; i < COUNTERS; i++) {
        if (fork() == 0) {
            put_without_pause(until, report[1]);
            _exit(0);
        }
    }
    for (int i = 0; i < COUNTERS; i++) {
        int status = -1;

        ck_assert_int_ge(waitpid(-1, &status, 0), 0);
        ck_assert_int_eq(status, 0);
        ck_assert_int_eq(read(report[0], &worst, sizeof(worst)), sizeof(worst));
        /* a loaded machine may stop any process; a writer that starves would wait for all 3 s */
        ck_assert_int_lt(worst, 1500);
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("file-many");
    TCase *tc = tcase_create("many");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, processes_that_count_by_compare_and_swap_lose_nothing);
    tcase_add_test(tc, threads_on_lines_of_one_store);
    tcase_add_test(tc, threads_on_one_state);
    tcase_add_test(tc, threads_that_need_a_passphrase_ask_once);
    tcase_add_test(tc, no_writer_waits_long_for_others);
    suite_add_tcase(s, tc);
    return kt_harness_run(s);
}
