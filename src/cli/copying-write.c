/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Writing one secret. First come the source's previous version, if the target's current one is neither
 * that nor the right one, and its current version: each takes the label from what bore it before, by
 * compare-and-swap. So readers are never given a version older than these two, whatever is killed. The
 * rest is stored as `pending`, which no reader follows, and the label is put right in the end. One
 * value is in memory at a time, and what was written is read back at once.
 */

#include "copying-parts.h"

#include <stdio.h>
#include <string.h>

static const struct copy_side *target_of(const struct copy_secret *s)
{
    return &s->c->state->target;
}

/* ---- labels ----------------------------------------------------------------------------------- */

static bool move(struct copy_secret *s, const char *stage, const struct copy_version *v)
{
    const bool current = strcmp(stage, "current") == 0;
    char *label = current ? s->now : s->marked;
    const char *id = v != NULL ? v->id : NULL;
    struct kt_err err = { 0 };

    if (s->stop != 0 || s->over)
        return false;
    if (!s->c->dry &&
        copy_stage(s->c, s->name, stage, id, current && s->now[0] != '\0' ? s->now : NULL, &err) !=
            KT_SUCCESS) {
        copy_secret_fail(s, v != NULL ? v->from->id : NULL, &err);
        return false;
    }
    s->staged = true;
    if (current && id != NULL && strcmp(s->marked, id) == 0)
        s->marked[0] = '\0';
    (void)snprintf(label, KT_ID_SIZE, "%s", id != NULL ? id : "");
    return true;
}

/* The target has it, or will: nothing that is known now stands against it. */
static bool can_be_there(struct copy_secret *s, struct copy_version *v)
{
    AUTO(secret_freep) struct kt_secret *value = NULL;

    if (v->to != NULL)
        copy_ensure(s, v, COPY_QUIETLY);
    if (v->to != NULL || s->stop != 0)
        return v->there;
    value = copy_read(s, v);
    v->tried = value == NULL || !copy_fits(s, v, value);
    return !v->tried;
}

/* Put there with the label, or if it is there already, given it. */
static void make_current(struct copy_secret *s, struct copy_version *v)
{
    copy_ensure(s, v, COPY_AS_CURRENT);
    if (v->there && strcmp(s->now, v->id) != 0 && !(s->c->dry && v->to == NULL))
        (void)move(s, "current", v);
}

/* `current` is right already: `previous` would take it away for a moment. */
static void settle_previous(struct copy_secret *s, struct copy_version *previous,
                            struct copy_version *current)
{
    if (!previous->there || strcmp(s->behind, previous->id) == 0)
        return;
    if (s->c->replace) {
        make_current(s, previous);
        make_current(s, current);
    } else {
        copy_secret_leave(s, NULL, true, KT_CONFLICT,
                          "the label previous stays behind: current would have to step back for a "
                          "moment; --replace allows it");
    }
}

static void write_current(struct copy_secret *s)
{
    struct copy_version *current = &s->v[s->current];
    struct copy_version *previous = s->previous < s->n ? &s->v[s->previous] : NULL;
    const bool right = strcmp(s->now, current->id) == 0;

    if (previous != NULL && !right && strcmp(s->now, previous->id) != 0 && can_be_there(s, current))
        make_current(s, previous);
    else if (previous != NULL)
        copy_ensure(s, previous, COPY_QUIETLY);
    if (!right) {
        make_current(s, current);
        return;
    }
    copy_ensure(s, current, COPY_QUIETLY);
    if (previous != NULL && current->there)
        settle_previous(s, previous, current);
}

static void write_pending(struct copy_secret *s)
{
    if (s->pending < s->n) {
        struct copy_version *v = &s->v[s->pending];

        copy_ensure(s, v, COPY_AS_PENDING);
        if (v->there && strcmp(s->marked, v->id) != 0 && !(s->c->dry && v->to == NULL))
            (void)move(s, "pending", v);
    } else if (s->marked[0] != '\0') {
        (void)move(s, "pending", NULL);
    }
}

/* ---- what the target has in the end ------------------------------------------------------------ */

static bool is_ours(const struct copy_secret *s, const char *id)
{
    for (size_t i = 0; i < s->n; i++)
        if (strcmp(s->v[i].id, id) == 0)
            return true;
    for (size_t i = 0; i < copy_rows_count(&s->to); i++)
        if (strcmp(copy_rows_info(&s->to, i)->id, id) == 0)
            return true;
    return false;
}

static const struct kt_info *find_id(const struct kt_list *l, const char *id)
{
    for (size_t i = 0; i < kt_list_count(l); i++)
        if (strcmp(kt_list_item(l, i)->info.id, id) == 0)
            return &kt_list_item(l, i)->info;
    return NULL;
}

static bool bears(const struct copy_secret *s, const struct kt_list *l, size_t at, uint32_t stage)
{
    const struct kt_info *info;

    if (at == s->n || !s->v[at].there)
        return true;
    info = find_id(l, s->v[at].id);
    return info != NULL && (info->stages & stage) != 0;
}

/* Each label where it belongs, and nothing that neither the source nor the target had. */
static bool as_meant(const struct copy_secret *s, const struct kt_list *now)
{
    for (size_t i = 0; i < kt_list_count(now); i++)
        if (!is_ours(s, kt_list_item(now, i)->info.id))
            return false;
    if (!bears(s, now, s->current, KT_STAGE_CURRENT))
        return false;
    if (s->c->current_only)
        return true;
    return bears(s, now, s->pending, KT_STAGE_PENDING) &&
           (s->left || s->current == s->n || !s->v[s->current].there ||
            bears(s, now, s->previous, KT_STAGE_PREVIOUS));
}

static void check_labels(struct copy_secret *s)
{
    AUTO(list_freep) struct kt_list *now = NULL;
    struct kt_err err = { 0 };

    if (copy_versions(s->c, s->c->to, s->name, &now, &err) != KT_SUCCESS)
        copy_secret_fail(s, NULL, &err);
    else if (!as_meant(s, now))
        copy_secret_failf(s, NULL, KT_CONFLICT,
                          "'%s' was changed by somebody else while it was copied: run it again",
                          s->c->to_name);
}

/* ---- a whole secret ---------------------------------------------------------------------------- */

static void write_history(struct copy_secret *s)
{
    if (s->current < s->n)
        write_current(s);
    for (size_t i = 0; i < s->n; i++)
        if (i != s->pending)
            copy_ensure(s, &s->v[i], COPY_QUIETLY);
    write_pending(s);
}

static void write_current_only(struct copy_secret *s)
{
    struct copy_version *v = &s->v[s->current];

    copy_ensure(s, v, COPY_AS_CURRENT);
    if (target_of(s)->history && v->there && v->to != NULL && strcmp(s->now, v->id) != 0)
        (void)move(s, "current", v);
}

/* A place that keeps one value, and no ids: what is there is compared by value. */
static bool holds_another(struct copy_secret *s)
{
    AUTO(secret_freep) struct kt_secret *there = NULL;
    AUTO(secret_freep) struct kt_secret *value = NULL;
    struct copy_version *v = &s->v[s->current];
    struct copying *c = s->c;
    struct kt_err err = { 0 };

    if (!s->exists)
        return false;
    value = copy_read(s, v);
    if (value == NULL)
        return true;
    if (copy_get_there(s, v, &there, &err) != KT_SUCCESS) {
        copy_secret_fail(s, NULL, &err);
        return true;
    }
    if (copy_same_bytes(value, there)) {
        v->to = v->from; /* the same version */
        return false;
    }
    if (copy_seen_has(&c->state->seen, kt_secret_data(there), kt_secret_len(there)))
        copy_secret_failf(s, NULL, KT_CONFLICT,
                          "'%s' keeps it in the place of another secret of this run", c->to_name);
    else if (!c->replace)
        copy_secret_failf(s, NULL, KT_CONFLICT,
                          "'%s' has another value, and keeps no versions that would tell which is "
                          "the newer one; --replace puts the source's in its place",
                          c->to_name);
    return s->failed;
}

/* What a target that keeps one version has no place for. */
static void leave_history(struct copy_secret *s)
{
    char why[128];
    size_t n = 0;

    for (size_t i = 0; i < s->n; i++) {
        if (i == s->current)
            continue;
        n++;
        s->c->versions.left++;
        if (s->c->cli->json)
            copy_tell(s->c, &(struct copy_row){ .name = s->name,
                                                .version = s->v[i].from->id,
                                                .result = "left",
                                                .reason = KT_UNSUPPORTED,
                                                .message = "the target keeps one version" });
    }
    (void)snprintf(why, sizeof(why),
                   "%zu version%s stay%s behind: the target keeps only the "
                   "current one",
                   n, n == 1 ? "" : "s", n == 1 ? "s" : "");
    if (n > 0 && !s->c->cli->json)
        copy_tell(s->c, &(struct copy_row){ .name = s->name, .result = "left", .message = why });
}

/* So that another name that ends in the same place is noticed. */
static void remember(struct copy_secret *s)
{
    AUTO(secret_freep) struct kt_secret *there = NULL;
    struct copy_seen *seen = &s->c->state->seen;
    struct kt_err err = { 0 };
    bool ok = true;

    if (s->current == s->n || !s->v[s->current].there || s->c->dry || s->stop != 0)
        return;
    if (target_of(s)->own_id)
        ok = copy_seen_add(seen, s->now, strlen(s->now));
    else if (copy_get_there(s, &s->v[s->current], &there, &err) == KT_SUCCESS)
        ok = copy_seen_add(seen, kt_secret_data(there), kt_secret_len(there));
    if (!ok)
        copy_secret_failf(s, NULL, KT_NO_MEMORY, "out of memory");
}

void copy_write(struct copy_secret *s)
{
    const bool history = target_of(s)->history && !s->c->current_only;

    if (history) {
        write_history(s);
    } else {
        if (!s->c->current_only)
            leave_history(s);
        if (s->current == s->n) {
            if (!s->c->current_only)
                copy_secret_leave(s, NULL, true, KT_NOT_FOUND, "it has no current version");
            return;
        }
        if (!target_of(s)->own_id && holds_another(s))
            return;
        write_current_only(s);
    }
    if ((s->written > 0 || s->staged) && target_of(s)->history && !s->c->dry && !s->failed)
        check_labels(s);
    remember(s);
}
