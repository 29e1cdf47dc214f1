/* SPDX-License-Identifier: Apache-2.0 */
#include "path.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <unistd.h>

#include "err.h"

#define LINKS_MAX 40     /* as the kernel's */
#define SHOWN "'%.170s'" /* two of a path and the words behind them fit into a message */

/**
 * struct walk - where a walk from / stands
 * @dir:    the directory reached, O_PATH; everything up to it is trusted
 * @target: the last component if it is no directory, O_PATH; else -1
 * @real:   the way to @dir without links, "" for /; with @target's name once that is there
 * @name:   offset of @target's name in @real
 * @rest:   what is still to be walked; links are spliced in
 */
struct walk {
    const char *path;
    struct kt_err *err;
    int dir;
    int target;
    unsigned links;
    size_t name;
    char real[PATH_MAX];
    char rest[PATH_MAX];
};

bool kt_privileged(void)
{
    return getauxval(AT_SECURE) != 0;
}

/* Of the euid, by the password file: a group taken by newgrp or setgid has other members. */
static bool is_own_primary(gid_t gid)
{
    char buf[4096];
    struct passwd pw, *found = NULL;

    return getpwuid_r(geteuid(), &pw, buf, sizeof(buf), &found) == 0 && found != NULL &&
           found->pw_gid == gid;
}

const char *kt_path_trusted(const struct stat *st)
{
    if (st->st_uid != 0 && st->st_uid != geteuid())
        return "belongs to another user";
    if (S_ISLNK(st->st_mode)) /* its mode means nothing */
        return NULL;
    if (S_ISDIR(st->st_mode) && (st->st_mode & S_ISVTX) && st->st_uid == 0)
        return NULL;
    if (st->st_mode & S_IWOTH)
        return "is writable by everyone";
    if ((st->st_mode & S_IWGRP) && st->st_gid != 0 && !is_own_primary(st->st_gid))
        return "is writable by a group";
    return NULL;
}

/* ---- errors --------------------------------------------------------------------------------- */

/* @at is named beside the path where the trouble lies before its end, or behind a link. */
static int refuse_with(const struct walk *w, const char *at, const char *problem,
                       const char *remedy)
{
    if (strcmp(at, w->path) == 0)
        return kt_fail(w->err, KT_CONFIG_ERROR, SHOWN " %s%s", at, problem, remedy);
    return kt_fail(w->err, KT_CONFIG_ERROR, SHOWN ": " SHOWN " %s%s", w->path, at, problem, remedy);
}

static int refuse(const struct walk *w, const char *at, const char *problem)
{
    return refuse_with(w, at, problem, "");
}

static int demand_trust(const struct walk *w, const char *at, const struct stat *st)
{
    const char *problem = kt_path_trusted(st);
    const char *remedy = "; it must be root's or yours, and not writable by others";

    if (problem == NULL)
        return KT_SUCCESS;
    if (geteuid() == 0 && st->st_uid != 0)
        remedy = "; root uses root's own files: run this as that user or with sudo -H, "
                 "or name another service with -s";
    return refuse_with(w, at, problem, remedy);
}

static int broke(const struct walk *w, const char *at)
{
    if (errno == ENAMETOOLONG)
        return refuse(w, at, "has a name that is too long");
    if (strcmp(at, w->path) == 0)
        return kt_fail_errno(w->err, SHOWN, at);
    return kt_fail_errno(w->err, SHOWN ": " SHOWN, w->path, at);
}

/* ---- the walk ------------------------------------------------------------------------------- */

static const char *here(const struct walk *w)
{
    return w->real[0] != '\0' ? w->real : "/";
}

static int enter(struct walk *w, int fd)
{
    if (w->dir >= 0)
        close(w->dir);
    w->dir = fd;
    return KT_SUCCESS;
}

static int enter_root(struct walk *w)
{
    struct stat st;
    int fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);

    w->real[0] = '\0';
    if (fd < 0)
        return broke(w, "/");
    (void)enter(w, fd);
    if (fstat(fd, &st) != 0)
        return broke(w, "/");
    return demand_trust(w, "/", &st);
}

/* What lies above was looked at on the way down. */
static int enter_parent(struct walk *w)
{
    char *slash = strrchr(w->real, '/');
    int fd = openat(w->dir, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0)
        return broke(w, here(w));
    if (slash != NULL)
        *slash = '\0';
    return enter(w, fd);
}

/* Put what the link says in front of what is left. Also for /proc's: their text is what counts. */
static int follow(struct walk *w, int fd, const char *at)
{
    char text[PATH_MAX];
    ssize_t n;
    size_t left = strlen(w->rest);

    if (++w->links > LINKS_MAX)
        return refuse(w, at, "is one symbolic link too many: a loop?");
    n = readlinkat(fd, "", text, sizeof(text));
    if (n < 0)
        return broke(w, at);
    if (n == 0 || (size_t)n + 1 + left >= sizeof(w->rest))
        return refuse(w, at, "leads to a path that is too long");
    memmove(w->rest + n + 1, w->rest, left + 1);
    memcpy(w->rest, text, (size_t)n);
    w->rest[n] = '/';
    if (left == 0) /* no slash after the link, none now */
        w->rest[n] = '\0';
    return text[0] == '/' ? enter_root(w) : KT_SUCCESS;
}

/* @fd is the component at the end of @real: directory, link or target. Takes @fd. */
static int arrive(struct walk *w, int fd, size_t before)
{
    struct stat st;
    int rc;

    rc = fstat(fd, &st) == 0 ? demand_trust(w, w->real, &st) : broke(w, w->real);
    if (rc != KT_SUCCESS)
        goto out;
    if (S_ISDIR(st.st_mode))
        return enter(w, fd);
    if (S_ISLNK(st.st_mode)) {
        char at[PATH_MAX];

        memcpy(at, w->real, sizeof(at));
        w->real[before] = '\0';
        rc = follow(w, fd, at);
    } else if (w->rest[0] != '\0') { /* even if only slashes are left */
        rc = refuse(w, w->real, "is not a directory");
    } else {
        w->target = fd;
        w->name = before + 1;
        return KT_SUCCESS;
    }
out:
    close(fd);
    return rc;
}

/* Cut the first component off @rest and go there. */
static int step(struct walk *w)
{
    const size_t slashes = strspn(w->rest, "/");
    const size_t len = strcspn(w->rest + slashes, "/");
    const size_t before = strlen(w->real);
    char *name = w->real + before + 1;
    int fd;

    if (before + 1 + len >= sizeof(w->real))
        return refuse(w, w->path, "leads to a path that is too long");
    memcpy(name, w->rest + slashes, len);
    name[len] = '\0';
    memmove(w->rest, w->rest + slashes + len, strlen(w->rest + slashes + len) + 1);
    if (len == 0 || strcmp(name, ".") == 0 || strcmp(name, "..") == 0) {
        w->real[before] = '\0';
        return len == 2 ? enter_parent(w) : KT_SUCCESS;
    }
    w->real[before] = '/';
    fd = openat(w->dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    return fd >= 0 ? arrive(w, fd, before) : broke(w, w->real);
}

/* Open for good. In a sticky directory another file may lie there by now, even one whose open()
 * would wait: so it is looked at once more, and O_NONBLOCK taken back. */
static int open_target(const struct walk *w, int flags, int *out)
{
    const bool want_dir = flags & O_DIRECTORY;
    struct stat st;
    int fd, rc;

    if (!want_dir && w->target < 0)
        return refuse(w, here(w), "is a directory, not a file");
    if (want_dir && w->target >= 0)
        return refuse(w, w->real, "is not a directory");
    if (!want_dir && (fstat(w->target, &st) != 0 || !S_ISREG(st.st_mode)))
        return refuse(w, w->real, "is not a regular file");
    fd = openat(w->dir, want_dir ? "." : w->real + w->name,
                flags | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd < 0)
        return broke(w, here(w));
    rc = fstat(fd, &st) == 0 ? demand_trust(w, here(w), &st) : broke(w, here(w));
    if (rc == KT_SUCCESS && !want_dir && !S_ISREG(st.st_mode))
        rc = refuse(w, w->real, "is not a regular file");
    if (rc != KT_SUCCESS) {
        close(fd);
        return rc;
    }
    (void)fcntl(fd, F_SETFL, flags & ~O_NONBLOCK); /* only status flags take effect */
    *out = fd;
    return KT_SUCCESS;
}

int kt_path_open(const char *path, int flags, int *fd, char real[PATH_MAX], struct kt_err *err)
{
    struct walk w = { .path = path, .err = err, .dir = -1, .target = -1 };
    int rc;

    if (path[0] != '/')
        return kt_fail(err, KT_CONFIG_ERROR, SHOWN " is not an absolute path", path);
    if (strlen(path) >= sizeof(w.rest))
        return kt_fail(err, KT_CONFIG_ERROR, SHOWN " is too long for a path", path);
    memcpy(w.rest, path, strlen(path) + 1);
    rc = enter_root(&w);
    while (rc == KT_SUCCESS && w.rest[0] != '\0')
        rc = step(&w);
    if (rc == KT_SUCCESS)
        rc = open_target(&w, flags, fd);
    if (rc == KT_SUCCESS && real != NULL)
        memcpy(real, here(&w), strlen(here(&w)) + 1);
    if (w.target >= 0)
        close(w.target);
    if (w.dir >= 0)
        close(w.dir);
    return rc;
}

/* ---- home ----------------------------------------------------------------------------------- */

static int copy_home(const char *home, char *out, size_t size, struct kt_err *err)
{
    if (home[0] != '/')
        return kt_fail(err, KT_NOT_FOUND, "the home directory '%s' is not an absolute path", home);
    if (strlen(home) >= size)
        return kt_fail(err, KT_TOO_LARGE, "the home directory '%.64s...' has too long a path",
                       home);
    memcpy(out, home, strlen(home) + 1);
    return KT_SUCCESS;
}

int kt_home(char *out, size_t size, struct kt_err *err)
{
    const uid_t uid = geteuid();
    const char *home = uid != 0 && !kt_privileged() ? secure_getenv("HOME") : NULL;
    struct passwd pw, *found = NULL;
    char buf[4096];
    int error;

    if (home != NULL && home[0] != '\0')
        return copy_home(home, out, size, err);
    error = getpwuid_r(uid, &pw, buf, sizeof(buf), &found);
    if (found != NULL)
        return copy_home(pw.pw_dir, out, size, err);
    if (error == 0)
        return kt_fail(err, KT_NOT_FOUND,
                       "uid %u has no home directory: no entry in the password "
                       "file",
                       (unsigned)uid);
    errno = error;
    return kt_fail(err, KT_UNAVAILABLE, "the password file cannot be read for uid %u: %m",
                   (unsigned)uid);
}
