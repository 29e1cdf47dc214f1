/* SPDX-License-Identifier: Apache-2.0 */
#include "scan.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void failed(struct scan *s, int rc)
{
    if (s->failed == 0)
        s->failed = rc;
}

void scan_fail(struct scan *s, const char *what, int errnum)
{
    char *masked = scan_masked(s, what);

    failed(s, fail_io(s->cli, masked != NULL ? masked : "a file", errnum));
    free(masked);
}

void scan_fail_status(struct scan *s, int status, const char *fmt, ...)
{
    char text[512], *masked;
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    masked = scan_masked(s, text);
    failed(s, fail_status(s->cli, status, NULL, "%s",
                          masked != NULL ? masked : kt_status_meaning(status)));
    free(masked);
}

void scan_note(struct scan *s, const char *fmt, ...)
{
    char text[512], *masked;
    va_list ap;

    if (s->cli->verbose == 0)
        return;
    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    masked = scan_masked(s, text);
    if (masked != NULL)
        say_log((void *)s->cli, KT_LOG_INFO, masked);
    free(masked);
}

bool scan_stop(struct scan *s)
{
    if (!s->stopped && session_left_ms(s->cli) == 0) {
        s->stopped = true;
        failed(s, fail_status(s->cli, KT_TIMEOUT, NULL,
                              "--timeout is over; not everything was looked at"));
    }
    return s->stopped || sink_out.error != 0;
}

static void hide(void *cookie, const struct found *f)
{
    struct scan *s = cookie;

    if (s->nhidden == sizeof(s->hidden) / sizeof(s->hidden[0])) {
        s->hidden[0].from = 0; /* so many: hide all */
        s->hidden[0].to = UINT64_MAX;
        return;
    }
    s->hidden[s->nhidden].from = f->from;
    s->hidden[s->nhidden++].to = f->to;
}

/* The words' finder with its callback; made when it is first needed. */
static bool look_at(struct scan *s, const char *text)
{
    if (s->words == NULL &&
        finder_new(s->own, ignores_key(s->ignores), hide, s, &s->words) != KT_SUCCESS)
        return false;
    s->nhidden = 0;
    finder_add(s->words, text, strlen(text));
    finder_end(s->words);
    return true;
}

char *scan_masked(struct scan *s, const char *text)
{
    char *out = strdup(text);

    if (out == NULL || s->ignores == NULL)
        return out;
    if (!look_at(s, text)) {
        free(out);
        return NULL;
    }
    for (size_t i = 0; i < s->nhidden; i++)
        for (uint64_t k = s->hidden[i].from; k < s->hidden[i].to && out[k] != '\0'; k++)
            out[k] = '*';
    return out;
}

void scan_name(struct scan *s, const char *name)
{
    s->in_name = true;
    s->ordinal = 0;
    finder_add(s->finder, name, strlen(name));
    finder_end(s->finder);
    s->in_name = false;
}

/* The document as the ignore file's patterns see it; NULL: no pattern can mean it. */
static char *seen_as(const struct scan *s, const char *path)
{
    const char *below = strlen(path) > s->root ? path + s->root : "";
    char *out = NULL;

    while (*below == '/')
        below++;
    if (s->lead == NULL ||
        asprintf(&out, "%s%s%s", s->lead, *s->lead != '\0' && *below != '\0' ? "/" : "", below) < 0)
        return NULL;
    return out;
}

void scan_report(struct scan *s, const struct finding *f)
{
    char print[16], *path, *seen = seen_as(s, f->path);
    const bool allowed = ignores_print(s->ignores, f->found.print) ||
                         (seen != NULL && ignores_path(s->ignores, seen));

    free(seen);
    if (allowed) {
        s->allowed++;
        return;
    }
    path = scan_masked(s, f->path);
    if (path == NULL) {
        scan_fail_status(s, KT_NO_MEMORY, "out of memory");
        return;
    }
    (void)snprintf(print, sizeof(print), "%012llx", (unsigned long long)f->found.print);
    s->told++;
    s->ordinal++;
    tell(s, f, path, print);
    ignores_allow(s, f->found.print,
                  f->found.rule != NULL ? f->found.rule->name : f->found.own.name);
    free(path);
}

void scan_found(void *cookie, const struct found *f)
{
    struct scan *s = cookie;

    if (s->object != NULL)
        history_hit(s, f);
    else
        scan_report(s, &(struct finding){ .path = s->path, .found = *f, .in_name = s->in_name });
}
