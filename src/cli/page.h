/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYTURN_CLI_PAGE_H
#define KEYTURN_CLI_PAGE_H

#include "refs.h"
#include "template.h"

/** struct hole - literal text, and what goes behind it */
struct hole {
    const char *literal;
    size_t literal_len;
    size_t at;    /* where the braces open */
    size_t index; /* of the reference; SIZE_MAX: none */
    enum encoding encoding;
};

/** struct page - a template that was read, and what is to be filled in */
struct page {
    const char *name; /* borrowed */
    char *text;
    size_t len;
    struct hole *holes;
    size_t nholes;
};

/**
 * page_load - read a template, and add its references to @refs
 * @file: "-" is standard input
 *
 * 0, or an exit code after saying why, with line and column; page_done() in both cases.
 */
int page_load(const struct cli *cli, const char *file, struct refs *refs, struct page *out);
void page_done(struct page *p);

/** page_where - "FILE:LINE:COLUMN" of what is at an offset in the template */
const char *page_where(const struct page *p, size_t at, char *out, size_t size);

/** page_check - can all values be written as it says? 0, or an exit code after saying why */
int page_check(const struct cli *cli, const struct page *p, const struct refs *refs);

/** page_emit - the filled page; 0 or what @emit returned */
int page_emit(const struct page *p, const struct refs *refs, emit_fn *emit, void *cookie);

#endif
