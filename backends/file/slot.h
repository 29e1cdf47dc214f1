/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYTURN_FILE_SLOT_H
#define KEYTURN_FILE_SLOT_H

#include "conn.h"

/*
 * Slots. What a kind is opened with, and its params:
 *
 *     keyfile     the bytes of the key file; none
 *     passphrase  scrypt of what a person types; 1 | log2 N 8 | r 32 | p 32 | salt 32 bytes
 *     recovery    the same; what is typed is a code that we made (recovery.h)
 *     secret      the value of another service's secret; SERVICE/NAME
 *
 * wrapped is the master key, sealed (seal.h) under these bytes, with store, slot, kind and params
 * as associated data. The sum covers that and, since format 2, when the slot was made and its label.
 */

#define KT_SLOTS_MAX 32
#define KT_SLOT_KIND_MAX 16
#define KT_SLOT_PARAMS_MAX 1024
#define KT_SLOT_LABEL_MAX 64
#define KT_SLOT_TEXT_SIZE 500
#define KT_SCRYPT_LOG_N 17 /* today's, for new slots: 128 MiB, about 0.4 s in 2026 */
#define KT_SCRYPT_R 8
#define KT_SCRYPT_P 1
#define KT_WRAPPED_SIZE (KT_KEY_SIZE + KT_SEAL_EXTRA)
#define KT_WRAP_CONTEXT_SIZE 64

/**
 * struct kt_slot - a row of the table slot
 * @created_ms: wall clock; 0: made before format 2, which was the first to keep it
 * @label:      what a person calls it; may be empty
 * @whole:      its sum is right
 */
struct kt_slot {
    int64_t id;
    char kind[KT_SLOT_KIND_MAX];
    uint8_t params[KT_SLOT_PARAMS_MAX];
    size_t params_len;
    uint8_t wrapped[KT_WRAPPED_SIZE];
    int64_t created_ms;
    char label[KT_SLOT_LABEL_MAX + 1];
    bool whole;
};

/** kt_wrap_context - associated data of a key that lies in the store: 'S' a slot, to which kind and
 * params are added, 'I' the index key, 'D' a data key. Returns its length. */
size_t kt_wrap_context(char what, const uint8_t store_id[KT_STORE_ID_SIZE], int64_t id,
                       uint8_t out[KT_WRAP_CONTEXT_SIZE]);

/** kt_slot_sum - what the `sum` column of a slot holds in a store of this format */
void kt_slot_sum(int format, const uint8_t store_id[KT_STORE_ID_SIZE], const struct kt_slot *s,
                 uint8_t out[KT_SUM_SIZE]);

/** kt_slot_is - is it whole, and of this kind? */
bool kt_slot_is(const struct kt_slot *s, const char *kind);

/** kt_slot_is_typed - is it whole, and does a person type what opens it? */
bool kt_slot_is_typed(const struct kt_slot *s);

/** kt_slot_try - open it; KT_CORRUPT: these are not the bytes; not explained */
int kt_slot_try(const uint8_t store_id[KT_STORE_ID_SIZE], const struct kt_slot *s,
                struct kt_bytes ikm, uint8_t master[KT_KEY_SIZE]) KT_MUST_CHECK;

/** kt_slot_seal - fill wrapped; id, kind and params are set and stay */
int kt_slot_seal(const uint8_t store_id[KT_STORE_ID_SIZE], struct kt_slot *s, struct kt_bytes ikm,
                 const uint8_t master[KT_KEY_SIZE], struct kt_fault *f) KT_MUST_CHECK;

/** kt_slot_new_scrypt - today's parameters, and a new salt */
int kt_slot_new_scrypt(struct kt_slot *s, struct kt_fault *f) KT_MUST_CHECK;

/** kt_slot_stretch - by the slot's own parameters; KT_UNSUPPORTED if they are not sensible */
int kt_slot_stretch(const struct kt_slot *s, struct kt_bytes typed, uint8_t out[KT_KEY_SIZE],
                    struct kt_fault *f) KT_MUST_CHECK;

/** kt_slot_is_weak - does its scrypt cost less than today's? */
bool kt_slot_is_weak(const struct kt_slot *s);

/** kt_slot_text - a line about it; @keyfile: what is known of a key file slot's file */
void kt_slot_text(const struct kt_slot *s, const char *keyfile, char out[KT_SLOT_TEXT_SIZE]);

/** kt_text_is_plain - valid UTF-8 without control characters */
bool kt_text_is_plain(const char *text, size_t len);

#endif
