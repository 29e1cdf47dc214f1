/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYTURN_FILE_SCHEMA_H
#define KEYTURN_FILE_SCHEMA_H

/*
 * The store on disk, format 2: an SQLite database in WAL mode. Older ones are read as they are; the
 * first write brings them here (format.c).
 *
 * store    one row. id: 16 random bytes, bound into everything sealed. index_key: sealed under the
 *          master key; never changes, so that names keep their places.
 * slot     each wraps the master key (32 random bytes that never change) under something that a
 *          person or a machine has; at least one. kind and params: see slot.h. created (wall time
 *          in ms, 0 not known) and label are there since format 2.
 * datakey  what records are sealed under, wrapped by the master key. Ids only ever grow. state 1:
 *          new seals take the newest of these; 2: being replaced, still opens what it sealed. Every
 *          writer looks for the newest one inside its transaction: once that with a new key has been
 *          committed, nothing is sealed under the old one, and a single walk replaces it.
 * record   tag: the first 16 bytes of HMAC-SHA256(index key, name). The row with the empty id is the
 *          head, the others are versions: they lie side by side, so one look finds both. See
 *          record.h for what is sealed.
 *
 * The sums (SHA-256, 16 bytes) protect nothing; they tell a damaged row from a wrong key.
 * user_version is the format, too, for whoever looks from outside.
 */

#define KT_FORMAT 2
#define KT_FORMAT_TEXT "2"
#define KT_APPLICATION_ID "0x4b54524e" /* "KTRN" */

#define KT_DATAKEY_IN_USE 1
#define KT_DATAKEY_REPLACED 2

#define KT_SCHEMA_SLOT_CREATED "created INTEGER NOT NULL DEFAULT 0"
#define KT_SCHEMA_SLOT_LABEL "label TEXT NOT NULL DEFAULT ''"

#define KT_SCHEMA                                                                                  \
    "CREATE TABLE store ("                                                                         \
    " id BLOB NOT NULL, format INTEGER NOT NULL, index_key BLOB NOT NULL, sum BLOB NOT NULL);"     \
    "CREATE TABLE slot ("                                                                          \
    " id INTEGER PRIMARY KEY, kind TEXT NOT NULL, params BLOB NOT NULL, wrapped BLOB NOT NULL,"    \
    " sum BLOB NOT NULL, " KT_SCHEMA_SLOT_CREATED ", " KT_SCHEMA_SLOT_LABEL ");"                   \
    "CREATE TABLE datakey ("                                                                       \
    " id INTEGER PRIMARY KEY, state INTEGER NOT NULL, wrapped BLOB NOT NULL);"                     \
    "CREATE TABLE record ("                                                                        \
    " tag BLOB NOT NULL, id TEXT NOT NULL, dk INTEGER NOT NULL, sealed BLOB NOT NULL,"             \
    " PRIMARY KEY (tag, id)) WITHOUT ROWID;"

#endif
