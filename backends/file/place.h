/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYTURN_FILE_PLACE_H
#define KEYTURN_FILE_PLACE_H

#include "fault.h"

/**
 * kt_place_store, kt_place_key - where the store and its key file are
 * @given:      the option, absolute or with `~/`; NULL: the default place
 * @privileged: AT_SECURE: the machine's place, the environment is not looked at
 * @out:        free()
 *
 * Links on the way to the store are followed, so that all who mean one file find one lock beside it.
 */
int kt_place_store(const char *given, bool privileged, char **out, struct kt_fault *f);
int kt_place_key(const char *given, bool privileged, char **out, struct kt_fault *f);

/** kt_place_make_directory - make the directory of @path and what is missing above it, 0700, and see
 * to it that the entries survive a power cut */
int kt_place_make_directory(const char *path, struct kt_fault *f) KT_MUST_CHECK;

/** kt_place_local - is @path, or what is to be made there, on this machine? KT_SUCCESS, KT_UNSUPPORTED (a network
 * file system), KT_UNAVAILABLE; costs one system call where it is */
int kt_place_local(const char *path, struct kt_fault *f) KT_MUST_CHECK;

/** kt_place_probe - can a file be made beside @path? 0, or errno */
int kt_place_probe(const char *path);

/** kt_fsync - fsync(), again if a signal comes */
int kt_fsync(int fd);

/** kt_place_sync - fsync the directory of @path */
int kt_place_sync(const char *path, struct kt_fault *f) KT_MUST_CHECK;

/**
 * kt_key_read - the bytes of a key file, in secret memory
 *
 * Returns KT_SUCCESS (release with host->secret_free()); KT_LOCKED: not there, or not for us;
 * KT_CONFIG_ERROR: others could read or exchange it, or it is no key.
 */
int kt_key_read(const struct kt_host *host, const char *path, void **data, size_t *len,
                struct kt_fault *f) KT_MUST_CHECK;

/** kt_key_make - make a key file of 32 random bytes, 0600, whole or not at all; if one is there
 * already, also one that another process made this instant, it stays */
int kt_key_make(const char *path, struct kt_fault *f) KT_MUST_CHECK;

#endif
