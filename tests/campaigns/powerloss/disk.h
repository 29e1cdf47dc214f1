/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYTURN_POWERLOSS_DISK_H
#define KEYTURN_POWERLOSS_DISK_H

#include "log.h"
#include "random.h"

/*
 * A disk that has been told the records of a log up to some point: what a power cut cannot take any
 * more, and what it may.
 *
 * A file's bytes and size are safe from its own fsync() on. Until then each of its writes, cut at
 * multiples of 4 KiB, and each change of its size is on the disk or not, independently of the others.
 * A name (made, moved, linked, removed) is safe from an fsync() of its directory on; until then each
 * change of a name is there or not, also one without those before it. An fsync() of a file says
 * nothing of its name, nor of any other file.
 */
struct pl_disk;

struct pl_disk *pl_disk_new(void);
void pl_disk_free(struct pl_disk *d);

/** pl_disk_tell - the next record; aborts on one that does not fit those before */
void pl_disk_tell(struct pl_disk *d, const struct pl_record *r);

/** pl_disk_loose - how much is not safe: pieces of files and changes of names */
size_t pl_disk_loose(const struct pl_disk *d);

/* The first attempts at a cut are plain, all others are random. */
enum pl_attempt {
    PL_NOTHING = 0, /* what is safe, alone */
    PL_ALL = 1,     /* as if there had been no power cut */
    PL_BYTES = 2,   /* all bytes, no names */
    PL_NAMES = 3,   /* all names, no bytes */
};

/**
 * pl_disk_build - one state that a power cut may leave, in directory @path, which is empty
 *
 * Returns a number that is the same for the same choice of what has survived.
 */
uint64_t pl_disk_build(struct pl_disk *d, const char *path, unsigned attempt, struct pl_random *r);

/** pl_disk_compare - are the files of @path what the log says (but *-shm)? Says what is not. */
bool pl_disk_compare(struct pl_disk *d, const char *path);

#endif
