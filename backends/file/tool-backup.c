/* SPDX-License-Identifier: Apache-2.0 */

/* backup: the store as it is, sealed as it is. No key is needed; a locked store can be copied. */

#include "gate.h"
#include "pages.h"
#include "part.h"
#include "tools.h"

#include <stdlib.h>
#include <string.h>

const struct kt_option kt_backup_options[] = {
    { "to", KT_OPTION_PATH | KT_OPTION_OPERAND, NULL, "the file to be made" },
    { "replace", KT_OPTION_FLAG, NULL, "a file of this name may go" },
    { .name = NULL },
};

struct backup {
    const struct kt_part *part;
    struct kt_patience patience;
    struct kt_ring ring;
    struct kt_counts counts;
};

/* All that a transaction sees: one instant. Writers are not held up by who reads. */
static int copy_instant(struct kt_session *s, struct backup *b)
{
    int rc = kt_ring_load(s->conn, &b->ring, &s->fault);

    if (rc == KT_SUCCESS)
        rc = kt_pages_count(s->conn, &b->counts, &s->fault);
    if (rc == KT_SUCCESS)
        rc = kt_pages_write(s->conn, b->part->file, &b->patience, &s->fault);
    return rc;
}

/* In one go: a fork of this process waits for it, for a connection that has a transaction open cannot
 * be given up and found again. */
static int backup_body(struct kt_session *s, void *arg)
{
    struct backup *b = arg;
    int code = sqlite3_exec(s->conn->db, "BEGIN", NULL, NULL, NULL);
    int rc;

    kt_part_empty(b->part);
    if (code != SQLITE_OK)
        return kt_conn_fault(s->conn, code, "read", &s->fault);
    rc = copy_instant(s, b);
    (void)sqlite3_exec(s->conn->db, "ROLLBACK", NULL, NULL, NULL);
    return rc;
}

/* Does the copy open, and is it sound and this store's? */
static int verify(const struct backup *b, struct kt_fault *f)
{
    struct kt_conn *c = NULL;
    int rc;

    kt_gate_enter();
    rc = kt_conn_open_still(b->part->file, &c, f);
    if (rc == KT_SUCCESS)
        rc = kt_pages_check(c, false, f);
    if (rc == KT_SUCCESS && memcmp(c->store_id, b->ring.store_id, KT_STORE_ID_SIZE) != 0)
        rc = kt_fault(f, KT_CORRUPT, "the copy is another store's");
    if (c != NULL)
        kt_conn_close(c, false);
    kt_gate_leave();
    return rc;
}

static int make(const struct kt_line_state *line, struct kt_call *call, struct backup *b,
                struct kt_fault *f)
{
    int rc = kt_store_try(line->store, call, KT_LOOK, backup_body, b, f);

    if (rc == KT_NOT_FOUND)
        return kt_fault(f, KT_NOT_FOUND, "%s was never made: there is nothing to back up",
                        line->store->path);
    if (rc == KT_SUCCESS)
        rc = verify(b, f);
    if (rc == KT_CORRUPT)
        return kt_fault(f, KT_CORRUPT,
                        "%s is damaged, no backup was made of it: 'keyturn file check' says more",
                        line->store->path);
    return rc == KT_SUCCESS ? kt_part_name(b->part, f) : rc;
}

static void print_what_opens(const struct kt_line_state *line, struct kt_call *call,
                             const struct kt_ring *ring)
{
    for (size_t i = 0; i < ring->nslots; i++) {
        const struct kt_slot *slot = &ring->slots[i];

        if (!slot->whole)
            continue;
        if (strcmp(slot->kind, "keyfile") == 0)
            line->host->print(call, "opened by: a key file (here: %s)", line->store->key_path);
        else if (strcmp(slot->kind, "secret") == 0)
            line->host->print(call, "opened by: the secret %.*s", (int)slot->params_len,
                              (const char *)slot->params);
        else
            line->host->print(call, "opened by: a %s",
                              strcmp(slot->kind, "recovery") == 0 ? "recovery code" : slot->kind);
    }
    line->host->print(call, "what opens it is not in it: keep that too, in another place; both are "
                            "needed");
}

KT_TOOL(kt_file_backup)
{
    const struct kt_line_state *line = state;
    const struct kt_arg *to = kt_arg_find(args, nargs, "to");
    struct kt_part part = { .fd = -1 };
    struct backup *b;
    struct kt_fault f;
    int rc;

    if (to == NULL)
        return line->host->fail(call, KT_INVALID, "file: where to? say 'keyturn file backup PATH'");
    b = calloc(1, sizeof(*b));
    if (b == NULL)
        return line->host->fail(call, KT_NO_MEMORY, "file: out of memory");
    b->part = &part;
    b->patience = (struct kt_patience){ line->host, call, line->host->cancel_fd(call) };
    rc = kt_part_begin(line->store, to->value, kt_arg_find(args, nargs, "replace") != NULL, &part,
                       &f);
    if (rc == KT_SUCCESS)
        rc = make(line, call, b, &f);
    if (rc == KT_SUCCESS) {
        line->host->print(call, "backup: %s, of %s", part.path, line->store->path);
        line->host->print(call, "secrets: %lld, versions: %lld", (long long)b->counts.secrets,
                          (long long)b->counts.versions);
        print_what_opens(line, call, &b->ring);
    }
    kt_part_end(&part);
    free(b);
    return rc == KT_SUCCESS ? rc : kt_store_tell(line->host, call, &f);
}
