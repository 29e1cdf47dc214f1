/* SPDX-License-Identifier: Apache-2.0 */
#include "cli.h"

#include <string.h>

struct bit {
    uint32_t bit;
    const char *name;
};

static const struct bit stages[] = {
    { KT_STAGE_CURRENT, "current" },
    { KT_STAGE_PREVIOUS, "previous" },
    { KT_STAGE_PENDING, "pending" },
    { 0, NULL },
};

static const struct bit flags[] = {
    { KT_FLAG_STALE, "stale" },     { KT_FLAG_OVERRIDE, "override" },
    { KT_FLAG_SAME, "same" },       { KT_FLAG_EXPIRED, "expired" },
    { KT_FLAG_NOT_YET, "not_yet" }, { KT_FLAG_FOREIGN, "foreign" },
    { KT_FLAG_COPY, "copy" },       { 0, NULL },
};

static const char *names_of(const struct bit *b, uint32_t set, const char *between, char *out)
{
    char *p = out;

    for (; b->name != NULL; b++) {
        if ((set & b->bit) == 0)
            continue;
        if (p != out)
            p = stpcpy(p, between);
        p = stpcpy(p, b->name);
    }
    *p = '\0';
    return out;
}

const char *stage_names(uint32_t set, char out[WHEN_SIZE])
{
    return names_of(stages, set, ",", out);
}

const char *flag_names(uint32_t set, char out[64])
{
    return names_of(flags, set, ", ", out);
}

const char *state_name(uint32_t state)
{
    static const char *const names[] = { "enabled", "disabled", "destroyed" };

    return state < sizeof(names) / sizeof(names[0]) ? names[state] : "unknown";
}

void info_json(struct json *j, const struct kt_info *info)
{
    json_str(j, "version", info->id);
    json_text(j, "state", state_name(info->state));
    json_key(j, "stages");
    sink_str(j->to, "[");
    for (size_t i = 0, n = 0; stages[i].name != NULL; i++)
        if ((info->stages & stages[i].bit) != 0)
            sink_printf(j->to, "%s\"%s\"", n++ > 0 ? "," : "", stages[i].name);
    sink_str(j->to, "]");
    json_time(j, "created", info->created_ms);
    json_time(j, "expires", info->expires_ms);
    json_time(j, "not_before", info->not_before_ms);
    json_key(j, "attributes");
    sink_str(j->to, "{");
    for (size_t i = 0; i < info->nattrs; i++) {
        if (i > 0)
            sink_str(j->to, ",");
        json_string(j->to, info->attrs[i].key, strlen(info->attrs[i].key));
        sink_str(j->to, ":");
        json_string(j->to, info->attrs[i].value, strlen(info->attrs[i].value));
    }
    sink_str(j->to, "}");
}

void info_origin(struct json *j, const struct kt_info *info, uint32_t shown)
{
    json_seconds(j, "age", info->age_ms);
    json_str(j, "module", info->module);
    json_str(j, "file", info->file);
    json_place(j, "line", info->line);
    for (const struct bit *b = flags; b->name != NULL; b++)
        if ((shown & b->bit) != 0)
            json_bool(j, b->name, (info->flags & b->bit) != 0);
}

void info_warn(const struct cli *cli, const char *name, const struct kt_info *info)
{
    char buf[WHEN_SIZE];

    if ((info->flags & KT_FLAG_STALE) != 0)
        say_warning(cli, "%s: the authority could not be asked; this is a copy of %s ago", name,
                    when_span(info->age_ms, buf));
    if ((info->flags & KT_FLAG_EXPIRED) != 0)
        say_warning(cli, "%s: this version expired at %s", name,
                    when_format(info->expires_ms, false, buf));
    if ((info->flags & KT_FLAG_NOT_YET) != 0)
        say_warning(cli, "%s: this version is not valid before %s", name,
                    when_format(info->not_before_ms, false, buf));
}
