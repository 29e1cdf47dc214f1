/* SPDX-License-Identifier: Apache-2.0 */
#include "store.h"

#include "format.h"
#include "gate.h"
#include "place.h"
#include "schema.h"
#include "shelter.h"
#include "unlock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define IDLE_MAX 8
#define QUICK_TRIES 8 /* of 125 us, then 1 ms apart */
#define HURRIES 160 /* of the same, by the next in turn: nobody else will take what becomes free */
#define QUICK_NS 125000

/* What a turn may find out besides: two are mended outside the gate. */
#define NEED_KEYS (-2)
#define NEED_STORE (-3)
#define NO_STORE (-4)

/* Every store of this process; inside the gate, under the mutex. */
static struct kt_store *stores;
static pthread_mutex_t stores_mutex = PTHREAD_MUTEX_INITIALIZER;

/* ---- stores --------------------------------------------------------------------------------- */

static void drop_idle(struct kt_store *s, bool tidy)
{
    while (s->idle != NULL) {
        struct kt_conn *c = s->idle;

        s->idle = c->next;
        kt_conn_close(c, tidy);
    }
    s->nidle = 0;
}

void kt_store_unref_keys(struct kt_store *s, struct kt_keys *k)
{
    if (k != NULL && --k->refs == 0)
        kt_keys_free(s->host, k);
}

static void free_store(struct kt_store *s)
{
    drop_idle(s, true);
    kt_lock_drop(s, true);
    kt_store_unref_keys(s, s->keys);
    (void)pthread_mutex_destroy(&s->mutex);
    free(s->path);
    free(s->key_path);
    free(s->lock_path);
    free(s->secret);
    free(s);
}

static struct kt_store *new_store(const struct kt_host *host, const char *path,
                                  const char *key_path, bool passphrase, const char *secret)
{
    struct kt_store *s = calloc(1, sizeof(*s));

    if (s == NULL)
        return NULL;
    (void)pthread_mutex_init(&s->mutex, NULL);
    s->refs = 1;
    s->host = host;
    s->lock_fd = -1;
    s->passphrase = passphrase;
    s->path = strdup(path);
    s->key_path = strdup(key_path);
    if (asprintf(&s->lock_path, "%s-lock", path) < 0)
        s->lock_path = NULL;
    s->secret = secret != NULL ? strdup(secret) : NULL;
    if (s->path == NULL || s->key_path == NULL || s->lock_path == NULL ||
        (secret != NULL && s->secret == NULL)) {
        free_store(s);
        return NULL;
    }
    return s;
}

/* Is it the one that a line means? */
static bool is_meant(const struct kt_store *s, const char *path, const char *key_path,
                     bool passphrase, const char *secret)
{
    return s->passphrase == passphrase && strcmp(s->path, path) == 0 &&
           strcmp(s->key_path, key_path) == 0 &&
           strcmp(s->secret != NULL ? s->secret : "", secret != NULL ? secret : "") == 0;
}

int kt_store_ref(const struct kt_host *host, const char *path, const char *key_path,
                 bool passphrase, const char *secret, struct kt_store **out, struct kt_fault *f)
{
    struct kt_store *s;

    kt_gate_setup(host);
    kt_gate_enter();
    (void)pthread_mutex_lock(&stores_mutex);
    for (s = stores; s != NULL; s = s->next)
        if (s->host == host && is_meant(s, path, key_path, passphrase, secret))
            break;
    if (s != NULL) {
        s->refs++;
    } else {
        s = new_store(host, path, key_path, passphrase, secret);
        if (s != NULL) {
            s->next = stores;
            stores = s;
        }
    }
    (void)pthread_mutex_unlock(&stores_mutex);
    kt_gate_leave();
    if (s == NULL)
        return kt_fault(f, KT_NO_MEMORY, "out of memory");
    *out = s;
    return KT_SUCCESS;
}

void kt_store_unref(struct kt_store *s)
{
    kt_gate_enter();
    (void)pthread_mutex_lock(&stores_mutex);
    if (--s->refs == 0) {
        struct kt_store **p = &stores;

        while (*p != s)
            p = &(*p)->next;
        *p = s->next;
        free_store(s);
    }
    (void)pthread_mutex_unlock(&stores_mutex);
    kt_gate_leave();
}

/* ---- fork, and programs that close what is not theirs --------------------------------------- */

static size_t shelter_foreign(struct kt_shelter *out)
{
    size_t n = 0;

    for (const struct kt_store *s = stores; s != NULL; s = s->next)
        for (const struct kt_conn *c = s->idle; c != NULL; c = c->next)
            for (size_t i = 0; i < c->nfds; i++)
                n = kt_shelter_add(&c->fds[i], out, n);
    return n;
}

void kt_stores_close_all(bool sound)
{
    struct kt_shelter foreign[KT_SHELTERS_MAX];
    const size_t n = sound ? 0 : shelter_foreign(foreign);

    for (struct kt_store *s = stores; s != NULL; s = s->next) {
        drop_idle(s, false); /* nothing is written through descriptors that may be others' */
        kt_lock_drop(s, sound);
    }
    kt_shelter_end(foreign, n);
}

void kt_stores_forked(void)
{
    for (struct kt_store *s = stores; s != NULL; s = s->next)
        s->unlocking = false;
}

/* ---- a turn --------------------------------------------------------------------------------- */

/** struct plan - what a run carries from one turn to the next */
struct plan {
    enum kt_access access;
    kt_body_fn *body;
    void *arg;
    struct kt_ring *ring;     /* to be unlocked, or a new store's */
    struct kt_keys *made;     /* of a new store */
    struct kt_recipe *recipe; /* the store is to be made, and by nobody else; or NULL */
    bool created;
};

/* Is there a store? And if a connection is not of this one, it goes. Mutex held. */
static int look(struct kt_session *s)
{
    struct kt_store *store = s->store;
    struct stat st;

    if (stat(store->path, &st) != 0) {
        int err = errno;

        drop_idle(store, false);
        if (err == ENOENT)
            return kt_fault(&s->fault, KT_NOT_FOUND, "%s was never made", store->path);
        return kt_fault_errno(&s->fault, KT_UNAVAILABLE, err, "cannot reach %s", store->path);
    }
    if (store->idle != NULL && !kt_conn_is_current(store->idle, &st)) {
        for (const struct kt_conn *c = store->idle; c != NULL; c = c->next)
            kt_conn_disown(c);
        drop_idle(store, false);
    }
    return KT_SUCCESS;
}

/* In the writer lock: make the store that was prepared, unless another process did. Mutex held. */
static int make_store(struct kt_session *s, struct plan *p)
{
    struct kt_store *store = s->store;
    int rc = kt_lock_take(s);

    if (rc != KT_SUCCESS)
        return rc;
    rc = look(s);
    if (rc != KT_NOT_FOUND)
        return rc;
    rc = kt_create(store->path, p->ring, &s->fault);
    if (rc != KT_SUCCESS)
        return rc;
    kt_store_unref_keys(store, store->keys);
    store->keys = p->made;
    p->made = NULL;
    p->created = true;
    return KT_SUCCESS;
}

static int begin_locked(struct kt_session *s, struct plan *p)
{
    struct kt_store *store = s->store;
    int rc = look(s);

    if (rc == KT_NOT_FOUND && p->access == KT_WRITE_CREATE)
        rc = p->made != NULL ? make_store(s, p) : NEED_STORE;
    if (rc == KT_SUCCESS && p->recipe != NULL && !p->created)
        return kt_fault(&s->fault, KT_EXISTS,
                        "%s is there already; 'keyturn file slot' changes what opens it",
                        store->path);
    if (rc == KT_NOT_FOUND && (p->access == KT_CHECK || p->access == KT_WRITE_CHECK))
        return NO_STORE;
    if (rc != KT_SUCCESS && (rc != KT_NOT_FOUND || p->access != KT_ALONE))
        return rc;
    if (p->access >= KT_WRITE && !s->write) {
        rc = kt_lock_take(s);
        if (rc != KT_SUCCESS)
            return rc;
    }
    if (store->keys != NULL && !kt_keys_alive(store->keys)) {
        kt_store_unref_keys(store, store->keys);
        store->keys = NULL;
    }
    s->keys = store->keys;
    if (s->keys != NULL)
        s->keys->refs++;
    s->conn = store->idle;
    if (s->conn != NULL) {
        store->idle = s->conn->next;
        store->nidle--;
    }
    return KT_SUCCESS;
}

/* The keys are not here: read what has to be opened, for one thread to do outside the gate. */
static int want_keys(struct kt_session *s, struct plan *p)
{
    struct kt_store *store = s->store;
    struct kt_ring *ring;
    bool mine;
    int rc;

    (void)pthread_mutex_lock(&store->mutex);
    /* with keys there: another thread has unlocked it since this turn began */
    mine = !store->unlocking && store->keys == NULL;
    store->unlocking = store->unlocking || mine;
    (void)pthread_mutex_unlock(&store->mutex);
    if (!mine)
        return kt_fault(&s->fault, KT_AGAIN, "another thread is unlocking %s", store->path);
    ring = calloc(1, sizeof(*ring));
    rc = ring == NULL ? kt_fault(&s->fault, KT_NO_MEMORY, "out of memory")
                      : kt_ring_load(s->conn, ring, &s->fault);
    if (rc == KT_SUCCESS) {
        free(p->ring);
        p->ring = ring;
        return NEED_KEYS;
    }
    free(ring);
    (void)pthread_mutex_lock(&store->mutex);
    store->unlocking = false;
    (void)pthread_mutex_unlock(&store->mutex);
    return rc;
}

static int begin(struct kt_session *s, struct plan *p)
{
    struct kt_store *store = s->store;
    int rc;

    (void)pthread_mutex_lock(&store->mutex);
    rc = begin_locked(s, p);
    (void)pthread_mutex_unlock(&store->mutex);
    if (p->access == KT_ALONE)
        return rc;
    if (rc == KT_SUCCESS && s->conn == NULL)
        rc = kt_conn_open(store->path, &s->conn, &s->fault);
    if (rc != KT_SUCCESS || p->access == KT_LOOK)
        return rc;
    if (s->keys != NULL && memcmp(s->keys->store_id, s->conn->store_id, KT_STORE_ID_SIZE) != 0) {
        (void)pthread_mutex_lock(&store->mutex);
        if (store->keys == s->keys) {
            kt_store_unref_keys(store, store->keys);
            store->keys = NULL;
        }
        kt_store_unref_keys(store, s->keys);
        s->keys = NULL;
        (void)pthread_mutex_unlock(&store->mutex);
    }
    if (s->keys == NULL)
        return want_keys(s, p);
    if (!s->write)
        return KT_SUCCESS;
    rc = kt_conn_for_writing(s->conn, &s->fault);
    if (rc != KT_SUCCESS)
        return rc;
    rc = kt_conn_run(s->conn, KT_SQL_BEGIN, &s->fault);
    return rc == KT_SUCCESS ? kt_format_upgrade(s->conn, &s->fault) : rc;
}

/* Commit or undo. What a failed commit was about is undone. */
static int conclude(struct kt_session *s, int rc)
{
    struct kt_fault ignored;

    if (s->conn == NULL || sqlite3_get_autocommit(s->conn->db) != 0)
        return rc;
    if (rc == KT_SUCCESS)
        rc = kt_conn_commit(s->conn, &s->fault);
    if (rc != KT_SUCCESS && sqlite3_get_autocommit(s->conn->db) == 0)
        (void)!kt_conn_run(s->conn, KT_SQL_ROLLBACK, &ignored);
    return rc;
}

/*
 * These say something about the connection, or the file behind it. But one whose commit failed is kept:
 * its successor would find the frames of that commit in the log and build on them, though nobody
 * knows whether they are on the disk; the connection itself writes over them.
 */
static bool is_suspect(const struct kt_session *s, int rc)
{
    if (s->write && sqlite3_get_autocommit(s->conn->db) != 0)
        return rc == KT_CORRUPT;
    return rc == KT_CORRUPT || rc == KT_UNAVAILABLE || rc == KT_NO_SPACE || rc == KT_READ_ONLY ||
           rc == KT_NO_MEMORY;
}

static int end(struct kt_session *s, int rc)
{
    struct kt_store *store = s->store;
    struct stat st;

    rc = conclude(s, rc);
    if (s->conn != NULL && s->conn->immutable &&
        (stat(store->path, &st) != 0 || !kt_conn_is_current(s->conn, &st)))
        rc = kt_fault(&s->fault, KT_AGAIN, "%s changed while it was read", store->path);
    (void)pthread_mutex_lock(&store->mutex);
    if (s->conn != NULL && !is_suspect(s, rc) && !s->conn->exclusive && store->nidle < IDLE_MAX) {
        s->conn->next = store->idle;
        store->idle = s->conn;
        store->nidle++;
    } else if (s->conn != NULL) {
        kt_conn_close(s->conn, false);
    }
    s->conn = NULL;
    if (rc == KT_CORRUPT) /* they may be of a file that was exchanged in place */
        drop_idle(store, false);
    if (rc == KT_AGAIN && !s->write) { /* still waiting for the lock: the turn is kept */
        kt_store_unref_keys(store, s->keys);
    } else {
        kt_lock_release(s);
        kt_store_unref_keys(store, s->keys);
    }
    s->keys = NULL;
    (void)pthread_mutex_unlock(&store->mutex);
    return rc;
}

static int take_a_turn(struct kt_session *s, struct plan *p)
{
    int rc;

    kt_gate_enter();
    rc = begin(s, p);
    if (rc == KT_SUCCESS) {
        s->tries++;
        rc = p->body(s, p->arg);
    }
    rc = end(s, rc);
    kt_gate_leave();
    return rc;
}

/* ---- between turns -------------------------------------------------------------------------- */

/* Bounded waits: the first few so short that nobody needs to be able to interrupt them. */
static int wait_a_little(struct kt_session *s, unsigned waits)
{
    static const struct timespec quick = { .tv_nsec = QUICK_NS };

    if (s->host->left_ms(s->call) < 2)
        return kt_fault(&s->fault, KT_BUSY, "%s was in use by other writers until the deadline",
                        s->store->path);
    if (waits < QUICK_TRIES ||
        (s->has_turn && s->place == KT_FIRST_PLACE && s->hurries++ < HURRIES)) {
        (void)nanosleep(&quick, NULL);
        return KT_SUCCESS;
    }
    return kt_fault_pause(&s->fault, s->host, s->call, 1);
}

static void give_up_turn(struct kt_session *s)
{
    if (!s->has_turn)
        return;
    kt_gate_enter();
    (void)pthread_mutex_lock(&s->store->mutex);
    kt_lock_release(s);
    (void)pthread_mutex_unlock(&s->store->mutex);
    kt_gate_leave();
}

static int raise_body(struct kt_session *s, void *arg)
{
    const struct kt_raised *r = arg;

    return kt_ring_replace_slot(s->conn, &r->old, &r->new, &s->fault);
}

/* In a write turn of its own, if that can be had at once: whoever only reads waits for no writer. */
static void write_raised(const struct kt_session *of, struct kt_raised *r)
{
    struct kt_session s = { .store = of->store, .host = of->host, .call = of->call };
    struct plan p = { .access = KT_WRITE, .body = raise_body, .arg = r };
    int rc = take_a_turn(&s, &p);

    give_up_turn(&s);
    free(p.ring);
    if (rc == KT_SUCCESS)
        of->host->log(of->call, KT_LOG_INFO, "slot %lld of %s has today's scrypt parameters now",
                      (long long)r->new.id, of->store->path);
    else
        of->host->log(of->call, KT_LOG_WARNING, "slot %lld of %s keeps its weaker scrypt: %s",
                      (long long)r->new.id, of->store->path,
                      rc == NEED_KEYS ? "it was exchanged meanwhile" : s.fault.msg);
}

/* Reading alone does not bring a store to a new format, so it leaves the slots of an old one, too. */
static bool can_raise(const struct kt_session *s, const struct plan *p)
{
    return !p->ring->read_only && (p->access >= KT_WRITE || p->ring->format == KT_FORMAT) &&
           faccessat(AT_FDCWD, s->store->path, W_OK, AT_EACCESS) == 0;
}

static int unlock(struct kt_session *s, struct plan *p)
{
    const struct kt_unlock u = { s->host, s->call, s->store->path, s->store->key_path };
    struct kt_raised raised = { .wanted = can_raise(s, p) };
    struct kt_keys *keys = NULL;
    int rc = kt_unlock(&u, p->ring, &raised, &keys, &s->fault);

    kt_gate_enter();
    (void)pthread_mutex_lock(&s->store->mutex);
    if (rc == KT_SUCCESS) {
        kt_store_unref_keys(s->store, s->store->keys);
        s->store->keys = keys;
    }
    s->store->unlocking = false;
    (void)pthread_mutex_unlock(&s->store->mutex);
    kt_gate_leave();
    if (rc == KT_SUCCESS && raised.set)
        write_raised(s, &raised);
    return rc;
}

/* The directory, the key file or a passphrase, the keys: all that the new store will be made of. */
static int prepare_store(struct kt_session *s, struct plan *p)
{
    const struct kt_unlock u = { s->host, s->call, s->store->path, s->store->key_path };
    struct kt_recipe usual = { .label = NULL };
    int rc = p->recipe == NULL
                 ? kt_recipe_usual(&u, s->store->passphrase, s->store->secret, &usual, &s->fault)
                 : KT_SUCCESS;

    if (rc == KT_SUCCESS)
        rc = kt_place_make_directory(s->store->path, &s->fault);
    if (rc == KT_SUCCESS)
        rc = kt_place_local(s->store->path, &s->fault);
    if (rc != KT_SUCCESS)
        return rc;
    if (p->ring == NULL)
        p->ring = calloc(1, sizeof(*p->ring));
    if (p->ring == NULL)
        return kt_fault(&s->fault, KT_NO_MEMORY, "out of memory");
    return kt_unlock_make(&u, p->recipe != NULL ? p->recipe : &usual, p->ring, &p->made, &s->fault);
}

static int run(struct kt_session *s, struct plan *p)
{
    bool doubted = false;
    unsigned waits = 0;

    for (;;) {
        int rc = take_a_turn(s, p);

        if (rc == NEED_KEYS)
            rc = unlock(s, p);
        else if (rc == NEED_STORE)
            rc = prepare_store(s, p);
        else if (rc == NO_STORE)
            return KT_SUCCESS;
        else if (rc == KT_AGAIN)
            rc = wait_a_little(s, waits++);
        else if (rc != KT_CORRUPT || doubted)
            return rc;
        else {
            doubted = true;
            rc = KT_SUCCESS;
        }
        if (rc != KT_SUCCESS)
            return rc;
    }
}

int kt_store_tell(const struct kt_host *host, struct kt_call *call, const struct kt_fault *f)
{
    return f->told ? f->status : host->fail(call, f->status, "file: %s", f->msg);
}

static int run_plan(struct kt_store *store, struct kt_call *call, struct plan *p,
                    struct kt_fault *f)
{
    struct kt_session s = { .store = store, .host = store->host, .call = call };
    int rc = kt_need_check(store->path, &s.fault);

    if (rc == KT_SUCCESS)
        rc = kt_seal_setup(&s.fault);
    if (rc == KT_SUCCESS)
        rc = run(&s, p);
    give_up_turn(&s); /* that it had while waiting */
    kt_keys_free(store->host, p->made);
    free(p->ring);
    if (rc != KT_SUCCESS)
        *f = s.fault;
    return rc;
}

int kt_store_try(struct kt_store *store, struct kt_call *call, enum kt_access access,
                 kt_body_fn *body, void *arg, struct kt_fault *f)
{
    struct plan p = { .access = access, .body = body, .arg = arg };

    return run_plan(store, call, &p, f);
}

int kt_store_nothing(struct kt_session *s, void *arg)
{
    (void)s;
    (void)arg;
    return KT_SUCCESS;
}

int kt_store_create(struct kt_store *store, struct kt_call *call, struct kt_recipe *recipe)
{
    struct plan p = { .access = KT_WRITE_CREATE, .body = kt_store_nothing, .recipe = recipe };
    struct kt_fault f;
    const int rc = run_plan(store, call, &p, &f);

    return rc == KT_SUCCESS ? rc : kt_store_tell(store->host, call, &f);
}

int kt_store_run(struct kt_store *store, struct kt_call *call, enum kt_access access,
                 kt_body_fn *body, void *arg)
{
    struct kt_fault f;
    const int rc = kt_store_try(store, call, access, body, arg, &f);

    return rc == KT_SUCCESS ? rc : kt_store_tell(store->host, call, &f);
}
