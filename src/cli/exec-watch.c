/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keyturn as the program's parent. A thread asks the stores, however long they take; the main thread
 * forwards signals, and sees at once how the program ends. Both are in the process group that keyturn
 * was started in, so the terminal and its shell treat them as one: what the terminal sends reaches the
 * program without us.
 */
#include "exec.h"
#include "follow.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define AT_ONCE_MS 1000    /* a program that ends sooner died at once */
#define TRIES 5            /* how often one that did so after a change is started again */
#define FIRST_DELAY_MS 200 /* doubles each time */

/** struct news - what the thread has to say; it waits until that was heard */
struct news {
    struct follow *follow;
    int told[2];  /* a byte: there is something */
    int heard[2]; /* a byte: go on */
    int rc;
    struct kt_err err;
};

enum state { RUNNING, STOPPING, WAITING };

/**
 * struct keeper
 * @ending:   somebody wants an end: it is not started again
 * @changed:  it was started because of a change, and has not yet lived AT_ONCE_MS
 * @until_ms: monotonic; when to KILL (STOPPING) or to start (WAITING); -1 = never
 */
struct keeper {
    struct plan *p;
    struct news news;
    sigset_t given; /* the mask that we were started with */
    struct sigaction children;
    int signals;
    pid_t child;
    enum state state;
    bool ending;
    bool changed;
    int tries;
    int64_t started_ms;
    int64_t until_ms;
};

static const int forwarded[] = {
    SIGHUP,  SIGINT,  SIGQUIT, SIGTERM, SIGUSR1,  SIGUSR2, SIGALRM,
    SIGCONT, SIGTSTP, SIGTTIN, SIGTTOU, SIGWINCH, SIGPWR,  SIGVTALRM,
};
#define NFORWARDED (sizeof(forwarded) / sizeof(forwarded[0]))

static bool ends(int sig)
{
    return sig == SIGHUP || sig == SIGINT || sig == SIGQUIT || sig == SIGTERM;
}

/* ---- the thread that asks --------------------------------------------------------------------- */

static void *listen_to(void *cookie)
{
    struct news *n = cookie;
    char heard;

    for (;;) {
        struct pollfd fd = { .fd = follow_fd(n->follow), .events = POLLIN };

        if (poll(&fd, 1, -1) <= 0)
            continue;
        n->rc = follow_read(n->follow, &n->err);
        if (n->rc == KT_IGNORE)
            continue;
        if (write(n->told[1], "", 1) != 1 || read(n->heard[0], &heard, 1) != 1)
            return NULL;
    }
}

static int start_listening(struct news *n)
{
    pthread_t thread;

    if (pipe2(n->told, O_CLOEXEC) != 0 || pipe2(n->heard, O_CLOEXEC) != 0)
        return -1;
    errno = pthread_create(&thread, NULL, listen_to, n);
    return errno == 0 ? 0 : -1;
}

/* ---- the program ------------------------------------------------------------------------------ */

static _Noreturn void be_program(struct keeper *k, int tell, pid_t parent)
{
    int rc;

    (void)sigaction(SIGCHLD, &k->children, NULL);
    (void)sigprocmask(SIG_SETMASK, &k->given, NULL);
    /* two programs must not run when keyturn is killed and started again */
    (void)prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent)
        _exit(EXIT_FAILED);
    rc = become(k->p, tell);
    _exit(rc);
}

/* The directories that its files are in, which are renewed from here. */
static void hear_dirs(struct plan *p, int from)
{
    int fd, number = 0;

    while ((fd = fd_receive(from, &number)) >= 0) {
        struct gift *g = &p->gifts[number];

        if (g->dir >= 0)
            (void)close(g->dir);
        g->dir = fd;
    }
}

static int start(struct keeper *k)
{
    const bool tell = k->p->signal != 0 && plan_has(k->p, TO_MOUNT);
    const pid_t parent = getpid();
    int fds[2] = { -1, -1 };

    if (tell && socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) != 0)
        return fail_io(k->p->cli, "socketpair", errno);
    k->child = fork();
    if (k->child == 0)
        be_program(k, fds[1], parent);
    if (tell)
        (void)close(fds[1]);
    if (tell && k->child > 0)
        hear_dirs(k->p, fds[0]); /* until it is executed, or has ended */
    if (tell)
        (void)close(fds[0]);
    if (k->child < 0)
        return fail_io(k->p->cli, "cannot make a process", errno);
    k->state = RUNNING;
    k->started_ms = session_now_ms();
    k->until_ms = -1;
    return 0;
}

/* Its exit code; not for process 1, which no signal of its own ends. */
static int die_by(int sig)
{
    sigset_t set;

    (void)signal(sig, SIG_DFL);
    (void)sigemptyset(&set);
    (void)sigaddset(&set, sig);
    (void)sigprocmask(SIG_UNBLOCK, &set, NULL);
    (void)kill(getpid(), sig);
    return 128 + sig;
}

/* ---- what happens ----------------------------------------------------------------------------- */

#define GO_ON (-1) /* anything else is keyturn's exit code */

/* The program ended. By itself: so does keyturn, but for one that a change may have hurt. */
static int on_end(struct keeper *k, int wstatus)
{
    const bool bad = !WIFEXITED(wstatus) || WEXITSTATUS(wstatus) != 0;
    const bool at_once = session_now_ms() - k->started_ms < AT_ONCE_MS;

    k->child = 0;
    if (k->state == STOPPING && !k->ending) {
        k->changed = true;
        k->tries = 0;
        return start(k) == 0 ? GO_ON : EXIT_FAILED;
    }
    if (k->state == RUNNING && k->changed && bad && at_once && k->tries < TRIES) {
        say_warning(k->p->cli, "%s: it died at once after a change; it is started again",
                    k->p->argv[0]);
        k->state = WAITING;
        k->until_ms = session_now_ms() + (FIRST_DELAY_MS << k->tries++);
        return GO_ON;
    }
    return WIFEXITED(wstatus) ? WEXITSTATUS(wstatus) : die_by(WTERMSIG(wstatus));
}

static void on_stop(const struct keeper *k, int sig)
{
    if (sig != SIGTSTP && sig != SIGTTIN && sig != SIGTTOU)
        return;
    (void)kill(getpid(), SIGSTOP); /* so that the shell sees the job stopped */
    (void)kill(k->child, SIGCONT);
}

static int on_children(struct keeper *k)
{
    int rc = GO_ON, wstatus;
    pid_t pid;

    while (rc == GO_ON && (pid = waitpid(-1, &wstatus, WNOHANG | WUNTRACED)) > 0) {
        if (pid != k->child) /* as process 1 we are everybody's parent */
            continue;
        if (WIFSTOPPED(wstatus))
            on_stop(k, WSTOPSIG(wstatus));
        else
            rc = on_end(k, wstatus);
    }
    return rc;
}

static int on_signal(struct keeper *k)
{
    struct signalfd_siginfo s;
    int sig;

    if (read(k->signals, &s, sizeof(s)) != (ssize_t)sizeof(s))
        return GO_ON;
    sig = (int)s.ssi_signo;
    if (sig == SIGCHLD)
        return on_children(k);
    if (ends(sig) && k->state == WAITING)
        return die_by(sig);
    if (ends(sig) && k->state == STOPPING)
        k->ending = true;
    if (ends(sig))
        k->changed = false; /* if it dies now, that is not the change's fault */
    /* what the kernel sends for the terminal, and what the program sends to its group, it has */
    if (s.ssi_code <= 0 && (pid_t)s.ssi_pid != k->child && k->child > 0)
        (void)kill(k->child, sig);
    return GO_ON;
}

static void stop(struct keeper *k)
{
    (void)kill(k->child, SIGTERM);
    (void)kill(k->child, SIGCONT); /* one that is stopped could not end */
    k->state = STOPPING;
    k->until_ms = session_now_ms() + k->p->stop_timeout_ms;
}

static int renew(struct plan *p, struct kt_err *err)
{
    int rc = env_make(p, err);

    if (rc == KT_SUCCESS)
        rc = files_make(p, err);
    if (rc == KT_SUCCESS && p->holder > 0)
        rc = holder_renew(p, err);
    if (rc == KT_SUCCESS && p->signal != 0)
        rc = mounts_renew(p, err);
    return rc;
}

static int on_news(struct keeper *k)
{
    struct news *n = &k->news;
    char told;

    if (read(n->told[0], &told, 1) != 1)
        return GO_ON;
    if (n->rc == KT_SUCCESS)
        n->rc = renew(k->p, &n->err);
    if (n->rc != KT_SUCCESS)
        say_warning(k->p->cli, "%s; the program goes on with the values it has", n->err.msg);
    else if (k->p->signal != 0 && k->child > 0)
        (void)kill(k->child, k->p->signal);
    else if (k->p->signal == 0 && k->state == RUNNING)
        stop(k);
    return write(n->heard[1], "", 1) == 1 ? GO_ON : EXIT_FAILED;
}

static int on_time(struct keeper *k)
{
    k->until_ms = -1;
    if (k->state == STOPPING)
        (void)kill(k->child, SIGKILL);
    else if (k->state == WAITING)
        return start(k) == 0 ? GO_ON : EXIT_FAILED;
    return GO_ON;
}

static int keep(struct keeper *k)
{
    int rc = GO_ON;

    while (rc == GO_ON) {
        struct pollfd fds[] = {
            { .fd = k->signals, .events = POLLIN },
            { .fd = k->news.told[0], .events = POLLIN },
        };
        const int64_t left = k->until_ms < 0 ? -1 : k->until_ms - session_now_ms();

        if (k->until_ms >= 0 && left <= 0) {
            rc = on_time(k);
            continue;
        }
        if (poll(fds, 2, left > 3600000 ? 3600000 : (int)left) <= 0)
            continue;
        if (fds[0].revents != 0)
            rc = on_signal(k);
        else if (fds[1].revents != 0)
            rc = on_news(k);
    }
    return rc;
}

static int take_signals(struct keeper *k)
{
    const struct sigaction plain = { .sa_handler = SIG_DFL };
    sigset_t set;

    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGCHLD);
    for (size_t i = 0; i < NFORWARDED; i++)
        (void)sigaddset(&set, forwarded[i]);
    (void)sigaction(SIGCHLD, &plain, &k->children); /* ignored, it would leave us no status */
    if (sigprocmask(SIG_BLOCK, &set, &k->given) != 0)
        return -1;
    k->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return k->signals >= 0 ? 0 : -1;
}

int watch_program(struct plan *p)
{
    struct keeper k = { .p = p, .signals = -1, .until_ms = -1 };
    struct kt_err err = { 0 };
    int rc = KT_SUCCESS;

    if (p->signal != 0)
        rc = holder_start(p, &err);
    if (rc == KT_SUCCESS && plan_fetch(p) != 0)
        return EXIT_FAILED;
    if (rc == KT_SUCCESS)
        rc = env_make(p, &err);
    if (rc == KT_SUCCESS)
        rc = files_make(p, &err);
    if (rc == KT_SUCCESS && p->holder > 0)
        rc = holder_renew(p, &err);
    if (rc == KT_SUCCESS)
        rc = follow_new(p->cli, p->refs, &k.news.follow, &err);
    if (rc != KT_SUCCESS)
        return failed(p->cli, NULL, &err);
    if (take_signals(&k) != 0) {
        (void)fail_io(p->cli, "cannot take signals", errno);
        return EXIT_FAILED;
    }
    if (start(&k) != 0)
        return EXIT_FAILED;
    if (start_listening(&k.news) != 0)
        say_warning(p->cli, "changes are not noticed: %s", strerror(errno));
    rc = keep(&k);
    _exit(rc); /* the thread may be in the middle of a question */
}
