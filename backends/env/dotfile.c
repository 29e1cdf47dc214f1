/* SPDX-License-Identifier: Apache-2.0 */
#include "dotfile.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static int fail_errno(const struct kt_host *host, struct kt_call *call, const char *path,
                      const char *what)
{
    int status;

    switch (errno) {
    case EACCES:
    case EPERM:
        status = KT_DENIED;
        break;
    case ENOSPC:
    case EDQUOT:
        status = KT_NO_SPACE;
        break;
    case EROFS:
        status = KT_READ_ONLY;
        break;
    default:
        status = KT_UNAVAILABLE;
    }
    return host->fail(call, status, "env: '%s': %s: %s", path, what, strerror(errno));
}

static int check_text(struct dotfile *f, struct kt_call *call)
{
    struct kt_dotenv d = { .text = f->text, .len = f->len };
    struct kt_dotenv_entry entry;
    int rc;

    do
        rc = kt_dotenv_next(&d, &entry);
    while (rc == KT_SUCCESS);
    if (rc == KT_CORRUPT)
        return f->host->fail(call, rc,
                             "env: '%s', line %zu: expected KEY=value; see keyturn-env(8)", f->path,
                             d.line);
    return KT_SUCCESS;
}

static int read_fd(struct dotfile *f, struct kt_call *call, int fd)
{
    struct stat st;
    ssize_t n;

    if (fstat(fd, &st) < 0)
        return fail_errno(f->host, call, f->path, "fstat");
    if (!S_ISREG(st.st_mode))
        return f->host->fail(call, KT_UNAVAILABLE, "env: '%s' is not a regular file", f->path);
    if (st.st_size > DOTFILE_MAX)
        return f->host->fail(call, KT_UNAVAILABLE,
                             "env: '%s' is larger than %d bytes: is it a .env file?", f->path,
                             DOTFILE_MAX);
    /* One byte more than there should be, to notice a file that grows. */
    f->text = f->host->secret_alloc((size_t)st.st_size + 1, 0);
    if (!f->text)
        return f->host->fail(call, KT_NO_MEMORY, "env: out of memory");
    while ((n = read(fd, f->text + f->len, (size_t)st.st_size + 1 - f->len)) != 0) {
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return fail_errno(f->host, call, f->path, "read");
        f->len += (size_t)n;
        if (f->len > (size_t)st.st_size)
            return f->host->fail(call, KT_UNAVAILABLE,
                                 "env: '%s' grew while it was read: try again", f->path);
    }
    return check_text(f, call);
}

int dotfile_read(struct dotfile *f, struct kt_call *call)
{
    /* O_NONBLOCK: a FIFO must not make anybody wait. */
    int fd = open(f->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    int rc;

    if (fd < 0 && errno == ENOENT)
        return KT_NOT_FOUND;
    if (fd < 0)
        return fail_errno(f->host, call, f->path, "open");
    rc = read_fd(f, call, fd);
    close(fd);
    return rc;
}

void dotfile_done(struct dotfile *f)
{
    f->host->secret_free(f->text);
    f->text = NULL;
}

bool dotfile_find(const struct dotfile *f, const char *key, struct kt_dotenv_entry *out)
{
    struct kt_dotenv d = { .text = f->text, .len = f->len };
    struct kt_dotenv_entry entry;
    bool found = false;

    while (kt_dotenv_next(&d, &entry) == KT_SUCCESS)
        if (kt_dotenv_is(&entry, key)) {
            *out = entry;
            found = true;
        }
    return found;
}

/* ---- writing --------------------------------------------------------------------------------- */

/* Where the file is, links followed: the link shall stay and its target be replaced. */
struct target {
    char real[PATH_MAX];
    const char *base; /* in @real */
    int dir;
};

static int open_target(const struct kt_host *host, struct kt_call *call, const char *path,
                       struct target *t)
{
    char *slash;

    if (!realpath(path, t->real)) {
        char *parent;

        if (errno != ENOENT)
            return fail_errno(host, call, path, "open");
        parent = strdup(path);
        if (!parent)
            return host->fail(call, KT_NO_MEMORY, "env: out of memory");
        slash = strrchr(parent, '/');
        t->base = strrchr(path, '/') + 1;
        *slash = '\0';
        t->dir = open(slash == parent ? "/" : parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        free(parent);
    } else {
        slash = strrchr(t->real, '/');
        t->base = slash + 1;
        *slash = '\0';
        t->dir = open(slash == t->real ? "/" : t->real, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    }
    return t->dir < 0 ? fail_errno(host, call, path, "open its directory") : KT_SUCCESS;
}

/* One writer at a time. The directory is locked: the file is another one after each write. */
static int lock_target(const struct kt_host *host, struct kt_call *call, const char *path, int dir)
{
    while (flock(dir, LOCK_EX | LOCK_NB) < 0) {
        int rc;

        if (errno != EWOULDBLOCK && errno != EINTR)
            return fail_errno(host, call, path, "lock its directory");
        rc = host->sleep(call, 2);
        if (rc == KT_TIMEOUT)
            return host->fail(call, KT_BUSY,
                              "env: '%s': another process holds its directory's lock", path);
        if (rc != KT_SUCCESS)
            return rc;
    }
    return KT_SUCCESS;
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
static int keep_owner(int fd, int dir, const char *base)
{
    struct stat old;
    struct stat new;

    if (fstatat(dir, base, &old, 0) < 0)
        return errno == ENOENT ? 0 : -1;
    if (fstat(fd, &new) < 0)
        return -1;
    if (old.st_uid == new.st_uid && old.st_gid == new.st_gid)
        return 0;
    return fchown(fd, old.st_uid, old.st_gid);
}

/* The lock is held, so the name of the new file is ours; what a crash left there goes. */
static int replace(const struct kt_host *host, struct kt_call *call, const struct dotfile *f,
                   const struct target *t)
{
    char temp[NAME_MAX + 1];
    int rc = KT_SUCCESS;
    int fd;

    if (snprintf(temp, sizeof(temp), ".%s.keyturn", t->base) >= (int)sizeof(temp))
        return host->fail(call, KT_INVALID, "env: '%s': its name is too long", f->path);
    (void)unlinkat(t->dir, temp, 0);
    fd = openat(t->dir, temp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return fail_errno(host, call, f->path, "make a file beside it");
    if (fchmod(fd, 0600) < 0 || keep_owner(fd, t->dir, t->base) < 0 ||
        write_all(fd, f->text, f->len) < 0 || fsync(fd) < 0 ||
        renameat(t->dir, temp, t->dir, t->base) < 0) {
        rc = fail_errno(host, call, f->path, "write");
        (void)unlinkat(t->dir, temp, 0);
    } else if (fsync(t->dir) < 0) {
        rc = fail_errno(host, call, f->path, "sync its directory");
    }
    close(fd);
    return rc;
}

/* @old with @key's assignments taken away but for the last, whose value becomes @data. */
static int edit(const struct dotfile *old, struct kt_call *call, const char *key, const char *data,
                size_t len, struct dotfile *new)
{
    struct kt_dotenv d = { .text = old->text, .len = old->len };
    struct kt_dotenv_entry last = { .end = 0 };
    struct kt_dotenv_entry entry;
    bool had = dotfile_find(old, key, &last);
    size_t kept = 0;
    size_t prefix;

    if (!had && !data)
        return KT_NOT_FOUND;
    new->text = old->host->secret_alloc(
        old->len + 2 + (data ? kt_dotenv_format(key, data, len, NULL) : 0), 0);
    if (!new->text)
        return old->host->fail(call, KT_NO_MEMORY, "env: out of memory");
    while (had && kt_dotenv_next(&d, &entry) == KT_SUCCESS) {
        if (!kt_dotenv_is(&entry, key))
            continue;
        memcpy(new->text + new->len, old->text + kept, entry.begin - kept);
        new->len += entry.begin - kept;
        kept = entry.end;
        if (!data || entry.begin != last.begin)
            continue;
        prefix = (size_t)(entry.key - old->text) - entry.begin; /* blanks, `export` */
        memcpy(new->text + new->len, old->text + entry.begin, prefix);
        new->len += prefix;
        new->len += kt_dotenv_format(key, data, len, new->text + new->len);
    }
    if (old->len > kept)
        memcpy(new->text + new->len, old->text + kept, old->len - kept);
    new->len += old->len - kept;
    if (!had && new->len > 0 && new->text[new->len - 1] != '\n')
        new->text[new->len++] = '\n';
    if (!had)
        new->len += kt_dotenv_format(key, data, len, new->text + new->len);
    if (new->len > DOTFILE_MAX)
        return old->host->fail(call, KT_NO_SPACE, "env: '%s' would be larger than %d bytes",
                               old->path, DOTFILE_MAX);
    return KT_SUCCESS;
}

int dotfile_set(const struct kt_host *host, struct kt_call *call, const char *path, const char *key,
                const char *data, size_t len, bool commit)
{
    struct dotfile old = { .host = host, .path = path };
    struct dotfile new = { .host = host, .path = path };
    struct target t;
    int rc = open_target(host, call, path, &t);

    if (rc != KT_SUCCESS)
        return rc;
    if (commit)
        rc = lock_target(host, call, path, t.dir);
    if (rc == KT_SUCCESS)
        rc = dotfile_read(&old, call);
    if (rc == KT_NOT_FOUND && data)
        rc = KT_SUCCESS;
    if (rc == KT_SUCCESS)
        rc = edit(&old, call, key, data, len, &new);
    if (rc == KT_SUCCESS && commit)
        rc = replace(host, call, &new, &t);
    if (rc == KT_SUCCESS && !commit && faccessat(t.dir, ".", W_OK, AT_EACCESS) < 0)
        rc = fail_errno(host, call, path, "write to its directory");
    dotfile_done(&old);
    dotfile_done(&new);
    close(t.dir);
    return rc;
}
