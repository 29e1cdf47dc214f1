/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYTURN_KEYRING_OP_H
#define KEYTURN_KEYRING_OP_H

#include "keyring.h"

#include <gio/gio.h>

/*
 * One call of the host's, and its conversation with the bus: requests are sent, then all replies are
 * awaited together, in a main context of the call's own, until the host's deadline or cancellation.
 */

/* Answers that stay inside of the module, below all of enum kt_status. */
#define KT_LOST (-1)   /* the bus, the service or our session is gone: worth one more try */
#define KT_ABSENT (-2) /* there is no such object (any more) */

#define KT_BUS_NAME "org.freedesktop.DBus"
#define KT_BUS_PATH "/org/freedesktop/DBus"
#define KT_BUS KT_BUS_NAME, KT_BUS_PATH, KT_BUS_NAME
#define KT_SECRETS "org.freedesktop.secrets"
#define KT_SECRETS_PATH "/org/freedesktop/secrets"
#define KT_SERVICE "org.freedesktop.Secret.Service"
#define KT_COLLECTION "org.freedesktop.Secret.Collection"
#define KT_ITEM "org.freedesktop.Secret.Item"
#define KT_PROPERTIES "org.freedesktop.DBus.Properties"

struct kt_link;

/**
 * struct kt_op - one call
 * @link:     the connection; NULL while it is made
 * @bus:      what requests go over
 * @owner:    the service's own name on the bus: nothing is ever activated by a request
 * @waiting:  replies that are not there yet
 * @prompted: a person was asked: once is enough
 * @spoiled:  nobody shall use the connection after this call
 */
struct kt_op {
    const struct kt_host *host;
    struct kt_call *call;
    struct kt_keyring *line;
    struct kt_link *link;
    GDBusConnection *bus;
    const char *owner;
    GMainContext *context;
    GCancellable *cancel;
    unsigned waiting;
    bool cancelled;
    bool prompted;
    bool spoiled;
};

/**
 * struct kt_reply - what came back
 * @body:  NULL if @error is not; both are released with kt_reply_done()
 */
struct kt_reply {
    struct kt_op *op;
    GVariant *body;
    GError *error;
};

typedef int kt_body_fn(struct kt_op *op, void *arg);

/** kt_op_run - @body with a connection; once more, with a new one, if that was lost on the way */
int kt_op_run(struct kt_keyring *line, struct kt_call *call, kt_body_fn *body, void *arg);

/** kt_op_forget - no line is left: what calls have kept for each other is given back */
void kt_op_forget(void);

/**
 * kt_op_send - a method call; the reply is there when kt_op_wait() has returned
 * @where:  destination, object path, interface
 * @params: floating, or NULL
 * @type:   of the reply
 */
void kt_op_send(struct kt_op *op, const char *destination, const char *path, const char *interface,
                const char *method, GVariant *params, const char *type, struct kt_reply *reply);

/** kt_op_wait - until all replies are there: KT_SUCCESS, KT_TIMEOUT or KT_CANCELLED (explained) */
int kt_op_wait(struct kt_op *op);

/** kt_op_until - until @done is set by something that runs in the context, or @limit_ms are over */
int kt_op_until(struct kt_op *op, const bool *done, int64_t limit_ms);

/** kt_op_ask - send and wait: kt_reply_status(), or what kt_op_wait() says */
int kt_op_ask(struct kt_op *op, const char *destination, const char *path, const char *interface,
              const char *method, GVariant *params, const char *type, struct kt_reply *reply);

/** kt_op_tell - send, and do not wait for an answer */
void kt_op_tell(struct kt_op *op, const char *destination, const char *path, const char *interface,
                const char *method, GVariant *params);

/**
 * kt_reply_status - what an error means, explained
 *
 * KT_SUCCESS, KT_LOST, KT_ABSENT (both without words), KT_LOCKED, KT_DENIED or KT_UNAVAILABLE.
 */
int kt_reply_status(const struct kt_reply *reply, const char *what);
void kt_reply_done(struct kt_reply *reply);

/** kt_op_property - a property of an object: @value is released with g_variant_unref() */
int kt_op_property(struct kt_op *op, const char *path, const char *interface, const char *name,
                   const char *type, GVariant **value);

#endif
