/* SPDX-License-Identifier: Apache-2.0 */
#include "ask.h"
#include "change.h"
#include "err.h"
#include "id.h"
#include "name.h"
#include "secret.h"

#include <stdlib.h>
#include <string.h>

#define NAMES_MAX 10000

static const struct kt_get_options no_options = { .size = sizeof(struct kt_get_options) };

static int check_options(const struct kt_get_options **o, struct kt_err *err)
{
    if (*o == NULL)
        *o = &no_options;
    if ((*o)->size != sizeof **o)
        return kt_fail(err, KT_INVALID, "struct kt_get_options has size %zu, this library's %zu",
                       (*o)->size, sizeof **o);
    if ((*o)->bound_age && (*o)->max_age_ms < 0)
        return kt_fail(err, KT_INVALID, "a negative max_age_ms");
    if ((*o)->version != NULL && (*o)->stage != NULL)
        return kt_fail(err, KT_INVALID, "a version and a stage: one of them at most");
    return (*o)->version != NULL ? kt_id_check((*o)->version, err) : KT_SUCCESS;
}

int kt_get_terms(struct kt_handle *h, const char *name, const struct kt_get_options *o,
                 struct kt_terms *terms, struct kt_err *err)
{
    int rc;

    terms->want.size = sizeof terms->want;
    terms->want.version = o->version;
    terms->want.not_version = o->not_version;
    terms->ruled = h->service->npolicies > 0 && kt_service_policy(h->service, name) != NULL;
    terms->max_age_ms = o->bound_age ? o->max_age_ms : -1;
    rc = kt_stage_bit(o->stage, &terms->want.stage, err);
    if (rc == KT_SUCCESS && kt_handle_take_suspect(h, name))
        terms->max_age_ms = 0;
    terms->want.max_age_ms = terms->max_age_ms;
    return rc;
}

/** struct get - a single get under way, all on the stack */
struct get {
    struct kt_budget budget;
    struct kt_terms terms;
    struct kt_storage storage;
    struct kt_ask ask;
};

static int get_start(struct get *g, struct kt_handle *h, const char *name,
                     const struct kt_get_options *o, struct kt_err *err)
{
    int rc = kt_name_for_program(name, err);

    if (rc == KT_SUCCESS)
        rc = check_options(&o, err);
    if (rc == KT_SUCCESS)
        rc = kt_budget_start(&g->budget, h, o->timeout_ms, o->may_prompt, err);
    if (rc == KT_SUCCESS)
        rc = kt_get_terms(h, name, o, &g->terms, err);
    if (rc == KT_SUCCESS)
        kt_ask_start(&g->ask, h, name, &g->terms, &g->storage);
    return rc;
}

static int get_answer(struct get *g, kt_step_fn *step, void *cookie, struct kt_err *err)
{
    struct kt_ask *ask = &g->ask;

    kt_ask_walk(&g->budget, &ask, 1, step, cookie);
    return kt_ask_finish(ask, &g->budget, err);
}

static int make_secret(const struct kt_offer *o, struct kt_secret **out, struct kt_err *err)
{
    struct kt_info info;
    int rc;

    kt_offer_info(o, &info);
    rc = kt_secret_make(o->data, o->len, &info, out);
    return rc == KT_SUCCESS ? rc : kt_fail(err, rc, "%s", kt_status_meaning(rc));
}

int kt_get(struct kt_handle *h, const char *name, const struct kt_get_options *options,
           struct kt_secret **out, struct kt_err *err)
{
    struct get g;
    int rc = get_start(&g, h, name, options, err);

    if (rc != KT_SUCCESS)
        return rc;
    rc = get_answer(&g, NULL, NULL, err);
    if (rc == KT_SUCCESS)
        rc = make_secret(&g.ask.best, out, err);
    kt_ask_done(&g.ask);
    return rc;
}

static void tell_info(const struct kt_offer *o, struct kt_info *info)
{
    if (info == NULL)
        return;
    kt_offer_info(o, info);
    info->attrs = NULL;
    info->nattrs = 0;
}

int kt_get_into(struct kt_handle *h, const char *name, const struct kt_get_options *options,
                void *buf, size_t size, size_t *len, struct kt_info *info, struct kt_err *err)
{
    struct get g;
    int rc = get_start(&g, h, name, options, err);

    if (rc != KT_SUCCESS)
        return rc;
    rc = get_answer(&g, NULL, NULL, err);
    if (rc == KT_SUCCESS && g.ask.best.len > size) {
        rc = kt_fail(err, KT_TOO_LARGE, "%s: the value has %zu bytes, the buffer %zu", name,
                     g.ask.best.len, size);
        *len = g.ask.best.len;
    } else if (rc == KT_SUCCESS) {
        memcpy(buf, g.ask.best.data, g.ask.best.len);
        *len = g.ask.best.len;
        tell_info(&g.ask.best, info);
    }
    kt_ask_done(&g.ask);
    return rc;
}

int kt_trace(struct kt_handle *h, const char *name, const struct kt_get_options *options,
             kt_step_fn *step, void *cookie, struct kt_info *info, struct kt_err *err)
{
    struct get g;
    int rc = get_start(&g, h, name, options, err);

    if (rc != KT_SUCCESS)
        return rc;
    rc = get_answer(&g, step, cookie, err);
    if (rc == KT_SUCCESS)
        tell_info(&g.ask.best, info);
    kt_ask_done(&g.ask);
    return rc;
}

/* ---- many ------------------------------------------------------------------------------------ */

static int fail_all(struct kt_result *results, size_t n, const struct kt_err *why)
{
    for (size_t i = 0; i < n; i++) {
        results[i].status = why->status;
        results[i].secret = NULL;
        results[i].err = *why;
    }
    return why->status;
}

int kt_get_many(struct kt_handle *h, const char *const *names, size_t n,
                const struct kt_get_options *options, struct kt_result *results, struct kt_err *err)
{
    struct kt_err own;
    struct kt_budget budget;
    struct kt_ask *asks = NULL, **walking = NULL;
    struct kt_terms *terms = NULL;
    size_t m = 0;
    int rc = n > NAMES_MAX ? kt_fail(&own, KT_TOO_LARGE, "%zu names: at most %d", n, NAMES_MAX)
                           : check_options(&options, &own);

    if (rc == KT_SUCCESS)
        rc = kt_budget_start(&budget, h, options->timeout_ms, options->may_prompt, &own);
    if (rc == KT_SUCCESS && n > 0) {
        asks = calloc(n, sizeof *asks);
        walking = calloc(n, sizeof(struct kt_ask *));
        terms = calloc(n, sizeof *terms);
        if (asks == NULL || walking == NULL || terms == NULL)
            rc = kt_fail(&own, KT_NO_MEMORY, "out of memory");
    }
    if (rc != KT_SUCCESS) {
        (void)fail_all(results, n, &own);
        (void)kt_fail(err, rc, "%s", own.msg);
        goto out;
    }
    for (size_t i = 0; i < n; i++) {
        results[i].secret = NULL;
        results[i].status = kt_name_for_program(names[i], &results[i].err);
        if (results[i].status == KT_SUCCESS)
            results[i].status = kt_get_terms(h, names[i], options, &terms[i], &results[i].err);
        if (results[i].status != KT_SUCCESS)
            continue;
        kt_ask_start(&asks[i], h, names[i], &terms[i], NULL);
        walking[m++] = &asks[i];
    }
    if (m > 0)
        kt_ask_walk(&budget, walking, m, NULL, NULL);
    for (size_t i = 0; i < n; i++) {
        if (results[i].status != KT_SUCCESS)
            continue;
        results[i].status = kt_ask_finish(&asks[i], &budget, &results[i].err);
        if (results[i].status == KT_SUCCESS)
            results[i].status = make_secret(&asks[i].best, &results[i].secret, &results[i].err);
        kt_ask_done(&asks[i]);
    }
out:
    free(asks);
    free(walking);
    free(terms);
    return rc;
}
