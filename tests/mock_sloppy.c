/* SPDX-License-Identifier: Apache-2.0 */

/* Wipes nothing, as many a library: the value is the file `path`, read by stdio, copied, and freed. */

#include <errno.h>
#include <stdio.h>

#include "mock.h"

static const struct kt_option options[] = {
    { "path", KT_OPTION_PATH, NULL, "the file that is the value" },
    { .name = NULL },
};

static int sloppy_get(void *state, struct kt_call *call, const char *name,
                      const struct kt_want *want)
{
    const struct mock *m = state;
    char *line = NULL, *grown = NULL;
    size_t size = 0;
    ssize_t n;
    int rc;

    FILE *f = fopen(m->text, "re");

    (void)name;
    (void)want;
    if (f == NULL)
        return m->host->fail(call, KT_UNAVAILABLE, "sloppy: %s", strerror(errno));
    n = getline(&line, &size, f);
    (void)fclose(f);
    for (size_t room = 128; n > 0 && room < 100000; room *= 3) { /* copies all over the heap */
        char *moved = realloc(grown, room);

        free(strdup(line));
        if (moved == NULL)
            break;
        grown = moved;
        (void)snprintf(grown, room, "%s", line);
    }
    rc = n > 0 ? mock_give(m, call, line, (size_t)n)
               : m->host->fail(call, KT_UNAVAILABLE, "sloppy: nothing there");
    free(grown);
    free(line);
    return rc;
}

const struct kt_module kt_module = {
    MOCK_HEAD("mock_sloppy", "wipes nothing"),
    .capabilities = KT_CAP_BINARY,
    .options = options,
    .open = mock_open,
    .close = mock_close,
    .get = sloppy_get,
};
