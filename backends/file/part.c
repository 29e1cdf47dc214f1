/* SPDX-License-Identifier: Apache-2.0 */
#include "part.h"

#include "place.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define TAKE_TRIES 16

/* ---- what must not be written over ---------------------------------------------------------- */

static bool same_file(const char *a, const char *b)
{
    struct stat sa;
    struct stat sb;

    if (strcmp(a, b) == 0)
        return true;
    return stat(a, &sa) == 0 && stat(b, &sb) == 0 && sa.st_dev == sb.st_dev &&
           sa.st_ino == sb.st_ino;
}

bool kt_part_is_own(const struct kt_store *store, const char *path)
{
    static const char *const suffixes[] = { "", "-wal", "-shm", "-journal", "-lock", "-new" };
    char name[4096];

    for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++)
        if (snprintf(name, sizeof(name), "%s%s", store->path, suffixes[i]) < (int)sizeof(name) &&
            same_file(path, name))
            return true;
    return same_file(path, store->key_path);
}

/* A log beside the name would be taken for the new file's. */
static bool has_log(const char *path)
{
    static const char *const suffixes[] = { "-wal", "-journal" };
    char name[4096];
    struct stat st;

    for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++)
        if (snprintf(name, sizeof(name), "%s%s", path, suffixes[i]) < (int)sizeof(name) &&
            stat(name, &st) == 0 && st.st_size > 0)
            return true;
    return false;
}

static int check_name(const struct kt_part *p, const struct kt_store *store, struct kt_fault *f)
{
    struct stat st;

    if (kt_part_is_own(store, p->path))
        return kt_fault(f, KT_INVALID, "%s belongs to the store itself; say another name", p->path);
    if (has_log(p->path))
        return kt_fault(f, KT_EXISTS,
                        "the log of a store lies beside %s, as if it were in use; say another name",
                        p->path);
    if (lstat(p->path, &st) != 0)
        return errno == ENOENT
                   ? KT_SUCCESS
                   : kt_fault_errno(f, KT_UNAVAILABLE, errno, "cannot reach %s", p->path);
    if (!S_ISREG(st.st_mode))
        return kt_fault(f, KT_EXISTS, "%s is there and is no regular file; say another name",
                        p->path);
    if (!p->replace)
        return kt_fault(f, KT_EXISTS, "%s is there already; say another name, or 'replace'",
                        p->path);
    return KT_SUCCESS;
}

/* ---- the directory -------------------------------------------------------------------------- */

/* KT_AGAIN: whoever had it has just removed it. */
static int take_directory(struct kt_part *p, struct kt_fault *f)
{
    struct stat st;
    struct stat now;

    if (mkdir(p->dir, 0700) != 0 && errno != EEXIST)
        return kt_fault_errno(f, errno == EACCES ? KT_READ_ONLY : KT_UNAVAILABLE, errno,
                              "cannot make %s", p->dir);
    p->fd = open(p->dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (p->fd < 0 && errno == ENOENT)
        return kt_fault(f, KT_AGAIN, "%s went away", p->dir);
    if (p->fd < 0 || fstat(p->fd, &st) != 0)
        return kt_fault_errno(f, KT_UNAVAILABLE, errno, "cannot open %s", p->dir);
    if (st.st_uid != geteuid() || (st.st_mode & 077) != 0)
        return kt_fault(f, KT_EXISTS, "%s is there and is not this user's alone; remove it",
                        p->dir);
    if (flock(p->fd, LOCK_EX | LOCK_NB) != 0)
        return errno == EWOULDBLOCK
                   ? kt_fault(f, KT_BUSY, "another process is writing %s", p->path)
                   : kt_fault_errno(f, KT_UNAVAILABLE, errno, "cannot lock %s", p->dir);
    if (stat(p->dir, &now) != 0 || now.st_ino != st.st_ino)
        return kt_fault(f, KT_AGAIN, "%s went away", p->dir);
    return KT_SUCCESS;
}

static void leave_directory(struct kt_part *p)
{
    if (p->fd >= 0)
        (void)close(p->fd);
    p->fd = -1;
}

void kt_part_empty(const struct kt_part *p)
{
    const int fd = dup(p->fd);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    const struct dirent *e;

    if (dir == NULL) {
        if (fd >= 0)
            (void)close(fd);
        return;
    }
    rewinddir(dir); /* the place in it is shared with the other descriptor */
    while ((e = readdir(dir)) != NULL)
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
            (void)unlinkat(p->fd, e->d_name, 0);
    (void)closedir(dir);
}

int kt_part_begin(const struct kt_store *store, const char *path, bool replace, struct kt_part *out,
                  struct kt_fault *f)
{
    int rc;

    *out = (struct kt_part){ .fd = -1, .replace = replace };
    rc = kt_place_store(path, false, &out->path, f);
    if (rc != KT_SUCCESS)
        return rc;
    if (asprintf(&out->dir, "%s.part", out->path) < 0)
        out->dir = NULL;
    if (out->dir != NULL && asprintf(&out->file, "%s/store", out->dir) < 0)
        out->file = NULL;
    if (out->file == NULL)
        return kt_fault(f, KT_NO_MEMORY, "out of memory");
    rc = check_name(out, store, f);
    if (rc != KT_SUCCESS)
        return rc;
    for (int i = 0; i < TAKE_TRIES; i++) {
        rc = take_directory(out, f);
        if (rc == KT_SUCCESS)
            break;
        leave_directory(out);
        if (rc != KT_AGAIN)
            return rc;
    }
    if (rc != KT_SUCCESS)
        return kt_fault(f, KT_BUSY, "other processes are writing %s", out->path);
    kt_part_empty(out);
    return KT_SUCCESS;
}

void kt_part_end(struct kt_part *p)
{
    if (p->fd >= 0) {
        kt_part_empty(p);
        (void)rmdir(p->dir);
    }
    leave_directory(p);
    free(p->path);
    free(p->dir);
    free(p->file);
    *p = (struct kt_part){ .fd = -1 };
}

/* ---- the name ------------------------------------------------------------------------------- */

static int sync_file(const char *path)
{
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    int err = fd < 0 || kt_fsync(fd) != 0 ? errno : 0;

    if (fd >= 0)
        (void)close(fd);
    return err;
}

/* Not every file system can rename without replacing; all that matter have links. */
static int rename_new(const char *from, const char *to)
{
    if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) == 0)
        return 0;
    if (errno != EINVAL && errno != ENOSYS)
        return errno;
    if (link(from, to) != 0)
        return errno;
    (void)unlink(from);
    return 0;
}

int kt_part_name(const struct kt_part *p, struct kt_fault *f)
{
    int err = sync_file(p->file);

    if (err != 0)
        return kt_fault_errno(f, KT_UNAVAILABLE, err, "cannot sync %s", p->file);
    if (p->replace)
        err = rename(p->file, p->path) == 0 ? 0 : errno;
    else
        err = rename_new(p->file, p->path);
    if (err == EEXIST)
        return kt_fault(f, KT_EXISTS, "%s was made by somebody else meanwhile", p->path);
    if (err != 0)
        return kt_fault_errno(f, KT_UNAVAILABLE, err, "cannot make %s", p->path);
    return kt_place_sync(p->path, f);
}
