/* SPDX-License-Identifier: Apache-2.0 */

/* What a power cut may leave of a disk. */

#include "disk-private.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* How a choice is made among the loose pieces of one file, or the loose names of one directory. */
enum taste {
    NONE,
    ALL,
    HALF,
    FEW,
    MOST,
    EARLIER, /* the first so and so many */
    LATER,   /* those that came last, without the ones before */
    TASTES,
};

/**
 * struct build - one state under construction
 * @torn: blocks may be half there, cut at sectors
 * @long_: files may have grown without having got their bytes
 */
struct build {
    struct pl_random *r;
    uint64_t number;
    uint64_t choice;
    enum taste files;
    enum taste names;
    bool mixed;
    bool torn;
    bool long_;
};

static void __attribute__((noreturn)) stop(const char *what, const char *path)
{
    fprintf(stderr, "powerloss: cannot %s %s: %s\n", what, path, strerror(errno));
    exit(2);
}

static void note(struct build *b, uint64_t what)
{
    b->choice = (b->choice ^ what) * 0x100000001b3U;
    b->choice ^= b->choice >> 29;
}

static bool takes(struct build *b, enum taste taste, size_t i, size_t n, size_t border)
{
    bool yes = false;

    (void)n;
    switch (taste) {
    case NONE:
        break;
    case ALL:
    case TASTES:
        yes = true;
        break;
    case HALF:
        yes = pl_random_percent(b->r, 50);
        break;
    case FEW:
        yes = pl_random_percent(b->r, 10);
        break;
    case MOST:
        yes = pl_random_percent(b->r, 90);
        break;
    case EARLIER:
        yes = i < border;
        break;
    case LATER:
        yes = i >= border;
        break;
    }
    note(b, yes ? 2 * i + 1 : 2 * i);
    return yes;
}

static enum taste taste_of(struct build *b, enum taste taste)
{
    return b->mixed ? (enum taste)pl_random_below(b->r, TASTES) : taste;
}

/* ---- files ---------------------------------------------------------------------------------- */

static uint8_t *image;
static size_t image_room;

static void random_bytes(struct pl_random *r, uint8_t *out, size_t len)
{
    while (len > 0) {
        const uint64_t x = pl_random_next(r);
        const size_t part = len < sizeof(x) ? len : sizeof(x);

        memcpy(out, &x, part);
        out += part;
        len -= part;
    }
}

static void reserve(const struct pl_node *n)
{
    size_t most = n->len;

    for (size_t i = 0; i < n->npieces; i++)
        if ((size_t)n->pieces[i].at + n->pieces[i].len > most)
            most = (size_t)n->pieces[i].at + n->pieces[i].len;
    if (most <= image_room)
        return;
    image_room = most + (1 << 20);
    image = pl_must(realloc(image, image_room));
}

/* A piece of which some sectors are there. */
static void apply_torn(struct build *b, const struct pl_piece *p, size_t *len)
{
    size_t done = 0;

    while (done < p->len) {
        const size_t at = (size_t)p->at + done;
        const size_t room = PL_SECTOR - at % PL_SECTOR;
        const size_t part = p->len - done < room ? p->len - done : room;
        const bool yes = pl_random_percent(b->r, 50);

        note(b, yes ? at + 1 : at);
        if (yes)
            pl_piece_apply(&(struct pl_piece){ (int64_t)at, p->data + done, part }, image, len);
        done += part;
    }
}

static size_t final_length(const struct pl_node *n)
{
    size_t len = n->len;

    for (size_t i = 0; i < n->npieces; i++) {
        const struct pl_piece *p = &n->pieces[i];

        if (p->data == NULL || (size_t)p->at + p->len > len)
            len = (size_t)p->at + p->len;
    }
    return len;
}

static size_t choose_bytes(struct build *b, const struct pl_node *n)
{
    const enum taste taste = taste_of(b, b->files);
    const size_t border = pl_random_below(b->r, n->npieces + 1);
    const size_t most = final_length(n);
    size_t len = n->len;

    reserve(n);
    if (n->len > 0)
        memcpy(image, n->data, n->len);
    for (size_t i = 0; i < n->npieces; i++) {
        const struct pl_piece *p = &n->pieces[i];

        if (!takes(b, taste, i, n->npieces, border))
            continue;
        if (p->data != NULL && b->torn && pl_random_percent(b->r, 25))
            apply_torn(b, p, &len);
        else
            pl_piece_apply(p, image, &len);
    }
    if (b->long_ && most > len && pl_random_percent(b->r, 50)) {
        note(b, most);
        if (pl_random_percent(b->r, 50))
            memset(image + len, 0, most - len);
        else
            random_bytes(b->r, image + len, most - len);
        len = most;
    }
    return len;
}

/* Of any size, with anything in it: SQLite must not believe a word of it. */
static size_t invent(struct build *b)
{
    static const size_t sizes[] = { 0, 3, 4096, 32768, 65536 };
    const size_t len = sizes[pl_random_below(b->r, 5)];

    if (image_room < 65536) {
        image_room = 65536;
        image = pl_must(realloc(image, image_room));
    }
    random_bytes(b->r, image, len);
    return len;
}

static void write_file(const char *path, size_t len)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

    if (fd < 0)
        stop("make", path);
    for (size_t done = 0; done < len;) {
        ssize_t n = write(fd, image + done, len - done);

        if (n <= 0)
            stop("write", path);
        done += (size_t)n;
    }
    (void)close(fd);
}

static void build_file(struct build *b, struct pl_node *n, const char *path)
{
    if (n->built == b->number) { /* it has another name already */
        if (link(n->made, path) != 0)
            stop("link", path);
        return;
    }
    n->built = b->number;
    (void)snprintf(n->made, sizeof(n->made), "%s", path);
    write_file(path, n->shm ? invent(b) : choose_bytes(b, n));
}

/* ---- names ---------------------------------------------------------------------------------- */

/* One directory lies below another as deep as the workload has made them. */
static void build_dir(struct build *b, struct pl_node *dir, const char *path)
{
    const enum taste taste = taste_of(b, b->names);
    const size_t border = pl_random_below(b->r, dir->nchanges + 1);
    struct pl_entry *list = pl_must(calloc(dir->nentries + 1, sizeof(*list)));
    size_t n = dir->nentries;

    if (n > 0)
        memcpy(list, dir->entries, n * sizeof(*list));
    for (size_t i = 0; i < dir->nchanges; i++) {
        const bool pair = dir->changes[i].with_next;

        if (takes(b, taste, i, dir->nchanges, border)) {
            pl_entries_set(&list, &n, &dir->changes[i]);
            if (pair)
                pl_entries_set(&list, &n, &dir->changes[i + 1]);
        }
        i += pair ? 1 : 0;
    }
    for (size_t i = 0; i < n; i++) {
        char name[512];

        if (snprintf(name, sizeof(name), "%s/%s", path, list[i].name) >= (int)sizeof(name))
            stop("make", path);
        if (!list[i].node->dir) {
            build_file(b, list[i].node, name);
            continue;
        }
        if (mkdir(name, 0700) != 0)
            stop("make", name);
        build_dir(b, list[i].node, name);
    }
    free(list);
}

uint64_t pl_disk_build(struct pl_disk *d, const char *path, unsigned attempt, struct pl_random *r)
{
    struct build b = { .r = r, .number = ++d->builds, .choice = 0xcbf29ce484222325U };

    b.files = attempt == PL_ALL || attempt == PL_BYTES ? ALL : NONE;
    b.names = attempt == PL_ALL || attempt == PL_NAMES ? ALL : NONE;
    if (attempt > PL_NAMES) {
        b.mixed = pl_random_percent(r, 60);
        b.files = (enum taste)pl_random_below(r, TASTES);
        b.names = (enum taste)pl_random_below(r, TASTES);
        b.torn = pl_random_percent(r, 25);
        b.long_ = pl_random_percent(r, 25);
    }
    build_dir(&b, d->root, path);
    return b.choice;
}

/* ---- is the log complete? ------------------------------------------------------------------- */

static bool same_bytes(const struct pl_node *n, const char *path)
{
    struct build b = { .r = &(struct pl_random){ 0 }, .files = ALL };
    const size_t len = choose_bytes(&b, n);
    uint8_t *real = pl_must(malloc(len + 1));
    FILE *f = fopen(path, "re");
    bool same;

    if (f == NULL)
        stop("read", path);
    same = fread(real, 1, len + 1, f) == len && memcmp(real, image, len) == 0;
    (void)fclose(f);
    free(real);
    if (!same)
        printf("powerloss: the log does not account for the bytes of %s\n", path);
    return same;
}

static bool compare_dir(const struct pl_node *dir, const char *path, size_t *found)
{
    DIR *real = opendir(path);
    const struct dirent *e;
    bool same = true;

    if (real == NULL)
        stop("read", path);
    while ((e = readdir(real)) != NULL) {
        const struct pl_node *n = pl_dir_find(dir, e->d_name);
        char name[512];

        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        (void)snprintf(name, sizeof(name), "%s/%s", path, e->d_name);
        ++*found;
        if (n == NULL) {
            printf("powerloss: the log does not know %s\n", name);
            same = false;
        } else if (n->dir) {
            same = compare_dir(n, name, found) && same;
        } else if (!n->shm) {
            same = same_bytes(n, name) && same;
        }
    }
    (void)closedir(real);
    return same;
}

bool pl_disk_compare(struct pl_disk *d, const char *path)
{
    size_t found = 0;
    const bool same = compare_dir(d->root, path, &found);

    return same && found > 0;
}
