/* SPDX-License-Identifier: Apache-2.0 */
#include "conform.h"

#include "cli.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* It measures deadlines, and waits for slow stores; but a check that waits on nothing is ended. */
#define BATTERY_MS 600000LL
#define CHECK_MS 120000LL

enum { BEGIN = 'b', END = 'e' };

struct conform {
    const struct cli *cli;
    int fd;            /* in the child */
    int output;        /* a file: where it is led what the module prints; -1: nowhere */
    char title[256];   /* of the check under way */
    unsigned count[3]; /* by verdict */
};

/* ---- in the child ---- */

static void send_begin(void *cookie, const char *title)
{
    child_send(((struct conform *)cookie)->fd, BEGIN, &title, 1);
}

static void send_end(void *cookie, const char *title, enum conform_verdict verdict, const char *why)
{
    char number[16];

    (void)snprintf(number, sizeof(number), "%d", (int)verdict);
    child_send(((struct conform *)cookie)->fd, END, (const char *[]){ number, title, why }, 3);
}

static int body(int fd, void *cookie, struct kt_err *err)
{
    struct conform *c = cookie;
    const struct conform_options options = {
        .module_dir = c->cli->module_dir,
        .output = c->output,
        .begin = send_begin,
        .end = send_end,
        .cookie = c,
        .err = err,
    };

    c->fd = fd;
    if (c->output >= 0 &&
        (dup2(c->output, STDOUT_FILENO) < 0 || dup2(c->output, STDERR_FILENO) < 0)) {
        err->status = KT_UNAVAILABLE;
        return err->status;
    }
    return conform_run(c->cli->argv[0], c->cli->argc - 1, (const char *const *)c->cli->argv + 1,
                       &options);
}

/* ---- here ---- */

static void put_check(struct conform *c, enum conform_verdict verdict, const char *title,
                      const char *why)
{
    static const char *const words[] = { "ok", "failed", "skipped" };

    c->count[verdict]++;
    if (c->cli->json) {
        struct json j = json_open(&sink_out);

        json_text(&j, "check", title);
        json_text(&j, "result", words[verdict]);
        json_str(&j, "why", why);
        json_close(&j);
    } else if (verdict != CONFORM_OK || !c->cli->quiet) {
        sink_printf(&sink_out, "%-8s", words[verdict]);
        sink_text(&sink_out, title);
        if (why != NULL && *why != '\0') {
            sink_str(&sink_out, ": ");
            sink_text(&sink_out, why);
        }
        sink_str(&sink_out, "\n");
    }
    (void)sink_flush(&sink_out); /* the next one may take its time */
}

static void take_record(void *cookie, char kind, const char *const *fields)
{
    struct conform *c = cookie;
    int verdict;

    if (kind == BEGIN && fields[0] != NULL)
        (void)snprintf(c->title, sizeof(c->title), "%s", fields[0]);
    if (kind != END || fields[0] == NULL || fields[1] == NULL)
        return;
    c->title[0] = '\0';
    verdict = atoi(fields[0]);
    if (verdict >= CONFORM_OK && verdict <= CONFORM_SKIPPED)
        put_check(c, (enum conform_verdict)verdict, fields[1], fields[2]);
}

/* What it said before it died, as a sanitizer does, is for whoever mends it. */
static void show_output(int output)
{
    char text[512];
    off_t at = 0;
    ssize_t n;

    while ((n = pread(output, text, sizeof(text) - 1, at)) > 0) {
        sink_bytes(&sink_err, text, (size_t)n);
        at += n;
    }
    (void)sink_flush(&sink_err);
}

static int run(const struct cli *cli)
{
    struct cli patient = *cli;
    struct conform c = { .cli = &patient, .output = memfd_create("output", MFD_CLOEXEC) };
    const char *module = cli->argv[0];
    struct child_end end;
    struct kt_err err;
    int status;

    if (!cli->timed)
        patient.timeout_ms = BATTERY_MS;
    status = child_run(&patient, cli->timed ? 0 : CHECK_MS, body, take_record, &c, &end, &err);
    if (end.died && !cli->json)
        show_output(c.output);
    if (c.output >= 0)
        (void)close(c.output);
    if (end.died && c.title[0] != '\0')
        put_check(&c, CONFORM_FAILED, c.title, end.how);
    if (end.died)
        return fail_status(cli, status, module, "%s %s", module, end.how);
    if (status != KT_SUCCESS && c.count[CONFORM_FAILED] > 0)
        return fail_status(cli, status, module, "%s: %u of %u checks failed, %u skipped", module,
                           c.count[CONFORM_FAILED], c.count[CONFORM_FAILED] + c.count[CONFORM_OK],
                           c.count[CONFORM_SKIPPED]);
    if (status != KT_SUCCESS)
        return fail_err(cli, module, &err);
    if (!cli->json && !cli->quiet)
        sink_printf(&sink_out, "%.100s: %u checks passed, %u skipped\n", module,
                    c.count[CONFORM_OK], c.count[CONFORM_SKIPPED]);
    return 0;
}

const struct cmd cmd_conform = {
    .name = "conform",
    .synopsis = "MODULE [KEY=VALUE …]",
    .help = "put a module through its contract; the words are options as on its line",
    .min = 1,
    .max = -1,
    .run = run,
};
