/* SPDX-License-Identifier: Apache-2.0 */
#include "outfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define LINKS_MAX 40 /* as the kernel's */
#define TEMP_END ".keyturn-new"
#define PERMISSIONS 0777

/* ---- where it is ---------------------------------------------------------------------------- */

static int failed(const struct cli *cli, const struct outfile *o, const char *what, int errnum)
{
    char text[PATH_MAX + 64];

    (void)snprintf(text, sizeof(text), "%s%s%s", o->path, what[0] != '\0' ? ": " : "", what);
    return fail_io(cli, text, errnum);
}

/* Enter the directory that @path names, from @o->dir on; the last part becomes @o->name. */
static int enter(struct outfile *o, const char *path)
{
    const char *slash = strrchr(path, '/'), *name = slash != NULL ? slash + 1 : path;
    char dir[PATH_MAX] = ".";
    int fd;

    if (name[0] == '\0' || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        return EISDIR;
    if (strlen(name) > NAME_MAX || (slash != NULL && (size_t)(slash - path) >= sizeof(dir)))
        return ENAMETOOLONG;
    if (slash != NULL)
        (void)snprintf(dir, sizeof(dir), "%.*s", slash == path ? 1 : (int)(slash - path), path);
    fd = openat(o->dir, dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 && errno == EACCES) /* may be searched all the same */
        fd = openat(o->dir, dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return errno;
    if (o->dir >= 0)
        (void)close(o->dir);
    o->dir = fd;
    memmove(o->name, name, strlen(name) + 1);
    return 0;
}

/* Where a link leads is believed of those who could change the file themselves. */
static int follow(struct outfile *o)
{
    char to[PATH_MAX];
    ssize_t n;

    if (o->old.st_uid != 0 && o->old.st_uid != geteuid())
        return EACCES;
    n = readlinkat(o->dir, o->name, to, sizeof(to));
    if (n < 0)
        return errno;
    if ((size_t)n >= sizeof(to))
        return ENAMETOOLONG;
    to[n] = '\0';
    return enter(o, to);
}

static int look(struct outfile *o)
{
    if (fstatat(o->dir, o->name, &o->old, AT_SYMLINK_NOFOLLOW) == 0)
        return 0;
    o->old = (struct stat){ .st_mode = 0 };
    return errno == ENOENT ? 0 : errno;
}

int outfile_find(const struct cli *cli, const char *path, int mode, struct outfile *o)
{
    unsigned links = 0;
    int error;

    *o = (struct outfile){ .path = path, .dir = AT_FDCWD, .fd = -1 };
    error = enter(o, path);
    if (error != 0)
        return failed(cli, o, "", error);
    for (error = look(o); error == 0 && S_ISLNK(o->old.st_mode); error = error ? error : look(o)) {
        error = ++links > LINKS_MAX ? ELOOP : follow(o);
        if (error == EACCES)
            return fail_status(cli, KT_DENIED, path,
                               "it is, or leads to, a link that belongs to another user");
    }
    if (error != 0)
        return failed(cli, o, "", error);
    if (o->old.st_mode != 0 && !S_ISREG(o->old.st_mode))
        return fail_status(cli, KT_INVALID, path, "is not a regular file; '-' is standard output");
    o->mode = mode >= 0 ? (mode_t)mode : o->old.st_mode != 0 ? o->old.st_mode & 0600 : 0600;
    /* a longer name's end is cut: files that share this one take turns */
    (void)snprintf(o->temp, sizeof(o->temp), ".%.*s%s", (int)(NAME_MAX - 1 - strlen(TEMP_END)),
                   o->name, TEMP_END);
    return 0;
}

void outfile_done(struct outfile *o)
{
    if (o->named)
        (void)unlinkat(o->dir, o->temp, 0);
    if (o->fd >= 0)
        (void)close(o->fd);
    if (o->dir >= 0)
        (void)close(o->dir);
    o->named = false;
    o->fd = o->dir = -1;
}

int outfile_old(const struct outfile *o)
{
    if (o->old.st_mode == 0 || (o->old.st_mode & PERMISSIONS) != o->mode)
        return -1;
    return openat(o->dir, o->name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
}

/* ---- what it is to be ----------------------------------------------------------------------- */

/* Somebody's @o->temp: taken away if whoever made it is gone, which its lock tells. */
static int clear_temp(const struct outfile *o)
{
    int fd = openat(o->dir, o->temp, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    struct stat mine, there;
    int error = 0;

    if (fd < 0)
        return errno == ENOENT ? 0 : errno;
    if (flock(fd, LOCK_EX | LOCK_NB) != 0)
        error = errno;
    else if (fstat(fd, &mine) == 0 && fstatat(o->dir, o->temp, &there, AT_SYMLINK_NOFOLLOW) == 0 &&
             mine.st_ino == there.st_ino && mine.st_dev == there.st_dev &&
             unlinkat(o->dir, o->temp, 0) != 0)
        error = errno == ENOENT ? 0 : errno;
    (void)close(fd);
    return error;
}

/* Do @step, which fails with EEXIST while @o->temp is there. */
static int with_temp(const struct cli *cli, struct outfile *o, int (*step)(struct outfile *o))
{
    const int64_t until = session_now_ms() + cli->timeout_ms;
    int error;

    while ((error = step(o)) == EEXIST) {
        error = clear_temp(o);
        if (error == EWOULDBLOCK && session_now_ms() < until)
            (void)nanosleep(&(struct timespec){ .tv_nsec = 2000000 }, NULL);
        else if (error != 0)
            return error == EWOULDBLOCK ? EBUSY : error;
    }
    return error;
}

static int make_named(struct outfile *o)
{
    o->fd = openat(o->dir, o->temp, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    o->named = o->fd >= 0;
    return o->fd >= 0 ? 0 : errno;
}

int outfile_begin(const struct cli *cli, struct outfile *o)
{
    int error = 0;

    o->fd = openat(o->dir, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (o->fd < 0)
        error = errno;
    if (error == EOPNOTSUPP || error == EISDIR || error == EINVAL || error == ENOENT)
        error = with_temp(cli, o, make_named);
    if (error == 0)
        (void)flock(o->fd, LOCK_EX | LOCK_NB); /* where there are no locks, there is no waiting */
    return error == 0 ? 0 : failed(cli, o, "", error);
}

/* Owner and group as they were, where we may; a group that it cannot have gets nothing. */
static int set_owner(struct outfile *o)
{
    if (o->old.st_mode != 0 && fchown(o->fd, o->old.st_uid, o->old.st_gid) != 0 &&
        fchown(o->fd, (uid_t)-1, o->old.st_gid) != 0)
        o->mode &= ~(mode_t)070;
    return fchmod(o->fd, o->mode) == 0 ? 0 : errno;
}

static int link_as(const struct outfile *o, const char *name)
{
    char path[64];

    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", o->fd);
    return linkat(AT_FDCWD, path, o->dir, name, AT_SYMLINK_FOLLOW) == 0 ? 0 : errno;
}

/* Between its two steps there is a name to be left behind, so whoever kills us, or our group, does
 * not kill who takes them. */
static int link_and_rename(struct outfile *o)
{
    const pid_t pid = fork();
    int status = 0;

    if (pid < 0)
        return errno;
    if (pid == 0) {
        int error;

        (void)setsid();
        error = link_as(o, o->temp);
        if (error == 0 && renameat(o->dir, o->temp, o->dir, o->name) != 0) {
            error = errno;
            (void)unlinkat(o->dir, o->temp, 0);
        }
        _exit(error);
    }
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    return WIFEXITED(status) ? WEXITSTATUS(status) : EINTR;
}

static int rename_named(struct outfile *o)
{
    if (renameat(o->dir, o->temp, o->dir, o->name) != 0)
        return errno;
    o->named = false;
    return 0;
}

static int put_in_place(const struct cli *cli, struct outfile *o)
{
    int error = EEXIST;

    if (o->named)
        return rename_named(o);
    if (o->old.st_mode == 0)
        error = link_as(o, o->name);
    return error == EEXIST ? with_temp(cli, o, link_and_rename) : error;
}

int outfile_commit(const struct cli *cli, struct outfile *o)
{
    int error = set_owner(o);

    if (error == 0 && fsync(o->fd) != 0)
        error = errno;
    if (error == 0)
        error = put_in_place(cli, o);
    if (error != 0)
        return failed(cli, o, "", error);
    if (fsync(o->dir) != 0 && errno != EINVAL &&
        errno != EBADF) /* EBADF: it could only be searched */
        return failed(cli, o, "its directory", errno);
    return 0;
}
