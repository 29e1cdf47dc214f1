/* SPDX-License-Identifier: Apache-2.0 */
#include "lock.h"

#include <stdatomic.h>

#define NAME "org.keyturn.KeyringWriter"
#define TURN_MS 1

/* The name is the connection's, which threads share: what they have of each other stands here. */
static atomic_bool writing;

static int busy(struct kt_op *op, int rc)
{
    if (rc != KT_TIMEOUT)
        return rc;
    return op->host->fail(op->call, KT_BUSY,
                          "keyring: another keyturn process wrote to the keyring until the "
                          "deadline");
}

static int take_process(struct kt_op *op)
{
    bool idle = false;

    while (!atomic_compare_exchange_strong(&writing, &idle, true)) {
        const int rc = op->host->sleep(op->call, TURN_MS);

        if (rc != KT_SUCCESS)
            return busy(op, rc);
        idle = false;
    }
    return KT_SUCCESS;
}

static void on_acquired(GDBusConnection *bus, const char *sender, const char *path,
                        const char *interface, const char *signal, GVariant *params, gpointer data)
{
    (void)bus;
    (void)path;
    (void)interface;
    (void)signal;
    (void)params;
    if (g_strcmp0(sender, KT_BUS_NAME) == 0)
        *(bool *)data = true;
}

static int request(struct kt_op *op, bool *acquired)
{
    struct kt_reply reply;
    guint32 answer;
    int rc = kt_op_ask(op, KT_BUS, "RequestName", g_variant_new("(su)", NAME, 0U), "(u)", &reply);

    if (rc == KT_DENIED)
        return op->host->fail(op->call, KT_UNAVAILABLE,
                              "keyring: the bus does not let this program own the name " NAME
                              ", by which writers take turns: allow it (flatpak: "
                              "--own-name=" NAME ")");
    if (rc != KT_SUCCESS)
        return rc == KT_ABSENT ? KT_LOST : rc;
    g_variant_get(reply.body, "(u)", &answer);
    kt_reply_done(&reply);
    *acquired = *acquired || answer != 2; /* 2: in the queue, and told when it is our turn */
    return KT_SUCCESS;
}

int kt_lock_take(struct kt_op *op)
{
    bool acquired = false;
    guint on;
    int rc = take_process(op);

    if (rc != KT_SUCCESS)
        return rc;
    on = g_dbus_connection_signal_subscribe(op->bus, NULL, KT_BUS_NAME, "NameAcquired", NULL, NAME,
                                            G_DBUS_SIGNAL_FLAGS_NO_MATCH_RULE, on_acquired,
                                            &acquired, NULL);
    rc = request(op, &acquired);
    if (rc == KT_SUCCESS)
        rc = busy(op, kt_op_until(op, &acquired, -1));
    g_dbus_connection_signal_unsubscribe(op->bus, on);
    if (rc == KT_SUCCESS)
        return rc;
    op->spoiled =
        true; /* or it would be told later that it has a lock that it no longer waits for */
    atomic_store(&writing, false);
    return rc;
}

void kt_lock_release(struct kt_op *op)
{
    kt_op_tell(op, KT_BUS, "ReleaseName", g_variant_new("(s)", NAME));
    atomic_store(&writing, false);
}
