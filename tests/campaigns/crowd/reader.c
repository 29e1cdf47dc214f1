/* SPDX-License-Identifier: Apache-2.0 */
#include "crowd.h"

#include <string.h>

static int must_get(struct filestore *fs, const char *name, bool may_miss)
{
    const int rc = filestore_get(fs, name, NULL);

    if (rc != KT_SUCCESS && (rc != KT_NOT_FOUND || !may_miss))
        WRONG("get %s: %d %s", name, rc, fs->call.msg);
    return rc;
}

static void read_base(struct filestore *fs)
{
    const uint64_t n = any_of(crowd->secrets);
    char name[32];

    (void)snprintf(name, sizeof(name), "base/%llu", (unsigned long long)n);
    (void)must_get(fs, name, false);
    if (value_number(name, fs->given) != n)
        WRONG("%s has another's value", name);
}

/* Not older than what was acknowledged before, not newer than what somebody is about now. */
static void read_count(struct filestore *fs)
{
    const unsigned c = (unsigned)any_of(COUNTERS);
    uint64_t before[WRITERS];
    uint64_t counts[WRITERS];
    char name[32];

    (void)snprintf(name, sizeof(name), "count/%u", c);
    for (unsigned w = 0; w < WRITERS; w++)
        before[w] = crowd->counts[w][c].now;
    (void)must_get(fs, name, false);
    counts_of(name, fs->given, counts);
    for (unsigned w = 0; w < WRITERS; w++)
        if (counts[w] < before[w] || counts[w] > crowd->counts[w][c].now + 1)
            WRONG("%s: writer %u was at %llu, read %llu", name, w, (unsigned long long)before[w],
                  (unsigned long long)counts[w]);
}

static void read_own(struct filestore *fs)
{
    const unsigned w = (unsigned)any_of(WRITERS);
    const unsigned k = (unsigned)any_of(OWN);
    const struct deed *d = &crowd->own[w][k];
    const uint64_t before = d->now;
    const bool quiet = d->next == 0 && d->now == before;
    uint64_t number = 0;
    char name[32];
    int rc;

    (void)snprintf(name, sizeof(name), "own/%u/%u", w, k);
    rc = must_get(fs, name, true);
    if (rc == KT_SUCCESS)
        number = value_number(name, fs->given);
    if (rc == KT_SUCCESS && number < DEED_NUMBER(before))
        WRONG("%s: deed %llu was done, read %llu", name, (unsigned long long)DEED_NUMBER(before),
              (unsigned long long)number);
    if (quiet && d->next == 0 && d->now == before &&
        (DEED_THERE(before) != (rc == KT_SUCCESS) ||
         (rc == KT_SUCCESS && number != DEED_NUMBER(before))))
        WRONG("%s: %s, and nobody was about it; read %s %llu", name,
              DEED_THERE(before) ? "there" : "gone", rc == KT_SUCCESS ? "there" : "gone",
              (unsigned long long)number);
}

static void read_versions(struct filestore *fs, unsigned me)
{
    unsigned current = 0;
    char name[32];
    int rc;

    (void)snprintf(name, sizeof(name), "count/%llu", (unsigned long long)any_of(COUNTERS));
    modhost_call_reset(&fs->call);
    rc = fs->m->versions(fs->state, &fs->call, name);
    if (rc != KT_SUCCESS)
        WRONG("versions of %s: %d %s", name, rc, fs->call.msg);
    for (size_t i = 0; i < fs->call.ngiven; i++)
        current += (fs->call.given[i].stages & KT_STAGE_CURRENT) != 0 ? 1 : 0;
    if (current != 1)
        WRONG("versions of %s: %u of %zu are current", name, current, fs->call.ngiven);
    crowd->readers[me].versions++;
}

static void read_list(struct filestore *fs, unsigned me)
{
    size_t base = 0;
    size_t counters = 0;
    int rc;

    modhost_call_reset(&fs->call);
    rc = fs->m->list(fs->state, &fs->call, NULL);
    if (rc != KT_SUCCESS)
        WRONG("list: %d %s", rc, fs->call.msg);
    for (size_t i = 0; i < fs->call.ngiven; i++) {
        base += strncmp(fs->call.given[i].name, "base/", 5) == 0 ? 1 : 0;
        counters += strncmp(fs->call.given[i].name, "count/", 6) == 0 ? 1 : 0;
    }
    if (base != crowd->secrets || counters != COUNTERS ||
        fs->call.ngiven > base + counters + (size_t)WRITERS * OWN)
        WRONG("list: %zu names, %zu of %u that never change, %zu counters", fs->call.ngiven, base,
              crowd->secrets, counters);
    crowd->readers[me].lists++;
}

void reader(unsigned me)
{
    struct filestore fs;

    open_store(&fs);
    while (!crowd->stop) {
        const uint64_t what = any_of(1000);

        if (what == 0)
            read_list(&fs, me);
        else if (what < 50)
            read_versions(&fs, me);
        else if (what < 400)
            read_count(&fs);
        else if (what < 700)
            read_own(&fs);
        else
            read_base(&fs);
        crowd->readers[me].gets += what >= 50 ? 1 : 0;
    }
    filestore_close(&fs);
}
