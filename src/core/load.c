/* SPDX-License-Identifier: Apache-2.0 */
#include "load.h"

#include "err.h"

#include <dlfcn.h>
#include <string.h>

static const char *shortcoming(const struct kt_module *m, const char *name)
{
    if (m->size < offsetof(struct kt_module, get))
        return "its descriptor is too short";
    if (m->name == NULL || strcmp(m->name, name) != 0)
        return "its descriptor bears another name than its file";
    if (m->open == NULL || m->close == NULL)
        return "it has no open or no close";
    if (m->kind == KT_KIND_BACKEND && m->get == NULL)
        return "it is a backend without get";
    if (m->kind == KT_KIND_BACKEND && (m->name_max == 0 || m->value_max == 0))
        return "its descriptor does not say how much it takes";
    return NULL;
}

int kt_load(const char *path, const char *name, struct kt_module *out, struct kt_err *err)
{
    struct kt_module m = { 0 };
    const struct kt_module *theirs;
    const char *why;
    void *dl = dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);

    if (dl == NULL)
        return kt_fail(err, KT_MODULE_ERROR, "cannot load '%s': %s", path, dlerror());
    theirs = dlsym(dl, "kt_module");
    if (theirs == NULL)
        return kt_fail(err, KT_MODULE_ERROR, "'%s' has no symbol kt_module", path);
    if (theirs->abi != KT_MODULE_ABI)
        return kt_fail(err, KT_MODULE_ERROR, "'%s' has module ABI %u, this library %u: rebuild it",
                       path, theirs->abi, KT_MODULE_ABI);
    memcpy(&m, theirs, theirs->size < sizeof m ? theirs->size : sizeof m);
    why = shortcoming(&m, name);
    if (why != NULL)
        return kt_fail(err, KT_MODULE_ERROR, "'%s' is no usable module: %s", path, why);
    *out = m;
    return KT_SUCCESS;
}
