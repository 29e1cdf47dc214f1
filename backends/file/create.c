/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Making a store. It is built and synced under another name and then gets its own, so that a crash at
 * any instant leaves no store or a whole one. The writer lock is held: what lies under the other name
 * is left over from a crash.
 */

#include "place.h"
#include "schema.h"
#include "store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The log in memory: who finds this half done throws it away. */
static const char first[] = "PRAGMA journal_mode = MEMORY;"
                            "PRAGMA synchronous = FULL;"
                            "BEGIN IMMEDIATE;"
                            "PRAGMA application_id = " KT_APPLICATION_ID ";"
                            "PRAGMA user_version = " KT_FORMAT_TEXT ";" KT_SCHEMA;
static const char last[] = "COMMIT; PRAGMA journal_mode = WAL;";

static const char *const suffixes[] = { "-journal", "-wal", "-shm", "" };
#define BESIDE 3 /* of them are not the database itself */

static void remove_files(const char *path, size_t n)
{
    char name[4096];

    for (size_t i = 0; i < n; i++)
        if (snprintf(name, sizeof(name), "%s%s", path, suffixes[i]) < (int)sizeof(name))
            (void)unlink(name);
}

/* One row; @types has a letter for each value: 'i' a number, 'b' bytes, 't' text. */
struct value {
    char type;
    int64_t number;
    struct kt_bytes bytes;
};

static int insert(sqlite3 *db, const char *sql, const struct value *values, size_t n)
{
    sqlite3_stmt *s = NULL;
    int rc = sqlite3_prepare_v2(db, sql, -1, &s, NULL);

    for (size_t i = 0; rc == SQLITE_OK && i < n; i++) {
        const struct value *v = &values[i];
        const int at = (int)i + 1;

        if (v->type == 'i')
            rc = sqlite3_bind_int64(s, at, v->number);
        else if (v->type == 't')
            rc = sqlite3_bind_text(s, at, v->bytes.data, (int)v->bytes.len, SQLITE_STATIC);
        else if (v->bytes.len == 0)
            rc = sqlite3_bind_zeroblob(s, at, 0);
        else
            rc = sqlite3_bind_blob(s, at, v->bytes.data, (int)v->bytes.len, SQLITE_STATIC);
    }
    if (rc == SQLITE_OK)
        rc = sqlite3_step(s);
    (void)sqlite3_finalize(s);
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static int insert_slot(sqlite3 *db, const struct kt_ring *ring, const struct kt_slot *slot)
{
    uint8_t sum[KT_SUM_SIZE];

    kt_slot_sum(KT_FORMAT, ring->store_id, slot, sum);
    return insert(db,
                  "INSERT INTO slot (id, kind, params, wrapped, sum, created, label)"
                  " VALUES (?, ?, ?, ?, ?, ?, ?)",
                  (struct value[]){
                      { 'i', slot->id, { NULL, 0 } },
                      { 't', 0, { slot->kind, strlen(slot->kind) } },
                      { 'b', 0, { slot->params, slot->params_len } },
                      { 'b', 0, { slot->wrapped, KT_WRAPPED_SIZE } },
                      { 'b', 0, { sum, sizeof(sum) } },
                      { 'i', slot->created_ms, { NULL, 0 } },
                      { 't', 0, { slot->label, strlen(slot->label) } },
                  },
                  7);
}

static int fill(sqlite3 *db, const struct kt_ring *ring)
{
    const struct kt_datakey *dk = &ring->datakeys[0];
    uint8_t sum[KT_SUM_SIZE];
    int rc = sqlite3_exec(db, first, NULL, NULL, NULL);

    if (rc == SQLITE_OK) {
        kt_store_sum(KT_FORMAT, ring->store_id, ring->index, sum);
        rc = insert(db, "INSERT INTO store (id, format, index_key, sum) VALUES (?, ?, ?, ?)",
                    (struct value[]){
                        { 'b', 0, { ring->store_id, KT_STORE_ID_SIZE } },
                        { 'i', KT_FORMAT, { NULL, 0 } },
                        { 'b', 0, { ring->index, KT_INDEX_SEALED } },
                        { 'b', 0, { sum, sizeof(sum) } },
                    },
                    4);
    }
    for (size_t i = 0; rc == SQLITE_OK && i < ring->nslots; i++)
        rc = insert_slot(db, ring, &ring->slots[i]);
    if (rc == SQLITE_OK)
        rc = insert(db, "INSERT INTO datakey (id, state, wrapped) VALUES (?, ?, ?)",
                    (struct value[]){
                        { 'i', dk->id, { NULL, 0 } },
                        { 'i', KT_DATAKEY_IN_USE, { NULL, 0 } },
                        { 'b', 0, { dk->wrapped, KT_WRAPPED_SIZE } },
                    },
                    3);
    return rc == SQLITE_OK ? sqlite3_exec(db, last, NULL, NULL, NULL) : rc;
}

/* SQLite would make the file readable as the umask says; nobody has it open yet. */
static int make_empty(const char *path, struct kt_fault *f)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);

    if (fd < 0)
        return kt_fault_errno(f, errno == EACCES ? KT_READ_ONLY : KT_UNAVAILABLE, errno,
                              "cannot make %s", path);
    (void)close(fd);
    return KT_SUCCESS;
}

static int build_database(const char *path, const struct kt_ring *ring, struct kt_fault *f)
{
    struct kt_conn c = { .path = path };
    int rc = sqlite3_open_v2(path, &c.db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);

    if (c.db == NULL)
        return kt_fault(f, KT_NO_MEMORY, "out of memory");
    (void)sqlite3_extended_result_codes(c.db, 1);
    if (rc == SQLITE_OK)
        rc = fill(c.db, ring);
    rc = rc == SQLITE_OK ? KT_SUCCESS : kt_conn_fault(&c, rc, "make", f);
    if (sqlite3_close(c.db) != SQLITE_OK && rc == KT_SUCCESS)
        rc = kt_fault(f, KT_UNAVAILABLE, "cannot close %s", path);
    return rc;
}

/* SQLite has synced it; this costs little and does not depend on how it was built. */
static int sync_file(const char *path, struct kt_fault *f)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    int rc = KT_SUCCESS;

    if (fd < 0 || kt_fsync(fd) != 0)
        rc = kt_fault_errno(f, KT_UNAVAILABLE, errno, "cannot sync %s", path);
    if (fd >= 0)
        (void)close(fd);
    return rc;
}

int kt_create_by(const char *path, kt_build_fn *build, void *arg, struct kt_fault *f)
{
    char *temp = NULL;
    int rc;

    if (asprintf(&temp, "%s-new", path) < 0)
        return kt_fault(f, KT_NO_MEMORY, "out of memory");
    remove_files(temp, BESIDE + 1);
    rc = build(temp, arg, f);
    if (rc == KT_SUCCESS)
        rc = sync_file(temp, f);
    /* the log of a store that somebody removed must not be taken for the new one's */
    if (rc == KT_SUCCESS)
        remove_files(path, BESIDE);
    if (rc == KT_SUCCESS && rename(temp, path) != 0)
        rc = kt_fault_errno(f, KT_UNAVAILABLE, errno, "cannot make %s", path);
    if (rc == KT_SUCCESS)
        rc = kt_place_sync(path, f);
    else
        remove_files(temp, BESIDE + 1);
    free(temp);
    return rc;
}

/** struct fresh - a store without secrets */
struct fresh {
    const struct kt_ring *ring;
};

static int build_fresh(const char *path, void *arg, struct kt_fault *f)
{
    const struct fresh *new = arg;
    const int rc = make_empty(path, f);

    return rc == KT_SUCCESS ? build_database(path, new->ring, f) : rc;
}

int kt_create(const char *path, const struct kt_ring *ring, struct kt_fault *f)
{
    struct fresh new = { ring };

    return kt_create_by(path, build_fresh, &new, f);
}
