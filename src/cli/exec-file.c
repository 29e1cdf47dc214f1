/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files in memory: sealed, of mode 0400, reached as /proc/PID/fd/NUMBER by whoever may look at that
 * process, and gone with it. A path through /proc/self would be lost on programs whose children begin
 * with their descriptors closed.
 *
 * Where they are renewed, a process of its own holds them: it is made before any module is loaded, so
 * there is nothing in it that the program must not see, and exchanges a whole file at once.
 */
#include "exec.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U /* Linux 6.3 */
#endif

#define FIRST_FD 10 /* shells leave those below to their scripts */

static bool in_memory(const struct gift *g)
{
    return g->how == TO_FILE || g->how == TO_FD;
}

static int write_all(int fd, const char *data, size_t len)
{
    while (len > 0) {
        const ssize_t n = write(fd, data, len);

        if (n > 0) {
            data += n;
            len -= (size_t)n;
        } else if (n < 0 && errno != EINTR) {
            return -1;
        }
    }
    return 0;
}

static bool is_asked_for(const struct plan *p, int fd)
{
    for (size_t i = 0; i < p->n; i++)
        if (p->gifts[i].how == TO_FD && p->gifts[i].fd == fd)
            return true;
    return false;
}

/* Away from the numbers that shells, and this command line, use. */
static int move_up(const struct plan *p, int fd)
{
    int moved = fcntl(fd, F_DUPFD_CLOEXEC, FIRST_FD);

    (void)close(fd);
    while (moved >= 0 && is_asked_for(p, moved)) {
        const int next = fcntl(moved, F_DUPFD_CLOEXEC, moved + 1);

        (void)close(moved);
        moved = next;
    }
    return moved;
}

static int sealed_file(const struct plan *p, const struct gift *g)
{
    const int seals = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
    int fd = memfd_create("keyturn", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL), errnum;
    size_t len;
    const char *value = gift_value(p, g, &len);

    if (fd < 0 && errno == EINVAL)
        fd = memfd_create("keyturn", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0)
        return -1;
    if (fchmod(fd, 0400) == 0 && write_all(fd, value, len) == 0 && lseek(fd, 0, SEEK_SET) == 0 &&
        fcntl(fd, F_ADD_SEALS, seals) == 0)
        return move_up(p, fd);
    errnum = errno;
    (void)close(fd);
    errno = errnum;
    return -1;
}

int files_make(struct plan *p, struct kt_err *err)
{
    for (size_t i = 0; i < p->n; i++) {
        struct gift *g = &p->gifts[i];
        int fd;

        if (!in_memory(g))
            continue;
        fd = sealed_file(p, g);
        if (fd < 0)
            return err_explain(err, errno == ENOSYS ? KT_UNSUPPORTED : KT_UNAVAILABLE,
                               "%s: cannot make a file in memory: %s",
                               g->how == TO_FILE ? g->name : "--fd", strerror(errno));
        if (g->memfd >= 0)
            (void)close(g->memfd);
        g->memfd = fd;
        if (g->how == TO_FILE && p->holder == 0)
            g->fd = fd;
    }
    return KT_SUCCESS;
}

static int pass(const struct plan *p, const struct gift *g)
{
    if (g->how == TO_FILE)
        return p->holder == 0 ? fcntl(g->fd, F_SETFD, 0) : 0;
    if (lseek(g->memfd, 0, SEEK_SET) != 0) /* a program before this one may have read it */
        return -1;
    return dup2(g->memfd, g->fd);
}

int files_pass(struct plan *p, struct kt_err *err)
{
    for (size_t i = 0; i < p->n; i++) {
        const struct gift *g = &p->gifts[i];

        if (in_memory(g) && pass(p, g) < 0)
            return err_explain(err, errno == EBADF ? KT_INVALID : KT_UNAVAILABLE,
                               "descriptor %d cannot be given: %s%s", g->fd, strerror(errno),
                               errno == EBADF ? "; 'ulimit -n' limits the number" : "");
    }
    return KT_SUCCESS;
}

/* ---- descriptors through a socket ------------------------------------------------------------- */

union control {
    char room[CMSG_SPACE(sizeof(int))];
    struct cmsghdr align;
};

int fd_send(int to, int fd, int number)
{
    union control control = { { 0 } };
    struct iovec data = { &number, sizeof(number) };
    struct msghdr m = { .msg_iov = &data,
                        .msg_iovlen = 1,
                        .msg_control = control.room,
                        .msg_controllen = sizeof(control.room) };
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);
    ssize_t n;

    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof(fd));
    memcpy(CMSG_DATA(c), &fd, sizeof(fd));
    do
        n = sendmsg(to, &m, MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    return n == (ssize_t)sizeof(number) ? 0 : -1;
}

int fd_receive(int from, int *number)
{
    union control control = { { 0 } };
    struct iovec data = { number, sizeof(*number) };
    struct msghdr m = { .msg_iov = &data,
                        .msg_iovlen = 1,
                        .msg_control = control.room,
                        .msg_controllen = sizeof(control.room) };
    const struct cmsghdr *c;
    ssize_t n;
    int fd;

    do
        n = recvmsg(from, &m, MSG_CMSG_CLOEXEC);
    while (n < 0 && errno == EINTR);
    c = CMSG_FIRSTHDR(&m);
    if (n != (ssize_t)sizeof(*number) || c == NULL || c->cmsg_type != SCM_RIGHTS)
        return -1;
    memcpy(&fd, CMSG_DATA(c), sizeof(fd));
    return fd;
}

/* ---- the holder ------------------------------------------------------------------------------- */

/* Until keyturn is gone. Signals of the terminal are for the program. */
static _Noreturn void hold(int from, pid_t parent)
{
    sigset_t all;
    int fd, number = 0;

    (void)sigfillset(&all);
    (void)sigprocmask(SIG_BLOCK, &all, NULL);
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)prctl(PR_SET_NAME, "keyturn-files");
    (void)prctl(PR_SET_DUMPABLE, 1); /* else nobody could open what it holds */
    /* no pipe of the program's stays open because of it */
    fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int i = 0; i <= 2; i++)
        (void)dup2(fd, i);
    if (from != 3 && dup2(from, 3) != 3)
        _exit(1);
    (void)close_range(4, ~0U, 0);
    if (getppid() != parent || chdir("/") != 0)
        _exit(1);
    while ((fd = fd_receive(3, &number)) >= 0) {
        if (dup2(fd, number) != number)
            break;
        (void)close(fd);
        if (write(3, "", 1) != 1)
            break;
    }
    _exit(0);
}

int holder_start(struct plan *p, struct kt_err *err)
{
    const pid_t parent = getpid();
    int fds[2], number = FIRST_FD;

    if (!plan_has(p, TO_FILE))
        return KT_SUCCESS;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) != 0)
        return err_explain(err, KT_UNAVAILABLE, "cannot make a socket: %s", strerror(errno));
    p->holder = fork();
    if (p->holder == 0)
        hold(fds[1], parent);
    (void)close(fds[1]);
    p->holder_fd = fds[0];
    if (p->holder < 0)
        return err_explain(err, KT_UNAVAILABLE, "cannot make a process: %s", strerror(errno));
    for (size_t i = 0; i < p->n; i++)
        if (p->gifts[i].how == TO_FILE)
            p->gifts[i].fd = number++;
    return KT_SUCCESS;
}

int holder_renew(struct plan *p, struct kt_err *err)
{
    for (size_t i = 0; i < p->n; i++) {
        const struct gift *g = &p->gifts[i];
        ssize_t n = -1;
        char done;

        if (g->how != TO_FILE)
            continue;
        if (fd_send(p->holder_fd, g->memfd, g->fd) == 0)
            do
                n = read(p->holder_fd, &done, 1);
            while (n < 0 && errno == EINTR);
        if (n != 1)
            return err_explain(err, KT_UNAVAILABLE,
                               "%s: the process that holds the files has ended", g->name);
    }
    return KT_SUCCESS;
}
