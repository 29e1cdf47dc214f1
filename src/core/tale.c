/* SPDX-License-Identifier: Apache-2.0 */
#include "tale.h"

#include "err.h"

#define DECIDED 1000 /* above every tell rank: the first failure that refused the stack */

void kt_tale_start(struct kt_tale *tale)
{
    tale->told = -1;
}

void kt_tale_keep(struct kt_tale *tale, const struct kt_call *call, const char *name,
                  const struct kt_run *run, int status, int action)
{
    const bool decides = (action == KT_DO_BAD || action == KT_DO_DIE) &&
                         run->now.impression == KT_REFUSED && run->now.status == status;
    const int tell = decides ? DECIDED : kt_status_tell(status);

    if (status == KT_SUCCESS || status == KT_IGNORE || tell <= tale->told)
        return;
    tale->told = tell;
    (void)kt_call_explain(call, name, status, &tale->err);
}

int kt_tale_tell(const struct kt_tale *tale, const char *name, const char *service, int status,
                 struct kt_err *err)
{
    if (tale->told >= 0 && tale->err.status == status)
        return kt_fail(err, status, "%s", tale->err.msg);
    if (status == KT_UNSUPPORTED)
        return kt_fail(err, status,
                       "%s: no line of service '%s' takes this on: see keyturn explain %s", name,
                       service, name);
    return kt_fail(err, status, "%s: %s", name, kt_status_meaning(status));
}
