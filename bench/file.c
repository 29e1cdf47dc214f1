/* SPDX-License-Identifier: Apache-2.0 */

/*
 * file - what the file module costs beside plain SQLite, at few secrets and at many
 *
 * file MODULE-DIR build  SERVICE ROWS          put ROWS secrets, without waiting for the disk
 * file MODULE-DIR plain  STORE DATABASE        a database with rows of the store's own sizes
 * file MODULE-DIR gets   SERVICE=ROWS …        reads of random names, the services taking turns
 * file MODULE-DIR puts   SERVICE=ROWS DATABASE writes, taking turns with plain SQLite
 * file MODULE-DIR writers SERVICE N SECONDS    N processes that do nothing but write
 * file MODULE-DIR memory PROGRAM ARG …         a program's lines, and the most memory it had
 *
 * Everything goes through libkeyturn as any program's calls do. Plain SQLite gets what our module
 * gives it: table, keys, row sizes, journal, synchronous, secure_delete, prepared statements.
 */

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <keyturn/keyturn.h>
#include <sqlite3.h>

#define VALUE "sk-0123456789abcdef0123456789abcdef"
#define GETS 20000
#define GET_BLOCK 500
#define PUTS 2000 /* of each kind */
#define PUT_BLOCK 100
#define STORES_MAX 4
#define NAME_SIZE 48
#define TAG_SIZE 16

static const char *module_dir;

/* ---- the disk, and time --------------------------------------------------------------------- */

/* These stand before libc's, SQLite calls them, too: only `build` does not wait for the disk. */
static bool no_sync;

int fsync(int fd)
{
    return no_sync ? 0 : (int)syscall(SYS_fsync, fd);
}

int fdatasync(int fd)
{
    return no_sync ? 0 : (int)syscall(SYS_fdatasync, fd);
}

static double now_us(void)
{
    struct timespec ts;

    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec * 1e6 + (double)ts.tv_nsec / 1e3;
}

/* This process's own time, which other load does not lengthen much. */
static double cpu_us(void)
{
    struct timespec ts;

    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
    return (double)ts.tv_sec * 1e6 + (double)ts.tv_nsec / 1e3;
}

static uint64_t any(uint64_t below)
{
    static uint64_t x = 88172645463325252U;

    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    return x % below;
}

static void die(const char *what, const char *why)
{
    fprintf(stderr, "file: %s: %s\n", what, why);
    exit(EXIT_FAILURE);
}

/* ---- figures -------------------------------------------------------------------------------- */

/** struct took - single calls' times, and the sums over all */
struct took {
    double us[PUTS > GETS ? PUTS : GETS];
    size_t n;
    double wall;
    double cpu;
};

static int order(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static double rank(struct took *t, double share)
{
    qsort(t->us, t->n, sizeof(t->us[0]), order);
    return t->us[(size_t)(share * (double)(t->n - 1))];
}

static void print_took(const char *who, struct took *t)
{
    printf("  %-26s p50 %8.1f   p99 %8.1f   worst %8.1f   mean %8.1f   cpu %7.1f us\n", who,
           rank(t, 0.5), rank(t, 0.99), rank(t, 1), t->wall / (double)t->n, t->cpu / (double)t->n);
}

/* ---- through libkeyturn --------------------------------------------------------------------- */

static struct kt_handle *open_service(const char *service)
{
    const struct kt_open_options options = { .size = sizeof options, .module_dir = module_dir };
    struct kt_handle *h = NULL;
    struct kt_err err;

    if (kt_open(service, &options, &h, &err) != KT_SUCCESS)
        die(service, err.msg);
    return h;
}

static void name_of(uint64_t i, char name[NAME_SIZE])
{
    (void)snprintf(name, NAME_SIZE, "bench/secret-%07llu", (unsigned long long)i);
}

static void put(struct kt_handle *h, uint64_t i)
{
    char name[NAME_SIZE];
    struct kt_err err;

    name_of(i, name);
    if (kt_put(h, name, VALUE, strlen(VALUE), NULL, NULL, &err) != KT_SUCCESS)
        die(name, err.msg);
}

static void get(struct kt_handle *h, uint64_t i)
{
    char name[NAME_SIZE];
    struct kt_secret *s = NULL;
    struct kt_err err;

    name_of(i, name);
    if (kt_get(h, name, NULL, &s, &err) != KT_SUCCESS)
        die(name, err.msg);
    if (kt_secret_len(s) != strlen(VALUE) || memcmp(kt_secret_data(s), VALUE, strlen(VALUE)) != 0)
        die(name, "another value");
    kt_secret_free(s);
}

/** struct store - a service, and how many secrets it has */
struct store {
    char service[64];
    uint64_t rows;
    struct kt_handle *h;
};

/* SERVICE=ROWS */
static struct store store_of(const char *word)
{
    const size_t len = strcspn(word, "=");
    struct store s = { .rows = 0 };

    if (word[len] != '=' || len >= sizeof(s.service))
        die(word, "expected SERVICE=ROWS");
    memcpy(s.service, word, len);
    s.rows = strtoull(word + len + 1, NULL, 10);
    return s;
}

static int build(const char *service, uint64_t rows)
{
    struct kt_handle *h = open_service(service);
    const double start = now_us();

    no_sync = true;
    for (uint64_t i = 0; i < rows; i++)
        put(h, i);
    kt_close(h);
    no_sync = false;
    printf("built %llu secrets in %.0f s, not waiting for the disk\n", (unsigned long long)rows,
           (now_us() - start) / 1e6);
    return EXIT_SUCCESS;
}

static int get_names(char *const *words, size_t n)
{
    static struct took took[STORES_MAX];
    struct store stores[STORES_MAX];

    if (n > STORES_MAX)
        die("gets", "too many services");
    for (size_t k = 0; k < n; k++) {
        stores[k] = store_of(words[k]);
        stores[k].h = open_service(stores[k].service);
        for (int i = 0; i < GETS; i++) /* warms SQLite's cache and the kernel's */
            get(stores[k].h, any(stores[k].rows));
    }
    for (int block = 0; block < GETS / GET_BLOCK; block++)
        for (size_t k = 0; k < n; k++) {
            struct took *t = &took[k];
            const double cpu = cpu_us();
            for (int i = 0; i < GET_BLOCK; i++) {
                const double start = now_us();
                get(stores[k].h, any(stores[k].rows));
                t->us[t->n] = now_us() - start;
                t->wall += t->us[t->n++];
            }
            t->cpu += cpu_us() - cpu;
        }
    for (size_t k = 0; k < n; k++) {
        char who[96];
        (void)snprintf(who, sizeof who, "get, of %llu", (unsigned long long)stores[k].rows);
        print_took(who, &took[k]);
        kt_close(stores[k].h);
    }
    if (n == 2)
        printf("  median of many / of few: %.2f   (wanted: at most 2)\n",
               rank(&took[1], 0.5) / rank(&took[0], 0.5));
    return EXIT_SUCCESS;
}

/* ---- plain SQLite --------------------------------------------------------------------------- */

struct plain {
    sqlite3 *db;
    sqlite3_stmt *begin;
    sqlite3_stmt *write;
    sqlite3_stmt *commit;
    int head; /* bytes of a row */
    int version;
};

static void run(sqlite3 *db, const char *sql)
{
    if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
        die(sql, sqlite3_errmsg(db));
}

static void step(sqlite3 *db, sqlite3_stmt *s)
{
    if (sqlite3_step(s) != SQLITE_DONE)
        die("plain SQLite", sqlite3_errmsg(db));
    (void)sqlite3_reset(s);
}

static sqlite3_stmt *prepare(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *s = NULL;

    if (sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, &s, NULL) != SQLITE_OK)
        die(sql, sqlite3_errmsg(db));
    return s;
}

static int64_t number(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *s = prepare(db, sql);

    if (sqlite3_step(s) != SQLITE_ROW)
        die(sql, sqlite3_errmsg(db));
    const int64_t n = sqlite3_column_int64(s, 0);
    (void)sqlite3_finalize(s);
    return n;
}

static struct plain plain_open(const char *path)
{
    struct plain p = { .db = NULL };

    if (sqlite3_open_v2(path, &p.db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) !=
        SQLITE_OK)
        die(path, sqlite3_errmsg(p.db));
    run(p.db, "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA secure_delete = ON");
    p.begin = prepare(p.db, "BEGIN IMMEDIATE");
    p.write = prepare(p.db, "INSERT OR REPLACE INTO record (tag, id, dk, sealed) "
                            "VALUES (?1, ?2, 1, ?3)");
    p.commit = prepare(p.db, "COMMIT");
    p.head = (int)number(p.db, "SELECT length(sealed) FROM record WHERE id = '' LIMIT 1");
    p.version = (int)number(p.db, "SELECT length(sealed) FROM record WHERE id <> '' LIMIT 1");
    return p;
}

static void plain_close(struct plain *p)
{
    (void)sqlite3_finalize(p->begin);
    (void)sqlite3_finalize(p->write);
    (void)sqlite3_finalize(p->commit);
    (void)sqlite3_close(p->db);
}

static void tag_of(uint64_t i, uint8_t tag[TAG_SIZE])
{
    /* as far apart as keyed hashes */
    for (size_t at = 0; at < TAG_SIZE; at += sizeof(i)) {
        i += 0x9e3779b97f4a7c15U;
        uint64_t z = i;
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
        z ^= z >> 31;
        memcpy(tag + at, &z, sizeof(z));
    }
}

static void plain_row(const struct plain *p, const uint8_t *tag, const char *id, int len)
{
    static const uint8_t bytes[65536] = { 1, 2, 3 };

    (void)sqlite3_bind_blob(p->write, 1, tag, TAG_SIZE, SQLITE_STATIC);
    (void)sqlite3_bind_text(p->write, 2, id, -1, SQLITE_STATIC);
    (void)sqlite3_bind_blob(p->write, 3, bytes, len, SQLITE_STATIC);
    step(p->db, p->write);
}

/* The two rows of a put: a version's, which is new, and the head's, which grows with @versions. */
static void plain_put(const struct plain *p, uint64_t i, unsigned versions)
{
    static unsigned count;
    uint8_t tag[TAG_SIZE];
    char id[40];
    struct timespec ts;

    (void)clock_gettime(CLOCK_REALTIME, &ts);
    (void)snprintf(id, sizeof id, "%08lx-%04x-7%03x-8%03x-%012x", (unsigned long)ts.tv_sec,
                   (unsigned)(ts.tv_nsec & 0xffff), (unsigned)(ts.tv_nsec >> 20) & 0xfff,
                   count >> 12 & 0xfff, count);
    count++;
    tag_of(i, tag);
    step(p->db, p->begin);
    plain_row(p, tag, id, p->version);
    plain_row(p, tag, "", p->head + (int)(versions - 1) * 77);
    step(p->db, p->commit);
}

/* With the store's own sizes, so that both have the same pages to write. */
static int make_plain(const char *store, const char *path)
{
    sqlite3 *db = NULL;
    sqlite3 *ours = NULL;
    uint8_t tag[TAG_SIZE];
    int64_t rows;

    if (sqlite3_open_v2(store, &ours, SQLITE_OPEN_READWRITE, NULL) != SQLITE_OK ||
        sqlite3_open(path, &db) != SQLITE_OK)
        die(store, "cannot be opened");
    rows = number(ours, "SELECT count(*) FROM record WHERE id = ''");
    struct plain p = {
        .db = db,
        .head = (int)number(ours, "SELECT length(sealed) FROM record WHERE id = '' LIMIT 1"),
        .version = (int)number(ours, "SELECT length(sealed) FROM record WHERE id <> '' LIMIT 1"),
    };
    printf("%lld secrets: %.0f bytes on disk a secret (wanted: at most 1024); a head %d, a version "
           "%d\n",
           (long long)rows,
           (double)(number(ours, "PRAGMA page_count") * number(ours, "PRAGMA page_size")) /
               (double)rows,
           p.head, p.version);
    (void)sqlite3_close(ours);
    run(db, "PRAGMA journal_mode = MEMORY; PRAGMA synchronous = OFF; BEGIN;"
            "CREATE TABLE record (tag BLOB NOT NULL, id TEXT NOT NULL, dk INTEGER NOT NULL, "
            "sealed BLOB NOT NULL, PRIMARY KEY (tag, id)) WITHOUT ROWID");
    p.write = prepare(db, "INSERT INTO record (tag, id, dk, sealed) VALUES (?1, ?2, 1, ?3)");
    for (int64_t i = 0; i < rows; i++) {
        tag_of((uint64_t)i, tag);
        plain_row(&p, tag, "00000000-0000-7000-8000-000000000000", p.version);
        plain_row(&p, tag, "", p.head);
    }
    run(db, "COMMIT; PRAGMA journal_mode = WAL");
    plain_close(&p);
    return EXIT_SUCCESS;
}

/* ---- puts ----------------------------------------------------------------------------------- */

/* A block of secrets from @first on: each gets its version number @versions. */
static void put_block(const struct store *s, const struct plain *p, uint64_t first,
                      unsigned versions, struct took *t)
{
    const double cpu = cpu_us();

    for (uint64_t i = first; i < first + PUT_BLOCK; i++) {
        const double start = now_us();
        if (p == NULL)
            put(s->h, i);
        else
            plain_put(p, i, versions);
        t->us[t->n] = now_us() - start;
        t->wall += t->us[t->n++];
    }
    t->cpu += cpu_us() - cpu;
}

static void put_kind(const struct store *s, const struct plain *p, bool fresh)
{
    static struct took all[2];
    struct took *ours = &all[0], *theirs = &all[1];

    memset(all, 0, sizeof(all));
    for (unsigned block = 0; block < PUTS / PUT_BLOCK; block++) {
        const uint64_t at = (uint64_t)block * PUT_BLOCK;
        const uint64_t first = fresh ? s->rows + at : at % s->rows;
        const unsigned versions = fresh ? 1 : 2 + (unsigned)(at / s->rows);
        const bool swapped = block % 2 != 0; /* neither is always the first */

        put_block(s, swapped ? p : NULL, first, versions, swapped ? theirs : ours);
        put_block(s, swapped ? NULL : p, first, versions, swapped ? ours : theirs);
    }
    print_took(fresh ? "put, new secret" : "put, new version", ours);
    print_took("plain SQLite", theirs);
    printf("  throughput %.2f of plain   (wanted on a disk: at least 0.80)   by medians %.2f, by "
           "cpu %.2f\n",
           theirs->wall / ours->wall, rank(theirs, 0.5) / rank(ours, 0.5), theirs->cpu / ours->cpu);
}

static int puts_beside(const char *word, const char *database)
{
    struct store s = store_of(word);
    struct plain p = plain_open(database);

    s.h = open_service(s.service);
    for (unsigned i = 0; i < PUT_BLOCK; i++) { /* warm */
        put(s.h, s.rows + PUTS + i);
        plain_put(&p, s.rows + PUTS + i, 1);
    }
    put_kind(&s, &p, true);
    put_kind(&s, &p, false);
    kt_close(s.h);
    plain_close(&p);
    return EXIT_SUCCESS;
}

/* ---- writers -------------------------------------------------------------------------------- */

struct written {
    unsigned long puts;
    double worst_us;
};

static struct written write_for(const char *service, unsigned who, double seconds)
{
    struct kt_handle *h = open_service(service);
    struct written w = { 0, 0 };
    const double end = now_us() + seconds * 1e6;
    double start = now_us();
    double after;

    while (start < end) {
        put(h, (uint64_t)who * 1000 + w.puts % 1000); /* at most a few dozen versions a secret */
        after = now_us();
        w.puts++;
        if (after - start > w.worst_us)
            w.worst_us = after - start;
        start = after;
    }
    kt_close(h);
    return w;
}

static int writers(const char *service, unsigned n, double seconds)
{
    struct written w;
    int fds[2];

    if (pipe(fds) != 0)
        die("writers", "no pipe");
    for (unsigned i = 0; i < n; i++)
        if (fork() == 0) {
            w = write_for(service, i, seconds);
            _exit(write(fds[1], &w, sizeof w) == sizeof w ? 0 : 1);
        }
    (void)close(fds[1]);
    printf("  %u writers, %.0f s: worst wait ", n, seconds);
    unsigned long all = 0;
    double worst = 0;
    unsigned told = 0;
    while (read(fds[0], &w, sizeof w) == sizeof w) {
        all += w.puts;
        worst = w.worst_us > worst ? w.worst_us : worst;
        printf("%s%.1f", told++ > 0 ? ", " : "", w.worst_us / 1000);
    }
    printf(" ms   (wanted: at most 250)   %.0f puts/s\n", (double)all / seconds);
    while (wait(NULL) > 0)
        ;
    return told == n ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* ---- another program's memory --------------------------------------------------------------- */

/* This process has used little when it forks: the child's figure begins with ours. */
static int memory(char **command)
{
    static char buf[1 << 16];
    const double start = now_us();
    struct rusage used;
    unsigned long lines = 0;
    ssize_t n;
    int status = 1;
    int fds[2];

    if (pipe(fds) != 0)
        die(command[0], "no pipe");
    const pid_t pid = fork();
    if (pid == 0) {
        (void)dup2(fds[1], STDOUT_FILENO);
        (void)close(fds[0]);
        (void)close(fds[1]);
        (void)execv(command[0], command);
        _exit(127);
    }
    (void)close(fds[1]);
    while ((n = read(fds[0], buf, sizeof buf)) > 0)
        for (ssize_t i = 0; i < n; i++)
            lines += buf[i] == '\n';
    if (wait4(pid, &status, 0, &used) != pid || status != 0)
        die(command[0], "it failed");
    printf("  %lu lines in %.1f s, at most %.1f MiB of memory   (wanted: at most 64)\n", lines,
           (now_us() - start) / 1e6, (double)used.ru_maxrss / 1024);
    return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    if (argc > 3) {
        const char *what = argv[2];
        module_dir = argv[1];
        if (strcmp(what, "build") == 0 && argc == 5)
            return build(argv[3], strtoull(argv[4], NULL, 10));
        if (strcmp(what, "plain") == 0 && argc == 5)
            return make_plain(argv[3], argv[4]);
        if (strcmp(what, "gets") == 0)
            return get_names(argv + 3, (size_t)argc - 3);
        if (strcmp(what, "puts") == 0 && argc == 5)
            return puts_beside(argv[3], argv[4]);
        if (strcmp(what, "writers") == 0 && argc == 6)
            return writers(argv[3], (unsigned)atoi(argv[4]), atof(argv[5]));
        if (strcmp(what, "memory") == 0)
            return memory(argv + 3);
    }
    fprintf(stderr, "usage: see the head of file.c\n");
    return 2;
}
