/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYTURN_CORE_JSONTEXT_H
#define KEYTURN_CORE_JSONTEXT_H

#include <stdbool.h>
#include <stddef.h>

/*
 * JSON read where it lies: nothing is copied but what is decoded into the caller's room, so no value
 * is left in memory that nobody wipes. Strict: RFC 8259, UTF-8.
 */

#define KT_JSON_DEPTH_MAX 64

/**
 * struct kt_json - a place in a text; begin with .at and .end set and the rest NULL
 * @at:  what is read next; after a failure the byte that should not be there
 * @why: after a failure, what is wrong there; a constant text
 */
struct kt_json {
    const char *at;
    const char *end;
    const char *why;
};

void kt_json_blanks(struct kt_json *r);

/** kt_json_take - @c, if it is the next byte; not being it is no failure */
bool kt_json_take(struct kt_json *r, char c);

/** kt_json_expect - @c, or a failure because of @why */
bool kt_json_expect(struct kt_json *r, char c, const char *why);

/**
 * kt_json_string - a string, its quotes too
 * @out: gets the content, which is never longer than the text; NULL: only checked
 */
bool kt_json_string(struct kt_json *r, char *out, size_t *out_len);

/** kt_json_value - any value, checked only; blanks on both sides are taken too */
bool kt_json_value(struct kt_json *r, int depth);

/** kt_json_utf8 - length of the well-formed character at @p, 0 if there is none */
size_t kt_json_utf8(const unsigned char *p, const unsigned char *end);

#endif
