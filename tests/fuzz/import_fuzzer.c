/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Any source is taken apart without harm, and all that comes out of it lies in its memory. The first
 * byte says the format.
 */

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "../../src/cli/import-source.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* ---- what the command line would do ------------------------------------------------------------ */

int fail_status(const struct cli *cli, int status, const char *name, const char *fmt, ...)
{
    (void)cli;
    (void)name;
    (void)fmt;
    return status;
}

int fail_usage(const struct cli *cli, const char *fmt, ...)
{
    (void)cli;
    (void)fmt;
    return EXIT_USAGE;
}

int fail_io(const struct cli *cli, const char *what, int errnum)
{
    (void)cli;
    (void)what;
    (void)errnum;
    return EXIT_IO;
}

void say_warning(const struct cli *cli, const char *fmt, ...)
{
    (void)cli;
    (void)fmt;
}

const char *args_next(const struct cli *cli, const char *name, size_t *from)
{
    (void)cli;
    (void)name;
    (void)from;
    return NULL;
}

const char *args_value(const struct cli *cli, const char *name)
{
    (void)cli;
    return strcmp(name, "prefix") == 0 ? "prefix" : NULL;
}

int64_t session_left_ms(const struct cli *cli)
{
    (void)cli;
    return -1;
}

int64_t session_now_ms(void)
{
    return 0;
}

int prompt_ask(void *cookie, const char *text, bool echo, char *buf, size_t len,
               int64_t deadline_ms, int cancel_fd)
{
    (void)cookie;
    (void)text;
    (void)echo;
    (void)buf;
    (void)len;
    (void)deadline_ms;
    (void)cancel_fd;
    return -1;
}

/* ------------------------------------------------------------------------------------------------ */

static bool is_within(const struct input *in, const struct item *item)
{
    const unsigned char *at = (const unsigned char *)item->data;

    return in->data != NULL && at >= in->data && at + item->len <= in->data + in->size;
}

static void check(struct source *s)
{
    for (size_t i = 0; i < s->n; i++) {
        const struct item *item = &s->items[i];

        if (item->bad_status != KT_SUCCESS)
            continue;
        assert(item->len == 0 || is_within(&s->text, item) || is_within(&s->values, item));
    }
    if (source_names(s) != 0)
        return;
    for (size_t i = 0; i < s->n; i++)
        assert(s->items[i].bad_status != KT_SUCCESS ||
               kt_name_check(s->items[i].name, NULL) == KT_SUCCESS);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static int (*const formats[])(struct source *) = { import_json, import_env,
                                                       import_python_file };
    struct source s = { .shown = "source" };

    if (size == 0)
        return 0;
    if (!input_room(&s.text, size))
        abort();
    s.text.len = size - 1;
    memcpy(s.text.data, data + 1, size - 1);
    (void)source_guess(&s, "source");
    if (formats[data[0] % 3](&s) == 0)
        check(&s);
    source_done(&s);
    return 0;
}
