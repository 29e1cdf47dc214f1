/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYTURN_FILE_FOUND_H
#define KEYTURN_FILE_FOUND_H

#include "store.h"

/** struct kt_opened - a version's row, opened, in secret memory */
struct kt_opened {
    size_t index; /* among the head's versions */
    void *plain;
    struct kt_body body;
};

#define KT_OPENED_MAX 4 /* one for each stage, and the one that was picked */

/**
 * struct kt_found - a secret's rows, seen at one instant
 * @exists: there is a head
 * @picked: index of the version that was asked for; @head.n: none
 * @opened: that version, and those with stages if they were wanted
 */
struct kt_found {
    bool exists;
    uint8_t tag[KT_TAG_SIZE];
    struct kt_head head;
    void *plain; /* the head's, freed and wiped with it */
    size_t plain_len;
    size_t picked;
    struct kt_opened opened[KT_OPENED_MAX];
    size_t nopened;
};

/** struct kt_pick - which version to open: by id, or by one stage bit; neither: none. @staged: and
 * every version that bears a stage */
struct kt_pick {
    const char *id;
    uint32_t stage;
    bool staged;
};

/** kt_row_fn - told of each version's row, in order of id, when it has been opened (kt_found_all) */
typedef int kt_row_fn(const struct kt_found *found, const struct kt_entry *entry,
                      const struct kt_body *body, void *arg);

/**
 * kt_found_load - find a secret and see that its rows are those that its head lists
 * @out: release with kt_found_done(), whatever is returned
 *
 * KT_SUCCESS also if there is none. KT_CORRUPT names the secret.
 */
int kt_found_load(struct kt_session *s, const char *name, struct kt_pick pick,
                  struct kt_found *out) KT_MUST_CHECK;

/** kt_found_all - the same, all versions opened one after the other */
int kt_found_all(struct kt_session *s, const char *name, kt_row_fn *row, void *arg,
                 struct kt_found *out) KT_MUST_CHECK;

/** kt_found_at - the same by place: of a secret whose name its head will tell. @row may be NULL */
int kt_found_at(struct kt_session *s, const uint8_t tag[KT_TAG_SIZE], kt_row_fn *row, void *arg,
                struct kt_found *out) KT_MUST_CHECK;

/** kt_found_next - the place of the first secret behind @after (NULL: of all); KT_NOT_FOUND, not
 * explained: there is none */
int kt_found_next(struct kt_session *s, const uint8_t after[KT_TAG_SIZE],
                  uint8_t tag[KT_TAG_SIZE]) KT_MUST_CHECK;
void kt_found_done(const struct kt_host *host, struct kt_found *found);

/**
 * kt_found_same_store - are the session's keys those of what lies there now?
 *
 * Whoever finds nothing asks this: a damaged store may have been restored, in place, from a backup of
 * another one. KT_CORRUPT, for a second look through a new connection.
 */
int kt_found_same_store(struct kt_session *s) KT_MUST_CHECK;

/** kt_found_body - of the picked version, which there is */
struct kt_body *kt_found_body(struct kt_found *found);

/**
 * kt_found_head - open a head's row
 * @name: what it should be called; NULL: anything whose place this is (lists)
 *
 * KT_CORRUPT is explained. @out has tag and store set already.
 */
int kt_found_head(struct kt_session *s, int64_t dk, struct kt_bytes sealed, const char *name,
                  struct kt_found *out) KT_MUST_CHECK;

/** kt_found_version - what the host is told of a version; borrows from both */
struct kt_version kt_found_version(const struct kt_found *found, const struct kt_entry *entry,
                                   const struct kt_attr *attrs, size_t nattrs);

#endif
