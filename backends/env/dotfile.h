/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYTURN_ENV_DOTFILE_H
#define KEYTURN_ENV_DOTFILE_H

#include <keyturn/module.h>

#include "kit/dotenv.h"

#define DOTFILE_MAX (1024 * 1024) /* bytes of a `.env` file */

/** struct dotfile - a `.env` file's text, in secret memory */
struct dotfile {
    const struct kt_host *host;
    const char *path;
    char *text;
    size_t len;
};

/**
 * dotfile_read - read and check all of the file
 * @f: @host and @path set; release with dotfile_done() whatever is returned
 *
 * KT_NOT_FOUND: there is no such file. A malformed line is KT_CORRUPT, and its number is told.
 */
int dotfile_read(struct dotfile *f, struct kt_call *call);
void dotfile_done(struct dotfile *f);

/** dotfile_find - the assignment to @key that counts; false: none. The text has been checked. */
bool dotfile_find(const struct dotfile *f, const char *key, struct kt_dotenv_entry *out);

/**
 * dotfile_set - assign to @key, or with @data NULL take all its assignments away
 * @commit: false: only find out whether it can be done
 *
 * Other lines, comments and the order stay. The new file is written beside the old one and renamed
 * over it, under a lock of the directory. KT_NOT_FOUND: nothing to take away.
 */
int dotfile_set(const struct kt_host *host, struct kt_call *call, const char *path, const char *key,
                const char *data, size_t len, bool commit);

#endif
