/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYTURN_KIT_PUT_H
#define KEYTURN_KIT_PUT_H

#include <keyturn/module.h>

/**
 * kt_put_unfit - NULL, or what no store holds that keeps whatever the host may hand it
 * @rc: the status then: KT_TOO_LARGE or KT_INVALID
 */
const char *kt_put_unfit(const char *name, const struct kt_put *put, int *rc);

#endif
