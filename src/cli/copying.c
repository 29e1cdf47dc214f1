/* SPDX-License-Identifier: Apache-2.0 */
#include "copying-parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BAR_AFTER_MS 500

/* ---- one secret ------------------------------------------------------------------------------- */

void copy_secret_fail(struct copy_secret *s, const char *version, const struct kt_err *err)
{
    const bool first = !s->failed;

    s->failed = true;
    s->over = s->over || err->status == KT_CONFLICT;
    s->c->versions.failed += version != NULL ? 1 : 0;
    s->stop = copy_failed(s->c, s->name, version, first, err);
}

void copy_secret_failf(struct copy_secret *s, const char *version, int status, const char *fmt, ...)
{
    struct kt_err err = { .status = status };
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(err.msg, sizeof(err.msg), fmt, ap);
    va_end(ap);
    copy_secret_fail(s, version, &err);
}

void copy_secret_leave(struct copy_secret *s, struct copy_version *v, bool counts, int status,
                       const char *why)
{
    if (v != NULL && v->told)
        return;
    s->left = s->left || counts;
    if (v != NULL) {
        v->told = true;
        s->c->versions.left++;
    }
    copy_tell(s->c, &(struct copy_row){ .name = s->name,
                                        .version = v != NULL ? v->from->id : NULL,
                                        .to_version = v != NULL ? v->id : NULL,
                                        .result = "left",
                                        .reason = status,
                                        .message = why });
}

static void count_secret(struct copying *c, const struct copy_secret *s)
{
    const bool changed = s->written > 0 || s->staged;

    if (!s->failed)
        c->state->streak = 0;
    if (s->written == 0 && s->staged)
        copy_tell(
            c, &(struct copy_row){ .name = s->name,
                                   .version = s->current < s->n ? s->v[s->current].from->id : NULL,
                                   .result = c->dry ? "would-stage" : "staged" });
    if (changed)
        copy_tell_secret(c, s->name, s->written, s->there);
    if (s->failed)
        c->secrets.failed++;
    else if (s->left)
        c->secrets.left++;
    else if (changed)
        c->secrets.copied++;
    else
        c->secrets.unchanged++;
}

int copying_one(struct copying *c, const char *name)
{
    struct copy_secret s = { .c = c, .name = name };

    if (copy_plan(&s))
        copy_write(&s);
    c->state->done++;
    count_secret(c, &s);
    copy_plan_done(&s);
    /* a short one needs no bar */
    if (c->state->total > 0 && session_now_ms() - c->state->begun_ms > BAR_AFTER_MS)
        bar_show(&c->state->bar, c->state->done, c->state->total);
    return s.stop;
}

/* ---- all of them ------------------------------------------------------------------------------ */

/**
 * struct names - which secrets there are, in one block; values are never in here
 * @at: @n offsets into @text: a byte of flags, then the name
 */
struct names {
    char *text;
    size_t len;
    size_t size;
    size_t *at;
    size_t n;
    size_t room;
};

enum { PLAIN = 'p', FOREIGN = 'f', OVERRIDE = 'o' };

static int take_name(void *cookie, const struct kt_item *item)
{
    struct names *l = cookie;
    const size_t len = strlen(item->name) + 2;

    if (len > l->size - l->len) {
        const size_t size = l->size * 2 + 65536;
        char *text = realloc(l->text, size);

        if (text == NULL)
            return KT_NO_MEMORY;
        l->text = text;
        l->size = size;
    }
    if (l->n == l->room) {
        const size_t room = l->room * 2 + 1024;
        size_t *at = realloc(l->at, room * sizeof(*at));

        if (at == NULL)
            return KT_NO_MEMORY;
        l->at = at;
        l->room = room;
    }
    l->at[l->n++] = l->len;
    l->text[l->len] = (item->info.flags & KT_FLAG_FOREIGN) != 0    ? FOREIGN
                      : (item->info.flags & KT_FLAG_OVERRIDE) != 0 ? OVERRIDE
                                                                   : PLAIN;
    memcpy(l->text + l->len + 1, item->name, len - 1);
    l->len += len;
    return KT_SUCCESS;
}

static int by_name(const void *a, const void *b, void *text)
{
    return strcmp((const char *)text + *(const size_t *)a + 1,
                  (const char *)text + *(const size_t *)b + 1);
}

/* In order, and each once: a store may have told one twice. */
static void settle(struct names *l)
{
    size_t n = 0;

    if (l->n > 0)
        qsort_r(l->at, l->n, sizeof(l->at[0]), by_name, l->text);
    for (size_t i = 0; i < l->n; i++)
        if (n == 0 || strcmp(l->text + l->at[n - 1] + 1, l->text + l->at[i] + 1) != 0)
            l->at[n++] = l->at[i];
    l->n = n;
}

static void names_done(struct names *l)
{
    free(l->text);
    free(l->at);
}

/* A line that could not be asked: what only it has is not copied. */
static void weigh_lines(struct copying *c, const struct kt_list *list)
{
    const struct kt_line_status *lines;
    const size_t n = kt_list_lines(list, &lines);

    for (size_t i = 0; i < n; i++) {
        struct kt_err err = { .status = lines[i].status };

        if (err.status == KT_SUCCESS || err.status == KT_IGNORE)
            continue;
        (void)snprintf(err.msg, sizeof(err.msg), "'%s' may have more names: %s:%u: %s: %s",
                       c->from_name, lines[i].file, lines[i].line, lines[i].module,
                       lines[i].msg != NULL && lines[i].msg[0] != '\0'
                           ? lines[i].msg
                           : kt_status_meaning(err.status));
        copy_weigh(c, NULL, NULL, &err); /* the authority did answer: the run goes on */
    }
}

static int copy_each(struct copying *c, const struct names *l)
{
    int rc = 0;

    c->state->total = l->n;
    c->state->bar = (struct bar){ .rate = true, .begun_ms = session_now_ms() };
    for (size_t i = 0; i < l->n && rc == 0; i++) {
        struct copy_secret s = { .c = c, .name = l->text + l->at[i] + 1 };

        if (l->text[l->at[i]] == PLAIN) {
            rc = copying_one(c, s.name);
            continue;
        }
        if (l->text[l->at[i]] == FOREIGN)
            copy_secret_leave(&s, NULL, true, KT_INVALID,
                              "stays behind: it is the store's own, and no name for a secret");
        else
            copy_secret_leave(&s, NULL, false, KT_UNSUPPORTED,
                              "stays behind: an override has it, and not the service's store");
        c->state->done++;
        c->secrets.left += s.left ? 1 : 0;
    }
    return rc;
}

int copying_all(struct copying *c, const char *prefix)
{
    AUTO(list_freep) struct kt_list *lines = NULL;
    struct names names = { 0 };
    struct kt_err err = { 0 };
    int rc = copy_list(c, prefix, take_name, &names, &lines, &err), end;

    c->state->stopped = rc != KT_SUCCESS && names.n == 0;
    if (rc != KT_SUCCESS)
        copy_weigh(c, NULL, NULL, &err); /* what was told is copied all the same */
    else
        weigh_lines(c, lines);
    settle(&names);
    end = copy_each(c, &names);
    names_done(&names);
    return end;
}

/* ---- begin and end ---------------------------------------------------------------------------- */

int copying_begin(struct copying *c)
{
    c->state = calloc(1, sizeof(*c->state));
    if (c->state == NULL)
        return fail_status(c->cli, KT_NO_MEMORY, NULL, "out of memory");
    c->state->begun_ms = session_now_ms();
    if (!c->keep_signals) {
        c->state->signals = copy_signals_begin(c->from, c->to);
        if (c->state->signals == NULL)
            return fail_status(c->cli, KT_NO_MEMORY, NULL, "no thread or descriptor is left");
    }
    return copy_look(c);
}

int copying_end(struct copying *c, int rc)
{
    struct copy_state *state = c->state;

    if (state == NULL)
        return rc;
    if (rc == 0 || state->worst.status != KT_SUCCESS)
        rc = copy_finish(c);
    copy_signals_end(state->signals);
    free(state->seen.slots);
    free(state);
    c->state = NULL;
    return rc;
}
