/* SPDX-License-Identifier: Apache-2.0 */
#include "story.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static void __attribute__((noreturn)) no_log(const char *path, const char *why)
{
    fprintf(stderr, "powerloss: %s is no log: %s\n", path, why);
    exit(2);
}

static void *must(void *p)
{
    if (p == NULL)
        no_log("memory", "there is none left");
    return p;
}

/* ---- the log -------------------------------------------------------------------------------- */

void pl_log_open(struct pl_log *log, const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    size_t pos = 0;
    size_t room = 0;

    *log = (struct pl_log){ .n = 0 };
    if (fd < 0 || fstat(fd, &st) != 0 || st.st_size == 0)
        no_log(path, fd < 0 ? strerror(errno) : "it is empty");
    log->len = (size_t)st.st_size;
    log->bytes = mmap(NULL, log->len, PROT_READ, MAP_PRIVATE, fd, 0);
    (void)close(fd);
    if (log->bytes == MAP_FAILED)
        no_log(path, strerror(errno));
    while (pos < log->len) {
        const struct pl_record *r = (const struct pl_record *)(const void *)(log->bytes + pos);

        if (log->len - pos < sizeof(*r) || log->len - pos - sizeof(*r) < PL_PADDED(r->len))
            no_log(path, "it ends within a record");
        if (log->n == room) {
            room = 2 * room + 1024;
            log->at = must(reallocarray(log->at, room, sizeof(void *)));
        }
        log->at[log->n++] = r;
        pos += sizeof(*r) + PL_PADDED(r->len);
    }
}

void pl_log_close(struct pl_log *log)
{
    (void)munmap((void *)log->bytes, log->len);
    free(log->at);
}

/* ---- the marks ------------------------------------------------------------------------------ */

static char *keep(struct pl_story *s, const char *text, size_t len)
{
    s->kept = must(realloc(s->kept, (s->nkept + 1) * sizeof(*s->kept)));
    return s->kept[s->nkept++] = must(strndup(text, len));
}

static void take_lines(struct pl_story *s, struct pl_view *v, const char *line, const char *end)
{
    while (line < end) {
        const char *stop = memchr(line, '\n', (size_t)(end - line));
        const char *tab = stop == NULL ? NULL : memchr(line, '\t', (size_t)(stop - line));
        unsigned i = 0;

        if (tab == NULL)
            no_log("it", "a secret is not described");
        while (i < PL_SECRETS && (strlen(pl_secret_name(i)) != (size_t)(tab - line) ||
                                  memcmp(pl_secret_name(i), line, (size_t)(tab - line)) != 0))
            i++;
        if (i == PL_SECRETS)
            no_log("it", "an unknown secret is described");
        v->words[i] = keep(s, tab + 1, (size_t)(stop - tab - 1));
        line = stop + 1;
    }
}

static void take_mark(struct pl_story *s, const char *text, size_t len, size_t at)
{
    char head[64];
    char word[16];
    uint32_t n;
    int used = 0;
    struct pl_op *o = s->n > 0 ? &s->ops[s->n - 1] : NULL;

    (void)snprintf(head, sizeof(head), "%.*s", (int)(len < 63 ? len : 63), text);
    if (sscanf(head, "%15s %u%n", word, &n, &used) != 2)
        no_log("it", "there is a mark without a number");
    if (strcmp(word, "begin") == 0) {
        struct pl_view before = { { NULL } };

        if (o != NULL)
            before = o->after;
        for (unsigned i = 0; o == NULL && i < PL_SECRETS; i++)
            before.words[i] = "";
        s->ops = must(realloc(s->ops, (s->n + 1) * sizeof(*s->ops)));
        s->ops[s->n++] = (struct pl_op){ .n = n,
                                         .what = keep(s, head + 6, strlen(head + 6)),
                                         .begin = at,
                                         .done = SIZE_MAX,
                                         .after = before };
        return;
    }
    if (o == NULL || o->n != n)
        no_log("it", "there is a mark of an operation that was not begun");
    if (strcmp(word, "done") == 0)
        o->done = at;
    else if (strcmp(word, "copy") == 0)
        o->copied = true;
    else
        take_lines(s, &o->after, text + used + 1, text + len);
}

void pl_story_read(struct pl_story *s, const struct pl_log *log)
{
    *s = (struct pl_story){ .n = 0 };
    for (size_t i = 0; i < log->n; i++)
        if (log->at[i]->type == PL_MARK)
            take_mark(s, (const char *)(log->at[i] + 1), log->at[i]->len, i);
    if (s->n == 0)
        no_log("it", "it has no marks");
}

void pl_story_free(struct pl_story *s)
{
    for (size_t i = 0; i < s->nkept; i++)
        free(s->kept[i]);
    free(s->kept);
    free(s->ops);
}

struct pl_expected pl_story_at(const struct pl_story *s, size_t cut)
{
    struct pl_expected e = { .acknowledged = 0 };

    for (unsigned i = 0; i < PL_SECRETS; i++)
        e.before.words[i] = "";
    for (size_t i = 0; i < s->n && s->ops[i].begin < cut; i++) {
        const struct pl_op *o = &s->ops[i];

        if (strstr(o->what, " backup") != NULL)
            e.copy = NULL;
        if (o->done >= cut) {
            e.running = o;
            break;
        }
        e.acknowledged++;
        e.before = o->after;
        if (o->copied)
            e.copy = &o->after;
    }
    return e;
}
