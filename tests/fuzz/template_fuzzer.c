/* SPDX-License-Identifier: Apache-2.0 */

/* Any template is read without harm; what is literal in it comes out byte for byte, and encoded values
 * are of the encoding's alphabet. */

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "cli/template.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/** struct made - what was emitted */
struct made {
    char *text;
    size_t len;
    size_t size;
};

static int take(void *cookie, const void *data, size_t len)
{
    struct made *m = cookie;

    assert(len > 0 && len <= m->size - m->len);
    memcpy(m->text + m->len, data, len);
    m->len += len;
    return 0;
}

static void check_encoding(enum encoding encoding, const char *value, size_t len)
{
    struct made m = { .text = malloc(6 * len + 4), .size = 6 * len + 4 };

    if (!m.text)
        abort();
    if (encode_fits(encoding, value, len)) {
        assert(encode(encoding, value, len, take, &m) == 0);
        assert(m.len >= len);
        for (size_t i = 0; i < m.len && encoding != ENCODE_NOT; i++) {
            assert((unsigned char)m.text[i] >= 0x20 && m.text[i] != 0x7f);
            assert(encoding == ENCODE_JSON || (unsigned char)m.text[i] < 0x80);
        }
        if (encoding == ENCODE_NOT)
            assert(m.len == len && memcmp(m.text, value, len) == 0);
        if (encoding == ENCODE_BASE64)
            assert(m.len == (len + 2) / 3 * 4);
    }
    free(m.text);
}

/* Pieces lie one after the other, with a reference in its braces between them. */
static void check_pieces(const char *text, size_t size)
{
    struct template t = { .text = text, .len = size };
    static struct piece p;
    size_t end = 0, line, column;
    const char *why = NULL;
    int rc;

    while ((rc = template_next(&t, &p, &why)) == KT_SUCCESS) {
        assert(p.literal == text + end && p.at == end + p.literal_len);
        assert(p.ref_len == strlen(p.ref) && t.pos <= size);
        assert((p.ref_len > 0) == (t.pos > p.at));
        if (p.ref_len > 0) {
            assert(memcmp(text + p.at, "{{", 2) == 0 && memcmp(text + t.pos - 2, "}}", 2) == 0);
            assert(strncmp(p.ref, "keyturn:", 8) == 0);
        }
        end = t.pos;
        template_place(text, p.at, &line, &column);
        assert(line >= 1 && column >= 1 && line + column <= p.at + 2);
    }
    assert(rc == KT_NOT_FOUND ? end == size : rc == KT_INVALID && why != NULL && p.at < size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    /* A copy of the exact size, so that a read past the end is noticed. */
    char *text = malloc(size ? size : 1);

    if (!text)
        abort();
    if (size)
        memcpy(text, data, size);
    check_pieces(text, size);
    for (int e = ENCODE_NOT; e <= ENCODE_URI; e++)
        check_encoding((enum encoding)e, text, size);
    free(text);
    return 0;
}
