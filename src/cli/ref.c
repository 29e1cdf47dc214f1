/* SPDX-License-Identifier: Apache-2.0 */
#include "refs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SHOWN 80 /* bytes of a reference that a message quotes */

/** struct part - a piece of a reference's text */
struct part {
    const char *at;
    size_t len;
};

static int refuse(struct kt_err *err, struct part whole, const char *why)
{
    const bool cut = whole.len > SHOWN;

    return err_explain(err, KT_INVALID, "'%.*s%s' is no reference: %s",
                       (int)(cut ? SHOWN : whole.len), whole.at, cut ? "..." : "", why);
}

static int no_memory(struct kt_err *err)
{
    return err_explain(err, KT_NO_MEMORY, "out of memory");
}

static bool is(struct part p, const char *word)
{
    return p.len == strlen(word) && memcmp(p.at, word, p.len) == 0;
}

/* What is before the first @mark; @rest is what follows it, its .at NULL if there is none. */
static struct part split(struct part p, char mark, struct part *rest)
{
    const char *at = p.len > 0 ? memchr(p.at, mark, p.len) : NULL;

    *rest = (struct part){ 0 };
    if (at == NULL)
        return p;
    *rest = (struct part){ at + 1, p.len - (size_t)(at - p.at) - 1 };
    return (struct part){ p.at, (size_t)(at - p.at) };
}

static int hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
        return (c | 0x20) - 'a' + 10;
    return -1;
}

/* %XX, and never a NUL; NULL: malformed, or out of memory. */
static char *decode(struct part p, bool *malformed)
{
    char *out = malloc(p.len + 1);
    size_t n = 0;

    *malformed = false;
    for (size_t i = 0; out != NULL && i < p.len && !*malformed; i++) {
        int c = (unsigned char)p.at[i];

        if (c == '%') {
            const int high = i + 2 < p.len ? hex(p.at[i + 1]) : -1;
            const int low = high >= 0 ? hex(p.at[i + 2]) : -1;

            c = low < 0 ? 0 : high * 16 + low;
            i += 2;
        }
        *malformed = c == 0;
        out[n++] = (char)c;
    }
    if (out != NULL)
        out[n] = '\0';
    if (!*malformed)
        return out;
    free(out);
    return NULL;
}

static bool is_service(const char *name)
{
    const size_t len = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_-");

    return len >= 1 && len <= 64 && name[len] == '\0';
}

static bool is_stage(const char *name)
{
    return strcmp(name, "current") == 0 || strcmp(name, "previous") == 0 ||
           strcmp(name, "pending") == 0;
}

/* stage=, version= or field= */
static int take_pair(struct part pair, struct part whole, struct ref *r, struct kt_err *err)
{
    struct part value;
    const struct part key = split(pair, '=', &value);
    char **to = is(key, "stage")     ? &r->stage
                : is(key, "version") ? &r->version
                : is(key, "field")   ? &r->field
                                     : NULL;
    bool malformed;

    if (to == NULL)
        return refuse(err, whole, "after '?' come stage=, version= and field=, joined by '&'");
    if (*to != NULL)
        return refuse(err, whole, "a part after '?' stands twice");
    if (value.len == 0)
        return refuse(err, whole, "a part after '?' is empty");
    *to = decode(value, &malformed);
    if (malformed)
        return refuse(err, whole, "'%' is followed by two hexadecimal digits, and never by 00");
    return *to != NULL ? KT_SUCCESS : no_memory(err);
}

static int take_query(struct part query, struct part whole, struct ref *r, struct kt_err *err)
{
    while (query.at != NULL) {
        struct part rest;
        const int rc = take_pair(split(query, '&', &rest), whole, r, err);

        if (rc != KT_SUCCESS)
            return rc;
        query = rest;
    }
    if (r->stage != NULL && r->version != NULL)
        return refuse(err, whole, "stage= and version= exclude each other");
    if (r->stage != NULL && !is_stage(r->stage))
        return refuse(err, whole, "a stage is current, previous or pending");
    if (r->version != NULL && strlen(r->version) >= KT_ID_SIZE)
        return refuse(err, whole, "no version has so long an id");
    return KT_SUCCESS;
}

/* //SERVICE/NAME; @path gets what is after the service's slash */
static int take_service(struct part p, struct part whole, struct ref *r, struct part *path,
                        struct kt_err *err)
{
    struct part service;

    if (p.len < 2 || p.at[0] != '/' || p.at[1] != '/')
        return refuse(err, whole,
                      "it is written " REF_SCHEME "///NAME or " REF_SCHEME "//SERVICE/NAME");
    service = split((struct part){ p.at + 2, p.len - 2 }, '/', path);
    if (path->at == NULL)
        return refuse(err, whole,
                      "it has no name; a NAME of the default service is " REF_SCHEME "///NAME");
    if (service.len == 0)
        return KT_SUCCESS;
    r->service = strndup(service.at, service.len);
    if (r->service == NULL)
        return no_memory(err);
    if (!is_service(r->service))
        return refuse(err, whole, "a service's name is 1 to 64 of a-z, 0-9, _ and -");
    return KT_SUCCESS;
}

static int take(struct part whole, bool bare, struct ref *r, struct kt_err *err)
{
    const size_t scheme = strlen(REF_SCHEME);
    struct part query, name = split(whole, '?', &query);
    int rc;

    if (whole.len > 0 && memchr(whole.at, '\0', whole.len) != NULL)
        return refuse(err, (struct part){ whole.at, strlen(whole.at) }, "a NUL byte follows");
    if (name.len >= scheme && memcmp(name.at, REF_SCHEME, scheme) == 0)
        rc = take_service((struct part){ name.at + scheme, name.len - scheme }, whole, r, &name,
                          err);
    else
        rc = bare ? KT_SUCCESS : refuse(err, whole, "it does not begin with " REF_SCHEME "//");
    if (rc == KT_SUCCESS)
        rc = take_query(query, whole, r, err);
    if (rc != KT_SUCCESS)
        return rc;
    r->name = strndup(name.at != NULL ? name.at : "", name.len);
    return r->name != NULL ? kt_name_check(r->name, err) : no_memory(err);
}

int ref_parse(const char *text, size_t len, bool bare, struct ref *out, struct kt_err *err)
{
    struct ref r = { 0 };
    const int rc = take((struct part){ text, len }, bare, &r, err);

    if (rc == KT_SUCCESS)
        *out = r;
    else
        ref_done(&r);
    return rc == KT_NO_MEMORY ? KT_NO_MEMORY : rc == KT_SUCCESS ? KT_SUCCESS : KT_INVALID;
}

void ref_done(struct ref *r)
{
    free(r->service);
    free(r->name);
    free(r->version);
    free(r->stage);
    free(r->field);
    *r = (struct ref){ 0 };
}
