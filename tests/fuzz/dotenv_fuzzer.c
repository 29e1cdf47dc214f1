/* SPDX-License-Identifier: Apache-2.0 */

/* Any text is read without harm, and what was read can be written and read back the same. */

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "kit/dotenv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_round_trip(const char *value, size_t len)
{
    size_t n = kt_dotenv_format("KEY", value, len, NULL);
    char *line = malloc(n + 1);
    char *back = malloc(n + 1);
    struct kt_dotenv d = { .text = line, .len = n };
    struct kt_dotenv_entry e;

    if (!line || !back)
        abort();
    assert(kt_dotenv_format("KEY", value, len, line) == n);
    assert(kt_dotenv_next(&d, &e) == KT_SUCCESS);
    assert(kt_dotenv_is(&e, "KEY") && e.raw_len <= n);
    assert(kt_dotenv_value(&e, back) == len && memcmp(back, value, len) == 0);
    assert(kt_dotenv_next(&d, &e) == KT_NOT_FOUND);
    free(line);
    free(back);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    /* Copies of the exact size, so that a read past the end is noticed. */
    char *text = malloc(size ? size : 1);
    struct kt_dotenv d = { .text = text, .len = size };
    struct kt_dotenv_entry e;
    size_t end = 0;

    if (!text)
        abort();
    if (size)
        memcpy(text, data, size);
    while (kt_dotenv_next(&d, &e) == KT_SUCCESS) {
        char *value = malloc(e.raw_len ? e.raw_len : 1);
        size_t len;

        if (!value)
            abort();
        assert(e.begin >= end && e.end > e.begin && e.end <= size);
        end = e.end;
        len = kt_dotenv_value(&e, value);
        assert(len <= e.raw_len && !memchr(value, 0, len));
        check_round_trip(value, len);
        free(value);
    }
    if (!memchr(text, 0, size))
        check_round_trip(text, size);
    free(text);
    return 0;
}
