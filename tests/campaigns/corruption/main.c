/* SPDX-License-Identifier: Apache-2.0 */

/*
 * corrupt DIR CASES SEED JOBS [CASE] - damage a store CASES times, and see what becomes of it
 *
 * Every case is made from SEED and its number alone. With CASE that one is run, and talks. A process
 * that dies names its case.
 */

#include "corrupt.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define JOBS_MAX 16
#define FAILURES_MAX 10
#define CASE_SECONDS 180
#define ROOM 65536 /* for what is added at the end */

/** struct share - what the processes tell of themselves */
struct share {
    struct {
        _Atomic uint64_t number; /* under way; 0: none */
        struct tally tally;
        uint64_t done;
    } job[JOBS_MAX];
    _Atomic unsigned failures;
    _Atomic uint64_t kinds[4];
};

static struct share *share;
static uint64_t seed;
static uint64_t cases;
static unsigned jobs;
static bool talk;

/* ---- one case ------------------------------------------------------------------------------------ */

static void spill(const char *dir, const char *name, const struct bytes *b)
{
    char *path = path_of(dir, name);
    const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    MUST(fd >= 0 && (b->len == 0 || write(fd, b->data, b->len) == (ssize_t)b->len));
    (void)close(fd);
    free(path);
}

static void spill_beside(const char *dir, const char *name, const struct bytes *b)
{
    char *path = path_of(dir, name);

    (void)unlink(path);
    if (b->len > 0)
        spill(dir, name, b);
    free(path);
}

static void write_files(const char *dir, const struct damage *d)
{
    spill(dir, "s.db", &d->db);
    spill_beside(dir, "s.db-wal", &d->wal);
    spill_beside(dir, "s.db-shm", &d->shm);
}

static sqlite3 *open_sql(const char *dir)
{
    char *path = path_of(dir, "s.db");
    sqlite3 *db;

    MUST(sqlite3_open(path, &db) == SQLITE_OK);
    MUST(sqlite3_exec(db, "PRAGMA locking_mode = EXCLUSIVE; PRAGMA synchronous = OFF", NULL, NULL,
                      NULL) == SQLITE_OK);
    free(path);
    return db;
}

static void copy(struct bytes *to, const struct bytes *from)
{
    if (from->len > 0)
        memcpy(to->data, from->data, from->len);
    to->len = from->len;
}

static void take_base(struct damage *d, const struct base *b, const struct damage *room)
{
    *d = (struct damage){ .base = b, .db = room->db, .wal = room->wal, .shm = room->shm };
    copy(&d->db, &b->db);
    copy(&d->wal, &b->wal);
    copy(&d->shm, &b->shm);
}

/* One in a hundred stays whole: the check must say so. */
static unsigned make_case(const char *dir, const struct damage *room, struct damage *d,
                          struct dice *dice)
{
    const size_t kind = dice_below(dice, 100);
    sqlite3 *db;

    if (kind == 0) {
        take_base(d, &bases[dice_below(dice, BASES)], room);
        damage_say(d, "nothing");
        d->none = true;
        write_files(dir, d);
        return 0;
    }
    if (kind < 50) {
        take_base(d, &bases[CLOSED], room);
        damage_bytes(d, dice);
        write_files(dir, d);
        return 1;
    }
    if (kind < 60) {
        take_base(d, &bases[dice_below(dice, 2) == 0 ? LOGGED : BACKFILLED], room);
        damage_log(d, dice);
        write_files(dir, d);
        return 2;
    }
    take_base(d, &bases[CLOSED], room);
    write_files(dir, d);
    db = open_sql(dir);
    damage_rows(d, dice, db);
    (void)sqlite3_close(db);
    return 3;
}

static void run_case(const char *dir, const struct damage *room, uint64_t number, unsigned job)
{
    struct dice dice = dice_of(seed, number);
    struct damage d;
    const char *why;
    unsigned kind;

    atomic_store(&share->job[job].number, number);
    base_dice(seed, number);
    (void)alarm(CASE_SECONDS);
    kind = make_case(dir, room, &d, &dice);
    if (talk)
        printf("# case %llu: %s\n", (unsigned long long)number, d.what);
    why = judge(dir, &d, &dice, talk || dice_below(&dice, 16) == 0, talk, &share->job[job].tally);
    (void)alarm(0);
    atomic_fetch_add(&share->kinds[kind], 1);
    share->job[job].done++;
    if (why == NULL)
        return;
    atomic_fetch_add(&share->failures, 1);
    printf("FAILED case %llu (%s): %s\n  again: SEED=%llu CASE=%llu run\n",
           (unsigned long long)number, d.what, why, (unsigned long long)seed,
           (unsigned long long)number);
}

/* ---- processes ------------------------------------------------------------------------------------ */

static struct bytes room_for(size_t i)
{
    size_t most = 0;
    struct bytes b;

    for (size_t k = 0; k < BASES; k++) {
        const struct bytes *of[] = { &bases[k].db, &bases[k].wal, &bases[k].shm };

        most = of[i]->len > most ? of[i]->len : most;
    }
    b = (struct bytes){ .data = malloc(most + ROOM), .len = 0 };
    MUST(b.data != NULL);
    return b;
}

static int work(const char *top, unsigned job, uint64_t from)
{
    struct damage room = { .db = room_for(0), .wal = room_for(1), .shm = room_for(2) };
    char name[32];
    char *dir;

    (void)snprintf(name, sizeof(name), "job%u", job);
    dir = path_of(top, name);
    (void)mkdir(dir, 0700);
    spill(dir, "s.key", &key_file);
    for (uint64_t i = from; i <= cases && atomic_load(&share->failures) < FAILURES_MAX; i += jobs)
        run_case(dir, &room, i, job);
    atomic_store(&share->job[job].number, 0);
    free(room.db.data);
    free(room.wal.data);
    free(room.shm.data);
    free(dir);
    return 0;
}

static pid_t start(const char *top, unsigned job, uint64_t from)
{
    pid_t pid;

    (void)fflush(stdout);
    pid = fork();
    MUST(pid >= 0);
    if (pid == 0)
        exit(work(top, job, from));
    return pid;
}

/* It died: of which case? The next process goes on behind it. */
static pid_t mourn(const char *top, unsigned job, int status)
{
    const uint64_t number = atomic_load(&share->job[job].number);

    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return 0;
    atomic_fetch_add(&share->failures, 1);
    printf("FAILED case %llu: the process %s %d%s\n  again: SEED=%llu CASE=%llu run\n",
           (unsigned long long)number, WIFSIGNALED(status) ? "was killed by signal" : "ended with",
           WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status),
           WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM ? ": it hung" : "",
           (unsigned long long)seed, (unsigned long long)number);
    if (number == 0 || atomic_load(&share->failures) >= FAILURES_MAX)
        return 0;
    return start(top, job, number + jobs);
}

static void run_all(const char *top)
{
    pid_t pids[JOBS_MAX] = { 0 };
    unsigned left = jobs;

    for (unsigned i = 0; i < jobs; i++)
        pids[i] = start(top, i, i + 1);
    while (left > 0) {
        int status;
        const pid_t pid = wait(&status);

        MUST(pid > 0);
        for (unsigned i = 0; i < jobs; i++) {
            if (pids[i] != pid)
                continue;
            pids[i] = mourn(top, i, status);
            left -= pids[i] == 0 ? 1 : 0;
        }
    }
}

static void add_up(struct tally *t, uint64_t *done)
{
    for (unsigned i = 0; i < jobs; i++) {
        const struct tally *j = &share->job[i].tally;

        *done += share->job[i].done;
        t->right += j->right;
        t->corrupt += j->corrupt;
        t->lost += j->lost;
        t->older += j->older;
        t->unsupported += j->unsupported;
        t->found += j->found;
        t->silent += j->silent;
    }
}

#define N(x) ((unsigned long long)(x))

static int summary(void)
{
    struct tally t = { .right = 0 };
    uint64_t done = 0;
    const unsigned failures = atomic_load(&share->failures);

    add_up(&t, &done);
    printf("corruption: %llu cases (seed %llu): %llu of bytes, %llu of rows, %llu of the log, %llu "
           "undamaged\n",
           N(done), N(seed), N(share->kinds[1]), N(share->kinds[3]), N(share->kinds[2]),
           N(share->kinds[0]));
    printf("corruption: answers: %llu right, %llu corrupt, %llu not_found, %llu right once (log), "
           "%llu unsupported (user_version)\n",
           N(t.right), N(t.corrupt), N(t.lost), N(t.older), N(t.unsupported));
    printf("corruption: check called %llu stores corrupt; %llu logs cut like by a crash, without a "
           "trace\n",
           N(t.found), N(t.silent));
    printf("corruption: %u failures\n", failures);
    return failures == 0 && done == cases ? 0 : 1;
}

int main(int argc, char **argv)
{
    if (argc < 5) {
        (void)fprintf(stderr, "usage: corrupt DIR CASES SEED JOBS [CASE]\n");
        return 2;
    }
    cases = strtoull(argv[2], NULL, 10);
    seed = strtoull(argv[3], NULL, 10);
    jobs = (unsigned)strtoul(argv[4], NULL, 10);
    jobs = jobs < 1 ? 1 : jobs > JOBS_MAX ? JOBS_MAX : jobs;
    share = mmap(NULL, sizeof(*share), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    MUST(share != MAP_FAILED);
    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    base_make(argv[1], seed);
    if (argc > 5) {
        jobs = 1;
        talk = true;
        cases = strtoull(argv[5], NULL, 10);
        (void)work(argv[1], 0, cases);
        return atomic_load(&share->failures) == 0 ? 0 : 1;
    }
    run_all(argv[1]);
    return summary();
}
