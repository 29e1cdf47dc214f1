/* SPDX-License-Identifier: Apache-2.0 */
#include "found.h"
#include "ops.h"

#include <stdlib.h>
#include <string.h>

/* ---- get ------------------------------------------------------------------------------------ */

struct get {
    const char *name;
    struct kt_pick pick;
    struct kt_found found;
};

/* By id there is nothing to add; by stage, what else there is may be what was meant. */
static int no_version(struct kt_session *s, const struct get *g)
{
    const struct kt_head *head = &g->found.head;
    const size_t pending = kt_head_staged(head, KT_STAGE_PENDING);
    const char *stage = g->pick.stage == KT_STAGE_PENDING    ? "pending"
                        : g->pick.stage == KT_STAGE_PREVIOUS ? "previous"
                                                             : "current";

    if (g->pick.id != NULL)
        return kt_fault(&s->fault, KT_NOT_FOUND, "no such version of '%s'", g->name);
    if (pending == head->n)
        return kt_fault(&s->fault, KT_NOT_FOUND, "'%s' has no %s version", g->name, stage);
    return kt_fault(&s->fault, KT_NOT_FOUND, "'%s' has no %s version; pending is %s", g->name,
                    stage, head->entries[pending].id);
}

static int get_body(struct kt_session *s, void *arg)
{
    struct get *g = arg;
    const struct kt_entry *e;
    int rc;

    kt_found_done(s->host, &g->found);
    rc = kt_found_load(s, g->name, g->pick, &g->found);
    if (rc != KT_SUCCESS)
        return rc;
    if (!g->found.exists)
        return kt_fault(&s->fault, KT_NOT_FOUND, "no secret '%s'", g->name);
    if (g->found.picked == g->found.head.n)
        return no_version(s, g);
    e = &g->found.head.entries[g->found.picked];
    if (e->state != KT_STATE_ENABLED)
        return kt_fault(&s->fault, KT_DISABLED, "version %s of '%s' is %s", e->id, g->name,
                        e->state == KT_STATE_DISABLED ? "disabled" : "destroyed");
    return KT_SUCCESS;
}

int kt_file_get(void *state, struct kt_call *call, const char *name, const struct kt_want *want)
{
    const struct kt_line_state *line = state;
    struct get g = { .name = name, .pick = { .id = want->version, .stage = want->stage } };
    int rc;

    if (want->version == NULL && want->stage == 0)
        g.pick.stage = KT_STAGE_CURRENT;
    rc = kt_store_run(line->store, call, KT_READ, get_body, &g);
    if (rc == KT_SUCCESS) {
        const struct kt_body *b = kt_found_body(&g.found);
        const struct kt_version v = kt_found_version(
            &g.found, &g.found.head.entries[g.found.picked], b->attrs, b->nattrs);

        rc = line->host->give(call, 0, &v, b->data, b->len);
    }
    kt_found_done(line->host, &g.found);
    return rc;
}

/* ---- versions ------------------------------------------------------------------------------- */

/* A copy of a version's attributes, for after the rows are closed; the strings lie behind. */
struct kept {
    struct kept *next; /* of the version before */
    size_t nattrs;
    struct kt_attr attrs[];
};

struct versions {
    const char *name;
    struct kt_found found;
    struct kept *kept; /* of the last version */
};

static void versions_done(const struct kt_host *host, struct versions *v)
{
    while (v->kept != NULL) {
        struct kept *k = v->kept;

        v->kept = k->next;
        free(k);
    }
    kt_found_done(host, &v->found);
}

static struct kept *keep(const struct kt_body *b)
{
    size_t size = sizeof(struct kept) + b->nattrs * sizeof(struct kt_attr);
    struct kept *k;
    char *p;

    for (size_t i = 0; i < b->nattrs; i++)
        size += strlen(b->attrs[i].key) + strlen(b->attrs[i].value) + 2;
    k = malloc(size);
    if (k == NULL)
        return NULL;
    k->nattrs = b->nattrs;
    p = (char *)&k->attrs[b->nattrs];
    for (size_t i = 0; i < b->nattrs; i++) {
        k->attrs[i].key = p;
        p = stpcpy(p, b->attrs[i].key) + 1;
        k->attrs[i].value = p;
        p = stpcpy(p, b->attrs[i].value) + 1;
    }
    return k;
}

static int versions_row(const struct kt_found *found, const struct kt_entry *entry,
                        const struct kt_body *body, void *arg)
{
    struct versions *v = arg;
    struct kept *k = keep(body);

    (void)found;
    (void)entry;
    if (k == NULL)
        return KT_NO_MEMORY;
    k->next = v->kept;
    v->kept = k;
    return KT_SUCCESS;
}

static int versions_body(struct kt_session *s, void *arg)
{
    struct versions *v = arg;
    int rc;

    versions_done(s->host, v);
    rc = kt_found_all(s, v->name, versions_row, v, &v->found);
    if (rc == KT_NO_MEMORY)
        return kt_fault(&s->fault, KT_NO_MEMORY, "out of memory");
    if (rc == KT_SUCCESS && !v->found.exists)
        return kt_fault(&s->fault, KT_NOT_FOUND, "no secret '%s'", v->name);
    return rc;
}

int kt_file_versions(void *state, struct kt_call *call, const char *name)
{
    const struct kt_line_state *line = state;
    struct versions v = { .name = name };
    int rc = kt_store_run(line->store, call, KT_READ, versions_body, &v);

    /* the last first, as they are kept */
    const struct kept *k = v.kept;
    for (size_t i = v.found.head.n; rc == KT_SUCCESS && k != NULL; k = k->next) {
        const struct kt_version told = kt_found_version(&v.found, &v.found.head.entries[--i],
                                                        k->attrs, k->nattrs);

        rc = line->host->give_version(call, &told);
    }
    versions_done(line->host, &v);
    return rc;
}

/* ---- list ----------------------------------------------------------------------------------- */

#define BATCH_MAX 64
#define BATCH_BYTES (1 << 20)
#define BATCH_SEEN 512

/*
 * Names lie in the order of their tags, so all heads have to be opened, whatever the prefix. A batch
 * at a time: writers, forks and this process's memory do not have to bear with a long list.
 */
struct list {
    const char *prefix;
    uint8_t after[KT_TAG_SIZE]; /* the last tag of the batch before; @begun: there was one */
    bool begun;
    bool ended;
    struct kt_found batch[BATCH_MAX];
    size_t n;
    size_t bytes;
    size_t seen;    /* secrets, in this batch */
    size_t damaged; /* of them */
    uint8_t last[KT_TAG_SIZE];
};

static bool has_prefix(const char *name, const char *prefix)
{
    size_t n = prefix != NULL ? strlen(prefix) : 0;

    return n == 0 || (strncmp(name, prefix, n) == 0 && (name[n] == '\0' || name[n] == '/'));
}

static void empty_batch(const struct kt_host *host, struct list *l)
{
    for (size_t i = 0; i < l->n; i++)
        kt_found_done(host, &l->batch[i]);
    l->n = 0;
    l->bytes = 0;
    l->seen = 0;
    l->damaged = 0;
    l->ended = false;
}

/* A head that does not open, or versions without one: a secret whose name nobody can tell. */
static int list_row(struct kt_session *s, struct list *l, sqlite3_stmt *q, const uint8_t *tag)
{
    struct kt_found *found = &l->batch[l->n];
    struct kt_bytes sealed;
    int rc = KT_CORRUPT;

    *found = (struct kt_found){ .exists = false };
    memcpy(found->tag, tag, KT_TAG_SIZE);
    if (sqlite3_column_type(q, 1) == SQLITE_TEXT && sqlite3_column_bytes(q, 1) == 0 &&
        kt_conn_blob(q, 3, KT_SEAL_EXTRA, KT_SEALED_MAX, &sealed))
        rc = kt_found_head(s, sqlite3_column_int64(q, 2), sealed, NULL, found);
    if (rc == KT_SUCCESS && has_prefix(found->head.name, l->prefix)) {
        l->bytes += found->plain_len + (found->head.n + 1) * sizeof(struct kt_entry);
        l->n++;
        return KT_SUCCESS;
    }
    kt_found_done(s->host, found);
    if (rc == KT_CORRUPT)
        l->damaged++;
    return rc == KT_CORRUPT ? KT_SUCCESS : rc;
}

static int list_body(struct kt_session *s, void *arg)
{
    struct list *l = arg;
    sqlite3_stmt *q = kt_conn_stmt(s->conn, KT_SQL_WALK, &s->fault);
    int code = SQLITE_ROW;
    int rc = KT_SUCCESS;

    empty_batch(s->host, l);
    if (q == NULL)
        return s->fault.status;
    (void)sqlite3_bind_blob(q, 1, l->after, l->begun ? KT_TAG_SIZE : 0, SQLITE_STATIC);
    while (rc == KT_SUCCESS && (code = sqlite3_step(q)) == SQLITE_ROW) {
        struct kt_bytes tag;

        if (!kt_conn_blob(q, 0, KT_TAG_SIZE, KT_TAG_SIZE, &tag)) {
            l->damaged++; /* nobody's: the others are not to suffer for it */
            continue;
        }
        if (l->seen > 0 && memcmp(tag.data, l->last, KT_TAG_SIZE) == 0)
            continue; /* a version; its head has been seen */
        if (l->n == BATCH_MAX || l->bytes > BATCH_BYTES || l->seen == BATCH_SEEN)
            break;
        l->seen++;
        memcpy(l->last, tag.data, KT_TAG_SIZE);
        rc = list_row(s, l, q, l->last);
    }
    (void)sqlite3_reset(q);
    l->ended = code == SQLITE_DONE;
    if (rc == KT_SUCCESS && code != SQLITE_DONE && code != SQLITE_ROW)
        rc = kt_conn_fault(s->conn, code, "read", &s->fault);
    /* none of them opens: are these still the keys? */
    return rc == KT_SUCCESS && l->damaged > 0 ? kt_found_same_store(s) : rc;
}

static int give_batch(const struct kt_host *host, struct kt_call *call, const struct list *l)
{
    int rc = KT_SUCCESS;

    for (size_t i = 0; rc == KT_SUCCESS && i < l->n; i++) {
        const struct kt_found *f = &l->batch[i];
        const size_t at = kt_head_staged(&f->head, KT_STAGE_CURRENT);
        struct kt_version v;

        if (at < f->head.n)
            v = kt_found_version(f, &f->head.entries[at], NULL, 0);
        rc = host->give_name(call, f->head.name, at < f->head.n ? &v : NULL);
    }
    return rc;
}

int kt_file_list(void *state, struct kt_call *call, const char *prefix)
{
    const struct kt_line_state *line = state;
    struct list *l = calloc(1, sizeof(*l));
    size_t damaged = 0;
    int rc = KT_SUCCESS;

    if (l == NULL)
        return line->host->fail(call, KT_NO_MEMORY, "file: out of memory");
    l->prefix = prefix;
    while (rc == KT_SUCCESS && !l->ended) {
        rc = kt_store_run(line->store, call, KT_CHECK, list_body, l);
        if (rc == KT_SUCCESS && l->seen == 0) /* nothing more, or no store: an empty list */
            break;
        if (rc == KT_SUCCESS)
            rc = give_batch(line->host, call, l);
        damaged += l->damaged;
        memcpy(l->after, l->last, KT_TAG_SIZE);
        l->begun = true;
        if (rc == KT_SUCCESS && line->host->left_ms(call) == 0)
            rc = line->host->fail(call, KT_TIMEOUT, "file: the list was not at its end in time");
        if (rc == KT_SUCCESS)
            rc = line->host->sleep(call, 0); /* cancelled? */
    }
    empty_batch(line->host, l);
    free(l);
    if (rc == KT_SUCCESS && damaged > 0)
        rc = line->host->fail(call, KT_CORRUPT,
                              "file: %zu secrets in %s are damaged, their names cannot be read; "
                              "restore it from a backup",
                              damaged, line->store->path);
    return rc;
}
