/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files under a path of the program's own: in a mount namespace, which ends with the last process in
 * it, and in a ramfs, which is never swapped out. Without privilege the namespace needs a user
 * namespace of its own, in which user and group keep their numbers.
 *
 * A PATH is a file that is there, and is covered; or it is in an empty directory, which is covered
 * whole. Nothing is made on a disk.
 */
#include "exec.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#define LINK_SIZE 32 /* /proc/self/fd/NUMBER */
#define FRESH ".keyturn-new"
#define NO_MOUNT                                                                                   \
    "a mount of its own is not possible here (%s: %s): give it with --file, or allow user "        \
    "namespaces"

static const char *link_of(int fd, char out[LINK_SIZE])
{
    (void)snprintf(out, LINK_SIZE, "/proc/self/fd/%d", fd);
    return out;
}

/* Its directory, opened; @base: the rest. */
static int open_parent(const char *path, const char **base)
{
    const char *slash = strrchr(path, '/');
    char dir[PATH_MAX];

    *base = slash != NULL ? slash + 1 : path;
    if (slash == NULL)
        return open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if ((size_t)(slash - path) + 2 > sizeof(dir)) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memcpy(dir, path, (size_t)(slash - path) + 1);
    dir[slash - path + 1] = '\0';
    return open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static bool is_empty(int dir)
{
    const int again = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = again >= 0 ? fdopendir(again) : NULL;
    const struct dirent *e;
    bool empty = d != NULL;

    if (d == NULL) {
        if (again >= 0)
            (void)close(again);
        return false;
    }
    while (empty && (e = readdir(d)) != NULL)
        empty = strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0;
    (void)closedir(d);
    return empty;
}

static int check_path(const char *path, struct kt_err *err)
{
    const char *base;
    struct stat st;
    int dir, rc = KT_SUCCESS;

    if (stat(path, &st) == 0 && S_ISREG(st.st_mode))
        return KT_SUCCESS;
    dir = open_parent(path, &base);
    if (dir < 0)
        return err_explain(err, KT_INVALID, "its directory: %s", strerror(errno));
    if (base[0] == '\0' || (fstatat(dir, base, &st, 0) == 0 && S_ISDIR(st.st_mode)))
        rc = err_explain(err, KT_INVALID, "it is a directory; a file in it is named %s%sNAME", path,
                         base[0] == '\0' ? "" : "/");
    else if (!is_empty(dir))
        rc = err_explain(err, KT_INVALID,
                         "there is no file to cover, and its directory is not empty; "
                         "'install -m 600 /dev/null %.128s' makes an empty file there",
                         path);
    (void)close(dir);
    return rc;
}

static bool covers_file(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0;
}

int mounts_check(const struct plan *p, struct kt_err *err)
{
    for (size_t i = 0; i < p->n; i++) {
        const struct gift *g = &p->gifts[i];
        struct kt_err why = { 0 };
        int rc;

        if (g->how != TO_MOUNT)
            continue;
        rc = check_path(g->name, &why);
        if (rc == KT_SUCCESS && p->signal != 0 && covers_file(g->name))
            rc = err_explain(
                &why, KT_UNSUPPORTED,
                "a file that is covered cannot be renewed; one in an empty directory can, "
                "or --file");
        if (rc != KT_SUCCESS)
            return err_explain(err, rc, "--mount %.200s: %s", g->name, why.msg);
    }
    return KT_SUCCESS;
}

/* ---- the namespace ---------------------------------------------------------------------------- */

static int put_line(const char *path, const char *text)
{
    const int fd = open(path, O_WRONLY | O_CLOEXEC);
    const ssize_t n = fd >= 0 ? write(fd, text, strlen(text)) : -1;

    if (fd >= 0)
        (void)close(fd);
    return n == (ssize_t)strlen(text) ? 0 : -1;
}

static int map_ids(uid_t uid, gid_t gid)
{
    char text[64];

    (void)snprintf(text, sizeof(text), "%u %u 1", (unsigned)uid, (unsigned)uid);
    if (put_line("/proc/self/uid_map", text) != 0)
        return -1;
    if (put_line("/proc/self/setgroups", "deny") != 0 && errno != ENOENT)
        return -1;
    (void)snprintf(text, sizeof(text), "%u %u 1", (unsigned)gid, (unsigned)gid);
    return put_line("/proc/self/gid_map", text);
}

static int enter(struct kt_err *err)
{
    const uid_t uid = geteuid();
    const gid_t gid = getegid();
    const char *what = "unshare";

    if (unshare(CLONE_NEWNS) != 0) {
        if (unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0)
            return err_explain(err, KT_UNSUPPORTED, NO_MOUNT, what, strerror(errno));
        /* what is not dumpable has a /proc that is root's; what is executed next is dumpable too */
        (void)prctl(PR_SET_DUMPABLE, 1);
        if (map_ids(uid, gid) != 0)
            return err_explain(err, KT_UNSUPPORTED, NO_MOUNT, "uid_map", strerror(errno));
    }
    /* What others mount is seen here; ours is not seen there. */
    if (mount("none", "/", NULL, MS_REC | MS_SLAVE, NULL) != 0)
        return err_explain(err, KT_UNSUPPORTED, NO_MOUNT, "mount", strerror(errno));
    return KT_SUCCESS;
}

/* ---- the files -------------------------------------------------------------------------------- */

static int write_file(int dir, const char *base, const char *data, size_t len)
{
    const int fd = openat(dir, base, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0400);
    int errnum = 0;

    if (fd < 0)
        return -1;
    while (len > 0 && errnum == 0) {
        const ssize_t n = write(fd, data, len);

        if (n > 0) {
            data += n;
            len -= (size_t)n;
        } else if (n < 0 && errno != EINTR) {
            errnum = errno;
        }
    }
    (void)close(fd);
    errno = errnum;
    return errnum == 0 ? 0 : -1;
}

/* A ramfs over the directory @dir; the new one's root, opened, or -1. */
static int cover(int dir)
{
    const unsigned long flags = MS_NOSUID | MS_NODEV | MS_NOEXEC;
    char at[LINK_SIZE], path[PATH_MAX];
    ssize_t n = readlink(link_of(dir, at), path, sizeof(path) - 1);

    if (n < 0)
        return -1;
    path[n] = '\0';
    if (mount("keyturn", path, "ramfs", flags, "mode=0700") != 0)
        return -1;
    return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static bool same_place(int a, int b)
{
    struct stat sa, sb;

    return fstat(a, &sa) == 0 && fstat(b, &sb) == 0 && sa.st_dev == sb.st_dev &&
           sa.st_ino == sb.st_ino;
}

/* The directory of an earlier gift is covered already. */
static bool is_covered(const struct plan *p, int dir)
{
    for (size_t i = 0; i < p->n; i++)
        if (p->gifts[i].how == TO_MOUNT && p->gifts[i].dir >= 0 && same_place(p->gifts[i].dir, dir))
            return true;
    return false;
}

/* A file of a ramfs, made where it is in nobody's way, is bound over the one that is there. */
static int cover_file(const struct gift *g, const char *value, size_t len)
{
    const int target = open(g->name, O_PATH | O_CLOEXEC);
    char from[LINK_SIZE], to[LINK_SIZE];
    const char *base;
    int dir = -1, staged = -1, file = -1, rc = -1, errnum;

    if (target >= 0)
        dir = open_parent(g->name, &base);
    if (dir >= 0)
        staged = cover(dir);
    if (staged >= 0 && write_file(staged, "value", value, len) == 0)
        file = openat(staged, "value", O_PATH | O_CLOEXEC);
    if (file >= 0)
        rc = mount(link_of(file, from), link_of(target, to), NULL, MS_BIND, NULL);
    errnum = errno;
    if (staged >= 0 && umount2(link_of(staged, from), MNT_DETACH) != 0 && rc == 0) {
        rc = -1;
        errnum = errno;
    }
    for (size_t i = 0; i < 4; i++) {
        const int fd = (const int[]){ target, dir, staged, file }[i];

        if (fd >= 0)
            (void)close(fd);
    }
    errno = errnum;
    return rc;
}

static int cover_dir(struct plan *p, struct gift *g, const char *value, size_t len)
{
    const char *base;
    int dir = open_parent(g->name, &base), root;

    if (dir < 0)
        return -1;
    if (is_covered(p, dir)) {
        g->dir = dir;
        return write_file(dir, base, value, len);
    }
    root = cover(dir);
    (void)close(dir);
    g->dir = root;
    return root >= 0 ? write_file(root, base, value, len) : -1;
}

static int make_one(struct plan *p, struct gift *g, struct kt_err *err)
{
    size_t len;
    const char *value = gift_value(p, g, &len);
    const int rc = covers_file(g->name) ? cover_file(g, value, len) : cover_dir(p, g, value, len);

    if (rc == 0)
        return KT_SUCCESS;
    if (errno == EPERM || errno == EACCES)
        return err_explain(err, KT_UNSUPPORTED, NO_MOUNT, g->name, strerror(errno));
    return err_explain(err, KT_UNAVAILABLE, "--mount %.200s: %s", g->name, strerror(errno));
}

int mounts_make(struct plan *p, int tell, struct kt_err *err)
{
    int rc = enter(err);

    for (size_t i = 0; i < p->n && rc == KT_SUCCESS; i++)
        if (p->gifts[i].how == TO_MOUNT)
            rc = make_one(p, &p->gifts[i], err);
    for (size_t i = 0; i < p->n && rc == KT_SUCCESS; i++) {
        const struct gift *g = &p->gifts[i];
        char at[LINK_SIZE];

        if (g->how != TO_MOUNT || g->dir < 0)
            continue;
        if (tell >= 0 && fd_send(tell, g->dir, (int)i) != 0)
            rc = err_explain(err, KT_UNAVAILABLE, "--mount %.200s: %s", g->name, strerror(errno));
        if (tell < 0) /* what is written there would stay in memory */
            (void)mount(NULL, link_of(g->dir, at), NULL,
                        MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
    }
    return rc;
}

int mounts_renew(struct plan *p, struct kt_err *err)
{
    for (size_t i = 0; i < p->n; i++) {
        const struct gift *g = &p->gifts[i];
        const char *slash = strrchr(g->how == TO_MOUNT ? g->name : "", '/'), *value;
        const char *base = slash != NULL ? slash + 1 : g->name;
        size_t len;

        if (g->how != TO_MOUNT || g->dir < 0)
            continue;
        value = gift_value(p, g, &len);
        (void)unlinkat(g->dir, FRESH, 0);
        if (write_file(g->dir, FRESH, value, len) != 0 ||
            renameat(g->dir, FRESH, g->dir, base) != 0)
            return err_explain(err, KT_UNAVAILABLE, "--mount %.200s: %s", g->name, strerror(errno));
    }
    return KT_SUCCESS;
}
