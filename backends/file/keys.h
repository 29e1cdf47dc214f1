/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYTURN_FILE_KEYS_H
#define KEYTURN_FILE_KEYS_H

#include "conn.h"

/*
 * Slots. What a kind is opened with, and its params:
 *
 *     keyfile     the bytes of the key file; none
 *     passphrase  scrypt of what a person types; 1 | log2 N 8 | r 32 | p 32 | salt 32 bytes
 *     recovery    the same; the passphrase is one that we made
 *     secret      the value of another service's secret; SERVICE/NAME
 *
 * wrapped is the master key, sealed (seal.h) under these bytes, with format, store, slot, kind and
 * params as associated data.
 */

#define KT_SLOTS_MAX 32
#define KT_SLOT_KIND_MAX 16
#define KT_SLOT_PARAMS_MAX 1024
#define KT_DATAKEYS_MAX 16
#define KT_SCRYPT_LOG_N 17
#define KT_SCRYPT_R 8
#define KT_SCRYPT_P 1
#define KT_WRAPPED_SIZE (KT_KEY_SIZE + KT_SEAL_EXTRA)
#define KT_PASSPHRASE_MAX 1024

struct kt_slot {
    int64_t id;
    char kind[KT_SLOT_KIND_MAX];
    uint8_t params[KT_SLOT_PARAMS_MAX];
    size_t params_len;
    uint8_t wrapped[KT_WRAPPED_SIZE];
    bool whole; /* its sum is right */
};

struct kt_datakey {
    int64_t id;
    uint8_t wrapped[KT_WRAPPED_SIZE];
};

/** struct kt_ring - a store's keys as they lie on disk: all of it sealed */
struct kt_ring {
    uint8_t store_id[KT_STORE_ID_SIZE];
    uint8_t index[KT_INDEX_SEALED];
    struct kt_slot slots[KT_SLOTS_MAX];
    size_t nslots;
    struct kt_datakey datakeys[KT_DATAKEYS_MAX];
    size_t ndatakeys;
};

/**
 * struct kt_keys - a store's keys, opened; immutable once shared, counted under the store's mutex
 * @secret: in memory that a child of fork() finds wiped: kt_keys_alive() looks at its canary
 */
struct kt_keyring_secret;
struct kt_keys {
    unsigned refs;
    uint8_t store_id[KT_STORE_ID_SIZE];
    struct kt_keyring_secret *secret;
};

/** struct kt_unlock - what opening and making slots needs of the line; strings are borrowed */
struct kt_unlock {
    const struct kt_host *host;
    struct kt_call *call;
    const char *path;     /* of the store, for words */
    const char *key_path; /* the key file */
};

/** kt_ring_load - read a store's slots and data keys; KT_SUCCESS, KT_AGAIN, KT_CORRUPT … */
int kt_ring_load(struct kt_conn *c, struct kt_ring *out, struct kt_fault *f) KT_MUST_CHECK;

/**
 * kt_keys_unlock - open a slot, and with the master key all others
 *
 * Tries the key file, then secrets, then asks a person. May wait: no lock may be held. Returns
 * KT_SUCCESS (one reference), KT_LOCKED (no key, and nobody may be asked), KT_DENIED (wrong
 * passphrase), KT_CORRUPT, KT_CONFIG_ERROR (key file) …
 */
int kt_keys_unlock(const struct kt_unlock *u, const struct kt_ring *ring, struct kt_keys **out,
                   struct kt_fault *f) KT_MUST_CHECK;

/**
 * kt_keys_make - new random keys, and a slot for them, for a store to be made
 * @passphrase: ask a person for one instead of making or taking the key file
 * @ring:       gets what is to be written
 */
int kt_keys_make(const struct kt_unlock *u, bool passphrase, struct kt_ring *ring,
                 struct kt_keys **out, struct kt_fault *f) KT_MUST_CHECK;

/** kt_slot_sum - what the `sum` column of a slot holds */
void kt_slot_sum(const uint8_t store_id[KT_STORE_ID_SIZE], const struct kt_slot *s,
                 uint8_t out[KT_SUM_SIZE]);

bool kt_keys_alive(const struct kt_keys *k);

/** kt_keys_free - wipe; the count is the caller's affair. NULL is allowed */
void kt_keys_free(const struct kt_host *host, struct kt_keys *k);

/** kt_keys_tag - where a name's rows are */
void kt_keys_tag(const struct kt_keys *k, const char *name, uint8_t out[KT_TAG_SIZE]);

/** kt_keys_find - a data key by id; .data NULL: these keys were loaded before it was made */
struct kt_bytes kt_keys_find(const struct kt_keys *k, int64_t id);

/** kt_keys_with - a copy of @k that also has a data key of a newer row; KT_CORRUPT if it does not
 * open */
int kt_keys_with(const struct kt_host *host, const struct kt_keys *k, const struct kt_datakey *d,
                 struct kt_keys **out, struct kt_fault *f) KT_MUST_CHECK;

#endif
