/* SPDX-License-Identifier: Apache-2.0 */
#include "link.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CLOSE_MS 1000 /* it is a local matter */

static struct {
    pthread_mutex_t lock;
    struct kt_link *link;
    unsigned lines; /* that have used it and are not closed */
    uint64_t serial;
} shared = { .lock = PTHREAD_MUTEX_INITIALIZER };

static struct {
    pthread_mutex_t lock; /* whoever runs the context has it */
    GMainContext *context;
} home = { .lock = PTHREAD_MUTEX_INITIALIZER };

static atomic_bool used, forked;
static pthread_once_t once = PTHREAD_ONCE_INIT;

/* ---- fork ------------------------------------------------------------------------------------ */

static void on_fork(void)
{
    if (atomic_load(&used))
        atomic_store(&forked, true);
}

/*
 * GLib ignores SIGPIPE for the whole process when its sockets are first used, and on Linux has no need
 * to: it sends with MSG_NOSIGNAL. What the program had wanted is put back.
 */
static void keep_sigpipe(void)
{
    struct sigaction was;

    (void)sigaction(SIGPIPE, NULL, &was);
    (void)g_type_class_ref(G_TYPE_SOCKET); /* for ever */
    (void)sigaction(SIGPIPE, &was, NULL);
}

static void begin_once(void)
{
    (void)pthread_atfork(NULL, NULL, on_fork);
    keep_sigpipe();
}

bool kt_link_usable(void)
{
    if (atomic_load(&forked))
        return false;
    (void)pthread_once(&once, begin_once);
    atomic_store(&used, true);
    return true;
}

/* ---- one connection -------------------------------------------------------------------------- */

static void on_closed(GDBusConnection *bus, gboolean by_peer, GError *error, gpointer data)
{
    (void)bus;
    (void)by_peer;
    (void)error;
    *(bool *)data = true;
}

static gboolean on_late(gpointer data)
{
    *(bool *)data = true;
    return G_SOURCE_REMOVE;
}

/*
 * GLib sees that the socket ends, and tells so in the context that the connection was made in; it holds
 * both until then. To close the connection by its own function would wait for who does not read, and
 * leave another context behind for a moment.
 */
static void close_bus(struct kt_link *l)
{
    GSource *late = g_timeout_source_new(CLOSE_MS);
    bool over = false;

    g_source_set_callback(late, on_late, &over, NULL);
    (void)pthread_mutex_lock(&home.lock);
    (void)g_source_attach(late, home.context);
    (void)g_socket_shutdown(l->socket, TRUE, TRUE, NULL);
    g_main_context_push_thread_default(home.context);
    while (!l->closed && !over)
        (void)g_main_context_iteration(home.context, TRUE);
    g_main_context_pop_thread_default(home.context);
    (void)g_signal_handlers_disconnect_by_data(l->bus, &l->closed);
    (void)pthread_mutex_unlock(&home.lock);
    g_source_destroy(late);
    g_source_unref(late);
    if (l->closed) /* GLib's thread has done with it, and shall not be the one to close it, later */
        (void)g_socket_close(l->socket, NULL);
    g_object_unref(l->bus);
    g_object_unref(l->socket);
}

/* In a context that is always the same: GLib's thread may hold it a little longer than the connection. */
static void open_bus(struct kt_link *l, GIOStream *stream, GError **error)
{
    (void)pthread_mutex_lock(&home.lock);
    if (home.context == NULL)
        home.context = g_main_context_new();
    g_main_context_push_thread_default(home.context);
    l->bus = g_dbus_connection_new_sync(stream, NULL, G_DBUS_CONNECTION_FLAGS_NONE, NULL, NULL,
                                        error);
    g_main_context_pop_thread_default(home.context);
    if (l->bus != NULL)
        (void)g_signal_connect(l->bus, "closed", G_CALLBACK(on_closed), &l->closed);
    (void)pthread_mutex_unlock(&home.lock);
}

static void link_free(struct kt_link *l)
{
    if (l->service != NULL)
        g_object_unref(l->service);
    if (l->bus != NULL)
        close_bus(l);
    g_free(l->owner);
    g_free(l->address);
    free(l);
}

static struct kt_link *link_unref(struct kt_link *l)
{
    return l != NULL && --l->refs == 0 ? l : NULL;
}

/* @fd is closed in any case. */
static int wrap_socket(struct kt_op *op, struct kt_link *l, int fd)
{
    GError *error = NULL;
    GSocketConnection *stream;
    int rc = KT_SUCCESS;

    l->socket = g_socket_new_from_fd(fd, &error);
    if (l->socket == NULL) {
        (void)close(fd);
    } else {
        stream = g_socket_connection_factory_create_connection(l->socket);
        open_bus(l, G_IO_STREAM(stream), &error);
        g_object_unref(stream);
    }
    if (l->bus == NULL) {
        rc = op->host->fail(op->call, KT_UNAVAILABLE, "keyring: %.200s", error->message);
        g_error_free(error);
        if (l->socket != NULL)
            g_object_unref(l->socket);
        l->socket = NULL;
    }
    op->bus = l->bus;
    return rc;
}

static int say_hello(struct kt_op *op)
{
    struct kt_reply reply;
    const int rc = kt_op_ask(op, KT_BUS, "Hello", NULL, "(s)", &reply);

    if (rc == KT_SUCCESS)
        kt_reply_done(&reply);
    return rc;
}

/* ---- the service ----------------------------------------------------------------------------- */

static int no_service(struct kt_op *op)
{
    return op->host->fail(op->call, KT_UNAVAILABLE,
                          "keyring: nobody on the session bus keeps secrets (%s has no owner); "
                          "start gnome-keyring-daemon, or enable KeePassXC's Secret Service",
                          KT_SECRETS);
}

static bool contains(GVariant *names, const char *name)
{
    const char **list = g_variant_get_strv(names, NULL);
    const bool found = g_strv_contains(list, name);

    g_free(list);
    return found;
}

/* Only if the bus can: what it cannot start it would be asked for in vain. */
static int start_service(struct kt_op *op)
{
    struct kt_reply reply;
    GVariant *names;
    bool found;
    int rc = kt_op_ask(op, KT_BUS, "ListActivatableNames", NULL, "(as)", &reply);

    if (rc != KT_SUCCESS)
        return rc;
    names = g_variant_get_child_value(reply.body, 0);
    found = contains(names, KT_SECRETS);
    g_variant_unref(names);
    kt_reply_done(&reply);
    if (!found)
        return no_service(op);
    rc = kt_op_ask(op, KT_BUS, "StartServiceByName", g_variant_new("(su)", KT_SECRETS, 0U), "(u)",
                   &reply);
    if (rc == KT_SUCCESS)
        kt_reply_done(&reply);
    return rc == KT_LOST || rc == KT_ABSENT ? no_service(op) : rc;
}

static int find_owner(struct kt_op *op, struct kt_link *l)
{
    struct kt_reply reply;
    int rc = KT_LOST;

    for (int tries = 0; tries < 2 && rc == KT_LOST; tries++) {
        rc = kt_op_ask(op, KT_BUS, "GetNameOwner", g_variant_new("(s)", KT_SECRETS), "(s)", &reply);
        if (rc == KT_SUCCESS) {
            g_variant_get(reply.body, "(s)", &l->owner);
            op->owner = l->owner;
            kt_reply_done(&reply);
        } else if (rc == KT_LOST && tries == 0) {
            rc = start_service(op);
            if (rc == KT_SUCCESS)
                rc = KT_LOST; /* look again */
        }
        if (rc == KT_LOST && g_dbus_connection_is_closed(op->bus))
            break;
    }
    return rc;
}

/* ---- sharing --------------------------------------------------------------------------------- */

static int make(struct kt_op *op, char *address, struct kt_link **out)
{
    struct kt_link *l = calloc(1, sizeof(*l));
    int rc, fd = -1;

    if (l == NULL)
        return op->host->fail(op->call, KT_NO_MEMORY, "keyring: out of memory");
    l->address = g_strdup(address);
    rc = kt_bus_connect(op, address, &fd);
    if (rc == KT_SUCCESS)
        rc = wrap_socket(op, l, fd);
    if (rc == KT_SUCCESS)
        rc = say_hello(op);
    if (rc == KT_SUCCESS)
        rc = find_owner(op, l);
    if (rc == KT_SUCCESS)
        rc = kt_session_open(op, &l->service);
    op->bus = NULL;
    op->owner = NULL;
    if (rc != KT_SUCCESS) {
        link_free(l);
        return rc;
    }
    *out = l;
    return KT_SUCCESS;
}

static bool is_good(const struct kt_link *l, const char *address)
{
    return l != NULL && !l->dead && strcmp(l->address, address) == 0 &&
           !g_dbus_connection_is_closed(l->bus);
}

/* The line counts from its first use on. */
static void attach(struct kt_keyring *line)
{
    (void)pthread_mutex_lock(&line->lock);
    if (!line->attached)
        shared.lines++;
    line->attached = true;
    (void)pthread_mutex_unlock(&line->lock);
}

/* @made, or what another thread has shared meanwhile. */
static struct kt_link *share(struct kt_keyring *line, const char *address, struct kt_link *made)
{
    struct kt_link *old = NULL, *taken = made;

    (void)pthread_mutex_lock(&shared.lock);
    attach(line);
    if (is_good(shared.link, address)) {
        taken = shared.link;
    } else if (made != NULL) {
        made->serial = ++shared.serial;
        made->refs = 1;
        old = link_unref(shared.link);
        shared.link = made;
    }
    if (taken != NULL)
        taken->refs++;
    (void)pthread_mutex_unlock(&shared.lock);
    if (old != NULL)
        link_free(old);
    if (made != NULL && made != taken)
        link_free(made);
    return taken;
}

int kt_link_take(struct kt_op *op)
{
    char *address = kt_bus_address(op);
    struct kt_link *made = NULL;
    int rc = KT_SUCCESS;

    if (address == NULL)
        return KT_UNAVAILABLE;
    op->link = share(op->line, address, NULL);
    if (op->link == NULL) {
        rc = make(op, address, &made);
        if (rc == KT_SUCCESS)
            op->link = share(op->line, address, made);
    }
    g_free(address);
    if (rc != KT_SUCCESS)
        return rc;
    op->bus = op->link->bus;
    op->owner = op->link->owner;
    return KT_SUCCESS;
}

void kt_link_release(struct kt_op *op, bool lost)
{
    struct kt_link *l = op->link, *last;

    if (l == NULL)
        return;
    (void)pthread_mutex_lock(&shared.lock);
    l->dead = l->dead || lost;
    if (lost && shared.link == l) {
        l->refs--;
        shared.link = NULL;
    }
    last = link_unref(l);
    (void)pthread_mutex_unlock(&shared.lock);
    if (last != NULL)
        link_free(last);
    op->link = NULL;
    op->bus = NULL;
    op->owner = NULL;
}

void kt_link_leave(struct kt_keyring *line)
{
    struct kt_link *last = NULL;
    bool none;

    if (!line->attached || atomic_load(&forked))
        return;
    (void)pthread_mutex_lock(&shared.lock);
    none = --shared.lines == 0;
    if (none) {
        last = link_unref(shared.link);
        shared.link = NULL;
    }
    (void)pthread_mutex_unlock(&shared.lock);
    if (last != NULL)
        link_free(last);
    if (none)
        kt_op_forget();
}
