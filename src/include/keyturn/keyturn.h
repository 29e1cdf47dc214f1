/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYTURN_KEYTURN_H
#define KEYTURN_KEYTURN_H

/*
 * keyturn for programs: ask for a secret by name; a service file decides which modules answer.
 *
 * Rules that hold for every function here:
 *  - Thread safety: any number of threads may use one handle at once. kt_close() is the exception:
 *    no call may be under way on that handle.
 *  - Fork: a handle that was open before fork() works in both processes. Values given to the
 *    program survive in the child; caches and keys held by modules do not.
 *  - Errors: the return value is an enum kt_status. @err may be NULL; where it is not, it is filled
 *    on every failure with one line: what failed, where, what to do. It never holds a value.
 *    Outputs are untouched unless the status is KT_SUCCESS (kt_put: or KT_PARTIAL).
 *  - Options: pass NULL for the defaults, or a struct whose @size is sizeof of it and whose other
 *    members are 0 where the default is wanted.
 *  - Times: *_ms are milliseconds since 1970 in UTC, 0 for "not known" or "never".
 */

#include <keyturn/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#define KT_API __attribute__((visibility("default")))

#define KT_API_VERSION 1 /* of struct kt_api; 0.x: it must be equal */

struct kt_handle;
struct kt_secret;
struct kt_list;
struct kt_watch;

/** struct kt_err - an error, in storage of the caller's: filling it cannot fail */
struct kt_err {
    int status;    /* enum kt_status */
    char msg[508]; /* one line, NUL-terminated, no value in it */
};

/**
 * struct kt_info - what is known about a version; owned by the object it was got from
 * @id:            version id: our UUIDv7, or `MODULE:ID` for a version that somebody else wrote
 * @created_ms:    when it was made
 * @expires_ms:    0 = never
 * @not_before_ms: 0 = valid from the start
 * @state:         enum kt_state
 * @stages:        KT_STAGE_* bits
 * @flags:         KT_FLAG_* bits
 * @line:          line of the service file that answered, 0 where there is no file
 * @age_ms:        how long ago the authority said that this is current; -1 not known
 * @module:        name of the module that answered
 * @file:          service file of @line
 * @attrs:         @nattrs attributes
 */
struct kt_info {
    char id[KT_ID_SIZE];
    int64_t created_ms;
    int64_t expires_ms;
    int64_t not_before_ms;
    int64_t age_ms;
    uint32_t state;
    uint32_t stages;
    uint32_t flags;
    uint32_t line;
    const char *file;
    const char *module;
    const struct kt_attr *attrs;
    size_t nattrs;
};

/** struct kt_clock - time from outside, for tests; all calls must be thread-safe */
struct kt_clock {
    void *ctx;
    int64_t (*now_ns)(void *ctx, enum kt_clock_id which);
    void (*boot_id)(void *ctx, uint8_t id[16]);
};

/**
 * struct kt_open_options
 * @config_dir: absolute; look for service files here only; NULL = the usual places. Refused when
 *              privileged.
 * @module_dir: absolute; load modules from here; NULL = the compiled-in place. Refused when
 *              privileged. For the command line and for tests.
 * @log:        told of what has no place in an answer (a failed fill, a follower's failed write that
 *              does not count, a mistyped service); NULL = silence
 * @prompt:     asks a person: writes at most @len bytes to @buf (no NUL) and returns how many, or
 *              a negative enum kt_status. @deadline_ms is what is left; @cancel_fd becomes readable
 *              when the call is cancelled. NULL = nobody can be asked.
 * @cookie:     handed to @log and @prompt
 * @clock:      NULL = the system's
 */
struct kt_open_options {
    size_t size;
    const char *config_dir;
    const char *module_dir;
    void (*log)(void *cookie, enum kt_log_level level, const char *text);
    int (*prompt)(void *cookie, const char *text, bool echo, char *buf, size_t len,
                  int64_t deadline_ms, int cancel_fd);
    void *cookie;
    const struct kt_clock *clock;
};

/**
 * struct kt_call_options - what every call understands
 * @timeout_ms: for the whole call; 0 = 10,000; at most a day
 * @may_prompt: a person may be asked
 * @progress:   told of kt_module_run() how far a long verb is; @total 0: nobody knows yet. NULL: none
 * @cookie:     for @progress
 */
struct kt_call_options {
    size_t size;
    int64_t timeout_ms;
    bool may_prompt;
    void (*progress)(void *cookie, uint64_t done, uint64_t total);
    void *cookie;
};

/**
 * struct kt_get_options
 * @version:     this version, by id; NULL = by stage
 * @stage:       "current" (default), "previous" or "pending"
 * @not_version: pass over copies with this id
 * @max_age_ms:  only if @bound_age: no copy older than this; 0 asks the authority (fresh)
 */
struct kt_get_options {
    size_t size;
    int64_t timeout_ms;
    bool may_prompt;
    bool bound_age;
    int64_t max_age_ms;
    const char *version;
    const char *stage;
    const char *not_version;
};

/**
 * struct kt_put_options
 * @id:       the new version's id, a UUIDv7; NULL = made by the call
 * @expected: NULL = unconditional; "" = the secret must not exist; else the id that must be current
 * @stage:    "current" (default) or "pending"
 * @attrs:    @nattrs attributes, at most KT_ATTRS_MAX
 */
struct kt_put_options {
    size_t size;
    int64_t timeout_ms;
    bool may_prompt;
    const char *id;
    const char *expected;
    const char *stage;
    int64_t expires_ms;
    int64_t not_before_ms;
    const struct kt_attr *attrs;
    size_t nattrs;
};

/**
 * struct kt_delete_options
 * @version:  only this version (it is destroyed: the record stays); NULL = the secret
 * @expected: as for put; only without @version
 * @purge:    beyond restore, where the store has such a thing
 */
struct kt_delete_options {
    size_t size;
    int64_t timeout_ms;
    bool may_prompt;
    bool purge;
    const char *version;
    const char *expected;
};

/* ---- open and close ------------------------------------------------------------------------- */

/**
 * kt_open - read and check a service
 * @service: its name, `[a-z0-9_-]{1,64}`; NULL = "deepseek"
 *
 * The service file is read and checked whole, each module is looked at (there, rightly owned, right
 * ABI) but loaded only when its line is reached. Source: DESIGN 4 and 6.
 */
KT_API int kt_open(const char *service, const struct kt_open_options *options,
                   struct kt_handle **out, struct kt_err *err) KT_MUST_CHECK;
KT_API void kt_close(struct kt_handle *h); /* NULL is allowed */

/**
 * struct kt_authority - the store that is a service's truth
 * @size:     sizeof(struct kt_authority)
 * @service:  the service's name; strings live as long as the handle
 * @module:   kt_modules() tells more of it
 * @file:     service file of its line
 * @line:     0 where there is no file: the built-in service
 * @writable: the service has write lines
 * @member:   it keeps a value as a member of a JSON object (`field=`)
 */
struct kt_authority {
    size_t size;
    const char *service;
    const char *module;
    const char *file;
    uint32_t line;
    bool writable;
    bool member;
};

/**
 * kt_authority - who a service's authority is; no store is asked
 * @out: filled but for @size, which is the caller's
 *
 * KT_UNSUPPORTED: the service has none, nothing but caches.
 */
KT_API int kt_authority(const struct kt_handle *h, struct kt_authority *out,
                        struct kt_err *err) KT_MUST_CHECK;

/**
 * kt_cancel - end every call under way on the handle with KT_CANCELLED
 *
 * Calls that begin later are not touched. Thread-safe, not for signal handlers.
 */
KT_API void kt_cancel(struct kt_handle *h);

/* ---- values --------------------------------------------------------------------------------- */

/**
 * kt_secret_new - copy bytes into locked, non-dumpable memory
 * @data: @len bytes, any value; may be NULL when @len is 0
 * @out:  release with kt_secret_free()
 *
 * Returns KT_SUCCESS, KT_TOO_LARGE or KT_NO_MEMORY. Does not wipe @data.
 */
KT_API int kt_secret_new(const void *data, size_t len, struct kt_secret **out) KT_MUST_CHECK;
KT_API void kt_secret_free(struct kt_secret *s);              /* wipes; NULL is allowed */
KT_API const void *kt_secret_data(const struct kt_secret *s); /* a NUL follows the last byte */
KT_API size_t kt_secret_len(const struct kt_secret *s);       /* that NUL not counted */
KT_API const struct kt_info *kt_secret_info(const struct kt_secret *s);
KT_API size_t kt_secret_live(void); /* blocks of secret memory in use in this process */

/* ---- reading -------------------------------------------------------------------------------- */

/** kt_get - the value of a secret; @out is released with kt_secret_free(), also after kt_close() */
KT_API int kt_get(struct kt_handle *h, const char *name, const struct kt_get_options *options,
                  struct kt_secret **out, struct kt_err *err) KT_MUST_CHECK;

/**
 * kt_get_into - copy the value out
 * @buf:  gets the bytes, nothing added
 * @size: of @buf; too small is KT_TOO_LARGE, with @len set to what is needed
 * @info: NULL, or filled but for its attributes; @file and @module live as long as @h
 *
 * Answered from a cache line it takes no lock and allocates nothing.
 */
KT_API int kt_get_into(struct kt_handle *h, const char *name, const struct kt_get_options *options,
                       void *buf, size_t size, size_t *len, struct kt_info *info,
                       struct kt_err *err) KT_MUST_CHECK;

/**
 * struct kt_result - one answer of kt_get_many()
 * @secret: owned by the caller if @status is KT_SUCCESS, else NULL
 */
struct kt_result {
    int status;
    struct kt_secret *secret;
    struct kt_err err;
};

/**
 * kt_get_many - many names, each module asked once for all that reached its line
 * @names:   @n names, n at most 10,000
 * @results: @n answers, all set, whatever is returned
 *
 * Returns KT_SUCCESS if each name has its own answer in @results, not that all were found.
 */
KT_API int kt_get_many(struct kt_handle *h, const char *const *names, size_t n,
                       const struct kt_get_options *options, struct kt_result *results,
                       struct kt_err *err) KT_MUST_CHECK;

/* ---- lists ---------------------------------------------------------------------------------- */

/**
 * struct kt_item - one row of a list
 * @name: of the secret
 * @info: of its current version (kt_list), or of this one (kt_versions); members that the store
 *        does not tell in a list are 0
 */
struct kt_item {
    const char *name;
    struct kt_info info;
};

/** struct kt_line_status - how a line fared: a list is never silently short; @msg has neither the place
 * nor the module in it */
struct kt_line_status {
    int status;
    uint32_t line;
    const char *file;
    const char *module;
    const char *msg;
};

/**
 * kt_list - names that begin with @prefix (whole parts: "a/b" matches "a/b" and "a/b/c"); NULL: all
 * @out: released with kt_list_free(); rows in order of name
 *
 * Returns KT_SUCCESS also when some line failed, as long as the authority's answered: see
 * kt_list_lines().
 */
KT_API int kt_list(struct kt_handle *h, const char *prefix, const struct kt_call_options *options,
                   struct kt_list **out, struct kt_err *err) KT_MUST_CHECK;

/**
 * kt_list_each - the same, a row at a time in no order, for more names than fit in memory
 * @each:  told of each row, which lives during the callback; what is not KT_SUCCESS ends the list
 * @lines: how the lines fared, without rows; released with kt_list_free(); may be NULL
 *
 * The authority's rows come as its store gives them. Returns what kt_list() returns, or what @each
 * returned. Rows told before a failure were told.
 */
KT_API int kt_list_each(struct kt_handle *h, const char *prefix,
                        const struct kt_call_options *options,
                        int (*each)(void *cookie, const struct kt_item *item), void *cookie,
                        struct kt_list **lines, struct kt_err *err) KT_MUST_CHECK;

/** kt_versions - all versions of a secret, newest first */
KT_API int kt_versions(struct kt_handle *h, const char *name, const struct kt_call_options *options,
                       struct kt_list **out, struct kt_err *err) KT_MUST_CHECK;
KT_API size_t kt_list_count(const struct kt_list *l);
KT_API const struct kt_item *kt_list_item(const struct kt_list *l, size_t i); /* NULL: no such */
KT_API size_t kt_list_lines(const struct kt_list *l, const struct kt_line_status **lines);
KT_API void kt_list_free(struct kt_list *l);

/* ---- writing -------------------------------------------------------------------------------- */

/**
 * kt_put - store a new version
 * @id: gets the version's id, also on KT_PARTIAL; may be NULL
 *
 * Two passes over the `write` stack. Repeating a put with the same id and bytes is KT_SUCCESS.
 * KT_PARTIAL: the authority has it, a required follower does not; safe to repeat with @id.
 */
KT_API int kt_put(struct kt_handle *h, const char *name, const void *data, size_t len,
                  const struct kt_put_options *options, char id[KT_ID_SIZE],
                  struct kt_err *err) KT_MUST_CHECK;

/**
 * kt_stage - move a stage label to a version
 * @stage:    "current" or "pending"; "previous" follows current by itself
 * @version:  id that shall bear it; NULL takes the label "pending" away
 * @expected: for "current": NULL, or the id that must be current now
 */
KT_API int kt_stage(struct kt_handle *h, const char *name, const char *stage, const char *version,
                    const char *expected, const struct kt_call_options *options,
                    struct kt_err *err) KT_MUST_CHECK;
KT_API int kt_delete(struct kt_handle *h, const char *name, const struct kt_delete_options *options,
                     bool *restorable, struct kt_err *err) KT_MUST_CHECK;
KT_API int kt_restore(struct kt_handle *h, const char *name, const struct kt_call_options *options,
                      struct kt_err *err) KT_MUST_CHECK;

/** kt_repair - copy the authority's secret to the followers, deletion too; never the other way */
KT_API int kt_repair(struct kt_handle *h, const char *name, const struct kt_call_options *options,
                     struct kt_err *err) KT_MUST_CHECK;

/**
 * kt_report - tell what the provider made of a value
 * @version: id that was used; NULL = whatever is cached
 * @what:    KT_REJECTED evicts it from caches and makes the next get of @name fresh
 */
KT_API int kt_report(struct kt_handle *h, const char *name, const char *version,
                     enum kt_report what, const struct kt_call_options *options,
                     struct kt_err *err) KT_MUST_CHECK;

/* ---- watching ------------------------------------------------------------------------------- */

/**
 * kt_watch_open - be told when a secret has another current version
 *
 * The watch asks again every `ttl` of the service's shortest-lived line, with jitter, when
 * kt_watch_read() is called; no thread is started. The first read tells the version of now.
 */
KT_API int kt_watch_open(struct kt_handle *h, const char *name, struct kt_watch **out,
                         struct kt_err *err) KT_MUST_CHECK;
KT_API int kt_watch_fd(const struct kt_watch *w); /* poll for reading; the watch's own */

/**
 * kt_watch_read - what changed
 * @name: borrowed from the watch
 * @id:   gets the current version's id; "" if the secret is gone
 *
 * Returns KT_SUCCESS on a change, KT_IGNORE when there is none yet (poll again), or why it could
 * not be asked. Never waits for a change.
 */
KT_API int kt_watch_read(struct kt_watch *w, const char **name, char id[KT_ID_SIZE],
                         struct kt_err *err) KT_MUST_CHECK;
KT_API void kt_watch_free(struct kt_watch *w); /* before kt_close() */

/* ---- looking inside ------------------------------------------------------------------------- */

/**
 * struct kt_step - what one line did in a get
 * @file, @line:   where it stands
 * @level:         0, or the depth of substacks
 * @control:       its control as written
 * @module:        NULL for a substack's own line
 * @status:        what the line answered, after its age was judged
 * @raw:           what the module answered; -1 if it was not asked
 * @action:        "ignore", "ok", "done", "bad", "die", "reset", "jump N"
 * @impression:    "undecided", "granted" or "refused": the stack's state after the line
 * @state:         enum kt_status that the stack would give if it ended here
 * @elapsed_ms:    spent in the module
 * @age_ms:        of its copy, -1 not known
 * @id:            version it offered, "" none
 * @note:          one line why, or ""
 */
struct kt_step {
    const char *file;
    uint32_t line;
    uint32_t level;
    const char *control;
    const char *module;
    int status;
    int raw;
    const char *action;
    const char *impression;
    int state;
    int64_t elapsed_ms;
    int64_t age_ms;
    const char *id;
    const char *note;
};

/**
 * kt_trace - do a get and tell each step
 * @info: NULL, or what kt_get_into() would tell
 *
 * Returns what kt_get() returns; the value is not handed out.
 */
KT_API int kt_trace(struct kt_handle *h, const char *name, const struct kt_get_options *options,
                    void (*step)(void *cookie, const struct kt_step *step), void *cookie,
                    struct kt_info *info, struct kt_err *err) KT_MUST_CHECK;

/** struct kt_finding - something kt_check() has to say; strings live during the callback, and @text
 * does not repeat the place */
struct kt_finding {
    enum kt_log_level level; /* error: the service is refused; warning; info; debug: @text is a
                              * module that is about to be loaded, and may end the process */
    const char *file;
    uint32_t line;   /* 0 = the whole file */
    uint32_t column; /* 0 = the whole line */
    const char *text;
};

/**
 * kt_check - read a service as kt_open() does, load all its modules, and lint it
 * @service: name; or, with a `/` in it, the path of a file to check as it would be installed
 *
 * Returns KT_SUCCESS if the service can be opened, whatever the warnings.
 */
KT_API int kt_check(const char *service, const struct kt_open_options *options,
                    void (*finding)(void *cookie, const struct kt_finding *f), void *cookie,
                    struct kt_err *err) KT_MUST_CHECK;

/** struct kt_module_option - one option that a module understands; strings live during the callback */
struct kt_module_option {
    const char *name;
    const char *type; /* "string", "flag", "number", "duration", "size", "path", "choice" */
    const char *def;  /* NULL = none */
    const char *help;
};

/**
 * struct kt_module_verb - something that a module can do besides
 * @name:     one word or two
 * @synopsis: the words that may follow, as "PATH [replace] [label=STRING]"; "" = none
 */
struct kt_module_verb {
    const char *name;
    const char *synopsis;
    const char *help;
    const struct kt_module_option *options;
    size_t noptions;
};

/** struct kt_module_info - an installed module; strings live during the callback */
struct kt_module_info {
    size_t size;
    int status; /* KT_SUCCESS: it can be used; else @problem says why not, and only the path is set */
    const char *problem;
    const char *path;
    const char *name;
    const char *version;
    const char *summary;
    const char *kind;       /* "backend", "issuer", "notifier", "auditor" */
    const char *protection; /* "hardware", "cloud", "keyring", "sealed file", "plain", "memory" */
    const char *cas;        /* "none", "cooperative", "native" */
    uint32_t abi;
    uint64_t capabilities; /* KT_CAP_* of module.h */
    uint64_t value_min;
    uint64_t value_max;
    uint64_t name_max;
    const struct kt_module_option *options;
    size_t noptions;
    const struct kt_module_verb *verbs;
    size_t nverbs;
    const char *role; /* "store", "cache", "agent", "override", "test" */
};

/**
 * kt_modules - tell what is installed
 * @name:    one module; NULL = all
 * @loading: NULL, or told the path of each module before it is loaded, so that a host that runs
 *           this in a child can name the one that killed it
 */
KT_API int kt_modules(const char *name, const struct kt_open_options *options,
                      void (*loading)(void *cookie, const char *path),
                      void (*module)(void *cookie, const struct kt_module_info *info), void *cookie,
                      struct kt_err *err) KT_MUST_CHECK;

/**
 * kt_module_run - run a verb of a module
 * @h:      service whose line for @module gives the options; NULL = the module's defaults
 * @argv:   @argc words, `key=value` or bare, as the verb's option table says
 * @print:  gets the verb's output, a line at a time without its newline
 */
KT_API int kt_module_run(struct kt_handle *h, const struct kt_open_options *open_options,
                         const char *module, const char *verb, int argc, const char *const *argv,
                         const struct kt_call_options *options,
                         void (*print)(void *cookie, const char *text), void *cookie,
                         struct kt_err *err) KT_MUST_CHECK;

/**
 * kt_line_run - run a verb, without words, of the module that a line of the service names
 * @index: of the lines, from 0; those that name one store count once
 * @verb:  NULL: only tell which line it is
 * @line:  NULL, or gets the line; its strings live as long as @h
 *
 * KT_NOT_FOUND: there are no more lines, and @line is untouched. KT_IGNORE: the module has no such
 * verb. Else what the verb returned.
 */
KT_API int kt_line_run(struct kt_handle *h, size_t index, const char *verb,
                       const struct kt_call_options *options,
                       void (*print)(void *cookie, const char *text), void *cookie,
                       struct kt_line_status *line, struct kt_err *err) KT_MUST_CHECK;

/* ---- words ---------------------------------------------------------------------------------- */

KT_API const char *kt_status_name(int status);    /* "not_found"; "unknown" for no status */
KT_API const char *kt_status_meaning(int status); /* one line, no full stop */
KT_API int kt_status_exit(int status);            /* keyturn(1)'s exit code */
KT_API int kt_status_tell(int status);            /* rank among ignored failures */

/** kt_name_check - KT_SUCCESS or KT_INVALID or KT_TOO_LARGE: is it a name? Source: DESIGN 1. */
KT_API int kt_name_check(const char *name, struct kt_err *err);

/** kt_id_new - a new version id, UUIDv7 (RFC 9562, section 5.7) of now */
KT_API int kt_id_new(char id[KT_ID_SIZE]) KT_MUST_CHECK;

/* ---- for dlopen ------------------------------------------------------------------------------ */

/**
 * struct kt_api - every function above, for a program that dlopens the library
 * @version: KT_API_VERSION
 * @size:    of the struct as the library knows it; members are only ever appended
 */
struct kt_api {
    uint32_t version;
    uint32_t size;
    int (*open)(const char *, const struct kt_open_options *, struct kt_handle **, struct kt_err *);
    void (*close)(struct kt_handle *);
    void (*cancel)(struct kt_handle *);
    int (*secret_new)(const void *, size_t, struct kt_secret **);
    void (*secret_free)(struct kt_secret *);
    const void *(*secret_data)(const struct kt_secret *);
    size_t (*secret_len)(const struct kt_secret *);
    const struct kt_info *(*secret_info)(const struct kt_secret *);
    size_t (*secret_live)(void);
    int (*get)(struct kt_handle *, const char *, const struct kt_get_options *, struct kt_secret **,
               struct kt_err *);
    int (*get_into)(struct kt_handle *, const char *, const struct kt_get_options *, void *, size_t,
                    size_t *, struct kt_info *, struct kt_err *);
    int (*get_many)(struct kt_handle *, const char *const *, size_t, const struct kt_get_options *,
                    struct kt_result *, struct kt_err *);
    int (*list)(struct kt_handle *, const char *, const struct kt_call_options *, struct kt_list **,
                struct kt_err *);
    int (*versions)(struct kt_handle *, const char *, const struct kt_call_options *,
                    struct kt_list **, struct kt_err *);
    size_t (*list_count)(const struct kt_list *);
    const struct kt_item *(*list_item)(const struct kt_list *, size_t);
    size_t (*list_lines)(const struct kt_list *, const struct kt_line_status **);
    void (*list_free)(struct kt_list *);
    int (*put)(struct kt_handle *, const char *, const void *, size_t,
               const struct kt_put_options *, char[KT_ID_SIZE], struct kt_err *);
    int (*stage)(struct kt_handle *, const char *, const char *, const char *, const char *,
                 const struct kt_call_options *, struct kt_err *);
    int (*delete_)(struct kt_handle *, const char *, const struct kt_delete_options *, bool *,
                   struct kt_err *);
    int (*restore)(struct kt_handle *, const char *, const struct kt_call_options *,
                   struct kt_err *);
    int (*repair)(struct kt_handle *, const char *, const struct kt_call_options *,
                  struct kt_err *);
    int (*report)(struct kt_handle *, const char *, const char *, enum kt_report,
                  const struct kt_call_options *, struct kt_err *);
    int (*watch_open)(struct kt_handle *, const char *, struct kt_watch **, struct kt_err *);
    int (*watch_fd)(const struct kt_watch *);
    int (*watch_read)(struct kt_watch *, const char **, char[KT_ID_SIZE], struct kt_err *);
    void (*watch_free)(struct kt_watch *);
    int (*trace)(struct kt_handle *, const char *, const struct kt_get_options *,
                 void (*)(void *, const struct kt_step *), void *, struct kt_info *,
                 struct kt_err *);
    int (*check)(const char *, const struct kt_open_options *,
                 void (*)(void *, const struct kt_finding *), void *, struct kt_err *);
    int (*modules)(const char *, const struct kt_open_options *, void (*)(void *, const char *),
                   void (*)(void *, const struct kt_module_info *), void *, struct kt_err *);
    int (*module_run)(struct kt_handle *, const struct kt_open_options *, const char *,
                      const char *, int, const char *const *, const struct kt_call_options *,
                      void (*)(void *, const char *), void *, struct kt_err *);
    const char *(*status_name)(int);
    const char *(*status_meaning)(int);
    int (*status_exit)(int);
    int (*status_tell)(int);
    int (*name_check)(const char *, struct kt_err *);
    int (*id_new)(char[KT_ID_SIZE]);
    int (*list_each)(struct kt_handle *, const char *, const struct kt_call_options *,
                     int (*)(void *, const struct kt_item *), void *, struct kt_list **,
                     struct kt_err *);
    int (*authority)(const struct kt_handle *, struct kt_authority *, struct kt_err *);
    int (*line_run)(struct kt_handle *, size_t, const char *, const struct kt_call_options *,
                    void (*)(void *, const char *), void *, struct kt_line_status *,
                    struct kt_err *);
};

/** kt_api_get - the one symbol to dlsym(); NULL if @version is not the library's */
KT_API const struct kt_api *kt_api_get(uint32_t version);

#ifdef __cplusplus
}
#endif

#endif
