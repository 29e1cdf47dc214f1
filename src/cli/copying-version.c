/* SPDX-License-Identifier: Apache-2.0 */

/* One version: is it there, can it be, and when it was written, is it what comes back? */

#include "copying-parts.h"

#include <stdio.h>
#include <string.h>

/* ---- comparing -------------------------------------------------------------------------------- */

bool copy_same_bytes(const struct kt_secret *a, const struct kt_secret *b)
{
    const volatile unsigned char *p = kt_secret_data(a), *q = kt_secret_data(b);
    const size_t len = kt_secret_len(a);
    unsigned char differ = 0;

    if (len != kt_secret_len(b))
        return false;
    for (size_t i = 0; i < len; i++)
        differ |= p[i] ^ q[i];
    return differ == 0;
}

static bool has_attr(const struct kt_info *info, const struct kt_attr *attr)
{
    for (size_t i = 0; i < info->nattrs; i++)
        if (strcmp(info->attrs[i].key, attr->key) == 0)
            return strcmp(info->attrs[i].value, attr->value) == 0;
    return false;
}

/* Stores count in seconds, or in ms. */
static bool same_time(int64_t a, int64_t b)
{
    return (a == 0) == (b == 0) && a / 1000 == b / 1000;
}

static bool same_rest(const struct copy_side *target, const struct kt_secret *a,
                      const struct kt_secret *b)
{
    const struct kt_info *x = kt_secret_info(a), *y = kt_secret_info(b);

    if (target->times && (!same_time(x->expires_ms, y->expires_ms) ||
                          !same_time(x->not_before_ms, y->not_before_ms)))
        return false;
    if (!target->attrs)
        return true;
    if (x->nattrs != y->nattrs)
        return false;
    for (size_t i = 0; i < x->nattrs; i++)
        if (!has_attr(y, &x->attrs[i]))
            return false;
    return true;
}

/* ---- one version ------------------------------------------------------------------------------ */

static const struct copy_side *target_of(const struct copy_secret *s)
{
    return &s->c->state->target;
}

/* The target's, by id where it keeps ids. */
int copy_get_there(struct copy_secret *s, const struct copy_version *v, struct kt_secret **out,
                   struct kt_err *err)
{
    return copy_get(s->c, s->c->to, s->name, target_of(s)->own_id ? v->id : NULL, out, err);
}

/* What can be known without asking the target. */
bool copy_fits(struct copy_secret *s, struct copy_version *v, const struct kt_secret *value)
{
    const struct copy_side *target = target_of(s);
    const size_t len = kt_secret_len(value);
    char why[128];

    if (len > target->value_max) {
        (void)snprintf(why, sizeof(why), "its value has %zu bytes, the target takes %llu", len,
                       (unsigned long long)target->value_max);
        copy_secret_leave(s, v, true, KT_TOO_LARGE, why);
        return false;
    }
    if (len < target->value_min) {
        (void)snprintf(why, sizeof(why), "its value has %zu bytes, the target wants at least %llu",
                       len, (unsigned long long)target->value_min);
        copy_secret_leave(s, v, true, KT_INVALID, why);
        return false;
    }
    if (!target->binary && len > 0 && memchr(kt_secret_data(value), 0, len) != NULL) {
        copy_secret_leave(s, v, true, KT_INVALID,
                          "its value has a NUL byte, which the target cannot hold");
        return false;
    }
    return true;
}

/* The source's value; NULL: told why not. */
struct kt_secret *copy_read(struct copy_secret *s, struct copy_version *v)
{
    struct kt_secret *value = NULL;
    struct kt_err err = { 0 };
    int rc;

    if (v->from->state == KT_STATE_DESTROYED) {
        copy_secret_leave(s, v, false, KT_DISABLED,
                          "it was destroyed, there is nothing left of it");
        return NULL;
    }
    rc = v->from->state == KT_STATE_DISABLED
             ? KT_DISABLED
             : copy_get(s->c, s->c->from, s->name, v->from->id, &value, &err);
    if (rc == KT_DISABLED || rc == KT_EXPIRED || rc == KT_NOT_YET)
        copy_secret_leave(s, v, true, rc,
                          rc == KT_DISABLED  ? "it is disabled, the source does not give its value"
                          : rc == KT_EXPIRED ? "it has expired, the source does not give its value"
                                             : "it is not valid yet, the source does not give its "
                                               "value");
    else if (rc != KT_SUCCESS)
        copy_secret_fail(s, v->from->id, &err);
    return rc == KT_SUCCESS ? value : NULL;
}

/* It is there already: is it what it should be? */
static void check_there(struct copy_secret *s, struct copy_version *v,
                        const struct kt_secret *value)
{
    AUTO(secret_freep) struct kt_secret *there = NULL;
    struct kt_err err = { 0 };
    int rc;

    if (v->to->state != KT_STATE_ENABLED) {
        copy_secret_leave(s, v, true, KT_DISABLED,
                          "the target has it, disabled or destroyed, and it stays so");
        return;
    }
    rc = copy_get_there(s, v, &there, &err);
    if (rc == KT_SUCCESS && !copy_same_bytes(value, there))
        copy_secret_failf(s, v->from->id, KT_EXISTS,
                          "'%s' has version %s with another value, which cannot be changed",
                          s->c->to_name, v->id);
    else if (rc == KT_SUCCESS && !same_rest(target_of(s), value, there))
        copy_secret_failf(s, v->from->id, KT_EXISTS,
                          "'%s' has version %s with other attributes or times, which cannot be "
                          "changed",
                          s->c->to_name, v->id);
    else if (rc == KT_SUCCESS || rc == KT_EXPIRED || rc == KT_NOT_YET)
        v->there = true;
    else
        copy_secret_fail(s, v->from->id, &err);
    if (!v->there || v->told)
        return;
    v->told = true;
    s->there++;
    s->c->versions.unchanged++;
    copy_tell(s->c, &(struct copy_row){ .name = s->name,
                                        .version = v->from->id,
                                        .to_version = v->id,
                                        .result = "unchanged" });
}

/* What was written is read from the target's authority. A version that it does not give is put once
 * more: with the same bytes that is a success, with others it is not. */
static bool verify(struct copy_secret *s, const struct copy_version *v,
                   const struct kt_secret *value)
{
    AUTO(secret_freep) struct kt_secret *there = NULL;
    struct kt_err err = { 0 };
    int rc = copy_get_there(s, v, &there, &err);

    if (rc == KT_EXPIRED || rc == KT_NOT_YET) {
        rc = copy_put(s->c, s->name, v->id, target_of(s)->history ? "pending" : "current", NULL,
                      value, &err);
        if (rc == KT_SUCCESS)
            return true;
    }
    if (rc == KT_SUCCESS && copy_same_bytes(value, there) && same_rest(target_of(s), value, there))
        return true;
    if (rc == KT_SUCCESS)
        copy_secret_failf(s, v->from->id, KT_CORRUPT,
                          "what '%s' gives back is not what was written (%s)", s->c->to_name,
                          copy_same_bytes(value, there) ? "attributes or times" : "the value");
    else
        copy_secret_fail(s, v->from->id, &err);
    return false;
}

static const char *without(const struct copy_side *target, const struct kt_secret *value)
{
    const struct kt_info *info = kt_secret_info(value);
    const bool attrs = !target->attrs && info->nattrs > 0;
    const bool times = !target->times && (info->expires_ms != 0 || info->not_before_ms != 0);

    if (attrs && times)
        return "copied without its attributes and times, which the target cannot keep";
    if (attrs)
        return "copied without its attributes, which the target cannot keep";
    return times ? "copied without its times of validity, which the target cannot keep" : NULL;
}

static void count_written(struct copy_secret *s, struct copy_version *v,
                          const struct kt_secret *value)
{
    const char *lost = without(target_of(s), value);

    v->there = true;
    v->told = true;
    s->written++;
    s->c->versions.copied++;
    copy_tell(s->c, &(struct copy_row){ .name = s->name,
                                        .version = v->from->id,
                                        .to_version = v->id,
                                        .result = s->c->dry ? "would-copy" : "copied",
                                        .reason = lost != NULL ? KT_UNSUPPORTED : KT_SUCCESS,
                                        .message = lost });
}

/* A put that the target refuses because of what it is given leaves the version behind. */
static void put_refused(struct copy_secret *s, struct copy_version *v, const struct kt_err *err)
{
    if (err->status == KT_TOO_LARGE || err->status == KT_INVALID || err->status == KT_UNSUPPORTED)
        copy_secret_leave(s, v, true, err->status, err->msg);
    else
        copy_secret_fail(s, v->from->id, err);
}

static void put(struct copy_secret *s, struct copy_version *v, const struct kt_secret *value,
                enum copy_how how)
{
    const char *expected = how != COPY_AS_CURRENT && s->exists ? NULL
                           : s->now[0] != '\0'                 ? s->now
                           : s->exists                         ? NULL
                                                               : "";
    struct kt_err err = { 0 };
    int rc;

    if (s->c->dry) {
        count_written(s, v, value);
        return;
    }
    rc = copy_put(s->c, s->name, v->id, how == COPY_AS_CURRENT ? "current" : "pending", expected,
                  value, &err);
    if (rc != KT_SUCCESS && rc != KT_PARTIAL) {
        put_refused(s, v, &err);
        return;
    }
    s->exists = true;
    (void)snprintf(how == COPY_AS_CURRENT ? s->now : s->marked, KT_ID_SIZE, "%s", v->id);
    if (rc == KT_PARTIAL) /* told, and the authority's part goes on */
        copy_secret_fail(s, v->from->id, &err);
    if (verify(s, v, value))
        count_written(s, v, value);
}

/* The target shall have the version; its label is another matter, but for a new one's. */
void copy_ensure(struct copy_secret *s, struct copy_version *v, enum copy_how how)
{
    AUTO(secret_freep) struct kt_secret *value = NULL;

    if (s->stop != 0 || s->over || v->tried)
        return;
    v->tried = true;
    value = copy_read(s, v);
    if (value == NULL)
        return;
    if (v->to != NULL)
        check_there(s, v, value);
    else if (copy_fits(s, v, value))
        put(s, v, value, how);
}
