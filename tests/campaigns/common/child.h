/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYTURN_TESTS_CAMPAIGNS_CHILD_H
#define KEYTURN_TESTS_CAMPAIGNS_CHILD_H

/*
 * Processes that work at a store and tell over a pipe what they do: what is in the pipe when they die
 * is what they acknowledged. The parent itself never opens a store.
 */

#include "shim.h"
#include "work.h"

#include <sys/types.h>

/** struct kt_msg - "about to do @op" (!@done), or "did it": @status, @text; a failure's words */
struct kt_msg {
    bool done;
    struct kt_op op;
    int status;
    char text[KT_WHY_MAX];
};

/** struct kt_child - @out: its pipe's reading end */
struct kt_child {
    pid_t pid;
    int out;
};

/** kt_child_start - @body in a process of its own that writes messages to @fd and ends with 0 */
void kt_child_start(struct kt_child *c, void (*body)(int fd, void *arg), void *arg);

/** kt_child_hear - the next message; false: the pipe is empty and it has died */
bool kt_child_hear(const struct kt_child *c, struct kt_msg *out);

/** kt_child_wait - what wait() tells; closes the pipe */
int kt_child_wait(struct kt_child *c);

/** kt_child_tell - in the child */
void kt_child_tell(int fd, const struct kt_op *op, bool done, int status, const char *text);

/** kt_child_do - do it and tell of it. With BREAK=early in the environment, acknowledges it before it
 * is done: a campaign that does not find that out is worth nothing. */
int kt_child_do(struct kt_work *w, int fd, const struct kt_op *op);

/* kt_check: also ask SQLite about the database's pages; close the store properly; see that no more than one
 * file is left over */
#define KT_CHECK_SOUND 1U
#define KT_CHECK_CLOSE 2U
#define KT_CHECK_LITTER 4U

/**
 * kt_check - open the store in a fresh process, read everything, compare: kt_work_match()
 * @seen: what is there; set if it could be read
 */
bool kt_check(const char *dir, const struct kt_model *acked, const struct kt_op *pending,
              size_t npending, unsigned flags, struct kt_model *seen, char why[KT_WHY_MAX]);

/** kt_shared - memory that children share; zeroed, never given back */
void *kt_shared(size_t len);

/**
 * kt_script - what to do so that an operation of some kind can be done, and then that
 *
 * Ops are for the model at the time; returns how many, at most KT_SCRIPT_MAX; the last is the one.
 */
#define KT_SCRIPT_MAX 6
unsigned kt_script(const struct kt_model *m, enum kt_op_kind kind, unsigned verb, uint32_t len,
                   uint64_t *random, struct kt_op out[KT_SCRIPT_MAX]);

#endif
