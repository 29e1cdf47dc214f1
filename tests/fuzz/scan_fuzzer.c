/* SPDX-License-Identifier: Apache-2.0 */

/* Any data are looked through without harm, and what is found lies within them. A value of ours that
 * is put in the middle is found, whatever is around it. */

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "cli/scan-find.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char ours[] = "Xq7-planted/by:the#fuzzer";

struct seen {
    size_t size;
    size_t planted; /* where it is; SIZE_MAX: it is not */
    bool found;
};

static void found(void *cookie, const struct found *f)
{
    struct seen *seen = cookie;

    assert(f->from < f->to && f->to <= seen->size && f->line >= 1 && f->column >= 1);
    if (f->rule == NULL && f->from == seen->planted)
        seen->found = true;
}

static void look(struct own *own, const uint8_t *data, size_t size, size_t planted)
{
    static const uint64_t key[2] = { 1, 2 };
    struct seen seen = { .size = size, .planted = planted };
    struct finder *f;

    if (finder_new(own, key, found, &seen, &f) != KT_SUCCESS)
        abort();
    finder_add(f, data, size);
    finder_end(f);
    finder_free(f);
    assert(planted == SIZE_MAX || seen.found);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint64_t key[2] = { 1, 2 };
    const size_t half = size / 2, n = sizeof(ours) - 1;
    uint8_t *with = malloc(size + n);
    struct own *own;

    if (with == NULL || own_new(key, &own) != KT_SUCCESS)
        abort();
    rules_init();
    look(NULL, data, size, SIZE_MAX);
    if (own_add(own, "n", "v", ours, n) != OWN_ADDED || !own_build(own))
        abort();
    if (size > 0)
        memcpy(with, data, half);
    memcpy(with + half, ours, n);
    if (size > 0)
        memcpy(with + half + n, data + half, size - half);
    look(own, with, size + n, half);
    own_free(own);
    free(with);
    return 0;
}
