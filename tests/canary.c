/* SPDX-License-Identifier: Apache-2.0 */
/*
 * canary FILE PROGRAM [ARGUMENT...] - is what FILE holds still in the program's memory when it exits?
 *
 * The program runs traced and is stopped on its way out, when it has released all that it will, and
 * every readable mapping is searched for the bytes of FILE (16 to 4096), and for its first and its last
 * 16: where they lie is told on standard error. Exit: 0 nowhere, 1 somewhere, 2 could not look; the
 * program's own exit code goes to descriptor 9 if that is open.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#define PART 16
#define CHUNK (1 << 20)

static char needle[4096];
static size_t needle_len;
static unsigned hits;
static unsigned long long searched;

static _Noreturn void give_up(const char *what)
{
    fprintf(stderr, "canary: %s: %s\n", what, strerror(errno));
    exit(2);
}

static void look_for(const char *part, size_t len, const char *what, const char *buf, size_t n,
                     const char *where)
{
    for (const char *at = buf; (at = memmem(at, n - (size_t)(at - buf), part, len)) != NULL; at++) {
        fprintf(stderr, "canary: %s in %s", what, where);
        hits++;
    }
}

static void search(int mem, unsigned long long from, unsigned long long to, const char *where)
{
    static char buf[CHUNK + sizeof(needle)];
    size_t kept = 0;

    while (from < to) {
        size_t want = to - from < CHUNK ? (size_t)(to - from) : CHUNK;
        ssize_t n = pread(mem, buf + kept, want, (off_t)from);

        if (n <= 0)
            return; /* the kernel's own pages, or past the end of a file */
        from += (unsigned long long)n;
        searched += (unsigned long long)n;
        kept += (size_t)n;
        look_for(needle, needle_len, "all of it", buf, kept, where);
        look_for(needle, PART, "its head", buf, kept, where);
        look_for(needle + needle_len - PART, PART, "its tail", buf, kept, where);
        /* what may begin here and end in the next chunk; a part in the seam is told twice */
        if (kept >= needle_len) {
            memmove(buf, buf + kept - (needle_len - 1), needle_len - 1);
            kept = needle_len - 1;
        }
    }
}

static void search_all(int mem, FILE *maps)
{
    char line[512];

    while (fgets(line, sizeof(line), maps) != NULL) {
        unsigned long long from, to;
        char mode[5];

        if (sscanf(line, "%llx-%llx %4s", &from, &to, mode) == 3 && mode[0] == 'r')
            search(mem, from, to, line);
    }
}

static void run(char **argv)
{
    if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0)
        give_up("ptrace");
    execv(argv[0], argv);
    give_up(argv[0]);
}

int main(int argc, char **argv)
{
    char path[64];
    int fd, mem, status;
    FILE *maps;
    pid_t pid;
    ssize_t n;

    fd = argc > 2 ? open(argv[1], O_RDONLY | O_CLOEXEC) : -1;
    n = fd >= 0 ? read(fd, needle, sizeof(needle)) : -1;
    if (n < PART)
        give_up("usage: canary FILE PROGRAM [ARGUMENT...]");
    needle_len = (size_t)n;
    pid = fork();
    if (pid == 0)
        run(argv + 2);
    if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status))
        give_up(argv[2]);
    /* before its first instruction: once it is no longer dumpable only root could open these */
    (void)snprintf(path, sizeof(path), "/proc/%d/mem", (int)pid);
    mem = open(path, O_RDONLY | O_CLOEXEC);
    (void)snprintf(path, sizeof(path), "/proc/%d/maps", (int)pid);
    maps = fopen(path, "re");
    if (mem < 0 || maps == NULL)
        give_up(path);
    if (ptrace(PTRACE_SETOPTIONS, pid, NULL, PTRACE_O_EXITKILL | PTRACE_O_TRACEEXIT) != 0)
        give_up("PTRACE_SETOPTIONS");
    for (int sig = 0;;) {
        if (ptrace(PTRACE_CONT, pid, NULL, sig) != 0 || waitpid(pid, &status, 0) != pid)
            give_up("PTRACE_CONT");
        if (!WIFSTOPPED(status))
            break;
        if (status >> 8 == (SIGTRAP | PTRACE_EVENT_EXIT << 8)) {
            search_all(mem, maps);
            sig = 0;
        } else {
            sig = WSTOPSIG(status) == SIGTRAP ? 0 : WSTOPSIG(status);
        }
    }
    (void)dprintf(9, "%d\n", WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
    if (searched < 100000) {
        errno = ENODATA;
        give_up("looked at next to nothing");
    }
    return hits > 0;
}
