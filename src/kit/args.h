/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYTURN_KIT_ARGS_H
#define KEYTURN_KIT_ARGS_H

#include <keyturn/module.h>

#include <string.h>

/** kt_arg_find - an option that was given or has a default; NULL */
static inline const struct kt_arg *kt_arg_find(const struct kt_arg *args, size_t nargs,
                                               const char *name)
{
    for (size_t i = 0; i < nargs; i++)
        if (strcmp(args[i].name, name) == 0)
            return &args[i];
    return NULL;
}

#endif
