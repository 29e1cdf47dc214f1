/* SPDX-License-Identifier: Apache-2.0 */
#include "means.h"
#include "place.h"
#include "recovery.h"

#include <stdio.h>
#include <string.h>

static int no_memory(struct kt_fault *f)
{
    return kt_fault(f, KT_NO_MEMORY, "out of memory");
}

/* ---- by a key file -------------------------------------------------------------------------- */

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
        if (kt_slot_is(&ring->slots[i], "keyfile") &&
            kt_slot_try(ring->store_id, &ring->slots[i], (struct kt_bytes){ data, len }, master) ==
                KT_SUCCESS)
            rc = KT_SUCCESS;
    u->host->secret_free(data);
    return rc;
}

void kt_unlock_keyfile(const struct kt_unlock *u, const uint8_t store_id[KT_STORE_ID_SIZE],
                       const struct kt_slot *slot, char *out, size_t size)
{
    uint8_t master[KT_KEY_SIZE];
    struct kt_fault ignored;
    void *data = NULL;
    size_t len = 0;

    if (!slot->whole || kt_key_read(u->host, u->key_path, &data, &len, &ignored) != KT_SUCCESS)
        (void)snprintf(out, size, "key file, perhaps %s, which cannot be read", u->key_path);
    else if (kt_slot_try(store_id, slot, (struct kt_bytes){ data, len }, master) == KT_SUCCESS)
        (void)snprintf(out, size, "key file %s", u->key_path);
    else
        (void)snprintf(out, size, "key file, another one than %s", u->key_path);
    explicit_bzero(master, sizeof(master));
    u->host->secret_free(data);
}

/* ---- by another service's secret ------------------------------------------------------------ */

/*
 * What the other service says of its secret, as an answer of this store. Whether it could be asked
 * or not, nothing is known of the name that the caller is after; a denial there is no wrong passphrase
 * here. What may come back by itself stays told apart: copies are served meanwhile.
 */
static int status_here(int rc)
{
    switch (rc) {
    case KT_UNAVAILABLE:
    case KT_THROTTLED:
    case KT_TIMEOUT:
    case KT_CANCELLED:
    case KT_BUSY:
    case KT_NO_MEMORY:
    case KT_CONFIG_ERROR:
    case KT_MODULE_ERROR:
        return rc;
    default:
        return KT_LOCKED;
    }
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
    rc = kt_need_get(u, where, &data, &len, f);
    if (rc == KT_NOT_FOUND)
        return kt_fault(f, KT_LOCKED, "there is no secret %s, which opens %s; put it back", where,
                        u->path);
    if (rc != KT_SUCCESS && status_here(rc) == rc)
        return rc; /* explained by the host, which knows more */
    if (rc != KT_SUCCESS)
        return kt_fault(f, KT_LOCKED,
                        "the secret %s, which opens %s, is not to be had; try "
                        "'keyturn -s %.*s get %s'",
                        where, u->path, (int)strcspn(where, "/"), where,
                        where + strcspn(where, "/") + 1);
    if (kt_slot_try(ring->store_id, slot, (struct kt_bytes){ data, len }, master) != KT_SUCCESS)
        rc = kt_fault(f, KT_LOCKED, "the secret %s is not the key of %s any more", where, u->path);
    u->host->secret_free(data);
    return rc;
}

/* ---- by what a person types ----------------------------------------------------------------- */

/** struct typed - a person's answer, and what comes of it; in secret memory */
struct typed {
    char text[KT_PASSPHRASE_MAX];
    size_t len;
    char code[KT_RECOVERY_SIZE];
    enum kt_recovery like; /* is it a recovery code? */
    uint8_t kek[KT_KEY_SIZE];
};

static struct kt_bytes answer_for(const struct typed *t, const struct kt_slot *slot)
{
    if (kt_slot_is(slot, "recovery") && t->like == KT_RECOVERY_CODE)
        return (struct kt_bytes){ t->code, strlen(t->code) };
    return (struct kt_bytes){ t->text, t->len };
}

static int denied(const struct kt_unlock *u, struct kt_fault *f)
{
    return kt_fault(f, KT_DENIED, "the passphrase does not open %s", u->path);
}

static int try_typed(const struct kt_unlock *u, const struct kt_ring *ring,
                     const struct kt_slot *slot, struct typed *t, uint8_t master[KT_KEY_SIZE],
                     struct kt_fault *f)
{
    int rc = kt_fault_pause(f, u->host, u->call, 0); /* each may take half a second */

    if (rc == KT_SUCCESS)
        rc = kt_slot_stretch(slot, answer_for(t, slot), t->kek, f);
    if (rc != KT_SUCCESS)
        return rc;
    rc = kt_slot_try(ring->store_id, slot, (struct kt_bytes){ t->kek, KT_KEY_SIZE }, master);
    return rc == KT_NO_MEMORY ? no_memory(f) : rc == KT_SUCCESS ? rc : denied(u, f);
}

/* The same slot under today's parameters: only the sealed result is kept. */
static void raise_slot(const struct kt_unlock *u, const struct kt_ring *ring,
                       const struct kt_slot *slot, struct typed *t,
                       const uint8_t master[KT_KEY_SIZE], struct kt_raised *out)
{
    const struct kt_bytes kek = { t->kek, KT_KEY_SIZE };
    struct kt_fault f;
    int rc;

    out->old = *slot;
    out->new = *slot;
    rc = kt_slot_new_scrypt(&out->new, &f);
    if (rc == KT_SUCCESS)
        rc = kt_slot_stretch(&out->new, answer_for(t, slot), t->kek, &f);
    if (rc == KT_SUCCESS)
        rc = kt_slot_seal(ring->store_id, &out->new, kek, master, &f);
    out->set = rc == KT_SUCCESS;
    if (rc != KT_SUCCESS)
        u->host->log(u->call, KT_LOG_WARNING, "slot %lld of %s keeps its weaker scrypt: %s",
                     (long long)slot->id, u->path, f.msg);
}

/* All slots that are typed, whichever it is meant for: nothing tells which there are. */
static int try_all(const struct kt_unlock *u, const struct kt_ring *ring, struct typed *t,
                   struct kt_raised *raised, uint8_t master[KT_KEY_SIZE], struct kt_fault *f)
{
    struct kt_fault trouble = { .status = KT_SUCCESS };

    for (size_t i = 0; i < ring->nslots; i++) {
        const struct kt_slot *slot = &ring->slots[i];
        int rc;

        if (!kt_slot_is_typed(slot))
            continue;
        rc = try_typed(u, ring, slot, t, master, f);
        if (rc == KT_SUCCESS && raised->wanted && kt_slot_is_weak(slot))
            raise_slot(u, ring, slot, t, master, raised);
        if (rc == KT_SUCCESS || f->told)
            return rc;
        if (rc != KT_DENIED) /* this one could not be tried */
            trouble = *f;
    }
    if (trouble.status == KT_SUCCESS)
        return denied(u, f);
    *f = trouble;
    return f->status;
}

static bool has_kind(const struct kt_ring *ring, const char *kind)
{
    for (size_t i = 0; i < ring->nslots; i++)
        if (kt_slot_is(&ring->slots[i], kind))
            return true;
    return false;
}

static int by_person(const struct kt_unlock *u, const struct kt_ring *ring,
                     struct kt_raised *raised, uint8_t master[KT_KEY_SIZE], struct kt_fault *f)
{
    struct typed *t = u->host->secret_alloc(sizeof(*t), 0);
    int rc;

    if (t == NULL)
        return no_memory(f);
    rc = kt_ask(u,
                !has_kind(ring, "recovery")     ? "Passphrase"
                : !has_kind(ring, "passphrase") ? "Recovery code"
                                                : "Passphrase or recovery code",
                t->text, &t->len, f);
    if (rc == KT_SUCCESS) {
        t->like = kt_recovery_read(t->text, t->len, t->code);
        rc = try_all(u, ring, t, raised, master, f);
        if (rc == KT_DENIED && t->like == KT_RECOVERY_TYPO)
            u->host->log(u->call, KT_LOG_INFO,
                         "that looks like a recovery code with a typing error");
    }
    u->host->secret_free(t);
    return rc;
}

/* ---- all of them ---------------------------------------------------------------------------- */

static int by_secrets(const struct kt_unlock *u, const struct kt_ring *ring,
                      uint8_t master[KT_KEY_SIZE], struct kt_fault *f)
{
    int rc = f->status;

    for (size_t i = 0; i < ring->nslots && rc != KT_SUCCESS && rc != KT_CANCELLED; i++)
        if (kt_slot_is(&ring->slots[i], "secret"))
            rc = by_secret(u, ring, &ring->slots[i], master, f);
    return rc;
}

/* When nobody may be asked it is what was tried before that has to be mended. */
static int instead(const struct kt_unlock *u, const struct kt_fault *before, struct kt_fault *f)
{
    if (!before->told) {
        *f = *before;
        return f->status;
    }
    return kt_fault(f, before->status,
                    "a secret that opens %s is out of reach, and nobody may be asked for what else "
                    "would open it",
                    u->path);
}

/* The first slot that opens; what needs nobody's time comes first. */
static int find_master(const struct kt_unlock *u, const struct kt_ring *ring,
                       struct kt_raised *raised, uint8_t master[KT_KEY_SIZE], struct kt_fault *f)
{
    struct kt_fault before;
    int rc = kt_fault(f, KT_CORRUPT, "%s has no whole slot; restore it from a backup", u->path);

    if (has_kind(ring, "keyfile")) {
        rc = by_keyfile(u, ring, master, f);
        /* a key file that others can read is an error even if a person could be asked */
        if (rc == KT_SUCCESS || rc == KT_CONFIG_ERROR)
            return rc;
    }
    rc = by_secrets(u, ring, master, f);
    if (rc == KT_SUCCESS || rc == KT_CANCELLED ||
        !(has_kind(ring, "passphrase") || has_kind(ring, "recovery")))
        return rc;
    before = *f;
    rc = by_person(u, ring, raised, master, f);
    return rc == KT_LOCKED && before.status != KT_CORRUPT ? instead(u, &before, f) : rc;
}

int kt_unlock(const struct kt_unlock *u, const struct kt_ring *ring, struct kt_raised *raised,
              struct kt_keys **out, struct kt_fault *f)
{
    uint8_t *master = u->host->secret_alloc(KT_KEY_SIZE, 0);
    int rc = master == NULL ? no_memory(f) : find_master(u, ring, raised, master, f);

    if (rc == KT_SUCCESS)
        rc = kt_keys_open(u->host, u->path, ring, master, out, f);
    u->host->secret_free(master);
    return rc;
}
