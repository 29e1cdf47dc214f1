/* SPDX-License-Identifier: Apache-2.0 */
#include "place.h"

#include "link.h"
#include "master.h"
#include "prompt.h"

#include <stdatomic.h>
#include <string.h>

#define REFUSAL_NS 10000000000 /* who has refused is not asked again so soon */
#define TURN_MS 20

/* ---- where it is ----------------------------------------------------------------------------- */

/* "/": no such alias. */
static int read_alias(struct kt_op *op, const char *alias, char **path)
{
    struct kt_reply reply;
    int rc = kt_op_ask(op, op->owner, KT_SECRETS_PATH, KT_SERVICE, "ReadAlias",
                       g_variant_new("(s)", alias), "(o)", &reply);

    if (rc != KT_SUCCESS)
        return rc;
    g_variant_get(reply.body, "(o)", path);
    kt_reply_done(&reply);
    if (kt_prompt_none(*path)) {
        g_free(*path);
        *path = NULL;
    }
    return KT_SUCCESS;
}

static bool has_label(struct kt_op *op, const char *path, const char *wanted, int *rc)
{
    const char *slash = strrchr(path, '/');
    GVariant *label = NULL;
    bool same;

    if (strcmp(slash + 1, wanted) == 0)
        return true;
    *rc = kt_op_property(op, path, KT_COLLECTION, "Label", "s", &label);
    if (*rc == KT_ABSENT)
        *rc = KT_SUCCESS;
    same = label != NULL && strcmp(g_variant_get_string(label, NULL), wanted) == 0;
    if (label != NULL)
        g_variant_unref(label);
    return same;
}

/* By the last part of its path, or its label. */
static int find_labelled(struct kt_op *op, const char *label, char **path)
{
    GVariant *all;
    const char **list;
    int rc = kt_op_property(op, KT_SECRETS_PATH, KT_SERVICE, "Collections", "ao", &all);

    if (rc != KT_SUCCESS)
        return rc;
    list = g_variant_get_objv(all, NULL);
    for (size_t i = 0; list[i] != NULL && *path == NULL && rc == KT_SUCCESS; i++)
        if (has_label(op, list[i], label, &rc))
            *path = g_strdup(list[i]);
    g_free(list);
    g_variant_unref(all);
    return rc;
}

static int look_up(struct kt_op *op, char **path)
{
    const char *wanted = op->line->collection;
    GVariant *locked = NULL;
    int rc;

    *path = NULL;
    if (wanted[0] == '/') { /* is it there? */
        rc = kt_op_property(op, wanted, KT_COLLECTION, "Locked", "b", &locked);
        if (rc == KT_SUCCESS) {
            g_variant_unref(locked);
            *path = g_strdup(wanted);
        }
    } else {
        rc = read_alias(op, wanted, path);
        if (rc == KT_SUCCESS && *path == NULL)
            rc = find_labelled(op, wanted, path);
    }
    if ((rc != KT_SUCCESS && rc != KT_ABSENT) || *path != NULL)
        return rc;
    if (strcmp(wanted, "default") == 0)
        return op->host->fail(op->call, KT_UNAVAILABLE,
                              "keyring: there is no default keyring; log in to the desktop, make "
                              "one in Seahorse, open KeePassXC's database, or say collection=");
    return op->host->fail(op->call, KT_UNAVAILABLE,
                          "keyring: there is no collection '%.100s'; see its name in Seahorse, "
                          "open the database in KeePassXC, or correct collection=",
                          wanted);
}

int kt_place_find(struct kt_op *op, char **path)
{
    struct kt_keyring *line = op->line;
    char *found = NULL;
    int rc;

    (void)pthread_mutex_lock(&line->lock);
    if (line->path != NULL && line->path_link == op->link->serial)
        found = g_strdup(line->path);
    (void)pthread_mutex_unlock(&line->lock);
    if (found != NULL) {
        *path = found;
        return KT_SUCCESS;
    }
    rc = look_up(op, &found);
    if (rc != KT_SUCCESS)
        return rc;
    (void)pthread_mutex_lock(&line->lock);
    g_free(line->path);
    line->path = g_strdup(found);
    line->path_link = op->link->serial;
    (void)pthread_mutex_unlock(&line->lock);
    *path = found;
    return KT_SUCCESS;
}

int kt_place_lost(struct kt_op *op)
{
    struct kt_keyring *line = op->line;

    (void)pthread_mutex_lock(&line->lock);
    g_free(line->path);
    line->path = NULL;
    (void)pthread_mutex_unlock(&line->lock);
    return KT_LOST;
}

/* ---- is it locked? --------------------------------------------------------------------------- */

static int is_locked(struct kt_op *op, const char *path, const char *interface, bool *locked)
{
    GVariant *value;
    int rc = kt_op_property(op, path, interface, "Locked", "b", &value);

    if (rc != KT_SUCCESS)
        return rc;
    *locked = g_variant_get_boolean(value);
    g_variant_unref(value);
    return KT_SUCCESS;
}

int kt_place_locked(struct kt_op *op, bool *locked)
{
    char *path = NULL;
    int rc = kt_place_find(op, &path);

    if (rc == KT_SUCCESS)
        rc = is_locked(op, path, KT_COLLECTION, locked);
    g_free(path);
    return rc == KT_ABSENT ? kt_place_lost(op) : rc;
}

int kt_place_closed(struct kt_op *op)
{
    return op->host->fail(op->call, KT_LOCKED,
                          "keyring: the keyring '%.100s' is locked; run 'keyturn unlock', log in "
                          "to the desktop, or unlock it in Seahorse or KeePassXC",
                          op->line->collection);
}

/* ---- unlocking ------------------------------------------------------------------------------- */

static _Atomic int64_t refused_ns; /* monotonic; 0: never */
static atomic_bool asking;

static void remember_refusal(struct kt_op *op)
{
    atomic_store(&refused_ns, op->host->now_ns(op->call, KT_CLOCK_MONOTONIC));
}

static int refused(struct kt_op *op)
{
    remember_refusal(op);
    return op->host->fail(op->call, KT_DENIED,
                          "keyring: the prompt to unlock '%.100s' was dismissed, or could not be "
                          "shown; where there is no desktop, 'allow-master-password' on the line "
                          "lets 'keyturn unlock' ask on the terminal",
                          op->line->collection);
}

static bool was_refused(struct kt_op *op)
{
    const int64_t at = atomic_load(&refused_ns);
    const int64_t age = op->host->now_ns(op->call, KT_CLOCK_MONOTONIC) - at;

    return at != 0 && age >= 0 && age < REFUSAL_NS;
}

/* Whatever the prompt said: the lock itself is the truth. */
static int judge(struct kt_op *op, const char *path, const char *interface)
{
    bool locked = true;
    const int rc = is_locked(op, path, interface, &locked);

    if (rc == KT_ABSENT)
        return KT_SUCCESS; /* whoever looks next will see */
    if (rc != KT_SUCCESS || !locked)
        return rc;
    return refused(op);
}

/* One person has one pair of eyes: prompts of other threads are awaited. */
static int take_turn(struct kt_op *op)
{
    bool idle = false;

    while (!atomic_compare_exchange_strong(&asking, &idle, true)) {
        const int rc = op->host->sleep(op->call, TURN_MS);

        if (rc != KT_SUCCESS)
            return rc;
        idle = false;
    }
    return KT_SUCCESS;
}

static int show_prompt(struct kt_op *op, const char *path, const char *interface,
                       const char *prompt)
{
    bool dismissed = false;
    int rc;

    if (was_refused(op))
        return op->host->fail(op->call, KT_DENIED,
                              "keyring: a prompt to unlock '%.100s' was dismissed, or not "
                              "answered, just now; it is not shown again for some seconds",
                              op->line->collection);
    rc = take_turn(op);
    if (rc != KT_SUCCESS)
        return rc;
    op->prompted = true;
    rc = kt_prompt_run(op, prompt, -1, &dismissed);
    atomic_store(&asking, false);
    if (rc == KT_SUCCESS)
        return judge(op, path, interface);
    remember_refusal(op); /* it is still shown: no second one beside it */
    return rc;
}

/*
 * A prompt that nobody may see is left as it is: GNOME Keyring 42 aborts if one is dismissed while it
 * shows another. It lives as long as our connection, so that one is enough.
 */
static bool has_prompt(const struct kt_op *op)
{
    struct kt_keyring *line = op->line;
    bool has;

    (void)pthread_mutex_lock(&line->lock);
    has = line->prompt_link == op->link->serial;
    (void)pthread_mutex_unlock(&line->lock);
    return has;
}

static int leave_prompt(struct kt_op *op)
{
    struct kt_keyring *line = op->line;

    (void)pthread_mutex_lock(&line->lock);
    line->prompt_link = op->link->serial;
    (void)pthread_mutex_unlock(&line->lock);
    return kt_place_closed(op);
}

int kt_place_unlock(struct kt_op *op, const char *path, const char *interface)
{
    const bool may_prompt = op->host->may_prompt(op->call);
    struct kt_reply reply;
    const char *prompt;
    int rc;

    if (op->prompted || (!may_prompt && has_prompt(op)))
        return kt_place_closed(op);
    if (strcmp(interface, KT_COLLECTION) == 0 && op->line->master && may_prompt &&
        kt_master_is_there(op)) {
        op->prompted = true;
        return kt_master_unlock(op, path);
    }
    rc = kt_op_ask(op, op->owner, KT_SECRETS_PATH, KT_SERVICE, "Unlock",
                   g_variant_new("(@ao)", g_variant_new_objv(&path, 1)), "(aoo)", &reply);
    if (rc != KT_SUCCESS)
        return rc;
    g_variant_get(reply.body, "(ao&o)", NULL, &prompt);
    if (kt_prompt_none(prompt)) {
        rc = judge(op, path, interface);
    } else if (!may_prompt) {
        rc = leave_prompt(op);
    } else {
        rc = show_prompt(op, path, interface, prompt);
    }
    kt_reply_done(&reply);
    return rc;
}

int kt_place_open(struct kt_op *op)
{
    char *path = NULL;
    bool locked = true;
    int rc = kt_place_locked(op, &locked);

    if (rc != KT_SUCCESS || !locked)
        return rc;
    rc = kt_place_find(op, &path);
    if (rc == KT_SUCCESS)
        rc = kt_place_unlock(op, path, KT_COLLECTION);
    g_free(path);
    return rc;
}
