/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYTURN_CORE_PLACES_H
#define KEYTURN_CORE_PLACES_H

#include "service.h"

/**
 * kt_module_dir - where modules are installed, or where @options say
 *
 * KT_CONFIG_ERROR: options->module_dir is relative, or the process is privileged.
 */
int kt_module_dir(const struct kt_open_options *options, const char **dir,
                  struct kt_err *err) KT_MUST_CHECK;

/**
 * kt_place_look - look at an installed module without loading it
 * @dir:    of kt_module_dir()
 * @module: its name, `[a-z0-9_-]{1,64}`
 * @out:    released with kt_place_done()
 *
 * KT_NOT_FOUND: not installed. KT_MODULE_ERROR: no module, or of another ABI. KT_CONFIG_ERROR: not
 * rightly owned, or not for privileged processes. KT_DENIED, KT_UNAVAILABLE: could not be read.
 */
int kt_place_look(const char *dir, const char *module, struct kt_place *out,
                  struct kt_err *err) KT_MUST_CHECK;
void kt_place_done(struct kt_place *p);

/** kt_places_find - look at each module that the service's lines name, once, and fill line->place */
int kt_places_find(struct kt_service *s, const struct kt_open_options *options,
                   struct kt_err *err) KT_MUST_CHECK;

#endif
