/* SPDX-License-Identifier: Apache-2.0 */
#include "cli.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FINDING 'f'

struct check {
    const struct cli *cli;
    const char *service;
    int fd; /* in the child */
    unsigned errors;
    unsigned warnings;
    char loading[512]; /* the module that the child was last heard to load, and for which line */
};

/* ---- in the child ---- */

static void send_finding(void *cookie, const struct kt_finding *f)
{
    const struct check *c = cookie;
    char level[16], line[16], column[16];

    (void)snprintf(level, sizeof(level), "%d", (int)f->level);
    (void)snprintf(line, sizeof(line), "%u", f->line);
    (void)snprintf(column, sizeof(column), "%u", f->column);
    child_send(c->fd, FINDING,
               (const char *[]){ level, f->file != NULL ? f->file : "", line, column, f->text }, 5);
}

static int body(int fd, void *cookie, struct kt_err *err)
{
    struct check *c = cookie;
    struct kt_open_options options;

    c->fd = fd;
    session_options(c->cli, &options);
    return kt_check(c->service, &options, send_finding, c, err);
}

/* ---- here ---- */

/* What could not be opened is explained in one text that begins with FILE:LINE:COL: - taken apart
 * here, so that findings look alike. Returns what is left of @text. */
static const char *split_place(const char *text, char *file, size_t size, int *line, int *column)
{
    const char *end = strchr(text, ':');
    int used = 0;

    if (text[0] != '/' || end == NULL || (size_t)(end - text) >= size)
        return text;
    if (sscanf(end, ":%d:%d: %n", line, column, &used) < 2 || used == 0) {
        *column = 0;
        if (sscanf(end, ":%d: %n", line, &used) < 1 || used == 0) {
            *line = 0;
            return text;
        }
    }
    memcpy(file, text, (size_t)(end - text));
    file[end - text] = '\0';
    return end + used;
}

static void put_finding(const struct check *c, enum kt_log_level level, const char *file, int line,
                        int column, const char *text)
{
    if (c->cli->quiet && level > KT_LOG_WARNING)
        return;
    if (c->cli->json) {
        struct json j = json_open(&sink_out);

        json_text(&j, "level", level_name(level));
        json_str(&j, "file", file);
        json_place(&j, "line", line);
        json_place(&j, "column", column);
        json_text(&j, "message", text);
        json_close(&j);
        return;
    }
    sink_text(&sink_out, *file != '\0' ? file : c->service);
    if (line > 0)
        sink_printf(&sink_out, ":%d", line);
    if (line > 0 && column > 0)
        sink_printf(&sink_out, ":%d", column);
    sink_printf(&sink_out, ": %s: ", level_name(level));
    sink_text(&sink_out, text);
    sink_str(&sink_out, "\n");
}

static void take_record(void *cookie, char kind, const char *const *fields)
{
    struct check *c = cookie;
    enum kt_log_level level;
    int line, column;
    char file[PATH_MAX];
    const char *text;

    for (int i = 0; i < 5; i++)
        if (kind != FINDING || fields[i] == NULL)
            return;
    level = (enum kt_log_level)atoi(fields[0]);
    line = atoi(fields[2]);
    column = atoi(fields[3]);
    if (level == KT_LOG_DEBUG) { /* about to load a module: remembered for its obituary */
        (void)snprintf(c->loading, sizeof(c->loading), "module %s of %s:%d", fields[4], fields[1],
                       line);
        return;
    }
    c->errors += level == KT_LOG_ERROR;
    c->warnings += level == KT_LOG_WARNING;
    (void)snprintf(file, sizeof(file), "%s", fields[1]);
    text = fields[4];
    if (file[0] == '\0')
        text = split_place(text, file, sizeof(file), &line, &column);
    put_finding(c, level, file, line, column, text);
}

static int run(const struct cli *cli)
{
    const char *service = cli->argc > 0 ? cli->argv[0] : cli->service;
    struct check c = { .cli = cli, .service = service != NULL ? service : "deepseek" };
    struct child_end end;
    struct kt_err err;
    int status;

    status = child_run(cli, 0, body, take_record, &c, &end, &err);
    if (end.died)
        return fail_status(cli, status, c.service, "%s %s",
                           c.loading[0] != '\0' ? c.loading : "a module", end.how);
    if (status != KT_SUCCESS && c.errors > 0) /* told on standard output */
        return fail_status(cli, status, c.service, "%s cannot be opened: %u error%s", c.service,
                           c.errors, c.errors == 1 ? "" : "s");
    if (status != KT_SUCCESS)
        return fail_err(cli, c.service, &err);
    if (c.warnings > 0 && args_value(cli, "strict") != NULL)
        return fail_status(cli, KT_CONFIG_ERROR, c.service, "%s: %u warning%s, and --strict",
                           c.service, c.warnings, c.warnings == 1 ? "" : "s");
    return cli->json ? 0 : say_done(cli, c.service, c.warnings > 0 ? "can be opened" : "ok");
}

static const struct opt opts[] = {
    { .name = "strict", .help = "warnings fail, too" },
    { 0 },
};

const struct cmd cmd_check = {
    .name = "check",
    .synopsis = "[SERVICE | FILE] [--strict]",
    .help = "read a service file, load its modules, and say what is wrong or unwise",
    .opts = opts,
    .max = 1,
    .run = run,
};
