/* SPDX-License-Identifier: Apache-2.0 */
#include "arena.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define CLASS_MIN 32U
#define CLASS_POWERS 12                /* 32 … 65,536 */
#define CLASS_TOP (KT_VALUE_MAX + 64U) /* a value at its limit, its NUL, a word or two */
#define CLASSES (CLASS_POWERS + 1)
#define SLAB_MIN 65536U
#define SLAB_BLOCKS_MIN 4U
#define OWN_PAGES CLASSES /* "class" of a slab with one large block */

/**
 * struct slab - bookkeeping of [base, base + bytes), with a guard page on either side
 * @prev, @next: in its class's list of slabs with room; a full one is in none
 * @by_hand:     the kernel cannot wipe it in a child, so the fork handler does
 * @used:        a bit for each block; @hint is the first word that may have a clear one
 */
struct slab {
    char *base;
    size_t bytes;
    size_t size;
    size_t nblocks;
    size_t nused;
    size_t hint;
    unsigned class;
    unsigned flags;
    bool by_hand;
    struct slab *prev;
    struct slab *next;
    uint64_t used[];
};

/* One for the process. @slabs is sorted by address, so that a block finds its slab. */
static struct {
    pthread_mutex_t lock;
    struct slab **slabs;
    size_t nslabs;
    size_t room;
    size_t live;
    bool unlocked; /* a fork dropped the page locks */
    bool whole;    /* there is no mlock2() */
    struct slab *open[2][CLASSES];
    struct slab *spare[2][CLASSES]; /* NULL, or the slab that was the last to become empty */
} arena = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* ---- fork ----------------------------------------------------------------------------------- */

static void before_fork(void)
{
    pthread_mutex_lock(&arena.lock);
}

static void after_fork(void)
{
    pthread_mutex_unlock(&arena.lock);
}

/* A child does not inherit page locks. They are taken again when it first allocates: most children
 * exec at once. */
static void in_child(void)
{
    for (size_t i = 0; i < arena.nslabs; i++)
        if (arena.slabs[i]->by_hand)
            explicit_bzero(arena.slabs[i]->base, arena.slabs[i]->bytes);
    arena.unlocked = true;
    pthread_mutex_unlock(&arena.lock);
}

/* At load, before any module can register: prepare handlers run last to first, so a module's may
 * still wait for a thread that needs secret memory. */
__attribute__((constructor)) static void watch_fork(void)
{
    (void)pthread_atfork(before_fork, after_fork, in_child);
}

/* ---- slabs ---------------------------------------------------------------------------------- */

/* Best effort: a process with little RLIMIT_MEMLOCK works. Page by page as they are touched, which
 * is a fifth of the time; valgrind and kernels before 4.4 do not know that way. */
static void lock_pages(const struct slab *s)
{
    if (!arena.whole && mlock2(s->base, s->bytes, MLOCK_ONFAULT) != 0)
        arena.whole = errno == ENOSYS || errno == EINVAL; /* glibc makes EINVAL of ENOSYS */
    if (arena.whole)
        (void)mlock(s->base, s->bytes);
}

static size_t page_size(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

static size_t whole_pages(size_t n)
{
    const size_t page = page_size();

    return (n + page - 1) / page * page;
}

static bool map_pages(struct slab *s)
{
    const size_t page = page_size();
    char *p = mmap(NULL, s->bytes + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (p == MAP_FAILED)
        return false;
    s->base = p + page;
    if (mprotect(s->base, s->bytes, PROT_READ | PROT_WRITE) != 0) {
        munmap(p, s->bytes + 2 * page);
        return false;
    }
    (void)madvise(s->base, s->bytes, MADV_DONTDUMP);
    if (s->flags & KT_MEM_WIPEONFORK)
        s->by_hand = madvise(s->base, s->bytes, MADV_WIPEONFORK) != 0;
    lock_pages(s);
    return true;
}

static void unmap_pages(const struct slab *s)
{
    const size_t page = page_size();

    munmap(s->base - page, s->bytes + 2 * page);
}

/* Index of the first slab that begins after @p. */
static size_t index_after(const char *p)
{
    size_t low = 0, high = arena.nslabs;

    while (low < high) {
        size_t mid = low + (high - low) / 2;

        if (arena.slabs[mid]->base <= p)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

static bool make_room(void)
{
    size_t room = arena.room > 0 ? 2 * arena.room : 16;
    struct slab **slabs;

    if (arena.nslabs < arena.room)
        return true;
    slabs = reallocarray(arena.slabs, room, sizeof(struct slab *));
    if (slabs == NULL)
        return false;
    arena.slabs = slabs;
    arena.room = room;
    return true;
}

static struct slab *slab_new(unsigned class, unsigned flags, size_t size)
{
    size_t nblocks = class == OWN_PAGES ? 1 : SLAB_MIN / size;
    struct slab *s;
    size_t at;

    if (class != OWN_PAGES && nblocks < SLAB_BLOCKS_MIN)
        nblocks = SLAB_BLOCKS_MIN;
    if (!make_room())
        return NULL;
    s = calloc(1, sizeof(*s) + (nblocks + 63) / 64 * sizeof(s->used[0]));
    if (s == NULL)
        return NULL;
    s->class = class;
    s->flags = flags;
    s->size = size;
    s->nblocks = nblocks;
    s->bytes = whole_pages(size * nblocks);
    if (!map_pages(s)) {
        free(s);
        return NULL;
    }
    at = index_after(s->base);
    memmove(arena.slabs + at + 1, arena.slabs + at, (arena.nslabs - at) * sizeof(struct slab *));
    arena.slabs[at] = s;
    arena.nslabs++;
    return s;
}

static void slab_free(struct slab *s, size_t at)
{
    arena.nslabs--;
    memmove(arena.slabs + at, arena.slabs + at + 1, (arena.nslabs - at) * sizeof(struct slab *));
    unmap_pages(s);
    free(s);
}

/* ---- the lists of slabs with room ----------------------------------------------------------- */

static unsigned kind_of(unsigned flags)
{
    return flags & KT_MEM_WIPEONFORK ? 1 : 0;
}

static struct slab **open_list(const struct slab *s)
{
    return &arena.open[kind_of(s->flags)][s->class];
}

static void open_push(struct slab *s)
{
    struct slab **head = open_list(s);

    s->prev = NULL;
    s->next = *head;
    if (s->next != NULL)
        s->next->prev = s;
    *head = s;
}

static void open_remove(struct slab *s)
{
    if (s->prev != NULL)
        s->prev->next = s->next;
    else
        *open_list(s) = s->next;
    if (s->next != NULL)
        s->next->prev = s->prev;
}

/* ---- blocks --------------------------------------------------------------------------------- */

static unsigned class_of(size_t len)
{
    unsigned class = 0;

    if (len > CLASS_TOP)
        return OWN_PAGES;
    while (class < CLASS_POWERS && (size_t)CLASS_MIN << class < len)
        class ++;
    return class; /* past the powers: CLASS_TOP */
}

static size_t class_size(unsigned class, size_t len)
{
    if (class == OWN_PAGES)
        return whole_pages(len);
    return class < CLASS_POWERS ? (size_t)CLASS_MIN << class : CLASS_TOP;
}

/* A block of a slab that has room. It is zero: fresh, wiped when it was freed, or wiped by fork. */
static void *take_block(struct slab *s)
{
    size_t bit;

    while (s->used[s->hint] == UINT64_MAX)
        s->hint++;
    bit = (size_t)__builtin_ctzll(~s->used[s->hint]);
    s->used[s->hint] |= UINT64_C(1) << bit;
    s->nused++;
    arena.live++;
    return s->base + (s->hint * 64 + bit) * s->size;
}

static void *alloc_locked(size_t len, unsigned flags)
{
    const unsigned class = class_of(len);
    struct slab *s;
    void *p;

    if (arena.unlocked) {
        for (size_t i = 0; i < arena.nslabs; i++)
            lock_pages(arena.slabs[i]);
        arena.unlocked = false;
    }
    s = class == OWN_PAGES ? NULL : arena.open[kind_of(flags)][class];
    if (s == NULL) {
        s = slab_new(class, flags, class_size(class, len));
        if (s == NULL)
            return NULL;
        if (class != OWN_PAGES)
            open_push(s);
    }
    p = take_block(s);
    if (class != OWN_PAGES && s->nused == s->nblocks)
        open_remove(s);
    return p;
}

void *kt_arena_alloc(size_t len, unsigned flags)
{
    void *p;

    if (len > PTRDIFF_MAX / 2) /* so that sizes cannot overflow below */
        return NULL;
    pthread_mutex_lock(&arena.lock);
    p = alloc_locked(len, flags);
    pthread_mutex_unlock(&arena.lock);
    return p;
}

/* One empty slab stays for its class, or a program that holds one value at a time would map and
 * unmap for each. */
static void give_back(struct slab *s, size_t at)
{
    struct slab **spare;

    if (s->class == OWN_PAGES) {
        slab_free(s, at);
        return;
    }
    if (s->nused == s->nblocks - 1)
        open_push(s);
    if (s->nused > 0)
        return;
    spare = &arena.spare[kind_of(s->flags)][s->class];
    if (*spare == NULL || *spare == s || (*spare)->nused > 0) {
        *spare = s;
    } else {
        open_remove(s);
        slab_free(s, at);
    }
}

static void free_locked(char *p)
{
    const size_t after = index_after(p);
    struct slab *s;
    size_t block;
    uint64_t bit;

    if (after == 0)
        abort();
    s = arena.slabs[after - 1];
    block = (size_t)(p - s->base) / s->size;
    bit = UINT64_C(1) << block % 64;
    if (block >= s->nblocks || s->base + block * s->size != p || !(s->used[block / 64] & bit))
        abort();
    explicit_bzero(p, s->size);
    s->used[block / 64] &= ~bit;
    if (block / 64 < s->hint)
        s->hint = block / 64;
    s->nused--;
    arena.live--;
    give_back(s, after - 1);
}

void kt_arena_free(void *p)
{
    if (p == NULL)
        return;
    pthread_mutex_lock(&arena.lock);
    free_locked(p);
    pthread_mutex_unlock(&arena.lock);
}

size_t kt_arena_live(void)
{
    size_t live;

    pthread_mutex_lock(&arena.lock);
    live = arena.live;
    pthread_mutex_unlock(&arena.lock);
    return live;
}
