/* SPDX-License-Identifier: Apache-2.0 */

/* Threads, processes, and what is left behind. */

#include "conform-battery.h"

#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define THREADS 4
#define ROUNDS 8

/* ---- threads --------------------------------------------------------------------------------- */

struct runner {
    struct battery b; /* a copy, so that errors do not meet */
    const char *shared;
    char own[NAME_SIZE];
    unsigned number;
    unsigned done; /* calls that succeeded */
    bool good;
};

/* Text that says in every place who wrote it: a mixture of two is seen. */
static size_t chant(char *text, size_t size, unsigned number, unsigned round)
{
    char word[24];
    const int n = snprintf(word, sizeof(word), "<%u.%u>", number, round);
    size_t len = 0;

    while (len + (size_t)n < size) {
        memcpy(text + len, word, (size_t)n);
        len += (size_t)n;
    }
    text[len] = '\0';
    return len;
}

static bool is_chant(const char *text)
{
    const char *end = strchr(text, '>');
    const size_t n = end != NULL ? (size_t)(end - text) + 1 : 0;
    const size_t len = strlen(text);

    if (n == 0 || len % n != 0)
        return false;
    for (size_t i = n; i < len; i += n)
        if (memcmp(text, text + i, n) != 0)
            return false;
    return true;
}

static bool tolerable(struct runner *r, const char *what, int rc)
{
    if (rc == KT_SUCCESS)
        r->done++;
    else if (!could_not(rc) && rc != KT_CONFLICT)
        (void)odd(&r->b, what, rc, KT_SUCCESS);
    else
        return true;
    return rc == KT_SUCCESS;
}

static bool write_round(struct runner *r, unsigned round)
{
    char text[400];
    const size_t len = chant(text, sizeof(text), r->number, round);
    int rc = put_with(&r->b, r->own, text, len, (struct kt_put_options){ 0 }, NULL);

    if (!tolerable(r, "put", rc))
        return false;
    if (rc == KT_SUCCESS && !holds_text(&r->b, r->own, text))
        return false;
    return tolerable(r, "put under a name that others write",
                     put_with(&r->b, r->shared, text, len, (struct kt_put_options){ 0 }, NULL));
}

static bool read_round(struct runner *r)
{
    struct kt_secret *s;
    const int rc = get(&r->b, r->shared, &s);
    bool good;

    if ((r->b.kind & FOR_WRITER) == 0) { /* nothing of ours is there */
        kt_secret_free(s);
        r->done += rc == KT_SUCCESS || rc == KT_NOT_FOUND;
        return true;
    }
    good = tolerable(r, "get", rc);
    if (rc == KT_SUCCESS && !is_chant(kt_secret_data(s)))
        good = bad(&r->b, "a value that nobody wrote: parts of two") == CONFORM_OK;
    kt_secret_free(s);
    return good;
}

static void *run(void *cookie)
{
    struct runner *r = cookie;

    r->good = true;
    for (unsigned i = 0; i < ROUNDS && r->good; i++) {
        if ((r->b.kind & FOR_WRITER) != 0)
            r->good = write_round(r, i);
        r->good = r->good && read_round(r);
    }
    return NULL;
}

static enum conform_verdict bears_threads(struct battery *b)
{
    enum conform_verdict verdict = CONFORM_OK;
    struct runner r[THREADS];
    pthread_t threads[THREADS];
    char shared[NAME_SIZE];
    unsigned done = 0;
    int n = 0;

    (void)new_name(b, shared);
    if ((b->kind & FOR_WRITER) != 0) {
        int rc = put(b, shared, "<0.0>", NULL);

        if (rc != KT_SUCCESS)
            return odd(b, "put", rc, KT_SUCCESS);
    }
    for (; n < THREADS; n++) {
        r[n] = (struct runner){ .shared = shared, .number = (unsigned)n };
        (void)new_name(b, r[n].own);
        r[n].b = *b;
        if (pthread_create(&threads[n], NULL, run, &r[n]) != 0)
            break;
    }
    for (int i = 0; i < n; i++) {
        (void)pthread_join(threads[i], NULL);
        done += r[i].done;
        if (verdict == CONFORM_OK && !r[i].good)
            verdict = bad(b, "%s", r[i].b.why);
        if ((b->kind & FOR_WRITER) != 0)
            drop(b, r[i].own);
    }
    if ((b->kind & FOR_WRITER) != 0)
        drop(b, shared);
    if (verdict == CONFORM_OK && done == 0 && (b->kind & FOR_SCRIPT) == 0)
        verdict = bad(b, "of %d calls none succeeded", n * ROUNDS);
    return verdict;
}

/* ---- fork ------------------------------------------------------------------------------------ */

static int be_child(struct battery *b, const char *name)
{
    int rc;

    (void)alarm(30); /* a module that hangs after fork shall not hang us */
    if ((b->kind & FOR_WRITER) == 0) {
        rc = get_status(b, name);
    } else {
        rc = put(b, name, "child", NULL);
        if (rc == KT_SUCCESS)
            rc = holds_text(b, name, "child") ? KT_SUCCESS : KT_MODULE_ERROR;
    }
    kt_close(b->h);
    return rc;
}

static enum conform_verdict judge_child(struct battery *b, int status)
{
    const int want = (b->kind & FOR_WRITER) != 0 ? KT_SUCCESS : KT_NOT_FOUND;

    if (WIFSIGNALED(status))
        return bad(b, "the child died of signal %d (%s)", WTERMSIG(status),
                   strsignal(WTERMSIG(status)));
    if (!WIFEXITED(status) || (b->kind & FOR_STORE) == 0 || WEXITSTATUS(status) == want)
        return CONFORM_OK;
    if ((b->caps & KT_CAP_USER_ONLY) != 0 && WEXITSTATUS(status) == KT_UNAVAILABLE)
        return CONFORM_OK; /* its library does not survive a fork, and it says so */
    return bad(b, "the child's call: expected %s, got %s", kt_status_name(want),
               kt_status_name(WEXITSTATUS(status)));
}

static enum conform_verdict bears_fork(struct battery *b)
{
    enum conform_verdict verdict;
    char parents[NAME_SIZE], childs[NAME_SIZE];
    int rc = KT_SUCCESS, status;
    pid_t pid;

    (void)new_name(b, parents);
    (void)new_name(b, childs);
    (void)get_status(b, parents); /* so that it is loaded and open */
    pid = fork();
    if (pid < 0)
        return skip(b, "fork: %s", strerror(errno));
    if (pid == 0)
        _exit(be_child(b, childs));
    if ((b->kind & FOR_WRITER) != 0)
        rc = put(b, parents, "parent", NULL);
    else
        (void)get_status(b, parents);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    verdict = judge_child(b, status);
    if (verdict == CONFORM_OK && rc != KT_SUCCESS)
        verdict = odd(b, "the parent's put", rc, KT_SUCCESS);
    if (verdict == CONFORM_OK && (b->kind & FOR_WRITER) != 0) {
        if (!holds_text(b, parents, "parent"))
            verdict = CONFORM_FAILED;
        else if (!is_memory(b) && WEXITSTATUS(status) == KT_SUCCESS &&
                 !holds_text(b, childs, "child"))
            verdict = CONFORM_FAILED;
    }
    if ((b->kind & FOR_WRITER) != 0) {
        drop(b, parents);
        drop(b, childs);
    }
    return verdict;
}

/* ---- what is left behind --------------------------------------------------------------------- */

static int count_descriptors(void)
{
    DIR *d = opendir("/proc/self/fd");
    int n = 0;

    if (d == NULL)
        return -1;
    while (readdir(d) != NULL)
        n++;
    (void)closedir(d);
    return n;
}

/* A handle's life: opened, used, closed. */
static bool live_once(struct battery *b)
{
    char name[NAME_SIZE];
    bool good = battery_open(b);

    if (good && (b->kind & FOR_WRITER) != 0 && put(b, new_name(b, name), "x", NULL) == KT_SUCCESS)
        drop(b, name);
    if (good)
        (void)get_status(b, new_name(b, name));
    kt_close(b->h);
    b->h = NULL;
    return good;
}

static enum conform_verdict leaves_nothing(struct battery *b)
{
    int before, after;

    if (!live_once(b)) /* a library may keep something once for all */
        return CONFORM_FAILED;
    before = count_descriptors();
    if (!live_once(b))
        return CONFORM_FAILED;
    after = count_descriptors();
    if (after > before)
        return bad(b, "%d more descriptors are open after open, get and close", after - before);
    if (kt_secret_live() > 0)
        return bad(b, "%zu blocks of secret memory are in use after close", kt_secret_live());
    return CONFORM_OK;
}

const struct check checks_races[] = {
    { "many threads at once", FOR_ALL, 0, bears_threads },
    { "both sides of a fork go on", FOR_ALL, 0, bears_fork },
    { "close leaves no descriptor and no secret behind", FOR_ALL, 0, leaves_nothing },
    { "its calls change nothing in the process", FOR_ALL, 0, changes_nothing },
    { "it prints nothing", FOR_ALL, 0, prints_nothing },
    { .title = NULL },
};
