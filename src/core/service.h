/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYTURN_CORE_SERVICE_H
#define KEYTURN_CORE_SERVICE_H

#include "options.h"
#include "probe.h"

#include <keyturn/keyturn.h>

#define KT_SERVICE_DEFAULT "deepseek"
#define KT_DEPTH_MAX 16     /* @include, include and substack */
#define KT_FILE_MAX 1048576 /* bytes of a service file */
#define KT_LINES_MAX 4096
#define KT_MAX_STALE_UNRULED (5LL * 3600 * 1000) /* without a policy: DESIGN 4 */
#define KT_FOREVER INT64_MAX                     /* max-stale=none */

enum kt_facility {
    KT_READ,
    KT_WRITE,
    KT_ISSUER,
    KT_NOTIFY,
    KT_AUDIT,
    KT_POLICY,
};

/* What a status does to the stack; positive numbers are jumps. Source: pam.conf(5). */
enum kt_action {
    KT_DO_IGNORE = 0,
    KT_DO_OK = -1,
    KT_DO_DONE = -2,
    KT_DO_BAD = -3,
    KT_DO_DIE = -4,
    KT_DO_RESET = -5,
};

/** struct kt_control - a control word or bracket; @text as written, at @lineno and @column */
struct kt_control {
    char *text;
    int action[KT_STATUS_COUNT];
    unsigned lineno;
    unsigned column;
};

/**
 * struct kt_core_options - the options of a line that are the core's
 * @given: which were written, as KT_GIVEN_* bits
 */
#define KT_GIVEN_TTL 1U
#define KT_GIVEN_MAX_STALE 2U
#define KT_GIVEN_NEGATIVE 4U
#define KT_GIVEN_TIMEOUT 8U
struct kt_core_options {
    unsigned given;
    int64_t ttl_ms;       /* 300,000 */
    int64_t max_stale_ms; /* 3,600,000; KT_FOREVER: an override */
    int64_t negative_ms;  /* 5,000 */
    int64_t timeout_ms;   /* 0: half of what is left */
    bool fill;
    bool enforce_expiry;
    char *store; /* NULL: not given */
    char *name;  /* template; NULL: not given */
    char *field; /* NULL: whole value */
};

/**
 * struct kt_line - one line, after includes
 * @control:  read and write lines
 * @level:    0, deeper within a substack
 * @substack: a marker: what follows at a deeper level is the substack; no module
 * @absent_ok: `-` before the facility
 * @module:   NULL on markers and policies
 * @words:    the module's own options, core options taken out
 * @identity: module and its options as one canonical text: equal text is one store
 * @place:    index into service->places; -1 on markers, policies and (absent_ok) missing modules
 */
struct kt_line {
    const char *file; /* the service's */
    enum kt_facility facility;
    unsigned lineno;
    unsigned column;
    unsigned module_column;
    unsigned level;
    int place;
    bool substack;
    bool absent_ok;
    struct kt_control control;
    char *label; /* issuer LABEL, policy PATTERN */
    char *module;
    struct kt_word *words;
    size_t nwords;
    struct kt_core_options core;
    char *identity;
};

/** struct kt_place - an installed module that lines name; probed at open, not loaded */
struct kt_place {
    char *module;
    char *path; /* without links */
    struct kt_probe probe;
};

/** struct kt_policy - Source: DESIGN 4. Times in ms, 0 = not set where that makes sense */
struct kt_policy {
    const char *pattern; /* the line's */
    const struct kt_line *line;
    const char *issuer; /* label, or NULL */
    const char *lease;  /* SERVICE/NAME, or NULL */
    int64_t rotate_ms;
    int64_t grace_ms;
    int64_t expire_ms;
    int64_t renew_before_ms;
    int64_t jitter_ms;
    int64_t keep;
    int window_from; /* minutes of the day, -1 = none */
    int window_to;
    bool window_utc;
    bool allow_outage;
};

struct kt_stack {
    struct kt_line *lines;
    size_t n;
};

/**
 * struct kt_service - a service file, read, checked and settled; immutable afterwards
 * @authority:  the line that speaks for the authority: in @write if it has lines, else in @read;
 *              NULL: no lines, or nothing but caches
 * @writable:   there are write lines
 * @builtin:    no file anywhere: `read required file`, `write required file`, in a file "builtin",
 *              without line numbers
 */
struct kt_service {
    char *name;
    char **files; /* all that were read, the service's own first */
    size_t nfiles;
    bool builtin;
    bool writable;
    struct kt_stack read;
    struct kt_stack write;
    struct kt_stack sets; /* issuer, notify, audit */
    struct kt_stack policy_lines;
    struct kt_policy *policies;
    size_t npolicies;
    struct kt_place *places;
    size_t nplaces;
    const struct kt_line *authority;
};

/** kt_service_read - find, read, parse and settle; one error, with file, line, column, what was expected
 * @service: a name; with a `/` in it, the path of a file whose includes are found as usual */
int kt_service_read(const char *service, const struct kt_open_options *options,
                    struct kt_service **out, struct kt_err *err) KT_MUST_CHECK;
void kt_service_free(struct kt_service *s);

/** kt_service_is_usual - it has a file, or is the one that needs none */
bool kt_service_is_usual(const struct kt_service *s);

/** kt_line_is_authority - does the line name the authority's store? */
bool kt_line_is_authority(const struct kt_service *s, const struct kt_line *line);

/** kt_line_is_follower - a store that is not the authority's (cache, agent, debug are none) */
bool kt_line_is_follower(const struct kt_service *s, const struct kt_line *line);

/** kt_line_is_override - a follower with max-stale=none, or an `env`-like line that is not the authority */
bool kt_line_is_override(const struct kt_service *s, const struct kt_line *line);

/** kt_line_same_store - same identity, or the same store=LABEL */
bool kt_line_same_store(const struct kt_line *a, const struct kt_line *b);

/** kt_service_policy - the first policy whose pattern matches; NULL = none */
const struct kt_policy *kt_service_policy(const struct kt_service *s, const char *name);

/** kt_service_lint - what is allowed and unwise; the service was read without error */
void kt_service_lint(const struct kt_service *s, void (*finding)(void *, const struct kt_finding *),
                     void *cookie);

#endif
