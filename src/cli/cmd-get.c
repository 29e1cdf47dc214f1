/* SPDX-License-Identifier: Apache-2.0 */
#include "core/field.h"

#include "cli.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* What is printed: the secret's own bytes, or a member decoded into @room. */
struct value {
    const char *data;
    size_t len;
    struct input room;
};

static void value_done(struct value *v)
{
    input_free(&v->room);
}

static int take_field(const struct cli *cli, const char *name, const char *member, struct value *v)
{
    struct kt_field f;
    int rc = kt_field_find(v->data, v->len, member, &f);

    if (rc == KT_NOT_FOUND)
        return fail_status(cli, rc, name, "the value has no member '%s'", member);
    if (rc != KT_SUCCESS)
        return fail_status(cli, rc, name, "the value is no JSON object, so it has no member '%s'",
                           member);
    if (!input_new(&v->room))
        return fail_status(cli, KT_NO_MEMORY, name, "no memory for a value");
    v->len = kt_field_decode(v->data, &f, (char *)v->room.data);
    v->data = (const char *)v->room.data;
    return 0;
}

static void put_json(const char *name, const char *member, const struct value *v,
                     const struct kt_info *info)
{
    struct json j = json_open(&sink_out);

    (void)mlock(&sink_out, sizeof(sink_out));
    json_text(&j, "name", name);
    if (member != NULL)
        json_text(&j, "field", member);
    json_value(&j, v->data, v->len);
    info_json(&j, info);
    info_origin(&j, info,
                KT_FLAG_STALE | KT_FLAG_OVERRIDE | KT_FLAG_EXPIRED | KT_FLAG_NOT_YET |
                    KT_FLAG_COPY);
    json_close(&j);
    (void)sink_flush(&sink_out);
}

static void put_plain(const struct cli *cli, const char *name, const struct value *v)
{
    bool terminal = isatty(STDOUT_FILENO);

    if (terminal && text_has_controls(v->data, v->len))
        say_warning(cli, "%s: the value has control bytes, which the terminal acts on", name);
    sink_direct(&sink_out, v->data, v->len);
    if (terminal && (v->len == 0 || v->data[v->len - 1] != '\n'))
        sink_str(&sink_out, "\n");
}

static int run(const struct cli *cli)
{
    AUTO(session_closep) struct kt_handle *h = NULL;
    AUTO(secret_freep) struct kt_secret *s = NULL;
    AUTO(value_done) struct value v = { 0 };
    const char *name = cli->argv[0], *member = args_value(cli, "field");
    struct kt_get_options options;
    struct kt_err err = { 0 };
    int rc = session_get_options(cli, &options);

    if (rc == 0)
        rc = session_open(cli, &h);
    if (rc != 0)
        return rc;
    if (kt_get(h, name, &options, &s, &err) != KT_SUCCESS)
        return fail_err(cli, name, &err);
    v.data = kt_secret_data(s);
    v.len = kt_secret_len(s);
    if (member != NULL) {
        rc = take_field(cli, name, member, &v);
        if (rc != 0)
            return rc;
    }
    info_warn(cli, name, kt_secret_info(s));
    if (cli->json)
        put_json(name, member, &v, kt_secret_info(s));
    else
        put_plain(cli, name, &v);
    return 0;
}

static const struct opt opts[] = {
    { .name = "version", .arg = "ID", .help = "this version instead of the current one" },
    { .name = "stage", .arg = "STAGE", .help = "current, previous or pending" },
    { .name = "field", .arg = "MEMBER", .help = "of a value that is a JSON object, this member" },
    { .name = "fresh", .help = "only the authority's answer will do" },
    { .name = "max-age", .arg = "DURATION", .help = "no copy that is older, as 30s or 5m" },
    { 0 },
};

const struct cmd cmd_get = {
    .name = "get",
    .synopsis =
        "NAME [--version ID | --stage STAGE] [--field MEMBER] [--fresh | --max-age DURATION]",
    .help = "print a secret's value, without a newline unless on a terminal",
    .opts = opts,
    .min = 1,
    .max = 1,
    .run = run,
};
