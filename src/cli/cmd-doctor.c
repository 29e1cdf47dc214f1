/* SPDX-License-Identifier: Apache-2.0 */
#include "doctor.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static enum shade shade_word(const char *word)
{
    if (strcmp(word, "ok") == 0)
        return SHADE_GOOD;
    return strcmp(word, "info") == 0 || strcmp(word, "warning") == 0 ? SHADE_ODD : SHADE_BAD;
}

static void put_remedies(const struct doctor *d)
{
    if (d->nremedies > 0)
        sink_str(&sink_out, "\nwhat can be done\n");
    for (size_t i = 0; i < d->nremedies; i++) {
        sink_str(&sink_out, "  ");
        sink_text(&sink_out, d->remedies[i]);
        sink_str(&sink_out, "\n");
    }
}

static void doctor_done(struct doctor *d)
{
    for (size_t i = 0; i < d->nremedies; i++)
        free(d->remedies[i]);
    for (size_t i = 0; i < d->nused; i++)
        free(d->used[i]);
    free(d->remedies);
}

static int conclude(const struct doctor *d)
{
    if (d->wrong > 0)
        return fail_status(d->cli, d->worst, NULL, "%u thing%s wrong, %u warning%s", d->wrong,
                           d->wrong == 1 ? " is" : "s are", d->odd, d->odd == 1 ? "" : "s");
    if (d->odd > 0 && args_value(d->cli, "strict") != NULL)
        return fail_status(d->cli, KT_CONFIG_ERROR, NULL, "%u warning%s, and --strict", d->odd,
                           d->odd == 1 ? "" : "s");
    return 0;
}

static int run(const struct cli *cli)
{
    static const char *const heads[] = { "CHECK", "SUBJECT", "STATUS", "TEXT", "REMEDY" };
    AUTO(doctor_done) struct doctor d = { .cli = cli, .aligned = isatty(STDOUT_FILENO) };

    if (cli->service != NULL && args_value(cli, "all") != NULL)
        return fail_usage(cli, "doctor: --service and --all exclude each other");
    if (!cli->json) {
        d.table = table_new(heads, d.aligned ? 4 : 5);
        table_shade(d.table, 2, shade_word);
    }
    doctor_services(&d);
    doctor_modules(&d);
    doctor_places(&d);
    doctor_memory(&d);
    doctor_clock(&d);
    doctor_leaks(&d);
    if (!cli->json) {
        table_print(d.table, d.aligned);
        put_remedies(&d);
        (void)sink_flush(&sink_out);
    }
    return conclude(&d);
}

static const struct opt opts[] = {
    { .name = "all", .help = "all services that have a file, instead of one" },
    { .name = "strict", .help = "warnings fail, too" },
    { 0 },
};

const struct cmd cmd_doctor = {
    .name = "doctor",
    .synopsis = "[--all] [--strict]",
    .help = "look whether everything a service needs works here, and say what to do",
    .opts = opts,
    .min = 0,
    .max = 0,
    .run = run,
};
