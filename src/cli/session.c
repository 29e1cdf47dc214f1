/* SPDX-License-Identifier: Apache-2.0 */
#include "cli.h"

#include <string.h>
#include <time.h>
#include <unistd.h>

#define COOKIE(cli)                                                                                \
    ((void *)(cli)) /* handed back to say_log() and prompt_ask(), which only read it */

void session_options(const struct cli *cli, struct kt_open_options *options)
{
    *options = (struct kt_open_options){
        .size = sizeof(*options),
        .module_dir = cli->module_dir,
        .log = say_log,
        .prompt = prompt_ask,
        .cookie = COOKIE(cli),
    };
}

static bool opening;

bool session_is_opening(void)
{
    return opening;
}

int session_open_service(const struct cli *cli, const char *service, struct kt_handle **h,
                         struct kt_err *err)
{
    struct kt_open_options options;
    int rc;

    session_options(cli, &options);
    opening = true;
    rc = kt_open(service, &options, h, err);
    opening = false;
    return rc;
}

int session_open(const struct cli *cli, struct kt_handle **h)
{
    struct kt_err err = { 0 };

    if (session_open_service(cli, cli->service, h, &err) != KT_SUCCESS)
        return fail_err(cli, NULL, &err);
    return 0;
}

void session_closep(struct kt_handle **h)
{
    kt_close(*h);
}

void secret_freep(struct kt_secret **s)
{
    kt_secret_free(*s);
}

void list_freep(struct kt_list **l)
{
    kt_list_free(*l);
}

/* Somebody is there to be asked: a cron job's or a pipeline's both ends are no terminals. */
static bool attended(void)
{
    return isatty(STDIN_FILENO) || isatty(STDERR_FILENO);
}

struct kt_call_options session_call(const struct cli *cli)
{
    return (struct kt_call_options){
        .size = sizeof(struct kt_call_options),
        .timeout_ms = cli->timeout_ms,
        .may_prompt = attended(),
    };
}

int64_t session_now_ms(void)
{
    struct timespec ts;

    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

int64_t session_left_ms(const struct cli *cli)
{
    int64_t left = cli->timeout_ms - (session_now_ms() - cli->begun_ms);

    if (!cli->timed)
        return -1;
    return left > 0 ? left : 0;
}

int session_get_options(const struct cli *cli, struct kt_get_options *options)
{
    const char *max_age = args_value(cli, "max-age");
    bool fresh = args_value(cli, "fresh") != NULL;

    *options = (struct kt_get_options){
        .size = sizeof(*options),
        .timeout_ms = cli->timeout_ms,
        .may_prompt = attended(),
        .bound_age = fresh || max_age != NULL,
        .version = args_value(cli, "version"),
        .stage = args_value(cli, "stage"),
    };
    if (options->version != NULL && options->stage != NULL)
        return fail_usage(cli, "%s: --version and --stage exclude each other", cli->cmd->name);
    if (fresh && max_age != NULL)
        return fail_usage(cli, "%s: --fresh and --max-age exclude each other", cli->cmd->name);
    if (max_age != NULL && !when_duration(max_age, &options->max_age_ms))
        return fail_usage(cli, "%s: --max-age '%s' is no duration, such as 30s, 5m or 6h",
                          cli->cmd->name, max_age);
    return 0;
}

const char *session_expect(const struct cli *cli)
{
    const char *expected = args_value(cli, "expect");

    return expected != NULL && strcmp(expected, "none") == 0 ? "" : expected;
}
