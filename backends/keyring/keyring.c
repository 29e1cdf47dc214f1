/* SPDX-License-Identifier: Apache-2.0 */

/*
 * keyring: the desktop's keyring, by the Secret Service API. libsecret keeps the session and encrypts
 * what crosses the bus; requests are GLib's. What an item looks like: item.h; how requests are made
 * and awaited: op.h, link.h; how writes are made of them: edit.h.
 */

#include "keyring.h"

#include "kit/args.h"
#include "link.h"
#include "text.h"

#include <stdlib.h>
#include <string.h>

static const struct kt_option options[] = {
    { "collection", KT_OPTION_STRING, "default",
      "the keyring: an alias (default, login, session), a label, or an object path" },
    { "attributes", KT_OPTION_STRING, NULL,
      "read items of other programs: KEY:VALUE,... with %n for the name" },
    { "allow-master-password", KT_OPTION_FLAG, NULL,
      "unlock GNOME Keyring with a password asked for here, by its internal interface" },
    { .name = NULL },
};

static void keyring_close(void *state)
{
    struct kt_keyring *line = state;

    if (line == NULL)
        return;
    kt_link_leave(line);
    kt_pattern_free(line->pattern);
    free(line->service);
    free(line->collection);
    g_free(line->path);
    if (line->guesses != NULL)
        g_hash_table_unref(line->guesses);
    (void)pthread_mutex_destroy(&line->lock);
    free(line);
}

static int take_pattern(const struct kt_host *host, struct kt_call *call, const char *text,
                        struct kt_keyring *line)
{
    const char *why = kt_pattern_parse(text, &line->pattern);

    if (why == NULL)
        return KT_SUCCESS;
    return host->fail(call, KT_CONFIG_ERROR, "keyring: option 'attributes': %s", why);
}

static int take_collection(const struct kt_host *host, struct kt_call *call, const char *text)
{
    if (text[0] != '\0' && kt_text_is_utf8(text) && !kt_text_has_controls(text) &&
        (text[0] != '/' || (g_variant_is_object_path(text) && text[1] != '\0')))
        return KT_SUCCESS;
    return host->fail(call, KT_CONFIG_ERROR,
                      "keyring: option 'collection': expected an alias, a label or an object path "
                      "such as /org/freedesktop/secrets/collection/login");
}

int kt_keyring_takes(const struct kt_keyring *line, struct kt_call *call, const char *name)
{
    if (name[0] != '\0' && kt_text_is_utf8(name) && !kt_text_has_controls(name))
        return KT_SUCCESS;
    return line->host->fail(call, KT_INVALID,
                            "keyring: the name is empty, has control bytes or is not UTF-8");
}

static int keyring_open(const struct kt_host *host, struct kt_call *call,
                        const struct kt_open_args *args, void **state)
{
    const struct kt_arg *collection = kt_arg_find(args->args, args->nargs, "collection");
    const struct kt_arg *pattern = kt_arg_find(args->args, args->nargs, "attributes");
    struct kt_keyring *line;
    int rc;

    if (args->privileged)
        return host->fail(call, KT_DENIED,
                          "keyring: a privileged program does not talk to a user's bus");
    line = calloc(1, sizeof(*line));
    if (line == NULL)
        return host->fail(call, KT_NO_MEMORY, "keyring: out of memory");
    line->host = host;
    line->master = kt_arg_find(args->args, args->nargs, "allow-master-password") != NULL;
    line->service = strdup(args->service != NULL ? args->service : "");
    line->collection = strdup(collection != NULL ? collection->value : "default");
    (void)pthread_mutex_init(&line->lock, NULL);
    rc = line->service != NULL && line->collection != NULL
             ? take_collection(host, call, line->collection)
             : host->fail(call, KT_NO_MEMORY, "keyring: out of memory");
    if (rc == KT_SUCCESS && pattern != NULL)
        rc = take_pattern(host, call, pattern->value, line);
    if (rc != KT_SUCCESS) {
        keyring_close(line);
        return rc;
    }
    *state = line;
    return KT_SUCCESS;
}

const struct kt_module kt_module = {
    .abi = KT_MODULE_ABI,
    .size = sizeof(struct kt_module),
    .kind = KT_KIND_BACKEND,
    .role = KT_ROLE_STORE,
    .protection = KT_CLASS_KEYRING,
    .cas = KT_CAS_COOPERATIVE,
    .naming = KT_NAMING_PLAIN,
    .capabilities = KT_CAP_ATTRS | KT_CAP_DISABLE | KT_CAP_DESTROY | KT_CAP_VERSIONS |
                    KT_CAP_STAGES | KT_CAP_BINARY | KT_CAP_EXPIRES | KT_CAP_LIST | KT_CAP_OWN_ID |
                    KT_CAP_USER_ONLY,
    .value_min = 0,
    .value_max = KT_VALUE_MAX,
    .name_max = KT_NAME_MAX,
    .name = "keyring",
    .version = KT_VERSION,
    .summary = "the desktop's keyring: GNOME Keyring, KeePassXC",
    .options = options,
    .verbs = kt_keyring_verbs,
    .open = keyring_open,
    .close = keyring_close,
    .get = kt_keyring_get,
    .get_many = kt_keyring_get_many,
    .list = kt_keyring_list,
    .versions = kt_keyring_versions,
    .put = kt_keyring_put,
    .stage = kt_keyring_stage,
    .del = kt_keyring_del,
    .fill = kt_keyring_fill,
};
