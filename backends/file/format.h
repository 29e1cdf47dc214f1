/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYTURN_FILE_FORMAT_H
#define KEYTURN_FILE_FORMAT_H

#include "conn.h"

/**
 * kt_format_upgrade - in a write transaction: see that the store has today's format
 *
 * An older one is brought there, and that committed before the transaction goes on as a new one:
 * whoever is killed leaves the old format or the new. KT_UNSUPPORTED: another process brought it to
 * a newer one.
 */
int kt_format_upgrade(struct kt_conn *c, struct kt_fault *f) KT_MUST_CHECK;

#endif
