/* SPDX-License-Identifier: Apache-2.0 */
#include "keys.h"
#include "place.h"
#include "schema.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CANARY 0xa5
#define SCRYPT_PARAMS_SIZE (1 + 1 + 4 + 4 + KT_SALT_SIZE)
#define SCRYPT_MEMORY_MAX (UINT64_C(1) << 30)
#define CONTEXT_MAX (64 + KT_SLOT_KIND_MAX + KT_SLOT_PARAMS_MAX)

struct kt_keyring_secret {
    uint8_t canary;
    uint8_t master[KT_KEY_SIZE];
    uint8_t index[KT_KEY_SIZE];
    size_t n;
    int64_t ids[KT_DATAKEYS_MAX];
    uint8_t datakeys[KT_DATAKEYS_MAX][KT_KEY_SIZE];
};

/* ---- associated data ------------------------------------------------------------------------ */

struct context {
    uint8_t bytes[CONTEXT_MAX];
    size_t len;
};

static void add(struct context *c, const void *data, size_t len)
{
    memcpy(c->bytes + c->len, data, len);
    c->len += len;
}

/* @kind: 'S' slot, 'I' index key, 'D' data key */
static void context_of(char kind, const uint8_t *store_id, int64_t id, struct context *c)
{
    uint8_t number[8];

    c->len = 0;
    for (size_t i = 0; i < sizeof(number); i++)
        number[i] = (uint8_t)((uint64_t)id >> (8 * i));
    add(c, "keyturn-file-1", sizeof("keyturn-file-1"));
    add(c, &kind, 1);
    add(c, store_id, KT_STORE_ID_SIZE);
    add(c, number, sizeof(number));
}

static void slot_context(const uint8_t *store_id, const struct kt_slot *s, struct context *c)
{
    context_of('S', store_id, s->id, c);
    add(c, s->kind, strlen(s->kind) + 1);
    add(c, s->params, s->params_len);
}

static struct kt_bytes bytes_of(const struct context *c)
{
    return (struct kt_bytes){ c->bytes, c->len };
}

static struct kt_bytes key_bytes(const uint8_t key[KT_KEY_SIZE])
{
    return (struct kt_bytes){ key, KT_KEY_SIZE };
}

void kt_slot_sum(const uint8_t store_id[KT_STORE_ID_SIZE], const struct kt_slot *s,
                 uint8_t out[KT_SUM_SIZE])
{
    uint8_t digest[KT_DIGEST_SIZE];
    struct context c;

    slot_context(store_id, s, &c);
    kt_digest((struct kt_bytes[]){ bytes_of(&c), { s->wrapped, sizeof(s->wrapped) } }, 2, digest);
    memcpy(out, digest, KT_SUM_SIZE);
}

/* ---- loading -------------------------------------------------------------------------------- */

static bool take_slot(sqlite3_stmt *s, const uint8_t *store_id, struct kt_slot *out)
{
    const char *kind = (const char *)sqlite3_column_text(s, 1);
    struct kt_bytes params = { "", 0 };
    struct kt_bytes wrapped;
    struct kt_bytes sum;
    uint8_t expected[KT_SUM_SIZE];

    *out = (struct kt_slot){ .id = sqlite3_column_int64(s, 0) };
    if (kind == NULL || strlen(kind) >= sizeof(out->kind) ||
        !kt_conn_blob(s, 3, KT_WRAPPED_SIZE, KT_WRAPPED_SIZE, &wrapped) ||
        !kt_conn_blob(s, 4, KT_SUM_SIZE, KT_SUM_SIZE, &sum))
        return false;
    /* an empty blob has no address */
    if (sqlite3_column_bytes(s, 2) > 0 && !kt_conn_blob(s, 2, 1, KT_SLOT_PARAMS_MAX, &params))
        return false;
    memcpy(out->kind, kind, strlen(kind));
    memcpy(out->params, params.data, params.len);
    out->params_len = params.len;
    memcpy(out->wrapped, wrapped.data, wrapped.len);
    kt_slot_sum(store_id, out, expected);
    return memcmp(expected, sum.data, sum.len) == 0;
}

int kt_ring_load(struct kt_conn *c, struct kt_ring *out, struct kt_fault *f)
{
    sqlite3_stmt *s = kt_conn_stmt(c, KT_SQL_SLOTS, f);
    struct kt_bytes wrapped;
    int rc;

    if (s == NULL)
        return f->status;
    memcpy(out->store_id, c->store_id, sizeof(out->store_id));
    memcpy(out->index, c->index, sizeof(out->index));
    out->nslots = 0;
    out->ndatakeys = 0;
    while ((rc = sqlite3_step(s)) == SQLITE_ROW && out->nslots < KT_SLOTS_MAX) {
        struct kt_slot *slot = &out->slots[out->nslots++];

        slot->whole = take_slot(s, out->store_id, slot);
    }
    (void)sqlite3_reset(s);
    if (rc != SQLITE_DONE && rc != SQLITE_ROW)
        return kt_conn_fault(c, rc, "read", f);

    s = kt_conn_stmt(c, KT_SQL_DATAKEYS, f);
    if (s == NULL)
        return f->status;
    while ((rc = sqlite3_step(s)) == SQLITE_ROW && out->ndatakeys < KT_DATAKEYS_MAX) {
        struct kt_datakey *d = &out->datakeys[out->ndatakeys];

        if (!kt_conn_blob(s, 2, KT_WRAPPED_SIZE, KT_WRAPPED_SIZE, &wrapped))
            continue; /* what it sealed will say so */
        d->id = sqlite3_column_int64(s, 0);
        memcpy(d->wrapped, wrapped.data, wrapped.len);
        out->ndatakeys++;
    }
    (void)sqlite3_reset(s);
    return rc == SQLITE_DONE || rc == SQLITE_ROW ? KT_SUCCESS : kt_conn_fault(c, rc, "read", f);
}

/* ---- slots ---------------------------------------------------------------------------------- */

static int no_memory(struct kt_fault *f)
{
    return kt_fault(f, KT_NO_MEMORY, "out of memory");
}

/* KT_CORRUPT: these are not the bytes; not explained. */
static int try_slot(const struct kt_ring *ring, const struct kt_slot *slot, struct kt_bytes ikm,
                    uint8_t master[KT_KEY_SIZE])
{
    struct context c;

    slot_context(ring->store_id, slot, &c);
    return kt_seal_open(ikm, bytes_of(&c), (struct kt_bytes){ slot->wrapped, KT_WRAPPED_SIZE },
                        master);
}

static bool is_kind(const struct kt_slot *s, const char *kind)
{
    return s->whole && strcmp(s->kind, kind) == 0;
}

static size_t count_kind(const struct kt_ring *ring, const char *kind)
{
    size_t n = 0;

    for (size_t i = 0; i < ring->nslots; i++)
        n += is_kind(&ring->slots[i], kind) ? 1 : 0;
    return n;
}

static int by_keyfile(const struct kt_unlock *u, const struct kt_ring *ring,
                      uint8_t master[KT_KEY_SIZE], struct kt_fault *f)
{
    void *data = NULL;
    size_t len = 0;
    int rc = kt_key_read(u->host, u->key_path, &data, &len, f);

    if (rc != KT_SUCCESS)
        return rc;
    rc = kt_fault(f, KT_LOCKED, "the key file %s is not the key of %s; put the right one there",
                  u->key_path, u->path);
    for (size_t i = 0; i < ring->nslots && rc != KT_SUCCESS; i++)
        if (is_kind(&ring->slots[i], "keyfile") &&
            try_slot(ring, &ring->slots[i], (struct kt_bytes){ data, len }, master) == KT_SUCCESS)
            rc = KT_SUCCESS;
    u->host->secret_free(data);
    return rc;
}

static int by_secret(const struct kt_unlock *u, const struct kt_ring *ring,
                     const struct kt_slot *slot, uint8_t master[KT_KEY_SIZE], struct kt_fault *f)
{
    char where[KT_SLOT_PARAMS_MAX + 1];
    void *data = NULL;
    size_t len = 0;
    int rc;

    memcpy(where, slot->params, slot->params_len);
    where[slot->params_len] = '\0';
    rc = u->host->get_secret(u->call, where, &data, &len);
    if (rc != KT_SUCCESS) {
        f->told = true;
        return f->status = rc;
    }
    if (try_slot(ring, slot, (struct kt_bytes){ data, len }, master) != KT_SUCCESS)
        rc = kt_fault(f, KT_LOCKED, "the secret %s is not the key of %s", where, u->path);
    u->host->secret_free(data);
    return rc;
}

static int ask(const struct kt_unlock *u, const char *what, char *buf, size_t *len,
               struct kt_fault *f)
{
    char text[300];
    int n;

    (void)snprintf(text, sizeof(text), "%s for %s: ", what, u->path);
    n = u->host->prompt(u->call, text, false, buf, KT_PASSPHRASE_MAX);
    if (n < 0) {
        f->told = true;
        return f->status = -n;
    }
    *len = (size_t)n;
    return KT_SUCCESS;
}

static uint32_t number_at(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static void number_to(uint8_t *p, uint32_t v)
{
    for (size_t i = 0; i < 4; i++)
        p[i] = (uint8_t)(v >> (8 * i));
}

/* The parameters come from the file: within bounds, whoever wrote them. */
static int stretch(const struct kt_slot *slot, struct kt_bytes passphrase, uint8_t out[KT_KEY_SIZE],
                   struct kt_fault *f)
{
    const uint8_t *p = slot->params;

    if (slot->params_len != SCRYPT_PARAMS_SIZE || p[0] != 1)
        return kt_fault(f, KT_UNSUPPORTED, "a passphrase slot of an unknown kind; update keyturn");
    const unsigned log_n = p[1];
    const uint32_t r = number_at(p + 2);
    const uint32_t times = number_at(p + 6);
    if (log_n < 1 || log_n > 24 || r < 1 || r > 64 || times < 1 || times > 64 ||
        ((uint64_t)r << (7 + log_n)) > SCRYPT_MEMORY_MAX)
        return kt_fault(f, KT_UNSUPPORTED, "a passphrase slot asks for too much memory or time");
    return kt_scrypt(passphrase, (struct kt_bytes){ p + 10, KT_SALT_SIZE }, log_n, r, times, out,
                     f);
}

static int by_passphrase(const struct kt_unlock *u, const struct kt_ring *ring,
                         uint8_t master[KT_KEY_SIZE], struct kt_fault *f)
{
    char *typed = u->host->secret_alloc(KT_PASSPHRASE_MAX, 0);
    uint8_t kek[KT_KEY_SIZE];
    size_t len = 0;
    int rc;

    if (typed == NULL)
        return no_memory(f);
    rc = ask(u, "Passphrase", typed, &len, f);
    if (rc == KT_SUCCESS)
        rc = kt_fault(f, KT_DENIED, "the passphrase does not open %s", u->path);
    for (size_t i = 0; i < ring->nslots && rc == KT_DENIED; i++) {
        const struct kt_slot *slot = &ring->slots[i];

        if (!is_kind(slot, "passphrase") && !is_kind(slot, "recovery"))
            continue;
        rc = stretch(slot, (struct kt_bytes){ typed, len }, kek, f);
        if (rc == KT_SUCCESS && try_slot(ring, slot, key_bytes(kek), master) != KT_SUCCESS)
            rc = kt_fault(f, KT_DENIED, "the passphrase does not open %s", u->path);
    }
    explicit_bzero(kek, sizeof(kek));
    u->host->secret_free(typed);
    return rc;
}

/* The first slot that opens; what needs nobody's time comes first. */
static int find_master(const struct kt_unlock *u, const struct kt_ring *ring,
                       uint8_t master[KT_KEY_SIZE], struct kt_fault *f)
{
    const size_t asked = count_kind(ring, "passphrase") + count_kind(ring, "recovery");
    int rc = kt_fault(f, KT_CORRUPT, "%s has no whole slot; restore it from a backup", u->path);

    if (count_kind(ring, "keyfile") > 0) {
        rc = by_keyfile(u, ring, master, f);
        /* a key file that others can read is an error even if a person could be asked */
        if (rc == KT_SUCCESS || rc == KT_CONFIG_ERROR)
            return rc;
    }
    for (size_t i = 0; i < ring->nslots; i++) {
        if (!is_kind(&ring->slots[i], "secret"))
            continue;
        rc = by_secret(u, ring, &ring->slots[i], master, f);
        if (rc == KT_SUCCESS)
            return rc;
    }
    return asked > 0 ? by_passphrase(u, ring, master, f) : rc;
}

/* ---- keys ----------------------------------------------------------------------------------- */

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

static int open_datakey(struct kt_keys *k, const struct kt_datakey *d)
{
    struct kt_keyring_secret *s = k->secret;
    struct context c;
    int rc;

    if (s->n == KT_DATAKEYS_MAX)
        return KT_NO_MEMORY;
    context_of('D', k->store_id, d->id, &c);
    rc = kt_seal_open(key_bytes(s->master), bytes_of(&c),
                      (struct kt_bytes){ d->wrapped, KT_WRAPPED_SIZE }, s->datakeys[s->n]);
    if (rc == KT_SUCCESS)
        s->ids[s->n++] = d->id;
    return rc;
}

int kt_keys_unlock(const struct kt_unlock *u, const struct kt_ring *ring, struct kt_keys **out,
                   struct kt_fault *f)
{
    struct kt_keys *k = keys_new(u->host, ring->store_id);
    struct context c;
    int rc;

    if (k == NULL)
        return no_memory(f);
    rc = find_master(u, ring, k->secret->master, f);
    if (rc == KT_SUCCESS) {
        context_of('I', ring->store_id, 0, &c);
        rc = kt_seal_open(key_bytes(k->secret->master), bytes_of(&c),
                          (struct kt_bytes){ ring->index, sizeof(ring->index) }, k->secret->index);
        if (rc != KT_SUCCESS)
            rc = kt_fault(f, rc, "%s is damaged (its index key); restore it from a backup",
                          u->path);
    }
    /* one that does not open is an error of what it sealed, not of the rest */
    for (size_t i = 0; rc == KT_SUCCESS && i < ring->ndatakeys; i++)
        (void)!open_datakey(k, &ring->datakeys[i]);
    if (rc != KT_SUCCESS) {
        kt_keys_free(u->host, k);
        return rc;
    }
    *out = k;
    return KT_SUCCESS;
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

/* ---- making --------------------------------------------------------------------------------- */

/* A new passphrase, typed twice; the key that it stretches to. */
static int new_passphrase(const struct kt_unlock *u, struct kt_slot *slot, uint8_t kek[KT_KEY_SIZE],
                          struct kt_fault *f)
{
    char *first = u->host->secret_alloc(KT_PASSPHRASE_MAX, 0);
    char *second = u->host->secret_alloc(KT_PASSPHRASE_MAX, 0);
    size_t len = 0;
    size_t again = 0;
    int rc = first == NULL || second == NULL ? no_memory(f) : KT_SUCCESS;

    if (rc == KT_SUCCESS)
        rc = ask(u, "New passphrase", first, &len, f);
    if (rc == KT_SUCCESS && len == 0)
        rc = kt_fault(f, KT_INVALID, "an empty passphrase protects nothing; %s was not made",
                      u->path);
    if (rc == KT_SUCCESS)
        rc = ask(u, "The same passphrase again", second, &again, f);
    if (rc == KT_SUCCESS && (len != again || memcmp(first, second, len) != 0))
        rc = kt_fault(f, KT_INVALID, "the two passphrases differ; %s was not made", u->path);
    if (rc == KT_SUCCESS) {
        slot->params[0] = 1;
        slot->params[1] = KT_SCRYPT_LOG_N;
        number_to(slot->params + 2, KT_SCRYPT_R);
        number_to(slot->params + 6, KT_SCRYPT_P);
        slot->params_len = SCRYPT_PARAMS_SIZE;
        rc = kt_random(slot->params + 10, KT_SALT_SIZE, f);
    }
    if (rc == KT_SUCCESS)
        rc = stretch(slot, (struct kt_bytes){ first, len }, kek, f);
    u->host->secret_free(first);
    u->host->secret_free(second);
    return rc;
}

static int seal_slot(const struct kt_ring *ring, struct kt_slot *slot, struct kt_bytes ikm,
                     const uint8_t master[KT_KEY_SIZE], struct kt_fault *f)
{
    struct context c;

    slot_context(ring->store_id, slot, &c);
    slot->whole = true;
    return kt_seal(ikm, bytes_of(&c), key_bytes(master), slot->wrapped, f);
}

static int make_slot(const struct kt_unlock *u, bool passphrase, const struct kt_ring *ring,
                     struct kt_slot *slot, const uint8_t master[KT_KEY_SIZE], struct kt_fault *f)
{
    uint8_t kek[KT_KEY_SIZE];
    void *data = NULL;
    size_t len = 0;
    int rc;

    *slot = (struct kt_slot){ .id = 1 };
    (void)snprintf(slot->kind, sizeof(slot->kind), "%s", passphrase ? "passphrase" : "keyfile");
    if (passphrase) {
        rc = new_passphrase(u, slot, kek, f);
        if (rc == KT_SUCCESS)
            rc = seal_slot(ring, slot, key_bytes(kek), master, f);
        explicit_bzero(kek, sizeof(kek));
        return rc;
    }
    rc = kt_key_make(u->key_path, f);
    if (rc == KT_SUCCESS)
        rc = kt_key_read(u->host, u->key_path, &data, &len, f);
    if (rc == KT_SUCCESS)
        rc = seal_slot(ring, slot, (struct kt_bytes){ data, len }, master, f);
    u->host->secret_free(data);
    return rc;
}

int kt_keys_make(const struct kt_unlock *u, bool passphrase, struct kt_ring *ring,
                 struct kt_keys **out, struct kt_fault *f)
{
    struct kt_keys *k = NULL;
    struct kt_keyring_secret *s;
    struct context c;
    int rc;

    *ring = (struct kt_ring){ .nslots = 1, .ndatakeys = 1 };
    rc = kt_random(ring->store_id, sizeof(ring->store_id), f);
    if (rc != KT_SUCCESS)
        return rc;
    k = keys_new(u->host, ring->store_id);
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
    if (rc == KT_SUCCESS) {
        context_of('I', ring->store_id, 0, &c);
        rc = kt_seal(key_bytes(s->master), bytes_of(&c), key_bytes(s->index), ring->index, f);
    }
    if (rc == KT_SUCCESS) {
        context_of('D', ring->store_id, 1, &c);
        rc = kt_seal(key_bytes(s->master), bytes_of(&c), key_bytes(s->datakeys[0]),
                     ring->datakeys[0].wrapped, f);
    }
    if (rc == KT_SUCCESS)
        rc = make_slot(u, passphrase, ring, &ring->slots[0], s->master, f);
    if (rc != KT_SUCCESS) {
        kt_keys_free(u->host, k);
        return rc;
    }
    *out = k;
    return KT_SUCCESS;
}
