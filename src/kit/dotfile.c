/* SPDX-License-Identifier: Apache-2.0 */
#include "dotfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static int fail(const char **what, const char *step)
{
    *what = step;
    return -1;
}

/* @path taken apart at its last slash. */
static int split(struct kt_dotfile *f, const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *base = slash != NULL ? slash + 1 : path;
    const size_t dir_len = slash == NULL ? 0 : slash == path ? 1 : (size_t)(slash - path);

    if (dir_len >= sizeof(f->real) || strlen(base) >= sizeof(f->base)) {
        errno = ENAMETOOLONG;
        return -1;
    }
    if (*base == '\0' || strcmp(base, ".") == 0 || strcmp(base, "..") == 0) {
        errno = EISDIR;
        return -1;
    }
    (void)snprintf(f->real, sizeof(f->real), "%.*s", dir_len > 0 ? (int)dir_len : 1,
                   dir_len > 0 ? path : ".");
    (void)snprintf(f->base, sizeof(f->base), "%s", base);
    return 0;
}

int kt_dotfile_open(struct kt_dotfile *f, const char *path, const char **what)
{
    char *real = realpath(path, NULL);
    int rc;

    *f = (struct kt_dotfile){ .dir = -1 };
    if (real == NULL && errno != ENOENT)
        return fail(what, "open");
    rc = split(f, real != NULL ? real : path);
    free(real);
    if (rc < 0)
        return fail(what, "open");
    f->dir = open(f->real, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return f->dir < 0 ? fail(what, "open its directory") : 0;
}

void kt_dotfile_close(struct kt_dotfile *f)
{
    if (f->dir >= 0)
        (void)close(f->dir);
    f->dir = -1;
}

int kt_dotfile_lock(struct kt_dotfile *f, const char **what)
{
    while (flock(f->dir, LOCK_EX | LOCK_NB) < 0)
        if (errno != EINTR)
            return fail(what, "lock its directory");
    return 0;
}

static int write_all(int fd, const char *data, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, data, len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        data += n;
        len -= (size_t)n;
    }
    return 0;
}

/* As root, the file stays its owner's. */
static int keep_owner(const struct kt_dotfile *f, int fd)
{
    struct stat old;
    struct stat new;

    if (fstatat(f->dir, f->base, &old, 0) < 0)
        return errno == ENOENT ? 0 : -1;
    if (fstat(fd, &new) < 0)
        return -1;
    if (old.st_uid == new.st_uid && old.st_gid == new.st_gid)
        return 0;
    return fchown(fd, old.st_uid, old.st_gid);
}

/* Without a name until it is whole, where the file system can; *@named: it has one already. */
static int make(const struct kt_dotfile *f, const char *temp, bool *named)
{
    int fd = openat(f->dir, ".", O_WRONLY | O_TMPFILE | O_CLOEXEC, 0600);

    *named = fd < 0;
    if (fd < 0)
        fd = openat(f->dir, temp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    return fd;
}

static int give_name(const struct kt_dotfile *f, int fd, const char *temp, bool *named)
{
    char self[40];

    if (*named)
        return 0;
    (void)snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
    if (linkat(AT_FDCWD, self, f->dir, temp, AT_SYMLINK_FOLLOW) < 0)
        return -1;
    *named = true;
    return 0;
}

/* Some file systems have links and no such rename, some the other way round. */
static int rename_to(const struct kt_dotfile *f, const char *temp, bool fresh)
{
    if (!fresh)
        return renameat(f->dir, temp, f->dir, f->base);
    if (renameat2(f->dir, temp, f->dir, f->base, RENAME_NOREPLACE) == 0)
        return 0;
    if (errno != EINVAL && errno != ENOSYS)
        return -1;
    return linkat(f->dir, temp, f->dir, f->base, 0) < 0 ? -1 : unlinkat(f->dir, temp, 0);
}

int kt_dotfile_replace(const struct kt_dotfile *f, const char *data, size_t len, bool fresh,
                       const char **what)
{
    char temp[NAME_MAX + 1];
    bool named = false;
    int fd, rc = -1, saved;

    if (snprintf(temp, sizeof(temp), ".%s.keyturn", f->base) >= (int)sizeof(temp)) {
        errno = ENAMETOOLONG;
        return fail(what, "make a file beside it");
    }
    /* the lock is held, so this name is ours; what a crash left there goes */
    (void)unlinkat(f->dir, temp, 0);
    fd = make(f, temp, &named);
    if (fd < 0)
        return fail(what, "make a file beside it");
    if (fchmod(fd, 0600) < 0 || keep_owner(f, fd) < 0 || write_all(fd, data, len) < 0 ||
        fsync(fd) < 0 || give_name(f, fd, temp, &named) < 0 || rename_to(f, temp, fresh) < 0)
        *what = "write";
    else if (fsync(f->dir) < 0)
        *what = "sync its directory";
    else
        rc = 0;
    saved = errno;
    if (rc < 0 && named)
        (void)unlinkat(f->dir, temp, 0);
    (void)close(fd);
    errno = saved;
    return rc;
}
