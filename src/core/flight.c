/* SPDX-License-Identifier: Apache-2.0 */
#include "flight.h"

#include "clock.h"

#include <string.h>
#include <time.h>

#define SLICE_NS 50000000 /* the handle's clock may be the program's: looked at this often */

void kt_flights_init(struct kt_handle *h)
{
    pthread_condattr_t attr;

    (void)pthread_condattr_init(&attr);
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&h->landed, &attr);
    (void)pthread_condattr_destroy(&attr);
    h->flights = NULL;
}

static const struct kt_flight *find(const struct kt_handle *h, const char *name)
{
    const struct kt_flight *f = h->flights;

    while (f != NULL && strcmp(f->name, name) != 0)
        f = f->next;
    return f;
}

static void wait_slice(struct kt_handle *h)
{
    struct timespec until;

    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += SLICE_NS;
    if (until.tv_nsec >= 1000000000) {
        until.tv_nsec -= 1000000000;
        until.tv_sec++;
    }
    (void)pthread_cond_timedwait(&h->landed, &h->lock, &until);
}

void kt_flight_init(struct kt_flight *own, struct kt_handle *h)
{
    own->since = atomic_load_explicit(&h->flight_serial, memory_order_acquire);
    own->leads = false;
}

bool kt_flight_board(struct kt_flight *own, const struct kt_budget *budget, const char *name,
                     int64_t until_ns)
{
    struct kt_handle *h = budget->handle;
    const struct kt_flight *f;
    bool landed = false;
    uint64_t serial;

    if (own->leads)
        return false;
    (void)pthread_mutex_lock(&h->lock);
    f = find(h, name);
    if (f == NULL) {
        landed = own->since != h->flight_serial; /* after this get had looked */
        *own = (struct kt_flight){ h->flights, name, ++h->flight_serial, own->since, true };
        h->flights = own;
    } else {
        serial = f->serial;
        while (!landed && !kt_budget_cancelled(budget) &&
               kt_clock_ns(&h->clock, KT_CLOCK_MONOTONIC) < until_ns) {
            wait_slice(h);
            f = find(h, name);
            landed = f == NULL || f->serial != serial;
        }
    }
    (void)pthread_mutex_unlock(&h->lock);
    return landed;
}

void kt_flight_land(struct kt_flight *own, struct kt_handle *h)
{
    if (!own->leads)
        return;
    (void)pthread_mutex_lock(&h->lock);
    for (struct kt_flight **f = &h->flights; *f != NULL; f = &(*f)->next)
        if (*f == own) {
            *f = own->next;
            h->flight_serial++;
            break;
        }
    own->leads = false;
    (void)pthread_cond_broadcast(&h->landed);
    (void)pthread_mutex_unlock(&h->lock);
}
