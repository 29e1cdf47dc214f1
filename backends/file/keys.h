/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYTURN_FILE_KEYS_H
#define KEYTURN_FILE_KEYS_H

#include "slot.h"

#define KT_DATAKEYS_MAX 16

struct kt_datakey {
    int64_t id;
    uint8_t wrapped[KT_WRAPPED_SIZE];
};

/** struct kt_ring - a store's keys as they lie on disk: all of it sealed */
struct kt_ring {
    uint8_t store_id[KT_STORE_ID_SIZE];
    uint8_t index[KT_INDEX_SEALED];
    int format;
    bool read_only; /* no writer can have the medium */
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

/* ring.c: what lies on disk */

/** kt_ring_load - read a store's slots and data keys; KT_SUCCESS, KT_AGAIN, KT_CORRUPT … */
int kt_ring_load(struct kt_conn *c, struct kt_ring *out, struct kt_fault *f) KT_MUST_CHECK;

/** kt_ring_add_slot, …_remove_slot - inside a transaction, in a store of today's format */
int kt_ring_add_slot(struct kt_conn *c, const struct kt_slot *s, struct kt_fault *f) KT_MUST_CHECK;
/** kt_ring_replace_slot - the same slot, sealed anew, unless @old is no longer what is there */
int kt_ring_replace_slot(struct kt_conn *c, const struct kt_slot *old, const struct kt_slot *s,
                         struct kt_fault *f) KT_MUST_CHECK;
int kt_ring_remove_slot(struct kt_conn *c, int64_t id, struct kt_fault *f) KT_MUST_CHECK;

/* keys.c */

/**
 * kt_keys_open - with the master key all others
 * @path: of the store, for words
 *
 * KT_SUCCESS (one reference), KT_NO_MEMORY, KT_CORRUPT
 */
int kt_keys_open(const struct kt_host *host, const char *path, const struct kt_ring *ring,
                 const uint8_t master[KT_KEY_SIZE], struct kt_keys **out,
                 struct kt_fault *f) KT_MUST_CHECK;

/** kt_keys_fresh - new random keys for a store to be made; @ring gets all but its slots */
int kt_keys_fresh(const struct kt_host *host, struct kt_ring *ring, struct kt_keys **out,
                  struct kt_fault *f) KT_MUST_CHECK;

/** kt_keys_wrap - seal the master key in a slot (kt_slot_seal()) */
int kt_keys_wrap(const struct kt_keys *k, struct kt_slot *s, struct kt_bytes ikm,
                 struct kt_fault *f) KT_MUST_CHECK;

bool kt_keys_alive(const struct kt_keys *k);

/** kt_keys_free - wipe; the count is the caller's affair. NULL is allowed */
void kt_keys_free(const struct kt_host *host, struct kt_keys *k);

/** kt_keys_tag - where a name's rows are */
void kt_keys_tag(const struct kt_keys *k, const char *name, uint8_t out[KT_TAG_SIZE]);

/** kt_keys_find - a data key by id; .data NULL: these keys were loaded before it was made */
struct kt_bytes kt_keys_find(const struct kt_keys *k, int64_t id);

/** kt_keys_new_datakey - a new random data key, sealed under the master key */
int kt_keys_new_datakey(const struct kt_keys *k, int64_t id, struct kt_datakey *out,
                        struct kt_fault *f) KT_MUST_CHECK;

/** kt_keys_with - a copy of @k that also has a data key of a newer row; KT_CORRUPT if it does not
 * open */
int kt_keys_with(const struct kt_host *host, const struct kt_keys *k, const struct kt_datakey *d,
                 struct kt_keys **out, struct kt_fault *f) KT_MUST_CHECK;

#endif
