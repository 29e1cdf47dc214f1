/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYTURN_CORE_CALL_H
#define KEYTURN_CORE_CALL_H

#include "handle.h"

#define KT_WHERE_SIZE 400 /* of "FILE:LINE" in a message; a longer path is cut */

/** struct kt_budget - what a program allowed for one call of its */
struct kt_budget {
    struct kt_handle *handle;
    int64_t deadline_ns; /* monotonic */
    uint64_t cancels;    /* of the handle when the call began */
    bool may_prompt;
};

/** kt_budget_start - @timeout_ms 0 is the default; returns KT_INVALID out of range */
int kt_budget_start(struct kt_budget *b, struct kt_handle *h, int64_t timeout_ms, bool may_prompt,
                    struct kt_err *err) KT_MUST_CHECK;

/** kt_budget_begin - check a name (NULL: none to check) and kt_call_options (NULL: the defaults), and
 * start the budget */
int kt_budget_begin(struct kt_budget *b, struct kt_handle *h, const char *name,
                    const struct kt_call_options *o, struct kt_err *err) KT_MUST_CHECK;

/** kt_budget_left_ms - until the deadline; 0 when it is over */
int64_t kt_budget_left_ms(const struct kt_budget *b);
bool kt_budget_cancelled(const struct kt_budget *b);

/** struct kt_sink - where what a module gives goes; those not wanted are NULL */
struct kt_sink {
    int (*value)(void *cookie, size_t index, const struct kt_version *v, const void *data,
                 size_t len);
    int (*version)(void *cookie, const struct kt_version *v);
    int (*name)(void *cookie, const char *name, const struct kt_version *v);
    void (*print)(void *cookie, const char *text);
    void (*progress)(void *cookie, uint64_t done, uint64_t total);
    void *cookie;
};

/**
 * struct kt_call - one line's turn; what modules know as an opaque pointer
 * @module: for messages
 * @line:   NULL for a verb run without a service
 * @err:    what the module explained; status 0 if nothing
 * @placed: @err says itself where in the service file the mistake is
 */
struct kt_call {
    const struct kt_budget *budget;
    const struct kt_line *line;
    const char *module;
    const struct kt_sink *sink;
    int64_t deadline_ns;
    struct kt_waiter waiter;
    bool waiting;
    bool placed;
    struct kt_err err;
};

/**
 * kt_call_start - begin a line's turn
 * @last: the stack's last line may use all that is left, others half; `timeout=` says otherwise
 */
void kt_call_start(struct kt_call *call, const struct kt_budget *budget, const struct kt_line *line,
                   const char *module, const struct kt_sink *sink, bool last);
void kt_call_done(struct kt_call *call);

/** kt_line_where - "FILE:LINE", or the file alone for the built-in service; in @out */
const char *kt_line_where(const struct kt_line *line, char out[KT_WHERE_SIZE]);

/**
 * kt_call_explain - the error of a turn that ended with @status, as a program reads it
 *
 * Begins with FILE:LINE: MODULE:, then the module's words, or the status's meaning where it had none.
 */
int kt_call_explain(const struct kt_call *call, const char *name, int status, struct kt_err *err);

/**
 * kt_where_skip - what follows the FILE:LINE: with which kt_call_explain() began a text without name
 * @lineno, @column: where in the file, 0 if only the line is known
 */
const char *kt_where_skip(const struct kt_line *line, const char *text, unsigned *lineno,
                          unsigned *column);

/** kt_without_name - @text without the module's name before it */
const char *kt_without_name(const char *text, const char *module);

/** kt_host - what modules are lent; one table for the process */
extern const struct kt_host kt_host;

#endif
