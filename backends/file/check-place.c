/* SPDX-License-Identifier: Apache-2.0 */

/* What lies beside the store, and who may read and write it: notes, no damage. */

#include "tool-check.h"

#include <dirent.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static void check_mode(struct kt_check *c, const char *path)
{
    struct stat st;

    if (stat(path, &st) != 0 || (st.st_mode & 077) == 0)
        return;
    kt_check_note(c, "%s can be %s by others (mode %04o); chmod it to 0600", path,
                  (st.st_mode & 022) != 0 ? "written" : "read", (unsigned)st.st_mode & 07777);
}

static bool is_ours(const char *suffix)
{
    static const char *const known[] = { "", "-wal", "-shm", "-lock" };

    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        if (strcmp(suffix, known[i]) == 0)
            return true;
    return false;
}

static void check_directory(struct kt_check *c, const char *dir, const char *base)
{
    const size_t n = strlen(base);
    DIR *d = opendir(dir);
    const struct dirent *e;
    struct stat st;

    if (stat(dir, &st) == 0 && (st.st_mode & 022) != 0 && (st.st_mode & S_ISVTX) == 0)
        kt_check_note(c, "the directory %s can be written by others (mode %04o); chmod it to 0700",
                      dir, (unsigned)st.st_mode & 07777);
    while (d != NULL && (e = readdir(d)) != NULL) {
        const char *suffix = e->d_name + n;

        if (strncmp(e->d_name, base, n) == 0 && !is_ours(suffix) &&
            (*suffix == '-' || strcmp(suffix, ".part") == 0))
            kt_check_note(c,
                          "%s/%s is left over, from a crash or from other programs; if nobody is "
                          "at work here, remove it",
                          dir, e->d_name);
    }
    if (d != NULL)
        (void)closedir(d);
}

void kt_check_place(struct kt_check *c)
{
    static const char *const suffixes[] = { "", "-wal", "-shm", "-lock" };
    char *dir = strdup(c->store->path);
    char *base = strdup(c->store->path);
    char path[PATH_MAX];

    for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++)
        if (snprintf(path, sizeof(path), "%s%s", c->store->path, suffixes[i]) < (int)sizeof(path))
            check_mode(c, path);
    if (dir != NULL && base != NULL)
        check_directory(c, dirname(dir), basename(base));
    free(dir);
    free(base);
}
