/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYTURN_MODULE_H
#define KEYTURN_MODULE_H

/*
 * keyturn for module authors. A module is a shared object that exports one symbol:
 *
 *     const struct kt_module kt_module = {
 *         .abi = KT_MODULE_ABI, .size = sizeof(struct kt_module), .name = "echo", …
 *     };
 *
 * It links nothing of keyturn's: the host lends what it needs through struct kt_host.
 *
 * Rules:
 *  - Every function returns an enum kt_status. On failure it has called host->fail() once, with one
 *    line: what failed, where, what to do; never a value. KT_NOT_FOUND alone needs no words.
 *    "Could not ask" is never KT_NOT_FOUND.
 *  - Functions of one state are called from many threads at once; open and close are not.
 *  - Every wait is a poll on host->cancel_fd() until host->left_ms() is over: host->wait() does it.
 *  - Nothing is printed, no signal disposition and no global of the process is changed, no descriptor
 *    and no thread is left by a call, and nothing is loaded, connected or created in open that a later
 *    call may not need.
 *  - After fork() the host opens new states in the child and never touches the parent's there; a
 *    module that shares something under its states registers pthread_atfork() handlers.
 *  - Strings and bytes handed in live until the function returns.
 * keyturn-module(3) has the whole story; `keyturn conform MODULE` tests it.
 */

#include <keyturn/types.h>

#define KT_MODULE_ABI 1 /* 0.x: must be equal */
#define KT_MODULE_EXPORT __attribute__((visibility("default")))

/* A module defines exactly this; the declaration gives it default visibility. */
struct kt_module;
extern KT_MODULE_EXPORT const struct kt_module kt_module;

enum kt_kind { KT_KIND_BACKEND = 0, KT_KIND_ISSUER = 1, KT_KIND_NOTIFIER = 2, KT_KIND_AUDITOR = 3 };

/* how the host judges a backend's answers */
enum kt_role {
    KT_ROLE_STORE = 0,    /* keeps copies or is the authority: age is judged */
    KT_ROLE_CACHE = 1,    /* holds what the host fills in, not_found too; a miss is KT_IGNORE */
    KT_ROLE_AGENT = 2,    /* stands for the stack behind it, which has judged already */
    KT_ROLE_OVERRIDE = 3, /* kept by somebody else: served whatever its age, unless the authority */
    KT_ROLE_TEST = 4,     /* answers as told, nothing is judged */
};

enum kt_cas { KT_CAS_NONE = 0, KT_CAS_COOPERATIVE = 1, KT_CAS_NATIVE = 2 };

/* what a name becomes on a line without `name=` */
enum kt_naming {
    KT_NAMING_PLAIN = 0, /* itself */
    KT_NAMING_OWN = 1,   /* the module's own affair: args->mapped tells whether `name=` was given */
    KT_NAMING_DASHES = 2,     /* letters, digits, single `-`; others: `--` and two hex digits */
    KT_NAMING_UNDERSCORE = 3, /* letters, digits, `-`; others: `_` and two hex digits, lower case */
};

#define KT_CAP_ATTRS 0x1U       /* keeps attributes per version */
#define KT_CAP_DISABLE 0x2U     /* versions can be disabled */
#define KT_CAP_DESTROY 0x4U     /* one version can be destroyed */
#define KT_CAP_VERSIONS 0x8U    /* keeps older versions */
#define KT_CAP_STAGES 0x10U     /* moves current, keeps previous and pending */
#define KT_CAP_BINARY 0x20U     /* any byte, NUL and newline included */
#define KT_CAP_EXPIRES 0x40U    /* keeps expires and not-before */
#define KT_CAP_RESTORE 0x80U    /* a deleted secret can come back */
#define KT_CAP_LIST 0x100U      /* can enumerate names */
#define KT_CAP_OWN_ID 0x200U    /* keeps the id it is given */
#define KT_CAP_USER_ONLY 0x400U /* refused in a privileged process (keyring, subprocesses) */
#define KT_CAP_SCRIPTED 0x800U  /* plays a script (debug): conform does not judge its answers */

struct kt_call; /* one line's turn in one call; the host's */

/**
 * struct kt_asof - when the authority said that a copy is current; opaque to modules
 *
 * A module that stores copies keeps these 32 bytes as they are, or gives them back all zero.
 */
struct kt_asof {
    int64_t wall_ms;
    int64_t boot_ms;
    uint8_t boot_id[16];
};

/**
 * struct kt_version - a version, as host and modules tell each other of it
 * @size:   sizeof(struct kt_version)
 * @id:     our UUIDv7 if the store knows one, else `NAME:ID` with the module's name
 * @state:  enum kt_state
 * @stages: KT_STAGE_* bits, 0 not known
 * @flags:  KT_FLAG_* bits; a module sets KT_FLAG_FOREIGN in lists; an agent passes others on
 * @misses: negative entries (@id NULL): how many in a row
 * @asof:   of a copy; all zero if the module is asked as the authority or does not know
 */
struct kt_version {
    uint32_t size;
    uint32_t state;
    uint32_t stages;
    uint32_t flags;
    uint32_t misses;
    uint32_t reserved;
    const char *id;
    int64_t created_ms;
    int64_t expires_ms;
    int64_t not_before_ms;
    struct kt_asof asof;
    const struct kt_attr *attrs;
    size_t nattrs;
};

/**
 * struct kt_want - which version a get is after
 * @version:     by id; NULL = by stage
 * @stage:       one KT_STAGE_* bit; KT_STAGE_CURRENT by default
 * @not_version: the caller has no use for this one; a store may save itself the bytes by KT_IGNORE
 *               if it is not the authority
 * @max_age_ms:  -1 = as configured; an agent passes it on
 */
struct kt_want {
    uint32_t size;
    uint32_t stage;
    const char *version;
    const char *not_version;
    int64_t max_age_ms;
};

enum kt_phase {
    KT_PREPARE = 0, /* what can be known without writing, in at most one request: no promise */
    KT_COMMIT = 1,
};

/**
 * struct kt_put - a version to store
 * @id:       always set: the new version's. A store that has it with the same bytes answers
 *            KT_SUCCESS whatever @expected says, with other bytes KT_EXISTS
 * @expected: NULL = unconditional; "" = must not exist; else must be current, or KT_CONFLICT
 * @stage:    KT_STAGE_CURRENT (the old current becomes previous) or KT_STAGE_PENDING
 * @asof:     to be kept beside a copy
 */
struct kt_put {
    uint32_t size;
    uint32_t stage;
    uint32_t state;
    uint32_t reserved;
    const char *id;
    const void *data;
    size_t len;
    const char *expected;
    int64_t created_ms;
    int64_t expires_ms;
    int64_t not_before_ms;
    struct kt_asof asof;
    const struct kt_attr *attrs;
    size_t nattrs;
};

/** struct kt_delete - @version NULL: the secret with all its versions; else destroy this one */
struct kt_delete {
    uint32_t size;
    uint32_t purge;
    const char *version;
    const char *expected; /* as in struct kt_put; only without @version */
};

enum kt_option_type {
    KT_OPTION_STRING = 0,
    KT_OPTION_FLAG = 1,     /* a bare word */
    KT_OPTION_NUMBER = 2,   /* decimal, 0 to 2^63-1 */
    KT_OPTION_DURATION = 3, /* 500ms, 10s, 5m, 6h, 7d; number is in ms */
    KT_OPTION_SIZE = 4,     /* bytes, or with K, M, G (1024) */
    KT_OPTION_PATH = 5,     /* absolute, or beginning with ~/ */
    KT_OPTION_CHOICE = 6, /* one of def's words after the first, which is the default: "a|a|b|c" */
};

/* Added to one option's type in a verb's table: a word that is no option is this one's value, and a
 * relative path is meant from where the program runs. */
#define KT_OPTION_OPERAND 0x100

/** struct kt_option - a row of an option table; a row with NULL @name ends it */
struct kt_option {
    const char *name;
    int type; /* enum kt_option_type */
    const char *def;
    const char *help; /* one line, no full stop */
};

/**
 * struct kt_arg - an option that was given, or has a default; in the table's order
 * @number: flags 1, numbers, durations (ms), sizes (bytes), choices (index)
 */
struct kt_arg {
    const char *name;
    const char *value;
    int64_t number;
};

/**
 * struct kt_open_args - what open is told
 * @service:    name of the service, NULL for a verb run without one
 * @mapped:     the line has `name=`: names arrive as the store's
 * @privileged: AT_SECURE: no environment, no subprocess
 */
struct kt_open_args {
    uint32_t size;
    bool mapped;
    bool privileged;
    const char *service;
    const struct kt_arg *args;
    size_t nargs;
};

/**
 * struct kt_verb - something a module can do besides: `keyturn MODULE VERB [ARG …]`
 *
 * @name is one word, or two as in `slot add`. A row with NULL @name ends the table. The verb "viable" answers whether the module can work here
 * and prints why not and the remedy; `keyturn doctor` calls it.
 */
struct kt_verb {
    const char *name;
    const char *help;
    const struct kt_option *options;
    int (*run)(void *state, struct kt_call *call, const struct kt_arg *args, size_t nargs);
};

#define KT_MEM_WIPEONFORK 1U /* reads as zeros in a child: keep a canary byte */

/**
 * struct kt_host - what the host lends; valid as long as the process, all functions thread-safe
 *
 * fail:         explain a failure; returns @status, so that it ends a function
 * log:          for what has no place in an answer
 * now_ns:       the time; replaceable by the host's tests, so no other clock is asked
 * left_ms:      until this line's deadline; 0 when it is over
 * cancel_fd:    becomes readable when the call is cancelled; the host's, do not read or close it;
 *               -1 if there is no descriptor left
 * wait:         poll @fd (-1: none) for @events: KT_SUCCESS, KT_TIMEOUT, KT_CANCELLED (explained)
 * sleep:        wait at most @ms: KT_SUCCESS when they are over, else as wait
 * prompt:       ask a person; returns bytes written to @buf or a negative enum kt_status (explained;
 *               KT_LOCKED if nobody may be asked)
 * secret_alloc: @len bytes of locked, zeroed memory, 16-byte aligned; @flags KT_MEM_*; NULL: no memory
 * secret_free:  wipes; NULL is allowed
 * give:         hand a value to the caller of get (@index 0) or get_many: at most once a name. Copies.
 * give_version: hand over one row of versions
 * give_name:    hand over one row of list; @version may be NULL. Returns KT_SUCCESS or what stops
 *               the list
 * get_secret:   the value of another service's secret, `SERVICE/NAME`, in secret memory, released
 *               with secret_free; cycles are KT_CONFIG_ERROR
 * put_secret:   the same, written
 * print:        a line of a verb's output
 * progress:     how far a verb is: @done of @total, which is 0 while nobody knows
 * may_prompt:   a person may be asked in this call: by prompt, or by means that the store has
 */
struct kt_host {
    uint32_t abi;
    uint32_t size;
    int (*fail)(struct kt_call *call, int status, const char *fmt, ...) KT_PRINTF(3, 4);
    void (*log)(struct kt_call *call, enum kt_log_level level, const char *fmt, ...)
        KT_PRINTF(3, 4);
    int64_t (*now_ns)(struct kt_call *call, enum kt_clock_id which);
    int64_t (*left_ms)(struct kt_call *call);
    int (*cancel_fd)(struct kt_call *call);
    int (*wait)(struct kt_call *call, int fd, short events);
    int (*sleep)(struct kt_call *call, int64_t ms);
    int (*prompt)(struct kt_call *call, const char *text, bool echo, char *buf, size_t len);
    void *(*secret_alloc)(size_t len, unsigned flags);
    void (*secret_free)(void *p);
    int (*give)(struct kt_call *call, size_t index, const struct kt_version *version,
                const void *data, size_t len);
    int (*give_version)(struct kt_call *call, const struct kt_version *version);
    int (*give_name)(struct kt_call *call, const char *name, const struct kt_version *version);
    int (*get_secret)(struct kt_call *call, const char *where, void **data, size_t *len);
    int (*put_secret)(struct kt_call *call, const char *where, const void *data, size_t len);
    void (*print)(struct kt_call *call, const char *fmt, ...) KT_PRINTF(2, 3);
    void (*progress)(struct kt_call *call, uint64_t done, uint64_t total);
    bool (*may_prompt)(struct kt_call *call);
};

/**
 * struct kt_module - the descriptor
 *
 * The numbers at its head are read from the file before it is loaded, so they are constants, and
 * the descriptor is const. Members are only ever appended; those that a module does not name are
 * NULL: "not supported".
 *
 * @abi:         KT_MODULE_ABI
 * @size:        sizeof(struct kt_module)
 * @kind:        enum kt_kind
 * @role:        enum kt_role
 * @protection:  enum kt_class
 * @cas:         enum kt_cas: how an expected version is guarded
 * @naming:      enum kt_naming
 * @propagation_s: how long readers elsewhere may still be given the version before
 * @capabilities: KT_CAP_*
 * @value_min, @value_max, @name_max: bytes that the store takes
 * @name:        as in service files and as the file is called, without `.so`
 * @open:        makes a state from a line's options: local work only
 * @get:         give() the wanted version of @name: required in a backend
 * @get_many:    the same for @n names; statuses[i] is set for each. NULL: get is called n times
 * @list:        give_name() each name that begins with @prefix (NULL: all; whole parts)
 * @versions:    give_version() each version of @name, any order
 * @put:         both phases come from one host call; the second may never come
 * @stage:       as kt_stage(); @version NULL takes the label away
 * @del:         tells in @restorable whether restore can undo it
 * @fill:        keep a copy of what the authority said: @copy with data, and current from now on;
 *               @copy->data NULL with an id: the version is unchanged, only asof is new;
 *               @copy->id NULL: there is no such secret (caches keep that, followers remove theirs)
 * @forget:      @name was written: what is remembered is old; @id NULL: not known which version is new
 * @report:      as kt_report()
 */
struct kt_module {
    uint32_t abi;
    uint32_t size;
    uint32_t kind;
    uint32_t role;
    uint32_t protection;
    uint32_t cas;
    uint32_t naming;
    uint32_t propagation_s;
    uint64_t capabilities;
    uint64_t value_min;
    uint64_t value_max;
    uint64_t name_max;
    const char *name;
    const char *version;
    const char *summary;
    const struct kt_option *options;
    const struct kt_verb *verbs;
    int (*open)(const struct kt_host *host, struct kt_call *call, const struct kt_open_args *args,
                void **state);
    void (*close)(void *state);
    int (*get)(void *state, struct kt_call *call, const char *name, const struct kt_want *want);
    int (*get_many)(void *state, struct kt_call *call, const char *const *names, size_t n,
                    const struct kt_want *want, int *statuses);
    int (*list)(void *state, struct kt_call *call, const char *prefix);
    int (*versions)(void *state, struct kt_call *call, const char *name);
    int (*put)(void *state, struct kt_call *call, enum kt_phase phase, const char *name,
               const struct kt_put *put);
    int (*stage)(void *state, struct kt_call *call, enum kt_phase phase, const char *name,
                 uint32_t stage, const char *version, const char *expected);
    int (*del)(void *state, struct kt_call *call, enum kt_phase phase, const char *name,
               const struct kt_delete *del, bool *restorable);
    int (*restore)(void *state, struct kt_call *call, enum kt_phase phase, const char *name);
    int (*fill)(void *state, struct kt_call *call, const char *name, const struct kt_put *copy);
    int (*forget)(void *state, struct kt_call *call, const char *name, const char *id);
    int (*report)(void *state, struct kt_call *call, const char *name, const char *id,
                  enum kt_report what);
};

#endif
