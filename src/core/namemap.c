/* SPDX-License-Identifier: Apache-2.0 */
#include "namemap.h"

#include "err.h"
#include "name.h"

#include <stdio.h>
#include <string.h>

static bool is_alnum(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Injective: a `-` that could be read as the escape's, or that another precedes, is escaped too. */
static void escape(enum kt_naming naming, const char *name, char *out)
{
    const char *mark = naming == KT_NAMING_DASHES ? "--" : "_";

    for (const char *p = name; *p != '\0'; p++) {
        const bool single = *p == '-' && (naming == KT_NAMING_UNDERSCORE ||
                                          (p != name && p[-1] != '-' && p[1] != '-' &&
                                           p[1] != '\0' && is_alnum(p[-1]) && is_alnum(p[1])));

        if (is_alnum(*p) || single)
            *out++ = *p;
        else
            out += snprintf(out, 5, "%s%02x", mark, (unsigned)(unsigned char)*p);
    }
    *out = '\0';
}

static int hex(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Decode, then encode again: only what we would have written is ours. */
static bool unescape(enum kt_naming naming, const char *place, char out[KT_NAME_MAX + 1])
{
    const size_t mark = naming == KT_NAMING_DASHES ? 2 : 1;
    char again[KT_PLACE_SIZE];
    size_t n = 0;

    for (const char *p = place; *p != '\0'; n++) {
        const bool escaped = naming == KT_NAMING_DASHES ? p[0] == '-' && p[1] == '-' : p[0] == '_';

        if (n == KT_NAME_MAX)
            return false;
        if (!escaped) {
            out[n] = *p++;
            continue;
        }
        if (hex(p[mark]) < 0 || hex(p[mark + 1]) < 0)
            return false;
        out[n] = (char)(hex(p[mark]) << 4 | hex(p[mark + 1]));
        p += mark + 2;
    }
    out[n] = '\0';
    if (kt_name_check(out, NULL) != KT_SUCCESS)
        return false;
    escape(naming, out, again);
    return strcmp(again, place) == 0;
}

static const char *last_part(const char *name)
{
    const char *slash = strrchr(name, '/');

    return slash != NULL ? slash + 1 : name;
}

static bool is_escaping(const struct kt_module *ops)
{
    return ops->naming == KT_NAMING_DASHES || ops->naming == KT_NAMING_UNDERSCORE;
}

/* Where ours stand beside one fixed place, they are told apart by a suffix that any store takes. */
static void beside(const char *name, char *out, size_t size)
{
    char suffix[KT_PLACE_SIZE];

    escape(KT_NAMING_DASHES, name + strlen(".keyturn/"), suffix);
    (void)snprintf(out + strlen(out), size - strlen(out), "-keyturn-%s", suffix);
}

static bool expand(const char *template, const char *name, char *out, size_t size)
{
    size_t n = 0;

    for (const char *p = template; *p != '\0'; p++) {
        const char *piece = p;
        size_t len = 1;

        if (*p == '%') {
            p++;
            piece = *p == 'n' ? name : *p == 'b' ? last_part(name) : "%";
            len = strlen(piece);
        }
        if (len >= size - n)
            return false;
        memcpy(out + n, piece, len);
        n += len;
    }
    out[n] = '\0';
    return true;
}

int kt_name_to_store(const struct kt_line *line, const struct kt_module *ops, const char *name,
                     char out[KT_PLACE_SIZE], struct kt_err *err)
{
    const char *template = line->core.name;

    if (template == NULL && is_escaping(ops)) {
        escape(ops->naming, name, out);
    } else if (template == NULL) {
        memcpy(out, name, strlen(name) + 1);
    } else {
        if (!expand(template, name, out, KT_PLACE_SIZE))
            return kt_fail(err, KT_TOO_LARGE, "the name that name=%s makes is too long", template);
        if (strchr(template, '%') == NULL && kt_name_is_ours(name))
            beside(name, out, KT_PLACE_SIZE);
    }
    if (strlen(out) > ops->name_max)
        return kt_fail(err, KT_TOO_LARGE, "its name there has %zu bytes, the store takes %llu",
                       strlen(out), (unsigned long long)ops->name_max);
    return KT_SUCCESS;
}

bool kt_name_is_listable(const struct kt_line *line)
{
    const char *t = line->core.name;

    return t == NULL || (strstr(t, "%n") != NULL && strstr(t, "%b") == NULL);
}

static int from_template(const char *template, const char *place, char out[KT_NAME_MAX + 1])
{
    const char *at = strstr(template, "%n");
    const size_t head = (size_t)(at - template);
    const size_t tail = strlen(at + 2);
    const size_t len = strlen(place);
    char again[KT_PLACE_SIZE];
    size_t middle;

    /* The text before %n may hold %%, which is one byte there. */
    size_t skip = 0;
    for (size_t i = 0; i + 1 < head; i++)
        if (template[i] == '%' && template[i + 1] == '%') {
            skip++;
            i++;
        }
    if (len < head - skip)
        return KT_IGNORE;
    for (size_t drop = 0; drop <= tail; drop++) {
        if (len - (head - skip) < tail - drop)
            continue;
        middle = len - (head - skip) - (tail - drop);
        if (middle == 0 || middle > KT_NAME_MAX)
            continue;
        memcpy(out, place + head - skip, middle);
        out[middle] = '\0';
        if (kt_name_check(out, NULL) == KT_SUCCESS && expand(template, out, again, sizeof again) &&
            strcmp(again, place) == 0)
            return KT_SUCCESS;
    }
    return KT_IGNORE;
}

int kt_name_from_store(const struct kt_line *line, const struct kt_module *ops, const char *place,
                       char out[KT_NAME_MAX + 1])
{
    if (line->core.name != NULL)
        return from_template(line->core.name, place, out);
    if (is_escaping(ops))
        return unescape(ops->naming, place, out) ? KT_SUCCESS : KT_INVALID;
    if (kt_name_check(place, NULL) != KT_SUCCESS)
        return KT_INVALID;
    memcpy(out, place, strlen(place) + 1);
    return KT_SUCCESS;
}
