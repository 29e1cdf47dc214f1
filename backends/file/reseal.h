/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYTURN_FILE_RESEAL_H
#define KEYTURN_FILE_RESEAL_H

#include "datakey.h"

/*
 * All secrets in the order of their places, in turns so short that other writers do not notice. Each
 * row is sealed anew by itself, with the contents and the generation that it has, and a secret's head
 * after its versions. So wherever the walk is interrupted the store is whole, and who walks again finds
 * little to do. What is damaged stays as it is, and so does the head beside it: the next walk finds and
 * names it again.
 */

/**
 * struct kt_walk - how far it is
 * @tag:    the secret that was looked at last; @begun: there was one
 * @within: it is not done: its rows up to @id are
 * @rows:   of it, besides the head
 * @spoilt: it is damaged
 * @strays: there are rows that no name leads to
 * @seen:   secrets passed; @secrets and @versions: sealed anew; @sealed: rows; @damaged: secrets
 * @kept:   data keys that rows were left under
 */
struct kt_walk {
    uint8_t tag[KT_TAG_SIZE];
    bool begun;
    bool ended;
    bool within;
    bool spoilt;
    bool strays;
    char id[KT_ID_SIZE];
    uint64_t rows;
    uint64_t seen;
    uint64_t secrets;
    uint64_t versions;
    uint64_t sealed;
    uint64_t damaged;
    struct kt_kept kept;
};

#define KT_RESEAL_NAMES 8

/**
 * struct kt_reseal - one turn of it
 * @key:    rows under smaller ids are sealed anew, under @newest
 * @from:   where it begins; @to is where it has come to, which counts when the turn was committed
 * @names:  what it found damaged, a line each
 * @ask_ns: when to look whether others are waiting
 */
struct kt_reseal {
    int64_t key;
    int64_t newest;
    int64_t began_ns;
    int64_t ask_ns;
    struct kt_walk from;
    struct kt_walk to;
    char names[KT_RESEAL_NAMES][400];
    size_t nnames;
};

/** kt_reseal_body - a body of kt_store_run(), KT_WRITE; @arg is the struct kt_reseal. KT_CONFLICT: the
 * store has no such key any more */
int kt_reseal_body(struct kt_session *s, void *arg);

#endif
