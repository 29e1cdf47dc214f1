/* SPDX-License-Identifier: Apache-2.0 */
#include "err.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define TEXT_SIZE sizeof(((struct kt_err *)NULL)->msg)

/* Texts come from files, servers and users: none may forge a second line or drive a terminal. */
static void make_plain(char *text)
{
    for (; *text != '\0'; text++)
        if ((unsigned char)*text < 0x20 || *text == 0x7f)
            *text = '?';
}

/* End a cut text in "...", not in half a UTF-8 sequence. */
static void mark_cut(char *text, size_t size)
{
    size_t end = size - sizeof("...");

    while (end > 0 && ((unsigned char)text[end] & 0xc0) == 0x80)
        end--;
    memcpy(text + end, "...", sizeof("..."));
}

/*
 * Composed beside @err, since the text may quote the message that @err holds already, and copied
 * only as far as it goes: failures are ordinary answers on a hot path.
 */
int kt_vfail(struct kt_err *err, int status, const char *fmt, va_list ap)
{
    char text[TEXT_SIZE];
    int saved = errno;
    int n;

    if (err == NULL)
        return status;
    n = vsnprintf(text, sizeof(text), fmt, ap);
    if (n < 0)
        snprintf(text, sizeof(text), "%s", kt_status_meaning(status));
    else if ((size_t)n >= sizeof(text))
        mark_cut(text, sizeof(text));
    make_plain(text);
    err->status = status;
    memcpy(err->msg, text, strlen(text) + 1);
    errno = saved;
    return status;
}

int(kt_fail)(struct kt_err *err, int status, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    status = kt_vfail(err, status, fmt, ap);
    va_end(ap);
    return status;
}

static int status_of_errno(int error)
{
    static const struct {
        int error;
        int status;
    } rows[] = {
        { ENOENT, KT_NOT_FOUND }, { EACCES, KT_DENIED },   { EPERM, KT_DENIED },
        { ENOSPC, KT_NO_SPACE },  { EDQUOT, KT_NO_SPACE }, { EROFS, KT_READ_ONLY },
        { ENOMEM, KT_NO_MEMORY },
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (rows[i].error == error)
            return rows[i].status;
    return KT_UNAVAILABLE;
}

int kt_fail_errno(struct kt_err *err, const char *fmt, ...)
{
    char text[TEXT_SIZE];
    int saved = errno;
    int status;
    va_list ap;

    va_start(ap, fmt);
    if (vsnprintf(text, sizeof(text), fmt, ap) < 0)
        text[0] = '\0';
    va_end(ap);
    errno = saved;
    status = kt_fail(err, status_of_errno(saved), "%s: %m", text);
    errno = saved;
    return status;
}
