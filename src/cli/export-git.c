/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Would git take a file with the next `git add .`? The program knows best; where it is missing or
 * refuses (a tree of somebody else's), the ignore files are read here, simply: what is not understood
 * does not ignore.
 */
#include "export.h"

#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <limits.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define LINES_MAX 65536 /* bytes of an ignore file that are read */

/* ---- the tree -------------------------------------------------------------------------------- */

/* A directory without HEAD is passed by, as git does. */
static bool is_tree(const char *dir)
{
    char path[PATH_MAX];
    struct stat st;

    if (snprintf(path, sizeof(path), "%s/.git", dir) >= (int)sizeof(path) || stat(path, &st) != 0)
        return false;
    if (S_ISREG(st.st_mode)) /* a worktree's, a submodule's */
        return true;
    return snprintf(path, sizeof(path), "%s/.git/HEAD", dir) < (int)sizeof(path) &&
           lstat(path, &st) == 0;
}

/* The nearest one: a tree inside another is its own. */
static bool find_tree(const char *dir, char top[PATH_MAX])
{
    (void)snprintf(top, PATH_MAX, "%s", dir);
    for (;;) {
        char *slash = strrchr(top, '/');

        if (is_tree(top))
            return true;
        if (slash == NULL || top[0] == '\0')
            return false;
        *slash = '\0'; /* "" is the root */
    }
}

/* ---- git ------------------------------------------------------------------------------------- */

/* Of ours, but for what a hook or an alias would have git look at instead of this directory. */
static char **environment(void)
{
    static char no_locks[] = "GIT_OPTIONAL_LOCKS=0", no_fetch[] = "GIT_NO_LAZY_FETCH=1";
    size_t n = 0, k = 0;
    char **env;

    while (environ[n] != NULL)
        n++;
    env = calloc(n + 3, sizeof(*env));
    if (env == NULL)
        return NULL;
    for (size_t i = 0; i < n; i++)
        if (strncmp(environ[i], "GIT_", 4) != 0 || strncmp(environ[i], "GIT_CONFIG_", 11) == 0)
            env[k++] = environ[i];
    env[k++] = no_locks;
    env[k] = no_fetch;
    return env;
}

/* Its exit code; 128: it refused, or there is none. No program that the tree's settings name is run. */
static int check_ignore(const char *dir, const char *base)
{
    const char *const argv[] = {
        "git", "-c", "core.fsmonitor=false", "-C", dir, "check-ignore", "-q", "--", base, NULL
    };
    char **env = environment();
    posix_spawn_file_actions_t fds;
    int rc, wstatus = 0;
    pid_t pid = -1;

    if (env == NULL)
        return 128;
    (void)posix_spawn_file_actions_init(&fds);
    for (int fd = 0; fd <= 2; fd++)
        (void)posix_spawn_file_actions_addopen(&fds, fd, "/dev/null", O_RDWR, 0);
    rc = posix_spawnp(&pid, "git", &fds, NULL, (char *const *)(uintptr_t)argv, env);
    (void)posix_spawn_file_actions_destroy(&fds);
    free(env);
    if (rc != 0)
        return 128;
    while (waitpid(pid, &wstatus, 0) < 0 && errno == EINTR)
        ;
    return WIFEXITED(wstatus) ? WEXITSTATUS(wstatus) : 128;
}

/* ---- without git ----------------------------------------------------------------------------- */

/* Does a line of an ignore file in @top's folder @under speak of @path (from @top)? */
static bool matches(const char *line, const char *path, bool is_dir)
{
    char pattern[1024];
    const char *last = strrchr(path, '/');
    size_t n = strlen(line);
    bool anchored;

    if (n == 0 || n >= sizeof(pattern))
        return false;
    memcpy(pattern, line, n + 1);
    if (pattern[n - 1] == '/') {
        if (!is_dir)
            return false;
        pattern[--n] = '\0';
    }
    anchored = strchr(pattern, '/') != NULL;
    if (strncmp(pattern, "**/", 3) == 0 && strchr(pattern + 3, '/') == NULL)
        return fnmatch(pattern + 3, last != NULL ? last + 1 : path, 0) == 0;
    if (strstr(pattern, "**") != NULL)
        return false;
    if (!anchored)
        return fnmatch(pattern, last != NULL ? last + 1 : path, 0) == 0;
    return fnmatch(pattern[0] == '/' ? pattern + 1 : pattern, path, FNM_PATHNAME) == 0;
}

/* The last line that speaks of it counts. */
static void apply(const char *file, const char *path, bool is_dir, bool *ignored)
{
    char text[LINES_MAX + 1], *next = text;
    int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    ssize_t n = fd >= 0 ? read(fd, text, LINES_MAX) : -1;

    if (fd >= 0)
        (void)close(fd);
    if (n <= 0)
        return;
    text[n] = '\0';
    while (next != NULL) {
        char *line = strsep(&next, "\n");
        size_t len = strlen(line);
        const bool again = line[0] == '!';

        while (len > 0 && (line[len - 1] == '\r' || line[len - 1] == ' '))
            line[--len] = '\0';
        if (len > 0 && line[0] != '#' && matches(line + again, path, is_dir))
            *ignored = !again;
    }
}

/* @path from @top, itself: by the ignore files from the top down to where it is. */
static bool is_named(const char *top, const char *path, bool is_dir)
{
    char file[PATH_MAX + 32];
    bool ignored = false;

    (void)snprintf(file, sizeof(file), "%s/.git/info/exclude", top);
    apply(file, path, is_dir, &ignored);
    for (const char *rest = path;;) {
        const char *slash = strchr(rest, '/');

        (void)snprintf(file, sizeof(file), "%s/%.*s.gitignore", top, (int)(rest - path), path);
        apply(file, rest, is_dir, &ignored);
        if (slash == NULL)
            return ignored;
        rest = slash + 1;
    }
}

/* In an ignored directory nothing is looked at any more. */
static bool is_ignored(const char *top, const char *dir, const char *base)
{
    char path[PATH_MAX + NAME_MAX + 2];
    const char *below = dir + strlen(top);

    while (*below == '/')
        below++;
    (void)snprintf(path, sizeof(path), "%s%s%s", below, *below != '\0' ? "/" : "", base);
    for (char *slash = strchr(path, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        bool named;

        *slash = '\0';
        named = is_named(top, path, true);
        *slash = '/';
        if (named)
            return true;
    }
    return is_named(top, path, false);
}

bool git_would_take(const char *dir, const char *base)
{
    char top[PATH_MAX], real[PATH_MAX];
    int code;

    if (realpath(dir, real) == NULL || !find_tree(real, top))
        return false;
    code = check_ignore(real, base);
    if (code == 0 || code == 1)
        return code == 1;
    return !is_ignored(top, real, base);
}
