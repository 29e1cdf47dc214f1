/* SPDX-License-Identifier: Apache-2.0 */
#include "export.h"

#include "kit/dotenv.h"
#include "kit/dotfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define TRIES 10
#define LOCK_STEP_MS 5

/** struct target - the file, and what it was when it was read */
struct target {
    const struct export *e;
    struct kt_dotfile at;
    struct stat was;
    bool there;
};

static int no_memory(const struct export *e)
{
    return fail_status(e->cli, KT_NO_MEMORY, NULL, "out of memory; nothing was written");
}

static int fail_step(const struct export *e, const char *step)
{
    const int errnum = errno;
    char what[512];

    (void)snprintf(what, sizeof(what), "%.400s: %s", e->file, step);
    return fail_io(e->cli, what, errnum);
}

static int too_large(const struct export *e)
{
    return fail_status(e->cli, KT_TOO_LARGE, NULL,
                       "%s would be over %d MiB, more than import reads; nothing was written: "
                       "export a PREFIX at a time",
                       e->file, EXPORT_MAX >> 20);
}

/* ---- what is there --------------------------------------------------------------------------- */

static int lock(struct target *t)
{
    const int64_t until = t->e->cli->begun_ms + t->e->cli->timeout_ms;
    const char *what = "";

    while (kt_dotfile_lock(&t->at, &what) < 0) {
        if (errno != EWOULDBLOCK)
            return fail_step(t->e, what);
        if (session_now_ms() >= until)
            return fail_status(t->e->cli, KT_BUSY, NULL,
                               "%s: another process holds its directory's lock", t->e->file);
        (void)nanosleep(&(struct timespec){ .tv_nsec = LOCK_STEP_MS * 1000000 }, NULL);
    }
    return 0;
}

static int read_all(const struct target *t, int fd, struct input *old)
{
    const size_t size = (size_t)t->was.st_size;

    if (!input_room(old, size + 1))
        return no_memory(t->e);
    while (old->len < old->size) {
        ssize_t n = read(fd, old->data + old->len, old->size - old->len);

        if (n > 0)
            old->len += (size_t)n;
        else if (n == 0)
            return 0;
        else if (errno != EINTR)
            return fail_step(t->e, "read");
    }
    return fail_status(t->e->cli, KT_BUSY, NULL, "%s grew while it was read; nothing was written",
                       t->e->file);
}

static int check_env(const struct target *t, const struct input *old)
{
    struct kt_dotenv d = { .text = (const char *)old->data, .len = old->len };
    struct kt_dotenv_entry entry;
    int rc;

    do
        rc = kt_dotenv_next(&d, &entry);
    while (rc == KT_SUCCESS);
    if (rc != KT_CORRUPT)
        return 0;
    return fail_status(t->e->cli, KT_CORRUPT, NULL,
                       "%s, line %zu, column %zu: %s; nothing was written", t->e->file, d.line,
                       d.column, d.why);
}

/* Looks at the file, and for `.env` reads it. */
static int look(struct target *t, struct input *old)
{
    int fd, rc;

    t->there = fstatat(t->at.dir, t->at.base, &t->was, 0) == 0;
    if (!t->there)
        return errno == ENOENT ? 0 : fail_step(t->e, "look at it");
    if (!S_ISREG(t->was.st_mode))
        return fail_status(t->e->cli, KT_EXISTS, NULL, "%s is there, and is no regular file",
                           t->e->file);
    if (!t->e->env)
        return args_value(t->e->cli, "force") != NULL
                   ? 0
                   : fail_status(t->e->cli, KT_EXISTS, NULL,
                                 "%s is there already; --force replaces it", t->e->file);
    if (t->was.st_size > EXPORT_MAX)
        return too_large(t->e);
    fd = openat(t->at.dir, t->at.base, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return fail_step(t->e, "open");
    rc = read_all(t, fd, old);
    (void)close(fd);
    return rc == 0 ? check_env(t, old) : rc;
}

/* An editor knows nothing of our lock. */
static bool has_changed(const struct target *t)
{
    struct stat now;

    if (fstatat(t->at.dir, t->at.base, &now, 0) != 0)
        return t->there;
    return !t->there || now.st_ino != t->was.st_ino || now.st_size != t->was.st_size ||
           now.st_mtim.tv_sec != t->was.st_mtim.tv_sec ||
           now.st_mtim.tv_nsec != t->was.st_mtim.tv_nsec;
}

/* ---- what it becomes ------------------------------------------------------------------------- */

/* @from with one key assigned anew; it takes @from's place. */
static int edit(const struct export *e, struct input *from, const struct exported *x)
{
    const void *data = kt_secret_data(x->secret);
    const size_t len = kt_secret_len(x->secret);
    struct input to = { 0 };

    if (!input_room(&to, kt_dotenv_edit_room(from->len, x->key, data, len)))
        return no_memory(e);
    if (kt_dotenv_edit((const char *)from->data, from->len, x->key, data, len, (char *)to.data,
                       &to.len) != KT_SUCCESS) {
        input_free(&to);
        return no_memory(e);
    }
    input_free(from);
    *from = to;
    return from->len > EXPORT_MAX ? too_large(e) : 0;
}

static int make_env(const struct export *e, struct input *text)
{
    int rc = 0;

    for (size_t i = 0; i < e->n && rc == 0; i++)
        rc = edit(e, text, &e->items[i]);
    return rc;
}

static int make_json(const struct export *e, struct input *text)
{
    const size_t len = export_json(e, NULL);

    if (len > EXPORT_MAX)
        return too_large(e);
    if (!input_room(text, len))
        return no_memory(e);
    text->len = export_json(e, (char *)text->data);
    return 0;
}

/* -1: somebody changed it meanwhile; else 0 or an exit code. */
static int write_once(struct target *t)
{
    AUTO(input_free) struct input text = { 0 };
    const char *what = "";
    int rc = look(t, &text);

    if (rc == 0)
        rc = t->e->env ? make_env(t->e, &text) : make_json(t->e, &text);
    if (rc != 0)
        return rc;
    if (has_changed(t))
        return -1;
    if (kt_dotfile_replace(&t->at, (const char *)text.data, text.len, !t->there, &what) == 0)
        return 0;
    return errno == EEXIST ? -1 : fail_step(t->e, what);
}

/* ---- all of it ------------------------------------------------------------------------------- */

static void tell(const struct export *e)
{
    for (size_t i = 0; i < e->n && e->cli->json; i++) {
        struct json j = json_open(&sink_out);

        json_text(&j, "name", e->items[i].name);
        json_text(&j, "key", e->items[i].key);
        json_str(&j, "version", kt_secret_info(e->items[i].secret)->id);
        json_text(&j, "result", "exported");
        json_close(&j);
    }
    if (e->cli->json || e->cli->quiet)
        return;
    for (size_t i = 0; i < e->n; i++) {
        sink_text(&sink_out, e->items[i].name);
        sink_str(&sink_out, ": exported");
        if (strcmp(e->items[i].name, e->items[i].key) != 0) {
            sink_str(&sink_out, " as ");
            sink_text(&sink_out, e->items[i].key);
        }
        sink_str(&sink_out, "\n");
    }
}

int export_file(const struct export *e)
{
    struct target t = { .e = e };
    const char *what = "";
    int rc;

    if (kt_dotfile_open(&t.at, e->file, &what) < 0)
        return fail_step(e, what);
    rc = lock(&t);
    if (rc == 0)
        rc = -1;
    for (int i = 0; i < TRIES && rc == -1; i++)
        rc = write_once(&t);
    if (rc == -1)
        rc = fail_status(e->cli, KT_BUSY, NULL, "%s is being changed by somebody else all the time",
                         e->file);
    if (rc == 0) {
        tell(e);
        if (git_would_take(t.at.real, t.at.base))
            say_warning(
                e->cli,
                "%s lies in a git tree that does not ignore it: add it to .gitignore before "
                "the next commit",
                e->file);
    }
    kt_dotfile_close(&t.at);
    return rc;
}
