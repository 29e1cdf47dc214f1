/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYTURN_KEYRING_TEXT_H
#define KEYTURN_KEYRING_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * What a keyring holds is text to it: GNOME Keyring writes a keyring without a password as lines, and
 * a newline in a value makes all of them unreadable; a backslash is read as an escape, a leading blank
 * is lost. KeePassXC keeps what XML can hold. So what is not plain is kept as base64, and marked.
 */

/** kt_text_is_plain - can the value be kept as it is? */
bool kt_text_is_plain(const void *data, size_t len);

/** kt_text_encoded_size - bytes of base64 for @len bytes; an empty value is kept as "=" */
size_t kt_text_encoded_size(size_t len);
void kt_text_encode(const void *data, size_t len, char *out);

/**
 * kt_text_decode - the bytes that were encoded
 * @out: room for @len / 4 * 3 bytes, and at least for one
 *
 * False: this is nothing that kt_text_encode() made.
 */
bool kt_text_decode(const char *text, size_t len, void *out, size_t *out_len);

/** kt_text_is_utf8 - valid UTF-8 without NUL */
bool kt_text_is_utf8(const char *text);

/** kt_text_has_controls - has the text a control byte? */
bool kt_text_has_controls(const char *text);

/**
 * kt_text_escape - an attribute's text without control bytes and never empty; NULL: no memory
 *
 * `%` and control bytes become `%` and two hex digits, an empty text `%`.
 */
char *kt_text_escape(const char *text);

/** kt_text_unescape - in place; false: this is nothing that kt_text_escape() made */
bool kt_text_unescape(char *text);

/** kt_text_check - a keyed hash of the value, bound to the version: to see that it was changed */
uint64_t kt_text_check(const char *service, const char *name, const char *id, const void *data,
                       size_t len);

#endif
