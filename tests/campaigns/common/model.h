/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYTURN_TESTS_CAMPAIGNS_MODEL_H
#define KEYTURN_TESTS_CAMPAIGNS_MODEL_H

/* What a store must hold after what was acknowledged: kept outside of it. */

#include <keyturn/module.h>

#define KT_MODEL_SECRETS 12
#define KT_MODEL_VERSIONS 12

/** struct kt_mversion - @seed and @len make the value, see kt_model_value() */
struct kt_mversion {
    char id[KT_UUID_SIZE];
    uint64_t seed;
    uint32_t len;
    uint32_t stages;
    bool destroyed;
};

/** struct kt_msecret - @n 0: there is no such secret; versions are ordered by id */
struct kt_msecret {
    unsigned n;
    struct kt_mversion v[KT_MODEL_VERSIONS];
};

/**
 * struct kt_model - secrets `s/00` and so on
 * @made:  there is a store
 * @saved: what the last backup, or archive, holds; @has_saved
 */
struct kt_model {
    bool made;
    struct kt_msecret secrets[KT_MODEL_SECRETS];
    bool has_saved;
    struct kt_msecret saved[KT_MODEL_SECRETS];
};

enum kt_op_kind {
    KT_OP_PUT,     /* unconditional; current */
    KT_OP_CREATE,  /* expected "" */
    KT_OP_CAS,     /* expected the current one */
    KT_OP_PENDING, /* put as pending */
    KT_OP_PROMOTE, /* current moves to another version, back or forward */
    KT_OP_UNSTAGE, /* pending goes away */
    KT_OP_DESTROY, /* one version, its record stays */
    KT_OP_PURGE,   /* one version with its record */
    KT_OP_DELETE,  /* the secret */
    KT_OP_VERB,    /* a row of kt_verbs[] */
};

/** struct kt_op - one operation; @verb: index of kt_verbs[] */
struct kt_op {
    enum kt_op_kind kind;
    unsigned verb;
    unsigned secret;
    char id[KT_UUID_SIZE];
    char expected[KT_UUID_SIZE];
    uint64_t seed;
    uint32_t len;
};

/** kt_draw - a number below @below; a generator of our own: the same numbers for the same seed everywhere */
uint64_t kt_draw(uint64_t *state, uint64_t below);

/** kt_model_name - of a secret, in @out */
void kt_model_name(unsigned secret, char out[16]);

/** kt_model_value - @len bytes, 0 or from 8 on, of which no part is like another seed's */
void kt_model_value(uint64_t seed, uint32_t len, uint8_t *out);

/** kt_model_seed - what a value was made from; false: it is no such value, or a part of one */
bool kt_model_seed(const uint8_t *data, size_t len, uint64_t *seed);

/**
 * kt_model_choose - an operation of this kind that the store must accept
 * @secret: on which; false: it cannot be had there now
 */
bool kt_model_choose(const struct kt_model *m, enum kt_op_kind kind, unsigned secret,
                     uint64_t *random, struct kt_op *out);

/** kt_model_any - some operation on some secret from @from on, @n of them */
void kt_model_any(const struct kt_model *m, unsigned from, unsigned n, uint64_t *random,
                  struct kt_op *out);

/** kt_model_apply - the operation was done */
void kt_model_apply(struct kt_model *m, const struct kt_op *op);

/** kt_model_same - equal secrets, in everything that a store keeps */
bool kt_model_same(const struct kt_msecret *a, const struct kt_msecret *b);

/** kt_op_text - an operation in words, in a buffer of the thread's */
const char *kt_op_text(const struct kt_op *op);

#endif
