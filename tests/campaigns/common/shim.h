/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYTURN_TESTS_CAMPAIGNS_SHIM_H
#define KEYTURN_TESTS_CAMPAIGNS_SHIM_H

/*
 * An interposer: libc's functions that change files, with a place to stop at.
 *
 * Each call that changes something below a directory is a point, counted from 1. At point @at the
 * process dies, before, after or in the middle of the call; or the call fails, or does less than it was
 * asked to. Nothing happens at points of other kinds than @kinds, they are counted all the same.
 *
 * It is linked into a program, with -rdynamic: the program's symbols come before libc's in every library
 * that is loaded, SQLite too. What SQLite changes through its mapping of NAME-shm is not seen, nor what
 * libc does by itself (stdio).
 */

#include <stdbool.h>

#define KT_SHIM_DIR_MAX 512

#define KT_SHIM_MAKE 0x1U     /* open with O_CREAT, mkdir, mkostemp */
#define KT_SHIM_WRITE 0x2U    /* write, pwrite, writev, pwritev */
#define KT_SHIM_TRUNCATE 0x4U /* truncate, ftruncate, fallocate */
#define KT_SHIM_SYNC 0x8U     /* fsync, fdatasync */
#define KT_SHIM_RENAME 0x10U
#define KT_SHIM_LINK 0x20U
#define KT_SHIM_UNLINK 0x40U
#define KT_SHIM_ALL 0x7fU

enum kt_shim_action {
    KT_SHIM_COUNT = 0,
    KT_SHIM_KILL_BEFORE,
    KT_SHIM_KILL_AFTER,
    KT_SHIM_KILL_TORN, /* half of what is to be written, then death; only of writes */
    KT_SHIM_FAIL,      /* with @error */
    KT_SHIM_SHORT,     /* half of what is to be written; only of writes */
};

/**
 * struct kt_shim - what is to be done, and what was
 * @dir:    where points are; an absolute path without links
 * @at:     from 1; 0: nowhere
 * @last:   the last point at which something is done; @at: only there
 * @count:  points passed
 * @seen:   of these, by kind: [i] counts kind 1 << i
 * @hits:   points at which something was done
 * @kind:   of the first of them
 * @names:  were made, and no directory was synced since
 */
struct kt_shim {
    char dir[KT_SHIM_DIR_MAX];
    int action; /* enum kt_shim_action */
    int error;
    unsigned kinds;
    unsigned at;
    unsigned last;
    unsigned count;
    unsigned seen[7];
    unsigned hits;
    unsigned kind;
    char path[KT_SHIM_DIR_MAX]; /* of the first of them */
    bool names;
};

/** kt_shim - NULL: everything is let through */
extern struct kt_shim *kt_shim;

/** kt_shim_kind - KT_SHIM_* in a word */
const char *kt_shim_kind(unsigned kind);

#endif
