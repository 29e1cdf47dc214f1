/* SPDX-License-Identifier: Apache-2.0 */

/*
 * import: what an archive has and the store has not. A batch at a time, so that others can write in
 * between; what was done already is found done, so it can be run again after a failure.
 */

#include "archive.h"
#include "gate.h"
#include "merge.h"
#include "pages.h"
#include "part.h"
#include "place.h"
#include "tools.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define BATCH_SECRETS 128
#define BATCH_BYTES (1 << 20)
#define BATCH_NOTES 64
#define NOTE_SIZE 800

const struct kt_option kt_import_options[] = {
    { "from", KT_OPTION_PATH | KT_OPTION_OPERAND, NULL, "the archive, or a backup" },
    { "archive-key", KT_OPTION_PATH, NULL, "the key file of a backup; default the store's own" },
    { "replace", KT_OPTION_FLAG, NULL, "current, previous and pending become the archive's" },
    { "dry-run", KT_OPTION_FLAG, NULL, "only say what would be done" },
    { "skip-damaged", KT_OPTION_FLAG, NULL, "leave out what cannot be read, and name it" },
    { .name = NULL },
};

struct importing {
    struct kt_archive archive;
    struct kt_merge merge; /* its counts are the batch's */
    struct kt_merge_counts all;
    bool skip;
    uint8_t after[KT_TAG_SIZE]; /* the last tag of the batch before; @begun: there was one */
    bool begun;
    /* of the batch */
    uint8_t last[KT_TAG_SIZE];
    bool ended;
    char notes[BATCH_NOTES][NOTE_SIZE]; /* to be printed outside the gate */
    size_t nnotes;
    uint64_t unsaid;
};

/* ---- a batch -------------------------------------------------------------------------------- */

static void take_note(void *arg, const char *text)
{
    struct importing *i = arg;

    if (i->nnotes < BATCH_NOTES)
        (void)snprintf(i->notes[i->nnotes++], NOTE_SIZE, "%s", text);
    else
        i->unsaid++;
}

static int savepoint(struct kt_session *to, const char *sql)
{
    int code;

    if (to == NULL || !to->write)
        return KT_SUCCESS;
    code = sqlite3_exec(to->conn->db, sql, NULL, NULL, NULL);
    return code == SQLITE_OK ? KT_SUCCESS : kt_conn_fault(to->conn, code, "write", &to->fault);
}

/* What the store cannot read is looked at a second time first; the archive stays as it is. */
static bool can_skip(const struct importing *i, const struct kt_session *to, int rc)
{
    return rc == KT_CORRUPT && i->skip && (i->merge.failed || (to != NULL && to->tries > 1));
}

static int next_secret(struct importing *i, struct kt_session *to)
{
    const struct kt_merge_counts before = i->merge.counts;
    const struct kt_fault *why;
    char text[NOTE_SIZE];
    int rc = savepoint(to, "SAVEPOINT secret");

    if (rc != KT_SUCCESS)
        return rc;
    rc = kt_merge_secret(&i->merge, i->last, to);
    if (can_skip(i, to, rc)) {
        why = i->merge.failed ? &i->archive.s.fault : &to->fault;
        (void)snprintf(text, sizeof(text), "left out: %s", why->msg);
        i->merge.counts = before;
        i->merge.counts.damaged++;
        take_note(i, text);
        i->merge.failed = false;
        rc = savepoint(to, "ROLLBACK TO secret");
    }
    i->merge.counts.seen++;
    return rc == KT_SUCCESS ? savepoint(to, "RELEASE secret") : rc;
}

static int fill_batch(struct importing *i, struct kt_session *to)
{
    struct kt_merge *m = &i->merge;
    int rc = KT_SUCCESS;

    m->counts = (struct kt_merge_counts){ .seen = 0 };
    m->bytes = 0;
    m->failed = false;
    i->nnotes = 0;
    i->unsaid = 0;
    i->ended = false;
    memcpy(i->last, i->after, sizeof(i->last));
    while (rc == KT_SUCCESS && m->counts.seen < BATCH_SECRETS && m->bytes < BATCH_BYTES) {
        rc = kt_found_next(&i->archive.s, i->begun || m->counts.seen > 0 ? i->last : NULL, i->last);
        i->ended = rc == KT_NOT_FOUND;
        if (i->ended)
            return KT_SUCCESS;
        m->failed = rc != KT_SUCCESS;
        if (rc == KT_SUCCESS)
            rc = next_secret(i, to);
    }
    return rc;
}

static int import_body(struct kt_session *s, void *arg)
{
    struct importing *i = arg;
    int rc = kt_archive_sound(&i->archive, &s->fault);

    if (rc != KT_SUCCESS)
        return rc;
    rc = fill_batch(i, s);
    if (i->merge.failed && rc != KT_SUCCESS)
        s->fault = i->archive.s.fault;
    return rc;
}

/* Dry, and there is no store: everything would be new. */
static int look_alone(struct importing *i, struct kt_fault *f)
{
    int rc = kt_archive_enter(&i->archive, f);

    if (rc != KT_SUCCESS)
        return rc;
    rc = fill_batch(i, NULL);
    kt_archive_leave();
    if (rc != KT_SUCCESS)
        *f = i->archive.s.fault;
    return rc;
}

/* ---- all of it ------------------------------------------------------------------------------ */

static bool is_there(const struct kt_store *store)
{
    struct stat st;

    return stat(store->path, &st) == 0 || errno != ENOENT;
}

static int run_batch(const struct kt_line_state *line, struct kt_call *call, struct importing *i,
                     struct kt_fault *f)
{
    if (!i->merge.dry)
        return kt_store_try(line->store, call, KT_WRITE_CREATE, import_body, i, f);
    if (is_there(line->store))
        return kt_store_try(line->store, call, KT_READ, import_body, i, f);
    return look_alone(i, f);
}

static void add_up(struct importing *i)
{
    const struct kt_merge_counts *b = &i->merge.counts;

    i->all.seen += b->seen;
    i->all.made += b->made;
    i->all.changed += b->changed;
    i->all.same += b->same;
    i->all.versions += b->versions;
    i->all.conflicts += b->conflicts;
    i->all.damaged += b->damaged;
}

static int go_on(const struct kt_host *host, struct kt_call *call, struct kt_fault *f)
{
    const int rc = kt_fault_pause(f, host, call, 0);

    if (rc == KT_SUCCESS && host->left_ms(call) == 0)
        return kt_fault(f, KT_TIMEOUT, "the import was not at its end in time; run it again");
    return rc;
}

static int walk(const struct kt_line_state *line, struct kt_call *call, struct importing *i,
                uint64_t total, struct kt_fault *f)
{
    int rc = KT_SUCCESS;

    while (rc == KT_SUCCESS && !i->ended) {
        rc = run_batch(line, call, i, f);
        if (rc != KT_SUCCESS)
            return rc;
        for (size_t n = 0; n < i->nnotes; n++)
            line->host->print(call, "%s", i->notes[n]);
        if (i->unsaid > 0)
            line->host->print(call, "and %llu more", (unsigned long long)i->unsaid);
        add_up(i);
        memcpy(i->after, i->last, sizeof(i->after));
        i->begun = true;
        line->host->progress(call, i->all.seen, total);
        rc = go_on(line->host, call, f);
    }
    return rc;
}

static int count(struct importing *i, struct kt_counts *out, struct kt_fault *f)
{
    int rc = kt_archive_enter(&i->archive, f);

    if (rc != KT_SUCCESS)
        return rc;
    rc = kt_pages_count(i->archive.s.conn, out, f);
    kt_archive_leave();
    return rc;
}

static int import_all(const struct kt_line_state *line, struct kt_call *call, struct importing *i,
                      const char *path, const char *key_path, struct kt_fault *f)
{
    struct kt_counts counts = { .secrets = 0 };
    struct stat st;
    int rc;

    if (kt_part_is_own(line->store, path))
        return kt_fault(f, KT_INVALID, "%s belongs to the store itself", path);
    rc = kt_archive_open(&i->archive, line->host, call, path, key_path, f);
    if (rc == KT_SUCCESS)
        rc = count(i, &counts, f);
    if (rc == KT_SUCCESS)
        rc = walk(line, call, i, (uint64_t)counts.secrets, f);
    if (rc == KT_SUCCESS && (stat(path, &st) != 0 || !kt_conn_is_current(i->archive.s.conn, &st)))
        rc = kt_fault(f, KT_UNAVAILABLE, "%s changed while it was read; run the import again",
                      path);
    return rc;
}

static void print_end(const struct kt_line_state *line, struct kt_call *call,
                      const struct importing *i)
{
    const struct kt_merge_counts *n = &i->all;
    const char *would = i->merge.dry ? "would be " : "";

    line->host->print(call, "secrets %smade: %llu", would, (unsigned long long)n->made);
    line->host->print(call, "secrets %schanged: %llu", would, (unsigned long long)n->changed);
    line->host->print(call, "secrets unchanged: %llu", (unsigned long long)n->same);
    line->host->print(call, "versions %sadded: %llu", would, (unsigned long long)n->versions);
    line->host->print(call, "conflicts: %llu", (unsigned long long)n->conflicts);
    if (n->damaged > 0)
        line->host->print(call, "left out, damaged: %llu", (unsigned long long)n->damaged);
}

KT_TOOL(kt_file_import)
{
    const struct kt_line_state *line = state;
    const struct kt_arg *from = kt_arg_find(args, nargs, "from");
    const struct kt_arg *key = kt_arg_find(args, nargs, "archive-key");
    struct importing *i;
    char *path = NULL;
    struct kt_fault f;
    int rc;

    if (from == NULL)
        return line->host->fail(call, KT_INVALID,
                                "file: from where? say 'keyturn file import PATH'");
    i = calloc(1, sizeof(*i));
    if (i == NULL)
        return line->host->fail(call, KT_NO_MEMORY, "file: out of memory");
    i->skip = kt_arg_find(args, nargs, "skip-damaged") != NULL;
    i->merge = (struct kt_merge){ .from = &i->archive,
                                  .replace = kt_arg_find(args, nargs, "replace") != NULL,
                                  .dry = kt_arg_find(args, nargs, "dry-run") != NULL,
                                  .note = take_note,
                                  .arg = i };
    rc = kt_place_store(from->value, false, &path, &f);
    if (rc == KT_SUCCESS)
        rc = import_all(line, call, i, path, key != NULL ? key->value : line->store->key_path, &f);
    if (rc == KT_SUCCESS)
        print_end(line, call, i);
    kt_archive_close(&i->archive);
    free(path);
    free(i);
    return rc == KT_SUCCESS ? rc : kt_store_tell(line->host, call, &f);
}
