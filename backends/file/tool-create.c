/* SPDX-License-Identifier: Apache-2.0 */

/* `keyturn file create`: what the first put would do, and more: several slots at once. */

#include "tools.h"
#include "unlock.h"

#include <stdlib.h>

const struct kt_option kt_create_options[] = {
    { "passphrase", KT_OPTION_FLAG, NULL, "ask for a passphrase that opens the store" },
    { "keyfile", KT_OPTION_PATH, NULL,
      "a key file that opens it; made if it is not there; by default the line's" },
    { "secret", KT_OPTION_STRING, NULL,
      "SERVICE/NAME, a secret of another service that opens it; made if it is not there" },
    { "recovery", KT_OPTION_FLAG, NULL, "make a recovery code besides, and show it once" },
    { "label", KT_OPTION_STRING, NULL, "what to call these slots, at most 64 bytes" },
    { "no-recovery", KT_OPTION_FLAG, NULL, "let a secret alone open the store" },
    { .name = NULL },
};

static int look_body(struct kt_session *s, void *arg)
{
    return kt_ring_load(s->conn, arg, &s->fault);
}

static int print_made(const struct kt_line_state *line, struct kt_call *call,
                      const struct kt_recipe *r)
{
    struct kt_ring *ring = calloc(1, sizeof(*ring));
    int rc;

    line->host->print(call, "made %s", line->store->path);
    if (r->code != NULL)
        kt_code_print(line->host, call, r->code);
    if (r->keyfile != NULL)
        kt_keyfile_print(line, call, r->keyfile);
    if (ring == NULL)
        return line->host->fail(call, KT_NO_MEMORY, "file: out of memory");
    rc = kt_store_run(line->store, call, KT_LOOK, look_body, ring);
    if (rc == KT_SUCCESS)
        kt_slots_print(line, call, ring);
    free(ring);
    return rc;
}

static const char *value_of(const struct kt_arg *arg)
{
    return arg != NULL ? arg->value : NULL;
}

KT_TOOL(kt_file_create)
{
    const struct kt_line_state *line = state;
    const struct kt_store *store = line->store;
    const struct kt_arg *label = kt_arg_find(args, nargs, "label");
    struct kt_recipe r = { .passphrase = kt_arg_find(args, nargs, "passphrase") != NULL,
                           .recovery = kt_arg_find(args, nargs, "recovery") != NULL,
                           .keyfile = value_of(kt_arg_find(args, nargs, "keyfile")),
                           .secret = value_of(kt_arg_find(args, nargs, "secret")),
                           .label = value_of(label) };
    int rc = kt_label_check(line, call, label);

    if (rc != KT_SUCCESS)
        return rc;
    if (!r.passphrase && r.keyfile == NULL && r.secret == NULL) { /* then as the line says */
        r.passphrase = store->passphrase;
        r.secret = store->secret;
        r.keyfile = store->passphrase || store->secret != NULL ? NULL : store->key_path;
    }
    if (r.secret != NULL && !r.passphrase && r.keyfile == NULL && !r.recovery &&
        kt_arg_find(args, nargs, "no-recovery") == NULL)
        return line->host->fail(call, KT_INVALID,
                                "file: only the secret %s would open %s; say recovery, for a "
                                "recovery code besides, or no-recovery",
                                r.secret, store->path);
    rc = kt_store_create(line->store, call, &r);
    if (rc == KT_SUCCESS)
        rc = print_made(line, call, &r);
    line->host->secret_free(r.code);
    return rc;
}
