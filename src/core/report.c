/* SPDX-License-Identifier: Apache-2.0 */
#include "call.h"
#include "err.h"
#include "id.h"
#include "name.h"
#include "namemap.h"

static int report_line(const struct kt_budget *b, size_t at, const char *name, const char *version,
                       enum kt_report what, struct kt_err *err)
{
    struct kt_handle *h = b->handle;
    const struct kt_line *line = &h->service->read.lines[at];
    struct kt_store *store = h->read_stores[at];
    const bool agent = h->service->places[line->place].probe.role == KT_ROLE_AGENT;
    char place[KT_PLACE_SIZE];
    struct kt_call call;
    int rc = KT_SUCCESS;

    /* What is not open remembers nothing, but for the machine's agent. */
    if (!agent && !atomic_load_explicit(&store->ready, memory_order_acquire))
        return KT_SUCCESS;
    kt_call_start(&call, b, line, line->module, NULL, true);
    rc = kt_store_ready(store, &call);
    if (rc == KT_SUCCESS && store->ops.report != NULL) {
        rc = kt_name_to_store(line, &store->ops, name, place, &call.err);
        if (rc == KT_SUCCESS)
            rc = store->ops.report(store->state, &call, place, version, what);
    }
    kt_call_done(&call);
    /* Nobody at home is no failure of a report: the next get goes on without it, too. */
    if (rc == KT_SUCCESS || rc == KT_IGNORE || rc == KT_UNAVAILABLE || rc == KT_NOT_FOUND)
        return KT_SUCCESS;
    return kt_call_explain(&call, name, rc, err);
}

int kt_report(struct kt_handle *h, const char *name, const char *version, enum kt_report what,
              const struct kt_call_options *options, struct kt_err *err)
{
    struct kt_budget b;
    int rc = kt_budget_begin(&b, h, name, options, err);

    if (rc == KT_SUCCESS && what != KT_REJECTED && what != KT_USED)
        rc = kt_fail(err, KT_INVALID, "%s: a report is KT_REJECTED or KT_USED", name);
    if (rc == KT_SUCCESS && version != NULL)
        rc = kt_id_check(version, err);
    if (rc != KT_SUCCESS)
        return rc;
    if (what == KT_REJECTED)
        kt_handle_suspect(h, name);
    for (size_t at = 0; at < h->service->read.n; at++) {
        struct kt_err own;
        int status;

        if (h->read_stores[at] == NULL)
            continue;
        status = report_line(&b, at, name, version, what, &own);
        if (rc == KT_SUCCESS && status != KT_SUCCESS)
            rc = kt_fail(err, status, "%s", own.msg);
    }
    return rc;
}
