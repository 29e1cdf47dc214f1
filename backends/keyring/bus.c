/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The way to the bus. GLib's own would start a bus where there is none, ask for proxies, and wait for
 * a peer that says nothing; so the socket is opened here, under the call's deadline.
 */

#include "address.h"
#include "link.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LINE_MAX_BYTES 512
#define FULL_MS 10 /* a socket whose queue is full is tried again after this */

/* ---- where ----------------------------------------------------------------------------------- */

/* A socket of ours in a directory of the session's. */
static char *bus_in(const char *dir)
{
    char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
    struct stat st;

    if (dir[0] != '/' || snprintf(path, sizeof(path), "%s/bus", dir) >= (int)sizeof(path))
        return NULL;
    if (stat(path, &st) != 0 || !S_ISSOCK(st.st_mode) || st.st_uid != geteuid())
        return NULL;
    return g_strdup_printf("unix:path=%s", path);
}

char *kt_bus_address(struct kt_op *op)
{
    const char *given = getenv("DBUS_SESSION_BUS_ADDRESS");
    const char *runtime = getenv("XDG_RUNTIME_DIR");
    char user[40];
    char *address = NULL;

    if (given != NULL && given[0] != '\0')
        return g_strdup(given);
    (void)snprintf(user, sizeof(user), "/run/user/%u", (unsigned)geteuid());
    if (runtime != NULL)
        address = bus_in(runtime);
    if (address == NULL)
        address = bus_in(user);
    if (address == NULL)
        (void)op->host->fail(op->call, KT_UNAVAILABLE,
                             "keyring: there is no session bus: DBUS_SESSION_BUS_ADDRESS is not "
                             "set and %s/bus is not there; log in to a session, or run the "
                             "program under 'dbus-run-session'",
                             user);
    return address;
}

/* ---- connecting ------------------------------------------------------------------------------ */

static int refused(struct kt_op *op, const char *address, const char *why)
{
    return op->host->fail(op->call, KT_UNAVAILABLE,
                          "keyring: the session bus at '%.200s' cannot be reached: %s; set "
                          "DBUS_SESSION_BUS_ADDRESS to the bus of a session that runs",
                          address, why);
}

static int open_socket(struct kt_op *op, const char *address, int *fd)
{
    const char *rest = address;
    struct kt_address a;
    int error = 0, rc;

    while (kt_address_next(&rest, &a)) {
        *fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (*fd < 0)
            return refused(op, address, strerror(errno));
        while (connect(*fd, (const struct sockaddr *)&a.un, a.len) != 0) {
            error = errno;
            if (error != EAGAIN && error != EINTR)
                break;
            rc = op->host->sleep(op->call, FULL_MS);
            if (rc != KT_SUCCESS) {
                (void)close(*fd);
                return rc;
            }
            error = 0;
        }
        if (error == 0)
            return KT_SUCCESS;
        (void)close(*fd);
    }
    return refused(op, address, error != 0 ? strerror(error) : "it names no Unix socket");
}

static int say(struct kt_op *op, const char *address, int fd, const char *text, size_t len)
{
    while (len > 0) {
        const ssize_t n = send(fd, text, len, MSG_NOSIGNAL);

        if (n > 0) {
            text += n;
            len -= (size_t)n;
        } else if (errno == EAGAIN) {
            const int rc = op->host->wait(op->call, fd, POLLOUT);

            if (rc != KT_SUCCESS)
                return rc;
        } else if (errno != EINTR) {
            return refused(op, address, strerror(errno));
        }
    }
    return KT_SUCCESS;
}

/* The server says one line and then waits for us. */
static int hear(struct kt_op *op, const char *address, int fd, char line[LINE_MAX_BYTES])
{
    size_t len = 0;

    for (;;) {
        const ssize_t n = recv(fd, line + len, LINE_MAX_BYTES - 1 - len, 0);

        if (n > 0) {
            len += (size_t)n;
            line[len] = '\0';
            if (len >= 2 && strcmp(line + len - 2, "\r\n") == 0)
                return KT_SUCCESS;
            if (len == LINE_MAX_BYTES - 1)
                return refused(op, address, "what answers there is no bus");
        } else if (n == 0) {
            return refused(op, address, "it closed the connection");
        } else if (errno == EAGAIN) {
            const int rc = op->host->wait(op->call, fd, POLLIN);

            if (rc != KT_SUCCESS)
                return rc;
        } else if (errno != EINTR) {
            return refused(op, address, strerror(errno));
        }
    }
}

/* Source: D-Bus specification, "Authentication Protocol", EXTERNAL: the uid as text, in hex. */
static int authenticate(struct kt_op *op, const char *address, int fd)
{
    static const char begin[] = "BEGIN\r\n";
    char uid[16], auth[80], line[LINE_MAX_BYTES];
    size_t n;
    int rc;

    (void)snprintf(uid, sizeof(uid), "%u", (unsigned)geteuid());
    auth[0] = '\0';
    n = 1 + (size_t)snprintf(auth + 1, sizeof(auth) - 1, "AUTH EXTERNAL ");
    for (const char *p = uid; *p != '\0'; p++)
        n += (size_t)snprintf(auth + n, sizeof(auth) - n, "%02x", (unsigned)*p);
    n += (size_t)snprintf(auth + n, sizeof(auth) - n, "\r\n");
    rc = say(op, address, fd, auth, n);
    if (rc == KT_SUCCESS)
        rc = hear(op, address, fd, line);
    if (rc != KT_SUCCESS)
        return rc;
    if (strncmp(line, "OK ", 3) != 0)
        return refused(op, address, "it does not let this user in");
    return say(op, address, fd, begin, sizeof(begin) - 1);
}

int kt_bus_connect(struct kt_op *op, const char *address, int *fd)
{
    int rc = open_socket(op, address, fd);

    if (rc != KT_SUCCESS)
        return rc;
    rc = authenticate(op, address, *fd);
    if (rc != KT_SUCCESS)
        (void)close(*fd);
    return rc;
}
