/* SPDX-License-Identifier: Apache-2.0 */

/* The key file: any bytes that only this user can read; 32 random ones if we make it. */

#include "place.h"
#include "seal.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define KEY_FILE_MIN 16 /* bytes: 128 bits, if they are random */
#define KEY_FILE_MAX 65536

/* NULL, or what is wrong and how to mend it. */
static const char *untrusted(const struct stat *st)
{
    /* A systemd credential is root:root 0440, opened to the unit's user by an access control list. */
    const mode_t allowed = st->st_uid == 0 && st->st_gid == 0 ? 0740 : 0700;

    if (!S_ISREG(st->st_mode))
        return "is not a regular file";
    if (st->st_uid != 0 && st->st_uid != geteuid())
        return "belongs to another user; chown it";
    if ((st->st_mode & 0777 & ~allowed) != 0)
        return "can be read or changed by others; chmod it to 0600, and think of whoever may "
               "have read it";
    if (st->st_size < KEY_FILE_MIN)
        return "is too short for a key, expected at least 16 bytes";
    if (st->st_size > KEY_FILE_MAX)
        return "is too long for a key, expected at most 65536 bytes";
    return NULL;
}

static int read_all(int fd, uint8_t *buf, size_t len)
{
    while (len > 0) {
        ssize_t n = read(fd, buf, len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n == 0 ? EIO : errno;
        buf += n;
        len -= (size_t)n;
    }
    return 0;
}

int kt_key_read(const struct kt_host *host, const char *path, void **data, size_t *len,
                struct kt_fault *f)
{
    /* O_NONBLOCK: a FIFO in its place must not hold us */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    struct stat st;
    const char *wrong;
    void *buf = NULL;
    int rc;
    int err;

    if (fd < 0) {
        if (errno != ENOENT && errno != EACCES && errno != EPERM && errno != ENOTDIR)
            return kt_fault_errno(f, KT_UNAVAILABLE, errno, "cannot read the key file %s", path);
        (void)kt_fault_errno(f, KT_LOCKED, errno, "the store's key file %s cannot be read", path);
        return KT_LOCKED;
    }
    if (fstat(fd, &st) != 0) {
        rc = kt_fault_errno(f, KT_UNAVAILABLE, errno, "cannot look at the key file %s", path);
        goto out;
    }
    wrong = untrusted(&st);
    if (wrong != NULL) {
        rc = kt_fault(f, KT_CONFIG_ERROR, "the key file %s %s", path, wrong);
        goto out;
    }
    buf = host->secret_alloc((size_t)st.st_size, 0);
    if (buf == NULL) {
        rc = kt_fault(f, KT_NO_MEMORY, "out of memory");
        goto out;
    }
    err = read_all(fd, buf, (size_t)st.st_size);
    if (err != 0) {
        rc = kt_fault_errno(f, KT_UNAVAILABLE, err, "cannot read the key file %s", path);
        goto out;
    }
    *data = buf;
    *len = (size_t)st.st_size;
    buf = NULL;
    rc = KT_SUCCESS;
out:
    host->secret_free(buf);
    (void)close(fd);
    return rc;
}

static int write_all(int fd, const uint8_t *buf, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, buf, len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n == 0 ? EIO : errno;
        buf += n;
        len -= (size_t)n;
    }
    return kt_fsync(fd) == 0 ? 0 : errno;
}

/* The file gets its name, or somebody was quicker; a crash before that leaves no trace of it. */
static int make_nameless(const char *path, const uint8_t *key)
{
    char *copy = strdup(path);
    char name[40];
    int fd = -1;
    int err;

    if (copy == NULL)
        return ENOMEM;
    fd = open(dirname(copy), O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);
    free(copy);
    if (fd < 0)
        return errno;
    err = write_all(fd, key, KT_KEY_SIZE);
    (void)snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
    if (err == 0 && linkat(AT_FDCWD, name, AT_FDCWD, path, AT_SYMLINK_FOLLOW) != 0 &&
        errno != EEXIST)
        err = errno;
    (void)close(fd);
    return err;
}

/* The same under a name of its own, where the file system has no others. */
static int make_named(const char *path, const uint8_t *key)
{
    char *temp = NULL;
    int fd;
    int err;

    if (asprintf(&temp, "%s.XXXXXX", path) < 0)
        return ENOMEM;
    fd = mkostemp(temp, O_CLOEXEC); /* 0600 */
    err = fd < 0 ? errno : write_all(fd, key, KT_KEY_SIZE);
    if (err == 0 && link(temp, path) != 0 && errno != EEXIST)
        err = errno;
    if (fd >= 0) {
        (void)unlink(temp);
        (void)close(fd);
    }
    free(temp);
    return err;
}

/* Whoever made it may have died before its name was on the disk. What lies in a directory that we
 * cannot read was not made here. */
static int sync_name(const char *path, struct kt_fault *f)
{
    char *copy = strdup(path);
    bool readable;

    if (copy == NULL)
        return kt_fault(f, KT_NO_MEMORY, "out of memory");
    readable = euidaccess(dirname(copy), R_OK) == 0;
    free(copy);
    return readable ? kt_place_sync(path, f) : KT_SUCCESS;
}

int kt_key_make(const char *path, struct kt_fault *f)
{
    uint8_t key[KT_KEY_SIZE];
    int rc = kt_place_make_directory(path, f);
    int err;

    if (rc != KT_SUCCESS)
        return rc;
    if (access(path, F_OK) == 0)
        return sync_name(path, f);
    rc = kt_random(key, sizeof(key), f);
    if (rc != KT_SUCCESS)
        return rc;
    err = make_nameless(path, key);
    if (err == EOPNOTSUPP || err == EISDIR || err == EINVAL || err == ENOENT) /* no /proc, too */
        err = make_named(path, key);
    rc = err == 0 ? kt_place_sync(path, f)
                  : kt_fault_errno(f, KT_UNAVAILABLE, err, "cannot make the key file %s", path);
    explicit_bzero(key, sizeof(key));
    return rc;
}
