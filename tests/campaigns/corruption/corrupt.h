/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYTURN_CAMPAIGNS_CORRUPT_H
#define KEYTURN_CAMPAIGNS_CORRUPT_H

/*
 * The corruption campaign: a store of which everything is known is damaged in memory, a case at a
 * time, written out, and asked everything through the module.
 */

#include "../../filestore.h"

#include <sqlite3.h>

#define NAMES_MAX 48
#define ROWS_MAX 512
#define QUERIES_MAX 512

/* ---- random numbers: the same for the same seed ------------------------------------------------ */

struct dice {
    uint64_t state;
};

struct dice dice_of(uint64_t seed, uint64_t which);
uint64_t dice_next(struct dice *d);
/** dice_below - 0 to @n - 1; @n is not 0 */
size_t dice_below(struct dice *d, size_t n);

/* ---- the store --------------------------------------------------------------------------------- */

struct bytes {
    uint8_t *data;
    size_t len;
};

/** struct row - of the table record; @owner: index of its name */
struct row {
    uint8_t tag[16];
    char id[KT_ID_SIZE];
    int64_t dk;
    struct bytes sealed;
    size_t owner;
};

enum ask { CURRENT, PENDING, PREVIOUS, VERSION, VERSIONS, LIST };

/** struct query - and what the undamaged store answers; @name: index, of a list none */
struct query {
    enum ask ask;
    size_t name;
    char id[KT_ID_SIZE];
    int rc;
    char *text;
};

/**
 * struct base - a store that all is known of
 * @db, @wal, @shm: its files; @wal and @shm may be empty
 * @owner:  of each byte of @db: the secret in whose sealed row it lies, or NAMES_MAX
 * @rows, @older: as they are, and as they were in an older copy
 * @safe_end: of @wal: damage behind this byte may look like a crash's torn tail (README.md)
 */
struct base {
    struct bytes db;
    struct bytes wal;
    struct bytes shm;
    uint8_t *owner;
    size_t page_size;
    struct row rows[ROWS_MAX];
    size_t nrows;
    struct row older[ROWS_MAX];
    size_t nolder;
    struct query queries[QUERIES_MAX];
    size_t nqueries;
    size_t safe_end;
};

enum { CLOSED, LOGGED, BACKFILLED, BASES };

extern struct base bases[BASES];
extern char *names[NAMES_MAX];
extern size_t nnames;
extern struct bytes key_file;

/** line_open - @fs->path and @fs->key are set */
void line_open(struct filestore *fs);

/** path_of - DIR/NAME; free() */
char *path_of(const char *dir, const char *name);

/** base_make - build all of them in @dir */
void base_make(const char *dir, uint64_t seed);

/** base_dice - what the module and SQLite take for random, from now on */
void base_dice(uint64_t seed, uint64_t which);

/** base_value - what was put under this name and id: all others are wrong; @out has room for 65536 */
size_t base_value(const char *name, const char *id, uint8_t *out);

/** pages_map - whose each byte of a database is */
void pages_map(struct base *b, sqlite3 *db);

/* ---- a case -------------------------------------------------------------------------------------- */

/**
 * struct damage - a case, and what it may do
 * @base, @db, @wal: copies, to be written out
 * @what:     for people
 * @touched:  secrets that may be hit; @only_these: and no others
 * @version:  the header's user_version was hit: KT_UNSUPPORTED is an answer, too
 * @lost:     rows may be out of reach: KT_NOT_FOUND is an answer, too
 * @back:     commits may be taken back: what was right once is an answer, too
 * @silent:   and that without any trace
 * @none:     nothing was damaged
 */
struct damage {
    const struct base *base;
    struct bytes db;
    struct bytes wal;
    struct bytes shm;
    char what[400];
    bool touched[NAMES_MAX];
    bool only_these;
    bool version;
    bool lost;
    bool back;
    bool silent;
    bool none;
};

/** damage_bytes, damage_log - to @d->db, to @d->wal and @d->shm, before they are written */
void damage_bytes(struct damage *d, struct dice *dice);
void damage_log(struct damage *d, struct dice *dice);

/** damage_rows - by SQL, to the written file */
void damage_rows(struct damage *d, struct dice *dice, sqlite3 *db);

/** damage_say - add to @d->what */
void damage_say(struct damage *d, const char *fmt, ...) KT_PRINTF(2, 3);

/* ---- judging ------------------------------------------------------------------------------------- */

/** struct tally - answers */
struct tally {
    uint64_t right;
    uint64_t corrupt;
    uint64_t lost;
    uint64_t older;
    uint64_t unsupported;
    uint64_t found; /* cases that `file check` called corrupt */
    uint64_t
        silent; /* cases with an answer that was not right, allowed to leave no trace, and so */
};

/** judge_record - ask an undamaged store, and keep the answers */
void judge_record(struct filestore *fs, struct base *b);

/** judge - NULL: all is as it must be; else what is not */
const char *judge(const char *dir, const struct damage *d, struct dice *dice, bool all, bool talk,
                  struct tally *t);

#endif
