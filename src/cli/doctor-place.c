/* SPDX-License-Identifier: Apache-2.0 */
#include "doctor.h"

#include "core/path.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define ROOM_MIN (1024 * 1024) /* bytes that a store can use at once */

/* ---- who may change a path ------------------------------------------------------------------ */

static void trust_command(const char *path, const struct stat *st, char *out, size_t size)
{
    if (st->st_uid != 0 && st->st_uid != geteuid())
        (void)snprintf(out, size, "%schown %u '%s'", geteuid() != 0 ? "sudo " : "",
                       (unsigned)geteuid(), path);
    else
        (void)snprintf(out, size, "%schmod go-w '%s'", st->st_uid != geteuid() ? "sudo " : "",
                       path);
}

/* The first of the path's parts that others could change. */
static bool find_untrusted(const char *path, char *out, size_t size)
{
    char part[PATH_MAX];
    struct stat st;

    for (const char *end = path + 1;; end++) {
        if (*end != '/' && *end != '\0')
            continue;
        (void)snprintf(part, sizeof(part), "%.*s", (int)(end - path), path);
        if (lstat(part, &st) != 0)
            return false;
        if (kt_path_trusted(&st) != NULL) {
            trust_command(part, &st, out, size);
            return true;
        }
        if (*end == '\0')
            return false;
    }
}

const char *doctor_trust_remedy(const char *text, char *out, size_t size)
{
    for (const char *at = strstr(text, "'/"); at != NULL; at = strstr(at + 1, "'/")) {
        const char *end = strchr(at + 1, '\'');
        char path[PATH_MAX], real[PATH_MAX];

        if (end == NULL || (size_t)(end - at) > sizeof(path))
            return NULL;
        (void)snprintf(path, sizeof(path), "%.*s", (int)(end - at - 1), at + 1);
        if (find_untrusted(path, out, size))
            return out;
        if (realpath(path, real) != NULL && find_untrusted(real, out, size))
            return out;
    }
    return NULL;
}

/* ---- where things are kept ------------------------------------------------------------------ */

/* What there is of the way to @path, in place. */
static void cut_to_existing(char *path)
{
    struct stat st;
    char *slash;

    while (stat(path, &st) != 0 && errno == ENOENT && (slash = strrchr(path, '/')) != NULL) {
        if (slash == path) {
            path[1] = '\0';
            return;
        }
        *slash = '\0';
    }
}

/* The directory that its file system is mounted on. */
static const char *mount_point(const char *path, char *out)
{
    struct stat st, up;
    char parent[PATH_MAX];

    if (realpath(path, out) == NULL || stat(out, &st) != 0)
        return path;
    while (strcmp(out, "/") != 0) {
        char *slash;

        (void)snprintf(parent, sizeof(parent), "%s", out);
        slash = strrchr(parent, '/');
        slash[slash == parent ? 1 : 0] = '\0';
        if (stat(parent, &up) != 0 || up.st_dev != st.st_dev)
            break;
        memcpy(out, parent, strlen(parent) + 1);
    }
    return out;
}

static void tell_unwritable(struct doctor *d, const char *path, const char *there, int error)
{
    char fix[2 * PATH_MAX] = "", at[PATH_MAX];
    struct stat st;

    if (error == EROFS)
        (void)snprintf(fix, sizeof(fix), "sudo mount -o remount,rw '%s'", mount_point(there, at));
    else if (stat(there, &st) == 0 && st.st_uid == geteuid())
        (void)snprintf(fix, sizeof(fix), "chmod u+rwx '%s'", there);
    else if (strcmp(path, there) == 0)
        (void)snprintf(fix, sizeof(fix), "sudo chown %u '%s'", (unsigned)geteuid(), there);
    else
        (void)snprintf(fix, sizeof(fix), "sudo install -d -m 700 -o %u '%s'", (unsigned)geteuid(),
                       path);
    doctor_tell(d, ODD, "place", path, error == EROFS ? KT_READ_ONLY : KT_DENIED, fix,
                "nothing can be written there: '%s': %s", there, strerror(error));
}

static void look_at(struct doctor *d, const char *what, const char *path)
{
    char there[PATH_MAX + 64], fix[PATH_MAX + 64];
    struct statvfs room;
    struct stat st;

    (void)snprintf(there, sizeof(there), "%s", path);
    cut_to_existing(there);
    if (stat(there, &st) == 0 && !S_ISDIR(st.st_mode))
        doctor_tell(d, WRONG, "place", path, KT_CONFIG_ERROR, NULL, "'%s' is no directory", there);
    else if (strcmp(there, path) == 0 && find_untrusted(path, fix, sizeof(fix)))
        doctor_tell(d, ODD, "place", path, KT_CONFIG_ERROR, fix,
                    "others could change what is there");
    else if (faccessat(AT_FDCWD, there, W_OK | X_OK, AT_EACCESS) != 0)
        tell_unwritable(d, path, there, errno);
    else if (statvfs(there, &room) == 0 && room.f_blocks > 0 &&
             room.f_bavail < ROOM_MIN / (room.f_bsize > 0 ? room.f_bsize : 1) + 1)
        doctor_tell(d, ODD, "place", path, KT_NO_SPACE, NULL, "the disk is full");
    else
        doctor_tell(d, FINE, "place", path, KT_SUCCESS, NULL, "%s%s", what,
                    strcmp(there, path) == 0 ? "" : "; not made yet");
}

void doctor_places(struct doctor *d)
{
    static const struct {
        const char *what;
        const char *variable;
        const char *below; /* the home */
        const char *root;  /* NULL: as everybody's */
    } places[] = {
        { "configuration", "XDG_CONFIG_HOME", ".config", KT_KEY_DIR },
        { "data", "XDG_DATA_HOME", ".local/share", KT_STATE_DIR },
        { "state", "XDG_STATE_HOME", ".local/state", NULL },
    };
    char home[PATH_MAX], path[PATH_MAX + 64];
    struct kt_err err;
    const int status = kt_home(home, sizeof(home), &err);

    if (status != KT_SUCCESS) {
        doctor_tell(d, ODD, "place", "home", status, NULL, "%s", err.msg);
        return;
    }
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        const char *base = secure_getenv(places[i].variable);

        if (geteuid() == 0 && places[i].root != NULL)
            (void)snprintf(path, sizeof(path), "%s", places[i].root);
        else if (base != NULL && base[0] == '/')
            (void)snprintf(path, sizeof(path), "%s/keyturn", base);
        else
            (void)snprintf(path, sizeof(path), "%s/%s/keyturn", home, places[i].below);
        look_at(d, places[i].what, path);
    }
}
