/* SPDX-License-Identifier: Apache-2.0 */
#include "scan.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_MAX (64 << 20)

/* Words before a `=`, as GNOME Keyring 3.x to 46 writes them. */
static const char *const words[] = { "display-name", "secret",    "binary-secret", "mtime",
                                     "ctime",        "item-type", "name",          "type",
                                     "value",        "hidden",    "lock-on-idle",  "lock-after",
                                     "lock-timeout", "version",   "crypto",        "hash" };

static bool is_word(const char *text, size_t len)
{
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (strlen(words[i]) == len && strncmp(words[i], text, len) == 0)
            return true;
    return false;
}

static void end_line(struct kt_scan *s)
{
    static const char head[] = "[keyring]";

    s->line++;
    if (s->line == 1)
        s->text = s->n == sizeof(head) - 1 && memcmp(s->start, head, s->n) == 0;
    if (s->text && s->bad == 0 && s->n > 0 && s->start[0] != '[' && s->start[0] != '#' &&
        !s->equals)
        s->bad = s->line;
    explicit_bzero(s->start, sizeof(s->start));
    s->n = 0;
    s->equals = false;
}

void kt_scan_bytes(struct kt_scan *s, const char *data, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (data[i] == '\n') {
            end_line(s);
            continue;
        }
        if (data[i] == '=' && !s->equals && s->n <= sizeof(s->start))
            s->equals = is_word(s->start, s->n);
        if (s->n < sizeof(s->start))
            s->start[s->n] = data[i];
        s->n++;
    }
}

void kt_scan_end(struct kt_scan *s)
{
    if (s->n > 0)
        end_line(s);
}

static long scan_fd(int fd)
{
    struct kt_scan s = { .n = 0 };
    char buf[4096];
    size_t total = 0;
    ssize_t n;

    do {
        n = read(fd, buf, sizeof(buf));
        if (n > 0)
            kt_scan_bytes(&s, buf, (size_t)n);
        total += n > 0 ? (size_t)n : 0;
    } while ((n > 0 && total < FILE_MAX && (s.line == 0 || s.text)) || (n < 0 && errno == EINTR));
    kt_scan_end(&s);
    explicit_bzero(buf, sizeof(buf));
    return n < 0 ? -1 : (long)s.bad;
}

long kt_scan_file(int dir, const char *name)
{
    const int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    struct stat st;
    long line = -1;

    if (fd < 0)
        return -1;
    if (fstat(fd, &st) == 0) {
        if (S_ISREG(st.st_mode))
            line = scan_fd(fd);
        else
            errno = EINVAL;
    }
    const int error = errno;

    (void)close(fd);
    errno = error;
    return line;
}
