/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYTURN_KEYRING_KEYRING_H
#define KEYTURN_KEYRING_KEYRING_H

#include "pattern.h"

#include <keyturn/module.h>

#include <glib.h>
#include <pthread.h>

/**
 * struct kt_keyring - a line's state
 * @service:    of the service file: the attribute `service` of its items
 * @collection: as the line says: an alias, a label or an object path
 * @pattern:    NULL, or attributes of items that others made: such a line only reads
 * @master:     the keyring's password may be asked for on the terminal
 * @attached:   the line has used the connection that all lines share
 * @lock:       over what follows, and @attached
 * @path:       of the collection; NULL: not looked up yet
 * @path_link:  serial of the connection that it was looked up on
 * @prompt_link: serial of the one on which unlocking took a prompt that nobody was to see
 * @guesses:    where names were the last time: see guess.h
 */
struct kt_keyring {
    const struct kt_host *host;
    char *service;
    char *collection;
    struct kt_pattern *pattern;
    bool master;
    bool attached;
    pthread_mutex_t lock;
    char *path;
    uint64_t path_link;
    uint64_t prompt_link;
    GHashTable *guesses;
};

extern const struct kt_verb kt_keyring_verbs[];

/** kt_keyring_takes - KT_INVALID (explained) unless items can bear this name */
int kt_keyring_takes(const struct kt_keyring *line, struct kt_call *call, const char *name);

/* What struct kt_module says of these functions holds. */
int kt_keyring_get(void *state, struct kt_call *call, const char *name, const struct kt_want *want);
int kt_keyring_get_many(void *state, struct kt_call *call, const char *const *names, size_t n,
                        const struct kt_want *want, int *statuses);
int kt_keyring_list(void *state, struct kt_call *call, const char *prefix);
int kt_keyring_versions(void *state, struct kt_call *call, const char *name);
int kt_keyring_put(void *state, struct kt_call *call, enum kt_phase phase, const char *name,
                   const struct kt_put *put);
int kt_keyring_fill(void *state, struct kt_call *call, const char *name, const struct kt_put *copy);
int kt_keyring_stage(void *state, struct kt_call *call, enum kt_phase phase, const char *name,
                     uint32_t stage, const char *version, const char *expected);
int kt_keyring_del(void *state, struct kt_call *call, enum kt_phase phase, const char *name,
                   const struct kt_delete *del, bool *restorable);

#endif
