/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYTURN_FILE_TOOLS_H
#define KEYTURN_FILE_TOOLS_H

#include "kit/args.h"
#include "ops.h"

/* `keyturn file VERB`: one file a group of verbs; verbs.c has their table. */

#define KT_TOOL(name)                                                                              \
    int name(void *state, struct kt_call *call, const struct kt_arg *args, size_t nargs)

/* tool-create.c */
extern const struct kt_option kt_create_options[];
KT_TOOL(kt_file_create);

/* tool-slot.c */
extern const struct kt_option kt_slot_add_options[];
extern const struct kt_option kt_slot_remove_options[];
KT_TOOL(kt_file_slot_add);
KT_TOOL(kt_file_slot_remove);
KT_TOOL(kt_file_slot_list);

/** kt_slots_print - a line for each slot */
void kt_slots_print(const struct kt_line_state *line, struct kt_call *call,
                    const struct kt_ring *ring);

/** kt_code_print - show a recovery code, this once */
void kt_code_print(const struct kt_host *host, struct kt_call *call, const char *code);

/** kt_keyfile_print - say how a key file is used, if it is not the line's */
void kt_keyfile_print(const struct kt_line_state *line, struct kt_call *call, const char *path);

/** kt_label_check - is a slot's label text? NULL is. The host has been told. */
int kt_label_check(const struct kt_line_state *line, struct kt_call *call,
                   const struct kt_arg *label) KT_MUST_CHECK;

/* tool-check.c */
KT_TOOL(kt_file_check);

/* tool-reencrypt.c */
KT_TOOL(kt_file_reencrypt);

/* tool-compact.c */
KT_TOOL(kt_file_compact);

/* tool-backup.c: the store as it is, sealed as it is */
extern const struct kt_option kt_backup_options[];
extern const struct kt_option kt_restore_options[];
KT_TOOL(kt_file_backup);
KT_TOOL(kt_file_restore);

/* tool-archive.c: secrets under a passphrase of their own */
extern const struct kt_option kt_export_options[];
extern const struct kt_option kt_import_options[];
KT_TOOL(kt_file_export);
KT_TOOL(kt_file_import);

#endif
