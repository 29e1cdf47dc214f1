/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYTURN_CLI_IMPORT_SOURCE_H
#define KEYTURN_CLI_IMPORT_SOURCE_H

#include "cli.h"

/*
 * What `import` reads: a source is taken apart as a whole before anything is stored. Its text and the
 * values in it lie in memory that is wiped; names do not.
 */

#define SOURCE_MAX (16 << 20) /* bytes of a file */
#define SOURCE_ITEMS 100000

/**
 * struct item - one secret of a source
 * @key:  what the source calls it
 * @name: what it is going to be called
 * @data: @len bytes, in the source's memory; NULL: they are still to be fetched, and @len is the
 *        fetcher's own
 * @bad:  why it cannot be stored, whatever is there; "" = it can
 * @line: where it stands; 0: not known
 */
struct item {
    char *key;
    char *name;
    const char *data;
    size_t len;
    size_t line;
    int bad_status;
    char bad[200];
};

/**
 * struct source
 * @shown:     its path, for words
 * @plaintext: whoever can read it has the secrets
 * @fetch:     NULL, or brings the value of an item whose @data is NULL: KT_SUCCESS and @out, or a
 *             status explained in @err; @note: NULL, or a constant text about it
 */
struct source {
    const struct cli *cli;
    const char *format;
    const char *shown;
    bool plaintext;
    struct input text;
    struct input values;
    size_t values_len;
    struct item *items;
    size_t n;
    size_t room;
    int (*fetch)(struct source *s, struct item *item, struct input *out, const char **note,
                 struct kt_err *err);
};

void source_done(struct source *s);

/* ---- import-source.c ------------------------------------------------------------------------- */

/** source_add - one more; KT_SUCCESS, or 0 < an exit code after saying why */
int source_add(struct source *s, const char *key, size_t key_len, struct item **out);

/** source_names - what each is going to be called, --map, --only and --prefix heeded; 0 or an exit code */
int source_names(struct source *s);

/** source_damaged - the source cannot be understood at @at of its text; returns the exit code */
int source_damaged(const struct source *s, const char *at, const char *why);
int source_damaged_at(const struct source *s, size_t line, size_t column, const char *why);

void item_bad(struct item *item, int status, const char *fmt, ...) KT_PRINTF(3, 4);

/** source_value - room for @len bytes of a value; all values of a text fit in the text's length */
char *source_value(struct source *s, size_t len);

/* ---- import-read.c --------------------------------------------------------------------------- */

/** source_read - all of a file, or of standard input for "-"; 0 or an exit code */
int source_read(struct source *s, const char *path);

/** source_guess - the format, by the name and the first bytes of what was read */
const char *source_guess(const struct source *s, const char *path);

/** source_plain_text - UTF-8 without the mark at its beginning; 0, or an exit code: UTF-16 */
int source_plain_text(struct source *s);

/* ---- import-store.c -------------------------------------------------------------------------- */

/** import_store - all of them, each told; the exit code */
int import_store(const struct cli *cli, struct kt_handle *h, struct source *s);

/* ---- a file each: they fill in the items; 0 or an exit code ----------------------------------- */

int import_env(struct source *s);
int import_json(struct source *s);
int import_python_file(struct source *s);
int import_python_service(struct source *s); /* and then import_python_done() */
void import_python_done(void);
int import_pass(struct source *s, const char *dir);

/** import_archive - all of it: the results are told */
int import_archive(const struct cli *cli, const char *path);

#endif
