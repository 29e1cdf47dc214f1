/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What Python's keyring keeps in the Secret Service: items with the attributes application, service and
 * username. They are read as keyturn reads what others made, by keyring lines of services made for it.
 * Source: keyring 23, backends/SecretService.py.
 */
#include "import-source.h"
#include "scratch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define APPLICATION "application:Python keyring library"
#define SERVICE_MAX 256

/* Only one: sources are read one at a time. */
static struct scratch place;

/* @text as a value of attributes=; false: it cannot stand in a service file. */
static bool escape(const char *text, char *out, size_t size)
{
    size_t n = 0;

    if (!scratch_can_hold(text))
        return false;
    for (const char *p = text; *p != '\0'; p++) {
        if (n + 3 > size)
            return false;
        if (strchr("%,:", *p) != NULL)
            out[n++] = '%';
        out[n++] = *p;
    }
    out[n] = '\0';
    return true;
}

/* A service that reads items of this service (NULL: whatever it is) and user (NULL: likewise). */
static int open_items(const struct cli *cli, const char *service, const char *user,
                      struct kt_handle **h, struct kt_err *err)
{
    char text[2048], s[512] = "%n", u[512] = "%n";
    struct kt_open_options options;

    if ((service != NULL && !escape(service, s, sizeof(s))) ||
        (user != NULL && !escape(user, u, sizeof(u))))
        return err_explain(err, KT_INVALID, "its service or user name cannot be looked up");
    (void)snprintf(text, sizeof(text),
                   "read required keyring [attributes=" APPLICATION ",service:%s%s%s]\n", s,
                   service != NULL ? ",username:" : "", service != NULL ? u : "");
    session_options(cli, &options);
    return scratch_open(&place, text, &options, h, err);
}

static int fail_place(const struct cli *cli, const struct kt_err *err)
{
    struct kt_err told = { .status = err->status };

    (void)snprintf(told.msg, sizeof(told.msg), "%s", scratch_words(&place, err->msg));
    return fail_err(cli, NULL, &told);
}

/* Names as the store has them, whether or not they are names of ours. */
static int list(const struct cli *cli, const char *service, struct kt_list **l)
{
    AUTO(session_closep) struct kt_handle *h = NULL;
    const struct kt_call_options call = session_call(cli);
    struct kt_err err = { 0 };
    int rc = open_items(cli, service, NULL, &h, &err);

    if (rc == KT_SUCCESS)
        rc = kt_list(h, NULL, &call, l, &err);
    return rc == KT_SUCCESS ? 0 : fail_place(cli, &err);
}

/* The key is SERVICE/USERNAME; where the one ends and the other begins is kept beside it. */
static int add_users(struct source *s, const char *service)
{
    AUTO(list_freep) struct kt_list *users = NULL;
    int rc = list(s->cli, service, &users);

    for (size_t i = 0; rc == 0 && i < kt_list_count(users); i++) {
        struct item *item = NULL;
        char *key = NULL;

        if (asprintf(&key, "%s/%s", service, kt_list_item(users, i)->name) < 0)
            return fail_status(s->cli, KT_NO_MEMORY, NULL, "out of memory; nothing was imported");
        rc = source_add(s, key, strlen(key), &item);
        if (rc == 0)
            item->len = strlen(service);
        free(key);
    }
    return rc;
}

static int fetch(struct source *s, struct item *item, struct input *out, const char **note,
                 struct kt_err *err)
{
    AUTO(session_closep) struct kt_handle *h = NULL;
    AUTO(secret_freep) struct kt_secret *secret = NULL;
    const struct kt_call_options call = session_call(s->cli);
    const struct kt_get_options options = { .size = sizeof(options),
                                            .timeout_ms = call.timeout_ms,
                                            .may_prompt = call.may_prompt };
    char *service = strndup(item->key, item->len);
    int rc = service != NULL ? open_items(s->cli, service, item->key + item->len + 1, &h, err)
                             : err_explain(err, KT_NO_MEMORY, "out of memory");

    (void)note;
    free(service);
    if (rc == KT_SUCCESS)
        rc = kt_get(h, "item", &options, &secret, err);
    if (rc != KT_SUCCESS)
        return rc;
    out->len = kt_secret_len(secret);
    memcpy(out->data, kt_secret_data(secret), out->len);
    return KT_SUCCESS;
}

int import_python_service(struct source *s)
{
    AUTO(list_freep) struct kt_list *services = NULL;
    int rc = scratch_begin(s->cli, &place);

    s->shown = "the Secret Service";
    s->fetch = fetch;
    if (rc == 0)
        rc = list(s->cli, NULL, &services);
    for (size_t i = 0; rc == 0 && i < kt_list_count(services); i++)
        rc = add_users(s, kt_list_item(services, i)->name);
    return rc;
}

void import_python_done(void)
{
    scratch_done(&place);
}
