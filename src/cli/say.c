/* SPDX-License-Identifier: Apache-2.0 */
#include "cli.h"

#include <stdio.h>
#include <string.h>

const char *level_name(enum kt_log_level level)
{
    static const char *const names[] = { "error", "warning", "info", "debug" };

    return (unsigned)level < sizeof(names) / sizeof(names[0]) ? names[level] : "info";
}

/* Does the library's text name the secret already? Once is enough. */
static bool names(const char *text, const char *name)
{
    const size_t len = strlen(name);
    const char *at;

    if (strncmp(text, name, len) == 0 && (text[len] == ':' || text[len] == ' '))
        return true;
    for (at = text; (at = strchr(at, '\'')) != NULL; at++)
        if (strncmp(at + 1, name, len) == 0 && at[1 + len] == '\'')
            return true;
    return false;
}

/* Every word on standard error passes here: one line, or one object a line. */
static void say(const struct cli *cli, enum kt_log_level level, const char *status,
                const char *name, const char *text)
{
    if (cli->json) {
        struct json j = json_open(&sink_err);

        json_text(&j, "level", level_name(level));
        if (status != NULL)
            json_text(&j, "status", status);
        if (name != NULL)
            json_text(&j, "name", name);
        json_text(&j, "message", text);
        json_close(&j);
    } else {
        sink_str(&sink_err, "keyturn: ");
        if (level != KT_LOG_ERROR) {
            sink_str(&sink_err, level_name(level));
            sink_str(&sink_err, ": ");
        }
        if (name != NULL && !names(text, name)) {
            sink_text(&sink_err, name);
            sink_str(&sink_err, ": ");
        }
        sink_text(&sink_err, text);
        sink_str(&sink_err, "\n");
    }
    (void)sink_flush(&sink_err);
}

int fail_usage(const struct cli *cli, const char *fmt, ...)
{
    char text[512];
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    say(cli, KT_LOG_ERROR, "usage", NULL, text);
    return EXIT_USAGE;
}

int fail_io(const struct cli *cli, const char *what, int errnum)
{
    char text[512];

    (void)snprintf(text, sizeof(text), "%s: %s", what, strerror(errnum));
    say(cli, KT_LOG_ERROR, "io_error", NULL, text);
    return EXIT_IO;
}

int fail_err(const struct cli *cli, const char *name, const struct kt_err *err)
{
    const char *text = err->msg[0] != '\0' ? err->msg : kt_status_meaning(err->status);

    if (name != NULL && strlen(name) > KT_NAME_MAX) /* the text tells how it begins */
        name = NULL;
    say(cli, KT_LOG_ERROR, kt_status_name(err->status), name, text);
    return kt_status_exit(err->status);
}

int fail_status(const struct cli *cli, int status, const char *name, const char *fmt, ...)
{
    struct kt_err err = { .status = status };
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(err.msg, sizeof(err.msg), fmt, ap);
    va_end(ap);
    return fail_err(cli, name, &err);
}

int err_explain(struct kt_err *err, int status, const char *fmt, ...)
{
    va_list ap;

    err->status = status;
    va_start(ap, fmt);
    (void)vsnprintf(err->msg, sizeof(err->msg), fmt, ap);
    va_end(ap);
    return status;
}

void say_warning(const struct cli *cli, const char *fmt, ...)
{
    char text[512];
    va_list ap;

    if (cli->quiet)
        return;
    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    say(cli, KT_LOG_WARNING, NULL, NULL, text);
}

void say_line_failed(const struct cli *cli, const struct kt_line_status *line)
{
    char text[1024];
    const char *why = line->msg != NULL && line->msg[0] != '\0' ? line->msg
                                                                : kt_status_meaning(line->status);

    char number[16] = "";

    if (line->line != 0)
        (void)snprintf(number, sizeof(number), ":%u", line->line);
    (void)snprintf(text, sizeof(text), "%s%s: %s: %s", line->file != NULL ? line->file : "built in",
                   number, line->module != NULL ? line->module : "?", why);
    say(cli, KT_LOG_WARNING, kt_status_name(line->status), NULL, text);
}

int say_done(const struct cli *cli, const char *name, const char *result)
{
    if (cli->json) {
        struct json j = json_open(&sink_out);

        json_text(&j, "name", name);
        json_text(&j, "result", result);
        json_close(&j);
    } else if (!cli->quiet) {
        sink_text(&sink_out, name);
        sink_str(&sink_out, ": ");
        sink_str(&sink_out, result);
        sink_str(&sink_out, "\n");
    }
    return 0;
}

void say_log(void *cookie, enum kt_log_level level, const char *text)
{
    const struct cli *cli = cookie;

    enum kt_log_level shown = cli->verbose > 1 ? KT_LOG_DEBUG : KT_LOG_INFO;

    if (cli->quiet)
        return;
    if (cli->verbose == 0)
        shown = session_is_opening() || (cli->cmd != NULL && cli->cmd->writes) ? KT_LOG_WARNING
                                                                               : KT_LOG_ERROR;
    if (level <= shown)
        say(cli, level == KT_LOG_ERROR ? KT_LOG_WARNING : level, NULL, NULL, text);
}
