/* SPDX-License-Identifier: Apache-2.0 */
#include "record.h"

#include <stdlib.h>
#include <string.h>

#define RECORD_VERSION 1
#define FLAG_ASOF 1
#define ENTRY_MIN (3 + 1 + 2 + 4 * 8 + 4) /* an id of one byte */
#define STAGES_ALL (KT_STAGE_CURRENT | KT_STAGE_PREVIOUS | KT_STAGE_PENDING)

/* ---- reading: the first thing that does not fit makes the rest zeros and @bad true ----------- */

struct reader {
    const uint8_t *p;
    size_t left;
    bool bad;
};

static const void *take(struct reader *r, size_t n)
{
    const void *p = r->p;

    if (r->bad || n > r->left) {
        r->bad = true;
        return NULL;
    }
    r->p += n;
    r->left -= n;
    return p;
}

static uint64_t take_number(struct reader *r, size_t bytes)
{
    const uint8_t *p = take(r, bytes);
    uint64_t v = 0;

    for (size_t i = 0; p != NULL && i < bytes; i++)
        v |= (uint64_t)p[i] << (8 * i);
    return v;
}

/* A NUL-terminated string of @min to @max bytes, none of them NUL. */
static const char *take_string(struct reader *r, size_t min, size_t max)
{
    size_t len = (size_t)take_number(r, 2);
    const char *s = len >= min && len <= max ? take(r, len + 1) : NULL;

    if (s == NULL || s[len] != '\0' || memchr(s, '\0', len) != NULL) {
        r->bad = true;
        return "";
    }
    return s;
}

static void take_asof(struct reader *r, struct kt_asof *out)
{
    const void *boot_id;

    out->wall_ms = (int64_t)take_number(r, 8);
    out->boot_ms = (int64_t)take_number(r, 8);
    boot_id = take(r, sizeof(out->boot_id));
    if (boot_id != NULL)
        memcpy(out->boot_id, boot_id, sizeof(out->boot_id));
}

static void take_entry(struct reader *r, struct kt_entry *e)
{
    e->id = take_string(r, 1, KT_ID_SIZE - 1);
    e->state = (uint8_t)take_number(r, 1);
    e->stages = (uint8_t)take_number(r, 1);
    e->created_ms = (int64_t)take_number(r, 8);
    e->expires_ms = (int64_t)take_number(r, 8);
    e->not_before_ms = (int64_t)take_number(r, 8);
    e->generation = take_number(r, 8);
    e->length = (uint32_t)take_number(r, 4);
    if (e->state > KT_STATE_DESTROYED || (e->stages & ~STAGES_ALL) != 0 || e->length > KT_VALUE_MAX)
        r->bad = true;
}

static bool has_asof(const struct kt_head *h)
{
    static const struct kt_asof none;

    return memcmp(&h->asof, &none, sizeof(none)) != 0;
}

/* Ids ascend, and no label is borne twice. */
static bool entries_fit(const struct kt_head *h)
{
    uint32_t seen = 0;

    for (size_t i = 0; i < h->n; i++) {
        if (i > 0 && strcmp(h->entries[i - 1].id, h->entries[i].id) >= 0)
            return false;
        if ((seen & h->entries[i].stages) != 0 || h->entries[i].generation > h->generation)
            return false;
        seen |= h->entries[i].stages;
    }
    return true;
}

int kt_head_decode(const void *plain, size_t len, struct kt_head *out)
{
    struct reader r = { .p = plain, .left = len };
    struct kt_head h = { .entries = NULL };
    uint64_t flags;

    r.bad = take_number(&r, 1) != RECORD_VERSION;
    flags = take_number(&r, 1);
    h.name = take_string(&r, 1, KT_NAME_MAX);
    h.generation = take_number(&r, 8);
    if (flags == FLAG_ASOF) {
        take_asof(&r, &h.asof);
        r.bad |= !has_asof(&h); /* zeros are left out */
    }
    h.n = (size_t)take_number(&r, 4);
    if (r.bad || flags > FLAG_ASOF || h.n > KT_VERSIONS_MAX || h.n > r.left / ENTRY_MIN)
        return KT_CORRUPT;
    h.entries = calloc(h.n + 1, sizeof(*h.entries));
    if (h.entries == NULL)
        return KT_NO_MEMORY;
    for (size_t i = 0; i < h.n; i++)
        take_entry(&r, &h.entries[i]);
    if (r.bad || r.left > 0 || !entries_fit(&h)) {
        free(h.entries);
        return KT_CORRUPT;
    }
    *out = h;
    return KT_SUCCESS;
}

void kt_head_done(struct kt_head *h)
{
    free(h->entries);
    *h = (struct kt_head){ .entries = NULL };
}

int kt_body_decode(const void *plain, size_t len, struct kt_body *out)
{
    struct reader r = { .p = plain, .left = len };

    out->nattrs = 0;
    r.bad = take_number(&r, 1) != RECORD_VERSION;
    const size_t n = (size_t)take_number(&r, 2);
    if (n > KT_ATTRS_MAX)
        return KT_CORRUPT;
    for (size_t i = 0; i < n; i++) {
        out->attrs[i].key = take_string(&r, 1, KT_ATTR_KEY_MAX);
        out->attrs[i].value = take_string(&r, 0, KT_ATTR_VALUE_MAX);
    }
    if (r.bad || r.left > KT_VALUE_MAX)
        return KT_CORRUPT;
    out->nattrs = n;
    out->data = r.p;
    out->len = r.left;
    return KT_SUCCESS;
}

/* ---- writing -------------------------------------------------------------------------------- */

static uint8_t *put_bytes(uint8_t *p, const void *data, size_t len)
{
    if (len > 0)
        memcpy(p, data, len);
    return p + len;
}

static uint8_t *put_number(uint8_t *p, uint64_t v, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        p[i] = (uint8_t)(v >> (8 * i));
    return p + bytes;
}

static uint8_t *put_string(uint8_t *p, const char *s)
{
    size_t len = strlen(s);

    return put_bytes(put_number(p, len, 2), s, len + 1);
}

static size_t string_size(const char *s)
{
    return 2 + strlen(s) + 1;
}

size_t kt_head_size(const struct kt_head *h)
{
    size_t size = 2 + string_size(h->name) + 8 + (has_asof(h) ? 32 : 0) + 4;

    for (size_t i = 0; i < h->n; i++)
        size += string_size(h->entries[i].id) + 2 + 4 * 8 + 4;
    return size;
}

void kt_head_encode(const struct kt_head *h, void *out)
{
    uint8_t *p = put_number(out, RECORD_VERSION, 1);

    p = put_number(p, has_asof(h) ? FLAG_ASOF : 0, 1);
    p = put_string(p, h->name);
    p = put_number(p, h->generation, 8);
    if (has_asof(h)) {
        p = put_number(p, (uint64_t)h->asof.wall_ms, 8);
        p = put_number(p, (uint64_t)h->asof.boot_ms, 8);
        p = put_bytes(p, h->asof.boot_id, sizeof(h->asof.boot_id));
    }
    p = put_number(p, h->n, 4);
    for (size_t i = 0; i < h->n; i++) {
        const struct kt_entry *e = &h->entries[i];

        p = put_string(p, e->id);
        p = put_number(p, e->state, 1);
        p = put_number(p, e->stages, 1);
        p = put_number(p, (uint64_t)e->created_ms, 8);
        p = put_number(p, (uint64_t)e->expires_ms, 8);
        p = put_number(p, (uint64_t)e->not_before_ms, 8);
        p = put_number(p, e->generation, 8);
        p = put_number(p, e->length, 4);
    }
}

size_t kt_body_size(const struct kt_body *b)
{
    size_t size = 3 + b->len;

    for (size_t i = 0; i < b->nattrs; i++)
        size += string_size(b->attrs[i].key) + string_size(b->attrs[i].value);
    return size;
}

void kt_body_encode(const struct kt_body *b, void *out)
{
    uint8_t *p = put_number(out, RECORD_VERSION, 1);

    p = put_number(p, b->nattrs, 2);
    for (size_t i = 0; i < b->nattrs; i++)
        p = put_string(put_string(p, b->attrs[i].key), b->attrs[i].value);
    (void)put_bytes(p, b->data, b->len);
}

size_t kt_record_context(const uint8_t store[KT_STORE_ID_SIZE], const uint8_t tag[KT_TAG_SIZE],
                         const char *id, uint64_t generation, uint8_t out[KT_CONTEXT_SIZE])
{
    static const char format[] = "keyturn-file-1"; /* with its NUL */
    uint8_t *p = put_bytes(out, format, sizeof(format));

    p = put_bytes(p, id[0] == '\0' ? "H" : "V", 1);
    p = put_bytes(p, store, KT_STORE_ID_SIZE);
    p = put_bytes(p, tag, KT_TAG_SIZE);
    p = put_number(p, generation, 8);
    p = put_bytes(p, id, strlen(id));
    return (size_t)(p - out);
}

/* ---- a head's versions ---------------------------------------------------------------------- */

size_t kt_head_find(const struct kt_head *h, const char *id, size_t *at)
{
    size_t low = 0;
    size_t high = h->n;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(h->entries[middle].id, id);

        if (order == 0)
            return middle;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    if (at != NULL)
        *at = low;
    return h->n;
}

size_t kt_head_staged(const struct kt_head *h, uint32_t stage)
{
    size_t i = 0;

    while (i < h->n && (h->entries[i].stages & stage) == 0)
        i++;
    return i;
}

static void set_label(struct kt_head *h, uint32_t stage, size_t to)
{
    for (size_t i = 0; i < h->n; i++)
        h->entries[i].stages &= (uint8_t)~stage;
    if (to < h->n)
        h->entries[to].stages |= (uint8_t)stage;
}

void kt_head_move(struct kt_head *h, uint32_t stage, size_t to)
{
    size_t old = kt_head_staged(h, KT_STAGE_CURRENT);

    set_label(h, stage, to);
    if (stage != KT_STAGE_CURRENT)
        return;
    h->entries[to].stages &= (uint8_t) ~(KT_STAGE_PENDING | KT_STAGE_PREVIOUS);
    if (old < h->n && old != to)
        set_label(h, KT_STAGE_PREVIOUS, old);
}
