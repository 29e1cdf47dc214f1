/* SPDX-License-Identifier: Apache-2.0 */
#include "words.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "err.h"

#define FILE_SHOWN 160 /* bytes of a path that leave room for the message */

static int refuse_va(struct kt_err *err, int status, const char *file, unsigned lineno,
                     unsigned column, const char *fmt, va_list ap) KT_PRINTF(6, 0);

static int refuse_va(struct kt_err *err, int status, const char *file, unsigned lineno,
                     unsigned column, const char *fmt, va_list ap)
{
    char text[sizeof(err->msg)], where[32] = "";
    size_t len = strlen(file);

    (void)vsnprintf(text, sizeof(text), fmt, ap);
    if (lineno != 0 && column != 0)
        (void)snprintf(where, sizeof(where), ":%u:%u", lineno, column);
    else if (lineno != 0)
        (void)snprintf(where, sizeof(where), ":%u", lineno);
    return kt_fail(err, status, "%s%s%s: %s", len > FILE_SHOWN ? "..." : "",
                   len > FILE_SHOWN ? file + len - FILE_SHOWN : file, where, text);
}

int kt_refuse_as(struct kt_err *err, int status, const char *file, unsigned lineno, unsigned column,
                 const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    status = refuse_va(err, status, file, lineno, column, fmt, ap);
    va_end(ap);
    return status;
}

int kt_refuse(struct kt_err *err, const char *file, unsigned lineno, unsigned column,
              const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    (void)refuse_va(err, KT_CONFIG_ERROR, file, lineno, column, fmt, ap);
    va_end(ap);
    return KT_CONFIG_ERROR;
}

const char *kt_quote(const char *text, char out[KT_QUOTE_SIZE])
{
    size_t len = strlen(text), keep = KT_QUOTE_SIZE - 4;

    if (len < KT_QUOTE_SIZE)
        return memcpy(out, text, len + 1);
    while (keep > 0 && ((unsigned char)text[keep] & 0xc0) == 0x80)
        keep--; /* no half character */
    memcpy(out, text, keep);
    memcpy(out + keep, "...", 4);
    return out;
}

/* Length of the UTF-8 character at @p, 0 if it is none. Source: RFC 3629, section 4. */
static size_t utf8(const unsigned char *p, size_t left)
{
    static const struct {
        unsigned char first, last, low, high;
        size_t len;
    } rows[] = {
        { 0x00, 0x7f, 0x80, 0xbf, 1 }, { 0xc2, 0xdf, 0x80, 0xbf, 2 }, { 0xe0, 0xe0, 0xa0, 0xbf, 3 },
        { 0xe1, 0xec, 0x80, 0xbf, 3 }, { 0xed, 0xed, 0x80, 0x9f, 3 }, { 0xee, 0xef, 0x80, 0xbf, 3 },
        { 0xf0, 0xf0, 0x90, 0xbf, 4 }, { 0xf1, 0xf3, 0x80, 0xbf, 4 }, { 0xf4, 0xf4, 0x80, 0x8f, 4 },
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (p[0] < rows[i].first || p[0] > rows[i].last)
            continue;
        if (rows[i].len > left)
            return 0;
        if (rows[i].len > 1 && (p[1] < rows[i].low || p[1] > rows[i].high))
            return 0;
        for (size_t k = 2; k < rows[i].len; k++)
            if ((p[k] & 0xc0) != 0x80)
                return 0;
        return rows[i].len;
    }
    return 0;
}

static bool is_control(const unsigned char *p)
{
    return (p[0] < 0x20 && p[0] != '\t' && p[0] != '\n') || p[0] == 0x7f ||
           (p[0] == 0xc2 && p[1] < 0xa0);
}

int kt_text_init(struct kt_text *t, const char *file, char *data, size_t len, struct kt_err *err)
{
    const unsigned char *p = (const unsigned char *)data, *end = p + len, *line = p;
    unsigned lineno = 1;

    while (p < end) {
        size_t n = utf8(p, (size_t)(end - p));
        unsigned column = (unsigned)(p - line) + 1;
        if (n == 0)
            return kt_refuse(err, file, lineno, column, "expected UTF-8, found byte 0x%02x", *p);
        if (*p == '\r')
            return kt_refuse(err, file, lineno, column,
                             "expected a newline alone, found a carriage return: "
                             "save the file with Unix line ends");
        if (is_control(p))
            return kt_refuse(err, file, lineno, column, "expected text, found control byte 0x%02x",
                             n == 1 ? p[0] : p[1]);
        if (*p == '\n') {
            lineno++;
            line = p + 1;
        }
        p += n;
    }
    *t = (struct kt_text){ .file = file, .at = data, .end = data + len, .line = data, .lineno = 1 };
    return KT_SUCCESS;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static unsigned column_of(const struct kt_text *t)
{
    return (unsigned)(t->at - t->line) + 1;
}

/* Does the backslash at @t->at join the next line? Then where the file goes on, else NULL. */
static char *joins(const struct kt_text *t)
{
    char *p = t->at + 1;

    while (p < t->end && is_blank(*p))
        p++;
    if (p == t->end)
        return p;
    return *p == '\n' ? p + 1 : NULL;
}

static int join(struct kt_text *t, char *next, struct kt_err *err)
{
    if (next == t->end)
        return kt_refuse(err, t->file, t->lineno, column_of(t),
                         "expected another line after '\\', found the end of the file");
    t->at = t->line = next;
    t->lineno++;
    return KT_SUCCESS;
}

/* Keep @len bytes at @text as the next word, which began at @lineno and @column. */
static int keep(struct kt_text *t, struct kt_words *w, const char *text, size_t len,
                const struct kt_word *where, unsigned form, struct kt_err *err)
{
    if (w->n == KT_WORDS_MAX)
        return kt_refuse(err, t->file, where->lineno, where->column,
                         "expected at most %d words in a line", KT_WORDS_MAX);
    if (w->n == w->room) {
        size_t room = w->room == 0 ? 16 : 2 * w->room;
        struct kt_word *at = reallocarray(w->at, room, sizeof(*at));
        if (at != NULL)
            w->at = at;
        unsigned char *forms = reallocarray(w->form, room, sizeof(*forms));
        if (forms != NULL)
            w->form = forms;
        if (at == NULL || forms == NULL)
            return kt_fail(err, KT_NO_MEMORY, "%s: out of memory", t->file);
        w->room = room;
    }
    char *copy = strndup(text, len);
    if (copy == NULL)
        return kt_fail(err, KT_NO_MEMORY, "%s: out of memory", t->file);
    w->at[w->n] = (struct kt_word){ .text = copy,
                                    .column = where->column,
                                    .lineno = where->lineno };
    w->form[w->n++] = (unsigned char)form;
    return KT_SUCCESS;
}

static int read_plain(struct kt_text *t, struct kt_words *w, struct kt_err *err)
{
    const struct kt_word where = { .lineno = t->lineno, .column = column_of(t) };
    const char *begin = t->at;

    while (t->at < t->end && !is_blank(*t->at) && *t->at != '\n' &&
           (*t->at != '\\' || joins(t) == NULL))
        t->at++;
    return keep(t, w, begin, (size_t)(t->at - begin), &where, 0, err);
}

/* A group never grows as its escapes and line breaks are replaced: it is rewritten in place. */
static int read_group(struct kt_text *t, struct kt_words *w, struct kt_err *err)
{
    const struct kt_word where = { .lineno = t->lineno, .column = column_of(t) };
    char *begin = ++t->at, *out = begin;
    unsigned form = KT_WORD_GROUPED;

    while (t->at < t->end && *t->at != '\n' && *t->at != ']') {
        char *next = *t->at == '\\' ? joins(t) : NULL;
        if (next != NULL) {
            int rc = join(t, next, err);
            if (rc != KT_SUCCESS)
                return rc;
            while (t->at < t->end && is_blank(*t->at))
                t->at++;
            *out++ = ' ';
            form |= KT_WORD_BROKEN;
            continue;
        }
        if (*t->at == '\\' && t->at + 1 < t->end && t->at[1] == ']') {
            t->at++;
            form |= KT_WORD_BROKEN;
        }
        *out++ = *t->at++;
    }
    if (t->at == t->end || *t->at != ']')
        return kt_refuse(err, t->file, where.lineno, where.column,
                         "expected ']' before the end of the line, found '[' that is never closed");
    t->at++;
    return keep(t, w, begin, (size_t)(out - begin), &where, form, err);
}

int kt_words_next(struct kt_text *t, struct kt_words *w, struct kt_err *err)
{
    int rc = KT_SUCCESS;

    kt_words_clear(w);
    while (rc == KT_SUCCESS && t->at < t->end) {
        char *next = NULL;
        if (is_blank(*t->at)) {
            t->at++;
        } else if (*t->at == '\n') {
            t->line = ++t->at;
            t->lineno++;
            if (w->n > 0)
                return KT_SUCCESS;
        } else if (*t->at == '#') {
            while (t->at < t->end && *t->at != '\n')
                t->at++;
        } else if (*t->at == '[') {
            rc = read_group(t, w, err);
        } else if (*t->at == '\\' && (next = joins(t)) != NULL) {
            rc = join(t, next, err);
        } else {
            rc = read_plain(t, w, err);
        }
    }
    return rc;
}

void kt_word_done(struct kt_word *words, size_t n)
{
    for (size_t i = 0; i < n; i++)
        free(words[i].text);
    free(words);
}

void kt_words_clear(struct kt_words *w)
{
    for (size_t i = 0; i < w->n; i++)
        free(w->at[i].text);
    w->n = 0;
}

void kt_words_done(struct kt_words *w)
{
    kt_words_clear(w);
    free(w->at);
    free(w->form);
    *w = (struct kt_words){ .n = 0 };
}
