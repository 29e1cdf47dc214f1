/* SPDX-License-Identifier: Apache-2.0 */
#include "doctor.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MODULE 'm'
#define LINE 'p'

/** struct installed - a module, as its child tells of it */
struct installed {
    const struct doctor *d;
    const char *name;
    int fd; /* in the child */
    int status;
    bool viable; /* it has that verb */
    struct said problem;
    struct said said;
};

/* ---- in the child ---- */

static void send_module(void *cookie, const struct kt_module_info *m)
{
    struct installed *in = cookie;
    char status[16], what[300] = "";

    in->status = m->status;
    for (size_t i = 0; m->status == KT_SUCCESS && i < m->nverbs; i++)
        in->viable |= strcmp(m->verbs[i].name, "viable") == 0;
    if (m->status == KT_SUCCESS)
        (void)snprintf(what, sizeof(what), "%s: %s", m->version != NULL ? m->version : "",
                       m->summary != NULL ? m->summary : "");
    (void)snprintf(status, sizeof(status), "%d", m->status);
    child_send(in->fd, MODULE,
               (const char *[]){ status, m->status == KT_SUCCESS ? what : m->problem }, 2);
}

static void send_line(void *cookie, const char *text)
{
    child_send(((const struct installed *)cookie)->fd, LINE, &text, 1);
}

static int body(int fd, void *cookie, struct kt_err *err)
{
    struct installed *in = cookie;
    struct kt_open_options options;
    const struct kt_call_options call = doctor_call(in->d);
    int rc;

    in->fd = fd;
    doctor_options(in->d, &options);
    rc = kt_modules(in->name, &options, NULL, send_module, in, err);
    /* of those in use, the lines tell */
    if (rc != KT_SUCCESS || !in->viable || doctor_is_used(in->d, in->name))
        return rc;
    return kt_module_run(NULL, &options, in->name, "viable", 0, NULL, &call, send_line, in, err);
}

/* ---- here ---- */

static void take_record(void *cookie, char kind, const char *const *fields)
{
    struct installed *in = cookie;

    if (kind == MODULE && fields[0] != NULL) {
        in->status = atoi(fields[0]);
        said_line(&in->problem, fields[1] != NULL ? fields[1] : "");
    } else if (kind == LINE && fields[0] != NULL) {
        said_line(&in->said, fields[0]);
    }
}

static void look_at(struct doctor *d, const char *name)
{
    struct installed in = { .d = d, .name = name };
    const bool used = doctor_is_used(d, name);
    struct child_end end;
    struct kt_err err;
    const int status = doctor_child(d, body, take_record, &in, &end, &err);

    if (end.died)
        doctor_tell(d, used ? WRONG : ODD, "module", name, status, NULL, "the module %s", end.how);
    else if (in.status != KT_SUCCESS)
        doctor_tell(d, used ? WRONG : ODD, "module", name, in.status,
                    doctor_remedy(d, &in.said, in.status, in.problem.text), "%s", in.problem.text);
    else if (used)
        doctor_tell(d, FINE, "module", name, KT_SUCCESS, NULL, "%s", in.problem.text);
    else if (status == KT_SUCCESS)
        doctor_tell(d, FINE, "module", name, status, NULL, "not in use here; %s",
                    in.said.text[0] != '\0' ? in.said.text : in.problem.text);
    else /* nobody needs it: no fault, but it is to be known why it would not work */
        doctor_tell(d, FINE, "module", name, status, doctor_remedy(d, &in.said, status, err.msg),
                    "not in use here; would be %s: %s%s%s", kt_status_name(status), err.msg,
                    in.said.text[0] != '\0' ? "; " : "", in.said.text);
}

static int is_module(const struct dirent *e)
{
    const size_t n = strlen(e->d_name);

    return n > 3 && strcmp(e->d_name + n - 3, ".so") == 0;
}

void doctor_modules(struct doctor *d)
{
    const char *dir = d->cli->module_dir != NULL ? d->cli->module_dir : KT_MODULE_DIR;
    struct dirent **files = NULL;
    const int n = scandir(dir, &files, is_module, alphasort);

    if (n < 0)
        doctor_tell(d, WRONG, "module", dir, KT_UNAVAILABLE, NULL, "cannot be read: %s",
                    strerror(errno));
    if (n == 0)
        doctor_tell(d, WRONG, "module", dir, KT_NOT_FOUND, NULL, "no module is installed in it");
    for (int i = 0; i < n; i++) {
        files[i]->d_name[strlen(files[i]->d_name) - 3] = '\0';
        look_at(d, files[i]->d_name);
        free(files[i]);
    }
    free(files);
}
