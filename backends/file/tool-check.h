/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYTURN_FILE_CHECK_H
#define KEYTURN_FILE_CHECK_H

#include "ops.h"

/*
 * `keyturn file check`. What is found inside the gate is kept until the turn is over, then printed.
 * A turn that finds damage is taken a second time, through a new connection, and only what is found
 * then counts: another process may have exchanged the file.
 */

#define KT_CHECK_DATAKEYS 64

/** struct kt_finding - a line to be printed; @damage: it is no mere note */
struct kt_finding {
    struct kt_finding *next;
    bool damage;
    char text[];
};

/**
 * struct kt_check - a check under way
 * @cancel_fd: of the call
 * @findings:  of this turn, in order; @last is where the next one goes
 * @doubted:   this turn is the second look
 * @no_memory: a finding could not be kept
 * @store_row: the store's own row is whole, so that what depends on it can be checked
 * @opened:    there are keys
 * @replaced:  there was a data key that is replaced
 * @used:      data keys that rows are sealed under, the first @nused that were met
 * @damaged:   secrets; @faults: findings about the store itself
 * @turn:      check-rows.c's own
 */
struct kt_check {
    const struct kt_host *host;
    struct kt_store *store;
    struct kt_call *call;
    int cancel_fd;
    struct kt_finding *findings;
    struct kt_finding **last;
    bool doubted;
    bool no_memory;
    bool store_row;
    bool opened;
    bool replaced;
    int64_t used[KT_CHECK_DATAKEYS];
    size_t nused;
    uint64_t secrets;
    uint64_t versions;
    uint64_t damaged;
    uint64_t faults;
    void *turn;
};

/* check.c */

/** kt_check_damage, kt_check_note - keep a line; control bytes in it are made '?' */
void kt_check_damage(struct kt_check *c, const char *fmt, ...) KT_PRINTF(2, 3);
void kt_check_note(struct kt_check *c, const char *fmt, ...) KT_PRINTF(2, 3);

/** kt_check_has_damage - did this turn find any? */
bool kt_check_has_damage(const struct kt_check *c);

/** kt_check_forget - forget what this turn found */
void kt_check_forget(struct kt_check *c);

/** kt_check_print - print what this turn found, outside the gate; returns how many were damage */
uint64_t kt_check_print(struct kt_check *c);

/**
 * kt_check_turn - the end of a turn's body: KT_SUCCESS, or KT_CORRUPT for a second look
 */
int kt_check_turn(struct kt_check *c, struct kt_session *s) KT_MUST_CHECK;

/**
 * kt_check_look, kt_check_open - run a body whose last word is kt_check_turn()
 *
 * look: through a connection of its own, without keys, whatever state the database is in. open: with
 * keys, as kt_store_try(). @arg of the body is @c. The host has not been told of a failure.
 */
int kt_check_look(struct kt_check *c, kt_body_fn *body, struct kt_fault *f) KT_MUST_CHECK;
int kt_check_open(struct kt_check *c, kt_body_fn *body, struct kt_fault *f) KT_MUST_CHECK;

/* check-base.c: bodies */

/** kt_check_base - SQLite's own check, the schema, the store's row, slots, data keys as they lie there */
int kt_check_base(struct kt_session *s, void *check);
/** kt_check_datakeys - does each open? */
int kt_check_datakeys(struct kt_session *s, void *check);
/** kt_check_unused - data keys that are replaced and seal nothing any more */
int kt_check_unused(struct kt_session *s, void *check);

/* check-rows.c */

/** kt_check_rows - every secret, a turn for a few hundred rows; @keys: they can be opened */
int kt_check_rows(struct kt_check *c, bool keys, struct kt_fault *f) KT_MUST_CHECK;

/* check-log.c */

/** kt_check_log - is the write-ahead log cut short by damage? Opens no database file. */
void kt_check_log(struct kt_check *c);

/* check-place.c */

/** kt_check_place - files beside the store, and modes */
void kt_check_place(struct kt_check *c);

#endif
