/* SPDX-License-Identifier: Apache-2.0 */
#include "cli.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct attrs {
    struct kt_attr row[KT_ATTRS_MAX];
    char text[KT_ATTRS_MAX][KT_ATTR_KEY_MAX + 1];
    size_t n;
};

static int take_attrs(const struct cli *cli, struct attrs *a)
{
    size_t from = 0;
    const char *given;

    while ((given = args_next(cli, "attr", &from)) != NULL) {
        const char *equals = strchr(given, '=');
        size_t len = equals != NULL ? (size_t)(equals - given) : 0;

        if (len == 0)
            return fail_usage(cli, "set: --attr '%s' is not KEY=VALUE", given);
        if (len > KT_ATTR_KEY_MAX)
            return fail_usage(cli, "set: --attr '%s': a key has at most %d bytes", given,
                              KT_ATTR_KEY_MAX);
        if (a->n == KT_ATTRS_MAX)
            return fail_usage(cli, "set: more than %d attributes", KT_ATTRS_MAX);
        memcpy(a->text[a->n], given, len);
        a->text[a->n][len] = '\0';
        a->row[a->n] = (struct kt_attr){ .key = a->text[a->n], .value = equals + 1 };
        a->n++;
    }
    return 0;
}

static int take_time(const struct cli *cli, const char *option, int64_t *ms)
{
    const char *text = args_value(cli, option);

    if (text == NULL || when_parse(text, ms))
        return 0;
    return fail_usage(cli,
                      "set: --%s '%s' is neither a time such as 2030-01-31T12:00:00Z nor a "
                      "duration from now such as 90d",
                      option, text);
}

static int take_options(const struct cli *cli, struct attrs *attrs, struct kt_put_options *o)
{
    const struct kt_call_options call = session_call(cli);
    int rc;

    *o = (struct kt_put_options){
        .size = sizeof(*o),
        .timeout_ms = call.timeout_ms,
        .may_prompt = call.may_prompt,
        .id = args_value(cli, "id"),
        .expected = session_expect(cli),
        .stage = args_value(cli, "stage"),
    };
    if (o->stage != NULL && strcmp(o->stage, "current") != 0 && strcmp(o->stage, "pending") != 0)
        return fail_usage(cli, "set: --stage '%s' is neither current nor pending", o->stage);
    rc = take_time(cli, "expires", &o->expires_ms);
    if (rc == 0 && o->expires_ms != 0 && o->expires_ms <= (int64_t)time(NULL) * 1000)
        say_warning(cli, "set: --expires '%s' is in the past: the version has expired already",
                    args_value(cli, "expires"));
    if (rc == 0)
        rc = take_time(cli, "not-before", &o->not_before_ms);
    if (rc == 0)
        rc = take_attrs(cli, attrs);
    o->attrs = attrs->row;
    o->nattrs = attrs->n;
    return rc;
}

static int take_value(const struct cli *cli, const char *name, struct input *in)
{
    const char *file = cli->argc > 1 ? cli->argv[1] : NULL;
    bool trim = args_value(cli, "trim") != NULL;
    int rc;

    if (file == NULL && isatty(STDIN_FILENO))
        rc = input_ask(cli, in, name);
    else
        rc = input_read(cli, in, file);
    if (rc != 0)
        return rc;
    if (in->len > 0 && in->data[in->len - 1] == '\n') {
        if (trim) {
            in->len--;
            if (in->len > 0 && in->data[in->len - 1] == '\r')
                in->len--;
        } else if (in->len <= KT_VALUE_MAX) {
            say_warning(cli, "%s: the value ends in a newline, which is kept; --trim drops it",
                        name);
        }
    }
    if (in->len > KT_VALUE_MAX)
        return fail_status(cli, KT_TOO_LARGE, name,
                           "the value is over %d bytes; nothing was stored", KT_VALUE_MAX);
    if (in->len == 0 && (file == NULL || strcmp(file, "/dev/null") != 0)) /* that one means it */
        say_warning(cli, "%s: the value is empty", name);
    return 0;
}

static void put_id(const struct cli *cli, const char *name, const char *id, const char *stage)
{
    if (cli->json) {
        struct json j = json_open(&sink_out);

        json_text(&j, "name", name);
        json_str(&j, "version", id);
        json_text(&j, "stage", stage != NULL ? stage : "current");
        json_close(&j);
    } else if (!cli->quiet) {
        sink_text(&sink_out, id);
        sink_str(&sink_out, "\n");
    }
}

/* It is stored, whatever becomes of the id: who repeats the command makes a second version. */
static int told_id(const struct cli *cli, const char *name, const char *id)
{
    char what[KT_NAME_MAX + KT_ID_SIZE + 64];
    const int errnum = sink_flush(&sink_out);

    if (errnum == 0)
        return 0;
    sink_out.error = 0; /* told here */
    (void)snprintf(what, sizeof(what), "%s is stored, as version %s; standard output", name, id);
    return fail_io(cli, what, errnum);
}

static int run(const struct cli *cli)
{
    AUTO(session_closep) struct kt_handle *h = NULL;
    AUTO(input_free) struct input in = { 0 };
    const char *name = cli->argv[0];
    struct kt_put_options options;
    struct attrs attrs = { .n = 0 };
    char id[KT_ID_SIZE] = "";
    struct kt_err err = { 0 };
    int rc = take_options(cli, &attrs, &options), status;

    if (rc != 0)
        return rc;
    /* whatever can be refused without the value is refused before somebody types it */
    if (kt_name_check(name, &err) != KT_SUCCESS)
        return fail_err(cli, name, &err);
    rc = session_open(cli, &h);
    if (rc != 0)
        return rc;
    if (!input_new(&in))
        return fail_status(cli, KT_NO_MEMORY, name, "no memory for a value");
    rc = take_value(cli, name, &in);
    if (rc != 0)
        return rc;
    if (cli->timed)
        options.timeout_ms = session_left_ms(cli);
    if (options.timeout_ms == 0)
        return fail_status(cli, KT_TIMEOUT, name, "--timeout is over; nothing was stored");
    status = kt_put(h, name, in.data, in.len, &options, id, &err);
    if (status == KT_SUCCESS || status == KT_PARTIAL) {
        put_id(cli, name, id, options.stage);
        rc = told_id(cli, name, id);
    }
    return status == KT_SUCCESS ? rc : fail_err(cli, name, &err);
}

static const struct opt opts[] = {
    { .name = "attr", .many = true, .arg = "KEY=VALUE", .help = "an attribute; may be repeated" },
    { .name = "expires", .arg = "TIME", .help = "RFC 3339, or from now, as 90d" },
    { .name = "not-before", .arg = "TIME", .help = "first valid instant, likewise" },
    { .name = "expect",
      .arg = "ID",
      .help = "only if ID is current; none: only if there is no secret" },
    { .name = "id", .arg = "UUID", .help = "the new version's id, a UUIDv7: makes repeating safe" },
    { .name = "stage", .arg = "STAGE", .help = "current, or pending to promote later" },
    { .name = "trim", .help = "drop one newline at the end" },
    { 0 },
};

const struct cmd cmd_set = {
    .name = "set",
    .synopsis =
        "NAME [FILE] [--attr KEY=VALUE]… [--expires TIME] [--not-before TIME] [--expect ID]\n"
        "            [--id UUID] [--stage STAGE] [--trim]",
    .help = "store a new version, from FILE, standard input or a hidden prompt; prints its id",
    .opts = opts,
    .min = 1,
    .max = 2,
    .writes = true,
    .run = run,
};
