/* SPDX-License-Identifier: Apache-2.0 */
#include "service.h"

#include "control.h"
#include "name.h"
#include "policy.h"
#include "settle.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct lint {
    const struct kt_service *s;
    void (*finding)(void *, const struct kt_finding *);
    void *cookie;
};

static void say(const struct lint *t, enum kt_log_level level, const struct kt_line *l,
                const char *fmt, ...) KT_PRINTF(4, 5);

static void say(const struct lint *t, enum kt_log_level level, const struct kt_line *l,
                const char *fmt, ...)
{
    char text[512];
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    t->finding(t->cookie, &(struct kt_finding){ .level = level,
                                                .file = l->file,
                                                .line = l->lineno,
                                                .column = l->column,
                                                .text = text });
}

static const char *class_name(uint32_t protection)
{
    static const char *const names[] = {
        [KT_CLASS_HARDWARE] = "hardware", [KT_CLASS_CLOUD] = "cloud",
        [KT_CLASS_KEYRING] = "keyring",   [KT_CLASS_SEALED] = "sealed file",
        [KT_CLASS_PLAIN] = "plain",       [KT_CLASS_MEMORY] = "memory",
    };

    return names[protection];
}

/* Installed lines whose class of protection counts: what keeps values by itself. */
static const struct kt_probe *keeper(const struct kt_service *s, const struct kt_line *l)
{
    return !l->substack && kt_line_role(s, l) == KT_ROLE_STORE ? kt_line_probe(s, l) : NULL;
}

/* ---- lines that no status can reach ------------------------------------------------------------ */

/* How a line can be reached, as bits: while nothing has failed the stack, and after that. */
#define CLEAN 1U
#define FAILED 2U

/* The line after @units units of @i's level, or where that level ends. */
static size_t skip(const struct kt_stack *stack, size_t i, int units)
{
    const unsigned level = stack->lines[i].level;
    size_t k = i + 1;

    for (; k < stack->n && stack->lines[k].level >= level; k++)
        if (stack->lines[k].level == level && units-- == 0)
            break;
    return k;
}

/* Where @action leads from line @i, whose level ends at @end. */
static void flow(const struct kt_stack *stack, size_t i, size_t end, int action, unsigned *reach)
{
    const unsigned how = reach[i];

    switch (action) {
    case KT_DO_DIE:
        reach[end] |= FAILED;
        break;
    case KT_DO_DONE: /* after a failure it ends nothing */
        reach[i + 1] |= how & FAILED;
        reach[end] |= how & CLEAN;
        break;
    case KT_DO_BAD:
        reach[i + 1] |= FAILED;
        break;
    case KT_DO_RESET:
        reach[i + 1] |= how | CLEAN;
        break;
    case KT_DO_OK:
    case KT_DO_IGNORE:
        reach[i + 1] |= how;
        break;
    default:
        reach[skip(stack, i, action)] |= how;
    }
}

/*
 * Each line's ways, n + 1 of them; NULL: no memory. Level 0 ends at n, where nothing goes on. The
 * marker of a substack has KT_DO_IGNORE throughout.
 */
static unsigned *reachable(const struct kt_stack *stack)
{
    unsigned *reach = calloc(stack->n + 1, sizeof(*reach));

    if (reach == NULL)
        return NULL;
    reach[0] = CLEAN;
    for (size_t i = 0; i < stack->n; i++) {
        const struct kt_line *l = &stack->lines[i];
        const size_t end = skip(stack, i, INT32_MAX);
        for (size_t k = 0; reach[i] != 0 && k < KT_STATUS_COUNT; k++)
            flow(stack, i, end, l->control.action[k], reach);
    }
    return reach;
}

static void lint_reach(const struct lint *t, const struct kt_stack *stack)
{
    unsigned *reach = reachable(stack);

    for (size_t i = 0; reach != NULL && i < stack->n; i++)
        if (reach[i] == 0)
            say(t, KT_LOG_WARNING, &stack->lines[i],
                "no status leads here: the lines before it always end the %s",
                stack->lines[i].level > 0 ? "substack" : "stack");
    free(reach);
}

/* ---- where values come from -------------------------------------------------------------------- */

static bool grants(const struct kt_line *l)
{
    const int action = l->control.action[KT_SUCCESS];

    return action == KT_DO_OK || action == KT_DO_DONE;
}

/* A store that may answer instead of one that protects better and failed without ending the stack. */
static void lint_weaker(const struct lint *t, size_t i)
{
    const struct kt_stack *read = &t->s->read;
    const struct kt_line *l = &read->lines[i], *strongest = NULL;
    const struct kt_probe *p = keeper(t->s, l);

    if (p == NULL || !grants(l))
        return;
    for (size_t k = 0; k < i; k++) {
        const struct kt_probe *before = keeper(t->s, &read->lines[k]);
        if (before == NULL || read->lines[k].control.action[KT_SUCCESS] != KT_DO_DONE)
            continue;
        if (before->protection < p->protection &&
            (strongest == NULL || before->protection < kt_line_probe(t->s, strongest)->protection))
            strongest = &read->lines[k];
    }
    if (strongest != NULL)
        say(t, KT_LOG_WARNING, l,
            "what '%s' (%s) does not give may come from '%s' (%s), a weaker class of protection",
            strongest->module, class_name(kt_line_probe(t->s, strongest)->protection), l->module,
            class_name(p->protection));
}

static bool is_written(const struct kt_service *s, const struct kt_line *l)
{
    for (size_t i = 0; i < s->write.n; i++)
        if (kt_line_same_store(l, &s->write.lines[i]))
            return true;
    return false;
}

static void lint_absent(const struct lint *t, const struct kt_line *l)
{
    if (l->place < 0 && l->absent_ok)
        say(t, KT_LOG_INFO, l,
            "module '%s' is not installed: the line answers unavailable until it is", l->module);
}

static void lint_read(const struct lint *t, size_t i)
{
    const struct kt_line *l = &t->s->read.lines[i];
    char stale[24];

    if (l->substack)
        return;
    lint_absent(t, l);
    if (kt_line_is_override(t->s, l))
        say(t, KT_LOG_INFO, l,
            "'%s' is an override: its values are served whatever their age and say so; rotation "
            "does not reach it",
            l->module);
    lint_weaker(t, i);
    if (l->core.fill && kt_line_is_override(t->s, l))
        say(t, KT_LOG_WARNING, l, "fill means nothing here: overrides are never filled");
    else if (l->core.fill && kt_line_is_follower(t->s, l) && !is_written(t->s, l))
        say(t, KT_LOG_WARNING, l,
            "fill makes copies in '%s' that no write line renews or deletes: they last up to "
            "max-stale=%s",
            l->module, kt_duration_print(l->core.max_stale_ms, stale));
    if (l->core.fill && !kt_line_is_follower(t->s, l))
        say(t, KT_LOG_WARNING, l, "fill means nothing here: '%s' is %s", l->module,
            kt_line_is_authority(t->s, l) ? "the authority" : "no follower");
}

/* ---- where values go --------------------------------------------------------------------------- */

static const struct kt_line *reader_of(const struct kt_service *s, const struct kt_line *l)
{
    for (size_t i = 0; i < s->read.n; i++)
        if (kt_line_same_store(l, &s->read.lines[i]))
            return &s->read.lines[i];
    return NULL;
}

static void lint_write(const struct lint *t, const struct kt_line *l)
{
    const struct kt_probe *p = kt_line_probe(t->s, l);
    const struct kt_line *reader = reader_of(t->s, l);
    const unsigned read_only = KT_GIVEN_TTL | KT_GIVEN_MAX_STALE | KT_GIVEN_NEGATIVE;
    char stale[24];

    if (l->substack)
        return;
    lint_absent(t, l);
    if (p != NULL && p->protection == KT_CLASS_MEMORY && p->role != KT_ROLE_TEST)
        say(t, KT_LOG_WARNING, l,
            "'%s' keeps values in memory only: what is written is lost with it", l->module);
    if (reader != NULL && kt_line_is_follower(t->s, l) && !kt_control_demands(&l->control))
        say(t, KT_LOG_INFO, l,
            "a put succeeds though '%s' fails here: readers may then be given the old version from "
            "line %u, for up to max-stale=%s",
            l->module, reader->lineno,
            reader->core.max_stale_ms == KT_FOREVER
                ? "none"
                : kt_duration_print(reader->core.max_stale_ms, stale));
    if ((l->core.given & read_only) != 0 || l->core.fill || l->core.enforce_expiry)
        say(t, KT_LOG_WARNING, l,
            "ttl, max-stale, negative, fill and expiry mean nothing on a write line");
}

static void lint_authority(const struct lint *t)
{
    const struct kt_line *a = t->s->authority;
    const struct kt_probe *p = a != NULL ? kt_line_probe(t->s, a) : NULL;
    bool read = !t->s->writable;

    for (size_t i = 0; i < t->s->read.n; i++) {
        const struct kt_line *l = &t->s->read.lines[i];
        if (l->substack)
            continue;
        read = read || kt_line_role(t->s, l) == KT_ROLE_AGENT || kt_line_is_authority(t->s, l);
        if (p != NULL && p->cas == KT_CAS_NONE && l->core.field != NULL && l != a &&
            kt_line_is_authority(t->s, l) && a->core.field == NULL)
            a = l;
    }
    if (a == NULL)
        return;
    if (!read && t->s->read.n > 0)
        say(t, KT_LOG_WARNING, a,
            "no read line names the authority '%s': what is written here is not read from it",
            a->module);
    if (p != NULL && p->cas == KT_CAS_NONE && a->core.field != NULL)
        say(t, KT_LOG_WARNING, a,
            "field= in '%s', which has no compare-and-swap: of two writers at once the last wins",
            a->module);
}

/* ---- policies ---------------------------------------------------------------------------------- */

/* Is every name of @later also one of @earlier? May say no where it is so. */
static bool covers(const char *earlier, const char *later)
{
    if (strcmp(earlier, later) == 0 || strcmp(earlier, "**") == 0)
        return true;
    return strstr(later, "**") == NULL && kt_pattern_match(earlier, later);
}

static void lint_policies(const struct lint *t)
{
    const struct kt_service *s = t->s;
    bool all = s->npolicies == 0;
    char stale[24];

    for (size_t i = 0; i < s->npolicies; i++) {
        all = all || strcmp(s->policies[i].pattern, "**") == 0;
        for (size_t k = 0; k < i; k++)
            if (covers(s->policies[k].pattern, s->policies[i].pattern)) {
                say(t, KT_LOG_WARNING, s->policies[i].line,
                    "this policy never applies: '%s' on line %u matches all names of '%s' first",
                    s->policies[k].pattern, s->policies[k].line->lineno, s->policies[i].pattern);
                break;
            }
    }
    for (size_t i = 0; !all && i < s->read.n; i++) {
        const struct kt_line *l = &s->read.lines[i];
        if (!l->substack && l->core.max_stale_ms > KT_MAX_STALE_UNRULED &&
            l->core.max_stale_ms != KT_FOREVER)
            say(t, KT_LOG_INFO, l,
                "max-stale=%s holds for names under a policy; for others it is 5h",
                kt_duration_print(l->core.max_stale_ms, stale));
    }
}

/* ---- the whole --------------------------------------------------------------------------------- */

/* The default service needs no file; another one's name may be mistyped, or be meant as a path. */
static void lint_builtin(const struct lint *t)
{
    const struct kt_service *s = t->s;
    const bool here = access(s->name, F_OK) == 0;

    say(t, kt_service_is_usual(s) ? KT_LOG_INFO : KT_LOG_WARNING, &s->read.lines[0],
        "there is no file for service '%s': its secrets lie in the default file store%s%s%s",
        s->name, here ? "; to check the file that lies here, say ./" : "", here ? s->name : "",
        here ? ", with a '/' as a path has" : "");
}

static void lint_facilities(const struct lint *t)
{
    const struct kt_line whole = { .file = t->s->files[0] };

    if (t->s->read.n == 0)
        say(t, KT_LOG_WARNING, &whole, "there are no read lines: nothing can be read");
    if (t->s->read.n == 0 && t->s->write.n == 0) /* with read lines alone it is read only */
        say(t, KT_LOG_WARNING, &whole, "there are no write lines: nothing can be stored");
}

void kt_service_lint(const struct kt_service *s, void (*finding)(void *, const struct kt_finding *),
                     void *cookie)
{
    const struct lint t = { s, finding, cookie };

    if (s->builtin)
        lint_builtin(&t);
    else
        lint_facilities(&t);
    lint_reach(&t, &s->read);
    lint_reach(&t, &s->write);
    for (size_t i = 0; i < s->read.n; i++)
        lint_read(&t, i);
    for (size_t i = 0; i < s->write.n; i++)
        lint_write(&t, &s->write.lines[i]);
    lint_authority(&t);
    lint_policies(&t);
}
