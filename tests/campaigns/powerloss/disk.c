/* SPDX-License-Identifier: Apache-2.0 */

/* What the log says about files and names; state.c makes of it what a power cut may leave. */

#include "disk-private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void *pl_must(void *p)
{
    if (p == NULL) {
        fputs("powerloss: out of memory\n", stderr);
        abort();
    }
    return p;
}

static void __attribute__((noreturn)) lost(const char *what, const char *path)
{
    fprintf(stderr, "powerloss: the log speaks of %s '%s', which it did not introduce\n", what,
            path);
    abort();
}

/* ---- nodes ---------------------------------------------------------------------------------- */

static struct pl_node *new_node(struct pl_disk *d, bool dir, uint64_t ino)
{
    struct pl_node *n = pl_must(calloc(1, sizeof(*n)));

    n->dir = dir;
    n->ino = ino;
    n->next = d->nodes;
    d->nodes = n;
    return n;
}

struct pl_disk *pl_disk_new(void)
{
    struct pl_disk *d = pl_must(calloc(1, sizeof(*d)));

    d->root = new_node(d, true, 0);
    return d;
}

void pl_disk_free(struct pl_disk *d)
{
    while (d->nodes != NULL) {
        struct pl_node *n = d->nodes;

        d->nodes = n->next;
        free(n->data);
        free(n->pieces);
        free(n->entries);
        free(n->changes);
        free(n);
    }
    free(d);
}

/* The newest with this number: the system gives them out again. */
static struct pl_node *by_ino(struct pl_disk *d, uint64_t ino)
{
    for (struct pl_node *n = d->nodes; n != NULL; n = n->next)
        if (!n->dir && n->ino == ino)
            return n;
    lost("a file", "by its number");
}

/* ---- names ---------------------------------------------------------------------------------- */

struct pl_node *pl_dir_find(const struct pl_node *dir, const char *name)
{
    for (size_t i = dir->nchanges; i-- > 0;)
        if (strcmp(dir->changes[i].name, name) == 0)
            return dir->changes[i].node;
    for (size_t i = 0; i < dir->nentries; i++)
        if (strcmp(dir->entries[i].name, name) == 0)
            return dir->entries[i].node;
    return NULL;
}

/* The directory that a path lies in; @last is set to its last part. */
static struct pl_node *parent_of(struct pl_disk *d, const char *path, const char **last)
{
    struct pl_node *at = d->root;
    const char *slash;

    while ((slash = strchr(path, '/')) != NULL) {
        char part[PL_NAME_SIZE];

        (void)snprintf(part, sizeof(part), "%.*s", (int)(slash - path), path);
        at = pl_dir_find(at, part);
        if (at == NULL || !at->dir)
            lost("a directory in", path);
        path = slash + 1;
    }
    *last = path;
    return at;
}

static struct pl_node *find(struct pl_disk *d, const char *path)
{
    const char *last;
    struct pl_node *dir = parent_of(d, path, &last);
    struct pl_node *n = *last == '\0' ? dir : pl_dir_find(dir, last);

    if (n == NULL)
        lost("the name", path);
    return n;
}

void pl_entries_set(struct pl_entry **list, size_t *n, const struct pl_entry *e)
{
    for (size_t i = 0; i < *n; i++) {
        if (strcmp((*list)[i].name, e->name) != 0)
            continue;
        if (e->node != NULL)
            (*list)[i].node = e->node;
        else
            (*list)[i] = (*list)[--*n];
        return;
    }
    if (e->node == NULL)
        return;
    *list = pl_must(realloc(*list, (*n + 1) * sizeof(**list)));
    (*list)[(*n)++] = *e;
}

/* From now on @path is @node, or nothing; @also is the name that it had before. */
static void change(struct pl_disk *d, const char *path, struct pl_node *node, const char *also)
{
    const char *last;
    const char *old = "";
    struct pl_node *dir = parent_of(d, path, &last);
    struct pl_entry *e;

    if (also != NULL && parent_of(d, also, &old) != dir) { /* two directories, two changes */
        change(d, also, NULL, NULL);
        old = "";
    }
    dir->changes = pl_must(realloc(dir->changes, (dir->nchanges + 2) * sizeof(dir->changes[0])));
    e = &dir->changes[dir->nchanges++];
    *e = (struct pl_entry){ .node = node };
    (void)snprintf(e->name, sizeof(e->name), "%s", last);
    if (old[0] == '\0')
        return;
    e[0].with_next = true;
    e[1] = (struct pl_entry){ .node = NULL };
    (void)snprintf(e[1].name, sizeof(e[1].name), "%s", old);
    dir->nchanges++;
}

static void sync_names(struct pl_node *dir)
{
    for (size_t i = 0; i < dir->nchanges; i++)
        pl_entries_set(&dir->entries, &dir->nentries, &dir->changes[i]);
    dir->nchanges = 0;
}

/* ---- bytes ---------------------------------------------------------------------------------- */

static void add_piece(struct pl_node *n, struct pl_piece p)
{
    if (n->npieces == n->room) {
        n->room = 2 * n->room + 16;
        n->pieces = pl_must(realloc(n->pieces, n->room * sizeof(n->pieces[0])));
    }
    n->pieces[n->npieces++] = p;
}

static void add_write(struct pl_node *n, int64_t at, const uint8_t *data, size_t len)
{
    while (len > 0) {
        const size_t room = PL_BLOCK - (size_t)(at % PL_BLOCK);
        const size_t part = len < room ? len : room;

        add_piece(n, (struct pl_piece){ at, data, part });
        at += (int64_t)part;
        data += part;
        len -= part;
    }
}

static void reserve(struct pl_node *n, size_t size)
{
    if (size <= n->data_room)
        return;
    n->data_room = 2 * size;
    n->data = pl_must(realloc(n->data, n->data_room));
}

static void sync_bytes(struct pl_node *n)
{
    for (size_t i = 0; i < n->npieces; i++) {
        const struct pl_piece *p = &n->pieces[i];

        reserve(n, (size_t)p->at + p->len);
        pl_piece_apply(p, n->data, &n->len);
    }
    n->npieces = 0;
}

void pl_piece_apply(const struct pl_piece *p, uint8_t *data, size_t *len)
{
    const size_t at = (size_t)p->at;

    if (at > *len)
        memset(data + *len, 0, at - *len);
    if (p->data == NULL) {
        *len = at;
        return;
    }
    memcpy(data + at, p->data, p->len);
    if (at + p->len > *len)
        *len = at + p->len;
}

/* ---- records -------------------------------------------------------------------------------- */

static bool is_shm(const char *path)
{
    const size_t n = strlen(path);

    return n >= 4 && strcmp(path + n - 4, "-shm") == 0;
}

void pl_disk_tell(struct pl_disk *d, const struct pl_record *r)
{
    const char *path = (const char *)(r + 1);
    const char *second = path + strnlen(path, r->len) + 1;
    struct pl_node *n;

    switch ((enum pl_type)r->type) {
    case PL_CREATE:
        n = new_node(d, false, r->ino);
        n->shm = is_shm(path);
        if (path[0] != '\0')
            change(d, path, n, NULL);
        break;
    case PL_MKDIR:
        change(d, path, new_node(d, true, 0), NULL);
        break;
    case PL_WRITE:
        add_write(by_ino(d, r->ino), r->at, (const uint8_t *)path, r->len);
        break;
    case PL_SIZE:
        add_piece(by_ino(d, r->ino), (struct pl_piece){ r->at, NULL, 0 });
        break;
    case PL_RENAME:
        change(d, second, find(d, path), path);
        break;
    case PL_LINK:
        change(d, path, by_ino(d, r->ino), NULL);
        break;
    case PL_UNLINK:
        (void)find(d, path);
        change(d, path, NULL, NULL);
        break;
    case PL_SYNC:
        sync_bytes(by_ino(d, r->ino));
        break;
    case PL_SYNCDIR:
        sync_names(find(d, path));
        break;
    case PL_MARK:
        break;
    }
}

size_t pl_disk_loose(const struct pl_disk *d)
{
    size_t loose = 0;

    for (const struct pl_node *n = d->nodes; n != NULL; n = n->next)
        if (!n->shm)
            loose += n->npieces + n->nchanges;
    return loose;
}
