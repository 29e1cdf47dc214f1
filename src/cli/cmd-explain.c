/* SPDX-License-Identifier: Apache-2.0 */
#include "cli.h"

#include <stdio.h>
#include <string.h>

static const char *file_name(const char *path)
{
    const char *slash = path != NULL ? strrchr(path, '/') : NULL;

    if (path == NULL)
        return "built in";
    return slash != NULL ? slash + 1 : path;
}

static const char *status_text(int status, int raw, char *out, size_t size)
{
    if (raw >= 0 && raw != status)
        (void)snprintf(out, size, "%s (said %s)", kt_status_name(status), kt_status_name(raw));
    else
        (void)snprintf(out, size, "%s", kt_status_name(status));
    return out;
}

static void step_row(void *cookie, const struct kt_step *s)
{
    char where[300], control[512], status[96], state[64];
    char elapsed[WHEN_SIZE], age[WHEN_SIZE];

    if (s->line != 0)
        (void)snprintf(where, sizeof(where), "%s:%u", file_name(s->file), s->line);
    else
        (void)snprintf(where, sizeof(where), "%s", file_name(s->file));
    (void)snprintf(control, sizeof(control), "%*s%s", 2 * (int)s->level, "", s->control);
    if (strcmp(s->impression, "refused") == 0)
        (void)snprintf(state, sizeof(state), "refused, %s", kt_status_name(s->state));
    else
        (void)snprintf(state, sizeof(state), "%s", s->impression);
    table_row(cookie, (const char *[]){
                          where,
                          control,
                          s->module,
                          status_text(s->status, s->raw, status, sizeof(status)),
                          s->action,
                          state,
                          s->raw >= 0 ? when_span(s->elapsed_ms, elapsed) : NULL,
                          s->id,
                          when_span(s->age_ms, age),
                          s->note,
                      });
}

static void step_json(void *cookie, const struct kt_step *s)
{
    struct json j = json_open(&sink_out);

    (void)cookie;
    json_str(&j, "file", s->file);
    json_place(&j, "line", s->line);
    json_int(&j, "level", s->level);
    json_text(&j, "control", s->control);
    json_text(&j, "module", s->module);
    json_text(&j, "status", kt_status_name(s->status));
    json_text(&j, "raw", s->raw >= 0 ? kt_status_name(s->raw) : NULL);
    json_text(&j, "action", s->action);
    json_text(&j, "impression", s->impression);
    json_text(&j, "state", kt_status_name(s->state));
    json_seconds(&j, "elapsed", s->elapsed_ms);
    json_str(&j, "version", s->id);
    json_seconds(&j, "age", s->age_ms);
    json_str(&j, "note", s->note);
    json_close(&j);
}

static void outcome_json(const char *name, int status, const struct kt_info *info)
{
    struct json j = json_open(&sink_out);

    json_text(&j, "outcome", kt_status_name(status));
    json_text(&j, "name", name);
    if (status == KT_SUCCESS) {
        info_json(&j, info);
        info_origin(&j, info,
                    KT_FLAG_STALE | KT_FLAG_OVERRIDE | KT_FLAG_EXPIRED | KT_FLAG_NOT_YET |
                        KT_FLAG_COPY);
    }
    json_close(&j);
}

static void outcome_text(const char *name, int status, const struct kt_info *info)
{
    char age[WHEN_SIZE], flags[64];

    sink_str(&sink_out, "\n");
    sink_text(&sink_out, name);
    sink_printf(&sink_out, ": %s", kt_status_name(status));
    if (status == KT_SUCCESS) {
        sink_str(&sink_out, ", version ");
        sink_text(&sink_out, info->id);
        sink_str(&sink_out, " from ");
        sink_text(&sink_out, info->module != NULL ? info->module : "?");
        if (info->age_ms >= 0)
            sink_printf(&sink_out, ", %s old", when_span(info->age_ms, age));
        if (*flag_names(info->flags, flags) != '\0')
            sink_printf(&sink_out, ", %s", flags);
    }
    sink_str(&sink_out, "\n");
}

static int run(const struct cli *cli)
{
    static const char *const heads[] = { "LINE",  "CONTROL", "MODULE",  "STATUS", "ACTION",
                                         "STATE", "TOOK",    "VERSION", "AGE",    "NOTE" };
    AUTO(session_closep) struct kt_handle *h = NULL;
    struct kt_get_options options;
    struct kt_info info = { 0 };
    struct kt_err err = { 0 };
    struct table *t;
    int rc = session_get_options(cli, &options), status;

    if (rc == 0)
        rc = session_open(cli, &h);
    if (rc != 0)
        return rc;
    if (cli->json) {
        status = kt_trace(h, cli->argv[0], &options, step_json, NULL, &info, &err);
        outcome_json(cli->argv[0], status, &info);
    } else {
        t = table_new(heads, sizeof(heads) / sizeof(heads[0]));
        table_shade(t, 3, shade_status);
        status = kt_trace(h, cli->argv[0], &options, step_row, t, &info, &err);
        table_print(t, true); /* a report, to be read wherever it goes */
        outcome_text(cli->argv[0], status, &info);
    }
    return status == KT_SUCCESS ? 0 : fail_err(cli, cli->argv[0], &err);
}

static const struct opt opts[] = {
    { .name = "version", .arg = "ID", .help = "as for get" },
    { .name = "stage", .arg = "STAGE", .help = "as for get" },
    { .name = "fresh", .help = "as for get" },
    { .name = "max-age", .arg = "DURATION", .help = "as for get" },
    { 0 },
};

const struct cmd cmd_explain = {
    .name = "explain",
    .synopsis = "NAME [--version ID | --stage STAGE] [--fresh | --max-age DURATION]",
    .help = "do a get and tell what each line answered and decided; the value is not shown",
    .opts = opts,
    .min = 1,
    .max = 1,
    .run = run,
};
