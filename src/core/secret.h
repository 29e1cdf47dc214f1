/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYTURN_CORE_SECRET_H
#define KEYTURN_CORE_SECRET_H

#include <keyturn/keyturn.h>

/**
 * struct kt_secret - a value and what is known about it
 * @info: its strings and attributes are the secret's own copies
 * @data: @len bytes and a NUL, at the head of the one arena block that holds those copies too
 */
struct kt_secret {
    struct kt_info info;
    size_t len;
    char *data;
};

/**
 * kt_secret_make - a secret that needs nobody else to live: everything is copied
 * @data: @len bytes; may be NULL when @len is 0
 * @info: NULL = nothing known (age -1)
 *
 * Returns KT_SUCCESS, KT_TOO_LARGE (value over KT_VALUE_MAX, attributes over KT_ATTRS_MAX) or
 * KT_NO_MEMORY.
 */
int kt_secret_make(const void *data, size_t len, const struct kt_info *info,
                   struct kt_secret **out) KT_MUST_CHECK;

#endif
