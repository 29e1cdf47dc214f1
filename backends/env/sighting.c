/* SPDX-License-Identifier: Apache-2.0 */
#include "sighting.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "kit/siphash.h"

struct sighting {
    struct sighting *next;
    uint64_t hash[2];
    uint64_t count;
    char variable[];
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static struct sighting *sightings;
static uint64_t keys[2][2];
static bool ready;

static void lock(void)
{
    pthread_mutex_lock(&mutex);
}

static void unlock(void)
{
    pthread_mutex_unlock(&mutex);
}

static void begin(void)
{
    ready = getrandom(keys, sizeof(keys), 0) == sizeof(keys) &&
            pthread_atfork(lock, unlock, unlock) == 0;
}

static struct sighting *find(const char *variable)
{
    struct sighting *s = sightings;

    while (s && strcmp(s->variable, variable) != 0)
        s = s->next;
    if (s)
        return s;
    s = calloc(1, sizeof(*s) + strlen(variable) + 1);
    if (!s)
        return NULL;
    memcpy(s->variable, variable, strlen(variable) + 1);
    s->next = sightings;
    sightings = s;
    return s;
}

bool sighting_id(const char *variable, const char *data, size_t len, char id[KT_ID_SIZE])
{
    struct sighting *s;
    uint64_t hash[2];

    pthread_once(&once, begin);
    if (!ready)
        return false;
    hash[0] = kt_siphash(keys[0], data, len);
    hash[1] = kt_siphash(keys[1], data, len);
    lock();
    s = find(variable);
    if (s) {
        if (s->count == 0 || s->hash[0] != hash[0] || s->hash[1] != hash[1])
            s->count++;
        memcpy(s->hash, hash, sizeof(hash));
        snprintf(id, KT_ID_SIZE, "env:%" PRIu64, s->count);
    }
    unlock();
    return s != NULL;
}
