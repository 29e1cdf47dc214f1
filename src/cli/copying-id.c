/* SPDX-License-Identifier: Apache-2.0 */

/* Ids for versions that somebody else wrote, and which places of the target were filled. */

#include "copying-parts.h"

#include "kit/siphash.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

bool copy_id_is_foreign(const char *id)
{
    return strchr(id, ':') != NULL;
}

/* FNV-1a, byte by byte: the same on every machine. Source: draft-eastlake-fnv. */
static uint64_t mix(uint64_t h, const void *data, size_t len)
{
    const unsigned char *p = data;

    for (size_t i = 0; i < len; i++)
        h = (h ^ p[i]) * 0x100000001b3U;
    return h;
}

/* Spreads what FNV leaves in the low bits. Source: the finalizer of MurmurHash3. */
static uint64_t spread(uint64_t h)
{
    h = (h ^ h >> 33) * 0xff51afd7ed558ccdU;
    h = (h ^ h >> 33) * 0xc4ceb9fe1a85ec53U;
    return h ^ h >> 33;
}

void copy_id_derive(const char *name, const struct kt_info *info, unsigned nth, char id[KT_ID_SIZE])
{
    const uint64_t ms = info->created_ms > 0 ? (uint64_t)info->created_ms & 0xffffffffffffU : 0;
    const unsigned char tail[] = { (unsigned char)(nth >> 8), (unsigned char)nth };
    uint64_t h[2] = { 0xcbf29ce484222325U, 0x6c62272e07bb0142U };

    for (size_t i = 0; i < 2; i++) {
        h[i] = mix(h[i], name, strlen(name) + 1);
        h[i] = mix(h[i], info->id, strlen(info->id) + 1);
        h[i] = spread(mix(h[i], tail, sizeof(tail)));
    }
    (void)snprintf(id, KT_ID_SIZE,
                   "%08" PRIx64 "-%04" PRIx64 "-7%03" PRIx64 "-%04" PRIx64 "-%012" PRIx64, ms >> 16,
                   ms & 0xffff, h[0] & 0xfff, (h[1] >> 48 & 0x3fff) | 0x8000,
                   h[1] & 0xffffffffffffU);
}

/* ---- a set of hashes -------------------------------------------------------------------------- */

static uint64_t hash(const struct copy_seen *s, const void *data, size_t len)
{
    const uint64_t h = kt_siphash(s->key, data, len);

    return h != 0 ? h : 1; /* 0 is an empty slot */
}

static size_t find(const struct copy_seen *s, uint64_t h)
{
    size_t at = (size_t)h & (s->room - 1);

    while (s->slots[at] != 0 && s->slots[at] != h)
        at = (at + 1) & (s->room - 1);
    return at;
}

static bool grow(struct copy_seen *s)
{
    const size_t room = s->room;
    uint64_t *const slots = s->slots;
    uint64_t *const bigger = calloc(room == 0 ? 1024 : room * 2, sizeof(*bigger));

    if (bigger == NULL)
        return false;
    if (room == 0 && getrandom(s->key, sizeof(s->key), 0) != sizeof(s->key)) {
        free(bigger);
        return false;
    }
    s->slots = bigger;
    s->room = room == 0 ? 1024 : room * 2;
    for (size_t i = 0; i < room; i++)
        if (slots[i] != 0)
            bigger[find(s, slots[i])] = slots[i];
    free(slots);
    return true;
}

bool copy_seen_add(struct copy_seen *s, const void *data, size_t len)
{
    if (s->n * 2 >= s->room && !grow(s))
        return false;
    const uint64_t h = hash(s, data, len);
    const size_t at = find(s, h);

    s->n += s->slots[at] == 0 ? 1 : 0;
    s->slots[at] = h;
    return true;
}

bool copy_seen_has(const struct copy_seen *s, const void *data, size_t len)
{
    if (s->room == 0)
        return false;
    const uint64_t h = hash(s, data, len);

    return s->slots[find(s, h)] == h;
}
