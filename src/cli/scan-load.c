/* SPDX-License-Identifier: Apache-2.0 */
#include "scan.h"

#include <stdlib.h>
#include <string.h>

#define BATCH 64        /* values in memory at once, at most */
#define VERSIONS_MAX 64 /* of one secret, the newest */

struct load {
    struct scan *s;
    struct kt_handle *h;
    struct own *own;
    uint64_t failures;
    int status; /* of the first one */
    bool full;
    struct {
        char ids[3][KT_ID_SIZE]; /* versions that were given for a stage */
    } known[BATCH];
};

static const char *const stages[] = { "current", "previous", "pending" };

/* One that could not be asked for is told; as often as not it is the same for all. */
static void failed(struct load *l, const char *name, int status, const struct kt_err *err)
{
    if (l->failures++ < 3)
        (void)fail_err(l->s->cli, name, err);
    if (l->status == KT_SUCCESS)
        l->status = status;
}

static void add(struct load *l, const char *name, const struct kt_secret *secret)
{
    const char *id = kt_secret_info(secret)->id;

    switch (own_add(l->own, name, id, kt_secret_data(secret), kt_secret_len(secret))) {
    case OWN_ADDED:
        return;
    case OWN_SHORT:
        scan_note(l->s, "%s: version %s is shorter than %d bytes: not looked for", name, id,
                  OWN_MIN);
        return;
    case OWN_SIMPLE:
        scan_note(l->s, "%s: version %s is as simple as a word: not looked for", name, id);
        return;
    case OWN_FULL:
    case OWN_NO_MEMORY:
        l->full = true;
        return;
    }
}

/* @extra: a version that not every store knows of */
static void take(struct load *l, const char *name, int status, const struct kt_err *err,
                 const struct kt_secret *secret, bool extra)
{
    switch (status) {
    case KT_SUCCESS:
        add(l, name, secret);
        return;
    case KT_NOT_FOUND:
        return;
    case KT_UNSUPPORTED:
        if (!extra)
            failed(l, name, status, err);
        return;
    case KT_DISABLED:
    case KT_EXPIRED:
    case KT_NOT_YET:
        scan_note(l->s, "%s: a version is %s: not looked for", name, kt_status_name(status));
        return;
    default:
        failed(l, name, status, err);
    }
}

static void load_stage(struct load *l, const char *const *names, size_t n, size_t stage)
{
    const struct kt_call_options call = session_call(l->s->cli);
    const struct kt_get_options options = {
        .size = sizeof(options),
        .timeout_ms = call.timeout_ms,
        .may_prompt = call.may_prompt,
        .stage = stages[stage],
    };
    struct kt_result results[BATCH];
    struct kt_err err = { 0 };
    int rc;

    memset(results, 0, sizeof(results));
    rc = kt_get_many(l->h, names, n, &options, results, &err);
    for (size_t i = 0; i < n; i++) {
        if (rc == KT_SUCCESS)
            take(l, names[i], results[i].status, &results[i].err, results[i].secret, stage > 0);
        if (results[i].secret != NULL)
            memcpy(l->known[i].ids[stage], kt_secret_info(results[i].secret)->id, KT_ID_SIZE);
        kt_secret_free(results[i].secret);
    }
    if (rc != KT_SUCCESS && !(stage > 0 && rc == KT_UNSUPPORTED))
        failed(l, NULL, rc, &err);
}

static bool is_known(const struct load *l, size_t i, const char *id)
{
    for (size_t stage = 0; stage < 3; stage++)
        if (strcmp(l->known[i].ids[stage], id) == 0)
            return true;
    return false;
}

/* Those without a stage, where the store tells of them. */
static void load_versions(struct load *l, const char *name, size_t i)
{
    AUTO(list_freep) struct kt_list *versions = NULL;
    const struct kt_call_options call = session_call(l->s->cli);
    const struct kt_item *item;
    struct kt_err err = { 0 };
    int rc = kt_versions(l->h, name, &call, &versions, &err);

    if (rc == KT_UNSUPPORTED || rc == KT_NOT_FOUND)
        return;
    if (rc != KT_SUCCESS) {
        failed(l, name, rc, &err);
        return;
    }
    for (size_t k = 0; (item = kt_list_item(versions, k)) != NULL; k++) {
        AUTO(secret_freep) struct kt_secret *secret = NULL;
        const struct kt_get_options options = {
            .size = sizeof(options),
            .timeout_ms = call.timeout_ms,
            .may_prompt = call.may_prompt,
            .version = item->info.id,
        };

        if (item->info.state != KT_STATE_ENABLED || is_known(l, i, item->info.id))
            continue;
        if (k >= VERSIONS_MAX) {
            scan_note(l->s, "%s: only the newest %d versions are looked for", name, VERSIONS_MAX);
            return;
        }
        rc = kt_get(l->h, name, &options, &secret, &err);
        take(l, name, rc, &err, secret, true);
    }
}

static void load_batch(struct load *l, const char *const *names, size_t n)
{
    memset(l->known, 0, sizeof(l->known));
    for (size_t stage = 0; stage < 3; stage++)
        load_stage(l, names, n, stage);
    for (size_t i = 0; i < n; i++)
        load_versions(l, names[i], i);
}

static void load_all(struct load *l)
{
    AUTO(list_freep) struct kt_list *list = NULL;
    const struct kt_call_options call = session_call(l->s->cli);
    const struct kt_line_status *lines;
    const char *names[BATCH];
    struct kt_err err = { 0 };
    size_t n = 0;
    int rc = kt_list(l->h, NULL, &call, &list, &err);

    if (rc != KT_SUCCESS) {
        failed(l, NULL, rc, &err);
        return;
    }
    for (size_t i = 0; i < kt_list_count(list) && !l->full && !scan_stop(l->s); i++) {
        names[n++] = kt_list_item(list, i)->name;
        if (n == BATCH || i + 1 == kt_list_count(list)) {
            load_batch(l, names, n);
            n = 0;
        }
    }
    n = kt_list_lines(list, &lines);
    for (size_t i = 0; i < n; i++)
        if (lines[i].status != KT_SUCCESS && lines[i].status != KT_IGNORE) {
            say_line_failed(l->s->cli, &lines[i]);
            l->status = l->status == KT_SUCCESS ? lines[i].status : l->status;
        }
}

void load_own(struct scan *s)
{
    AUTO(session_closep) struct kt_handle *h = NULL;
    struct load l = { .s = s, .status = KT_SUCCESS };
    int rc = session_open(s->cli, &h);

    if (rc != 0) {
        s->failed = s->failed == 0 ? rc : s->failed;
        return;
    }
    if (own_new(ignores_key(s->ignores), &l.own) != KT_SUCCESS) {
        scan_fail_status(s, KT_NO_MEMORY, "out of memory");
        return;
    }
    l.h = h;
    load_all(&l);
    if (l.failures > 3)
        say_warning(s->cli, "%llu more secrets or versions could not be read",
                    (unsigned long long)l.failures - 3);
    if (l.status != KT_SUCCESS && s->failed == 0)
        s->failed = kt_status_exit(l.status);
    if (l.full)
        scan_fail_status(s, KT_TOO_LARGE, "more values than can be looked for");
    if (!own_build(l.own)) {
        scan_fail_status(s, KT_NO_MEMORY, "out of memory");
        own_free(l.own);
        return;
    }
    scan_note(s, "values of the service that are looked for: %zu", own_count(l.own));
    s->own = l.own;
    finder_free(s->words); /* knows them not */
    s->words = NULL;
}
