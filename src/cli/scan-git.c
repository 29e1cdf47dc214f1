/* SPDX-License-Identifier: Apache-2.0 */
#include "scan.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define BUFFER ((size_t)1 << 18)
#define ARGS_MAX 640

/*
 * The repository may be hostile, and what it configures must not run. Only commands that neither
 * convert contents nor look at the work tree are used, and none that asks anybody for anything.
 */
static const char *const always[] = {
    "git",
    "--no-pager",
    "--no-replace-objects",
    "-c",
    "core.fsmonitor=false",
    "-c",
    "core.pager=cat",
    "-c",
    "core.alternateRefsCommand=",
    "-c",
    "protocol.allow=never",
    "-c",
    "core.quotePath=false",
};

static const char *const settings[] = {
    "GIT_OPTIONAL_LOCKS=0",     "GIT_TERMINAL_PROMPT=0",
    "GIT_NO_LAZY_FETCH=1",      "GIT_ALLOW_PROTOCOL=",
    "GIT_ASKPASS=false",        "GIT_PAGER=cat",
    "GIT_NO_REPLACE_OBJECTS=1", "LC_ALL=C",
};

/* Of what the caller's environment says about git, only what git itself tells its hooks. */
static bool is_passed(const char *entry, bool as_hook)
{
    static const char *const told[] = { "GIT_DIR=", "GIT_WORK_TREE=", "GIT_INDEX_FILE=",
                                        "GIT_OBJECT_DIRECTORY=",
                                        "GIT_ALTERNATE_OBJECT_DIRECTORIES=" };

    if (strncmp(entry, "GIT_", 4) != 0)
        return strncmp(entry, "LC_ALL=", 7) != 0;
    for (size_t i = 0; i < sizeof(told) / sizeof(told[0]) && as_hook; i++)
        if (strncmp(entry, told[i], strlen(told[i])) == 0)
            return true;
    return false;
}

/* @ceiling: `GIT_CEILING_DIRECTORIES=…`, or NULL. The caller frees the array, not the strings. */
static char **environment(char *ceiling, bool as_hook)
{
    const size_t nsettings = sizeof(settings) / sizeof(settings[0]);
    size_t n = 0;
    char **out;

    while (environ[n] != NULL)
        n++;
    out = calloc(n + nsettings + 2, sizeof(char *));
    if (out == NULL)
        return NULL;
    n = 0;
    for (char **e = environ; *e != NULL; e++)
        if (is_passed(*e, as_hook))
            out[n++] = *e;
    for (size_t i = 0; i < nsettings; i++)
        out[n++] = (char *)settings[i];
    if (ceiling != NULL)
        out[n] = ceiling;
    return out;
}

/* A directory that is no repository shall not stand for one that it lies in. */
static char *ceiling_of(const char *dir)
{
    char *real = realpath(dir, NULL), *slash, *out = NULL;

    if (real == NULL)
        return NULL;
    slash = strrchr(real, '/');
    if (slash != real && slash != NULL) {
        *slash = '\0';
        if (asprintf(&out, "GIT_CEILING_DIRECTORIES=%s", real) < 0)
            out = NULL;
    }
    free(real);
    return out;
}

static int spawn(struct git *g, const char *dir, int input, const char *const *argv, int out)
{
    const size_t nalways = sizeof(always) / sizeof(always[0]);
    const char *args[ARGS_MAX + 16];
    char *ceiling = dir != NULL ? ceiling_of(dir) : NULL;
    char **env = environment(ceiling, dir == NULL);
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attrs;
    sigset_t normal;
    size_t n = 0;
    pid_t pid;
    int rc = env == NULL ? ENOMEM : 0;

    for (; n < nalways; n++)
        args[n] = always[n];
    if (dir != NULL) {
        args[n++] = "-C";
        args[n++] = dir;
    }
    for (size_t i = 0; i < ARGS_MAX - nalways && argv[i] != NULL; i++)
        args[n++] = argv[i];
    args[n] = NULL;
    (void)posix_spawn_file_actions_init(&actions);
    (void)posix_spawnattr_init(&attrs);
    (void)sigemptyset(&normal);
    (void)sigaddset(&normal, SIGPIPE); /* ignored here */
    (void)posix_spawnattr_setsigdefault(&attrs, &normal);
    (void)posix_spawnattr_setflags(&attrs, POSIX_SPAWN_SETSIGDEF);
    if (input >= 0)
        (void)posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO);
    else
        (void)posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    (void)posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
    (void)posix_spawn_file_actions_adddup2(&actions, g->err, STDERR_FILENO);
    if (rc == 0)
        rc = posix_spawnp(&pid, "git", &actions, &attrs, (char **)args, env);
    if (rc == 0)
        g->pid = pid;
    (void)posix_spawn_file_actions_destroy(&actions);
    (void)posix_spawnattr_destroy(&attrs);
    free(env);
    free(ceiling);
    return rc;
}

int git_list(void)
{
    return memfd_create("keyturn-scan", MFD_CLOEXEC);
}

bool git_start(struct scan *s, struct git *g, const char *dir, int input, const char *const *argv)
{
    int ends[2] = { -1, -1 }, rc = ENOMEM;

    *g = (struct git){ .pid = -1, .out = -1, .err = git_list(), .buf = malloc(BUFFER) };
    if (g->buf != NULL && g->err >= 0) {
        rc = pipe2(ends, O_CLOEXEC) == 0 ? 0 : errno;
        if (rc == 0) {
            (void)fcntl(ends[0], F_SETPIPE_SZ, 1 << 20);
            rc = spawn(g, dir, input, argv, ends[1]);
            (void)close(ends[1]);
        }
    }
    if (rc == 0) {
        g->out = ends[0];
        return true;
    }
    if (ends[0] >= 0)
        (void)close(ends[0]);
    if (g->err >= 0)
        (void)close(g->err);
    free(g->buf);
    *g = (struct git){ .pid = -1 };
    if (rc == ENOENT)
        scan_fail_status(s, KT_UNAVAILABLE,
                         "the program git is not installed; --no-history does without it");
    else
        scan_fail_status(s, KT_UNAVAILABLE, "git cannot be run: %s", strerror(rc));
    return false;
}

bool git_fill(struct git *g)
{
    ssize_t n;

    if (g->from > 0) {
        memmove(g->buf, g->buf + g->from, g->n - g->from);
        g->n -= g->from;
        g->from = 0;
    }
    do {
        n = g->n < BUFFER ? read(g->out, g->buf + g->n, BUFFER - g->n) : 0;
    } while (n < 0 && errno == EINTR);
    if (n > 0)
        g->n += (size_t)n;
    return n > 0;
}

char *git_until(struct git *g, char end)
{
    size_t seen = 0;

    for (;;) {
        unsigned char *at = memchr(g->buf + g->from + seen, end, g->n - g->from - seen);
        char *text = (char *)g->buf + g->from;

        if (at != NULL) {
            *at = '\0';
            g->from = (size_t)(at - g->buf) + 1;
            return text;
        }
        seen = g->n - g->from;
        if (!git_fill(g))
            return NULL;
    }
}

/* The first line of what git has to say. */
static void tell_failure(struct scan *s, const struct git *g, const char *what, int status)
{
    char text[400];
    ssize_t n = pread(g->err, text, sizeof(text) - 1, 0);
    char *end;

    text[n > 0 ? n : 0] = '\0';
    end = strchr(text, '\n');
    if (end != NULL)
        *end = '\0';
    if (text[0] == '\0')
        (void)snprintf(text, sizeof(text),
                       WIFSIGNALED(status) ? "killed by signal %d" : "exit code %d",
                       WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
    if (strstr(text, "dubious ownership") != NULL)
        scan_fail_status(s, KT_DENIED,
                         "%s: git refuses a repository of another user; if it is to be trusted: "
                         "git config --global --add safe.directory DIRECTORY",
                         what);
    else
        scan_fail_status(s, KT_UNAVAILABLE, "%s: git: %s", what, text);
}

bool git_end(struct scan *s, struct git *g, const char *what)
{
    int status = 0;
    bool ok;

    (void)close(g->out);
    while (waitpid(g->pid, &status, 0) < 0 && errno == EINTR)
        continue;
    ok = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    if (!ok && what != NULL)
        tell_failure(s, g, what, status);
    (void)close(g->err);
    if (g->buf != NULL)
        explicit_bzero(g->buf, BUFFER);
    free(g->buf);
    g->buf = NULL;
    return ok;
}

char *git_line(struct scan *s, const char *dir, const char *what, const char *const *argv)
{
    struct git g;
    char *line, *out = NULL;

    if (!git_start(s, &g, dir, -1, argv))
        return NULL;
    line = git_until(&g, '\n');
    if (line != NULL)
        out = strdup(line);
    if (!git_end(s, &g, what)) {
        free(out);
        return NULL;
    }
    return out;
}

bool git_object(struct scan *s, struct git *g, char id[80], char type[16], uint64_t *size)
{
    for (;;) {
        const char *line = git_until(g, '\n');
        unsigned long long n;

        if (line == NULL)
            return false;
        if (sscanf(line, "%79s %15s %llu", id, type, &n) == 3) {
            *size = n;
            return true;
        }
        scan_fail_status(s, KT_CORRUPT, "git cannot read an object: %s", line);
    }
}

bool git_body(struct scan *s, struct git *g, uint64_t size)
{
    uint64_t left = size;

    s->documents++;
    s->ordinal = 0;
    while (left > 0) {
        size_t n;

        if (g->from == g->n && !git_fill(g))
            break;
        n = g->n - g->from < left ? g->n - g->from : (size_t)left;
        finder_add(s->finder, g->buf + g->from, n);
        g->from += n;
        left -= n;
    }
    finder_end(s->finder);
    if (left > 0 || (g->from == g->n && !git_fill(g)))
        return false;
    g->from++; /* the newline after it */
    return true;
}
