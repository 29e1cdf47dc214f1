/* SPDX-License-Identifier: Apache-2.0 */
#include "op.h"

#include "link.h"

#include <string.h>

#define FDS 8
#define POOL_MAX 16
#define SLICE_MS 1000 /* the clock may be the host's own */

/* ---- the context ----------------------------------------------------------------------------- */

/*
 * Contexts are used again: each has a descriptor, and GLib's thread may let go of one only after the
 * call that it was for.
 */
static struct {
    pthread_mutex_t lock;
    GMainContext *free[POOL_MAX];
    size_t n;
} pool = { .lock = PTHREAD_MUTEX_INITIALIZER };

static GMainContext *take_context(void)
{
    GMainContext *context = NULL;

    (void)pthread_mutex_lock(&pool.lock);
    if (pool.n > 0)
        context = pool.free[--pool.n];
    (void)pthread_mutex_unlock(&pool.lock);
    return context != NULL ? context : g_main_context_new();
}

/* Signals that came after all were answered have nobody to go to any more. */
static void leave_context(GMainContext *context)
{
    while (g_main_context_iteration(context, FALSE))
        ;
    (void)pthread_mutex_lock(&pool.lock);
    if (pool.n < POOL_MAX) {
        pool.free[pool.n++] = context;
        context = NULL;
    }
    (void)pthread_mutex_unlock(&pool.lock);
    if (context != NULL)
        g_main_context_unref(context);
}

void kt_op_forget(void)
{
    (void)pthread_mutex_lock(&pool.lock);
    while (pool.n > 0)
        g_main_context_unref(pool.free[--pool.n]);
    (void)pthread_mutex_unlock(&pool.lock);
}

static void op_begin(struct kt_op *op)
{
    op->context = take_context();
    op->cancel = g_cancellable_new();
    g_main_context_push_thread_default(op->context);
}

static void op_end(struct kt_op *op)
{
    g_main_context_pop_thread_default(op->context);
    g_object_unref(op->cancel);
    leave_context(op->context);
}

/* Nobody shall answer to what is on our stack any more. */
static void give_up(struct kt_op *op)
{
    g_cancellable_cancel(op->cancel);
    while (op->waiting > 0)
        (void)g_main_context_iteration(op->context, TRUE);
}

/* Polls what the context waits for, and the host's cancel descriptor besides. */
static void poll_once(struct kt_op *op, int ms)
{
    GPollFD fds[FDS] = { { .fd = op->host->cancel_fd(op->call), .events = G_IO_IN } };
    gint priority, timeout, n;

    (void)g_main_context_prepare(op->context, &priority);
    n = g_main_context_query(op->context, priority, &timeout, fds + 1, FDS - 1);
    if (timeout >= 0 && timeout < ms)
        ms = timeout;
    if (n > FDS - 1) { /* look at all of them soon */
        n = FDS - 1;
        ms = 0;
    }
    (void)g_poll(fds, (guint)n + 1, ms);
    op->cancelled = op->cancelled || fds[0].revents != 0;
    if (g_main_context_check(op->context, priority, fds + 1, n))
        g_main_context_dispatch(op->context);
}

/* One turn of the loop, of @ms at most. */
static int turn(struct kt_op *op, int64_t ms)
{
    const int64_t left = op->host->left_ms(op->call);

    if (op->cancelled || left <= 0) {
        give_up(op);
        return op->cancelled
                   ? op->host->fail(op->call, KT_CANCELLED, "cancelled by the program")
                   : op->host->fail(op->call, KT_TIMEOUT, "keyring: no answer before the deadline");
    }
    ms = ms < left ? ms : left;
    poll_once(op, (int)(ms < SLICE_MS ? ms : SLICE_MS));
    return KT_SUCCESS;
}

int kt_op_wait(struct kt_op *op)
{
    int rc = KT_SUCCESS;

    while (op->waiting > 0 && rc == KT_SUCCESS)
        rc = turn(op, SLICE_MS);
    return rc;
}

int kt_op_until(struct kt_op *op, const bool *done, int64_t limit_ms)
{
    const int64_t until = g_get_monotonic_time() + limit_ms * 1000;
    int rc = KT_SUCCESS;

    while (!*done && rc == KT_SUCCESS) {
        const int64_t left = limit_ms < 0 ? SLICE_MS : (until - g_get_monotonic_time()) / 1000;

        if (left <= 0)
            return KT_ABSENT;
        rc = turn(op, left);
    }
    return rc;
}

/* ---- requests -------------------------------------------------------------------------------- */

static void on_reply(GObject *source, GAsyncResult *result, gpointer data)
{
    struct kt_reply *reply = data;

    reply->body = g_dbus_connection_call_finish(G_DBUS_CONNECTION(source), result, &reply->error);
    reply->op->waiting--;
}

void kt_op_send(struct kt_op *op, const char *destination, const char *path, const char *interface,
                const char *method, GVariant *params, const char *type, struct kt_reply *reply)
{
    *reply = (struct kt_reply){ .op = op };
    op->waiting++;
    g_dbus_connection_call(op->bus, destination, path, interface, method, params,
                           G_VARIANT_TYPE(type), G_DBUS_CALL_FLAGS_NO_AUTO_START, G_MAXINT,
                           op->cancel, on_reply, reply);
}

int kt_op_ask(struct kt_op *op, const char *destination, const char *path, const char *interface,
              const char *method, GVariant *params, const char *type, struct kt_reply *reply)
{
    int rc;

    kt_op_send(op, destination, path, interface, method, params, type, reply);
    rc = kt_op_wait(op);
    if (rc == KT_SUCCESS)
        rc = kt_reply_status(reply, method);
    if (rc != KT_SUCCESS)
        kt_reply_done(reply);
    return rc;
}

void kt_op_tell(struct kt_op *op, const char *destination, const char *path, const char *interface,
                const char *method, GVariant *params)
{
    g_dbus_connection_call(op->bus, destination, path, interface, method, params, NULL,
                           G_DBUS_CALL_FLAGS_NO_AUTO_START, -1, NULL, NULL, NULL);
}

int kt_op_property(struct kt_op *op, const char *path, const char *interface, const char *name,
                   const char *type, GVariant **value)
{
    struct kt_reply reply;
    int rc = kt_op_ask(op, op->owner, path, KT_PROPERTIES, "Get",
                       g_variant_new("(ss)", interface, name), "(v)", &reply);

    if (rc != KT_SUCCESS)
        return rc;
    g_variant_get(reply.body, "(v)", value);
    kt_reply_done(&reply);
    if (g_variant_is_of_type(*value, G_VARIANT_TYPE(type)))
        return KT_SUCCESS;
    g_variant_unref(*value);
    *value = NULL;
    return op->host->fail(op->call, KT_UNAVAILABLE,
                          "keyring: the service's property %s is not what it should be", name);
}

/* ---- errors ---------------------------------------------------------------------------------- */

static bool is_lost(const char *name)
{
    static const char *const names[] = {
        "org.freedesktop.DBus.Error.ServiceUnknown", "org.freedesktop.DBus.Error.NameHasNoOwner",
        "org.freedesktop.DBus.Error.NoReply",        "org.freedesktop.DBus.Error.Disconnected",
        "org.freedesktop.Secret.Error.NoSession",
    };

    for (size_t i = 0; i < G_N_ELEMENTS(names); i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return false;
}

static bool is_absent(const char *name)
{
    static const char *const names[] = {
        "org.freedesktop.DBus.Error.UnknownMethod",
        "org.freedesktop.DBus.Error.UnknownObject",
        "org.freedesktop.DBus.Error.UnknownInterface",
        "org.freedesktop.Secret.Error.NoSuchObject",
    };

    for (size_t i = 0; i < G_N_ELEMENTS(names); i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return false;
}

static int remote_status(const struct kt_reply *reply, const char *name, const char *what)
{
    const struct kt_op *op = reply->op;
    GError *copy;
    int status = KT_UNAVAILABLE;

    if (is_lost(name))
        return KT_LOST;
    if (is_absent(name))
        return KT_ABSENT;
    if (strcmp(name, "org.freedesktop.Secret.Error.IsLocked") == 0)
        status = KT_LOCKED;
    else if (strcmp(name, "org.freedesktop.DBus.Error.AccessDenied") == 0)
        status = KT_DENIED;
    copy = g_error_copy(reply->error);
    (void)g_dbus_error_strip_remote_error(copy);
    status = op->host->fail(op->call, status, "keyring: %s: %.200s (%.100s)", what, copy->message,
                            name);
    g_error_free(copy);
    return status;
}

int kt_reply_status(const struct kt_reply *reply, const char *what)
{
    const struct kt_op *op = reply->op;
    char *name;
    int rc;

    if (reply->error == NULL)
        return KT_SUCCESS;
    name = g_dbus_error_get_remote_error(reply->error);
    if (name != NULL) {
        rc = remote_status(reply, name, what);
        g_free(name);
        return rc;
    }
    if (g_dbus_connection_is_closed(op->bus) || reply->error->domain == G_IO_ERROR)
        return g_error_matches(reply->error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT)
                   ? op->host->fail(op->call, KT_UNAVAILABLE,
                                    "keyring: %s: the service's answer is not what it should be",
                                    what)
                   : KT_LOST;
    return op->host->fail(op->call, KT_UNAVAILABLE, "keyring: %s: %.200s", what,
                          reply->error->message);
}

void kt_reply_done(struct kt_reply *reply)
{
    if (reply->body != NULL)
        g_variant_unref(reply->body);
    g_clear_error(&reply->error);
    reply->body = NULL;
}

/* ---- running --------------------------------------------------------------------------------- */

int kt_op_run(struct kt_keyring *line, struct kt_call *call, kt_body_fn *body, void *arg)
{
    struct kt_op op = { .host = line->host, .call = call, .line = line };
    int rc = KT_LOST;

    if (!kt_link_usable())
        return line->host->fail(call, KT_UNAVAILABLE,
                                "keyring: this process was forked from one that had used the "
                                "keyring, and GLib does not survive a fork: ask in the parent, "
                                "or exec a program in the child");
    op_begin(&op);
    for (int tries = 0; tries < 2 && rc == KT_LOST; tries++) {
        rc = kt_link_take(&op);
        if (rc == KT_SUCCESS)
            rc = body(&op, arg);
        kt_link_release(&op, rc == KT_LOST || op.spoiled);
    }
    op_end(&op);
    if (rc == KT_LOST)
        return line->host->fail(call, KT_UNAVAILABLE,
                                "keyring: the bus or the keyring's service went away, twice: is "
                                "it being restarted?");
    if (rc == KT_ABSENT)
        return line->host->fail(call, KT_UNAVAILABLE,
                                "keyring: an object of the service vanished while it was used");
    return rc;
}
