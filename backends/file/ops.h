/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYTURN_FILE_OPS_H
#define KEYTURN_FILE_OPS_H

#include "store.h"

/* What the descriptor points to; state is struct kt_line_state (file.c). */

struct kt_line_state {
    const struct kt_host *host;
    struct kt_store *store;
};

/* read.c */
int kt_file_get(void *state, struct kt_call *call, const char *name, const struct kt_want *want);
int kt_file_versions(void *state, struct kt_call *call, const char *name);
int kt_file_list(void *state, struct kt_call *call, const char *prefix);

/* write.c */
int kt_file_put(void *state, struct kt_call *call, enum kt_phase phase, const char *name,
                const struct kt_put *put);
int kt_file_stage(void *state, struct kt_call *call, enum kt_phase phase, const char *name,
                  uint32_t stage, const char *version, const char *expected);
int kt_file_del(void *state, struct kt_call *call, enum kt_phase phase, const char *name,
                const struct kt_delete *del, bool *restorable);
int kt_file_fill(void *state, struct kt_call *call, const char *name, const struct kt_put *copy);

/* verbs.c */
extern const struct kt_verb kt_file_verbs[];

#endif
