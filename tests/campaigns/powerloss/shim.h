/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYTURN_POWERLOSS_SHIM_H
#define KEYTURN_POWERLOSS_SHIM_H

#include "log.h"

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

#define EXPORT __attribute__((visibility("default")))

/** pl_die - a shim that cannot do its work must not let the workload go on */
void pl_die(const char *what);

/** pl_enter - until pl_leave() no other thread or process does what is written down; errno is kept */
void pl_enter(void);
void pl_leave(void);

/** pl_record - inside; @first and @second follow each other. errno is kept */
void pl_record(struct pl_record r, const void *first, size_t n, const void *second, size_t m);
void pl_record_path(enum pl_type type, uint64_t ino, const char *path);

/** pl_watching - is there a directory to be watched? */
bool pl_watching(void);

/** pl_below - the part of an absolute path below the watched directory; NULL: it is not below */
const char *pl_below(const char *path);

/** pl_watched_at - the same for a path as openat() takes it; @buf may keep the answer */
const char *pl_watched_at(int at, const char *path, char buf[PATH_MAX]);

/** pl_watched_fd - is it a file or directory of ours? Its name now is not to be relied on. */
bool pl_watched_fd(int fd, struct stat *st, char name[PATH_MAX]);

#endif
