/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A program with an open handle that does what it is told, so that a script can change the world between
 * two calls.
 *
 *     keyring-talk MODULE-DIR SERVICE
 *
 * reads commands from standard input, a line each, and answers each with one line, status, milliseconds,
 * and the value or what was said:
 *
 *     get NAME | get-stage NAME STAGE | put NAME VALUE | put-expecting NAME ID VALUE | delete NAME
 *     current NAME            the version id of what get gives
 *     versions NAME           how many there are, and how many of them are current
 *     prompt on|off           whether a person may be asked in what follows; nobody answers a question
 *     timeout MS              for each call that follows
 *     reopen                  close the handle, open another
 *     child COMMAND...        do it in a child, with the handle that was open before the fork
 *     grandchild COMMAND...   in a child, with a handle that the child opens
 */

#include <keyturn/keyturn.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static struct {
    const char *module_dir;
    const char *service;
    struct kt_handle *h;
    bool may_prompt;
    int64_t timeout_ms;
    char text[KT_VALUE_MAX + 1];
    struct kt_err err;
} talk = { .timeout_ms = 20000 };

static int64_t now_ms(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int reopen(void)
{
    const struct kt_open_options options = { .size = sizeof(options),
                                             .module_dir = talk.module_dir };

    kt_close(talk.h);
    talk.h = NULL;
    return kt_open(talk.service, &options, &talk.h, &talk.err);
}

static int get(const char *name, const char *stage, bool id)
{
    const struct kt_get_options options = { .size = sizeof(options),
                                            .timeout_ms = talk.timeout_ms,
                                            .may_prompt = talk.may_prompt,
                                            .stage = stage };
    struct kt_secret *s = NULL;
    const int rc = kt_get(talk.h, name, &options, &s, &talk.err);

    if (rc == KT_SUCCESS)
        (void)snprintf(talk.text, sizeof(talk.text), "%s",
                       id ? kt_secret_info(s)->id : (const char *)kt_secret_data(s));
    kt_secret_free(s);
    return rc;
}

static int put(const char *name, const char *expected, const char *value)
{
    const struct kt_put_options options = { .size = sizeof(options),
                                            .timeout_ms = talk.timeout_ms,
                                            .may_prompt = talk.may_prompt,
                                            .expected = expected };

    return kt_put(talk.h, name, value, strlen(value), &options, NULL, &talk.err);
}

static int remove_secret(const char *name)
{
    const struct kt_delete_options options = { .size = sizeof(options),
                                               .timeout_ms = talk.timeout_ms,
                                               .may_prompt = talk.may_prompt };

    return kt_delete(talk.h, name, &options, NULL, &talk.err);
}

static int versions(const char *name)
{
    const struct kt_call_options options = { .size = sizeof(options),
                                             .timeout_ms = talk.timeout_ms,
                                             .may_prompt = talk.may_prompt };
    struct kt_list *l = NULL;
    const int rc = kt_versions(talk.h, name, &options, &l, &talk.err);
    size_t current = 0;

    if (rc != KT_SUCCESS)
        return rc;
    for (size_t i = 0; i < kt_list_count(l); i++)
        if ((kt_list_item(l, i)->info.stages & KT_STAGE_CURRENT) != 0)
            current++;
    (void)snprintf(talk.text, sizeof(talk.text), "%zu versions, %zu current", kt_list_count(l),
                   current);
    kt_list_free(l);
    return rc;
}

static void obey(char *line);

/* The child answers in our stead. */
static int in_child(char *line, bool anew)
{
    const pid_t pid = fork();
    int status = 0;

    if (pid == 0) {
        /* Closing in the child what the parent opened would be its own test. */
        if (anew)
            talk.h = NULL;
        if (anew && reopen() != KT_SUCCESS)
            printf("%s 0 %s\n", kt_status_name(talk.err.status), talk.err.msg);
        else
            obey(line);
        (void)fflush(stdout);
        _exit(0);
    }
    if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0)
        printf("unknown 0 the child ended with %d\n", status);
    return -1;
}

static int run(const char *verb, char *rest)
{
    char *name, *more;

    if (strcmp(verb, "child") == 0 || strcmp(verb, "grandchild") == 0)
        return in_child(rest, verb[0] == 'g');
    name = strsep(&rest, " ");
    if (strcmp(verb, "get") == 0)
        return get(name, NULL, false);
    if (strcmp(verb, "get-stage") == 0)
        return get(name, rest, false);
    if (strcmp(verb, "current") == 0)
        return get(name, NULL, true);
    if (strcmp(verb, "put") == 0)
        return put(name, NULL, rest != NULL ? rest : "");
    if (strcmp(verb, "put-expecting") == 0) {
        more = strsep(&rest, " ");
        return put(name, more, rest != NULL ? rest : "");
    }
    if (strcmp(verb, "delete") == 0)
        return remove_secret(name);
    if (strcmp(verb, "versions") == 0)
        return versions(name);
    if (strcmp(verb, "reopen") == 0)
        return reopen();
    if (strcmp(verb, "prompt") == 0)
        talk.may_prompt = strcmp(name, "on") == 0;
    else if (strcmp(verb, "timeout") == 0)
        talk.timeout_ms = strtoll(name, NULL, 10);
    else
        return KT_UNSUPPORTED;
    return KT_SUCCESS;
}

static void obey(char *line)
{
    char *rest = line;
    const char *verb = strsep(&rest, " ");
    const int64_t began = now_ms();

    talk.text[0] = '\0';
    talk.err = (struct kt_err){ 0 };
    const int rc = run(verb, rest);
    if (rc >= 0)
        printf("%s %lld %s\n", kt_status_name(rc), (long long)(now_ms() - began),
               rc == KT_SUCCESS ? talk.text : talk.err.msg);
    (void)fflush(stdout);
}

int main(int argc, char **argv)
{
    char *line = NULL;
    size_t room = 0;
    ssize_t len;

    if (argc != 3) {
        fprintf(stderr, "usage: keyring-talk MODULE-DIR SERVICE\n");
        return 2;
    }
    talk.module_dir = argv[1];
    talk.service = argv[2];
    if (reopen() != KT_SUCCESS) {
        fprintf(stderr, "keyring-talk: %s\n", talk.err.msg);
        return EXIT_FAILURE;
    }
    while ((len = getline(&line, &room, stdin)) > 0) {
        line[len - 1] = '\0';
        obey(line);
    }
    free(line);
    kt_close(talk.h);
    if (kt_secret_live() != 0) {
        fprintf(stderr, "keyring-talk: %zu secrets are left\n", kt_secret_live());
        return EXIT_FAILURE;
    }
    return EXIT_SUCCESS;
}
