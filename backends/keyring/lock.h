/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYTURN_KEYRING_LOCK_H
#define KEYTURN_KEYRING_LOCK_H

#include "op.h"

/*
 * One writer at a time, among all keyturn processes on a bus: the writer owns a name there. The bus
 * gives it to those who wait in turn, and takes it back from one that was killed. So the lock is as
 * wide as the keyring: whoever reaches the one reaches the other, whatever directories it has.
 */

/** kt_lock_take - wait for it: KT_SUCCESS, or KT_BUSY when the deadline is over first */
int kt_lock_take(struct kt_op *op);

/** kt_lock_release - whatever has happened meanwhile */
void kt_lock_release(struct kt_op *op);

#endif
