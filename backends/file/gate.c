/* SPDX-License-Identifier: Apache-2.0 */
#include "gate.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

/* Writers first: a stream of gets must not hold up a fork. Nobody enters twice. */
#define GATE_INIT PTHREAD_RWLOCK_WRITER_NONRECURSIVE_INITIALIZER_NP

static pthread_rwlock_t gate = GATE_INIT;
static pthread_once_t once = PTHREAD_ONCE_INIT;

/*
 * A descriptor that nothing uses: one end of a pipe, whose inode no other file has. If it is gone, so
 * are the others. What this cannot see is a program that closes single descriptors of ours.
 */
static int sentinel = -1;
static ino_t sentinel_ino;

static bool sentinel_sound(void)
{
    struct stat st;

    return sentinel >= 0 && fstat(sentinel, &st) == 0 && S_ISFIFO(st.st_mode) &&
           st.st_ino == sentinel_ino;
}

/* Without one (no descriptor left) we go on: SQLite will find out what is missing, and say so. */
static void set_sentinel(void)
{
    struct stat st;
    int fds[2];

    sentinel = -1;
    if (pipe2(fds, O_CLOEXEC) != 0)
        return;
    (void)close(fds[1]);
    (void)fstat(fds[0], &st);
    sentinel = fds[0];
    sentinel_ino = st.st_ino;
}

static void prepare(void)
{
    (void)pthread_rwlock_wrlock(&gate);
    kt_stores_close_all(sentinel < 0 || sentinel_sound());
}

static void parent(void)
{
    (void)pthread_rwlock_unlock(&gate);
}

static void child(void)
{
    /* threads that waited at the gate are not in this process: a new one, that does not know them */
    (void)pthread_rwlock_unlock(&gate);
    gate = (pthread_rwlock_t)GATE_INIT;
    kt_stores_forked();
}

static const struct kt_host *host_of_once;

static void setup(void)
{
    /*
     * Prepare handlers run in reverse order of their registration. The host's secret memory may
     * register one when first used: that must come before ours, for whoever is inside the gate
     * may need that memory in order to leave.
     */
    host_of_once->secret_free(host_of_once->secret_alloc(1, 0));
    (void)pthread_atfork(prepare, parent, child);
}

void kt_gate_setup(const struct kt_host *host)
{
    static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

    (void)pthread_mutex_lock(&mutex);
    host_of_once = host;
    (void)pthread_once(&once, setup);
    (void)pthread_mutex_unlock(&mutex);
}

void kt_gate_enter(void)
{
    (void)pthread_rwlock_rdlock(&gate);
    if (sentinel_sound())
        return;
    (void)pthread_rwlock_unlock(&gate);
    (void)pthread_rwlock_wrlock(&gate);
    if (!sentinel_sound()) {
        kt_stores_close_all(sentinel < 0);
        set_sentinel();
    }
    (void)pthread_rwlock_unlock(&gate);
    (void)pthread_rwlock_rdlock(&gate);
}

void kt_gate_leave(void)
{
    (void)pthread_rwlock_unlock(&gate);
}
