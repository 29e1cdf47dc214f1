/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYTURN_CORE_TALE_H
#define KEYTURN_CORE_TALE_H

#include "call.h"
#include "dispatch.h"

/** struct kt_tale - the words of the failure that will be a stack's answer, if a failure is */
struct kt_tale {
    int told; /* how telling @err is; -1 = nothing kept */
    struct kt_err err;
};

void kt_tale_start(struct kt_tale *tale);

/** kt_tale_keep - a line ended with @status, and the stack took @action */
void kt_tale_keep(struct kt_tale *tale, const struct kt_call *call, const char *name,
                  const struct kt_run *run, int status, int action);

/** kt_tale_tell - explain a stack's answer, a failure; returns @status */
int kt_tale_tell(const struct kt_tale *tale, const char *name, const char *service, int status,
                 struct kt_err *err);

#endif
