/* SPDX-License-Identifier: Apache-2.0 */
#include "scan-find.h"
#include "scan-view.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#ifndef SCAN_PIECE /* tests make it small */
#define SCAN_PIECE ((size_t)1 << 20)
#endif

static void line_forward(const unsigned char *p, size_t from, size_t to, uint64_t base,
                         struct line *line)
{
    const unsigned char *at = p + from, *end = p + to;

    while ((at = memchr(at, '\n', (size_t)(end - at))) != NULL) {
        at++;
        line->number++;
        line->begin = base + (uint64_t)(at - p);
    }
}

/* Hits come nearly in order: counting goes on from the last one, or anew from the buffer's begin. */
static void place(struct finder *f, size_t at, unsigned how, struct found *found)
{
    uint64_t begin;

    if (at < f->counted) {
        f->counted = 0;
        f->line = f->first_line;
    }
    line_forward(f->buf, f->counted, at, f->base, &f->line);
    f->counted = at;
    begin = f->line.begin;
    if (begin == 0 && (how & HOW_WIDE) != 0)
        begin = f->mark;
    found->line = f->line.number + 1;
    found->column = f->base + at - begin;
    if ((how & HOW_WIDE) != 0 && (how & HOW_BASE64) == 0)
        found->column /= 2;
    found->column++;
}

static bool is_ours(const struct finder *f, uint64_t from, uint64_t to)
{
    for (size_t i = 0; i < OURS; i++)
        if (from < f->ours[i].to && to > f->ours[i].from)
            return true;
    return false;
}

void emit(struct finder *f, const struct view *v, size_t from, size_t to, struct found *found)
{
    const size_t at = view_origin(v, from);

    if (at < f->fresh || at >= f->limit)
        return;
    found->from = f->base + at;
    found->to = f->base + view_origin(v, to - 1) + 1;
    found->how = v->how;
    if (is_ours(f, found->from, found->to))
        return;
    if (found->rule == NULL) {
        f->ours[f->next_ours].from = found->from;
        f->ours[f->next_ours].to = found->to;
        f->next_ours = (f->next_ours + 1) % OURS;
    } else {
        found->print = own_print(f->print_key, v->p + from, to - from);
    }
    place(f, at, v->how, found);
    f->found(f->cookie, found);
}

/* Two bytes at the begin may say which UTF-16 it is; the column does not count them. */
static size_t mark_of(const unsigned char *p, size_t n)
{
    return n >= 2 && ((p[0] == 0xff && p[1] == 0xfe) || (p[0] == 0xfe && p[1] == 0xff)) ? 2 : 0;
}

/* What begins before f->limit is whole in the buffer, and told. */
static void look(struct finder *f, bool last)
{
    const struct view v = { .p = f->buf, .n = f->n };
    size_t keep;

    if (f->base == 0)
        f->mark = mark_of(f->buf, f->n);
    if (f->n > f->used)
        f->used = f->n;
    f->limit = last ? f->n : f->n - f->ahead;
    view_look(f, &v);
    f->fresh = f->limit;
    keep = f->fresh > SHAPE_BEHIND ? f->fresh - SHAPE_BEHIND : 0;
    if (last || keep == 0)
        return;
    line_forward(f->buf, 0, keep, f->base, &f->first_line);
    f->line = f->first_line;
    f->counted = 0;
    memmove(f->buf, f->buf + keep, f->n - keep);
    f->n -= keep;
    f->base += keep;
    f->fresh -= keep;
}

unsigned char *finder_room(struct finder *f, size_t *room)
{
    if (f->size - f->n < 4096)
        look(f, false);
    *room = f->size - f->n;
    return f->buf + f->n;
}

void finder_took(struct finder *f, size_t n)
{
    f->n += n;
}

static void begin(struct finder *f)
{
    f->n = f->fresh = f->counted = 0;
    f->base = f->mark = 0;
    f->line = f->first_line = (struct line){ 0 };
    f->last_pem = UINT64_MAX;
    memset(f->ours, 0, sizeof(f->ours));
}

void finder_end(struct finder *f)
{
    if (f->n > 0)
        look(f, true);
    begin(f);
}

void finder_add(struct finder *f, const void *data, size_t len)
{
    const unsigned char *p = data;

    while (len > 0) {
        size_t room;
        unsigned char *to = finder_room(f, &room);
        const size_t n = len < room ? len : room;

        memcpy(to, p, n);
        finder_took(f, n);
        p += n;
        len -= n;
    }
}

/* Nothing is found in zeros, nor across as many as separate two keys. */
void finder_skip(struct finder *f, uint64_t len)
{
    static const unsigned char zeros[64];
    const uint64_t whole = len;

    for (; len > 0 && whole - len < sizeof(zeros); len -= len < 64 ? len : 64)
        finder_add(f, zeros, len < 64 ? (size_t)len : 64);
    if (len == 0)
        return;
    f->limit = f->n;
    look(f, true);
    line_forward(f->buf, 0, f->n, f->base, &f->first_line);
    f->line = f->first_line;
    f->base += f->n + len;
    f->n = f->fresh = f->counted = 0;
}

static unsigned char *pages(size_t size)
{
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (p == MAP_FAILED)
        return NULL;
    (void)madvise(p, size, MADV_DONTDUMP);
    return p;
}

/* What was read may be secret. Pages that were never used stay so. */
static void drop(unsigned char *p, size_t used, size_t size)
{
    if (p == NULL)
        return;
    explicit_bzero(p, used);
    (void)munmap(p, size);
}

static bool make_buffers(struct finder *f)
{
    f->buf = pages(f->size);
    for (size_t i = 0; i < VIEWS_DEEP; i++) {
        f->scratch[i].joined = pages(f->size);
        f->scratch[i].decoded = pages(f->size);
        if (f->scratch[i].joined == NULL || f->scratch[i].decoded == NULL)
            return false;
    }
    return f->buf != NULL;
}

int finder_new(const struct own *own, const uint64_t print_key[2],
               void (*found)(void *cookie, const struct found *f), void *cookie,
               struct finder **out)
{
    struct finder *f = calloc(1, sizeof(*f));
    const size_t longest = own != NULL ? own_longest(own) : 0;
    const size_t shortest = own != NULL ? own_shortest(own) : 0;

    if (f == NULL)
        goto no_memory;
    f->own = shortest != 0 ? own : NULL;
    f->found = found;
    f->cookie = cookie;
    f->print_key = print_key;
    /* base64 of UTF-16 is 8/3 as long, and a line end more a line */
    f->ahead = 3 * (longest > SHAPE_MAX ? longest : SHAPE_MAX) + 4096;
    f->size = SCAN_PIECE + f->ahead + SHAPE_BEHIND;
    f->quads = shortest == 0 || shortest >= 20 ? 5
               : shortest >= 11                ? (unsigned)(shortest - 5) / 3
                                               : 2;
    if (!make_buffers(f))
        goto no_memory;
    begin(f);
    *out = f;
    return KT_SUCCESS;
no_memory:
    finder_free(f);
    return KT_NO_MEMORY;
}

void finder_free(struct finder *f)
{
    if (f == NULL)
        return;
    for (size_t i = 0; i < VIEWS_DEEP; i++) {
        drop(f->scratch[i].joined, f->used, f->size);
        drop(f->scratch[i].decoded, f->used, f->size);
    }
    drop(f->buf, f->used, f->size);
    free(f);
}
