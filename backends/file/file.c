/* SPDX-License-Identifier: Apache-2.0 */

/*
 * file: secrets in one SQLite file, sealed. What lies where in it: schema.h; how it is sealed: seal.h
 * and record.h; what opens it: slot.h, unlock.h; how threads, processes and forks share it: gate.h, store.h.
 */

#include "kit/args.h"
#include "ops.h"
#include "place.h"

#include <stdlib.h>
#include <string.h>

static const struct kt_option options[] = {
    { "path", KT_OPTION_PATH, NULL,
      "the store; default keyturn/store.db in $XDG_DATA_HOME, for root /var/lib/keyturn/store.db" },
    { "key", KT_OPTION_PATH, NULL,
      "its key file; default keyturn/store.key in $XDG_CONFIG_HOME, for root "
      "/etc/keyturn/store.key" },
    { "passphrase", KT_OPTION_FLAG, NULL,
      "a store that is made here is protected by a passphrase, not by a key file" },
    { "secret", KT_OPTION_STRING, NULL,
      "a store that 'keyturn file create' makes here is opened by SERVICE/NAME" },
    { .name = NULL },
};

static int file_open(const struct kt_host *host, struct kt_call *call,
                     const struct kt_open_args *args, void **state)
{
    const struct kt_arg *path = kt_arg_find(args->args, args->nargs, "path");
    const struct kt_arg *key = kt_arg_find(args->args, args->nargs, "key");
    const struct kt_arg *passphrase = kt_arg_find(args->args, args->nargs, "passphrase");
    const struct kt_arg *secret = kt_arg_find(args->args, args->nargs, "secret");
    struct kt_line_state *line = calloc(1, sizeof(*line));
    struct kt_fault f;
    char *store_path = NULL;
    char *key_path = NULL;
    int rc;

    if (line == NULL)
        return host->fail(call, KT_NO_MEMORY, "file: out of memory");
    line->host = host;
    rc = kt_place_store(path != NULL ? path->value : NULL, args->privileged, &store_path, &f);
    if (rc == KT_SUCCESS)
        rc = kt_place_key(key != NULL ? key->value : NULL, args->privileged, &key_path, &f);
    if (rc == KT_SUCCESS)
        rc = kt_store_ref(host, store_path, key_path, passphrase != NULL && passphrase->number != 0,
                          secret != NULL ? secret->value : NULL, &line->store, &f);
    free(store_path);
    free(key_path);
    if (rc != KT_SUCCESS) {
        free(line);
        return kt_store_tell(host, call, &f);
    }
    *state = line;
    return KT_SUCCESS;
}

static void file_close(void *state)
{
    struct kt_line_state *line = state;

    if (line == NULL)
        return;
    kt_store_unref(line->store);
    free(line);
}

const struct kt_module kt_module = {
    .abi = KT_MODULE_ABI,
    .size = sizeof(struct kt_module),
    .kind = KT_KIND_BACKEND,
    .role = KT_ROLE_STORE,
    .protection = KT_CLASS_SEALED,
    .cas = KT_CAS_NATIVE,
    .naming = KT_NAMING_PLAIN,
    .capabilities = KT_CAP_ATTRS | KT_CAP_DISABLE | KT_CAP_DESTROY | KT_CAP_VERSIONS |
                    KT_CAP_STAGES | KT_CAP_BINARY | KT_CAP_EXPIRES | KT_CAP_LIST | KT_CAP_OWN_ID,
    .value_min = 0,
    .value_max = KT_VALUE_MAX,
    .name_max = KT_NAME_MAX,
    .name = "file",
    .version = KT_VERSION,
    .summary = "secrets in one encrypted SQLite file",
    .options = options,
    .verbs = kt_file_verbs,
    .open = file_open,
    .close = file_close,
    .get = kt_file_get,
    .list = kt_file_list,
    .versions = kt_file_versions,
    .put = kt_file_put,
    .stage = kt_file_stage,
    .del = kt_file_del,
    .fill = kt_file_fill,
};
