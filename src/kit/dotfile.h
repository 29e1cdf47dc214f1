/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYTURN_KIT_DOTFILE_H
#define KEYTURN_KIT_DOTFILE_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

/*
 * A small file of secrets in the open, as `.env` is, replaced as a whole: under a lock that its
 * writers take in turn, by a new file that gets the name only when it is on the disk. What fails
 * returns -1, with errno and, in @what, the step that failed.
 */

/** struct kt_dotfile - where the file is, links followed: the link stays, its target is replaced */
struct kt_dotfile {
    char real[PATH_MAX]; /* its directory, as far as it is known */
    char base[NAME_MAX + 1];
    int dir;
};

/** kt_dotfile_open - release with kt_dotfile_close() on 0; the file itself need not be there */
int kt_dotfile_open(struct kt_dotfile *f, const char *path, const char **what);
void kt_dotfile_close(struct kt_dotfile *f);

/**
 * kt_dotfile_lock - one writer at a time; kt_dotfile_close() gives it back
 *
 * Does not wait: errno is EWOULDBLOCK while somebody else has it. The directory is locked, since the
 * file is another one after each write.
 */
int kt_dotfile_lock(struct kt_dotfile *f, const char **what);

/**
 * kt_dotfile_replace - the file gets these bytes, mode 0600 and the owner that it had; lock it first
 * @fresh: there must be none: errno is EEXIST
 *
 * Killed at any instant, it has left the old file or the new one; what lies beside it then goes with
 * the next write.
 */
int kt_dotfile_replace(const struct kt_dotfile *f, const char *data, size_t len, bool fresh,
                       const char **what);

#endif
