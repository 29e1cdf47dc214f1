/* SPDX-License-Identifier: Apache-2.0 */

/*
 * echo: a module from outside keyturn's tree. It keeps one version of each secret in memory and gives
 * it back; what it holds ends with the handle. See keyturn-module(3).
 *
 *     cc -shared -fPIC -o echo.so echo.c $(pkg-config --cflags keyturn)
 *     keyturn --module-dir "$PWD" conform echo
 */

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <keyturn/module.h>

struct secret {
    struct secret *next;
    void *data; /* secret memory; NULL when len is 0 */
    size_t len;
    int64_t created_ms;
    char id[KT_ID_SIZE];
    char name[KT_NAME_MAX + 1];
};

struct echo {
    const struct kt_host *host;
    pthread_mutex_t lock; /* many threads call with one state */
    struct secret *secrets;
};

static void secret_free(const struct kt_host *host, struct secret *s)
{
    host->secret_free(s->data);
    free(s);
}

static int echo_open(const struct kt_host *host, struct kt_call *call,
                     const struct kt_open_args *args, void **state)
{
    struct echo *e = calloc(1, sizeof(*e));

    (void)args;
    if (!e)
        return host->fail(call, KT_NO_MEMORY, "out of memory");
    e->host = host;
    pthread_mutex_init(&e->lock, NULL);
    *state = e;
    return KT_SUCCESS;
}

static void echo_close(void *state)
{
    struct echo *e = state;

    while (e->secrets) {
        struct secret *s = e->secrets;

        e->secrets = s->next;
        secret_free(e->host, s);
    }
    pthread_mutex_destroy(&e->lock);
    free(e);
}

/* ---- under the lock --------------------------------------------------------------------------- */

/* Where the secret hangs, or the end of the list. */
static struct secret **find(struct echo *e, const char *name)
{
    struct secret **at = &e->secrets;

    while (*at && strcmp((*at)->name, name) != 0)
        at = &(*at)->next;
    return at;
}

static struct kt_version version_of(const struct secret *s)
{
    return (struct kt_version){
        .size = sizeof(struct kt_version),
        .id = s->id,
        .stages = KT_STAGE_CURRENT,
        .created_ms = s->created_ms,
    };
}

static int check_expected(const struct echo *e, struct kt_call *call, const struct secret *s,
                          const char *name, const char *expected)
{
    if (!expected || strcmp(expected, s ? s->id : "") == 0)
        return KT_SUCCESS;
    return e->host->fail(call, KT_CONFLICT, "'%s' is at version %s, not %s", name,
                         s ? s->id : "none", *expected ? expected : "none");
}

/* ---- reading ---------------------------------------------------------------------------------- */

static int echo_get(void *state, struct kt_call *call, const char *name, const struct kt_want *want)
{
    struct echo *e = state;
    const struct secret *s;
    int rc = KT_NOT_FOUND;

    pthread_mutex_lock(&e->lock);
    s = *find(e, name);
    if (s &&
        (want->version ? strcmp(want->version, s->id) == 0 : want->stage == KT_STAGE_CURRENT)) {
        struct kt_version version = version_of(s);

        rc = e->host->give(call, 0, &version, s->data, s->len);
    }
    pthread_mutex_unlock(&e->lock);
    return rc;
}

static int echo_versions(void *state, struct kt_call *call, const char *name)
{
    struct echo *e = state;
    const struct secret *s;
    int rc = KT_NOT_FOUND;

    pthread_mutex_lock(&e->lock);
    s = *find(e, name);
    if (s) {
        struct kt_version version = version_of(s);

        rc = e->host->give_version(call, &version);
    }
    pthread_mutex_unlock(&e->lock);
    return rc;
}

/* Whole parts: "a/b" is a prefix of "a/b" and "a/b/c", not of "a/bc". */
static bool has_prefix(const char *name, const char *prefix)
{
    size_t len = prefix ? strlen(prefix) : 0;

    return len == 0 || (strncmp(name, prefix, len) == 0 && (!name[len] || name[len] == '/'));
}

static int echo_list(void *state, struct kt_call *call, const char *prefix)
{
    struct echo *e = state;
    int rc = KT_SUCCESS;

    pthread_mutex_lock(&e->lock);
    for (const struct secret *s = e->secrets; s && rc == KT_SUCCESS; s = s->next) {
        struct kt_version version = version_of(s);

        if (has_prefix(s->name, prefix))
            rc = e->host->give_name(call, s->name, &version);
    }
    pthread_mutex_unlock(&e->lock);
    return rc;
}

/* ---- writing ---------------------------------------------------------------------------------- */

static struct secret *secret_new(const struct echo *e, const char *name, const struct kt_put *put)
{
    struct secret *s = calloc(1, sizeof(*s));

    if (!s)
        return NULL;
    if (put->len > 0) {
        s->data = e->host->secret_alloc(put->len, 0);
        if (!s->data) {
            free(s);
            return NULL;
        }
        memcpy(s->data, put->data, put->len);
    }
    s->len = put->len;
    s->created_ms = put->created_ms;
    (void)snprintf(s->id, sizeof(s->id), "%s", put->id);
    (void)snprintf(s->name, sizeof(s->name), "%s", name);
    return s;
}

/* A put that is already done is done; otherwise the expected version decides. */
static int store(struct echo *e, struct kt_call *call, enum kt_phase phase, const char *name,
                 const struct kt_put *put)
{
    struct secret **at = find(e, name);
    struct secret *old = *at;
    struct secret *s;
    int rc;

    if (old && strcmp(old->id, put->id) == 0) {
        if (old->len == put->len && (put->len == 0 || memcmp(old->data, put->data, put->len) == 0))
            return KT_SUCCESS;
        return e->host->fail(call, KT_EXISTS, "'%s' has version %s with other content", name,
                             put->id);
    }
    rc = check_expected(e, call, old, name, put->expected);
    if (rc != KT_SUCCESS || phase == KT_PREPARE)
        return rc;
    s = secret_new(e, name, put);
    if (!s)
        return e->host->fail(call, KT_NO_MEMORY, "out of memory");
    *at = s;
    if (old) {
        s->next = old->next;
        secret_free(e->host, old);
    }
    return KT_SUCCESS;
}

static int echo_put(void *state, struct kt_call *call, enum kt_phase phase, const char *name,
                    const struct kt_put *put)
{
    struct echo *e = state;
    int rc;

    if (put->stage != KT_STAGE_CURRENT)
        return e->host->fail(call, KT_UNSUPPORTED, "keeps the current version only");
    pthread_mutex_lock(&e->lock);
    rc = store(e, call, phase, name, put);
    pthread_mutex_unlock(&e->lock);
    return rc;
}

static int echo_del(void *state, struct kt_call *call, enum kt_phase phase, const char *name,
                    const struct kt_delete *del, bool *restorable)
{
    struct echo *e = state;
    struct secret **at;
    struct secret *s;
    int rc;

    if (del->version)
        return e->host->fail(call, KT_UNSUPPORTED, "cannot destroy one version");
    pthread_mutex_lock(&e->lock);
    at = find(e, name);
    s = *at;
    rc = check_expected(e, call, s, name, del->expected);
    if (rc == KT_SUCCESS && !s)
        rc = KT_NOT_FOUND;
    if (rc == KT_SUCCESS && phase == KT_COMMIT) {
        *at = s->next;
        secret_free(e->host, s);
        *restorable = false;
    }
    pthread_mutex_unlock(&e->lock);
    return rc;
}

const struct kt_module kt_module = {
    .abi = KT_MODULE_ABI,
    .size = sizeof(struct kt_module),
    .kind = KT_KIND_BACKEND,
    .role = KT_ROLE_STORE,
    .protection = KT_CLASS_MEMORY,
    .cas = KT_CAS_NATIVE,
    .naming = KT_NAMING_PLAIN,
    .capabilities = KT_CAP_BINARY | KT_CAP_LIST | KT_CAP_OWN_ID,
    .value_max = KT_VALUE_MAX,
    .name_max = KT_NAME_MAX,
    .name = "echo",
    .version = "1",
    .summary = "keeps secrets in memory until the handle is closed",
    .open = echo_open,
    .close = echo_close,
    .get = echo_get,
    .list = echo_list,
    .versions = echo_versions,
    .put = echo_put,
    .del = echo_del,
};
