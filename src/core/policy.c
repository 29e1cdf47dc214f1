/* SPDX-License-Identifier: Apache-2.0 */
#include "policy.h"

#include "err.h"
#include "name.h"
#include "settle.h"
#include "words.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MINUTE 60000LL
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)
#define DAY_MINUTES (24 * 60)
#define KEEP_MAX 1000000

/* The first is what a policy without profile= begins with. Source: DESIGN 4. */
static const struct profile {
    const char *name;
    int64_t rotate_ms, grace_ms, expire_ms, renew_before_ms, keep;
} profiles[] = {
    { "default", 21 * DAY, 7 * DAY, 30 * DAY, HOUR, 5 },
    { "quarterly", 90 * DAY, 7 * DAY, 120 * DAY, HOUR, 5 },
    { "daily", DAY, 6 * HOUR, 30 * DAY, HOUR, 5 },
};

const char *kt_duration_print(int64_t ms, char out[24])
{
    static const struct {
        int64_t ms;
        const char *name;
    } units[] = { { DAY, "d" }, { HOUR, "h" }, { MINUTE, "m" }, { 1000, "s" } };

    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
        if (ms != 0 && ms % units[i].ms == 0) {
            (void)snprintf(out, 24, "%" PRId64 "%s", ms / units[i].ms, units[i].name);
            return out;
        }
    (void)snprintf(out, 24, "%" PRId64 "%s", ms, ms == 0 ? "" : "ms");
    return out;
}

/* ---- keys ------------------------------------------------------------------------------------- */

/* Each returns NULL, or what was expected after the `=`. */
static const char *set_time(const char *value, int64_t *out)
{
    int64_t ms;

    if (kt_duration_parse(value, &ms) != KT_SUCCESS || ms > KT_DURATION_MAX)
        return "a time such as 90m, 6h or 21d, of at most 10000d";
    *out = ms;
    return NULL;
}

static const char *set_rotate(const char *value, struct kt_policy *p)
{
    return set_time(value, &p->rotate_ms);
}

static const char *set_grace(const char *value, struct kt_policy *p)
{
    return set_time(value, &p->grace_ms);
}

static const char *set_expire(const char *value, struct kt_policy *p)
{
    return set_time(value, &p->expire_ms);
}

static const char *set_renew_before(const char *value, struct kt_policy *p)
{
    return set_time(value, &p->renew_before_ms);
}

static const char *set_jitter(const char *value, struct kt_policy *p)
{
    return set_time(value, &p->jitter_ms);
}

static const char *set_keep(const char *value, struct kt_policy *p)
{
    if (kt_number_parse(value, &p->keep) != KT_SUCCESS || p->keep > KEEP_MAX)
        return "a number of versions from 0 to 1000000";
    return NULL;
}

static const char *set_issuer(const char *value, struct kt_policy *p)
{
    p->issuer = value;
    return NULL;
}

static const char *set_lease(const char *value, struct kt_policy *p)
{
    char service[65];
    size_t len = strcspn(value, "/");

    if (len < sizeof(service) && value[len] == '/') {
        memcpy(service, value, len);
        service[len] = '\0';
        if (kt_service_name_check(service, NULL) == KT_SUCCESS &&
            kt_name_check(value + len + 1, NULL) == KT_SUCCESS) {
            p->lease = value;
            return NULL;
        }
    }
    return "SERVICE/NAME";
}

/* "HH:MM" to minutes of the day; NULL if it is not that, else what follows. */
static const char *parse_clock(const char *p, int *minutes)
{
    int n[4];

    for (int i = 0, k = 0; k < 5; k++) {
        if (k == 2 ? p[k] != ':' : p[k] < '0' || p[k] > '9')
            return NULL;
        if (k != 2)
            n[i++] = p[k] - '0';
    }
    *minutes = (10 * n[0] + n[1]) * 60 + 10 * n[2] + n[3];
    return 10 * n[0] + n[1] < 24 && n[2] < 6 ? p + 5 : NULL;
}

static const char *set_window(const char *value, struct kt_policy *p)
{
    const char *rest = parse_clock(value, &p->window_from);

    if (rest != NULL && *rest == '-')
        rest = parse_clock(rest + 1, &p->window_to);
    else
        rest = NULL;
    p->window_utc = rest != NULL && *rest == 'Z';
    if (rest == NULL || rest[p->window_utc] != '\0' || p->window_from == p->window_to)
        return "HH:MM-HH:MM, or with Z after it for UTC, not empty";
    return NULL;
}

static const char *set_allow_outage(const char *value, struct kt_policy *p)
{
    (void)value;
    p->allow_outage = true;
    return NULL;
}

static const char *set_profile(const char *value, struct kt_policy *p)
{
    for (size_t i = 1; i < sizeof(profiles) / sizeof(profiles[0]); i++) {
        const struct profile *from = &profiles[i];
        if (strcmp(from->name, value) != 0)
            continue;
        p->rotate_ms = from->rotate_ms;
        p->grace_ms = from->grace_ms;
        p->expire_ms = from->expire_ms;
        p->renew_before_ms = from->renew_before_ms;
        p->keep = from->keep;
        return NULL;
    }
    return "quarterly or daily";
}

/* The profile comes first: what else the line says stands over it, wherever it is said. */
static const struct key {
    const char *name;
    bool flag;
    const char *(*set)(const char *value, struct kt_policy *p);
} keys[] = {
    { "profile", false, set_profile }, { "issuer", false, set_issuer },
    { "rotate", false, set_rotate },   { "grace", false, set_grace },
    { "expire", false, set_expire },   { "renew-before", false, set_renew_before },
    { "window", false, set_window },   { "jitter", false, set_jitter },
    { "keep", false, set_keep },       { "allow-outage", true, set_allow_outage },
    { "lease", false, set_lease },
};

static bool is_named(const struct kt_word *w, const struct key *k)
{
    size_t len = strcspn(w->text, "=");

    return strlen(k->name) == len && strncmp(w->text, k->name, len) == 0;
}

static int check_known(const struct kt_line *l, const struct kt_word *w, struct kt_err *err)
{
    char quoted[KT_QUOTE_SIZE];

    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
        if (is_named(w, &keys[i]))
            return KT_SUCCESS;
    return kt_refuse(err, l->file, w->lineno, w->column,
                     "expected issuer, rotate, grace, expire, renew-before, window, jitter, keep, "
                     "allow-outage, lease or profile, found '%s'",
                     kt_quote(w->text, quoted));
}

static int set_key(const struct kt_line *l, const struct kt_word *w, const struct key *k,
                   struct kt_policy *p, struct kt_err *err)
{
    const char *value = strchr(w->text, '='), *wanted;
    char quoted[KT_QUOTE_SIZE];

    if (k->flag && value != NULL)
        return kt_refuse(err, l->file, w->lineno, w->column,
                         "expected '%s' alone, found a value after it", k->name);
    if (!k->flag && value == NULL)
        return kt_refuse(err, l->file, w->lineno, w->column, "expected '%s=...', found '%s' alone",
                         k->name, k->name);
    wanted = k->set(k->flag ? NULL : value + 1, p);
    if (wanted != NULL)
        return kt_refuse(err, l->file, w->lineno, w->column, "%s: expected %s, found '%s'", k->name,
                         wanted, kt_quote(value + 1, quoted));
    return KT_SUCCESS;
}

static int parse(const struct kt_line *l, struct kt_policy *p, struct kt_err *err)
{
    int rc = KT_SUCCESS;

    for (size_t i = 0; i < l->nwords && rc == KT_SUCCESS; i++)
        rc = check_known(l, &l->words[i], err);
    for (size_t k = 0; k < sizeof(keys) / sizeof(keys[0]); k++) {
        bool seen = false;
        for (size_t i = 0; i < l->nwords && rc == KT_SUCCESS; i++) {
            if (!is_named(&l->words[i], &keys[k]))
                continue;
            if (seen)
                rc = kt_refuse(err, l->file, l->words[i].lineno, l->words[i].column,
                               "%s is given twice", keys[k].name);
            else
                rc = set_key(l, &l->words[i], &keys[k], p, err);
            seen = true;
        }
    }
    return rc;
}

/* ---- sums ------------------------------------------------------------------------------------- */

static int check_issuer(const struct kt_service *s, const struct kt_policy *p, struct kt_err *err)
{
    char quoted[KT_QUOTE_SIZE];

    for (size_t i = 0; p->issuer != NULL && i < s->sets.n; i++)
        if (s->sets.lines[i].facility == KT_ISSUER &&
            strcmp(s->sets.lines[i].label, p->issuer) == 0)
            return KT_SUCCESS;
    if (p->issuer == NULL)
        return KT_SUCCESS;
    return kt_refuse(err, p->line->file, p->line->lineno, p->line->column,
                     "expected the label of an issuer line, found issuer='%s'",
                     kt_quote(p->issuer, quoted));
}

/* A key that is due waits for the window at most as long as the window is shut. */
static int64_t window_wait(const struct kt_policy *p)
{
    int open;

    if (p->window_from < 0)
        return 0;
    open = (p->window_to - p->window_from + DAY_MINUTES) % DAY_MINUTES;
    return (DAY_MINUTES - open) * MINUTE;
}

/* The line whose copies live longest; NULL if none is bounded. */
static const struct kt_line *oldest_copies(const struct kt_service *s)
{
    const struct kt_line *found = NULL;

    for (size_t i = 0; i < s->read.n; i++) {
        const struct kt_line *l = &s->read.lines[i];
        const enum kt_role role = kt_line_role(s, l);
        if (l->substack || role == KT_ROLE_TEST || kt_line_is_override(s, l) ||
            (role != KT_ROLE_CACHE && role != KT_ROLE_AGENT && !kt_line_is_follower(s, l)))
            continue;
        if (found == NULL ||
            l->core.max_stale_ms + l->core.ttl_ms > found->core.max_stale_ms + found->core.ttl_ms)
            found = l;
    }
    return found;
}

static int check_life(const struct kt_policy *p, struct kt_err *err)
{
    const int64_t wait = window_wait(p);
    const int64_t used = p->rotate_ms + p->grace_ms + wait + p->jitter_ms;
    const int64_t life = p->expire_ms - p->renew_before_ms;
    char t[8][24];

    if (p->rotate_ms == 0 || p->expire_ms == 0 || used <= life)
        return KT_SUCCESS;
    return kt_refuse(err, p->line->file, p->line->lineno, p->line->column,
                     "keys of '%s' would expire in use: rotate %s + grace %s + window %s + jitter "
                     "%s = %s, over expire %s - renew-before %s = %s",
                     p->pattern, kt_duration_print(p->rotate_ms, t[0]),
                     kt_duration_print(p->grace_ms, t[1]), kt_duration_print(wait, t[2]),
                     kt_duration_print(p->jitter_ms, t[3]), kt_duration_print(used, t[4]),
                     kt_duration_print(p->expire_ms, t[5]),
                     kt_duration_print(p->renew_before_ms, t[6]), kt_duration_print(life, t[7]));
}

static int check_grace(const struct kt_service *s, const struct kt_policy *p, struct kt_err *err)
{
    const struct kt_line *l = oldest_copies(s);
    const struct kt_probe *authority = s->authority != NULL ? kt_line_probe(s, s->authority) : NULL;
    const int64_t stale = l != NULL ? l->core.max_stale_ms : 0;
    const int64_t ttl = l != NULL ? l->core.ttl_ms : 0;
    const int64_t spread = authority != NULL ? 1000LL * authority->propagation_s : 0;
    char t[5][24], where[64] = "";

    if (p->rotate_ms == 0 || p->grace_ms >= stale + ttl + spread)
        return KT_SUCCESS;
    if (l != NULL)
        (void)snprintf(where, sizeof(where), " of line %u", l->lineno);
    return kt_refuse(err, p->line->file, p->line->lineno, p->line->column,
                     "old keys of '%s' would be revoked while still served: grace %s is under "
                     "max-stale %s + ttl %s%s + the authority's propagation %s = %s",
                     p->pattern, kt_duration_print(p->grace_ms, t[0]),
                     kt_duration_print(stale, t[1]), kt_duration_print(ttl, t[2]), where,
                     kt_duration_print(spread, t[3]),
                     kt_duration_print(stale + ttl + spread, t[4]));
}

int kt_policies_parse(struct kt_service *s, struct kt_err *err)
{
    int rc = KT_SUCCESS;

    s->policies = calloc(s->policy_lines.n + 1, sizeof(*s->policies));
    if (s->policies == NULL)
        return kt_fail(err, KT_NO_MEMORY, "out of memory");
    for (size_t i = 0; i < s->policy_lines.n && rc == KT_SUCCESS; i++) {
        const struct kt_line *l = &s->policy_lines.lines[i];
        struct kt_policy *p = &s->policies[s->npolicies++];
        *p = (struct kt_policy){
            .pattern = l->label,
            .line = l,
            .rotate_ms = profiles[0].rotate_ms,
            .grace_ms = profiles[0].grace_ms,
            .expire_ms = profiles[0].expire_ms,
            .renew_before_ms = profiles[0].renew_before_ms,
            .keep = profiles[0].keep,
            .window_from = -1,
            .window_to = -1,
        };
        rc = parse(l, p, err);
        if (rc == KT_SUCCESS)
            rc = check_issuer(s, p, err);
        if (rc == KT_SUCCESS)
            rc = check_life(p, err);
        if (rc == KT_SUCCESS)
            rc = check_grace(s, p, err);
    }
    return rc;
}

const struct kt_policy *kt_service_policy(const struct kt_service *s, const char *name)
{
    for (size_t i = 0; i < s->npolicies; i++)
        if (kt_pattern_match(s->policies[i].pattern, name))
            return &s->policies[i];
    return NULL;
}
