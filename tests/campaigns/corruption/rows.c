/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Damage to rows: what somebody does who can write the file and knows SQL, but has no key. Never all
 * rows of one secret: to take back a whole secret leaves no trace, and DESIGN says so.
 */

#include "corrupt.h"

#include <stdarg.h>
#include <string.h>

struct sql {
    struct damage *d;
    struct dice *dice;
    sqlite3 *db;
};

/* A letter of @types for each value: b struct bytes *, t text, i int64_t, T tag of a row. */
static void run(struct sql *s, const char *text, const char *types, ...)
{
    sqlite3_stmt *q = NULL;
    va_list ap;
    int rc = sqlite3_prepare_v2(s->db, text, -1, &q, NULL);

    MUST(rc == SQLITE_OK);
    va_start(ap, types);
    for (int i = 1; types[i - 1] != '\0'; i++) {
        const struct bytes *b;

        switch (types[i - 1]) {
        case 'b':
            b = va_arg(ap, const struct bytes *);
            rc = sqlite3_bind_blob(q, i, b->data, (int)b->len, SQLITE_STATIC);
            break;
        case 't':
            rc = sqlite3_bind_text(q, i, va_arg(ap, const char *), -1, SQLITE_STATIC);
            break;
        case 'i':
            rc = sqlite3_bind_int64(q, i, va_arg(ap, int64_t));
            break;
        default:
            rc = sqlite3_bind_blob(q, i, va_arg(ap, const struct row *)->tag, 16, SQLITE_STATIC);
            break;
        }
        MUST(rc == SQLITE_OK);
    }
    va_end(ap);
    while ((rc = sqlite3_step(q)) == SQLITE_ROW)
        ;
    MUST(rc == SQLITE_DONE);
    MUST(sqlite3_finalize(q) == SQLITE_OK);
}

/* A row of a secret that no other blow of this case hits. */
static const struct row *pick(struct sql *s)
{
    const struct base *b = s->d->base;
    const struct row *r;

    do {
        r = &b->rows[dice_below(s->dice, b->nrows)];
    } while (s->d->touched[r->owner]);
    return r;
}

static const struct row *pick_of(struct sql *s, size_t owner)
{
    const struct base *b = s->d->base;
    const struct row *r;

    do {
        r = &b->rows[dice_below(s->dice, b->nrows)];
    } while (r->owner != owner);
    return r;
}

static const char *name_of(const struct row *r)
{
    return r->id[0] == '\0' ? "head" : r->id;
}

static void say(struct sql *s, const char *what, const struct row *r)
{
    damage_say(s->d, "%s of %s: %s; ", name_of(r), names[r->owner], what);
    s->d->touched[r->owner] = true;
}

#define WHERE " WHERE tag = ?2 AND id = ?3"

static void set_sealed(struct sql *s, const struct row *r, const struct bytes *sealed)
{
    run(s, "UPDATE record SET sealed = ?1" WHERE, "bTt", sealed, r, r->id);
}

/* ---- blows to records ---------------------------------------------------------------------------- */

static void swapped(struct sql *s)
{
    const struct row *a = pick(s);
    const struct row *b = dice_below(s->dice, 2) == 0 ? pick_of(s, a->owner) : pick(s);

    say(s, "swapped with that", a);
    say(s, "swapped with this", b);
    set_sealed(s, a, &b->sealed);
    set_sealed(s, b, &a->sealed);
}

static void moved(struct sql *s)
{
    const struct row *a = pick(s);
    struct row to;

    say(s, "moved to another tag", a);
    to = *a;
    if (dice_below(s->dice, 2) == 0) {
        const struct row *b = pick(s);

        say(s, "gets it", b);
        to = *b;
    } else {
        to.tag[dice_below(s->dice, sizeof(to.tag))] ^= (uint8_t)(1 + dice_below(s->dice, 255));
    }
    run(s, "UPDATE OR REPLACE record SET tag = ?1" WHERE, "TTt", &to, a, a->id);
}

static void renamed(struct sql *s)
{
    static const char *const ids[] = { "", "x", "01970000-0000-7000-8000-000000000000", "~~~~",
                                       "a\nb" };
    const struct row *a = pick(s);
    const struct row *other = pick_of(s, a->owner);
    const size_t which = dice_below(s->dice, 8);

    say(s, "under another id", a);
    if (which < 5)
        run(s, "UPDATE OR REPLACE record SET id = ?1" WHERE, "tTt", ids[which], a, a->id);
    else if (which == 5)
        run(s, "UPDATE OR REPLACE record SET id = ?1" WHERE, "tTt", other->id, a, a->id);
    else
        run(s, "UPDATE OR REPLACE record SET id = CAST(?1 AS BLOB)" WHERE, "tTt",
            which == 6 ? "" : a->id, a, a->id);
}

static void altered(struct sql *s)
{
    static const char *const others[] = {
        "UPDATE record SET sealed = x''" WHERE,
        "UPDATE record SET sealed = 7" WHERE,
        "UPDATE record SET sealed = 'text'" WHERE,
        "UPDATE record SET sealed = zeroblob(47)" WHERE,
        "UPDATE record SET sealed = zeroblob(48)" WHERE,
        "UPDATE record SET sealed = zeroblob(70000)" WHERE,
        "UPDATE record SET sealed = randomblob(length(sealed))" WHERE,
        "UPDATE record SET sealed = CAST(sealed AS TEXT)" WHERE,
    };
    const struct row *a = pick(s);
    const size_t kind = dice_below(s->dice, 16);
    struct bytes b = { .data = malloc(a->sealed.len + 64), .len = a->sealed.len };

    say(s, "altered", a);
    MUST(b.data != NULL);
    memcpy(b.data, a->sealed.data, b.len);
    memset(b.data + b.len, 0, 64);
    if (kind < 8)
        run(s, others[kind], "iTt", (int64_t)0, a, a->id);
    else if (kind < 10)
        b.len -= 1 + dice_below(s->dice, b.len - 1);
    else if (kind == 10)
        b.len += 1 + dice_below(s->dice, 63);
    else
        b.data[dice_below(s->dice, b.len)] ^= (uint8_t)(1 + dice_below(s->dice, 255));
    if (kind >= 8)
        set_sealed(s, a, &b);
    free(b.data);
}

static void removed(struct sql *s)
{
    const struct row *a = pick(s);

    say(s, "removed", a);
    run(s, "DELETE FROM record WHERE tag = ?1 AND id = ?2", "Tt", a, a->id);
}

static void doubled(struct sql *s)
{
    static const char *const ids[] = { "'0'", "'~'", "x''", "CAST(id AS BLOB)", "''" };
    const struct row *a = pick(s);
    char text[256];

    say(s, "doubled", a);
    (void)snprintf(text, sizeof(text),
                   "INSERT OR IGNORE INTO record SELECT %s, %s, dk, sealed FROM record WHERE"
                   " tag = ?1 AND id = ?2",
                   dice_below(s->dice, 3) == 0 ? "randomblob(16)" : "tag",
                   ids[dice_below(s->dice, 5)]);
    run(s, text, "Tt", a, a->id);
}

static void strayed(struct sql *s)
{
    static const char *const tags[] = { "x''",          "'tag'",          "7",
                                        "zeroblob(15)", "randomblob(17)", "substr(tag, 1, 15)",
                                        "tag || x'00'", "zeroblob(16)" };
    const struct row *a = pick(s);
    char text[256];

    say(s, "under a tag that is none", a);
    (void)snprintf(text, sizeof(text),
                   "UPDATE OR REPLACE record SET tag = CAST(%s AS BLOB) WHERE tag = ?1 AND id = ?2",
                   tags[dice_below(s->dice, 8)]);
    run(s, text, "Tt", a, a->id);
}

static void other_datakey(struct sql *s)
{
    static const char *const dks[] = { "dk + 1", "0",     "-1",  "9223372036854775807",
                                       "'1x'",   "x'31'", "1.5", "x''" };
    const struct row *a = pick(s);
    char text[128];

    say(s, "under another data key", a);
    (void)snprintf(text, sizeof(text), "UPDATE record SET dk = %s WHERE tag = ?1 AND id = ?2",
                   dks[dice_below(s->dice, 8)]);
    run(s, text, "Tt", a, a->id);
}

/* Always the only blow of its case: with another one it could take back the whole secret. */
static void put_back(struct sql *s)
{
    const struct base *b = s->d->base;
    const struct row *o = &b->older[dice_below(s->dice, b->nolder)];

    say(s, "put back from an older copy", o);
    run(s, "INSERT OR REPLACE INTO record VALUES (?1, ?2, ?3, ?4)", "Ttib", o, o->id, o->dk,
        &o->sealed);
}

/* Beside the one that there is, under bytes that read like its id. */
static void second_head(struct sql *s)
{
    const struct base *b = s->d->base;
    const struct row *o;

    do {
        o = &b->older[dice_below(s->dice, b->nolder)];
    } while (o->id[0] != '\0' || s->d->touched[o->owner]);
    say(s, "an older one put beside it", o);
    run(s, "INSERT INTO record VALUES (?1, x'', ?2, ?3)", "Tib", o, o->dk, &o->sealed);
}

static void (*const to_rows[])(struct sql *s) = {
    swapped,     moved,   renamed, altered, removed,  doubled,       swapped,
    second_head, strayed, altered, renamed, put_back, other_datakey, put_back,
};

/* ---- blows to all the rest ----------------------------------------------------------------------- */

static const char *const to_keys[] = {
    "UPDATE slot SET wrapped = randomblob(80)",
    "UPDATE slot SET wrapped = randomblob(79)",
    "UPDATE slot SET sum = randomblob(16)",
    "UPDATE slot SET params = randomblob(50)",
    "UPDATE slot SET params = zeroblob(2000)",
    "UPDATE slot SET kind = 'passphrase'",
    "UPDATE slot SET kind = 'far too long for any kind of slot'",
    "UPDATE slot SET kind = x'00'",
    "UPDATE slot SET id = id + 1",
    "UPDATE slot SET created = 7",
    "UPDATE slot SET label = 'other'",
    "DELETE FROM slot",
    "INSERT INTO slot SELECT id + 1, kind, params, wrapped, sum, created, label FROM slot",
    "INSERT INTO slot SELECT -1, 'odd', params, randomblob(80), sum, created, label FROM slot",
    "UPDATE datakey SET wrapped = randomblob(80)",
    "UPDATE datakey SET wrapped = 'text'",
    "UPDATE datakey SET wrapped = x''",
    "UPDATE datakey SET id = id + 1",
    "UPDATE datakey SET id = -id",
    "UPDATE datakey SET state = 2",
    "UPDATE datakey SET state = 3",
    "UPDATE datakey SET state = 'x'",
    "DELETE FROM datakey",
    "INSERT INTO datakey SELECT id + 1, 1, randomblob(80) FROM datakey",
    "INSERT INTO datakey SELECT id + 1, 1, wrapped FROM datakey",
    "UPDATE store SET id = randomblob(16)",
    "UPDATE store SET id = zeroblob(17)",
    "UPDATE store SET format = 99",
    "UPDATE store SET format = 0",
    "UPDATE store SET format = 'x'",
    "UPDATE store SET index_key = randomblob(80)",
    "UPDATE store SET index_key = 'x'",
    "UPDATE store SET sum = randomblob(16)",
    "DELETE FROM store",
    "INSERT INTO store SELECT * FROM store",
    "INSERT INTO store SELECT randomblob(16), format, index_key, sum FROM store",
    "CREATE TRIGGER t AFTER INSERT ON record BEGIN DELETE FROM record; END",
    "CREATE VIEW v AS SELECT * FROM record",
    "CREATE TABLE more (x)",
    "CREATE INDEX more ON record (id)",
    "DROP TABLE store",
    "DROP TABLE slot",
    "DROP TABLE datakey",
    "DROP TABLE record",
    "ALTER TABLE record RENAME TO other",
    "ALTER TABLE record RENAME COLUMN sealed TO value",
    "ALTER TABLE record ADD COLUMN more",
    "ALTER TABLE store ADD COLUMN more",
    "ALTER TABLE record RENAME TO other; CREATE VIEW record AS SELECT * FROM other",
    "PRAGMA application_id = 7",
    "PRAGMA user_version = 0",
    "PRAGMA user_version = 1",
    "PRAGMA user_version = 99",
    "PRAGMA user_version = 70000",
    "PRAGMA user_version = -1",
    "UPDATE sqlite_schema SET rootpage = 2 + rootpage % 4",
    "UPDATE sqlite_schema SET rootpage = 900 WHERE name = 'datakey'",
    "UPDATE sqlite_schema SET sql = replace(sql, 'sealed BLOB', 'sealed TEXT')",
    "UPDATE sqlite_schema SET sql = replace(sql, 'id TEXT', 'id TEXT COLLATE NOCASE')",
    "UPDATE sqlite_schema SET sql = replace(sql, '(tag, id)', '(id, tag)')",
    "UPDATE sqlite_schema SET sql = 'nonsense' WHERE name = 'slot'",
    "DELETE FROM sqlite_schema WHERE name = 'record'",
};

static void hit_keys(struct sql *s)
{
    const char *text = to_keys[dice_below(s->dice, sizeof(to_keys) / sizeof(to_keys[0]))];

    damage_say(s->d, "%s", text);
    s->d->lost = true;
    s->d->version = strstr(text, "user_version") != NULL;
    MUST(sqlite3_exec(s->db, "PRAGMA writable_schema = ON", NULL, NULL, NULL) == SQLITE_OK);
    MUST(sqlite3_exec(s->db, text, NULL, NULL, NULL) == SQLITE_OK);
}

void damage_rows(struct damage *d, struct dice *dice, sqlite3 *db)
{
    struct sql s = { d, dice, db };
    size_t blows = dice_below(dice, 3) == 0 ? 1 + dice_below(dice, 3) : 1;

    if (dice_below(dice, 4) == 0) {
        hit_keys(&s);
        return;
    }
    d->only_these = true;
    for (bool first = true; blows > 0; blows--, first = false) {
        void (*blow)(
            struct sql *) = to_rows[dice_below(dice, sizeof(to_rows) / sizeof(to_rows[0]))];

        if (blow == put_back && !first)
            continue;
        blow(&s);
        if (blow == put_back)
            break;
    }
}
