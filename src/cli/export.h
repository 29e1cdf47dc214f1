/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYTURN_CLI_EXPORT_H
#define KEYTURN_CLI_EXPORT_H

#include "cli.h"

/*
 * What `export` writes in the open: all values are there before the first byte is written, and the
 * text that is going to be the file lies in memory that is wiped.
 */

#define EXPORT_MAX (16 << 20) /* bytes of a file: as many as import reads */

/** struct exported - a secret; @key: what the file is going to call it. Sorted by name */
struct exported {
    char *name;
    char *key;
    struct kt_secret *secret;
};

/** struct export - @items: @n of them, all with their values */
struct export
{
    const struct cli *cli;
    const char *file;   /* "-": standard output */
    const char *prefix; /* NULL = all */
    bool env;           /* else JSON */
    struct exported *items;
    size_t n;
    size_t left; /* that stay behind, and were told */
};

void export_done(struct export *e);

/* ---- export-gather.c ------------------------------------------------------------------------- */

/** export_gather - names, keys and values; 0 or an exit code */
int export_gather(struct export *e, struct kt_handle *h);

/* ---- export-text.c --------------------------------------------------------------------------- */

/** export_json - an object, a member for each; @out NULL: only the length */
size_t export_json(const struct export *e, char *out);
/** export_env - an assignment for each; likewise */
size_t export_env(const struct export *e, char *out);

/* ---- export-file.c --------------------------------------------------------------------------- */

/** export_file - write it, and warn of what git would take; 0 or an exit code */
int export_file(const struct export *e);

/* ---- export-git.c ---------------------------------------------------------------------------- */

/** git_would_take - @base in @dir (absolute, links followed) lies in a git tree that does not ignore it */
bool git_would_take(const char *dir, const char *base);

/* ---- export-archive.c ------------------------------------------------------------------------ */

int export_archive(const struct cli *cli, const char *file, const char *prefix);

#endif
