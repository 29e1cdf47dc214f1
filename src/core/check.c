/* SPDX-License-Identifier: Apache-2.0 */
#include "call.h"
#include "err.h"

struct checking {
    void (*finding)(void *cookie, const struct kt_finding *f);
    void *cookie;
};

/* @text may begin with the place: a finding has that apart. */
static void tell(const struct checking *c, enum kt_log_level level, const struct kt_line *line,
                 const char *text)
{
    struct kt_finding f = { .level = level, .file = "", .text = text };

    if (line != NULL) {
        f.file = line->file;
        f.text = kt_where_skip(line, text, &f.line, &f.column);
    }
    if (c->finding != NULL)
        c->finding(c->cookie, &f);
}

/* Load each store's module and open its state: what open would otherwise find at its first turn. */
static int open_stores(struct kt_handle *h, const struct checking *c, struct kt_err *err)
{
    struct kt_budget b;
    int rc = kt_budget_start(&b, h, 0, false, err);

    if (rc != KT_SUCCESS)
        return rc;
    for (size_t i = 0; i < h->nstores; i++) {
        struct kt_store *s = &h->stores[i];
        struct kt_err own;
        struct kt_call call;
        int status;

        /* Told first, for a host that runs this in a child: the module may end the process. */
        tell(c, KT_LOG_DEBUG, s->line, s->line->module);
        kt_call_start(&call, &b, s->line, s->line->module, NULL, false);
        status = kt_store_ready(s, &call);
        kt_call_done(&call);
        if (status == KT_SUCCESS)
            continue;
        (void)kt_call_explain(&call, NULL, status, &own);
        /* What only this machine's state of now forbids does not make the file wrong. */
        if (status == KT_CONFIG_ERROR || status == KT_MODULE_ERROR || status == KT_INVALID) {
            tell(c, KT_LOG_ERROR, s->line, own.msg);
            if (rc == KT_SUCCESS)
                rc = kt_fail(err, status, "%s", own.msg);
        } else {
            tell(c, KT_LOG_WARNING, s->line, own.msg);
        }
    }
    return rc;
}

int kt_check(const char *service, const struct kt_open_options *options,
             void (*finding)(void *cookie, const struct kt_finding *f), void *cookie,
             struct kt_err *err)
{
    const struct checking c = { finding, cookie };
    struct kt_err own;
    struct kt_handle *h = NULL;
    int rc = kt_handle_open(service != NULL ? service : KT_SERVICE_DEFAULT, options, NULL, &h,
                            &own);

    if (rc != KT_SUCCESS) {
        tell(&c, KT_LOG_ERROR, NULL, own.msg);
        return kt_fail(err, rc, "%s", own.msg);
    }
    rc = open_stores(h, &c, err);
    if (finding != NULL)
        kt_service_lint(h->service, finding, cookie);
    kt_close(h);
    return rc;
}
