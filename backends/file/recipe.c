/* SPDX-License-Identifier: Apache-2.0 */
#include "means.h"

#include <stdio.h>

/* Seals the new store's next slot. */
static int add(const struct kt_unlock *u, const struct kt_recipe *r, struct kt_means *m,
               const struct kt_keys *k, struct kt_ring *ring, struct kt_fault *f)
{
    struct kt_slot *slot = &ring->slots[ring->nslots];
    int rc;

    *slot = m->slot;
    slot->id = (int64_t)ring->nslots + 1;
    (void)snprintf(slot->label, sizeof(slot->label), "%s", r->label != NULL ? r->label : "");
    rc = kt_keys_wrap(k, slot, (struct kt_bytes){ m->ikm, m->len }, f);
    if (rc == KT_SUCCESS)
        ring->nslots++;
    kt_means_done(u->host, m);
    return rc;
}

/* The person first, who may give up; then what would be left behind. */
static int add_all(const struct kt_unlock *u, struct kt_recipe *r, const struct kt_keys *k,
                   struct kt_ring *ring, struct kt_means *m, struct kt_fault *f)
{
    int rc = KT_SUCCESS;

    if (r->passphrase) {
        rc = kt_means_passphrase(u, m, f);
        rc = rc == KT_SUCCESS ? add(u, r, m, k, ring, f) : rc;
    }
    if (rc == KT_SUCCESS && r->secret != NULL) {
        rc = kt_means_secret(u, r->secret, m, f);
        rc = rc == KT_SUCCESS ? add(u, r, m, k, ring, f) : rc;
    }
    if (rc == KT_SUCCESS && r->keyfile != NULL) {
        rc = kt_means_keyfile(u, r->keyfile, m, f);
        rc = rc == KT_SUCCESS ? add(u, r, m, k, ring, f) : rc;
    }
    if (rc == KT_SUCCESS && r->recovery) {
        rc = kt_means_recovery(u, m, f);
        r->code = m->code;
        m->code = NULL;
        rc = rc == KT_SUCCESS ? add(u, r, m, k, ring, f) : rc;
    }
    return rc;
}

int kt_recipe_usual(const struct kt_unlock *u, bool passphrase, const char *secret,
                    struct kt_recipe *out, struct kt_fault *f)
{
    if (secret != NULL)
        return kt_fault(f, KT_UNSUPPORTED,
                        "%s was never made, and no put makes a store that a secret opens; run "
                        "'keyturn file create', with a recovery code",
                        u->path);
    *out = (struct kt_recipe){ .passphrase = passphrase,
                               .keyfile = passphrase ? NULL : u->key_path };
    return KT_SUCCESS;
}

int kt_unlock_make(const struct kt_unlock *u, struct kt_recipe *r, struct kt_ring *ring,
                   struct kt_keys **out, struct kt_fault *f)
{
    struct kt_means m = { .ikm = NULL };
    struct kt_keys *k = NULL;
    int rc = kt_keys_fresh(u->host, ring, &k, f);

    if (rc == KT_SUCCESS)
        rc = add_all(u, r, k, ring, &m, f);
    kt_means_done(u->host, &m);
    if (rc != KT_SUCCESS) {
        kt_keys_free(u->host, k);
        return rc;
    }
    *out = k;
    return KT_SUCCESS;
}
