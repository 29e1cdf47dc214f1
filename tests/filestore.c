/* SPDX-License-Identifier: Apache-2.0 */
#include "filestore.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <sqlite3.h>

static void open_line(struct filestore *fs, const char *options)
{
    char *words = NULL;
    int rc;

    ck_assert_int_ge(
        asprintf(&words, "path=%s key=%s %s", fs->path, fs->key, options != NULL ? options : ""),
        0);
    modhost_call_init(&fs->call);
    rc = modhost_open(fs->m, &fs->call, words, &fs->state);
    MUST(rc == KT_SUCCESS);
    free(words);
}

void filestore_open(struct filestore *fs, const char *options)
{
    *fs = (struct filestore){ .m = modhost_load("file"), .dir = kt_harness_dir() };
    fs->path = kt_harness_path(fs->dir, "store.db");
    fs->key = kt_harness_path(fs->dir, "store.key");
    open_line(fs, options);
}

void filestore_again(struct filestore *fs, const struct filestore *of, const char *options)
{
    *fs = (struct filestore){
        .m = of->m, .dir = strdup(of->dir), .path = strdup(of->path), .key = strdup(of->key)
    };
    open_line(fs, options);
}

void filestore_reopen(struct filestore *fs, const char *options)
{
    modhost_call_done(&fs->call);
    open_line(fs, options);
}

void filestore_close(struct filestore *fs)
{
    fs->m->close(fs->state);
    modhost_call_done(&fs->call);
    free(fs->dir);
    free(fs->path);
    free(fs->key);
}

int filestore_put_as(struct filestore *fs, const char *name, const struct kt_put *put)
{
    int rc;

    modhost_call_reset(&fs->call);
    rc = fs->m->put(fs->state, &fs->call, KT_PREPARE, name, put);
    if (rc != KT_SUCCESS)
        return rc;
    MUST(fs->call.fails == 0);
    rc = fs->m->put(fs->state, &fs->call, KT_COMMIT, name, put);
    MUST(fs->call.fails == (rc == KT_SUCCESS ? 0 : 1));
    return rc;
}

int filestore_put(struct filestore *fs, const char *name, const char *value, char id[KT_ID_SIZE],
                  const char *expected)
{
    const struct kt_put put = { .size = sizeof(put),
                                .stage = KT_STAGE_CURRENT,
                                .id = id,
                                .data = value,
                                .len = strlen(value),
                                .expected = expected };

    if (id[0] == '\0')
        modhost_id(id);
    return filestore_put_as(fs, name, &put);
}

int filestore_fill(struct filestore *fs, const char *name, const char *id, const char *value,
                   int64_t wall_ms)
{
    const struct kt_put copy = { .size = sizeof(copy),
                                 .stage = KT_STAGE_CURRENT,
                                 .id = id,
                                 .data = value,
                                 .len = value != NULL ? strlen(value) : 0,
                                 .asof = { .wall_ms = wall_ms, .boot_ms = 7, .boot_id = { 1 } } };

    modhost_call_reset(&fs->call);
    return fs->m->fill(fs->state, &fs->call, name, &copy);
}

static int get(struct filestore *fs, const char *name, const struct kt_want *want)
{
    int rc;

    modhost_call_reset(&fs->call);
    rc = fs->m->get(fs->state, &fs->call, name, want);
    fs->given = fs->call.given;
    MUST(fs->call.ngiven == (rc == KT_SUCCESS ? 1 : 0));
    MUST(fs->call.fails == (rc == KT_SUCCESS ? 0 : 1));
    return rc;
}

int filestore_get(struct filestore *fs, const char *name, const char *version)
{
    return get(fs, name, modhost_want(version));
}

int filestore_get_stage(struct filestore *fs, const char *name, uint32_t stage)
{
    const struct kt_want want = { .size = sizeof(want), .stage = stage, .max_age_ms = -1 };

    return get(fs, name, &want);
}

int filestore_stage(struct filestore *fs, const char *name, uint32_t stage, const char *version,
                    const char *expected)
{
    int rc;

    modhost_call_reset(&fs->call);
    rc = fs->m->stage(fs->state, &fs->call, KT_PREPARE, name, stage, version, expected);
    if (rc != KT_SUCCESS)
        return rc;
    return fs->m->stage(fs->state, &fs->call, KT_COMMIT, name, stage, version, expected);
}

int filestore_delete(struct filestore *fs, const char *name, const char *version, bool purge)
{
    const struct kt_delete del = { .size = sizeof(del), .purge = purge, .version = version };
    bool restorable = true;
    int rc;

    modhost_call_reset(&fs->call);
    rc = fs->m->del(fs->state, &fs->call, KT_PREPARE, name, &del, &restorable);
    if (rc == KT_SUCCESS)
        rc = fs->m->del(fs->state, &fs->call, KT_COMMIT, name, &del, &restorable);
    MUST(rc != KT_SUCCESS || !restorable);
    return rc;
}

void filestore_must_get(struct filestore *fs, const char *name, const char *value)
{
    const int rc = filestore_get(fs, name, NULL);

    ck_assert_msg(rc == KT_SUCCESS, "get %s: %s", name, fs->call.msg);
    ck_assert_str_eq(fs->given->data, value);
    ck_assert_uint_eq(fs->given->len, strlen(value));
}

void filestore_sql(struct filestore *fs, const char *sql)
{
    sqlite3 *db;
    char *why = NULL;

    ck_assert_int_eq(sqlite3_open(fs->path, &db), SQLITE_OK);
    (void)sqlite3_busy_timeout(db, 600000);
    ck_assert_msg(sqlite3_exec(db, sql, NULL, NULL, &why) == SQLITE_OK, "%s: %s", sql, why);
    ck_assert_int_eq(sqlite3_close(db), SQLITE_OK);
}

/* ---- others ------------------------------------------------------------------------------------ */

int filestore_lock(const struct filestore *fs)
{
    struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 1 };
    char *path = kt_harness_path(fs->dir, "store.db-lock");
    const int fd = open(path, O_RDWR | O_CLOEXEC);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(fcntl(fd, F_OFD_SETLK, &lock), 0);
    free(path);
    return fd;
}

unsigned filestore_queue(int lock)
{
    for (unsigned n = 0;; n++) { /* byte 0 is the lock, the places are behind it */
        struct flock place = {
            .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = (off_t)n + 1, .l_len = 1
        };

        MUST(fcntl(lock, F_OFD_GETLK, &place) == 0);
        if (place.l_type == F_UNLCK)
            return n;
    }
}

void filestore_await_queue(int lock, unsigned n)
{
    while (filestore_queue(lock) < n)
        (void)nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
}

static void *end_the_hour(void *arg)
{
    filestore_await_queue(*(const int *)arg, 1);
    modhost_clock_add(KT_CLOCK_MONOTONIC, 3600000);
    return NULL;
}

pthread_t filestore_stop_waiting(const int *lock)
{
    pthread_t thread;

    ck_assert_int_eq(pthread_create(&thread, NULL, end_the_hour, (void *)lock), 0);
    return thread;
}

struct words {
    char name[32];
    char value[32];
};

static void do_as_told(const struct filestore *of, int ask, int told)
{
    struct filestore mine;
    struct words w;

    filestore_again(&mine, of, NULL);
    while (read(ask, &w, sizeof(w)) == sizeof(w)) {
        MUST(filestore_put(&mine, w.name, w.value, (char[KT_ID_SIZE]){ "" }, NULL) == KT_SUCCESS);
        MUST(write(told, "", 1) == 1);
    }
    filestore_close(&mine);
    _exit(0);
}

void filestore_other_start(struct filestore_other *o, const struct filestore *of)
{
    int ask[2];
    int told[2];

    ck_assert_int_eq(pipe(ask), 0);
    ck_assert_int_eq(pipe(told), 0);
    o->pid = fork();
    ck_assert_int_ge(o->pid, 0);
    if (o->pid == 0) {
        (void)close(ask[1]);
        (void)close(told[0]);
        do_as_told(of, ask[0], told[1]);
    }
    (void)close(ask[0]);
    (void)close(told[1]);
    o->ask = ask[1];
    o->told = told[0];
}

void filestore_other_put(const struct filestore_other *o, const char *name, const char *value)
{
    struct words w = { .name = "" };
    char done;

    (void)snprintf(w.name, sizeof(w.name), "%s", name);
    (void)snprintf(w.value, sizeof(w.value), "%s", value);
    MUST(write(o->ask, &w, sizeof(w)) == sizeof(w));
    MUST(read(o->told, &done, 1) == 1);
}

void filestore_other_end(const struct filestore_other *o)
{
    int status = -1;

    (void)close(o->ask);
    (void)close(o->told);
    ck_assert_int_eq(waitpid(o->pid, &status, 0), o->pid);
    ck_assert_int_eq(status, 0);
}
