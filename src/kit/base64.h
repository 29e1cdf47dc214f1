/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYTURN_KIT_BASE64_H
#define KEYTURN_KIT_BASE64_H

#include <stdbool.h>
#include <stddef.h>

/* Base64 in memory of the caller's. Source: RFC 4648, section 4. */

/** kt_base64_encode - returns the length, no NUL is added; @out NULL: only that */
size_t kt_base64_encode(const void *data, size_t len, char *out);

/**
 * kt_base64_decode - false: this is nothing that an encoder writes
 * @out: room for @len / 4 * 3 bytes; may be @text
 */
bool kt_base64_decode(const char *text, size_t len, void *out, size_t *out_len);

#endif
