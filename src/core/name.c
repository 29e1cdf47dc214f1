/* SPDX-License-Identifier: Apache-2.0 */
#include "name.h"

#include <string.h>

#include "err.h"

#define OURS ".keyturn"
#define LOWER "abcdefghijklmnopqrstuvwxyz"
#define DIGITS "0123456789"
#define NAME_CHARS "ABCDEFGHIJKLMNOPQRSTUVWXYZ" LOWER DIGITS "_+=.@-"
#define SERVICE_MAX 64

/* What is wrong with one part of @len bytes, and at which of them; NULL = nothing. */
typedef const char *(*part_rule)(const char *part, size_t len, size_t *at);

/* By table: a name is checked in every call, and strspn() builds its own each time. */
static size_t span_name_chars(const char *part, size_t len)
{
    static const bool allowed[256] = {
        ['A' ... 'Z'] = true, ['a' ... 'z'] = true, ['0' ... '9'] = true,
        ['_'] = true,         ['+'] = true,         ['='] = true,
        ['.'] = true,         ['@'] = true,         ['-'] = true,
    };

    for (size_t i = 0; i < len; i++)
        if (!allowed[(unsigned char)part[i]])
            return i;
    return len;
}

static const char *check_part(const char *part, size_t len, size_t *at)
{
    *at = 0;
    if (len == 0)
        return "has an empty part";
    if (part[0] == '.' && (len == 1 || (len == 2 && part[1] == '.')))
        return "has a part '.' or '..'";
    *at = span_name_chars(part, len);
    return *at < len ? "has a character that is none of A-Z a-z 0-9 _ + = . @ - /" : NULL;
}

static const char *check_pattern_part(const char *part, size_t len, size_t *at)
{
    *at = 0;
    if (len == 2 && part[0] == '*' && part[1] == '*')
        return NULL;
    for (size_t i = 1; i < len; i++)
        if (part[i] == '*' && part[i - 1] == '*')
            return "has '**' in a part that is more than that";
    *at = strspn(part, NAME_CHARS "*");
    if (*at < len)
        return "has a character that is none of A-Z a-z 0-9 _ + = . @ - / *";
    return memchr(part, '*', len) != NULL ? NULL : check_part(part, len, at);
}

static int check_parts(const char *what, const char *text, part_rule rule, struct kt_err *err)
{
    const char *part = text;
    const char *problem;
    size_t at;

    if (text == NULL || *text == '\0')
        return kt_fail(err, KT_INVALID, "the %s is empty", what);
    if (strnlen(text, KT_NAME_MAX + 1) > KT_NAME_MAX)
        return kt_fail(err, KT_TOO_LARGE, "the %s '%.32s...' is longer than %d bytes", what, text,
                       KT_NAME_MAX);
    for (;;) {
        size_t len = strcspn(part, "/");

        problem = rule(part, len, &at);
        if (problem != NULL)
            return kt_fail(err, KT_INVALID, "the %s '%s' %s (byte %zu)", what, text, problem,
                           (size_t)(part - text) + at + 1);
        if (part[len] == '\0')
            return KT_SUCCESS;
        part += len + 1;
    }
}

int kt_name_check(const char *name, struct kt_err *err)
{
    return check_parts("name", name, check_part, err);
}

bool kt_name_has_prefix(const char *name, const char *prefix)
{
    size_t len;

    if (prefix == NULL)
        return true;
    len = strlen(prefix);
    return strncmp(name, prefix, len) == 0 && (name[len] == '\0' || name[len] == '/');
}

bool kt_name_is_ours(const char *name)
{
    return kt_name_has_prefix(name, OURS);
}

int kt_name_for_program(const char *name, struct kt_err *err)
{
    int rc = kt_name_check(name, err);

    if (rc != KT_SUCCESS)
        return rc;
    if (kt_name_is_ours(name))
        return kt_fail(err, KT_INVALID, "'%s': names under '%s/' are keyturn's own", name, OURS);
    return KT_SUCCESS;
}

int kt_service_name_check(const char *name, struct kt_err *err)
{
    size_t len;

    if (name == NULL || *name == '\0')
        return kt_fail(err, KT_INVALID, "the service's name is empty");
    len = strnlen(name, SERVICE_MAX + 1);
    if (len > SERVICE_MAX)
        return kt_fail(err, KT_INVALID, "the service's name '%.32s...' is longer than %d bytes",
                       name, SERVICE_MAX);
    if (strspn(name, LOWER DIGITS "_-") < len)
        return kt_fail(err, KT_INVALID,
                       "the service's name '%s' has a character that is none of a-z 0-9 _ -", name);
    return KT_SUCCESS;
}

int kt_pattern_check(const char *pattern, struct kt_err *err)
{
    return check_parts("pattern", pattern, check_pattern_part, err);
}

/* One part against one part. On a mismatch the last `*` takes one byte more: no need to go back
 * further, since whatever an earlier one could take, the last one can take too. */
static bool part_matches(const char *pattern, size_t plen, const char *name, size_t nlen)
{
    size_t p = 0, n = 0;
    size_t star = 0, taken = 0; /* pattern index after the last `*` (0: none), where it ends now */

    while (n < nlen) {
        if (p < plen && pattern[p] == '*') {
            star = ++p;
            taken = n;
        } else if (p < plen && pattern[p] == name[n]) {
            p++;
            n++;
        } else if (star != 0) {
            p = star;
            n = ++taken;
        } else {
            return false;
        }
    }
    while (p < plen && pattern[p] == '*')
        p++;
    return p == plen;
}

static const char *next_part(const char *part)
{
    const char *slash = strchr(part, '/');

    return slash != NULL ? slash + 1 : NULL;
}

static bool is_any_parts(const char *part)
{
    return part[0] == '*' && part[1] == '*' && (part[2] == '/' || part[2] == '\0');
}

/* The same method over parts, with `**` for `*`; NULL is past the last part. */
bool kt_pattern_match(const char *pattern, const char *name)
{
    const char *p = pattern, *n = name;
    const char *star = NULL, *taken = NULL;

    while (n != NULL) {
        if (p != NULL && is_any_parts(p)) {
            p = next_part(p);
            if (p == NULL)
                return true;
            star = p;
            taken = n;
        } else if (p != NULL && part_matches(p, strcspn(p, "/"), n, strcspn(n, "/"))) {
            p = next_part(p);
            n = next_part(n);
        } else if (star != NULL) {
            p = star;
            taken = next_part(taken);
            n = taken;
        } else {
            return false;
        }
    }
    while (p != NULL && is_any_parts(p))
        p = next_part(p);
    return p == NULL;
}
