/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYTURN_CORE_LINE_H
#define KEYTURN_CORE_LINE_H

#include "service.h"
#include "words.h"

/** enum kt_join - how a line draws in another service */
enum kt_join {
    KT_JOIN_NONE = 0,
    KT_JOIN_ALL = 1,      /* @include NAME: every line */
    KT_JOIN_FACILITY = 2, /* read include NAME: that facility's lines */
    KT_JOIN_SUBSTACK = 3, /* read substack NAME: the same, one level deeper */
};

/** struct kt_parsed - what a logical line says; @joined is borrowed from its words */
struct kt_parsed {
    struct kt_line line;
    enum kt_join join;
    const struct kt_word *joined; /* the service that is drawn in */
};

/**
 * kt_line_parse - a logical line, which has at least one word
 * @w: its words; those that the line keeps are taken out of it
 *
 * Returns KT_SUCCESS (@out->line is released with kt_line_done()), KT_CONFIG_ERROR or KT_NO_MEMORY.
 */
int kt_line_parse(const char *file, struct kt_words *w, struct kt_parsed *out,
                  struct kt_err *err) KT_MUST_CHECK;
void kt_line_done(struct kt_line *l);

#endif
