/* SPDX-License-Identifier: Apache-2.0 */
#include "judge.h"

#include "clock.h"

#include <string.h>

#define NEGATIVE_MAX_MS 60000

static enum kt_role role_of(const struct kt_handle *h, const struct kt_line *line)
{
    return (enum kt_role)h->service->places[line->place].probe.role;
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t bounded(const struct kt_terms *t, int64_t ms)
{
    return t->max_age_ms >= 0 ? least(ms, t->max_age_ms) : ms;
}

static int64_t max_stale(const struct kt_line *line, const struct kt_terms *t)
{
    return t->ruled ? line->core.max_stale_ms
                    : least(line->core.max_stale_ms, KT_MAX_STALE_UNRULED);
}

bool kt_judge_skips(const struct kt_handle *h, const struct kt_line *line, const struct kt_terms *t,
                    const char **note)
{
    if (t->max_age_ms != 0 || kt_line_is_authority(h->service, line))
        return false;
    switch (role_of(h, line)) {
    case KT_ROLE_TEST:
    case KT_ROLE_AGENT:
        return false;
    case KT_ROLE_STORE:
    case KT_ROLE_CACHE:
    case KT_ROLE_OVERRIDE:
        break;
    }
    *note = "not asked: only the authority may answer a fresh get";
    return true;
}

static int pass(enum kt_verdict *verdict, const char **note, const char *why)
{
    *verdict = KT_PASSED;
    *note = why;
    return KT_IGNORE;
}

/* The authority's `expiry=` holds for copies of what it keeps. */
static bool enforces(const struct kt_handle *h, const struct kt_line *line)
{
    return line->core.enforce_expiry ||
           (h->authority_read != NULL && h->authority_read->core.enforce_expiry);
}

/* The value's own times and state, whoever gave it. */
static int judge_value(const struct kt_handle *h, const struct kt_line *line, struct kt_offer *o)
{
    const int64_t now = o->expires_ms != 0 || o->not_before_ms != 0
                            ? kt_clock_ms(&h->clock, KT_CLOCK_WALL)
                            : 0;

    if (o->state != KT_STATE_ENABLED)
        return KT_DISABLED;
    if (o->expires_ms != 0 && now >= o->expires_ms) {
        if (enforces(h, line))
            return KT_EXPIRED;
        o->flags |= KT_FLAG_EXPIRED;
    }
    if (o->not_before_ms != 0 && now < o->not_before_ms) {
        if (enforces(h, line))
            return KT_NOT_YET;
        o->flags |= KT_FLAG_NOT_YET;
    }
    return KT_SUCCESS;
}

static int judge_truth(const struct kt_handle *h, const struct kt_line *line,
                       const struct kt_terms *t, int raw, struct kt_offer *o)
{
    if (raw != KT_SUCCESS)
        return raw;
    o->age_ms = 0;
    /* When it answered; the rest of an as-of costs more and is only made if a copy is. */
    o->asof = (struct kt_asof){ .boot_ms = kt_clock_ms(&h->clock, KT_CLOCK_BOOT) };
    if (t->want.not_version != NULL && strcmp(o->id, t->want.not_version) == 0)
        o->flags |= KT_FLAG_SAME;
    return judge_value(h, line, o);
}

static int judge_override(const struct kt_handle *h, const struct kt_line *line,
                          const struct kt_terms *t, int raw, struct kt_offer *o,
                          enum kt_verdict *verdict, const char **note)
{
    if (raw == KT_NOT_FOUND)
        return pass(verdict, note, "an override that has none");
    if (raw != KT_SUCCESS)
        return raw;
    if (t->want.not_version != NULL && strcmp(o->id, t->want.not_version) == 0)
        return pass(verdict, note, "the version that was not wanted");
    o->flags |= KT_FLAG_OVERRIDE;
    *note = "an override: nobody judges its age";
    return judge_value(h, line, o);
}

/* A negative entry carries the authority's word: believed for `negative`, doubled with each miss. */
static int judge_negative(const struct kt_line *line, const struct kt_terms *t, struct kt_offer *o,
                          enum kt_verdict *verdict, const char **note)
{
    int64_t ms = line->core.negative_ms;

    for (uint32_t i = 1; i < o->misses && ms < NEGATIVE_MAX_MS; i++)
        ms *= 2;
    if (line->core.negative_ms < NEGATIVE_MAX_MS)
        ms = least(ms, NEGATIVE_MAX_MS);
    if (o->age_ms < 0 || o->age_ms >= bounded(t, ms))
        return pass(verdict, note, "a negative entry that is too old");
    *note = "a negative entry";
    return KT_NOT_FOUND;
}

static int judge_copy(const struct kt_handle *h, const struct kt_line *line,
                      const struct kt_terms *t, int raw, struct kt_offer *o,
                      enum kt_verdict *verdict, const char **note)
{
    const bool agent = role_of(h, line) == KT_ROLE_AGENT;

    if (raw == KT_NOT_FOUND && !agent) {
        if (o->line == NULL || !o->negative)
            return pass(verdict, note, "a follower: its absence says nothing");
        o->age_ms = kt_asof_age_ms(&h->clock, &o->asof);
        return judge_negative(line, t, o, verdict, note);
    }
    if (raw == KT_DISABLED && !agent)
        return pass(verdict, note, "a follower: only the authority speaks of state");
    if (raw != KT_SUCCESS)
        return raw;
    if (t->want.not_version != NULL && strcmp(o->id, t->want.not_version) == 0 &&
        (o->flags & KT_FLAG_SAME) == 0)
        return pass(verdict, note, "the version that was not wanted");
    o->age_ms = kt_asof_age_ms(&h->clock, &o->asof);
    o->flags |= KT_FLAG_COPY;
    if (t->want.version == NULL && t->want.stage == KT_STAGE_CURRENT) {
        /* An agent has kept to max_age itself; what it says is only bounded by max-stale. */
        const int64_t stale = agent ? max_stale(line, t) : bounded(t, max_stale(line, t));

        if (o->age_ms < 0)
            return pass(verdict, note, "a copy whose age is not known");
        if (o->age_ms > stale)
            return pass(verdict, note, "a copy older than max-stale");
        if (!agent && o->age_ms >= bounded(t, line->core.ttl_ms)) {
            if (judge_value(h, line, o) != KT_SUCCESS)
                return pass(verdict, note, "a copy that is not valid now");
            *verdict = KT_IN_HAND;
            *note = "a copy older than ttl: kept in hand";
            return KT_IGNORE;
        }
    }
    return judge_value(h, line, o);
}

int kt_judge(const struct kt_handle *h, const struct kt_line *line, const struct kt_terms *t,
             int raw, struct kt_offer *o, enum kt_verdict *verdict, const char **note)
{
    *verdict = KT_ANSWERS;
    if (role_of(h, line) == KT_ROLE_TEST ||
        (kt_line_is_authority(h->service, line) && role_of(h, line) != KT_ROLE_AGENT))
        return judge_truth(h, line, t, raw, o);
    if (kt_line_is_override(h->service, line))
        return judge_override(h, line, t, raw, o, verdict, note);
    return judge_copy(h, line, t, raw, o, verdict, note);
}
