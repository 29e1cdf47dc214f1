/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYTURN_FILE_RECOVERY_H
#define KEYTURN_FILE_RECOVERY_H

#include "seal.h"

/*
 * Recovery codes: 128 random bits and 12 bits of checksum, in base32 without I, L, O and U (Douglas
 * Crockford's, https://www.crockford.com/base32.html), in seven groups of four:
 *
 *     7ZK3-09QX-…
 *
 * What a slot is opened with is the 28 characters alone. Typed, small letters, O for 0 and I or L
 * for 1 will do, dashes and blanks may be anywhere.
 */

#define KT_RECOVERY_SIZE 29       /* with its NUL */
#define KT_RECOVERY_SHOWN_SIZE 35 /* with dashes and NUL */

/** kt_recovery_make - a new code */
int kt_recovery_make(char out[KT_RECOVERY_SIZE], struct kt_fault *f) KT_MUST_CHECK;

/** kt_recovery_show - in groups */
void kt_recovery_show(const char code[KT_RECOVERY_SIZE], char out[KT_RECOVERY_SHOWN_SIZE]);

enum kt_recovery {
    KT_RECOVERY_NONE, /* nothing like a code */
    KT_RECOVERY_TYPO, /* one with a letter wrong, missing or too many */
    KT_RECOVERY_CODE, /* one that may have been made here */
};

/** kt_recovery_read - what was typed, as a code; @out is set on KT_RECOVERY_CODE alone */
enum kt_recovery kt_recovery_read(const char *typed, size_t len, char out[KT_RECOVERY_SIZE]);

#endif
