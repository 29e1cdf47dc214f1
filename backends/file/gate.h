/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYTURN_FILE_GATE_H
#define KEYTURN_FILE_GATE_H

#include <keyturn/module.h>

/*
 * The gate between this module's work and fork(). Whoever uses a connection, a lock descriptor or
 * the list of stores has entered the gate; fork's prepare handler waits until all have left, closes
 * what SQLite has open, and lets everybody in again on the other side. So whoever is inside waits for
 * nothing that can take long and calls nothing of the host's but its secret memory: waits for other
 * writers, prompts and callbacks happen outside.
 */

/** kt_gate_setup - register the fork handlers, once a process */
void kt_gate_setup(const struct kt_host *host);

/**
 * kt_gate_enter - once a thread, until kt_gate_leave()
 *
 * Also sees whether the program has closed our descriptors behind our back (a daemonising loop over
 * all numbers); then everything that was open is dropped first, with care for descriptors that
 * now are the program's own.
 */
void kt_gate_enter(void);
void kt_gate_leave(void);

/** kt_stores_close_all - drop every connection and lock descriptor; the gate is closed (store.c)
 * @sound: our descriptors are still ours */
void kt_stores_close_all(bool sound);

/** kt_stores_forked - in the child: what other threads were about is no more (store.c) */
void kt_stores_forked(void);

#endif
