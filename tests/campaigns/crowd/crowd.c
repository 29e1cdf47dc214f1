/* SPDX-License-Identifier: Apache-2.0 */

/*
 * crowd DIRECTORY PHASE, with SECONDS, SECRETS, KILL_MS, WAIT_MS and BREAK from the environment:
 *
 *     crowd   four writers, four readers, re-encryption over and over; one of the writers, or the
 *             re-encryption, is killed now and then
 *     queue   four writers and nobody else: how long does one put wait?
 */

#include "crowd.h"

#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define HOUR_MS 3600000

struct crowd *crowd;
static uint64_t state;

int64_t now_us(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* xorshift: each process its own, from the time and its number. */
uint64_t any_of(uint64_t n)
{
    if (state == 0)
        state = (uint64_t)now_us() << 16 ^ (uint64_t)getpid();
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state % n;
}

static const char *word_of(const char *variable)
{
    const char *s = getenv(variable);

    return s != NULL ? s : "";
}

static uint64_t number_of(const char *variable, uint64_t otherwise)
{
    const char *s = word_of(variable);

    return s[0] != '\0' ? strtoull(s, NULL, 10) : otherwise;
}

/* Not filestore_again(): check's asserts have no place outside its tests. */
void open_store(struct filestore *fs)
{
    char *words = NULL;

    *fs = (struct filestore){ .m = modhost_load("file"),
                              .dir = strdup(""),
                              .path = strdup(crowd->path),
                              .key = strdup(crowd->key) };
    modhost_call_init(&fs->call);
    if (asprintf(&words, "path=%s key=%s", fs->path, fs->key) < 0 ||
        modhost_open(fs->m, &fs->call, words, &fs->state) != KT_SUCCESS)
        WRONG("open: %s", fs->call.msg);
    free(words);
}

/* ---- values --------------------------------------------------------------------------------- */

static uint32_t sum_of(const char *s, size_t n)
{
    uint32_t sum = 2166136261U;

    for (size_t i = 0; i < n; i++)
        sum = (sum ^ (uint8_t)s[i]) * 16777619U;
    return sum;
}

/* The text, its sum behind it. */
static void seal_text(char out[VALUE_MAX], size_t n)
{
    (void)snprintf(out + n, VALUE_MAX - n, " %08x", sum_of(out, n));
}

/* What is before the sum, which must be right. */
static void check_text(const char *name, const struct modhost_given *g)
{
    const size_t n = strlen(name);
    const char *text = g->data;
    char sum[16];

    if (g->len < n + 10 || strlen(text) != g->len || strncmp(text, name, n) != 0 || text[n] != ' ')
        WRONG("%s: the value is another's: %.40s", name, text);
    (void)snprintf(sum, sizeof(sum), " %08x", sum_of(text, g->len - 9));
    if (strcmp(text + g->len - 9, sum) != 0)
        WRONG("%s: the value is torn: %.40s", name, text);
}

void value_make(const char *name, uint64_t number, char out[VALUE_MAX])
{
    size_t n = (size_t)snprintf(out, VALUE_MAX, "%s %llu ", name, (unsigned long long)number);

    for (uint64_t more = number * 37 % 900; more > 0; more--)
        out[n++] = (char)('a' + more % 26);
    seal_text(out, n);
}

uint64_t value_number(const char *name, const struct modhost_given *g)
{
    check_text(name, g);
    return strtoull((const char *)g->data + strlen(name), NULL, 10);
}

void counts_make(const char *name, const uint64_t counts[WRITERS], char out[VALUE_MAX])
{
    size_t n = (size_t)snprintf(out, VALUE_MAX, "%s", name);

    for (unsigned w = 0; w < WRITERS; w++)
        n += (size_t)snprintf(out + n, VALUE_MAX - n, " %llu", (unsigned long long)counts[w]);
    seal_text(out, n);
}

void counts_of(const char *name, const struct modhost_given *g, uint64_t out[WRITERS])
{
    char *at = (char *)g->data + strlen(name);

    check_text(name, g);
    for (unsigned w = 0; w < WRITERS; w++)
        out[w] = strtoull(at, &at, 10);
}

/* ---- before and after ----------------------------------------------------------------------- */

static void prepare(void)
{
    static const uint64_t none[WRITERS];
    struct filestore fs;
    char value[VALUE_MAX];
    char name[32];

    open_store(&fs);
    for (unsigned i = 0; i < crowd->secrets + COUNTERS; i++) {
        char id[KT_ID_SIZE] = "";

        if (i < crowd->secrets) {
            (void)snprintf(name, sizeof(name), "base/%u", i);
            value_make(name, i, value);
        } else {
            (void)snprintf(name, sizeof(name), "count/%u", i - crowd->secrets);
            counts_make(name, none, value);
        }
        if (filestore_put(&fs, name, value, id, "") != KT_SUCCESS)
            WRONG("put %s: %s", name, fs.call.msg);
    }
    filestore_close(&fs);
}

static void reencrypt(struct filestore *fs)
{
    int rc;

    modhost_call_reset(&fs->call);
    fs->call.deadline_ms += HOUR_MS;
    rc = modhost_verb(fs->m, fs->state, &fs->call, "re-encrypt", NULL);
    if (rc != KT_SUCCESS)
        WRONG("re-encrypt: %d %s", rc, fs->call.msg);
    crowd->sealer.runs++;
    crowd->sealer.resumed += strncmp(fs->call.out, "resumed", 7) == 0 ? 1 : 0;
}

/* All are gone: what was acknowledged is there, and one data key is left. */
static void verify(void)
{
    struct filestore fs;
    char value[VALUE_MAX];
    char name[32];

    open_store(&fs);
    for (int again = 0; again < 2; again++) {
        for (unsigned w = 0; w < WRITERS; w++)
            settle(&fs, w);
        for (unsigned i = 0; i < crowd->secrets; i++) {
            (void)snprintf(name, sizeof(name), "base/%u", i);
            value_make(name, i, value);
            if (filestore_get(&fs, name, NULL) != KT_SUCCESS || strcmp(fs.given->data, value) != 0)
                WRONG("%s is not what it was: %s", name, fs.call.msg);
        }
        if (again == 0)
            reencrypt(&fs);
    }
    modhost_call_reset(&fs.call);
    if (modhost_verb(fs.m, fs.state, &fs.call, "status", NULL) != KT_SUCCESS ||
        strstr(fs.call.out, "data keys: 1\n") == NULL)
        WRONG("status: %s%s", fs.call.msg, fs.call.out != NULL ? fs.call.out : "");
    filestore_close(&fs);
}

/* ---- the processes -------------------------------------------------------------------------- */

enum role { PREPARE, WRITER, LONELY, READER, SEALER, VERIFY };

static void sealer(void)
{
    struct filestore fs;

    open_store(&fs);
    while (!crowd->stop)
        reencrypt(&fs);
    filestore_close(&fs);
}

/* The module is loaded in the child: nobody inherits anything. */
static pid_t start(enum role role, unsigned me)
{
    const pid_t pid = fork();

    if (pid != 0)
        return pid;
    state = 0;
    if (role == PREPARE)
        prepare();
    else if (role == WRITER || role == LONELY)
        writer(me, role == LONELY);
    else if (role == READER)
        reader(me);
    else if (role == SEALER)
        sealer();
    else
        verify();
    exit(0);
}

static bool ended_well(pid_t pid)
{
    int status = -1;

    if (waitpid(pid, &status, 0) == pid && status == 0)
        return true;
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 1) {
        fprintf(stderr, "crowd: a process ended with status %x\n", (unsigned)status);
        crowd->wrong++;
    }
    return false;
}

static bool alone(enum role role)
{
    return ended_well(start(role, 0));
}

/* Ends the phase early if somebody found something wrong. */
static void pause_ms(int64_t ms)
{
    const int64_t until = now_us() + ms * 1000;

    while (!crowd->stop && now_us() < until)
        (void)usleep(10000);
}

/* Kill one that is about its work; its successor begins where it was. */
static void kill_one(pid_t *pid, enum role role, unsigned me)
{
    int status = 0;

    (void)kill(*pid, SIGKILL);
    if (waitpid(*pid, &status, 0) == *pid && !WIFSIGNALED(status) && status != 0)
        crowd->wrong++;
    *pid = start(role, me);
}

static unsigned run_crowd(int64_t seconds, int64_t kill_ms)
{
    const int64_t until = now_us() + seconds * 1000000;
    pid_t pids[WRITERS + READERS + 1];
    unsigned kills = 0;

    for (unsigned i = 0; i < WRITERS; i++)
        pids[i] = start(WRITER, i);
    for (unsigned i = 0; i < READERS; i++)
        pids[WRITERS + i] = start(READER, i);
    pids[WRITERS + READERS] = start(SEALER, 0);
    while (!crowd->stop && now_us() < until) {
        const int64_t left_ms = (until - now_us()) / 1000;
        const unsigned victim = (unsigned)any_of(WRITERS + 1);
        const int64_t wait_ms = kill_ms > 0 ? kill_ms / 2 + (int64_t)any_of((uint64_t)kill_ms + 1)
                                            : left_ms;

        pause_ms(wait_ms < left_ms ? wait_ms : left_ms);
        if (wait_ms >= left_ms || crowd->stop)
            break;
        if (victim < WRITERS)
            kill_one(&pids[victim], WRITER, victim);
        else
            kill_one(&pids[WRITERS + READERS], SEALER, 0);
        kills++;
    }
    crowd->stop = true;
    for (size_t i = 0; i < sizeof(pids) / sizeof(pids[0]); i++)
        (void)ended_well(pids[i]);
    return kills;
}

static void run_queue(int64_t seconds)
{
    pid_t pids[WRITERS];

    for (unsigned i = 0; i < WRITERS; i++)
        pids[i] = start(LONELY, i);
    pause_ms(seconds * 1000);
    crowd->stop = true;
    for (unsigned i = 0; i < WRITERS; i++)
        (void)ended_well(pids[i]);
}

/* ---- the report ----------------------------------------------------------------------------- */

static void add_all(struct tally *sum, const struct tally *all, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        sum->puts += all[i].puts;
        sum->counted += all[i].counted;
        sum->conflicts += all[i].conflicts;
        sum->deletes += all[i].deletes;
        sum->gets += all[i].gets;
        sum->lists += all[i].lists;
        sum->versions += all[i].versions;
        if (all[i].worst_us > sum->worst_us)
            sum->worst_us = all[i].worst_us;
        for (unsigned b = 0; b < BUCKETS; b++)
            sum->waits[b] += all[i].waits[b];
    }
}

static double quantile_ms(const struct tally *t, double q)
{
    const double share = (double)t->puts * q;
    uint64_t left = (uint64_t)share;
    unsigned b = 0;

    while (b < BUCKETS - 1 && left >= t->waits[b])
        left -= t->waits[b++];
    return (double)(b + 1) * BUCKET_US / 1000;
}

static void report_waits(const struct tally *t, uint64_t wait_ms)
{
    printf(
        "  one put took %.2f ms at most in half of the cases, %.2f ms in 99 %%, %.2f ms in 99.9 %%,"
        " %.1f ms at worst (bound: %llu ms)\n",
        quantile_ms(t, 0.5), quantile_ms(t, 0.99), quantile_ms(t, 0.999),
        (double)t->worst_us / 1000, (unsigned long long)wait_ms);
    if (t->worst_us > wait_ms * 1000) {
        fprintf(stderr, "crowd: a put waited for %.1f ms\n", (double)t->worst_us / 1000);
        crowd->wrong++;
    }
}

static void report(bool queue, uint64_t seconds, unsigned kills, uint64_t wait_ms)
{
    static struct tally w;
    static struct tally r;

    add_all(&w, crowd->writers, WRITERS);
    add_all(&r, crowd->readers, READERS);
    r.versions += w.versions;
    printf("%s, %llu s: %llu puts, %llu deletes", queue ? "queue" : "crowd",
           (unsigned long long)seconds, (unsigned long long)w.puts, (unsigned long long)w.deletes);
    if (!queue)
        printf(", %llu counted, %llu conflicts, %llu gets, %llu lists, %llu versions, %llu times "
               "re-encrypted (%llu resumed), %u kills",
               (unsigned long long)w.counted, (unsigned long long)w.conflicts,
               (unsigned long long)r.gets, (unsigned long long)r.lists,
               (unsigned long long)r.versions, (unsigned long long)crowd->sealer.runs,
               (unsigned long long)crowd->sealer.resumed, kills);
    printf("\n");
    report_waits(&w, wait_ms);
    if (w.puts == 0 || (!queue && (r.gets == 0 || w.counted == 0 || crowd->sealer.runs < 2))) {
        fprintf(stderr, "crowd: somebody did nothing\n");
        crowd->wrong++;
    }
}

int main(int argc, char **argv)
{
    const uint64_t seconds = number_of("SECONDS", 60);
    const uint64_t wait_ms = number_of("WAIT_MS", 250);
    const int64_t kill_ms = (int64_t)number_of("KILL_MS", 700);
    unsigned kills = 0;
    bool queue;

    if (argc != 3 || (strcmp(argv[2], "crowd") != 0 && strcmp(argv[2], "queue") != 0)) {
        fprintf(stderr, "usage: crowd DIRECTORY crowd|queue\n");
        return 2;
    }
    queue = strcmp(argv[2], "queue") == 0;
    crowd = mmap(NULL, sizeof(*crowd), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (crowd == MAP_FAILED)
        return 99;
    crowd->secrets = (unsigned)number_of("SECRETS", 2000);
    crowd->break_cas = strcmp(word_of("BREAK"), "cas") == 0;
    crowd->break_ack = strcmp(word_of("BREAK"), "ack") == 0;
    (void)snprintf(crowd->path, sizeof(crowd->path), "%s/store.db", argv[1]);
    (void)snprintf(crowd->key, sizeof(crowd->key), "%s/store.key", argv[1]);
    (void)setvbuf(stdout, NULL, _IOLBF, 0);

    if (!alone(PREPARE))
        return 1;
    if (queue)
        run_queue((int64_t)seconds);
    else
        kills = run_crowd((int64_t)seconds, kill_ms);
    if (crowd->wrong == 0)
        (void)alone(VERIFY);
    report(queue, seconds, kills, wait_ms);
    printf("%s: %u wrong\n", queue ? "queue" : "crowd", crowd->wrong);
    return crowd->wrong == 0 ? 0 : 1;
}
