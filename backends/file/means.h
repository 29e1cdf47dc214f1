/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYTURN_FILE_MEANS_H
#define KEYTURN_FILE_MEANS_H

#include "unlock.h"

#define KT_PASSPHRASE_MAX 1024

/**
 * struct kt_means - what a slot to be made is opened with
 * @slot: all of it but id, label and what is sealed
 * @ikm:  @len bytes of secret memory
 * @code: a recovery code, to be shown once, in secret memory; else NULL
 *
 * Getting them may wait, ask a person and make a key file or another service's secret: no lock is
 * held. Release with kt_means_done(), also after a failure.
 */
struct kt_means {
    struct kt_slot slot;
    void *ikm;
    size_t len;
    char *code;
};

/** kt_means_passphrase - asked for twice */
int kt_means_passphrase(const struct kt_unlock *u, struct kt_means *out,
                        struct kt_fault *f) KT_MUST_CHECK;

/** kt_means_keyfile - made if it is not there */
int kt_means_keyfile(const struct kt_unlock *u, const char *path, struct kt_means *out,
                     struct kt_fault *f) KT_MUST_CHECK;

/** kt_means_secret - SERVICE/NAME; made if there is no such secret */
int kt_means_secret(const struct kt_unlock *u, const char *where, struct kt_means *out,
                    struct kt_fault *f) KT_MUST_CHECK;

/** kt_means_recovery - a new code */
int kt_means_recovery(const struct kt_unlock *u, struct kt_means *out,
                      struct kt_fault *f) KT_MUST_CHECK;

void kt_means_done(const struct kt_host *host, struct kt_means *m);

/** kt_ask - ask a person for @what of a store; @buf has KT_PASSPHRASE_MAX bytes */
int kt_ask(const struct kt_unlock *u, const char *what, char *buf, size_t *len,
           struct kt_fault *f) KT_MUST_CHECK;

#endif
