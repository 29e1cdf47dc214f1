/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Service files, whole: found, read, settled, linted. The input is up to four files, with byte 0x1e
 * between them: `svc`, which is opened, and `a`, `b`, `c`, which it may include. Modules come from
 * KEYTURN_TEST_MODULES; where that is not set, lines that begin with `-` still get past their module.
 */

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/service.h"

#define SEPARATOR 0x1e

static const char *const names[] = { "svc", "a", "b", "c" };
static char dir[] = "/tmp/keyturn-fuzz.XXXXXX";
static int dir_fd = -1;

static void must(int ok, const char *what)
{
    if (!ok) {
        perror(what);
        abort();
    }
}

static void leave(void)
{
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        (void)unlinkat(dir_fd, names[i], 0);
    (void)rmdir(dir);
}

static void enter(void)
{
    must(mkdtemp(dir) != NULL, "mkdtemp");
    dir_fd = open(dir, O_DIRECTORY | O_RDONLY | O_CLOEXEC);
    must(dir_fd >= 0 && atexit(leave) == 0, dir);
}

/* Absent files are a case too: an input with fewer parts leaves the others out. */
static void put_files(const uint8_t *data, size_t size)
{
    const uint8_t *end = data + size;
    bool more = true;

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        const uint8_t *cut = more ? memchr(data, SEPARATOR, (size_t)(end - data)) : NULL;
        const size_t len = (size_t)((cut != NULL ? cut : end) - data);
        (void)unlinkat(dir_fd, names[i], 0);
        if (!more)
            continue;
        int fd = openat(dir_fd, names[i], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        must(fd >= 0 && write(fd, data, len) == (ssize_t)len && close(fd) == 0, names[i]);
        more = cut != NULL;
        data += more ? len + 1 : len;
    }
}

static void hear(void *cookie, const struct kt_finding *f)
{
    must(f->file != NULL && f->text[0] != '\0', "finding");
    ++*(unsigned *)cookie;
}

/* What a service promises its users, whatever is in it. */
static void check_lines(const struct kt_service *s, const struct kt_stack *stack)
{
    for (size_t i = 0; i < stack->n; i++) {
        const struct kt_line *l = &stack->lines[i];
        must(l->level <= KT_DEPTH_MAX && l->file != NULL && l->control.text != NULL, "line");
        must(l->substack ? l->module == NULL : l->module != NULL && l->identity != NULL, "module");
        must(l->place < (int)s->nplaces, "place");
        must(!kt_line_is_authority(s, l) || !kt_line_is_follower(s, l), "authority and follower");
        /* A module that is not installed gives nothing whose age could be judged. */
        must(l->place < 0 || l->core.ttl_ms <= l->core.max_stale_ms || stack == &s->write, "ttl");
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *modules = getenv("KEYTURN_TEST_MODULES");
    const struct kt_open_options options = {
        .size = sizeof(options),
        .config_dir = dir,
        .module_dir = modules != NULL ? modules : dir,
    };
    struct kt_service *s = NULL;
    struct kt_err err = { .status = KT_SUCCESS };
    unsigned findings = 0;
    int rc;

    if (dir_fd < 0)
        enter();
    put_files(data, size);
    rc = kt_service_read("svc", &options, &s, &err);
    if (rc != KT_SUCCESS) {
        must(s == NULL && err.status == rc && err.msg[0] != '\0', "error");
        must(strchr(err.msg, '\n') == NULL, "one line");
        return 0;
    }
    check_lines(s, &s->read);
    check_lines(s, &s->write);
    (void)kt_service_policy(s, "deepseek/api-key");
    kt_service_lint(s, hear, &findings);
    kt_service_free(s);
    return 0;
}
