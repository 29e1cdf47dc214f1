/* SPDX-License-Identifier: Apache-2.0 */
#include "control.h"

#include "err.h"
#include "words.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define UNSET (-100)
#define ACTIONS "expected ok, done, bad, die, ignore, reset or a number of lines to skip"

struct pair {
    int status;
    int action;
};

#define REST(action)                                                                               \
    {                                                                                              \
        -1, action                                                                                 \
    }

/* What each keyword does to the statuses it names; a REST row ends it. */
static const struct keyword {
    const char *name;
    struct pair pairs[9];
} keywords[] = {
    { "required", { { KT_SUCCESS, KT_DO_OK }, { KT_IGNORE, KT_DO_IGNORE }, REST(KT_DO_BAD) } },
    { "requisite", { { KT_SUCCESS, KT_DO_OK }, { KT_IGNORE, KT_DO_IGNORE }, REST(KT_DO_DIE) } },
    { "sufficient", { { KT_SUCCESS, KT_DO_DONE }, REST(KT_DO_IGNORE) } },
    { "optional", { { KT_SUCCESS, KT_DO_OK }, REST(KT_DO_IGNORE) } },
    { "binding", { { KT_SUCCESS, KT_DO_DONE }, { KT_IGNORE, KT_DO_IGNORE }, REST(KT_DO_BAD) } },
    { "fallback",
      { { KT_SUCCESS, KT_DO_DONE },
        { KT_IGNORE, KT_DO_IGNORE },
        { KT_NOT_FOUND, KT_DO_IGNORE },
        { KT_UNAVAILABLE, KT_DO_IGNORE },
        { KT_THROTTLED, KT_DO_IGNORE },
        { KT_TIMEOUT, KT_DO_IGNORE },
        { KT_LOCKED, KT_DO_IGNORE },
        REST(KT_DO_DIE) } },
    { "front",
      { { KT_SUCCESS, KT_DO_DONE },
        { KT_IGNORE, KT_DO_IGNORE },
        { KT_UNAVAILABLE, KT_DO_IGNORE },
        { KT_TIMEOUT, KT_DO_IGNORE },
        REST(KT_DO_DIE) } },
};

static const struct {
    const char *name;
    int action;
} actions[] = {
    { "ok", KT_DO_OK },   { "done", KT_DO_DONE },     { "bad", KT_DO_BAD },
    { "die", KT_DO_DIE }, { "ignore", KT_DO_IGNORE }, { "reset", KT_DO_RESET },
};

static void fill_unset(struct kt_control *c, int action)
{
    for (size_t i = 0; i < KT_STATUS_COUNT; i++)
        if (c->action[i] == UNSET)
            c->action[i] = action;
}

static const struct keyword *find_keyword(const char *name)
{
    for (size_t i = 0; i < sizeof(keywords) / sizeof(keywords[0]); i++)
        if (strcmp(keywords[i].name, name) == 0)
            return &keywords[i];
    return NULL;
}

static void apply_keyword(const struct keyword *k, struct kt_control *c)
{
    const struct pair *p = k->pairs;

    for (; p->status >= 0; p++)
        c->action[p->status] = p->action;
    fill_unset(c, p->action);
}

/* A word of a bracket: it stands at @at, is @len bytes long. */
struct piece {
    const char *at;
    size_t len;
};

struct bracket {
    const char *file;
    const struct kt_word *word;
    bool broken;
    const char *at;
};

static int refuse(const struct bracket *b, const struct piece *p, const char *expected,
                  struct kt_err *err)
{
    unsigned column = b->word->column + (b->broken ? 0 : 1 + (unsigned)(p->at - b->word->text));
    char found[KT_QUOTE_SIZE + 16], quoted[KT_QUOTE_SIZE];

    (void)snprintf(found, sizeof(found), "%.*s", (int)(p->len < 60 ? p->len : 60), p->at);
    return kt_refuse(err, b->file, b->word->lineno, column, "%s, found %s%s%s", expected,
                     p->len > 0 ? "'" : "", p->len > 0 ? kt_quote(found, quoted) : "the end of '['",
                     p->len > 0 ? "'" : "");
}

static struct piece next_piece(struct bracket *b)
{
    struct piece p = { .at = b->at + strspn(b->at, " \t") };

    p.len = *p.at == '=' ? 1 : strcspn(p.at, " \t=");
    b->at = p.at + p.len;
    return p;
}

static bool is_text(const struct piece *p, const char *text)
{
    return strlen(text) == p->len && strncmp(p->at, text, p->len) == 0;
}

/* A pair's right side ends at a blank, so `success=okdefault=die` is one unknown action. */
static struct piece next_action(struct bracket *b)
{
    struct piece p = { .at = b->at + strspn(b->at, " \t") };

    p.len = strcspn(p.at, " \t");
    b->at = p.at + p.len;
    return p;
}

static int parse_action(const struct bracket *b, const struct piece *p, int *action,
                        struct kt_err *err)
{
    char digits[24];
    int64_t jump;

    for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++) {
        if (is_text(p, actions[i].name)) {
            *action = actions[i].action;
            return KT_SUCCESS;
        }
    }
    if (p->len == 0 || p->len >= sizeof(digits))
        return refuse(b, p, ACTIONS, err);
    memcpy(digits, p->at, p->len);
    digits[p->len] = '\0';
    if (kt_number_parse(digits, &jump) != KT_SUCCESS)
        return refuse(b, p, ACTIONS, err);
    if (jump < 1 || jump > INT32_MAX)
        return refuse(b, p, "expected a number of lines to skip from 1 to 2147483647", err);
    *action = (int)jump;
    return KT_SUCCESS;
}

static int parse_pair(struct bracket *b, const struct piece *name, struct kt_control *c,
                      struct kt_err *err)
{
    int status = -1, action = KT_DO_BAD, rc;
    struct piece p;

    for (int i = 0; i < KT_STATUS_COUNT && status < 0; i++)
        if (is_text(name, kt_status_name(i)))
            status = i;
    if (status < 0 && !is_text(name, "default"))
        return refuse(b, name, "expected a status or default", err);
    p = next_piece(b);
    if (!is_text(&p, "="))
        return refuse(b, &p, "expected '='", err);
    p = next_action(b);
    rc = parse_action(b, &p, &action, err);
    if (rc != KT_SUCCESS)
        return rc;
    if (status < 0)
        fill_unset(c, action);
    else
        c->action[status] = action;
    return KT_SUCCESS;
}

static int parse_bracket(struct bracket *b, struct kt_control *c, struct kt_err *err)
{
    struct piece name = next_piece(b);
    int rc;

    if (name.len == 0)
        return refuse(b, &name, "expected status=action", err);
    for (; name.len > 0; name = next_piece(b)) {
        rc = parse_pair(b, &name, c, err);
        if (rc != KT_SUCCESS)
            return rc;
    }
    fill_unset(c, KT_DO_BAD);
    return KT_SUCCESS;
}

int kt_control_parse(const char *file, const struct kt_word *word, unsigned form,
                     struct kt_control *out, struct kt_err *err)
{
    const bool grouped = (form & KT_WORD_GROUPED) != 0;
    const struct keyword *k = grouped ? NULL : find_keyword(word->text);
    struct kt_control c = { .lineno = word->lineno, .column = word->column };
    char quoted[KT_QUOTE_SIZE];

    for (size_t i = 0; i < KT_STATUS_COUNT; i++)
        c.action[i] = UNSET;
    if (k != NULL) {
        apply_keyword(k, &c);
    } else if (grouped) {
        struct bracket b = { file, word, (form & KT_WORD_BROKEN) != 0, word->text };
        int rc = parse_bracket(&b, &c, err);
        if (rc != KT_SUCCESS)
            return rc;
    } else {
        return kt_refuse(err, file, word->lineno, word->column,
                         "expected required, requisite, sufficient, optional, binding, fallback, "
                         "front, include, substack or [status=action ...], found '%s'",
                         kt_quote(word->text, quoted));
    }
    if (asprintf(&c.text, grouped ? "[%s]" : "%s", word->text) < 0)
        return kt_fail(err, KT_NO_MEMORY, "%s: out of memory", file);
    *out = c;
    return KT_SUCCESS;
}

bool kt_control_demands(const struct kt_control *c)
{
    return c->text != NULL &&
           (strcmp(c->text, "required") == 0 || strcmp(c->text, "requisite") == 0);
}

/* Units after line @i at its level: a unit is a line together with the deeper ones after it. */
static int units_after(const struct kt_stack *stack, size_t i)
{
    const unsigned level = stack->lines[i].level;
    int units = 0;

    for (size_t k = i + 1; k < stack->n && stack->lines[k].level >= level; k++)
        units += stack->lines[k].level == level;
    return units;
}

int kt_control_check_jumps(const struct kt_stack *stack, struct kt_err *err)
{
    for (size_t i = 0; i < stack->n; i++) {
        const struct kt_line *l = &stack->lines[i];
        for (size_t k = 0; k < KT_STATUS_COUNT; k++)
            if (l->control.action[k] > 0 && l->control.action[k] > units_after(stack, i))
                return kt_refuse(err, l->file, l->control.lineno, l->control.column,
                                 "expected a jump of at most %d, to the end of the %s, found %d",
                                 units_after(stack, i), l->level > 0 ? "substack" : "stack",
                                 l->control.action[k]);
    }
    return KT_SUCCESS;
}
