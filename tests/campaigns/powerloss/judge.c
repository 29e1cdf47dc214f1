/* SPDX-License-Identifier: Apache-2.0 */
#include "judge.h"

#include "line.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define SECONDS 60
#define NEXT "after/the-power-cut"

/* ---- what is there -------------------------------------------------------------------------- */

static void free_words(char *words[PL_SECRETS])
{
    for (unsigned i = 0; i < PL_SECRETS; i++)
        free(words[i]);
}

/* The first secret that is not as in @v; PL_SECRETS: all are. */
static unsigned differs(char *const words[PL_SECRETS], const struct pl_view *v)
{
    unsigned i = 0;

    while (i < PL_SECRETS && strcmp(words[i], v->words[i]) == 0)
        i++;
    return i;
}

static long count(const struct pl_view *v)
{
    long n = 0;

    for (unsigned i = 0; i < PL_SECRETS; i++)
        n += v->words[i][0] != '\0' ? 1 : 0;
    return n;
}

static bool explain(struct pl_verdict *out, const struct pl_expected *e, unsigned i,
                    const char *found)
{
    (void)snprintf(
        out->why, sizeof(out->why),
        "'%s' is not what was acknowledged\n  found:    %.400s\n  expected: %.400s%s%.400s",
        pl_secret_name(i), found, e->before.words[i], e->running != NULL ? "\n  or:       " : "",
        e->running != NULL ? e->running->after.words[i] : "");
    return false;
}

/* All secrets as before the running operation, or all as after it. @as: which */
static bool look(struct pl_line *l, const struct pl_expected *e, const struct pl_view **as,
                 struct pl_verdict *out)
{
    char *words[PL_SECRETS];
    unsigned wrong;
    bool good = true;

    for (unsigned i = 0; i < PL_SECRETS; i++)
        words[i] = pl_line_describe(l, pl_secret_name(i));
    *as = &e->before;
    wrong = differs(words, *as);
    if (wrong < PL_SECRETS && e->running != NULL) {
        const unsigned first = wrong;

        *as = &e->running->after;
        wrong = differs(words, *as);
        if (wrong < first) /* say the one that fits neither */
            wrong = strcmp(words[first], (*as)->words[first]) != 0 ? first : wrong;
    }
    if (wrong < PL_SECRETS)
        good = explain(out, e, wrong, words[wrong]);
    free_words(words);
    return good;
}

static bool fail(struct pl_verdict *out, const struct pl_line *l, const char *what)
{
    (void)snprintf(out->why, sizeof(out->why), "%s: %s", what, l->call.msg);
    return false;
}

/* ---- is it a store still? ------------------------------------------------------------------- */

static bool put_next(struct pl_line *l, struct pl_verdict *out)
{
    static const char id[] = "01900000-0000-7000-8000-00000000000a";
    const struct kt_put put = {
        .size = sizeof(put), .stage = KT_STAGE_CURRENT, .id = id, .data = "next", .len = 4
    };

    if (pl_line_put(l, NEXT, &put) != KT_SUCCESS)
        return fail(out, l, "the next put failed");
    modhost_call_reset(&l->call);
    if (l->m->get(l->state, &l->call, NEXT, modhost_want(NULL)) != KT_SUCCESS ||
        l->call.given[0].len != 4 || memcmp(l->call.given[0].data, "next", 4) != 0)
        return fail(out, l, "the next put cannot be read");
    return true;
}

static bool check(struct pl_line *l, struct pl_verdict *out)
{
    const int rc = pl_line_verb(l, "check", NULL);

    out->checked = rc == KT_SUCCESS;
    if (rc == KT_SUCCESS || rc == KT_UNSUPPORTED)
        return true;
    (void)snprintf(out->why, sizeof(out->why), "check says: %s\n%.1000s", l->call.msg,
                   l->call.out != NULL ? l->call.out : "");
    return false;
}

/* A copy that was acknowledged is a store, too. */
static bool look_at_copy(const char *dir, const struct pl_view *copy, struct pl_verdict *out)
{
    const struct pl_expected e = { .before = *copy };
    const struct pl_view *as;
    struct pl_line l;
    bool good;

    pl_line_open(&l, dir, PL_BACKUP);
    good = look(&l, &e, &as, out);
    pl_line_close(&l);
    if (!good) {
        char why[sizeof(out->why)];

        memcpy(why, out->why, sizeof(why));
        (void)snprintf(out->why, sizeof(out->why), "the backup: %.1400s", why);
    }
    return good;
}

static bool judge(const char *dir, const struct pl_expected *e, bool thorough,
                  struct pl_verdict *out)
{
    const struct pl_view *as;
    struct pl_expected found = { .acknowledged = 0 };
    struct pl_line l;
    bool good;

    pl_line_open(&l, dir, PL_STORE);
    good = look(&l, e, &as, out);
    if (good && pl_line_names(&l) != count(as))
        good = fail(out, &l, "the list has other secrets");
    if (good && e->copy != NULL)
        good = look_at_copy(dir, e->copy, out);
    if (good)
        good = put_next(&l, out);
    if (good && thorough)
        good = check(&l, out);
    pl_line_close(&l);
    if (!good || !thorough)
        return good;
    found.before = *as;
    pl_line_open(&l, dir, PL_STORE);
    good = look(&l, &found, &as, out);
    if (good && pl_line_names(&l) != count(as) + 1)
        good = fail(out, &l, "once more, the list has other secrets");
    pl_line_close(&l);
    return good;
}

/* ---- in a process of its own ---------------------------------------------------------------- */

void pl_judge(const char *dir, const struct pl_expected *e, bool thorough, struct pl_verdict *out)
{
    struct pl_verdict *shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
                                     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int status = -1;
    pid_t pid;

    if (shared == MAP_FAILED)
        abort();
    fflush(NULL);
    pid = fork();
    if (pid == 0) {
        (void)alarm(SECONDS);
        _exit(judge(dir, e, thorough, shared) ? 0 : 1);
    }
    if (pid < 0 || waitpid(pid, &status, 0) != pid)
        abort();
    *out = *shared;
    (void)munmap(shared, sizeof(*shared));
    if (WIFSIGNALED(status))
        (void)snprintf(out->why, sizeof(out->why), "the process died of signal %d%s",
                       WTERMSIG(status), WTERMSIG(status) == SIGALRM ? ": it hung" : "");
    else if (status != 0 && out->why[0] == '\0')
        (void)snprintf(out->why, sizeof(out->why), "the process exited with %d",
                       WEXITSTATUS(status));
}
