/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYTURN_TESTS_MODHOST_H
#define KEYTURN_TESTS_MODHOST_H

/*
 * A host for tests of modules: what module.h promises, without the core. Modules are the built ones,
 * NAME.so in the directory that KEYTURN_TEST_MODULES names. A test's own mistake aborts with a line.
 *
 *     struct kt_call call;
 *     modhost_call_init(&call);
 *     const struct kt_module *m = modhost_load("file");
 *     rc = modhost_open(m, &call, "path=/x/store.db key=/x/store.key", &state);
 *     rc = m->get(state, &call, "a", modhost_want(NULL));
 *     … call.given[0].data …
 *     modhost_call_done(&call);
 */

#include <keyturn/module.h>

/** struct modhost_given - what a module handed over; copies */
struct modhost_given {
    size_t index; /* give: of which name */
    char *name;   /* give_name */
    bool version; /* the members below are set */
    char *id;     /* NULL: a negative entry */
    uint32_t state;
    uint32_t stages;
    uint32_t flags;
    uint32_t misses;
    int64_t created_ms;
    int64_t expires_ms;
    int64_t not_before_ms;
    struct kt_asof asof;
    struct kt_attr *attrs;
    size_t nattrs;
    void *data; /* give: @len bytes, a NUL follows */
    size_t len;
};

/**
 * struct kt_call - one call; the members up to @meanwhile may be set after modhost_call_init()
 * @deadline_ms: on the host's monotonic clock; init: in an hour, so that no slow machine gets there
 * @cancel_fd:   -1
 * @stop_list:   give_name returns this from row @stop_after on; KT_SUCCESS: never
 * @answers:     what a person would type, NULL-terminated; NULL: nobody can be asked
 * @meanwhile:   called when the module asks what time is left and when it tells of its progress: between
 *               the steps of its work. NULL: nothing
 * @asked:       prompts shown
 * @fails:       times fail() was called; @status and @msg are the last one's
 * @log, @out:   log() and print(), a line each, newline-terminated; NULL: nothing
 */
struct kt_call {
    int64_t deadline_ms;
    int cancel_fd;
    int stop_list;
    size_t stop_after;
    const char *const *answers;
    void (*meanwhile)(struct kt_call *call);
    size_t asked;
    char question[256];
    int fails;
    int status;
    char msg[508];
    char *log;
    char *out;
    uint64_t progress_done; /* as last told */
    uint64_t progress_total;
    struct modhost_given *given;
    size_t ngiven;
};

extern const struct kt_host modhost;

void modhost_call_init(struct kt_call *call);
void modhost_call_reset(
    struct kt_call *call); /* forget what was given, said and asked; an hour again */
void modhost_call_done(struct kt_call *call);

/** modhost_load - the descriptor of NAME.so; loaded once, never unloaded */
const struct kt_module *modhost_load(const char *name);

/**
 * modhost_open - open a line of a module
 * @options: as on a service line, blank-separated; defaults are filled in. NULL: none
 *
 * Returns what the module returns; an option that the module has not got aborts.
 */
int modhost_open(const struct kt_module *m, struct kt_call *call, const char *options,
                 void **state);
int modhost_open_as(const struct kt_module *m, struct kt_call *call, const struct kt_open_args *as,
                    const char *options, void **state);

/** modhost_verb - run a verb, options as for modhost_open() */
int modhost_verb(const struct kt_module *m, void *state, struct kt_call *call, const char *verb,
                 const char *options);

/** modhost_want - current, or one version; borrowed until the thread's next call */
const struct kt_want *modhost_want(const char *version);

/** modhost_id - a new UUIDv7, of the host's wall clock */
void modhost_id(char id[KT_UUID_SIZE]);

/** modhost_clock_add - from now on this clock is @ms further (or back); modhost_clock_reset undoes */
void modhost_clock_add(enum kt_clock_id which, int64_t ms);
void modhost_clock_reset(void);

/** modhost_secret_set - what get_secret gives for @where; NULL @data takes it away */
void modhost_secret_set(const char *where, const void *data, size_t len);

/** modhost_live - secret blocks handed out and not given back */
size_t modhost_live(void);

#endif
