/* SPDX-License-Identifier: Apache-2.0 */
#include "options.h"

#include "err.h"
#include "path.h"
#include "words.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct unit {
    const char *name;
    int64_t factor;
};

/* Digits, then one of the units; KT_INVALID if it is anything else or more than INT64_MAX. */
static int parse_number(const char *text, const struct unit *units, size_t n, int64_t *out)
{
    int64_t value = 0;
    const char *p = text;

    for (; *p >= '0' && *p <= '9'; p++)
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, *p - '0', &value))
            return KT_INVALID;
    if (p == text)
        return KT_INVALID;
    for (size_t i = 0; i < n; i++) {
        if (strcmp(p, units[i].name) != 0)
            continue;
        if (__builtin_mul_overflow(value, units[i].factor, &value))
            return KT_INVALID;
        *out = value;
        return KT_SUCCESS;
    }
    return KT_INVALID;
}

int kt_duration_parse(const char *text, int64_t *ms)
{
    static const struct unit units[] = { { "ms", 1 },
                                         { "s", 1000 },
                                         { "m", 60 * 1000LL },
                                         { "h", 3600 * 1000LL },
                                         { "d", 86400 * 1000LL } };

    if (strcmp(text, "0") == 0) {
        *ms = 0;
        return KT_SUCCESS;
    }
    return parse_number(text, units, sizeof(units) / sizeof(units[0]), ms);
}

int kt_size_parse(const char *text, int64_t *bytes)
{
    static const struct unit units[] = {
        { "", 1 }, { "K", 1024 }, { "M", 1024 * 1024LL }, { "G", 1024LL * 1024 * 1024 }
    };

    return parse_number(text, units, sizeof(units) / sizeof(units[0]), bytes);
}

int kt_number_parse(const char *text, int64_t *number)
{
    static const struct unit none = { "", 1 };

    return parse_number(text, &none, 1, number);
}

/* ---- a module's options ----------------------------------------------------------------------- */

/* Where the option that is judged stands; no word: a default. */
struct place {
    const char *where;
    const struct kt_word *word;
};

static int refuse(const struct place *p, struct kt_err *err, const char *fmt, ...) KT_PRINTF(3, 4);

static int refuse(const struct place *p, struct kt_err *err, const char *fmt, ...)
{
    const struct kt_word *w = p->word;
    const char *lineno = strrchr(p->where, ':');
    char text[400], at[32] = "";
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    if (w->column != 0 && lineno != NULL && strtoul(lineno + 1, NULL, 10) != w->lineno)
        (void)snprintf(at, sizeof(at), ", at %u:%u", w->lineno, w->column);
    else if (w->column != 0)
        (void)snprintf(at, sizeof(at), ":%u", w->column);
    return kt_fail(err, KT_CONFIG_ERROR, "%s%s: %s", p->where, at, text);
}

static int set_string(const char *value, const struct kt_option *o, struct kt_arg *arg)
{
    (void)o;
    arg->value = strdup(value);
    return arg->value != NULL ? KT_SUCCESS : KT_NO_MEMORY;
}

static int set_number(const char *value, const struct kt_option *o, struct kt_arg *arg)
{
    int rc = kt_number_parse(value, &arg->number);

    return rc == KT_SUCCESS ? set_string(value, o, arg) : rc;
}

static int set_duration(const char *value, const struct kt_option *o, struct kt_arg *arg)
{
    int rc = kt_duration_parse(value, &arg->number);

    return rc == KT_SUCCESS ? set_string(value, o, arg) : rc;
}

static int set_size(const char *value, const struct kt_option *o, struct kt_arg *arg)
{
    int rc = kt_size_parse(value, &arg->number);

    return rc == KT_SUCCESS ? set_string(value, o, arg) : rc;
}

static int set_path(const char *value, const struct kt_option *o, struct kt_arg *arg)
{
    char home[PATH_MAX], *path;
    int rc;

    if (value[0] == '/')
        return set_string(value, o, arg);
    if (strncmp(value, "~/", 2) != 0)
        return KT_INVALID;
    rc = kt_home(home, sizeof(home), NULL);
    if (rc != KT_SUCCESS)
        return rc;
    if (asprintf(&path, "%s%s", home, value + 1) < 0)
        return KT_NO_MEMORY;
    arg->value = path;
    return KT_SUCCESS;
}

/* The words after the first of "a|a|b|c"; the first is the default. */
static const char *choices(const struct kt_option *o)
{
    const char *bar = o->def != NULL ? strchr(o->def, '|') : NULL;

    return bar != NULL ? bar + 1 : "";
}

static int set_choice(const char *value, const struct kt_option *o, struct kt_arg *arg)
{
    const char *p = choices(o);
    int64_t index = 0;

    for (size_t len = strcspn(p, "|"); len > 0; index++) {
        if (strlen(value) == len && strncmp(p, value, len) == 0) {
            arg->number = index;
            return set_string(value, o, arg);
        }
        p += len;
        p += *p == '|';
        len = strcspn(p, "|");
    }
    return KT_INVALID;
}

static const struct {
    int (*set)(const char *value, const struct kt_option *o, struct kt_arg *arg);
    const char *expected;
} types[] = {
    [KT_OPTION_STRING] = { set_string, "a text" },
    [KT_OPTION_FLAG] = { NULL, NULL },
    [KT_OPTION_NUMBER] = { set_number, "a decimal number" },
    [KT_OPTION_DURATION] = { set_duration, "a time such as 500ms, 10s, 5m, 6h or 7d" },
    [KT_OPTION_SIZE] = { set_size, "bytes, or a number with K, M or G" },
    [KT_OPTION_PATH] = { set_path, "a path that begins with / or ~/" },
    [KT_OPTION_CHOICE] = { set_choice, "one of " },
};

static int type_of(const struct kt_option *o)
{
    return o->type & ~KT_OPTION_OPERAND;
}

/* For those who write service files as they write shell. */
static const char *quotes_hint(const char *text)
{
    return strpbrk(text, "\"'") != NULL ? "; quotes mean nothing here, [path=/a b] holds a blank"
                                        : "";
}

/* @value is what follows the `=`. */
static int set_value(const struct place *p, const struct kt_option *o, const char *value,
                     struct kt_arg *arg, struct kt_err *err)
{
    char quoted[KT_QUOTE_SIZE];
    int rc = types[type_of(o)].set(value, o, arg);

    if (rc == KT_SUCCESS)
        return rc;
    if (rc == KT_NO_MEMORY)
        return kt_fail(err, rc, "%s: out of memory", p->where);
    if (rc != KT_INVALID)
        return refuse(p, err, "option '%s': no home directory is known for '~/'", o->name);
    return refuse(p, err, "option '%s': expected %s%s, found '%s'%s", o->name,
                  types[type_of(o)].expected, type_of(o) == KT_OPTION_CHOICE ? choices(o) : "",
                  kt_quote(value, quoted), quotes_hint(value));
}

static bool is_named(const struct kt_word *w, const struct kt_option *o)
{
    size_t len = strcspn(w->text, "=");

    return strlen(o->name) == len && strncmp(w->text, o->name, len) == 0;
}

static int set_given(const struct place *p, const struct kt_option *o, struct kt_arg *arg,
                     struct kt_err *err)
{
    const char *value = strchr(p->word->text, '=');

    if (type_of(o) == KT_OPTION_FLAG && value != NULL)
        return refuse(p, err, "expected '%s' alone, found a value after it", o->name);
    if (o->type != KT_OPTION_FLAG && value == NULL)
        return refuse(p, err, "expected '%s=...', found '%s' alone", o->name, o->name);
    *arg = (struct kt_arg){ .name = o->name };
    if (o->type != KT_OPTION_FLAG)
        return set_value(p, o, value + 1, arg, err);
    arg->number = 1;
    arg->value = strdup("");
    return arg->value != NULL ? KT_SUCCESS
                              : kt_fail(err, KT_NO_MEMORY, "%s: out of memory", p->where);
}

/* A default that its own type does not take is the module author's mistake. */
static int set_default(const char *where, const struct kt_option *o, struct kt_arg *arg,
                       struct kt_err *err)
{
    const struct kt_word none = { .text = NULL };
    const struct place p = { where, &none };
    char *first;
    int rc;

    first = type_of(o) == KT_OPTION_CHOICE ? strndup(o->def, strcspn(o->def, "|")) : strdup(o->def);
    if (first == NULL)
        return kt_fail(err, KT_NO_MEMORY, "%s: out of memory", where);
    *arg = (struct kt_arg){ .name = o->name };
    rc = set_value(&p, o, first, arg, err);
    free(first);
    return rc;
}

/* Every word is in the table. Only the name is shown: what follows might be a misplaced secret. */
static int check_known(const struct kt_option *table, const struct place *p, struct kt_err *err)
{
    char quoted[KT_QUOTE_SIZE], key[KT_QUOTE_SIZE + 16], known[300] = "";
    size_t used = 0;

    for (const struct kt_option *o = table; o != NULL && o->name != NULL; o++) {
        if (is_named(p->word, o))
            return KT_SUCCESS;
        if (used < sizeof(known))
            used += (size_t)snprintf(known + used, sizeof(known) - used, "%s%s",
                                     used > 0 ? " " : "", o->name);
    }
    (void)snprintf(key, sizeof(key), "%.*s", (int)strcspn(p->word->text, "="), p->word->text);
    return refuse(p, err, "unknown option '%s': expected %s%s%s", kt_quote(key, quoted),
                  used > 0 ? "one of " : "none", known, quotes_hint(key));
}

int kt_options_parse(const struct kt_option *table, const struct kt_word *words, size_t nwords,
                     const char *where, struct kt_arg **args, size_t *nargs, struct kt_err *err)
{
    size_t rows = 0, n = 0;
    struct kt_arg *list;
    int rc = KT_SUCCESS;

    for (size_t i = 0; i < nwords && rc == KT_SUCCESS; i++)
        rc = check_known(table, &(struct place){ where, &words[i] }, err);
    if (rc != KT_SUCCESS)
        return rc;
    while (table != NULL && table[rows].name != NULL)
        rows++;
    list = calloc(rows + 1, sizeof(*list));
    if (list == NULL)
        return kt_fail(err, KT_NO_MEMORY, "%s: out of memory", where);
    for (size_t r = 0; r < rows && rc == KT_SUCCESS; r++) {
        const struct kt_word *given = NULL;
        for (size_t i = 0; i < nwords && rc == KT_SUCCESS; i++) {
            const struct place p = { where, &words[i] };
            if (!is_named(&words[i], &table[r]))
                continue;
            if (given != NULL)
                rc = refuse(&p, err, "option '%s' is given twice", table[r].name);
            else
                rc = set_given(&p, &table[r], &list[n++], err);
            given = &words[i];
        }
        if (given == NULL && table[r].def != NULL && type_of(&table[r]) != KT_OPTION_FLAG)
            rc = set_default(where, &table[r], &list[n++], err);
    }
    if (rc != KT_SUCCESS) {
        kt_options_free(list, n);
        return rc;
    }
    *args = list;
    *nargs = n;
    return KT_SUCCESS;
}

void kt_options_free(struct kt_arg *args, size_t nargs)
{
    for (size_t i = 0; i < nargs; i++)
        free((void *)args[i].value);
    free(args);
}
