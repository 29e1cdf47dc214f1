/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Asking a person at the terminal. Without echo the line is read byte by byte in non-canonical mode:
 * the kernel's own line editing ends at 4095 bytes, which a token can be longer than.
 */
#include "cli.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

static const int signals[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP, SIGTTIN, SIGTTOU };
#define NSIGNALS (sizeof(signals) / sizeof(signals[0]))

static volatile sig_atomic_t caught;
static int wake[2]; /* a pipe: the signal may reach a thread that a library started */

struct line {
    char *buf;
    size_t len;
    size_t size;
};

static void on_signal(int sig)
{
    int saved = errno;

    caught = sig;
    (void)!write(wake[1], "", 1);
    errno = saved;
}

static void catch_signals(struct sigaction *old)
{
    struct sigaction act = { .sa_handler = on_signal };

    (void)sigemptyset(&act.sa_mask);
    for (size_t i = 0; i < NSIGNALS; i++) {
        (void)sigaction(signals[i], &act, &old[i]);
        if (old[i].sa_handler == SIG_IGN) /* nohup means it */
            (void)sigaction(signals[i], &old[i], NULL);
    }
}

static void release_signals(const struct sigaction *old)
{
    for (size_t i = 0; i < NSIGNALS; i++)
        (void)sigaction(signals[i], &old[i], NULL);
}

static int64_t now_ms(void)
{
    struct timespec ts;

    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* KT_SUCCESS when the terminal has something to read; @until -1: no end. */
static int await(int tty, int cancel_fd, int64_t until)
{
    struct pollfd fds[] = {
        { .fd = tty, .events = POLLIN },
        { .fd = wake[0], .events = POLLIN },
        { .fd = cancel_fd, .events = POLLIN },
    };

    for (;;) {
        int64_t left = until < 0 ? -1 : until - now_ms();
        int n;

        if (until >= 0 && left <= 0)
            return KT_TIMEOUT;
        n = poll(fds, 3, left > 3600000 ? 3600000 : (int)left);
        if (n < 0 && errno != EINTR)
            return KT_UNAVAILABLE;
        if (n <= 0)
            continue;
        if (fds[1].revents != 0 || fds[2].revents != 0)
            return KT_CANCELLED;
        return KT_SUCCESS;
    }
}

static void rub_out(struct line *l)
{
    /* a whole UTF-8 character */
    while (l->len > 0 && ((unsigned char)l->buf[l->len - 1] & 0xc0) == 0x80)
        l->len--;
    if (l->len > 0)
        l->len--;
}

/* KT_IGNORE: more to come. */
static int take_byte(struct line *l, char c, const struct termios *tio)
{
    cc_t code = (cc_t)c;

    if (c == '\n' || c == '\r')
        return KT_SUCCESS;
    if (code != _POSIX_VDISABLE && code == tio->c_cc[VEOF])
        return l->len > 0 ? KT_SUCCESS : KT_CANCELLED;
    if (code != _POSIX_VDISABLE && (code == tio->c_cc[VERASE] || code == '\b' || code == 0x7f)) {
        rub_out(l);
    } else if (code != _POSIX_VDISABLE && code == tio->c_cc[VKILL]) {
        l->len = 0;
    } else {
        if (l->len == l->size)
            return KT_TOO_LARGE;
        l->buf[l->len++] = c;
    }
    return KT_IGNORE;
}

static int read_line(int tty, struct line *l, const struct termios *tio, int64_t until,
                     int cancel_fd)
{
    char chunk[64];
    int rc = KT_IGNORE;

    while (rc == KT_IGNORE) {
        ssize_t n;

        rc = await(tty, cancel_fd, until);
        if (rc != KT_SUCCESS)
            break;
        n = read(tty, chunk, sizeof(chunk));
        rc = n > 0 || (n < 0 && errno == EINTR) ? KT_IGNORE : KT_CANCELLED;
        for (ssize_t i = 0; i < n && rc == KT_IGNORE; i++)
            rc = take_byte(l, chunk[i], tio);
    }
    explicit_bzero(chunk, sizeof(chunk));
    return rc;
}

static int ask_once(int tty, const char *text, bool echo, struct line *l, int64_t until,
                    int cancel_fd)
{
    struct sink out = { .fd = tty };
    struct termios was, tio;
    int rc;

    if (tcgetattr(tty, &was) != 0)
        return KT_LOCKED;
    tio = was;
    if (!echo) {
        tio.c_lflag &= ~(tcflag_t)(ICANON | ECHO | ECHONL);
        tio.c_cc[VMIN] = 1;
        tio.c_cc[VTIME] = 0;
    }
    if (tcsetattr(tty, TCSAFLUSH, &tio) != 0)
        return KT_LOCKED;
    sink_text(&out, text);
    (void)sink_flush(&out);
    rc = read_line(tty, l, &was, until, cancel_fd);
    if (!echo || rc != KT_SUCCESS) {
        sink_str(&out, "\n");
        (void)sink_flush(&out);
    }
    /* flushing keeps the rest of a paste away from the shell and its history */
    (void)tcsetattr(tty, TCSAFLUSH, &was);
    return rc;
}

int prompt_ask(void *cookie, const char *text, bool echo, char *buf, size_t len,
               int64_t deadline_ms, int cancel_fd)
{
    int64_t until = deadline_ms < 0 ? -1 : now_ms() + deadline_ms;
    int tty = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY), rc;
    struct line line = { .buf = buf, .size = len };
    struct sigaction old[NSIGNALS];

    (void)cookie;
    if (tty < 0)
        return -KT_LOCKED;
    if (pipe2(wake, O_CLOEXEC | O_NONBLOCK) != 0) {
        (void)close(tty);
        return -KT_UNAVAILABLE;
    }
    do {
        char drop[16];

        line.len = 0;
        caught = 0;
        catch_signals(old);
        rc = ask_once(tty, text, echo, &line, until, cancel_fd);
        release_signals(old);
        while (read(wake[0], drop, sizeof(drop)) > 0)
            ;
        if (caught != 0)
            (void)raise(caught); /* ends us, or stops us until we are continued */
    } while (caught == SIGTSTP || caught == SIGTTIN || caught == SIGTTOU);
    (void)close(wake[0]);
    (void)close(wake[1]);
    (void)close(tty);
    if (rc != KT_SUCCESS) {
        explicit_bzero(buf, len);
        return -rc;
    }
    return (int)line.len;
}

bool prompt_yes(const char *question, int64_t deadline_ms)
{
    char answer[8];
    int n = prompt_ask(NULL, question, true, answer, sizeof(answer), deadline_ms, -1);

    return (n == 1 && (answer[0] == 'y' || answer[0] == 'Y')) ||
           (n == 3 && strncasecmp(answer, "yes", 3) == 0);
}
