/* SPDX-License-Identifier: Apache-2.0 */
#include "page.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int no_memory(const struct cli *cli, const char *name)
{
    return fail_status(cli, KT_NO_MEMORY, NULL, "%s: out of memory", name);
}

/* ---- reading -------------------------------------------------------------------------------- */

static int grow(struct page *p, size_t *size)
{
    char *grown;

    if (*size > p->len)
        return 0;
    *size = *size > 0 ? 2 * *size : 16384;
    grown = realloc(p->text, *size);
    if (grown == NULL)
        return ENOMEM;
    p->text = grown;
    return 0;
}

static int read_all(const struct cli *cli, int fd, struct page *p)
{
    size_t size = 0;

    for (;;) {
        int error = grow(p, &size);
        ssize_t n = 0;

        if (error == 0) {
            n = read(fd, p->text + p->len, size - p->len);
            error = n < 0 ? errno : 0;
        }
        if (error == EINTR)
            continue;
        if (error == ENOMEM)
            return no_memory(cli, p->name);
        if (error != 0)
            return fail_io(cli, p->name, error);
        if (n == 0)
            return 0;
        p->len += (size_t)n;
        if (p->len > TEMPLATE_MAX)
            return fail_status(cli, KT_TOO_LARGE, NULL, "%s: a template has at most %u bytes",
                               p->name, TEMPLATE_MAX);
    }
}

static int read_file(const struct cli *cli, const char *file, struct page *p)
{
    int fd, rc;

    if (strcmp(file, "-") == 0)
        return read_all(cli, STDIN_FILENO, p);
    fd = open(file, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return fail_io(cli, file, errno);
    rc = read_all(cli, fd, p);
    (void)close(fd);
    return rc;
}

/* ---- understanding -------------------------------------------------------------------------- */

const char *page_where(const struct page *p, size_t at, char *out, size_t size)
{
    size_t line, column;

    template_place(p->text, at, &line, &column);
    (void)snprintf(out, size, "%s:%zu:%zu", p->name, line, column);
    return out;
}

static int refuse(const struct cli *cli, const struct page *p, size_t at, int status,
                  const char *why)
{
    char where[512];

    return fail_status(cli, status, NULL, "%s: %s", page_where(p, at, where, sizeof(where)), why);
}

static int add_hole(const struct cli *cli, struct page *p, const struct piece *piece,
                    struct refs *refs)
{
    struct hole *grown = p->holes, *hole;
    struct kt_err err = { 0 };
    struct ref ref;
    int rc = KT_SUCCESS;

    if ((p->nholes & (p->nholes - 1)) == 0) /* 0, or a power of two: it is full */
        grown = reallocarray(p->holes, p->nholes > 0 ? 2 * p->nholes : 1, sizeof(*p->holes));
    if (grown == NULL)
        return no_memory(cli, p->name);
    p->holes = grown;
    hole = &p->holes[p->nholes++];
    *hole = (struct hole){ .literal = piece->literal,
                           .literal_len = piece->literal_len,
                           .at = piece->at,
                           .index = SIZE_MAX,
                           .encoding = piece->encoding };
    if (piece->ref_len == 0)
        return 0;
    rc = ref_parse(piece->ref, piece->ref_len, false, &ref, &err);
    if (rc == KT_SUCCESS) {
        rc = refs_add(refs, &ref, &hole->index, &err);
        ref_done(&ref);
    }
    return rc == KT_SUCCESS ? 0 : refuse(cli, p, piece->at, rc, err.msg);
}

int page_load(const struct cli *cli, const char *file, struct refs *refs, struct page *p)
{
    struct template t;
    struct piece piece;
    const char *why = "";
    int rc, status;

    *p = (struct page){ .name = strcmp(file, "-") == 0 ? "standard input" : file };
    rc = read_file(cli, file, p);
    if (rc != 0)
        return rc;
    t = (struct template){ .text = p->text, .len = p->len };
    while ((status = template_next(&t, &piece, &why)) == KT_SUCCESS) {
        rc = add_hole(cli, p, &piece, refs);
        if (rc != 0)
            return rc;
    }
    return status == KT_NOT_FOUND ? 0 : refuse(cli, p, piece.at, status, why);
}

void page_done(struct page *p)
{
    free(p->holes);
    if (p->text != NULL)
        explicit_bzero(p->text, p->len);
    free(p->text);
    *p = (struct page){ 0 };
}

/* ---- filling -------------------------------------------------------------------------------- */

int page_check(const struct cli *cli, const struct page *p, const struct refs *refs)
{
    for (size_t i = 0; i < p->nholes; i++) {
        const struct hole *h = &p->holes[i];
        const char *value;
        size_t len;

        if (h->index == SIZE_MAX)
            continue;
        value = refs_value(refs, h->index, &len);
        if (!encode_fits(h->encoding, value, len))
            return refuse(cli, p, h->at, KT_INVALID,
                          "the value is not UTF-8, so JSON cannot hold it; encode=base64 can");
    }
    return 0;
}

int page_emit(const struct page *p, const struct refs *refs, emit_fn *emit, void *cookie)
{
    int rc = 0;

    for (size_t i = 0; i < p->nholes && rc == 0; i++) {
        const struct hole *h = &p->holes[i];
        const char *value;
        size_t len;

        if (h->literal_len > 0)
            rc = emit(cookie, h->literal, h->literal_len);
        if (rc != 0 || h->index == SIZE_MAX)
            continue;
        value = refs_value(refs, h->index, &len);
        rc = encode(h->encoding, value, len, emit, cookie);
    }
    return rc;
}
