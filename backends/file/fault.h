/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYTURN_FILE_FAULT_H
#define KEYTURN_FILE_FAULT_H

#include <keyturn/module.h>

/* Contention, or the file was exchanged under us: look again until the deadline. Never leaves the
 * module. */
#define KT_AGAIN (-1)

/**
 * struct kt_fault - why something failed, until the host can be told
 *
 * The host is not called while the fork gate is held: what it does with a message is its affair.
 * @told: the host has been told by whoever failed (a prompt, another service)
 */
struct kt_fault {
    int status;
    bool told;
    char msg[400];
};

/** kt_fault - fill @f and return @status, so that it ends a function */
int kt_fault(struct kt_fault *f, int status, const char *fmt, ...) KT_PRINTF(3, 4);
/* Also a macro, so that who reads one file alone, as analyzers do, sees what is returned. */
#define kt_fault(f, status, ...) ((void)(kt_fault)(f, status, __VA_ARGS__), (status))

/** kt_fault_errno - the same for a failed system call: "FMT: text of @err", with the status that fits;
 * what has none of its own is @otherwise */
int kt_fault_errno(struct kt_fault *f, int otherwise, int err, const char *fmt, ...)
    KT_PRINTF(4, 5);

/** kt_fault_told - what the host has been told of already; returns @status */
int kt_fault_told(struct kt_fault *f, int status);

/** kt_fault_pause - wait @ms, 0 to see whether the call is over; outside the gate. KT_SUCCESS, or what
 * the host said of it */
int kt_fault_pause(struct kt_fault *f, const struct kt_host *host, struct kt_call *call,
                   int64_t ms) KT_MUST_CHECK;

#endif
