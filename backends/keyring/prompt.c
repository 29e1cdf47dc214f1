/* SPDX-License-Identifier: Apache-2.0 */
#include "prompt.h"

#include <string.h>

#define PROMPT "org.freedesktop.Secret.Prompt"

/* What is heard of a prompt: that it is over, or that the service is. */
struct hearing {
    const char *owner;
    bool over;
    bool gone;
    bool dismissed;
};

static void on_completed(GDBusConnection *bus, const char *sender, const char *path,
                         const char *interface, const char *signal, GVariant *params, gpointer data)
{
    struct hearing *h = data;
    gboolean dismissed;

    (void)bus;
    (void)path;
    (void)interface;
    (void)signal;
    if (g_strcmp0(sender, h->owner) != 0 || !g_variant_is_of_type(params, G_VARIANT_TYPE("(bv)")))
        return;
    g_variant_get(params, "(bv)", &dismissed, NULL);
    h->dismissed = dismissed;
    h->over = true;
}

static void on_owner(GDBusConnection *bus, const char *sender, const char *path,
                     const char *interface, const char *signal, GVariant *params, gpointer data)
{
    struct hearing *h = data;

    (void)bus;
    (void)path;
    (void)interface;
    (void)signal;
    (void)params;
    if (g_strcmp0(sender, KT_BUS_NAME) != 0)
        return;
    h->gone = true;
    h->over = true;
}

bool kt_prompt_none(const char *path)
{
    return strcmp(path, "/") == 0;
}

static void match(struct kt_op *op, const char *method, const char *rule)
{
    kt_op_tell(op, KT_BUS, method, g_variant_new("(s)", rule));
}

/* The bus takes what we send in order: the rules hold before the prompt is shown. */
static int run(struct kt_op *op, const char *path, int64_t limit_ms, struct hearing *h)
{
    struct kt_reply reply;
    int rc;

    kt_op_send(op, op->owner, path, PROMPT, "Prompt", g_variant_new("(s)", ""), "()", &reply);
    rc = kt_op_wait(op);
    if (rc == KT_SUCCESS)
        rc = kt_reply_status(&reply, "Prompt");
    kt_reply_done(&reply);
    if (rc == KT_SUCCESS)
        rc = kt_op_until(op, &h->over, limit_ms);
    return rc == KT_SUCCESS && h->gone ? KT_LOST : rc;
}

int kt_prompt_run(struct kt_op *op, const char *path, int64_t limit_ms, bool *dismissed)
{
    struct hearing h = { .owner = op->owner };
    char *completed = g_strdup_printf("type='signal',sender='%s',path='%s',interface='" PROMPT
                                      "',member='Completed'",
                                      op->owner, path);
    char *owner = g_strdup_printf(
        "type='signal',sender='" KT_BUS_NAME "',member='NameOwnerChanged',arg0='%s'", op->owner);
    const guint on[] = {
        g_dbus_connection_signal_subscribe(op->bus, NULL, PROMPT, "Completed", path, NULL,
                                           G_DBUS_SIGNAL_FLAGS_NO_MATCH_RULE, on_completed, &h,
                                           NULL),
        g_dbus_connection_signal_subscribe(op->bus, NULL, KT_BUS_NAME, "NameOwnerChanged", NULL,
                                           op->owner, G_DBUS_SIGNAL_FLAGS_NO_MATCH_RULE, on_owner,
                                           &h, NULL),
    };
    int rc;

    match(op, "AddMatch", completed);
    match(op, "AddMatch", owner);
    rc = run(op, path, limit_ms, &h);
    for (size_t i = 0; i < G_N_ELEMENTS(on); i++)
        g_dbus_connection_signal_unsubscribe(op->bus, on[i]);
    match(op, "RemoveMatch", completed);
    match(op, "RemoveMatch", owner);
    /* Not at the deadline: GNOME Keyring 42 aborts if it is told so while it asks for a password. */
    if (rc == KT_ABSENT)
        kt_op_tell(op, op->owner, path, PROMPT, "Dismiss", NULL);
    *dismissed = h.dismissed;
    g_free(completed);
    g_free(owner);
    return rc;
}
