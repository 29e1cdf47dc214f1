/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYTURN_FILE_PART_H
#define KEYTURN_FILE_PART_H

#include "store.h"

/**
 * struct kt_part - a file on its way to a name that it gets when it is whole
 * @path: the name
 * @dir:  a directory beside it, 0700, `PATH.part`; its lock is held as long as @fd is open
 * @file: where to build the file, in @dir
 *
 * Whoever is killed leaves the directory behind; the next one of the same name empties it.
 */
struct kt_part {
    char *path;
    char *dir;
    char *file;
    int fd;
    bool replace;
};

/**
 * kt_part_begin - take the name
 * @store:   whose own files are refused
 * @replace: what has the name may go
 *
 * KT_EXISTS: it is taken; KT_BUSY: somebody else is about it; KT_INVALID: it is the store's own.
 * Release with kt_part_end(), whatever is returned.
 */
int kt_part_begin(const struct kt_store *store, const char *path, bool replace, struct kt_part *out,
                  struct kt_fault *f) KT_MUST_CHECK;

/** kt_part_empty - throw away what lies in the directory */
void kt_part_empty(const struct kt_part *p);

/** kt_part_name - sync the file, which nobody has open any more, and give it its name */
int kt_part_name(const struct kt_part *p, struct kt_fault *f) KT_MUST_CHECK;

void kt_part_end(struct kt_part *p);

/** kt_part_is_own - is this one of the files that a store is made of, or its key? */
bool kt_part_is_own(const struct kt_store *store, const char *path);

#endif
