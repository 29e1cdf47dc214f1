/* SPDX-License-Identifier: Apache-2.0 */
#include "scan-view.h"

#include <string.h>

#define WIDE_MIN 16 /* bytes: eight characters of UTF-16 */

/* clang-format off */
static const unsigned char digit_of[256] = { /* one more than the digit; 0: it is none */
    ['A'] = 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26,
    ['a'] = 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47, 48, 49,
    50, 51, 52,
    ['0'] = 53, 54, 55, 56, 57, 58, 59, 60, 61, 62,
    ['+'] = 63, ['/'] = 64, ['-'] = 63, ['_'] = 64,
};
/* clang-format on */

static bool is_digit(unsigned char c)
{
    return digit_of[c] != 0;
}

/* Where the next line's digits begin if a line of base64 ends at @at; else @at. */
static size_t next_line(const unsigned char *p, size_t n, size_t at)
{
    const size_t len = has_break(p + at, n - at);
    size_t next = at + len;

    while (len > 0 && next < n && (p[next] == ' ' || p[next] == '\t'))
        next++;
    return len > 0 && next < n && is_digit(p[next]) ? next : at;
}

size_t view_origin(const struct view *v, size_t i)
{
    size_t at;

    if (v->outer == NULL)
        return i;
    at = v->at;
    if (v->step == HOW_WIDE)
        return view_origin(v->outer, at + 2 * i);
    for (size_t digits = i / 3 * 4 + i % 3; digits > 0; digits--) {
        const size_t next = next_line(v->outer->p, v->outer->n, at + 1);

        at = next;
    }
    return view_origin(v->outer, at);
}

/* ---- ours ----------------------------------------------------------------------------------- */

struct looking {
    struct finder *f;
    const struct view *v;
};

static void ours(void *cookie, const struct own_match *m)
{
    const struct looking *l = cookie;
    struct found found = { .own = *m, .print = m->print };

    emit(l->f, l->v, m->from, m->to, &found);
}

/* ---- UTF-16 --------------------------------------------------------------------------------- */

static bool alternates(const unsigned char *p, size_t i)
{
    return (p[i] == 0) != (p[i + 1] == 0);
}

static void look_narrow(struct finder *f, const struct view *outer, size_t from, size_t to)
{
    unsigned char *out = f->scratch[outer->deep].decoded;
    const size_t first = outer->p[from] == 0 ? from + 1 : from;
    struct view v = {
        .p = out,
        .how = outer->how | HOW_WIDE,
        .deep = outer->deep + 1,
        .step = HOW_WIDE,
        .outer = outer,
        .at = first,
    };

    for (size_t i = first; i < to; i += 2)
        out[v.n++] = outer->p[i];
    view_look(f, &v);
}

/* A window that ends in what does not alternate is passed over whole. */
static void look_wide(struct finder *f, const struct view *v)
{
    size_t i = 0;

    while (i + WIDE_MIN <= v->n) {
        size_t last = i + WIDE_MIN - 2, end;

        while (alternates(v->p, last) && last > i)
            last--;
        if (!alternates(v->p, last)) {
            i = last + 1;
            continue;
        }
        for (end = i + WIDE_MIN; end < v->n && alternates(v->p, end - 1);)
            end++;
        look_narrow(f, v, i, end);
        i = end;
    }
}

/* ---- base64 --------------------------------------------------------------------------------- */

/* The run from @from to @to, and the lines after it if they are of one block, without line ends. */
static size_t join(struct finder *f, const struct view *v, size_t from, size_t *to)
{
    unsigned char *out = f->scratch[v->deep].joined;
    size_t n = *to - from, width = 0, last = n;

    memcpy(out, v->p + from, n);
    for (;;) {
        const size_t next = next_line(v->p, v->n, *to);
        size_t end = next;

        if (next == *to || (width != 0 && last != width))
            return n;
        while (end < v->n && is_digit(v->p[end]))
            end++;
        last = end - next;
        if (width == 0)
            width = last;
        if (last > width)
            return n;
        memcpy(out + n, v->p + next, last);
        n += last;
        *to = end;
    }
}

/* Text, also UTF-16? */
static bool is_text(const unsigned char *quad)
{
    const unsigned a = digit_of[quad[0]] - 1U, b = digit_of[quad[1]] - 1U,
                   c = digit_of[quad[2]] - 1U, d = digit_of[quad[3]] - 1U;
    const unsigned bytes[3] = { a << 2 | b >> 4, (b & 15) << 4 | c >> 2, (c & 3) << 6 | d };

    for (size_t i = 0; i < 3; i++)
        if (bytes[i] > 0x7e || (bytes[i] < 0x20 && bytes[i] != 0 && bytes[i] != '\n'))
            return false;
    return true;
}

/* As with wide text: a window of @quads that ends in something else is passed over whole. */
static bool is_worth_it(const unsigned char *p, size_t n, unsigned quads)
{
    size_t i = 0;

    while (i + 4 * (size_t)quads <= n) {
        size_t last = i + 4 * (size_t)(quads - 1);

        while (is_text(p + last)) {
            if (last == i)
                return true;
            last -= 4;
        }
        i = last + 4;
    }
    return false;
}

static void look_decoded(struct finder *f, const struct view *outer, size_t at, size_t phase,
                         size_t n)
{
    const unsigned char *in = f->scratch[outer->deep].joined;
    unsigned char *out = f->scratch[outer->deep].decoded;
    struct view v = {
        .p = out,
        .how = outer->how | HOW_BASE64,
        .deep = outer->deep + 1,
        .step = HOW_BASE64,
        .outer = outer,
        .at = at,
    };
    uint32_t bits = 0;

    for (size_t i = phase; i < n; i++) {
        bits = bits << 6 | (digit_of[in[i]] - 1U);
        if ((i - phase) % 4 != 0)
            out[v.n++] = (unsigned char)(bits >> (6 - 2 * ((i - phase) % 4)));
    }
    view_look(f, &v);
}

/* @to: where the block ends that began in this run. */
static void look_base64(struct finder *f, const struct view *v, size_t from, size_t *to)
{
    const size_t n = join(f, v, from, to);
    size_t at = from;

    for (size_t phase = 0; phase < 4 && phase < n; phase++) {
        if (is_worth_it(f->scratch[v->deep].joined + phase, n - phase, f->quads) ||
            (phase == 0 && f->own != NULL && own_has_binary(f->own)))
            look_decoded(f, v, at, phase, n);
        at = next_line(v->p, v->n, at + 1);
    }
}

/* ---- shapes --------------------------------------------------------------------------------- */

static void tell(struct finder *f, const struct view *v, const struct shape *s)
{
    struct found found = { .rule = s->rule, .doubtful = s->doubtful };

    emit(f, v, s->from, s->to, &found);
}

/* Each of the parts of the run that base64 could be; @joined: up to here it was seen to. */
static void look_parts(struct finder *f, const struct view *v, size_t from, size_t to,
                       size_t *joined)
{
    struct shape s;

    for (size_t a = from, b; a < to; a = b + 1) {
        size_t end;

        for (b = a; b < to && is_digit(v->p[b]);)
            b++;
        if (rules_match_aws_secret(v->p, v->n, a, b, &s))
            tell(f, v, &s);
        if (b - a < SHAPE_RUN || a < *joined || v->deep == VIEWS_DEEP)
            continue;
        end = b;
        look_base64(f, v, a, &end);
        *joined = end;
    }
}

static void look_run(struct finder *f, const struct view *v, size_t from, size_t to, size_t *joined)
{
    struct shape s;

    if (rules_match_pem(v->p, v->n, from, to, &s)) {
        const uint64_t begin = f->base + view_origin(v, s.from);

        if (begin != f->last_pem)
            tell(f, v, &s);
        f->last_pem = begin;
    }
    for (size_t i = from; i + 1 < to; i++)
        if (rules_begin(v->p + i) && rules_match(v->p, v->n, i, &s)) {
            tell(f, v, &s);
            i = s.to - 1;
        }
    look_parts(f, v, from, to, joined);
}

/* A window of SHAPE_RUN bytes that ends in something else is passed over whole. */
static void look_shapes(struct finder *f, const struct view *v)
{
    const unsigned char *p = v->p;
    size_t i = 0, joined = 0;

    while (i + SHAPE_RUN <= v->n) {
        size_t last = i + SHAPE_RUN - 1, end;

        while ((chars_of[p[last]] & CHARS_RUN) != 0 && last > i)
            last--;
        if ((chars_of[p[last]] & CHARS_RUN) == 0) {
            i = last + 1;
            continue;
        }
        for (end = i + SHAPE_RUN; end < v->n && (chars_of[p[end]] & CHARS_RUN) != 0;)
            end++;
        look_run(f, v, i, end, &joined);
        i = end;
    }
}

void view_look(struct finder *f, const struct view *v)
{
    if (f->own != NULL) {
        struct looking l = { .f = f, .v = v };

        own_find(f->own, v->p, v->n, ours, &l);
    }
    if (v->deep < VIEWS_DEEP && memchr(v->p, 0, v->n) != NULL)
        look_wide(f, v);
    look_shapes(f, v);
}
