/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYTURN_CORE_OPTIONS_H
#define KEYTURN_CORE_OPTIONS_H

#include <keyturn/keyturn.h>
#include <keyturn/module.h>

/** struct kt_word - a word of a service file, with where it stands */
struct kt_word {
    char *text;
    unsigned column; /* of its first byte, from 1 */
    unsigned lineno; /* a logical line may span several */
};

#define KT_DURATION_MAX (10000 * 86400000LL) /* 10,000 days, in ms: sums of some cannot overflow */

/** kt_duration_parse - "500ms", "10s", "5m", "6h", "7d"; KT_SUCCESS or KT_INVALID. "0" needs no unit. */
int kt_duration_parse(const char *text, int64_t *ms) KT_MUST_CHECK;
int kt_size_parse(const char *text, int64_t *bytes) KT_MUST_CHECK;
int kt_number_parse(const char *text, int64_t *number) KT_MUST_CHECK;

/**
 * kt_options_parse - words against a module's or verb's table
 * @where: begins each message, e.g. "/etc/keyturn.d/deepseek:4"; the column is appended where a word
 *         has one (@column not 0), and its own line where a logical line spans several
 * @args:  gets @nargs rows, one per option given or with a default, in the table's order; free with
 *         kt_options_free(). A path that began with `~/` has the home directory there instead.
 *
 * Unknown, repeated or malformed options are KT_CONFIG_ERROR, and the message says what was expected.
 */
int kt_options_parse(const struct kt_option *table, const struct kt_word *words, size_t nwords,
                     const char *where, struct kt_arg **args, size_t *nargs,
                     struct kt_err *err) KT_MUST_CHECK;
void kt_options_free(struct kt_arg *args, size_t nargs);

#endif
