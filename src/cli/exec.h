/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYTURN_CLI_EXEC_H
#define KEYTURN_CLI_EXEC_H

#include "refs.h"

/*
 * keyturn exec: a program with secrets. A plan says which value goes where; it is carried out by the
 * process that becomes the program: keyturn itself, or its child if it watches.
 */

enum how {
    TO_ENV,   /* a variable holds the value */
    TO_FILE,  /* a variable holds the path of a file in memory */
    TO_FD,    /* a descriptor reads it */
    TO_MOUNT, /* a path has it as its content, for this program only */
};

/**
 * struct gift - a value and where it goes
 * @name:  variable or path; NULL for TO_FD
 * @where: what said so, for messages: "--env", "FILE:3"
 * @fd:    number that the program sees (TO_FD, TO_FILE)
 * @plain: not NULL = this is the value, @len bytes, and no reference; lies in plan.texts
 * @ref:   else the index of its reference
 * @path:  for TO_FILE, where in plan.env its path stands, PATH_SIZE bytes
 * @memfd: for TO_FILE and TO_FD, the file in memory; -1 = none now
 * @dir:   for TO_MOUNT that is renewed, its directory; -1 = none
 */
struct gift {
    enum how how;
    char *name;
    char *where;
    int fd;
    const char *plain;
    size_t len;
    size_t ref;
    char *path;
    int memfd;
    int dir;
};

#define ENV_FILES_MAX 16

struct plan {
    const struct cli *cli;
    struct refs *refs;
    struct gift *gifts;
    size_t n;
    struct input texts[ENV_FILES_MAX]; /* of env files: their bytes, then the values in them */
    size_t ntexts;
    char **argv; /* of the program, NULL at its end; borrows the words */
    char **envp;
    struct input env;        /* the strings in @envp that are ours */
    bool clean;              /* nothing of our own environment but the usual few */
    bool watch;              /* go on as the program's parent */
    int signal;              /* 0 = restart the program when something changes */
    int64_t stop_timeout_ms; /* between TERM and KILL */
    pid_t holder;            /* of the files in memory, if they are renewed; 0 = the program */
    int holder_fd;
};

/** plan_has - is there a gift of this kind? */
bool plan_has(const struct plan *p, enum how how);

/** gift_value - its bytes, once fetched */
const char *gift_value(const struct plan *p, const struct gift *g, size_t *len);

/* ---- exec-plan.c ---------------------------------------------------------------------------- */

/** plan_make - from the command line and env files; 0, or EXIT_FAILED after saying why */
int plan_make(const struct cli *cli, struct plan *p);
void plan_done(struct plan *p);

/** plan_add - one more gift; the text of its reference is @ref, or it is @plain. 0 or EXIT_FAILED */
int plan_add(struct plan *p, enum how how, const char *name, size_t name_len, const char *where,
             const char *ref, size_t len, bool plain);

/** plan_fetch - ask for all values; 0 or EXIT_FAILED after saying why */
int plan_fetch(struct plan *p);

/** plan_fetch_apart - the same in a child, so that no module starts a thread in this process */
int plan_fetch_apart(struct plan *p);

/* ---- exec-envfile.c ------------------------------------------------------------------------- */

#define ENV_FILE ".env.keyturn"

/** envfile_read - add what a file assigns; @trusted: somebody named it. 0 or EXIT_FAILED */
int envfile_read(struct plan *p, const char *path, bool trusted);

/* ---- exec-env.c ----------------------------------------------------------------------------- */

/**
 * env_make - the program's environment, which replaces an older one only if it can be made
 *
 * KT_SUCCESS; KT_INVALID: a value that no environment can hold; KT_TOO_LARGE: more than a program can
 * be given.
 */
int env_make(struct plan *p, struct kt_err *err) KT_MUST_CHECK;

/** env_tell_pid - who holds the files in memory, now that it is known; async-signal-safe */
void env_tell_pid(struct plan *p, pid_t pid);

/* ---- exec-file.c: files in memory ----------------------------------------------------------- */

/** files_make - a sealed file in memory for each gift that wants one, in the place of older ones */
int files_make(struct plan *p, struct kt_err *err) KT_MUST_CHECK;
/** files_pass - in the process that becomes the program: under their numbers, and to be inherited */
int files_pass(struct plan *p, struct kt_err *err) KT_MUST_CHECK;

/** holder_start - a process that does nothing but hold files in memory, which it can exchange */
int holder_start(struct plan *p, struct kt_err *err) KT_MUST_CHECK;
/** holder_renew - hand it the files: who opens one gets the old value or the new one, whole */
int holder_renew(struct plan *p, struct kt_err *err) KT_MUST_CHECK;

/** fd_send, fd_receive - a descriptor and a number through a socket; -1: not possible */
int fd_send(int to, int fd, int number);
int fd_receive(int from, int *number);

/* ---- exec-mount.c: files under a path of the program's own ---------------------------------- */

/** mounts_check - before anything is asked: can these paths be mounted on? */
int mounts_check(const struct plan *p, struct kt_err *err) KT_MUST_CHECK;
/**
 * mounts_make - in the process that becomes the program, which must have one thread: a mount
 * namespace of its own, with the gifts in it
 * @tell: socket to send the directories to, which are then renewed; -1 = none
 */
int mounts_make(struct plan *p, int tell, struct kt_err *err) KT_MUST_CHECK;
/** mounts_renew - write new values into the directories that were told */
int mounts_renew(struct plan *p, struct kt_err *err) KT_MUST_CHECK;

/* ---- exec-run.c ----------------------------------------------------------------------------- */

/** become - the program; returns only an exit code, after saying why. @tell: as for mounts_make() */
int become(struct plan *p, int tell);

/** failed - an error of ours, told; EXIT_FAILED */
int failed(const struct cli *cli, const char *name, const struct kt_err *err);

/* ---- exec-watch.c --------------------------------------------------------------------------- */

/** watch_program - run it as a child until it ends by itself; its exit code */
int watch_program(struct plan *p);

#endif
