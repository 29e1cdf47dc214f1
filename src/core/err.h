/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYTURN_CORE_ERR_H
#define KEYTURN_CORE_ERR_H

#include <stdarg.h>

#include <keyturn/keyturn.h>

/** kt_fail - fill @err (NULL is allowed) and return @status; control bytes become '?', a text that is
 * too long ends in "...". The arguments may quote @err's own message. errno is kept. */
int kt_fail(struct kt_err *err, int status, const char *fmt, ...) KT_PRINTF(3, 4);
/* Also a macro, so that who reads one file alone, as analyzers do, sees what is returned. */
#define kt_fail(err, status, ...) ((void)(kt_fail)(err, status, __VA_ARGS__), (status))
int kt_vfail(struct kt_err *err, int status, const char *fmt, va_list ap) KT_PRINTF(3, 0);

/** kt_fail_errno - as kt_fail, with the text of errno and the status that fits it:
 * ENOENT not_found (callers that mean "could not ask" say unavailable themselves), EACCES and EPERM
 * denied, ENOSPC and EDQUOT no_space, EROFS read_only, ENOMEM no_memory, others unavailable */
int kt_fail_errno(struct kt_err *err, const char *fmt, ...) KT_PRINTF(2, 3);

#endif
