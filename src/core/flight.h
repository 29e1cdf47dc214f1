/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYTURN_CORE_FLIGHT_H
#define KEYTURN_CORE_FLIGHT_H

#include "call.h"

/*
 * Single flight: of the gets that miss a cache on one name at the same time, one goes on down the
 * stack; the others wait for what it fills in. A hit knows nothing of this.
 */

/**
 * struct kt_flight - a get that others wait for; in its ask, in the handle's list while it flies
 * @since: the handle's serial when the get began: another since then may have filled what it looked for
 */
struct kt_flight {
    struct kt_flight *next;
    const char *name;
    uint64_t serial;
    uint64_t since;
    bool leads;
};

/**
 * kt_flight_board - lead a flight for @name, or wait for the one under way
 * @until_ns: monotonic; who waits longer goes on alone
 *
 * Returns true if a flight landed since the get began: the cache is worth asking again. False: go on.
 */
bool kt_flight_board(struct kt_flight *own, const struct kt_budget *budget, const char *name,
                     int64_t until_ns);

/** kt_flight_init - of a get that begins on @h */
void kt_flight_init(struct kt_flight *own, struct kt_handle *h);

/** kt_flight_land - let the others go on; nothing if @own does not lead */
void kt_flight_land(struct kt_flight *own, struct kt_handle *h);

/** kt_flights_init - the condition that landings are told by; also in a child that takes over */
void kt_flights_init(struct kt_handle *h);

#endif
