/* SPDX-License-Identifier: Apache-2.0 */
#include "keys.h"

#include <stdlib.h>
#include <string.h>

#define CANARY 0xa5

struct kt_keyring_secret {
    uint8_t canary;
    uint8_t master[KT_KEY_SIZE];
    uint8_t index[KT_KEY_SIZE];
    size_t n;
    int64_t ids[KT_DATAKEYS_MAX];
    uint8_t datakeys[KT_DATAKEYS_MAX][KT_KEY_SIZE];
};

static int no_memory(struct kt_fault *f)
{
    return kt_fault(f, KT_NO_MEMORY, "out of memory");
}

static struct kt_bytes key_bytes(const uint8_t key[KT_KEY_SIZE])
{
    return (struct kt_bytes){ key, KT_KEY_SIZE };
}

static struct kt_keys *keys_new(const struct kt_host *host, const uint8_t *store_id)
{
    struct kt_keys *k = calloc(1, sizeof(*k));

    if (k == NULL)
        return NULL;
    k->refs = 1;
    memcpy(k->store_id, store_id, KT_STORE_ID_SIZE);
    k->secret = host->secret_alloc(sizeof(*k->secret), KT_MEM_WIPEONFORK);
    if (k->secret == NULL) {
        free(k);
        return NULL;
    }
    k->secret->canary = CANARY;
    return k;
}

void kt_keys_free(const struct kt_host *host, struct kt_keys *k)
{
    if (k == NULL)
        return;
    host->secret_free(k->secret);
    free(k);
}

bool kt_keys_alive(const struct kt_keys *k)
{
    return k->secret->canary == CANARY;
}

/* A key that lies in the store under the master key: 'I' the index key, 'D' a data key. */
static int open_key(const struct kt_keys *k, char what, int64_t id,
                    const uint8_t wrapped[KT_WRAPPED_SIZE], uint8_t out[KT_KEY_SIZE])
{
    uint8_t context[KT_WRAP_CONTEXT_SIZE];
    const struct kt_bytes aad = { context, kt_wrap_context(what, k->store_id, id, context) };

    return kt_seal_open(key_bytes(k->secret->master), aad,
                        (struct kt_bytes){ wrapped, KT_WRAPPED_SIZE }, out);
}

static int seal_key(const struct kt_keys *k, char what, int64_t id, const uint8_t key[KT_KEY_SIZE],
                    uint8_t wrapped[KT_WRAPPED_SIZE], struct kt_fault *f)
{
    uint8_t context[KT_WRAP_CONTEXT_SIZE];
    const struct kt_bytes aad = { context, kt_wrap_context(what, k->store_id, id, context) };

    return kt_seal(key_bytes(k->secret->master), aad, key_bytes(key), wrapped, f);
}

static int open_datakey(struct kt_keys *k, const struct kt_datakey *d)
{
    struct kt_keyring_secret *s = k->secret;
    int rc;

    if (s->n == KT_DATAKEYS_MAX)
        return KT_NO_MEMORY;
    rc = open_key(k, 'D', d->id, d->wrapped, s->datakeys[s->n]);
    if (rc == KT_SUCCESS)
        s->ids[s->n++] = d->id;
    return rc;
}

int kt_keys_open(const struct kt_host *host, const char *path, const struct kt_ring *ring,
                 const uint8_t master[KT_KEY_SIZE], struct kt_keys **out, struct kt_fault *f)
{
    struct kt_keys *k = keys_new(host, ring->store_id);
    int rc;

    if (k == NULL)
        return no_memory(f);
    memcpy(k->secret->master, master, KT_KEY_SIZE);
    rc = open_key(k, 'I', 0, ring->index, k->secret->index);
    if (rc != KT_SUCCESS) {
        kt_keys_free(host, k);
        return kt_fault(f, rc, "%s is damaged (its index key); restore it from a backup", path);
    }
    /* one that does not open is an error of what it sealed, not of the rest */
    for (size_t i = 0; i < ring->ndatakeys; i++)
        (void)!open_datakey(k, &ring->datakeys[i]);
    *out = k;
    return KT_SUCCESS;
}

int kt_keys_fresh(const struct kt_host *host, struct kt_ring *ring, struct kt_keys **out,
                  struct kt_fault *f)
{
    struct kt_keys *k = NULL;
    struct kt_keyring_secret *s;
    int rc;

    *ring = (struct kt_ring){ .ndatakeys = 1 };
    rc = kt_random(ring->store_id, sizeof(ring->store_id), f);
    if (rc != KT_SUCCESS)
        return rc;
    k = keys_new(host, ring->store_id);
    if (k == NULL)
        return no_memory(f);
    s = k->secret;
    s->n = 1;
    s->ids[0] = ring->datakeys[0].id = 1;
    rc = kt_random(s->master, sizeof(s->master), f);
    if (rc == KT_SUCCESS)
        rc = kt_random(s->index, sizeof(s->index), f);
    if (rc == KT_SUCCESS)
        rc = kt_random(s->datakeys[0], sizeof(s->datakeys[0]), f);
    if (rc == KT_SUCCESS)
        rc = seal_key(k, 'I', 0, s->index, ring->index, f);
    if (rc == KT_SUCCESS)
        rc = seal_key(k, 'D', 1, s->datakeys[0], ring->datakeys[0].wrapped, f);
    if (rc != KT_SUCCESS) {
        kt_keys_free(host, k);
        return rc;
    }
    *out = k;
    return KT_SUCCESS;
}

int kt_keys_wrap(const struct kt_keys *k, struct kt_slot *s, struct kt_bytes ikm,
                 struct kt_fault *f)
{
    return kt_slot_seal(k->store_id, s, ikm, k->secret->master, f);
}

void kt_keys_tag(const struct kt_keys *k, const char *name, uint8_t out[KT_TAG_SIZE])
{
    uint8_t digest[KT_DIGEST_SIZE];

    kt_hmac(key_bytes(k->secret->index), &(struct kt_bytes){ name, strlen(name) }, 1, digest);
    memcpy(out, digest, KT_TAG_SIZE);
}

struct kt_bytes kt_keys_find(const struct kt_keys *k, int64_t id)
{
    for (size_t i = 0; i < k->secret->n; i++)
        if (k->secret->ids[i] == id)
            return key_bytes(k->secret->datakeys[i]);
    return (struct kt_bytes){ NULL, 0 };
}

int kt_keys_new_datakey(const struct kt_keys *k, int64_t id, struct kt_datakey *out,
                        struct kt_fault *f)
{
    uint8_t key[KT_KEY_SIZE];
    int rc = kt_random(key, sizeof(key), f);

    out->id = id;
    if (rc == KT_SUCCESS)
        rc = seal_key(k, 'D', id, key, out->wrapped, f);
    explicit_bzero(key, sizeof(key));
    return rc;
}

int kt_keys_with(const struct kt_host *host, const struct kt_keys *k, const struct kt_datakey *d,
                 struct kt_keys **out, struct kt_fault *f)
{
    struct kt_keys *more = keys_new(host, k->store_id);
    struct kt_keyring_secret *s;
    int rc;

    if (more == NULL)
        return no_memory(f);
    s = more->secret;
    *s = *k->secret;
    if (s->n == KT_DATAKEYS_MAX) { /* the oldest is long replaced, or comes back when asked for */
        memmove(s->ids, s->ids + 1, sizeof(s->ids) - sizeof(s->ids[0]));
        memmove(s->datakeys, s->datakeys + 1, sizeof(s->datakeys) - sizeof(s->datakeys[0]));
        s->n--;
    }
    rc = open_datakey(more, d);
    if (rc != KT_SUCCESS) {
        kt_keys_free(host, more);
        return kt_fault(f, rc, "data key %lld does not open", (long long)d->id);
    }
    *out = more;
    return KT_SUCCESS;
}
