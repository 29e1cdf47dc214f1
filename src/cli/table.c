/* SPDX-License-Identifier: Apache-2.0 */
#include "cli.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define COLUMNS_MAX 12
#define GAP 2

/* Cells lie one after the other, each with its NUL, row after row, the heads first. */
struct table {
    size_t columns;
    size_t ncells;
    size_t len;
    size_t size;
    char *text;
    enum shade (*shade[COLUMNS_MAX])(const char *word);
};

static _Noreturn void no_memory(void)
{
    static const char text[] = "keyturn: out of memory\n";

    (void)!write(STDERR_FILENO, text, sizeof(text) - 1);
    _exit(kt_status_exit(KT_NO_MEMORY));
}

static void add(struct table *t, const char *cell)
{
    const size_t len = strlen(cell) + 1;

    if (t->text == NULL || len > t->size - t->len) {
        const size_t size = 2 * t->size + len + 512;
        char *grown = realloc(t->text, size);

        if (grown == NULL)
            no_memory();
        t->text = grown;
        t->size = size;
    }
    memcpy(t->text + t->len, cell, len);
    t->len += len;
    t->ncells++;
}

void table_row(struct table *t, const char *const *cells)
{
    for (size_t i = 0; i < t->columns; i++)
        add(t, cells[i] != NULL && cells[i][0] != '\0' ? cells[i] : "-");
}

struct table *table_new(const char *const *heads, size_t columns)
{
    struct table *t = calloc(1, sizeof(*t));

    if (t == NULL)
        no_memory();
    t->columns = columns;
    table_row(t, heads);
    return t;
}

void table_shade(struct table *t, size_t column, enum shade (*of)(const char *word))
{
    t->shade[column] = of;
}

enum shade shade_status(const char *word)
{
    if (strcmp(word, "success") == 0 || strcmp(word, "ok") == 0)
        return SHADE_GOOD;
    return strncmp(word, "ignore", 6) == 0 || strcmp(word, "not_found") == 0 ? SHADE_ODD
                                                                             : SHADE_BAD;
}

/* As many columns as sink_text() fills, if each character is one wide. */
static size_t width_of(const char *text)
{
    const unsigned char *p = (const unsigned char *)text;
    size_t left = strlen(text), width = 0;

    while (left > 0) {
        bool control;
        size_t n = text_step(p, left, &control);

        width += control ? 4 * n : 1;
        p += n;
        left -= n;
    }
    return width;
}

static bool wants_colour(void)
{
    const char *no = getenv("NO_COLOR"), *term = getenv("TERM");

    return isatty(STDOUT_FILENO) && (no == NULL || *no == '\0') && term != NULL &&
           strcmp(term, "dumb") != 0;
}

static void put_cell(const struct table *t, size_t column, const char *text, bool colour)
{
    static const char *const codes[] = { "", "\x1b[32m", "\x1b[33m", "\x1b[31m" };
    enum shade shade = colour && t->shade[column] != NULL ? t->shade[column](text) : SHADE_NONE;

    sink_str(&sink_out, codes[shade]);
    sink_text(&sink_out, text);
    if (shade != SHADE_NONE)
        sink_str(&sink_out, "\x1b[0m");
}

/* Returns the cell after the row. @width NULL: tabs. */
static const char *put_row(const struct table *t, const char *cell, const size_t *width,
                           bool colour)
{
    for (size_t i = 0; i < t->columns; i++) {
        put_cell(t, i, cell, colour);
        if (i + 1 == t->columns)
            sink_str(&sink_out, "\n");
        else if (width == NULL)
            sink_str(&sink_out, "\t");
        else
            for (size_t pad = width[i] + GAP - width_of(cell); pad > 0; pad--)
                sink_str(&sink_out, " ");
        cell += strlen(cell) + 1;
    }
    return cell;
}

void table_print(struct table *t, bool aligned)
{
    const bool colour = aligned && wants_colour();
    const char *cell = t->text, *end = t->text + t->len;
    size_t width[COLUMNS_MAX] = { 0 };

    for (size_t i = 0; aligned && i < t->ncells; i++, cell += strlen(cell) + 1) {
        size_t w = width_of(cell);

        if (w > width[i % t->columns])
            width[i % t->columns] = w;
    }
    cell = t->text;
    if (aligned)
        cell = put_row(t, cell, width, false);
    else
        for (size_t i = 0; i < t->columns; i++) /* no heads */
            cell += strlen(cell) + 1;
    while (cell < end)
        cell = put_row(t, cell, aligned ? width : NULL, colour);
    free(t->text);
    free(t);
}
