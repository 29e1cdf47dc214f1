/* SPDX-License-Identifier: Apache-2.0 */

/*
 * keyring_pass.cfg of Python's keyrings.alt: an INI file, a section for each service, an option for each
 * user, base64 of the password as value. What is no ASCII letter or digit is `_` and two hexadecimal
 * digits; users' names are in lower case. Source: keyrings.alt 5.0, file_base.py and escape.py.
 */
#include "import-source.h"

#include "kit/base64.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct ini {
    struct source *s;
    const char *at;
    const char *end;
    char service[KT_NAME_MAX + 1];
    bool in_section;
    struct item *item; /* whose value goes on */
    size_t index;
    const char *value_at;
};

static int hex(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* false: too long for a name, or a NUL in it */
static bool unescape(const char *from, size_t len, char *out, size_t size)
{
    size_t n = 0;

    for (size_t i = 0; i < len; i++) {
        char c = from[i];

        if (c == '_' && i + 2 < len && hex(from[i + 1]) >= 0 && hex(from[i + 2]) >= 0) {
            c = (char)(hex(from[i + 1]) << 4 | hex(from[i + 2]));
            i += 2;
        }
        if (n + 1 >= size || c == '\0')
            return false;
        out[n++] = c;
    }
    out[n] = '\0';
    return true;
}

static int take_section(struct ini *ini, const char *line, const char *eol)
{
    static const char setting[] = "keyring_2Dsetting";
    const char *close = memrchr(line, ']', (size_t)(eol - line));
    const size_t len = close != NULL ? (size_t)(close - line - 1) : 0;

    ini->item = NULL;
    if (close == NULL)
        return source_damaged(ini->s, line, "']' is missing");
    if (len == sizeof(setting) - 1 && memcmp(line + 1, setting, len) == 0)
        return fail_status(ini->s->cli, KT_UNSUPPORTED, NULL,
                           "%s is encrypted; nothing was imported: only Python can read it, "
                           "'keyring get SERVICE USERNAME | keyturn set NAME --trim'",
                           ini->s->shown);
    if (!unescape(line + 1, len, ini->service, sizeof(ini->service)))
        return source_damaged(ini->s, line, "a service's name that is too long, or has a NUL");
    ini->in_section = true;
    return 0;
}

/* More base64 of the value; its blanks do not count. */
static int take_base64(struct ini *ini, const char *from, const char *eol)
{
    struct item *item = &ini->s->items[ini->index];

    for (; from < eol; from++) {
        char *room;

        if (strchr(" \t\r", *from) != NULL && *from != '\0')
            continue;
        room = source_value(ini->s, 1);
        if (room == NULL)
            return fail_status(ini->s->cli, KT_NO_MEMORY, NULL,
                               "out of memory; nothing was imported");
        *room = *from;
        if (item->data == NULL)
            item->data = room;
        item->len++;
    }
    return 0;
}

static int take_option(struct ini *ini, const char *line, const char *eol)
{
    const char *equals = line;
    char user[KT_NAME_MAX + 1], *key = NULL;
    size_t len;
    int rc;

    while (equals < eol && *equals != '=' && *equals != ':')
        equals++;
    if (equals == eol)
        return source_damaged(ini->s, line, "'=' is missing");
    if (!ini->in_section)
        return source_damaged(ini->s, line, "a value before the first section");
    for (len = (size_t)(equals - line); len > 0 && strchr(" \t", line[len - 1]) != NULL; len--)
        ;
    if (!unescape(line, len, user, sizeof(user)))
        return source_damaged(ini->s, line, "a user's name that is too long, or has a NUL");
    if (asprintf(&key, "%s/%s", ini->service, user) < 0)
        return fail_status(ini->s->cli, KT_NO_MEMORY, NULL, "out of memory; nothing was imported");
    rc = source_add(ini->s, key, strlen(key), &ini->item);
    free(key);
    if (rc != 0)
        return rc;
    ini->index = ini->s->n - 1;
    ini->value_at = equals + 1;
    return take_base64(ini, equals + 1, eol);
}

/* The value that has come to its end. */
static int end_value(struct ini *ini)
{
    struct item *item = ini->item != NULL ? &ini->s->items[ini->index] : NULL;

    ini->item = NULL;
    if (item == NULL)
        return 0;
    if (item->data == NULL)
        item->data = ""; /* an empty password */
    else if (!kt_base64_decode(item->data, item->len, (char *)(uintptr_t)item->data, &item->len))
        return source_damaged(ini->s, ini->value_at, "a value that is no base64");
    return 0;
}

static int take_line(struct ini *ini, const char *line, const char *eol)
{
    const char *p = line;
    int rc;

    while (p < eol && strchr(" \t\r", *p) != NULL && *p != '\0')
        p++;
    if (p == eol || ((*p == '#' || *p == ';') && p == line))
        return 0;
    if (p > line && ini->item != NULL)
        return take_base64(ini, p, eol);
    rc = end_value(ini);
    if (rc != 0)
        return rc;
    return *p == '[' ? take_section(ini, p, eol) : take_option(ini, p, eol);
}

int import_python_file(struct source *s)
{
    struct ini ini = { .s = s };
    int rc = source_plain_text(s);

    ini.at = (const char *)s->text.data;
    ini.end = ini.at + s->text.len;
    while (rc == 0 && ini.at < ini.end) {
        const char *newline = memchr(ini.at, '\n', (size_t)(ini.end - ini.at));
        const char *eol = newline != NULL ? newline : ini.end;

        rc = take_line(&ini, ini.at, eol);
        ini.at = newline != NULL ? newline + 1 : ini.end;
    }
    return rc == 0 ? end_value(&ini) : rc;
}
