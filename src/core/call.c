/* SPDX-License-Identifier: Apache-2.0 */
#include "call.h"

#include "clock.h"
#include "err.h"
#include "name.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

int kt_budget_start(struct kt_budget *b, struct kt_handle *h, int64_t timeout_ms, bool may_prompt,
                    struct kt_err *err)
{
    if (timeout_ms < 0 || timeout_ms > KT_TIMEOUT_MAX_MS)
        return kt_fail(err, KT_INVALID, "a timeout of %lld ms: it is 1 ms to a day",
                       (long long)timeout_ms);
    kt_handle_enter(h);
    if (timeout_ms == 0)
        timeout_ms = KT_TIMEOUT_DEFAULT_MS;
    b->handle = h;
    b->deadline_ns = kt_clock_ns(&h->clock, KT_CLOCK_MONOTONIC) + timeout_ms * 1000000;
    b->cancels = atomic_load_explicit(&h->cancels, memory_order_acquire);
    b->may_prompt = may_prompt;
    return KT_SUCCESS;
}

int kt_budget_begin(struct kt_budget *b, struct kt_handle *h, const char *name,
                    const struct kt_call_options *o, struct kt_err *err)
{
    static const struct kt_call_options none = { .size = sizeof none };
    const int rc = name != NULL ? kt_name_for_program(name, err) : KT_SUCCESS;

    if (rc != KT_SUCCESS)
        return rc;
    if (o == NULL)
        o = &none;
    if (o->size != sizeof *o)
        return kt_fail(err, KT_INVALID, "struct kt_call_options has size %zu, this library's %zu",
                       o->size, sizeof *o);
    return kt_budget_start(b, h, o->timeout_ms, o->may_prompt, err);
}

int64_t kt_budget_left_ms(const struct kt_budget *b)
{
    const int64_t left = b->deadline_ns - kt_clock_ns(&b->handle->clock, KT_CLOCK_MONOTONIC);

    return left <= 0 ? 0 : (left + 999999) / 1000000;
}

bool kt_budget_cancelled(const struct kt_budget *b)
{
    return atomic_load_explicit(&b->handle->cancels, memory_order_acquire) != b->cancels;
}

void kt_call_start(struct kt_call *call, const struct kt_budget *budget, const struct kt_line *line,
                   const char *module, const struct kt_sink *sink, bool last)
{
    const int64_t now = kt_clock_ns(&budget->handle->clock, KT_CLOCK_MONOTONIC);
    int64_t left = budget->deadline_ns - now;

    if (line != NULL && line->core.timeout_ms > 0) {
        if (left > line->core.timeout_ms * 1000000)
            left = line->core.timeout_ms * 1000000;
    } else if (!last) {
        left /= 2;
    }
    call->budget = budget;
    call->line = line;
    call->module = module;
    call->sink = sink;
    call->deadline_ns = now + left;
    call->waiting = false;
    call->placed = false;
    call->err.status = KT_SUCCESS;
    call->err.msg[0] = '\0';
}

void kt_call_done(struct kt_call *call)
{
    struct kt_handle *h = call->budget->handle;

    if (!call->waiting)
        return;
    (void)pthread_mutex_lock(&h->lock);
    for (struct kt_waiter **w = &h->waiters; *w != NULL; w = &(*w)->next)
        if (*w == &call->waiter) {
            *w = call->waiter.next;
            break;
        }
    (void)pthread_mutex_unlock(&h->lock);
    (void)close(call->waiter.fd);
    call->waiting = false;
}

const char *kt_line_where(const struct kt_line *line, char out[KT_WHERE_SIZE])
{
    if (line->lineno == 0)
        (void)snprintf(out, KT_WHERE_SIZE, "%s", line->file);
    else
        (void)snprintf(out, KT_WHERE_SIZE, "%.*s:%u", KT_WHERE_SIZE - 16, line->file, line->lineno);
    return out;
}

/* Modules like to begin with their own name; it is said already. */
const char *kt_without_name(const char *text, const char *module)
{
    const size_t n = strlen(module);

    return strncmp(text, module, n) == 0 && strncmp(text + n, ": ", 2) == 0 ? text + n + 2 : text;
}

int kt_call_explain(const struct kt_call *call, const char *name, int status, struct kt_err *err)
{
    const struct kt_line *l = call->line;
    const bool words = call->err.msg[0] != '\0' && call->err.status == status;
    const char *text = words ? kt_without_name(call->err.msg, call->module)
                             : kt_status_meaning(status);
    const char *colon = name != NULL ? ": " : "";
    char where[KT_WHERE_SIZE];

    if (name == NULL)
        name = "";
    if (l == NULL)
        return kt_fail(err, status, "%s: %s", call->module, text);
    if (words && call->placed)
        return kt_fail(err, status, "%s%s%s", name, colon, text);
    return kt_fail(err, status, "%s%s%s: %s: %s", name, colon, kt_line_where(l, where),
                   call->module, text);
}

const char *kt_where_skip(const struct kt_line *line, const char *text, unsigned *lineno,
                          unsigned *column)
{
    char where[KT_WHERE_SIZE];
    const size_t len = strlen(kt_line_where(line, where));
    int used = 0;

    *lineno = line->lineno;
    *column = 0;
    if (strncmp(text, where, len) != 0)
        return text;
    text += len;
    if (sscanf(text, ", at %u:%u: %n", lineno, column, &used) == 2 && used > 0)
        return text + used;
    if (sscanf(text, ":%u: %n", column, &used) == 1 && used > 0)
        return text + used;
    *lineno = line->lineno;
    *column = 0;
    return strncmp(text, ": ", 2) == 0 ? text + 2 : text;
}
