/* SPDX-License-Identifier: Apache-2.0 */
#include "conn.h"
#include "checkpoint.h"
#include "place.h"
#include "schema.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

static const char *const sql[KT_SQL_END] = {
    [KT_SQL_STORE] = "SELECT id, format, index_key, sum FROM store",
    [KT_SQL_SLOTS] = "SELECT * FROM slot ORDER BY id", /* the columns tell the format */
    [KT_SQL_DATAKEYS] = "SELECT id, state, wrapped FROM datakey ORDER BY id",
    [KT_SQL_DATAKEY] = "SELECT wrapped FROM datakey WHERE id = ?1",
    [KT_SQL_NEWEST_DATAKEY] = "SELECT max(id) FROM datakey WHERE state = 1",
    [KT_SQL_ROWS] = "SELECT id, dk, sealed FROM record WHERE tag = ?1 ORDER BY id",
    [KT_SQL_ROW] = "SELECT dk, sealed FROM record WHERE tag = ?1 AND id = ?2",
    [KT_SQL_WALK] = "SELECT tag, id, dk, sealed FROM record WHERE tag > ?1 ORDER BY tag, id",
    [KT_SQL_NEXT] = "SELECT tag FROM record WHERE tag > ?1 ORDER BY tag LIMIT 1",
    [KT_SQL_SCAN] = "SELECT tag, dk FROM record WHERE tag > ?1 ORDER BY tag, id",
    [KT_SQL_ROW_AFTER] =
        "SELECT id, dk, sealed FROM record WHERE tag = ?1 AND id > ?2 ORDER BY id LIMIT 1",
    [KT_SQL_ADD_DATAKEY] = "INSERT INTO datakey (id, state, wrapped) VALUES (?1, 1, ?2)",
    [KT_SQL_REPLACE_DATAKEYS] = "UPDATE datakey SET state = 2 WHERE id < ?1",
    [KT_SQL_DROP_DATAKEY] = "DELETE FROM datakey WHERE id = ?1",
    [KT_SQL_COOKIE] = "PRAGMA schema_version",
    [KT_SQL_FORMAT] = "PRAGMA user_version",
    [KT_SQL_STORE_FORMAT] = "UPDATE store SET sum = ?1, format = ?2",
    [KT_SQL_SLOT_ADD] = ("INSERT INTO slot (id, kind, params, wrapped, sum, created, label)"
                         " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)"),
    [KT_SQL_SLOT_REMOVE] = "DELETE FROM slot WHERE id = ?1",
    [KT_SQL_SLOT_REPLACE] = ("UPDATE slot SET params = ?1, wrapped = ?2, sum = ?3"
                             " WHERE id = ?4 AND wrapped = ?5"),
    [KT_SQL_SLOT_SUM] = "UPDATE slot SET sum = ?1 WHERE id = ?2",
    [KT_SQL_BEGIN] = "BEGIN IMMEDIATE",
    [KT_SQL_COMMIT] = "COMMIT",
    [KT_SQL_ROLLBACK] = "ROLLBACK",
    [KT_SQL_WRITE] = "INSERT OR REPLACE INTO record (tag, id, dk, sealed) VALUES (?1, ?2, ?3, ?4)",
    [KT_SQL_REMOVE] = "DELETE FROM record WHERE tag = ?1 AND id = ?2",
    [KT_SQL_REMOVE_ALL] = "DELETE FROM record WHERE tag = ?1",
    [KT_SQL_COUNT_HEADS] = "SELECT count(*) FROM record WHERE id = ''",
    [KT_SQL_COUNT_ROWS] = "SELECT count(*) FROM record",
};

/* ---- errors --------------------------------------------------------------------------------- */

/* SQLite tells the system's error of the database, but not of its log: errno is then still it. */
static int system_error(const struct kt_conn *c)
{
    const int left = errno;
    const int err = sqlite3_system_errno(c->db);

    if (c->why != 0)
        return c->why;
    if (err != 0)
        return err;
    return left != 0 ? left : EIO;
}

int kt_conn_fault(struct kt_conn *c, int code, const char *what, struct kt_fault *f)
{
    switch (code & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_PROTOCOL:
        return kt_fault(f, KT_AGAIN, "%s is in use by another process", c->path);
    case SQLITE_READONLY:
        if (code == SQLITE_READONLY_DBMOVED)
            return kt_fault(f, KT_AGAIN, "%s was moved away", c->path);
        if (c->why != 0)
            return kt_fault_errno(f, c->why == EIO ? KT_UNAVAILABLE : KT_READ_ONLY, c->why,
                                  "cannot %s %s", what, c->path);
        return kt_fault(f, KT_READ_ONLY, "%s cannot be written; check its file system and modes",
                        c->path);
    case SQLITE_FULL:
        return kt_fault(f, KT_NO_SPACE, "cannot %s %s: the file system is full", what, c->path);
    case SQLITE_NOMEM:
        return kt_fault(f, KT_NO_MEMORY, "out of memory");
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_FORMAT:
    case SQLITE_TOOBIG:
        return kt_fault(f, KT_CORRUPT, "%s is damaged (%s); restore it from a backup", c->path,
                        sqlite3_errstr(code));
    case SQLITE_ERROR: /* our statements are right: the tables are not */
        return kt_fault(f, KT_CORRUPT, "%s is damaged (%s); restore it from a backup", c->path,
                        sqlite3_errmsg(c->db));
    case SQLITE_CANTOPEN: /* what it says is how its second try failed, for reading only */
        if (c->why == 0)
            c->why = kt_place_probe(c->path);
        __attribute__((fallthrough));
    case SQLITE_IOERR:
    case SQLITE_PERM:
        if (system_error(c) == EINTR) /* SQLite tries writes again, but not fsync */
            return kt_fault(f, KT_AGAIN, "a signal came while %s was used", c->path);
        return kt_fault_errno(f, KT_UNAVAILABLE, system_error(c), "cannot %s %s", what, c->path);
    default:
        return kt_fault(f, KT_UNAVAILABLE, "cannot %s %s: %s", what, c->path,
                        sqlite3_errmsg(c->db));
    }
}

sqlite3_stmt *kt_conn_stmt(struct kt_conn *c, enum kt_sql which, struct kt_fault *f)
{
    sqlite3_stmt **s = &c->stmts[which];
    int rc;

    if (*s != NULL)
        return *s;
    rc = sqlite3_prepare_v3(c->db, sql[which], -1, SQLITE_PREPARE_PERSISTENT, s, NULL);
    if (rc != SQLITE_OK)
        (void)kt_conn_fault(c, rc, "read", f);
    return *s;
}

int kt_conn_run(struct kt_conn *c, enum kt_sql which, struct kt_fault *f)
{
    sqlite3_stmt *s = kt_conn_stmt(c, which, f);
    int err;
    int rc;

    if (s == NULL)
        return f->status;
    errno = 0;
    rc = sqlite3_step(s);
    err = errno;
    (void)sqlite3_reset(s);
    errno = err;
    return rc == SQLITE_DONE ? KT_SUCCESS : kt_conn_fault(c, rc, "write", f);
}

bool kt_conn_blob(sqlite3_stmt *s, int column, size_t min, size_t max, struct kt_bytes *out)
{
    if (sqlite3_column_type(s, column) != SQLITE_BLOB)
        return false;
    out->data = sqlite3_column_blob(s, column);
    out->len = (size_t)sqlite3_column_bytes(s, column);
    return out->len >= min && out->len <= max && out->data != NULL;
}

/* ---- opening -------------------------------------------------------------------------------- */

void kt_store_sum(int64_t format, const uint8_t id[KT_STORE_ID_SIZE],
                  const uint8_t index[KT_INDEX_SEALED], uint8_t out[KT_SUM_SIZE])
{
    uint8_t number = (uint8_t)format;
    uint8_t digest[KT_DIGEST_SIZE];
    const struct kt_bytes pieces[] = { { "keyturn-file store", 18 },
                                       { &number, 1 },
                                       { id, KT_STORE_ID_SIZE },
                                       { index, KT_INDEX_SEALED } };

    kt_digest(pieces, 4, digest);
    memcpy(out, digest, KT_SUM_SIZE);
}

/* How SQLite is asked to open the file. */
enum way { NORMAL, EXCLUSIVE, IMMUTABLE };

/* A path as an SQLite URI. */
static char *uri_of(const char *path)
{
    char *uri = malloc(3 * strlen(path) + sizeof("file:?immutable=1"));
    char *p = uri;

    if (uri == NULL)
        return NULL;
    p = stpcpy(p, "file:");
    for (; *path != '\0'; path++)
        if (isalnum((unsigned char)*path) || strchr("/._-", *path) != NULL)
            *p++ = *path;
        else
            p += snprintf(p, 4, "%%%02x", (unsigned char)*path);
    (void)stpcpy(p, "?immutable=1");
    return uri;
}

static int open_db(struct kt_conn *c, enum way way, struct kt_fault *f)
{
    char *uri = way == IMMUTABLE ? uri_of(c->path) : NULL;
    int rc;

    if (way == IMMUTABLE && uri == NULL)
        return kt_fault(f, KT_NO_MEMORY, "out of memory");
    rc = uri != NULL
             ? sqlite3_open_v2(uri, &c->db,
                               SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_URI, NULL)
             : sqlite3_open_v2(c->path, &c->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
    free(uri);
    if (c->db == NULL)
        return kt_fault(f, KT_NO_MEMORY, "out of memory");
    (void)sqlite3_extended_result_codes(c->db, 1);
    if (rc != SQLITE_OK)
        return kt_conn_fault(c, rc, "open", f);
    /* whoever could write the file must not thereby run triggers and views in our process */
    (void)sqlite3_db_config(c->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    (void)sqlite3_db_config(c->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    (void)sqlite3_db_config(c->db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
    (void)sqlite3_db_config(c->db, SQLITE_DBCONFIG_ENABLE_VIEW, 0, NULL);
    (void)sqlite3_limit(c->db, SQLITE_LIMIT_LENGTH, KT_SEALED_MAX);
    kt_known_watch(c);
    c->immutable = way == IMMUTABLE;
    c->exclusive = way == EXCLUSIVE;
    if (way == EXCLUSIVE)
        rc = sqlite3_exec(c->db, "PRAGMA locking_mode = EXCLUSIVE", NULL, NULL, NULL);
    return rc == SQLITE_OK ? KT_SUCCESS : kt_conn_fault(c, rc, "open", f);
}

static void close_db(struct kt_conn *c, bool tidy)
{
    for (size_t i = 0; i < KT_SQL_END; i++) {
        (void)sqlite3_finalize(c->stmts[i]);
        c->stmts[i] = NULL;
    }
    if (c->db != NULL && !tidy)
        (void)sqlite3_db_config(c->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    (void)sqlite3_close(c->db);
    c->db = NULL;
}

/* The row of the table store, if it is whole. */
static bool take_store_row(struct kt_conn *c, sqlite3_stmt *s, int64_t *format)
{
    struct kt_bytes id;
    struct kt_bytes index;
    struct kt_bytes sum;
    uint8_t expected[KT_SUM_SIZE];

    *format = sqlite3_column_int64(s, 1);
    if (!kt_conn_blob(s, 0, KT_STORE_ID_SIZE, KT_STORE_ID_SIZE, &id) ||
        !kt_conn_blob(s, 2, KT_INDEX_SEALED, KT_INDEX_SEALED, &index) ||
        !kt_conn_blob(s, 3, KT_SUM_SIZE, KT_SUM_SIZE, &sum))
        return false;
    memcpy(c->store_id, id.data, id.len);
    memcpy(c->index, index.data, index.len);
    kt_store_sum(*format, c->store_id, c->index, expected);
    return memcmp(expected, sum.data, sum.len) == 0;
}

/* A number of the database's header; @pragma reads it. */
static int header_number(struct kt_conn *c, const char *pragma, int *out, struct kt_fault *f)
{
    sqlite3_stmt *s = NULL;
    int rc;

    errno = 0;
    rc = sqlite3_prepare_v2(c->db, pragma, -1, &s, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_step(s);
    *out = rc == SQLITE_ROW ? sqlite3_column_int(s, 0) : 0;
    (void)sqlite3_finalize(s);
    return rc == SQLITE_ROW ? KT_SUCCESS : kt_conn_fault(c, rc, "open", f);
}

int kt_conn_format(struct kt_conn *c, int *out, struct kt_fault *f)
{
    sqlite3_stmt *s = kt_conn_stmt(c, KT_SQL_FORMAT, f);
    int rc;

    if (s == NULL)
        return f->status;
    rc = sqlite3_step(s);
    *out = rc == SQLITE_ROW ? sqlite3_column_int(s, 0) : 0;
    (void)sqlite3_reset(s);
    return rc == SQLITE_ROW ? KT_SUCCESS : kt_conn_fault(c, rc, "read", f);
}

int kt_conn_newer(const struct kt_conn *c, int format, struct kt_fault *f)
{
    return kt_fault(f, KT_UNSUPPORTED,
                    "%s has format %d, this keyturn knows formats up to %d; update keyturn",
                    c->path, format, KT_FORMAT);
}

/* No number of ours, but what damage makes of one. */
static bool is_newer(int version)
{
    return version > KT_FORMAT && version < 1000;
}

/* The table store is not there as we know it: a newer one's, no store at all, or damage. */
static int without_store(struct kt_conn *c, int version, struct kt_fault *f)
{
    const bool missing = strncmp(sqlite3_errmsg(c->db), "no such ", 8) == 0;
    struct kt_fault ignored;
    int application;

    if (!missing || header_number(c, "PRAGMA application_id", &application, &ignored) != KT_SUCCESS)
        return f->status;
    if (application == (int)strtol(KT_APPLICATION_ID, NULL, 16))
        return version > KT_FORMAT ? kt_conn_newer(c, version, f) : f->status;
    if (version == 0)
        return kt_fault(f, KT_CONFIG_ERROR, "%s is no keyturn store; say another path=", c->path);
    return is_newer(version) ? kt_conn_newer(c, version, f) : f->status;
}

static bool is_known(int64_t format)
{
    return format >= 1 && format <= KT_FORMAT;
}

/* SQLite's own code if it could not read, for the caller to choose another way. */
static int read_store_row(struct kt_conn *c, int *code, struct kt_fault *f)
{
    int version;
    int64_t format = 0;
    sqlite3_stmt *s;
    int rc;
    bool whole;

    rc = header_number(c, "PRAGMA user_version", &version, f);
    *code = sqlite3_extended_errcode(c->db);
    if (rc != KT_SUCCESS)
        return rc;
    s = kt_conn_stmt(c, KT_SQL_STORE, f);
    if (s == NULL)
        return without_store(c, version, f);
    *code = sqlite3_step(s);
    if (*code != SQLITE_ROW && *code != SQLITE_DONE)
        rc = kt_conn_fault(c, *code, "read", f);
    whole = *code == SQLITE_ROW && take_store_row(c, s, &format) && is_known(format);
    (void)sqlite3_reset(s);
    if (rc != KT_SUCCESS || (whole && version == format))
        return rc;
    if (is_newer(version) || (version > KT_FORMAT && version == format))
        return kt_conn_newer(c, version, f);
    /* header and row are written together: if they differ, one of them is damaged */
    return kt_fault(f, KT_CORRUPT, "%s is damaged (%s); restore it from a backup", c->path,
                    whole ? "its header" : "its own row");
}

bool kt_conn_store_row(struct kt_conn *c, int64_t *format)
{
    struct kt_fault ignored;
    sqlite3_stmt *s = kt_conn_stmt(c, KT_SQL_STORE, &ignored);
    const bool whole = s != NULL && sqlite3_step(s) == SQLITE_ROW && take_store_row(c, s, format);

    (void)sqlite3_reset(s);
    return whole && is_known(*format);
}

/* A file beside the store; false: there is none. */
static bool beside(const char *path, const char *suffix, char name[PATH_MAX], struct stat *st)
{
    return snprintf(name, PATH_MAX, "%s%s", path, suffix) < PATH_MAX && stat(name, st) == 0;
}

static ino_t inode_beside(const char *path, const char *suffix)
{
    char name[PATH_MAX];
    struct stat st;

    return beside(path, suffix, name, &st) ? st.st_ino : 0;
}

/* Left by a killed process: every process that comes would have to read it again. */
static bool log_has_frames(const struct kt_conn *c)
{
    char name[PATH_MAX];
    struct stat st;

    return beside(c->path, "-wal", name, &st) && st.st_size > 0;
}

void kt_conn_disown(const struct kt_conn *c)
{
    static const char *const suffixes[] = { "-wal", "-shm" };
    char name[PATH_MAX];
    struct stat st;

    if (stat(c->path, &st) == 0 && st.st_dev == c->st.st_dev && st.st_ino == c->st.st_ino)
        return; /* the same file: what is in its log is nowhere else */
    for (size_t k = 0; k < 2; k++)
        for (size_t i = 0; i < c->nfds; i++)
            if (beside(c->path, suffixes[k], name, &st) && st.st_ino == c->fds[i].ino &&
                st.st_dev == c->fds[i].dev)
                (void)unlink(name);
}

/* It may be mounted anew, for writing: then connections that cannot write go. */
static bool on_read_only_medium(const char *path)
{
    struct statvfs fs;

    return statvfs(path, &fs) == 0 && (fs.f_flag & ST_RDONLY) != 0;
}

/*
 * Another way to read when the usual one failed. SQLite wants to make files beside the database:
 * on a full or dying disk it can keep the log's index in memory if it has the database to itself; if it
 * cannot make the log, on a read-only medium too, nobody writes, unless that is so for us alone:
 * kt_conn_is_current() looks. SQLite does not tell why a file could not be made.
 */
static bool other_way(struct kt_conn *c, int code, enum way *way)
{
    const int err = system_error(c);

    if (*way != NORMAL)
        return false;
    if ((code & 0xff) == SQLITE_FULL || code == SQLITE_IOERR_SHMSIZE ||
        code == SQLITE_IOERR_SHMOPEN || code == SQLITE_IOERR_SHMMAP ||
        ((code & 0xff) == SQLITE_IOERR && (err == ENOSPC || err == EDQUOT || err == EFBIG))) {
        *way = EXCLUSIVE;
        return true;
    }
    if ((code & 0xff) != SQLITE_CANTOPEN && (code & 0xff) != SQLITE_READONLY)
        return false;
    c->why = kt_place_probe(c->path);
    if (c->why != 0)
        *way = log_has_frames(c) ? EXCLUSIVE : IMMUTABLE;
    return true;
}

static int check_file(const char *path, struct stat *st, struct kt_fault *f)
{
    if (stat(path, st) != 0) {
        if (errno == ENOENT)
            return kt_fault(f, KT_NOT_FOUND, "%s was never made", path);
        return kt_fault_errno(f, KT_UNAVAILABLE, errno, "cannot reach %s", path);
    }
    if (!S_ISREG(st->st_mode))
        return kt_fault(f, KT_CONFIG_ERROR, "%s is not a regular file", path);
    if (st->st_uid != 0 && st->st_uid != geteuid())
        return kt_fault(f, KT_CONFIG_ERROR, "%s belongs to another user; chown it", path);
    if ((st->st_mode & 022) != 0)
        return kt_fault(f, KT_CONFIG_ERROR, "%s can be written by others; chmod it to 0600", path);
    if (st->st_size == 0)
        return kt_fault(f, KT_CORRUPT, "%s is empty; restore it from a backup, or remove it", path);
    return KT_SUCCESS;
}

static void note_fd(struct kt_conn *c, int fd, const struct stat *st, ino_t log, ino_t shm)
{
    if (c->nfds < KT_CONN_FDS && st->st_dev == c->st.st_dev &&
        (st->st_ino == c->st.st_ino || st->st_ino == log || st->st_ino == shm))
        c->fds[c->nfds++] = (struct kt_fd){ fd, st->st_dev, st->st_ino };
}

/* Which descriptors SQLite holds it does not say; nobody else opens these files. */
static void note_fds(struct kt_conn *c)
{
    const ino_t log = inode_beside(c->path, "-wal");
    const ino_t shm = inode_beside(c->path, "-shm");
    DIR *dir = opendir("/proc/self/fd");
    const struct dirent *e;
    struct stat st;

    for (int fd = 3; dir == NULL && fd < 1024; fd++) /* no /proc here */
        if (fstat(fd, &st) == 0)
            note_fd(c, fd, &st, log, shm);
    while (dir != NULL && (e = readdir(dir)) != NULL)
        if (isdigit((unsigned char)e->d_name[0]) && fstatat(dirfd(dir), e->d_name, &st, 0) == 0)
            note_fd(c, atoi(e->d_name), &st, log, shm);
    if (dir != NULL)
        (void)closedir(dir);
}

/* What a connection that only looks can do without: a store's own row, and its format. */
static bool can_look(const struct kt_conn *c, int rc)
{
    return c->db != NULL && (rc == KT_CORRUPT || rc == KT_UNSUPPORTED || rc == KT_CONFIG_ERROR);
}

static int open_conn(const char *path, bool look, enum way way, struct kt_conn **out,
                     struct kt_fault *f)
{
    struct kt_conn *c = calloc(1, sizeof(*c));
    struct stat after;
    int code = SQLITE_OK;
    int rc;

    if (c == NULL)
        return kt_fault(f, KT_NO_MEMORY, "out of memory");
    c->path = path;
    rc = check_file(path, &c->st, f);
    if (rc == KT_SUCCESS && way == NORMAL)
        rc = kt_place_local(path, f);
    if (rc != KT_SUCCESS)
        goto out;
    rc = open_db(c, way, f);
    if (rc == KT_SUCCESS)
        rc = read_store_row(c, &code, f);
    if (rc != KT_SUCCESS && other_way(c, code, &way)) {
        close_db(c, false);
        rc = open_db(c, way, f);
        if (rc == KT_SUCCESS)
            rc = read_store_row(c, &code, f);
    }
    if (c->why == 0 && c->db != NULL && sqlite3_db_readonly(c->db, "main") == 1 &&
        on_read_only_medium(path))
        c->why = EROFS;
    c->exclusive = c->exclusive || (c->why != 0 && !on_read_only_medium(path));
    if (rc == KT_READ_ONLY) /* that it cannot even be read is another matter */
        rc = f->status = KT_UNAVAILABLE;
    if (look && can_look(c, rc))
        rc = KT_SUCCESS;
    if (rc != KT_SUCCESS)
        goto out;
    if (stat(path, &after) != 0 || !kt_conn_is_current(c, &after)) {
        rc = kt_fault(f, KT_AGAIN, "%s was exchanged", path);
        goto out;
    }
    note_fds(c);
    *out = c;
    c = NULL;
out:
    if (c != NULL)
        kt_conn_close(c, false);
    return rc;
}

int kt_conn_open(const char *path, struct kt_conn **out, struct kt_fault *f)
{
    return open_conn(path, false, NORMAL, out, f);
}

int kt_conn_look(const char *path, struct kt_conn **out, struct kt_fault *f)
{
    return open_conn(path, true, NORMAL, out, f);
}

/* Every process that has a store open holds a lock of SQLite's on it, or has a log. */
static bool in_use(const struct kt_conn *c)
{
    struct flock any = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0x40000000 };
    char log[PATH_MAX];
    struct stat st;

    if (beside(c->path, "-wal", log, &st) && st.st_size > 0)
        return true;
    any.l_len = 512;
    return c->nfds > 0 && fcntl(c->fds[0].fd, F_GETLK, &any) == 0 && any.l_type != F_UNLCK;
}

int kt_conn_open_still(const char *path, struct kt_conn **out, struct kt_fault *f)
{
    struct kt_conn *c = NULL;
    int rc = open_conn(path, false, IMMUTABLE, &c, f);

    if (rc == KT_SUCCESS && in_use(c)) {
        kt_conn_close(c, false);
        return kt_fault(f, KT_BUSY,
                        "%s is in use, or its log lies beside it; take a backup of it instead",
                        path);
    }
    if (rc == KT_SUCCESS)
        *out = c;
    return rc;
}

int kt_conn_open_alone(const char *path, struct kt_conn **out, struct kt_fault *f)
{
    return open_conn(path, false, EXCLUSIVE, out, f);
}

void kt_conn_close(struct kt_conn *c, bool tidy)
{
    close_db(c, tidy && (c->writer || log_has_frames(c)));
    explicit_bzero(c, sizeof(*c));
    free(c);
}

int kt_conn_for_writing(struct kt_conn *c, struct kt_fault *f)
{
    int rc;

    c->changes = sqlite3_total_changes(c->db);
    if (c->writer)
        return KT_SUCCESS;
    kt_checkpoint_watch(c);
    /* both may have been compiled in otherwise */
    rc = sqlite3_exec(c->db, "PRAGMA synchronous = FULL; PRAGMA secure_delete = ON", NULL, NULL,
                      NULL);
    /* SQLite does the same when it makes the log, but does not look whether it worked */
    rc = rc == SQLITE_OK ? kt_place_sync(c->path, f) : kt_conn_fault(c, rc, "open", f);
    c->writer = rc == KT_SUCCESS;
    return rc;
}

bool kt_conn_is_current(const struct kt_conn *c, const struct stat *st)
{
    if (st->st_dev != c->st.st_dev || st->st_ino != c->st.st_ino)
        return false;
    if (c->why == EROFS && !c->exclusive && !on_read_only_medium(c->path))
        return false;
    return !c->immutable || (!log_has_frames(c) && st->st_size == c->st.st_size &&
                             st->st_mtim.tv_sec == c->st.st_mtim.tv_sec &&
                             st->st_mtim.tv_nsec == c->st.st_mtim.tv_nsec);
}
