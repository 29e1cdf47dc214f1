/* SPDX-License-Identifier: Apache-2.0 */
#include "slots.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct filestore fs;

void slots_setup(void)
{
    struct kt_fault f;

    ck_assert_int_eq(kt_seal_setup(&f), KT_SUCCESS);
    filestore_open(&fs, NULL);
}

void slots_teardown(void)
{
    filestore_close(&fs);
    ck_assert_uint_eq(modhost_live(), 0);
}

void slots_put(struct filestore *f, const char *name, const char *value)
{
    char id[KT_ID_SIZE] = "";
    const int rc = filestore_put(f, name, value, id, NULL);

    ck_assert_msg(rc == KT_SUCCESS, "put: %s", f->call.msg);
}

/* Lines share what is open: closed, then opened again. */
void slots_reopen(const char *options)
{
    fs.m->close(fs.state);
    filestore_reopen(&fs, options);
}

int slots_verb(const char *name, const char *options)
{
    modhost_call_reset(&fs.call);
    return modhost_verb(fs.m, fs.state, &fs.call, name, options);
}

void slots_must(const char *name, const char *options)
{
    const int rc = slots_verb(name, options);

    ck_assert_msg(rc == KT_SUCCESS, "%s %s: %d %s", name, options != NULL ? options : "", rc,
                  fs.call.msg);
}

/* It must be refused so, in words that hold this. */
void slots_refused(const char *name, const char *options, int status, const char *words)
{
    const int rc = slots_verb(name, options);

    ck_assert_msg(rc == status, "%s %s: %d %s", name, options, rc, fs.call.msg);
    ck_assert_msg(strstr(fs.call.msg, words) != NULL, "%s: %s", words, fs.call.msg);
}

const char *slots_out(void)
{
    return fs.call.out != NULL ? fs.call.out : "";
}

void slots_say(const char *words)
{
    ck_assert_msg(strstr(slots_out(), words) != NULL, "expected %s in:\n%s", words, slots_out());
}

void slots_list(const char *words)
{
    slots_must("slot list", NULL);
    slots_say(words);
}

const char *const *slots_typing(const char *one, const char *two)
{
    static const char *answers[3];

    answers[0] = one;
    answers[1] = two;
    return fs.call.answers = answers;
}

/* Nobody has the key file any more. */
void slots_hide_key(void)
{
    ck_assert_int_eq(unlink(fs.key), 0);
    slots_reopen(NULL);
}

sqlite3 *slots_database(void)
{
    sqlite3 *db = NULL;

    ck_assert_int_eq(sqlite3_open(fs.path, &db), SQLITE_OK);
    (void)sqlite3_busy_timeout(db, 600000);
    return db;
}

int64_t slots_number(const char *sql)
{
    sqlite3 *db = slots_database();
    sqlite3_stmt *s = NULL;
    int64_t n;

    ck_assert_msg(sqlite3_prepare_v2(db, sql, -1, &s, NULL) == SQLITE_OK, "%s", sql);
    ck_assert_int_eq(sqlite3_step(s), SQLITE_ROW);
    n = sqlite3_column_int64(s, 0);
    (void)sqlite3_finalize(s);
    (void)sqlite3_close(db);
    return n;
}

int64_t slots_format(void)
{
    const int64_t format = slots_number("PRAGMA user_version");

    ck_assert_int_eq(slots_number("SELECT format FROM store"), format);
    ck_assert_int_eq(slots_number("SELECT count(*) FROM pragma_table_info('slot')"),
                     format == 1 ? 5 : 7);
    return format;
}

/* ---- behind the module's back ---------------------------------------------------------------- */

void slots_bind(sqlite3_stmt *s, int at, const void *data, size_t len)
{
    (void)sqlite3_bind_blob(s, at, data, (int)len, SQLITE_TRANSIENT);
}

void slots_load(sqlite3 *db, int64_t id, uint8_t store_id[KT_STORE_ID_SIZE],
                struct kt_slot *out_slot)
{
    sqlite3_stmt *s = NULL;

    *out_slot = (struct kt_slot){ .id = id };
    ck_assert_int_eq(sqlite3_prepare_v2(db,
                                        "SELECT store.id, kind, params, wrapped, created, label"
                                        " FROM slot, store WHERE slot.id = ?",
                                        -1, &s, NULL),
                     SQLITE_OK);
    (void)sqlite3_bind_int64(s, 1, id);
    ck_assert_int_eq(sqlite3_step(s), SQLITE_ROW);
    memcpy(store_id, sqlite3_column_blob(s, 0), KT_STORE_ID_SIZE);
    (void)snprintf(out_slot->kind, sizeof(out_slot->kind), "%s",
                   (const char *)sqlite3_column_text(s, 1));
    out_slot->params_len = (size_t)sqlite3_column_bytes(s, 2);
    if (out_slot->params_len > 0)
        memcpy(out_slot->params, sqlite3_column_blob(s, 2), out_slot->params_len);
    memcpy(out_slot->wrapped, sqlite3_column_blob(s, 3), KT_WRAPPED_SIZE);
    out_slot->created_ms = sqlite3_column_int64(s, 4);
    (void)snprintf(out_slot->label, sizeof(out_slot->label), "%s",
                   (const char *)sqlite3_column_text(s, 5));
    (void)sqlite3_finalize(s);
}

void slots_save(sqlite3 *db, const uint8_t *store_id, const struct kt_slot *slot, int format)
{
    uint8_t sum[KT_SUM_SIZE];
    sqlite3_stmt *s = NULL;

    kt_slot_sum(format, store_id, slot, sum);
    ck_assert_int_eq(
        sqlite3_prepare_v2(db, "UPDATE slot SET params = ?, wrapped = ?, sum = ? WHERE id = ?", -1,
                           &s, NULL),
        SQLITE_OK);
    slots_bind(s, 1, slot->params, slot->params_len);
    slots_bind(s, 2, slot->wrapped, KT_WRAPPED_SIZE);
    slots_bind(s, 3, sum, sizeof(sum));
    (void)sqlite3_bind_int64(s, 4, slot->id);
    ck_assert_int_eq(sqlite3_step(s), SQLITE_DONE);
    (void)sqlite3_finalize(s);
}
