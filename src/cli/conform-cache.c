/* SPDX-License-Identifier: Apache-2.0 */

/* A cache before `debug`: what it knows it says, what it does not it leaves to the line below. */

#include "conform-battery.h"

#include <string.h>

/* Was the line below the cache asked? */
static void note_below(void *cookie, const struct kt_step *step)
{
    if (step->module != NULL && strcmp(step->module, "debug") == 0)
        *(bool *)cookie = true;
}

/* A get that must answer @want; @below: and must (or must not) have asked further down. */
static bool asks(struct battery *b, const char *name, struct kt_get_options o, int want, bool below)
{
    bool asked = false;
    int rc;

    o.size = sizeof(o);
    o.timeout_ms = b->timeout_ms;
    rc = kt_trace(b->h, name, &o, note_below, &asked, NULL, &b->err);
    if (rc != want)
        (void)odd(b, "get", rc, want);
    else if (asked != below)
        (void)bad(b, below ? "it answered by itself" : "it did not answer by itself");
    return rc == want && asked == below;
}

static const struct kt_get_options any = { 0 };

static enum conform_verdict keeps_values(struct battery *b)
{
    char one[NAME_SIZE], other[NAME_SIZE];
    struct kt_secret *s;
    int rc;

    if (!battery_serve(b, "value=conform id=debug:7"))
        return CONFORM_FAILED;
    (void)new_name(b, one);
    if (!asks(b, one, any, KT_SUCCESS, true) || !asks(b, one, any, KT_SUCCESS, false) ||
        !asks(b, new_name(b, other), any, KT_SUCCESS, true) || !holds_text(b, one, "conform"))
        return CONFORM_FAILED;
    rc = get(b, one, &s);
    if (rc != KT_SUCCESS)
        return odd(b, "get", rc, KT_SUCCESS);
    if (strcmp(kt_secret_info(s)->id, "debug:7") != 0)
        rc = bad(b, "expected version debug:7, got %s", kt_secret_info(s)->id);
    kt_secret_free(s);
    return rc == KT_SUCCESS ? CONFORM_OK : CONFORM_FAILED;
}

static enum conform_verdict keeps_absences(struct battery *b)
{
    char name[NAME_SIZE];

    if (!battery_serve(b, "get=not_found"))
        return CONFORM_FAILED;
    (void)new_name(b, name);
    return asks(b, name, any, KT_NOT_FOUND, true) && asks(b, name, any, KT_NOT_FOUND, false)
               ? CONFORM_OK
               : CONFORM_FAILED;
}

static enum conform_verdict keeps_no_failures(struct battery *b)
{
    char name[NAME_SIZE];

    if (!battery_serve(b, "get=throttled"))
        return CONFORM_FAILED;
    (void)new_name(b, name);
    return asks(b, name, any, KT_THROTTLED, true) && asks(b, name, any, KT_THROTTLED, true)
               ? CONFORM_OK
               : CONFORM_FAILED;
}

static enum conform_verdict passes_by_what_is_not_its_own(struct battery *b)
{
    const struct kt_get_options fresh = { .bound_age = true }, past = { .stage = "previous" };
    char name[NAME_SIZE];

    if (!battery_serve(b, "value=conform"))
        return CONFORM_FAILED;
    (void)new_name(b, name);
    return asks(b, name, any, KT_SUCCESS, true) && asks(b, name, fresh, KT_SUCCESS, true) &&
                   asks(b, name, past, KT_SUCCESS, true) && asks(b, name, any, KT_SUCCESS, false)
               ? CONFORM_OK
               : CONFORM_FAILED;
}

static enum conform_verdict drops_what_was_rejected(struct battery *b)
{
    const struct kt_call_options o = { .size = sizeof(o), .timeout_ms = b->timeout_ms };
    char name[NAME_SIZE];
    int rc;

    if (!battery_serve(b, "value=conform id=debug:7"))
        return CONFORM_FAILED;
    if (!asks(b, new_name(b, name), any, KT_SUCCESS, true))
        return CONFORM_FAILED;
    rc = kt_report(b->h, name, "debug:7", KT_REJECTED, &o, &b->err);
    if (rc != KT_SUCCESS)
        return odd(b, "report", rc, KT_SUCCESS);
    return asks(b, name, any, KT_SUCCESS, true) && asks(b, name, any, KT_SUCCESS, false)
               ? CONFORM_OK
               : CONFORM_FAILED;
}

const struct check checks_cache[] = {
    { "a value is kept", FOR_CACHE, 0, keeps_values },
    { "an absence is kept", FOR_CACHE, 0, keeps_absences },
    { "a failure is not kept", FOR_CACHE, 0, keeps_no_failures },
    { "other stages and fresh gets are left to the line below", FOR_CACHE, 0,
      passes_by_what_is_not_its_own },
    { "a value that was rejected is dropped", FOR_CACHE, 0, drops_what_was_rejected },
    { .title = NULL },
};
