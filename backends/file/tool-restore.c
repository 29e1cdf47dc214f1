/* SPDX-License-Identifier: Apache-2.0 */

/*
 * restore: a backup in the store's place. Where there is a store its pages are written in one
 * transaction: the file stays the same one, so all who have it open go on and see the backup's state
 * from then on. They keep their keys: the backup is of the same store, whose index key never changes
 * and whose data keys' ids never come again. One that was put over a damaged store may be another's:
 * whoever then finds nothing in it looks whose it is (found.c).
 */

#include "gate.h"
#include "pages.h"
#include "part.h"
#include "place.h"
#include "tools.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const struct kt_option kt_restore_options[] = {
    { "from", KT_OPTION_PATH | KT_OPTION_OPERAND, NULL, "the backup" },
    { "replace", KT_OPTION_FLAG, NULL, "what the store has may go" },
    { .name = NULL },
};

enum found { NO_STORE, SOUND_STORE, DAMAGED_STORE };

struct restore {
    char *from;
    bool replace;
    struct kt_patience patience;
    struct kt_counts backup;
    uint8_t backup_id[KT_STORE_ID_SIZE];
    enum found found;
    struct kt_counts store;
    uint8_t store_id[KT_STORE_ID_SIZE];
    bool known; /* whose it is, though it may be damaged */
};

/* ---- what it is about ----------------------------------------------------------------------- */

static int open_backup(const struct restore *r, struct kt_conn **out, struct kt_fault *f)
{
    const int rc = kt_conn_open_still(r->from, out, f);

    if (rc == KT_NOT_FOUND)
        return kt_fault(f, rc, "there is no backup %s", r->from);
    return rc;
}

static int look_at_backup(struct restore *r, struct kt_fault *f)
{
    struct kt_conn *c = NULL;
    int rc;

    kt_gate_enter();
    rc = open_backup(r, &c, f);
    if (rc == KT_SUCCESS)
        rc = kt_pages_check(c, true, f);
    if (rc == KT_SUCCESS)
        rc = kt_pages_count(c, &r->backup, f);
    if (c != NULL) {
        memcpy(r->backup_id, c->store_id, sizeof(r->backup_id));
        kt_conn_close(c, false);
    }
    kt_gate_leave();
    if (rc == KT_CORRUPT)
        return kt_fault(f, rc,
                        "%s is no backup, or a damaged one; take another. Nothing was restored",
                        r->from);
    if (rc == KT_CONFIG_ERROR && strstr(f->msg, "no keyturn store") != NULL)
        return kt_fault(f, rc, "%s is no backup of a keyturn store", r->from);
    return rc;
}

static int look_body(struct kt_session *s, void *arg)
{
    struct restore *r = arg;

    memcpy(r->store_id, s->conn->store_id, sizeof(r->store_id));
    r->known = true;
    return kt_pages_count(s->conn, &r->store, &s->fault);
}

static int look_at_store(const struct kt_line_state *line, struct kt_call *call, struct restore *r,
                         struct kt_fault *f)
{
    const int rc = kt_store_try(line->store, call, KT_LOOK, look_body, r, f);

    r->found = rc == KT_NOT_FOUND ? NO_STORE : rc == KT_CORRUPT ? DAMAGED_STORE : SOUND_STORE;
    return r->found != SOUND_STORE ? KT_SUCCESS : rc;
}

static int decide(const struct kt_line_state *line, const struct restore *r, struct kt_fault *f)
{
    const char *path = line->store->path;

    if (r->known && memcmp(r->store_id, r->backup_id, sizeof(r->store_id)) != 0)
        return kt_fault(f, KT_CONFLICT,
                        "%s is a backup of another store than %s; restore it to another path=, or "
                        "import it",
                        r->from, path);
    if (r->replace || r->found == NO_STORE ||
        (r->found == SOUND_STORE && r->store.secrets + r->store.versions == 0))
        return KT_SUCCESS;
    if (r->found == DAMAGED_STORE)
        return kt_fault(f, KT_EXISTS,
                        "%s is damaged; say 'replace' to put the backup over it, after you have "
                        "copied it away if something in it may still be of use",
                        path);
    return kt_fault(f, KT_EXISTS,
                    "%s has %lld secrets, %lld versions, the backup %lld, %lld: what it does not "
                    "have will be gone; say 'replace', or import what is missing",
                    path, (long long)r->store.secrets, (long long)r->store.versions,
                    (long long)r->backup.secrets, (long long)r->backup.versions);
}

static void print_plan(const struct kt_line_state *line, struct kt_call *call,
                       const struct restore *r)
{
    const char *path = line->store->path;

    if (r->found == SOUND_STORE)
        line->host->print(call, "now:    %s, secrets: %lld, versions: %lld", path,
                          (long long)r->store.secrets, (long long)r->store.versions);
    else
        line->host->print(call, "now:    %s, %s", path,
                          r->found == NO_STORE ? "not there" : "damaged");
    line->host->print(call, "backup: %s, secrets: %lld, versions: %lld", r->from,
                      (long long)r->backup.secrets, (long long)r->backup.versions);
}

/* ---- doing it, within the writer lock ------------------------------------------------------- */

/** struct copying - a backup, on its way to a place where there is no store */
struct copying {
    struct kt_conn *from;
    const struct kt_patience *patience;
};

static int copy_to(const char *path, void *arg, struct kt_fault *f)
{
    const struct copying *c = arg;

    return kt_pages_write(c->from, path, c->patience, f);
}

static int make_store(struct kt_conn *from, const char *path, const struct restore *r,
                      struct kt_fault *f)
{
    struct copying c = { from, &r->patience };

    return kt_create_by(path, copy_to, &c, f);
}

static int overwrite(struct kt_conn *from, const char *path, const struct restore *r,
                     struct kt_fault *f)
{
    struct kt_conn *to = NULL;
    int rc = kt_conn_open(path, &to, f);

    if (rc == KT_SUCCESS && memcmp(to->store_id, r->store_id, sizeof(r->store_id)) != 0)
        rc = kt_fault(f, KT_CONFLICT, "%s became another store meanwhile", path);
    if (rc == KT_SUCCESS && (to->immutable || sqlite3_db_readonly(to->db, "main") == 1))
        rc = kt_conn_fault(to, SQLITE_READONLY, "write", f);
    if (rc == KT_SUCCESS)
        rc = kt_conn_for_writing(to, f);
    if (rc == KT_SUCCESS)
        rc = kt_pages_copy(from, to, &r->patience, f);
    if (rc == KT_SUCCESS) /* else its log stays as long as the backup */
        (void)sqlite3_wal_checkpoint_v2(to->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
    if (to != NULL)
        kt_conn_close(to, true);
    return rc;
}

static int put_in_place(struct kt_conn *from, const char *path, const struct restore *r,
                        struct kt_fault *f)
{
    switch (r->found) {
    case NO_STORE:
        if (access(path, F_OK) == 0)
            return kt_fault(f, KT_EXISTS, "%s was made by somebody else meanwhile", path);
        return make_store(from, path, r, f);
    case SOUND_STORE:
        return overwrite(from, path, r, f);
    case DAMAGED_STORE:
        break;
    }
    return kt_pages_reset(from, path, &r->patience, f);
}

/* What was written is the backup, and that was not written by others meanwhile. */
static int verify(const struct kt_conn *from, const char *path, const struct restore *r,
                  struct kt_fault *f)
{
    struct kt_conn *c = NULL;
    struct stat st;
    int rc = kt_conn_open(path, &c, f);

    if (rc == KT_SUCCESS && memcmp(c->store_id, r->backup_id, sizeof(r->backup_id)) != 0)
        rc = kt_fault(f, KT_CORRUPT, "%s is not what was restored; restore it again", path);
    if (rc == KT_SUCCESS && (stat(r->from, &st) != 0 || !kt_conn_is_current(from, &st)))
        rc = kt_fault(f, KT_CORRUPT, "%s changed while it was restored; restore another", r->from);
    if (c != NULL)
        kt_conn_close(c, false);
    return rc;
}

/* In one go, for it is one transaction: other writers wait for it, and forks of this process. */
static int restore_body(struct kt_session *s, void *arg)
{
    const struct restore *r = arg;
    const char *path = s->store->path;
    struct kt_conn *from = NULL;
    int rc;

    if (s->tries > 1 && s->fault.status == KT_CORRUPT)
        return KT_CORRUPT; /* a second look would show the same */
    rc = open_backup(r, &from, &s->fault);
    if (rc == KT_SUCCESS)
        rc = put_in_place(from, path, r, &s->fault);
    if (rc == KT_SUCCESS)
        rc = verify(from, path, r, &s->fault);
    if (from != NULL)
        kt_conn_close(from, false);
    return rc;
}

static int restore(const struct kt_line_state *line, struct kt_call *call, struct restore *r,
                   struct kt_fault *f)
{
    int rc;

    if (kt_part_is_own(line->store, r->from))
        return kt_fault(f, KT_INVALID, "%s belongs to the store itself", r->from);
    rc = look_at_backup(r, f);
    if (rc == KT_SUCCESS)
        rc = look_at_store(line, call, r, f);
    if (rc == KT_SUCCESS)
        rc = decide(line, r, f);
    if (rc != KT_SUCCESS)
        return rc;
    print_plan(line, call, r);
    if (r->found == NO_STORE) {
        rc = kt_place_make_directory(line->store->path, f);
        if (rc == KT_SUCCESS)
            rc = kt_place_local(line->store->path, f);
    }
    return rc == KT_SUCCESS ? kt_store_try(line->store, call, KT_ALONE, restore_body, r, f) : rc;
}

KT_TOOL(kt_file_restore)
{
    const struct kt_line_state *line = state;
    const struct kt_arg *from = kt_arg_find(args, nargs, "from");
    struct restore r = {
        .replace = kt_arg_find(args, nargs, "replace") != NULL,
        .patience = { line->host, call, line->host->cancel_fd(call) },
    };
    struct kt_fault f;
    int rc;

    if (from == NULL)
        return line->host->fail(call, KT_INVALID,
                                "file: from where? say 'keyturn file restore PATH'");
    rc = kt_place_store(from->value, false, &r.from, &f);
    if (rc == KT_SUCCESS)
        rc = restore(line, call, &r, &f);
    free(r.from);
    if (rc != KT_SUCCESS)
        return kt_store_tell(line->host, call, &f);
    line->host->print(call, "restored; programs that have the store open go on with it");
    return KT_SUCCESS;
}
