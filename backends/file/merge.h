/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYTURN_FILE_MERGE_H
#define KEYTURN_FILE_MERGE_H

#include "archive.h"

/** struct kt_merge_counts - what became, or would become, of secrets and versions */
struct kt_merge_counts {
    uint64_t seen;
    uint64_t made;      /* secrets that were not there */
    uint64_t changed;   /* secrets that got versions or other stages */
    uint64_t same;      /* secrets that were there as they are in the archive, or with more */
    uint64_t versions;  /* added */
    uint64_t conflicts; /* versions whose bytes differ, and stages that could not be moved */
    uint64_t damaged;   /* left out */
};

/** kt_merge_note_fn - told of a conflict, in one line, inside the gate */
typedef void kt_merge_note_fn(void *arg, const char *text);

/**
 * struct kt_merge - how secrets come from an archive into a store
 * @replace: stages become those of the archive
 * @dry:     only look
 * @failed:  what went wrong did so in the archive, @from->s.fault says what
 */
struct kt_merge {
    struct kt_archive *from;
    bool replace;
    bool dry;
    kt_merge_note_fn *note;
    void *arg;
    struct kt_merge_counts counts;
    size_t bytes; /* read */
    bool failed;
};

/**
 * kt_merge_secret - the secret at this place of the archive
 * @to: in a transaction, unless dry; NULL: there is no store, dry
 *
 * A secret that is not there comes whole; to one that is there come the versions that it has not got.
 * Does nothing that was done already.
 */
int kt_merge_secret(struct kt_merge *m, const uint8_t tag[KT_TAG_SIZE],
                    struct kt_session *to) KT_MUST_CHECK;

#endif
