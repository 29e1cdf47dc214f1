/* SPDX-License-Identifier: Apache-2.0 */

/* A guest in somebody's process: it prints nothing, changes nothing, and leaves nothing behind. */

#include "conform-battery.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define ROUNDS 5
#define SCRIPT_MS 50
#define SETTLE_MS 3000 /* a thread that has been joined may be seen for a moment */

/** struct manners - what belongs to the process, not to a module */
struct manners {
    char **env; /* NULL ends it */
    struct sigaction actions[NSIG];
    sigset_t mask;
    char directory[PATH_MAX];
    char locale[512];
    mode_t umask;
    int threads;
};

/* ---- how it is ------------------------------------------------------------------------------- */

static int count_entries(const char *dir)
{
    DIR *d = opendir(dir);
    int n = 0;

    if (d == NULL)
        return -1;
    while (readdir(d) != NULL)
        n++;
    (void)closedir(d);
    return n;
}

static char **copy_env(void)
{
    static char *const nothing[] = { NULL };
    char *const *from = environ != NULL ? environ : nothing;
    size_t n = 0;
    char **copy;

    while (from[n] != NULL)
        n++;
    copy = calloc(n + 1, sizeof(*copy));
    for (size_t i = 0; copy != NULL && i < n; i++) {
        copy[i] = strdup(from[i]);
        if (copy[i] == NULL)
            break;
    }
    return copy;
}

struct manners *manners_new(void)
{
    struct manners *m = calloc(1, sizeof(*m));
    const char *locale = setlocale(LC_ALL, NULL);

    if (m == NULL)
        return NULL;
    m->env = copy_env();
    for (int sig = 1; sig < NSIG; sig++)
        (void)sigaction(sig, NULL, &m->actions[sig]);
    (void)sigprocmask(SIG_SETMASK, NULL, &m->mask);
    if (getcwd(m->directory, sizeof(m->directory)) == NULL)
        m->directory[0] = '\0';
    (void)snprintf(m->locale, sizeof(m->locale), "%s", locale != NULL ? locale : "");
    m->umask = umask(077);
    (void)umask(m->umask);
    m->threads = count_entries("/proc/self/task");
    return m;
}

void manners_free(struct manners *m)
{
    for (size_t i = 0; m != NULL && m->env != NULL && m->env[i] != NULL; i++)
        free(m->env[i]);
    free(m != NULL ? m->env : NULL);
    free(m);
}

/* ---- what has changed ------------------------------------------------------------------------ */

/* The first variable of @a that @b lacks or has otherwise; its name only: it may hold a secret. */
static bool env_lacks(char *const *a, char *const *b, char *name, size_t size)
{
    for (; a != NULL && *a != NULL; a++) {
        char *const *other = b;

        while (other != NULL && *other != NULL && strcmp(*a, *other) != 0)
            other++;
        if (other != NULL && *other != NULL)
            continue;
        (void)snprintf(name, size, "%.*s", (int)strcspn(*a, "="), *a);
        return true;
    }
    return false;
}

static bool same_action(const struct sigaction *a, const struct sigaction *b)
{
    return a->sa_handler == b->sa_handler && a->sa_flags == b->sa_flags;
}

static const char *signal_name(int sig)
{
    const char *name = sigabbrev_np(sig);

    return name != NULL ? name : "?";
}

static bool compare(struct battery *b, const struct manners *was, const struct manners *is)
{
    char name[80];

    if (env_lacks(was->env, is->env, name, sizeof(name)) ||
        env_lacks(is->env, was->env, name, sizeof(name)))
        return bad(b, "it changed the environment variable %s", name) == CONFORM_OK;
    for (int sig = 1; sig < NSIG; sig++) {
        if (!same_action(&was->actions[sig], &is->actions[sig]))
            return bad(b, "it changed what signal %d (SIG%s) does", sig, signal_name(sig)) ==
                   CONFORM_OK;
        if (sigismember(&was->mask, sig) != sigismember(&is->mask, sig))
            return bad(b, "it changed whether signal %d (SIG%s) is blocked", sig,
                       signal_name(sig)) == CONFORM_OK;
    }
    if (strcmp(was->directory, is->directory) != 0)
        return bad(b, "it changed the working directory to '%.400s'", is->directory) == CONFORM_OK;
    if (strcmp(was->locale, is->locale) != 0)
        return bad(b, "it changed the locale to '%.200s'", is->locale) == CONFORM_OK;
    if (was->umask != is->umask)
        return bad(b, "it changed the umask from %03o to %03o", was->umask, is->umask) ==
               CONFORM_OK;
    return true;
}

enum conform_verdict changes_nothing(struct battery *b)
{
    struct manners *now = manners_new();
    bool same;

    if (now == NULL)
        return skip(b, "out of memory");
    same = compare(b, b->before, now);
    if (!same) { /* told once */
        now->threads = b->before->threads;
        manners_free(b->before);
        b->before = now;
        return CONFORM_FAILED;
    }
    manners_free(now);
    return CONFORM_OK;
}

/* ---- what is printed ------------------------------------------------------------------------- */

enum conform_verdict prints_nothing(struct battery *b)
{
    char text[61];
    struct stat st;
    ssize_t n;

    if (b->o->output < 0)
        return skip(b, "there was no file to catch what it prints");
    (void)fflush(stdout);
    (void)fflush(stderr);
    if (fstat(b->o->output, &st) != 0 || st.st_size == 0)
        return CONFORM_OK;
    n = pread(b->o->output, text, sizeof(text) - 1, 0);
    text[n > 0 ? n : 0] = '\0';
    text[strcspn(text, "\n")] = '\0';
    return bad(b, "it wrote %lld bytes to standard output or error: '%s'", (long long)st.st_size,
               text);
}

/* ---- what each call leaves ------------------------------------------------------------------- */

static void call_get(struct battery *b, const char *name)
{
    (void)get_status(b, name);
}

static void call_list(struct battery *b, const char *name)
{
    struct kt_list *l;

    (void)name;
    (void)list(b, NULL, &l);
    kt_list_free(l);
}

static void call_versions(struct battery *b, const char *name)
{
    struct kt_list *l;

    (void)versions(b, name, &l);
    kt_list_free(l);
}

static void call_put(struct battery *b, const char *name)
{
    if ((b->kind & FOR_WRITER) != 0)
        (void)put(b, name, "x", NULL);
}

static void call_delete(struct battery *b, const char *name)
{
    if ((b->kind & FOR_WRITER) != 0)
        drop(b, name);
}

static const struct {
    const char *what;
    void (*run)(struct battery *b, const char *name);
} calls[] = {
    { "get", call_get },           { "put", call_put },
    { "versions", call_versions }, { "get of a value", call_get },
    { "list", call_list },         { "delete", call_delete },
};

/* Grows @dir with each call? What a library keeps once for all, it has since the first. */
static enum conform_verdict keeps_count(struct battery *b, const char *dir, const char *what)
{
    const int64_t timeout_ms = b->timeout_ms;
    enum conform_verdict verdict = CONFORM_OK;
    char name[NAME_SIZE];

    if ((b->kind & FOR_SCRIPT) != 0) /* its answers may never come */
        b->timeout_ms = SCRIPT_MS;
    (void)new_name(b, name);
    for (size_t c = 0; c < sizeof(calls) / sizeof(calls[0]) && verdict == CONFORM_OK; c++) {
        int before, after;

        calls[c].run(b, name);
        before = count_entries(dir);
        for (int i = 0; i < ROUNDS; i++)
            calls[c].run(b, name);
        after = count_entries(dir);
        for (int64_t until = now_ms() + SETTLE_MS; after > before && now_ms() < until;) {
            (void)nanosleep(&(struct timespec){ 0, 10 * 1000000 }, NULL);
            after = count_entries(dir);
        }
        if (before >= 0 && after > before)
            verdict = bad(b, "%s: %d more %s after %d calls", calls[c].what, after - before, what,
                          ROUNDS);
    }
    call_delete(b, name);
    b->timeout_ms = timeout_ms;
    return verdict;
}

static enum conform_verdict calls_leave_no_descriptor(struct battery *b)
{
    return keeps_count(b, "/proc/self/fd", "descriptors are open");
}

static enum conform_verdict calls_leave_no_thread(struct battery *b)
{
    enum conform_verdict verdict = keeps_count(b, "/proc/self/task", "threads run");
    const int now = count_entries("/proc/self/task");

    /* a library of threads does not survive a fork either, and the module says so */
    if (verdict != CONFORM_OK || (b->caps & KT_CAP_USER_ONLY) != 0 || now <= b->before->threads)
        return verdict;
    return bad(b, "%d threads that it started run on after its calls", now - b->before->threads);
}

const struct check checks_manners[] = {
    { "a call leaves no descriptor behind", FOR_ALL, 0, calls_leave_no_descriptor },
    { "a call leaves no thread behind", FOR_ALL, 0, calls_leave_no_thread },
    { .title = NULL },
};
