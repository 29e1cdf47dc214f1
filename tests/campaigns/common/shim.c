/* SPDX-License-Identifier: Apache-2.0 */
#include "shim.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define SHOWN __attribute__((visibility("default")))

struct kt_shim *kt_shim;

const char *kt_shim_kind(unsigned kind)
{
    static const char *const words[] = { "make",   "write", "truncate", "sync",
                                         "rename", "link",  "unlink" };

    for (unsigned i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (kind == 1U << i)
            return words[i];
    return "nothing";
}

/* libc's own; or a sanitizer's, which are next then. */
#define NEXT(type, name) ((type)(uintptr_t)dlsym(RTLD_NEXT, name))

static bool is_below(const char *path)
{
    const size_t n = strlen(kt_shim->dir);

    return strncmp(path, kt_shim->dir, n) == 0 && (path[n] == '/' || path[n] == '\0');
}

static bool path_of(int fd, char out[PATH_MAX])
{
    char link[40];
    ssize_t n;

    (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    n = readlink(link, out, PATH_MAX - 1);
    if (n < 0)
        return false;
    out[n] = '\0';
    return is_below(out);
}

static void __attribute__((noreturn)) die(void)
{
    for (;;)
        (void)kill(getpid(), SIGKILL);
}

/* What is to be done now; KT_SHIM_COUNT: nothing. */
static enum kt_shim_action point(unsigned kind, const char *path)
{
    struct kt_shim *s = kt_shim;
    unsigned i = 0;

    while (1U << i != kind)
        i++;
    s->seen[i]++;
    s->count++;
    s->names = s->names || (kind & (KT_SHIM_MAKE | KT_SHIM_RENAME | KT_SHIM_LINK)) != 0;
    if (s->at == 0 || s->count < s->at || s->count > s->last || (s->kinds & kind) == 0)
        return KT_SHIM_COUNT;
    if ((s->action == KT_SHIM_KILL_TORN || s->action == KT_SHIM_SHORT) && kind != KT_SHIM_WRITE)
        return KT_SHIM_COUNT;
    if (s->hits++ == 0) {
        s->kind = kind;
        (void)snprintf(s->path, sizeof(s->path), "%s", path);
    }
    if (s->action == KT_SHIM_KILL_BEFORE)
        die();
    return s->action;
}

static enum kt_shim_action at_fd(unsigned kind, int fd)
{
    const int err = errno;
    char path[PATH_MAX];
    enum kt_shim_action a = KT_SHIM_COUNT;

    if (kt_shim != NULL && path_of(fd, path))
        a = point(kind, path);
    errno = err;
    return a;
}

static enum kt_shim_action at_path(unsigned kind, const char *path)
{
    return kt_shim != NULL && is_below(path) ? point(kind, path) : KT_SHIM_COUNT;
}

static bool fails(enum kt_shim_action a)
{
    if (a == KT_SHIM_FAIL)
        errno = kt_shim->error;
    return a == KT_SHIM_FAIL;
}

/* The process dies here if that was to happen after the call. */
static ssize_t after(enum kt_shim_action a, ssize_t rc)
{
    if (a == KT_SHIM_KILL_AFTER || a == KT_SHIM_KILL_TORN)
        die();
    return rc;
}

static size_t part(enum kt_shim_action a, size_t n)
{
    if (a != KT_SHIM_KILL_TORN && a != KT_SHIM_SHORT)
        return n;
    return a == KT_SHIM_SHORT && n < 2 ? n : n / 2;
}

/* ---- making --------------------------------------------------------------------------------- */

static mode_t mode_of(int flags, va_list ap)
{
    return (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(ap, mode_t) : 0;
}

static int make(const char *which, int dirfd, const char *path, int flags, mode_t mode)
{
    typedef int fn(const char *, int, ...);
    typedef int fn_at(int, const char *, int, ...);
    const bool makes = (flags & O_TMPFILE) == O_TMPFILE ||
                       ((flags & O_CREAT) != 0 && faccessat(dirfd, path, F_OK, 0) != 0);
    const enum kt_shim_action a = makes ? at_path(KT_SHIM_MAKE, path) : KT_SHIM_COUNT;

    if (fails(a))
        return -1;
    if (strncmp(which, "openat", 6) == 0)
        return (int)after(a, NEXT(fn_at *, which)(dirfd, path, flags, mode));
    return (int)after(a, NEXT(fn *, which)(path, flags, mode));
}

#define OPEN(name)                                                                                 \
    SHOWN int name(const char *path, int flags, ...)                                               \
    {                                                                                              \
        va_list ap;                                                                                \
        mode_t mode;                                                                               \
                                                                                                   \
        va_start(ap, flags);                                                                       \
        mode = mode_of(flags, ap);                                                                 \
        va_end(ap);                                                                                \
        return make(#name, AT_FDCWD, path, flags, mode);                                           \
    }
#define OPENAT(name)                                                                               \
    SHOWN int name(int dirfd, const char *path, int flags, ...)                                    \
    {                                                                                              \
        va_list ap;                                                                                \
        mode_t mode;                                                                               \
                                                                                                   \
        va_start(ap, flags);                                                                       \
        mode = mode_of(flags, ap);                                                                 \
        va_end(ap);                                                                                \
        return make(#name, dirfd, path, flags, mode);                                              \
    }
OPEN(open)
OPEN(open64)
OPENAT(openat)
OPENAT(openat64)

SHOWN int mkdir(const char *path, mode_t mode)
{
    typedef int fn(const char *, mode_t);
    const enum kt_shim_action a = at_path(KT_SHIM_MAKE, path);

    return fails(a) ? -1 : (int)after(a, NEXT(fn *, "mkdir")(path, mode));
}

#define MKOSTEMP(name)                                                                             \
    SHOWN int name(char *template, int flags)                                                      \
    {                                                                                              \
        typedef int fn(char *, int);                                                               \
        const enum kt_shim_action a = at_path(KT_SHIM_MAKE, template);                             \
                                                                                                   \
        return fails(a) ? -1 : (int)after(a, NEXT(fn *, #name)(template, flags));                  \
    }
MKOSTEMP(mkostemp)
MKOSTEMP(mkostemp64)

/* ---- writing -------------------------------------------------------------------------------- */

SHOWN ssize_t write(int fd, const void *data, size_t n)
{
    typedef ssize_t fn(int, const void *, size_t);
    const enum kt_shim_action a = at_fd(KT_SHIM_WRITE, fd);

    return fails(a) ? -1 : after(a, NEXT(fn *, "write")(fd, data, part(a, n)));
}

#define PWRITE(name, off)                                                                          \
    SHOWN ssize_t name(int fd, const void *data, size_t n, off at)                                 \
    {                                                                                              \
        typedef ssize_t fn(int, const void *, size_t, off);                                        \
        const enum kt_shim_action a = at_fd(KT_SHIM_WRITE, fd);                                    \
                                                                                                   \
        return fails(a) ? -1 : after(a, NEXT(fn *, #name)(fd, data, part(a, n), at));              \
    }
PWRITE(pwrite, off_t)
PWRITE(pwrite64, off64_t)

/* A part of a vector: its first piece, or half of that. */
static int first_of(enum kt_shim_action a, const struct iovec *all, int n, struct iovec *first)
{
    if (part(a, 2) == 2 || n == 0)
        return n;
    *first = all[0];
    if (n == 1)
        first->iov_len = part(a, first->iov_len);
    return 1;
}

SHOWN ssize_t writev(int fd, const struct iovec *pieces, int n)
{
    typedef ssize_t fn(int, const struct iovec *, int);
    const enum kt_shim_action a = at_fd(KT_SHIM_WRITE, fd);
    struct iovec first;
    const int some = first_of(a, pieces, n, &first);

    if (fails(a))
        return -1;
    return after(a, NEXT(fn *, "writev")(fd, part(a, 2) == 2 ? pieces : &first, some));
}

/* ---- lengths, syncing ----------------------------------------------------------------------- */

#define FTRUNCATE(name, off)                                                                       \
    SHOWN int name(int fd, off len)                                                                \
    {                                                                                              \
        typedef int fn(int, off);                                                                  \
        const enum kt_shim_action a = at_fd(KT_SHIM_TRUNCATE, fd);                                 \
                                                                                                   \
        return fails(a) ? -1 : (int)after(a, NEXT(fn *, #name)(fd, len));                          \
    }
FTRUNCATE(ftruncate, off_t)
FTRUNCATE(ftruncate64, off64_t)

#define TRUNCATE(name, off)                                                                        \
    SHOWN int name(const char *path, off len)                                                      \
    {                                                                                              \
        typedef int fn(const char *, off);                                                         \
        const enum kt_shim_action a = at_path(KT_SHIM_TRUNCATE, path);                             \
                                                                                                   \
        return fails(a) ? -1 : (int)after(a, NEXT(fn *, #name)(path, len));                        \
    }
TRUNCATE(truncate, off_t)
TRUNCATE(truncate64, off64_t)

/* posix_fallocate() gives the error instead of setting errno. */
#define FALLOCATE(name, off)                                                                       \
    SHOWN int name(int fd, off at, off len)                                                        \
    {                                                                                              \
        typedef int fn(int, off, off);                                                             \
        const enum kt_shim_action a = at_fd(KT_SHIM_TRUNCATE, fd);                                 \
                                                                                                   \
        return fails(a) ? errno : (int)after(a, NEXT(fn *, #name)(fd, at, len));                   \
    }
FALLOCATE(posix_fallocate, off_t)
FALLOCATE(posix_fallocate64, off64_t)

static void sync_names(int fd)
{
    struct stat st;

    if (kt_shim != NULL && fstat(fd, &st) == 0 && S_ISDIR(st.st_mode))
        kt_shim->names = false;
}

#define SYNC(name)                                                                                 \
    SHOWN int name(int fd)                                                                         \
    {                                                                                              \
        typedef int fn(int);                                                                       \
        const enum kt_shim_action a = at_fd(KT_SHIM_SYNC, fd);                                     \
                                                                                                   \
        if (fails(a))                                                                              \
            return -1;                                                                             \
        sync_names(fd);                                                                            \
        return (int)after(a, NEXT(fn *, #name)(fd));                                               \
    }
SYNC(fsync)
SYNC(fdatasync)

/* ---- names ---------------------------------------------------------------------------------- */

SHOWN int rename(const char *from, const char *to)
{
    typedef int fn(const char *, const char *);
    const enum kt_shim_action a = at_path(KT_SHIM_RENAME, to);

    return fails(a) ? -1 : (int)after(a, NEXT(fn *, "rename")(from, to));
}

SHOWN int renameat2(int from_fd, const char *from, int to_fd, const char *to, unsigned flags)
{
    typedef int fn(int, const char *, int, const char *, unsigned);
    const enum kt_shim_action a = at_path(KT_SHIM_RENAME, to);

    return fails(a) ? -1 : (int)after(a, NEXT(fn *, "renameat2")(from_fd, from, to_fd, to, flags));
}

SHOWN int link(const char *from, const char *to)
{
    typedef int fn(const char *, const char *);
    const enum kt_shim_action a = at_path(KT_SHIM_LINK, to);

    return fails(a) ? -1 : (int)after(a, NEXT(fn *, "link")(from, to));
}

SHOWN int linkat(int from_fd, const char *from, int to_fd, const char *to, int flags)
{
    typedef int fn(int, const char *, int, const char *, int);
    const enum kt_shim_action a = at_path(KT_SHIM_LINK, to);

    return fails(a) ? -1 : (int)after(a, NEXT(fn *, "linkat")(from_fd, from, to_fd, to, flags));
}

SHOWN int unlink(const char *path)
{
    typedef int fn(const char *);
    const enum kt_shim_action a = at_path(KT_SHIM_UNLINK, path);

    return fails(a) ? -1 : (int)after(a, NEXT(fn *, "unlink")(path));
}

SHOWN int unlinkat(int dirfd, const char *path, int flags)
{
    typedef int fn(int, const char *, int);
    const enum kt_shim_action a = at_path(KT_SHIM_UNLINK, path);

    return fails(a) ? -1 : (int)after(a, NEXT(fn *, "unlinkat")(dirfd, path, flags));
}
