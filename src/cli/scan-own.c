/* SPDX-License-Identifier: Apache-2.0 */
#include "scan-own.h"
#include "cli.h"
#include "kit/siphash.h"
#include "scan-rules.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define STEP_MAX 16

/** struct keys - of this run; in secret memory */
struct keys {
    uint64_t window[2]; /* SipHash of a window */
    uint64_t whole[2][2];
    uint64_t mix[2]; /* of the quick look */
};

struct owner {
    char *name;
    char version[KT_ID_SIZE];
};

struct value {
    uint64_t digest[2];
    uint64_t print;
    uint32_t len;
    uint32_t owner;
    enum own_form form;
};

/** struct window - @mix: the bits that the quick look uses, @tag: half of its SipHash */
struct window {
    uint32_t mix;
    uint32_t tag;
    uint32_t value;
    uint32_t at;
    uint32_t next; /* of the same bucket; UINT32_MAX ends */
};

struct own {
    struct kt_secret *secret;
    const struct keys *keys; /* in @secret */
    uint64_t print_key[2];
    struct owner *owners;
    struct value *values;
    struct window *windows;
    uint32_t nowners, nvalues, nwindows;
    uint32_t owners_size, values_size, windows_size;
    uint32_t *buckets;
    uint32_t bucket_mask;
    uint64_t *seen; /* a bit for each mix that a window has */
    unsigned seen_shift;
    size_t step;
    size_t shortest, longest;
    bool binary;
};

int own_new(const uint64_t print_key[2], struct own **out)
{
    struct own *o = calloc(1, sizeof(*o));
    struct keys keys = { 0 };
    int rc = KT_NO_MEMORY;

    if (o == NULL)
        return rc;
    if (getrandom(&keys, sizeof(keys), 0) == (ssize_t)sizeof(keys)) {
        keys.mix[1] |= 1;
        rc = kt_secret_new(&keys, sizeof(keys), &o->secret);
    }
    explicit_bzero(&keys, sizeof(keys));
    if (rc != KT_SUCCESS) {
        free(o);
        return rc;
    }
    o->keys = kt_secret_data(o->secret);
    memcpy(o->print_key, print_key, sizeof(o->print_key));
    *out = o;
    return KT_SUCCESS;
}

void own_free(struct own *o)
{
    if (o == NULL)
        return;
    for (uint32_t i = 0; i < o->nowners; i++)
        free(o->owners[i].name);
    free(o->owners);
    free(o->values);
    free(o->windows);
    free(o->buckets);
    free(o->seen);
    kt_secret_free(o->secret);
    free(o);
}

size_t own_count(const struct own *o)
{
    return o->nvalues;
}

size_t own_longest(const struct own *o)
{
    return o->longest;
}

size_t own_shortest(const struct own *o)
{
    return o->shortest;
}

bool own_has_binary(const struct own *o)
{
    return o->binary;
}

uint64_t own_print(const uint64_t print_key[2], const void *data, size_t len)
{
    return kt_siphash(print_key, data, len) >> 16;
}

/* Room for one more of @size bytes each in @array. */
static bool grow(void *array, uint32_t n, uint32_t *room, size_t size)
{
    void **p = array, *grown;
    const uint32_t wanted = *room == 0 ? 64 : 2 * *room;

    if (n < *room)
        return true;
    grown = reallocarray(*p, wanted, size);
    if (grown == NULL)
        return false;
    *p = grown;
    *room = wanted;
    return true;
}

static uint32_t mix_of(const struct keys *keys, const unsigned char *p)
{
    uint64_t word;

    memcpy(&word, p, sizeof(word));
    return (uint32_t)((word ^ keys->mix[0]) * keys->mix[1] >> 32);
}

static uint32_t tag_of(const struct keys *keys, const unsigned char *p)
{
    return (uint32_t)kt_siphash(keys->window, p, OWN_WINDOW);
}

static enum own_added add_form(struct own *o, uint64_t print, enum own_form form,
                               const unsigned char *p, size_t len)
{
    struct value v = {
        .digest = { kt_siphash(o->keys->whole[0], p, len), kt_siphash(o->keys->whole[1], p, len) },
        .print = print,
        .len = (uint32_t)len,
        .owner = o->nowners - 1,
        .form = form,
    };

    if (o->nvalues >= OWN_MAX)
        return OWN_FULL;
    if (!grow(&o->values, o->nvalues, &o->values_size, sizeof(v)))
        return OWN_NO_MEMORY;
    for (uint32_t at = 0; at < STEP_MAX && at + OWN_WINDOW <= len; at++) {
        if (!grow(&o->windows, o->nwindows, &o->windows_size, sizeof(o->windows[0])))
            return OWN_NO_MEMORY;
        o->windows[o->nwindows++] = (struct window){
            .mix = mix_of(o->keys, p + at),
            .tag = tag_of(o->keys, p + at),
            .value = o->nvalues,
            .at = at,
        };
    }
    o->values[o->nvalues++] = v;
    if (o->shortest == 0 || len < o->shortest)
        o->shortest = len;
    if (len > o->longest)
        o->longest = len;
    return OWN_ADDED;
}

static size_t put_percent(unsigned char *out, unsigned char c)
{
    static const char digits[] = "0123456789ABCDEF";

    if ((chars_of[c] & (CHARS_WORD | CHARS_DOTTED)) != 0) {
        out[0] = c;
        return 1;
    }
    out[0] = '%';
    out[1] = (unsigned char)digits[c >> 4];
    out[2] = (unsigned char)digits[c & 15];
    return 3;
}

static size_t put_json(unsigned char *out, unsigned char c)
{
    const char *s = c != 0 ? strchr("\"\"\\\\\nn\tt\rr", c) : NULL;

    if (s == NULL || c == 'n' || c == 't' || c == 'r') {
        out[0] = c;
        return 1;
    }
    out[0] = '\\';
    out[1] = (unsigned char)s[1];
    return 2;
}

/* As JSON and URLs write it, if that is otherwise. */
static enum own_added add_forms(struct own *o, uint64_t print, const unsigned char *p, size_t len)
{
    static size_t (*const puts[])(unsigned char *, unsigned char) = {
        [OWN_JSON] = put_json,
        [OWN_PERCENT] = put_percent,
    };
    enum own_added added = OWN_ADDED;
    unsigned char *out;

    if (!text_is_plain(p, len))
        return OWN_ADDED;
    out = malloc(3 * len + 1);
    if (out == NULL)
        return OWN_NO_MEMORY;
    for (enum own_form form = OWN_JSON; form <= OWN_PERCENT && added == OWN_ADDED; form++) {
        size_t n = 0;

        for (size_t i = 0; i < len; i++)
            n += puts[form](out + n, p[i]);
        if (n != len)
            added = add_form(o, print, form, out, n);
    }
    explicit_bzero(out, 3 * len);
    free(out);
    return added;
}

static enum own_added judge(const unsigned char *p, size_t len)
{
    size_t digits = 0, upper = 0, lower = 0;

    if (len < OWN_MIN)
        return OWN_SHORT;
    for (size_t i = 0; i < len; i++) {
        digits += p[i] >= '0' && p[i] <= '9';
        upper += p[i] >= 'A' && p[i] <= 'Z';
        lower += p[i] >= 'a' && p[i] <= 'z';
    }
    /* a number or a word */
    if (spread_of(p, len) < 4 ||
        (len < 12 && (digits == len || upper == len || lower == len || upper + lower == len)))
        return OWN_SIMPLE;
    return OWN_ADDED;
}

static enum own_added add_one(struct own *o, const unsigned char *p, size_t len)
{
    enum own_added added;
    uint64_t print;

    while (len > 0 && strchr(" \t\r\n", p[len - 1]) != NULL && p[len - 1] != '\0')
        len--;
    for (; len > 0 && strchr(" \t\r\n", p[0]) != NULL && p[0] != '\0'; p++)
        len--;
    added = judge(p, len);
    if (added != OWN_ADDED)
        return added;
    print = own_print(o->print_key, p, len);
    added = add_form(o, print, OWN_PLAIN, p, len);
    if (added != OWN_ADDED)
        return added;
    o->binary |= !text_is_plain(p, len);
    return add_forms(o, print, p, len);
}

/* The strings of a JSON object, but for its keys: each may leak alone. */
static enum own_added add_members(struct own *o, const unsigned char *p, size_t len)
{
    enum own_added worst = OWN_ADDED;

    for (size_t i = 0; i < len; i++) {
        size_t from = i + 1, to = from, after;
        bool plain = true;

        if (p[i] != '"')
            continue;
        while (to < len && p[to] != '"') {
            plain &= p[to] != '\\';
            to += p[to] == '\\' && to + 1 < len ? 2 : 1;
        }
        for (after = to + 1; after < len && strchr(" \t\r\n", p[after]) != NULL && p[after] != 0;)
            after++;
        if (to < len && plain && !(after < len && p[after] == ':')) {
            enum own_added added = add_one(o, p + from, to - from);

            if (added >= OWN_FULL)
                worst = added;
        }
        i = to;
    }
    return worst;
}

enum own_added own_add(struct own *o, const char *name, const char *version, const void *data,
                       size_t len)
{
    const unsigned char *p = data;
    enum own_added added;
    struct owner *owner;

    if (!grow(&o->owners, o->nowners, &o->owners_size, sizeof(*owner)))
        return OWN_NO_MEMORY;
    owner = &o->owners[o->nowners];
    owner->name = strdup(name);
    if (owner->name == NULL)
        return OWN_NO_MEMORY;
    (void)stpncpy(owner->version, version, sizeof(owner->version) - 1);
    owner->version[sizeof(owner->version) - 1] = '\0';
    o->nowners++;
    added = add_one(o, p, len);
    if (added == OWN_ADDED && p[0] == '{' && text_is_plain(p, len)) {
        const enum own_added members = add_members(o, p, len);

        added = members >= OWN_FULL ? members : added;
    }
    return added;
}

/* Only the windows at the first @step offsets are needed, now that it is known. */
static void drop_windows(struct own *o)
{
    uint32_t kept = 0;

    o->step = o->shortest - OWN_WINDOW + 1 < STEP_MAX ? o->shortest - OWN_WINDOW + 1 : STEP_MAX;
    for (uint32_t i = 0; i < o->nwindows; i++)
        if (o->windows[i].at < o->step)
            o->windows[kept++] = o->windows[i];
    o->nwindows = kept;
}

bool own_build(struct own *o)
{
    unsigned bits = 16;
    uint32_t size = 64;

    if (o->nvalues == 0)
        return true;
    drop_windows(o);
    while (bits < 28 && (uint64_t)o->nwindows * 64 > (uint64_t)1 << bits)
        bits++;
    while (size < o->nwindows)
        size *= 2;
    o->seen_shift = 32 - bits;
    o->bucket_mask = size - 1;
    o->seen = calloc(((size_t)1 << bits) / 64, sizeof(o->seen[0]));
    o->buckets = malloc(size * sizeof(o->buckets[0]));
    if (o->seen == NULL || o->buckets == NULL)
        return false;
    memset(o->buckets, 0xff, size * sizeof(o->buckets[0]));
    for (uint32_t i = 0; i < o->nwindows; i++) {
        struct window *w = &o->windows[i];
        const uint32_t bit = w->mix >> o->seen_shift;

        o->seen[bit / 64] |= (uint64_t)1 << bit % 64;
        w->next = o->buckets[w->tag & o->bucket_mask];
        o->buckets[w->tag & o->bucket_mask] = i;
    }
    return true;
}

static bool is_at(const struct own *o, const struct window *w, const unsigned char *p, size_t n,
                  size_t i)
{
    const struct value *v = &o->values[w->value];
    const unsigned char *start = p + i - w->at;

    return w->at <= i && v->len <= n - (i - w->at) &&
           kt_siphash(o->keys->whole[0], start, v->len) == v->digest[0] &&
           kt_siphash(o->keys->whole[1], start, v->len) == v->digest[1];
}

/* The longest value that has its window at @i, and of its owners the first. */
static void look(const struct own *o, const unsigned char *p, size_t n, size_t i,
                 void (*found)(void *cookie, const struct own_match *m), void *cookie)
{
    const uint32_t tag = tag_of(o->keys, p + i);
    const struct window *best = NULL;
    const struct value *v;

    for (uint32_t k = o->buckets[tag & o->bucket_mask]; k != UINT32_MAX; k = o->windows[k].next) {
        const struct window *w = &o->windows[k];

        if (w->tag == tag && is_at(o, w, p, n, i) &&
            (best == NULL || o->values[w->value].len >= o->values[best->value].len))
            best = w; /* those added first come last */
    }
    if (best == NULL)
        return;
    v = &o->values[best->value];
    found(cookie, &(struct own_match){
                      .name = o->owners[v->owner].name,
                      .version = o->owners[v->owner].version,
                      .print = v->print,
                      .form = v->form,
                      .from = i - best->at,
                      .to = i - best->at + v->len,
                  });
}

void own_find(const struct own *o, const unsigned char *p, size_t n,
              void (*found)(void *cookie, const struct own_match *m), void *cookie)
{
    const uint64_t add = o->keys->mix[0], times = o->keys->mix[1];
    const unsigned shift = 32 + o->seen_shift;
    const uint64_t *seen = o->seen;
    const size_t step = o->step;

    if (o->nvalues == 0)
        return;
    for (size_t i = 0; i + OWN_WINDOW <= n; i += step) {
        uint64_t word, bit;

        memcpy(&word, p + i, sizeof(word));
        bit = (word ^ add) * times >> shift;
        if ((seen[bit / 64] >> bit % 64 & 1) != 0)
            look(o, p, n, i, found, cookie);
    }
}
