/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYTURN_FILE_STORE_H
#define KEYTURN_FILE_STORE_H

#include "conn.h"
#include "keys.h"

#include <pthread.h>

/**
 * struct kt_store - a store, one for all lines of the process that mean the same file and key
 *
 * Everything below @mutex belongs to it, and is only looked at inside the gate.
 *
 * @passphrase, @secret: what the line says of a store to be made
 * @idle:      connections that wait for work
 * @keys:      NULL until a slot was opened
 * @unlocking: a thread is about it
 * @lock_fd:   the file beside the store whose lock writers take; -1: not open
 * @places:    in the queue for it, a bit each, that threads of this process have
 * @writing:   a thread of this process has the lock
 * @era:       counts how often descriptors were dropped: locks of another era are lost
 * @put_ns:    when the last put succeeded (write.c); 0: it failed. Not @mutex's
 */
struct kt_store {
    struct kt_store *next;
    unsigned refs;
    char *path;
    char *key_path;
    char *lock_path;
    bool passphrase;
    char *secret;
    const struct kt_host *host;
    pthread_mutex_t mutex;
    struct kt_conn *idle;
    size_t nidle;
    struct kt_keys *keys;
    bool unlocking;
    int lock_fd;
    dev_t lock_dev;
    ino_t lock_ino;
    unsigned places;
    bool writing;
    unsigned era;
    _Atomic int64_t put_ns;
};

/** kt_store_ref - the store at @path, made known if it was not; release with kt_store_unref() */
int kt_store_ref(const struct kt_host *host, const char *path, const char *key_path,
                 bool passphrase, const char *secret, struct kt_store **out,
                 struct kt_fault *f) KT_MUST_CHECK;
void kt_store_unref(struct kt_store *s);

/** kt_store_unref_keys - with the store's mutex held; NULL is allowed */
void kt_store_unref_keys(struct kt_store *s, struct kt_keys *k);

/**
 * struct kt_session - one turn at a store: what a body of kt_store_run() works with
 * @tries: bodies run, from 1
 */
struct kt_session {
    struct kt_store *store;
    const struct kt_host *host;
    struct kt_call *call;
    struct kt_conn *conn;
    struct kt_keys *keys;
    bool write;
    unsigned tries;
    unsigned turn_era; /* of the place this thread has in the queue of writers, if @has_turn */
    bool has_turn;
    unsigned place;
    unsigned hurries; /* waits of the first in the queue */
    struct kt_fault fault;
};

enum kt_access {
    KT_READ,         /* no transaction: one statement is one */
    KT_CHECK,        /* as KT_READ; of a store that was never made nothing is asked: KT_SUCCESS */
    KT_LOOK,         /* as KT_READ, without keys */
    KT_WRITE,        /* within the writer lock and a transaction, committed on KT_SUCCESS */
    KT_WRITE_CHECK,  /* the same; nothing is done to a store that was never made: KT_SUCCESS */
    KT_WRITE_CREATE, /* the same; the store is made if there is none */
    KT_ALONE,        /* within the writer lock alone: no keys, no transaction, perhaps no store */
};

typedef int kt_body_fn(struct kt_session *s, void *arg);

/** kt_store_nothing - the body of a turn that is only about getting in */
int kt_store_nothing(struct kt_session *s, void *arg);

/**
 * kt_store_run - do something with a store
 * @body: returns a status, explained in @s->fault, or KT_AGAIN to be run again. It runs inside the
 *        gate, and may run more than once: it starts from nothing each time.
 *
 * Waits for other writers and processes until the call's deadline (KT_BUSY). What looked corrupt is
 * looked at a second time through a new connection. Returns the body's status; the host has been
 * told of a failure.
 */
int kt_store_run(struct kt_store *store, struct kt_call *call, enum kt_access access,
                 kt_body_fn *body, void *arg) KT_MUST_CHECK;

/** kt_store_try - the same; a failure is explained in @f, and the host is told by the caller, or not */
int kt_store_try(struct kt_store *store, struct kt_call *call, enum kt_access access,
                 kt_body_fn *body, void *arg, struct kt_fault *f) KT_MUST_CHECK;

/** kt_store_create - make the store now; KT_EXISTS: somebody has. As kt_store_run() */
struct kt_recipe;
int kt_store_create(struct kt_store *store, struct kt_call *call,
                    struct kt_recipe *recipe) KT_MUST_CHECK;

/** kt_store_tell - tell the host of a fault; returns its status */
int kt_store_tell(const struct kt_host *host, struct kt_call *call, const struct kt_fault *f);

/** kt_session_datakey - the data key that opens what has this id; loads it if it is new */
int kt_session_datakey(struct kt_session *s, int64_t id, struct kt_bytes *out) KT_MUST_CHECK;

/** kt_session_newest - the data key to seal under; inside a transaction */
int kt_session_newest(struct kt_session *s, int64_t *id, struct kt_bytes *out) KT_MUST_CHECK;

#define KT_PLACES 16
#define KT_FIRST_PLACE 1

/* lock.c; all inside the gate, with the store's mutex held */

/** kt_lock_take - one try at the writer lock: KT_SUCCESS, KT_AGAIN, KT_READ_ONLY … */
int kt_lock_take(struct kt_session *s) KT_MUST_CHECK;
/** kt_lock_release - give back what the session holds of it */
void kt_lock_release(struct kt_session *s);
/** kt_lock_is_wanted - is somebody waiting for the lock that this session has? */
bool kt_lock_is_wanted(const struct kt_session *s);
/** kt_lock_drop - forget the descriptor; @sound: it is still ours, so close it */
void kt_lock_drop(struct kt_store *store, bool sound);

/* create.c */

/** kt_create - build the store, whole and synced, and give it its name; inside the writer lock */
int kt_create(const char *path, const struct kt_ring *ring, struct kt_fault *f) KT_MUST_CHECK;

/** kt_build_fn - write a whole store to @path, which is not there */
typedef int kt_build_fn(const char *path, void *arg, struct kt_fault *f);

/** kt_create_by - the same, built by somebody else */
int kt_create_by(const char *path, kt_build_fn *build, void *arg, struct kt_fault *f) KT_MUST_CHECK;

#endif
