/* SPDX-License-Identifier: Apache-2.0 */
#include "table.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>

#include "kit/siphash.h"

#define WAYS 8
#define CLASSES 10      /* blocks of 256 bytes, 512, … 128 KiB */
#define CLASS_WORDS 32U /* words of the smallest */
#define SPINS 64        /* tries before a reader asks for the mutex */

/* What an entry's block begins with; name, id, attributes and value follow. Only 64-bit members:
 * a block is an array of such words. */
struct head {
    uint64_t canary; /* the table's: reads as 0 in a child, whose memory was wiped by fork() */
    uint64_t name_len;
    uint64_t id_len; /* NUL counted; 0: negative */
    uint64_t attrs_len;
    uint64_t nattrs;
    uint64_t value_len;
    uint64_t state;
    uint64_t misses;
    int64_t created_ms;
    int64_t expires_ms;
    int64_t not_before_ms;
    uint64_t asof[4];
};

_Static_assert(sizeof(struct kt_asof) == 32, "an as-of is four words");

/* A block and who has it; known to writers only. */
struct block {
    struct block *next_all;
    struct block *next_free;
    uint64_t *words;
    unsigned class;
};

struct slot {
    uint32_t seq; /* odd: being written */
    uint32_t nwords;
    uint64_t *words; /* NULL: empty */
};

struct set {
    uint64_t hash[WAYS]; /* 0: never used; one cache line */
    struct slot slot[WAYS];
    struct {
        struct block *block;
        uint64_t stamp; /* when it was stored, in stores */
    } owner[WAYS];      /* the writers' */
};

struct table {
    const struct kt_host *host;
    struct set *sets;
    size_t nsets;
    uint64_t key[2];
    uint64_t canary;
    pthread_mutex_t mutex;
    size_t memory; /* bytes of blocks that may still be asked for */
    uint64_t stamp;
    struct block *all;
    struct block *free[CLASSES];
};

#define LOAD(p) __atomic_load_n((p), __ATOMIC_ACQUIRE)
#define STORE(p, v) __atomic_store_n((p), (v), __ATOMIC_RELEASE)

/* ---- entries in words ------------------------------------------------------------------------ */

/* Bytes become words one after the other, so that no word is ever written but whole. */
struct packer {
    uint64_t *to;
    uint64_t word;
    size_t nbytes;
};

static void pack(struct packer *p, const void *data, size_t len)
{
    const unsigned char *from = data;

    for (size_t i = 0; i < len; i++) {
        size_t at = p->nbytes % sizeof(p->word);

        ((unsigned char *)&p->word)[at] = from[i];
        p->nbytes++;
        if (at + 1 == sizeof(p->word)) {
            STORE(p->to++, p->word);
            p->word = 0;
        }
    }
}

static void pack_entry(uint64_t *words, const struct head *head, const struct entry *e,
                       const struct kt_attr *attrs)
{
    struct packer p = { .to = words };

    pack(&p, head, sizeof(*head));
    pack(&p, e->name, head->name_len + 1);
    pack(&p, e->id, head->id_len);
    for (size_t i = 0; attrs && i < e->nattrs; i++) {
        pack(&p, attrs[i].key, strlen(attrs[i].key) + 1);
        pack(&p, attrs[i].value, strlen(attrs[i].value) + 1);
    }
    if (!attrs)
        pack(&p, e->attrs, head->attrs_len);
    pack(&p, e->data, head->value_len);
    if (p.nbytes % sizeof(p.word))
        STORE(p.to, p.word);
    explicit_bzero(&p, sizeof(p));
}

static size_t attrs_size(const struct entry *e, const struct kt_attr *attrs)
{
    const char *p = e->attrs;
    size_t size = 0;

    for (size_t i = 0; attrs && i < e->nattrs; i++)
        size += strlen(attrs[i].key) + strlen(attrs[i].value) + 2;
    for (size_t i = 0; !attrs && i < 2 * e->nattrs; i++)
        p += strlen(p) + 1;
    return attrs ? size : (size_t)(p - e->attrs);
}

/* @words is a copy, or the mutex is held. False: another name's, or wiped. */
static bool unpack(const struct table *t, const uint64_t *words, const char *name, struct entry *e)
{
    const struct head *head = (const struct head *)words;
    const char *tail = (const char *)(head + 1);

    if (head->canary != t->canary || strcmp(tail, name) != 0)
        return false;
    *e = (struct entry){
        .name = tail,
        .state = (uint32_t)head->state,
        .misses = (uint32_t)head->misses,
        .created_ms = head->created_ms,
        .expires_ms = head->expires_ms,
        .not_before_ms = head->not_before_ms,
        .nattrs = head->nattrs,
        .len = head->value_len,
    };
    memcpy(&e->asof, head->asof, sizeof(e->asof));
    tail += head->name_len + 1;
    e->id = head->id_len ? tail : NULL;
    tail += head->id_len;
    e->attrs = tail;
    e->data = tail + head->attrs_len;
    return true;
}

/* ---- reading --------------------------------------------------------------------------------- */

static uint64_t hash_name(const struct table *t, const char *name)
{
    uint64_t hash = kt_siphash(t->key, name, strlen(name));

    return hash ? hash : 1;
}

static struct set *find_set(const struct table *t, uint64_t hash)
{
    return &t->sets[(hash >> 32) * t->nsets >> 32];
}

enum copied { COPIED, EMPTY, ASK_AGAIN };

/* A consistent copy of a slot's entry, taken beside writers. */
static enum copied copy_slot(const struct slot *s, uint64_t *out, size_t *nwords)
{
    for (int i = 0; i < SPINS; i++) {
        uint32_t seq = LOAD(&s->seq);
        const uint64_t *words = LOAD(&s->words);
        size_t n = LOAD(&s->nwords);

        /* Pointer and length must belong together before anything is read through them. */
        if ((seq & 1) || LOAD(&s->seq) != seq)
            continue;
        if (!words)
            return EMPTY;
        if (n > TABLE_COPY_WORDS)
            return ASK_AGAIN;
        if (n > *nwords)
            *nwords = n;
        for (size_t k = 0; k < n; k++)
            out[k] = LOAD(&words[k]);
        if (LOAD(&s->seq) == seq)
            return COPIED;
    }
    return ASK_AGAIN;
}

/* The mutex is held. The way that has @name; -1: none. */
static int find_way(const struct table *t, const struct set *set, uint64_t hash, const char *name,
                    struct entry *e)
{
    for (int way = 0; way < WAYS; way++)
        if (set->hash[way] == hash && set->slot[way].words &&
            unpack(t, set->slot[way].words, name, e))
            return way;
    return -1;
}

static int get_locked(struct table *t, uint64_t hash, const char *name,
                      int (*use)(void *cookie, const struct entry *e), void *cookie)
{
    struct entry e;
    int rc = KT_IGNORE;

    pthread_mutex_lock(&t->mutex);
    if (find_way(t, find_set(t, hash), hash, name, &e) >= 0)
        rc = use(cookie, &e);
    pthread_mutex_unlock(&t->mutex);
    return rc;
}

int table_get(struct table *t, const char *name, int (*use)(void *cookie, const struct entry *e),
              void *cookie)
{
    uint64_t hash = hash_name(t, name);
    const struct set *set = find_set(t, hash);
    uint64_t copy[TABLE_COPY_WORDS];
    size_t nwords = 0;
    int rc = KT_IGNORE;

    for (int way = 0; way < WAYS; way++) {
        enum copied copied;
        struct entry e;

        if (LOAD(&set->hash[way]) != hash)
            continue;
        copied = copy_slot(&set->slot[way], copy, &nwords);
        if (copied == ASK_AGAIN) {
            rc = get_locked(t, hash, name, use, cookie);
            break;
        }
        if (copied == COPIED && unpack(t, copy, name, &e)) {
            rc = use(cookie, &e);
            break;
        }
    }
    explicit_bzero(copy, nwords * sizeof(copy[0]));
    return rc;
}

/* ---- writing: the mutex is held -------------------------------------------------------------- */

static struct block *take_block(struct table *t, size_t nwords)
{
    struct block *b;
    unsigned class = 0;
    size_t size;

    while (class < CLASSES && nwords > (size_t)CLASS_WORDS << class)
        class ++;
    if (class == CLASSES)
        return NULL;
    b = t->free[class];
    if (b) {
        t->free[class] = b->next_free;
        return b;
    }
    size = ((size_t)CLASS_WORDS << class) * sizeof(uint64_t);
    b = size <= t->memory ? calloc(1, sizeof(*b)) : NULL;
    if (!b)
        return NULL;
    b->class = class;
    b->words = t->host->secret_alloc(size, KT_MEM_WIPEONFORK);
    if (!b->words) {
        free(b);
        return NULL;
    }
    t->memory -= size;
    b->next_all = t->all;
    t->all = b;
    return b;
}

/* Readers may still be copying from it: they will see that the slot has changed. */
static void drop_block(struct table *t, struct block *b, size_t nwords)
{
    for (size_t i = 0; i < nwords; i++)
        STORE(&b->words[i], 0);
    b->next_free = t->free[b->class];
    t->free[b->class] = b;
}

/* Make a slot show @b, or nothing. */
static void set_slot(struct table *t, struct set *set, int way, struct block *b, size_t nwords)
{
    struct slot *s = &set->slot[way];
    struct block *old = set->owner[way].block;
    size_t old_nwords = s->nwords;
    uint32_t seq = s->seq;

    STORE(&s->seq, seq + 1);
    STORE(&s->words, b ? b->words : NULL);
    STORE(&s->nwords, (uint32_t)nwords);
    STORE(&s->seq, seq + 2);
    set->owner[way].block = b;
    set->owner[way].stamp = ++t->stamp;
    if (old)
        drop_block(t, old, old_nwords);
}

static int pick_way(const struct set *set)
{
    int oldest = 0;

    for (int way = 0; way < WAYS; way++) {
        if (!set->slot[way].words)
            return way;
        if (set->owner[way].stamp < set->owner[oldest].stamp)
            oldest = way;
    }
    return oldest;
}

static void evict(struct table *t, struct set *set, int way)
{
    if (way < 0)
        return;
    set_slot(t, set, way, NULL, 0);
    STORE(&set->hash[way], 0);
}

/* The new entry may be made of the old one's bytes, so the old block is let go last. */
static void store(struct table *t, struct set *set, int way, uint64_t hash, const struct entry *e,
                  const struct kt_attr *attrs)
{
    struct head head = {
        .canary = t->canary,
        .name_len = strlen(e->name),
        .id_len = e->id ? strlen(e->id) + 1 : 0,
        .attrs_len = attrs_size(e, attrs),
        .nattrs = e->nattrs,
        .value_len = e->len,
        .state = e->state,
        .misses = e->misses,
        .created_ms = e->created_ms,
        .expires_ms = e->expires_ms,
        .not_before_ms = e->not_before_ms,
    };
    size_t nwords = (sizeof(head) + head.name_len + 1 + head.id_len + head.attrs_len +
                     head.value_len + sizeof(uint64_t) - 1) /
                    sizeof(uint64_t);
    struct block *b = take_block(t, nwords);

    if (!b) {
        evict(t, set, way);
        return;
    }
    memcpy(head.asof, &e->asof, sizeof(head.asof));
    pack_entry(b->words, &head, e, attrs);
    if (way < 0)
        way = pick_way(set);
    set_slot(t, set, way, b, nwords);
    STORE(&set->hash[way], hash);
}

void table_change(struct table *t, const char *name,
                  enum table_change (*change)(void *cookie, const struct entry *old,
                                              struct entry *out),
                  void *cookie, const struct kt_attr *attrs)
{
    uint64_t hash = hash_name(t, name);
    struct set *set = find_set(t, hash);
    struct entry old;
    struct entry new = { .name = name };
    int way;

    pthread_mutex_lock(&t->mutex);
    way = find_way(t, set, hash, name, &old);
    if (way >= 0)
        new = old;
    switch (change(cookie, way >= 0 ? &old : NULL, &new)) {
    case TABLE_KEEP:
        break;
    case TABLE_STORE:
        store(t, set, way, hash, &new, attrs);
        break;
    case TABLE_EVICT:
        evict(t, set, way);
        break;
    }
    pthread_mutex_unlock(&t->mutex);
}

/* ---- a table's life -------------------------------------------------------------------------- */

struct table *table_new(const struct kt_host *host, size_t entries, size_t memory)
{
    struct table *t = calloc(1, sizeof(*t));

    if (!t)
        return NULL;
    t->host = host;
    t->memory = memory;
    t->nsets = (entries + WAYS - 1) / WAYS;
    pthread_mutex_init(&t->mutex, NULL);
    /* Pages that no set is used in are never touched. */
    t->sets = mmap(NULL, t->nsets * sizeof(struct set), PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (t->sets == MAP_FAILED)
        t->sets = NULL;
    if (!t->sets || getrandom(t->key, sizeof(t->key), 0) != sizeof(t->key) ||
        getrandom(&t->canary, sizeof(t->canary), 0) != sizeof(t->canary)) {
        table_free(t);
        return NULL;
    }
    t->canary |= 1;
    return t;
}

void table_free(struct table *t)
{
    if (!t)
        return;
    while (t->all) {
        struct block *b = t->all;

        t->all = b->next_all;
        t->host->secret_free(b->words);
        free(b);
    }
    if (t->sets)
        munmap(t->sets, t->nsets * sizeof(struct set));
    pthread_mutex_destroy(&t->mutex);
    free(t);
}
