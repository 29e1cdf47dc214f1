/* SPDX-License-Identifier: Apache-2.0 */

/* All but the records: what SQLite says of its pages, the schema, the store's own row, slots, data
 * keys. */

#include "schema.h"
#include "tool-check.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>

#define MESSAGES "100" /* of SQLite's own, at most */
#define STEPS 100000

/* ---- a statement of this file's own ---------------------------------------------------------- */

static sqlite3_stmt *prepare(struct kt_session *s, const char *sql)
{
    sqlite3_stmt *q = NULL;

    return sqlite3_prepare_v2(s->conn->db, sql, -1, &q, NULL) == SQLITE_OK ? q : NULL;
}

static void cannot_read(struct kt_check *c, struct kt_session *s, const char *what)
{
    kt_check_damage(c, "%s cannot be read (%s); restore the store from a backup", what,
                    sqlite3_errmsg(s->conn->db));
}

/* The first column of the only row; false: something else is there. */
static bool number(struct kt_session *s, const char *sql, int64_t *out)
{
    sqlite3_stmt *q = prepare(s, sql);
    const bool found = q != NULL && sqlite3_step(q) == SQLITE_ROW &&
                       sqlite3_column_type(q, 0) == SQLITE_INTEGER;

    if (found)
        *out = sqlite3_column_int64(q, 0);
    (void)sqlite3_finalize(q);
    return found;
}

/* ---- pages ---------------------------------------------------------------------------------- */

/* It takes seconds on a big store, in one go: SQLite knows no other way. A person may cancel it. */
static int cancelled(void *fd)
{
    struct pollfd p = { .fd = *(const int *)fd, .events = POLLIN };

    return poll(&p, 1, 0) > 0 ? 1 : 0;
}

/* SQLite puts several lines in one message. */
static void take_message(struct kt_check *c, const char *text)
{
    if (strcmp(text, "ok") == 0)
        return;
    while (*text != '\0') {
        const size_t n = strcspn(text, "\n");

        if (n > 0 && strncmp(text, "***", 3) != 0)
            kt_check_damage(c, "the database: %.*s; restore the store from a backup",
                            n > 200 ? 200 : (int)n, text);
        text += n + (text[n] == '\n' ? 1 : 0);
    }
}

static int check_pages(struct kt_check *c, struct kt_session *s)
{
    int fd = c->cancel_fd;
    sqlite3_stmt *q = prepare(s, "PRAGMA integrity_check(" MESSAGES ")");
    int code = SQLITE_ERROR;

    if (fd >= 0)
        sqlite3_progress_handler(s->conn->db, STEPS, cancelled, &fd);
    while (q != NULL && (code = sqlite3_step(q)) == SQLITE_ROW)
        take_message(c, (const char *)sqlite3_column_text(q, 0));
    sqlite3_progress_handler(s->conn->db, 0, NULL, NULL);
    (void)sqlite3_finalize(q);
    switch (code & 0xff) {
    case SQLITE_DONE:
        return KT_SUCCESS;
    case SQLITE_INTERRUPT:
        return kt_fault(&s->fault, KT_CANCELLED, "the check was cancelled");
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_FORMAT:
    case SQLITE_ERROR:
        cannot_read(c, s, "the database");
        return KT_SUCCESS;
    default: /* contention, memory, the disk: nothing about what lies there */
        return kt_conn_fault(s->conn, code, "read", &s->fault);
    }
}

/* ---- schema --------------------------------------------------------------------------------- */

/*
 * A schema as lines that can be compared: how a statement was laid out says nothing, a table that was
 * altered is as good as one that was made so.
 */
#define OURS " IN ('store', 'slot', 'datakey', 'record')"
static const char schema_lines[] =
    "SELECT type || ' ' || name FROM sqlite_schema"
    " UNION SELECT 'layout of ' || name || ' ' || wr || ' ' || strict FROM pragma_table_list"
    "  WHERE schema = 'main' AND name" OURS
    " UNION SELECT 'column ' || t.name || '.' || x.name || ' ' || x.type || ' ' || x.\"notnull\""
    "  || ' ' || coalesce(x.dflt_value, '-') || ' ' || x.pk || ' ' || x.hidden"
    "  FROM pragma_table_list t JOIN pragma_table_xinfo(t.name) x"
    "  WHERE t.schema = 'main' AND t.name" OURS
    " UNION SELECT 'order of ' || t.name || '.' || coalesce(x.name, '') || ' ' || x.coll || ' '"
    "  || x.desc || ' ' || x.seqno FROM pragma_table_list t JOIN pragma_index_list(t.name) i"
    "  JOIN pragma_index_xinfo(i.name) x WHERE t.schema = 'main' AND t.name" OURS
    " UNION SELECT 'constraint of ' || name FROM sqlite_schema WHERE name" OURS
    "  AND (sql LIKE '%check%' OR sql LIKE '%references%' OR sql LIKE '%conflict%'"
    "  OR sql LIKE '%collate%')"
    " ORDER BY 1";

static const char *line_of(sqlite3_stmt *q, int code)
{
    return code == SQLITE_ROW ? (const char *)sqlite3_column_text(q, 0) : NULL;
}

/* Both are in order: what one has and the other has not. */
static int compare_lines(struct kt_check *c, sqlite3_stmt *there, sqlite3_stmt *ours)
{
    int a = sqlite3_step(there);
    int b = sqlite3_step(ours);

    while (a == SQLITE_ROW || b == SQLITE_ROW) {
        const char *x = line_of(there, a);
        const char *y = line_of(ours, b);
        const int order = x == NULL ? 1 : y == NULL ? -1 : strcmp(x, y);

        if (order < 0)
            kt_check_damage(c,
                            "the schema has a %.100s, which is not keyturn's; restore the store "
                            "from a backup",
                            x);
        if (order > 0 && a != SQLITE_ROW && a != SQLITE_DONE)
            break;
        if (order > 0)
            kt_check_damage(c, "the schema lacks the %.100s; restore the store from a backup", y);
        if (order <= 0)
            a = sqlite3_step(there);
        if (order >= 0)
            b = sqlite3_step(ours);
    }
    return a;
}

/* What the tables of a store of this format are. */
static int make_model(int64_t format, sqlite3 **model, struct kt_fault *f)
{
    static const char to_1[] =
        "ALTER TABLE slot DROP COLUMN created; ALTER TABLE slot DROP COLUMN label";

    if (sqlite3_open(":memory:", model) != SQLITE_OK ||
        sqlite3_exec(*model, KT_SCHEMA, NULL, NULL, NULL) != SQLITE_OK ||
        (format == 1 && sqlite3_exec(*model, to_1, NULL, NULL, NULL) != SQLITE_OK))
        return kt_fault(f, KT_NO_MEMORY, "out of memory");
    return KT_SUCCESS;
}

static int check_schema(struct kt_check *c, struct kt_session *s, int64_t format)
{
    sqlite3 *model = NULL;
    sqlite3_stmt *ours = NULL;
    sqlite3_stmt *there = prepare(s, schema_lines);
    int rc = KT_SUCCESS;

    if (there == NULL) {
        cannot_read(c, s, "the schema");
        return KT_SUCCESS;
    }
    rc = make_model(format, &model, &s->fault);
    if (rc == KT_SUCCESS && sqlite3_prepare_v2(model, schema_lines, -1, &ours, NULL) != SQLITE_OK)
        rc = kt_fault(&s->fault, KT_NO_MEMORY, "out of memory");
    if (rc == KT_SUCCESS && compare_lines(c, there, ours) != SQLITE_DONE)
        cannot_read(c, s, "the schema");
    (void)sqlite3_finalize(there);
    (void)sqlite3_finalize(ours);
    (void)sqlite3_close(model);
    return rc;
}

/* ---- the store's own row, and what the header repeats of it ----------------------------------- */

static void check_header(struct kt_check *c, struct kt_session *s, int64_t format)
{
    static const char wrong[] =
        "the database's header: its %s is %lld, expected %lld; restore the store from a backup";
    const int64_t application = strtoll(KT_APPLICATION_ID, NULL, 16);
    int64_t n = 0;

    if (number(s, "PRAGMA application_id", &n) && n != application)
        kt_check_damage(c, wrong, "application id", (long long)n, (long long)application);
    if (number(s, "PRAGMA user_version", &n) && n != format)
        kt_check_damage(c, wrong, "user version", (long long)n, (long long)format);
}

static int64_t check_store(struct kt_check *c, struct kt_session *s)
{
    int64_t rows = 0;
    int64_t format = KT_FORMAT;

    c->store_row = kt_conn_store_row(s->conn, &format);
    if (!c->store_row)
        kt_check_damage(c, "the store's own row is not as it was written; restore the store from a "
                           "backup");
    else if (number(s, "SELECT count(*) FROM store", &rows) && rows != 1)
        kt_check_damage(c,
                        "the store has %lld rows of its own, expected one; restore it from a "
                        "backup",
                        (long long)rows);
    if (!c->store_row && format != 1)
        format = KT_FORMAT;
    check_header(c, s, format);
    if (format != KT_FORMAT)
        kt_check_note(c, "the store has format %lld; the next write brings it to format %d",
                      (long long)format, KT_FORMAT);
    return format;
}

/* ---- slots and data keys, as they lie there --------------------------------------------------- */

static bool is_known_kind(const char *kind)
{
    return strcmp(kind, "keyfile") == 0 || strcmp(kind, "passphrase") == 0 ||
           strcmp(kind, "recovery") == 0 || strcmp(kind, "secret") == 0;
}

static int check_slots(struct kt_check *c, struct kt_session *s)
{
    struct kt_ring *ring = calloc(1, sizeof(*ring));
    int rc;

    if (ring == NULL)
        return kt_fault(&s->fault, KT_NO_MEMORY, "out of memory");
    rc = kt_ring_load(s->conn, ring, &s->fault);
    if (rc == KT_CORRUPT)
        cannot_read(c, s, "the table of slots or of data keys");
    for (size_t i = 0; rc == KT_SUCCESS && i < ring->nslots; i++) {
        const struct kt_slot *slot = &ring->slots[i];

        if (!slot->whole)
            kt_check_damage(c,
                            "slot %lld is not as it was written; if another slot opens the "
                            "store, remove this one",
                            (long long)slot->id);
        else if (!is_known_kind(slot->kind))
            kt_check_note(c, "slot %lld is of kind '%s', which this keyturn does not know",
                          (long long)slot->id, slot->kind);
    }
    if (rc == KT_SUCCESS && ring->nslots == 0)
        kt_check_damage(c, "no slot is left that could open the store; restore it from a backup");
    free(ring);
    return rc == KT_CORRUPT ? KT_SUCCESS : rc;
}

static void check_datakey_row(struct kt_check *c, sqlite3_stmt *q, unsigned *in_use)
{
    const int64_t id = sqlite3_column_int64(q, 0);
    const int64_t state = sqlite3_column_int64(q, 1);
    struct kt_bytes wrapped;

    if (sqlite3_column_type(q, 1) != SQLITE_INTEGER ||
        (state != KT_DATAKEY_IN_USE && state != KT_DATAKEY_REPLACED))
        kt_check_damage(c,
                        "data key %lld is in no state that there is; restore the store from a "
                        "backup",
                        (long long)id);
    else if (!kt_conn_blob(q, 2, KT_WRAPPED_SIZE, KT_WRAPPED_SIZE, &wrapped))
        kt_check_damage(c, "data key %lld is cut short; restore the store from a backup",
                        (long long)id);
    else
        *in_use += state == KT_DATAKEY_IN_USE ? 1 : 0;
    c->replaced |= state == KT_DATAKEY_REPLACED;
}

static int check_datakey_rows(struct kt_check *c, struct kt_session *s)
{
    sqlite3_stmt *q = prepare(s, "SELECT id, state, wrapped FROM datakey ORDER BY id");
    unsigned in_use = 0;
    int code = SQLITE_ERROR;

    while (q != NULL && (code = sqlite3_step(q)) == SQLITE_ROW)
        check_datakey_row(c, q, &in_use);
    (void)sqlite3_finalize(q);
    if (code != SQLITE_DONE)
        cannot_read(c, s, "the table of data keys");
    else if (in_use == 0)
        kt_check_damage(c, "no data key is in use, so nothing can be written; restore the store "
                           "from a backup");
    return KT_SUCCESS;
}

int kt_check_base(struct kt_session *s, void *check)
{
    struct kt_check *c = check;
    int64_t format;
    int rc;

    kt_check_forget(c);
    rc = check_pages(c, s);
    if (rc != KT_SUCCESS)
        return rc;
    format = check_store(c, s);
    rc = check_schema(c, s, format);
    /* their sums have the store's id in them */
    if (rc == KT_SUCCESS && c->store_row)
        rc = check_slots(c, s);
    if (rc == KT_SUCCESS)
        rc = check_datakey_rows(c, s);
    return rc == KT_SUCCESS ? kt_check_turn(c, s) : rc;
}

/* ---- data keys, opened ------------------------------------------------------------------------ */

/* Opened anew: a long-lived process may still have what once lay there. */
static int open_datakey(struct kt_check *c, struct kt_session *s, sqlite3_stmt *q)
{
    struct kt_datakey d = { .id = sqlite3_column_int64(q, 0) };
    struct kt_keys *with = NULL;
    struct kt_bytes wrapped;
    struct kt_fault f;
    int rc;

    if (!kt_conn_blob(q, 2, KT_WRAPPED_SIZE, KT_WRAPPED_SIZE, &wrapped))
        return KT_SUCCESS; /* told already */
    memcpy(d.wrapped, wrapped.data, wrapped.len);
    rc = kt_keys_with(s->host, s->keys, &d, &with, &f);
    kt_keys_free(s->host, with);
    if (rc == KT_CORRUPT)
        kt_check_damage(c,
                        "data key %lld does not open: what is sealed under it is lost; restore "
                        "the store from a backup",
                        (long long)d.id);
    else if (rc != KT_SUCCESS)
        s->fault = f;
    return rc == KT_CORRUPT ? KT_SUCCESS : rc;
}

int kt_check_datakeys(struct kt_session *s, void *check)
{
    struct kt_check *c = check;
    sqlite3_stmt *q = kt_conn_stmt(s->conn, KT_SQL_DATAKEYS, &s->fault);
    int code = SQLITE_DONE;
    int rc = KT_SUCCESS;

    kt_check_forget(c);
    if (q == NULL)
        return s->fault.status;
    while (rc == KT_SUCCESS && (code = sqlite3_step(q)) == SQLITE_ROW)
        rc = open_datakey(c, s, q);
    (void)sqlite3_reset(q);
    if (rc == KT_SUCCESS && code != SQLITE_DONE)
        rc = kt_conn_fault(s->conn, code, "read", &s->fault);
    return rc == KT_SUCCESS ? kt_check_turn(c, s) : rc;
}

static bool is_used(const struct kt_check *c, int64_t id)
{
    for (size_t i = 0; i < c->nused; i++)
        if (c->used[i] == id)
            return true;
    return c->nused == KT_CHECK_DATAKEYS; /* more than could be remembered */
}

int kt_check_unused(struct kt_session *s, void *check)
{
    struct kt_check *c = check;
    sqlite3_stmt *q = prepare(s, "SELECT id, state FROM datakey ORDER BY id");

    kt_check_forget(c);
    while (q != NULL && sqlite3_step(q) == SQLITE_ROW)
        if (sqlite3_column_int64(q, 1) == KT_DATAKEY_REPLACED &&
            !is_used(c, sqlite3_column_int64(q, 0)))
            kt_check_note(c,
                          "data key %lld is replaced and seals nothing any more; 'keyturn file "
                          "re-encrypt' drops it",
                          (long long)sqlite3_column_int64(q, 0));
    (void)sqlite3_finalize(q);
    return kt_check_turn(c, s);
}
