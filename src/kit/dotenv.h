/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYTURN_KIT_DOTENV_H
#define KEYTURN_KIT_DOTENV_H

#include <keyturn/types.h>

/*
 * The text of a `.env` file: what the usual readers (Node's dotenv, python-dotenv, Compose, a
 * shell) agree on.
 *
 *   - blank lines, and lines whose first character that is no blank is `#`, say nothing
 *   - an assignment is `KEY=value`, with `export ` before it at will and blanks around the `=`;
 *     KEY is [A-Za-z_][A-Za-z0-9_.-]*; the last assignment to a key counts
 *   - a bare value goes to the end of the line, or to a blank followed by `#`; blanks around it do
 *     not count, everything else stands for itself
 *   - '…' holds anything but a single quote and may span lines
 *   - "…" may span lines; \n \r \t \" \\ \$ are escapes, other backslashes stand for themselves
 *   - after a closing quote only blanks and a comment may follow
 *   - lines end in LF or CR LF; nothing is expanded: `$` stands for itself
 *
 * Anything else, a NUL byte too, is malformed.
 */

/**
 * struct kt_dotenv - a place in a file's text; begin with .text and .len set and the rest 0
 * @line:   number of the line that the last answer is about, from 1
 * @column: of what is malformed in it, in bytes from 1, or where the value begins that does not end
 * @why:    what is wrong there; a constant text
 */
struct kt_dotenv {
    const char *text;
    size_t len;
    size_t pos;
    size_t line;
    size_t next_line;
    size_t column;
    const char *why;
};

/**
 * struct kt_dotenv_entry - one assignment; points into the text
 * @begin, @end: its lines, from the first byte to past the newline
 * @raw:         the value without its quotes, escapes as written
 * @quote:       0, ' or "
 */
struct kt_dotenv_entry {
    size_t begin;
    size_t end;
    const char *key;
    size_t key_len;
    const char *raw;
    size_t raw_len;
    char quote;
};

/** kt_dotenv_next - the next one: KT_SUCCESS; KT_NOT_FOUND: no more; KT_CORRUPT: malformed */
int kt_dotenv_next(struct kt_dotenv *d, struct kt_dotenv_entry *out) KT_MUST_CHECK;

/** kt_dotenv_is - is it an assignment to @key? */
bool kt_dotenv_is(const struct kt_dotenv_entry *e, const char *key);

/** kt_dotenv_find - the last assignment to @key, which is the one that counts */
bool kt_dotenv_find(const char *text, size_t len, const char *key, struct kt_dotenv_entry *out);

/** kt_dotenv_value - write the value to @out, which has room for @e->raw_len bytes; its length */
size_t kt_dotenv_value(const struct kt_dotenv_entry *e, char *out);

/**
 * kt_dotenv_edit - @old with @key's assignments taken away but for the last, whose value becomes @data
 * @old:  well-formed; its other lines, comments and order stay
 * @data: @len bytes, no NUL among them; NULL: all assignments go
 * @out:  room for kt_dotenv_edit_room() bytes, which are counted in @out_len
 *
 * KT_NOT_FOUND: nothing to take away; nothing is in @out.
 */
int kt_dotenv_edit(const char *old, size_t old_len, const char *key, const char *data, size_t len,
                   char *out, size_t *out_len) KT_MUST_CHECK;
size_t kt_dotenv_edit_room(size_t old_len, const char *key, const char *data, size_t len);

/** kt_dotenv_is_key - can it be a variable of the environment? [A-Za-z_][A-Za-z0-9_]* */
bool kt_dotenv_is_key(const char *name);

/**
 * kt_dotenv_format - the line that assigns @data, its newline included
 * @data: @len bytes, no NUL among them
 * @out:  NULL to learn the length only
 *
 * Returns the line's length. Reading it back gives the same bytes; values that a shell or another
 * reader might change are quoted.
 */
size_t kt_dotenv_format(const char *key, const char *data, size_t len, char *out);

#endif
