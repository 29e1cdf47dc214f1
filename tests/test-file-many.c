/* SPDX-License-Identifier: Apache-2.0 */

/* Many threads and processes at one store of the file backend. */

#include "child.h"
#include "filestore.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
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

/* Puts each letter of @arg, one as soon as the one before has let the lock go. */
static void *put_in_turn(void *arg)
{
    const char *values = arg;
    struct filestore mine;

    filestore_again(&mine, &fs, NULL);
    for (const char *c = values; *c != '\0'; c++)
        MUST(filestore_put(&mine, "order", (char[2]){ *c }, (char[KT_ID_SIZE]){ "" }, NULL) ==
             KT_SUCCESS);
    filestore_close(&mine);
    return NULL;
}

/* What was put, the latest first. */
static void written_order(char *out)
{
    char ids[8][KT_ID_SIZE];
    size_t n;

    modhost_call_reset(&fs.call);
    ck_assert_int_eq(fs.m->versions(fs.state, &fs.call, "order"), KT_SUCCESS);
    n = fs.call.ngiven;
    ck_assert_uint_le(n, 8);
    for (size_t i = 0; i < n; i++)
        (void)snprintf(ids[i], sizeof(ids[i]), "%s", fs.call.given[i].id);
    for (size_t i = 0; i < n; i++) {
        ck_assert_int_eq(filestore_get(&fs, "order", ids[i]), KT_SUCCESS);
        out[i] = fs.given->data != NULL ? ((const char *)fs.given->data)[0] : '?';
    }
    out[n] = '\0';
}

/* Whoever waits is served in the order of coming, and before a writer that comes back at once. */
START_TEST(no_writer_is_overtaken)
{
    const bool processes = _i == 1;
    static char names[COUNTERS][4] = { "aAA", "b", "c", "d" };
    pthread_t threads[COUNTERS];
    pid_t pids[COUNTERS];
    char order[9];
    int lock;

    ck_assert_int_eq(filestore_put(&fs, "a", "v", (char[KT_ID_SIZE]){ "" }, NULL), KT_SUCCESS);
    lock = filestore_lock(&fs);
    for (unsigned i = 0; i < COUNTERS; i++) {
        if (!processes) {
            ck_assert_int_eq(pthread_create(&threads[i], NULL, put_in_turn, names[i]), 0);
        } else {
            pids[i] = fork();
            ck_assert_int_ge(pids[i], 0);
            if (pids[i] == 0) {
                (void)close(lock); /* or it would be held here, too */
                (void)put_in_turn(names[i]);
                _exit(0);
            }
        }
        filestore_await_queue(lock, i + 1);
    }
    (void)close(lock);
    for (int i = 0; i < COUNTERS; i++) {
        int status = 0;

        if (!processes)
            ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
        else
            ck_assert_int_eq(waitpid(pids[i], &status, 0), pids[i]);
        ck_assert_int_eq(status, 0);
    }
    written_order(order);
    ck_assert_str_eq(order, "AAdcba");
}
END_TEST

static atomic_bool was_put;

static void *come_later(void *arg)
{
    (void)put_in_turn(arg);
    was_put = true;
    return NULL;
}

/* Also if the lock is free, because the one whose turn it is has not noticed yet. */
START_TEST(a_newcomer_stands_behind_who_waits)
{
    static char waits[] = "w", comes[] = "c";
    char *path = kt_harness_path(fs.dir, "store.db-lock");
    pthread_t newcomer;
    char order[9];
    int status;
    int lock;
    pid_t pid;

    ck_assert_int_eq(filestore_put(&fs, "a", "v", (char[KT_ID_SIZE]){ "" }, NULL), KT_SUCCESS);
    lock = filestore_lock(&fs);
    pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        (void)close(lock);
        (void)put_in_turn(waits);
        _exit(0);
    }
    filestore_await_queue(lock, 1);
    ck_assert_int_eq(kill(pid, SIGSTOP), 0);
    ck_assert_int_eq(waitpid(pid, &status, WUNTRACED), pid);
    (void)close(lock);
    lock = open(path, O_RDWR | O_CLOEXEC);
    was_put = false;
    ck_assert_int_eq(pthread_create(&newcomer, NULL, come_later, comes), 0);
    while (filestore_queue(lock) < 2 && !was_put)
        (void)usleep(1000);
    ck_assert(!was_put);
    ck_assert_int_eq(kill(pid, SIGCONT), 0);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(status, 0);
    ck_assert_int_eq(pthread_join(newcomer, NULL), 0);
    (void)close(lock);
    free(path);
    written_order(order);
    ck_assert_str_eq(order, "cw");
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
    tcase_add_loop_test(tc, no_writer_is_overtaken, 0, 2);
    tcase_add_test(tc, a_newcomer_stands_behind_who_waits);
    suite_add_tcase(s, tc);
    return kt_harness_run(s);
}
