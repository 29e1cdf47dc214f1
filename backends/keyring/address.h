/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYTURN_KEYRING_ADDRESS_H
#define KEYTURN_KEYRING_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

/** struct kt_address - a Unix socket's; @len as for connect() */
struct kt_address {
    struct sockaddr_un un;
    socklen_t len;
};

/**
 * kt_address_next - the next Unix socket of a D-Bus address
 * @text: `TRANSPORT:KEY=VALUE,…;…`: set behind what was read
 *
 * False: there is none. Other transports are passed over: none is ever started or asked over a
 * network. Source: D-Bus specification, "Server addresses".
 */
bool kt_address_next(const char **text, struct kt_address *out);

#endif
