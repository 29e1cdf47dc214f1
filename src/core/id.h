/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYTURN_CORE_ID_H
#define KEYTURN_CORE_ID_H

#include <keyturn/keyturn.h>

/** kt_id_make - a UUIDv7 of @wall_ns: 48 bits of ms, 12 bits of the ms's fraction, the rest random
 * (getrandom). Source: RFC 9562, 5.7 and 6.2 method 3. Returns KT_SUCCESS or KT_UNAVAILABLE. */
int kt_id_make(int64_t wall_ns, char id[KT_ID_SIZE], struct kt_err *err) KT_MUST_CHECK;

/** kt_id_is_ours - a UUIDv7 in lower case, 36 characters, version 7, variant 10 */
bool kt_id_is_ours(const char *id);

/** kt_id_check - ours, or `module:ID` of printable ASCII without blanks, at most KT_ID_SIZE - 1 */
int kt_id_check(const char *id, struct kt_err *err);

/** kt_id_ms - the time in a UUIDv7; 0 for any other id */
int64_t kt_id_ms(const char *id);

#endif
