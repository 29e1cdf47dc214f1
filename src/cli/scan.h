/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYTURN_CLI_SCAN_H
#define KEYTURN_CLI_SCAN_H

/* `keyturn scan`: what its files share. No value, and no part of one, goes into any output. */

#include "cli.h"
#include "scan-find.h"

#define EXIT_FOUND 183 /* as trufflehog's; no status has it */

enum scan_output { SCAN_TEXT, SCAN_JSON, SCAN_SARIF };

struct ignores;

/**
 * struct scan - one run
 * @finder: documents
 * @words:  names and messages: what is found in them is not printed
 * @path:   of the document, as it is told; @root: bytes of it that are the PATH given
 * @lead:   the PATH given, as seen from the ignore file's directory; NULL: is not below it
 * @failed: exit code of the first failure
 */
struct scan {
    const struct cli *cli;
    enum scan_output output;
    bool history;
    struct own *own; /* NULL: --shapes-only, or it could not be asked */
    struct ignores *ignores;
    struct finder *finder, *words;
    struct {
        uint64_t from, to;
    } hidden[16]; /* in what @words was last given */
    size_t nhidden;
    const char *path;
    size_t root;
    char *lead;
    const char *object; /* of git, being read: hits are kept for history.c */
    struct hits *hits;
    bool in_name;
    uint64_t ordinal; /* of the hit in its document */
    uint64_t told, allowed, documents;
    int failed;
    bool stopped; /* --timeout is over */
};

/** struct finding - one hit, ready to be told; all but @path may be NULL or 0 */
struct finding {
    const char *path;   /* not masked yet */
    const char *commit; /* in which it came */
    const char *object;
    struct found found;
    bool in_name;
    bool in_message; /* of a commit or tag */
};

/* ---- scan-run.c ----------------------------------------------------------------------------- */

/** scan_fail - tell that @what could not be read, because of @errnum, and remember it */
void scan_fail(struct scan *s, const char *what, int errnum);
void scan_fail_status(struct scan *s, int status, const char *fmt, ...) KT_PRINTF(3, 4);
/** scan_note - tell it with -v */
void scan_note(struct scan *s, const char *fmt, ...) KT_PRINTF(2, 3);
/** scan_masked - @text with `*` for what is a key, or looks like one; the caller frees it */
char *scan_masked(struct scan *s, const char *text);
/** scan_name - look at a name, the last part of s->path */
void scan_name(struct scan *s, const char *name);
/** scan_stop - is there no time left? then it was told */
bool scan_stop(struct scan *s);
/** scan_report - tell of a finding, unless it is allowed */
void scan_report(struct scan *s, const struct finding *f);
/** scan_found - the finders' callback */
void scan_found(void *cookie, const struct found *f);

/* ---- scan-load.c ---------------------------------------------------------------------------- */

/** load_own - all values of the service into s->own; what could not be had is told */
void load_own(struct scan *s);

/* ---- scan-walk.c ---------------------------------------------------------------------------- */

void walk_path(struct scan *s, const char *path); /* "-": standard input */

/* ---- scan-git.c: the program git ------------------------------------------------------------ */

/** struct git - a run of it, its output read through a buffer */
struct git {
    int pid;
    int out;
    int err; /* a memory file */
    unsigned char *buf;
    size_t from, n;
};

/**
 * git_start - run git in @dir
 * @dir:   NULL: here, with the repository and index that a hook is told
 * @input: its standard input; -1: nothing
 * @argv:  what follows `git`; a NULL ends it
 */
bool git_start(struct scan *s, struct git *g, const char *dir, int input, const char *const *argv);
/** git_fill - at least one more byte in the buffer; false: it is over */
bool git_fill(struct git *g);
/** git_until - the text up to @end, which is taken away; NULL: it is over, or too long */
char *git_until(struct git *g, char end);
/** git_end - wait for it; false: it failed, which was told with @what unless that is NULL */
bool git_end(struct scan *s, struct git *g, const char *what);
/** git_line - the first line that it prints; NULL: it failed, or printed none */
char *git_line(struct scan *s, const char *dir, const char *what, const char *const *argv);
/** git_object - the header of an object of cat-file --batch; false: it is over */
bool git_object(struct scan *s, struct git *g, char id[80], char type[16], uint64_t *size);
/** git_body - the object itself through s->finder; false: it is cut short */
bool git_body(struct scan *s, struct git *g, uint64_t size);
int git_list(void); /* an empty memory file, for ids; -1: could not be made */

/* ---- scan-history.c ------------------------------------------------------------------------- */

/** history_scan - every object of the repository at @dir */
void history_scan(struct scan *s, const char *dir);
void history_hit(struct scan *s, const struct found *f);
void history_free(struct scan *s);

/* ---- scan-staged.c -------------------------------------------------------------------------- */

/** staged_scan - what is in the index and not in HEAD */
void staged_scan(struct scan *s, const char *dir);

/* ---- scan-hook.c ---------------------------------------------------------------------------- */

int hook_install(struct scan *s, const char *dir, bool shapes_only);
int hook_uninstall(struct scan *s, const char *dir);

/* ---- scan-ignore.c -------------------------------------------------------------------------- */

#define IGNORE_FILE ".keyturnignore"

/** ignores_new - @use: read the file; 0, or an exit code after saying why */
int ignores_new(struct scan *s, const char *path, bool use, struct ignores **out);
void ignores_free(struct ignores *i);
const uint64_t *ignores_key(const struct ignores *i); /* of fingerprints */
bool ignores_stable(const struct ignores *i);         /* it is the same each time */
/** ignores_lead - @path as seen from the file's directory; NULL: is not below it; the caller frees it */
char *ignores_lead(const struct ignores *i, const char *path);
bool ignores_path(const struct ignores *i, const char *path);
bool ignores_print(const struct ignores *i, uint64_t print);
/** ignores_allow - from now on, when ignores_save() is called; @note: what it is */
void ignores_allow(struct scan *s, uint64_t print, const char *note);
int ignores_save(struct scan *s);

/* ---- scan-tell.c ---------------------------------------------------------------------------- */

void tell_begin(struct scan *s);
/** tell - @path: masked; @print: as text */
void tell(struct scan *s, const struct finding *f, const char *path, const char *print);
void tell_end(struct scan *s, int rc);

#endif
