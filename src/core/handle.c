/* SPDX-License-Identifier: Apache-2.0 */
#include "handle.h"

#include "arena.h"
#include "call.h"
#include "clock.h"
#include "err.h"
#include "flight.h"
#include "load.h"
#include "name.h"
#include "path.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

/* ---- stores ---------------------------------------------------------------------------------- */

static struct kt_store *find_store(struct kt_handle *h, const struct kt_line *line)
{
    for (size_t i = 0; i < h->nstores; i++) {
        const struct kt_line *l = h->stores[i].line;

        if (strcmp(l->identity, line->identity) == 0 &&
            (l->core.name != NULL) == (line->core.name != NULL))
            return &h->stores[i];
    }
    return NULL;
}

static struct kt_store *add_store(struct kt_handle *h, const struct kt_line *line)
{
    struct kt_store *s;

    if (line->place < 0)
        return NULL;
    s = find_store(h, line);
    if (s != NULL)
        return s;
    s = &h->stores[h->nstores++];
    s->line = line;
    s->place = &h->service->places[line->place];
    (void)pthread_mutex_init(&s->lock, NULL);
    atomic_init(&s->ready, false);
    s->state = NULL;
    return s;
}

static struct kt_store **add_stores(struct kt_handle *h, const struct kt_stack *stack)
{
    struct kt_store **by_line = calloc(stack->n + 1, sizeof(struct kt_store *));

    for (size_t i = 0; by_line != NULL && i < stack->n; i++)
        by_line[i] = add_store(h, &stack->lines[i]);
    return by_line;
}

static void find_authority(struct kt_handle *h)
{
    const struct kt_service *s = h->service;

    if (s->authority == NULL)
        return;
    h->authority = s->authority->place < 0 ? NULL : find_store(h, s->authority);
    for (size_t i = 0; i < s->read.n && h->authority_read == NULL; i++)
        if (!s->read.lines[i].substack && kt_line_is_authority(s, &s->read.lines[i]))
            h->authority_read = &s->read.lines[i];
}

/* What a descriptor says once loaded must be what its file said before. */
static bool same_as_probed(const struct kt_module *m, const struct kt_probe *p)
{
    return m->role == p->role && m->kind == p->kind && m->protection == p->protection &&
           m->cas == p->cas && m->naming == p->naming && m->capabilities == p->capabilities;
}

static int open_store(struct kt_store *s, struct kt_call *call)
{
    struct kt_handle *h = call->budget->handle;
    struct kt_open_args args = {
        .size = sizeof args,
        .mapped = s->line->core.name != NULL,
        .privileged = h->privileged,
        .service = h->service != NULL ? h->service->name : NULL,
    };
    struct kt_arg *list = NULL;
    size_t n = 0;
    char where[KT_WHERE_SIZE];
    int rc = kt_load(s->place->path, s->line->module, &s->ops, &call->err);

    if (rc != KT_SUCCESS)
        return rc;
    if (!same_as_probed(&s->ops, &s->place->probe))
        return kt_fail(&call->err, KT_MODULE_ERROR, "'%s' was replaced while the service was open",
                       s->place->path);
    rc = kt_options_parse(s->ops.options, s->line->words, s->line->nwords,
                          kt_line_where(s->line, where), &list, &n, &call->err);
    call->placed = rc != KT_SUCCESS;
    if (rc != KT_SUCCESS)
        return rc;
    args.args = list;
    args.nargs = n;
    rc = s->ops.open(&kt_host, call, &args, &s->state);
    kt_options_free(list, n);
    return rc;
}

int kt_store_ready(struct kt_store *s, struct kt_call *call)
{
    int rc = KT_SUCCESS;

    if (atomic_load_explicit(&s->ready, memory_order_acquire))
        return KT_SUCCESS;
    (void)pthread_mutex_lock(&s->lock);
    if (!atomic_load_explicit(&s->ready, memory_order_relaxed)) {
        rc = open_store(s, call);
        if (rc < 0 || rc >= KT_STATUS_COUNT)
            rc = kt_fail(&call->err, KT_MODULE_ERROR, "its open answered %d, which is no status",
                         rc);
        if (rc == KT_SUCCESS)
            atomic_store_explicit(&s->ready, true, memory_order_release);
    }
    (void)pthread_mutex_unlock(&s->lock);
    return rc;
}

/* ---- open, close, fork ----------------------------------------------------------------------- */

static int copy_options(struct kt_handle *h, const struct kt_open_options *o, struct kt_err *err)
{
    h->clock = kt_clock_system;
    h->privileged = kt_privileged();
    h->options.size = sizeof h->options;
    if (o == NULL)
        return KT_SUCCESS;
    if (o->size != sizeof *o)
        return kt_fail(err, KT_INVALID, "struct kt_open_options has size %zu, this library's %zu",
                       o->size, sizeof *o);
    h->options = *o;
    h->options.config_dir = NULL;
    h->options.module_dir = NULL;
    if (o->clock != NULL)
        h->clock = *o->clock;
    h->options.clock = &h->clock;
    if (o->config_dir != NULL && (h->options.config_dir = strdup(o->config_dir)) == NULL)
        return kt_fail(err, KT_NO_MEMORY, "out of memory");
    if (o->module_dir != NULL && (h->options.module_dir = strdup(o->module_dir)) == NULL)
        return kt_fail(err, KT_NO_MEMORY, "out of memory");
    return KT_SUCCESS;
}

int kt_handle_open(const char *service, const struct kt_open_options *options,
                   const struct kt_handle *parent, struct kt_handle **out, struct kt_err *err)
{
    struct kt_handle *h = calloc(1, sizeof *h);
    int rc = KT_NO_MEMORY;

    if (h == NULL)
        return kt_fail(err, KT_NO_MEMORY, "out of memory");
    (void)pthread_mutex_init(&h->lock, NULL);
    kt_flights_init(h);
    h->parent = parent;
    rc = copy_options(h, options, err);
    if (rc != KT_SUCCESS)
        goto out;
    if (service != NULL) {
        rc = kt_service_read(service, &h->options, &h->service, err);
        if (rc != KT_SUCCESS)
            goto out;
        h->stores = calloc(h->service->read.n + h->service->write.n + 1, sizeof *h->stores);
        if (h->stores != NULL) {
            h->read_stores = add_stores(h, &h->service->read);
            h->write_stores = add_stores(h, &h->service->write);
        }
        if (h->read_stores == NULL || h->write_stores == NULL) {
            rc = kt_fail(err, KT_NO_MEMORY, "out of memory");
            goto out;
        }
        find_authority(h);
    }
    h->life = kt_arena_alloc(sizeof *h->life, KT_MEM_WIPEONFORK);
    if (h->life == NULL) {
        rc = kt_fail(err, KT_NO_MEMORY, "out of memory");
        goto out;
    }
    atomic_store(h->life, 1);
    *out = h;
    h = NULL;
out:
    kt_close(h);
    return rc;
}

/* It works, on the default store: by that a mistyped name would go unnoticed. */
static void log_mistyped(const struct kt_handle *h)
{
    struct kt_err text;

    if (h->options.log == NULL)
        return;
    (void)kt_fail(&text, KT_SUCCESS, "there is no file for service '%s': the default store is used",
                  h->service->name);
    h->options.log(h->options.cookie, KT_LOG_WARNING, text.msg);
}

int kt_open(const char *service, const struct kt_open_options *options, struct kt_handle **out,
            struct kt_err *err)
{
    /* A name and no path: a privileged program may hand on what its user said. */
    int rc = service != NULL ? kt_service_name_check(service, err) : KT_SUCCESS;

    if (rc != KT_SUCCESS)
        return rc;
    rc = kt_handle_open(service != NULL ? service : KT_SERVICE_DEFAULT, options, NULL, out, err);
    if (rc == KT_SUCCESS && !kt_service_is_usual((*out)->service))
        log_mistyped(*out);
    return rc;
}

void kt_close(struct kt_handle *h)
{
    if (h == NULL)
        return;
    if (h->life != NULL)
        kt_handle_enter(h);
    for (size_t i = 0; i < h->nstores; i++) {
        if (atomic_load(&h->stores[i].ready))
            h->stores[i].ops.close(h->stores[i].state);
        (void)pthread_mutex_destroy(&h->stores[i].lock);
    }
    for (size_t i = 0; i < atomic_load(&h->nsuspects); i++)
        free(h->suspects[i]);
    free(h->suspects);
    free(h->read_stores);
    free(h->write_stores);
    free(h->stores);
    kt_service_free(h->service);
    kt_arena_free((void *)h->life);
    free((char *)h->options.config_dir);
    free((char *)h->options.module_dir);
    (void)pthread_cond_destroy(&h->landed);
    (void)pthread_mutex_destroy(&h->lock);
    free(h);
}

int kt_authority(const struct kt_handle *h, struct kt_authority *out, struct kt_err *err)
{
    const struct kt_service *s = h->service;

    if (out->size != sizeof *out)
        return kt_fail(err, KT_INVALID, "struct kt_authority has size %zu, this library's %zu",
                       out->size, sizeof *out);
    if (s->authority == NULL)
        return kt_fail(err, KT_UNSUPPORTED, "service '%s' has no authority to ask", s->name);
    *out = (struct kt_authority){
        .size = sizeof *out,
        .service = s->name,
        .module = s->authority->module,
        .file = s->authority->file,
        .line = s->authority->lineno,
        .writable = s->writable,
        .member = s->authority->core.field != NULL,
    };
    return KT_SUCCESS;
}

/*
 * The child's copy of a handle: locks may be held by threads that are not here, and states belong to
 * the parent. They are forgotten, not closed: what they hold is the parent's.
 */
static void revive(struct kt_handle *h)
{
    (void)pthread_mutex_init(&h->lock, NULL);
    kt_flights_init(h);
    h->waiters = NULL;
    h->suspects = NULL;
    atomic_store(&h->nsuspects, 0);
    for (size_t i = 0; i < h->nstores; i++) {
        (void)pthread_mutex_init(&h->stores[i].lock, NULL);
        atomic_store(&h->stores[i].ready, false);
        h->stores[i].state = NULL;
    }
}

void kt_handle_enter(struct kt_handle *h)
{
    unsigned life = atomic_load_explicit(h->life, memory_order_acquire);

    while (life != 1) {
        if (life == 0 && atomic_compare_exchange_strong(h->life, &life, 2)) {
            revive(h);
            atomic_store_explicit(h->life, 1, memory_order_release);
            return;
        }
        (void)sched_yield();
        life = atomic_load_explicit(h->life, memory_order_acquire);
    }
}

void kt_cancel(struct kt_handle *h)
{
    kt_handle_enter(h);
    (void)pthread_mutex_lock(&h->lock);
    atomic_fetch_add_explicit(&h->cancels, 1, memory_order_release);
    for (struct kt_waiter *w = h->waiters; w != NULL; w = w->next)
        (void)eventfd_write(w->fd, 1);
    (void)pthread_cond_broadcast(&h->landed);
    (void)pthread_mutex_unlock(&h->lock);
}

/* ---- suspects -------------------------------------------------------------------------------- */

static void drop_suspect(struct kt_handle *h, size_t i)
{
    const size_t n = atomic_load_explicit(&h->nsuspects, memory_order_relaxed) - 1;

    free(h->suspects[i]);
    h->suspects[i] = h->suspects[n];
    atomic_store_explicit(&h->nsuspects, n, memory_order_release);
}

void kt_handle_suspect(struct kt_handle *h, const char *name)
{
    char *copy = strdup(name);
    size_t n;

    (void)pthread_mutex_lock(&h->lock);
    n = atomic_load_explicit(&h->nsuspects, memory_order_relaxed);
    for (size_t i = 0; i < n && copy != NULL; i++)
        if (strcmp(h->suspects[i], name) == 0) {
            free(copy);
            copy = NULL;
        }
    if (h->suspects == NULL)
        h->suspects = calloc(KT_SUSPECTS_MAX, sizeof *h->suspects);
    if (copy != NULL && h->suspects != NULL) {
        if (n == KT_SUSPECTS_MAX)
            drop_suspect(h, 0);
        n = atomic_load_explicit(&h->nsuspects, memory_order_relaxed);
        h->suspects[n] = copy;
        copy = NULL;
        atomic_store_explicit(&h->nsuspects, n + 1, memory_order_release);
    }
    (void)pthread_mutex_unlock(&h->lock);
    free(copy);
}

bool kt_handle_take_suspect(struct kt_handle *h, const char *name)
{
    bool found = false;

    if (atomic_load_explicit(&h->nsuspects, memory_order_acquire) == 0)
        return false;
    (void)pthread_mutex_lock(&h->lock);
    for (size_t i = 0; i < atomic_load_explicit(&h->nsuspects, memory_order_relaxed) && !found; i++)
        if (strcmp(h->suspects[i], name) == 0) {
            drop_suspect(h, i);
            found = true;
        }
    (void)pthread_mutex_unlock(&h->lock);
    return found;
}
