/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYTURN_POWERLOSS_STORY_H
#define KEYTURN_POWERLOSS_STORY_H

#include "log.h"
#include "work.h"

#include <stdbool.h>
#include <stddef.h>

/** struct pl_log - a log in memory; @at: its records */
struct pl_log {
    const char *bytes;
    size_t len;
    const struct pl_record **at;
    size_t n;
};

/** pl_log_open - map a log; exits if it is none */
void pl_log_open(struct pl_log *log, const char *path);
void pl_log_close(struct pl_log *log);

/** struct pl_view - what each secret is, in words; "": it is not there. Belongs to the story. */
struct pl_view {
    const char *words[PL_SECRETS];
};

/**
 * struct pl_op - an operation
 * @begin, @done: where it was called and where it was acknowledged, as numbers of records
 * @after:        what the secrets are from then on
 */
struct pl_op {
    uint32_t n;
    char *what;
    size_t begin;
    size_t done;
    bool copied;
    struct pl_view after;
};

/** struct pl_story - what the workload says of itself */
struct pl_story {
    struct pl_op *ops;
    size_t n;
    char **kept;
    size_t nkept;
};

/** pl_story_read - exits if the marks make no sense */
void pl_story_read(struct pl_story *s, const struct pl_log *log);
void pl_story_free(struct pl_story *s);

/**
 * struct pl_expected - what must be found after a power cut
 * @acknowledged: operations
 * @before:       what they have left
 * @running:      the operation that was going on, NULL: none; it may be there, whole
 * @copy:         what the backup is; NULL: none was acknowledged, or a new one is being made
 */
struct pl_expected {
    size_t acknowledged;
    struct pl_view before;
    const struct pl_op *running;
    const struct pl_view *copy;
};

/** pl_story_at - when the power is cut before record @cut */
struct pl_expected pl_story_at(const struct pl_story *s, size_t cut);

#endif
