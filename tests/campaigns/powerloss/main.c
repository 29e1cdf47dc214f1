/* SPDX-License-Identifier: Apache-2.0 */

/*
 *     powerloss work DIR OPERATIONS SEED              with the shim: the workload
 *     powerloss compare LOG DIR                       does the log account for what is there?
 *     powerloss judge LOG SCRATCH STATES SEED JOBS    build states and open each
 *     powerloss one LOG SCRATCH SEED CUT ATTEMPT      one of them again; SCRATCH keeps it
 *
 * 0: all is well, 1: it is not, 2: that could not be found out.
 */

#include "disk.h"
#include "judge.h"
#include "line.h"
#include "plan.h"
#include "work.h"

#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define JOBS_MAX 16
#define FAILURES_MAX 3 /* of a job: then it stops */
#define TRIES 4        /* for a state that was not there before */
#define PLAIN 4        /* attempts that leave nothing to chance */
#define THOROUGH 8     /* every so many states */

/** struct tally - of one job; shared with the parent */
struct tally {
    size_t states;
    size_t same;
    size_t checked;
    size_t failures;
};

/** struct run - what all jobs know */
struct run {
    const char *log_path;
    const char *scratch;
    uint64_t seed;
    struct pl_log log;
    struct pl_story story;
    struct pl_plan plan;
};

static int usage(void)
{
    fputs("usage: powerloss work|compare|judge|one ..., see main.c\n", stderr);
    return 2;
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *at)
{
    (void)st;
    (void)flag;
    (void)at;
    return remove(path);
}

static void fresh(const char *dir)
{
    if (nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS) != 0 && errno != ENOENT)
        perror(dir);
    if (mkdir(dir, 0700) != 0) {
        perror(dir);
        exit(2);
    }
}

/* ---- one state ------------------------------------------------------------------------------ */

static uint64_t build(const struct run *run, struct pl_disk *d, const char *dir, size_t cut,
                      unsigned attempt)
{
    struct pl_random r = pl_random_of(run->seed, cut, attempt);

    fresh(dir);
    return pl_disk_build(d, dir, attempt, &r);
}

static void tell(const struct run *run, size_t cut, unsigned attempt, const struct pl_expected *e,
                 const struct pl_verdict *v)
{
    printf(
        "powerloss: FAILED with the power cut before record %zu, %zu operations acknowledged%s%s\n"
        "  %s\n"
        "  again: KEYTURN_TEST_MODULES=%s %s one %s \"$(mktemp -d)\" %ju %zu %u\n",
        cut, e->acknowledged, e->running != NULL ? ", in " : "",
        e->running != NULL ? e->running->what : "", v->why, getenv("KEYTURN_TEST_MODULES"),
        program_invocation_name, run->log_path, (uintmax_t)run->seed, cut, attempt);
    fflush(stdout);
}

/* ---- many ----------------------------------------------------------------------------------- */

static bool seen(uint64_t *numbers, size_t *n, uint64_t number)
{
    for (size_t i = 0; i < *n; i++)
        if (numbers[i] == number)
            return true;
    numbers[(*n)++] = number;
    return false;
}

static void judge_cut(const struct run *run, struct pl_disk *d, const char *dir, size_t cut,
                      struct tally *t)
{
    const uint32_t wanted = run->plan.states[cut];
    const struct pl_expected e = pl_story_at(&run->story, cut);
    uint64_t *numbers = calloc(wanted + 1, sizeof(*numbers));
    unsigned first = 0;
    size_t n = 0;

    if (numbers == NULL)
        abort();
    /* one state of many cuts must not be the same kind of state everywhere */
    if (wanted < PLAIN && e.running != NULL) {
        struct pl_random r = pl_random_of(run->seed, cut, 5);

        first = (unsigned)pl_random_below(&r, 3 * PLAIN);
    }
    for (unsigned i = 0; n < wanted && i < wanted * TRIES; i++) {
        const unsigned attempt = first + i;
        struct pl_verdict v;

        if (seen(numbers, &n, build(run, d, dir, cut, attempt))) {
            t->same++;
            continue;
        }
        pl_judge(dir, &e, t->states % THOROUGH == 0, &v);
        t->states++;
        t->checked += v.checked ? 1 : 0;
        if (v.why[0] == '\0')
            continue;
        tell(run, cut, attempt, &e, &v);
        if (++t->failures >= FAILURES_MAX)
            break;
    }
    free(numbers);
}

/* Every job reads the whole log and takes every @jobs-th cut. */
static void work_off(const struct run *run, size_t job, size_t jobs, struct tally *t)
{
    struct pl_disk *d = pl_disk_new();
    char dir[256];
    size_t turn = 0;

    (void)snprintf(dir, sizeof(dir), "%s/%zu", run->scratch, job);
    for (size_t i = 0; i < run->log.n && t->failures < FAILURES_MAX; i++) {
        if (run->plan.states[i] > 0 && turn++ % jobs == job)
            judge_cut(run, d, dir, i, t);
        pl_disk_tell(d, run->log.at[i]);
    }
    pl_disk_free(d);
}

static void open_run(struct run *run)
{
    (void)modhost_load("file"); /* for all children: none has used it */
    pl_log_open(&run->log, run->log_path);
    pl_story_read(&run->story, &run->log);
}

static void close_run(struct run *run)
{
    pl_plan_free(&run->plan);
    pl_story_free(&run->story);
    pl_log_close(&run->log);
}

static bool run_jobs(const struct run *run, size_t jobs, struct tally *tallies)
{
    bool good = true;
    int status;

    fflush(NULL);
    for (size_t i = 0; i < jobs; i++) {
        const pid_t pid = fork();

        if (pid == 0) {
            work_off(run, i, jobs, &tallies[i]);
            fflush(NULL);
            _exit(0);
        }
        if (pid < 0)
            abort();
    }
    while (wait(&status) > 0)
        good = good && status == 0;
    return good;
}

static int cmd_judge(char **argv)
{
    struct run run = { .log_path = argv[0], .scratch = argv[1] };
    const size_t wanted = strtoul(argv[2], NULL, 10);
    const size_t jobs = strtoul(argv[4], NULL, 10);
    struct tally *tallies = mmap(NULL, JOBS_MAX * sizeof(*tallies), PROT_READ | PROT_WRITE,
                                 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    struct tally sum = { 0 };
    bool good;

    if (tallies == MAP_FAILED || jobs == 0 || jobs > JOBS_MAX)
        return usage();
    run.seed = strtoull(argv[3], NULL, 10);
    open_run(&run);
    pl_plan_make(&run.plan, &run.log, wanted + wanted / 10, run.seed);
    good = run_jobs(&run, jobs, tallies);
    for (size_t i = 0; i < jobs; i++) {
        sum.states += tallies[i].states;
        sum.same += tallies[i].same;
        sum.checked += tallies[i].checked;
        sum.failures += tallies[i].failures;
    }
    printf("powerloss: seed %ju: %zu operations, %zu records, %zu checkpoints, %zu log restarts\n",
           (uintmax_t)run.seed, run.story.n, run.log.n, run.plan.checkpoints, run.plan.restarts);
    printf("powerloss: %zu states at %zu cuts opened (%zu had been there), %zu of them checked, "
           "%zu failures\n",
           sum.states, run.plan.cuts, sum.same, sum.checked, sum.failures);
    if (sum.failures == 0 && sum.states < wanted)
        printf(
            "powerloss: only %zu different states of %zu were found: more operations are needed\n",
            sum.states, wanted);
    close_run(&run);
    if (!good)
        return 2;
    return sum.failures == 0 && sum.states >= wanted ? 0 : 1;
}

static int cmd_one(char **argv)
{
    struct run run = { .log_path = argv[0], .scratch = argv[1] };
    const size_t cut = strtoul(argv[3], NULL, 10);
    const unsigned attempt = (unsigned)strtoul(argv[4], NULL, 10);
    struct pl_disk *d = pl_disk_new();
    struct pl_expected e;
    struct pl_verdict v;
    char dir[256];

    run.seed = strtoull(argv[2], NULL, 10);
    open_run(&run);
    for (size_t i = 0; i < cut && i < run.log.n; i++)
        pl_disk_tell(d, run.log.at[i]);
    e = pl_story_at(&run.story, cut);
    (void)snprintf(dir, sizeof(dir), "%s/judged", run.scratch);
    (void)build(&run, d, dir, cut, attempt);
    pl_judge(dir, &e, true, &v);
    if (v.why[0] != '\0')
        tell(&run, cut, attempt, &e, &v);
    (void)snprintf(dir, sizeof(dir), "%s/as-it-was", run.scratch);
    (void)build(&run, d, dir, cut, attempt);
    printf("powerloss: %s: %s\n", dir, v.why[0] == '\0' ? "all is well" : "it is not");
    pl_disk_free(d);
    close_run(&run);
    return v.why[0] == '\0' ? 0 : 1;
}

static int cmd_compare(char **argv)
{
    struct pl_disk *d = pl_disk_new();
    struct pl_log log;
    bool same;

    pl_log_open(&log, argv[0]);
    for (size_t i = 0; i < log.n; i++)
        pl_disk_tell(d, log.at[i]);
    same = pl_disk_compare(d, argv[1]);
    pl_disk_free(d);
    pl_log_close(&log);
    return same ? 0 : 1;
}

int main(int argc, char **argv)
{
    if (argc == 5 && strcmp(argv[1], "work") == 0)
        return pl_work(argv[2], (uint32_t)strtoul(argv[3], NULL, 10), strtoull(argv[4], NULL, 10));
    if (argc == 4 && strcmp(argv[1], "compare") == 0)
        return cmd_compare(argv + 2);
    if (argc == 7 && strcmp(argv[1], "judge") == 0)
        return cmd_judge(argv + 2);
    if (argc == 7 && strcmp(argv[1], "one") == 0)
        return cmd_one(argv + 2);
    return usage();
}
