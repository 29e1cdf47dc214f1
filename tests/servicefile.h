/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYTURN_TESTS_SERVICEFILE_H
#define KEYTURN_TESTS_SERVICEFILE_H

#include "harness.h"

#include "core/service.h"

#define ROWS(table) (int)(sizeof(table) / sizeof((table)[0]))

/** servicefile_put - make service @name of @text in the directory that all of a case's share */
void servicefile_put(const char *name, const char *text);

/** servicefile_dir - that directory; made by the first call, removed with the run */
const char *servicefile_dir(void);

/** servicefile_forget - teardown: the next call makes a new directory */
void servicefile_forget(void);

/** servicefile_read - read @name from there, with the built mock modules */
int servicefile_read(const char *name, struct kt_service **out, struct kt_err *err);

/** servicefile_good - @text is a service; the caller frees it */
struct kt_service *servicefile_good(const char *text);

/** servicefile_bad - @text is refused with KT_CONFIG_ERROR and words in which @says occurs */
void servicefile_bad(const char *text, const char *says);

#endif
