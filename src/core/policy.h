/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYTURN_CORE_POLICY_H
#define KEYTURN_CORE_POLICY_H

#include "service.h"

/**
 * kt_policies_parse - make s->policies of the policy lines, and check that their sums hold
 *
 * Works on a settled service: the sums need its authority and the ages of its read lines.
 */
int kt_policies_parse(struct kt_service *s, struct kt_err *err) KT_MUST_CHECK;

/** kt_duration_print - "21d", "90m", "1500ms": the largest unit that divides it; returns @out */
const char *kt_duration_print(int64_t ms, char out[24]);

#endif
