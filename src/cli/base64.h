/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYTURN_CLI_BASE64_H
#define KEYTURN_CLI_BASE64_H

#include <stdbool.h>
#include <stddef.h>

/* Values as base64, in memory of the caller's. Source: RFC 4648, section 4. */

/** base64_decode - in place; false: it is none */
bool base64_decode(char *data, size_t *len);

/** base64_encode - returns the length; @out NULL: only that */
size_t base64_encode(const void *data, size_t len, char *out);

#endif
