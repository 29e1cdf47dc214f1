/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYTURN_CORE_NAMEMAP_H
#define KEYTURN_CORE_NAMEMAP_H

#include "service.h"

#include <keyturn/module.h>

/* Bytes of a store's own name for a secret, NUL counted: every byte of ours escaped, in a template. */
#define KT_PLACE_SIZE (KT_NAME_MAX * 4 + 256)

/**
 * kt_name_to_store - what the store behind a line calls @name
 *
 * `name=` if the line has it (%n whole, %b last part), else the module's default naming. A record of
 * ours (`.keyturn/…`) on a line whose template has no % stands beside the secret, under a suffix.
 * KT_SUCCESS; KT_TOO_LARGE: longer than the store takes.
 * Source: DESIGN 4, "name=".
 */
int kt_name_to_store(const struct kt_line *line, const struct kt_module *ops, const char *name,
                     char out[KT_PLACE_SIZE], struct kt_err *err) KT_MUST_CHECK;

/**
 * kt_name_from_store - the other way, for lists
 *
 * KT_SUCCESS; KT_IGNORE: none of this line's; KT_INVALID: a foreign name, listed as it is, marked.
 */
int kt_name_from_store(const struct kt_line *line, const struct kt_module *ops, const char *place,
                       char out[KT_NAME_MAX + 1]) KT_MUST_CHECK;

/** kt_name_is_listable - can a list be translated back? Not with %b, nor without a %. */
bool kt_name_is_listable(const struct kt_line *line);

#endif
