/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYTURN_CORE_WORDS_H
#define KEYTURN_CORE_WORDS_H

#include "options.h"

#define KT_WORDS_MAX 256  /* of one logical line */
#define KT_QUOTE_SIZE 48  /* bytes of a quoted input, NUL counted */
#define KT_WORD_GROUPED 1 /* stood in brackets, which are taken off */
#define KT_WORD_BROKEN 2  /* holds an escape or a line break: offsets in it are no columns */

/** struct kt_text - a service file in memory while it is read; @at is overwritten as it goes */
struct kt_text {
    const char *file; /* for messages */
    char *at;
    char *end;
    char *line; /* where the line of @at begins */
    unsigned lineno;
};

/** struct kt_words - a logical line: @n words, each with its form (KT_WORD_* bits) */
struct kt_words {
    struct kt_word *at;
    unsigned char *form;
    size_t n;
    size_t room;
};

/**
 * kt_text_init - begin to read a file
 * @data: @len bytes, writable, which outlive @t; a NUL need not follow
 *
 * Refuses what can stand nowhere in a service file: CR, NUL and other control bytes, and what is
 * not UTF-8. KT_SUCCESS or KT_CONFIG_ERROR with line and column.
 */
int kt_text_init(struct kt_text *t, const char *file, char *data, size_t len,
                 struct kt_err *err) KT_MUST_CHECK;

/**
 * kt_words_next - the next logical line that has words; @w->n is 0 at the end of the file
 *
 * Blanks (space, tab) separate; backslash, blanks, newline joins; `#` at the start of a word begins
 * a comment, and its line ends the logical line; `[` at the start of a word groups up to the first
 * `]` without a backslash before it. Source: pam.conf(5), DESIGN 4 (D3, D5).
 */
int kt_words_next(struct kt_text *t, struct kt_words *w, struct kt_err *err) KT_MUST_CHECK;
void kt_words_clear(struct kt_words *w);
void kt_words_done(struct kt_words *w);

void kt_word_done(struct kt_word *words, size_t n); /* frees the words and their array */

/** kt_quote - @text for a message, at most KT_QUOTE_SIZE - 1 bytes; returns @out */
const char *kt_quote(const char *text, char out[KT_QUOTE_SIZE]);

/** kt_refuse - KT_CONFIG_ERROR, "FILE:LINE:COLUMN: …"; a column of 0 is left out, a line of 0 too */
int kt_refuse(struct kt_err *err, const char *file, unsigned lineno, unsigned column,
              const char *fmt, ...) KT_PRINTF(5, 6);

/** kt_refuse_as - the same with another status: a file or module that could not be asked about */
int kt_refuse_as(struct kt_err *err, int status, const char *file, unsigned lineno, unsigned column,
                 const char *fmt, ...) KT_PRINTF(6, 7);

#endif
