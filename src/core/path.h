/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYTURN_CORE_PATH_H
#define KEYTURN_CORE_PATH_H

#include <limits.h>

#include <keyturn/keyturn.h>

/**
 * kt_path_open - open a file or directory that nobody else could have changed
 * @path:  absolute
 * @flags: of open(2): O_RDONLY for a regular file, O_DIRECTORY | O_RDONLY for a directory
 * @real:  gets the path without links; may be NULL
 * @fd:    O_CLOEXEC; the caller closes it
 *
 * Walks from / with O_PATH | O_NOFOLLOW, following symbolic links itself (at most 40), and demands
 * of every directory and link on the way, and of the target, what kt_path_trusted() says. A service
 * file or a module must be a regular file.
 *
 * Returns KT_SUCCESS; KT_NOT_FOUND (nothing there); KT_DENIED (may not be searched or read);
 * KT_CONFIG_ERROR (not trusted, or not a file or directory: says which component and why);
 * KT_UNAVAILABLE (I/O).
 */
int kt_path_open(const char *path, int flags, int *fd, char real[PATH_MAX],
                 struct kt_err *err) KT_MUST_CHECK;

struct stat;

/**
 * kt_path_trusted - is it root's or the euid's, and not writable by others?
 *
 * Others: world; a group but root's and the euid's own primary one. A sticky directory of root's
 * counts as not writable; of a symbolic link only the owner counts. Returns NULL, or a borrowed
 * sentence part ("is writable by everyone").
 * Source: DESIGN 4.
 */
const char *kt_path_trusted(const struct stat *st);

/** kt_privileged - AT_SECURE: setuid, setgid or file capabilities */
bool kt_privileged(void);

/** kt_home - the home directory: $HOME; for root, when privileged and without $HOME from the password
 * file. KT_SUCCESS, KT_NOT_FOUND (none, or not absolute), KT_TOO_LARGE, KT_UNAVAILABLE (could not ask) */
int kt_home(char *out, size_t size, struct kt_err *err) KT_MUST_CHECK;

#endif
