/* SPDX-License-Identifier: Apache-2.0 */
#include "scan.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define SIZE_LARGEST (1 << 20) /* bytes of the file */

/*
 * .keyturnignore: a line `salt:` with the key of fingerprints, lines `fingerprint:` with one that is
 * allowed, and patterns of paths.
 */
struct ignores {
    char *dir;  /* of the file, absolute */
    char *file; /* its path */
    uint64_t key[2];
    bool salted;
    char *text; /* the file's, cut into words */
    char **pattern;
    uint64_t *print;
    size_t npatterns, nprints;
    struct {
        uint64_t print;
        const char *note;
    } * allowed;
    size_t nallowed;
};

void ignores_free(struct ignores *i)
{
    if (i == NULL)
        return;
    free(i->dir);
    free(i->file);
    free(i->text);
    free(i->pattern);
    free(i->print);
    free(i->allowed);
    free(i);
}

const uint64_t *ignores_key(const struct ignores *i)
{
    return i->key;
}

bool ignores_stable(const struct ignores *i)
{
    return i->salted;
}

/* ---- reading -------------------------------------------------------------------------------- */

/* Exactly @n hexadecimal digits. */
static bool take_hex(const char *text, size_t n, uint64_t *out)
{
    *out = 0;
    for (size_t i = 0; i < n; i++) {
        if ((chars_of[(unsigned char)text[i]] & CHARS_LOWHEX) == 0)
            return false;
        *out = *out << 4 | (uint64_t)(text[i] <= '9' ? text[i] - '0' : text[i] - 'a' + 10);
    }
    return true;
}

/* What follows a word must be blank or a comment. */
static bool ends(const char *text)
{
    return text[strspn(text, " \t")] == '\0' ||
           (text[0] != '\0' && text[strspn(text, " \t")] == '#');
}

static const char *take_line(struct ignores *i, char *line)
{
    size_t len;

    line += strspn(line, " \t");
    if (*line == '\0' || *line == '#')
        return NULL;
    if (strncmp(line, "salt:", 5) == 0) {
        if (i->salted || !take_hex(line + 5, 16, &i->key[0]) ||
            !take_hex(line + 21, 16, &i->key[1]) || !ends(line + 37))
            return "a salt is 32 hexadecimal digits, and there is one";
        i->salted = true;
        return NULL;
    }
    if (strncmp(line, "fingerprint:", 12) == 0) {
        if (!take_hex(line + 12, 12, &i->print[i->nprints]) || !ends(line + 24))
            return "a fingerprint is 12 hexadecimal digits";
        i->nprints++;
        return NULL;
    }
    if (*line == '!')
        return "patterns cannot be taken back with `!`";
    len = strlen(line);
    while (len > 0 && strchr(" \t\r", line[len - 1]) != NULL)
        line[--len] = '\0';
    i->pattern[i->npatterns++] = line;
    return NULL;
}

static int take_text(struct scan *s, struct ignores *i)
{
    size_t lines = 1;
    unsigned number = 0;

    for (const char *p = i->text; *p != '\0'; p++)
        lines += *p == '\n';
    i->pattern = calloc(lines, sizeof(i->pattern[0]));
    i->print = calloc(lines, sizeof(i->print[0]));
    if (i->pattern == NULL || i->print == NULL)
        return fail_status(s->cli, KT_NO_MEMORY, NULL, "out of memory");
    for (char *line = i->text, *next; line != NULL; line = next) {
        const char *wrong;

        next = strchr(line, '\n');
        if (next != NULL)
            *next++ = '\0';
        number++;
        wrong = take_line(i, line);
        if (wrong != NULL)
            return fail_status(s->cli, KT_INVALID, NULL, "%s:%u: %s", i->file, number, wrong);
    }
    if (i->nprints > 0 && !i->salted)
        return fail_status(s->cli, KT_INVALID, NULL,
                           "%s: fingerprints need the salt that they go with", i->file);
    return 0;
}

/* The whole file; *@out NULL: there is none. 0, or an exit code. */
static int read_file(struct scan *s, const char *path, char **out)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY), rc = 0;
    struct stat st;
    size_t n = 0;
    char *text;

    *out = NULL;
    if (fd < 0)
        return errno == ENOENT || errno == ENOTDIR ? 0 : fail_io(s->cli, path, errno);
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || st.st_size > SIZE_LARGEST) {
        (void)close(fd);
        return fail_status(s->cli, KT_INVALID, NULL, "%s: no file of at most a megabyte", path);
    }
    text = malloc((size_t)st.st_size + 1);
    while (text != NULL && n < (size_t)st.st_size) {
        const ssize_t got = read(fd, text + n, (size_t)st.st_size - n);

        if (got == 0 || (got < 0 && errno != EINTR)) {
            rc = got < 0 ? fail_io(s->cli, path, errno) : 0;
            break;
        }
        n += got > 0 ? (size_t)got : 0;
    }
    (void)close(fd);
    if (text == NULL)
        return fail_status(s->cli, KT_NO_MEMORY, NULL, "out of memory");
    text[n] = '\0';
    if (rc == 0 && strlen(text) != n)
        rc = fail_status(s->cli, KT_INVALID, NULL, "%s: is no text", path);
    if (rc != 0) {
        free(text);
        return rc;
    }
    *out = text;
    return 0;
}

/* ---- where it is ---------------------------------------------------------------------------- */

/* The top of the work tree that @path is in; without one, the directory itself or the file's. */
static char *dir_of(const char *path)
{
    char *real = realpath(path, NULL), *top = NULL, *slash;
    struct stat st;

    if (real == NULL)
        return NULL;
    if (stat(real, &st) == 0 && !S_ISDIR(st.st_mode) && (slash = strrchr(real, '/')) != NULL)
        slash[slash == real] = '\0';
    for (char *at = strdup(real); at != NULL && top == NULL; *slash = '\0') {
        char *git = NULL;

        if (asprintf(&git, "%s/.git", at) >= 0 && access(git, F_OK) == 0)
            top = strdup(at);
        free(git);
        slash = strrchr(at, '/');
        if (slash == NULL || slash == at || top != NULL) {
            free(at);
            break;
        }
    }
    if (top != NULL) {
        free(real);
        return top;
    }
    return real;
}

int ignores_new(struct scan *s, const char *path, bool use, struct ignores **out)
{
    struct ignores *i = calloc(1, sizeof(*i));
    int rc = 0;

    if (i == NULL || getrandom(i->key, sizeof(i->key), 0) != (ssize_t)sizeof(i->key)) {
        free(i);
        return fail_status(s->cli, KT_NO_MEMORY, NULL, "out of memory");
    }
    i->dir = path != NULL ? dir_of(path) : NULL;
    if (i->dir != NULL && asprintf(&i->file, "%s/" IGNORE_FILE, i->dir) < 0)
        i->file = NULL;
    if (use && i->file != NULL)
        rc = read_file(s, i->file, &i->text);
    if (rc == 0 && i->text != NULL)
        rc = take_text(s, i);
    if (rc != 0) {
        ignores_free(i);
        return rc;
    }
    *out = i;
    return 0;
}

char *ignores_lead(const struct ignores *i, const char *path)
{
    char *real, *out = NULL;
    size_t n;

    if (i->dir == NULL)
        return NULL;
    real = realpath(path, NULL);
    n = strcmp(i->dir, "/") == 0 ? 0 : strlen(i->dir);
    if (real != NULL && strncmp(real, i->dir, n) == 0 && (real[n] == '/' || real[n] == '\0'))
        out = strdup(real + n + (real[n] == '/'));
    free(real);
    return out;
}

/* ---- patterns ------------------------------------------------------------------------------- */

/* `?` and `*` within a part of the path, `**` across; tries are counted, or a pattern could take for ever. */
/* NOLINTNEXTLINE(misc-no-recursion): as deep as the pattern has stars */
static bool matches(const char *pattern, const char *path, const char *end, unsigned *tries)
{
    for (; *pattern != '\0'; pattern++, path++) {
        if (*pattern == '*') {
            const bool across = pattern[1] == '*';

            pattern += across ? 2 : 1;
            if (across && *pattern == '/' && matches(pattern + 1, path, end, tries))
                return true;
            for (;; path++) {
                if (++*tries > 100000)
                    return false;
                if (matches(pattern, path, end, tries))
                    return true;
                if (path == end || (*path == '/' && !across))
                    return false;
            }
        }
        if (path == end || (*pattern == '?' ? *path == '/' : *pattern != *path))
            return false;
    }
    return path == end;
}

/* As in .gitignore: without a slash but at its end, in any directory. */
static bool fits(const char *pattern, const char *path, const char *end)
{
    const char *slash = strchr(pattern, '/');
    unsigned tries = 0;

    if (slash != NULL)
        return matches(pattern[0] == '/' ? pattern + 1 : pattern, path, end, &tries);
    slash = memrchr(path, '/', (size_t)(end - path));
    return matches(pattern, slash != NULL ? slash + 1 : path, end, &tries);
}

bool ignores_path(const struct ignores *i, const char *path)
{
    for (size_t k = 0; k < i->npatterns; k++) {
        char pattern[PATH_MAX];
        size_t len = strlen(i->pattern[k]);
        bool directory;

        if (len == 0 || len >= sizeof(pattern))
            continue;
        memcpy(pattern, i->pattern[k], len + 1);
        directory = len > 1 && pattern[len - 1] == '/';
        if (directory)
            pattern[len - 1] = '\0';
        /* whatever is below a directory that fits, too */
        for (const char *end = path; *end != '\0';) {
            end += *end == '/';
            end += strcspn(end, "/");
            if (fits(pattern, path, end) && (!directory || *end == '/'))
                return true;
        }
    }
    return false;
}

bool ignores_print(const struct ignores *i, uint64_t print)
{
    for (size_t k = 0; k < i->nprints; k++)
        if (i->print[k] == print)
            return true;
    return false;
}

/* ---- --allow -------------------------------------------------------------------------------- */

void ignores_allow(struct scan *s, uint64_t print, const char *note)
{
    struct ignores *i = s->ignores;
    void *grown;

    for (size_t k = 0; k < i->nallowed; k++)
        if (i->allowed[k].print == print)
            return;
    grown = reallocarray(i->allowed, i->nallowed + 1, sizeof(i->allowed[0]));
    if (grown == NULL) {
        scan_fail_status(s, KT_NO_MEMORY, "out of memory");
        return;
    }
    i->allowed = grown;
    i->allowed[i->nallowed].print = print;
    i->allowed[i->nallowed++].note = note;
}

static void put_file(const struct ignores *i, const char *old, FILE *f)
{
    if (old != NULL && *old != '\0')
        (void)fprintf(f, "%s%s", old, old[strlen(old) - 1] == '\n' ? "" : "\n");
    if (!i->salted)
        (void)fprintf(
            f, "# what keyturn scan does not tell: see keyturn-scan(1)\nsalt:%016llx%016llx\n",
            (unsigned long long)i->key[0], (unsigned long long)i->key[1]);
    for (size_t k = 0; k < i->nallowed; k++)
        (void)fprintf(f, "fingerprint:%012llx # %s\n", (unsigned long long)i->allowed[k].print,
                      i->allowed[k].note);
}

/* The new file has its name only when it is whole. */
int ignores_save(struct scan *s)
{
    const struct ignores *i = s->ignores;
    char *old = NULL, *tmp = NULL;
    FILE *f = NULL;
    int fd = -1, rc;

    if (i->nallowed == 0 || i->file == NULL)
        return 0;
    rc = read_file(s, i->file, &old);
    if (rc != 0)
        return rc;
    rc = EXIT_IO;
    if (asprintf(&tmp, "%s.XXXXXX", i->file) < 0)
        tmp = NULL;
    fd = tmp != NULL ? mkostemp(tmp, O_CLOEXEC) : -1;
    f = fd >= 0 ? fdopen(fd, "w") : NULL;
    if (f != NULL) {
        put_file(i, old, f);
        if (fchmod(fd, 0644) == 0 && fflush(f) == 0 && fsync(fd) == 0 && ferror(f) == 0 &&
            rename(tmp, i->file) == 0)
            rc = 0;
    }
    if (rc != 0) {
        rc = fail_io(s->cli, i->file, errno);
        if (fd >= 0)
            (void)unlink(tmp);
    }
    if (f != NULL)
        (void)fclose(f);
    else if (fd >= 0)
        (void)close(fd);
    free(old);
    free(tmp);
    return rc;
}
