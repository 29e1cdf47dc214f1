/* SPDX-License-Identifier: Apache-2.0 */
#include "cli.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct sink sink_out = { .fd = STDOUT_FILENO };
struct sink sink_err = { .fd = STDERR_FILENO };

static void write_all(struct sink *s, const char *p, size_t len)
{
    while (len > 0 && s->error == 0) {
        ssize_t n = write(s->fd, p, len);

        if (n >= 0) {
            p += n;
            len -= (size_t)n;
        } else if (errno != EINTR) {
            s->error = errno;
        }
    }
}

int sink_flush(struct sink *s)
{
    write_all(s, s->buf, s->n);
    /* JSON carries values through here */
    explicit_bzero(s->buf, s->n);
    s->n = 0;
    return s->error;
}

void sink_bytes(struct sink *s, const void *data, size_t len)
{
    if (len > sizeof(s->buf) - s->n)
        (void)sink_flush(s);
    if (len > sizeof(s->buf)) {
        write_all(s, data, len);
        return;
    }
    memcpy(s->buf + s->n, data, len);
    s->n += len;
}

void sink_direct(struct sink *s, const void *data, size_t len)
{
    (void)sink_flush(s);
    write_all(s, data, len);
}

void sink_str(struct sink *s, const char *text)
{
    sink_bytes(s, text, strlen(text));
}

void sink_text(struct sink *s, const char *text)
{
    const unsigned char *p = (const unsigned char *)text;
    size_t left = strlen(text);

    while (left > 0) {
        bool control;
        size_t n = text_step(p, left, &control);

        if (!control)
            sink_bytes(s, p, n);
        for (size_t i = 0; control && i < n; i++)
            sink_printf(s, "\\x%02x", p[i]);
        p += n;
        left -= n;
    }
}

void sink_printf(struct sink *s, const char *fmt, ...)
{
    char buf[512];
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vsnprintf(buf, sizeof(buf), fmt, ap);
    va_end(ap);
    if (n > 0)
        sink_bytes(s, buf, (size_t)n < sizeof(buf) ? (size_t)n : sizeof(buf) - 1);
}
