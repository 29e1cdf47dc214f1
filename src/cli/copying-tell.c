/* SPDX-License-Identifier: Apache-2.0 */

/* What became of each version and secret, and what ends a run. */

#include "copying-parts.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static bool is(const struct copy_row *row, const char *result)
{
    return strcmp(row->result, result) == 0;
}

void copy_tell(struct copying *c, const struct copy_row *row)
{
    if (c->cli->json) {
        struct json j = json_open(&sink_out);

        json_text(&j, "name", row->name);
        json_str(&j, "version", row->version);
        json_str(&j, "to_version", row->to_version != NULL ? row->to_version : row->version);
        json_text(&j, "result", row->result);
        json_str(&j, "reason", row->reason != KT_SUCCESS ? kt_status_name(row->reason) : NULL);
        json_str(&j, "message", row->message);
        json_close(&j);
    } else if (row->message != NULL && !is(row, "failed")) {
        bar_hide(&c->state->bar);
        if (row->version != NULL && is(row, "left"))
            say_warning(c->cli, "%s: version %s stays behind: %s", row->name, row->version,
                        row->message);
        else
            say_warning(c->cli, "%s: %s", row->name, row->message);
    }
}

void copy_tell_secret(struct copying *c, const char *name, uint64_t written, uint64_t there)
{
    if (c->cli->json || c->cli->quiet || (!c->dry && c->cli->verbose == 0))
        return;
    bar_hide(&c->state->bar);
    sink_text(&sink_out, name);
    if (written > 0)
        sink_printf(&sink_out, ": %s %" PRIu64 " version%s", c->dry ? "would copy" : "copied",
                    written, written == 1 ? "" : "s");
    else
        sink_str(&sink_out, c->dry ? ": would move labels" : ": labels moved");
    if (there > 0)
        sink_printf(&sink_out, ", %" PRIu64 " there already", there);
    sink_str(&sink_out, "\n");
}

/* ---- failures --------------------------------------------------------------------------------- */

/*
 * How many secrets in a row may fail with a status before the run ends: a store that is out of reach
 * is not asked ten thousand times. What may be one secret's own trouble gets a few chances; 0: for ever.
 */
static unsigned patience(int status)
{
    switch (status) {
    case KT_LOCKED:
    case KT_UNAVAILABLE:
    case KT_THROTTLED:
    case KT_TIMEOUT:
    case KT_CANCELLED:
    case KT_BUSY:
    case KT_NO_MEMORY:
    case KT_MODULE_ERROR:
    case KT_CONFIG_ERROR:
        return 1;
    case KT_NO_SPACE:
    case KT_READ_ONLY:
        return 3;
    case KT_DENIED:
        return 10;
    default:
        return 0;
    }
}

static bool ends_run(struct copy_state *state, int status, bool first)
{
    const unsigned limit = patience(status);

    if (state->streak_status != status)
        state->streak = 0;
    state->streak_status = status;
    state->streak += first ? 1 : 0;
    return limit > 0 && state->streak >= limit;
}

void copy_weigh(struct copying *c, const char *name, const char *version, const struct kt_err *err)
{
    const char *text = err->msg[0] != '\0' ? err->msg : kt_status_meaning(err->status);
    struct copy_state *state = c->state;

    if (state->stopped || kt_status_tell(err->status) > kt_status_tell(state->worst.status)) {
        state->worst = *err;
        (void)snprintf(state->worst.msg, sizeof(state->worst.msg), "%s", text);
        (void)snprintf(state->worst_name, sizeof(state->worst_name), "%s",
                       name != NULL ? name : "");
    }
    if (c->cli->json) {
        copy_tell(c, &(struct copy_row){ .name = name,
                                         .version = version,
                                         .result = "failed",
                                         .reason = err->status,
                                         .message = text });
    } else if (!state->stopped) { /* that is the last thing that is said */
        bar_hide(&state->bar);
        (void)fail_err(c->cli, name, err);
    }
}

int copy_failed(struct copying *c, const char *name, const char *version, bool first,
                const struct kt_err *err)
{
    struct copy_state *state = c->state;

    state->stopped = ends_run(state, err->status, first);
    copy_weigh(c, name, version, err);
    return state->stopped ? kt_status_exit(err->status) : 0;
}

/* ---- the end ---------------------------------------------------------------------------------- */

static void summary_json(const struct copying *c, int status, int64_t ms)
{
    struct json j = json_open(&sink_out);

    json_str(&j, "name", NULL);
    json_text(&j, "result", "summary");
    json_text(&j, "status", kt_status_name(status));
    json_text(&j, "from", c->from_name);
    json_text(&j, "to", c->to_name);
    json_bool(&j, "dry_run", c->dry);
    json_int(&j, "secrets_copied", (int64_t)c->secrets.copied);
    json_int(&j, "secrets_unchanged", (int64_t)c->secrets.unchanged);
    json_int(&j, "secrets_left", (int64_t)c->secrets.left);
    json_int(&j, "secrets_failed", (int64_t)c->secrets.failed);
    json_int(&j, "versions_copied", (int64_t)c->versions.copied);
    json_int(&j, "versions_unchanged", (int64_t)c->versions.unchanged);
    json_int(&j, "versions_left", (int64_t)c->versions.left);
    json_int(&j, "versions_failed", (int64_t)c->versions.failed);
    json_seconds(&j, "elapsed", ms);
    json_close(&j);
}

static void summary_text(const struct copying *c, int64_t ms)
{
    const struct copy_count *n = &c->secrets;

    sink_printf(&sink_out, "%s %" PRIu64 " secret%s (%" PRIu64 " version%s) from ",
                c->dry ? "would copy" : "copied", n->copied, n->copied == 1 ? "" : "s",
                c->versions.copied, c->versions.copied == 1 ? "" : "s");
    sink_text(&sink_out, c->from_name);
    sink_str(&sink_out, " to ");
    sink_text(&sink_out, c->to_name);
    if (n->unchanged > 0)
        sink_printf(&sink_out, ", %" PRIu64 " there already", n->unchanged);
    if (n->left > 0)
        sink_printf(&sink_out, ", %" PRIu64 " not whole", n->left);
    if (n->failed > 0)
        sink_printf(&sink_out, ", %" PRIu64 " failed", n->failed);
    if (ms >= 1000 && n->copied >= 100)
        sink_printf(&sink_out, ", %.0f secrets/s", (double)n->copied * 1000 / (double)ms);
    sink_str(&sink_out, "\n");
}

/* The library's words often begin with the name. */
static const char *without_name(const char *text, const char *name)
{
    const size_t len = strlen(name);

    return len > 0 && strncmp(text, name, len) == 0 && strncmp(text + len, ": ", 2) == 0
               ? text + len + 2
               : text;
}

static int final_failure(struct copying *c)
{
    const struct copy_state *state = c->state;
    const struct kt_err *worst = &state->worst;
    const char *at = state->worst_name;
    const char *why = without_name(worst->msg, at);

    if (at[0] == '\0')
        return fail_status(c->cli, worst->status, NULL, "'%s' did not tell all its names%s: %s",
                           c->from_name, state->stopped ? ", nothing was copied" : "", why);
    if (!state->stopped)
        return fail_status(c->cli, worst->status, NULL,
                           "%" PRIu64 " of %" PRIu64 " secrets failed; what weighs most: %s: %s",
                           c->secrets.failed, state->done, at, why);
    return fail_status(c->cli, worst->status, NULL,
                       "stopped at '%s', after %" PRIu64 " of %" PRIu64 " secrets: %s; run it "
                       "again to go on",
                       at, state->done - 1, state->total > 0 ? state->total : state->done, why);
}

int copy_finish(struct copying *c)
{
    const int64_t ms = session_now_ms() - c->state->begun_ms;
    const int status = c->state->worst.status != KT_SUCCESS ? c->state->worst.status
                       : c->secrets.left > 0                ? KT_PARTIAL
                                                            : KT_SUCCESS;

    bar_hide(&c->state->bar);
    if (c->cli->json)
        summary_json(c, status, ms);
    else if (!c->cli->quiet)
        summary_text(c, ms);
    (void)sink_flush(&sink_out); /* before the last word on standard error */
    if (c->state->worst.status != KT_SUCCESS)
        return final_failure(c);
    if (status == KT_PARTIAL)
        return fail_status(c->cli, KT_PARTIAL, NULL,
                           "%" PRIu64 " of %" PRIu64 " secrets are not whole in '%s'",
                           c->secrets.left, c->state->done, c->to_name);
    return 0;
}
