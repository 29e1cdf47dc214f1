/* SPDX-License-Identifier: Apache-2.0 */

/* The file backend and fork(), and programs that close what is not theirs. */

#include "child.h"
#include "filestore.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static struct filestore fs;

/* What was open before the module was first used is the test framework's. */
static bool framework[256];

static void note_framework(void)
{
    static bool noted;

    if (noted) /* CK_FORK=no: the module keeps a descriptor from test to test */
        return;
    noted = true;
    for (int fd = 0; fd < 256; fd++)
        framework[fd] = fcntl(fd, F_GETFD) >= 0;
}

static void setup(void)
{
    note_framework();
    filestore_open(&fs, NULL);
}

static void teardown(void)
{
    filestore_close(&fs);
    ck_assert_uint_eq(modhost_live(), 0);
}

static int put_number(struct filestore *f, const char *prefix, int i)
{
    char name[32];
    char id[KT_ID_SIZE] = "";

    (void)snprintf(name, sizeof(name), "%s/%d", prefix, i);
    return filestore_put(f, name, name, id, NULL);
}

static bool has_number(struct filestore *f, const char *prefix, int i)
{
    char name[32];

    (void)snprintf(name, sizeof(name), "%s/%d", prefix, i);
    return filestore_get(f, name, NULL) == KT_SUCCESS && strcmp(f->given->data, name) == 0;
}

/* As the host does in a child: a new state, the parent's is left alone. */
static void child_opens(struct filestore *mine)
{
    filestore_again(mine, &fs, NULL);
}

#define EACH 40

/* Both sides write at once, the parent closes first; then each finds what both have written. */
static void both_write(void)
{
    int to_child[2];
    int status = -1;
    char byte;
    pid_t pid;

    ck_assert_int_eq(pipe(to_child), 0);
    pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        struct filestore mine;

        (void)close(to_child[1]);
        child_opens(&mine);
        for (int i = 0; i < EACH; i++)
            CHILD_MUST(put_number(&mine, "child", i) == KT_SUCCESS);
        CHILD_MUST(read(to_child[0], &byte, 1) == 0); /* the parent has closed */
        for (int i = 0; i < EACH; i++) {
            CHILD_MUST(put_number(&mine, "later", i) == KT_SUCCESS);
            CHILD_MUST(has_number(&mine, "parent", i) && has_number(&mine, "child", i));
        }
        filestore_close(&mine);
        _exit(0);
    }
    (void)close(to_child[0]);
    for (int i = 0; i < EACH; i++)
        ck_assert_int_eq(put_number(&fs, "parent", i), KT_SUCCESS);
    fs.m->close(fs.state);
    (void)close(to_child[1]);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(status, 0);
    filestore_reopen(&fs, NULL);
    for (int i = 0; i < EACH; i++)
        ck_assert(has_number(&fs, "parent", i) && has_number(&fs, "child", i) &&
                  has_number(&fs, "later", i));
}

START_TEST(fork_after_open)
{
    both_write();
}
END_TEST

START_TEST(fork_after_put)
{
    ck_assert_int_eq(put_number(&fs, "first", 0), KT_SUCCESS);
    both_write();
    ck_assert(has_number(&fs, "first", 0));
}
END_TEST

START_TEST(fork_after_get)
{
    ck_assert_int_eq(put_number(&fs, "first", 0), KT_SUCCESS);
    ck_assert(has_number(&fs, "first", 0));
    both_write();
}
END_TEST

/* ---- fork while other threads are at it ----------------------------------------------------- */

static atomic_bool stop;
static atomic_int acknowledged;

static void *put_on(void *arg)
{
    struct filestore mine;

    (void)arg;
    filestore_again(&mine, &fs, NULL);
    for (int i = 0; !stop; i++) {
        MUST(put_number(&mine, "busy", i) == KT_SUCCESS);
        acknowledged = i + 1;
    }
    filestore_close(&mine);
    return NULL;
}

static void *get_on(void *arg)
{
    struct filestore mine;

    (void)arg;
    filestore_again(&mine, &fs, NULL);
    while (!stop)
        MUST(has_number(&mine, "first", 0));
    filestore_close(&mine);
    return NULL;
}

static void *list_on(void *arg)
{
    struct filestore mine;

    (void)arg;
    filestore_again(&mine, &fs, NULL);
    while (!stop) {
        modhost_call_reset(&mine.call);
        MUST(mine.m->list(mine.state, &mine.call, NULL) == KT_SUCCESS);
    }
    filestore_close(&mine);
    return NULL;
}

START_TEST(fork_while_other_threads_put_get_and_list)
{
    static void *(*const jobs[])(void *) = { put_on, put_on, get_on, get_on, list_on };
    pthread_t threads[5];
    int seen;

    ck_assert_int_eq(put_number(&fs, "first", 0), KT_SUCCESS);
    stop = false;
    acknowledged = 0;
    for (size_t i = 0; i < 5; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, jobs[i], NULL), 0);
    for (int i = 0; i < 30; i++) {
        int status = -1;
        pid_t pid = fork();

        if (pid == 0) {
            struct filestore mine;

            (void)alarm(600); /* a hang is a failure */
            child_opens(&mine);
            CHILD_MUST(put_number(&mine, "forked", i) == KT_SUCCESS);
            CHILD_MUST(has_number(&mine, "first", 0));
            filestore_close(&mine);
            _exit(0);
        }
        ck_assert_int_ge(pid, 0);
        ck_assert_int_eq(put_number(&fs, "main", i), KT_SUCCESS);
        ck_assert_int_eq(waitpid(pid, &status, 0), pid);
        ck_assert_int_eq(status, 0);
    }
    stop = true;
    for (size_t i = 0; i < 5; i++)
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
    for (int i = 0; i < 30; i++)
        ck_assert(has_number(&fs, "forked", i) && has_number(&fs, "main", i));
    seen = acknowledged;
    for (int i = 0; i < seen; i++)
        ck_assert(has_number(&fs, "busy", i));
}
END_TEST

START_TEST(a_child_opens_the_slot_itself)
{
    char *away = kt_harness_path(fs.dir, "away");
    int status;
    pid_t pid;

    ck_assert_int_eq(put_number(&fs, "first", 0), KT_SUCCESS);
    ck_assert_int_eq(rename(fs.key, away), 0);
    pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        struct filestore mine;

        child_opens(&mine); /* the same store object, but the keys were wiped on the way */
        CHILD_MUST(filestore_get(&mine, "first/0", NULL) == KT_LOCKED);
        CHILD_MUST(rename(away, mine.key) == 0);
        CHILD_MUST(has_number(&mine, "first", 0));
        _exit(0);
    }
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(status, 0);
    ck_assert(has_number(&fs, "first", 0));
    free(away);
}
END_TEST

/* ---- descriptors ---------------------------------------------------------------------------- */

static void close_all(void)
{
    for (int fd = 0; fd < 256; fd++)
        if (!framework[fd])
            (void)close(fd);
}

static void use_after_a_close_loop(void *arg)
{
    const bool replace = *(const bool *)arg;
    int foreign[32];
    struct stat before[32];
    struct stat after;
    char *name = kt_harness_path(fs.dir, "foreign");
    struct filestore other;

    filestore_open(&other, NULL);
    CHILD_MUST(put_number(&fs, "first", 0) == KT_SUCCESS && has_number(&fs, "first", 0));
    CHILD_MUST(put_number(&other, "other", 0) == KT_SUCCESS);
    close_all();
    for (int i = 0; replace && i < 32; i++) {
        char path[256];

        (void)snprintf(path, sizeof(path), "%s%d", name, i);
        foreign[i] = open(path, O_RDWR | O_CREAT | (i % 2 != 0 ? O_CLOEXEC : 0), 0600);
        CHILD_MUST(foreign[i] >= 0 && write(foreign[i], "mine", 4) == 4);
        CHILD_MUST(fstat(foreign[i], &before[i]) == 0);
    }
    CHILD_MUST(has_number(&fs, "first", 0));
    CHILD_MUST(put_number(&fs, "first", 1) == KT_SUCCESS && has_number(&fs, "first", 1));
    CHILD_MUST(has_number(&other, "other", 0));
    for (int i = 0; replace && i < 32; i++) {
        char text[8] = "";

        CHILD_MUST(fstat(foreign[i], &after) == 0 && after.st_ino == before[i].st_ino);
        CHILD_MUST(after.st_size == 4 && pread(foreign[i], text, 8, 0) == 4);
        CHILD_MUST(strcmp(text, "mine") == 0);
        CHILD_MUST(((fcntl(foreign[i], F_GETFD) & FD_CLOEXEC) != 0) == (i % 2 != 0));
    }
    /* and SQLite's locks are still what they should be: another process agrees */
    pid_t pid = fork();
    CHILD_MUST(pid >= 0);
    if (pid == 0) {
        struct filestore mine;

        child_opens(&mine);
        CHILD_MUST(has_number(&mine, "first", 1) && put_number(&mine, "first", 2) == KT_SUCCESS);
        filestore_close(&mine);
        _exit(0);
    }
    int status;
    CHILD_MUST(waitpid(pid, &status, 0) == pid && status == 0);
    CHILD_MUST(has_number(&fs, "first", 2));
    filestore_close(&other);
    free(name);
}

START_TEST(a_program_that_closes_all_descriptors_gets_right_answers)
{
    bool replace = false;

    ck_assert_int_eq(run_child(use_after_a_close_loop, &replace), 0);
}
END_TEST

START_TEST(descriptors_that_a_program_opened_in_their_place_stay_its_own)
{
    bool replace = true;

    ck_assert_int_eq(run_child(use_after_a_close_loop, &replace), 0);
}
END_TEST

START_TEST(no_descriptor_is_left_open_or_inherited)
{
    const int before = dup(0);
    int after;

    (void)close(before);
    ck_assert_int_eq(put_number(&fs, "first", 0), KT_SUCCESS);
    for (int fd = 0; fd < 256; fd++) {
        const int flags = fcntl(fd, F_GETFD);

        ck_assert_msg(framework[fd] || flags < 0 || (flags & FD_CLOEXEC) != 0, "descriptor %d", fd);
    }
    fs.m->close(fs.state);
    after = dup(0);
    (void)close(after);
    ck_assert_int_le(after, before + 1); /* the sentinel stays */
    filestore_reopen(&fs, NULL);
}
END_TEST

/* ---- the file is exchanged ------------------------------------------------------------------ */

START_TEST(a_store_that_is_exchanged_is_noticed)
{
    struct filestore other;
    char id[KT_ID_SIZE] = "";

    filestore_open(&other, NULL);
    ck_assert_int_eq(filestore_put(&fs, "a", "here", id, NULL), KT_SUCCESS);
    id[0] = '\0';
    ck_assert_int_eq(filestore_put(&other, "a", "there", id, NULL), KT_SUCCESS);
    other.m->close(other.state); /* all of it is in the one file now */
    modhost_call_done(&other.call);
    filestore_must_get(&fs, "a", "here");
    ck_assert_int_eq(rename(other.path, fs.path), 0);
    ck_assert_int_eq(filestore_get(&fs, "a", NULL), KT_LOCKED); /* its key is another */
    ck_assert_int_eq(rename(other.key, fs.key), 0);
    filestore_must_get(&fs, "a", "there");
    ck_assert_int_eq(unlink(fs.path), 0);
    ck_assert_int_eq(filestore_get(&fs, "a", NULL), KT_NOT_FOUND);
    id[0] = '\0';
    ck_assert_int_eq(filestore_put(&fs, "a", "anew", id, ""), KT_SUCCESS);
    filestore_must_get(&fs, "a", "anew");
    free(other.dir);
    free(other.path);
    free(other.key);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("file-fork");
    TCase *tc = tcase_create("fork");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, fork_after_open);
    tcase_add_test(tc, fork_after_put);
    tcase_add_test(tc, fork_after_get);
    tcase_add_test(tc, fork_while_other_threads_put_get_and_list);
    tcase_add_test(tc, a_child_opens_the_slot_itself);
    tcase_add_test(tc, a_program_that_closes_all_descriptors_gets_right_answers);
    tcase_add_test(tc, descriptors_that_a_program_opened_in_their_place_stay_its_own);
    tcase_add_test(tc, no_descriptor_is_left_open_or_inherited);
    tcase_add_test(tc, a_store_that_is_exchanged_is_noticed);
    suite_add_tcase(s, tc);
    return kt_harness_run(s);
}
