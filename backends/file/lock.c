/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The writer lock: two bytes of a file beside the store, locked with OFD locks, which closing some
 * other descriptor does not lose. A writer takes its turn (byte 1), then the lock (byte 0), then
 * gives the turn back. Whoever has the turn is next, so a writer in a hurry that has just let the lock
 * go cannot take it again before the others: it has to win the turn first.
 */

#include "place.h"
#include "store.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define LOCK 0
#define TURN 1

static bool lock_byte(int fd, off_t byte, short type)
{
    struct flock l = { .l_type = type, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1 };

    return fcntl(fd, F_OFD_SETLK, &l) == 0;
}

/* The program may have closed it and opened something else in its place. */
static bool is_ours(const struct kt_store *store)
{
    struct stat st;

    return store->lock_fd >= 0 && fstat(store->lock_fd, &st) == 0 && st.st_dev == store->lock_dev &&
           st.st_ino == store->lock_ino;
}

void kt_lock_drop(struct kt_store *store, bool sound)
{
    if (store->lock_fd >= 0 && sound && is_ours(store))
        (void)close(store->lock_fd);
    store->lock_fd = -1;
    store->turn = false;
    store->writing = false;
    store->era++;
}

static int open_lock(struct kt_session *s)
{
    struct kt_store *store = s->store;
    struct stat st;
    int fd;

    if (is_ours(store))
        return KT_SUCCESS;
    kt_lock_drop(store, false);
    fd = open(store->lock_path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return kt_fault_errno(&s->fault,
                              errno == EACCES || errno == EPERM ? KT_READ_ONLY : KT_UNAVAILABLE,
                              errno, "cannot open the lock file %s", store->lock_path);
    (void)fstat(fd, &st);
    store->lock_fd = fd;
    store->lock_dev = st.st_dev;
    store->lock_ino = st.st_ino;
    return KT_SUCCESS;
}

static bool take_turn(struct kt_session *s)
{
    struct kt_store *store = s->store;

    if (s->has_turn && s->turn_era == store->era)
        return true;
    s->has_turn = false;
    if (store->turn || !lock_byte(store->lock_fd, TURN, F_WRLCK))
        return false;
    store->turn = true;
    s->has_turn = true;
    s->turn_era = store->era;
    return true;
}

static void leave_turn(struct kt_session *s)
{
    struct kt_store *store = s->store;

    if (s->has_turn && s->turn_era == store->era) {
        (void)lock_byte(store->lock_fd, TURN, F_UNLCK);
        store->turn = false;
    }
    s->has_turn = false;
}

int kt_lock_take(struct kt_session *s)
{
    struct kt_store *store = s->store;
    int rc = open_lock(s);

    if (rc != KT_SUCCESS)
        return rc;
    errno = EAGAIN;
    if (!take_turn(s) || store->writing || !lock_byte(store->lock_fd, LOCK, F_WRLCK)) {
        if (errno != EAGAIN && errno != EACCES)
            return kt_fault_errno(&s->fault, KT_UNAVAILABLE, errno, "cannot lock %s",
                                  store->lock_path);
        return kt_fault(&s->fault, KT_AGAIN, "another writer holds %s", store->path);
    }
    store->writing = true;
    s->write = true;
    leave_turn(s);
    return KT_SUCCESS;
}

void kt_lock_release(struct kt_session *s)
{
    if (s->write) {
        (void)lock_byte(s->store->lock_fd, LOCK, F_UNLCK);
        s->store->writing = false;
        s->write = false;
    }
    leave_turn(s);
}
