/* SPDX-License-Identifier: Apache-2.0 */
#include "service.h"

#include "control.h"
#include "err.h"
#include "find.h"
#include "line.h"
#include "name.h"
#include "path.h"
#include "places.h"
#include "policy.h"
#include "settle.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define STACK_STEP 16

/**
 * struct reader - a service while its files are read
 * @lines, @bytes: read so far, includes too: what bounds includes of includes
 * @chain:         files that are open now, the service's own first
 */
struct reader {
    struct kt_service *s;
    struct kt_dirs dirs;
    struct kt_err *err;
    size_t lines;
    size_t bytes;
    const char *chain[KT_DEPTH_MAX + 1];
    unsigned depth;
};

/** struct take - which lines of a file are wanted, and where they go */
struct take {
    bool all;
    enum kt_facility only; /* unless @all */
    unsigned level;
};

static int no_memory(struct kt_err *err)
{
    return kt_fail(err, KT_NO_MEMORY, "out of memory");
}

static struct kt_stack *stack_of(struct kt_service *s, enum kt_facility f)
{
    switch (f) {
    case KT_READ:
        return &s->read;
    case KT_WRITE:
        return &s->write;
    case KT_POLICY:
        return &s->policy_lines;
    case KT_ISSUER:
    case KT_NOTIFY:
    case KT_AUDIT:
        break;
    }
    return &s->sets;
}

/* Takes @line if it returns KT_SUCCESS. */
static int push(struct kt_stack *stack, const struct kt_line *line, struct kt_err *err)
{
    if (stack->n % STACK_STEP == 0) {
        struct kt_line *lines = reallocarray(stack->lines, stack->n + STACK_STEP,
                                             sizeof(*stack->lines));
        if (lines == NULL)
            return no_memory(err);
        stack->lines = lines;
    }
    stack->lines[stack->n++] = *line;
    return KT_SUCCESS;
}

/* Remember a file's name for as long as the service lives. Takes @path. */
static int add_file(struct reader *r, char *path)
{
    struct kt_service *s = r->s;
    char **files = path != NULL ? reallocarray(s->files, s->nfiles + 1, sizeof(*s->files)) : NULL;

    if (files == NULL) {
        free(path);
        return no_memory(r->err);
    }
    s->files = files;
    s->files[s->nfiles++] = path;
    return KT_SUCCESS;
}

static int read_lines(struct reader *r, struct kt_text *t, const struct take *take);

/* ---- files ------------------------------------------------------------------------------------ */

static int slurp(struct reader *r, int fd, const char *path, char **data, size_t *len)
{
    struct stat st;
    size_t size, got = 0;
    ssize_t n = 1;
    char *buf;

    if (fstat(fd, &st) != 0)
        return kt_fail_errno(r->err, "cannot read '%s'", path);
    if (st.st_size > (off_t)(KT_FILE_MAX - r->bytes))
        return kt_fail(r->err, KT_CONFIG_ERROR,
                       "'%s': expected at most %d bytes in a service and what it includes", path,
                       KT_FILE_MAX);
    size = (size_t)st.st_size;
    buf = malloc(size + 1);
    if (buf == NULL)
        return no_memory(r->err);
    while (n > 0 && got <= size) {
        n = TEMP_FAILURE_RETRY(read(fd, buf + got, size + 1 - got));
        got += n > 0 ? (size_t)n : 0;
    }
    if (n >= 0 && got == size) {
        r->bytes += size;
        *data = buf;
        *len = size;
        return KT_SUCCESS;
    }
    free(buf);
    if (n < 0)
        return kt_fail_errno(r->err, "cannot read '%s'", path);
    return kt_fail(r->err, KT_UNAVAILABLE, "'%s' was written while it was read: try again", path);
}

/* @path is the file's, without links; its name is kept by the service. */
static int read_file(struct reader *r, int fd, const char *path, const struct take *take)
{
    struct kt_text t;
    char *data = NULL;
    size_t len = 0;
    int rc = add_file(r, strdup(path));

    if (rc == KT_SUCCESS)
        rc = slurp(r, fd, path, &data, &len);
    if (rc == KT_SUCCESS)
        rc = kt_text_init(&t, r->s->files[r->s->nfiles - 1], data, len, r->err);
    if (rc == KT_SUCCESS) {
        r->chain[r->depth++] = t.file;
        rc = read_lines(r, &t, take);
        r->depth--;
    }
    free(data);
    return rc;
}

/* ---- includes --------------------------------------------------------------------------------- */

static int check_chain(const struct reader *r, const struct kt_word *where, const char *file,
                       const char *path)
{
    for (unsigned i = 0; i < r->depth; i++)
        if (strcmp(r->chain[i], path) == 0)
            return kt_refuse(r->err, file, where->lineno, where->column,
                             "expected includes without a cycle: '%s' is being read already", path);
    if (r->depth > KT_DEPTH_MAX)
        return kt_refuse(r->err, file, where->lineno, where->column,
                         "expected includes at most %d deep: '%s' lies deeper", KT_DEPTH_MAX, path);
    return KT_SUCCESS;
}

static int include(struct reader *r, const char *file, const struct kt_word *service,
                   const struct take *take)
{
    struct kt_err why = { .status = KT_SUCCESS };
    char path[PATH_MAX];
    int fd = -1;
    int rc = kt_dirs_open(&r->dirs, service->text, &fd, path, &why);

    if (rc != KT_SUCCESS)
        return kt_refuse_as(r->err, rc == KT_NOT_FOUND ? KT_CONFIG_ERROR : rc, file,
                            service->lineno, service->column, "%s", why.msg);
    rc = check_chain(r, service, file, path);
    if (rc == KT_SUCCESS)
        rc = read_file(r, fd, path, take);
    (void)close(fd);
    return rc;
}

/* A line that draws in another service. Takes @p's line, which only a substack's marker needs. */
static int join(struct reader *r, struct kt_parsed *p, const struct take *take)
{
    const bool wanted = take->all || p->join == KT_JOIN_ALL || take->only == p->line.facility;
    const char *file = p->line.file;
    struct take inner = *take;
    int rc;

    if (p->join != KT_JOIN_ALL)
        inner = (struct take){ .only = p->line.facility, .level = take->level };
    if (wanted && p->join == KT_JOIN_SUBSTACK) {
        p->line.level = inner.level++;
        rc = push(stack_of(r->s, p->line.facility), &p->line, r->err);
        if (rc == KT_SUCCESS)
            return include(r, file, p->joined, &inner);
        kt_line_done(&p->line);
        return rc;
    }
    kt_line_done(&p->line);
    return wanted ? include(r, file, p->joined, &inner) : KT_SUCCESS;
}

static int keep_line(struct reader *r, struct kt_line *line, const struct take *take)
{
    int rc = KT_SUCCESS;

    line->level = take->level;
    if (take->all || take->only == line->facility)
        rc = push(stack_of(r->s, line->facility), line, r->err);
    else
        kt_line_done(line);
    if (rc != KT_SUCCESS)
        kt_line_done(line);
    return rc;
}

/* Lines that are not wanted are read as strictly as the others. */
static int read_lines(struct reader *r, struct kt_text *t, const struct take *take)
{
    struct kt_words w = { .n = 0 };
    struct kt_parsed p;
    int rc = kt_words_next(t, &w, r->err);

    while (rc == KT_SUCCESS && w.n > 0) {
        if (++r->lines > KT_LINES_MAX)
            rc = kt_refuse(r->err, t->file, w.at[0].lineno, w.at[0].column,
                           "expected at most %d lines in a service and what it includes",
                           KT_LINES_MAX);
        if (rc == KT_SUCCESS)
            rc = kt_line_parse(t->file, &w, &p, r->err);
        if (rc == KT_SUCCESS)
            rc = p.join != KT_JOIN_NONE ? join(r, &p, take) : keep_line(r, &p.line, take);
        if (rc == KT_SUCCESS)
            rc = kt_words_next(t, &w, r->err);
    }
    kt_words_done(&w);
    return rc;
}

/* ---- the whole -------------------------------------------------------------------------------- */

/* No file anywhere. Its lines have no number: there is nothing to look up. */
static int read_builtin(struct reader *r)
{
    const struct take all = { .all = true };
    char text[] = "read required file\nwrite required file\n";
    struct kt_text t;
    int rc = kt_text_init(&t, "builtin", text, sizeof(text) - 1, r->err);

    if (rc == KT_SUCCESS)
        rc = read_lines(r, &t, &all);
    for (size_t i = 0; i < r->s->read.n; i++)
        r->s->read.lines[i].lineno = r->s->read.lines[i].column = 0;
    for (size_t i = 0; i < r->s->write.n; i++)
        r->s->write.lines[i].lineno = r->s->write.lines[i].column = 0;
    r->s->builtin = true;
    return rc;
}

static int open_path(const char *service, int *fd, char real[PATH_MAX], struct kt_err *err)
{
    char *path;
    int rc;

    if (kt_privileged())
        return kt_fail(err, KT_CONFIG_ERROR,
                       "a privileged process opens services by name only, not '%s'", service);
    rc = kt_path_absolute(service, &path, err);
    if (rc != KT_SUCCESS)
        return rc;
    rc = kt_path_open(path, O_RDONLY, fd, real, err);
    free(path);
    return rc == KT_NOT_FOUND ? kt_fail(err, KT_CONFIG_ERROR, "no service file '%s'", service) : rc;
}

static int read_service(struct reader *r, const char *service)
{
    const struct take all = { .all = true };
    char path[PATH_MAX];
    int fd = -1, rc;

    if (strchr(service, '/') != NULL)
        rc = open_path(service, &fd, path, r->err);
    else
        rc = kt_dirs_open(&r->dirs, service, &fd, path, r->err);
    if (rc == KT_NOT_FOUND)
        return read_builtin(r);
    if (rc == KT_SUCCESS)
        rc = read_file(r, fd, path, &all);
    if (fd >= 0)
        (void)close(fd);
    return rc;
}

static int check_service_name(const char *service, struct kt_err *err)
{
    return strchr(service, '/') != NULL ? KT_SUCCESS : kt_service_name_check(service, err);
}

int kt_service_read(const char *service, const struct kt_open_options *options,
                    struct kt_service **out, struct kt_err *err)
{
    const char *slash = strrchr(service, '/');
    struct reader r = { .s = calloc(1, sizeof(*r.s)), .err = err };
    int rc = r.s != NULL ? check_service_name(service, err) : no_memory(err);

    if (rc == KT_SUCCESS)
        rc = kt_dirs_init(&r.dirs, options, err);
    if (rc != KT_SUCCESS)
        goto out;
    r.s->name = strdup(slash != NULL ? slash + 1 : service);
    rc = r.s->name != NULL ? read_service(&r, service) : no_memory(err);
    if (rc == KT_SUCCESS)
        rc = kt_control_check_jumps(&r.s->read, err);
    if (rc == KT_SUCCESS)
        rc = kt_control_check_jumps(&r.s->write, err);
    if (rc == KT_SUCCESS)
        rc = kt_places_find(r.s, options, err);
    if (rc == KT_SUCCESS)
        rc = kt_settle(r.s, err);
    if (rc == KT_SUCCESS)
        rc = kt_policies_parse(r.s, err);
    if (rc != KT_SUCCESS)
        goto out;
    *out = r.s;
    r.s = NULL;
out:
    kt_dirs_done(&r.dirs);
    kt_service_free(r.s);
    return rc;
}

bool kt_service_is_usual(const struct kt_service *s)
{
    return !s->builtin || strcmp(s->name, KT_SERVICE_DEFAULT) == 0;
}

static void stack_done(struct kt_stack *stack)
{
    for (size_t i = 0; i < stack->n; i++)
        kt_line_done(&stack->lines[i]);
    free(stack->lines);
}

void kt_service_free(struct kt_service *s)
{
    if (s == NULL)
        return;
    stack_done(&s->read);
    stack_done(&s->write);
    stack_done(&s->sets);
    stack_done(&s->policy_lines);
    for (size_t i = 0; i < s->nplaces; i++)
        kt_place_done(&s->places[i]);
    for (size_t i = 0; i < s->nfiles; i++)
        free(s->files[i]);
    free(s->places);
    free(s->policies);
    free(s->files);
    free(s->name);
    free(s);
}
