/* SPDX-License-Identifier: Apache-2.0 */

/* What source and target have of a secret, and which version here is which one there. */

#include "copying-parts.h"

#include <stdlib.h>
#include <string.h>

#define NTH_MAX 1000

size_t copy_rows_count(const struct copy_rows *r)
{
    return r->list != NULL ? kt_list_count(r->list) : r->only != NULL ? 1 : 0;
}

const struct kt_info *copy_rows_info(const struct copy_rows *r, size_t i)
{
    return r->list != NULL ? &kt_list_item(r->list, i)->info : kt_secret_info(r->only);
}

static int fail_plan(struct copy_secret *s, const struct kt_err *err)
{
    copy_secret_fail(s, NULL, err);
    return err->status;
}

/* A store that does not tell its versions has the current one, or none. */
static int load(struct copy_secret *s, struct kt_handle *h, struct copy_rows *rows,
                struct kt_err *err)
{
    int rc = copy_versions(s->c, h, s->name, &rows->list, err);

    if (rc == KT_UNSUPPORTED)
        rc = copy_get(s->c, h, s->name, NULL, &rows->only, err);
    return rc;
}

static int load_both(struct copy_secret *s)
{
    struct kt_err err = { 0 };
    int rc = load(s, s->c->from, &s->from, &err);

    if (rc == KT_NOT_FOUND) {
        copy_secret_leave(s, NULL, true, rc, "it was listed, and is not there any more");
        return rc;
    }
    if (rc == KT_SUCCESS)
        rc = load(s, s->c->to, &s->to, &err);
    s->exists = rc == KT_SUCCESS;
    if (rc == KT_SUCCESS || rc == KT_NOT_FOUND)
        return KT_SUCCESS;
    if (s->from.list == NULL && s->from.only == NULL)
        return fail_plan(s, &err);
    if (rc == KT_INVALID || rc == KT_TOO_LARGE) { /* its name, so far */
        copy_secret_leave(s, NULL, true, rc, err.msg);
        return rc;
    }
    return fail_plan(s, &err);
}

static bool bears(const struct kt_info *info, const struct copy_rows *rows, uint32_t stage)
{
    return (info->stages & stage) != 0 || (rows->list == NULL && stage == KT_STAGE_CURRENT);
}

/* Oldest first; a list has the newest first. */
static bool take_source(struct copy_secret *s)
{
    s->n = copy_rows_count(&s->from);
    s->current = s->previous = s->pending = s->n;
    s->v = calloc(s->n + 1, sizeof(s->v[0]));
    s->known = calloc(copy_rows_count(&s->to) + 1, sizeof(s->known[0]));
    if (s->v == NULL || s->known == NULL)
        return false;
    for (size_t i = 0; i < s->n; i++) {
        const struct kt_info *info = copy_rows_info(&s->from, s->n - 1 - i);

        s->v[i].from = info;
        memcpy(s->v[i].id, info->id, sizeof(info->id));
        if (bears(info, &s->from, KT_STAGE_CURRENT))
            s->current = i;
        else if (bears(info, &s->from, KT_STAGE_PREVIOUS))
            s->previous = i;
        if (bears(info, &s->from, KT_STAGE_PENDING))
            s->pending = i;
    }
    return true;
}

static void take_target(struct copy_secret *s)
{
    for (size_t i = 0; i < copy_rows_count(&s->to); i++) {
        const struct kt_info *info = copy_rows_info(&s->to, i);

        if (bears(info, &s->to, KT_STAGE_CURRENT))
            memcpy(s->now, info->id, sizeof(info->id));
        if (bears(info, &s->to, KT_STAGE_PENDING))
            memcpy(s->marked, info->id, sizeof(info->id));
        if (bears(info, &s->to, KT_STAGE_PREVIOUS))
            memcpy(s->behind, info->id, sizeof(info->id));
    }
}

/* The target's version of that id, which the source then knows; NULL: there is none. */
static const struct kt_info *find_there(struct copy_secret *s, const char *id)
{
    for (size_t i = 0; i < copy_rows_count(&s->to); i++) {
        const struct kt_info *info = copy_rows_info(&s->to, i);

        if (strcmp(info->id, id) == 0) {
            s->known[i] = true;
            return info;
        }
    }
    return NULL;
}

/* Does the target's version @id hold what the source's @v holds? */
static int compare(struct copy_secret *s, const struct copy_version *v, const char *id, bool *same)
{
    AUTO(secret_freep) struct kt_secret *ours = NULL;
    AUTO(secret_freep) struct kt_secret *theirs = NULL;
    struct kt_err err = { 0 };
    int rc = copy_get(s->c, s->c->from, s->name, v->from->id, &ours, &err);

    if (rc == KT_SUCCESS)
        rc = copy_get(s->c, s->c->to, s->name, id, &theirs, &err);
    if (rc != KT_SUCCESS)
        return fail_plan(s, &err);
    *same = copy_same_bytes(ours, theirs);
    return KT_SUCCESS;
}

/* What the id stood for before is the source's, too. */
static void know_rest(struct copy_secret *s, const struct copy_version *v, unsigned nth)
{
    char id[KT_ID_SIZE];

    do
        copy_id_derive(s->name, v->from, nth++, id);
    while (nth < NTH_MAX && find_there(s, id) != NULL);
}

/*
 * A foreign id may come to stand for another value, as that of a variable does: what was copied under
 * an id derived from it is this one if the bytes are the same, else an earlier one of the source's.
 */
static int match_foreign(struct copy_secret *s, struct copy_version *v)
{
    for (unsigned nth = 0; nth < NTH_MAX; nth++) {
        bool same = false;

        copy_id_derive(s->name, v->from, nth, v->id);
        v->to = find_there(s, v->id);
        if (v->to == NULL || v->to->state != KT_STATE_ENABLED || v->from->state != KT_STATE_ENABLED)
            return KT_SUCCESS;
        if (compare(s, v, v->id, &same) != KT_SUCCESS)
            return KT_CANCELLED;
        if (same) {
            know_rest(s, v, nth + 1);
            return KT_SUCCESS;
        }
    }
    copy_secret_failf(s, v->from->id, KT_EXISTS, "its id has stood for %d values already", NTH_MAX);
    return KT_EXISTS;
}

static bool match(struct copy_secret *s)
{
    for (size_t i = 0; i < s->n; i++) {
        struct copy_version *v = &s->v[i];

        if (!s->c->state->target.own_id) /* matched by value, when it is written */
            v->to = NULL;
        else if (!copy_id_is_foreign(v->id))
            v->to = find_there(s, v->id);
        else if (match_foreign(s, v) != KT_SUCCESS)
            return false;
    }
    return true;
}

static bool is_known(const struct copy_secret *s, const char *id)
{
    for (size_t i = 0; i < copy_rows_count(&s->to); i++)
        if (strcmp(copy_rows_info(&s->to, i)->id, id) == 0)
            return s->known[i];
    return id[0] == '\0';
}

/* A label that is on something of the target's own is not moved, unless that is asked for. */
static bool may_move(struct copy_secret *s)
{
    struct copying *c = s->c;
    const bool labels = c->state->target.history && !c->current_only;

    if (!c->state->target.own_id)
        return true;
    if (!is_known(s, s->now) && s->current < s->n) {
        if (copy_seen_has(&c->state->seen, s->now, strlen(s->now))) {
            copy_secret_failf(s, NULL, KT_CONFLICT,
                              "'%s' keeps it in the place of another secret of this run: its "
                              "name= makes one of two names",
                              c->to_name);
            return false;
        }
        if (!c->replace) {
            copy_secret_failf(s, NULL, KT_CONFLICT,
                              "'%s' has %s as its current version, which '%s' does not know; "
                              "--replace puts the source's in its place",
                              c->to_name, s->now, c->from_name);
            return false;
        }
    }
    if (labels && !c->replace && !is_known(s, s->marked)) {
        copy_secret_failf(s, NULL, KT_CONFLICT,
                          "'%s' has %s as its pending version, which '%s' does not know: it may "
                          "be in the midst of a rotation; --replace takes the label away",
                          c->to_name, s->marked, c->from_name);
        return false;
    }
    return true;
}

bool copy_plan(struct copy_secret *s)
{
    if (load_both(s) != KT_SUCCESS)
        return false;
    if (!take_source(s)) {
        copy_secret_failf(s, NULL, KT_NO_MEMORY, "out of memory");
        return false;
    }
    take_target(s);
    return match(s) && may_move(s);
}

void copy_plan_done(struct copy_secret *s)
{
    kt_list_free(s->from.list);
    kt_secret_free(s->from.only);
    kt_list_free(s->to.list);
    kt_secret_free(s->to.only);
    free(s->v);
    free(s->known);
}
