/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A store that does all there is to do, in memory: what `keyturn conform` measures others against.
 * Lines with the same `label` share a store, which lives as long as one of them is open.
 */

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <keyturn/module.h>

struct version {
    struct version *next; /* older */
    struct kt_version info;
    char id[KT_ID_SIZE];
    void *data; /* NULL: destroyed */
    size_t len;
};

struct secret {
    struct secret *next;
    struct version *versions;
    bool deleted;
    char name[KT_NAME_MAX + 1];
};

struct store {
    struct store *next;
    struct secret *secrets;
    unsigned refs;
    char label[64];
};

struct good {
    const struct kt_host *host;
    struct store *store;
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static struct store *stores;

static const struct kt_option options[] = {
    { "label", KT_OPTION_STRING, "default", "lines with the same label share a store" },
    { .name = NULL },
};

static void lock(void)
{
    pthread_mutex_lock(&mutex);
}

static void unlock(void)
{
    pthread_mutex_unlock(&mutex);
}

static void register_fork(void)
{
    pthread_atfork(lock, unlock, unlock);
}

static void free_attrs(const struct kt_attr *attrs, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        free((char *)attrs[i].key);
        free((char *)attrs[i].value);
    }
    free((struct kt_attr *)attrs);
}

static void free_version(const struct kt_host *host, struct version *v)
{
    host->secret_free(v->data);
    free_attrs(v->info.attrs, v->info.nattrs);
    free(v);
}

static void clear_secret(const struct kt_host *host, struct secret *s)
{
    while (s->versions) {
        struct version *v = s->versions;

        s->versions = v->next;
        free_version(host, v);
    }
}

static struct store *find_store(const char *label)
{
    struct store *st = stores;

    while (st && strcmp(st->label, label) != 0)
        st = st->next;
    if (st)
        return st;
    st = calloc(1, sizeof(*st));
    if (st) {
        memcpy(st->label, label, strlen(label) + 1);
        st->next = stores;
        stores = st;
    }
    return st;
}

static int good_open(const struct kt_host *host, struct kt_call *call,
                     const struct kt_open_args *args, void **state)
{
    const char *label = args->nargs > 0 ? args->args[0].value : "default";
    struct good *g;

    if (strlen(label) >= sizeof(stores->label))
        return host->fail(call, KT_CONFIG_ERROR,
                          "mock_good: 'label' is too long: at most 63 bytes");
    g = calloc(1, sizeof(*g));
    if (!g)
        return host->fail(call, KT_NO_MEMORY, "mock_good: out of memory");
    pthread_once(&once, register_fork);
    lock();
    g->host = host;
    g->store = find_store(label);
    if (g->store)
        g->store->refs++;
    unlock();
    if (!g->store) {
        free(g);
        return host->fail(call, KT_NO_MEMORY, "mock_good: out of memory");
    }
    *state = g;
    return KT_SUCCESS;
}

static void good_close(void *state)
{
    struct good *g = state;

    lock();
    if (--g->store->refs == 0) {
        struct store **st = &stores;

        while (g->store->secrets) {
            struct secret *s = g->store->secrets;

            g->store->secrets = s->next;
            clear_secret(g->host, s);
            free(s);
        }
        while (*st != g->store)
            st = &(*st)->next;
        *st = g->store->next;
        free(g->store);
    }
    unlock();
    free(g);
}

/* ---- looking: the mutex is held -------------------------------------------------------------- */

static struct secret *find_secret(const struct good *g, const char *name)
{
    struct secret *s = g->store->secrets;

    while (s && strcmp(s->name, name) != 0)
        s = s->next;
    return s;
}

static struct version *find_id(const struct secret *s, const char *id)
{
    struct version *v = s ? s->versions : NULL;

    while (v && strcmp(v->id, id) != 0)
        v = v->next;
    return v;
}

static struct version *find_stage(const struct secret *s, uint32_t stage)
{
    struct version *v = s && !s->deleted ? s->versions : NULL;

    while (v && !(v->info.stages & stage))
        v = v->next;
    return v;
}

static int check_expected(const struct good *g, struct kt_call *call, const struct secret *s,
                          const char *expected)
{
    const struct version *current = find_stage(s, KT_STAGE_CURRENT);

    if (!expected || strcmp(expected, current ? current->id : "") == 0)
        return KT_SUCCESS;
    return g->host->fail(call, KT_CONFLICT, "mock_good: the current version is %s, not %s",
                         current ? current->id : "none", *expected ? expected : "none");
}

/* ---- reading --------------------------------------------------------------------------------- */

static int give(const struct good *g, struct kt_call *call, const char *name,
                const struct kt_want *want)
{
    const struct secret *s = find_secret(g, name);
    const struct version *v;

    if (!s || s->deleted)
        return KT_NOT_FOUND;
    v = want->version ? find_id(s, want->version) : find_stage(s, want->stage);
    if (!v)
        return KT_NOT_FOUND;
    if (v->info.state != KT_STATE_ENABLED)
        return g->host->fail(call, KT_DISABLED, "mock_good: version %s of '%s' is %s", v->id, name,
                             v->data ? "disabled" : "destroyed");
    return g->host->give(call, 0, &v->info, v->data, v->len);
}

static int good_get(void *state, struct kt_call *call, const char *name, const struct kt_want *want)
{
    int rc;

    lock();
    rc = give(state, call, name, want);
    unlock();
    return rc;
}

static bool has_prefix(const char *name, const char *prefix)
{
    size_t len = prefix ? strlen(prefix) : 0;

    return len == 0 || (strncmp(name, prefix, len) == 0 && (!name[len] || name[len] == '/'));
}

static int good_list(void *state, struct kt_call *call, const char *prefix)
{
    const struct good *g = state;
    int rc = KT_SUCCESS;

    lock();
    for (const struct secret *s = g->store->secrets; s && rc == KT_SUCCESS; s = s->next) {
        const struct version *v = find_stage(s, KT_STAGE_CURRENT);

        if (!s->deleted && has_prefix(s->name, prefix))
            rc = g->host->give_name(call, s->name, v ? &v->info : NULL);
    }
    unlock();
    return rc;
}

static int good_versions(void *state, struct kt_call *call, const char *name)
{
    const struct good *g = state;
    const struct secret *s;
    int rc = KT_SUCCESS;

    lock();
    s = find_secret(g, name);
    if (!s || s->deleted)
        rc = KT_NOT_FOUND;
    else
        for (const struct version *v = s->versions; v && rc == KT_SUCCESS; v = v->next)
            rc = g->host->give_version(call, &v->info);
    unlock();
    return rc;
}

/* ---- writing --------------------------------------------------------------------------------- */

static bool copy_attrs(struct kt_version *info, const struct kt_attr *attrs, size_t n)
{
    struct kt_attr *copy = calloc(n ? n : 1, sizeof(*copy));
    bool whole = copy != NULL;

    info->attrs = copy;
    info->nattrs = copy ? n : 0;
    for (size_t i = 0; i < info->nattrs; i++) {
        copy[i].key = strdup(attrs[i].key);
        copy[i].value = strdup(attrs[i].value);
        whole = whole && copy[i].key && copy[i].value;
    }
    return whole;
}

static struct version *make_version(const struct good *g, const struct kt_put *put)
{
    struct version *v = calloc(1, sizeof(*v));

    if (!v)
        return NULL;
    strncpy(v->id, put->id, sizeof(v->id) - 1);
    v->info = (struct kt_version){
        .size = sizeof(v->info),
        .state = put->state,
        .id = v->id,
        .created_ms = put->created_ms,
        .expires_ms = put->expires_ms,
        .not_before_ms = put->not_before_ms,
        .asof = put->asof,
    };
    v->len = put->len;
    v->data = g->host->secret_alloc(put->len ? put->len : 1, 0);
    if (!v->data || !copy_attrs(&v->info, put->attrs, put->nattrs)) {
        free_version(g->host, v);
        return NULL;
    }
    if (put->len)
        memcpy(v->data, put->data, put->len);
    return v;
}

static void move_stage(struct secret *s, uint32_t stage, struct version *to)
{
    for (struct version *v = s->versions; v; v = v->next) {
        if (stage == KT_STAGE_CURRENT && v != to) {
            v->info.stages &= ~KT_STAGE_PREVIOUS;
            if (v->info.stages & KT_STAGE_CURRENT)
                v->info.stages |= KT_STAGE_PREVIOUS;
        }
        v->info.stages &= ~stage;
    }
    if (to)
        to->info.stages = stage == KT_STAGE_CURRENT ? stage : to->info.stages | stage;
}

/* The secret under @name; one made now is empty, one that was deleted begins anew. */
static struct secret *make_secret(const struct good *g, const char *name)
{
    struct secret *s = find_secret(g, name);

    if (!s) {
        s = calloc(1, sizeof(*s));
        if (!s)
            return NULL;
        strncpy(s->name, name, sizeof(s->name) - 1);
        s->next = g->store->secrets;
        g->store->secrets = s;
    } else if (s->deleted) {
        clear_secret(g->host, s);
    }
    s->deleted = false;
    return s;
}

static int add(const struct good *g, struct kt_call *call, const char *name,
               const struct kt_put *put)
{
    struct version *v = make_version(g, put);
    struct secret *s = v ? make_secret(g, name) : NULL;

    if (!s) {
        if (v)
            free_version(g->host, v);
        return g->host->fail(call, KT_NO_MEMORY, "mock_good: out of memory");
    }
    v->next = s->versions;
    s->versions = v;
    move_stage(s, put->stage, v);
    return KT_SUCCESS;
}

static int try_put(const struct good *g, struct kt_call *call, enum kt_phase phase,
                   const char *name, const struct kt_put *put)
{
    const struct secret *s = find_secret(g, name);
    const struct version *same = s && !s->deleted ? find_id(s, put->id) : NULL;
    int rc;

    if (same) {
        if (same->data && same->len == put->len &&
            (put->len == 0 || memcmp(same->data, put->data, put->len) == 0))
            return KT_SUCCESS;
        return g->host->fail(call, KT_EXISTS, "mock_good: '%s' has a version %s with other content",
                             name, put->id);
    }
    rc = check_expected(g, call, s, put->expected);
    return rc != KT_SUCCESS || phase == KT_PREPARE ? rc : add(g, call, name, put);
}

static int good_put(void *state, struct kt_call *call, enum kt_phase phase, const char *name,
                    const struct kt_put *put)
{
    int rc;

    lock();
    rc = try_put(state, call, phase, name, put);
    unlock();
    return rc;
}

static int try_stage(const struct good *g, struct kt_call *call, enum kt_phase phase,
                     const char *name, uint32_t stage, const char *id, const char *expected)
{
    struct secret *s = find_secret(g, name);
    struct version *v = id ? find_id(s, id) : NULL;
    int rc;

    if (!s || s->deleted || (id && !v))
        return KT_NOT_FOUND;
    if (v && v->info.state != KT_STATE_ENABLED)
        return g->host->fail(call, KT_DISABLED, "mock_good: version %s of '%s' cannot be staged",
                             id, name);
    rc = check_expected(g, call, s, expected);
    if (rc == KT_SUCCESS && phase == KT_COMMIT && !(v && v->info.stages & stage))
        move_stage(s, stage, v);
    return rc;
}

static int good_stage(void *state, struct kt_call *call, enum kt_phase phase, const char *name,
                      uint32_t stage, const char *version, const char *expected)
{
    int rc;

    lock();
    rc = try_stage(state, call, phase, name, stage, version, expected);
    unlock();
    return rc;
}

static int try_del(const struct good *g, struct kt_call *call, enum kt_phase phase,
                   const char *name, const struct kt_delete *del, bool *restorable)
{
    struct secret *s = find_secret(g, name);
    struct version *v = del->version ? find_id(s, del->version) : NULL;
    int rc;

    if (!s || s->deleted || (del->version && !v))
        return KT_NOT_FOUND;
    rc = check_expected(g, call, s, del->expected);
    if (rc != KT_SUCCESS)
        return rc;
    *restorable = !v && !del->purge;
    if (phase == KT_PREPARE)
        return KT_SUCCESS;
    if (v) {
        g->host->secret_free(v->data);
        v->data = NULL;
        v->info.state = KT_STATE_DESTROYED;
        return KT_SUCCESS;
    }
    s->deleted = true;
    if (del->purge)
        clear_secret(g->host, s);
    return KT_SUCCESS;
}

static int good_del(void *state, struct kt_call *call, enum kt_phase phase, const char *name,
                    const struct kt_delete *del, bool *restorable)
{
    int rc;

    lock();
    rc = try_del(state, call, phase, name, del, restorable);
    unlock();
    return rc;
}

static int good_restore(void *state, struct kt_call *call, enum kt_phase phase, const char *name)
{
    const struct good *g = state;
    struct secret *s;
    int rc = KT_SUCCESS;

    lock();
    s = find_secret(g, name);
    if (!s || (s->deleted && !s->versions))
        rc = KT_NOT_FOUND;
    else if (!s->deleted)
        rc = g->host->fail(call, KT_EXISTS, "mock_good: '%s' is not deleted", name);
    else if (phase == KT_COMMIT)
        s->deleted = false;
    unlock();
    return rc;
}

/* ---- as a follower --------------------------------------------------------------------------- */

static int good_fill(void *state, struct kt_call *call, const char *name, const struct kt_put *copy)
{
    const struct good *g = state;
    struct version *current;
    int rc = KT_SUCCESS;

    lock();
    current = find_stage(find_secret(g, name), KT_STAGE_CURRENT);
    if (!copy->id) {
        struct secret *s = find_secret(g, name);

        if (s) {
            clear_secret(g->host, s);
            s->deleted = true;
        }
    } else if (current && strcmp(current->id, copy->id) == 0) {
        current->info.asof = copy->asof;
    } else if (copy->data) {
        rc = add(g, call, name, copy);
    }
    unlock();
    return rc;
}

static int good_forget(void *state, struct kt_call *call, const char *name, const char *id)
{
    const struct good *g = state;
    struct version *current;

    (void)call;
    lock();
    current = find_stage(find_secret(g, name), KT_STAGE_CURRENT);
    if (current && !(id && strcmp(current->id, id) == 0))
        current->info.asof = (struct kt_asof){ 0 };
    unlock();
    return KT_SUCCESS;
}

const struct kt_module kt_module = {
    .abi = KT_MODULE_ABI,
    .size = sizeof(struct kt_module),
    .kind = KT_KIND_BACKEND,
    .role = KT_ROLE_STORE,
    .protection = KT_CLASS_MEMORY,
    .cas = KT_CAS_NATIVE,
    .naming = KT_NAMING_PLAIN,
    .capabilities = KT_CAP_ATTRS | KT_CAP_DISABLE | KT_CAP_DESTROY | KT_CAP_VERSIONS |
                    KT_CAP_STAGES | KT_CAP_BINARY | KT_CAP_EXPIRES | KT_CAP_RESTORE | KT_CAP_LIST |
                    KT_CAP_OWN_ID,
    .value_max = KT_VALUE_MAX,
    .name_max = KT_NAME_MAX,
    .name = "mock_good",
    .version = "0.1",
    .summary = "does all there is to do, in memory",
    .options = options,
    .open = good_open,
    .close = good_close,
    .get = good_get,
    .list = good_list,
    .versions = good_versions,
    .put = good_put,
    .stage = good_stage,
    .del = good_del,
    .restore = good_restore,
    .fill = good_fill,
    .forget = good_forget,
};
