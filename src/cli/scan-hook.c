/* SPDX-License-Identifier: Apache-2.0 */
#include "scan.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MARK "# keyturn scan: pre-commit hook"

/* Where git will look: core.hooksPath, the main repository's of a linked work tree. */
static char *hook_path(struct scan *s, const char *dir)
{
    static const char *const where[] = { "rev-parse", "--git-path", "hooks", NULL };
    char *hooks = git_line(s, dir, dir, where), *path = NULL;

    if (hooks == NULL) {
        if (s->failed == 0)
            scan_fail_status(s, KT_UNAVAILABLE, "%s: git does not say where its hooks are", dir);
        return NULL;
    }
    if (asprintf(&path, "%s%s%s/pre-commit", hooks[0] == '/' ? "" : dir, hooks[0] == '/' ? "" : "/",
                 hooks) < 0)
        path = NULL;
    free(hooks);
    return path;
}

/* For a shell: in single quotes, of which there is none in it afterwards. */
static void put_quoted(FILE *f, const char *text)
{
    (void)fputc('\'', f);
    for (const char *p = text; *p != '\0'; p++)
        if (*p == '\'')
            (void)fputs("'\\''", f);
        else
            (void)fputc(*p, f);
    (void)fputc('\'', f);
}

static void put_hook(const struct cli *cli, FILE *f, bool shapes_only)
{
    char self[PATH_MAX];
    const ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

    self[n > 0 ? n : 0] = '\0';
    (void)fputs(
        "#!/bin/sh\n" MARK "\n"
        "# 'keyturn scan --uninstall-hook' takes it away, 'git commit --no-verify' passes it by.\n"
        "keyturn=",
        f);
    put_quoted(f, self);
    (void)fputs("\n[ -x \"$keyturn\" ] || keyturn=keyturn\nexec \"$keyturn\"", f);
    if (cli->service != NULL) {
        (void)fputs(" -s ", f);
        put_quoted(f, cli->service);
    }
    if (cli->module_dir != NULL) {
        (void)fputs(" --module-dir ", f);
        put_quoted(f, cli->module_dir);
    }
    (void)fprintf(f, " scan --staged%s\n", shapes_only ? " --shapes-only" : "");
}

/* 1: it is ours, 0: somebody else's, -1: there is none */
static int whose(const char *path)
{
    char text[512];
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    struct stat st;
    ssize_t n;

    if (fd < 0)
        return lstat(path, &st) == 0 || errno != ENOENT ? 0 : -1;
    n = read(fd, text, sizeof(text) - 1);
    (void)close(fd);
    text[n > 0 ? n : 0] = '\0';
    return strncmp(text, "#!/bin/sh\n" MARK "\n", sizeof("#!/bin/sh\n" MARK "\n") - 1) == 0;
}

/* Its name only when it is whole; @replace: over one of ours, else over nothing. */
static int write_hook(struct scan *s, const char *path, bool shapes_only, bool replace)
{
    char *tmp = NULL;
    FILE *f = NULL;
    int fd = -1, rc = -1, e;

    if (asprintf(&tmp, "%s.XXXXXX", path) < 0)
        tmp = NULL;
    fd = tmp != NULL ? mkostemp(tmp, O_CLOEXEC) : -1;
    f = fd >= 0 ? fdopen(fd, "w") : NULL;
    if (f != NULL) {
        put_hook(s->cli, f, shapes_only);
        if (fflush(f) == 0 && ferror(f) == 0 && fchmod(fd, 0755) == 0 && fsync(fd) == 0)
            rc = replace ? rename(tmp, path) : link(tmp, path);
    }
    e = errno;
    if (fd >= 0 && (rc != 0 || !replace))
        (void)unlink(tmp);
    if (f != NULL)
        (void)fclose(f);
    else if (fd >= 0)
        (void)close(fd);
    free(tmp);
    return rc == 0 ? 0 : fail_io(s->cli, path, e);
}

static int install(struct scan *s, const char *path, bool shapes_only)
{
    char *slash;
    const int is = whose(path);
    char *dir;

    if (is == 0)
        return fail_status(
            s->cli, KT_EXISTS, NULL,
            "%s: is there already; add a line to it: keyturn scan --staged || exit 1", path);
    dir = strdup(path);
    if (dir == NULL)
        return fail_status(s->cli, KT_NO_MEMORY, NULL, "out of memory");
    slash = strrchr(dir, '/');
    *slash = '\0';
    if (mkdir(dir, 0755) == 0)
        (void)chmod(dir, 0755);
    free(dir);
    return write_hook(s, path, shapes_only, is == 1);
}

int hook_install(struct scan *s, const char *dir, bool shapes_only)
{
    char *path = hook_path(s, dir);
    int rc = s->failed;

    if (path == NULL)
        return rc;
    rc = install(s, path, shapes_only);
    if (rc == 0)
        rc = say_done(s->cli, path, "installed");
    free(path);
    return rc;
}

int hook_uninstall(struct scan *s, const char *dir)
{
    char *path = hook_path(s, dir);
    int rc = s->failed;

    if (path == NULL)
        return rc;
    switch (whose(path)) {
    case 1:
        rc = unlink(path) == 0 ? say_done(s->cli, path, "removed") : fail_io(s->cli, path, errno);
        break;
    case 0:
        rc = fail_status(s->cli, KT_CONFLICT, NULL, "%s: is not keyturn's; it is left as it is",
                         path);
        break;
    default:
        rc = fail_status(s->cli, KT_NOT_FOUND, NULL, "%s: there is none", path);
    }
    free(path);
    return rc;
}
