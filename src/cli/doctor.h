/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYTURN_CLI_DOCTOR_H
#define KEYTURN_CLI_DOCTOR_H

#include "cli.h"

/*
 * keyturn doctor: what is looked at, a file for each kind. Nothing here changes anything or asks
 * anybody; modules run in a child each.
 */

/** enum grade - what a finding means for the exit code: WRONG fails, ODD fails with --strict */
enum grade { FINE, ODD, WRONG };

#define USED_MAX 64

/**
 * struct doctor - findings so far
 * @service: the one that is being looked at
 * @used:    modules that lines name
 */
struct doctor {
    const struct cli *cli;
    const char *service;
    struct table *table;
    bool aligned;    /* for a terminal: remedies follow the table, else they are its last column */
    char **remedies; /* "SUBJECT: REMEDY" */
    size_t nremedies;
    char *used[USED_MAX];
    size_t nused;
    unsigned odd;
    unsigned wrong;
    int worst; /* enum kt_status */
};

/**
 * doctor_tell - one finding
 * @check:  kind of thing: "service", "line", "module", "place", … as the manual lists them
 * @status: enum kt_status; KT_SUCCESS only where nothing is to be said against it
 * @remedy: NULL, or the command to run, or what else to do, in one line
 */
void doctor_tell(struct doctor *d, enum grade grade, const char *check, const char *subject,
                 int status, const char *remedy, const char *fmt, ...) KT_PRINTF(7, 8);

/** doctor_uses - a line names this module */
void doctor_uses(struct doctor *d, const char *module);
bool doctor_is_used(const struct doctor *d, const char *module);

/** struct said - what a verb printed in a child, for one line; @unlocks: the module has that verb */
struct said {
    char text[1024];  /* its lines, joined by "; " */
    char remedy[512]; /* "" = none */
    bool unlocks;
};

/** said_line - a line that was printed; "remedy: " begins the other kind */
void said_line(struct said *s, const char *line);

/** doctor_remedy - what @s, or else the text of a failure, says is to be done; "": nothing */
const char *doctor_remedy(const struct doctor *d, struct said *s, int status, const char *text);

/** doctor_child - as child_run(), bounded for each module, and with nobody to be asked */
int doctor_child(const struct doctor *d, int (*body)(int fd, void *cookie, struct kt_err *err),
                 void (*record)(void *cookie, char kind, const char *const *fields), void *cookie,
                 struct child_end *end, struct kt_err *err);
/** doctor_call, doctor_options - for the call in the child */
struct kt_call_options doctor_call(const struct doctor *d);
void doctor_options(const struct doctor *d, struct kt_open_options *options);

/** doctor_trust_remedy - what makes the first bad one of the paths that @text quotes trusted; NULL */
const char *doctor_trust_remedy(const char *text, char *out, size_t size);

/* ---- what there is to look at ---- */

void doctor_services(struct doctor *d); /* @cli->service, or all that are found */
void doctor_modules(struct doctor *d);
void doctor_places(struct doctor *d);
void doctor_memory(struct doctor *d);
void doctor_clock(struct doctor *d);
void doctor_leaks(struct doctor *d); /* keys that lie about in the environment and in .env files */

#endif
