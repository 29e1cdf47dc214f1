/* SPDX-License-Identifier: Apache-2.0 */
#include "cli.h"

#include <string.h>

const struct opt global_opts[] = {
    { .name = "service",
      .letter = 's',
      .arg = "SERVICE",
      .help = "the service; default: deepseek" },
    { .name = "json", .help = "JSON, one object a line; errors too" },
    { .name = "quiet", .letter = 'q', .help = "no warnings, nothing but what was asked for" },
    { .name = "verbose", .letter = 'v', .many = true, .help = "tell what happens; -vv: all of it" },
    { .name = "timeout", .arg = "DURATION", .help = "for the whole command; default: 30s" },
    { .name = "module-dir",
      .arg = "DIR",
      .help = "load modules from DIR, an absolute path, and from nowhere else" },
    { .name = "help", .letter = 'h', .help = "help for keyturn or for COMMAND" },
    { .name = "version", .letter = 'V', .help = "the version of keyturn" },
    { 0 },
};

const struct cmd *cmd_find(const char *name)
{
    for (size_t i = 0; cmds[i] != NULL; i++)
        if (strcmp(cmds[i]->name, name) == 0)
            return cmds[i];
    return NULL;
}

const char *args_next(const struct cli *cli, const char *name, size_t *from)
{
    while (*from < cli->ngiven) {
        size_t i = (*from)++;

        if (strcmp(cli->given[i].opt->name, name) == 0)
            return cli->given[i].value;
    }
    return NULL;
}

const char *args_value(const struct cli *cli, const char *name)
{
    size_t from = 0;

    return args_next(cli, name, &from);
}

/* The command's own come first: `get --version ID` is not `keyturn --version`. */
static const struct opt *find_long(const struct cli *cli, const char *name, size_t len)
{
    const struct opt *tables[] = { cli->cmd != NULL ? cli->cmd->opts : NULL, global_opts };

    for (size_t t = 0; t < 2; t++)
        for (const struct opt *o = tables[t]; o != NULL && o->name != NULL; o++)
            if (strncmp(o->name, name, len) == 0 && o->name[len] == '\0')
                return o;
    return NULL;
}

static const struct opt *find_short(const struct cli *cli, char letter)
{
    const struct opt *tables[] = { cli->cmd != NULL ? cli->cmd->opts : NULL, global_opts };

    for (size_t t = 0; t < 2; t++)
        for (const struct opt *o = tables[t]; o != NULL && o->name != NULL; o++)
            if (o->letter == letter)
                return o;
    return NULL;
}

static bool is_global(const struct opt *o)
{
    return o >= global_opts && o < global_opts + sizeof(global_opts) / sizeof(global_opts[0]);
}

static int take_global(struct cli *cli, const struct opt *o, const char *value)
{
    switch (o->letter) {
    case 's':
        cli->service = value;
        return 0;
    case 'q':
        cli->quiet = true;
        return 0;
    case 'v':
        cli->verbose++;
        return 0;
    case 'h':
        cli->help = true;
        return 0;
    case 'V':
        cli->version = true;
        return 0;
    default:
        break;
    }
    if (strcmp(o->name, "json") == 0) {
        cli->json = true;
    } else if (strcmp(o->name, "module-dir") == 0) {
        if (value[0] != '/')
            return fail_usage(cli, "--module-dir '%s' is not an absolute path", value);
        cli->module_dir = value;
    } else if (!when_duration(value, &cli->timeout_ms) || cli->timeout_ms <= 0 ||
               cli->timeout_ms > 86400000) {
        return fail_usage(cli, "--timeout '%s' is no duration from 1ms to 1d, such as 500ms or 10s",
                          value);
    } else {
        cli->timed = true;
    }
    return 0;
}

static int take(struct cli *cli, const struct opt *o, const char *value)
{
    const char *of = cli->cmd != NULL ? cli->cmd->name : "keyturn";

    for (size_t i = 0; i < cli->ngiven && o->arg != NULL && !o->many && !is_global(o); i++)
        if (cli->given[i].opt == o)
            return fail_usage(cli, "%s: --%s is given twice", of, o->name);
    if (cli->ngiven == GIVEN_MAX)
        return fail_usage(cli, "%s: more than %d options", of, GIVEN_MAX);
    cli->given[cli->ngiven].opt = o;
    cli->given[cli->ngiven++].value = value;
    return is_global(o) ? take_global(cli, o, value) : 0;
}

static int unknown(const struct cli *cli, const char *word, int len)
{
    if (cli->cmd == NULL)
        return fail_usage(cli, "unknown option '%.*s'; 'keyturn help' lists the options", len,
                          word);
    return fail_usage(cli, "%s: unknown option '%.*s'; 'keyturn help %s' lists the options",
                      cli->cmd->name, len, word, cli->cmd->name);
}

/* Takes argv[*i] (@verbs: it is a word for a module's verb), and the word after it if that is the option's value. */
static int take_long(struct cli *cli, int argc, char **argv, int *i, char **verbs)
{
    char *word = argv[*i];
    const char *equals = strchr(word, '=');
    size_t len = equals != NULL ? (size_t)(equals - word) : strlen(word);
    const struct opt *o = find_long(cli, word + 2, len - 2);
    const char *value = "";

    if (o == NULL && cli->cmd == NULL && cli->word != NULL) {
        *verbs = word + 2; /* `keyturn MODULE VERB --OPTION`: the module knows it */
        return 0;
    }
    if (o == NULL)
        return unknown(cli, word, (int)len);
    if (o->arg == NULL && equals != NULL)
        return fail_usage(cli, "--%s takes no value", o->name);
    if (o->arg != NULL && equals != NULL)
        value = equals + 1;
    else if (o->arg != NULL && *i + 1 < argc)
        value = argv[++*i];
    else if (o->arg != NULL)
        return fail_usage(cli, "--%s needs a value: --%s %s", o->name, o->name, o->arg);
    return take(cli, o, value);
}

static int take_short(struct cli *cli, int argc, char **argv, int *i)
{
    for (const char *p = argv[*i] + 1; *p != '\0'; p++) {
        const struct opt *o = find_short(cli, *p);
        int rc;

        if (o == NULL)
            return unknown(cli, (char[]){ '-', *p, '\0' }, 2);
        if (o->arg == NULL) {
            rc = take(cli, o, "");
            if (rc != 0)
                return rc;
            continue;
        }
        if (p[1] != '\0')
            return take(cli, o, p + 1);
        if (*i + 1 == argc)
            return fail_usage(cli, "-%c needs a value: -%c %s", *p, *p, o->arg);
        return take(cli, o, argv[++*i]);
    }
    return 0;
}

/* For an error: help breaks a long synopsis into lines. */
static const char *one_line(const char *synopsis, char *out, size_t size)
{
    size_t n = 0;

    for (const char *p = synopsis; *p != '\0' && n + 1 < size; p++) {
        const bool blank = *p == ' ' || *p == '\n';

        if (!blank || (n > 0 && out[n - 1] != ' '))
            out[n++] = blank ? ' ' : *p;
    }
    out[n] = '\0';
    return out;
}

static int check_words(const struct cli *cli)
{
    const struct cmd *c = cli->cmd;
    char synopsis[256];

    if (c == NULL || cli->help || cli->version)
        return 0;
    if (cli->argc < c->min)
        return fail_usage(cli, "%s: something is missing: keyturn %s %s", c->name, c->name,
                          one_line(c->synopsis, synopsis, sizeof(synopsis)));
    if (c->max >= 0 && cli->argc > c->max && c == &cmd_set) /* the word may be a secret */
        return fail_usage(cli, "set: a word too many: keyturn set NAME [FILE]; " VALUE_COMES_FROM);
    if (c->max >= 0 && cli->argc > c->max)
        return fail_usage(cli, "%s: '%s' is one word too many: keyturn %s %s", c->name,
                          cli->argv[c->max], c->name,
                          one_line(c->synopsis, synopsis, sizeof(synopsis)));
    return 0;
}

int args_parse(struct cli *cli, int argc, char **argv)
{
    bool ended = false, first = true;
    int words = 0;

    cli->argv = argv;
    /* known before the first complaint, wherever it stands */
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
        cli->json |= strcmp(argv[i], "--json") == 0;
    for (int i = 1; i < argc; i++) {
        char *word = argv[i];
        int rc = 0;

        if (!ended && strcmp(word, "--") == 0) {
            ended = true;
        } else if (!ended && word[0] == '-' && word[1] == '-') {
            char *verbs = NULL;

            rc = take_long(cli, argc, argv, &i, &verbs);
            if (verbs != NULL)
                argv[words++] = verbs;
        } else if (!ended && word[0] == '-' && word[1] != '\0') {
            rc = take_short(cli, argc, argv, &i);
        } else if (first) {
            first = false;
            cli->cmd = cmd_find(word);
            cli->word = word;
        } else {
            argv[words++] = word; /* never past i */
            if (!ended && cli->cmd != NULL && cli->cmd->runs) {
                ended = true;
                cli->json = args_value(cli, "json") != NULL;
            }
        }
        if (rc != 0)
            return rc;
    }
    cli->argc = words;
    return check_words(cli);
}

/* Edits to turn one word into the other: insert, drop, replace, swap neighbours. */
static size_t distance(const char *a, const char *b)
{
    enum { LONGEST = 32 };
    size_t d[LONGEST + 1][LONGEST + 1], la = strlen(a), lb = strlen(b);

    if (la > LONGEST || lb > LONGEST)
        return LONGEST;
    for (size_t i = 0; i <= la; i++) {
        for (size_t j = 0; j <= lb; j++) {
            if (i == 0 || j == 0) {
                d[i][j] = i + j;
                continue;
            }
            d[i][j] = d[i - 1][j - 1] + (a[i - 1] != b[j - 1]);
            if (d[i - 1][j] + 1 < d[i][j])
                d[i][j] = d[i - 1][j] + 1;
            if (d[i][j - 1] + 1 < d[i][j])
                d[i][j] = d[i][j - 1] + 1;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
                d[i - 2][j - 2] + 1 < d[i][j])
                d[i][j] = d[i - 2][j - 2] + 1;
        }
    }
    return d[la][lb];
}

const char *cmd_nearest(const char *word)
{
    const char *nearest = NULL;
    size_t best = 3; /* further away than two edits it was not meant */

    for (size_t i = 0; cmds[i] != NULL; i++) {
        size_t far = distance(word, cmds[i]->name);

        if (far < best && far < strlen(cmds[i]->name)) {
            best = far;
            nearest = cmds[i]->name;
        }
    }
    return nearest;
}
