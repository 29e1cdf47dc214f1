/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYTURN_TESTS_SLOTS_H
#define KEYTURN_TESTS_SLOTS_H

/* What the tests about slots and formats share: a store, its verbs, its rows behind its back. */

#include "../backends/file/recovery.h"
#include "../backends/file/slot.h"
#include "filestore.h"

extern struct filestore fs;

/* fixture: a store that was not made yet; afterwards, that no secret memory is in use */
void slots_setup(void);
void slots_teardown(void);

void slots_put(struct filestore *f, const char *name, const char *value);

/** slots_reopen - close the line, then open it anew: lines share what is open */
void slots_reopen(const char *options);

/** slots_hide_key - nobody has the key file any more, and the line is opened anew */
void slots_hide_key(void);

/** slots_typing - what a person will answer; also in fs.call.answers */
const char *const *slots_typing(const char *one, const char *two);

int slots_verb(const char *name, const char *options);

/** slots_must - the verb succeeds */
void slots_must(const char *name, const char *options);

/** slots_refused - the verb fails so, in words that hold @words */
void slots_refused(const char *name, const char *options, int status, const char *words);

/** slots_out - what the last verb printed; slots_say - it holds @words */
const char *slots_out(void);
void slots_say(const char *words);

/** slots_list - `slot list` prints @words */
void slots_list(const char *words);

sqlite3 *slots_database(void);
int64_t slots_number(const char *sql);

/** slots_format - of the store; header, row and tables agree */
int64_t slots_format(void);

void slots_bind(sqlite3_stmt *s, int at, const void *data, size_t len);

/** slots_load, slots_save - a row of the table slot; its format's sum */
void slots_load(sqlite3 *db, int64_t id, uint8_t store_id[KT_STORE_ID_SIZE],
                struct kt_slot *out_slot);
void slots_save(sqlite3 *db, const uint8_t *store_id, const struct kt_slot *slot, int format);

#endif
