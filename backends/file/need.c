/* SPDX-License-Identifier: Apache-2.0 */
#include "unlock.h"

#include <string.h>

/** struct need - this thread fetches something that is to open the store at @path */
struct need {
    const char *path;
    const struct need *outer;
};

static _Thread_local const struct need *needs;

int kt_need_check(const char *path, struct kt_fault *f)
{
    for (const struct need *n = needs; n != NULL; n = n->outer)
        if (strcmp(n->path, path) == 0)
            return kt_fault(f, KT_CONFIG_ERROR,
                            "what is to open %s needs %s itself: a cycle of secret= slots", path,
                            path);
    return KT_SUCCESS;
}

int kt_need_get(const struct kt_unlock *u, const char *where, void **data, size_t *len,
                struct kt_fault *f)
{
    const struct need mine = { u->path, needs };
    int rc;

    needs = &mine;
    rc = u->host->get_secret(u->call, where, data, len);
    needs = mine.outer;
    return rc == KT_SUCCESS ? rc : kt_fault_told(f, rc);
}

int kt_need_put(const struct kt_unlock *u, const char *where, const void *data, size_t len,
                struct kt_fault *f)
{
    const struct need mine = { u->path, needs };
    int rc;

    needs = &mine;
    rc = u->host->put_secret(u->call, where, data, len);
    needs = mine.outer;
    return rc == KT_SUCCESS ? rc : kt_fault_told(f, rc);
}
