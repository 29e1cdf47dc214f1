/* SPDX-License-Identifier: Apache-2.0 */
#include "scan.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEEP_MAX 1024    /* directories within each other */
#define NAMES_MAX 65536  /* of a directory, in order, at a time */
#define SPARSE (1 << 20) /* bytes: files from this size on may have holes to jump over */

/** struct trail - where the walk is: the path as it is told */
struct trail {
    struct scan *s;
    char *path;
    size_t len, size;
    size_t deep;
};

static bool trail_push(struct trail *t, const char *name, size_t *was)
{
    const size_t n = strlen(name), wanted = t->len + n + 2;

    *was = t->len;
    if (t->path == NULL || wanted > t->size) {
        char *grown = realloc(t->path, 2 * wanted);

        if (grown == NULL) {
            scan_fail_status(t->s, KT_NO_MEMORY, "out of memory");
            return false;
        }
        t->path = grown;
        t->size = 2 * wanted;
    }
    if (t->len > 0 && t->path[t->len - 1] != '/')
        t->path[t->len++] = '/';
    memcpy(t->path + t->len, name, n + 1);
    t->len += n;
    t->s->path = t->path;
    return true;
}

static void trail_pop(struct trail *t, size_t was)
{
    t->len = was;
    t->path[was] = '\0';
    t->s->path = t->path;
}

/* The rest of the file, or of what comes on standard input. @size: so long a file with holes; else 0 */
static void read_all(struct scan *s, int fd, off_t size)
{
    off_t at = 0;

    s->documents++;
    s->ordinal = 0;
    while (!scan_stop(s)) {
        size_t room;
        unsigned char *to = finder_room(s->finder, &room);
        const off_t data = at < size ? lseek(fd, at, SEEK_DATA) : at;
        ssize_t n;

        if (data < 0 && errno == ENXIO) /* nothing but a hole is left */
            break;
        if (data > at) {
            finder_skip(s->finder, (uint64_t)(data - at));
            at = data;
            continue;
        }
        n = read(fd, to, room);
        if (n == 0)
            break;
        if (n > 0) {
            finder_took(s->finder, (size_t)n);
            at += n;
        } else if (errno != EINTR) {
            scan_fail(s, s->path, errno);
            break;
        }
    }
    finder_end(s->finder);
}

static void scan_file(struct scan *s, int fd, const struct stat *st)
{
    const bool holes = st->st_size >= SPARSE && st->st_blocks < st->st_size / 512;

    (void)posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
    read_all(s, fd, holes && lseek(fd, 0, SEEK_DATA) >= 0 ? st->st_size : 0);
    (void)close(fd);
}

static bool is_there(int dir, const char *name, mode_t type)
{
    struct stat st;

    return fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && (st.st_mode & S_IFMT) == type;
}

/* What git keeps its objects in: a `.git`, or a repository without a work tree. */
static bool is_git_dir(int dir)
{
    return is_there(dir, "objects", S_IFDIR) && is_there(dir, "refs", S_IFDIR) &&
           faccessat(dir, "HEAD", F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/* `.git` in a work tree: a directory, or a file or link that says where it is. */
static bool has_git(int dir)
{
    struct stat st;
    bool is;
    int fd;

    if (fstatat(dir, ".git", &st, AT_SYMLINK_NOFOLLOW) != 0)
        return false;
    if (!S_ISDIR(st.st_mode))
        return true;
    fd = openat(dir, ".git", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return false;
    is = is_git_dir(fd);
    (void)close(fd);
    return is;
}

struct names {
    char **name;
    size_t n;
};

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void names_drop(struct names *names)
{
    for (size_t i = 0; i < names->n; i++)
        free(names->name[i]);
    free(names->name);
    *names = (struct names){ 0 };
}

/* The next NAMES_MAX names, sorted: what a run tells does not depend on the file system. */
static bool names_read(struct trail *t, DIR *dir, struct names *names)
{
    struct scan *s = t->s;
    size_t room = 0;

    for (;;) {
        const struct dirent *e;

        errno = 0;
        e = names->n < NAMES_MAX ? readdir(dir) : NULL;
        if (e == NULL)
            break;
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        if (names->n == room) {
            char **grown = reallocarray(names->name, room == 0 ? 32 : 2 * room, sizeof(char *));

            if (grown == NULL)
                goto no_memory;
            names->name = grown;
            room = room == 0 ? 32 : 2 * room;
        }
        names->name[names->n] = strdup(e->d_name);
        if (names->name[names->n] == NULL)
            goto no_memory;
        names->n++;
    }
    if (errno != 0)
        scan_fail(s, t->path, errno);
    if (names->n > 1)
        qsort(names->name, names->n, sizeof(char *), by_name);
    return names->n > 0;
no_memory:
    scan_fail_status(s, KT_NO_MEMORY, "out of memory");
    return false;
}

static void walk_dir(struct trail *t, int fd, bool below_work_tree);

/* One that was there a moment ago and is gone is not missed. */
static void walk_failed(struct trail *t)
{
    if (errno == ENOENT)
        scan_note(t->s, "%s: went away", t->path);
    else
        scan_fail(t->s, t->path, errno);
}

/* NOLINTNEXTLINE(misc-no-recursion): as deep as the directories, DEEP_MAX at most */
static void walk_entry(struct trail *t, int dir, const char *name, bool in_git_dir)
{
    const int flags = O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY | O_NONBLOCK;
    struct scan *s = t->s;
    struct stat st;
    int fd;

    scan_name(s, name);
    if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) != 0) {
        walk_failed(t);
        return;
    }
    if (in_git_dir && S_ISDIR(st.st_mode) && strcmp(name, "objects") == 0)
        return; /* read through git */
    if (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode)) {
        scan_note(s, "%s: skipped: %s", t->path,
                  S_ISLNK(st.st_mode) ? "a symbolic link" : "no file and no directory");
        return;
    }
    if (t->deep == DEEP_MAX && S_ISDIR(st.st_mode)) {
        scan_fail_status(s, KT_TOO_LARGE, "%s: more than %d directories within each other", t->path,
                         DEEP_MAX);
        return;
    }
    fd = openat(dir, name, flags | (S_ISDIR(st.st_mode) ? O_DIRECTORY : 0));
    if (fd < 0) {
        walk_failed(t);
    } else if (S_ISDIR(st.st_mode)) {
        walk_dir(t, fd, strcmp(name, ".git") == 0);
    } else if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) {
        scan_file(s, fd, &st);
    } else { /* became something else meanwhile */
        (void)close(fd);
        scan_fail_status(s, KT_CONFLICT, "%s: was replaced while it was looked at", t->path);
    }
}

/* Takes @fd. @of_work_tree: a `.git` whose history was seen to when its work tree was. */
/* NOLINTNEXTLINE(misc-no-recursion): as deep as the directories, DEEP_MAX at most */
static void walk_dir(struct trail *t, int fd, bool of_work_tree)
{
    struct scan *s = t->s;
    struct names names = { 0 };
    const bool in_git_dir = is_git_dir(fd);
    DIR *dir = fdopendir(fd);

    if (dir == NULL) {
        scan_fail(s, t->path, errno);
        (void)close(fd);
        return;
    }
    t->deep++;
    if (s->history && (has_git(fd) || (in_git_dir && !of_work_tree)))
        history_scan(s, t->path);
    while (!scan_stop(s) && names_read(t, dir, &names)) {
        for (size_t i = 0; i < names.n && !scan_stop(s); i++) {
            size_t was;

            if (!trail_push(t, names.name[i], &was))
                break;
            walk_entry(t, dirfd(dir), names.name[i], in_git_dir);
            trail_pop(t, was);
        }
        names_drop(&names);
    }
    names_drop(&names);
    (void)closedir(dir);
    t->deep--;
}

static void walk_given(struct trail *t)
{
    struct scan *s = t->s;
    struct stat st;
    int fd;

    if (stat(t->path, &st) != 0) {
        scan_fail(s, t->path, errno);
        return;
    }
    if (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode)) {
        scan_fail_status(s, KT_INVALID,
                         "%s: no file and no directory; what a program writes is read with `-`",
                         t->path);
        return;
    }
    fd = open(t->path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0)
        scan_fail(s, t->path, errno);
    else if (S_ISDIR(st.st_mode))
        walk_dir(t, fd, false);
    else
        scan_file(s, fd, &st);
}

void walk_path(struct scan *s, const char *path)
{
    struct trail t = { .s = s };
    size_t was;

    if (strcmp(path, "-") == 0) {
        s->path = "-";
        s->root = 1;
        s->lead = NULL;
        read_all(s, STDIN_FILENO, 0);
        return;
    }
    s->root = strlen(path);
    s->lead = ignores_lead(s->ignores, path);
    if (trail_push(&t, path, &was))
        walk_given(&t);
    s->path = NULL;
    free(s->lead);
    s->lead = NULL;
    free(t.path);
}
