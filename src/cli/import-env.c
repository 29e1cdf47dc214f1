/* SPDX-License-Identifier: Apache-2.0 */
#include "import-source.h"

#include "kit/dotenv.h"

#include <stdlib.h>
#include <string.h>

static int by_key(const void *a, const void *b)
{
    const struct item *x = a, *y = b;
    const int order = strcmp(x->key, y->key);

    return order != 0 ? order : (x->line > y->line) - (x->line < y->line);
}

static int by_line(const void *a, const void *b)
{
    const struct item *x = a, *y = b;

    return (x->line > y->line) - (x->line < y->line);
}

/* As its readers do: the last assignment to a key counts. */
static void keep_last(struct source *s)
{
    size_t n = 0;

    if (s->n == 0)
        return;
    qsort(s->items, s->n, sizeof(s->items[0]), by_key);
    for (size_t i = 0; i < s->n; i++) {
        if (i + 1 < s->n && strcmp(s->items[i].key, s->items[i + 1].key) == 0) {
            say_warning(s->cli, "%s, line %zu: %s is assigned again in line %zu, which counts",
                        s->shown, s->items[i].line, s->items[i].key, s->items[i + 1].line);
            free(s->items[i].key);
        } else {
            s->items[n++] = s->items[i];
        }
    }
    s->n = n;
    qsort(s->items, s->n, sizeof(s->items[0]), by_line);
}

/* Other readers may put variables in there; what is stored is what stands there. */
static void warn_expansion(const struct source *s, const struct kt_dotenv_entry *e,
                           const struct item *item)
{
    const char *dollar = e->quote != '\'' ? memchr(e->raw, '$', e->raw_len) : NULL;

    if (dollar != NULL && dollar + 1 < e->raw + e->raw_len && dollar[1] == '{' &&
        (dollar == e->raw || dollar[-1] != '\\'))
        say_warning(s->cli, "%s, line %zu: %s has '${': it is taken as it stands, not expanded",
                    s->shown, item->line, item->key);
}

static int add(struct source *s, const struct kt_dotenv *d, const struct kt_dotenv_entry *e)
{
    struct item *item = NULL;
    char *value;
    int rc = source_add(s, e->key, e->key_len, &item);

    if (rc != 0)
        return rc;
    value = source_value(s, e->raw_len);
    if (value == NULL)
        return fail_status(s->cli, KT_NO_MEMORY, NULL, "out of memory; nothing was imported");
    item->len = kt_dotenv_value(e, value);
    item->data = value;
    item->line = d->line;
    warn_expansion(s, e, item);
    return 0;
}

int import_env(struct source *s)
{
    struct kt_dotenv d = { .text = (const char *)s->text.data, .len = s->text.len };
    struct kt_dotenv_entry e;
    int rc = source_plain_text(s), status = KT_SUCCESS;

    d.len = s->text.len;
    while (rc == 0 && (status = kt_dotenv_next(&d, &e)) == KT_SUCCESS)
        rc = add(s, &d, &e);
    if (rc == 0 && status == KT_CORRUPT)
        rc = source_damaged_at(s, d.line, d.column, d.why);
    if (rc == 0)
        keep_last(s);
    return rc;
}
