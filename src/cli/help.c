/* SPDX-License-Identifier: Apache-2.0 */
#include "cli.h"

#include <stdio.h>
#include <string.h>

static void put_opts(const struct opt *opts)
{
    for (const struct opt *o = opts; o != NULL && o->name != NULL; o++) {
        char left[64];

        (void)snprintf(left, sizeof(left), "%c%c%s--%s%s%s", o->letter != 0 ? '-' : ' ',
                       o->letter != 0 ? o->letter : ' ', o->letter != 0 ? ", " : "  ", o->name,
                       o->arg != NULL ? " " : "", o->arg != NULL ? o->arg : "");
        sink_printf(&sink_out, "  %-26s  %s\n", left, o->help);
    }
}

int help_all(const struct cli *cli)
{
    (void)cli;
    sink_str(&sink_out, "keyturn [OPTIONS] COMMAND …\n"
                        "keyturn [OPTIONS] MODULE VERB [WORD …]\n\ncommands\n");
    for (size_t i = 0; cmds[i] != NULL; i++)
        sink_printf(&sink_out, "  %-10s %s\n", cmds[i]->name, cmds[i]->help);
    sink_str(&sink_out, "\noptions, before or after the command; -- ends them\n");
    put_opts(global_opts);
    sink_str(&sink_out, "\n'keyturn help COMMAND' tells more, 'keyturn modules' what is installed, "
                        "keyturn(1) all.\n");
    return 0;
}

int help_cmd(const struct cli *cli, const struct cmd *cmd)
{
    (void)cli;
    sink_printf(&sink_out, "keyturn %s %s\n    %s\n", cmd->name, cmd->synopsis, cmd->help);
    if (cmd->opts != NULL) {
        sink_str(&sink_out, "\noptions\n");
        put_opts(cmd->opts);
    }
    sink_str(&sink_out, "\nglobal options\n");
    put_opts(global_opts);
    return 0;
}

static int run(const struct cli *cli)
{
    const struct cmd *cmd;

    if (cli->argc == 0)
        return help_all(cli);
    cmd = cmd_find(cli->argv[0]);
    if (cmd != NULL)
        return help_cmd(cli, cmd);
    return verb_help(cli, cli->argv[0], cli->argc > 1 ? cli->argv[1] : NULL);
}

const struct cmd cmd_help = {
    .name = "help",
    .synopsis = "[COMMAND | MODULE [VERB]]",
    .help = "tell how a command, or a module's verb, is used",
    .max = 3,
    .run = run,
};
