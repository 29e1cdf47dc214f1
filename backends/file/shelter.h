/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYTURN_FILE_SHELTER_H
#define KEYTURN_FILE_SHELTER_H

#include "conn.h"

#define KT_SHELTERS_MAX 256

/** struct kt_shelter - a descriptor of the program's with a number that SQLite is about to close */
struct kt_shelter {
    int fd;
    int saved;
    int flags;
};

/** kt_shelter_add - keep what has taken the number of @was, if anything has; returns the new @n */
size_t kt_shelter_add(const struct kt_fd *was, struct kt_shelter out[KT_SHELTERS_MAX], size_t n);

/** kt_shelter_end - SQLite has closed its numbers: bring the program's back */
void kt_shelter_end(const struct kt_shelter *all, size_t n);

#endif
