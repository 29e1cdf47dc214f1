/* SPDX-License-Identifier: Apache-2.0 */
#include "scan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define HITS_MAX 1000000
#define FIND_MAX 500 /* objects that git is told to look for; more, and all it lists is looked at */
#define ID_SIZE 65

/** struct hit - a key in an object; where that came in is found out when all have been read */
struct hit {
    char object[ID_SIZE];
    char type; /* 'b' blob, 'c' commit, 't' tree, 'a' annotated tag */
    struct found found;
    uint64_t rank; /* of the commit, the first is 0; UINT64_MAX: in none */
    char *commit;
    char *path;
};

struct hits {
    struct hit *hit;
    size_t n, size;
    bool full;
    char type;
    struct {
        dev_t dev;
        ino_t ino;
    } * done; /* where objects were read */
    size_t ndone;
};

void history_hit(struct scan *s, const struct found *f)
{
    struct hits *hits = s->hits;
    struct hit *h;

    if (hits->n == hits->size && !hits->full) {
        const size_t size = hits->size == 0 ? 64 : 2 * hits->size;
        void *grown = size > HITS_MAX ? NULL : reallocarray(hits->hit, size, sizeof(*h));

        hits->full = grown == NULL;
        hits->hit = grown != NULL ? grown : hits->hit;
        hits->size = grown != NULL ? size : hits->size;
    }
    if (hits->full)
        return;
    h = &hits->hit[hits->n++];
    *h = (struct hit){ .type = hits->type, .found = *f, .rank = UINT64_MAX };
    (void)stpncpy(h->object, s->object, sizeof(h->object) - 1);
}

static void hits_drop(struct hits *hits)
{
    for (size_t i = 0; i < hits->n; i++) {
        free(hits->hit[i].commit);
        free(hits->hit[i].path);
    }
    hits->n = 0;
}

void history_free(struct scan *s)
{
    if (s->hits == NULL)
        return;
    hits_drop(s->hits);
    free(s->hits->hit);
    free(s->hits->done);
    free(s->hits);
}

/* ---- one repository once -------------------------------------------------------------------- */

/* Work trees share their objects. */
static bool is_new(struct hits *hits, const char *dir, const char *objects)
{
    struct stat st;
    char *path = NULL;
    void *grown;

    if (asprintf(&path, "%s/%s", objects[0] == '/' ? "" : dir, objects) < 0)
        return true;
    if (stat(path, &st) != 0) {
        free(path);
        return true;
    }
    free(path);
    for (size_t i = 0; i < hits->ndone; i++)
        if (hits->done[i].dev == st.st_dev && hits->done[i].ino == st.st_ino)
            return false;
    grown = reallocarray(hits->done, hits->ndone + 1, sizeof(hits->done[0]));
    if (grown == NULL)
        return true;
    hits->done = grown;
    hits->done[hits->ndone].dev = st.st_dev;
    hits->done[hits->ndone++].ino = st.st_ino;
    return true;
}

/* ---- where objects came in ------------------------------------------------------------------ */

static int by_object(const void *a, const void *b)
{
    return strcmp(((const struct hit *)a)->object, ((const struct hit *)b)->object);
}

/* `:MODE MODE OLD NEW STATUS`: is NEW one of the hits'? Then the first of them, else hits->n. */
static size_t find_new(const struct hits *hits, const char *line)
{
    struct hit key = { 0 };
    size_t low = 0, high = hits->n;

    if (sscanf(line, ":%*s %*s %*s %64s", key.object) != 1)
        return hits->n;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;

        if (by_object(&hits->hit[middle], &key) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low < hits->n && by_object(&hits->hit[low], &key) == 0 ? low : hits->n;
}

/* Commits in order, each with its changes: the first that brings an object is its commit. */
static void read_changes(struct hits *hits, struct git *g)
{
    char commit[ID_SIZE] = "";
    uint64_t rank = 0;
    char *text;

    while ((text = git_until(g, '\0')) != NULL) {
        size_t i;

        if (text[0] != ':') {
            (void)stpncpy(commit, text, sizeof(commit) - 1);
            rank++;
            continue;
        }
        i = find_new(hits, text);
        text = git_until(g, '\0');
        if (text == NULL)
            return;
        if (i == hits->n || hits->hit[i].rank != UINT64_MAX)
            continue;
        for (size_t k = i; k < hits->n && by_object(&hits->hit[k], &hits->hit[i]) == 0; k++) {
            hits->hit[k].rank = rank;
            hits->hit[k].commit = strdup(commit);
            hits->hit[k].path = strdup(text);
        }
    }
}

/* The same commits, from the first to the last. */
static int put_in_order(struct scan *s, const char *dir, int commits)
{
    static const char *const argv[] = { "rev-list",         "--reverse", "--date-order",
                                        "--ignore-missing", "--stdin",   NULL };
    struct git g;
    int ordered = git_list();

    if (ordered < 0 || lseek(commits, 0, SEEK_SET) != 0 || !git_start(s, &g, dir, commits, argv)) {
        if (ordered >= 0)
            (void)close(ordered);
        return -1;
    }
    while (git_fill(&g)) {
        if (write(ordered, g.buf, g.n) != (ssize_t)g.n)
            break;
        g.from = g.n;
    }
    if (!git_end(s, &g, dir) || lseek(ordered, 0, SEEK_SET) != 0) {
        (void)close(ordered);
        return -1;
    }
    return ordered;
}

static void find_commits(struct scan *s, const char *dir, int commits)
{
    struct hits *hits = s->hits;
    const char *argv[FIND_MAX + 16] = {
        "diff-tree",    "--stdin",       "-r",           "-m",
        "--root",       "--raw",         "-z",           "--no-abbrev",
        "--no-renames", "--no-ext-diff", "--no-textconv"
    };
    static char options[FIND_MAX][ID_SIZE + 16];
    size_t n = 11, first = n;
    struct git g;
    int ordered;

    qsort(hits->hit, hits->n, sizeof(hits->hit[0]), by_object);
    for (size_t i = 0; i < hits->n; i++) {
        if (hits->hit[i].type != 'b' || (i > 0 && by_object(&hits->hit[i - 1], &hits->hit[i]) == 0))
            continue;
        if (n - first == FIND_MAX) {
            n = first;
            break;
        }
        (void)snprintf(options[n - first], sizeof(options[0]), "--find-object=%s",
                       hits->hit[i].object);
        argv[n] = options[n - first];
        n++;
    }
    argv[n] = NULL;
    ordered = put_in_order(s, dir, commits);
    if (ordered < 0)
        return;
    if (git_start(s, &g, dir, ordered, argv)) {
        read_changes(hits, &g);
        (void)git_end(s, &g, dir);
    }
    (void)close(ordered);
}

/* ---- telling -------------------------------------------------------------------------------- */

static const char *what_of(const struct hit *h)
{
    return h->found.rule != NULL ? h->found.rule->name : h->found.own.name;
}

/* What is the same key stands together, its first commit first. */
static int by_key(const void *a, const void *b)
{
    const struct hit *x = a, *y = b;

    if (x->found.print != y->found.print)
        return x->found.print < y->found.print ? -1 : 1;
    if (strcmp(what_of(x), what_of(y)) != 0)
        return strcmp(what_of(x), what_of(y));
    if (x->rank != y->rank)
        return x->rank < y->rank ? -1 : 1;
    if (x->type != y->type)
        return x->type < y->type ? -1 : 1;
    return strcmp(x->object, y->object);
}

static int by_rank(const void *a, const void *b)
{
    const struct hit *x = a, *y = b;

    if (x->rank != y->rank)
        return x->rank < y->rank ? -1 : 1;
    return strcmp(x->object, y->object);
}

static void tell_hit(struct scan *s, const char *dir, const struct hit *h)
{
    struct finding f = {
        .path = dir,
        .commit = h->type == 'c' ? h->object : h->commit,
        .object = h->object,
        .found = h->found,
        .in_message = h->type == 'c' || h->type == 'a',
        .in_name = h->type == 't',
    };
    char *path = NULL;

    if (h->path != NULL && asprintf(&path, "%s/%s", dir, h->path) >= 0)
        f.path = path;
    scan_report(s, &f);
    free(path);
}

static void tell_hits(struct scan *s, const char *dir)
{
    struct hits *hits = s->hits;
    size_t kept = 0;

    if (hits->n == 0)
        return;
    qsort(hits->hit, hits->n, sizeof(hits->hit[0]), by_key);
    for (size_t i = 0; i < hits->n; i++) {
        const struct hit *last = kept > 0 ? &hits->hit[kept - 1] : NULL;

        if (last != NULL && last->found.print == hits->hit[i].found.print &&
            strcmp(what_of(last), what_of(&hits->hit[i])) == 0) {
            free(hits->hit[i].commit);
            free(hits->hit[i].path);
        } else {
            hits->hit[kept++] = hits->hit[i];
        }
    }
    hits->n = kept;
    qsort(hits->hit, hits->n, sizeof(hits->hit[0]), by_rank);
    for (size_t i = 0; i < hits->n; i++)
        tell_hit(s, dir, &hits->hit[i]);
}

/* ---- the whole ------------------------------------------------------------------------------ */

static bool read_objects(struct scan *s, const char *dir, int commits)
{
    static const char *const argv[] = { "cat-file",    "--batch-all-objects",
                                        "--unordered", "--buffer",
                                        "--batch",     NULL };
    char id[80], type[16];
    uint64_t size;
    struct git g;

    if (!git_start(s, &g, dir, -1, argv))
        return false;
    while (!scan_stop(s) && git_object(s, &g, id, type, &size)) {
        s->object = id;
        s->hits->type = strcmp(type, "tag") == 0 ? 'a' : type[0];
        if (!git_body(s, &g, size))
            break;
        if (s->hits->type == 'c')
            (void)dprintf(commits, "%s\n", id);
    }
    s->object = NULL;
    return git_end(s, &g, s->stopped ? NULL : dir);
}

void history_scan(struct scan *s, const char *dir)
{
    static const char *const where[] = { "rev-parse", "--git-path", "objects", NULL };
    char *objects;
    int commits;
    bool blobs = false;

    if (s->hits == NULL)
        s->hits = calloc(1, sizeof(*s->hits));
    commits = git_list();
    if (s->hits == NULL || commits < 0) {
        scan_fail_status(s, KT_NO_MEMORY, "%s: out of memory for its history", dir);
        if (commits >= 0)
            (void)close(commits);
        return;
    }
    objects = git_line(s, dir, dir, where);
    if (objects != NULL && is_new(s->hits, dir, objects)) {
        (void)read_objects(s, dir, commits);
        for (size_t i = 0; i < s->hits->n; i++)
            blobs |= s->hits->hit[i].type == 'b';
        if (blobs)
            find_commits(s, dir, commits);
        tell_hits(s, dir);
        if (s->hits->full)
            scan_fail_status(s, KT_TOO_LARGE, "%s: more hits in its history than can be kept", dir);
        hits_drop(s->hits);
    }
    free(objects);
    (void)close(commits);
}
