/* SPDX-License-Identifier: Apache-2.0 */
#include "scan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What the index is compared with: HEAD, or before the first commit the empty tree. */
static char *base_tree(struct scan *s, const char *dir)
{
    static const char *const head[] = { "rev-parse", "-q", "--verify", "HEAD^{tree}", NULL };
    static const char *const empty[] = { "hash-object", "-t", "tree", "--stdin", NULL };
    char *tree = git_line(s, dir, NULL, head);

    return tree != NULL ? tree : git_line(s, dir, dir != NULL ? dir : ".", empty);
}

struct names {
    char **name;
    size_t n, size;
};

/* Ids into @ids, names beside them. Links to other repositories have no content here. */
static bool read_changes(struct git *g, int ids, struct names *names)
{
    const char *line;

    while ((line = git_until(g, '\0')) != NULL) {
        char mode[8], id[80];
        const bool ok = sscanf(line, ":%*s %7s %*s %79s", mode, id) == 2;

        line = git_until(g, '\0');
        if (!ok || line == NULL)
            return false;
        if (strcmp(mode, "160000") == 0)
            continue;
        if (names->n == names->size) {
            const size_t size = names->size == 0 ? 64 : 2 * names->size;
            char **grown = reallocarray(names->name, size, sizeof(char *));

            if (grown == NULL)
                return false;
            names->name = grown;
            names->size = size;
        }
        names->name[names->n] = strdup(line);
        if (names->name[names->n] == NULL)
            return false;
        names->n++;
        if (dprintf(ids, "%s\n", id) < 0)
            return false;
    }
    return true;
}

static void scan_blobs(struct scan *s, const char *dir, int ids, const struct names *names)
{
    static const char *const argv[] = { "cat-file", "--batch", "--buffer", NULL };
    char id[80], type[16];
    uint64_t size;
    size_t i = 0;
    struct git g;

    if (lseek(ids, 0, SEEK_SET) != 0 || !git_start(s, &g, dir, ids, argv))
        return;
    for (; i < names->n && !scan_stop(s); i++) {
        const char *last = strrchr(names->name[i], '/');

        s->path = names->name[i];
        scan_name(s, last != NULL ? last + 1 : names->name[i]);
        if (!git_object(s, &g, id, type, &size) || !git_body(s, &g, size))
            break;
    }
    if (git_end(s, &g, s->stopped ? NULL : names->name[i < names->n ? i : 0]) && i < names->n &&
        !s->stopped)
        scan_fail_status(s, KT_CORRUPT, "%s: git does not give what is staged", names->name[i]);
    s->path = NULL;
}

void staged_scan(struct scan *s, const char *dir)
{
    char *tree = base_tree(s, dir);
    const char *argv[] = { "diff-index",
                           "--cached",
                           "-r",
                           "-z",
                           "--raw",
                           "--no-abbrev",
                           "--no-renames",
                           "--no-ext-diff",
                           "--diff-filter=ACMRT",
                           tree,
                           "--",
                           NULL };
    const char *what = dir != NULL ? dir : ".";
    struct names names = { 0 };
    const int ids = git_list();
    struct git g;

    s->root = 0;
    if (tree != NULL && ids >= 0 && git_start(s, &g, dir, -1, argv)) {
        const bool read = read_changes(&g, ids, &names);

        if (git_end(s, &g, what) && !read)
            scan_fail_status(s, KT_UNAVAILABLE, "%s: what git lists is not understood", what);
        if (names.n > 0)
            scan_blobs(s, dir, ids, &names);
    }
    for (size_t i = 0; i < names.n; i++)
        free(names.name[i]);
    free(names.name);
    if (ids >= 0)
        (void)close(ids);
    free(tree);
}
