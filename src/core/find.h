/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYTURN_CORE_FIND_H
#define KEYTURN_CORE_FIND_H

#include <limits.h>

#include <keyturn/keyturn.h>

/** struct kt_dirs - where service files are looked for, in order */
struct kt_dirs {
    char *dir[3];
    size_t n;
};

/**
 * kt_dirs_init - the places of DESIGN 4
 * @options: only config_dir is looked at: if set, it is the only place
 *
 * A privileged process has the machine's place alone, and no config_dir (KT_CONFIG_ERROR).
 */
int kt_dirs_init(struct kt_dirs *d, const struct kt_open_options *options,
                 struct kt_err *err) KT_MUST_CHECK;
void kt_dirs_done(struct kt_dirs *d);

/**
 * kt_dirs_open - open a service's file in the first place that has it
 * @fd:   the caller closes it
 * @real: gets its path without links
 *
 * KT_NOT_FOUND: no place has it, and the message lists them. A file that is there and cannot be
 * read or is not trusted (for root: in a place of another uid) is refused: the places after it are
 * not asked.
 */
int kt_dirs_open(const struct kt_dirs *d, const char *service, int *fd, char real[PATH_MAX],
                 struct kt_err *err) KT_MUST_CHECK;

/** kt_path_absolute - @path as it is, or behind the working directory; the caller frees it */
int kt_path_absolute(const char *path, char **out, struct kt_err *err) KT_MUST_CHECK;

#endif
