/* SPDX-License-Identifier: Apache-2.0 */

/* Does it answer, in time, and tell absence from failure? */

#include "conform-battery.h"

#include <pthread.h>
#include <string.h>
#include <time.h>

#define SHORT_MS 50
#define TRIES                                                                                      \
    3 /* of which one is in time: the machine may be busy, a module that hangs does so always */

/* Is this a name that it takes, and can it be written at all? */
static int probe_put(struct battery *b)
{
    char name[NAME_SIZE];
    int rc = put(b, new_name(b, name), "probe", NULL);

    if (rc == KT_SUCCESS)
        drop(b, name);
    return rc;
}

static enum conform_verdict answers(struct battery *b)
{
    char name[NAME_SIZE];
    int rc;

    if ((b->kind & FOR_CACHE) != 0)
        return battery_serve(b, "value=conform") ? CONFORM_OK : CONFORM_FAILED;
    if (!battery_serve(b, NULL))
        return CONFORM_FAILED;
    rc = get_status(b, new_name(b, name));
    if ((b->kind & FOR_SCRIPT) != 0)
        return CONFORM_OK; /* whatever its script says */
    if (rc != KT_NOT_FOUND) {
        b->kind &= ~FOR_WRITER;
        return odd(b, "get of an absent name", rc, KT_NOT_FOUND);
    }
    rc = probe_put(b);
    if (rc == KT_INVALID) { /* names of its own: is there a way to name any? */
        b->mapped = true;
        if (!battery_serve(b, NULL))
            return CONFORM_FAILED;
        rc = probe_put(b);
    }
    if (rc == KT_SUCCESS)
        return CONFORM_OK;
    b->kind &= ~FOR_WRITER;
    if (rc == KT_READ_ONLY || rc == KT_UNSUPPORTED || rc == KT_DENIED)
        return CONFORM_OK;
    return odd(b, "put", rc, KT_SUCCESS);
}

static enum conform_verdict keeps_deadlines(struct battery *b)
{
    char name[NAME_SIZE];
    int64_t took = 0;

    for (int i = 0; i < TRIES; i++) {
        const int64_t begin = now_ms();
        struct kt_secret *s;

        (void)get_with(b, new_name(b, name), (struct kt_get_options){ .timeout_ms = SHORT_MS }, &s);
        kt_secret_free(s);
        took = now_ms() - begin;
        if (took <= SHORT_MS + SLACK_MS)
            return CONFORM_OK;
    }
    b->over = true; /* every other call may hang as well */
    return bad(b, "a get with %d ms to live took %lld ms", SHORT_MS, (long long)took);
}

static void *cancel_soon(void *cookie)
{
    const struct timespec soon = { 0, 30 * 1000000 };

    (void)nanosleep(&soon, NULL);
    kt_cancel(cookie);
    return NULL;
}

static enum conform_verdict can_be_cancelled(struct battery *b)
{
    char name[NAME_SIZE];
    int64_t took = 0;

    for (int i = 0; i < TRIES; i++) {
        const int64_t begin = now_ms();
        struct kt_secret *s;
        pthread_t thread;

        if (pthread_create(&thread, NULL, cancel_soon, b->h) != 0)
            return skip(b, "no thread could be made");
        (void)get_with(b, new_name(b, name), (struct kt_get_options){ .timeout_ms = 10000 }, &s);
        kt_secret_free(s);
        (void)pthread_join(thread, NULL);
        took = now_ms() - begin;
        if (took <= SLACK_MS)
            return CONFORM_OK;
    }
    b->over = true;
    return bad(b, "a get that was cancelled after 30 ms took %lld ms", (long long)took);
}

static enum conform_verdict tells_absence(struct battery *b)
{
    char name[NAME_SIZE];
    struct kt_secret *s;
    struct kt_list *l;
    int rc = get_status(b, new_name(b, name));

    if (rc != KT_NOT_FOUND)
        return odd(b, "get", rc, KT_NOT_FOUND);
    rc = get_with(b, name, (struct kt_get_options){ .stage = "previous" }, &s);
    kt_secret_free(s);
    if (rc != KT_NOT_FOUND)
        return odd(b, "get of stage previous", rc, KT_NOT_FOUND);
    rc = get_with(b, name,
                  (struct kt_get_options){ .version = "0197f3a0-0000-7000-8000-000000000000" }, &s);
    kt_secret_free(s);
    if (rc != KT_NOT_FOUND)
        return odd(b, "get of a version", rc, KT_NOT_FOUND);
    rc = versions(b, name, &l);
    kt_list_free(l);
    if (rc != KT_NOT_FOUND && rc != KT_UNSUPPORTED)
        return odd(b, "versions", rc, KT_NOT_FOUND);
    return CONFORM_OK;
}

static enum conform_verdict reads_create_nothing(struct battery *b)
{
    char name[NAME_SIZE];
    int found;

    (void)get_status(b, new_name(b, name));
    found = lists(b, NULL, name);
    if (found > 0)
        return bad(b, "a name that was only asked for is listed");
    return found == 0 ? CONFORM_OK : CONFORM_FAILED;
}

/* Hardly any time: the answer may be the value or that there was no time, never an absence. */
static enum conform_verdict haste_is_no_absence(struct battery *b)
{
    enum conform_verdict verdict = CONFORM_OK;
    char name[NAME_SIZE];
    int rc = put(b, new_name(b, name), "there", NULL);

    if (rc != KT_SUCCESS)
        return odd(b, "put", rc, KT_SUCCESS);
    for (int i = 0; i < 20 && verdict == CONFORM_OK; i++) {
        struct kt_secret *s;

        rc = get_with(b, name, (struct kt_get_options){ .timeout_ms = 1 }, &s);
        kt_secret_free(s);
        if (rc != KT_SUCCESS && !could_not(rc))
            verdict = odd(b, "a get with 1 ms to live", rc, KT_TIMEOUT);
    }
    drop(b, name);
    return verdict;
}

const struct check checks_basic[] = {
    { "it opens and answers", FOR_ALL, 0, answers },
    { "to load, open and ask it changes nothing in the process", FOR_ALL, 0, changes_nothing },
    { "a call ends at its deadline", FOR_ALL, 0, keeps_deadlines },
    { "a call ends when it is cancelled", FOR_ALL, 0, can_be_cancelled },
    { "an absent name is not_found", FOR_STORE, 0, tells_absence },
    { "reads create nothing", FOR_STORE, KT_CAP_LIST, reads_create_nothing },
    { "what could not be asked is not absent", FOR_WRITER, 0, haste_is_no_absence },
    { .title = NULL },
};
