/* SPDX-License-Identifier: Apache-2.0 */
#include "link.h"

/*
 * libsecret's object takes GLib's shared connection whatever it is given. Ours is constructed as the
 * proxy that it is, on our own.
 */
static GObject *construct(GType type, guint n, GObjectConstructParam *params)
{
    gpointer proxy = g_type_class_peek(G_TYPE_DBUS_PROXY);

    return G_OBJECT_CLASS(proxy)->constructor(type, n, params);
}

static void class_init(gpointer class, gpointer data)
{
    (void)data;
    G_OBJECT_CLASS(class)->constructor = construct;
}

static GType service_type(void)
{
    static gsize type;

    if (g_once_init_enter(&type)) {
        const GType made = g_type_register_static_simple(
            SECRET_TYPE_SERVICE, "KtKeyringService", (guint)sizeof(SecretServiceClass), class_init,
            (guint)sizeof(SecretService), NULL, (GTypeFlags)0);

        g_once_init_leave(&type, made);
    }
    return type;
}

struct opening {
    struct kt_op *op;
    GObject *service;
    GError *error;
};

static void on_session(GObject *source, GAsyncResult *result, gpointer data)
{
    struct opening *o = data;

    o->service = g_async_initable_new_finish(G_ASYNC_INITABLE(source), result, &o->error);
    o->op->waiting--;
}

int kt_session_open(struct kt_op *op, SecretService **out)
{
    struct opening o = { .op = op };
    int rc;

    op->waiting++;
    g_async_initable_new_async(
        service_type(), G_PRIORITY_DEFAULT, op->cancel, on_session, &o, "g-flags",
        G_DBUS_PROXY_FLAGS_DO_NOT_LOAD_PROPERTIES | G_DBUS_PROXY_FLAGS_DO_NOT_CONNECT_SIGNALS |
            G_DBUS_PROXY_FLAGS_DO_NOT_AUTO_START,
        "g-connection", op->bus, "g-name", op->owner, "g-object-path", KT_SECRETS_PATH,
        "g-interface-name", KT_SERVICE, "flags", SECRET_SERVICE_OPEN_SESSION, NULL);
    rc = kt_op_wait(op);
    if (o.error != NULL) {
        const struct kt_reply reply = { .op = op, .error = o.error };

        if (rc == KT_SUCCESS)
            rc = kt_reply_status(&reply, "OpenSession");
        g_error_free(o.error);
    }
    *out = o.service != NULL ? SECRET_SERVICE(o.service) : NULL;
    return rc;
}

const char *kt_link_session(const struct kt_op *op)
{
    return secret_service_get_session_dbus_path(op->link->service);
}
