/* SPDX-License-Identifier: Apache-2.0 */
#include "scratch.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SERVICE "import-or-export"

/* What may lie in it; a handler has to know without asking. */
static const char *const inside[] = { SCRATCH_STORE,        SCRATCH_STORE "-wal",
                                      SCRATCH_STORE "-shm", SCRATCH_STORE "-lock",
                                      SCRATCH_STORE "-new", SERVICE };

static int dir_fd = -1;
static char dir_path[256];

static void clear(void)
{
    for (size_t i = 0; i < sizeof(inside) / sizeof(inside[0]); i++)
        (void)unlinkat(dir_fd, inside[i], 0);
    (void)rmdir(dir_path);
}

static void on_signal(int sig)
{
    clear();
    (void)signal(sig, SIG_DFL);
    (void)raise(sig);
}

static void catch_signals(void (*handler)(int sig))
{
    static const int deadly[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };

    for (size_t i = 0; i < sizeof(deadly) / sizeof(deadly[0]); i++) {
        struct sigaction act;

        if (sigaction(deadly[i], NULL, &act) == 0 && act.sa_handler != SIG_IGN)
            (void)signal(deadly[i], handler);
    }
}

int scratch_begin(const struct cli *cli, struct scratch *s)
{
    const char *tmp = getenv("TMPDIR");

    *s = (struct scratch){ .cli = cli };
    if (tmp == NULL || strlen(tmp) > sizeof(s->dir) - 32 || !scratch_can_hold(tmp) || tmp[0] != '/')
        tmp = "/tmp";
    (void)snprintf(s->dir, sizeof(s->dir), "%s/keyturn-XXXXXX", tmp);
    if (mkdtemp(s->dir) == NULL)
        return fail_io(cli, s->dir, errno);
    (void)snprintf(dir_path, sizeof(dir_path), "%s", s->dir);
    dir_fd = open(s->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir_fd < 0) {
        const int errnum = errno;

        (void)rmdir(s->dir);
        return fail_io(cli, s->dir, errnum);
    }
    catch_signals(on_signal);
    return 0;
}

void scratch_done(struct scratch *s)
{
    (void)s;
    if (dir_fd < 0)
        return;
    catch_signals(SIG_DFL);
    clear();
    (void)close(dir_fd);
    dir_fd = -1;
}

bool scratch_can_hold(const char *text)
{
    const size_t len = strlen(text);

    return text_is_plain(text, len) && strpbrk(text, "[]\\\n\r\t") == NULL &&
           !text_has_controls(text, len);
}

int scratch_open(struct scratch *s, const char *text, struct kt_open_options *options,
                 struct kt_handle **h, struct kt_err *err)
{
    int fd = openat(dir_fd, SERVICE, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
    struct sink to = { .fd = fd };

    if (fd < 0)
        return err_explain(err, KT_UNAVAILABLE, "%s: %s", s->dir, strerror(errno));
    sink_str(&to, text);
    (void)sink_flush(&to);
    (void)close(fd);
    if (to.error != 0)
        return err_explain(err, KT_UNAVAILABLE, "%s: %s", s->dir, strerror(to.error));
    options->config_dir = s->dir;
    return kt_open(SERVICE, options, h, err);
}

const char *scratch_words(const struct scratch *s, const char *text)
{
    const size_t n = strlen(s->dir);
    const char *at;

    if (n == 0 || strncmp(text, s->dir, n) != 0 ||
        strncmp(text + n, "/" SERVICE, sizeof(SERVICE)) != 0)
        return text;
    at = strstr(text + n, ": ");
    return at != NULL ? at + 2 : text;
}
