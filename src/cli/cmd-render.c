/* SPDX-License-Identifier: Apache-2.0 */
#include "follow.h"
#include "outfile.h"
#include "page.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/**
 * struct job - templates and where they go
 * @out:   paths, one a page; NULL or "-": standard output
 * @mode:  of the files; -1: as outfile_find() says
 * @wrote: a file has other content now
 */
struct job {
    const struct cli *cli;
    struct refs *refs;
    struct page pages[GIVEN_MAX];
    const char *out[GIVEN_MAX];
    size_t n;
    int mode;
    bool wrote;
};

static void job_done(struct job *j)
{
    for (size_t i = 0; i < j->n; i++)
        page_done(&j->pages[i]);
    refs_free(j->refs);
}

static bool is_standard(const char *path)
{
    return path == NULL || strcmp(path, "-") == 0;
}

/* ---- the command line ----------------------------------------------------------------------- */

static int take_mode(const struct cli *cli, int *mode)
{
    const char *text = args_value(cli, "mode");

    *mode = -1;
    if (text == NULL)
        return 0;
    if (strspn(text, "01234567") != strlen(text) || text[0] == '\0' || strlen(text) > 4 ||
        strtol(text, NULL, 8) > 0777)
        return fail_usage(cli, "render: --mode '%s' is no mode, such as 0640", text);
    *mode = (int)strtol(text, NULL, 8);
    return 0;
}

/* The first --output is the first TEMPLATE's, and so on; one TEMPLATE may go without. */
static int take_outputs(struct job *j)
{
    const struct cli *cli = j->cli;
    const char *path;
    size_t from = 0, n = 0;
    bool files = false;

    while ((path = args_next(cli, "output", &from)) != NULL) {
        if (path[0] == '\0')
            return fail_usage(cli, "render: --output '' is no file");
        for (size_t i = 0; i < n; i++)
            if (strcmp(j->out[i], path) == 0)
                return fail_usage(cli, "render: --output '%s' is given twice", path);
        j->out[n++] = path;
    }
    if (n != j->n && (n > 0 || j->n > 1))
        return fail_usage(cli, "render: %zu templates and %zu --output: each has one", j->n, n);
    for (size_t i = 0; i < j->n; i++)
        files |= !is_standard(j->out[i]);
    if (!files &&
        (args_value(cli, "watch") != NULL || args_value(cli, "run") != NULL || j->mode >= 0))
        return fail_usage(cli, "render: --watch, --run and --mode are for files: -o FILE");
    if (args_value(cli, "every") != NULL && args_value(cli, "watch") == NULL)
        return fail_usage(cli, "render: --every is for --watch");
    if (j->out[0] == NULL && isatty(STDOUT_FILENO))
        return fail_usage(cli, "render: the secrets would be shown on the terminal; "
                               "-o FILE writes a file, -o - shows them");
    return 0;
}

static int load(struct job *j)
{
    bool standard = false;

    for (size_t i = 0; i < j->n; i++) {
        const char *file = j->cli->argv[i];
        int rc;

        if (standard && strcmp(file, "-") == 0)
            return fail_usage(j->cli, "render: standard input is one template only");
        standard |= strcmp(file, "-") == 0;
        rc = page_load(j->cli, file, j->refs, &j->pages[i]);
        if (rc != 0)
            return rc;
    }
    return 0;
}

/* ---- writing -------------------------------------------------------------------------------- */

/** struct stream - a descriptor and a buffer, in locked memory: @len bytes of it, used up to @at */
struct stream {
    int fd;
    size_t at;
    struct input room;
};

static int stream_flush(struct stream *s)
{
    while (s->at < s->room.len) {
        const ssize_t n = write(s->fd, s->room.data + s->at, s->room.len - s->at);

        if (n < 0 && errno != EINTR)
            return errno;
        s->at += n > 0 ? (size_t)n : 0;
    }
    s->at = s->room.len = 0;
    return 0;
}

static int put(void *cookie, const void *data, size_t len)
{
    struct stream *s = cookie;
    const char *p = data;

    while (len > 0) {
        const size_t room = INPUT_MAX - s->room.len, n = len < room ? len : room;
        const int error = room == 0 ? stream_flush(s) : 0;

        if (error != 0)
            return error;
        memcpy(s->room.data + s->room.len, p, n);
        s->room.len += n;
        p += n;
        len -= n;
    }
    return 0;
}

/* An errno as soon as the file has something else. */
static int compare(void *cookie, const void *data, size_t len)
{
    struct stream *s = cookie;
    const char *p = data;

    while (len > 0) {
        const size_t left = s->room.len - s->at, n = len < left ? len : left;

        if (left == 0) {
            const ssize_t got = read(s->fd, s->room.data, INPUT_MAX);

            if (got <= 0 && !(got < 0 && errno == EINTR))
                return EIO;
            s->room.len = got > 0 ? (size_t)got : 0;
            s->at = 0;
        } else if (memcmp(s->room.data + s->at, p, n) != 0) {
            return EIO;
        }
        s->at += n;
        p += n;
        len -= n;
    }
    return 0;
}

/* 0 or an errno */
static int emit_to(const struct job *j, size_t i, int fd)
{
    struct stream s = { .fd = fd };
    int error;

    if (!input_new(&s.room))
        return ENOMEM;
    error = page_emit(&j->pages[i], j->refs, put, &s);
    if (error == 0)
        error = stream_flush(&s);
    input_free(&s.room);
    return error;
}

static bool is_unchanged(const struct job *j, size_t i, const struct outfile *o)
{
    struct stream s = { .fd = outfile_old(o) };
    char more;
    bool same;

    if (s.fd < 0)
        return false;
    same = input_new(&s.room) && page_emit(&j->pages[i], j->refs, compare, &s) == 0 &&
           s.at == s.room.len && read(s.fd, &more, 1) == 0;
    input_free(&s.room);
    (void)close(s.fd);
    return same;
}

/* A template that is written over is lost. */
static int check_other(const struct cli *cli, const char *template, const struct outfile *o)
{
    struct stat st;

    if (o->old.st_mode == 0 || strcmp(template, "-") == 0 || stat(template, &st) != 0 ||
        st.st_dev != o->old.st_dev || st.st_ino != o->old.st_ino)
        return 0;
    return fail_usage(cli, "render: '%s' is the template", o->path);
}

static int write_file(struct job *j, size_t i)
{
    const struct cli *cli = j->cli;
    AUTO(outfile_done) struct outfile o;
    int error, rc = outfile_find(cli, j->out[i], j->mode, &o);

    if (rc == 0)
        rc = check_other(cli, cli->argv[i], &o);
    if (rc != 0)
        return rc;
    if (is_unchanged(j, i, &o))
        return say_done(cli, o.path, "unchanged");
    if (j->mode < 0 && (o.old.st_mode & 0177) != 0)
        say_warning(cli, "%s: mode %03o becomes %03o; --mode says otherwise", o.path,
                    o.old.st_mode & 0777U, (unsigned)o.mode);
    rc = outfile_begin(cli, &o);
    if (rc != 0)
        return rc;
    error = emit_to(j, i, o.fd);
    if (error != 0)
        return fail_io(cli, o.path, error);
    rc = outfile_commit(cli, &o);
    if (rc != 0)
        return rc;
    j->wrote = true;
    return say_done(cli, o.path, "written");
}

static int write_standard(const struct job *j, size_t i)
{
    int error = sink_flush(&sink_out);

    if (error == 0)
        error = emit_to(j, i, STDOUT_FILENO);
    if (sink_out.error == 0)
        sink_out.error = error; /* told at the end */
    return error == 0 ? 0 : EXIT_IO;
}

static int write_all(struct job *j)
{
    int rc = 0;

    for (size_t i = 0; i < j->n && rc == 0; i++)
        rc = page_check(j->cli, &j->pages[i], j->refs);
    for (size_t i = 0; i < j->n && rc == 0; i++) {
        if (!is_standard(j->out[i]))
            rc = write_file(j, i);
        else
            rc = write_standard(j, i);
    }
    return rc;
}

/* ---- --run, --watch ------------------------------------------------------------------------- */

/* After a change; the command has no secret but what is in the files. */
static int run_command(const struct cli *cli)
{
    const char *command = args_value(cli, "run");
    int status = 0;
    pid_t pid;

    if (command == NULL)
        return 0;
    (void)sink_flush(&sink_out);
    pid = fork();
    if (pid < 0)
        return fail_io(cli, "--run", errno);
    if (pid == 0) {
        give_back();
        (void)execl("/bin/sh", "sh", "-c", command, (char *)NULL);
        _exit(EXIT_NO_SUCH);
    }
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (WIFSIGNALED(status))
        say_warning(cli, "--run: the command was ended by signal %d", WTERMSIG(status));
    else if (WEXITSTATUS(status) != 0)
        say_warning(cli, "--run: the command ended with exit code %d", WEXITSTATUS(status));
    return status == 0 ? 0 : EXIT_IO;
}

/* Files first: who is told of them finds them. */
static int render(struct job *j)
{
    int rc;

    j->wrote = false;
    rc = write_all(j);
    if (j->wrote) {
        const int failed = run_command(j->cli);

        rc = rc == 0 ? failed : rc;
    }
    return rc;
}

static int watch(struct job *j)
{
    struct follow *f = NULL;
    struct kt_err err = { 0 };
    bool behind = false;

    if (follow_new(j->cli, j->refs, &f, &err) != KT_SUCCESS)
        return fail_err(j->cli, NULL, &err);
    for (;;) { /* until a signal ends it, at any instant */
        struct pollfd fd = { .fd = follow_fd(f), .events = POLLIN };
        int rc;

        (void)sink_flush(&sink_out);
        if (poll(&fd, 1, -1) <= 0)
            continue;
        rc = follow_read(f, &err);
        if (rc != KT_SUCCESS && rc != KT_IGNORE)
            say_warning(j->cli, "the files stay as they are: %s", err.msg);
        if (rc == KT_SUCCESS || behind)
            behind = render(j) != 0;
    }
}

static int fetch(const struct job *j)
{
    struct kt_err err = { 0 };
    char where[512] = "";
    size_t failed = 0;

    if (refs_fetch(j->refs, &failed, &err) == KT_SUCCESS) {
        refs_warn(j->refs);
        return 0;
    }
    for (size_t i = 0; i < j->n && where[0] == '\0'; i++)
        for (size_t k = 0; k < j->pages[i].nholes && where[0] == '\0'; k++)
            if (j->pages[i].holes[k].index == failed)
                (void)page_where(&j->pages[i], j->pages[i].holes[k].at, where, sizeof(where));
    return fail_status(j->cli, err.status, NULL, "%s: %s: %s", where, refs_text(j->refs, failed),
                       err.msg[0] != '\0' ? err.msg : kt_status_meaning(err.status));
}

static int run(const struct cli *cli)
{
    AUTO(job_done) struct job j = { .cli = cli, .n = (size_t)cli->argc };
    int rc;

    if (cli->argc > GIVEN_MAX) {
        j.n = 0;
        return fail_usage(cli, "render: more than %d templates", GIVEN_MAX);
    }
    j.refs = refs_new(cli);
    rc = take_mode(cli, &j.mode);
    if (rc == 0)
        rc = take_outputs(&j);
    if (rc == 0)
        rc = load(&j);
    if (rc == 0)
        rc = fetch(&j);
    if (rc == 0)
        rc = render(&j);
    if (rc == 0 && args_value(cli, "watch") != NULL)
        rc = watch(&j);
    return rc;
}

static const struct opt opts[] = {
    { .name = "output",
      .letter = 'o',
      .many = true,
      .arg = "FILE",
      .help = "replace FILE as a whole; - is standard output. One for each TEMPLATE" },
    { .name = "mode", .arg = "MODE", .help = "of the files, as 0640, instead of 0600" },
    { .name = "run", .arg = "COMMAND", .help = "give it to the shell when a file has changed" },
    { .name = "watch", .help = "go on, and do it again when a secret changes" },
    { .name = "every",
      .arg = "DURATION",
      .help = "with --watch: ask so often, instead of as often as the service says" },
    { 0 },
};

const struct cmd cmd_render = {
    .name = "render",
    .synopsis = "TEMPLATE… [-o FILE]… [--mode MODE] [--run COMMAND] [--watch [--every DURATION]]",
    .help = "fill references in a template with values",
    .opts = opts,
    .min = 1,
    .max = -1,
    .run = run,
};
