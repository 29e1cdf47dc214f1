/* SPDX-License-Identifier: Apache-2.0 */
#include "conform-battery.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum conform_verdict bad(struct battery *b, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(b->why, sizeof(b->why), fmt, ap);
    va_end(ap);
    return CONFORM_FAILED;
}

enum conform_verdict skip(struct battery *b, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(b->why, sizeof(b->why), fmt, ap);
    va_end(ap);
    return CONFORM_SKIPPED;
}

enum conform_verdict odd(struct battery *b, const char *what, int rc, int want)
{
    return bad(b, "%s: expected %s, got %s%s%s", what, kt_status_name(want), kt_status_name(rc),
               rc == KT_SUCCESS ? "" : ": ", rc == KT_SUCCESS ? "" : b->err.msg);
}

const char *new_name(struct battery *b, char name[NAME_SIZE])
{
    (void)snprintf(name, NAME_SIZE, "KT_CONFORM_%s_%u", b->tag, b->names++);
    return name;
}

int put_with(struct battery *b, const char *name, const void *data, size_t len,
             struct kt_put_options o, char id[KT_ID_SIZE])
{
    o.size = sizeof(o);
    if (o.timeout_ms == 0)
        o.timeout_ms = b->timeout_ms;
    return kt_put(b->h, name, data, len, &o, id, &b->err);
}

int put(struct battery *b, const char *name, const char *text, char id[KT_ID_SIZE])
{
    return put_with(b, name, text, strlen(text), (struct kt_put_options){ 0 }, id);
}

int get_with(struct battery *b, const char *name, struct kt_get_options o, struct kt_secret **out)
{
    o.size = sizeof(o);
    if (o.timeout_ms == 0)
        o.timeout_ms = b->timeout_ms;
    *out = NULL;
    return kt_get(b->h, name, &o, out, &b->err);
}

int get(struct battery *b, const char *name, struct kt_secret **out)
{
    return get_with(b, name, (struct kt_get_options){ 0 }, out);
}

int get_status(struct battery *b, const char *name)
{
    struct kt_secret *s;
    int rc = get(b, name, &s);

    kt_secret_free(s);
    return rc;
}

static struct kt_call_options call_options(const struct battery *b)
{
    return (struct kt_call_options){ .size = sizeof(struct kt_call_options),
                                     .timeout_ms = b->timeout_ms };
}

int stage(struct battery *b, const char *name, const char *label, const char *id,
          const char *expected)
{
    const struct kt_call_options o = call_options(b);

    return kt_stage(b->h, name, label, id, expected, &o, &b->err);
}

int del_with(struct battery *b, const char *name, struct kt_delete_options o, bool *restorable)
{
    bool ignored;

    o.size = sizeof(o);
    o.timeout_ms = b->timeout_ms;
    return kt_delete(b->h, name, &o, restorable != NULL ? restorable : &ignored, &b->err);
}

int versions(struct battery *b, const char *name, struct kt_list **out)
{
    const struct kt_call_options o = call_options(b);

    *out = NULL;
    return kt_versions(b->h, name, &o, out, &b->err);
}

int list(struct battery *b, const char *prefix, struct kt_list **out)
{
    const struct kt_call_options o = call_options(b);

    *out = NULL;
    return kt_list(b->h, prefix, &o, out, &b->err);
}

void drop(struct battery *b, const char *name)
{
    const struct kt_err kept = b->err;

    (void)del_with(b, name, (struct kt_delete_options){ .purge = true }, NULL);
    b->err = kept;
}

bool holds(struct battery *b, const char *name, struct kt_get_options o, const void *data,
           size_t len)
{
    struct kt_secret *s;
    int rc = get_with(b, name, o, &s);

    if (rc != KT_SUCCESS)
        (void)odd(b, "get", rc, KT_SUCCESS);
    else if (kt_secret_len(s) != len || memcmp(kt_secret_data(s), data, len) != 0)
        rc = bad(b, "get: %zu bytes went in, %zu other bytes came out", len, kt_secret_len(s));
    kt_secret_free(s);
    return rc == KT_SUCCESS;
}

bool holds_text(struct battery *b, const char *name, const char *text)
{
    return holds(b, name, (struct kt_get_options){ 0 }, text, strlen(text));
}

int lists(struct battery *b, const char *prefix, const char *name)
{
    struct kt_list *l;
    int rc = list(b, prefix, &l), found = 0;

    if (rc != KT_SUCCESS) {
        (void)odd(b, "list", rc, KT_SUCCESS);
        return -1;
    }
    for (size_t i = 0; i < kt_list_count(l); i++)
        found += strcmp(kt_list_item(l, i)->name, name) == 0;
    kt_list_free(l);
    if (found > 1) {
        (void)bad(b, "list: '%s' is told %d times", name, found);
        return -1;
    }
    return found;
}

int64_t now_ms(void)
{
    struct timespec ts;

    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

bool has_cas(const struct battery *b)
{
    return strcmp(b->cas, "none") != 0;
}

bool is_memory(const struct battery *b)
{
    return strcmp(b->protection, "memory") == 0;
}

bool could_not(int status)
{
    return status == KT_UNAVAILABLE || status == KT_THROTTLED || status == KT_TIMEOUT ||
           status == KT_BUSY || status == KT_LOCKED || status == KT_CANCELLED;
}
