/* SPDX-License-Identifier: Apache-2.0 */
#include "doctor.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHILD_MS 5000 /* for a module, where --timeout does not say otherwise */
#define GRACE_MS 1000 /* until one that does not keep its deadline is killed */

/* ---- findings ------------------------------------------------------------------------------- */

static const char *word_of(enum grade grade, int status)
{
    if (grade == ODD)
        return "warning";
    if (grade == FINE)
        return status == KT_SUCCESS ? "ok" : "info";
    return kt_status_name(status);
}

static void add_remedy(struct doctor *d, const char *subject, const char *remedy)
{
    char **grown = reallocarray(d->remedies, d->nremedies + 1, sizeof(*grown));

    if (grown == NULL)
        return;
    d->remedies = grown;
    if (asprintf(&d->remedies[d->nremedies], "%s: %s", subject, remedy) >= 0)
        d->nremedies++;
}

static void put_json(enum grade grade, const char *check, const char *subject, int status,
                     const char *remedy, const char *text)
{
    static const char *const levels[] = { "info", "warning", "error" };
    struct json j = json_open(&sink_out);

    json_text(&j, "check", check);
    json_text(&j, "subject", subject);
    json_text(&j, "level", levels[grade]);
    json_text(&j, "status", kt_status_name(status));
    json_text(&j, "text", text);
    json_str(&j, "remedy", remedy);
    json_close(&j);
    (void)sink_flush(&sink_out);
}

void doctor_tell(struct doctor *d, enum grade grade, const char *check, const char *subject,
                 int status, const char *remedy, const char *fmt, ...)
{
    char text[2048];
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    d->odd += grade == ODD;
    d->wrong += grade == WRONG;
    if (grade == WRONG && (d->wrong == 1 || kt_status_tell(status) > kt_status_tell(d->worst)))
        d->worst = status;
    if (d->cli->quiet && grade == FINE)
        return;
    if (d->cli->json) {
        put_json(grade, check, subject, status, remedy, text);
        return;
    }
    table_row(d->table, (const char *[]){ check, subject, word_of(grade, status), text, remedy });
    if (d->aligned && remedy != NULL && remedy[0] != '\0')
        add_remedy(d, subject, remedy);
}

void doctor_uses(struct doctor *d, const char *module)
{
    if (d->nused == USED_MAX || doctor_is_used(d, module))
        return;
    d->used[d->nused] = strdup(module);
    d->nused += d->used[d->nused] != NULL;
}

bool doctor_is_used(const struct doctor *d, const char *module)
{
    for (size_t i = 0; i < d->nused; i++)
        if (strcmp(d->used[i], module) == 0)
            return true;
    return false;
}

/* ---- what modules say ----------------------------------------------------------------------- */

void said_line(struct said *s, const char *line)
{
    static const char mark[] = "remedy: ";
    const size_t n = strlen(s->text);

    if (strncmp(line, mark, sizeof(mark) - 1) == 0)
        (void)snprintf(s->remedy, sizeof(s->remedy), "%s", line + sizeof(mark) - 1);
    else if (line[0] != '\0')
        (void)snprintf(s->text + n, sizeof(s->text) - n, "%s%s", n > 0 ? "; " : "", line);
}

/* 'keyturn …' in a message is a command. */
static bool quoted_command(const char *text, char *out, size_t size)
{
    const char *at = strstr(text, "'keyturn "), *end = at != NULL ? strchr(at + 1, '\'') : NULL;

    if (end == NULL)
        return false;
    (void)snprintf(out, size, "%.*s", (int)(end - at - 1), at + 1);
    return true;
}

const char *doctor_remedy(const struct doctor *d, struct said *s, int status, const char *text)
{
    const char *rest = strstr(text, "; "); /* what failed, where; what to do */

    if (s->remedy[0] != '\0' || status == KT_SUCCESS)
        return s->remedy;
    if (status == KT_LOCKED && s->unlocks && d->service != NULL) {
        (void)snprintf(s->remedy, sizeof(s->remedy), "keyturn -s %s unlock", d->service);
        return s->remedy;
    }
    if (doctor_trust_remedy(text, s->remedy, sizeof(s->remedy)) != NULL ||
        quoted_command(text, s->remedy, sizeof(s->remedy)))
        return s->remedy;
    if (rest != NULL)
        (void)snprintf(s->remedy, sizeof(s->remedy), "%s", rest + 2);
    return s->remedy;
}

static int64_t limit_ms(const struct doctor *d)
{
    return d->cli->timed ? d->cli->timeout_ms : CHILD_MS;
}

int doctor_child(const struct doctor *d, int (*body)(int fd, void *cookie, struct kt_err *err),
                 void (*record)(void *cookie, char kind, const char *const *fields), void *cookie,
                 struct child_end *end, struct kt_err *err)
{
    struct cli cli = *d->cli;

    cli.timeout_ms = limit_ms(d) + GRACE_MS;
    return child_run(&cli, 0, body, record, cookie, end, err);
}

struct kt_call_options doctor_call(const struct doctor *d)
{
    return (struct kt_call_options){ .size = sizeof(struct kt_call_options),
                                     .timeout_ms = limit_ms(d) };
}

void doctor_options(const struct doctor *d, struct kt_open_options *options)
{
    *options = (struct kt_open_options){ .size = sizeof(*options),
                                         .module_dir = d->cli->module_dir };
}
