/* SPDX-License-Identifier: Apache-2.0 */

/*
 * keyring values FROM TO | writers | kills, with the environment that README.md tells of.
 */

#include "keyring.h"

#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

int64_t now_us(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* xorshift: each process its own, from the time and its number. */
uint64_t any_of(uint64_t n)
{
    static uint64_t state;
    static pid_t owner;

    if (owner != getpid()) {
        owner = getpid();
        state = (uint64_t)now_us() << 16 ^ (uint64_t)owner;
    }
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state % n;
}

uint64_t number_of(const char *variable, uint64_t otherwise)
{
    const char *s = getenv(variable);

    return s != NULL && s[0] != '\0' ? strtoull(s, NULL, 10) : otherwise;
}

bool broken(const char *what)
{
    const char *s = getenv("BREAK");

    return s != NULL && strcmp(s, what) == 0;
}

void *shared_memory(size_t size)
{
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (p == MAP_FAILED)
        WRONG("no shared memory");
    return p;
}

pid_t spawn(int (*run)(unsigned me), unsigned me)
{
    const pid_t pid = fork();

    if (pid < 0)
        WRONG("cannot fork");
    if (pid == 0)
        exit(run(me));
    return pid;
}

bool reap(pid_t pid)
{
    int status = 0;

    return waitpid(pid > 0 ? pid : -1, &status, 0) > 0 && WIFEXITED(status) &&
           WEXITSTATUS(status) == 0;
}

/* ---- texts ---------------------------------------------------------------------------------- */

static uint32_t sum_of(const char *s, size_t n)
{
    uint32_t sum = 2166136261U;

    for (size_t i = 0; i < n; i++)
        sum = (sum ^ (uint8_t)s[i]) * 16777619U;
    return sum;
}

void text_make(const char *name, const uint64_t *numbers, size_t n, char out[TEXT_MAX])
{
    size_t len = (size_t)snprintf(out, TEXT_MAX, "%s", name);
    uint64_t more = numbers[0] * 37 % 900;

    for (size_t i = 0; i < n; i++)
        len += (size_t)snprintf(out + len, TEXT_MAX - len, " %llu", (unsigned long long)numbers[i]);
    if (numbers[0] % 16 == 0) /* some are long, some have lines */
        more += 20000;
    out[len++] = numbers[0] % 3 == 0 ? '\n' : ' ';
    for (; more > 0; more--)
        out[len++] = (char)('a' + more % 26);
    (void)snprintf(out + len, TEXT_MAX - len, " %08x", sum_of(out, len));
}

void text_read(const char *name, const struct kt_secret *s, uint64_t *numbers, size_t n)
{
    const char *text = kt_secret_data(s);
    const size_t len = kt_secret_len(s), begin = strlen(name);
    char sum[16];

    if (len < begin + 10 || strlen(text) != len || strncmp(text, name, begin) != 0)
        WRONG("%s: the value is another's: %.40s", name, text);
    (void)snprintf(sum, sizeof(sum), " %08x", sum_of(text, len - 9));
    if (strcmp(text + len - 9, sum) != 0)
        WRONG("%s: the value is torn: %.40s", name, text);
    char *at = (char *)text + begin;
    for (size_t i = 0; i < n; i++)
        numbers[i] = strtoull(at, &at, 10);
}

int main(int argc, char **argv)
{
    if (argc == 4 && strcmp(argv[1], "values") == 0)
        return values(strtoull(argv[2], NULL, 10), strtoull(argv[3], NULL, 10));
    if (argc == 2 && strcmp(argv[1], "writers") == 0)
        return writers();
    if (argc == 2 && strcmp(argv[1], "kills") == 0)
        return kills();
    fprintf(stderr, "usage: keyring values FROM TO | writers | kills\n");
    return 2;
}
