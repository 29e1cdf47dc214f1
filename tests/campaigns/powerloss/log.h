/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYTURN_POWERLOSS_LOG_H
#define KEYTURN_POWERLOSS_LOG_H

#include <stdint.h>

/*
 * What the shim writes down: everything that reached the watched directory, in the order in which it
 * reached it. A record, its bytes, then zeros up to a multiple of 8. Paths are relative to the
 * watched directory and end with a NUL; "" is the directory itself.
 */
enum pl_type {
    PL_CREATE = 1, /* a path: a new file @ino; "": it has no name yet */
    PL_MKDIR,      /* a path */
    PL_WRITE,      /* bytes of file @ino from @at on */
    PL_SIZE,       /* file @ino is @at bytes long now */
    PL_RENAME,     /* two paths */
    PL_LINK,       /* a path: one more name for file @ino */
    PL_UNLINK,     /* a path */
    PL_SYNC,       /* file @ino */
    PL_SYNCDIR,    /* a path */
    PL_MARK,       /* text of the workload's; no NUL */
};

struct pl_record {
    uint32_t type;
    uint32_t len; /* bytes that follow, without the zeros */
    uint64_t ino;
    int64_t at;
};

#define PL_PADDED(len) (((uint64_t)(len) + 7) & ~(uint64_t)7)

/* The shim, for the workload (found with dlsym: without the shim there is none). */
typedef void pl_mark_fn(const char *text, uint32_t len);
typedef void pl_die_fn(const char *suffix);
#define PL_MARK_SYMBOL "kt_powerloss_mark"
#define PL_DIE_SYMBOL "kt_powerloss_die_before_sync" /* of a file whose name ends so; SIGKILL */

#endif
