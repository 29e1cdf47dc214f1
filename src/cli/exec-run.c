/* SPDX-License-Identifier: Apache-2.0 */
#include "exec.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A path that is there, and still "no such file": what it names as its interpreter is not. */
static bool lacks_interpreter(const char *program)
{
    return strchr(program, '/') != NULL && access(program, F_OK) == 0;
}

/* Is it anywhere in PATH? One directory of it that we may not look into is no answer. */
static bool is_in_path(const char *program)
{
    const char *dir = getenv("PATH");

    while (dir != NULL && *dir != '\0') {
        const size_t len = strcspn(dir, ":");
        char path[PATH_MAX];
        const int n = snprintf(path, sizeof(path), "%.*s/%s", len > 0 ? (int)len : 1,
                               len > 0 ? dir : ".", program);

        if (n > 0 && (size_t)n < sizeof(path) && access(path, F_OK) == 0)
            return true;
        dir += len + (dir[len] == ':');
    }
    return false;
}

static bool is_directory(const char *program)
{
    struct stat st;

    return strchr(program, '/') != NULL && stat(program, &st) == 0 && S_ISDIR(st.st_mode);
}

/* After execvp(): no value is in what it was given but the environment, which is not told. */
static int tell_why(const struct plan *p, int errnum, bool found)
{
    const char *program = p->argv[0];

    if (errnum == EACCES && strchr(program, '/') == NULL && !found)
        errnum = ENOENT;
    switch (errnum) {
    case ENOENT:
        if (lacks_interpreter(program))
            (void)fail_status(
                p->cli, KT_NOT_FOUND, program,
                "the interpreter that it names in its first line, or its loader, is missing");
        else if (strchr(program, '/') != NULL)
            (void)fail_status(p->cli, KT_NOT_FOUND, program, "there is no such program");
        else
            (void)fail_status(p->cli, KT_NOT_FOUND, program, "there is no such program in PATH");
        return EXIT_NO_SUCH;
    case E2BIG:
        (void)fail_status(p->cli, KT_TOO_LARGE, program,
                          "arguments and environment are more than a program can be given; --file "
                          "instead of --env makes them fewer");
        return EXIT_FAILED;
    case EACCES:
        (void)fail_status(p->cli, KT_DENIED, program,
                          is_directory(program) ? "it is a directory" : "it is not executable");
        return EXIT_CANNOT;
    default:
        (void)fail_status(p->cli, KT_INVALID, program, "it cannot be run: %s", strerror(errnum));
        return EXIT_CANNOT;
    }
}

int become(struct plan *p, int tell)
{
    struct kt_err err = { 0 };
    char **given = environ;
    bool found;
    int rc = KT_SUCCESS, errnum;

    env_tell_pid(p, p->holder > 0 ? p->holder : getpid());
    if (plan_has(p, TO_MOUNT))
        rc = mounts_make(p, tell, &err);
    if (rc == KT_SUCCESS)
        rc = files_pass(p, &err);
    if (rc != KT_SUCCESS)
        return failed(p->cli, NULL, &err);
    give_back();
    environ = p->envp; /* whose PATH counts, as with env(1) */
    (void)execvp(p->argv[0], p->argv);
    errnum = errno;
    found = is_in_path(p->argv[0]);
    environ = given;
    (void)signal(SIGPIPE, SIG_IGN);
    return tell_why(p, errnum, found);
}
