/* SPDX-License-Identifier: Apache-2.0 */
#include "cli.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

bool input_room(struct input *in, size_t size)
{
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (p == MAP_FAILED)
        return false;
    (void)mlock(p, size); /* as far as the limit allows */
    (void)madvise(p, size, MADV_DONTDUMP);
    *in = (struct input){ .data = p, .size = size };
    return true;
}

bool input_new(struct input *in)
{
    return input_room(in, INPUT_MAX);
}

void input_free(struct input *in)
{
    if (in->data == NULL)
        return;
    explicit_bzero(in->data, in->size);
    (void)munmap(in->data, in->size);
    *in = (struct input){ 0 };
}

int input_read(const struct cli *cli, struct input *in, const char *file)
{
    bool standard = file == NULL || strcmp(file, "-") == 0;
    const char *what = standard ? "standard input" : file;
    int fd = standard ? STDIN_FILENO : open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY), rc = 0;

    if (fd < 0) /* the word may be a secret, put where it should not be */
        return fail_io(cli, "the FILE given cannot be opened (" VALUE_COMES_FROM ")", errno);
    while (in->len < in->size) {
        ssize_t n = read(fd, in->data + in->len, in->size - in->len);

        if (n > 0) {
            in->len += (size_t)n;
        } else if (n == 0) {
            break;
        } else if (errno != EINTR) {
            rc = fail_io(cli, what, errno);
            break;
        }
    }
    if (!standard)
        (void)close(fd);
    return rc;
}

static int ask(const struct cli *cli, struct input *in, const char *question)
{
    int n = prompt_ask(NULL, question, false, (char *)in->data, in->size, session_left_ms(cli), -1);

    if (n == -KT_TIMEOUT)
        return fail_status(cli, KT_TIMEOUT, NULL,
                           "no value was entered within --timeout; nothing was stored");
    if (n == -KT_TOO_LARGE)
        return fail_status(cli, KT_TOO_LARGE, NULL,
                           "the value is over %d bytes; nothing was stored", KT_VALUE_MAX);
    if (n < 0)
        return fail_status(cli, -n, NULL, "the terminal gave no value; pipe it in, or name a FILE");
    in->len = (size_t)n;
    return 0;
}

int input_ask(const struct cli *cli, struct input *in, const char *name)
{
    char question[KT_NAME_MAX + 32];
    struct input again = { 0 };
    int rc;

    if (!input_new(&again))
        return fail_status(cli, KT_NO_MEMORY, name, "no memory for a value");
    (void)snprintf(question, sizeof(question), "Value of %s: ", name);
    rc = ask(cli, in, question);
    if (rc == 0 && in->len == 0)
        rc = fail_status(
            cli, KT_INVALID, name,
            "nothing was entered; an empty value is stored by 'keyturn set %s /dev/null'", name);
    if (rc == 0)
        rc = ask(cli, &again, "Once more: ");
    if (rc == 0 && (again.len != in->len || memcmp(again.data, in->data, in->len) != 0))
        rc = fail_status(cli, KT_INVALID, name, "the two entries differ; nothing was stored");
    input_free(&again);
    return rc;
}
