/* SPDX-License-Identifier: Apache-2.0 */
#include "err.h"
#include "load.h"
#include "places.h"

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const kinds[] = { "backend", "issuer", "notifier", "auditor" };
static const char *const classes[] = { "hardware",    "cloud", "keyring",
                                       "sealed file", "plain", "memory" };
static const char *const roles[] = { "store", "cache", "agent", "override", "test" };
static const char *const cas[] = { "none", "cooperative", "native" };
static const char *const types[] = { "string", "flag", "number", "duration",
                                     "size",   "path", "choice" };

struct telling {
    void (*loading)(void *cookie, const char *path);
    void (*module)(void *cookie, const struct kt_module_info *info);
    void *cookie;
};

static size_t count_options(const struct kt_option *o)
{
    size_t n = 0;

    while (o != NULL && o[n].name != NULL)
        n++;
    return n;
}

static size_t count_verbs(const struct kt_verb *v)
{
    size_t n = 0;

    while (v != NULL && v[n].name != NULL)
        n++;
    return n;
}

static const char *word(const char *const *words, size_t n, uint32_t i)
{
    return i < n ? words[i] : "unknown";
}

static int tell_loaded(const struct telling *t, const char *path, const struct kt_module *m,
                       struct kt_err *err)
{
    const size_t noptions = count_options(m->options), nverbs = count_verbs(m->verbs);
    struct kt_module_option *rows = calloc(noptions + nverbs + 1, sizeof *rows);
    struct kt_module_info info = {
        .size = sizeof info,
        .path = path,
        .name = m->name,
        .version = m->version,
        .summary = m->summary,
        .kind = word(kinds, 4, m->kind),
        .protection = word(classes, 6, m->protection),
        .cas = word(cas, 3, m->cas),
        .abi = m->abi,
        .capabilities = m->capabilities,
        .value_min = m->value_min,
        .value_max = m->value_max,
        .name_max = m->name_max,
        .options = rows,
        .noptions = noptions,
        .nverbs = nverbs,
        .role = word(roles, 5, m->role),
    };

    if (rows == NULL)
        return kt_fail(err, KT_NO_MEMORY, "out of memory");
    info.verbs = rows + noptions;
    for (size_t i = 0; i < noptions; i++)
        rows[i] = (struct kt_module_option){ m->options[i].name, word(types, 7, m->options[i].type),
                                             m->options[i].def, m->options[i].help };
    for (size_t i = 0; i < nverbs; i++)
        rows[noptions + i] = (struct kt_module_option){ m->verbs[i].name, "", NULL,
                                                        m->verbs[i].help };
    t->module(t->cookie, &info);
    free(rows);
    return KT_SUCCESS;
}

static int look_at(const struct telling *t, const char *dir, const char *name, struct kt_err *err)
{
    struct kt_place place = { .module = NULL };
    char path[PATH_MAX];
    struct kt_module m;
    struct kt_err own;
    int rc = kt_place_look(dir, name, &place, &own);

    if (rc == KT_SUCCESS) {
        if (t->loading != NULL)
            t->loading(t->cookie, place.path);
        rc = kt_load(place.path, name, &m, &own);
    }
    if (rc == KT_SUCCESS) {
        rc = tell_loaded(t, place.path, &m, err);
    } else if (snprintf(path, sizeof path, "%s/%s.so", dir, name) < (int)sizeof path) {
        const struct kt_module_info info = {
            .size = sizeof info, .status = rc, .problem = own.msg, .path = path, .name = name
        };

        t->module(t->cookie, &info);
        rc = KT_SUCCESS;
    }
    kt_place_done(&place);
    return rc;
}

static int is_module(const struct dirent *d)
{
    const size_t n = strlen(d->d_name);

    return n > 3 && strcmp(d->d_name + n - 3, ".so") == 0;
}

int kt_modules(const char *name, const struct kt_open_options *options,
               void (*loading)(void *cookie, const char *path),
               void (*module)(void *cookie, const struct kt_module_info *info), void *cookie,
               struct kt_err *err)
{
    const struct telling t = { loading, module, cookie };
    struct dirent **found = NULL;
    bool any = false;
    const char *dir;
    int n, rc = kt_module_dir(options, &dir, err);

    if (rc != KT_SUCCESS)
        return rc;
    n = scandir(dir, &found, is_module, alphasort);
    if (n < 0)
        return kt_fail(err, KT_UNAVAILABLE, "cannot read the module directory '%s': %m", dir);
    for (int i = 0; i < n; i++) {
        found[i]->d_name[strlen(found[i]->d_name) - strlen(".so")] = '\0';
        if (rc == KT_SUCCESS && (name == NULL || strcmp(name, found[i]->d_name) == 0)) {
            rc = look_at(&t, dir, found[i]->d_name, err);
            any = true;
        }
        free(found[i]);
    }
    free(found);
    if (rc == KT_SUCCESS && name != NULL && !any)
        return kt_fail(err, KT_NOT_FOUND, "no module '%s' is installed in '%s'", name, dir);
    return rc;
}
