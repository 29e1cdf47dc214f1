/* SPDX-License-Identifier: Apache-2.0 */
#include "places.h"

#include "err.h"
#include "path.h"
#include "words.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DESCRIPTOR_MAX 65536 /* bytes: members are appended, but not that many */

static const char *const kinds[] = {
    [KT_KIND_BACKEND] = "a backend",
    [KT_KIND_ISSUER] = "an issuer",
    [KT_KIND_NOTIFIER] = "a notifier",
    [KT_KIND_AUDITOR] = "an auditor",
};

static const enum kt_kind kind_of[] = {
    [KT_READ] = KT_KIND_BACKEND,    [KT_WRITE] = KT_KIND_BACKEND, [KT_ISSUER] = KT_KIND_ISSUER,
    [KT_NOTIFY] = KT_KIND_NOTIFIER, [KT_AUDIT] = KT_KIND_AUDITOR,
};

int kt_module_dir(const struct kt_open_options *options, const char **dir, struct kt_err *err)
{
    const char *given = options != NULL ? options->module_dir : NULL;

    if (given != NULL && kt_privileged())
        return kt_fail(err, KT_CONFIG_ERROR,
                       "a privileged process loads modules from %s only, not from '%s'",
                       KT_MODULE_DIR, given);
    if (given != NULL && given[0] != '/')
        return kt_fail(err, KT_CONFIG_ERROR,
                       "the module directory is '%s': expected a path that begins with /", given);
    *dir = given != NULL ? given : KT_MODULE_DIR;
    return KT_SUCCESS;
}

static int check_probe(const struct kt_probe *p, const char *path, struct kt_err *err)
{
    if (p->abi != KT_MODULE_ABI)
        return kt_fail(err, KT_MODULE_ERROR,
                       "'%s' has module ABI %u, this library has %u: rebuild the module", path,
                       p->abi, KT_MODULE_ABI);
    if (p->size < offsetof(struct kt_module, get) || p->size > DESCRIPTOR_MAX)
        return kt_fail(err, KT_MODULE_ERROR,
                       "'%s' has a descriptor of %u bytes, expected %zu to %d: rebuild the module",
                       path, p->size, offsetof(struct kt_module, get), DESCRIPTOR_MAX);
    if (p->kind > KT_KIND_AUDITOR || p->role > KT_ROLE_TEST || p->protection > KT_CLASS_MEMORY ||
        p->cas > KT_CAS_NATIVE || p->naming > KT_NAMING_UNDERSCORE)
        return kt_fail(err, KT_MODULE_ERROR,
                       "'%s' says kind %u, role %u, protection %u, cas %u, naming %u, "
                       "which is more than this library knows: rebuild the module",
                       path, p->kind, p->role, p->protection, p->cas, p->naming);
    if ((p->capabilities & KT_CAP_USER_ONLY) != 0 && kt_privileged())
        return kt_fail(err, KT_CONFIG_ERROR, "'%s' is not for privileged processes", path);
    return KT_SUCCESS;
}

int kt_place_look(const char *dir, const char *module, struct kt_place *out, struct kt_err *err)
{
    struct kt_place place = { .module = NULL };
    char path[PATH_MAX], real[PATH_MAX];
    int fd = -1, rc = KT_CONFIG_ERROR;

    if (snprintf(path, sizeof(path), "%s/%s.so", dir, module) >= (int)sizeof(path))
        (void)kt_refuse(err, dir, 0, 0, "too long a path");
    else
        rc = kt_path_open(path, O_RDONLY, &fd, real, err);
    if (rc == KT_NOT_FOUND)
        (void)kt_fail(err, rc, "no module '%s' is installed in %s", module, dir);
    if (rc != KT_SUCCESS)
        return rc;
    rc = kt_probe_file(fd, real, &place.probe, err);
    (void)close(fd);
    if (rc == KT_SUCCESS)
        rc = check_probe(&place.probe, real, err);
    if (rc != KT_SUCCESS)
        return rc;
    place.module = strdup(module);
    place.path = strdup(real);
    if (place.module == NULL || place.path == NULL) {
        kt_place_done(&place);
        return kt_fail(err, KT_NO_MEMORY, "out of memory");
    }
    *out = place;
    return KT_SUCCESS;
}

void kt_place_done(struct kt_place *p)
{
    free(p->module);
    free(p->path);
    *p = (struct kt_place){ .module = NULL };
}

static int find_known(const struct kt_service *s, const char *module)
{
    for (size_t i = 0; i < s->nplaces; i++)
        if (strcmp(s->places[i].module, module) == 0)
            return (int)i;
    return -1;
}

static int find_line(struct kt_service *s, const char *dir, struct kt_line *l, struct kt_err *err)
{
    struct kt_err why = { .status = KT_SUCCESS };
    int rc;

    if (l->module == NULL)
        return KT_SUCCESS;
    l->place = find_known(s, l->module);
    if (l->place < 0) {
        rc = kt_place_look(dir, l->module, &s->places[s->nplaces], &why);
        if (rc == KT_NOT_FOUND && l->absent_ok)
            return KT_SUCCESS;
        if (rc != KT_SUCCESS)
            return kt_refuse_as(err, rc == KT_NOT_FOUND ? KT_CONFIG_ERROR : rc, l->file, l->lineno,
                                l->module_column, "%s", why.msg);
        l->place = (int)s->nplaces++;
    }
    if (s->places[l->place].probe.kind != kind_of[l->facility])
        return kt_refuse(err, l->file, l->lineno, l->module_column,
                         "expected the name of %s on this line, found '%s', which is %s",
                         kinds[kind_of[l->facility]], l->module,
                         kinds[s->places[l->place].probe.kind]);
    return KT_SUCCESS;
}

int kt_places_find(struct kt_service *s, const struct kt_open_options *options, struct kt_err *err)
{
    struct kt_stack *const stacks[] = { &s->read, &s->write, &s->sets };
    const char *dir = NULL;
    int rc = kt_module_dir(options, &dir, err);

    if (rc != KT_SUCCESS)
        return rc;
    s->nplaces = 0;
    s->places = calloc(s->read.n + s->write.n + s->sets.n + 1, sizeof(*s->places));
    if (s->places == NULL)
        return kt_fail(err, KT_NO_MEMORY, "out of memory");
    for (size_t i = 0; i < sizeof(stacks) / sizeof(stacks[0]); i++)
        for (size_t k = 0; k < stacks[i]->n; k++) {
            rc = find_line(s, dir, &stacks[i]->lines[k], err);
            if (rc != KT_SUCCESS)
                return rc;
        }
    return KT_SUCCESS;
}
