/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A store of pass(1): a directory of files NAME.gpg, each a secret whose first line is the password.
 * Names are read first, all of them; values one by one as they are stored.
 */
#include "import-gpg.h"
#include "import-source.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEPTH_MAX 16

/** struct walk - directories that we are in, from the store's own: a link may lead back into one */
struct walk {
    struct source *s;
    size_t depth;
    struct {
        dev_t dev;
        ino_t ino;
    } in[DEPTH_MAX];
    char path[PATH_MAX];
    size_t root; /* bytes of it that are the store's own */
    size_t len;
};

static int fail_path(const struct walk *w)
{
    return fail_io(w->s->cli, w->path, errno);
}

static bool push(struct walk *w, const char *name)
{
    const size_t n = strlen(name);

    if (w->len + 1 + n >= sizeof(w->path))
        return false;
    w->path[w->len++] = '/';
    memcpy(w->path + w->len, name, n + 1);
    w->len += n;
    return true;
}

static int walk(struct walk *w);

/* false: it is one that we are in, or too deep. */
static bool enter(struct walk *w, const struct stat *st)
{
    if (w->depth == DEPTH_MAX)
        return false;
    for (size_t i = 0; i < w->depth; i++)
        if (w->in[i].dev == st->st_dev && w->in[i].ino == st->st_ino)
            return false;
    w->in[w->depth].dev = st->st_dev;
    w->in[w->depth].ino = st->st_ino;
    w->depth++;
    return true;
}

static int take_file(struct walk *w)
{
    static const char end[] = ".gpg";
    const char *name = w->path + w->root + 1;
    const size_t n = w->len - w->root - 1;
    struct item *item = NULL;

    if (n < sizeof(end) || strcmp(w->path + w->len - (sizeof(end) - 1), end) != 0)
        return 0;
    return source_add(w->s, name, n - (sizeof(end) - 1), &item);
}

static int take_entry(struct walk *w, const char *name)
{
    const size_t len = w->len;
    struct stat st;
    int rc = 0;

    if (name[0] == '.') /* .git, .gpg-id, .extensions */
        return 0;
    if (!push(w, name))
        return fail_io(w->s->cli, w->path, ENAMETOOLONG);
    if (stat(w->path, &st) != 0)
        rc = errno == ENOENT || errno == ELOOP ? 0 : fail_path(w);
    else if (S_ISDIR(st.st_mode) && !enter(w, &st))
        say_warning(w->s->cli, "%s leads back, or too deep: it is left out", w->path);
    else if (S_ISDIR(st.st_mode))
        rc = walk(w);
    else if (S_ISREG(st.st_mode))
        rc = take_file(w);
    w->len = len;
    w->path[len] = '\0';
    return rc;
}

/* The directory at w->path, which has been entered. */
static int walk(struct walk *w)
{
    struct dirent **entries = NULL;
    int n = scandir(w->path, &entries, NULL, alphasort), rc = 0;

    if (n < 0)
        rc = fail_path(w);
    for (int i = 0; i < n; i++) {
        if (rc == 0)
            rc = take_entry(w, entries[i]->d_name);
        free(entries[i]);
    }
    free(entries);
    w->depth--;
    return rc;
}

/* The first line, unless all of it is wanted. */
static void keep_line(const struct source *s, struct input *in, const char **note)
{
    unsigned char *newline = memchr(in->data, '\n', in->len);

    if (args_value(s->cli, "whole") != NULL || newline == NULL)
        return;
    if (newline + 1 < in->data + in->len)
        *note = "its first line; --whole takes the others, too";
    in->len = (size_t)(newline - in->data);
}

static int fetch(struct source *s, struct item *item, struct input *out, const char **note,
                 struct kt_err *err)
{
    char path[PATH_MAX];
    int fd = -1, rc;

    if (snprintf(path, sizeof(path), "%s/%s.gpg", s->shown, item->key) < (int)sizeof(path))
        fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0) {
        err->status = KT_UNAVAILABLE;
        (void)snprintf(err->msg, sizeof(err->msg), "cannot be opened: %s", strerror(errno));
        return err->status;
    }
    rc = gpg_decrypt(s->cli, fd, out, err);
    (void)close(fd);
    if (rc == KT_SUCCESS)
        keep_line(s, out, note);
    return rc;
}

int import_pass(struct source *s, const char *dir)
{
    struct walk *w = calloc(1, sizeof(*w));
    struct stat st;
    int rc = 0;

    s->shown = dir;
    s->fetch = fetch;
    if (w == NULL)
        return fail_status(s->cli, KT_NO_MEMORY, NULL, "out of memory");
    w->s = s;
    if (strlen(dir) >= sizeof(w->path))
        rc = fail_io(s->cli, dir, ENAMETOOLONG);
    else if (stat(dir, &st) != 0)
        rc = fail_io(s->cli, dir, errno);
    else if (!S_ISDIR(st.st_mode))
        rc = fail_io(s->cli, dir, ENOTDIR);
    if (rc == 0) {
        w->root = w->len = strlen(dir);
        memcpy(w->path, dir, w->len + 1);
        (void)enter(w, &st);
        rc = walk(w);
    }
    free(w);
    return rc;
}
