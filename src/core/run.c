/* SPDX-License-Identifier: Apache-2.0 */
#include "call.h"
#include "err.h"
#include "load.h"
#include "name.h"
#include "places.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/**
 * struct running - a verb under way
 * @own: a store of its own, where no line of the service is the one to use
 */
struct running {
    struct kt_handle *h;
    const char *module;
    struct kt_store own;
    struct kt_line line;
    struct kt_place place;
    struct kt_word *open_words;
    struct kt_word *verb_words;
    size_t nopen;
    size_t nverb;
    const struct kt_call_options *options;
    void (*print)(void *cookie, const char *text);
    void *cookie;
};

static bool names_option(const struct kt_option *table, const char *word)
{
    const size_t n = strcspn(word, "=");

    for (; table != NULL && table->name != NULL; table++)
        if (strncmp(table->name, word, n) == 0 && table->name[n] == '\0')
            return true;
    return false;
}

static const struct kt_verb *find_verb(const struct kt_module *m, const char *verb)
{
    for (const struct kt_verb *v = m->verbs; v != NULL && v->name != NULL; v++)
        if (strcmp(v->name, verb) == 0)
            return v;
    return NULL;
}

static const struct kt_option *operand_of(const struct kt_verb *v)
{
    for (const struct kt_option *o = v->options; o != NULL && o->name != NULL; o++)
        if ((o->type & KT_OPTION_OPERAND) != 0)
            return o;
    return NULL;
}

/* A word as the verb's table knows it, on the heap: `NAME=` before an operand, whole paths. */
static int complete_word(const struct running *r, const struct kt_verb *v, const char *word,
                         char **out, struct kt_err *err)
{
    const struct kt_option *o = operand_of(v);
    const size_t n = o != NULL ? strlen(o->name) : 0;
    char here[PATH_MAX] = "";
    const char *slash = "";
    const char *value = word;
    bool plain = o == NULL;

    if (o != NULL && strncmp(word, o->name, n) == 0 && word[n] == '=')
        value = word + n + 1;
    else if (o != NULL)
        plain = names_option(v->options, word) || names_option(r->own.ops.options, word);
    if (!plain && (o->type & ~KT_OPTION_OPERAND) == KT_OPTION_PATH && value[0] != '/' &&
        strncmp(value, "~/", 2) != 0) {
        if (getcwd(here, sizeof here) == NULL)
            return kt_fail(err, KT_UNAVAILABLE, "the working directory is not known: %m");
        slash = "/";
    }
    if (plain) {
        *out = strdup(word);
    } else if (asprintf(out, "%s=%s%s%s", o->name, here, slash, value) < 0) {
        *out = NULL;
    }
    return *out != NULL ? KT_SUCCESS : kt_fail(err, KT_NO_MEMORY, "out of memory");
}

/* Words that the verb does not know go to the module's open. */
static int split_words(struct running *r, const struct kt_verb *v, int argc,
                       const char *const *argv, struct kt_err *err)
{
    int rc = KT_SUCCESS;

    r->open_words = calloc((size_t)argc + 1, sizeof *r->open_words);
    r->verb_words = calloc((size_t)argc + 1, sizeof *r->verb_words);
    if (r->open_words == NULL || r->verb_words == NULL)
        return kt_fail(err, KT_NO_MEMORY, "out of memory");
    for (int i = 0; i < argc; i++) {
        char *text = NULL;

        rc = complete_word(r, v, argv[i], &text, err);
        if (rc != KT_SUCCESS)
            break;
        if (names_option(v->options, text) || !names_option(r->own.ops.options, text))
            r->verb_words[r->nverb++].text = text;
        else
            r->open_words[r->nopen++].text = text;
    }
    return rc;
}

static void free_words(struct kt_word *words, size_t n)
{
    for (size_t i = 0; i < n; i++)
        free(words[i].text);
    free(words);
}

static int find_module(struct running *r, struct kt_err *err)
{
    const char *dir;
    int rc;

    if (r->h->privileged)
        return kt_fail(err, KT_DENIED, "a privileged process runs no verbs");
    if (kt_service_name_check(r->module, NULL) != KT_SUCCESS)
        return kt_fail(err, KT_INVALID, "'%.80s' is no module's name", r->module);
    rc = kt_module_dir(&r->h->options, &dir, err);
    return rc == KT_SUCCESS ? kt_place_look(dir, r->module, &r->place, err) : rc;
}

static struct kt_store *store_of(struct kt_handle *h, const char *module)
{
    for (size_t i = 0; i < h->nstores; i++)
        if (strcmp(h->stores[i].line->module, module) == 0)
            return &h->stores[i];
    return NULL;
}

static void take_print(void *cookie, const char *text)
{
    const struct running *r = cookie;

    if (r->print != NULL)
        r->print(r->cookie, text);
}

static void take_progress(void *cookie, uint64_t done, uint64_t total)
{
    const struct running *r = cookie;

    if (r->options != NULL && r->options->progress != NULL)
        r->options->progress(r->options->cookie, done, total);
}

static int run_verb(struct running *r, struct kt_store *s, const struct kt_verb *v,
                    struct kt_call *call)
{
    struct kt_arg *args = NULL;
    size_t n = 0;
    char where[160];
    int rc;

    (void)snprintf(where, sizeof where, "%.60s %.60s", r->module, v->name);
    rc = kt_options_parse(v->options, r->verb_words, r->nverb, where, &args, &n, &call->err);
    if (rc == KT_SUCCESS)
        rc = kt_store_ready(s, call);
    if (rc == KT_SUCCESS)
        rc = v->run(s->state, call, args, n);
    kt_options_free(args, n);
    if (rc < 0 || rc >= KT_STATUS_COUNT)
        rc = kt_fail(&call->err, KT_MODULE_ERROR, "it answered %d, which is no status", rc);
    return rc;
}

static int run_on(struct running *r, struct kt_store *s, const struct kt_verb *v,
                  struct kt_err *err)
{
    const struct kt_sink sink = { .print = take_print, .progress = take_progress, .cookie = r };
    struct kt_budget b;
    struct kt_call call;
    int rc = kt_budget_begin(&b, r->h, NULL, r->options, err);

    if (rc != KT_SUCCESS)
        return rc;
    /* a line's timeout= is for reads and writes */
    kt_call_start(&call, &b, NULL, r->module, &sink, true);
    call.line = s->line;
    rc = run_verb(r, s, v, &call);
    kt_call_done(&call);
    if (s == &r->own)
        call.line = NULL;
    return rc == KT_SUCCESS ? rc : kt_call_explain(&call, NULL, rc, err);
}

static int run(struct running *r, struct kt_handle *program, const char *verb, int argc,
               const char *const *argv, struct kt_err *err)
{
    const struct kt_verb *v;
    struct kt_store *s;
    int rc = find_module(r, err);

    if (rc == KT_SUCCESS)
        rc = kt_load(r->place.path, r->module, &r->own.ops, err);
    if (rc != KT_SUCCESS)
        return rc;
    v = find_verb(&r->own.ops, verb);
    if (v == NULL)
        return kt_fail(err, KT_UNSUPPORTED,
                       "module '%s' has no verb '%.60s': see keyturn modules %s", r->module, verb,
                       r->module);
    rc = split_words(r, v, argc, argv, err);
    if (rc != KT_SUCCESS)
        return rc;
    s = program != NULL && r->nopen == 0 ? store_of(program, r->module) : NULL;
    if (s == NULL) {
        r->line.file = "command line";
        r->line.module = (char *)r->module;
        r->line.words = r->open_words;
        r->line.nwords = r->nopen;
        r->own.line = &r->line;
        r->own.place = &r->place;
        s = &r->own;
    }
    return run_on(r, s, v, err);
}

static void tell_line(const struct kt_line *line, struct kt_line_status *out)
{
    *out = (struct kt_line_status){
        .status = KT_SUCCESS, .line = line->lineno, .file = line->file, .module = line->module
    };
}

int kt_line_run(struct kt_handle *h, size_t index, const char *verb,
                const struct kt_call_options *options,
                void (*print)(void *cookie, const char *text), void *cookie,
                struct kt_line_status *line, struct kt_err *err)
{
    struct running r = { .h = h, .options = options, .print = print, .cookie = cookie };
    const struct kt_verb *v;
    int rc;

    if (index >= h->nstores)
        return kt_fail(err, KT_NOT_FOUND, "the service has no more lines");
    if (line != NULL)
        tell_line(h->stores[index].line, line);
    if (verb == NULL)
        return KT_SUCCESS;
    if (h->privileged)
        return kt_fail(err, KT_DENIED, "a privileged process runs no verbs");
    r.module = h->stores[index].line->module;
    rc = kt_load(h->stores[index].place->path, r.module, &r.own.ops, err);
    if (rc != KT_SUCCESS)
        return rc;
    v = find_verb(&r.own.ops, verb);
    if (v == NULL)
        return kt_fail(err, KT_IGNORE, "module '%s' has no verb '%.60s'", r.module, verb);
    return run_on(&r, &h->stores[index], v, err);
}

int kt_module_run(struct kt_handle *h, const struct kt_open_options *open_options,
                  const char *module, const char *verb, int argc, const char *const *argv,
                  const struct kt_call_options *options,
                  void (*print)(void *cookie, const char *text), void *cookie, struct kt_err *err)
{
    struct running r = {
        .h = h, .module = module, .options = options, .print = print, .cookie = cookie
    };
    int rc = KT_SUCCESS;

    (void)pthread_mutex_init(&r.own.lock, NULL);
    if (h == NULL)
        rc = kt_handle_open(NULL, open_options, NULL, &r.h, err);
    if (rc == KT_SUCCESS)
        rc = run(&r, h, verb, argc, argv, err);
    if (atomic_load(&r.own.ready))
        r.own.ops.close(r.own.state);
    if (h == NULL)
        kt_close(r.h);
    (void)pthread_mutex_destroy(&r.own.lock);
    free_words(r.open_words, r.nopen);
    free_words(r.verb_words, r.nverb);
    kt_place_done(&r.place);
    return rc;
}
