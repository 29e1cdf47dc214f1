/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYTURN_FILE_CONN_H
#define KEYTURN_FILE_CONN_H

#include "fault.h"
#include "record.h"
#include "seal.h"

#include <sys/stat.h>

#include <sqlite3.h>

/* Every statement of the module but those that make a store; prepared when first used. */
enum kt_sql {
    KT_SQL_STORE,
    KT_SQL_SLOTS,
    KT_SQL_DATAKEYS,
    KT_SQL_DATAKEY,
    KT_SQL_NEWEST_DATAKEY,
    KT_SQL_ROWS,
    KT_SQL_ROW,
    KT_SQL_WALK,
    KT_SQL_NEXT,
    KT_SQL_SCAN,
    KT_SQL_ROW_AFTER,
    KT_SQL_ADD_DATAKEY,
    KT_SQL_REPLACE_DATAKEYS,
    KT_SQL_DROP_DATAKEY,
    KT_SQL_COOKIE,
    KT_SQL_FORMAT,
    KT_SQL_STORE_FORMAT,
    KT_SQL_SLOT_ADD,
    KT_SQL_SLOT_REMOVE,
    KT_SQL_SLOT_REPLACE,
    KT_SQL_SLOT_SUM,
    KT_SQL_BEGIN,
    KT_SQL_COMMIT,
    KT_SQL_ROLLBACK,
    KT_SQL_WRITE,
    KT_SQL_REMOVE,
    KT_SQL_REMOVE_ALL,
    KT_SQL_COUNT_HEADS,
    KT_SQL_COUNT_ROWS,
    KT_SQL_END
};

#define KT_INDEX_SEALED (KT_KEY_SIZE + KT_SEAL_EXTRA)
/* A head of KT_VERSIONS_MAX versions fits; no row of ours is longer. */
#define KT_SEALED_MAX (16 << 20)
#define KT_CONN_FDS 64

/** struct kt_fd - a descriptor, and the file that was behind it */
struct kt_fd {
    int fd;
    dev_t dev;
    ino_t ino;
};

/**
 * struct kt_known - what need not be looked at again until something is committed (known.c)
 * @at:     SQLite's number for the commit
 * @newest: the data key in use; 0: not known
 * @store:  @store_id and @index are what the store's own row says
 */
struct kt_known {
    unsigned at;
    int64_t newest;
    bool store;
};

/**
 * struct kt_conn - a connection, used by one thread at a time
 * @store_id:  of the store it was opened on
 * @index:     the index key, sealed under the master key
 * @immutable: read-only medium: SQLite takes no locks and sees no changes
 * @exclusive: no room for the shared index of the write-ahead log, or for the log: closed after use
 * @why:       errno: no file can be made beside the store; 0
 * @writer:    it is set up for writing
 * @log_due:   pages in the log from which on it is moved into the database (checkpoint.c)
 * @known:     as of the database's last commit
 * @changes:   rows that it had changed when its transaction began
 * @settled:   all that it can see in the log is on the disk
 * @fds:       descriptors of this process on the store's files when it was opened
 */
struct kt_conn {
    struct kt_conn *next;
    sqlite3 *db;
    const char *path; /* the store's */
    struct stat st;
    uint8_t store_id[KT_STORE_ID_SIZE];
    uint8_t index[KT_INDEX_SEALED];
    bool immutable;
    bool exclusive;
    int why;
    bool writer;
    int log_due;
    struct kt_known known;
    int changes;
    bool settled;
    struct kt_fd fds[KT_CONN_FDS];
    size_t nfds;
    sqlite3_stmt *stmts[KT_SQL_END];
};

/**
 * kt_conn_open - open an existing store and see that it is one
 * @path: borrowed for the connection's life
 *
 * Returns KT_SUCCESS, KT_AGAIN, KT_NOT_FOUND (it went away meanwhile), KT_CONFIG_ERROR (others can
 * write it; no store of ours), KT_UNSUPPORTED (a newer format), KT_CORRUPT, KT_UNAVAILABLE …
 */
int kt_conn_open(const char *path, struct kt_conn **out, struct kt_fault *f) KT_MUST_CHECK;

/** kt_conn_look - the same for whoever only looks for damage: what stands in the store's own row, and
 * whether there is one, is not asked. Not to be shared. */
int kt_conn_look(const char *path, struct kt_conn **out, struct kt_fault *f) KT_MUST_CHECK;

/**
 * kt_conn_open_still - open a store that nobody uses, a backup or an archive, and make no files beside it
 *
 * As kt_conn_open(); KT_BUSY: it is in use. kt_conn_is_current() tells afterwards whether it stayed so.
 */
int kt_conn_open_still(const char *path, struct kt_conn **out, struct kt_fault *f) KT_MUST_CHECK;

/** kt_conn_open_alone - open a store that nobody else knows of, to fill it */
int kt_conn_open_alone(const char *path, struct kt_conn **out, struct kt_fault *f) KT_MUST_CHECK;

/** kt_conn_store_row - read the store's own row anew; false: it is not whole, or of no format that is
 * known; @format is then only changed if there is one */
bool kt_conn_store_row(struct kt_conn *c, int64_t *format);

/** kt_conn_format - the format that the store has now: another process may have brought it to a newer
 * one since the connection was made */
int kt_conn_format(struct kt_conn *c, int *out, struct kt_fault *f) KT_MUST_CHECK;

/** kt_conn_newer - the refusal of a store of a newer format */
int kt_conn_newer(const struct kt_conn *c, int format, struct kt_fault *f);

/** kt_conn_for_writing - settings that only writers need, once a connection */
int kt_conn_for_writing(struct kt_conn *c, struct kt_fault *f) KT_MUST_CHECK;

/** kt_conn_close - @tidy: may move the log into the database if this is the last connection */
void kt_conn_close(struct kt_conn *c, bool tidy);

/** kt_conn_is_current - is this still the file at the path, unchanged if SQLite does not look? */
bool kt_conn_is_current(const struct kt_conn *c, const struct stat *st);

/**
 * kt_conn_disown - another file has taken the path: before this connection is closed, take away the
 * write-ahead log that lies beside it if it is the old file's, or SQLite would apply it to the new one
 */
void kt_conn_disown(const struct kt_conn *c);

/** kt_conn_stmt - a statement, reset; NULL: explained in @f */
sqlite3_stmt *kt_conn_stmt(struct kt_conn *c, enum kt_sql which, struct kt_fault *f);

/** kt_conn_run - a statement without rows: step and reset */
int kt_conn_run(struct kt_conn *c, enum kt_sql which, struct kt_fault *f) KT_MUST_CHECK;

/** kt_conn_commit - end the transaction; what is known of the data keys stays known */
int kt_conn_commit(struct kt_conn *c, struct kt_fault *f) KT_MUST_CHECK;

/**
 * kt_log_settle - a transaction was committed: is what it acknowledges on the disk?
 *
 * If it has written, its commit has synced the log, and all that others have left there. If it found
 * that nothing was to be done, it may have found that in the log of a process that was killed between
 * its write and its sync: then the log is synced, once a connection.
 */
int kt_log_settle(struct kt_conn *c, struct kt_fault *f) KT_MUST_CHECK;

/** kt_conn_known - what still holds; valid until the next look. Inside a transaction, or after a read
 * that it is about */
const struct kt_known *kt_conn_known(struct kt_conn *c);

/** kt_conn_know - what a look in the same transaction, or read, has found; 0 and false: nothing */
void kt_conn_know(struct kt_conn *c, int64_t newest, bool store);
void kt_known_watch(struct kt_conn *c);

/** kt_conn_fault - the status for what SQLite says, explained: "cannot @what PATH: reason" */
int kt_conn_fault(struct kt_conn *c, int code, const char *what, struct kt_fault *f);

/** kt_conn_blob - a column of @min to @max bytes as it lies in SQLite, until the next step; false: it
 * is something else */
bool kt_conn_blob(sqlite3_stmt *s, int column, size_t min, size_t max, struct kt_bytes *out);

/** kt_store_sum - what the `sum` column of the table store holds */
#define KT_SUM_SIZE 16
void kt_store_sum(int64_t format, const uint8_t id[KT_STORE_ID_SIZE],
                  const uint8_t index[KT_INDEX_SEALED], uint8_t out[KT_SUM_SIZE]);

#endif
