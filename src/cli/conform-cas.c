/* SPDX-License-Identifier: Apache-2.0 */

/* Compare and swap: an expected version is the current one, or nothing happens. */

#include "conform-battery.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RACERS 4
#define LAPS 6

static int put_expecting(struct battery *b, const char *name, const char *text,
                         const char *expected, char *id)
{
    return put_with(b, name, text, strlen(text), (struct kt_put_options){ .expected = expected },
                    id);
}

static enum conform_verdict is_refused_without(struct battery *b)
{
    enum conform_verdict verdict = CONFORM_OK;
    char name[NAME_SIZE];
    int rc;

    if (has_cas(b))
        return skip(b, "it can");
    rc = put_expecting(b, new_name(b, name), "x", "", NULL);
    if (rc != KT_UNSUPPORTED)
        verdict = odd(b, "put with an expected version", rc, KT_UNSUPPORTED);
    else if ((rc = get_status(b, name)) != KT_NOT_FOUND)
        verdict = odd(b, "get after a put that was refused", rc, KT_NOT_FOUND);
    drop(b, name);
    return verdict;
}

static enum conform_verdict compares(struct battery *b)
{
    static const char nobody[] = "0197f3a0-0000-7000-8000-000000000000";
    enum conform_verdict verdict = CONFORM_FAILED;
    char name[NAME_SIZE], first[KT_ID_SIZE], second[KT_ID_SIZE];
    int rc;

    if (!has_cas(b))
        return skip(b, "not among the module's capabilities");
    (void)new_name(b, name);
    if ((rc = put_expecting(b, name, "zero", nobody, NULL)) != KT_CONFLICT)
        (void)odd(b, "a version expected where there is none", rc, KT_CONFLICT);
    else if ((rc = get_status(b, name)) != KT_NOT_FOUND)
        (void)odd(b, "get after a conflict", rc, KT_NOT_FOUND);
    else if ((rc = put_expecting(b, name, "one", "", first)) != KT_SUCCESS)
        (void)odd(b, "none expected, none there", rc, KT_SUCCESS);
    else if ((rc = put_expecting(b, name, "two", "", NULL)) != KT_CONFLICT)
        (void)odd(b, "none expected where there is one", rc, KT_CONFLICT);
    else if ((rc = put_expecting(b, name, "two", nobody, NULL)) != KT_CONFLICT)
        (void)odd(b, "another one expected", rc, KT_CONFLICT);
    else if (!holds_text(b, name, "one"))
        goto out;
    else if ((rc = put_expecting(b, name, "two", first, second)) != KT_SUCCESS)
        (void)odd(b, "the current one expected", rc, KT_SUCCESS);
    else if ((rc = put_expecting(b, name, "three", first, NULL)) != KT_CONFLICT)
        (void)odd(b, "the one before expected", rc, KT_CONFLICT);
    else if (!holds_text(b, name, "two"))
        goto out;
    else if ((rc = del_with(b, name, (struct kt_delete_options){ .expected = first }, NULL)) !=
             KT_CONFLICT)
        (void)odd(b, "delete that expects the one before", rc, KT_CONFLICT);
    else if ((rc = del_with(b, name, (struct kt_delete_options){ .expected = second }, NULL)) !=
             KT_SUCCESS)
        (void)odd(b, "delete that expects the current one", rc, KT_SUCCESS);
    else if ((rc = put_expecting(b, name, "again", "", NULL)) != KT_SUCCESS)
        (void)odd(b, "none expected after a delete", rc, KT_SUCCESS);
    else
        verdict = CONFORM_OK;
out:
    drop(b, name);
    return verdict;
}

/* ---- a counter that many raise at once: each raise is seen, none is lost --------------------- */

struct racer {
    struct battery b; /* a copy, so that errors do not meet */
    const char *name;
    unsigned raised;
    int rc; /* what ended it; KT_SUCCESS: all laps */
};

static int raise_once(struct racer *r)
{
    char text[24], id[KT_ID_SIZE];
    struct kt_secret *s;
    int rc = get(&r->b, r->name, &s);

    if (rc != KT_SUCCESS)
        return rc;
    (void)snprintf(text, sizeof(text), "%lu", strtoul(kt_secret_data(s), NULL, 10) + 1);
    (void)snprintf(id, sizeof(id), "%s", kt_secret_info(s)->id);
    kt_secret_free(s);
    return put_expecting(&r->b, r->name, text, id, NULL);
}

static void *race(void *cookie)
{
    struct racer *r = cookie;
    const int64_t until = now_ms() + 30000;

    while (r->raised < LAPS && now_ms() < until) {
        r->rc = raise_once(r);
        if (r->rc == KT_SUCCESS)
            r->raised++;
        else if (r->rc != KT_CONFLICT && r->rc != KT_BUSY)
            break;
    }
    return NULL;
}

static enum conform_verdict loses_no_race(struct battery *b)
{
    struct racer r[RACERS];
    pthread_t threads[RACERS];
    enum conform_verdict verdict = CONFORM_OK;
    char name[NAME_SIZE], text[24];
    unsigned raised = 0;
    int rc, n = 0;

    if (!has_cas(b))
        return skip(b, "not among the module's capabilities");
    rc = put(b, new_name(b, name), "0", NULL);
    if (rc != KT_SUCCESS)
        return odd(b, "put", rc, KT_SUCCESS);
    for (; n < RACERS; n++) {
        r[n] = (struct racer){ .b = *b, .name = name };
        if (pthread_create(&threads[n], NULL, race, &r[n]) != 0)
            break;
    }
    for (int i = 0; i < n; i++) {
        (void)pthread_join(threads[i], NULL);
        raised += r[i].raised;
        if (verdict == CONFORM_OK && r[i].raised < LAPS && r[i].rc != KT_CONFLICT &&
            r[i].rc != KT_BUSY) {
            b->err = r[i].b.err;
            verdict = odd(b, "a writer among others", r[i].rc, KT_CONFLICT);
        }
    }
    (void)snprintf(text, sizeof(text), "%u", raised);
    if (verdict == CONFORM_OK && raised == 0)
        verdict = bad(b, "of %d writers none ever got through", n);
    else if (verdict == CONFORM_OK && !holds_text(b, name, text))
        verdict = bad(b, "%u puts of a counter succeeded, and it does not say %s", raised, text);
    drop(b, name);
    return verdict;
}

const struct check checks_cas[] = {
    { "an expected version is refused where it cannot be compared", FOR_WRITER, 0,
      is_refused_without },
    { "an expected version must be the current one", FOR_WRITER, KT_CAP_OWN_ID, compares },
    { "of writers that expect the same version one wins", FOR_WRITER, 0, loses_no_race },
    { .title = NULL },
};
