/* SPDX-License-Identifier: Apache-2.0 */
#include "cli.h"

#include <stdio.h>
#include <string.h>

#define UNLOCK_TIMEOUT_MS 600000 /* what a person types takes its time */

#define SAID_MAX 512

/* The last thing that a module prints is what happened. */
static void take_line(void *cookie, const char *text)
{
    (void)snprintf(cookie, SAID_MAX, "%s", text);
}

static const char *subject_of(const struct kt_line_status *line, char *out, size_t size)
{
    const char *slash = strrchr(line->file, '/');
    char number[16] = "";

    if (line->line > 0)
        (void)snprintf(number, sizeof(number), ":%u", line->line);
    (void)snprintf(out, size, "%s%s %s", slash != NULL ? slash + 1 : line->file, number,
                   line->module);
    return out;
}

/* KT_IGNORE: the line's module has nothing to unlock. */
static int unlock_line(const struct cli *cli, struct kt_handle *h, size_t index,
                       const struct kt_line_status *line, struct kt_err *err)
{
    struct kt_call_options call = session_call(cli);
    char subject[400], said[SAID_MAX] = "";
    int status;

    if (!cli->timed)
        call.timeout_ms = UNLOCK_TIMEOUT_MS;
    status = kt_line_run(h, index, "unlock", &call, take_line, said, NULL, err);
    if (status == KT_SUCCESS)
        (void)say_done(cli, subject_of(line, subject, sizeof(subject)),
                       said[0] != '\0' ? said : "unlocked");
    return status;
}

static int run(const struct cli *cli)
{
    AUTO(session_closep) struct kt_handle *h = NULL;
    struct kt_line_status line;
    struct kt_err err = { 0 };
    size_t unlocked = 0;
    int worst = KT_SUCCESS, rc = session_open(cli, &h);

    if (rc != 0)
        return rc;
    for (size_t i = 0; kt_line_run(h, i, NULL, NULL, NULL, NULL, &line, &err) == KT_SUCCESS; i++) {
        const int status = unlock_line(cli, h, i, &line, &err);

        unlocked += status != KT_IGNORE;
        if (status == KT_IGNORE || status == KT_SUCCESS)
            continue;
        (void)fail_err(cli, NULL, &err);
        if (worst == KT_SUCCESS || kt_status_tell(status) > kt_status_tell(worst))
            worst = status;
    }
    if (unlocked == 0)
        return say_done(cli, cli->service != NULL ? cli->service : "deepseek", "nothing to unlock");
    return kt_status_exit(worst);
}

const struct cmd cmd_unlock = {
    .name = "unlock",
    .synopsis = "",
    .help = "unlock what a service keeps its secrets in",
    .min = 0,
    .max = 0,
    .run = run,
};
