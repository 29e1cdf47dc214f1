/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYTURN_CLI_OUTFILE_H
#define KEYTURN_CLI_OUTFILE_H

#include "cli.h"

#include <limits.h>
#include <sys/stat.h>

/*
 * A file that is replaced as a whole: whoever opens it finds the old content or the new, whatever was
 * killed. The new one is written to a file without a name, so that nothing is left of one that was
 * not finished; where the file system has no such files, to `.NAME.keyturn-new` beside it, which the
 * next replacement clears away.
 *
 * A symbolic link is followed, and stays one, if it is root's or ours: what it leads to is replaced.
 */

/**
 * struct outfile - a file, found; outfile_done() releases it
 * @path: as it was given, borrowed
 * @dir:  descriptor of the directory that it, or what a link led to, lies in
 * @old:  the file that is there; st_mode is 0 if there is none
 * @fd:   its content to be, if begun
 */
struct outfile {
    const char *path;
    int dir;
    char name[NAME_MAX + 1];
    char temp[NAME_MAX + 1];
    struct stat old;
    mode_t mode;
    int fd;
    bool named; /* @fd has the name @temp */
};

/**
 * outfile_find - where @path leads, and what is there
 * @mode: permissions that it shall have; -1: those of the file that is there, as far as they are
 *        within 0600, or 0600
 *
 * 0, or an exit code after saying why: no directory, no regular file, another user's link.
 */
int outfile_find(const struct cli *cli, const char *path, int mode, struct outfile *out);
void outfile_done(struct outfile *o);

/** outfile_old - the file that is there, to be read, if its permissions are right already; or -1 */
int outfile_old(const struct outfile *o);

/** outfile_begin - make @o->fd, to be written; 0, or an exit code after saying why */
int outfile_begin(const struct cli *cli, struct outfile *o);

/** outfile_commit - @o->fd becomes the file, on the disk; 0, or an exit code after saying why */
int outfile_commit(const struct cli *cli, struct outfile *o);

#endif
