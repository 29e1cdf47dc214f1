/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYTURN_CLI_SCAN_VIEW_H
#define KEYTURN_CLI_SCAN_VIEW_H

/* Inside the finder: data, and what they are if they are decoded. */

#include "scan-find.h"

#define VIEWS_DEEP 2 /* base64 of UTF-16, and such */
#define OURS 64      /* so many of our own last matches: no shape is told where they are */

/** struct view - bytes to look at; @outer NULL: the document's own */
struct view {
    const unsigned char *p;
    size_t n;
    unsigned how;  /* HOW_* of this and the outer ones */
    unsigned deep; /* outer ones */
    unsigned step; /* HOW_* of this one alone */
    const struct view *outer;
    size_t at; /* where in @outer it begins */
};

struct line {
    uint64_t number; /* from 0 */
    uint64_t begin;  /* its first byte in the document */
};

struct finder {
    const struct own *own; /* NULL: none are looked for */
    const uint64_t *print_key;
    void (*found)(void *cookie, const struct found *f);
    void *cookie;
    unsigned char *buf;
    size_t size, n;
    size_t used;            /* the largest @n so far; decoded data are no longer */
    size_t ahead;           /* longest key, as written */
    size_t fresh;           /* what begins before it was told */
    size_t limit;           /* what begins from here on is told later */
    uint64_t base;          /* of the buffer in the document */
    struct line first_line; /* at the buffer's begin */
    struct line line;       /* at @counted */
    size_t counted;
    uint64_t mark;     /* length of a byte order mark */
    uint64_t last_pem; /* where the last one began */
    unsigned quads;    /* of base64 in a row, to be worth decoding */
    struct {
        uint64_t from, to;
    } ours[OURS];
    size_t next_ours;
    struct {
        unsigned char *joined;
        unsigned char *decoded;
    } scratch[VIEWS_DEEP];
};

/** emit - tell of a key at @from to @to of @v, if it is a new one */
void emit(struct finder *f, const struct view *v, size_t from, size_t to, struct found *found);
/** view_origin - where in the document's buffer byte @i of @v comes from */
size_t view_origin(const struct view *v, size_t i);
void view_look(struct finder *f, const struct view *v);

#endif
