/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYTURN_CORE_SETTLE_H
#define KEYTURN_CORE_SETTLE_H

#include "service.h"

/**
 * kt_settle - which lines name one store, who the authority is, and do the ages hold
 *
 * Works on lines that kt_places_find() has placed. Source: DESIGN 1 and 4.
 */
int kt_settle(struct kt_service *s, struct kt_err *err) KT_MUST_CHECK;

/** kt_line_probe - the numbers of the line's module; NULL if it is not installed */
const struct kt_probe *kt_line_probe(const struct kt_service *s, const struct kt_line *line);

/** kt_line_role - of its module; one that is not installed counts as a store */
enum kt_role kt_line_role(const struct kt_service *s, const struct kt_line *line);

#endif
