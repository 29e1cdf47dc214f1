/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whatever any library in this process frees is wiped first: json-c, libcurl and GLib keep copies of
 * values that nobody else can reach. Linked into our executables only, where the definitions win over
 * libc's in every object of the process. Source: DESIGN 6.
 *
 * Not under sanitizers, which bring their own.
 */
#include "config.h"

#include "sanitized.h"

#if defined(HAVE___LIBC_FREE) && defined(HAVE___LIBC_MALLOC) && defined(HAVE___LIBC_REALLOC) &&    \
    !KT_SANITIZED

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

void *__libc_malloc(size_t size);
void *__libc_realloc(void *p, size_t size);
void __libc_free(void *p);

#define EXPORTED __attribute__((visibility("default")))

/* NOLINTNEXTLINE(readability-inconsistent-declaration-parameter-name): libc's are reserved */
EXPORTED void free(void *p)
{
    if (p == NULL)
        return;
    explicit_bzero(p, malloc_usable_size(p));
    __libc_free(p);
}

/* NOLINTNEXTLINE(readability-inconsistent-declaration-parameter-name): libc's are reserved */
EXPORTED void *realloc(void *p, size_t size)
{
    size_t old = p != NULL ? malloc_usable_size(p) : 0;
    void *moved;

    if (p == NULL)
        return __libc_malloc(size);
    if (size == 0) {
        free(p);
        return NULL;
    }
    if (size <= old) {
        /* shrinking stays in place, and gives back the tail */
        explicit_bzero((char *)p + size, old - size);
        return __libc_realloc(p, size);
    }
    moved = __libc_malloc(size);
    if (moved == NULL)
        return NULL;
    memcpy(moved, p, old);
    free(p);
    return moved;
}

#endif
