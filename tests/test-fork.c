/* SPDX-License-Identifier: Apache-2.0 */

/*
 * fork() in every state: both sides go on, the parent closes first, nothing is lost, nothing hangs.
 * Source: DESIGN 6.
 */

#include "child.h"
#include "scene.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>

#define WRITES 12

static struct scene *s;

static void set_up(void)
{
    s = scene_new();
}

static void tear_down(void)
{
    scene_free(s);
    kt_harness_no_secrets();
}

static struct kt_handle *open_store(const char *service)
{
    return scene_open(s, service,
                      "read front cache\n"
                      "read required file path=%s/store.db key=%s/store.key\n"
                      "write required file path=%s/store.db key=%s/store.key\n",
                      s->dir, s->dir, s->dir, s->dir);
}

static bool is(struct kt_handle *h, const char *name, const char *value)
{
    struct kt_err err = { 0 };
    char got[64] = "";
    size_t len = 0;
    const int rc = kt_get_into(h, name, NULL, got, sizeof(got) - 1, &len, NULL, &err);

    if (rc != KT_SUCCESS)
        (void)fprintf(stderr, "# get %s: %s\n", name, err.msg);
    return rc == KT_SUCCESS && len == strlen(value) && memcmp(got, value, len) == 0;
}

static bool write_all(struct kt_handle *h, const char *who)
{
    for (int i = 0; i < WRITES; i++) {
        struct kt_err err = { 0 };
        char name[32];

        (void)snprintf(name, sizeof(name), "%s/%d", who, i);
        if (kt_put(h, name, name, strlen(name), NULL, NULL, &err) != KT_SUCCESS) {
            (void)fprintf(stderr, "# put %s: %s\n", name, err.msg);
            return false;
        }
        if (!is(h, name, name))
            return false;
    }
    return true;
}

/* ---- another thread inside a put ------------------------------------------------------------------- */

static atomic_bool over;
static atomic_int acknowledged;

static void *keep_putting(void *arg)
{
    while (!atomic_load(&over)) {
        char name[32];

        (void)snprintf(name, sizeof(name), "thread/%d", atomic_load(&acknowledged));
        if (kt_put(arg, name, name, strlen(name), NULL, NULL, NULL) != KT_SUCCESS)
            break;
        atomic_fetch_add(&acknowledged, 1);
    }
    return NULL;
}

/* ---- the states ------------------------------------------------------------------------------------ */

enum state { AFTER_OPEN, AFTER_PUT, AFTER_GET, IN_A_PUT };

static void child_writes(struct kt_handle *h, const struct kt_secret *given, int gate)
{
    char c;

    (void)alarm(600);
    CHILD_MUST(given == NULL || strcmp(kt_secret_data(given), "v") == 0);
    CHILD_MUST(write_all(h, "child"));
    /* Only once the parent has closed. */
    CHILD_MUST(read(gate, &c, 1) == 0);
    CHILD_MUST(write_all(h, "orphan"));
    CHILD_MUST(given == NULL || is(h, "a", "v"));
    kt_close(h);
    _exit(0);
}

START_TEST(both_sides_write_and_the_parent_closes_first)
{
    const enum state state = (enum state)_i;
    struct kt_handle *h = open_store("t");
    struct kt_secret *given = NULL;
    pthread_t thread;
    int gate[2], status;
    pid_t child;

    atomic_store(&over, false);
    atomic_store(&acknowledged, 0);
    if (state == AFTER_PUT || state == AFTER_GET)
        scene_put(h, "a", "v", (char[KT_ID_SIZE]){ 0 });
    if (state == AFTER_GET)
        ck_assert_int_eq(kt_get(h, "a", NULL, &given, NULL), KT_SUCCESS);
    if (state == IN_A_PUT) {
        ck_assert_int_eq(pthread_create(&thread, NULL, keep_putting, h), 0);
        while (atomic_load(&acknowledged) < 3)
            (void)nanosleep(&(struct timespec){ 0, 1000000 }, NULL);
    }
    ck_assert_int_eq(pipe(gate), 0);
    (void)fflush(NULL);
    child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        (void)close(gate[1]);
        child_writes(h, given, gate[0]);
    }
    (void)close(gate[0]);
    ck_assert(write_all(h, "parent"));
    if (state == IN_A_PUT) {
        atomic_store(&over, true);
        ck_assert_int_eq(pthread_join(thread, NULL), 0);
    }
    kt_close(h);
    (void)close(gate[1]);
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "the child ended with %#x",
                  (unsigned)status);
    kt_secret_free(given);

    /* All that was acknowledged is there. */
    static const char *const who[] = { "parent", "child", "orphan" };
    char name[32];

    h = open_store("t");
    for (size_t w = 0; w < 3; w++)
        for (int i = 0; i < WRITES; i++) {
            (void)snprintf(name, sizeof(name), "%s/%d", who[w], i);
            ck_assert_msg(is(h, name, name), "%s is lost", name);
        }
    for (int i = 0; i < atomic_load(&acknowledged); i++) {
        (void)snprintf(name, sizeof(name), "thread/%d", i);
        ck_assert_msg(is(h, name, name), "%s is lost", name);
    }
    kt_close(h);
}
END_TEST

START_TEST(many_children_of_one_handle)
{
    struct kt_handle *h = open_store("t");
    pid_t children[4];
    char name[32];
    int status;

    scene_put(h, "a", "v", (char[KT_ID_SIZE]){ 0 });
    (void)fflush(NULL);
    for (int i = 0; i < 4; i++) {
        children[i] = fork();
        ck_assert_int_ge(children[i], 0);
        if (children[i] == 0) {
            (void)alarm(600);
            (void)snprintf(name, sizeof(name), "child-%d", i);
            CHILD_MUST(is(h, "a", "v"));
            CHILD_MUST(write_all(h, name));
            /* No close: a child may just end. */
            _exit(0);
        }
    }
    for (int i = 0; i < 4; i++) {
        ck_assert_int_eq(waitpid(children[i], &status, 0), children[i]);
        ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "child %d: %#x", i,
                      (unsigned)status);
    }
    for (int i = 0; i < 4; i++)
        for (int j = 0; j < WRITES; j++) {
            (void)snprintf(name, sizeof(name), "child-%d/%d", i, j);
            ck_assert_msg(is(h, name, name), "%s is lost", name);
        }
    kt_close(h);
}
END_TEST

START_TEST(a_grandchild_works_too)
{
    struct kt_handle *h = open_store("t");
    int status;
    pid_t child;

    scene_put(h, "a", "v", (char[KT_ID_SIZE]){ 0 });
    (void)fflush(NULL);
    child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        (void)alarm(600);
        CHILD_MUST(is(h, "a", "v"));
        child = fork();
        CHILD_MUST(child >= 0);
        if (child == 0) {
            (void)alarm(600);
            CHILD_MUST(write_all(h, "grandchild"));
            kt_close(h);
            _exit(0);
        }
        CHILD_MUST(write_all(h, "child"));
        CHILD_MUST(waitpid(child, &status, 0) == child && status == 0);
        kt_close(h);
        _exit(0);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
    ck_assert(is(h, "grandchild/3", "grandchild/3"));
    ck_assert(is(h, "child/3", "child/3"));
    kt_close(h);
}
END_TEST

/* ---- no store needed --------------------------------------------------------------------------------- */

static void *hang(void *arg)
{
    struct kt_secret *v = NULL;

    return (void *)(intptr_t)kt_get(arg, "a", GET_OPTIONS(.timeout_ms = HOUR), &v, NULL);
}

/* Locks and waits of threads that are not in the child are no concern of the child's. */
START_TEST(another_thread_inside_a_get)
{
    struct kt_handle *h = scene_open(s, "t",
                                     "read required mock_hang max-stale=1h timeout=1h\n"
                                     "write required debug\n");
    pthread_t thread;
    int status;
    pid_t child;

    ck_assert_int_eq(pthread_create(&thread, NULL, hang, h), 0);
    scene_await_waits(h, 1);
    (void)fflush(NULL);
    child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        struct kt_secret *v = NULL;

        (void)alarm(600);
        kt_cancel(h); /* only calls of this process */
        CHILD_MUST(kt_put(h, "a", "v", 1, NULL, NULL, NULL) == KT_SUCCESS);
        CHILD_MUST(kt_get(h, "a", GET_OPTIONS(.timeout_ms = 100), &v, NULL) == KT_TIMEOUT);
        CHILD_MUST(kt_report(h, "a", NULL, KT_REJECTED, NULL, NULL) == KT_SUCCESS);
        kt_close(h);
        _exit(0);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
    void *rc;
    kt_cancel(h);
    ck_assert_int_eq(pthread_join(thread, &rc), 0);
    ck_assert_int_eq((intptr_t)rc, KT_CANCELLED);
    kt_close(h);
}
END_TEST

START_TEST(what_the_cache_had_is_not_in_the_child)
{
    char *counts = kt_harness_path(s->dir, "counts");
    struct kt_handle *h = scene_open(
        s, "t", "read front cache\nread required mock_counts file=%s\n", counts);
    int status;
    pid_t child;

    scene_expect(h, "a", "counts", KT_SUCCESS);
    (void)fflush(NULL);
    child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        (void)alarm(600);
        CHILD_MUST(is(h, "a", "counts"));
        kt_close(h);
        _exit(0);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
    /* Its own state of the module was opened, asked and closed; the parent's not touched. */
    ck_assert_str_eq(scene_read(counts), "ogogc");
    ck_assert_str_eq(scene_steps(h, "a", NULL), "1:success");
    kt_close(h);
    free(counts);
}
END_TEST

/* check's asserts write to a descriptor of check's, so none of them comes after the closing. */
static void close_all_and_go_on(void *arg)
{
    const struct kt_open_options o = { .size = sizeof(o),
                                       .config_dir = s->config,
                                       .module_dir = kt_harness_modules() };
    struct kt_handle *h = NULL, *later = NULL, *store = NULL;

    (void)arg;
    (void)alarm(600);
    CHILD_MUST(kt_open("one", &o, &h, NULL) == KT_SUCCESS);
    CHILD_MUST(is(h, "a", "one"));
    for (int fd = 3; fd < 1024; fd++)
        (void)close(fd);
    CHILD_MUST(kt_open("two", &o, &later, NULL) == KT_SUCCESS);
    CHILD_MUST(kt_put(later, "a", "two", 3, NULL, NULL, NULL) == KT_SUCCESS);
    CHILD_MUST(is(later, "a", "two"));
    CHILD_MUST(is(h, "a", "one"));
    kt_close(later);
    CHILD_MUST(kt_open("store", &o, &store, NULL) == KT_SUCCESS);
    CHILD_MUST(write_all(store, "later"));
    kt_close(store);
    kt_close(h);
    _exit(0);
}

START_TEST(a_host_that_closes_all_descriptors)
{
    scene_write(s, "one", "read required debug value=one\n");
    scene_write(s, "two", "read required mock_good\nwrite required mock_good\n");
    kt_close(open_store("store"));
    const int status = run_child(close_all_and_go_on, NULL);

    ck_assert_msg(status == 0, "ended with %#x", (unsigned)status);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("fork");
    TCase *tc = tcase_create("fork");

    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_add_loop_test(tc, both_sides_write_and_the_parent_closes_first, AFTER_OPEN, IN_A_PUT + 1);
    tcase_add_test(tc, many_children_of_one_handle);
    tcase_add_test(tc, a_grandchild_works_too);
    tcase_add_test(tc, another_thread_inside_a_get);
    tcase_add_test(tc, what_the_cache_had_is_not_in_the_child);
    tcase_add_test(tc, a_host_that_closes_all_descriptors);
    suite_add_tcase(suite, tc);
    return kt_harness_run(suite);
}
