/* SPDX-License-Identifier: Apache-2.0 */
#include "import-gpg.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/** struct gpg - a running one; what it says of itself comes line by line, and holds no value */
struct gpg {
    pid_t pid;
    int data;
    int words;
    size_t len;
    char line[512];
    bool okay;   /* decrypted, and of one piece */
    bool no_key; /* or nobody gave its passphrase */
    bool damaged;
    char said[160]; /* the last thing that it said to people */
};

static int fail(struct kt_err *err, int status, const char *text, const char *detail)
{
    err->status = status;
    (void)snprintf(err->msg, sizeof(err->msg), "%s%s%s", text, detail[0] != '\0' ? ": " : "",
                   detail);
    return status;
}

/* Not by fork(): stores that are open would close for it. */
static int spawn(const struct cli *cli, int fd, int data, int words, pid_t *pid)
{
    const char *mode = session_call(cli).may_prompt ? "default" : "cancel";
    const char *const argv[] = { "gpg",         "--quiet",   "--yes",    "--batch",
                                 "--status-fd", "2",         "--no-tty", "--pinentry-mode",
                                 mode,          "--decrypt", NULL };
    posix_spawn_file_actions_t fds;
    posix_spawnattr_t attr;
    sigset_t pipes;
    int rc;

    (void)sigemptyset(&pipes);
    (void)sigaddset(&pipes, SIGPIPE);
    (void)posix_spawnattr_init(&attr);
    (void)posix_spawnattr_setsigdefault(&attr, &pipes);
    (void)posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGDEF);
    (void)posix_spawn_file_actions_init(&fds);
    (void)posix_spawn_file_actions_adddup2(&fds, fd, STDIN_FILENO);
    (void)posix_spawn_file_actions_adddup2(&fds, data, STDOUT_FILENO);
    (void)posix_spawn_file_actions_adddup2(&fds, words, STDERR_FILENO);
    rc = posix_spawnp(pid, "gpg", &fds, &attr, (char *const *)(uintptr_t)argv, environ);
    (void)posix_spawn_file_actions_destroy(&fds);
    (void)posix_spawnattr_destroy(&attr);
    return rc;
}

/* Or pinentry finds no terminal to ask on. */
static void tell_terminal(void)
{
    char tty[64] = "";

    if (ttyname_r(STDERR_FILENO, tty, sizeof(tty)) == 0)
        (void)setenv("GPG_TTY", tty, 0);
}

static int start(const struct cli *cli, int fd, struct gpg *g, struct kt_err *err)
{
    int data[2] = { -1, -1 }, words[2] = { -1, -1 }, rc;

    tell_terminal();
    rc = pipe2(data, O_CLOEXEC) == 0 && pipe2(words, O_CLOEXEC) == 0 ? 0 : errno;
    if (rc == 0)
        rc = spawn(cli, fd, data[1], words[1], &g->pid);
    if (data[1] >= 0)
        (void)close(data[1]);
    if (words[1] >= 0)
        (void)close(words[1]);
    g->data = data[0];
    g->words = words[0];
    if (rc == 0)
        return KT_SUCCESS;
    if (g->data >= 0)
        (void)close(g->data);
    if (g->words >= 0)
        (void)close(g->words);
    if (rc == ENOENT)
        return fail(err, KT_UNSUPPORTED, "there is no gpg here, which pass uses: install gnupg",
                    "");
    return fail(err, KT_UNAVAILABLE, "gpg cannot be started", strerror(rc));
}

static void take_line(struct gpg *g)
{
    static const char status[] = "[GNUPG:] ";
    const char *word = g->line + sizeof(status) - 1;

    g->line[g->len] = '\0';
    g->len = 0;
    if (strncmp(g->line, status, sizeof(status) - 1) != 0) {
        if (g->line[0] != '\0')
            (void)snprintf(g->said, sizeof(g->said), "%.150s", g->line);
        return;
    }
    g->okay |= strncmp(word, "DECRYPTION_OKAY", 15) == 0;
    g->no_key |= strncmp(word, "DECRYPTION_FAILED", 17) == 0;
    g->damaged |= strncmp(word, "NODATA", 6) == 0 || strncmp(word, "BADMDC", 6) == 0 ||
                  strncmp(word, "UNEXPECTED", 10) == 0;
}

static bool read_words(struct gpg *g)
{
    char chunk[256];
    ssize_t n = read(g->words, chunk, sizeof(chunk));

    for (ssize_t i = 0; i < n; i++) {
        if (chunk[i] == '\n')
            take_line(g);
        else if (g->len + 1 < sizeof(g->line))
            g->line[g->len++] = chunk[i];
    }
    return n > 0 || (n < 0 && errno == EINTR);
}

/* false: the pipe has ended, or too much came out of it. */
static bool read_data(struct gpg *g, struct input *out)
{
    ssize_t n = read(g->data, out->data + out->len, out->size - out->len);

    if (n > 0)
        out->len += (size_t)n;
    return (n > 0 && out->len < out->size) || (n < 0 && errno == EINTR);
}

/* Until both pipes have ended: KT_SUCCESS; or KT_TIMEOUT. */
static int listen_to(const struct cli *cli, struct gpg *g, struct input *out)
{
    struct pollfd fds[] = { { .fd = g->data, .events = POLLIN },
                            { .fd = g->words, .events = POLLIN } };

    while (fds[0].fd >= 0 || fds[1].fd >= 0) {
        const int64_t left = session_left_ms(cli);

        if (left == 0)
            return KT_TIMEOUT;
        if (poll(fds, 2, (int)left) <= 0)
            continue;
        if (fds[0].revents != 0 && !read_data(g, out))
            fds[0].fd = -1;
        if (fds[1].revents != 0 && !read_words(g))
            fds[1].fd = -1;
        if (out->len == out->size)
            return KT_TOO_LARGE;
    }
    if (g->len > 0)
        take_line(g);
    return KT_SUCCESS;
}

static int judge(const struct gpg *g, int wstatus, struct kt_err *err)
{
    const int code = WIFEXITED(wstatus) ? WEXITSTATUS(wstatus) : 128;

    if (code == 0 && g->okay)
        return KT_SUCCESS;
    if (g->damaged)
        return fail(err, KT_CORRUPT, "gpg finds it damaged, or nothing encrypted in it", "");
    if (g->no_key)
        return fail(err, KT_LOCKED, "gpg has no key that opens it, or it stayed locked", g->said);
    return fail(err, KT_UNAVAILABLE, "gpg failed", g->said);
}

int gpg_decrypt(const struct cli *cli, int fd, struct input *out, struct kt_err *err)
{
    struct gpg *g = calloc(1, sizeof(*g));
    int rc, wstatus = 0;

    out->len = 0;
    if (g == NULL)
        return fail(err, KT_NO_MEMORY, "out of memory", "");
    g->pid = -1;
    rc = start(cli, fd, g, err);
    if (rc == KT_SUCCESS) {
        rc = listen_to(cli, g, out);
        (void)close(g->data);
        (void)close(g->words);
        if (rc != KT_SUCCESS)
            (void)kill(g->pid, SIGKILL);
        while (waitpid(g->pid, &wstatus, 0) < 0 && errno == EINTR)
            ;
        if (rc == KT_TIMEOUT)
            (void)fail(err, rc, "gpg did not end within --timeout", "");
        else if (rc == KT_TOO_LARGE)
            (void)fail(err, rc, "it is longer than a value can be", "");
        else
            rc = judge(g, wstatus, err);
    }
    free(g);
    return rc;
}
