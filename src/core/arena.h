/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYTURN_CORE_ARENA_H
#define KEYTURN_CORE_ARENA_H

#include <stddef.h>

#include <keyturn/module.h>

/*
 * The secret arena: one for the process, as malloc is. Slabs of mmap'ed pages, DONTDUMP, locked as
 * far as RLIMIT_MEMLOCK allows (best effort, never fatal), size classes 32, 64, 128 … 64 KiB + 64;
 * larger ones get pages of their own. Bookkeeping lies outside the slabs, so that
 * a slab wiped by fork does no harm. Memory with KT_MEM_WIPEONFORK comes from slabs of its own.
 * pthread_atfork() keeps the lock usable in a child. Freed blocks are wiped at once; of empty slabs
 * one of each class is kept, the others are unmapped.
 */

/** kt_arena_alloc - @len bytes, zeroed, 16-byte aligned; @flags KT_MEM_*; NULL: no memory */
void *kt_arena_alloc(size_t len, unsigned flags);

/** kt_arena_free - wipe the whole block and give it back; NULL is allowed. An address that the
 * arena never gave out, or a second free, aborts the process: it is our own mistake. */
void kt_arena_free(void *p);

/** kt_arena_live - blocks handed out and not yet freed */
size_t kt_arena_live(void);

#endif
