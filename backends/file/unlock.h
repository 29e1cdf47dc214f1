/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYTURN_FILE_UNLOCK_H
#define KEYTURN_FILE_UNLOCK_H

#include "keys.h"

/** struct kt_unlock - what opening and making slots needs of the line; strings are borrowed */
struct kt_unlock {
    const struct kt_host *host;
    struct kt_call *call;
    const char *path;     /* of the store, for words */
    const char *key_path; /* the key file */
};

/** struct kt_raised - a slot that was opened, and the same with today's scrypt; both sealed
 * @wanted: by whoever unlocks; @set: there is one */
struct kt_raised {
    bool wanted;
    bool set;
    struct kt_slot old;
    struct kt_slot new;
};

/**
 * kt_unlock - open a slot, and with the master key all others
 *
 * Tries the key file, then secrets, then asks a person. May wait: no lock may be held. Returns
 * KT_SUCCESS (one reference), KT_LOCKED (no key, and nobody may be asked), KT_DENIED (wrong
 * passphrase), KT_CORRUPT, KT_CONFIG_ERROR (key file) … What keeps a secret out of reach is its
 * own status, but one that is not there is KT_LOCKED: the caller asked for something else.
 */
int kt_unlock(const struct kt_unlock *u, const struct kt_ring *ring, struct kt_raised *raised,
              struct kt_keys **out, struct kt_fault *f) KT_MUST_CHECK;

/** kt_unlock_keyfile - does the line's key file open this slot? Tells what to call it. */
void kt_unlock_keyfile(const struct kt_unlock *u, const uint8_t store_id[KT_STORE_ID_SIZE],
                       const struct kt_slot *slot, char *out, size_t size);

/** struct kt_recipe - what is to open a store that is made; NULL and false: not that
 * @label: of its slots
 * @code:  gets the recovery code, in secret memory; release with host->secret_free() */
struct kt_recipe {
    bool passphrase;
    bool recovery;
    const char *keyfile;
    const char *secret;
    const char *label;
    char *code;
};

/** kt_recipe_usual - what a put makes: as the line says. KT_UNSUPPORTED: nothing, with @secret */
int kt_recipe_usual(const struct kt_unlock *u, bool passphrase, const char *secret,
                    struct kt_recipe *out, struct kt_fault *f) KT_MUST_CHECK;

/** kt_unlock_make - new random keys, and slots for them, for a store to be made
 * @ring: gets what is to be written */
int kt_unlock_make(const struct kt_unlock *u, struct kt_recipe *r, struct kt_ring *ring,
                   struct kt_keys **out, struct kt_fault *f) KT_MUST_CHECK;

/* need.c: a store must not need itself */

/**
 * kt_need_get, kt_need_put - host->get_secret and put_secret for a store
 *
 * Whatever of that comes to this thread and this store again, through whichever services, is
 * refused: kt_need_check() is KT_CONFIG_ERROR there. An explained failure has @f->told.
 */
int kt_need_get(const struct kt_unlock *u, const char *where, void **data, size_t *len,
                struct kt_fault *f) KT_MUST_CHECK;
int kt_need_put(const struct kt_unlock *u, const char *where, const void *data, size_t len,
                struct kt_fault *f) KT_MUST_CHECK;
int kt_need_check(const char *path, struct kt_fault *f) KT_MUST_CHECK;

#endif
