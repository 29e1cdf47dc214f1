/* SPDX-License-Identifier: Apache-2.0 */

/* All secrets, in the order of their tags: with keys whatever is sealed is opened, without them only
 * what lies there is looked at. */

#include "found.h"
#include "row.h"
#include "tool-check.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define TURN_ROWS 512
#define TURN_BYTES (1 << 20)
#define FINDINGS_MAX 8  /* about one secret */
#define STRAYS_MAX 1000 /* rows whose tag is none, in one turn */
#define GAPS_MAX 64     /* places where SQLite could not go on */
#define FIRST_LEAP 4096 /* of 2^32: how far the first try to get behind such a place goes */
#define LEAP_GROWS 16

/**
 * struct walk - what goes from turn to turn, and what belongs to one turn
 * @after:  where the next turn begins; @begun: there was one
 * @leap:   SQLite could not read on: how far the next try goes
 * @secret: the one whose rows come now, if @open; @told findings about it so far
 * @known:  its head was opened; @next is the index of the version that must come
 * @sane:   a data key that is there: the last one that was looked for
 */
struct walk {
    struct kt_check *c;
    uint8_t after[KT_TAG_SIZE];
    bool begun;
    bool ended;
    uint32_t leap;
    unsigned gaps;
    /* one turn */
    bool open;
    bool known;
    struct kt_found secret;
    size_t next;
    unsigned told;
    unsigned strays;
    bool has_sane;
    int64_t sane;
    uint64_t secrets;
    uint64_t versions;
    uint64_t damaged;
    uint64_t faults; /* about the store itself */
    size_t rows;
    size_t bytes;
    bool cut;  /* SQLite could not read on */
    bool wild; /* what lies there is in no order */
    size_t nused;
    int64_t used[KT_CHECK_DATAKEYS];
    struct kt_fault fault;
};

/* ---- findings about a secret ------------------------------------------------------------------ */

static const char *tag_text(const uint8_t tag[KT_TAG_SIZE], char out[2 * KT_TAG_SIZE + 1])
{
    for (size_t i = 0; i < KT_TAG_SIZE; i++)
        for (size_t k = 0; k < 2; k++)
            out[2 * i + k] = "0123456789abcdef"[k == 0 ? tag[i] >> 4 : tag[i] & 15];
    out[2 * KT_TAG_SIZE] = '\0';
    return out;
}

/* @id: "" for the head, NULL for a row without one that could be named. */
static void tell(struct walk *w, const char *id, const char *what)
{
    const char *version = id != NULL && id[0] != '\0' ? id : "";
    const char *subject = id == NULL ? "a row" : id[0] == '\0' ? "its head" : "version ";
    char tag[2 * KT_TAG_SIZE + 1];

    if (w->told++ == 0)
        w->damaged++;
    if (w->told > FINDINGS_MAX)
        return;
    if (!w->known)
        kt_check_damage(w->c,
                        "a secret whose name cannot be read (tag %s): %s%s %s; restore a backup, "
                        "or delete it by its name",
                        tag_text(w->secret.tag, tag), subject, version, what);
    else if (w->told == FINDINGS_MAX)
        kt_check_damage(w->c, "'%.200s': and more like that; restore a backup or delete the secret",
                        w->secret.head.name);
    else
        kt_check_damage(w->c, "'%.200s': %s%s %s; restore a backup or delete the secret",
                        w->secret.head.name, subject, version, what);
}

/* ---- one row ---------------------------------------------------------------------------------- */

static void note_used(struct walk *w, int64_t dk)
{
    for (size_t i = 0; i < w->nused; i++)
        if (w->used[i] == dk)
            return;
    if (w->nused < KT_CHECK_DATAKEYS)
        w->used[w->nused++] = dk;
}

/* Without keys: is there such a data key? */
static int find_datakey(struct walk *w, struct kt_session *s, int64_t dk)
{
    sqlite3_stmt *q;
    int code;

    if (w->has_sane && w->sane == dk)
        return KT_SUCCESS;
    q = kt_conn_stmt(s->conn, KT_SQL_DATAKEY, &s->fault);
    if (q == NULL)
        return s->fault.status;
    (void)sqlite3_bind_int64(q, 1, dk);
    code = sqlite3_step(q);
    (void)sqlite3_reset(q);
    if (code == SQLITE_DONE)
        return KT_CORRUPT;
    if (code != SQLITE_ROW)
        return kt_conn_fault(s->conn, code, "read", &s->fault);
    w->has_sane = true;
    w->sane = dk;
    return KT_SUCCESS;
}

/**
 * struct row - as it lies there
 * @sealed: .len 0: it is no blob, or too short to be sealed
 */
struct row {
    const char *id;
    bool sane_id;
    bool sane_dk;
    int64_t dk;
    struct kt_bytes sealed;
};

static struct row row_of(sqlite3_stmt *q)
{
    struct row r = { .sane_id = sqlite3_column_type(q, 1) == SQLITE_TEXT,
                     .sane_dk = sqlite3_column_type(q, 2) == SQLITE_INTEGER,
                     .dk = sqlite3_column_int64(q, 2) };

    r.id = (const char *)sqlite3_column_text(q, 1);
    if (r.id == NULL || strlen(r.id) != (size_t)sqlite3_column_bytes(q, 1) ||
        strlen(r.id) >= KT_ID_SIZE)
        r.sane_id = false;
    if (!kt_conn_blob(q, 3, KT_SEAL_EXTRA, KT_SEALED_MAX, &r.sealed))
        r.sealed = (struct kt_bytes){ "", 0 };
    return r;
}

/* What can be said of a row without opening it; NULL: nothing against it. */
static const char *without_key(struct walk *w, struct kt_session *s, const struct row *r, int *rc)
{
    struct kt_bytes key;

    *rc = KT_SUCCESS;
    if (!r->sane_id)
        return "has an id that makes no sense";
    if (!r->sane_dk)
        return "has a data key that makes no sense";
    if (r->sealed.len == 0)
        return "is cut short";
    *rc = s->keys != NULL ? kt_session_datakey(s, r->dk, &key) : find_datakey(w, s, r->dk);
    if (*rc == KT_CORRUPT)
        return "is under a data key that is not there or does not open";
    note_used(w, r->dk);
    return NULL;
}

static int open_head(struct walk *w, struct kt_session *s, const struct row *r)
{
    int rc;

    if (s->keys == NULL)
        return KT_SUCCESS;
    rc = kt_found_head(s, r->dk, r->sealed, NULL, &w->secret);
    if (rc == KT_SUCCESS)
        w->known = true;
    else if (rc == KT_CORRUPT)
        tell(w, "", "does not open: it was altered, moved or cut");
    return rc == KT_CORRUPT ? KT_SUCCESS : rc;
}

static int open_version(struct walk *w, struct kt_session *s, const struct kt_entry *e,
                        const struct row *r)
{
    const size_t len = r->sealed.len - KT_SEAL_EXTRA;
    const struct kt_row_place place = { w->secret.tag, e->id, e->generation };
    struct kt_bytes key;
    struct kt_body body;
    void *plain;
    int rc = kt_session_datakey(s, r->dk, &key);

    if (rc != KT_SUCCESS)
        return rc;
    plain = s->host->secret_alloc(len + 1, 0);
    if (plain == NULL)
        return kt_fault(&s->fault, KT_NO_MEMORY, "out of memory");
    rc = kt_row_open(s, place, key, r->sealed, plain);
    if (rc == KT_CORRUPT)
        tell(w, e->id, "does not open: it was altered, moved, or put back from an older copy");
    else if (rc == KT_SUCCESS &&
             (kt_body_decode(plain, len, &body) != KT_SUCCESS || body.len != e->length))
        tell(w, e->id, "makes no sense");
    s->host->secret_free(plain);
    return rc == KT_CORRUPT ? KT_SUCCESS : rc;
}

/* Versions that the head lists before @id (NULL: to the end) and that did not come. */
static void tell_missing(struct walk *w, const char *id)
{
    const struct kt_head *h = &w->secret.head;

    for (; w->next < h->n && (id == NULL || strcmp(h->entries[w->next].id, id) < 0); w->next++)
        tell(w, h->entries[w->next].id, "is missing");
}

static int take_version(struct walk *w, struct kt_session *s, const struct row *r)
{
    const struct kt_head *h = &w->secret.head;
    const char *why;
    int rc;

    w->versions++;
    if (!w->known && s->keys != NULL)
        return KT_SUCCESS; /* its head has been told of, and it can only be opened with that */
    if (w->known && r->sane_id)
        tell_missing(w, r->id);
    if (w->known && r->sane_id && (w->next == h->n || strcmp(h->entries[w->next].id, r->id) != 0)) {
        tell(w, r->id, "is not one that its head lists");
        return KT_SUCCESS;
    }
    why = without_key(w, s, r, &rc);
    if (why != NULL)
        tell(w, r->sane_id ? r->id : NULL, why);
    if (w->known && r->sane_id)
        w->next++;
    if (why != NULL || rc != KT_SUCCESS || !w->known)
        return rc == KT_CORRUPT ? KT_SUCCESS : rc;
    return open_version(w, s, &h->entries[w->next - 1], r);
}

static int take_row(struct walk *w, struct kt_session *s, const struct row *r, bool first)
{
    const char *why;
    int rc;

    w->rows++;
    w->bytes += r->sealed.len;
    if (first && (!r->sane_id || r->id[0] != '\0'))
        tell(w, "", "is missing");
    if (!first || !r->sane_id || r->id[0] != '\0')
        return take_version(w, s, r);
    why = without_key(w, s, r, &rc);
    if (why != NULL)
        tell(w, r->sane_id ? r->id : NULL, why);
    if (why != NULL || rc != KT_SUCCESS)
        return rc == KT_CORRUPT ? KT_SUCCESS : rc;
    return open_head(w, s, r);
}

/* ---- one turn ----------------------------------------------------------------------------------- */

static void finish_secret(struct walk *w, bool whole)
{
    if (w->open && w->known && whole)
        tell_missing(w, NULL);
    if (w->open) {
        w->secrets++;
        memcpy(w->after, w->secret.tag, KT_TAG_SIZE);
        w->begun = true;
    }
    kt_found_done(w->c->host, &w->secret);
    w->open = false;
    w->known = false;
    w->told = 0;
    w->next = 0;
}

/* A new secret, or the end of the turn: false. */
static bool begin_secret(struct walk *w, const uint8_t *tag)
{
    const bool out_of_order = w->open ? memcmp(tag, w->secret.tag, KT_TAG_SIZE) < 0
                                      : w->begun && memcmp(tag, w->after, KT_TAG_SIZE) <= 0;

    finish_secret(w, true);
    if (out_of_order) {
        kt_check_damage(w->c, "the rows are in no order: those that follow were not looked at; "
                              "restore the store from a backup");
        w->wild = true;
        w->faults++;
        return false;
    }
    if (w->rows >= TURN_ROWS || w->bytes >= TURN_BYTES)
        return false;
    w->open = true;
    memcpy(w->secret.tag, tag, KT_TAG_SIZE);
    return true;
}

static void tell_stray(struct walk *w)
{
    if (w->strays++ > 0)
        return;
    w->faults++;
    kt_check_damage(w->c, "there are rows whose tag makes no sense; nobody can read them, "
                          "restore the store from a backup");
}

/* What is no blob comes before all blobs. */
static int find_strays(struct walk *w, struct kt_session *s)
{
    sqlite3_stmt *q = NULL;
    int code = sqlite3_prepare_v2(s->conn->db, "SELECT 1 FROM record WHERE tag < x'' LIMIT 1", -1,
                                  &q, NULL);

    if (code == SQLITE_OK)
        code = sqlite3_step(q);
    if (code == SQLITE_ROW)
        tell_stray(w);
    (void)sqlite3_finalize(q);
    return code == SQLITE_ROW || code == SQLITE_DONE
               ? KT_SUCCESS
               : kt_conn_fault(s->conn, code, "read", &s->fault);
}

static int step_rows(struct walk *w, struct kt_session *s, sqlite3_stmt *q)
{
    int code = SQLITE_DONE;
    int rc = KT_SUCCESS;

    while (rc == KT_SUCCESS && (code = sqlite3_step(q)) == SQLITE_ROW) {
        struct kt_bytes tag;
        const bool sane = kt_conn_blob(q, 0, KT_TAG_SIZE, KT_TAG_SIZE, &tag);
        const bool first = sane && (!w->open || memcmp(tag.data, w->secret.tag, KT_TAG_SIZE) != 0);

        if (!sane)
            tell_stray(w);
        if (w->strays > STRAYS_MAX)
            w->wild = true;
        if (w->wild || (first && !begin_secret(w, tag.data)))
            return KT_SUCCESS;
        if (sane) {
            const struct row r = row_of(q);

            rc = take_row(w, s, &r, first);
        }
    }
    if (rc != KT_SUCCESS)
        return rc;
    finish_secret(w, code == SQLITE_DONE);
    w->ended = code == SQLITE_DONE;
    return code == SQLITE_DONE ? KT_SUCCESS : kt_conn_fault(s->conn, code, "read", &s->fault);
}

static void begin_turn(struct walk *w, const struct walk *start)
{
    kt_found_done(w->c->host, &w->secret);
    *w = *start;
}

/* Bodies run more than once: each time from where the turn began. */
struct turn {
    struct walk start;
    struct walk walk;
};

static int rows_body(struct kt_session *s, void *check)
{
    struct kt_check *c = check;
    struct turn *t = c->turn;
    struct walk *w = &t->walk;
    sqlite3_stmt *q;
    int rc = KT_SUCCESS;

    kt_check_forget(c);
    begin_turn(w, &t->start);
    q = kt_conn_stmt(s->conn, KT_SQL_WALK, &s->fault);
    if (q == NULL)
        rc = s->fault.status;
    if (rc == KT_SUCCESS && !w->begun)
        rc = find_strays(w, s);
    if (rc == KT_SUCCESS) {
        (void)sqlite3_bind_blob(q, 1, t->start.after, w->begun ? KT_TAG_SIZE : 0, SQLITE_STATIC);
        rc = step_rows(w, s, q);
        (void)sqlite3_reset(q);
        (void)sqlite3_clear_bindings(q);
    }
    kt_found_done(s->host, &w->secret);
    if (rc == KT_CORRUPT) { /* of SQLite: what was read before it stands */
        w->cut = true;
        if (t->start.leap == 0) { /* else it has been told */
            w->faults++;
            kt_check_damage(c, "%.300s", s->fault.msg);
        }
        rc = KT_SUCCESS;
    }
    return rc == KT_SUCCESS ? kt_check_turn(c, s) : rc;
}

/* ---- from turn to turn ------------------------------------------------------------------------ */

static uint32_t place_of(const uint8_t *tag)
{
    return (uint32_t)tag[0] << 24 | (uint32_t)tag[1] << 16 | (uint32_t)tag[2] << 8 | tag[3];
}

/* Tags are spread evenly: behind a page that cannot be read there is another one. */
static void leap(struct walk *w)
{
    const uint32_t at = w->begun ? place_of(w->after) : 0;

    w->gaps += w->leap == 0 ? 1 : 0;
    w->leap = w->leap == 0 ? FIRST_LEAP : w->leap * LEAP_GROWS;
    if (w->leap == 0 || w->leap > UINT32_MAX - at || w->gaps > GAPS_MAX) {
        w->ended = true;
        return;
    }
    w->begun = true;
    for (size_t i = 0; i < 4; i++)
        w->after[i] = (uint8_t)((at + w->leap) >> (24 - 8 * i));
    memset(w->after + 4, 0, KT_TAG_SIZE - 4);
}

static void merge(struct kt_check *c, const struct walk *w)
{
    c->secrets += w->secrets;
    c->versions += w->versions;
    c->damaged += w->damaged;
    c->faults += w->faults;
    for (size_t i = 0; i < w->nused; i++) {
        size_t k = 0;

        while (k < c->nused && c->used[k] != w->used[i])
            k++;
        if (k == c->nused && c->nused < KT_CHECK_DATAKEYS)
            c->used[c->nused++] = w->used[i];
    }
}

/* Where the next turn begins: with nothing of this one's. */
static struct walk next_start(const struct walk *w)
{
    struct walk n = {
        .c = w->c, .begun = w->begun, .ended = w->ended || w->wild, .leap = w->leap, .gaps = w->gaps
    };

    memcpy(n.after, w->after, sizeof(n.after));
    if (w->rows > 0)
        n.leap = 0;
    if (w->cut)
        leap(&n);
    return n;
}

/* The total is guessed from where we are: tags are spread evenly. */
static void show(struct kt_check *c, const struct walk *w)
{
    const double part = ((double)place_of(w->after) + 1) / 4294967296.0;
    const uint64_t total = w->ended ? c->secrets : (uint64_t)((double)c->secrets / part);

    c->host->progress(c->call, c->secrets, total > c->secrets ? total : c->secrets);
}

static int between_turns(struct kt_check *c, struct kt_fault *f)
{
    if (c->host->left_ms(c->call) == 0)
        return kt_fault(f, KT_TIMEOUT, "the check of %s was not at its end in time",
                        c->store->path);
    return kt_fault_pause(f, c->host, c->call, 0); /* cancelled? */
}

int kt_check_rows(struct kt_check *c, bool keys, struct kt_fault *f)
{
    struct turn *t = calloc(1, sizeof(*t));
    int rc = KT_SUCCESS;

    if (t == NULL)
        return kt_fault(f, KT_NO_MEMORY, "out of memory");
    c->turn = t;
    t->start.c = t->walk.c = c;
    while (rc == KT_SUCCESS && !t->start.ended) {
        rc = keys ? kt_check_open(c, rows_body, f) : kt_check_look(c, rows_body, f);
        if (rc == KT_SUCCESS) {
            (void)kt_check_print(c);
            merge(c, &t->walk);
            t->start = next_start(&t->walk);
            show(c, &t->start);
            rc = between_turns(c, f);
        }
    }
    c->turn = NULL;
    free(t);
    return rc;
}
