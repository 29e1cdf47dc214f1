/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYTURN_CLI_COPYING_PARTS_H
#define KEYTURN_CLI_COPYING_PARTS_H

#include "copying.h"

/* What the files of the copying share. */

/** struct copy_side - what the module of a service's authority is and can do */
struct copy_side {
    struct kt_authority authority;
    int rank; /* enum kt_class; -1: a word that nobody knows, weaker than all */
    char class_name[32];
    bool found; /* the module told of itself */
    bool cas;
    bool history; /* keeps versions, their ids and their labels */
    bool own_id;  /* the id it is given comes back */
    bool attrs;
    bool times;
    bool binary;
    uint64_t value_min;
    uint64_t value_max;
};

/* A set of hashes: which places of the target this run has filled. */
struct copy_seen {
    uint64_t key[2];
    uint64_t *slots;
    size_t n;
    size_t room; /* a power of two */
};

struct copy_signals;

struct copy_state {
    struct copy_side source;
    struct copy_side target;
    struct copy_seen seen;
    struct copy_signals *signals;
    struct bar bar;
    uint64_t done;
    uint64_t total; /* 0: not known, no bar */
    int64_t begun_ms;
    struct kt_err worst; /* of the failures */
    char worst_name[KT_NAME_MAX + 1];
    bool stopped; /* what @worst tells ended the run */
    int streak_status;
    unsigned streak; /* secrets in a row that failed with it */
};

/* ---- copying-side.c -------------------------------------------------------------------------- */

/** copy_look - at both authorities; 0, or an exit code after saying why */
int copy_look(struct copying *c);

/* ---- copying-calls.c: the library's calls, once more where a store asks for patience --------- */

int copy_versions(struct copying *c, struct kt_handle *h, const char *name, struct kt_list **out,
                  struct kt_err *err) KT_MUST_CHECK;
/** copy_get - from the authority; @version NULL: the current one */
int copy_get(struct copying *c, struct kt_handle *h, const char *name, const char *version,
             struct kt_secret **out, struct kt_err *err) KT_MUST_CHECK;
/** copy_put - @like: where value, attributes and times come from; what the target has no room for is left out */
int copy_put(struct copying *c, const char *name, const char *id, const char *stage,
             const char *expected, const struct kt_secret *like, struct kt_err *err) KT_MUST_CHECK;
int copy_stage(struct copying *c, const char *name, const char *stage, const char *version,
               const char *expected, struct kt_err *err) KT_MUST_CHECK;
int copy_list(struct copying *c, const char *prefix,
              int (*each)(void *cookie, const struct kt_item *item), void *cookie,
              struct kt_list **lines, struct kt_err *err) KT_MUST_CHECK;

/* ---- copying-signals.c ----------------------------------------------------------------------- */

/** copy_signals_begin - from now on SIGINT, SIGTERM and SIGHUP cancel the calls of both handles; a
 * second one ends the process. NULL: it cannot be done */
struct copy_signals *copy_signals_begin(struct kt_handle *from, struct kt_handle *to);
void copy_signals_end(struct copy_signals *s); /* NULL is allowed */
bool copy_signals_came(const struct copy_signals *s);
void copy_signals_wait(const struct copy_signals *s, int ms); /* until one comes */

/* ---- copying-id.c ---------------------------------------------------------------------------- */

/** copy_id_is_foreign - somebody else's: `MODULE:ID` */
bool copy_id_is_foreign(const char *id);
/**
 * copy_id_derive - a UUIDv7 for a version that has none, the same each time
 * @nth: 0, and from there on as long as the id stands for another value
 *
 * No hash of the value goes into it: ids are shown to everybody, and short values could be guessed.
 */
void copy_id_derive(const char *name, const struct kt_info *info, unsigned nth,
                    char id[KT_ID_SIZE]);

bool copy_seen_add(struct copy_seen *s, const void *data, size_t len); /* false: no memory */
bool copy_seen_has(const struct copy_seen *s, const void *data, size_t len);

/* ---- copying-tell.c -------------------------------------------------------------------------- */

/**
 * struct copy_row - what became of a version
 * @version:    in the source; NULL: of the secret
 * @to_version: in the target; NULL: the same
 * @result:     "copied", "unchanged", "staged", "left", "failed"; with --dry-run "would-copy",
 *              "would-stage"
 * @reason:     enum kt_status, KT_SUCCESS for none
 * @message:    NULL: none
 */
struct copy_row {
    const char *name;
    const char *version;
    const char *to_version;
    const char *result;
    int reason;
    const char *message;
};

void copy_tell(struct copying *c, const struct copy_row *row);
/** copy_tell_secret - a line for people: with -v, or in a dry run */
void copy_tell_secret(struct copying *c, const char *name, uint64_t written, uint64_t there);
/**
 * copy_weigh - tell a failure that ends nothing; the exit code is made from the one that weighs most
 * @name: NULL: the list of names
 */
void copy_weigh(struct copying *c, const char *name, const char *version, const struct kt_err *err);
/**
 * copy_failed - tell a failure, and weigh it; 0: go on, else the exit code that ends the run
 * @first: of this secret's
 */
int copy_failed(struct copying *c, const char *name, const char *version, bool first,
                const struct kt_err *err);
/** copy_finish - the summary; the exit code, explained */
int copy_finish(struct copying *c);

/* ---- copying-plan.c, copying-write.c -------------------------------------------------------- */

/** struct copy_rows - the versions of a secret; a store that does not tell them has one */
struct copy_rows {
    struct kt_list *list;
    struct kt_secret *only;
};

size_t copy_rows_count(const struct copy_rows *r);
const struct kt_info *copy_rows_info(const struct copy_rows *r, size_t i);

/**
 * struct copy_version - a version of the source
 * @id:    what it is called in the target
 * @to:    the target's; NULL: it has none
 * @there: the target has it, byte for byte
 */
struct copy_version {
    const struct kt_info *from;
    const struct kt_info *to;
    bool there;
    bool tried;
    bool told; /* what becomes of it */
    char id[KT_ID_SIZE];
};

/**
 * struct copy_secret - a secret on its way
 * @v:        @n versions, oldest first
 * @current:  index of the version that bears the label in the source; @n: none does
 * @exists:   the target has the secret
 * @now:      id of the target's current version, as last known; "" none
 * @marked:   id of the version that bears `pending` in the target, likewise
 * @behind:   id of its `previous`, before anything was done
 * @known:    for each version of the target: the source has it
 */
struct copy_secret {
    struct copying *c;
    const char *name;
    struct copy_rows from;
    struct copy_rows to;
    struct copy_version *v;
    size_t n;
    size_t current;
    size_t previous;
    size_t pending;
    bool *known;
    bool exists;
    char now[KT_ID_SIZE];
    char marked[KT_ID_SIZE];
    char behind[KT_ID_SIZE];
    uint64_t written;
    uint64_t there;
    bool staged;
    bool left;
    bool failed;
    bool over; /* somebody else is writing it: hands off */
    int stop;  /* exit code that ends the run */
};

/** copy_plan - both sides' versions, and how they belong together; false: told, nothing more to do */
bool copy_plan(struct copy_secret *s);
void copy_plan_done(struct copy_secret *s);

/** copy_write - make the target have what the plan says */
void copy_write(struct copy_secret *s);

/** copy_secret_fail - a failure of this secret's */
void copy_secret_fail(struct copy_secret *s, const char *version, const struct kt_err *err);
void copy_secret_failf(struct copy_secret *s, const char *version, int status, const char *fmt, ...)
    KT_PRINTF(4, 5);
/** copy_secret_leave - a version, or with NULL something of the secret, stays behind
 * @counts: the target could have kept it */
void copy_secret_leave(struct copy_secret *s, struct copy_version *v, bool counts, int status,
                       const char *why);

/* ---- copying-version.c ------------------------------------------------------------------------ */

/** copy_same_bytes - in a time that does not tell where they differ */
bool copy_same_bytes(const struct kt_secret *a, const struct kt_secret *b);

/** copy_read - the source's value; NULL: told why there is none */
struct kt_secret *copy_read(struct copy_secret *s, struct copy_version *v);
/** copy_get_there - the target's, by id where it keeps ids */
int copy_get_there(struct copy_secret *s, const struct copy_version *v, struct kt_secret **out,
                   struct kt_err *err);
/** copy_fits - what can be known without asking the target; false: told, and left behind */
bool copy_fits(struct copy_secret *s, struct copy_version *v, const struct kt_secret *value);

enum copy_how { COPY_QUIETLY, COPY_AS_CURRENT, COPY_AS_PENDING };

/** copy_ensure - the target shall have the version; the label is another matter, but for a new one's */
void copy_ensure(struct copy_secret *s, struct copy_version *v, enum copy_how how);

#endif
