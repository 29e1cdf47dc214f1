/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYTURN_KEYRING_PROMPT_H
#define KEYTURN_KEYRING_PROMPT_H

#include "op.h"

/**
 * kt_prompt_run - a prompt object of the service's
 * @limit_ms: -1, or how long to wait at most
 *
 * KT_SUCCESS with @dismissed set. KT_ABSENT: @limit_ms were over, and the prompt is dismissed. At the
 * call's deadline it is left as it is: GNOME Keyring 42 aborts if it is told to dismiss what it shows.
 */
int kt_prompt_run(struct kt_op *op, const char *path, int64_t limit_ms, bool *dismissed);

/** kt_prompt_none - is this the path that says that there is no prompt? */
bool kt_prompt_none(const char *path);

#endif
