/* SPDX-License-Identifier: Apache-2.0 */
#include "fault.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int(kt_fault)(struct kt_fault *f, int status, const char *fmt, ...)
{
    va_list ap;

    f->status = status;
    f->told = false;
    va_start(ap, fmt);
    (void)vsnprintf(f->msg, sizeof(f->msg), fmt, ap);
    va_end(ap);
    return status;
}

static int status_of(int err, int otherwise)
{
    switch (err) {
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
        return KT_NO_SPACE;
    case EROFS:
        return KT_READ_ONLY;
    case ENOMEM:
        return KT_NO_MEMORY;
    default:
        return otherwise;
    }
}

int kt_fault_errno(struct kt_fault *f, int otherwise, int err, const char *fmt, ...)
{
    char reason[100];
    size_t n;
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(f->msg, sizeof(f->msg), fmt, ap);
    va_end(ap);
    n = strlen(f->msg);
    (void)snprintf(f->msg + n, sizeof(f->msg) - n, ": %s", strerror_r(err, reason, sizeof(reason)));
    f->status = status_of(err, otherwise);
    f->told = false;
    return f->status;
}

int kt_fault_told(struct kt_fault *f, int status)
{
    f->status = status;
    f->told = true;
    return status;
}

int kt_fault_pause(struct kt_fault *f, const struct kt_host *host, struct kt_call *call, int64_t ms)
{
    const int rc = host->sleep(call, ms);

    return rc == KT_SUCCESS ? rc : kt_fault_told(f, rc);
}
