/* SPDX-License-Identifier: Apache-2.0 */
#include "doctor.h"

#include "core/find.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DEFAULT "deepseek"
#define FINDING 'f'
#define LINE 'p'
#define UNLOCKS 'u'

/** struct looking - at a service, or a line of it */
struct looking {
    struct doctor *d;
    struct kt_handle *h;
    size_t index;
    int fd; /* in the child */
    struct said said;
    unsigned told; /* findings of the service file */
};

/* ---- the file ------------------------------------------------------------------------------- */

static void send_finding(void *cookie, const struct kt_finding *f)
{
    const struct looking *l = cookie;
    char level[16], line[16];

    (void)snprintf(level, sizeof(level), "%d", (int)f->level);
    (void)snprintf(line, sizeof(line), "%u", f->line);
    child_send(l->fd, FINDING, (const char *[]){ level, f->file, line, f->text }, 4);
}

static int check_body(int fd, void *cookie, struct kt_err *err)
{
    struct looking *l = cookie;
    struct kt_open_options options;

    l->fd = fd;
    doctor_options(l->d, &options);
    return kt_check(l->d->service, &options, send_finding, l, err);
}

/* The last part of a path, with the line. */
static const char *short_place(const char *file, int line, char *out, size_t size)
{
    const char *slash = strrchr(file, '/');

    if (line > 0)
        (void)snprintf(out, size, "%s:%d", slash != NULL ? slash + 1 : file, line);
    else
        (void)snprintf(out, size, "%s", slash != NULL ? slash + 1 : file);
    return out;
}

static void take_finding(void *cookie, char kind, const char *const *fields)
{
    struct looking *l = cookie;
    enum kt_log_level level;
    char place[300], fix[512];
    const char *text = fields[3];

    if (kind != FINDING || fields[0] == NULL || fields[2] == NULL || text == NULL)
        return;
    level = (enum kt_log_level)atoi(fields[0]);
    if (level != KT_LOG_ERROR && level != KT_LOG_WARNING)
        return;
    l->told++;
    (void)short_place(fields[1] != NULL && fields[1][0] != '\0' ? fields[1] : l->d->service,
                      atoi(fields[2]), place, sizeof(place));
    doctor_tell(l->d, level == KT_LOG_ERROR ? WRONG : ODD, "service", place, KT_CONFIG_ERROR,
                doctor_trust_remedy(text, fix, sizeof(fix)), "%s", text);
}

/* Lint and what opening its modules says; false: it cannot be opened. */
static bool check_file(struct doctor *d, const char *file)
{
    struct looking l = { .d = d };
    struct child_end end;
    struct kt_err err;
    const int status = doctor_child(d, check_body, take_finding, &l, &end, &err);

    if (end.died)
        doctor_tell(d, WRONG, "service", d->service, status, NULL, "a module of %s %s", file,
                    end.how);
    else if (status != KT_SUCCESS && l.told == 0)
        doctor_tell(d, WRONG, "service", d->service, status, NULL, "%s", err.msg);
    else if (l.told == 0)
        doctor_tell(d, FINE, "service", d->service, KT_SUCCESS, NULL, "%s", file);
    return end.died || status == KT_SUCCESS;
}

/* ---- the lines ------------------------------------------------------------------------------ */

static void send_line(void *cookie, const char *text)
{
    child_send(((const struct looking *)cookie)->fd, LINE, &text, 1);
}

static void send_unlocks(void *cookie, const struct kt_module_info *m)
{
    for (size_t i = 0; i < m->nverbs; i++)
        if (strcmp(m->verbs[i].name, "unlock") == 0)
            child_send(((const struct looking *)cookie)->fd, UNLOCKS, NULL, 0);
}

static int line_body(int fd, void *cookie, struct kt_err *err)
{
    struct looking *l = cookie;
    const struct kt_call_options call = doctor_call(l->d);
    struct kt_open_options options;
    struct kt_line_status line;
    int status;

    l->fd = fd;
    status = kt_line_run(l->h, l->index, "viable", &call, send_line, l, &line, err);
    doctor_options(l->d, &options);
    if (status == KT_LOCKED) {
        struct kt_err none;
        const int rc = kt_modules(line.module, &options, NULL, send_unlocks, l, &none);

        (void)rc; /* without it the remedy is less good, no more */
    }
    return status;
}

static void take_line(void *cookie, char kind, const char *const *fields)
{
    struct said *s = &((struct looking *)cookie)->said;

    if (kind == UNLOCKS)
        s->unlocks = true;
    else if (kind == LINE && fields[0] != NULL)
        said_line(s, fields[0]);
}

/* The subject says already which line it is. */
static const char *without_place(const char *text, const struct kt_line_status *line)
{
    char head[600];
    size_t n = strlen(line->file);

    if (strncmp(text, line->file, n) != 0)
        return text;
    (void)snprintf(head, sizeof(head), ": %s: ", line->module);
    text += n;
    return strstr(text, head) != NULL ? strstr(text, head) + strlen(head) : text;
}

static void look_at_line(struct looking *l, const struct kt_line_status *line)
{
    struct child_end end;
    struct kt_err err;
    char place[300], subject[400];
    int status;

    l->said = (struct said){ .text = "" };
    (void)snprintf(subject, sizeof(subject), "%s %s",
                   short_place(line->file, (int)line->line, place, sizeof(place)), line->module);
    doctor_uses(l->d, line->module);
    status = doctor_child(l->d, line_body, take_line, l, &end, &err);
    if (end.died)
        doctor_tell(l->d, WRONG, "line", subject, status, NULL, "the module %s", end.how);
    else if (status == KT_IGNORE)
        doctor_tell(l->d, FINE, "line", subject, KT_SUCCESS, NULL,
                    "the module has no verb 'viable' that could tell");
    else if (status == KT_SUCCESS)
        doctor_tell(l->d, FINE, "line", subject, status, NULL, "%s", l->said.text);
    else
        doctor_tell(l->d, WRONG, "line", subject, status,
                    doctor_remedy(l->d, &l->said, status, err.msg), "%s%s%s",
                    without_place(err.msg, line), l->said.text[0] != '\0' ? "; " : "",
                    l->said.text);
}

static void look_at_lines(struct doctor *d)
{
    struct looking l = { .d = d };
    struct kt_open_options options;
    struct kt_line_status line;
    struct kt_err err;

    doctor_options(d, &options);
    if (kt_open(d->service, &options, &l.h, &err) != KT_SUCCESS)
        return; /* told with the file */
    while (kt_line_run(l.h, l.index, NULL, NULL, NULL, NULL, &line, &err) == KT_SUCCESS) {
        look_at_line(&l, &line);
        l.index++;
    }
    kt_close(l.h);
}

/* ---- which services ------------------------------------------------------------------------- */

static void look_at_service(struct doctor *d, const struct kt_dirs *dirs, const char *service)
{
    char file[PATH_MAX], fix[512];
    struct kt_err err;
    int fd, status;

    d->service = service;
    status = kt_dirs_open(dirs, service, &fd, file, &err);
    if (status == KT_SUCCESS) {
        (void)close(fd);
        if (check_file(d, file))
            look_at_lines(d);
    } else if (status == KT_NOT_FOUND) {
        const bool usual = strcmp(service, DEFAULT) == 0;

        doctor_tell(d, usual ? FINE : ODD, "service", service, usual ? KT_SUCCESS : KT_NOT_FOUND,
                    NULL, "it has no file: the default store is used");
        look_at_lines(d);
    } else {
        doctor_tell(d, WRONG, "service", service, status,
                    doctor_trust_remedy(err.msg, fix, sizeof(fix)), "%s", err.msg);
    }
}

static int is_service(const struct dirent *e)
{
    const size_t n = strspn(e->d_name, "abcdefghijklmnopqrstuvwxyz0123456789_-");

    return n >= 1 && n <= 64 && e->d_name[n] == '\0' && e->d_type != DT_DIR;
}

/* Each name once, the first place that has it counts. */
static void look_at_all(struct doctor *d, const struct kt_dirs *dirs)
{
    char path[PATH_MAX];
    size_t found = 0;

    for (size_t i = 0; i < dirs->n; i++) {
        struct dirent **files = NULL;
        const int n = scandir(dirs->dir[i], &files, is_service, alphasort);

        for (int k = 0; k < n; k++) {
            bool before = false;

            for (size_t b = 0; b < i && !before; b++)
                before = snprintf(path, sizeof(path), "%s/%s", dirs->dir[b], files[k]->d_name) <
                             (int)sizeof(path) &&
                         access(path, F_OK) == 0;
            if (!before) {
                look_at_service(d, dirs, files[k]->d_name);
                found++;
            }
            free(files[k]);
        }
        free(files);
    }
    if (found == 0)
        look_at_service(d, dirs, DEFAULT);
}

void doctor_services(struct doctor *d)
{
    const char *service = d->cli->service != NULL ? d->cli->service : DEFAULT;
    struct kt_open_options options;
    struct kt_dirs dirs;
    struct kt_err err;
    int status;

    doctor_options(d, &options);
    status = kt_dirs_init(&dirs, &options, &err);
    if (status != KT_SUCCESS) {
        doctor_tell(d, WRONG, "service", service, status, NULL, "%s", err.msg);
        return;
    }
    if (args_value(d->cli, "all") != NULL)
        look_at_all(d, &dirs);
    else
        look_at_service(d, &dirs, service);
    d->service = NULL;
    kt_dirs_done(&dirs);
}
