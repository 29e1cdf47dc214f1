/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYTURN_CORE_LIST_H
#define KEYTURN_CORE_LIST_H

#include "call.h"

/**
 * struct kt_list - rows, and how each line fared
 * @ranks: while it is made: which line brought a row; earlier ones win
 */
struct kt_list {
    struct kt_item *items;
    size_t n;
    size_t room;
    size_t *ranks;
    struct kt_line_status *lines;
    size_t nlines;
};

/** kt_item_fill - a row of @line's; @name is borrowed. KT_MODULE_ERROR: @v makes no sense */
int kt_item_fill(const struct kt_line *line, const char *name, uint32_t flags,
                 const struct kt_version *v, struct kt_item *out) KT_MUST_CHECK;

/** kt_item_done - what kt_item_fill() took */
void kt_item_done(struct kt_item *item);

/** kt_list_add - keep a row: the list has the name copied and owns the rest from then on, also when
 * it fails */
int kt_list_add(struct kt_list *l, size_t rank, struct kt_item *item) KT_MUST_CHECK;

/** kt_list_add_line - how a line fared */
int kt_list_add_line(struct kt_list *l, const struct kt_line *line, int status,
                     const char *msg) KT_MUST_CHECK;

#endif
