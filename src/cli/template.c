/* SPDX-License-Identifier: Apache-2.0 */
#include "template.h"

#include <string.h>

#define SCHEME "keyturn:"
#define ENCODE "encode="

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* Where what stands between the braces that open at @at begins, if that is as a reference; else 0. */
static size_t reference_at(const struct template *t, size_t at)
{
    const size_t n = strlen(SCHEME);
    size_t p = at + 2;

    while (p < t->len && is_blank(t->text[p]))
        p++;
    return t->len - p >= n && memcmp(t->text + p, SCHEME, n) == 0 ? p : 0;
}

/* Where the next reference opens, and where its text begins; false: there is none. */
static bool find_reference(const struct template *t, size_t *at, size_t *begin)
{
    for (size_t p = t->pos; p + 1 < t->len; p++) {
        const char *brace = memchr(t->text + p, '{', t->len - p - 1);

        if (brace == NULL)
            return false;
        p = (size_t)(brace - t->text);
        if (t->text[p + 1] != '{')
            continue;
        *begin = reference_at(t, p);
        *at = p;
        if (*begin > 0)
            return true;
    }
    return false;
}

static int encoding_of(const char *word, size_t len, enum encoding *out)
{
    static const char *const words[] = {
        [ENCODE_BASE64] = "base64", [ENCODE_JSON] = "json", [ENCODE_URI] = "uri"
    };

    for (unsigned i = ENCODE_BASE64; i < sizeof(words) / sizeof(words[0]); i++)
        if (strlen(words[i]) == len && memcmp(words[i], word, len) == 0) {
            *out = (enum encoding)i;
            return KT_SUCCESS;
        }
    return KT_INVALID;
}

/* Take `encode=` out of the parameters; the others are what references have everywhere. */
static int take_encoding(struct piece *p, const char **why)
{
    char *mark = memchr(p->ref, '?', p->ref_len), *word;
    const size_t n = strlen(ENCODE);

    p->encoding = ENCODE_NOT;
    for (word = mark != NULL ? mark + 1 : NULL; word != NULL;) {
        char *end = p->ref + p->ref_len, *amp = memchr(word, '&', (size_t)(end - word));
        const size_t len = (size_t)((amp != NULL ? amp : end) - word);

        if (len < n || memcmp(word, ENCODE, n) != 0) {
            word = amp != NULL ? amp + 1 : NULL;
            continue;
        }
        *why = "'encode=' stands twice in it";
        if (p->encoding != ENCODE_NOT)
            return KT_INVALID;
        *why = "'encode=' is one of base64, json and uri";
        if (encoding_of(word + n, len - n, &p->encoding) != KT_SUCCESS)
            return KT_INVALID;
        if (amp != NULL) {
            memmove(word, amp + 1, (size_t)(end - amp - 1));
            p->ref_len -= len + 1;
        } else { /* with the ? or & before it */
            p->ref_len -= len + 1;
            word = NULL;
        }
        p->ref[p->ref_len] = '\0';
    }
    return KT_SUCCESS;
}

/* The reference between the braces at @out->at, whose text is at @begin. */
static int take_reference(struct template *t, size_t begin, struct piece *out, const char **why)
{
    size_t end = begin, last;

    while (end < t->len && t->text[end] != '\n' &&
           !(t->text[end] == '}' && end + 1 < t->len && t->text[end + 1] == '}'))
        end++;
    *why = "'}}' is missing on its line";
    if (end >= t->len || t->text[end] == '\n')
        return KT_INVALID;
    for (last = end; is_blank(t->text[last - 1]);)
        last--;
    *why = "it is too long for a reference";
    if (last - begin > TEMPLATE_REF_MAX)
        return KT_INVALID;
    *why = "there is a NUL byte in it";
    if (memchr(t->text + begin, '\0', last - begin) != NULL)
        return KT_INVALID;
    out->ref_len = last - begin;
    memcpy(out->ref, t->text + begin, out->ref_len);
    out->ref[out->ref_len] = '\0';
    t->pos = end + 2;
    return take_encoding(out, why);
}

int template_next(struct template *t, struct piece *out, const char **why)
{
    size_t at = t->len, begin = 0;

    if (t->pos >= t->len)
        return KT_NOT_FOUND;
    out->literal = t->text + t->pos;
    out->ref_len = 0;
    out->ref[0] = '\0';
    out->encoding = ENCODE_NOT;
    if (!find_reference(t, &at, &begin)) {
        out->at = t->len;
        out->literal_len = t->len - t->pos;
        t->pos = t->len;
        return KT_SUCCESS;
    }
    out->at = at;
    out->literal_len = at - t->pos;
    return take_reference(t, begin, out, why);
}

void template_place(const char *text, size_t at, size_t *line, size_t *column)
{
    *line = 1;
    *column = 1;
    for (size_t i = 0; i < at; i++) {
        *line += text[i] == '\n';
        *column = text[i] == '\n' ? 1 : *column + 1;
    }
}
