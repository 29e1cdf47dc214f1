/* SPDX-License-Identifier: Apache-2.0 */
#include "line.h"

#include "control.h"
#include "err.h"
#include "name.h"

#include <stdlib.h>
#include <string.h>

#define FIELD_MAX 256

/* ---- the core's own options ------------------------------------------------------------------- */

static const char no_memory[] = "memory";

/* Each returns NULL, or what was expected after the `=`. */
static const char *set_time(const char *value, int64_t *out)
{
    int64_t ms;

    if (kt_duration_parse(value, &ms) != KT_SUCCESS || ms > KT_DURATION_MAX)
        return "a time such as 500ms, 10s, 5m, 6h or 7d, of at most 10000d";
    *out = ms;
    return NULL;
}

static const char *set_ttl(const char *value, struct kt_core_options *c)
{
    c->given |= KT_GIVEN_TTL;
    return set_time(value, &c->ttl_ms);
}

static const char *set_max_stale(const char *value, struct kt_core_options *c)
{
    c->given |= KT_GIVEN_MAX_STALE;
    if (strcmp(value, "none") != 0)
        return set_time(value, &c->max_stale_ms);
    c->max_stale_ms = KT_FOREVER;
    return NULL;
}

static const char *set_negative(const char *value, struct kt_core_options *c)
{
    c->given |= KT_GIVEN_NEGATIVE;
    return set_time(value, &c->negative_ms);
}

static const char *set_timeout(const char *value, struct kt_core_options *c)
{
    c->given |= KT_GIVEN_TIMEOUT;
    if (set_time(value, &c->timeout_ms) != NULL || c->timeout_ms == 0)
        return "a time over 0, such as 500ms, 10s or 5m";
    return NULL;
}

static const char *set_fill(const char *value, struct kt_core_options *c)
{
    (void)value;
    c->fill = true;
    return NULL;
}

static const char *set_expiry(const char *value, struct kt_core_options *c)
{
    c->enforce_expiry = strcmp(value, "enforce") == 0;
    return c->enforce_expiry || strcmp(value, "warn") == 0 ? NULL : "warn or enforce";
}

static const char *set_text(const char *value, char **out)
{
    *out = strdup(value);
    return *out != NULL ? NULL : no_memory;
}

static const char *set_store(const char *value, struct kt_core_options *c)
{
    if (kt_service_name_check(value, NULL) != KT_SUCCESS)
        return "a label of 1 to 64 of a-z 0-9 _ -";
    return set_text(value, &c->store);
}

static const char *set_name(const char *value, struct kt_core_options *c)
{
    size_t len = strlen(value);

    for (const char *p = strchr(value, '%'); p != NULL; p = strchr(p + 2, '%'))
        if (p[1] == '\0' || strchr("nb%", p[1]) == NULL)
            return "%n, %b or %% after each %";
    if (len == 0 || len > KT_NAME_MAX)
        return "1 to 512 bytes";
    return set_text(value, &c->name);
}

static const char *set_field(const char *value, struct kt_core_options *c)
{
    size_t len = strlen(value);

    if (len == 0 || len > FIELD_MAX)
        return "1 to 256 bytes";
    return set_text(value, &c->field);
}

static const struct core_option {
    const char *name;
    bool flag;
    const char *(*set)(const char *value, struct kt_core_options *c);
} core_options[] = {
    { "ttl", false, set_ttl },           { "max-stale", false, set_max_stale },
    { "negative", false, set_negative }, { "timeout", false, set_timeout },
    { "fill", true, set_fill },          { "expiry", false, set_expiry },
    { "store", false, set_store },       { "name", false, set_name },
    { "field", false, set_field },
};

static const struct kt_core_options defaults = {
    .ttl_ms = 300 * 1000LL,
    .max_stale_ms = 3600 * 1000LL,
    .negative_ms = 5 * 1000LL,
};

static const struct core_option *find_core(const char *text)
{
    size_t len = strcspn(text, "=");

    for (size_t i = 0; i < sizeof(core_options) / sizeof(core_options[0]); i++)
        if (strlen(core_options[i].name) == len && strncmp(core_options[i].name, text, len) == 0)
            return &core_options[i];
    return NULL;
}

static int set_core(const char *file, const struct kt_word *w, const struct core_option *o,
                    unsigned *seen, struct kt_core_options *c, struct kt_err *err)
{
    const unsigned bit = 1U << (o - core_options);
    const char *value = strchr(w->text, '='), *wanted;
    char quoted[KT_QUOTE_SIZE];

    if ((*seen & bit) != 0)
        return kt_refuse(err, file, w->lineno, w->column, "option '%s' is given twice", o->name);
    *seen |= bit;
    if (o->flag && value != NULL)
        return kt_refuse(err, file, w->lineno, w->column,
                         "expected '%s' alone, found a value after it", o->name);
    if (!o->flag && value == NULL)
        return kt_refuse(err, file, w->lineno, w->column, "expected '%s=...', found '%s' alone",
                         o->name, o->name);
    wanted = o->set(o->flag ? NULL : value + 1, c);
    if (wanted == no_memory)
        return kt_fail(err, KT_NO_MEMORY, "%s: out of memory", file);
    if (wanted != NULL)
        return kt_refuse(err, file, w->lineno, w->column, "option '%s': expected %s, found '%s'",
                         o->name, wanted, kt_quote(value + 1, quoted));
    return KT_SUCCESS;
}

/* ---- the parts of a line ---------------------------------------------------------------------- */

struct parser {
    const char *file;
    struct kt_words *w;
    size_t next; /* first word not yet understood */
    unsigned end_lineno, end_column;
    struct kt_parsed *out;
    struct kt_err *err;
};

static int expected(struct parser *p, const char *what)
{
    const struct kt_word *w = &p->w->at[p->next];
    char quoted[KT_QUOTE_SIZE];

    if (p->next < p->w->n)
        return kt_refuse(p->err, p->file, w->lineno, w->column, "expected %s, found '%s'", what,
                         kt_quote(w->text, quoted));
    return kt_refuse(p->err, p->file, p->end_lineno, p->end_column,
                     "expected %s, found the end of the line", what);
}

static char *take_text(struct kt_word *w)
{
    char *text = w->text;

    w->text = NULL;
    return text;
}

static int take_module(struct parser *p)
{
    if (p->next == p->w->n || kt_service_name_check(p->w->at[p->next].text, NULL) != KT_SUCCESS)
        return expected(p, "a module's name, 1 to 64 of a-z 0-9 _ -");
    p->out->line.module_column = p->w->at[p->next].column;
    p->out->line.module = take_text(&p->w->at[p->next++]);
    return KT_SUCCESS;
}

/* The rest of the line: the core's options where it has any, the others are the module's. */
static int take_options(struct parser *p, bool core)
{
    struct kt_line *l = &p->out->line;
    unsigned seen = 0;

    l->words = calloc(p->w->n, sizeof(*l->words));
    if (l->words == NULL)
        return kt_fail(p->err, KT_NO_MEMORY, "%s: out of memory", p->file);
    for (; p->next < p->w->n; p->next++) {
        struct kt_word *w = &p->w->at[p->next];
        const struct core_option *o = core ? find_core(w->text) : NULL;
        if (w->text[strspn(w->text, " \t")] == '\0')
            return expected(p, "an option");
        if (o == NULL) {
            l->words[l->nwords] = *w;
            l->words[l->nwords++].text = take_text(w);
            continue;
        }
        int rc = set_core(p->file, w, o, &seen, &l->core, p->err);
        if (rc != KT_SUCCESS)
            return rc;
    }
    return KT_SUCCESS;
}

static int take_join(struct parser *p, enum kt_join join)
{
    if (p->out->line.absent_ok)
        return kt_refuse(p->err, p->file, p->out->line.lineno, p->out->line.column,
                         "expected no '-' where a service is included");
    if (p->next == p->w->n || kt_service_name_check(p->w->at[p->next].text, NULL) != KT_SUCCESS)
        return expected(p, "a service's name, 1 to 64 of a-z 0-9 _ -");
    p->out->join = join;
    p->out->joined = &p->w->at[p->next++];
    return p->next == p->w->n ? KT_SUCCESS : expected(p, "the end of the line");
}

static int parse_stack_line(struct parser *p)
{
    const struct kt_word *w = &p->w->at[p->next];
    const bool bare = p->next < p->w->n && (p->w->form[p->next] & KT_WORD_GROUPED) == 0;
    int rc;

    if (p->next == p->w->n)
        return expected(p, "a control such as required, sufficient or [success=ok default=die]");
    if (bare && strcmp(w->text, "include") == 0) {
        p->next++;
        return take_join(p, KT_JOIN_FACILITY);
    }
    if (bare && strcmp(w->text, "substack") == 0) {
        p->next++;
        p->out->line.substack = true;
        p->out->line.control = (struct kt_control){ .text = strdup("substack"),
                                                    .lineno = w->lineno,
                                                    .column = w->column };
        if (p->out->line.control.text == NULL)
            return kt_fail(p->err, KT_NO_MEMORY, "%s: out of memory", p->file);
        return take_join(p, KT_JOIN_SUBSTACK);
    }
    rc = kt_control_parse(p->file, w, p->w->form[p->next++], &p->out->line.control, p->err);
    if (rc == KT_SUCCESS)
        rc = take_module(p);
    return rc == KT_SUCCESS ? take_options(p, true) : rc;
}

static int parse_set_line(struct parser *p)
{
    int rc = take_module(p);

    return rc == KT_SUCCESS ? take_options(p, false) : rc;
}

static int parse_issuer_line(struct parser *p)
{
    if (p->next == p->w->n || kt_service_name_check(p->w->at[p->next].text, NULL) != KT_SUCCESS)
        return expected(p, "an issuer's label, 1 to 64 of a-z 0-9 _ -");
    p->out->line.label = take_text(&p->w->at[p->next++]);
    return parse_set_line(p);
}

static int parse_policy_line(struct parser *p)
{
    struct kt_err why;

    if (p->out->line.absent_ok)
        return kt_refuse(p->err, p->file, p->out->line.lineno, p->out->line.column,
                         "expected no '-' before policy: it names no module");
    if (p->next == p->w->n)
        return expected(p, "a pattern of names");
    if (kt_pattern_check(p->w->at[p->next].text, &why) != KT_SUCCESS)
        return kt_refuse(p->err, p->file, p->w->at[p->next].lineno, p->w->at[p->next].column,
                         "expected a pattern of names: %s", why.msg);
    p->out->line.label = take_text(&p->w->at[p->next++]);
    return take_options(p, false);
}

static const struct {
    const char *name;
    int (*parse)(struct parser *p);
} facilities[] = {
    [KT_READ] = { "read", parse_stack_line },      [KT_WRITE] = { "write", parse_stack_line },
    [KT_ISSUER] = { "issuer", parse_issuer_line }, [KT_NOTIFY] = { "notify", parse_set_line },
    [KT_AUDIT] = { "audit", parse_set_line },      [KT_POLICY] = { "policy", parse_policy_line },
};

static int parse_words(struct parser *p)
{
    struct kt_line *l = &p->out->line;
    const char *word = p->w->at[0].text;
    const bool bare = (p->w->form[0] & KT_WORD_GROUPED) == 0;

    if (bare && strcmp(word, "@include") == 0) {
        p->next = 1;
        return take_join(p, KT_JOIN_ALL);
    }
    l->absent_ok = bare && word[0] == '-';
    for (size_t i = 0; bare && i < sizeof(facilities) / sizeof(facilities[0]); i++) {
        if (strcmp(word + l->absent_ok, facilities[i].name) != 0)
            continue;
        p->next = 1;
        l->facility = (enum kt_facility)i;
        return facilities[i].parse(p);
    }
    return expected(p, "read, write, issuer, notify, audit, policy or @include");
}

int kt_line_parse(const char *file, struct kt_words *w, struct kt_parsed *out, struct kt_err *err)
{
    struct kt_parsed parsed = {
        .line = { .file = file,
                  .lineno = w->at[0].lineno,
                  .column = w->at[0].column,
                  .core = defaults,
                  .place = -1 },
    };
    const struct kt_word *last = &w->at[w->n - 1];
    const unsigned brackets = (w->form[w->n - 1] & KT_WORD_GROUPED) != 0 ? 2 : 0;
    struct parser p = {
        .file = file,
        .w = w,
        .end_lineno = last->lineno,
        .end_column = last->column + (unsigned)strlen(last->text) + brackets,
        .out = &parsed,
        .err = err,
    };
    int rc = parse_words(&p);

    if (rc != KT_SUCCESS) {
        kt_line_done(&parsed.line);
        return rc;
    }
    *out = parsed;
    return KT_SUCCESS;
}

void kt_line_done(struct kt_line *l)
{
    free(l->control.text);
    free(l->label);
    free(l->module);
    kt_word_done(l->words, l->nwords);
    free(l->core.store);
    free(l->core.name);
    free(l->core.field);
    free(l->identity);
    *l = (struct kt_line){ .place = -1 };
}
