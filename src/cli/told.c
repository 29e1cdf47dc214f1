/* SPDX-License-Identifier: Apache-2.0 */
#include "told.h"

#include <stdio.h>
#include <stdlib.h>

/* KT_CAP_* of <keyturn/module.h>, from bit 0 on: the command line sees <keyturn/keyturn.h> alone. */
static const char *const capabilities[] = {
    "attributes", "disable", "destroy", "versions", "stages",    "binary",
    "expires",    "restore", "list",    "own-id",   "user-only", "scripted",
};
#define NCAPABILITIES (sizeof(capabilities) / sizeof(capabilities[0]))

const char *told_text(const struct told *m, int field)
{
    return m->text[field] != NULL ? m->text[field] : "";
}

static uint64_t number_of(const struct told *m, int field)
{
    return strtoull(told_text(m, field), NULL, 10);
}

int told_status(const struct told *m)
{
    return (int)number_of(m, F_STATUS);
}

void told_free(struct told *m)
{
    for (size_t i = 0; i < F_COUNT; i++)
        free(m->text[i]);
    for (size_t i = 0; i < m->noptions; i++)
        for (size_t k = 0; k < 4; k++)
            free(m->option[i][k]);
    for (size_t i = 0; i < m->nverbs; i++)
        for (size_t k = 0; k < 3; k++)
            free(m->verb[i][k]);
    *m = (struct told){ 0 };
}

/* An array of objects; @cells: @n rows of @columns. */
static void rows_json(struct json *j, const char *key, const char *const *names, size_t columns,
                      char *const *cells, size_t n)
{
    json_key(j, key);
    sink_str(j->to, "[");
    for (size_t i = 0; i < n; i++) {
        struct json row = { .to = j->to };

        sink_str(j->to, i > 0 ? ",{" : "{");
        for (size_t k = 0; k < columns; k++)
            json_text(&row, names[k], cells[i * columns + k]);
        sink_str(j->to, "}");
    }
    sink_str(j->to, "]");
}

static void rows_table(const char *const *heads, size_t columns, char *const *cells, size_t n)
{
    struct table *t;

    if (n == 0)
        return;
    t = table_new(heads, columns);
    for (size_t i = 0; i < n; i++)
        table_row(t, (const char *const *)cells + i * columns);
    sink_str(&sink_out, "\n");
    table_print(t, true);
}

void told_json(const struct told *m)
{
    struct json j = json_open(&sink_out);
    uint64_t caps = number_of(m, F_CAPS);

    json_text(&j, "status", kt_status_name(told_status(m)));
    json_str(&j, "problem", m->text[F_PROBLEM]);
    json_str(&j, "path", m->text[F_PATH]);
    json_str(&j, "name", m->text[F_NAME]);
    json_str(&j, "version", m->text[F_VERSION]);
    json_str(&j, "summary", m->text[F_SUMMARY]);
    json_str(&j, "kind", m->text[F_KIND]);
    json_str(&j, "class", m->text[F_PROTECTION]);
    json_str(&j, "cas", m->text[F_CAS]);
    json_int(&j, "abi", (int64_t)number_of(m, F_ABI));
    json_key(&j, "capabilities");
    sink_str(j.to, "[");
    for (size_t i = 0, n = 0; i < NCAPABILITIES; i++)
        if ((caps >> i & 1) != 0)
            sink_printf(j.to, "%s\"%s\"", n++ > 0 ? "," : "", capabilities[i]);
    sink_str(j.to, "]");
    json_int(&j, "value_min", (int64_t)number_of(m, F_VALUE_MIN));
    json_int(&j, "value_max", (int64_t)number_of(m, F_VALUE_MAX));
    json_int(&j, "name_max", (int64_t)number_of(m, F_NAME_MAX));
    rows_json(&j, "options", (const char *[]){ "name", "type", "default", "help" }, 4,
              &m->option[0][0], m->noptions);
    rows_json(&j, "verbs", (const char *[]){ "name", "words", "help" }, 3, &m->verb[0][0],
              m->nverbs);
    json_close(&j);
}

static void put_fact(const char *what, const char *text)
{
    sink_printf(&sink_out, "%-13s ", what);
    sink_text(&sink_out, *text != '\0' ? text : "-");
    sink_str(&sink_out, "\n");
}

void told_details(const struct told *m)
{
    uint64_t caps = number_of(m, F_CAPS);
    char text[256] = "", *p = text;

    put_fact("module", told_text(m, F_NAME));
    put_fact("summary", told_text(m, F_SUMMARY));
    put_fact("path", told_text(m, F_PATH));
    put_fact("version", told_text(m, F_VERSION));
    put_fact("ABI", told_text(m, F_ABI));
    put_fact("kind", told_text(m, F_KIND));
    put_fact("class", told_text(m, F_PROTECTION));
    put_fact("cas", told_text(m, F_CAS));
    for (size_t i = 0; i < NCAPABILITIES; i++)
        if ((caps >> i & 1) != 0)
            p += snprintf(p, (size_t)(text + sizeof(text) - p), "%s%s", p != text ? " " : "",
                          capabilities[i]);
    put_fact("capabilities", text);
    (void)snprintf(text, sizeof(text), "value %s to %s bytes, name at most %s bytes",
                   told_text(m, F_VALUE_MIN), told_text(m, F_VALUE_MAX), told_text(m, F_NAME_MAX));
    put_fact("limits", text);
    rows_table((const char *[]){ "OPTION", "TYPE", "DEFAULT", "MEANING" }, 4, &m->option[0][0],
               m->noptions);
    rows_table((const char *[]){ "VERB", "WORDS", "MEANING" }, 3, &m->verb[0][0], m->nverbs);
}
