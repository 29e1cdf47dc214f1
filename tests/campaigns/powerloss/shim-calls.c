/* SPDX-License-Identifier: Apache-2.0 */

/* The calls that make, move and remove names, and those that write. */

/* with it the headers define some of these functions themselves */
#undef _FORTIFY_SOURCE

#include "shim.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

/* ---- names ---------------------------------------------------------------------------------- */

static int open_watched(int at, const char *path, int flags, mode_t mode, const char *rel)
{
    const bool nameless = (flags & O_TMPFILE) == O_TMPFILE;
    struct stat st;
    bool was;
    int fd;

    pl_enter();
    was = !nameless && fstatat(at, path, &st, 0) == 0;
    fd = (int)syscall(SYS_openat, at, path, flags, mode);
    if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) {
        if (!was)
            pl_record_path(PL_CREATE, st.st_ino, nameless ? "" : rel);
        else if ((flags & O_TRUNC) != 0)
            pl_record((struct pl_record){ .type = PL_SIZE, .ino = st.st_ino }, NULL, 0, NULL, 0);
    }
    pl_leave();
    return fd;
}

static int open_any(int at, const char *path, int flags, mode_t mode)
{
    char buf[PATH_MAX];
    const char *rel = NULL;

    if (pl_watching() && (flags & (O_CREAT | O_TRUNC | (O_TMPFILE & ~O_DIRECTORY))) != 0)
        rel = pl_watched_at(at, path, buf);
    if (rel != NULL)
        return open_watched(at, path, flags, mode, rel);
    return (int)syscall(SYS_openat, at, path, flags, mode);
}

#define MODE_OF(flags, mode)                                                                       \
    do {                                                                                           \
        if (((flags)&O_CREAT) != 0 || ((flags)&O_TMPFILE) == O_TMPFILE) {                          \
            va_list ap;                                                                            \
            va_start(ap, flags);                                                                   \
            (mode) = va_arg(ap, mode_t);                                                           \
            va_end(ap);                                                                            \
        }                                                                                          \
    } while (0)

EXPORT int open(const char *path, int flags, ...)
{
    mode_t mode = 0;

    MODE_OF(flags, mode);
    return open_any(AT_FDCWD, path, flags, mode);
}

EXPORT int open64(const char *path, int flags, ...)
{
    mode_t mode = 0;

    MODE_OF(flags, mode);
    return open_any(AT_FDCWD, path, flags, mode);
}

EXPORT int openat(int at, const char *path, int flags, ...)
{
    mode_t mode = 0;

    MODE_OF(flags, mode);
    return open_any(at, path, flags, mode);
}

EXPORT int openat64(int at, const char *path, int flags, ...)
{
    mode_t mode = 0;

    MODE_OF(flags, mode);
    return open_any(at, path, flags, mode);
}

/* glibc makes the file without calling open() by its name. */
static int make_temp(const char *symbol, char *template, int flags)
{
    int (*real)(char *, int) = NULL;
    char buf[PATH_MAX];
    const char *rel;
    struct stat st;
    int fd;

    *(void **)&real = dlsym(RTLD_NEXT, symbol);
    if (real == NULL)
        pl_die("dlsym");
    if (!pl_watching())
        return real(template, flags);
    pl_enter();
    fd = real(template, flags);
    rel = fd < 0 ? NULL : pl_watched_at(AT_FDCWD, template, buf);
    if (rel != NULL && fstat(fd, &st) == 0)
        pl_record_path(PL_CREATE, st.st_ino, rel);
    pl_leave();
    return fd;
}

EXPORT int mkostemp(char *template, int flags)
{
    return make_temp("mkostemp", template, flags);
}

EXPORT int mkostemp64(char *template, int flags)
{
    return make_temp("mkostemp64", template, flags);
}

EXPORT int mkstemp(char *template)
{
    return make_temp("mkostemp", template, 0);
}

EXPORT int mkstemp64(char *template)
{
    return make_temp("mkostemp64", template, 0);
}

EXPORT int mkdirat(int at, const char *path, mode_t mode)
{
    char buf[PATH_MAX];
    const char *rel = pl_watching() ? pl_watched_at(at, path, buf) : NULL;
    int rc;

    if (rel == NULL)
        return (int)syscall(SYS_mkdirat, at, path, mode);
    pl_enter();
    rc = (int)syscall(SYS_mkdirat, at, path, mode);
    if (rc == 0)
        pl_record_path(PL_MKDIR, 0, rel);
    pl_leave();
    return rc;
}

EXPORT int mkdir(const char *path, mode_t mode)
{
    return mkdirat(AT_FDCWD, path, mode);
}

EXPORT int unlinkat(int at, const char *path, int flags)
{
    char buf[PATH_MAX];
    const char *rel = pl_watching() ? pl_watched_at(at, path, buf) : NULL;
    int rc;

    if (rel == NULL)
        return (int)syscall(SYS_unlinkat, at, path, flags);
    pl_enter();
    rc = (int)syscall(SYS_unlinkat, at, path, flags);
    if (rc == 0)
        pl_record_path(PL_UNLINK, 0, rel);
    pl_leave();
    return rc;
}

EXPORT int unlink(const char *path)
{
    return unlinkat(AT_FDCWD, path, 0);
}

EXPORT int rmdir(const char *path)
{
    return unlinkat(AT_FDCWD, path, AT_REMOVEDIR);
}

/* Both names must be ours, or none: nothing is carried over the border. */
EXPORT int renameat2(int at, const char *from, int to_at, const char *to, unsigned flags)
{
    char buf[2][PATH_MAX];
    const char *rel = pl_watching() ? pl_watched_at(at, from, buf[0]) : NULL;
    const char *to_rel = pl_watching() ? pl_watched_at(to_at, to, buf[1]) : NULL;
    int rc;

    if (rel == NULL || to_rel == NULL)
        return (int)syscall(SYS_renameat2, at, from, to_at, to, flags);
    pl_enter();
    rc = (int)syscall(SYS_renameat2, at, from, to_at, to, flags);
    if (rc == 0)
        pl_record((struct pl_record){ .type = PL_RENAME }, rel, strlen(rel) + 1, to_rel,
                  strlen(to_rel) + 1);
    pl_leave();
    return rc;
}

EXPORT int renameat(int at, const char *from, int to_at, const char *to)
{
    return renameat2(at, from, to_at, to, 0);
}

EXPORT int rename(const char *from, const char *to)
{
    return renameat2(AT_FDCWD, from, AT_FDCWD, to, 0);
}

/* What is linked may have no name yet: its number tells. */
EXPORT int linkat(int at, const char *from, int to_at, const char *to, int flags)
{
    char buf[PATH_MAX];
    const char *rel = pl_watching() ? pl_watched_at(to_at, to, buf) : NULL;
    struct stat st;
    int rc;

    if (rel == NULL)
        return (int)syscall(SYS_linkat, at, from, to_at, to, flags);
    pl_enter();
    rc = (int)syscall(SYS_linkat, at, from, to_at, to, flags);
    if (rc == 0 && fstatat(to_at, to, &st, AT_SYMLINK_NOFOLLOW) == 0)
        pl_record_path(PL_LINK, st.st_ino, rel);
    pl_leave();
    return rc;
}

EXPORT int link(const char *from, const char *to)
{
    return linkat(AT_FDCWD, from, AT_FDCWD, to, 0);
}

/* ---- bytes ---------------------------------------------------------------------------------- */

static ssize_t write_at(int fd, const void *data, size_t len, off_t at)
{
    char name[PATH_MAX];
    struct stat st;
    ssize_t n;

    if (!pl_watched_fd(fd, &st, name))
        return syscall(SYS_pwrite64, fd, data, len, at);
    pl_enter();
    n = syscall(SYS_pwrite64, fd, data, len, at);
    if (n > 0)
        pl_record((struct pl_record){ .type = PL_WRITE, .ino = st.st_ino, .at = at }, data,
                  (size_t)n, NULL, 0);
    pl_leave();
    return n;
}

EXPORT ssize_t pwrite(int fd, const void *data, size_t len, off_t at)
{
    return write_at(fd, data, len, at);
}

EXPORT ssize_t pwrite64(int fd, const void *data, size_t len, off_t at)
{
    return write_at(fd, data, len, at);
}

EXPORT ssize_t write(int fd, const void *data, size_t len)
{
    char name[PATH_MAX];
    struct stat st;
    ssize_t n;

    if (!pl_watched_fd(fd, &st, name) || !S_ISREG(st.st_mode))
        return syscall(SYS_write, fd, data, len);
    pl_enter();
    n = syscall(SYS_write, fd, data, len);
    if (n > 0)
        pl_record((struct pl_record){ .type = PL_WRITE,
                                      .ino = st.st_ino,
                                      .at = lseek(fd, 0, SEEK_CUR) - n },
                  data, (size_t)n, NULL, 0);
    pl_leave();
    return n;
}

/* Short is allowed: the first piece, then the caller asks again. */
EXPORT ssize_t writev(int fd, const struct iovec *v, int n)
{
    char name[PATH_MAX];
    struct stat st;

    if (n <= 0 || !pl_watched_fd(fd, &st, name))
        return syscall(SYS_writev, fd, v, n);
    while (n > 1 && v->iov_len == 0) {
        v++;
        n--;
    }
    return write(fd, v->iov_base, v->iov_len);
}

/* The kernel copies: callers fall back to read and write. */
EXPORT ssize_t copy_file_range(int in, off64_t *in_at, int out, off64_t *out_at, size_t len,
                               unsigned flags)
{
    char name[PATH_MAX];
    struct stat st;

    if (!pl_watched_fd(out, &st, name))
        return syscall(SYS_copy_file_range, in, in_at, out, out_at, len, flags);
    errno = EXDEV;
    return -1;
}

static int set_size(int fd, off_t size)
{
    char name[PATH_MAX];
    struct stat st;
    int rc;

    if (!pl_watched_fd(fd, &st, name))
        return (int)syscall(SYS_ftruncate, fd, size);
    pl_enter();
    rc = (int)syscall(SYS_ftruncate, fd, size);
    if (rc == 0)
        pl_record((struct pl_record){ .type = PL_SIZE, .ino = st.st_ino, .at = size }, NULL, 0,
                  NULL, 0);
    pl_leave();
    return rc;
}

EXPORT int ftruncate(int fd, off_t size)
{
    return set_size(fd, size);
}

EXPORT int ftruncate64(int fd, off64_t size)
{
    return set_size(fd, size);
}

static int set_size_of(const char *path, off_t size)
{
    int fd = open_any(AT_FDCWD, path, O_WRONLY | O_CLOEXEC, 0);
    int rc;

    if (fd < 0)
        return -1;
    rc = set_size(fd, size);
    (void)close(fd);
    return rc;
}

EXPORT int truncate(const char *path, off_t size)
{
    return set_size_of(path, size);
}

EXPORT int truncate64(const char *path, off64_t size)
{
    return set_size_of(path, size);
}

/* Only what makes a file longer; holes and moves are not known here, and callers do without. */
static int allocate(int fd, int mode, off_t at, off_t len)
{
    char name[PATH_MAX];
    struct stat st;

    if (!pl_watched_fd(fd, &st, name))
        return (int)syscall(SYS_fallocate, fd, mode, at, len);
    if (mode != 0) {
        errno = EOPNOTSUPP;
        return -1;
    }
    return at + len > st.st_size ? set_size(fd, at + len) : 0;
}

EXPORT int fallocate(int fd, int mode, off_t at, off_t len)
{
    return allocate(fd, mode, at, len);
}

EXPORT int fallocate64(int fd, int mode, off64_t at, off64_t len)
{
    return allocate(fd, mode, at, len);
}

EXPORT int posix_fallocate(int fd, off_t at, off_t len)
{
    return allocate(fd, 0, at, len) == 0 ? 0 : errno;
}

EXPORT int posix_fallocate64(int fd, off64_t at, off64_t len)
{
    return allocate(fd, 0, at, len) == 0 ? 0 : errno;
}
