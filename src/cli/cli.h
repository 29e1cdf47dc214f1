/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYTURN_CLI_CLI_H
#define KEYTURN_CLI_CLI_H

/*
 * keyturn(1): what its files share. One table of commands, one file a command. Data goes to
 * standard output, words to standard error, and values never pass through malloc or stdio.
 */

#include <keyturn/keyturn.h>

#include <signal.h>
#include <stdarg.h>
#include <sys/types.h>

#define EXIT_IO 1    /* standard input, standard output or a FILE failed */
#define EXIT_USAGE 2 /* everything else is kt_status_exit() */

/* of a command that runs another program, whose own exit codes pass through */
#define EXIT_FAILED 125  /* keyturn's own failure, usage too */
#define EXIT_CANNOT 126  /* the program cannot be run */
#define EXIT_NO_SUCH 127 /* there is no such program */

/**
 * struct opt - an option of the command line; a row with NULL @name ends a table
 * @letter: 0 = has only the long form
 * @arg:    what its value is called in help; NULL = it takes none
 * @many:   may be given more than once
 */
struct opt {
    const char *name;
    char letter;
    bool many;
    const char *arg;
    const char *help;
};

struct cli;

/**
 * struct cmd - a row of the command table; @run returns the exit code
 * @writes: something is stored: warnings of the library's log are shown without -v
 * @runs:   the words are another program's: options end at the first, our failures exit with EXIT_FAILED
 */
struct cmd {
    const char *name;
    const char *synopsis;
    const char *help;
    const struct opt *opts; /* NULL = only the global ones */
    int min;                /* words after the command */
    int max;                /* -1 = any number */
    bool writes;
    bool runs;
    int (*run)(const struct cli *cli);
};

#define GIVEN_MAX 64

/** struct cli - the command line, taken apart; everything borrows from argv */
struct cli {
    const struct cmd *cmd;
    const char *service; /* NULL = the default one */
    const char *module_dir;
    int64_t timeout_ms;
    bool timed;       /* --timeout was given */
    int64_t begun_ms; /* monotonic */
    int verbose;      /* 1 info, 2 debug */
    bool quiet;
    bool json;
    bool help;
    bool version;
    int argc; /* words after the command */
    char **argv;
    const char *word; /* first word, if it is no command */
    struct {
        const struct opt *opt;
        const char *value; /* "" for an option that takes none */
    } given[GIVEN_MAX];
    size_t ngiven;
};

extern const struct cmd *const cmds[]; /* NULL ends it */
extern const struct opt global_opts[];
extern const struct cmd cmd_get, cmd_set, cmd_list, cmd_versions, cmd_stage, cmd_delete,
    cmd_restore, cmd_repair, cmd_exec, cmd_render, cmd_copy, cmd_import, cmd_export, cmd_scan,
    cmd_unlock, cmd_explain, cmd_doctor, cmd_check, cmd_modules, cmd_conform, cmd_help;

/* ---- keyturn.c ------------------------------------------------------------------------------ */

/** give_back - of the process what main() changed in it, for a program that takes its place */
void give_back(void);

/* ---- args.c --------------------------------------------------------------------------------- */

/** args_parse - fill @cli; 0, or EXIT_USAGE after saying why */
int args_parse(struct cli *cli, int argc, char **argv);
const char *args_value(const struct cli *cli, const char *name); /* the last one; NULL: not given */
const char *args_next(const struct cli *cli, const char *name, size_t *from); /* of many */
const struct cmd *cmd_find(const char *name);

/** cmd_nearest - the command that @word was probably meant to be; NULL: none is near */
const char *cmd_nearest(const char *word);

/* ---- cmd-verb.c ----------------------------------------------------------------------------- */

/** verb_help - what a module's verbs are for; @verb: one of them, or the first word of some; NULL: all */
int verb_help(const struct cli *cli, const char *module, const char *verb);

/* ---- help.c --------------------------------------------------------------------------------- */

int help_all(const struct cli *cli);
int help_cmd(const struct cli *cli, const struct cmd *cmd);

/* ---- sink.c: where output goes -------------------------------------------------------------- */

/** struct sink - a descriptor with a buffer that is wiped when it is flushed */
struct sink {
    int fd;
    int error; /* errno of the first failed write */
    size_t n;
    char buf[4096];
};

extern struct sink sink_out, sink_err;

void sink_bytes(struct sink *s, const void *data, size_t len);
/** sink_direct - written from where it lies, no copy in the buffer: for values */
void sink_direct(struct sink *s, const void *data, size_t len);
void sink_str(struct sink *s, const char *text);
void sink_text(struct sink *s, const char *text); /* control bytes and broken UTF-8 as \xNN */
void sink_printf(struct sink *s, const char *fmt, ...) KT_PRINTF(2, 3); /* at most 511 bytes */
int sink_flush(struct sink *s); /* 0, or errno of the first failure since the start */

/* ---- say.c: words for people ---------------------------------------------------------------- */

/** fail_usage - one line on standard error; returns EXIT_USAGE */
int fail_usage(const struct cli *cli, const char *fmt, ...) KT_PRINTF(2, 3);
/** fail_io - @what could not be read or written, because of @errnum; returns EXIT_IO */
int fail_io(const struct cli *cli, const char *what, int errnum);
/** fail_err - an error as the library explained it; returns its exit code. @name may be NULL, and is
 * not told if it is longer than a name can be */
int fail_err(const struct cli *cli, const char *name, const struct kt_err *err);
/** fail_status - an error of our own making, in the library's terms */
int fail_status(const struct cli *cli, int status, const char *name, const char *fmt, ...)
    KT_PRINTF(4, 5);
/** err_explain - fill @err; returns @status */
int err_explain(struct kt_err *err, int status, const char *fmt, ...) KT_PRINTF(3, 4);
void say_warning(const struct cli *cli, const char *fmt, ...) KT_PRINTF(2, 3); /* not with -q */
/** say_line_failed - a warning that -q does not silence: a list is never silently short */
void say_line_failed(const struct cli *cli, const struct kt_line_status *line);
/** say_done - "NAME: RESULT", or {"name":…,"result":…}; returns 0 */
int say_done(const struct cli *cli, const char *name, const char *result);
void say_log(void *cookie, enum kt_log_level level, const char *text); /* @cookie: the cli */
const char *level_name(enum kt_log_level level);

/* ---- bar.c ---------------------------------------------------------------------------------- */

/** struct bar - how far something is, on standard error if that is a terminal; zeroed to begin */
struct bar {
    bool shown;
    bool rate;        /* so many a second are shown, too */
    int64_t last_ms;  /* when it was drawn */
    int64_t begun_ms; /* 0: not yet */
};

void bar_show(void *bar, uint64_t done, uint64_t total);
void bar_hide(struct bar *bar); /* other words are coming */

/* ---- text.c --------------------------------------------------------------------------------- */

/** utf8_length - of the character at @s, at most @len bytes; 0: not UTF-8 */
size_t utf8_length(const unsigned char *s, size_t len);
/** text_step - length of the character at @s; @control: a terminal must not see it as it is */
size_t text_step(const unsigned char *s, size_t len, bool *control);
/** text_is_plain - UTF-8 without NUL: can be a JSON string */
bool text_is_plain(const void *data, size_t len);
/** text_has_controls - would disturb a terminal; line ends and tabs do not */
bool text_has_controls(const void *data, size_t len);

/* ---- when.c --------------------------------------------------------------------------------- */

#define WHEN_SIZE 32

/** when_duration - "500ms", "10s", "5m", "6h", "7d", "0"; false: no duration */
bool when_duration(const char *text, int64_t *ms);
/** when_parse - RFC 3339, or a duration from now; ms since 1970 */
bool when_parse(const char *text, int64_t *ms);
/** when_format - RFC 3339 in UTC, with milliseconds or without; "" for 0 and for what no year can tell */
const char *when_format(int64_t ms, bool with_ms, char out[WHEN_SIZE]);
/** when_span - a length of time for people: "0.4s", "12m", "3h"; "" if negative */
const char *when_span(int64_t ms, char out[WHEN_SIZE]);

/* ---- json.c: one object a line -------------------------------------------------------------- */

struct json {
    struct sink *to;
    bool comma;
};

struct json json_open(struct sink *to);
void json_close(struct json *j); /* with the newline */
void json_key(struct json *j, const char *key);
void json_string(struct sink *to, const char *text,
                 size_t len); /* quoted; broken UTF-8 becomes U+FFFD */
void json_str(struct json *j, const char *key, const char *value);  /* NULL and "" are null */
void json_text(struct json *j, const char *key, const char *value); /* NULL is null */
void json_int(struct json *j, const char *key, int64_t value);
void json_place(struct json *j, const char *key, int64_t value); /* a line or column: 0 is null */
void json_bool(struct json *j, const char *key, bool value);
void json_time(struct json *j, const char *key, int64_t ms);    /* 0 is null */
void json_seconds(struct json *j, const char *key, int64_t ms); /* negative is null */
/** json_value - member "value", and "encoding" if it is base64 */
void json_value(struct json *j, const void *data, size_t len);

/* ---- info.c: a version, told ---------------------------------------------------------------- */

void info_json(struct json *j, const struct kt_info *info);
/** info_origin - which module and line answered, and those of the flags that are in @shown */
void info_origin(struct json *j, const struct kt_info *info, uint32_t shown);
const char *state_name(uint32_t state);
const char *stage_names(uint32_t set, char out[WHEN_SIZE]); /* "current,pending" */
const char *flag_names(uint32_t set, char out[64]);         /* "stale, copy" */
/** info_warn - of what a value's user should know: a copy, expired, not valid yet */
void info_warn(const struct cli *cli, const char *name, const struct kt_info *info);

/* ---- table.c -------------------------------------------------------------------------------- */

struct table;

/** table_new - @heads: @columns of them; exits on no memory, as do the others */
struct table *table_new(const char *const *heads, size_t columns);
void table_row(struct table *t, const char *const *cells); /* copied; NULL and "" show as `-` */
/** table_print - aligned with heads, or with tabs between cells and no heads; frees it */
void table_print(struct table *t, bool aligned);

enum shade { SHADE_NONE, SHADE_GOOD, SHADE_ODD, SHADE_BAD };
/** table_shade - colour the words of a column by what @of says, on a terminal that wants colour */
void table_shade(struct table *t, size_t column, enum shade (*of)(const char *word));
enum shade shade_status(const char *word);

/* ---- input.c: values come in ---------------------------------------------------------------- */

/** struct input - a value read, in pages that are locked, kept out of cores, and wiped */
struct input {
    unsigned char *data;
    size_t len;
    size_t size;
};

#define VALUE_COMES_FROM "a value comes from a FILE or from standard input, never as a word"
#define INPUT_MAX (KT_VALUE_MAX + 3) /* a CR LF to trim, and one byte that tells "too large" */

bool input_new(struct input *in);               /* false: no memory */
bool input_room(struct input *in, size_t size); /* of another size than INPUT_MAX */
void input_free(struct input *in);
int input_read(const struct cli *cli, struct input *in, const char *file); /* NULL or "-": stdin */
/** input_ask - twice at the terminal, without echo; with --timeout in that time */
int input_ask(const struct cli *cli, struct input *in, const char *name);

/* ---- prompt.c ------------------------------------------------------------------------------- */

/** prompt_ask - the prompt function of kt_open_options; @deadline_ms -1 = no end */
int prompt_ask(void *cookie, const char *text, bool echo, char *buf, size_t len,
               int64_t deadline_ms, int cancel_fd);
/** prompt_yes - ask a question; only "y" and "yes" are yes, and no answer is none */
bool prompt_yes(const char *question, int64_t deadline_ms);

/* ---- child.c: modules are looked at where they can do no harm ------------------------------- */

#define CHILD_FIELDS 16

/** struct child_end - how a child ended that did not say so itself */
struct child_end {
    bool died;     /* by a signal, or without a result */
    char how[160]; /* "was killed by signal 11 (Segmentation fault)" */
};

/** child_send - from the child: a record of at most CHILD_FIELDS texts, NULL allowed */
void child_send(int fd, char kind, const char *const *fields, size_t n);

/**
 * child_run - fork, run @body there, hand each of its records to @record here
 * @step_ms: longest time between two records; 0: as long as --timeout leaves
 * @body:   what it returns and explains in its last argument becomes the result
 * @record: @fields has CHILD_FIELDS entries; those not sent are NULL
 *
 * The child is killed when its time is over. Then, and when it died, @end tells how, and KT_TIMEOUT
 * or KT_MODULE_ERROR is returned.
 */
int child_run(const struct cli *cli, int64_t step_ms,
              int (*body)(int fd, void *cookie, struct kt_err *err),
              void (*record)(void *cookie, char kind, const char *const *fields), void *cookie,
              struct child_end *end, struct kt_err *err);

/* ---- session.c: the library, as the command line was told to use it ------------------------- */

void session_options(const struct cli *cli, struct kt_open_options *options);
/** session_open - kt_open() of the service; 0, or an exit code after saying why */
int session_open(const struct cli *cli, struct kt_handle **h);
/** session_open_service - another than -s says: kt_open() with the same options; NULL = the default one */
int session_open_service(const struct cli *cli, const char *service, struct kt_handle **h,
                         struct kt_err *err) KT_MUST_CHECK;
/** session_is_opening - what the log is told now is about the service itself */
bool session_is_opening(void);
void session_closep(struct kt_handle **h);
struct kt_call_options session_call(const struct cli *cli);
int64_t session_now_ms(void); /* monotonic */
/** session_left_ms - of --timeout; -1: none was given, and a person may take all the time */
int64_t session_left_ms(const struct cli *cli);
/** session_get_options - --version, --stage, --fresh, --max-age; 0 or EXIT_USAGE */
int session_get_options(const struct cli *cli, struct kt_get_options *options);
/** session_expect - --expect; "none" and "" mean that it must not exist */
const char *session_expect(const struct cli *cli);

void secret_freep(struct kt_secret **s);
void list_freep(struct kt_list **l);

#define AUTO(fn) __attribute__((cleanup(fn)))

/** verb_run - `keyturn MODULE VERB [WORD …]` */
int verb_run(const struct cli *cli);

#endif
