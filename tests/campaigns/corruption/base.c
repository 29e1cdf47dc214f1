/* SPDX-License-Identifier: Apache-2.0 */

/* The stores that are damaged. The same seed makes the same ones, but for a time in a slot. */

#include "corrupt.h"

#include <string.h>
#include <sys/random.h>
#include <unistd.h>

struct base bases[BASES];
char *names[NAMES_MAX];
size_t nnames;
struct bytes key_file;

/* ---- random numbers ------------------------------------------------------------------------------ */

uint64_t dice_next(struct dice *d)
{
    uint64_t z = d->state += 0x9e3779b97f4a7c15U;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
    return z ^ (z >> 31);
}

struct dice dice_of(uint64_t seed, uint64_t which)
{
    struct dice d = { seed * 0x2545f4914f6cdd1dU + 1 };

    d.state = dice_next(&d) + which;
    (void)dice_next(&d);
    return d;
}

size_t dice_below(struct dice *d, size_t n)
{
    return (size_t)(dice_next(d) >> 11) % n;
}

/* The module's salts and keys, too: the program is linked with -rdynamic. */
static struct dice salts;

__attribute__((visibility("default"))) ssize_t getrandom(void *buf, size_t len, unsigned flags)
{
    uint8_t *p = buf;

    (void)flags;
    for (size_t i = 0; i < len; i++)
        p[i] = (uint8_t)(dice_next(&salts) >> 24);
    return (ssize_t)len;
}

/* ---- lines: check's own asserts are for its tests alone --- */

char *path_of(const char *dir, const char *name)
{
    char *path = NULL;

    MUST(asprintf(&path, "%s/%s", dir, name) > 0);
    return path;
}

void line_open(struct filestore *fs)
{
    char *words = NULL;

    MUST(asprintf(&words, "path=%s key=%s", fs->path, fs->key) > 0);
    modhost_call_init(&fs->call);
    MUST(modhost_open(fs->m, &fs->call, words, &fs->state) == KT_SUCCESS);
    free(words);
}

/* ---- what is in them ----------------------------------------------------------------------------- */

static uint64_t hash(const char *text)
{
    uint64_t h = 0xcbf29ce484222325U;

    for (; *text != '\0'; text++)
        h = (h ^ (uint8_t)*text) * 0x100000001b3U;
    return h;
}

void base_dice(uint64_t seed, uint64_t which)
{
    salts = dice_of(seed, which);
    (void)sqlite3_test_control(SQLITE_TESTCTRL_PRNG_SEED, (int)(dice_next(&salts) >> 34 | 1), NULL);
}

/* Most are as long as a provider's key, so that one would do for another; some over a page, or empty. */
size_t base_value(const char *name, const char *id, uint8_t *out)
{
    struct dice d = dice_of(hash(name), hash(id));
    const size_t kind = dice_below(&d, 16);
    const size_t len = kind == 0   ? 0
                       : kind <= 2 ? 3000 + dice_below(&d, 12000)
                       : kind == 3 ? 1 + dice_below(&d, 90)
                                   : 35;

    for (size_t i = 0; i < len; i++)
        out[i] = (uint8_t)(dice_next(&d) >> 24);
    return len;
}

static void next_id(char id[KT_ID_SIZE])
{
    static unsigned n;

    n++;
    (void)snprintf(id, KT_ID_SIZE, "0197%04x-%04x-7%03x-8%03x-%012x", n / 16, n * 977 % 65536,
                   n % 4096, n * 31 % 4096, n);
}

static void put(struct filestore *fs, size_t name, uint32_t stage, uint32_t state)
{
    static uint8_t value[65536];
    static const struct kt_attr attrs[] = { { "account", "main" }, { "note", "kept by a test" } };
    char id[KT_ID_SIZE];
    struct kt_put p = {
        .size = sizeof(p), .stage = stage, .state = state, .id = id, .data = value
    };

    next_id(id);
    p.len = base_value(names[name], id, value);
    p.created_ms = 1750000000000 + (int64_t)name;
    p.expires_ms = name % 3 == 0 ? 1900000000000 : 0;
    p.attrs = attrs;
    p.nattrs = name % 3;
    MUST(filestore_put_as(fs, names[name], &p) == KT_SUCCESS);
}

#define GONE 24 /* from this on they are deleted in the end */

static void name_them(void)
{
    nnames = GONE + 4;
    for (size_t i = 0; i < nnames; i++)
        MUST(asprintf(&names[i], "%s/%zu",
                      i < 18     ? "app/key"
                      : i < GONE ? "team/b"
                                 : "gone",
                      i) > 0);
}

static void older_state(struct filestore *fs)
{
    for (size_t i = 0; i < nnames; i++)
        for (size_t k = 0; k <= i % 3; k++)
            put(fs, i, KT_STAGE_CURRENT, KT_STATE_ENABLED);
}

/* The id of the version that bears a stage. */
static void id_of(struct filestore *fs, size_t name, uint32_t stage, char id[KT_ID_SIZE])
{
    MUST(filestore_get_stage(fs, names[name], stage) == KT_SUCCESS);
    (void)snprintf(id, KT_ID_SIZE, "%s", fs->given->id);
}

static void newer_state(struct filestore *fs)
{
    char id[KT_ID_SIZE];

    for (size_t i = 0; i < GONE; i += 2)
        put(fs, i, KT_STAGE_CURRENT, KT_STATE_ENABLED);
    for (size_t i = 1; i < GONE; i += 4)
        put(fs, i, KT_STAGE_PENDING, KT_STATE_ENABLED);
    for (size_t i = 11; i < GONE; i += 12) { /* the same versions, another one current */
        id_of(fs, i, KT_STAGE_PREVIOUS, id);
        MUST(filestore_stage(fs, names[i], KT_STAGE_CURRENT, id, NULL) == KT_SUCCESS);
    }
    for (size_t i = 2; i < GONE; i += 6) { /* a new one, and back to what was before */
        id_of(fs, i, KT_STAGE_PREVIOUS, id);
        MUST(filestore_stage(fs, names[i], KT_STAGE_CURRENT, id, NULL) == KT_SUCCESS);
    }
    for (size_t i = 8; i < GONE; i += 12) {
        id_of(fs, i, KT_STAGE_PREVIOUS, id);
        MUST(filestore_delete(fs, names[i], id, false) == KT_SUCCESS);
    }
    for (size_t i = GONE; i < nnames; i++)
        MUST(filestore_delete(fs, names[i], NULL, false) == KT_SUCCESS);
}

/* A transaction each, so that the log has many. */
static void last_changes(struct filestore *fs)
{
    for (size_t i = 0; i < 14; i++)
        put(fs, (i * 5 + 1) % GONE, i % 4 == 3 ? KT_STAGE_PENDING : KT_STAGE_CURRENT,
            KT_STATE_ENABLED);
}

/* ---- files --------------------------------------------------------------------------------------- */

static struct bytes slurp(const char *path, const char *suffix)
{
    struct bytes b = { .len = 0 };
    char name[4096];
    FILE *f;

    (void)snprintf(name, sizeof(name), "%s%s", path, suffix);
    f = fopen(name, "rb");
    if (f == NULL)
        return b;
    b.data = malloc(8 << 20);
    MUST(b.data != NULL);
    b.len = fread(b.data, 1, 8 << 20, f);
    MUST(fclose(f) == 0);
    return b;
}

static void take_files(struct filestore *fs, struct base *b)
{
    b->db = slurp(fs->path, "");
    b->wal = slurp(fs->path, "-wal");
    b->shm = slurp(fs->path, "-shm");
    MUST(b->db.len > 0);
}

static sqlite3 *open_sql(const char *path)
{
    sqlite3 *db;

    MUST(sqlite3_open(path, &db) == SQLITE_OK);
    (void)sqlite3_busy_timeout(db, 5000);
    return db;
}

/* ---- rows ---------------------------------------------------------------------------------------- */

static struct bytes copy_blob(sqlite3_stmt *q, int column)
{
    struct bytes b = { .len = (size_t)sqlite3_column_bytes(q, column) };

    b.data = malloc(b.len + 1);
    MUST(b.data != NULL);
    memcpy(b.data, sqlite3_column_blob(q, column), b.len);
    return b;
}

static size_t take_rows(sqlite3 *db, struct row *rows)
{
    sqlite3_stmt *q;
    size_t n = 0;

    MUST(sqlite3_prepare_v2(db, "SELECT tag, id, dk, sealed FROM record ORDER BY tag, id", -1, &q,
                            NULL) == SQLITE_OK);
    while (sqlite3_step(q) == SQLITE_ROW) {
        struct row *r = &rows[n++];

        MUST(n <= ROWS_MAX && sqlite3_column_bytes(q, 0) == sizeof(r->tag));
        memcpy(r->tag, sqlite3_column_blob(q, 0), sizeof(r->tag));
        (void)snprintf(r->id, sizeof(r->id), "%s", (const char *)sqlite3_column_text(q, 1));
        r->dk = sqlite3_column_int64(q, 2);
        r->sealed = copy_blob(q, 3);
        r->owner = NAMES_MAX;
    }
    MUST(sqlite3_finalize(q) == SQLITE_OK);
    return n;
}

/* Which tag is whose: the module finds a secret by it, and an id is one name's alone. */
static void own_rows(struct filestore *fs, struct row *rows, size_t n)
{
    for (size_t name = 0; name < nnames; name++) {
        char id[KT_ID_SIZE];
        const uint8_t *tag = NULL;

        if (filestore_get(fs, names[name], NULL) != KT_SUCCESS)
            continue;
        (void)snprintf(id, sizeof(id), "%s", fs->given->id);
        for (size_t i = 0; i < n; i++)
            if (strcmp(rows[i].id, id) == 0)
                tag = rows[i].tag;
        MUST(tag != NULL);
        for (size_t i = 0; i < n; i++)
            if (memcmp(rows[i].tag, tag, sizeof(rows[i].tag)) == 0)
                rows[i].owner = name;
    }
    for (size_t i = 0; i < n; i++)
        MUST(rows[i].owner < nnames);
}

/* ---- the three ----------------------------------------------------------------------------------- */

static void shut(struct filestore *fs)
{
    fs->m->close(fs->state);
    modhost_call_done(&fs->call);
}

static void make_closed(struct filestore *fs)
{
    struct base *b = &bases[CLOSED];
    sqlite3 *db;

    older_state(fs);
    db = open_sql(fs->path);
    b->nolder = take_rows(db, b->older);
    own_rows(fs, b->older, b->nolder);
    newer_state(fs);
    b->nrows = take_rows(db, b->rows);
    own_rows(fs, b->rows, b->nrows);
    judge_record(fs, b);
    MUST(sqlite3_close(db) == SQLITE_OK);
    shut(fs);
    take_files(fs, b);
    MUST(b->wal.len == 0);
    db = open_sql(fs->path);
    pages_map(b, db);
    MUST(sqlite3_close(db) == SQLITE_OK);
}

static uint32_t big(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* Where the second last commit begins: damage from there on may look like a crash. */
static size_t safe_end(const struct base *b)
{
    const size_t size = 24 + big(b->wal.data + 8);
    size_t begins[3] = { 32, 32, 32 };

    for (size_t at = 32; at + size <= b->wal.len; at += size) {
        if (memcmp(b->wal.data + at + 8, b->wal.data + 16, 8) != 0)
            break;
        if (big(b->wal.data + at + 4) == 0)
            continue;
        begins[0] = begins[1];
        begins[1] = begins[2];
        begins[2] = at + size;
    }
    return begins[0];
}

/* The line stays open: SQLite would put the log into the database. */
static void make_logged(struct filestore *fs)
{
    sqlite3 *db;

    line_open(fs);
    last_changes(fs);
    take_files(fs, &bases[LOGGED]);
    judge_record(fs, &bases[LOGGED]);
    db = open_sql(fs->path);
    MUST(sqlite3_exec(db, "PRAGMA wal_checkpoint(PASSIVE)", NULL, NULL, NULL) == SQLITE_OK);
    take_files(fs, &bases[BACKFILLED]);
    judge_record(fs, &bases[BACKFILLED]);
    MUST(sqlite3_close(db) == SQLITE_OK);
    for (int i = LOGGED; i <= BACKFILLED; i++) {
        MUST(bases[i].wal.len > 32);
        bases[i].page_size = big(bases[i].wal.data + 8);
        bases[i].safe_end = safe_end(&bases[i]);
        MUST(bases[i].safe_end > 32);
    }
    shut(fs);
}

void base_make(const char *dir, uint64_t seed)
{
    struct filestore fs = { .m = modhost_load("file"), .dir = strdup(dir) };

    (void)sqlite3_initialize();
    base_dice(seed, UINT64_MAX);
    name_them();
    fs.path = path_of(dir, "s.db");
    fs.key = path_of(dir, "s.key");
    line_open(&fs);
    make_closed(&fs);
    key_file = slurp(fs.key, "");
    make_logged(&fs);
    free(fs.dir);
    free(fs.path);
    free(fs.key);
}
