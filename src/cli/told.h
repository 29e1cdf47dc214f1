/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYTURN_CLI_TOLD_H
#define KEYTURN_CLI_TOLD_H

#include "cli.h"

/* What a child told of a module: texts, as they came through the pipe. */

enum {
    F_STATUS,
    F_PROBLEM,
    F_PATH,
    F_NAME,
    F_VERSION,
    F_SUMMARY,
    F_KIND,
    F_PROTECTION,
    F_CAS,
    F_ABI,
    F_CAPS,
    F_VALUE_MIN,
    F_VALUE_MAX,
    F_NAME_MAX,
    F_COUNT
};

#define TOLD_MAX 64 /* options; verbs */

struct told {
    char *text[F_COUNT];
    char *option[TOLD_MAX][4]; /* name, type, default, help */
    char *verb[TOLD_MAX][3];   /* name, synopsis, help */
    size_t noptions;
    size_t nverbs;
};

const char *told_text(const struct told *m, int field); /* never NULL */
int told_status(const struct told *m);
void told_free(struct told *m); /* and empties it */
void told_json(const struct told *m);
void told_details(const struct told *m);

#endif
