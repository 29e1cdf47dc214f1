/* SPDX-License-Identifier: Apache-2.0 */
#include "offer.h"

#include "arena.h"
#include "err.h"
#include "field.h"
#include "id.h"

#include <string.h>

void kt_offer_init(struct kt_offer *o, char *inlined)
{
    o->line = NULL;
    o->data = NULL;
    o->len = 0;
    o->attrs = NULL;
    o->nattrs = 0;
    o->inlined = inlined;
    o->fault = NULL;
}

void kt_offer_clear(struct kt_offer *o)
{
    if (o->data == NULL || o->data != o->inlined)
        kt_arena_free(o->data);
    else
        explicit_bzero(o->inlined, o->len);
    kt_arena_free(o->attrs);
    kt_offer_init(o, o->inlined);
}

static int take_bytes(struct kt_offer *o, const void *data, size_t len)
{
    o->data = o->inlined != NULL && len <= KT_OFFER_INLINE ? o->inlined
                                                           : kt_arena_alloc(len + 1, 0);
    if (o->data == NULL)
        return KT_NO_MEMORY;
    if (len > 0)
        memcpy(o->data, data, len);
    o->len = len;
    return KT_SUCCESS;
}

static int take_attrs(struct kt_offer *o, const struct kt_attr *attrs, size_t n)
{
    size_t size = n * sizeof *attrs;
    char *at;

    for (size_t i = 0; i < n; i++)
        size += strlen(attrs[i].key) + strlen(attrs[i].value) + 2;
    o->attrs = kt_arena_alloc(size, 0);
    if (o->attrs == NULL)
        return KT_NO_MEMORY;
    at = (char *)(o->attrs + n);
    for (size_t i = 0; i < n; i++) {
        o->attrs[i].key = at;
        at = stpcpy(at, attrs[i].key) + 1;
        o->attrs[i].value = at;
        at = stpcpy(at, attrs[i].value) + 1;
    }
    o->nattrs = n;
    return KT_SUCCESS;
}

static const char *shortcoming(const struct kt_version *v, const void *data, size_t len)
{
    if (v == NULL || v->size < sizeof *v)
        return "it gave a version of another size";
    if (len > KT_VALUE_MAX)
        return "it gave a value over the limit";
    if (data == NULL && len > 0)
        return "it gave a length without bytes";
    if (v->id == NULL)
        return data != NULL || len > 0 ? "it gave a value without a version id" : NULL;
    if (kt_id_check(v->id, NULL) != KT_SUCCESS)
        return "it gave a version id that breaks the rules";
    if (v->nattrs > KT_ATTRS_MAX || (v->nattrs > 0 && v->attrs == NULL))
        return "it gave too many attributes";
    return NULL;
}

int kt_offer_take(struct kt_offer *o, const struct kt_line *line, const struct kt_version *v,
                  const void *data, size_t len)
{
    if (o->fault == NULL)
        o->fault = o->line != NULL ? "it gave two values for one name" : shortcoming(v, data, len);
    if (o->fault != NULL)
        return KT_MODULE_ERROR;
    o->line = line;
    o->negative = v->id == NULL;
    o->id[0] = '\0';
    if (v->id != NULL)
        memcpy(o->id, v->id, strlen(v->id) + 1);
    o->state = v->state;
    o->stages = v->stages;
    o->flags = v->flags;
    o->misses = v->misses;
    o->created_ms = v->created_ms != 0 || v->id == NULL ? v->created_ms : kt_id_ms(v->id);
    o->expires_ms = v->expires_ms;
    o->not_before_ms = v->not_before_ms;
    o->asof = v->asof;
    o->age_ms = -1;
    if ((!o->negative && take_bytes(o, data, len) != KT_SUCCESS) ||
        (v->nattrs > 0 && take_attrs(o, v->attrs, v->nattrs) != KT_SUCCESS))
        return KT_NO_MEMORY;
    return KT_SUCCESS;
}

void kt_offer_move(struct kt_offer *to, struct kt_offer *from)
{
    char *inlined = to->inlined;

    kt_offer_clear(to);
    *to = *from;
    to->inlined = inlined;
    if (from->data != NULL && from->data == from->inlined) {
        to->data = inlined;
        memcpy(inlined, from->inlined, from->len);
        explicit_bzero(from->inlined, from->len);
    }
    kt_offer_init(from, from->inlined);
}

int kt_offer_pick(struct kt_offer *o, const char *field, struct kt_err *err)
{
    struct kt_field f;
    const int rc = kt_field_find(o->data, o->len, field, &f);
    char *picked;
    size_t n;

    if (rc == KT_CORRUPT)
        return kt_fail(err, rc, "field=%s: what is stored there is no JSON object", field);
    if (rc != KT_SUCCESS)
        return kt_fail(err, rc, "field=%s: the object stored there has no such member", field);
    picked = kt_arena_alloc(f.value_to - f.value_from + 1, 0);
    if (picked == NULL)
        return kt_fail(err, KT_NO_MEMORY, "out of memory");
    n = kt_field_decode(o->data, &f, picked);
    if (o->data == o->inlined)
        explicit_bzero(o->inlined, o->len);
    else
        kt_arena_free(o->data);
    o->data = picked;
    o->len = n;
    return KT_SUCCESS;
}

void kt_offer_info(const struct kt_offer *o, struct kt_info *info)
{
    memcpy(info->id, o->id, strlen(o->id) + 1);
    info->created_ms = o->created_ms;
    info->expires_ms = o->expires_ms;
    info->not_before_ms = o->not_before_ms;
    info->age_ms = o->age_ms;
    info->state = o->state;
    info->stages = o->stages;
    info->flags = o->flags;
    info->line = o->line->lineno;
    info->file = o->line->file;
    info->module = o->line->module;
    info->attrs = o->attrs;
    info->nattrs = o->nattrs;
}
