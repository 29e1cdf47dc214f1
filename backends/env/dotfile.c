/* SPDX-License-Identifier: Apache-2.0 */
#include "dotfile.h"

#include "kit/dotfile.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
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
    return kt_dotenv_find(f->text, f->len, key, out);
}

/* ---- writing --------------------------------------------------------------------------------- */

static int lock_target(const struct kt_host *host, struct kt_call *call, const char *path,
                       struct kt_dotfile *t)
{
    const char *what = "";

    while (kt_dotfile_lock(t, &what) < 0) {
        int rc;

        if (errno != EWOULDBLOCK)
            return fail_errno(host, call, path, what);
        rc = host->sleep(call, 2);
        if (rc == KT_TIMEOUT)
            return host->fail(call, KT_BUSY,
                              "env: '%s': another process holds its directory's lock", path);
        if (rc != KT_SUCCESS)
            return rc;
    }
    return KT_SUCCESS;
}

static int edit(const struct dotfile *old, struct kt_call *call, const char *key, const char *data,
                size_t len, struct dotfile *new)
{
    int rc;

    new->text = old->host->secret_alloc(kt_dotenv_edit_room(old->len, key, data, len), 0);
    if (!new->text)
        return old->host->fail(call, KT_NO_MEMORY, "env: out of memory");
    rc = kt_dotenv_edit(old->text, old->len, key, data, len, new->text, &new->len);
    if (rc == KT_SUCCESS && new->len > DOTFILE_MAX)
        return old->host->fail(call, KT_NO_SPACE, "env: '%s' would be larger than %d bytes",
                               old->path, DOTFILE_MAX);
    return rc;
}

int dotfile_set(const struct kt_host *host, struct kt_call *call, const char *path, const char *key,
                const char *data, size_t len, bool commit)
{
    struct dotfile old = { .host = host, .path = path };
    struct dotfile new = { .host = host, .path = path };
    const char *what = "";
    struct kt_dotfile t;
    int rc = KT_SUCCESS;

    if (kt_dotfile_open(&t, path, &what) < 0)
        return fail_errno(host, call, path, what);
    if (commit)
        rc = lock_target(host, call, path, &t);
    if (rc == KT_SUCCESS)
        rc = dotfile_read(&old, call);
    if (rc == KT_NOT_FOUND && data)
        rc = KT_SUCCESS;
    if (rc == KT_SUCCESS)
        rc = edit(&old, call, key, data, len, &new);
    if (rc == KT_SUCCESS && commit && kt_dotfile_replace(&t, new.text, new.len, false, &what) < 0)
        rc = fail_errno(host, call, path, what);
    if (rc == KT_SUCCESS && !commit && faccessat(t.dir, ".", W_OK, AT_EACCESS) < 0)
        rc = fail_errno(host, call, path, "write to its directory");
    dotfile_done(&old);
    dotfile_done(&new);
    kt_dotfile_close(&t);
    return rc;
}
