/* SPDX-License-Identifier: Apache-2.0 */

/* What became of each secret of a source, done and told. */
#include "import-source.h"

#include <stdio.h>
#include <string.h>

enum result { IMPORTED, REPLACED, UNCHANGED, CONFLICT, INVALID, FAILED, RESULTS };

static const char *const results[] = { "imported", "replaced", "unchanged",
                                       "conflict", "invalid",  "failed" };
static const char *const planned[] = { "would be imported", "would be replaced", "unchanged",
                                       "conflict",          "invalid",           "failed" };

/** struct outcome - of one secret; @note: NULL, or more about it */
struct outcome {
    enum result result;
    char version[KT_ID_SIZE];
    const char *note;
    struct kt_err err;
};

struct import {
    const struct cli *cli;
    struct kt_handle *h;
    struct source *source;
    bool dry;
    bool replace;
    size_t count[RESULTS];
    size_t not_tried;
    int worst; /* enum kt_status */
};

/* ---- one secret ------------------------------------------------------------------------------ */

/* What is left of --timeout; without one each call has its own. */
static int64_t left_ms(const struct cli *cli)
{
    const int64_t left = session_left_ms(cli);

    return left < 0 ? cli->timeout_ms : left > 0 ? left : 1;
}

static int put(const struct import *im, const struct item *item, const void *data, size_t len,
               const char *expected, struct outcome *o)
{
    const struct kt_call_options call = session_call(im->cli);
    struct kt_put_options options = { .size = sizeof(options),
                                      .timeout_ms = left_ms(im->cli),
                                      .may_prompt = call.may_prompt,
                                      .expected = expected };
    int rc = kt_put(im->h, item->name, data, len, &options, o->version, &o->err);

    if (rc == KT_UNSUPPORTED && expected != NULL) { /* a store that cannot compare */
        options.expected = NULL;
        rc = kt_put(im->h, item->name, data, len, &options, o->version, &o->err);
    }
    return rc;
}

static enum result conflict(struct outcome *o)
{
    o->err.status = KT_CONFLICT;
    (void)snprintf(o->err.msg, sizeof(o->err.msg),
                   "the store has another value; --replace stores this one besides");
    return CONFLICT;
}

/* Nothing is there: @current NULL; else that is what is current. */
static enum result store(const struct import *im, const struct item *item, const void *data,
                         size_t len, const char *current, struct outcome *o)
{
    int rc;

    if (im->dry)
        return current != NULL ? REPLACED : IMPORTED;
    rc = put(im, item, data, len, current != NULL ? current : "", o);
    if (rc == KT_CONFLICT || rc == KT_EXISTS)
        return conflict(o); /* somebody else was faster */
    if (rc == KT_PARTIAL)
        o->note = o->err.msg;
    if (rc != KT_SUCCESS)
        return FAILED;
    return current != NULL ? REPLACED : IMPORTED;
}

static enum result offer(const struct import *im, const struct item *item, const void *data,
                         size_t len, struct outcome *o)
{
    AUTO(secret_freep) struct kt_secret *there = NULL;
    const struct kt_call_options call = session_call(im->cli);
    const struct kt_get_options options = { .size = sizeof(options),
                                            .timeout_ms = left_ms(im->cli),
                                            .may_prompt = call.may_prompt,
                                            .bound_age = true };
    int rc = kt_get(im->h, item->name, &options, &there, &o->err);

    if (rc == KT_NOT_FOUND)
        return store(im, item, data, len, NULL, o);
    if (rc == KT_DISABLED || rc == KT_EXPIRED || rc == KT_NOT_YET || rc == KT_TOO_LARGE)
        return im->replace ? store(im, item, data, len, NULL, o) : conflict(o);
    if (rc != KT_SUCCESS)
        return FAILED;
    (void)snprintf(o->version, sizeof(o->version), "%s", kt_secret_info(there)->id);
    if (kt_secret_len(there) == len && memcmp(kt_secret_data(there), data, len) == 0)
        return UNCHANGED;
    return im->replace ? store(im, item, data, len, kt_secret_info(there)->id, o) : conflict(o);
}

static enum result bad(const struct item *item, struct outcome *o)
{
    o->err.status = item->bad_status;
    (void)snprintf(o->err.msg, sizeof(o->err.msg), "%s", item->bad);
    return INVALID;
}

static enum result try_item(const struct import *im, struct item *item, struct input *room,
                            struct outcome *o)
{
    const void *data = item->data;
    size_t len = item->len;

    if (item->bad_status != KT_SUCCESS)
        return bad(item, o);
    if (data == NULL) {
        const int rc = im->source->fetch(im->source, item, room, &o->note, &o->err);

        if (rc != KT_SUCCESS && rc != KT_TOO_LARGE)
            return FAILED;
        data = room->data;
        len = rc == KT_SUCCESS ? room->len : KT_VALUE_MAX + 1;
    }
    if (len > KT_VALUE_MAX) {
        item_bad(item, KT_TOO_LARGE, "the value is over %d bytes", KT_VALUE_MAX);
        return bad(item, o);
    }
    if (len == 0)
        o->note = "its value is empty";
    return offer(im, item, data, len, o);
}

/* ---- telling --------------------------------------------------------------------------------- */

static void tell(const struct import *im, const struct item *item, const struct outcome *o)
{
    const bool failed = o->result >= CONFLICT;
    const char *text = failed ? o->err.msg : o->note;

    if (failed && text[0] == '\0')
        text = kt_status_meaning(o->err.status);
    if (im->cli->json) {
        struct json j = json_open(&sink_out);

        json_text(&j, "name", item->name);
        json_text(&j, "key", item->key);
        json_text(&j, "result", results[o->result]);
        json_text(&j, "status", kt_status_name(failed ? o->err.status : KT_SUCCESS));
        json_str(&j, "version", o->version);
        json_text(&j, "message", text);
        json_bool(&j, "dry_run", im->dry);
        json_close(&j);
    } else if (!im->cli->quiet || failed) {
        sink_text(&sink_out, item->name);
        sink_str(&sink_out, ": ");
        sink_str(&sink_out, (im->dry ? planned : results)[o->result]);
        if (o->result == FAILED) {
            sink_str(&sink_out, ": ");
            sink_str(&sink_out, kt_status_name(o->err.status));
        }
        if (text != NULL) {
            sink_str(&sink_out, ": ");
            sink_text(&sink_out, text);
        }
        sink_str(&sink_out, "\n");
    }
    (void)sink_flush(&sink_out); /* it may take its time */
}

static void tell_all(const struct import *im)
{
    const struct source *s = im->source;

    if (im->cli->json) {
        struct json j = json_open(&sink_out);

        json_str(&j, "name", NULL);
        json_text(&j, "result", "summary");
        json_text(&j, "status", kt_status_name(im->worst));
        json_text(&j, "source", s->shown);
        json_text(&j, "format", s->format);
        for (size_t i = 0; i < RESULTS; i++)
            json_int(&j, results[i], (int64_t)im->count[i]);
        json_int(&j, "not_tried", (int64_t)im->not_tried);
        json_bool(&j, "dry_run", im->dry);
        json_close(&j);
        return;
    }
    if (im->cli->quiet)
        return;
    sink_str(&sink_err, "keyturn: ");
    sink_text(&sink_err, s->shown);
    sink_printf(&sink_err, " (%s)", s->format);
    for (size_t i = 0, told = 0; i < RESULTS; i++)
        if (im->count[i] > 0 || (i == 0 && s->n == 0))
            sink_printf(&sink_err, "%s %zu %s", told++ == 0 ? ":" : ",", im->count[i],
                        (im->dry ? planned : results)[i]);
    if (im->not_tried > 0)
        sink_printf(&sink_err, ", %zu not tried", im->not_tried);
    sink_str(&sink_err, "\n");
    (void)sink_flush(&sink_err);
}

static void warn_source(const struct import *im)
{
    if (!im->dry && im->source->plaintext && im->source->n > 0)
        say_warning(im->cli,
                    "%s still holds these values in the open: remove it when nothing reads it any "
                    "more, and from backups and git's history, too",
                    im->source->shown);
}

/* ---- all of them ----------------------------------------------------------------------------- */

static void note_worst(struct import *im, int status)
{
    if (im->worst == KT_SUCCESS || kt_status_tell(status) > kt_status_tell(im->worst))
        im->worst = status;
}

/* It is the store that failed, not the secret: the others would fare no better. */
static bool is_the_end(const struct outcome *o)
{
    switch (o->err.status) {
    case KT_DENIED:
    case KT_DISABLED:
    case KT_PARTIAL:
    case KT_INVALID:
    case KT_TOO_LARGE:
    case KT_CORRUPT:
    case KT_CONFLICT:
    case KT_EXISTS:
    case KT_BUSY:
    case KT_THROTTLED:
        return false;
    default:
        return o->result == FAILED;
    }
}

static int finish(const struct import *im)
{
    const size_t done = im->count[IMPORTED] + im->count[REPLACED] + im->count[UNCHANGED];

    tell_all(im);
    if (im->worst == KT_SUCCESS || done > 0)
        warn_source(im);
    if (im->worst == KT_SUCCESS)
        return 0;
    return fail_status(im->cli, im->worst, NULL, "%zu of %zu secrets were not imported",
                       im->source->n - done, im->source->n);
}

int import_store(const struct cli *cli, struct kt_handle *h, struct source *s)
{
    AUTO(input_free) struct input room = { 0 };
    struct import im = { .cli = cli,
                         .h = h,
                         .source = s,
                         .dry = args_value(cli, "dry-run") != NULL,
                         .replace = args_value(cli, "replace") != NULL };

    if (s->fetch != NULL && !input_new(&room))
        return fail_status(im.cli, KT_NO_MEMORY, NULL, "no memory for a value");
    for (size_t i = 0; i < s->n; i++) {
        struct outcome o = { .note = NULL };

        o.result = try_item(&im, &s->items[i], &room, &o);
        im.count[o.result]++;
        if (o.result >= CONFLICT)
            note_worst(&im, o.err.status);
        tell(&im, &s->items[i], &o);
        if (is_the_end(&o)) {
            im.not_tried = s->n - i - 1;
            break;
        }
    }
    return finish(&im);
}
