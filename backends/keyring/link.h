/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYTURN_KEYRING_LINK_H
#define KEYTURN_KEYRING_LINK_H

#include "op.h"

#define SECRET_API_SUBJECT_TO_CHANGE 1 /* the functions that speak of object paths */
#include <libsecret/secret.h>

/**
 * struct kt_link - a connection to a bus and a session with its keyring service
 *
 * All lines of a process share one, as long as the bus is the same. It is private: a program's own
 * connection, which GLib shares, is not touched.
 *
 * @refs:    calls that use it, and one for being shared
 * @serial:  no two are the same
 * @dead:    lost: nobody takes it any more
 * @socket:  of @bus
 * @closed:  GLib has told so
 * @owner:   the service's name on the bus
 * @service: libsecret's, with an open session
 */
struct kt_link {
    unsigned refs;
    uint64_t serial;
    bool dead;
    char *address;
    GSocket *socket;
    bool closed;
    GDBusConnection *bus;
    char *owner;
    SecretService *service;
};

/** kt_link_usable - false in a child of a process that has used GLib here */
bool kt_link_usable(void);

/** kt_link_take - the shared one, or a new one: sets @op's link, bus and owner */
int kt_link_take(struct kt_op *op);

/** kt_link_release - @lost: nobody shall take it again */
void kt_link_release(struct kt_op *op, bool lost);

/** kt_link_leave - a line is closed; after the last one the connection is, too */
void kt_link_leave(struct kt_keyring *line);

/**
 * kt_session_open - libsecret negotiates how values are encrypted on the bus
 * @out: set if there is an object at all, whatever is returned; released with g_object_unref()
 */
int kt_session_open(struct kt_op *op, SecretService **out);

/** kt_link_session - object path of the session */
const char *kt_link_session(const struct kt_op *op);

/**
 * kt_bus_connect - to the session bus, as far as "you are welcome"
 * @address: released with g_free()
 *
 * Never starts a bus. KT_UNAVAILABLE says what to do.
 */
int kt_bus_connect(struct kt_op *op, const char *address, int *fd);

/** kt_bus_address - of the session bus; released with g_free(); NULL: explained, KT_UNAVAILABLE */
char *kt_bus_address(struct kt_op *op);

#endif
