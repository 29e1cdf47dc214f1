/* SPDX-License-Identifier: Apache-2.0 */
#include "pattern.h"

#include "text.h"

#include <stdlib.h>
#include <string.h>

static const char no_memory[] = "out of memory";

/* Where @stop stands that is not escaped by `%`, or the end. */
static const char *find(const char *p, const char *stops)
{
    while (*p != '\0' && strchr(stops, *p) == NULL)
        p += *p == '%' && p[1] != '\0' ? 2 : 1;
    return p;
}

static const char *end_of_key(const char *pair)
{
    static const char schema[] = "xdg:schema:";

    if (strncmp(pair, schema, sizeof(schema) - 1) == 0)
        return pair + sizeof(schema) - 2;
    return find(pair, ":,");
}

static bool is_known(char c)
{
    return c != '\0' && strchr("nb%,:", c) != NULL;
}

static const char *unknown_escape(const char *text)
{
    for (const char *p = strchr(text, '%'); p != NULL; p = strchr(p + 2, '%'))
        if (!is_known(p[1]))
            return "expected %n, %b, %%, %, or %: after each %";
    return NULL;
}

/* A key has no name in it. */
static bool unescape_key(char *key)
{
    char *to = key;

    for (const char *p = key; *p != '\0'; p++) {
        if (*p == '%' && (p[1] == 'n' || p[1] == 'b'))
            return false;
        if (*p == '%')
            p++;
        *to++ = *p;
    }
    *to = '\0';
    return true;
}

static const char *add_pair(struct kt_pattern *p, const char *from, const char *colon,
                            const char *end)
{
    const size_t n = p->n;

    if (n == KT_PATTERN_MAX)
        return "there are more than 16 pairs";
    if (*colon != ':' || colon == from)
        return "expected KEY:VALUE pairs, with commas between them";
    p->pairs[n].key = strndup(from, (size_t)(colon - from));
    p->pairs[n].value = strndup(colon + 1, (size_t)(end - colon - 1));
    p->n++;
    if (p->pairs[n].key == NULL || p->pairs[n].value == NULL)
        return no_memory;
    if (!unescape_key(p->pairs[n].key))
        return "a key holds no %n and no %b";
    for (size_t i = 0; i < n; i++)
        if (strcmp(p->pairs[i].key, p->pairs[n].key) == 0)
            return "a key is given twice";
    return NULL;
}

const char *kt_pattern_parse(const char *text, struct kt_pattern **out)
{
    struct kt_pattern *p = calloc(1, sizeof(*p));
    const char *why = unknown_escape(text);

    if (p == NULL)
        return no_memory;
    if (why == NULL && (!kt_text_is_utf8(text) || kt_text_has_controls(text)))
        why = "it holds control bytes or is not UTF-8";
    for (const char *at = text; why == NULL; at++) {
        const char *colon = end_of_key(at);
        const char *end = *colon == ':' ? find(colon + 1, ",") : colon;

        why = add_pair(p, at, colon, end);
        at = end;
        if (*end == '\0')
            break;
    }
    if (why != NULL) {
        kt_pattern_free(p);
        return why;
    }
    *out = p;
    return NULL;
}

void kt_pattern_free(struct kt_pattern *p)
{
    for (size_t i = 0; p != NULL && i < p->n; i++) {
        free(p->pairs[i].key);
        free(p->pairs[i].value);
    }
    free(p);
}

/* What stands at @p: text of @len bytes; the number of bytes of the pattern. */
static size_t piece(const char *p, const char *name, const char **text, size_t *len)
{
    const char *slash = strrchr(name, '/');

    *text = p;
    *len = 1;
    if (*p != '%')
        return 1;
    *text = p[1] == 'n' ? name : p[1] == 'b' ? (slash != NULL ? slash + 1 : name) : p + 1;
    *len = p[1] == 'n' || p[1] == 'b' ? strlen(*text) : 1;
    return 2;
}

bool kt_pattern_expand(const char *value, const char *name, char *out, size_t size)
{
    size_t n = 0;

    while (*value != '\0') {
        const char *text;
        size_t len;

        value += piece(value, name, &text, &len);
        if (len >= size - n)
            return false;
        memcpy(out + n, text, len);
        n += len;
    }
    out[n] = '\0';
    return true;
}

static size_t count(const char *value, char which)
{
    size_t n = 0;

    for (const char *p = strchr(value, '%'); p != NULL; p = strchr(p + 2, '%'))
        n += p[1] == which;
    return n;
}

size_t kt_pattern_named(const struct kt_pattern *p)
{
    for (size_t i = 0; i < p->n; i++)
        if (count(p->pairs[i].value, 'n') == 1 && count(p->pairs[i].value, 'b') == 0)
            return i;
    return p->n;
}

bool kt_pattern_match(const char *value, const char *text, char *name, size_t size)
{
    char empty[KT_PATTERN_VALUE_MAX], again[KT_PATTERN_VALUE_MAX];
    const size_t len = strlen(text);
    const char *at = value;
    size_t head = 0, around;

    if (!kt_pattern_expand(value, "", empty, sizeof(empty)))
        return false;
    while (at[0] != '%' || at[1] != 'n') { /* bytes before the name */
        at += *at == '%' ? 2 : 1;
        head++;
    }
    around = strlen(empty);
    if (len <= around || len - around >= size)
        return false;
    memcpy(name, text + head, len - around);
    name[len - around] = '\0';
    return kt_pattern_expand(value, name, again, sizeof(again)) && strcmp(again, text) == 0;
}
