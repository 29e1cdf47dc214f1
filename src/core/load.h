/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYTURN_CORE_LOAD_H
#define KEYTURN_CORE_LOAD_H

#include <keyturn/keyturn.h>
#include <keyturn/module.h>

/**
 * kt_load - map a module and copy its descriptor
 * @path: absolute, without links, looked at by kt_path_open() just before
 * @name: what the service file calls it
 * @out:  a copy, min(its size, ours) bytes long; members that an older module lacks read as NULL
 *
 * RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE: a module is never unloaded. Returns KT_MODULE_ERROR if it
 * cannot be mapped or its descriptor is not what it should be.
 */
int kt_load(const char *path, const char *name, struct kt_module *out,
            struct kt_err *err) KT_MUST_CHECK;

#endif
