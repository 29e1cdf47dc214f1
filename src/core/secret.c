/* SPDX-License-Identifier: Apache-2.0 */
#include "secret.h"

#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

#include "arena.h"

static size_t string_size(const char *s)
{
    return s != NULL ? strlen(s) + 1 : 0;
}

static const char *put_string(char **at, const char *s)
{
    size_t size = string_size(s);
    char *copy = *at;

    if (s == NULL)
        return NULL;
    *at += size;
    return memcpy(copy, s, size);
}

/* Where the attributes begin: after the value and its NUL, aligned. */
static size_t attrs_offset(size_t len)
{
    const size_t align = alignof(struct kt_attr);

    return (len + 1 + align - 1) / align * align;
}

static size_t block_size(size_t len, const struct kt_info *info)
{
    size_t size = attrs_offset(len) + info->nattrs * sizeof(struct kt_attr);

    size += string_size(info->file) + string_size(info->module);
    for (size_t i = 0; i < info->nattrs; i++)
        size += string_size(info->attrs[i].key) + string_size(info->attrs[i].value);
    return size;
}

/* value, NUL, attributes, strings: laid out as block_size() counted them */
static void fill_block(struct kt_secret *s, const void *data, const struct kt_info *info)
{
    struct kt_attr *attrs = (struct kt_attr *)(void *)(s->data + attrs_offset(s->len));
    char *at = (char *)(attrs + info->nattrs);

    if (s->len > 0)
        memcpy(s->data, data, s->len);
    s->info = *info;
    s->info.attrs = info->nattrs > 0 ? attrs : NULL;
    for (size_t i = 0; i < info->nattrs; i++) {
        attrs[i].key = put_string(&at, info->attrs[i].key);
        attrs[i].value = put_string(&at, info->attrs[i].value);
    }
    s->info.file = put_string(&at, info->file);
    s->info.module = put_string(&at, info->module);
}

int kt_secret_make(const void *data, size_t len, const struct kt_info *info, struct kt_secret **out)
{
    static const struct kt_info nothing = { .age_ms = -1 };
    struct kt_secret *s;

    if (info == NULL)
        info = &nothing;
    if (len > KT_VALUE_MAX || info->nattrs > KT_ATTRS_MAX)
        return KT_TOO_LARGE;
    s = malloc(sizeof(*s));
    if (s == NULL)
        return KT_NO_MEMORY;
    s->len = len;
    s->data = kt_arena_alloc(block_size(len, info), 0);
    if (s->data == NULL) {
        free(s);
        return KT_NO_MEMORY;
    }
    fill_block(s, data, info);
    *out = s;
    return KT_SUCCESS;
}

int kt_secret_new(const void *data, size_t len, struct kt_secret **out)
{
    return kt_secret_make(data, len, NULL, out);
}

void kt_secret_free(struct kt_secret *s)
{
    if (s == NULL)
        return;
    kt_arena_free(s->data);
    explicit_bzero(s, sizeof(*s));
    free(s);
}

const void *kt_secret_data(const struct kt_secret *s)
{
    return s->data;
}

size_t kt_secret_len(const struct kt_secret *s)
{
    return s->len;
}

const struct kt_info *kt_secret_info(const struct kt_secret *s)
{
    return &s->info;
}

size_t kt_secret_live(void)
{
    return kt_arena_live();
}
