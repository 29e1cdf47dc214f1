/* SPDX-License-Identifier: Apache-2.0 */
#include "found.h"
#include "row.h"

#include <stdlib.h>
#include <string.h>

static int damaged(struct kt_session *s, const char *name, const char *what)
{
    return kt_fault(&s->fault, KT_CORRUPT,
                    "'%.200s' in %.100s is damaged (%s); restore a backup or delete the secret",
                    name, s->store->path, what);
}

void kt_found_done(const struct kt_host *host, struct kt_found *found)
{
    for (size_t i = 0; i < found->nopened; i++)
        host->secret_free(found->opened[i].plain);
    kt_head_done(&found->head);
    if (found->plain != NULL)
        explicit_bzero(found->plain, found->plain_len);
    free(found->plain);
    *found = (struct kt_found){ .exists = false };
}

struct kt_body *kt_found_body(struct kt_found *found)
{
    size_t i = 0;

    while (found->opened[i].index != found->picked)
        i++;
    return &found->opened[i].body;
}

int kt_found_head(struct kt_session *s, int64_t dk, struct kt_bytes sealed, const char *name,
                  struct kt_found *out)
{
    const char *called = name != NULL ? name : "a secret";
    uint8_t tag[KT_TAG_SIZE];
    struct kt_bytes key;
    int rc = kt_session_datakey(s, dk, &key);

    if (rc == KT_CORRUPT)
        return damaged(s, called, "its data key");
    if (rc != KT_SUCCESS)
        return rc;
    out->plain_len = sealed.len - KT_SEAL_EXTRA;
    out->plain = malloc(out->plain_len + 1);
    if (out->plain == NULL)
        return kt_fault(&s->fault, KT_NO_MEMORY, "out of memory");
    rc = kt_row_open(s, (struct kt_row_place){ out->tag, "", 0 }, key, sealed, out->plain);
    if (rc == KT_CORRUPT)
        return damaged(s, called, "its head does not open");
    if (rc == KT_SUCCESS)
        rc = kt_head_decode(out->plain, out->plain_len, &out->head);
    if (rc == KT_NO_MEMORY)
        return kt_fault(&s->fault, KT_NO_MEMORY, "out of memory");
    if (rc != KT_SUCCESS)
        return damaged(s, called, "its head makes no sense");
    if (name != NULL && strcmp(out->head.name, name) != 0)
        return damaged(s, called, "its head is another's");
    if (name == NULL) {
        kt_keys_tag(s->keys, out->head.name, tag);
        if (memcmp(tag, out->tag, sizeof(tag)) != 0)
            return damaged(s, called, "its head is another's");
    }
    out->exists = true;
    return KT_SUCCESS;
}

static int open_row(struct kt_session *s, const struct kt_found *found, const struct kt_entry *e,
                    int64_t dk, struct kt_bytes sealed, struct kt_opened *out)
{
    size_t len;
    struct kt_bytes key;
    int rc = kt_session_datakey(s, dk, &key);

    if (rc == KT_CORRUPT)
        return damaged(s, found->head.name, "the data key of a version");
    if (rc != KT_SUCCESS)
        return rc;
    if (sealed.len < KT_SEAL_EXTRA)
        return damaged(s, found->head.name, "a version is cut short");
    len = sealed.len - KT_SEAL_EXTRA;
    out->index = (size_t)(e - found->head.entries);
    out->plain = s->host->secret_alloc(len + 1, 0);
    if (out->plain == NULL)
        return kt_fault(&s->fault, KT_NO_MEMORY, "out of memory");
    rc = kt_row_open(s, (struct kt_row_place){ found->tag, e->id, e->generation }, key, sealed,
                     out->plain);
    if (rc == KT_NO_MEMORY)
        return rc;
    if (rc != KT_SUCCESS)
        return damaged(s, found->head.name, "a version does not open");
    if (kt_body_decode(out->plain, len, &out->body) != KT_SUCCESS || out->body.len != e->length)
        return damaged(s, found->head.name, "a version makes no sense");
    return KT_SUCCESS;
}

/** struct visit - how the rows are looked at; @name or @tag says whose */
struct visit {
    const char *name;
    const uint8_t *tag;
    struct kt_pick pick;
    kt_row_fn *row;
    void *arg;
    size_t next; /* index of the version that the next row must be */
};

static size_t pick_version(const struct kt_head *h, struct kt_pick pick)
{
    if (pick.id != NULL)
        return kt_head_find(h, pick.id, NULL);
    return pick.stage != 0 ? kt_head_staged(h, pick.stage) : h->n;
}

static const char *called(const struct visit *v)
{
    return v->name != NULL ? v->name : "a secret";
}

static int take_version(struct kt_session *s, struct visit *v, struct kt_found *out, const char *id,
                        int64_t dk, struct kt_bytes sealed)
{
    const struct kt_entry *e;
    struct kt_opened o = { .plain = NULL };
    int rc = KT_SUCCESS;

    if (!out->exists)
        return damaged(s, called(v), "its head is missing");
    e = &out->head.entries[v->next];
    if (v->next == out->head.n || strcmp(e->id, id) != 0)
        return damaged(s, called(v), "its versions are not those of its head");
    if (v->row != NULL) {
        rc = open_row(s, out, e, dk, sealed, &o);
        if (rc == KT_SUCCESS)
            rc = v->row(out, e, &o.body, v->arg);
        s->host->secret_free(o.plain);
    } else if (v->next == out->picked || (v->pick.staged && e->stages != 0)) {
        rc = open_row(s, out, e, dk, sealed, &out->opened[out->nopened++]);
    }
    v->next++;
    return rc;
}

static int take_row(struct kt_session *s, struct visit *v, struct kt_found *out, sqlite3_stmt *q)
{
    const char *id = (const char *)sqlite3_column_text(q, 0);
    const int64_t dk = sqlite3_column_int64(q, 1);
    struct kt_bytes sealed = { "", 0 };
    int rc;

    /* bytes that read like an id are none: an empty one would be a second head */
    if (sqlite3_column_type(q, 0) != SQLITE_TEXT || id == NULL ||
        strlen(id) != (size_t)sqlite3_column_bytes(q, 0))
        return damaged(s, called(v), "a row");
    if (!kt_conn_blob(q, 2, KT_SEAL_EXTRA, KT_SEALED_MAX, &sealed))
        sealed.len = 0; /* an error of whoever opens it */
    if (id[0] != '\0')
        return take_version(s, v, out, id, dk, sealed);
    if (out->exists)
        return damaged(s, called(v), "it has two heads");
    if (sealed.len == 0)
        return damaged(s, called(v), "its head is cut short");
    rc = kt_found_head(s, dk, sealed, v->name, out);
    if (rc == KT_SUCCESS)
        out->picked = pick_version(&out->head, v->pick);
    return rc;
}

int kt_found_same_store(struct kt_session *s)
{
    int64_t format = 0;

    if (!kt_conn_known(s->conn)->store && !kt_conn_store_row(s->conn, &format))
        return kt_fault(&s->fault, KT_CORRUPT,
                        "%s is damaged (its own row); restore it from a backup", s->store->path);
    kt_conn_know(s->conn, 0, true);
    if (memcmp(s->conn->store_id, s->keys->store_id, KT_STORE_ID_SIZE) != 0)
        return kt_fault(&s->fault, KT_CORRUPT, "%s has become another store", s->store->path);
    return KT_SUCCESS;
}

static int visit_rows(struct kt_session *s, struct visit *v, struct kt_found *out)
{
    sqlite3_stmt *q = kt_conn_stmt(s->conn, KT_SQL_ROWS, &s->fault);
    int rc = KT_SUCCESS;
    int code = SQLITE_DONE;

    *out = (struct kt_found){ .exists = false };
    if (q == NULL)
        return s->fault.status;
    if (v->tag != NULL)
        memcpy(out->tag, v->tag, KT_TAG_SIZE);
    else
        kt_keys_tag(s->keys, v->name, out->tag);
    (void)sqlite3_bind_blob(q, 1, out->tag, sizeof(out->tag), SQLITE_STATIC);
    while (rc == KT_SUCCESS && (code = sqlite3_step(q)) == SQLITE_ROW)
        rc = take_row(s, v, out, q);
    (void)sqlite3_reset(q);
    (void)sqlite3_clear_bindings(q);
    if (rc != KT_SUCCESS)
        return rc;
    if (code != SQLITE_DONE)
        return kt_conn_fault(s->conn, code, "read", &s->fault);
    if (v->next != out->head.n)
        return damaged(s, called(v), "a version is missing");
    return out->exists ? KT_SUCCESS : kt_found_same_store(s);
}

int kt_found_load(struct kt_session *s, const char *name, struct kt_pick pick, struct kt_found *out)
{
    return visit_rows(s, &(struct visit){ .name = name, .pick = pick }, out);
}

int kt_found_all(struct kt_session *s, const char *name, kt_row_fn *row, void *arg,
                 struct kt_found *out)
{
    return visit_rows(s, &(struct visit){ .name = name, .row = row, .arg = arg }, out);
}

int kt_found_at(struct kt_session *s, const uint8_t tag[KT_TAG_SIZE], kt_row_fn *row, void *arg,
                struct kt_found *out)
{
    return visit_rows(s, &(struct visit){ .tag = tag, .row = row, .arg = arg }, out);
}

int kt_found_next(struct kt_session *s, const uint8_t after[KT_TAG_SIZE], uint8_t tag[KT_TAG_SIZE])
{
    sqlite3_stmt *q = kt_conn_stmt(s->conn, KT_SQL_NEXT, &s->fault);
    struct kt_bytes found;
    int code;
    int rc = KT_SUCCESS;

    if (q == NULL)
        return s->fault.status;
    /* an empty blob comes before all tags */
    (void)sqlite3_bind_blob(q, 1, after != NULL ? (const void *)after : "",
                            after != NULL ? KT_TAG_SIZE : 0, SQLITE_STATIC);
    code = sqlite3_step(q);
    if (code == SQLITE_DONE)
        rc = KT_NOT_FOUND;
    else if (code != SQLITE_ROW)
        rc = kt_conn_fault(s->conn, code, "read", &s->fault);
    else if (!kt_conn_blob(q, 0, KT_TAG_SIZE, KT_TAG_SIZE, &found))
        rc = kt_fault(&s->fault, KT_CORRUPT, "%s is damaged (a row); restore it from a backup",
                      s->store->path);
    else
        memcpy(tag, found.data, KT_TAG_SIZE);
    (void)sqlite3_reset(q);
    (void)sqlite3_clear_bindings(q);
    return rc;
}

struct kt_version kt_found_version(const struct kt_found *found, const struct kt_entry *entry,
                                   const struct kt_attr *attrs, size_t nattrs)
{
    return (struct kt_version){
        .size = sizeof(struct kt_version),
        .state = entry->state,
        .stages = entry->stages,
        .id = entry->id,
        .created_ms = entry->created_ms,
        .expires_ms = entry->expires_ms,
        .not_before_ms = entry->not_before_ms,
        .asof = found->head.asof,
        .attrs = attrs,
        .nattrs = nattrs,
    };
}
