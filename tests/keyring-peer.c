/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What tests ask of a Secret Service that no tool does; it knows D-Bus alone, so that it cannot be
 * wrong as libsecret is.
 *
 *     keyring-peer unlock PATH PASSWORD      GNOME Keyring: open a collection without its prompter
 *     keyring-peer create LABEL PASSWORD     and make one; prints its path
 *     keyring-peer lock PATH                 lock a collection, with the prompt that KeePassXC wants
 *     keyring-peer items PATH                a line for each item of a collection, in order of text:
 *                                            label, then its attributes, between tabs
 *     keyring-peer item PATH LABEL TYPE [NAME VALUE]...
 *                                            store standard input with exactly these attributes
 *     keyring-peer prompter hang|refuse [COMMAND]
 *                                            be the person whom GNOME Keyring asks: prints `ready`, and
 *                                            `prompt` each time; runs COMMAND, then answers no, or never
 */

#include <gio/gio.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SERVICE "org.freedesktop.secrets"
#define ROOT "/org/freedesktop/secrets"
#define SECRET "org.freedesktop.Secret."
#define MASTER "org.gnome.keyring.InternalUnsupportedGuiltRiddenInterface"
#define PROMPTER "org.gnome.keyring.internal.Prompter"
#define TIMEOUT_MS 30000

static GDBusConnection *bus;
static bool hangs;
static const char *command;

static void check(GError *error)
{
    if (error == NULL)
        return;
    fprintf(stderr, "keyring-peer: %s\n", error->message);
    exit(EXIT_FAILURE);
}

static GVariant *call(const char *path, const char *interface, const char *method, GVariant *args)
{
    GError *error = NULL;
    GVariant *answer = g_dbus_connection_call_sync(bus, SERVICE, path, interface, method, args,
                                                   NULL, G_DBUS_CALL_FLAGS_NONE, TIMEOUT_MS, NULL,
                                                   &error);

    check(error);
    return answer;
}

static GVariant *property(const char *path, const char *interface, const char *name)
{
    GVariant *value = NULL;

    g_variant_get(call(path, "org.freedesktop.DBus.Properties", "Get",
                       g_variant_new("(ss)", interface, name)),
                  "(v)", &value);
    return value;
}

/* Of a session that encrypts nothing: the bus is the test's own. */
static GVariant *secret_of(const void *data, size_t len, const char *type)
{
    const char *session = NULL;
    GVariant *answer = call(ROOT, SECRET "Service", "OpenSession",
                            g_variant_new("(sv)", "plain", g_variant_new_string("")));

    g_variant_get(answer, "(v&o)", NULL, &session);
    return g_variant_new("(o@ay@ays)", session,
                         g_variant_new_fixed_array(G_VARIANT_TYPE_BYTE, "", 0, 1),
                         g_variant_new_fixed_array(G_VARIANT_TYPE_BYTE, data, len, 1), type);
}

static int unlock(char **argv)
{
    (void)call(
        ROOT, MASTER, "UnlockWithMasterPassword",
        g_variant_new("(o@(oayays))", argv[0], secret_of(argv[1], strlen(argv[1]), "text/plain")));
    return EXIT_SUCCESS;
}

static int create(char **argv)
{
    const char *path = NULL;
    GVariantBuilder properties;

    g_variant_builder_init(&properties, G_VARIANT_TYPE("a{sv}"));
    g_variant_builder_add(&properties, "{sv}", SECRET "Collection.Label",
                          g_variant_new_string(argv[0]));
    g_variant_get(call(ROOT, MASTER, "CreateWithMasterPassword",
                       g_variant_new("(a{sv}@(oayays))", &properties,
                                     secret_of(argv[1], strlen(argv[1]), "text/plain"))),
                  "(&o)", &path);
    puts(path);
    return EXIT_SUCCESS;
}

static void completed(GDBusConnection *connection, const gchar *sender, const gchar *path,
                      const gchar *interface, const gchar *signal, GVariant *args, gpointer loop)
{
    (void)connection, (void)sender, (void)path, (void)interface, (void)signal, (void)args;
    g_main_loop_quit(loop);
}

static gboolean too_late(gpointer prompt)
{
    fprintf(stderr, "keyring-peer: the prompt '%s' does not end\n", (const char *)prompt);
    exit(EXIT_FAILURE);
}

/*
 * KeePassXC does much only when its prompt is shown, even if that asks nothing; and it drops what it
 * has not done yet when who asked leaves the bus.
 */
static void show(const char *prompt)
{
    GMainLoop *loop;

    if (strcmp(prompt, "/") == 0)
        return;
    loop = g_main_loop_new(NULL, FALSE);
    (void)g_dbus_connection_signal_subscribe(bus, SERVICE, SECRET "Prompt", "Completed", prompt,
                                             NULL, G_DBUS_SIGNAL_FLAGS_NONE, completed, loop, NULL);
    (void)g_timeout_add(TIMEOUT_MS, too_late, (gpointer)prompt);
    (void)call(prompt, SECRET "Prompt", "Prompt", g_variant_new("(s)", ""));
    g_main_loop_run(loop);
}

static int lock(char **argv)
{
    const char *const paths[] = { argv[0], NULL };
    const char *prompt = NULL;

    g_variant_get(call(ROOT, SECRET "Service", "Lock", g_variant_new("(^ao)", paths)), "(ao&o)",
                  NULL, &prompt);
    show(prompt);
    return EXIT_SUCCESS;
}

/* ---- items ---------------------------------------------------------------------------------- */

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static char *attributes_of(const char *path)
{
    GVariant *all = property(path, SECRET "Item", "Attributes");
    GPtrArray *words = g_ptr_array_new();
    GVariantIter iter;
    const char *name, *value;

    g_variant_iter_init(&iter, all);
    while (g_variant_iter_next(&iter, "{&s&s}", &name, &value))
        g_ptr_array_add(words, g_strdup_printf("%s=%s", name, value));
    g_ptr_array_sort(words, by_text);
    g_ptr_array_add(words, NULL);
    return g_strjoinv("\t", (char **)words->pdata);
}

static int items(char **argv)
{
    GPtrArray *lines = g_ptr_array_new();
    GVariantIter iter;
    const char *path;

    g_variant_iter_init(&iter, property(argv[0], SECRET "Collection", "Items"));
    while (g_variant_iter_next(&iter, "&o", &path)) {
        const char *label = g_variant_get_string(property(path, SECRET "Item", "Label"), NULL);
        g_ptr_array_add(lines, g_strdup_printf("%s\t%s", label, attributes_of(path)));
    }
    g_ptr_array_sort(lines, by_text);
    for (guint i = 0; i < lines->len; i++)
        puts(lines->pdata[i]);
    return EXIT_SUCCESS;
}

static int item(char **argv)
{
    char data[65536 + 1];
    const size_t len = fread(data, 1, sizeof(data), stdin);
    GVariantBuilder properties, attributes;
    const char *prompt = NULL;

    g_variant_builder_init(&attributes, G_VARIANT_TYPE("a{ss}"));
    for (char **a = argv + 3; a[0] != NULL && a[1] != NULL; a += 2)
        g_variant_builder_add(&attributes, "{ss}", a[0], a[1]);
    g_variant_builder_init(&properties, G_VARIANT_TYPE("a{sv}"));
    g_variant_builder_add(&properties, "{sv}", SECRET "Item.Label", g_variant_new_string(argv[1]));
    g_variant_builder_add(&properties, "{sv}", SECRET "Item.Attributes",
                          g_variant_builder_end(&attributes));
    g_variant_get(
        call(argv[0], SECRET "Collection", "CreateItem",
             g_variant_new("(a{sv}@(oayays)b)", &properties, secret_of(data, len, argv[2]), FALSE)),
        "(o&o)", NULL, &prompt);
    show(prompt);
    return EXIT_SUCCESS;
}

/* ---- the person ----------------------------------------------------------------------------- */

static void ready(const char *sender, const char *callback, const char *reply)
{
    g_dbus_connection_call(bus, sender, callback, PROMPTER ".Callback", "PromptReady",
                           g_variant_new("(s@a{sv}s)", reply,
                                         g_variant_new_array(G_VARIANT_TYPE("{sv}"), NULL, 0), ""),
                           NULL, G_DBUS_CALL_FLAGS_NONE, TIMEOUT_MS, NULL, NULL, NULL);
}

static void asked(GDBusConnection *connection, const gchar *sender, const gchar *path,
                  const gchar *interface, const gchar *method, GVariant *args,
                  GDBusMethodInvocation *invocation, gpointer data)
{
    const char *callback = NULL;

    (void)connection, (void)path, (void)interface, (void)data;
    g_variant_get_child(args, 0, "&o", &callback);
    g_dbus_method_invocation_return_value(invocation, NULL);
    if (strcmp(method, "BeginPrompting") == 0) {
        ready(sender, callback, "");
    } else if (strcmp(method, "PerformPrompt") == 0) {
        if (command != NULL && system(command) != 0) /* NOLINT: a test's own command */
            fprintf(stderr, "keyring-peer: '%s' failed\n", command);
        puts("prompt");
        fflush(stdout);
        if (!hangs)
            ready(sender, callback, "no");
    } else {
        g_dbus_connection_call(bus, sender, callback, PROMPTER ".Callback", "PromptDone", NULL,
                               NULL, G_DBUS_CALL_FLAGS_NONE, TIMEOUT_MS, NULL, NULL, NULL);
    }
}

static void owned(GDBusConnection *connection, const gchar *name, gpointer data)
{
    (void)connection, (void)name, (void)data;
    puts("ready");
    fflush(stdout);
}

static int prompter(char **argv)
{
    static const char xml[] =
        "<node><interface name='" PROMPTER "'>"
        "<method name='BeginPrompting'><arg type='o' direction='in'/></method>"
        "<method name='PerformPrompt'><arg type='o' direction='in'/><arg type='s' direction='in'/>"
        "<arg type='a{sv}' direction='in'/><arg type='s' direction='in'/></method>"
        "<method name='StopPrompting'><arg type='o' direction='in'/></method>"
        "</interface></node>";
    static const GDBusInterfaceVTable table = { .method_call = asked };
    GError *error = NULL;

    hangs = strcmp(argv[0], "hang") == 0;
    command = argv[1];
    GDBusNodeInfo *node = g_dbus_node_info_new_for_xml(xml, &error);
    check(error);
    (void)g_dbus_connection_register_object(bus, "/org/gnome/keyring/Prompter", node->interfaces[0],
                                            &table, NULL, NULL, &error);
    check(error);
    (void)g_bus_own_name_on_connection(bus, "org.gnome.keyring.SystemPrompter",
                                       G_BUS_NAME_OWNER_FLAGS_NONE, owned, NULL, NULL, NULL);
    g_main_loop_run(g_main_loop_new(NULL, FALSE));
    return EXIT_SUCCESS;
}

/* ---- which ---------------------------------------------------------------------------------- */

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        int words;
        int (*run)(char **argv);
    } verbs[] = {
        { "unlock", 2, unlock }, { "create", 2, create }, { "items", 1, items },
        { "item", 3, item },     { "lock", 1, lock },     { "prompter", 1, prompter },
    };
    GError *error = NULL;

    for (size_t i = 0; argc > 1 && i < G_N_ELEMENTS(verbs); i++) {
        if (strcmp(argv[1], verbs[i].name) != 0 || argc - 2 < verbs[i].words)
            continue;
        bus = g_bus_get_sync(G_BUS_TYPE_SESSION, NULL, &error);
        check(error);
        const int rc = verbs[i].run(argv + 2);
        (void)fflush(stdout);
        _exit(rc); /* nothing is freed here, and no sanitizer shall count it */
    }
    fprintf(stderr, "usage: keyring-peer unlock|create|lock|items|item|prompter ...\n");
    return 2;
}
