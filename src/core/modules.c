/* SPDX-License-Identifier: Apache-2.0 */
#include "err.h"
#include "load.h"
#include "places.h"

#include <ctype.h>
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

static void fill_options(const struct kt_option *from, size_t n, struct kt_module_option *to)
{
    for (size_t i = 0; i < n; i++)
        to[i] = (struct kt_module_option){
            from[i].name, word(types, 7, (uint32_t)from[i].type & ~(uint32_t)KT_OPTION_OPERAND),
            from[i].def, from[i].help
        };
}

/* "TO [replace] [label=STRING]": the operand comes first. */
static char *synopsis_of(const struct kt_option *options, size_t n)
{
    char *out = NULL;
    size_t size;
    FILE *f = open_memstream(&out, &size);
    const char *blank = "";

    if (f == NULL)
        return NULL;
    for (int operand = 1; operand >= 0; operand--) {
        for (size_t i = 0; i < n; i++) {
            const int type = options[i].type & ~KT_OPTION_OPERAND;

            if (((options[i].type & KT_OPTION_OPERAND) != 0) != (operand != 0))
                continue;
            (void)fputs(blank, f);
            if (operand != 0)
                for (const char *p = options[i].name; *p != '\0'; p++)
                    (void)fputc(toupper((unsigned char)*p), f);
            else if (type == KT_OPTION_FLAG)
                (void)fprintf(f, "[%s]", options[i].name);
            else
                (void)fprintf(f, "[%s=%s]", options[i].name, word(types, 7, (uint32_t)type));
            blank = " ";
        }
    }
    return fclose(f) == 0 ? out : NULL;
}

static void free_verbs(struct kt_module_verb *verbs, size_t n)
{
    for (size_t i = 0; verbs != NULL && i < n; i++) {
        free((char *)verbs[i].synopsis);
        free((void *)verbs[i].options);
    }
    free(verbs);
}

static struct kt_module_verb *verbs_of(const struct kt_module *m, size_t n)
{
    struct kt_module_verb *verbs = calloc(n + 1, sizeof *verbs);

    for (size_t i = 0; verbs != NULL && i < n; i++) {
        const struct kt_verb *v = &m->verbs[i];
        const size_t noptions = count_options(v->options);
        struct kt_module_option *options = calloc(noptions + 1, sizeof *options);

        verbs[i] = (struct kt_module_verb){ v->name, synopsis_of(v->options, noptions), v->help,
                                            options, noptions };
        if (options == NULL || verbs[i].synopsis == NULL) {
            free_verbs(verbs, n);
            return NULL;
        }
        fill_options(v->options, noptions, options);
    }
    return verbs;
}

static int tell_loaded(const struct telling *t, const char *path, const struct kt_module *m,
                       struct kt_err *err)
{
    const size_t noptions = count_options(m->options), nverbs = count_verbs(m->verbs);
    struct kt_module_option *options = calloc(noptions + 1, sizeof *options);
    struct kt_module_verb *verbs = verbs_of(m, nverbs);
    const struct kt_module_info info = {
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
        .options = options,
        .noptions = noptions,
        .verbs = verbs,
        .nverbs = nverbs,
        .role = word(roles, 5, m->role),
    };
    int rc = KT_SUCCESS;

    if (options == NULL || verbs == NULL) {
        rc = kt_fail(err, KT_NO_MEMORY, "out of memory");
    } else {
        fill_options(m->options, noptions, options);
        t->module(t->cookie, &info);
    }
    free(options);
    free_verbs(verbs, nverbs);
    return rc;
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
