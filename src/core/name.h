/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYTURN_CORE_NAME_H
#define KEYTURN_CORE_NAME_H

#include <keyturn/keyturn.h>

/** kt_name_is_ours - begins with `.keyturn/`, or is `.keyturn` */
bool kt_name_is_ours(const char *name);

/** kt_name_for_program - kt_name_check(), and refuses ours: KT_INVALID */
int kt_name_for_program(const char *name, struct kt_err *err);

/** kt_name_has_prefix - @prefix (a name, or NULL: everything) covers whole leading parts of @name */
bool kt_name_has_prefix(const char *name, const char *prefix);

/** kt_service_name_check - `[a-z0-9_-]{1,64}` */
int kt_service_name_check(const char *name, struct kt_err *err);

/** kt_pattern_check - parts of name characters and `*` (within a part) or a whole part `**` */
int kt_pattern_check(const char *pattern, struct kt_err *err);

/** kt_pattern_match - `*` matches within a part, a `**` part matches any number of parts, none too.
 * Bounded: takes time of at most |pattern| * |name|. */
bool kt_pattern_match(const char *pattern, const char *name);

#endif
