/* SPDX-License-Identifier: Apache-2.0 */
#include "master.h"

#include "link.h"

#include <stdio.h>
#include <string.h>

#define INTERNAL "org.gnome.keyring.InternalUnsupportedGuiltRiddenInterface"
#define PASSWORD_MAX 1024

bool kt_master_is_there(struct kt_op *op)
{
    struct kt_reply reply;
    bool found = false;
    const char *xml;
    const int rc = kt_op_ask(op, op->owner, KT_SECRETS_PATH, "org.freedesktop.DBus.Introspectable",
                             "Introspect", NULL, "(s)", &reply);

    if (rc != KT_SUCCESS)
        return false;
    g_variant_get(reply.body, "(&s)", &xml);
    found = strstr(xml, "interface name=\"" INTERNAL "\"") != NULL;
    kt_reply_done(&reply);
    return found;
}

static int denied(struct kt_op *op, const struct kt_reply *reply)
{
    char *name = reply->error != NULL ? g_dbus_error_get_remote_error(reply->error) : NULL;
    const bool wrong = g_strcmp0(name, "org.gnome.keyring.Error.Denied") == 0;

    g_free(name);
    if (wrong)
        return op->host->fail(op->call, KT_DENIED,
                              "keyring: the password does not unlock the keyring '%.100s'",
                              op->line->collection);
    return kt_reply_status(reply, "UnlockWithMasterPassword");
}

int kt_master_unlock(struct kt_op *op, const char *collection)
{
    char *password = op->host->secret_alloc(PASSWORD_MAX, 0);
    struct kt_reply reply = { .op = op };
    SecretValue *value;
    char text[160];
    int n, rc;

    if (password == NULL)
        return op->host->fail(op->call, KT_NO_MEMORY, "keyring: out of memory");
    (void)snprintf(text, sizeof(text), "Password of the keyring '%.100s': ", op->line->collection);
    n = op->host->prompt(op->call, text, false, password, PASSWORD_MAX);
    if (n < 0) {
        op->host->secret_free(password);
        return -n;
    }
    value = secret_value_new(password, n, "text/plain");
    op->host->secret_free(password);
    kt_op_send(op, op->owner, KT_SECRETS_PATH, INTERNAL, "UnlockWithMasterPassword",
               g_variant_new("(o@(oayays))", collection,
                             secret_service_encode_dbus_secret(op->link->service, value)),
               "()", &reply);
    secret_value_unref(value);
    rc = kt_op_wait(op);
    if (rc == KT_SUCCESS)
        rc = denied(op, &reply);
    kt_reply_done(&reply);
    return rc;
}
