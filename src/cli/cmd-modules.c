/* SPDX-License-Identifier: Apache-2.0 */
#include "told.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Records of the child, in this order for each module. */
enum { LOADING = 'l', MODULE = 'm', OPTION = 'o', VERB = 'v' };

struct modules {
    const struct cli *cli;
    const char *name; /* NULL = all */
    int fd;           /* in the child */
    char *loading;    /* path that the child was last heard to load */
    struct told *told;
    size_t ntold;
};

/* ---- in the child ---- */

static void send_loading(void *cookie, const char *path)
{
    child_send(((struct modules *)cookie)->fd, LOADING, &path, 1);
}

static void send_module(void *cookie, const struct kt_module_info *m)
{
    const struct modules *ms = cookie;
    char status[16], abi[16], caps[32], value_min[32], value_max[32], name_max[32];

    (void)snprintf(status, sizeof(status), "%d", m->status);
    (void)snprintf(abi, sizeof(abi), "%u", m->abi);
    (void)snprintf(caps, sizeof(caps), "%llu", (unsigned long long)m->capabilities);
    (void)snprintf(value_min, sizeof(value_min), "%llu", (unsigned long long)m->value_min);
    (void)snprintf(value_max, sizeof(value_max), "%llu", (unsigned long long)m->value_max);
    (void)snprintf(name_max, sizeof(name_max), "%llu", (unsigned long long)m->name_max);
    child_send(ms->fd, MODULE,
               (const char *[]){ status, m->problem, m->path, m->name, m->version, m->summary,
                                 m->kind, m->protection, m->cas, abi, caps, value_min, value_max,
                                 name_max },
               F_COUNT);
    for (size_t i = 0; i < m->noptions; i++)
        child_send(ms->fd, OPTION,
                   (const char *[]){ m->options[i].name, m->options[i].type, m->options[i].def,
                                     m->options[i].help },
                   4);
    for (size_t i = 0; i < m->nverbs; i++)
        child_send(ms->fd, VERB,
                   (const char *[]){ m->verbs[i].name, m->verbs[i].synopsis, m->verbs[i].help }, 3);
}

static int body(int fd, void *cookie, struct kt_err *err)
{
    struct modules *ms = cookie;
    struct kt_open_options options;

    ms->fd = fd;
    session_options(ms->cli, &options);
    return kt_modules(ms->name, &options, send_loading, send_module, ms, err);
}

/* ---- here ---- */

static char *copy_of(const char *text)
{
    return text != NULL ? strdup(text) : NULL;
}

static struct told *add(struct modules *ms)
{
    struct told *grown = reallocarray(ms->told, ms->ntold + 1, sizeof(*ms->told));

    if (grown == NULL)
        return NULL;
    ms->told = grown;
    ms->told[ms->ntold] = (struct told){ 0 };
    return &ms->told[ms->ntold++];
}

static void clear(struct modules *ms)
{
    for (size_t i = 0; i < ms->ntold; i++)
        told_free(&ms->told[i]);
    free(ms->told);
    free(ms->loading);
    ms->told = NULL;
    ms->ntold = 0;
    ms->loading = NULL;
}

static void take_record(void *cookie, char kind, const char *const *fields)
{
    struct modules *ms = cookie;
    struct told *m = kind == MODULE ? add(ms) : ms->ntold > 0 ? &ms->told[ms->ntold - 1] : NULL;

    if (kind == LOADING) {
        free(ms->loading);
        ms->loading = copy_of(fields[0]);
    } else if (m != NULL && kind == MODULE) {
        for (size_t i = 0; i < F_COUNT; i++)
            m->text[i] = copy_of(fields[i]);
    } else if (m != NULL && kind == OPTION && m->noptions < TOLD_MAX) {
        for (size_t i = 0; i < 4; i++)
            m->option[m->noptions][i] = copy_of(fields[i]);
        m->noptions++;
    } else if (m != NULL && kind == VERB && m->nverbs < TOLD_MAX) {
        for (size_t i = 0; i < 3; i++)
            m->verb[m->nverbs][i] = copy_of(fields[i]);
        m->nverbs++;
    }
}

/* A module that took its child along becomes a row like the others. */
static void add_dead(struct modules *ms, const char *path, int status, const char *how)
{
    struct told *m = add(ms);
    char *problem = NULL, *number = NULL;

    if (m == NULL || asprintf(&problem, "%s when it was loaded", how) < 0 ||
        asprintf(&number, "%d", status) < 0)
        return;
    m->text[F_STATUS] = number;
    m->text[F_PROBLEM] = problem;
    m->text[F_PATH] = copy_of(path);
}

static int is_module(const struct dirent *d)
{
    const char *dot = strrchr(d->d_name, '.');

    return dot != NULL && dot != d->d_name && strcmp(dot, ".so") == 0;
}

/* Each in a child of its own, so that the one that dies takes no other's row along. */
static int one_by_one(struct modules *ms, const char *folder, struct kt_err *err)
{
    struct dirent **files = NULL;
    int n = scandir(folder, &files, is_module, alphasort), status = KT_SUCCESS;

    if (n < 0) {
        err->status = KT_UNAVAILABLE;
        (void)snprintf(err->msg, sizeof(err->msg), "%s: %s", folder, strerror(errno));
        return err->status;
    }
    for (int i = 0; i < n; i++) {
        struct child_end end;
        char *path = NULL;

        if (status == KT_SUCCESS && asprintf(&path, "%s/%s", folder, files[i]->d_name) >= 0) {
            files[i]->d_name[strlen(files[i]->d_name) - 3] = '\0';
            ms->name = files[i]->d_name;
            status = child_run(ms->cli, 0, body, take_record, ms, &end, err);
            if (end.died) {
                add_dead(ms, path, status, end.how);
                status = KT_SUCCESS;
            }
        }
        free(path);
        free(files[i]);
    }
    free(files);
    return status;
}

static int collect(struct modules *ms, struct kt_err *err)
{
    struct child_end end;
    int status = child_run(ms->cli, 0, body, take_record, ms, &end, err);
    char *path, *slash;

    if (!end.died || ms->loading == NULL)
        return status;
    path = ms->loading;
    ms->loading = NULL;
    if (ms->name != NULL) {
        add_dead(ms, path, status, end.how);
        status = KT_SUCCESS;
    } else {
        clear(ms);
        slash = strrchr(path, '/');
        if (slash != NULL)
            *slash = '\0';
        status = one_by_one(ms, path, err);
        ms->name = NULL;
    }
    free(path);
    return status;
}

static const char *file_name(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash != NULL ? slash + 1 : path;
}

static void put_table(const struct modules *ms)
{
    static const char *const heads[] = {
        "NAME", "KIND", "CLASS", "CAS", "VERSION", "STATUS", "PATH"
    };
    struct table *t = table_new(heads, 7);

    table_shade(t, 5, shade_status);
    for (size_t i = 0; i < ms->ntold; i++) {
        const struct told *m = &ms->told[i];

        if (told_status(m) == KT_SUCCESS)
            table_row(t, (const char *[]){ m->text[F_NAME], m->text[F_KIND], m->text[F_PROTECTION],
                                           m->text[F_CAS], m->text[F_VERSION], "ok",
                                           m->text[F_PATH] });
        else /* what is wrong instead of where: the message tells that, too */
            table_row(t, (const char *[]){ file_name(told_text(m, F_PATH)), NULL, NULL, NULL, NULL,
                                           kt_status_name(told_status(m)), m->text[F_PROBLEM] });
    }
    table_print(t, isatty(STDOUT_FILENO));
}

static int put(const struct modules *ms)
{
    if (ms->cli->json) {
        for (size_t i = 0; i < ms->ntold; i++)
            told_json(&ms->told[i]);
    } else if (ms->name == NULL) {
        put_table(ms);
        return 0;
    }
    for (size_t i = 0; i < ms->ntold && ms->name != NULL; i++) {
        const struct told *m = &ms->told[i];

        if (told_status(m) != KT_SUCCESS)
            return fail_status(ms->cli, told_status(m), ms->name, "%s", told_text(m, F_PROBLEM));
        if (!ms->cli->json)
            told_details(m);
    }
    return 0;
}

static int run(const struct cli *cli)
{
    struct modules ms = { .cli = cli, .name = cli->argc > 0 ? cli->argv[0] : NULL };
    struct kt_err err;
    int rc;

    if (collect(&ms, &err) == KT_SUCCESS)
        rc = put(&ms);
    else
        rc = fail_err(cli, ms.name, &err);
    clear(&ms);
    return rc;
}

const struct cmd cmd_modules = {
    .name = "modules",
    .synopsis = "[NAME]",
    .help = "what is installed; of NAME all: capabilities, limits, options, verbs",
    .max = 1,
    .run = run,
};
