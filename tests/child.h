/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYTURN_TESTS_CHILD_H
#define KEYTURN_TESTS_CHILD_H

/*
 * What must not happen to the test's own process (a crash, a lost privilege, a syscall that fails)
 * happens in a child, also under CK_FORK=no.
 */

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/filter.h>
#include <linux/seccomp.h>

/** CHILD_MUST - end the child, saying where, unless @what holds: check's own asserts would jump out */
#define CHILD_MUST(what)                                                                           \
    do {                                                                                           \
        if (!(what)) {                                                                             \
            fprintf(stderr, "%s:%d: in the child: %s\n", __FILE__, __LINE__, #what);               \
            _exit(99);                                                                             \
        }                                                                                          \
    } while (0)

/** run_child - what wait() tells of a process that does @body and then exits with 0 */
static inline int run_child(void (*body)(void *arg), void *arg)
{
    int status = -1;
    pid_t pid;

    fflush(NULL);
    pid = fork();
    if (pid == 0) {
        body(arg);
        exit(0);
    }
    if (pid < 0 || waitpid(pid, &status, 0) != pid)
        return -1;
    return status;
}

/** deny - from now on system call @nr fails with @error where argument @arg (-1: any) is @value */
static inline void deny(int nr, int arg, uint32_t value, int error)
{
    const uint32_t low = __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? 4 : 0;
    const uint32_t args = offsetof(struct seccomp_data, args);
    const uint32_t at = arg < 0 ? 0 : args + 8 * (uint32_t)arg + low; /* 0: the number again */
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)nr, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, at),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, arg < 0 ? (uint32_t)nr : value, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (uint32_t)error),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = { .len = sizeof(code) / sizeof(code[0]), .filter = code };

    CHILD_MUST(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
    CHILD_MUST(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0);
}

#endif
