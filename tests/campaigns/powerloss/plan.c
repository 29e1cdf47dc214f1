/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Where the power is cut. Just after an operation was acknowledged, where what is not safe is lost
 * for good; just before a sync, where most is loose; and anywhere. A cut at which little is loose has
 * few different states: the others get its share.
 */

#include "plan.h"

#include "disk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST 400
#define MOST_ACKNOWLEDGED 3

enum kind { NEVER, ANY, SYNC, ACKNOWLEDGED };

static enum kind kind_of(const struct pl_log *log, size_t cut)
{
    const struct pl_record *r = log->at[cut];
    const struct pl_record *last = cut > 0 ? log->at[cut - 1] : NULL;

    if (last == NULL)
        return NEVER;
    if (last->type == PL_MARK)
        return memcmp(last + 1, "done", 4) == 0 ? ACKNOWLEDGED : NEVER;
    return r->type == PL_SYNC || r->type == PL_SYNCDIR ? SYNC : ANY;
}

static void count(struct pl_plan *p, const struct pl_log *log)
{
    uint64_t db = 0;
    uint64_t wal = 0;
    bool begun = false;

    for (size_t i = 0; i < log->n; i++) {
        const struct pl_record *r = log->at[i];
        const char *path = (const char *)(r + 1);
        const size_t len = r->len;

        if (r->type == PL_CREATE && len > 14 && strcmp(path + len - 14, "/store.db-new") == 0)
            db = r->ino;
        if (r->type == PL_CREATE && len > 14 && strcmp(path + len - 14, "/store.db-wal") == 0)
            wal = r->ino;
        if (r->type == PL_CREATE && r->ino == wal)
            begun = false;
        p->checkpoints += r->type == PL_SYNC && r->ino == db ? 1 : 0;
        if (r->type == PL_WRITE && r->ino == wal && r->at == 0 && len == 32) {
            p->restarts += begun ? 1 : 0;
            begun = true;
        }
    }
}

/* How many different states a cut has, about: half of the choices change nothing that can be seen. */
static size_t limit_of(enum kind kind, size_t loose)
{
    const size_t limit = loose < 2 ? loose + 1 : loose < 8 ? (size_t)1 << (loose - 1) : MOST;

    return kind == ACKNOWLEDGED && limit > MOST_ACKNOWLEDGED ? MOST_ACKNOWLEDGED : limit;
}

static void shuffle(size_t *list, size_t n, struct pl_random *r)
{
    for (size_t i = n; i > 1; i--) {
        const size_t k = pl_random_below(r, i);
        const size_t kept = list[i - 1];

        list[i - 1] = list[k];
        list[k] = kept;
    }
}

/* Gives @share states to the cuts of one kind, in turns, as long as they have room. */
static size_t give(struct pl_plan *p, const size_t *limits, size_t *list, size_t n, size_t share)
{
    size_t given = 0;
    bool any = true;

    while (any && given < share) {
        any = false;
        for (size_t i = 0; i < n && given < share; i++) {
            const size_t at = list[i];

            if (p->states[at] == limits[at])
                continue;
            p->states[at]++;
            given++;
            any = true;
        }
    }
    return given;
}

void pl_plan_make(struct pl_plan *p, const struct pl_log *log, size_t states, uint64_t seed)
{
    static const struct {
        enum kind kind;
        unsigned percent;
    } shares[] = { { ACKNOWLEDGED, 45 }, { SYNC, 30 }, { ANY, 100 } };
    struct pl_random r = pl_random_of(seed, 0, 4);
    struct pl_disk *d = pl_disk_new();
    size_t *limits = calloc(log->n + 1, sizeof(*limits));
    size_t *list = calloc(log->n + 1, sizeof(*list));
    size_t given = 0;

    *p = (struct pl_plan){ .states = calloc(log->n + 1, sizeof(*p->states)) };
    if (limits == NULL || list == NULL || p->states == NULL)
        abort();
    for (size_t i = 0; i < log->n; i++) {
        limits[i] = limit_of(kind_of(log, i), pl_disk_loose(d));
        pl_disk_tell(d, log->at[i]);
    }
    for (size_t k = 0; k < sizeof(shares) / sizeof(shares[0]); k++) {
        size_t n = 0;

        for (size_t i = 0; i < log->n; i++)
            if (kind_of(log, i) == shares[k].kind)
                list[n++] = i;
        shuffle(list, n, &r);
        given += give(p, limits, list, n,
                      shares[k].kind == ANY ? states - given : states * shares[k].percent / 100);
    }
    for (size_t i = 0; i < log->n; i++)
        p->cuts += p->states[i] > 0 ? 1 : 0;
    count(p, log);
    free(limits);
    free(list);
    pl_disk_free(d);
}

void pl_plan_free(struct pl_plan *p)
{
    free(p->states);
}
