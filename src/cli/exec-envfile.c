/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A file of references in dotenv's syntax. Its other values may be secrets, too: they are held as
 * such. One that nobody named is believed only if nobody else could have written it.
 */
#include "exec.h"

#include "kit/dotenv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ENV_FILE_SIZE_MAX ((size_t)1 << 20)
#define WHERE_SIZE 300

/* Not by world, nor by a group but root's and our own. */
static bool others_write(const struct stat *st)
{
    return (st->st_mode & S_IWOTH) != 0 ||
           ((st->st_mode & S_IWGRP) != 0 && st->st_gid != 0 && st->st_gid != getegid());
}

static int check_trust(const struct plan *p, const char *path, const struct stat *st)
{
    if (st->st_uid != 0 && st->st_uid != geteuid())
        return fail_status(p->cli, KT_DENIED, path,
                           "it is somebody else's (uid %u); --env-file %s reads it all the same",
                           (unsigned)st->st_uid, path);
    if (others_write(st))
        return fail_status(p->cli, KT_DENIED, path,
                           "others can write it (mode %04o); 'chmod go-w %s' mends that",
                           (unsigned)(st->st_mode & 07777), path);
    return 0;
}

/* All of it, and as much room again for the values in it. */
static int read_text(const struct plan *p, const char *path, int fd, size_t size, struct input *in)
{
    if (!input_room(in, 2 * size))
        return fail_status(p->cli, KT_NO_MEMORY, path, "out of memory");
    for (;;) {
        ssize_t n = read(fd, in->data + in->len, size - in->len);

        if (n > 0)
            in->len += (size_t)n;
        if (in->len == size)
            return fail_status(p->cli, KT_TOO_LARGE, path, "it is over %zu bytes", size - 1);
        if (n == 0)
            return 0;
        if (n < 0 && errno != EINTR)
            return fail_io(p->cli, path, errno);
    }
}

static bool is_reference(const char *value, size_t len)
{
    return len >= strlen(REF_SCHEME) && memcmp(value, REF_SCHEME, strlen(REF_SCHEME)) == 0;
}

/* A file says a thing once: a second time is a mistake, of which the last would win unseen. */
static int take_entries(struct plan *p, const char *path, struct input *in)
{
    struct kt_dotenv d = { .text = (const char *)in->data, .len = in->len };
    char *room = (char *)in->data + in->size / 2;
    struct kt_dotenv_entry e;
    char where[WHERE_SIZE];
    int rc;

    while ((rc = kt_dotenv_next(&d, &e)) == KT_SUCCESS) {
        const size_t len = kt_dotenv_value(&e, room);

        (void)snprintf(where, sizeof(where), "%s%.*s:%zu", path[0] == '-' ? "./" : "",
                       WHERE_SIZE - 32, path, d.line);
        rc = plan_add(p, TO_ENV, e.key, e.key_len, where, room, len, !is_reference(room, len));
        if (rc != 0)
            return rc;
        room += len;
    }
    if (rc == KT_NOT_FOUND)
        return 0;
    (void)fail_status(p->cli, KT_CORRUPT, NULL,
                      "%s:%zu: no assignment: a line is KEY=value, a comment or blank", path,
                      d.line);
    return EXIT_FAILED;
}

static int nothing_to_give(const struct plan *p)
{
    return fail_usage(p->cli,
                      "exec: nothing to give to the program: name it with --env VAR=NAME, or "
                      "write " ENV_FILE " here");
}

int envfile_read(struct plan *p, const char *path, bool trusted)
{
    struct input *in = &p->texts[p->ntexts];
    const int flags = trusted ? O_RDONLY : O_RDONLY | O_NOFOLLOW | O_NONBLOCK;
    size_t size = ENV_FILE_SIZE_MAX;
    struct stat st;
    int fd, rc = 0;

    if (p->ntexts == ENV_FILES_MAX)
        return fail_usage(p->cli, "exec: more than %d env files", ENV_FILES_MAX);
    fd = open(path, flags | O_CLOEXEC | O_NOCTTY);
    if (fd < 0 && errno == ENOENT && !trusted)
        return nothing_to_give(p);
    if (fd < 0)
        return fail_io(p->cli, path, errno);
    if (fstat(fd, &st) != 0)
        rc = fail_io(p->cli, path, errno);
    else if (S_ISDIR(st.st_mode) || (!trusted && !S_ISREG(st.st_mode)))
        rc = fail_status(p->cli, KT_INVALID, path, "it is no file");
    else if (!trusted)
        rc = check_trust(p, path, &st);
    if (rc == 0 && S_ISREG(st.st_mode) && (size_t)st.st_size < size)
        size = (size_t)st.st_size + 1; /* one more byte tells the end */
    if (rc == 0)
        rc = read_text(p, path, fd, size + 1, in);
    (void)close(fd);
    if (in->data != NULL)
        p->ntexts++;
    return rc == 0 ? take_entries(p, path, in) : EXIT_FAILED;
}
