/* SPDX-License-Identifier: Apache-2.0 */
#include "import-source.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#define MARK_SIZE 3

static int too_large(const struct source *s)
{
    return fail_status(s->cli, KT_TOO_LARGE, NULL,
                       "%s is over %d MiB; nothing was imported: is it the right file?", s->shown,
                       SOURCE_MAX >> 20);
}

/* A pipe may have nobody at its other end. 0: there is something to read. */
static int await(const struct source *s, int fd, bool standard)
{
    struct pollfd p = { .fd = fd, .events = POLLIN };
    int64_t left = s->cli->timeout_ms - (session_now_ms() - s->cli->begun_ms);

    if (standard)
        left = session_left_ms(s->cli);
    else if (left < 0)
        left = 0;
    if (poll(&p, 1, (int)left) != 0)
        return 0;
    return fail_status(s->cli, KT_TIMEOUT, NULL,
                       "nobody wrote to %s within --timeout; nothing was imported", s->shown);
}

static int read_all(struct source *s, int fd, bool waits, bool standard)
{
    while (s->text.len < s->text.size) {
        int rc = waits ? await(s, fd, standard) : 0;
        ssize_t n;

        if (rc != 0)
            return rc;
        n = read(fd, s->text.data + s->text.len, s->text.size - s->text.len);
        if (n > 0)
            s->text.len += (size_t)n;
        else if (n == 0)
            break;
        else if (errno != EINTR && errno != EAGAIN)
            return fail_io(s->cli, s->shown, errno);
    }
    return s->text.len > SOURCE_MAX ? too_large(s) : 0;
}

static int read_fd(struct source *s, int fd, bool standard)
{
    struct stat st;
    bool regular;
    int rc;

    if (fstat(fd, &st) < 0)
        return fail_io(s->cli, s->shown, errno);
    regular = S_ISREG(st.st_mode);
    s->plaintext = regular && !standard;
    if (S_ISDIR(st.st_mode))
        return fail_io(s->cli, s->shown, EISDIR);
    if (S_ISBLK(st.st_mode))
        return fail_status(s->cli, KT_INVALID, NULL, "%s is a block device, no file of secrets",
                           s->shown);
    if (regular && st.st_size > SOURCE_MAX)
        return too_large(s);
    /* a byte more than there should be, to notice a file that grows */
    if (!input_room(&s->text, regular ? (size_t)st.st_size + 1 : SOURCE_MAX + 1))
        return fail_status(s->cli, KT_NO_MEMORY, NULL, "no memory for %s", s->shown);
    rc = read_all(s, fd, !regular, standard);
    if (rc == 0 && s->text.len == s->text.size)
        rc = fail_status(s->cli, KT_UNAVAILABLE, NULL,
                         "%s grew while it was read; nothing was imported: try again", s->shown);
    return rc;
}

int source_read(struct source *s, const char *path)
{
    const bool standard = strcmp(path, "-") == 0;
    /* O_NONBLOCK: opening a pipe without a writer must not wait for ever */
    int fd = standard ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    int rc;

    s->shown = standard ? "standard input" : path;
    if (fd < 0)
        return fail_io(s->cli, path, errno);
    rc = read_fd(s, fd, standard);
    if (!standard)
        (void)close(fd);
    return rc;
}

/* U+FEFF, as Windows' tools put it before UTF-8. */
static bool has_mark(const struct input *t)
{
    return t->len >= MARK_SIZE && memcmp(t->data, "\xef\xbb\xbf", MARK_SIZE) == 0;
}

static bool ends_in(const char *path, const char *end)
{
    const size_t n = strlen(path), len = strlen(end);

    return n >= len && strcasecmp(path + n - len, end) == 0;
}

const char *source_guess(const struct source *s, const char *path)
{
    const char *p = (const char *)s->text.data, *end = p + s->text.len;

    if (ends_in(path, "keyring_pass.cfg"))
        return "python-keyring";
    if (ends_in(path, ".json") || ends_in(path, ".jsonl"))
        return "json";
    if (has_mark(&s->text))
        p += MARK_SIZE;
    while (p < end && strchr(" \t\r\n", *p) != NULL && *p != '\0')
        p++;
    return p < end && (*p == '{' || *p == '[') ? "json" : "env";
}

static bool is_utf16(const unsigned char *p, size_t len)
{
    if (len < 2)
        return false;
    return (p[0] == 0xff && p[1] == 0xfe) || (p[0] == 0xfe && p[1] == 0xff) ||
           (p[0] == 0) != (p[1] == 0);
}

int source_plain_text(struct source *s)
{
    struct input *t = &s->text;

    if (is_utf16(t->data, t->len))
        return fail_status(s->cli, KT_CORRUPT, NULL,
                           "%s is UTF-16, as Windows' tools write it; nothing was imported: "
                           "'iconv -f UTF-16 -t UTF-8' makes it readable",
                           s->shown);
    if (has_mark(t)) {
        memmove(t->data, t->data + MARK_SIZE, t->len - MARK_SIZE);
        t->len -= MARK_SIZE;
    }
    return 0;
}
