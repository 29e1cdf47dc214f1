/* SPDX-License-Identifier: Apache-2.0 */
#include "cli.h"

#include <stdio.h>
#include <string.h>

#define VERB_TIMEOUT_MS 86400000

static struct bar bar;

/* `keyturn MODULE VERB`: is there such a module, and does it have that verb? */
struct look {
    const struct cli *cli;
    bool installed;
    int words; /* of the verb, 0: there is none such */
    char verb[64];
    char verbs[512];
};

/* `slot add` is one verb of two words. */
static int words_of_verb(const struct cli *cli, const char *verb)
{
    const size_t n = strcspn(verb, " ");

    if (cli->argc < 1 || strncmp(cli->argv[0], verb, n) != 0 || cli->argv[0][n] != '\0')
        return 0;
    if (verb[n] == '\0')
        return 1;
    return cli->argc > 1 && strcmp(cli->argv[1], verb + n + 1) == 0 ? 2 : 0;
}

static void look_at(void *cookie, const struct kt_module_info *m)
{
    struct look *look = cookie;
    size_t at = 0;

    look->installed = true;
    for (size_t i = 0; i < m->nverbs && at < sizeof(look->verbs); i++) {
        int n = snprintf(look->verbs + at, sizeof(look->verbs) - at, "%s%s", i > 0 ? ", " : "",
                         m->verbs[i].name);

        at += n > 0 ? (size_t)n : 0;
        const int words = words_of_verb(look->cli, m->verbs[i].name);

        if (words > look->words) {
            look->words = words;
            (void)snprintf(look->verb, sizeof(look->verb), "%s", m->verbs[i].name);
        }
    }
}

static int no_command(const struct cli *cli, const char *word)
{
    const char *near = cmd_nearest(word);

    if (near != NULL)
        return fail_usage(cli, "'%s' is neither a command nor an installed module; is '%s' meant?",
                          word, near);
    return fail_usage(cli,
                      "'%s' is neither a command nor an installed module; 'keyturn help' and "
                      "'keyturn modules' list them",
                      word);
}

/* ---- help ---------------------------------------------------------------------------------- */

struct helping {
    const char *verb; /* its first word; NULL: all */
    bool shown;
};

static void put_option(const struct kt_module_option *o)
{
    char word[80];

    if (strcmp(o->type, "flag") == 0)
        (void)snprintf(word, sizeof(word), "%.60s", o->name);
    else
        (void)snprintf(word, sizeof(word), "%.40s=%.20s", o->name, o->type);
    sink_printf(&sink_out, "      %-18s %s\n", word, o->help);
}

static void help_module(void *cookie, const struct kt_module_info *m)
{
    struct helping *h = cookie;

    for (size_t i = 0; i < m->nverbs; i++) {
        const struct kt_module_verb *v = &m->verbs[i];
        const size_t first = strcspn(v->name, " ");

        if (h->verb != NULL && (strncmp(v->name, h->verb, first) != 0 || h->verb[first] != '\0'))
            continue;
        h->shown = true;
        sink_printf(&sink_out, "keyturn %s %s%s%s\n    %s\n", m->name, v->name,
                    v->synopsis[0] != '\0' ? " " : "", v->synopsis, v->help);
        for (size_t k = 0; h->verb != NULL && k < v->noptions; k++)
            put_option(&v->options[k]);
    }
}

int verb_help(const struct cli *cli, const char *module, const char *verb)
{
    struct helping h = { .verb = verb };
    struct kt_open_options options;
    struct kt_err err = { 0 };

    if (strchr(module, '/') != NULL)
        return no_command(cli, module);
    session_options(cli, &options);
    if (kt_modules(module, &options, NULL, help_module, &h, &err) != KT_SUCCESS)
        return no_command(cli, module);
    if (!h.shown && verb != NULL)
        return fail_usage(cli, "%s has no verb '%s'; 'keyturn help %s' lists them", module, verb,
                          module);
    if (!h.shown)
        sink_printf(&sink_out, "module %s has no verbs; 'keyturn modules %s' tells what it has\n",
                    module, module);
    return 0;
}

/* ---- running ------------------------------------------------------------------------------- */

static void print(void *cookie, const char *text)
{
    const struct cli *cli = cookie;

    bar_hide(&bar);
    if (cli->json) {
        struct json j = json_open(&sink_out);

        json_text(&j, "text", text);
        json_close(&j);
    } else {
        sink_text(&sink_out, text);
        sink_str(&sink_out, "\n");
    }
    (void)sink_flush(&sink_out); /* verbs may take their time */
}

int verb_run(const struct cli *cli)
{
    AUTO(session_closep) struct kt_handle *h = NULL;
    struct kt_call_options call = session_call(cli);
    struct look look = { .cli = cli };
    const char *module = cli->word;
    struct kt_open_options options;
    struct kt_err err = { 0 };
    int status, rc;

    if (strchr(module, '/') != NULL) /* would be a path to the library */
        return no_command(cli, module);
    session_options(cli, &options);
    status = kt_modules(module, &options, NULL, look_at, &look, &err);
    if (!look.installed && status != KT_SUCCESS && status != KT_NOT_FOUND && status != KT_INVALID)
        return fail_err(cli, module, &err);
    if (!look.installed)
        return no_command(cli, module);
    if (look.verbs[0] == '\0')
        return fail_usage(cli, "module %s has no verbs", module);
    if (cli->argc == 0)
        return fail_usage(cli, "%s: which verb? It has: %s", module, look.verbs);
    if (look.words == 0)
        return fail_usage(cli, "%s has no verb '%s'; it has: %s", module, cli->argv[0], look.verbs);
    /* a service that is wrong must not turn into the module's defaults */
    rc = session_open(cli, &h);
    if (rc != 0)
        return rc;
    if (!cli->timed) /* verbs may take their time: what a person types, what a big store needs */
        call.timeout_ms = VERB_TIMEOUT_MS;
    call.progress = bar_show;
    call.cookie = &bar;
    status = kt_module_run(h, &options, module, look.verb, cli->argc - look.words,
                           (const char *const *)cli->argv + look.words, &call, print, (void *)cli,
                           &err);
    bar_hide(&bar);
    return status == KT_SUCCESS ? 0 : fail_err(cli, module, &err);
}
