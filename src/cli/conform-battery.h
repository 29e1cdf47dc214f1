/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYTURN_CLI_CONFORM_BATTERY_H
#define KEYTURN_CLI_CONFORM_BATTERY_H

#include "conform.h"

#include <keyturn/module.h> /* KT_CAP_* */

#define SLACK_MS 1000 /* how late an answer may be on a busy machine */

/* Whom a check is for. */
#define FOR_STORE 1U
#define FOR_WRITER 2U /* a store that can be written here */
#define FOR_CACHE 4U
#define FOR_SCRIPT 8U
#define FOR_ALL (FOR_STORE | FOR_CACHE | FOR_SCRIPT)

/**
 * struct battery - a module on trial
 * @h:       service `conform`: the module as the authority; or a cache before `debug`
 * @caps:    KT_CAP_*, as the other members down to @role from its descriptor
 * @kind:    FOR_* bits that hold for it
 * @before:  the process before the module was loaded, or when a change was last told of
 * @timeout_ms: of each call
 * @why:     what went wrong, or why a check was skipped
 * @absent:  there is no such module
 * @over:    no further check makes sense
 */
struct battery {
    const struct conform_options *o;
    struct kt_open_options open;
    const char *module;
    int nargs;
    const char *const *args;
    bool mapped;        /* the battery added `name=%n` */
    const char *below;  /* NULL, or options of the `debug` line that it reads before */
    const char *beside; /* NULL, or options of the `debug` line that is written after it */

    uint64_t caps;
    uint64_t value_min;
    uint64_t value_max;
    uint64_t name_max;
    char cas[16];
    char protection[16];
    char role[16];

    unsigned kind;
    struct manners *before;
    int64_t timeout_ms;
    struct kt_handle *h;
    struct kt_err err;
    char why[1024];
    bool absent;
    bool over;
    char tag[9];
    unsigned names;
};

/** struct check - a row of the battery; a check whose @caps the module lacks does not run */
struct check {
    const char *title;
    unsigned kind;
    uint64_t caps;
    enum conform_verdict (*run)(struct battery *b);
};

extern const struct check checks_basic[], checks_values[], checks_versions[], checks_cas[],
    checks_deletes[], checks_cache[], checks_races[], checks_manners[]; /* a NULL title ends each */

/* ---- conform-manners.c ----------------------------------------------------------------------- */

/** manners_new - what is the process's own, as it is now; NULL: no memory */
struct manners *manners_new(void);
void manners_free(struct manners *m);

/** changes_nothing - CONFORM_FAILED if something is not as it was before the module was loaded */
enum conform_verdict changes_nothing(struct battery *b);
enum conform_verdict prints_nothing(struct battery *b);

/* ---- conform.c ------------------------------------------------------------------------------- */

/**
 * battery_serve - open a service
 * @below: NULL: the module reads and writes; else it reads before `debug` with these options; lives
 *         as long as the battery
 *
 * False: it does not open, and @b->why says why.
 */
bool battery_serve(struct battery *b, const char *below);
bool battery_open(struct battery *b); /* the same once more; @b->h is NULL if it fails */

/* ---- conform-kit.c --------------------------------------------------------------------------- */

/** bad - CONFORM_FAILED, and why; skip - CONFORM_SKIPPED */
enum conform_verdict bad(struct battery *b, const char *fmt, ...) KT_PRINTF(2, 3);
enum conform_verdict skip(struct battery *b, const char *fmt, ...) KT_PRINTF(2, 3);

/** odd - CONFORM_FAILED: @what answered @rc, and it should have been @want */
enum conform_verdict odd(struct battery *b, const char *what, int rc, int want);

#define NAME_SIZE (KT_NAME_MAX + 1)

/** new_name - one that nobody has used: letters, digits and `_` only, which every store takes */
const char *new_name(struct battery *b, char name[NAME_SIZE]);

int put_with(struct battery *b, const char *name, const void *data, size_t len,
             struct kt_put_options o, char id[KT_ID_SIZE]);
int put(struct battery *b, const char *name, const char *text, char id[KT_ID_SIZE]);
int get_with(struct battery *b, const char *name, struct kt_get_options o, struct kt_secret **out);
int get(struct battery *b, const char *name, struct kt_secret **out);
/** get_status - get, and drop the value */
int get_status(struct battery *b, const char *name);
int stage(struct battery *b, const char *name, const char *label, const char *id,
          const char *expected);
int del_with(struct battery *b, const char *name, struct kt_delete_options o, bool *restorable);
int versions(struct battery *b, const char *name, struct kt_list **out);
int list(struct battery *b, const char *prefix, struct kt_list **out);

/** drop - clean up after a check: whatever it answers */
void drop(struct battery *b, const char *name);

/** holds - does a get give these bytes? false: @b->why says what it gave */
bool holds(struct battery *b, const char *name, struct kt_get_options o, const void *data,
           size_t len);
bool holds_text(struct battery *b, const char *name, const char *text);

/** lists - is @name among the names under @prefix? -1: @b->why says what happened */
int lists(struct battery *b, const char *prefix, const char *name);

int64_t now_ms(void); /* monotonic */
bool has_cas(const struct battery *b);
bool is_memory(const struct battery *b); /* nothing survives the process */
/** could_not - a status that says "not now", which a loaded store may answer */
bool could_not(int status);

#endif
