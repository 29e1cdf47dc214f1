/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The writer lock: bytes of a file beside the store, locked with OFD locks, which closing some other
 * descriptor does not lose. Byte 0 is the lock, the bytes behind it are places in the queue for it.
 * A writer takes the place behind all that are taken, moves up as those before it become free, and
 * leaves the queue when it has the lock. So nobody is overtaken, and a writer in a hurry that has just
 * let the lock go stands behind the others; only beyond KT_PLACES waiting writers it is luck who gets
 * the last place.
 */

#include "place.h"
#include "store.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define LOCK 0

static bool lock_bytes(int fd, off_t first, off_t n, short type)
{
    struct flock l = { .l_type = type, .l_whence = SEEK_SET, .l_start = first, .l_len = n };

    return fcntl(fd, F_OFD_SETLK, &l) == 0;
}

static bool lock_byte(int fd, off_t byte, short type)
{
    return lock_bytes(fd, byte, 1, type);
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
    store->places = 0;
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

/*
 * Locks are those of the descriptor, which all threads of the process share: what threads have of each
 * other stands in @places and @writing.
 */
static bool is_free(const struct kt_store *store, unsigned from, unsigned to)
{
    const unsigned all = store->places | (store->writing ? 1U << LOCK : 0);

    for (unsigned i = from; i <= to; i++)
        if ((all & 1U << i) != 0)
            return false;
    return true;
}

static bool has_place(const struct kt_session *s)
{
    return s->has_turn && s->turn_era == s->store->era;
}

static void take_place(struct kt_session *s, unsigned place)
{
    s->has_turn = true;
    s->turn_era = s->store->era;
    s->place = place;
    s->store->places |= 1U << place;
}

static void leave_place(struct kt_session *s)
{
    if (has_place(s)) {
        (void)lock_byte(s->store->lock_fd, s->place, F_UNLCK);
        s->store->places &= ~(1U << s->place);
    }
    s->has_turn = false;
}

/* The first place behind which all are free; if nobody is about that is the lock itself. */
static bool enter_queue(struct kt_session *s)
{
    struct kt_store *store = s->store;

    for (unsigned i = LOCK; i <= KT_PLACES; i++) {
        if (!is_free(store, i, KT_PLACES) ||
            !lock_bytes(store->lock_fd, i, KT_PLACES + 1 - i, F_WRLCK))
            continue;
        take_place(s, i);
        if (i < KT_PLACES)
            (void)lock_bytes(store->lock_fd, i + 1, KT_PLACES - i, F_UNLCK);
        return true;
    }
    return false;
}

/* As far as it goes. */
static void move_up(struct kt_session *s)
{
    while (s->place > LOCK && is_free(s->store, s->place - 1, s->place - 1) &&
           lock_byte(s->store->lock_fd, s->place - 1, F_WRLCK)) {
        const unsigned next = s->place - 1;

        leave_place(s);
        take_place(s, next);
    }
}

int kt_lock_take(struct kt_session *s)
{
    struct kt_store *store = s->store;
    int rc = open_lock(s);

    if (rc != KT_SUCCESS)
        return rc;
    errno = EAGAIN;
    if (has_place(s) || enter_queue(s))
        move_up(s);
    if (!has_place(s) || s->place != LOCK) {
        if (errno != EAGAIN && errno != EACCES)
            return kt_fault_errno(&s->fault, KT_UNAVAILABLE, errno, "cannot lock %s",
                                  store->lock_path);
        return kt_fault(&s->fault, KT_AGAIN, "another writer holds %s", store->path);
    }
    store->writing = true;
    s->write = true;
    store->places &= ~(1U << LOCK);
    s->has_turn = false; /* it has the lock */
    return KT_SUCCESS;
}

void kt_lock_release(struct kt_session *s)
{
    if (s->write) {
        (void)lock_byte(s->store->lock_fd, LOCK, F_UNLCK);
        s->store->writing = false;
        s->write = false;
    }
    leave_place(s);
}

bool kt_lock_is_wanted(const struct kt_session *s)
{
    struct flock l = {
        .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = KT_FIRST_PLACE, .l_len = KT_PLACES
    };

    return s->store->places != 0 ||
           (fcntl(s->store->lock_fd, F_OFD_GETLK, &l) == 0 && l.l_type != F_UNLCK);
}
