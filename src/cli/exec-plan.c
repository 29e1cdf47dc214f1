/* SPDX-License-Identifier: Apache-2.0 */
#include "exec.h"

#include "kit/dotenv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define FD_MAX 1048576 /* what Linux allows by default, fs.nr_open */

bool plan_has(const struct plan *p, enum how how)
{
    for (size_t i = 0; i < p->n; i++)
        if (p->gifts[i].how == how)
            return true;
    return false;
}

const char *gift_value(const struct plan *p, const struct gift *g, size_t *len)
{
    if (g->plain == NULL)
        return refs_value(p->refs, g->ref, len);
    *len = g->len;
    return g->plain;
}

int failed(const struct cli *cli, const char *name, const struct kt_err *err)
{
    (void)fail_err(cli, name, err);
    return EXIT_FAILED;
}

void plan_done(struct plan *p)
{
    for (size_t i = 0; i < p->n; i++) {
        if (p->gifts[i].memfd >= 0)
            (void)close(p->gifts[i].memfd);
        if (p->gifts[i].dir >= 0)
            (void)close(p->gifts[i].dir);
        free(p->gifts[i].name);
        free(p->gifts[i].where);
    }
    for (size_t i = 0; i < p->ntexts; i++)
        input_free(&p->texts[i]);
    input_free(&p->env);
    free(p->gifts);
    free((void *)p->argv);
    free((void *)p->envp);
    refs_free(p->refs);
    *p = (struct plan){ 0 };
}

/* ---- gifts ------------------------------------------------------------------------------------ */

static bool is_variable(enum how how)
{
    return how == TO_ENV || how == TO_FILE;
}

/* Given twice is refused; but the command line says more than a file. */
static int check_double(struct plan *p, const struct gift *new, bool *skip)
{
    for (size_t i = 0; i < p->n; i++) {
        const struct gift *g = &p->gifts[i];
        const bool same = is_variable(new->how)
                              ? is_variable(g->how) && strcmp(g->name, new->name) == 0
                              : g->how == new->how &&
                                    (new->how == TO_FD ? g->fd == new->fd
                                                       : strcmp(g->name, new->name) == 0);
        if (!same)
            continue;
        *skip = new->where[0] != '-' && g->where[0] == '-';
        if (*skip)
            return 0;
        if (new->how == TO_FD)
            return fail_usage(p->cli, "exec: descriptor %d is given twice", new->fd);
        return fail_usage(p->cli, "exec: %s: %s is given twice, first by %s", new->where, new->name,
                          g->where);
    }
    return 0;
}

static int add_ref(struct plan *p, struct gift *g, const char *ref, size_t len)
{
    struct ref r = { 0 };
    struct kt_err err = { 0 };
    int rc = ref_parse(ref, len, g->where[0] == '-', &r, &err);

    if (rc == KT_SUCCESS)
        rc = refs_add(p->refs, &r, &g->ref, &err);
    ref_done(&r);
    return rc == KT_SUCCESS ? 0 : failed(p->cli, g->where, &err);
}

static int keep(struct plan *p, const struct gift *g)
{
    struct gift *grown = p->gifts;

    if (p->n % 16 == 0)
        grown = reallocarray(p->gifts, p->n + 16, sizeof(*grown));
    if (grown == NULL)
        return fail_status(p->cli, KT_NO_MEMORY, NULL, "out of memory");
    p->gifts = grown;
    p->gifts[p->n++] = *g;
    return 0;
}

/* -1: nothing that a program can be given */
static int number_of(const char *text)
{
    const size_t digits = strspn(text, "0123456789");
    int fd;

    if (digits == 0 || digits > 7 || text[digits] != '\0')
        return -1;
    fd = atoi(text);
    return fd > FD_MAX || fd == STDOUT_FILENO || fd == STDERR_FILENO ? -1 : fd;
}

int plan_add(struct plan *p, enum how how, const char *name, size_t name_len, const char *where,
             const char *ref, size_t len, bool plain)
{
    struct gift g = { .how = how, .memfd = -1, .dir = -1, .fd = -1 };
    bool skip = false;
    int rc = 0;

    g.name = strndup(name, name_len);
    g.where = strdup(where);
    if (g.name == NULL || g.where == NULL) {
        (void)fail_status(p->cli, KT_NO_MEMORY, NULL, "out of memory");
        free(g.name);
        free(g.where);
        return EXIT_FAILED;
    }
    if (is_variable(how) && !kt_dotenv_is_key(g.name))
        rc = fail_status(
            p->cli, KT_INVALID, where,
            "'%.80s' is no name of a variable: letters, digits and _, and no digit first", g.name);
    if (rc == 0 && how == TO_FD && (g.fd = number_of(g.name)) < 0)
        rc = fail_usage(p->cli, "exec: --fd '%.80s': a descriptor is 0, or a number from 3 on",
                        g.name);
    if (rc == 0)
        rc = check_double(p, &g, &skip);
    if (rc == 0 && !skip && plain) {
        g.plain = ref;
        g.len = len;
    } else if (rc == 0 && !skip) {
        rc = add_ref(p, &g, ref, len);
    }
    if (rc == 0 && !skip)
        rc = keep(p, &g);
    if (rc == 0 && !skip)
        return 0;
    free(g.name);
    free(g.where);
    return rc == 0 ? 0 : EXIT_FAILED;
}

/* ---- the command line ------------------------------------------------------------------------- */

static const struct {
    const char *option;
    enum how how;
    const char *left;
} kinds[] = {
    { "env", TO_ENV, "VAR" },
    { "file", TO_FILE, "VAR" },
    { "fd", TO_FD, "NUMBER" },
    { "mount", TO_MOUNT, "PATH" },
};
#define NKINDS (sizeof(kinds) / sizeof(kinds[0]))

static int add_kind(struct plan *p, size_t kind)
{
    const char *option = kinds[kind].option, *word;
    char where[16] = "--";
    size_t from = 0;

    memcpy(where + 2, option, strlen(option) + 1);
    while ((word = args_next(p->cli, option, &from)) != NULL) {
        const char *equals = strchr(word, '=');
        int rc;

        if (equals == NULL || equals == word)
            return fail_usage(p->cli, "exec: %s '%.80s': it is written %s %s=NAME", where, word,
                              where, kinds[kind].left);
        rc = plan_add(p, kinds[kind].how, word, (size_t)(equals - word), where, equals + 1,
                      strlen(equals + 1), false);
        if (rc != 0)
            return rc;
    }
    return 0;
}

static int read_env_files(struct plan *p)
{
    const char *file = NULL;
    size_t from = 0;
    int rc = 0;

    while (rc == 0 && (file = args_next(p->cli, "env-file", &from)) != NULL)
        rc = envfile_read(p, file, true);
    if (rc == 0 && p->n == 0 && p->ntexts == 0)
        rc = envfile_read(p, ENV_FILE, false);
    return rc;
}

static int signal_of(const char *text)
{
    const char *name = strncasecmp(text, "SIG", 3) == 0 ? text + 3 : text;

    for (int sig = 1; sig < 32; sig++)
        if (sig != SIGKILL && sig != SIGSTOP && sigabbrev_np(sig) != NULL &&
            strcasecmp(sigabbrev_np(sig), name) == 0)
            return sig;
    return 0;
}

static int read_manner(struct plan *p)
{
    static const char *const only[] = { "signal", "stop-timeout", "every" };
    const char *signal = args_value(p->cli, "signal");
    const char *stop = args_value(p->cli, "stop-timeout");

    p->clean = args_value(p->cli, "clean") != NULL;
    p->watch = args_value(p->cli, "watch") != NULL;
    for (size_t i = 0; i < sizeof(only) / sizeof(only[0]) && !p->watch; i++)
        if (args_value(p->cli, only[i]) != NULL)
            return fail_usage(p->cli, "exec: --%s says how to --watch, which is not given",
                              only[i]);
    if (signal != NULL && (p->signal = signal_of(signal)) == 0)
        return fail_usage(p->cli, "exec: --signal '%s' is no signal to send, such as HUP or USR1",
                          signal);
    p->stop_timeout_ms = 10000;
    if (stop != NULL && signal != NULL)
        return fail_usage(p->cli, "exec: --stop-timeout and --signal exclude each other");
    if (stop != NULL && !when_duration(stop, &p->stop_timeout_ms))
        return fail_usage(p->cli, "exec: --stop-timeout '%s' is no duration, such as 10s", stop);
    return 0;
}

static int take_words(struct plan *p)
{
    const size_t n = (size_t)p->cli->argc;

    p->argv = calloc(n + 1, sizeof(*p->argv));
    if (p->argv == NULL)
        return fail_status(p->cli, KT_NO_MEMORY, NULL, "out of memory");
    memcpy((void *)p->argv, (const void *)p->cli->argv, n * sizeof(*p->argv));
    return 0;
}

int plan_make(const struct cli *cli, struct plan *p)
{
    int rc;

    *p = (struct plan){ .cli = cli, .refs = refs_new(cli), .holder_fd = -1 };
    rc = read_manner(p);
    if (rc == 0)
        rc = take_words(p);
    for (size_t i = 0; i < NKINDS && rc == 0; i++)
        rc = add_kind(p, i);
    if (rc == 0)
        rc = read_env_files(p);
    /* the holder's files could not be seen from a user namespace */
    if (rc == 0 && p->signal != 0 && plan_has(p, TO_FILE) && plan_has(p, TO_MOUNT))
        rc = fail_usage(cli, "exec: with --signal, --file and --mount exclude each other: give all "
                             "files one way");
    if (rc == 0 && p->argv[0][0] == '\0')
        rc = fail_usage(cli, "exec: the command has no name");
    return rc == 0 ? 0 : EXIT_FAILED;
}

int plan_fetch(struct plan *p)
{
    struct kt_err err = { 0 };
    size_t which = 0;
    const char *text;

    if (refs_fetch(p->refs, &which, &err) == KT_SUCCESS) {
        refs_warn(p->refs);
        return 0;
    }
    text = refs_text(p->refs, which);
    if (strncmp(text, REF_SCHEME "///", sizeof(REF_SCHEME "///") - 1) == 0)
        text += sizeof(REF_SCHEME "///") - 1;
    return failed(p->cli, text, &err);
}

/* ---- in a child ------------------------------------------------------------------------------- */

/** struct slot - a value on its way from the child */
struct slot {
    size_t len;
    char data[KT_VALUE_MAX];
};

static _Noreturn void fetch_and_end(struct plan *p, struct slot *slots)
{
    int rc;

    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    rc = plan_fetch(p);
    for (size_t i = 0; rc == 0 && i < refs_count(p->refs); i++) {
        const char *value = refs_value(p->refs, i, &slots[i].len);

        if (slots[i].len > 0)
            memcpy(slots[i].data, value, slots[i].len);
    }
    refs_free(p->refs);
    _exit(rc);
}

static int take_slots(struct plan *p, const struct slot *slots)
{
    struct kt_err err = { 0 };

    for (size_t i = 0; i < refs_count(p->refs); i++)
        if (refs_adopt(p->refs, i, slots[i].data, slots[i].len, &err) != KT_SUCCESS)
            return failed(p->cli, NULL, &err);
    return 0;
}

int plan_fetch_apart(struct plan *p)
{
    const size_t n = refs_count(p->refs), size = n * sizeof(struct slot);
    struct slot *slots;
    int wstatus = 0, rc;
    pid_t pid;

    if (n == 0)
        return 0;
    slots = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1,
                 0);
    if (slots == MAP_FAILED) {
        (void)fail_status(p->cli, KT_NO_MEMORY, NULL, "out of memory");
        return EXIT_FAILED;
    }
    (void)mlock2(slots, size, MLOCK_ONFAULT);
    (void)madvise(slots, size, MADV_DONTDUMP);
    pid = fork();
    if (pid == 0)
        fetch_and_end(p, slots);
    while (pid > 0 && waitpid(pid, &wstatus, 0) < 0 && errno == EINTR)
        ;
    if (pid < 0)
        (void)fail_status(p->cli, KT_UNAVAILABLE, NULL, "cannot make a process");
    else if (WIFSIGNALED(wstatus))
        (void)fail_status(p->cli, KT_MODULE_ERROR, NULL, "asking for the values ended by signal %d",
                          WTERMSIG(wstatus));
    rc = pid > 0 && WIFEXITED(wstatus) && WEXITSTATUS(wstatus) == 0 ? take_slots(p, slots)
                                                                    : EXIT_FAILED;
    for (size_t i = 0; i < n; i++)
        explicit_bzero(slots[i].data, slots[i].len <= KT_VALUE_MAX ? slots[i].len : KT_VALUE_MAX);
    (void)munmap(slots, size);
    return rc;
}
