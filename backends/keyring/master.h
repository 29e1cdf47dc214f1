/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYTURN_KEYRING_MASTER_H
#define KEYTURN_KEYRING_MASTER_H

#include "op.h"

/*
 * GNOME Keyring's own way to be unlocked without its prompter, which it calls internal and
 * unsupported: only for lines that say `allow-master-password`.
 */

/** kt_master_is_there - does the service have it? */
bool kt_master_is_there(struct kt_op *op);

/**
 * kt_master_unlock - ask a person for the keyring's password, and unlock it
 *
 * KT_DENIED: the password is wrong. KT_LOCKED: nobody may be asked.
 */
int kt_master_unlock(struct kt_op *op, const char *collection);

#endif
