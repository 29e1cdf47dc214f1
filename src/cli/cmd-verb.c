/* SPDX-License-Identifier: Apache-2.0 */
#include "cli.h"

#include <stdio.h>
#include <string.h>

/* `keyturn MODULE VERB`: is there such a module, and does it have that verb? */
struct look {
    const char *verb;
    bool installed;
    bool has_verb;
    char verbs[256];
};

static void look_at(void *cookie, const struct kt_module_info *m)
{
    struct look *look = cookie;
    size_t at = 0;

    look->installed = true;
    for (size_t i = 0; i < m->nverbs && at < sizeof(look->verbs); i++) {
        int n = snprintf(look->verbs + at, sizeof(look->verbs) - at, "%s%s", i > 0 ? ", " : "",
                         m->verbs[i].name);

        at += n > 0 ? (size_t)n : 0;
        look->has_verb |= look->verb != NULL && strcmp(look->verb, m->verbs[i].name) == 0;
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

static void print(void *cookie, const char *text)
{
    const struct cli *cli = cookie;

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
    const struct kt_call_options call = session_call(cli);
    struct look look = { .verb = cli->argc > 0 ? cli->argv[0] : NULL };
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
    if (!look.has_verb && look.verbs[0] == '\0')
        return fail_usage(cli, "module %s has no verbs", module);
    if (look.verb == NULL)
        return fail_usage(cli, "%s: which verb? It has: %s", module, look.verbs);
    if (!look.has_verb)
        return fail_usage(cli, "%s has no verb '%s'; it has: %s", module, look.verb, look.verbs);
    /* a service that is wrong must not turn into the module's defaults */
    rc = session_open(cli, &h);
    if (rc != 0)
        return rc;
    if (kt_module_run(h, &options, module, look.verb, cli->argc - 1,
                      (const char *const *)cli->argv + 1, &call, print, (void *)cli,
                      &err) != KT_SUCCESS)
        return fail_err(cli, module, &err);
    return 0;
}
