/* SPDX-License-Identifier: Apache-2.0 */
#include "find.h"

#include "err.h"
#include "path.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef KT_SYSCONF_DIR
#define KT_SYSCONF_DIR "/etc/keyturn.d"
#endif

static int add(struct kt_dirs *d, const char *dir, const char *below, struct kt_err *err)
{
    if (asprintf(&d->dir[d->n], "%s%s", dir, below) < 0)
        return kt_fail(err, KT_NO_MEMORY, "out of memory");
    d->n++;
    return KT_SUCCESS;
}

int kt_path_absolute(const char *path, char **out, struct kt_err *err)
{
    char *cwd = path[0] == '/' ? strdup("") : get_current_dir_name();
    int n;

    if (cwd == NULL)
        return kt_fail_errno(err, "cannot tell where '%s' is", path);
    n = asprintf(out, "%s%s%s", cwd, path[0] == '/' ? "" : "/", path);
    free(cwd);
    return n < 0 ? kt_fail(err, KT_NO_MEMORY, "out of memory") : KT_SUCCESS;
}

static int add_given(struct kt_dirs *d, const char *dir, struct kt_err *err)
{
    if (kt_privileged())
        return kt_fail(err, KT_CONFIG_ERROR,
                       "a privileged process reads service files from %s only, not from '%s'",
                       KT_SYSCONF_DIR, dir);
    if (dir[0] != '/')
        return kt_fail(err, KT_CONFIG_ERROR,
                       "the service directory is '%s': expected a path that begins with /", dir);
    return add(d, dir, "", err);
}

/* A person's own places. XDG: a relative $XDG_CONFIG_HOME counts as not set. */
static int add_own(struct kt_dirs *d, struct kt_err *err)
{
    const char *own = secure_getenv("KEYTURN_CONFIG_DIR");
    const char *xdg = secure_getenv("XDG_CONFIG_HOME");
    char home[PATH_MAX];
    int rc = KT_SUCCESS;

    if (own != NULL && own[0] != '\0' && own[0] != '/')
        return kt_fail(err, KT_CONFIG_ERROR,
                       "KEYTURN_CONFIG_DIR is '%s': expected a path that begins with /", own);
    if (own != NULL && own[0] != '\0')
        rc = add(d, own, "", err);
    if (rc != KT_SUCCESS)
        return rc;
    if (xdg != NULL && xdg[0] == '/')
        return add(d, xdg, "/keyturn", err);
    rc = kt_home(home, sizeof(home), err);
    if (rc == KT_NOT_FOUND)
        return KT_SUCCESS; /* nobody's home: a daemon */
    return rc == KT_SUCCESS ? add(d, home, "/.config/keyturn", err) : rc;
}

int kt_dirs_init(struct kt_dirs *d, const struct kt_open_options *options, struct kt_err *err)
{
    int rc = KT_SUCCESS;

    *d = (struct kt_dirs){ .n = 0 };
    if (options != NULL && options->config_dir != NULL)
        return add_given(d, options->config_dir, err);
    if (!kt_privileged())
        rc = add_own(d, err);
    if (rc == KT_SUCCESS)
        rc = add(d, KT_SYSCONF_DIR, "", err);
    if (rc != KT_SUCCESS)
        kt_dirs_done(d);
    return rc;
}

void kt_dirs_done(struct kt_dirs *d)
{
    for (size_t i = 0; i < d->n; i++)
        free(d->dir[i]);
    *d = (struct kt_dirs){ .n = 0 };
}

static int not_found(const struct kt_dirs *d, const char *service, struct kt_err *err)
{
    char places[400] = "";
    size_t used = 0;

    for (size_t i = 0; i < d->n && used < sizeof(places); i++)
        used += (size_t)snprintf(places + used, sizeof(places) - used, "%s%s",
                                 i == 0          ? ""
                                 : i == d->n - 1 ? " or "
                                                 : ", ",
                                 d->dir[i]);
    return kt_fail(err, KT_NOT_FOUND, "no service '%s' in %s", service, places);
}

int kt_dirs_open(const struct kt_dirs *d, const char *service, int *fd, char real[PATH_MAX],
                 struct kt_err *err)
{
    for (size_t i = 0; i < d->n; i++) {
        char path[PATH_MAX];
        struct stat st;
        int rc;

        if (snprintf(path, sizeof(path), "%s/%s", d->dir[i], service) >= (int)sizeof(path))
            return kt_fail(err, KT_CONFIG_ERROR, "'%.200s...' is too long a path", d->dir[i]);
        rc = kt_path_open(path, O_RDONLY, fd, real, err);
        if (rc != KT_NOT_FOUND)
            return rc;
        if (lstat(path, &st) == 0)
            return kt_fail(err, KT_CONFIG_ERROR, "'%s' is a link to a file that is not there",
                           path);
    }
    return not_found(d, service, err);
}
