/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The same without an interposer: a tmpfs that is full, a limit on the size of files, a mount that is
 * read-only, a directory that belongs to somebody else. What nobody but root can have is skipped, aloud.
 */

#include "faults.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define BIG 40000
#define SKIPPED 77

/** struct place - @model: what the store holds; shared */
struct place {
    char dir[KT_DIR_MAX];
    uint64_t random;
    bool logged; /* the last process left its log */
    struct kt_model model;
    unsigned readings;
};

#define MUST(what, ...)                                                                            \
    do {                                                                                           \
        if (!(what)) {                                                                             \
            printf("%s:%d: %s: ", __FILE__, __LINE__, #what);                                      \
            printf(__VA_ARGS__);                                                                   \
            putchar('\n');                                                                         \
            (void)fflush(stdout);                                                                  \
            _exit(1);                                                                              \
        }                                                                                          \
    } while (0)

/* Everything can be read, and is what it was. */
static void must_read(struct place *p, struct kt_work *w)
{
    static struct kt_model seen;
    char why[KT_WHY_MAX];

    p->readings++;
    MUST(kt_work_look(w, &seen, why) && kt_work_match(&seen, &p->model, NULL, 0, why), "%s", why);
}

static void must_read_anew(struct place *p)
{
    struct kt_work w;

    kt_work_open(&w, p->dir);
    must_read(p, &w);
    kt_work_close(&w);
}

/* Some operation; @want: its status. On a full disk there may be room in the log: it has been longer. */
static void must_do(struct place *p, struct kt_work *w, enum kt_op_kind kind, unsigned secret,
                    int want)
{
    struct kt_op op;
    int rc;

    MUST(kt_model_choose(&p->model, kind, secret, &p->random, &op), "not possible");
    op.len = kind == KT_OP_PUT ? 100 : 0;
    rc = kt_work_do(w, &op);
    MUST(rc == want || (rc == KT_SUCCESS && want == KT_NO_SPACE), "status %d, expected %d: %s", rc,
         want, w->call.msg);
    if (rc == KT_SUCCESS)
        kt_model_apply(&p->model, &op);
}

static void fill_body(int fd, void *arg)
{
    struct place *p = arg;
    struct kt_work w;

    (void)fd;
    kt_work_open(&w, p->dir);
    for (unsigned i = 0; i < 4; i++)
        must_do(p, &w, KT_OP_PUT, i, KT_SUCCESS);
    if (!p->logged)
        kt_work_close(&w);
}

/* Big values until one does not fit. */
static void put_until_full(struct place *p, struct kt_work *w)
{
    struct kt_op op;
    int rc = KT_SUCCESS;
    unsigned n = 0;

    for (; rc == KT_SUCCESS && n < 200; n++) {
        const unsigned secret = 4 + n % (KT_MODEL_SECRETS - 4);

        if (!kt_model_choose(&p->model, KT_OP_PUT, secret, &p->random, &op))
            MUST(kt_model_choose(&p->model, KT_OP_DELETE, secret, &p->random, &op), "nothing");
        op.len = op.kind == KT_OP_PUT ? BIG : 0;
        rc = kt_work_do(w, &op);
        if (rc == KT_SUCCESS)
            kt_model_apply(&p->model, &op);
    }
    MUST(rc == KT_NO_SPACE, "status %d after %u puts: %s", rc, n, w->call.msg);
    must_read(p, w);
}

/* ---- a full disk ---------------------------------------------------------------------------- */

/* To be given back. */
static void reserve(const char *dir)
{
    char name[KT_DIR_MAX + 20];
    int fd;

    (void)snprintf(name, sizeof(name), "%s/name-0", dir);
    fd = open(name, O_WRONLY | O_CREAT, 0600);
    MUST(fd >= 0 && posix_fallocate(fd, 0, 512 << 10) == 0, "%s: %s", name, strerror(errno));
    (void)close(fd);
}

/* Not one byte is free. */
static void use_up(const char *path)
{
    static const char zeros[4096];
    const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    ssize_t n;

    MUST(fd >= 0, "%s: %s", path, strerror(errno));
    do
        n = write(fd, zeros, sizeof(zeros));
    while (n > 0);
    MUST(errno == ENOSPC, "%s: %s", path, strerror(errno));
    (void)close(fd);
}

/* Names on a tmpfs are counted, too. */
static void use_up_names(const char *dir)
{
    char name[KT_DIR_MAX + 20];
    int fd = 0;

    for (unsigned i = 1; fd >= 0; i++) {
        (void)snprintf(name, sizeof(name), "%s/name-%u", dir, i);
        fd = open(name, O_WRONLY | O_CREAT, 0600);
        if (fd >= 0)
            (void)close(fd);
    }
    MUST(errno == ENOSPC, "%s: %s", name, strerror(errno));
}

static void free_room(const char *dir)
{
    char name[KT_DIR_MAX + 20];

    (void)snprintf(name, sizeof(name), "%s/name-ballast", dir);
    (void)unlink(name);
    for (unsigned i = 0; i < 100; i++) {
        (void)snprintf(name, sizeof(name), "%s/name-%u", dir, i);
        (void)unlink(name);
    }
}

static bool write_line(const char *path, const char *line)
{
    const int fd = open(path, O_WRONLY | O_CLOEXEC);
    const bool written = fd >= 0 && write(fd, line, strlen(line)) == (ssize_t)strlen(line);

    if (fd >= 0)
        (void)close(fd);
    return written;
}

/* Mounts that nobody else sees; who is not root may have them in a user namespace, as the same user. */
static bool own_mounts(void)
{
    const unsigned uid = geteuid();
    const unsigned gid = getegid();
    char uids[60];
    char gids[60];

    if (unshare(CLONE_NEWNS) != 0) {
        (void)snprintf(uids, sizeof(uids), "%u %u 1", uid, uid);
        (void)snprintf(gids, sizeof(gids), "%u %u 1", gid, gid);
        if (unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0 ||
            !write_line("/proc/self/setgroups", "deny") ||
            !write_line("/proc/self/uid_map", uids) || !write_line("/proc/self/gid_map", gids))
            return false;
    }
    return mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
}

static void full_disk_body(int fd, void *arg)
{
    struct place *p = arg;
    char ballast[KT_DIR_MAX + 20];
    struct kt_work w;

    (void)fd;
    if (!own_mounts() || mount("full", p->dir, "tmpfs", 0, "size=2m,nr_inodes=64") != 0)
        _exit(SKIPPED);
    (void)snprintf(ballast, sizeof(ballast), "%s/name-ballast", p->dir);
    reserve(p->dir);
    fill_body(-1, p);
    kt_work_open(&w, p->dir);
    must_do(p, &w, KT_OP_PUT, 0, KT_SUCCESS);
    put_until_full(p, &w);
    use_up(ballast);
    must_do(p, &w, KT_OP_PUT, 1, KT_NO_SPACE);
    must_read(p, &w);
    must_read_anew(p);
    kt_work_close(&w);
    use_up(ballast);
    use_up_names(p->dir);
    must_read_anew(p);
    kt_work_open(&w, p->dir);
    must_read(p, &w);
    must_do(p, &w, KT_OP_PUT, 1, KT_NO_SPACE);
    must_read(p, &w);
    free_room(p->dir); /* the same handle */
    must_read(p, &w);
    must_do(p, &w, KT_OP_PUT, 1, KT_SUCCESS);
    must_read(p, &w);
    kt_work_close(&w);
    must_read_anew(p);
}

/* ---- the others ----------------------------------------------------------------------------- */

static void limit_body(int fd, void *arg)
{
    struct place *p = arg;
    struct rlimit l = { 700000, 700000 };
    struct kt_work w;

    (void)fd;
    (void)signal(SIGXFSZ, SIG_IGN);
    MUST(setrlimit(RLIMIT_FSIZE, &l) == 0, "%s", strerror(errno));
    kt_work_open(&w, p->dir);
    put_until_full(p, &w);
    must_read_anew(p);
    kt_work_close(&w);
}

static void read_only_body(int fd, void *arg)
{
    struct place *p = arg;
    struct kt_work w;

    (void)fd;
    if (!own_mounts() || mount(p->dir, p->dir, NULL, MS_BIND, NULL) != 0 ||
        mount(NULL, p->dir, NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL) != 0)
        _exit(SKIPPED);
    kt_work_open(&w, p->dir);
    must_read(p, &w);
    must_do(p, &w, KT_OP_PUT, 0, KT_READ_ONLY);
    must_do(p, &w, KT_OP_DELETE, 1, KT_READ_ONLY);
    must_read(p, &w);
    MUST(mount(NULL, p->dir, NULL, MS_REMOUNT | MS_BIND, NULL) == 0, "%s", strerror(errno));
    must_read(p, &w);
    must_do(p, &w, KT_OP_PUT, 0, KT_SUCCESS);
    kt_work_close(&w);
}

/* The files are ours to read, the directory is not ours to write. */
static void directory_body(int fd, void *arg)
{
    struct place *p = arg;
    struct kt_work w;

    (void)fd;
    if (geteuid() == 0)
        MUST(setgid(65534) == 0 && setuid(65534) == 0, "%s", strerror(errno));
    kt_work_open(&w, p->dir);
    must_read(p, &w);
    must_do(p, &w, KT_OP_PUT, 0, KT_READ_ONLY);
    must_read(p, &w);
    kt_work_close(&w);
}

static void give_to(const struct place *p, uid_t uid, mode_t dir_mode)
{
    static const char *const names[] = { "store.db", "store.key", "store.db-lock" };
    char path[KT_DIR_MAX + 20];

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]) && geteuid() == 0; i++) {
        (void)snprintf(path, sizeof(path), "%s/%s", p->dir, names[i]);
        if (chown(path, uid, (gid_t)uid) != 0)
            perror(path);
    }
    (void)chmod(p->dir, dir_mode);
}

/* ---- all ------------------------------------------------------------------------------------ */

/** struct scene - @inside: makes its store itself; @outside: in a directory that others can reach */
static const struct scene {
    const char *title;
    void (*body)(int fd, void *arg);
    bool logged;
    bool inside;
    bool outside;
} scenes[] = {
    { "a full tmpfs", full_disk_body, false, true, false },
    { "a limit", limit_body, false, false, false },
    { "a read-only mount", read_only_body, false, false, false },
    { "the same, with a log", read_only_body, true, false, false },
    { "a foreign directory", directory_body, false, false, true },
};

static void play(struct campaign *c, const struct scene *s, struct place *p)
{
    struct kt_child child;
    char why[KT_WHY_MAX];
    int status = 0;

    if (!s->inside) {
        kt_child_start(&child, fill_body, p);
        status = kt_child_wait(&child);
    }
    if (s->outside)
        give_to(p, 65534, 0555);
    if (status == 0) {
        kt_child_start(&child, s->body, p);
        status = kt_child_wait(&child);
    }
    if (s->outside)
        give_to(p, 0, 0700);
    c->readings += p->readings;
    if (WIFEXITED(status) && WEXITSTATUS(status) == SKIPPED) {
        campaign_skip(c, "%s: may not mount here", s->title);
        return;
    }
    printf("  %-24s %4u readings\n", s->title, p->readings);
    if (status != 0)
        campaign_fail(c, "%s: ended with status %#x", s->title, (unsigned)status);
    else if (!s->inside &&
             !kt_check(p->dir, &p->model, NULL, 0, KT_CHECK_SOUND | KT_CHECK_CLOSE, &p->model, why))
        campaign_fail(c, "%s, afterwards: %s", s->title, why);
}

void campaign_real(struct campaign *c)
{
    for (size_t i = 0; i < sizeof(scenes) / sizeof(scenes[0]); i++) {
        struct place *p = kt_shared(sizeof(*p));

        p->random = kt_draw(&c->random, UINT64_MAX);
        p->logged = scenes[i].logged;
        if (scenes[i].outside) {
            (void)snprintf(p->dir, sizeof(p->dir), "/tmp/keyturn-XXXXXX");
            if (mkdtemp(p->dir) == NULL)
                campaign_fail(c, "%s: %s", p->dir, strerror(errno));
        } else {
            (void)snprintf(p->dir, sizeof(p->dir), "%s/real-%zu", c->dir, i);
            (void)mkdir(p->dir, 0700);
        }
        play(c, &scenes[i], p);
        if (scenes[i].outside) {
            kt_work_empty(p->dir);
            (void)rmdir(p->dir);
        }
    }
}
