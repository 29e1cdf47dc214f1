/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYTURN_ENV_SIGHTING_H
#define KEYTURN_ENV_SIGHTING_H

#include <keyturn/types.h>

/**
 * sighting_id - version id of a value seen in a variable: `env:N`
 *
 * N counts, within the process and over all lines and handles, how often the variable was seen with
 * another value than before; so an id never stands for two values. Only a keyed hash of the value
 * is remembered. Thread-safe, also over fork(). False: out of memory.
 */
bool sighting_id(const char *variable, const char *data, size_t len, char id[KT_ID_SIZE]);

#endif
