/* SPDX-License-Identifier: Apache-2.0 */

/* The two authorities: what they are, what the target can hold, and whether it may. */

#include "copying-parts.h"

#include <stdio.h>
#include <string.h>

#include <keyturn/module.h> /* KT_CAP_* */

/* In the order of enum kt_class, as kt_modules() tells them. */
static const char *const classes[] = { "hardware",    "cloud", "keyring",
                                       "sealed file", "plain", "memory" };

static void take_module(void *cookie, const struct kt_module_info *m)
{
    struct copy_side *s = cookie;
    const uint64_t history = KT_CAP_VERSIONS | KT_CAP_STAGES | KT_CAP_OWN_ID;

    if (m->status != KT_SUCCESS)
        return;
    s->found = true;
    s->rank = -1;
    for (size_t i = 0; i < sizeof(classes) / sizeof(classes[0]); i++)
        if (strcmp(classes[i], m->protection) == 0)
            s->rank = (int)i;
    (void)snprintf(s->class_name, sizeof(s->class_name), "%s", m->protection);
    s->cas = strcmp(m->cas, "none") != 0;
    s->history = (m->capabilities & history) == history && !s->authority.member;
    s->own_id = (m->capabilities & KT_CAP_OWN_ID) != 0;
    s->attrs = (m->capabilities & KT_CAP_ATTRS) != 0;
    s->times = (m->capabilities & KT_CAP_EXPIRES) != 0;
    s->binary = (m->capabilities & KT_CAP_BINARY) != 0;
    s->value_min = m->value_min;
    s->value_max = m->value_max;
}

static int look_at(const struct copying *c, const struct kt_handle *h, const char *name,
                   struct copy_side *s)
{
    struct kt_open_options options;
    struct kt_err err = { 0 };

    *s = (struct copy_side){ .authority.size = sizeof(s->authority) };
    if (kt_authority(h, &s->authority, &err) != KT_SUCCESS)
        return fail_err(c->cli, NULL, &err);
    session_options(c->cli, &options);
    if (kt_modules(s->authority.module, &options, NULL, take_module, s, &err) != KT_SUCCESS)
        return fail_err(c->cli, NULL, &err);
    if (!s->found)
        return fail_status(c->cli, KT_UNAVAILABLE, NULL,
                           "'%s': module '%s', the authority, cannot be used; 'keyturn modules "
                           "%s' tells why",
                           name, s->authority.module, s->authority.module);
    return 0;
}

static bool weaker(const struct copy_side *than, const struct copy_side *s)
{
    return s->rank < 0 || s->rank > than->rank;
}

int copy_look(struct copying *c)
{
    struct copy_side *source = &c->state->source, *target = &c->state->target;
    struct kt_authority to = { .size = sizeof(to) };
    struct kt_err err = { 0 };
    int rc;

    if (kt_authority(c->to, &to, &err) != KT_SUCCESS)
        return fail_err(c->cli, NULL, &err);
    if (!to.writable)
        return fail_status(c->cli, KT_UNSUPPORTED, NULL,
                           "'%s' has no write lines: nothing can be copied to it", c->to_name);
    rc = look_at(c, c->from, c->from_name, source);
    if (rc == 0)
        rc = look_at(c, c->to, c->to_name, target);
    if (rc != 0)
        return rc;
    if (!c->allow_weaker && weaker(source, target))
        return fail_status(c->cli, KT_DENIED, NULL,
                           "'%s' keeps secrets in '%s' (%s), which protects them less than '%s' "
                           "of '%s' (%s): nothing was copied; %s allows it",
                           c->to_name, target->authority.module, target->class_name,
                           source->authority.module, c->from_name, source->class_name,
                           c->weaker_hint != NULL ? c->weaker_hint : "--allow-weaker");
    return 0;
}
