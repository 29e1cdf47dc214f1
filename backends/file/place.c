/* SPDX-License-Identifier: Apache-2.0 */
#include "place.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int no_memory(struct kt_fault *f)
{
    return kt_fault(f, KT_NO_MEMORY, "out of memory");
}

/* ---- default places ------------------------------------------------------------------------- */

/* NULL: the password file does not say. */
static char *home_of_user(void)
{
    struct passwd pw;
    struct passwd *found = NULL;
    char buf[4096];

    if (getpwuid_r(geteuid(), &pw, buf, sizeof(buf), &found) != 0 || found == NULL)
        return NULL;
    return strdup(pw.pw_dir);
}

/* Root's home is the password file's: sudo may have left somebody else's in the environment. */
static char *home(bool privileged)
{
    const char *env = privileged || geteuid() == 0 ? NULL : getenv("HOME");

    return env != NULL && env[0] == '/' ? strdup(env) : home_of_user();
}

static int below_home(const char *rest, bool privileged, char **out, struct kt_fault *f)
{
    char *h = home(privileged);
    int n;

    if (h == NULL || h[0] != '/') {
        free(h);
        return kt_fault(f, KT_CONFIG_ERROR,
                        "this user has no home directory; say where with path= and key=");
    }
    n = asprintf(out, "%s/%s", h, rest);
    free(h);
    return n < 0 ? no_memory(f) : KT_SUCCESS;
}

/* @variable: of the XDG base directories; a relative one is to be ignored, says their standard. */
static int default_place(const char *machine, const char *variable, const char *fallback,
                         const char *name, bool privileged, char **out, struct kt_fault *f)
{
    const char *base;
    char rest[64];

    if (privileged || geteuid() == 0)
        return asprintf(out, "%s/%s", machine, name) < 0 ? no_memory(f) : KT_SUCCESS;
    base = getenv(variable);
    if (base != NULL && base[0] == '/')
        return asprintf(out, "%s/keyturn/%s", base, name) < 0 ? no_memory(f) : KT_SUCCESS;
    (void)snprintf(rest, sizeof(rest), "%s/keyturn/%s", fallback, name);
    return below_home(rest, privileged, out, f);
}

static int given_place(const char *given, bool privileged, char **out, struct kt_fault *f)
{
    if (strncmp(given, "~/", 2) == 0)
        return below_home(given + 2, privileged, out, f);
    if (given[0] != '/')
        return kt_fault(f, KT_CONFIG_ERROR, "'%s' is not an absolute path", given);
    *out = strdup(given);
    return *out == NULL ? no_memory(f) : KT_SUCCESS;
}

/* The path without links; of what is not there yet, as much as is there. */
static char *resolve(const char *path)
{
    char *real = realpath(path, NULL);
    char *copy;
    char *dir;
    char *out = NULL;

    if (real != NULL)
        return real;
    copy = strdup(path);
    if (copy == NULL)
        return NULL;
    dir = realpath(dirname(copy), NULL);
    if (dir == NULL)
        out = strdup(path);
    else if (asprintf(&out, "%s/%s", strcmp(dir, "/") == 0 ? "" : dir, strrchr(path, '/') + 1) < 0)
        out = NULL;
    free(dir);
    free(copy);
    return out;
}

int kt_place_store(const char *given, bool privileged, char **out, struct kt_fault *f)
{
    char *path = NULL;
    int rc = given != NULL ? given_place(given, privileged, &path, f)
                           : default_place(KT_STATE_DIR, "XDG_DATA_HOME", ".local/share",
                                           "store.db", privileged, &path, f);

    if (rc != KT_SUCCESS || path == NULL)
        return rc;
    if (path[strlen(path) - 1] == '/') {
        rc = kt_fault(f, KT_CONFIG_ERROR, "path=%s is a directory, expected a file", given);
        free(path);
        return rc;
    }
    *out = resolve(path);
    free(path);
    return *out == NULL ? no_memory(f) : KT_SUCCESS;
}

int kt_place_key(const char *given, bool privileged, char **out, struct kt_fault *f)
{
    if (given != NULL)
        return given_place(given, privileged, out, f);
    return default_place(KT_KEY_DIR, "XDG_CONFIG_HOME", ".config", "store.key", privileged, out, f);
}

/* ---- directories ---------------------------------------------------------------------------- */

int kt_fsync(int fd)
{
    int rc;

    do
        rc = fsync(fd);
    while (rc != 0 && errno == EINTR);
    return rc;
}

static int sync_directory(const char *dir, struct kt_fault *f)
{
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int rc = KT_SUCCESS;

    if (fd < 0 || kt_fsync(fd) != 0)
        rc = kt_fault_errno(f, KT_UNAVAILABLE, errno, "cannot sync the directory %s", dir);
    if (fd >= 0)
        (void)close(fd);
    return rc;
}

int kt_place_sync(const char *path, struct kt_fault *f)
{
    char *copy = strdup(path);
    int rc = copy == NULL ? no_memory(f) : sync_directory(dirname(copy), f);

    free(copy);
    return rc;
}

/* Whoever made one that is there already may have died before its name was on the disk; above what we
 * cannot read it was not made here. */
int kt_place_probe(const char *path)
{
    char *name = NULL;
    int err = 0;
    int fd;

    if (asprintf(&name, "%s-probe", path) < 0)
        return ENOMEM;
    fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0 && errno != EEXIST)
        err = errno;
    else
        (void)unlink(name); /* one that is there: left from a crash, or another process asks */
    if (fd >= 0)
        (void)close(fd);
    free(name);
    return err;
}

static int make_one(char *dir, struct kt_fault *f)
{
    char *slash = strrchr(dir, '/');
    const bool made = mkdir(dir, 0700) == 0;
    struct kt_fault ignored;
    int rc;

    if (!made && errno != EEXIST)
        return kt_fault_errno(f, KT_UNAVAILABLE, errno, "cannot make the directory %s", dir);
    *slash = '\0';
    rc = sync_directory(slash == dir ? "/" : dir, made ? f : &ignored);
    *slash = '/';
    return made ? rc : KT_SUCCESS;
}

int kt_place_make_directory(const char *path, struct kt_fault *f)
{
    char *dir = strdup(path);
    int rc = KT_SUCCESS;

    if (dir == NULL)
        return no_memory(f);
    *strrchr(dir, '/') = '\0';
    if (dir[0] != '\0') {
        const bool there = access(dir, F_OK) == 0;

        for (char *p = dir + 1; !there && rc == KT_SUCCESS && (p = strchr(p, '/')) != NULL; p++) {
            *p = '\0';
            rc = make_one(dir, f);
            *p = '/';
        }
        if (rc == KT_SUCCESS)
            rc = make_one(dir, f);
    }
    free(dir);
    return rc;
}
