/* SPDX-License-Identifier: Apache-2.0 */
#include "exec.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define PATH_SIZE 48                /* of /proc/PID/fd/NUMBER */
#define STRING_PAGES 32             /* the kernel's MAX_ARG_STRLEN */
#define SUM_MAX ((rlim_t)6 << 20)   /* whatever the stack may hold */
#define SUM_MIN ((rlim_t)128 << 10) /* however little it may hold; source: execve(2) */

/* What --clean leaves of the environment: who and where one is, and the language. */
static const char *const usual[] = {
    "HOME", "LANG", "LOGNAME", "PATH", "SHELL", "TERM", "TMPDIR", "TZ", "USER", "XDG_RUNTIME_DIR",
};

static bool is_usual(const char *string, size_t len)
{
    if (strncmp(string, "LC_", 3) == 0)
        return true;
    for (size_t i = 0; i < sizeof(usual) / sizeof(usual[0]); i++)
        if (strlen(usual[i]) == len && memcmp(usual[i], string, len) == 0)
            return true;
    return false;
}

static bool is_variable(const struct gift *g)
{
    return g->how == TO_ENV || g->how == TO_FILE;
}

static bool stays(const struct plan *p, const char *string)
{
    const size_t len = strcspn(string, "=");

    if (p->clean && !is_usual(string, len))
        return false;
    for (size_t i = 0; i < p->n; i++)
        if (is_variable(&p->gifts[i]) && strlen(p->gifts[i].name) == len &&
            memcmp(p->gifts[i].name, string, len) == 0)
            return false;
    return true;
}

/* Length of "NAME=value" with its NUL. */
static size_t string_size(const struct plan *p, const struct gift *g)
{
    size_t len = PATH_SIZE;

    if (g->how == TO_ENV)
        (void)gift_value(p, g, &len);
    return strlen(g->name) + 1 + len + 1;
}

static int check_value(const struct plan *p, const struct gift *g, struct kt_err *err)
{
    const size_t most = STRING_PAGES * (size_t)sysconf(_SC_PAGESIZE), size = string_size(p, g);
    size_t len;
    const char *value;

    if (g->how != TO_ENV)
        return KT_SUCCESS;
    value = gift_value(p, g, &len);
    if (len > 0 && memchr(value, '\0', len) != NULL)
        return err_explain(
            err, KT_INVALID,
            "%s: the value has a NUL byte, which no environment can hold; --file %s=NAME "
            "gives it as a file",
            g->name, g->name);
    if (size > most)
        return err_explain(
            err, KT_TOO_LARGE,
            "%s: with its value it has %zu bytes, and a variable at most %zu; --file "
            "%s=NAME gives it as a file",
            g->name, size, most, g->name);
    return KT_SUCCESS;
}

/* What the kernel counts, and how much it allows. Source: bprm_stack_limits() of Linux. */
static size_t sum_of(char *const *strings)
{
    size_t sum = 0;

    for (; *strings != NULL; strings++)
        sum += strlen(*strings) + 1 + sizeof(*strings);
    return sum;
}

static size_t sum_allowed(void)
{
    struct rlimit stack;
    rlim_t most = SUM_MAX;

    if (getrlimit(RLIMIT_STACK, &stack) == 0 && stack.rlim_cur / 4 < most)
        most = stack.rlim_cur / 4;
    return most > SUM_MIN ? most : SUM_MIN;
}

static int check_sum(const struct plan *p, char *const *envp, struct kt_err *err)
{
    const size_t sum = sum_of(p->argv) + sum_of(envp) + strlen(p->argv[0]) + 1;

    if (sum <= sum_allowed())
        return KT_SUCCESS;
    return err_explain(err, KT_TOO_LARGE,
                       "arguments and environment have %zu bytes, and a program gets at most %zu; "
                       "--file instead of --env makes them fewer",
                       sum, sum_allowed());
}

static void write_string(const struct plan *p, const struct gift *g, char *to)
{
    const size_t name = strlen(g->name);
    size_t len;
    const char *value;

    memcpy(to, g->name, name);
    to[name] = '=';
    if (g->how != TO_ENV) /* env_tell_pid() writes the rest; pages are zeroed */
        return;
    value = gift_value(p, g, &len);
    if (len > 0)
        memcpy(to + name + 1, value, len);
}

/* Ours stand at the end, in order. */
static void take_over(struct plan *p, char **envp, size_t n, const struct input *text)
{
    input_free(&p->env);
    free((void *)p->envp);
    p->env = *text;
    p->envp = envp;
    for (size_t i = p->n; i-- > 0;)
        if (is_variable(&p->gifts[i]))
            p->gifts[i].path = envp[--n] + strlen(p->gifts[i].name) + 1;
}

int env_make(struct plan *p, struct kt_err *err)
{
    size_t mine = 1, theirs = 0, n = 0, at = 0;
    struct input text = { 0 };
    char **envp;
    int rc = KT_SUCCESS;

    for (size_t i = 0; i < p->n && rc == KT_SUCCESS; i++) {
        rc = check_value(p, &p->gifts[i], err);
        mine += is_variable(&p->gifts[i]) ? string_size(p, &p->gifts[i]) : 0;
    }
    if (rc != KT_SUCCESS)
        return rc;
    while (environ != NULL && environ[theirs] != NULL)
        theirs++;
    envp = calloc(theirs + p->n + 1, sizeof(*envp));
    if (envp == NULL || !input_room(&text, mine)) {
        free((void *)envp);
        return err_explain(err, KT_NO_MEMORY, "out of memory");
    }
    for (size_t i = 0; i < theirs; i++)
        if (stays(p, environ[i]))
            envp[n++] = environ[i];
    for (size_t i = 0; i < p->n; i++) {
        if (!is_variable(&p->gifts[i]))
            continue;
        envp[n] = (char *)text.data + at;
        write_string(p, &p->gifts[i], envp[n++]);
        at += string_size(p, &p->gifts[i]);
    }
    rc = check_sum(p, envp, err);
    if (rc != KT_SUCCESS) {
        input_free(&text);
        free((void *)envp);
        return rc;
    }
    take_over(p, envp, n, &text);
    return KT_SUCCESS;
}

void env_tell_pid(struct plan *p, pid_t pid)
{
    for (size_t i = 0; i < p->n; i++)
        if (p->gifts[i].how == TO_FILE)
            (void)snprintf(p->gifts[i].path, PATH_SIZE, "/proc/%d/fd/%d", (int)pid, p->gifts[i].fd);
}
