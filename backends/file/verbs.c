/* SPDX-License-Identifier: Apache-2.0 */
#include "pages.h"
#include "tools.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/** struct report - what is seen inside, to be printed outside the gate */
struct report {
    struct kt_ring ring;
    struct kt_counts counts;
    bool immutable;
};

static int look_body(struct kt_session *s, void *arg)
{
    struct report *r = arg;
    int rc = kt_ring_load(s->conn, &r->ring, &s->fault);

    r->immutable = s->conn->immutable;
    return rc == KT_SUCCESS ? kt_pages_count(s->conn, &r->counts, &s->fault) : rc;
}

static bool never_made(const struct kt_line_state *line, struct kt_call *call)
{
    struct stat st;

    if (stat(line->store->path, &st) == 0 || errno != ENOENT)
        return false;
    if (line->store->secret != NULL) {
        line->host->print(call, "store: %s, not made yet: 'keyturn file create' makes it",
                          line->store->path);
        line->host->print(call, "key:   the secret %s", line->store->secret);
        return true;
    }
    line->host->print(call, "store: %s, not made yet: the first put makes it", line->store->path);
    line->host->print(call, "key:   %s",
                      line->store->passphrase ? "a passphrase will be asked for"
                                              : line->store->key_path);
    return true;
}

/* Could it be made? Only looked at: what there is of the way to it must let us make the rest. */
static int could_make(const struct kt_line_state *line, struct kt_call *call, const char *path)
{
    char *dir = strdup(path), *slash = NULL;
    int error = dir == NULL ? ENOMEM : ENOENT;

    while (error == ENOENT && (slash = strrchr(dir, '/')) != NULL) {
        slash[slash == dir ? 1 : 0] = '\0';
        error = faccessat(AT_FDCWD, dir, W_OK | X_OK, AT_EACCESS) == 0 ? 0 : errno;
        if (slash == dir)
            break;
    }
    if (error != 0)
        (void)line->host->fail(call, error == ENOMEM ? KT_NO_MEMORY : KT_READ_ONLY,
                               "'%s' is not made yet, and cannot be: '%s': %s", path,
                               dir != NULL ? dir : path, strerror(error));
    free(dir);
    return error == 0 ? KT_SUCCESS : error == ENOMEM ? KT_NO_MEMORY : KT_READ_ONLY;
}

/* Can it be opened, and with what? */
static int viable(void *state, struct kt_call *call, const struct kt_arg *args, size_t nargs)
{
    const struct kt_line_state *line = state;
    struct report r = { .immutable = false };
    int rc;

    (void)args;
    (void)nargs;
    if (never_made(line, call))
        return could_make(line, call, line->store->path);
    rc = kt_store_run(line->store, call, KT_LOOK, look_body, &r);
    if (rc != KT_SUCCESS)
        return rc;
    line->host->print(call, "store: %s", line->store->path);
    kt_slots_print(line, call, &r.ring);
    rc = kt_store_run(line->store, call, KT_READ, kt_store_nothing, NULL);
    if (rc == KT_SUCCESS)
        line->host->print(call, "it can be opened%s", r.immutable ? ", for reading only" : "");
    return rc;
}

/* What is known without a key. */
static int status(void *state, struct kt_call *call, const struct kt_arg *args, size_t nargs)
{
    const struct kt_line_state *line = state;
    struct report r = { .immutable = false };
    int rc;

    (void)args;
    (void)nargs;
    if (never_made(line, call))
        return KT_SUCCESS;
    rc = kt_store_run(line->store, call, KT_LOOK, look_body, &r);
    if (rc != KT_SUCCESS)
        return rc;
    line->host->print(call, "store:     %s%s", line->store->path,
                      r.immutable ? " (read-only medium)" : "");
    line->host->print(call, "format:    %d", r.ring.format);
    line->host->print(call, "secrets:   %lld", (long long)r.counts.secrets);
    line->host->print(call, "versions:  %lld", (long long)r.counts.versions);
    line->host->print(call, "data keys: %zu", r.ring.ndatakeys);
    kt_slots_print(line, call, &r.ring);
    return KT_SUCCESS;
}

const struct kt_verb kt_file_verbs[] = {
    { "viable", "say where the store is, and whether it can be opened", NULL, viable },
    { "status", "say what is in the store: secrets, versions, slots, data keys", NULL, status },
    { "create", "make the store now, and say what is to open it", kt_create_options,
      kt_file_create },
    { "check", "look at every page, row and seal, and name what is damaged", NULL, kt_file_check },
    { "slot add", "add something that opens the store: a passphrase, a key file, a secret, a code",
      kt_slot_add_options, kt_file_slot_add },
    { "slot remove", "take away something that opens it", kt_slot_remove_options,
      kt_file_slot_remove },
    { "slot list", "say what opens the store", NULL, kt_file_slot_list },
    { "re-encrypt", "seal everything under a new data key, while others read and write", NULL,
      kt_file_reencrypt },
    { "compact", "give back the room of what was removed, in place", NULL, kt_file_compact },
    { "backup", "copy the store, as it is, while others use it", kt_backup_options,
      kt_file_backup },
    { "restore", "put a backup in the store's place", kt_restore_options, kt_file_restore },
    { "export", "copy the secrets to an archive under a passphrase", kt_export_options,
      kt_file_export },
    { "import", "copy the secrets of an archive into the store", kt_import_options,
      kt_file_import },
    { .name = NULL },
};
