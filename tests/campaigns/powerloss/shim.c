/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Preloaded into the workload: writes down what reaches the directory POWERLOSS_DIR, into the file
 * POWERLOSS_LOG, which lies elsewhere. Nothing is really synced: the log says what would have been.
 * A call and its record are one step for all processes: the log is locked meanwhile.
 *
 * POWERLOSS_BREAK, to see the campaign fail:
 *   normal   the module's "synchronous = FULL" becomes NORMAL on its way to SQLite
 *   dirsync  fsync() of a directory does nothing
 *   keysync  fsync() of a file in the key's directory does nothing
 *
 * Memory that is mapped (SQLite's -shm) is not seen; that nothing else was missed is checked after
 * the workload: the log must account for every byte of every other file.
 */

/* with it the headers define some of these functions themselves */
#undef _FORTIFY_SOURCE

#include "shim.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define LOG_FD 900 /* or the next one free: out of everybody's way */

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static const char *dir;
static size_t dir_len;
static int log_fd = -1;
static pid_t log_pid;
static char doomed[64];

void pl_die(const char *what)
{
    fprintf(stderr, "powerloss shim: %s: %s\n", what, strerror(errno));
    abort();
}

/* ---- the log -------------------------------------------------------------------------------- */

bool pl_watching(void)
{
    if (dir == NULL) {
        dir = getenv("POWERLOSS_DIR");
        if (dir == NULL)
            dir = "";
        dir_len = strlen(dir);
    }
    return dir_len > 0;
}

static void lock_log(short type)
{
    struct flock l = { .l_type = type, .l_whence = SEEK_SET, .l_len = 1 };

    while (syscall(SYS_fcntl, log_fd, F_OFD_SETLKW, &l) != 0)
        if (errno != EINTR)
            pl_die("cannot lock the log");
}

/* A child shares its parent's lock until it has opened the log itself. */
void pl_enter(void)
{
    const int kept = errno;

    (void)pthread_mutex_lock(&mutex);
    if (log_pid != getpid()) {
        const char *path = getenv("POWERLOSS_LOG");
        int fd = path == NULL ? -1
                              : (int)syscall(SYS_openat, AT_FDCWD, path,
                                             O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);

        log_fd = fd < 0 ? -1 : (int)syscall(SYS_fcntl, fd, F_DUPFD_CLOEXEC, LOG_FD);
        if (log_fd < 0)
            pl_die("cannot open the log POWERLOSS_LOG");
        (void)syscall(SYS_close, fd);
        log_pid = getpid();
    }
    lock_log(F_WRLCK);
    errno = kept;
}

void pl_leave(void)
{
    const int kept = errno;

    lock_log(F_UNLCK);
    (void)pthread_mutex_unlock(&mutex);
    errno = kept;
}

void pl_record(struct pl_record r, const void *first, size_t n, const void *second, size_t m)
{
    static const char zeros[8];
    const int kept = errno;
    const size_t len = n + m;
    const struct iovec v[] = { { &r, sizeof(r) },
                               { (void *)first, n },
                               { (void *)second, m },
                               { (void *)zeros, PL_PADDED(len) - len } };

    r.len = (uint32_t)len;
    if (syscall(SYS_writev, log_fd, v, 4) != (long)(sizeof(r) + PL_PADDED(len)))
        pl_die("cannot write the log");
    errno = kept;
}

void pl_record_path(enum pl_type type, uint64_t ino, const char *path)
{
    pl_record((struct pl_record){ .type = type, .ino = ino }, path, strlen(path) + 1, NULL, 0);
}

/* ---- what is watched ------------------------------------------------------------------------ */

/* The part of an absolute path below the watched directory; NULL: it is not below. */
const char *pl_below(const char *path)
{
    if (strncmp(path, dir, dir_len) != 0 || (path[dir_len] != '/' && path[dir_len] != '\0'))
        return NULL;
    return path + dir_len + (path[dir_len] == '/' ? 1 : 0);
}

static bool name_of(int fd, char out[PATH_MAX])
{
    char link[32];
    ssize_t n;

    (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    n = readlink(link, out, PATH_MAX - 1);
    if (n < 0)
        return false;
    out[n] = '\0';
    return true;
}

/* NULL: not watched. @buf keeps what a relative path is made into. */
const char *pl_watched_at(int at, const char *path, char buf[PATH_MAX])
{
    const int kept = errno;
    const char *out = NULL;
    char base[PATH_MAX];
    bool known;

    if (path[0] == '/') {
        out = pl_below(path);
    } else {
        known = at == AT_FDCWD ? getcwd(base, sizeof(base)) != NULL : name_of(at, base);
        if (known && snprintf(buf, PATH_MAX, "%s/%s", base, path) < PATH_MAX)
            out = pl_below(buf);
    }
    errno = kept;
    return out;
}

/* A regular file of ours; its number. */
bool pl_watched_fd(int fd, struct stat *st, char name[PATH_MAX])
{
    const int kept = errno;
    const bool ours = pl_watching() && name_of(fd, name) && pl_below(name) != NULL &&
                      fstat(fd, st) == 0;

    errno = kept;
    return ours;
}

/* ---- syncs ---------------------------------------------------------------------------------- */

static bool is_broken(const char *what)
{
    const char *how = getenv("POWERLOSS_BREAK");

    return how != NULL && strcmp(how, what) == 0;
}

static bool ends_with(const char *name, const char *suffix)
{
    const size_t n = strlen(name);
    const size_t m = strlen(suffix);

    return n >= m && strcmp(name + n - m, suffix) == 0;
}

static int sync_any(int fd, long nr)
{
    char name[PATH_MAX];
    struct stat st;

    if (!pl_watched_fd(fd, &st, name))
        return (int)syscall(nr, fd);
    /* a log that is only begun (32 bytes) is synced once before anything is written to it */
    if (doomed[0] != '\0' && ends_with(name, doomed) && st.st_size > 32)
        (void)raise(SIGKILL);
    if (S_ISDIR(st.st_mode) ? is_broken("dirsync")
                            : strstr(name, "/config/") != NULL && is_broken("keysync"))
        return 0;
    pl_enter();
    if (S_ISDIR(st.st_mode))
        pl_record_path(PL_SYNCDIR, 0, pl_below(name));
    else
        pl_record((struct pl_record){ .type = PL_SYNC, .ino = st.st_ino }, NULL, 0, NULL, 0);
    pl_leave();
    return 0;
}

EXPORT int fsync(int fd)
{
    return sync_any(fd, SYS_fsync);
}

EXPORT int fdatasync(int fd)
{
    return sync_any(fd, SYS_fdatasync);
}

/* ---- for the workload ----------------------------------------------------------------------- */

EXPORT pl_mark_fn kt_powerloss_mark;
EXPORT pl_die_fn kt_powerloss_die_before_sync;

void kt_powerloss_mark(const char *text, uint32_t len)
{
    pl_enter();
    pl_record((struct pl_record){ .type = PL_MARK }, text, len, NULL, 0);
    pl_leave();
}

void kt_powerloss_die_before_sync(const char *suffix)
{
    (void)snprintf(doomed, sizeof(doomed), "%s", suffix);
}

/* ---- synchronous = NORMAL ------------------------------------------------------------------- */

typedef int exec_fn(void *db, const char *sql, int (*row)(void *, int, char **, char **), void *arg,
                    char **why);

EXPORT exec_fn sqlite3_exec;

/* The library is the module's alone: it is not among those that RTLD_NEXT looks through. */
static exec_fn *real_exec(void)
{
    void *so = dlopen("libsqlite3.so.0", RTLD_LAZY | RTLD_NOLOAD);
    exec_fn *f = NULL;

    if (so == NULL)
        pl_die("no SQLite is loaded");
    *(void **)&f = dlsym(so, "sqlite3_exec");
    if (f == NULL || f == sqlite3_exec)
        pl_die("no sqlite3_exec");
    return f;
}

int sqlite3_exec(void *db, const char *sql, int (*row)(void *, int, char **, char **), void *arg,
                 char **why)
{
    static const char full[] = "synchronous = FULL";
    const char *at = is_broken("normal") ? strstr(sql, full) : NULL;
    char *changed = NULL;
    int rc;

    if (at == NULL)
        return real_exec()(db, sql, row, arg, why);
    if (asprintf(&changed, "%.*ssynchronous = NORMAL%s", (int)(at - sql), sql, at + strlen(full)) <
        0)
        pl_die("asprintf");
    rc = real_exec()(db, changed, row, arg, why);
    free(changed);
    return rc;
}
