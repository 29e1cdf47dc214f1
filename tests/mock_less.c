/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A store that keeps little: of each secret the current value, 1 to 16 bytes, no attributes, no times,
 * no older versions; nothing can be deleted, staged or filled in.
 */

#include <pthread.h>

#include "mock.h"

struct row {
    struct row *next;
    char name[KT_NAME_MAX + 1];
    char id[KT_ID_SIZE];
    char data[16];
    size_t len;
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

struct less {
    const struct kt_host *host;
    struct row *rows;
};

static int less_open(const struct kt_host *host, struct kt_call *call,
                     const struct kt_open_args *args, void **state)
{
    struct less *l = calloc(1, sizeof(*l));

    (void)args;
    if (!l)
        return host->fail(call, KT_NO_MEMORY, "mock_less: out of memory");
    l->host = host;
    *state = l;
    return KT_SUCCESS;
}

static void less_close(void *state)
{
    struct less *l = state;

    while (l->rows) {
        struct row *r = l->rows;

        l->rows = r->next;
        free(r);
    }
    free(l);
}

static struct row *find(const struct less *l, const char *name)
{
    struct row *r = l->rows;

    while (r && strcmp(r->name, name) != 0)
        r = r->next;
    return r;
}

static int less_get(void *state, struct kt_call *call, const char *name, const struct kt_want *want)
{
    const struct less *l = state;
    const struct row *r;
    int rc = KT_NOT_FOUND;

    pthread_mutex_lock(&mutex);
    r = find(l, name);
    if (r &&
        (want->version ? strcmp(want->version, r->id) == 0 : want->stage == KT_STAGE_CURRENT)) {
        const struct kt_version v = { .size = sizeof(v), .id = r->id, .stages = KT_STAGE_CURRENT };

        rc = l->host->give(call, 0, &v, r->data, r->len);
    }
    pthread_mutex_unlock(&mutex);
    return rc;
}

/* What the host promised to keep away is a crash here. */
static void demand(bool kept)
{
    if (!kept)
        abort();
}

static int less_put(void *state, struct kt_call *call, enum kt_phase phase, const char *name,
                    const struct kt_put *put)
{
    struct less *l = state;
    struct row *r;

    demand(put->len >= 1 && put->len <= sizeof(r->data) && put->nattrs == 0);
    demand(put->expires_ms == 0 && put->not_before_ms == 0 && put->expected == NULL);
    demand(put->stage == KT_STAGE_CURRENT);
    if (phase == KT_PREPARE)
        return KT_SUCCESS;
    pthread_mutex_lock(&mutex);
    r = find(l, name);
    if (!r) {
        r = calloc(1, sizeof(*r));
        if (r) {
            strncpy(r->name, name, sizeof(r->name) - 1);
            r->next = l->rows;
            l->rows = r;
        }
    }
    if (r) {
        strncpy(r->id, put->id, sizeof(r->id) - 1);
        memcpy(r->data, put->data, put->len);
        r->len = put->len;
    }
    pthread_mutex_unlock(&mutex);
    return r ? KT_SUCCESS : l->host->fail(call, KT_NO_MEMORY, "mock_less: out of memory");
}

const struct kt_module kt_module = {
    .abi = KT_MODULE_ABI,
    .size = sizeof(struct kt_module),
    .kind = KT_KIND_BACKEND,
    .role = KT_ROLE_STORE,
    .protection = KT_CLASS_MEMORY,
    .cas = KT_CAS_NONE,
    .capabilities = KT_CAP_BINARY | KT_CAP_OWN_ID,
    .value_min = 1,
    .value_max = 16,
    .name_max = KT_NAME_MAX,
    .name = "mock_less",
    .version = "0.1",
    .summary = "keeps little",
    .open = less_open,
    .close = less_close,
    .get = less_get,
    .put = less_put,
};
