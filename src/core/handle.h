/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYTURN_CORE_HANDLE_H
#define KEYTURN_CORE_HANDLE_H

#include "service.h"

#include <keyturn/keyturn.h>
#include <keyturn/module.h>

#include <pthread.h>
#include <stdatomic.h>

#define KT_TIMEOUT_DEFAULT_MS 10000
#define KT_TIMEOUT_MAX_MS (24 * 3600 * 1000LL)

/**
 * struct kt_store - a module's state within a handle; lines that name one store share it
 * @ready: set last, read without the lock
 * @ops:   the module's descriptor, from when @ready is set
 */
struct kt_store {
    const struct kt_line *line; /* the first that names it: options come from there */
    const struct kt_place *place;
    pthread_mutex_t lock;
    atomic_bool ready;
    struct kt_module ops;
    void *state;
};

/** struct kt_waiter - a call that a module may be waiting in */
struct kt_waiter {
    struct kt_waiter *next;
    int fd;
};

/**
 * struct kt_handle
 * @life:       in wipe-on-fork memory: 1 alive, 0 in a child that has not used the handle, 2 in between
 * @parent:     the handle whose module asked for a secret of this service; ends cycles
 * @lock:       guards @waiters, @suspects and @flights
 * @suspects:   names whose next get is fresh; @nsuspects is read without the lock
 */
struct kt_flight;

#define KT_SUSPECTS_MAX 1024
struct kt_handle {
    struct kt_service *service;
    struct kt_store *stores;
    size_t nstores;
    struct kt_store **read_stores; /* by line; NULL on markers and missing modules */
    struct kt_store **write_stores;
    struct kt_store *authority;
    const struct kt_line *authority_read; /* the first read line that names the authority's store */
    struct kt_open_options options;
    struct kt_clock clock;
    const struct kt_handle *parent;
    _Atomic unsigned *life;
    pthread_mutex_t lock;
    _Atomic uint64_t cancels;
    struct kt_waiter *waiters;
    struct kt_flight *flights;
    _Atomic uint64_t flight_serial;
    pthread_cond_t landed;
    char **suspects;
    atomic_size_t nsuspects;
    bool privileged;
};

/**
 * kt_handle_open - kt_open(), and what kt_open() does not let a program say
 * @service: NULL = none, only modules are run; with a `/`: a file, for kt_check()
 * @parent:  the handle whose module asks; NULL for a program
 */
int kt_handle_open(const char *service, const struct kt_open_options *options,
                   const struct kt_handle *parent, struct kt_handle **out,
                   struct kt_err *err) KT_MUST_CHECK;

/** kt_handle_enter - first thing in every public call: in a forked child, make the handle usable */
void kt_handle_enter(struct kt_handle *h);

/** kt_handle_suspect - the next get of @name is fresh */
void kt_handle_suspect(struct kt_handle *h, const char *name);

/** kt_handle_take_suspect - is it so? Asked once, it is so no more. */
bool kt_handle_take_suspect(struct kt_handle *h, const char *name);

struct kt_call;

/** kt_store_ready - load the module and open its state, if that is not done; explains into @call */
int kt_store_ready(struct kt_store *store, struct kt_call *call) KT_MUST_CHECK;

#endif
