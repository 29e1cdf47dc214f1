/* SPDX-License-Identifier: Apache-2.0 */
#include "cli.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/*
 * A record on the pipe: its length (uint32_t, what follows), its kind (a byte), then each field: '+',
 * the text and a NUL, or '-' alone for NULL.
 */
#define RECORD_MAX (1024 * 1024)
#define RESULT 'r' /* status, message */

/** struct reader - @step_ms: 0, or until when the next record must be there, from the one before */
struct reader {
    int fd;
    char *buf;
    size_t len;
    size_t size;
    int64_t step_ms;
    int64_t until_ms;
    int64_t step_until_ms;
};

static int64_t now_ms(void)
{
    struct timespec ts;

    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

void child_send(int fd, char kind, const char *const *fields, size_t n)
{
    struct sink out = { .fd = fd };
    uint32_t len = 1;

    for (size_t i = 0; i < n; i++)
        len += fields[i] != NULL ? (uint32_t)strlen(fields[i]) + 2 : 1;
    sink_bytes(&out, &len, sizeof(len));
    sink_bytes(&out, &kind, 1);
    for (size_t i = 0; i < n; i++) {
        sink_str(&out, fields[i] != NULL ? "+" : "-");
        if (fields[i] != NULL)
            sink_bytes(&out, fields[i], strlen(fields[i]) + 1);
    }
    (void)sink_flush(&out);
}

/* KT_SUCCESS: @need bytes are there; KT_NOT_FOUND: the pipe ended; KT_TIMEOUT. */
static int need(struct reader *r, size_t bytes)
{
    if (bytes > r->size) {
        char *grown = realloc(r->buf, bytes);

        if (grown == NULL)
            return KT_NO_MEMORY;
        r->buf = grown;
        r->size = bytes;
    }
    while (r->len < bytes) {
        struct pollfd fd = { .fd = r->fd, .events = POLLIN };
        int64_t until = r->step_ms > 0 && r->step_until_ms < r->until_ms ? r->step_until_ms
                                                                         : r->until_ms;
        int64_t left = until - now_ms();
        ssize_t n;

        if (left <= 0)
            return KT_TIMEOUT;
        if (poll(&fd, 1, (int)left) <= 0)
            continue;
        n = read(r->fd, r->buf + r->len, bytes - r->len);
        if (n == 0)
            return KT_NOT_FOUND;
        if (n > 0)
            r->len += (size_t)n;
        else if (errno != EINTR)
            return KT_UNAVAILABLE;
    }
    return KT_SUCCESS;
}

/* The next record; @fields point into the reader's buffer. */
static int next_record(struct reader *r, char *kind, const char **fields)
{
    uint32_t len;
    size_t at = 1;
    int rc;

    memset(fields, 0, CHILD_FIELDS * sizeof(*fields));
    r->step_until_ms = now_ms() + r->step_ms;
    r->len = 0;
    rc = need(r, sizeof(len));
    if (rc != KT_SUCCESS)
        return rc;
    memcpy(&len, r->buf, sizeof(len));
    if (len == 0 || len > RECORD_MAX)
        return KT_MODULE_ERROR;
    r->len = 0;
    rc = need(r, len);
    if (rc != KT_SUCCESS)
        return rc;
    *kind = r->buf[0];
    for (size_t i = 0; i < CHILD_FIELDS && at < len; i++) {
        bool there = r->buf[at++] == '+';
        const char *end = there ? memchr(r->buf + at, '\0', len - at) : NULL;

        if (there && end == NULL)
            return KT_MODULE_ERROR;
        if (there) {
            fields[i] = r->buf + at;
            at = (size_t)(end - r->buf) + 1;
        }
    }
    return KT_SUCCESS;
}

static void be_child(int fd, int (*body)(int fd, void *cookie, struct kt_err *err), void *cookie)
{
    struct kt_err err = { 0 };
    char status[16];
    int rc;

    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    rc = body(fd, cookie, &err);
    (void)snprintf(status, sizeof(status), "%d", rc);
    child_send(fd, RESULT, (const char *[]){ status, err.msg }, 2);
    _exit(0);
}

static void tell_end(int wstatus, struct child_end *end)
{
    end->died = true;
    if (WIFSIGNALED(wstatus)) {
        int sig = WTERMSIG(wstatus);
        const char *text = sigdescr_np(sig);

        (void)snprintf(end->how, sizeof(end->how), "was killed by signal %d (%s)", sig,
                       text != NULL ? text : "unknown");
    } else {
        (void)snprintf(end->how, sizeof(end->how), "ended the process with exit code %d",
                       WEXITSTATUS(wstatus));
    }
}

/* Hands out records until the result has come, the pipe has ended or time is over. */
static int listen_to(struct reader *r,
                     void (*record)(void *cookie, char kind, const char *const *fields),
                     void *cookie, struct kt_err *err)
{
    const char *fields[CHILD_FIELDS];
    char kind;
    int rc;

    while ((rc = next_record(r, &kind, fields)) == KT_SUCCESS) {
        if (kind != RESULT) {
            record(cookie, kind, fields);
            continue;
        }
        err->status = fields[0] != NULL ? atoi(fields[0]) : KT_MODULE_ERROR;
        (void)snprintf(err->msg, sizeof(err->msg), "%s", fields[1] != NULL ? fields[1] : "");
        break;
    }
    return rc;
}

int child_run(const struct cli *cli, int64_t step_ms,
              int (*body)(int fd, void *cookie, struct kt_err *err),
              void (*record)(void *cookie, char kind, const char *const *fields), void *cookie,
              struct child_end *end, struct kt_err *err)
{
    struct reader r = { .step_ms = step_ms, .until_ms = now_ms() + cli->timeout_ms };
    char span[WHEN_SIZE];
    int fds[2], rc, wstatus = 0;
    pid_t pid;

    *end = (struct child_end){ 0 };
    *err = (struct kt_err){ .status = KT_UNAVAILABLE };
    if (pipe2(fds, O_CLOEXEC) != 0)
        return err->status;
    /* what is buffered must not be written twice */
    (void)sink_flush(&sink_out);
    pid = fork();
    if (pid == 0) {
        (void)close(fds[0]);
        be_child(fds[1], body, cookie);
    }
    (void)close(fds[1]);
    r.fd = fds[0];
    rc = pid > 0 ? listen_to(&r, record, cookie, err) : KT_UNAVAILABLE;
    (void)close(fds[0]);
    free(r.buf);
    if (pid > 0 && rc != KT_SUCCESS && rc != KT_NOT_FOUND)
        (void)kill(pid, SIGKILL);
    if (pid > 0)
        while (waitpid(pid, &wstatus, 0) < 0 && errno == EINTR)
            ;
    if (rc == KT_SUCCESS)
        return err->status;
    err->status = rc;
    if (rc == KT_NOT_FOUND) { /* the pipe ended without a result */
        err->status = KT_MODULE_ERROR;
        tell_end(wstatus, end);
    } else if (rc == KT_TIMEOUT) {
        end->died = true;
        (void)snprintf(end->how, sizeof(end->how), "did not end within %s (--timeout sets that)",
                       when_span(now_ms() < r.until_ms ? step_ms : cli->timeout_ms, span));
    }
    (void)snprintf(err->msg, sizeof(err->msg), "%s", end->how);
    return err->status;
}
