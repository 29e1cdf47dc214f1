/* SPDX-License-Identifier: Apache-2.0 */

/*
 * export: the secrets, with all that belongs to them and keyturn's own among them, in a store of one
 * file that one passphrase opens. A batch at a time, each secret as it is at one instant.
 */

#include "archive.h"
#include "gate.h"
#include "pages.h"
#include "part.h"
#include "recovery.h"
#include "row.h"
#include "tools.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BATCH_SECRETS 256
#define BATCH_BYTES (1 << 20)
#define BATCH_DAMAGED 16

const struct kt_option kt_export_options[] = {
    { "to", KT_OPTION_PATH | KT_OPTION_OPERAND, NULL, "the archive to be made" },
    { "prefix", KT_OPTION_STRING, NULL, "only the secret of this name, and what is below it" },
    { "recovery", KT_OPTION_FLAG, NULL, "make a code that opens it, instead of a passphrase" },
    { "replace", KT_OPTION_FLAG, NULL, "a file of this name may go" },
    { "skip-damaged", KT_OPTION_FLAG, NULL, "leave out what cannot be read, and name it" },
    { .name = NULL },
};

/** struct tally - of a batch, and of all */
struct tally {
    uint64_t seen;
    uint64_t secrets;
    uint64_t versions;
    uint64_t damaged;
};

struct exporting {
    struct kt_archive archive;
    struct kt_part part;
    struct kt_recipe recipe;
    const char *prefix;
    bool skip;
    uint8_t after[KT_TAG_SIZE]; /* the last tag of the batch before; @begun: there was one */
    bool begun;
    struct tally all;
    /* of the batch */
    struct tally batch;
    uint8_t last[KT_TAG_SIZE];
    size_t bytes;
    bool ended;
    char damaged[BATCH_DAMAGED][sizeof(((struct kt_fault *)0)->msg)];
    /* of the secret */
    struct kt_row_key key;
    bool failed; /* in the archive */
};

/* ---- one secret ----------------------------------------------------------------------------- */

static int write_plain(struct exporting *e, const char *name, const char *id, uint64_t generation,
                       struct kt_bytes plain)
{
    struct kt_session *to = &e->archive.s;
    uint8_t tag[KT_TAG_SIZE];
    int rc;

    kt_keys_tag(to->keys, name, tag);
    rc = kt_row_write(to, (struct kt_row_place){ tag, id, generation }, e->key, plain);
    e->bytes += plain.len;
    e->failed = rc != KT_SUCCESS;
    return rc;
}

/* KT_IGNORE: not one of those that are asked for. */
static int export_row(const struct kt_found *found, const struct kt_entry *entry,
                      const struct kt_body *body, void *arg)
{
    struct exporting *e = arg;
    const size_t len = kt_body_size(body);
    void *plain;
    int rc;

    if (!kt_archive_has_prefix(found->head.name, e->prefix))
        return KT_IGNORE;
    plain = e->archive.s.host->secret_alloc(len, 0);
    if (plain == NULL) {
        e->failed = true;
        return kt_fault(&e->archive.s.fault, KT_NO_MEMORY, "out of memory");
    }
    kt_body_encode(body, plain);
    rc = write_plain(e, found->head.name, entry->id, entry->generation,
                     (struct kt_bytes){ plain, len });
    e->archive.s.host->secret_free(plain);
    return rc;
}

/* A head holds no keys and no store's id: its bytes stay what they are. */
static int export_head(struct exporting *e, const struct kt_found *found)
{
    if (!kt_archive_has_prefix(found->head.name, e->prefix))
        return KT_SUCCESS;
    e->batch.secrets++;
    e->batch.versions += found->head.n;
    return write_plain(e, found->head.name, "", 0,
                       (struct kt_bytes){ found->plain, found->plain_len });
}

static bool is_wanted(const struct exporting *e, const struct kt_found *found)
{
    return !found->exists || kt_archive_has_prefix(found->head.name, e->prefix);
}

static int export_secret(struct kt_session *s, struct exporting *e)
{
    struct kt_found found;
    int rc;

    e->failed = false;
    rc = kt_found_at(s, e->last, export_row, e, &found);
    if (rc == KT_IGNORE || (rc == KT_CORRUPT && !e->failed && !is_wanted(e, &found)))
        rc = KT_SUCCESS;
    else if (rc == KT_SUCCESS)
        rc = export_head(e, &found);
    if (e->failed)
        s->fault = e->archive.s.fault;
    kt_found_done(s->host, &found);
    return rc;
}

/* ---- a batch -------------------------------------------------------------------------------- */

static int archive_sql(struct kt_session *s, struct exporting *e, const char *sql)
{
    struct kt_conn *c = e->archive.s.conn;
    const int code = sqlite3_exec(c->db, sql, NULL, NULL, NULL);

    return code == SQLITE_OK ? KT_SUCCESS : kt_conn_fault(c, code, "write", &s->fault);
}

static void note_damaged(struct exporting *e, const struct kt_fault *f)
{
    memcpy(e->damaged[e->batch.damaged++], f->msg, sizeof(f->msg));
}

/* What was looked at a second time, and is damaged, is left out if that is what is wanted. */
static int next_secret(struct kt_session *s, struct exporting *e)
{
    int rc = archive_sql(s, e, "SAVEPOINT secret");

    if (rc == KT_SUCCESS)
        rc = export_secret(s, e);
    if (rc == KT_CORRUPT && e->skip && !e->failed && s->tries > 1) {
        note_damaged(e, &s->fault);
        rc = archive_sql(s, e, "ROLLBACK TO secret");
    }
    if (rc == KT_SUCCESS)
        rc = archive_sql(s, e, "RELEASE secret");
    e->batch.seen++;
    return rc;
}

static int fill_batch(struct kt_session *s, struct exporting *e)
{
    struct kt_session *to = &e->archive.s;
    int rc = kt_session_newest(to, &e->key.id, &e->key.key);

    if (rc != KT_SUCCESS) {
        s->fault = to->fault;
        return rc;
    }
    memcpy(e->last, e->after, sizeof(e->last));
    while (rc == KT_SUCCESS && e->batch.seen < BATCH_SECRETS && e->bytes < BATCH_BYTES &&
           e->batch.damaged < BATCH_DAMAGED) {
        rc = kt_found_next(s, e->begun || e->batch.seen > 0 ? e->last : NULL, e->last);
        e->ended = rc == KT_NOT_FOUND;
        if (e->ended)
            return KT_SUCCESS;
        if (rc == KT_SUCCESS)
            rc = next_secret(s, e);
    }
    return rc;
}

static int export_body(struct kt_session *s, void *arg)
{
    struct exporting *e = arg;
    struct kt_conn *c = e->archive.s.conn;
    int rc = kt_archive_sound(&e->archive, &s->fault);

    if (rc != KT_SUCCESS)
        return rc;
    e->batch = (struct tally){ .seen = 0 };
    e->bytes = 0;
    rc = archive_sql(s, e, "BEGIN");
    if (rc == KT_SUCCESS)
        rc = fill_batch(s, e);
    if (rc == KT_SUCCESS)
        rc = archive_sql(s, e, "COMMIT");
    if (sqlite3_get_autocommit(c->db) == 0)
        (void)sqlite3_exec(c->db, "ROLLBACK", NULL, NULL, NULL);
    return rc;
}

/* ---- all of it ------------------------------------------------------------------------------ */

static int count_body(struct kt_session *s, void *arg)
{
    return kt_pages_count(s->conn, arg, &s->fault);
}

/* The host says why a call is over. */
static int go_on(const struct kt_host *host, struct kt_call *call, struct kt_fault *f)
{
    const int rc = kt_fault_pause(f, host, call, 0);

    if (rc == KT_SUCCESS && host->left_ms(call) == 0)
        return kt_fault(f, KT_TIMEOUT, "the archive was not whole in time; it was not made");
    return rc;
}

static int walk(const struct kt_line_state *line, struct kt_call *call, struct exporting *e,
                uint64_t total, struct kt_fault *f)
{
    int rc = KT_SUCCESS;

    while (rc == KT_SUCCESS && !e->ended) {
        rc = kt_store_try(line->store, call, KT_READ, export_body, e, f);
        if (rc != KT_SUCCESS)
            return rc;
        for (size_t i = 0; i < e->batch.damaged; i++)
            line->host->print(call, "left out: %s", e->damaged[i]);
        e->all.seen += e->batch.seen;
        e->all.secrets += e->batch.secrets;
        e->all.versions += e->batch.versions;
        e->all.damaged += e->batch.damaged;
        memcpy(e->after, e->last, sizeof(e->after));
        e->begun = true;
        line->host->progress(call, e->all.seen, total);
        rc = go_on(line->host, call, f);
    }
    return rc;
}

/* Whole, sound, and of the size that it should have. */
static int verify(const struct exporting *e, struct kt_fault *f)
{
    struct kt_conn *c = NULL;
    struct kt_counts counts = { .secrets = 0 };
    int rc;

    kt_gate_enter();
    rc = kt_conn_open_still(e->part.file, &c, f);
    if (rc == KT_SUCCESS)
        rc = kt_pages_check(c, false, f);
    if (rc == KT_SUCCESS)
        rc = kt_pages_count(c, &counts, f);
    if (c != NULL)
        kt_conn_close(c, false);
    kt_gate_leave();
    if (rc == KT_SUCCESS && ((uint64_t)counts.secrets != e->all.secrets ||
                             (uint64_t)counts.versions != e->all.versions))
        rc = kt_fault(f, KT_CORRUPT, "%s was not written as it should; it was not made",
                      e->part.path);
    return rc;
}

static int finish(struct exporting *e, struct kt_fault *f)
{
    int rc = kt_archive_enter(&e->archive, f);

    if (rc == KT_SUCCESS) {
        rc = kt_archive_finish(&e->archive, f);
        kt_archive_leave();
    }
    kt_archive_close(&e->archive);
    if (rc == KT_SUCCESS)
        rc = verify(e, f);
    return rc == KT_SUCCESS ? kt_part_name(&e->part, f) : rc;
}

static int export_all(const struct kt_line_state *line, struct kt_call *call, struct exporting *e,
                      struct kt_fault *f)
{
    struct kt_counts counts = { .secrets = 0 };
    int rc = kt_store_try(line->store, call, KT_LOOK, count_body, &counts, f);

    if (rc == KT_NOT_FOUND)
        return kt_fault(f, rc, "%s was never made: there is nothing to export", line->store->path);
    if (rc == KT_SUCCESS) /* nobody types a passphrase for a store that then stays locked */
        rc = kt_store_try(line->store, call, KT_READ, kt_store_nothing, NULL, f);
    if (rc == KT_SUCCESS)
        rc = kt_archive_make(&e->archive, line->host, call, e->part.file, e->part.path, &e->recipe,
                             f);
    if (rc == KT_SUCCESS)
        rc = walk(line, call, e, (uint64_t)counts.secrets, f);
    return rc == KT_SUCCESS ? finish(e, f) : rc;
}

static void print_end(const struct kt_line_state *line, struct kt_call *call,
                      const struct exporting *e)
{
    char code[KT_RECOVERY_SHOWN_SIZE];

    line->host->print(call, "archive: %s, of %s", e->part.path, line->store->path);
    line->host->print(call, "secrets: %llu, versions: %llu, keyturn's own among them",
                      (unsigned long long)e->all.secrets, (unsigned long long)e->all.versions);
    if (e->all.damaged > 0)
        line->host->print(call, "left out, damaged: %llu", (unsigned long long)e->all.damaged);
    if (e->recipe.code != NULL) {
        kt_recovery_show(e->recipe.code, code);
        line->host->print(call, "opened by: %s", code);
        line->host->print(call, "write that down: it is shown once, and nothing else opens it");
        explicit_bzero(code, sizeof(code));
    } else {
        line->host->print(call, "opened by: the passphrase that was typed, and nothing else");
    }
}

KT_TOOL(kt_file_export)
{
    const struct kt_line_state *line = state;
    const struct kt_arg *to = kt_arg_find(args, nargs, "to");
    const struct kt_arg *prefix = kt_arg_find(args, nargs, "prefix");
    struct exporting *e;
    struct kt_fault f;
    int rc;

    if (to == NULL)
        return line->host->fail(call, KT_INVALID, "file: where to? say 'keyturn file export PATH'");
    e = calloc(1, sizeof(*e));
    if (e == NULL)
        return line->host->fail(call, KT_NO_MEMORY, "file: out of memory");
    e->prefix = prefix != NULL ? prefix->value : NULL;
    e->recipe.recovery = kt_arg_find(args, nargs, "recovery") != NULL;
    e->recipe.passphrase = !e->recipe.recovery;
    e->skip = kt_arg_find(args, nargs, "skip-damaged") != NULL;
    rc = kt_part_begin(line->store, to->value, kt_arg_find(args, nargs, "replace") != NULL,
                       &e->part, &f);
    if (rc == KT_SUCCESS)
        rc = export_all(line, call, e, &f);
    if (rc == KT_SUCCESS)
        print_end(line, call, e);
    kt_archive_close(&e->archive);
    kt_part_end(&e->part);
    line->host->secret_free(e->recipe.code);
    free(e);
    return rc == KT_SUCCESS ? rc : kt_store_tell(line->host, call, &f);
}
