/* SPDX-License-Identifier: Apache-2.0 */

/*
 * cache: this process's memory. It knows what the host told it, absences too, and when the
 * authority said so; whether that is young enough is the host's to judge: nothing here expires.
 */

#include <stdlib.h>
#include <string.h>

#include <keyturn/module.h>

#include "table.h"

#define ENTRIES_MAX 1000000
#define MEMORY_MIN 4096

struct cache {
    const struct kt_host *host;
    struct table *table;
};

static const struct kt_option options[] = {
    { "entries", KT_OPTION_NUMBER, "4096", "secrets to keep, at most 1,000,000" },
    { "memory", KT_OPTION_SIZE, "16M", "memory for them; a secret that finds no room is not kept" },
    { .name = NULL },
};

static int cache_open(const struct kt_host *host, struct kt_call *call,
                      const struct kt_open_args *args, void **state)
{
    int64_t entries = 0;
    int64_t memory = 0;
    struct cache *c;

    for (size_t i = 0; i < args->nargs; i++)
        *(strcmp(args->args[i].name, "entries") == 0 ? &entries : &memory) = args->args[i].number;
    if (entries < 1 || entries > ENTRIES_MAX)
        return host->fail(call, KT_CONFIG_ERROR, "cache: 'entries' must be from 1 to %d",
                          ENTRIES_MAX);
    if (memory < MEMORY_MIN)
        return host->fail(call, KT_CONFIG_ERROR, "cache: 'memory' must be at least %d bytes",
                          MEMORY_MIN);
    c = calloc(1, sizeof(*c));
    if (c)
        c->table = table_new(host, (size_t)entries, (size_t)memory);
    if (!c || !c->table) {
        free(c);
        return host->fail(call, KT_NO_MEMORY, "cache: out of memory");
    }
    c->host = host;
    *state = c;
    return KT_SUCCESS;
}

static void cache_close(void *state)
{
    struct cache *c = state;

    table_free(c->table);
    free(c);
}

/* ---- reading --------------------------------------------------------------------------------- */

struct asked {
    const struct kt_host *host;
    struct kt_call *call;
    const struct kt_want *want;
};

static int give_with_attrs(const struct asked *a, struct kt_version *version, const struct entry *e)
{
    struct kt_attr attrs[KT_ATTRS_MAX];
    const char *p = e->attrs;

    for (size_t i = 0; i < e->nattrs; i++) {
        attrs[i].key = p;
        p += strlen(p) + 1;
        attrs[i].value = p;
        p += strlen(p) + 1;
    }
    version->attrs = attrs;
    version->nattrs = e->nattrs;
    return a->host->give(a->call, 0, version, e->data, e->len);
}

static int give(void *cookie, const struct entry *e)
{
    const struct asked *a = cookie;
    const struct kt_want *want = a->want;
    struct kt_version version = {
        .size = sizeof(version),
        .id = e->id,
        .state = e->state,
        .stages = e->id ? KT_STAGE_CURRENT : 0,
        .misses = e->misses,
        .created_ms = e->created_ms,
        .expires_ms = e->expires_ms,
        .not_before_ms = e->not_before_ms,
        .asof = e->asof,
    };

    if (!e->id) {
        int rc = want->version ? KT_IGNORE : a->host->give(a->call, 0, &version, NULL, 0);

        return rc == KT_SUCCESS ? KT_NOT_FOUND : rc;
    }
    if ((want->version && strcmp(want->version, e->id) != 0) ||
        (want->not_version && strcmp(want->not_version, e->id) == 0))
        return KT_IGNORE;
    if (e->nattrs > 0)
        return give_with_attrs(a, &version, e);
    return a->host->give(a->call, 0, &version, e->data, e->len);
}

static int cache_get(void *state, struct kt_call *call, const char *name,
                     const struct kt_want *want)
{
    const struct cache *c = state;
    struct asked a = { .host = c->host, .call = call, .want = want };

    if (!want->version && want->stage != KT_STAGE_CURRENT)
        return KT_IGNORE;
    return table_get(c->table, name, give, &a);
}

/* ---- learning and forgetting ----------------------------------------------------------------- */

static enum table_change learn(void *cookie, const struct entry *old, struct entry *out)
{
    const struct kt_put *copy = cookie;

    if (!copy->id) {
        uint32_t misses = old && !old->id ? old->misses : 0;

        *out = (struct entry){
            .name = out->name,
            .misses = misses < UINT32_MAX ? misses + 1 : misses,
            .asof = copy->asof,
        };
        return TABLE_STORE;
    }
    if (!copy->data) {
        if (!old || !old->id || strcmp(old->id, copy->id) != 0)
            return TABLE_KEEP;
        out->asof = copy->asof;
        return TABLE_STORE;
    }
    if (copy->nattrs > KT_ATTRS_MAX)
        return TABLE_EVICT;
    *out = (struct entry){
        .name = out->name,
        .id = copy->id,
        .state = copy->state,
        .created_ms = copy->created_ms,
        .expires_ms = copy->expires_ms,
        .not_before_ms = copy->not_before_ms,
        .asof = copy->asof,
        .nattrs = copy->nattrs,
        .data = copy->data,
        .len = copy->len,
    };
    return TABLE_STORE;
}

static int cache_fill(void *state, struct kt_call *call, const char *name,
                      const struct kt_put *copy)
{
    const struct cache *c = state;

    (void)call;
    table_change(c->table, name, learn, (void *)copy, copy->data ? copy->attrs : NULL);
    return KT_SUCCESS;
}

/* What is not known to be the new version is old. */
static enum table_change drop_others(void *cookie, const struct entry *old, struct entry *out)
{
    const char *id = cookie;

    (void)out;
    return old && old->id && id && strcmp(old->id, id) == 0 ? TABLE_KEEP : TABLE_EVICT;
}

static enum table_change drop_rejected(void *cookie, const struct entry *old, struct entry *out)
{
    const char *id = cookie;

    (void)out;
    return !id || (old && old->id && strcmp(old->id, id) == 0) ? TABLE_EVICT : TABLE_KEEP;
}

static int cache_forget(void *state, struct kt_call *call, const char *name, const char *id)
{
    const struct cache *c = state;

    (void)call;
    table_change(c->table, name, drop_others, (void *)id, NULL);
    return KT_SUCCESS;
}

static int cache_report(void *state, struct kt_call *call, const char *name, const char *id,
                        enum kt_report what)
{
    const struct cache *c = state;

    (void)call;
    if (what == KT_REJECTED)
        table_change(c->table, name, drop_rejected, (void *)id, NULL);
    return KT_SUCCESS;
}

/* ---- verbs ----------------------------------------------------------------------------------- */

static int viable(void *state, struct kt_call *call, const struct kt_arg *args, size_t nargs)
{
    const struct cache *c = state;

    (void)args;
    (void)nargs;
    c->host->print(call, "it is this process's memory, and ends with it");
    return KT_SUCCESS;
}

static const struct kt_verb verbs[] = {
    { "viable", "say that there is nothing it needs", NULL, viable },
    { .name = NULL },
};

const struct kt_module kt_module = {
    .abi = KT_MODULE_ABI,
    .size = sizeof(struct kt_module),
    .kind = KT_KIND_BACKEND,
    .role = KT_ROLE_CACHE,
    .protection = KT_CLASS_MEMORY,
    .cas = KT_CAS_NONE,
    .naming = KT_NAMING_PLAIN,
    .capabilities = KT_CAP_ATTRS | KT_CAP_BINARY | KT_CAP_EXPIRES | KT_CAP_OWN_ID,
    .value_max = KT_VALUE_MAX,
    .name_max = KT_NAME_MAX,
    .name = "cache",
    .version = KT_VERSION,
    .summary = "this process's memory: what the lines below it answered",
    .options = options,
    .verbs = verbs,
    .open = cache_open,
    .close = cache_close,
    .get = cache_get,
    .fill = cache_fill,
    .forget = cache_forget,
    .report = cache_report,
};
