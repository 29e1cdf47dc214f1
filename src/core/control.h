/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYTURN_CORE_CONTROL_H
#define KEYTURN_CORE_CONTROL_H

#include "service.h"

/**
 * kt_control_parse - a control word or bracket
 * @form: KT_WORD_* bits: a bracket came without its brackets, which @out->text has again
 *
 * Keywords: required requisite sufficient optional binding fallback front. In a bracket, pairs
 * `status=action`: a later pair overwrites an earlier one, `default` fills what is unset when it
 * is read, what is unset at the end is bad. KT_SUCCESS or KT_CONFIG_ERROR.
 * Source: pam.conf(5), DESIGN 4 (D3, D4, D6).
 */
int kt_control_parse(const char *file, const struct kt_word *word, unsigned form,
                     struct kt_control *out, struct kt_err *err) KT_MUST_CHECK;

/** kt_control_check_jumps - every jump of the stack lands on a unit of its level, or at its end */
int kt_control_check_jumps(const struct kt_stack *stack, struct kt_err *err) KT_MUST_CHECK;

/** kt_control_demands - `required` or `requisite`: what fails here fails the stack */
bool kt_control_demands(const struct kt_control *c);

#endif
