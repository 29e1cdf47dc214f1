/* SPDX-License-Identifier: Apache-2.0 */
#include "sealed.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TIMEOUT_MS 86400000 /* a person types, a big archive is copied */

/* ---- words ----------------------------------------------------------------------------------- */

/* People know the archive, not the service that stands for it. */
static void speak_of_archive(const struct sealed *s, const char *text, char *out, size_t size)
{
    const char *at;

    text = scratch_words(&s->scratch, text);
    at = strstr(text, s->store);
    if (at == NULL)
        (void)snprintf(out, size, "%s", text);
    else
        (void)snprintf(out, size, "%.*s%s%s", (int)(at - text), text, s->archive,
                       at + strlen(s->store));
}

static int ask(void *cookie, const char *text, bool echo, char *buf, size_t len,
               int64_t deadline_ms, int cancel_fd)
{
    const struct sealed *s = cookie;
    char shown[PATH_MAX + 128];

    speak_of_archive(s, text, shown, sizeof(shown));
    return prompt_ask(NULL, shown, echo, buf, len, deadline_ms, cancel_fd);
}

static void log_of(void *cookie, enum kt_log_level level, const char *text)
{
    const struct sealed *s = cookie;

    say_log((void *)(uintptr_t)s->cli, level, text);
}

static int fail_sealed(const struct sealed *s, const struct kt_err *err)
{
    struct kt_err told = { .status = err->status };

    if (err->status == KT_LOCKED)
        return fail_status(
            s->cli, KT_LOCKED, NULL,
            "%s is locked: name a key file with --keyfile, or type the passphrase at "
            "a terminal",
            s->archive);
    speak_of_archive(s, err->msg, told.msg, sizeof(told.msg));
    return fail_err(s->cli, NULL, &told);
}

/* ---- the service ----------------------------------------------------------------------------- */

static int absolute(const struct cli *cli, const char *path, char out[PATH_MAX])
{
    char cwd[PATH_MAX];
    int n;

    if (path[0] == '/')
        n = snprintf(out, PATH_MAX, "%s", path);
    else if (getcwd(cwd, sizeof(cwd)) != NULL)
        n = snprintf(out, PATH_MAX, "%s/%s", cwd, path);
    else
        return fail_io(cli, path, errno);
    return n < PATH_MAX ? 0 : fail_io(cli, path, ENAMETOOLONG);
}

static int key_path(const struct cli *cli, char out[PATH_MAX])
{
    const char *given = args_value(cli, "keyfile");
    int rc = 0;

    out[0] = '\0';
    if (given != NULL)
        rc = absolute(cli, given, out);
    if (rc == 0 && !scratch_can_hold(out))
        rc = fail_usage(cli, "%s: --keyfile '%s': such a name cannot stand in a service file",
                        cli->cmd->name, given);
    return rc;
}

static void options_of(struct sealed *s, struct kt_open_options *options)
{
    session_options(s->cli, options);
    options->config_dir = s->scratch.dir;
    options->log = log_of;
    options->prompt = ask;
    options->cookie = s;
}

static int begin(struct sealed *s, bool writes)
{
    char key[PATH_MAX], text[PATH_MAX + 512];
    struct kt_open_options options;
    struct kt_err err = { 0 };
    int rc = key_path(s->cli, key);

    if (rc == 0)
        rc = scratch_begin(s->cli, &s->scratch);
    if (rc != 0)
        return rc;
    (void)snprintf(s->store, sizeof(s->store), "%s/" SCRATCH_STORE, s->scratch.dir);
    (void)snprintf(text, sizeof(text), "read required file [path=%s]%s%s%s%s\n%s", s->store,
                   key[0] != '\0' ? " [key=" : "", key, key[0] != '\0' ? "]" : "",
                   writes && key[0] == '\0' ? " passphrase" : "",
                   writes ? "write required file\n" : "");
    options_of(s, &options);
    rc = scratch_open(&s->scratch, text, &options, &s->h, &err);
    return rc == KT_SUCCESS ? 0 : fail_sealed(s, &err);
}

static struct kt_call_options patient(const struct cli *cli)
{
    struct kt_call_options call = session_call(cli);
    const int64_t left = session_left_ms(cli);

    call.timeout_ms = left < 0 ? TIMEOUT_MS : left > 0 ? left : 1;
    return call;
}

static void no_words(void *cookie, const char *text)
{
    (void)cookie;
    (void)text;
}

/* A verb of the file module's; @option: NULL, or what the archive is to it. */
static int run(struct sealed *s, const char *verb, const char *option, bool replace)
{
    char path[PATH_MAX], word[PATH_MAX + 8];
    const char *const argv[] = { word, "replace" };
    const struct kt_call_options call = patient(s->cli);
    struct kt_open_options options;
    struct kt_err err = { 0 };
    int rc = absolute(s->cli, s->archive, path);

    if (rc != 0)
        return rc;
    if (option != NULL)
        (void)snprintf(word, sizeof(word), "%s=%s", option, path);
    options_of(s, &options);
    rc = kt_module_run(s->h, &options, "file", verb,
                       option == NULL ? 0
                       : replace      ? 2
                                      : 1,
                       argv, &call, no_words, s, &err);
    return rc == KT_SUCCESS ? 0 : fail_sealed(s, &err);
}

static int one_will_do(void *cookie, const struct kt_item *item)
{
    (void)cookie;
    (void)item;
    return KT_CANCELLED;
}

/* A wrong passphrase is told of before anything is copied. */
static int unlock(struct sealed *s)
{
    const struct kt_call_options call = patient(s->cli);
    struct kt_err err = { 0 };
    const int rc = kt_list_each(s->h, NULL, &call, one_will_do, s, NULL, &err);

    return rc == KT_SUCCESS || rc == KT_CANCELLED ? 0 : fail_sealed(s, &err);
}

int sealed_make(const struct cli *cli, const char *archive, struct sealed *s)
{
    int rc;

    *s = (struct sealed){ .cli = cli, .archive = archive };
    rc = begin(s, true);
    return rc == 0 ? run(s, "create", NULL, false) : rc;
}

int sealed_read(const struct cli *cli, const char *archive, struct sealed *s)
{
    int rc;

    *s = (struct sealed){ .cli = cli, .archive = archive };
    rc = begin(s, false);
    if (rc == 0)
        rc = run(s, "restore", "from", false);
    return rc == 0 ? unlock(s) : rc;
}

int sealed_write(struct sealed *s, bool force)
{
    return run(s, "backup", "to", force);
}

void sealed_done(struct sealed *s)
{
    kt_close(s->h);
    s->h = NULL;
    scratch_done(&s->scratch);
}
