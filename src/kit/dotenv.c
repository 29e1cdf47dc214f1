/* SPDX-License-Identifier: Apache-2.0 */
#include "dotenv.h"

#include <string.h>

/* What a backslash makes of the character after it in "…", and the other way round. */
static const struct {
    char letter;
    char byte;
} escapes[] = {
    { 'n', '\n' }, { 'r', '\r' }, { 't', '\t' }, { '"', '"' }, { '\\', '\\' }, { '$', '$' },
};

#define ESCAPES (sizeof(escapes) / sizeof(escapes[0]))

static bool is_alpha(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_word(char c)
{
    return is_alpha(c) || (c >= '0' && c <= '9');
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static const char *skip_blanks(const char *p, const char *end)
{
    while (p < end && is_blank(*p))
        p++;
    return p;
}

/* The end of the line that @p is in, its newline left out. */
static const char *line_end(const char *p, const char *end)
{
    const char *newline = memchr(p, '\n', (size_t)(end - p));

    return newline ? newline : end;
}

/* An empty rest of a line, or a comment? CR is the first half of CR LF. */
static bool is_rest(const char *p, const char *end)
{
    p = skip_blanks(p, end);
    return p == end || *p == '#' || (*p == '\r' && p + 1 == end);
}

static size_t count_lines(const char *p, const char *end)
{
    size_t n = 0;

    for (; p < end; p++)
        n += *p == '\n';
    return n;
}

/* What is wrong, and where; NULL for the caller to hand up. */
static const char *fail(struct kt_dotenv *d, const char *at, const char *why)
{
    const char *line = at;

    while (line > d->text && line[-1] != '\n')
        line--;
    d->line += count_lines(d->text + d->pos, line);
    d->column = (size_t)(at - line) + 1;
    d->why = why;
    return NULL;
}

static const char *parse_key(struct kt_dotenv *d, const char *p, const char *end,
                             struct kt_dotenv_entry *out)
{
    static const char export[] = "export";
    const size_t len = sizeof(export) - 1;

    if ((size_t)(end - p) > len && memcmp(p, export, len) == 0 && is_blank(p[len]))
        p = skip_blanks(p + len, end);
    out->key = p;
    if (p == end || !is_alpha(*p))
        return fail(d, p, "a key is expected: letters, digits and _, no digit first");
    while (p < end && (is_word(*p) || *p == '.' || *p == '-'))
        p++;
    out->key_len = (size_t)(p - out->key);
    p = skip_blanks(p, end);
    return p < end && *p == '=' ? skip_blanks(p + 1, end) : fail(d, p, "'=' is expected");
}

static void parse_bare(const char *p, const char *end, struct kt_dotenv_entry *out)
{
    const char *stop = end;

    for (const char *q = p; q < end; q++)
        if (*q == '#' && is_blank(q[-1])) {
            stop = q;
            break;
        }
    if (stop == end && stop > p && stop[-1] == '\r')
        stop--;
    while (stop > p && is_blank(stop[-1]))
        stop--;
    out->raw = p;
    out->raw_len = (size_t)(stop - p);
}

/* The closing quote of a value that begins at @p, on whatever line it is. */
static const char *find_quote(const char *p, const char *end, char quote)
{
    for (; p < end && *p != quote; p++)
        if (quote == '"' && *p == '\\' && p + 1 < end)
            p++;
    return p < end ? p : NULL;
}

/* One assignment that begins at @p; returns past its last byte, its newline left out. */
static const char *parse_assignment(struct kt_dotenv *d, const char *p, const char *end,
                                    struct kt_dotenv_entry *out)
{
    const char *eol = line_end(p, end);
    const char *close, *nul;

    p = parse_key(d, p, eol, out);
    if (!p)
        return NULL;
    if (p == eol || (*p != '\'' && *p != '"')) {
        out->quote = 0;
        parse_bare(p, eol, out);
        nul = memchr(p, 0, (size_t)(eol - p));
        return nul ? fail(d, nul, "a NUL byte") : eol;
    }
    close = find_quote(p + 1, end, *p);
    if (!close)
        return fail(d, p, "a quote that is not closed");
    nul = memchr(p, 0, (size_t)(close - p));
    if (nul)
        return fail(d, nul, "a NUL byte");
    out->quote = *p;
    out->raw = p + 1;
    out->raw_len = (size_t)(close - p - 1);
    eol = line_end(close, end);
    return is_rest(close + 1, eol) ? eol : fail(d, close + 1, "text after a closing quote");
}

int kt_dotenv_next(struct kt_dotenv *d, struct kt_dotenv_entry *out)
{
    while (d->pos < d->len) { /* not entered where there is no text at all */
        const char *end = d->text + d->len;
        const char *begin = d->text + d->pos;
        const char *p = skip_blanks(begin, end);
        const char *eol = line_end(p, end);
        bool assigns = !is_rest(p, eol);

        d->line = d->next_line + 1;
        if (assigns) {
            eol = parse_assignment(d, p, end, out);
            if (!eol)
                return KT_CORRUPT;
        }
        d->next_line += count_lines(begin, eol) + 1;
        d->pos = (size_t)(eol - d->text) + (eol < end);
        if (assigns) {
            out->begin = (size_t)(begin - d->text);
            out->end = d->pos;
            return KT_SUCCESS;
        }
    }
    return KT_NOT_FOUND;
}

bool kt_dotenv_is(const struct kt_dotenv_entry *e, const char *key)
{
    return strlen(key) == e->key_len && memcmp(key, e->key, e->key_len) == 0;
}

size_t kt_dotenv_value(const struct kt_dotenv_entry *e, char *out)
{
    size_t n = 0;

    for (size_t i = 0; i < e->raw_len; i++) {
        out[n] = e->raw[i];
        if (e->quote == '"' && e->raw[i] == '\\' && i + 1 < e->raw_len)
            for (size_t k = 0; k < ESCAPES; k++)
                if (escapes[k].letter == e->raw[i + 1]) {
                    out[n] = escapes[k].byte;
                    i++;
                    break;
                }
        n++;
    }
    return n;
}

bool kt_dotenv_is_key(const char *name)
{
    if (!is_alpha(*name))
        return false;
    while (is_word(*name))
        name++;
    return *name == '\0';
}

static char quote_for(const char *data, size_t len)
{
    bool plain = true;

    for (size_t i = 0; i < len; i++) {
        if (data[i] == '\'' || (unsigned char)data[i] < ' ')
            return '"';
        plain = plain && (is_word(data[i]) || strchr("%+,-./:=@", data[i]));
    }
    return plain ? 0 : '\'';
}

struct sink {
    char *out;
    size_t n;
};

static void add(struct sink *s, char c)
{
    if (s->out)
        s->out[s->n] = c;
    s->n++;
}

static char escape_for(char c)
{
    for (size_t i = 0; i < ESCAPES; i++)
        if (escapes[i].byte == c)
            return escapes[i].letter;
    return 0;
}

size_t kt_dotenv_format(const char *key, const char *data, size_t len, char *out)
{
    struct sink s = { .out = out };
    char quote = quote_for(data, len);

    for (const char *p = key; *p; p++)
        add(&s, *p);
    add(&s, '=');
    if (quote)
        add(&s, quote);
    for (size_t i = 0; i < len; i++) {
        char letter = quote == '"' ? escape_for(data[i]) : 0;

        if (letter)
            add(&s, '\\');
        add(&s, letter ? letter : data[i]);
    }
    if (quote)
        add(&s, quote);
    add(&s, '\n');
    return s.n;
}

size_t kt_dotenv_edit_room(size_t old_len, const char *key, const char *data, size_t len)
{
    return old_len + 2 + (data ? kt_dotenv_format(key, data, len, NULL) : 0);
}

bool kt_dotenv_find(const char *text, size_t len, const char *key, struct kt_dotenv_entry *out)
{
    struct kt_dotenv d = { .text = text, .len = len };
    struct kt_dotenv_entry entry;
    bool found = false;

    while (kt_dotenv_next(&d, &entry) == KT_SUCCESS)
        if (kt_dotenv_is(&entry, key)) {
            *out = entry;
            found = true;
        }
    return found;
}

static size_t add_bytes(char *out, size_t n, const char *data, size_t len)
{
    if (len > 0)
        memcpy(out + n, data, len);
    return n + len;
}

int kt_dotenv_edit(const char *old, size_t old_len, const char *key, const char *data, size_t len,
                   char *out, size_t *out_len)
{
    struct kt_dotenv d = { .text = old, .len = old_len };
    struct kt_dotenv_entry entry, last = { .end = 0 };
    const bool had = kt_dotenv_find(old, old_len, key, &last);
    size_t kept = 0, n = 0;

    if (!had && !data)
        return KT_NOT_FOUND;
    while (had && kt_dotenv_next(&d, &entry) == KT_SUCCESS) {
        if (!kt_dotenv_is(&entry, key))
            continue;
        n = add_bytes(out, n, old + kept, entry.begin - kept);
        kept = entry.end;
        if (!data || entry.begin != last.begin)
            continue;
        /* blanks and `export` before the key */
        n = add_bytes(out, n, old + entry.begin, (size_t)(entry.key - old) - entry.begin);
        n += kt_dotenv_format(key, data, len, out + n);
    }
    n = add_bytes(out, n, old + kept, old_len - kept);
    if (!had && n > 0 && out[n - 1] != '\n')
        out[n++] = '\n';
    if (!had)
        n += kt_dotenv_format(key, data, len, out + n);
    *out_len = n;
    return KT_SUCCESS;
}
