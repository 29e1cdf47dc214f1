/* SPDX-License-Identifier: Apache-2.0 */
#include "pages.h"

#include "schema.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#define SLICE 256 /* pages */
#define HEADER 100
#define PAGE_MAX 65536

/* ---- looking -------------------------------------------------------------------------------- */

int kt_pages_number(struct kt_conn *c, enum kt_sql which, int64_t *out, struct kt_fault *f)
{
    sqlite3_stmt *q = kt_conn_stmt(c, which, f);
    int code;

    if (q == NULL)
        return f->status;
    code = sqlite3_step(q);
    *out = sqlite3_column_int64(q, 0);
    (void)sqlite3_reset(q);
    return code == SQLITE_ROW ? KT_SUCCESS : kt_conn_fault(c, code, "read", f);
}

int kt_pages_count(struct kt_conn *c, struct kt_counts *out, struct kt_fault *f)
{
    int64_t rows = 0;
    int rc = kt_pages_number(c, KT_SQL_COUNT_HEADS, &out->secrets, f);

    if (rc == KT_SUCCESS)
        rc = kt_pages_number(c, KT_SQL_COUNT_ROWS, &rows, f);
    out->versions = rows - out->secrets;
    return rc;
}

int kt_pages_check(struct kt_conn *c, bool deep, struct kt_fault *f)
{
    sqlite3_stmt *q = NULL;
    int code = sqlite3_prepare_v2(
        c->db, deep ? "PRAGMA integrity_check(1)" : "PRAGMA quick_check(1)", -1, &q, NULL);
    const char *said = NULL;
    int rc = KT_SUCCESS;

    if (code == SQLITE_OK)
        code = sqlite3_step(q);
    if (code != SQLITE_ROW)
        rc = kt_conn_fault(c, code, "check", f);
    else
        said = (const char *)sqlite3_column_text(q, 0);
    if (said != NULL && strcmp(said, "ok") != 0)
        rc = kt_fault(f, KT_CORRUPT, "%s is damaged (%.*s)", c->path, (int)strcspn(said, "\n"),
                      said);
    (void)sqlite3_finalize(q);
    return rc;
}

/* ---- copying -------------------------------------------------------------------------------- */

static int out_of_patience(const struct kt_patience *p, const char *path, struct kt_fault *f)
{
    struct pollfd cancel = { .fd = p->cancel_fd, .events = POLLIN };

    if (poll(&cancel, 1, 0) > 0)
        return kt_fault(f, KT_CANCELLED, "cancelled; %s is as it was", path);
    if (p->host->left_ms(p->call) == 0)
        return kt_fault(f, KT_TIMEOUT, "the copy was not whole in time; %s is as it was", path);
    return KT_SUCCESS;
}

int kt_pages_copy(struct kt_conn *from, struct kt_conn *to, const struct kt_patience *patience,
                  struct kt_fault *f)
{
    sqlite3_backup *b = sqlite3_backup_init(to->db, "main", from->db, "main");
    int code = SQLITE_OK;
    int rc = KT_SUCCESS;

    if (b == NULL)
        return kt_conn_fault(to, sqlite3_extended_errcode(to->db), "write", f);
    while (rc == KT_SUCCESS && code == SQLITE_OK) {
        rc = out_of_patience(patience, to->path, f);
        errno = 0;
        if (rc == KT_SUCCESS)
            code = sqlite3_backup_step(b, SLICE);
    }
    if (rc == KT_SUCCESS && code != SQLITE_DONE)
        rc = (code & 0xff) == SQLITE_CORRUPT || (code & 0xff) == SQLITE_NOTADB
                 ? kt_fault(f, KT_CORRUPT, "%s cannot be copied: %s", from->path,
                            sqlite3_errstr(code))
                 : kt_conn_fault(to, code, "write", f);
    (void)sqlite3_backup_finish(b); /* what was not whole is undone */
    return rc;
}

static int open_plain(struct kt_conn *c, const char *pragmas, struct kt_fault *f)
{
    int code = sqlite3_open_v2(c->path, &c->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);

    if (c->db == NULL)
        return kt_fault(f, KT_NO_MEMORY, "out of memory");
    (void)sqlite3_extended_result_codes(c->db, 1);
    if (code == SQLITE_OK)
        code = sqlite3_exec(c->db, pragmas, NULL, NULL, NULL);
    return code == SQLITE_OK ? KT_SUCCESS : kt_conn_fault(c, code, "open", f);
}

int kt_pages_write(struct kt_conn *from, const char *path, const struct kt_patience *patience,
                   struct kt_fault *f)
{
    struct kt_conn to = { .path = path };
    const int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    int rc;

    if (fd < 0)
        return kt_fault_errno(f, errno == EACCES ? KT_READ_ONLY : KT_UNAVAILABLE, errno,
                              "cannot make %s", path);
    (void)close(fd);
    /* nobody knows the file: one that is not whole is thrown away, so nothing has to be undone */
    rc = open_plain(&to, "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF", f);
    if (rc == KT_SUCCESS)
        rc = kt_pages_copy(from, &to, patience, f);
    if (sqlite3_close(to.db) != SQLITE_OK && rc == KT_SUCCESS)
        rc = kt_fault(f, KT_UNAVAILABLE, "cannot close %s", path);
    return rc;
}

/* ---- over what is damaged ------------------------------------------------------------------- */

/*
 * The head of a database of ours without anything in it, and with a first page that is no page: until
 * all others have been written it opens as damaged. It makes SQLite use the log: processes that have
 * the file open hold the lock that it would otherwise want to have alone, and look into the log.
 */
static void make_header(int page_size, uint8_t out[HEADER])
{
    memset(out, 0, HEADER);
    memcpy(out, "SQLite format 3", 16);
    out[16] = (uint8_t)(page_size == PAGE_MAX ? 0 : page_size >> 8);
    out[17] = page_size == PAGE_MAX ? 1 : 0;
    out[18] = out[19] = 2; /* a log */
    out[21] = 64;
    out[22] = out[23] = 32;
    out[63] = KT_FORMAT; /* user_version: it is ours, and damaged */
}

static bool has_header(sqlite3_file *file, const uint8_t header[HEADER], int page_size)
{
    uint8_t have[HEADER];
    sqlite3_int64 size = 0;

    return file->pMethods->xFileSize(file, &size) == SQLITE_OK && size >= page_size &&
           file->pMethods->xRead(file, have, HEADER, 0) == SQLITE_OK &&
           memcmp(have, header, 20) == 0 && memcmp(have + 21, header + 21, 3) == 0;
}

/* Through SQLite's own descriptor: closing another one would drop the locks of this process. */
static int mend_header(struct kt_conn *c, int page_size, struct kt_fault *f)
{
    static const uint8_t nothing[PAGE_MAX - HEADER];
    uint8_t header[HEADER];
    sqlite3_file *file = NULL;
    int code = sqlite3_file_control(c->db, "main", SQLITE_FCNTL_FILE_POINTER, &file);

    if (code != SQLITE_OK || file == NULL || file->pMethods == NULL)
        return kt_fault(f, KT_UNAVAILABLE, "cannot open %s", c->path);
    make_header(page_size, header);
    if (has_header(file, header, page_size))
        return KT_SUCCESS;
    errno = 0;
    code = file->pMethods->xWrite(file, nothing, page_size - HEADER, HEADER);
    if (code == SQLITE_OK)
        code = file->pMethods->xWrite(file, header, HEADER, 0);
    if (code == SQLITE_OK)
        code = file->pMethods->xSync(file, SQLITE_SYNC_NORMAL);
    return code == SQLITE_OK ? KT_SUCCESS : kt_conn_fault(c, code, "write", f);
}

static int page_size_of(struct kt_conn *c, int *out, struct kt_fault *f)
{
    sqlite3_stmt *q = NULL;
    int code = sqlite3_prepare_v2(c->db, "PRAGMA page_size", -1, &q, NULL);

    if (code == SQLITE_OK)
        code = sqlite3_step(q);
    *out = sqlite3_column_int(q, 0);
    (void)sqlite3_finalize(q);
    return code == SQLITE_ROW ? KT_SUCCESS : kt_conn_fault(c, code, "read", f);
}

int kt_pages_reset(struct kt_conn *from, const char *path, const struct kt_patience *patience,
                   struct kt_fault *f)
{
    struct kt_conn to = { .path = path };
    int page_size = 0;
    int rc = page_size_of(from, &page_size, f);

    if (rc == KT_SUCCESS)
        rc = open_plain(&to, "", f);
    if (rc == KT_SUCCESS)
        rc = mend_header(&to, page_size, f);
    if (rc == KT_SUCCESS) {
        /* it fails, but afterwards SQLite knows that there is a log */
        (void)sqlite3_table_column_metadata(to.db, NULL, "store", NULL, NULL, NULL, NULL, NULL,
                                            NULL);
        (void)sqlite3_db_config(to.db, SQLITE_DBCONFIG_RESET_DATABASE, 1, NULL);
        (void)sqlite3_exec(to.db, "PRAGMA synchronous = FULL", NULL, NULL, NULL);
        rc = kt_pages_copy(from, &to, patience, f);
        (void)sqlite3_db_config(to.db, SQLITE_DBCONFIG_RESET_DATABASE, 0, NULL);
    }
    if (rc == KT_SUCCESS)
        (void)sqlite3_wal_checkpoint_v2(to.db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
    (void)sqlite3_close(to.db);
    return rc;
}
