/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYTURN_FILE_ARCHIVE_H
#define KEYTURN_FILE_ARCHIVE_H

#include "found.h"
#include "unlock.h"

/*
 * An archive is a store in one file, with keys of its own. Whoever makes or reads one has it to
 * himself for as long as that takes: one connection, outside the turns at any store. What is done
 * with it is done inside the gate all the same, between kt_archive_enter() and kt_archive_leave(), or
 * in a body of kt_store_run() that begins with kt_archive_sound().
 */

/** struct kt_archive - @s: for kt_found_at(), kt_row_write() and the others. @path: for words */
struct kt_archive {
    struct kt_session s;
    const char *path;
};

/**
 * kt_archive_make - make one at @file, and what is to open it
 * @path: what it is going to be called; borrowed
 *
 * Outside the gate. Release with kt_archive_close(), whatever is returned.
 */
int kt_archive_make(struct kt_archive *a, const struct kt_host *host, struct kt_call *call,
                    const char *file, const char *path, struct kt_recipe *recipe,
                    struct kt_fault *f) KT_MUST_CHECK;

/**
 * kt_archive_open - open one for reading, or a backup
 * @path:     borrowed
 * @key_path: the key file, if it has a slot for one
 *
 * Outside the gate. KT_DENIED: a wrong passphrase.
 */
int kt_archive_open(struct kt_archive *a, const struct kt_host *host, struct kt_call *call,
                    const char *path, const char *key_path, struct kt_fault *f) KT_MUST_CHECK;

/** kt_archive_sound - are its descriptors still ours? KT_UNAVAILABLE */
int kt_archive_sound(struct kt_archive *a, struct kt_fault *f) KT_MUST_CHECK;

/** kt_archive_enter - the gate, and kt_archive_sound(); on KT_SUCCESS until kt_archive_leave() */
int kt_archive_enter(struct kt_archive *a, struct kt_fault *f) KT_MUST_CHECK;
void kt_archive_leave(void);

/** kt_archive_finish - all that was written is in the one file; inside the gate */
int kt_archive_finish(struct kt_archive *a, struct kt_fault *f) KT_MUST_CHECK;

/** kt_archive_close - outside the gate */
void kt_archive_close(struct kt_archive *a);

/** kt_archive_has_prefix - is @name @prefix, or below it? */
bool kt_archive_has_prefix(const char *name, const char *prefix);

#endif
