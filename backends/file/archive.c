/* SPDX-License-Identifier: Apache-2.0 */
#include "archive.h"

#include "gate.h"

#include <stdlib.h>
#include <string.h>

static int begin(struct kt_archive *a, const struct kt_host *host, struct kt_call *call,
                 const char *file, const char *path, struct kt_fault *f)
{
    int rc = kt_seal_setup(f);

    *a = (struct kt_archive){ .path = path, .s = { .host = host, .call = call } };
    return rc == KT_SUCCESS ? kt_store_ref(host, file, "", true, NULL, &a->s.store, f) : rc;
}

/* What SQLite does with the file costs no more than the file's length: it is synced at its end. */
static int fill_begin(struct kt_archive *a, const struct kt_ring *ring, struct kt_fault *f)
{
    int code;
    int rc = kt_create(a->s.store->path, ring, f);

    if (rc == KT_SUCCESS)
        rc = kt_conn_open_alone(a->s.store->path, &a->s.conn, f);
    if (rc != KT_SUCCESS)
        return rc;
    code = sqlite3_exec(a->s.conn->db, "PRAGMA synchronous = OFF", NULL, NULL, NULL);
    return code == SQLITE_OK ? KT_SUCCESS : kt_conn_fault(a->s.conn, code, "open", f);
}

int kt_archive_make(struct kt_archive *a, const struct kt_host *host, struct kt_call *call,
                    const char *file, const char *path, struct kt_recipe *recipe,
                    struct kt_fault *f)
{
    const struct kt_unlock u = { .host = host, .call = call, .path = path, .key_path = "" };
    struct kt_ring *ring = calloc(1, sizeof(*ring));
    int rc = begin(a, host, call, file, path, f);

    if (rc == KT_SUCCESS && ring == NULL)
        rc = kt_fault(f, KT_NO_MEMORY, "out of memory");
    if (rc == KT_SUCCESS)
        rc = kt_unlock_make(&u, recipe, ring, &a->s.keys, f);
    if (rc == KT_SUCCESS) {
        kt_gate_enter();
        rc = fill_begin(a, ring, f);
        kt_gate_leave();
    }
    free(ring);
    return rc;
}

int kt_archive_open(struct kt_archive *a, const struct kt_host *host, struct kt_call *call,
                    const char *path, const char *key_path, struct kt_fault *f)
{
    const struct kt_unlock u = { .host = host, .call = call, .path = path, .key_path = key_path };
    struct kt_ring *ring = calloc(1, sizeof(*ring));
    struct kt_raised raised = { .wanted = false };
    int rc = begin(a, host, call, path, path, f);

    if (rc == KT_SUCCESS && ring == NULL)
        rc = kt_fault(f, KT_NO_MEMORY, "out of memory");
    if (rc == KT_SUCCESS) {
        kt_gate_enter();
        rc = kt_conn_open_still(path, &a->s.conn, f);
        if (rc == KT_SUCCESS)
            rc = kt_ring_load(a->s.conn, ring, f);
        kt_gate_leave();
    }
    if (rc == KT_NOT_FOUND)
        rc = kt_fault(f, rc, "there is no archive %s", path);
    if (rc == KT_SUCCESS)
        rc = kt_unlock(&u, ring, &raised, &a->s.keys, f);
    free(ring);
    return rc;
}

/* A program that closes what is not its own does so to us: what has these numbers now is not the
 * archive, so the connection is left alone for good. */
int kt_archive_sound(struct kt_archive *a, struct kt_fault *f)
{
    const struct kt_conn *c = a->s.conn;
    struct stat st;
    bool ours = c != NULL;

    for (size_t i = 0; ours && i < c->nfds; i++)
        ours = fstat(c->fds[i].fd, &st) == 0 && st.st_dev == c->fds[i].dev &&
               st.st_ino == c->fds[i].ino;
    if (ours)
        return KT_SUCCESS;
    a->s.conn = NULL;
    return kt_fault(f, KT_UNAVAILABLE, "this program has closed %s", a->path);
}

int kt_archive_enter(struct kt_archive *a, struct kt_fault *f)
{
    int rc;

    kt_gate_enter();
    rc = kt_archive_sound(a, f);
    if (rc != KT_SUCCESS)
        kt_gate_leave();
    return rc;
}

void kt_archive_leave(void)
{
    kt_gate_leave();
}

int kt_archive_finish(struct kt_archive *a, struct kt_fault *f)
{
    const int code = sqlite3_wal_checkpoint_v2(a->s.conn->db, NULL, SQLITE_CHECKPOINT_TRUNCATE,
                                               NULL, NULL);

    return code == SQLITE_OK ? KT_SUCCESS : kt_conn_fault(a->s.conn, code, "write", f);
}

void kt_archive_close(struct kt_archive *a)
{
    struct kt_fault ignored;

    if (a->s.store == NULL)
        return;
    kt_gate_enter();
    if (a->s.conn != NULL && kt_archive_sound(a, &ignored) == KT_SUCCESS)
        kt_conn_close(a->s.conn, !a->s.conn->immutable);
    kt_gate_leave();
    kt_keys_free(a->s.host, a->s.keys);
    kt_store_unref(a->s.store);
    *a = (struct kt_archive){ .path = NULL };
}

bool kt_archive_has_prefix(const char *name, const char *prefix)
{
    const size_t n = prefix != NULL ? strlen(prefix) : 0;

    return n == 0 || (strncmp(name, prefix, n) == 0 &&
                      (name[n] == '\0' || name[n] == '/' || prefix[n - 1] == '/'));
}
