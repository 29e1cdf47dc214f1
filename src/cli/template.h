/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYTURN_CLI_TEMPLATE_H
#define KEYTURN_CLI_TEMPLATE_H

#include <keyturn/types.h>

/*
 * Templates: text with references to secrets in it.
 *
 *     {{ keyturn:///NAME }}   {{ keyturn://SERVICE/NAME?field=MEMBER&encode=json }}
 *
 * Blanks and tabs around the reference are optional. Everything else stands for itself, byte for
 * byte: other things between braces, NUL, bytes that are no UTF-8. But what begins as a reference and
 * is none is an error: a mistyped reference must not end up in a program's configuration.
 */
#define TEMPLATE_MAX (16U * 1024 * 1024) /* bytes of a template */
#define TEMPLATE_REF_MAX 4096            /* bytes of a reference */

/** enum encoding - what becomes of a value on its way into the text */
enum encoding {
    ENCODE_NOT,    /* its bytes */
    ENCODE_BASE64, /* RFC 4648, with padding */
    ENCODE_JSON,   /* what stands between the quotes of a JSON string: RFC 8259, section 7 */
    ENCODE_URI,    /* all but unreserved characters as %XX: RFC 3986, section 2.1 */
};

/** struct template - a place in a template's text; begin with .text and .len set and the rest 0 */
struct template
{
    const char *text;
    size_t len;
    size_t pos;
};

/**
 * struct piece - literal text, and the reference behind it
 * @literal: @literal_len bytes, may be none; points into the text
 * @at:      where the braces open: an offset in the text
 * @ref:     without `encode=`; "" behind the last literal
 */
struct piece {
    const char *literal;
    size_t literal_len;
    size_t at;
    enum encoding encoding;
    size_t ref_len;
    char ref[TEMPLATE_REF_MAX + 1];
};

/**
 * template_next - the next piece
 * @why: set for KT_INVALID: what is wrong with the reference that begins at @out->at
 *
 * KT_SUCCESS; KT_NOT_FOUND: no more; KT_INVALID.
 */
int template_next(struct template *t, struct piece *out, const char **why) KT_MUST_CHECK;

/** template_place - line and column, in bytes, of an offset; both from 1 */
void template_place(const char *text, size_t at, size_t *line, size_t *column);

/** emit_fn - takes bytes of the text that is made; 0, or an errno that ends it */
typedef int emit_fn(void *cookie, const void *data, size_t len);

/** encode_fits - can @encoding express these bytes? JSON can express UTF-8 only */
bool encode_fits(enum encoding encoding, const void *data, size_t len);

/** encode - emit a value, which fits; 0 or what @emit returned. Copies on the way are wiped. */
int encode(enum encoding encoding, const void *data, size_t len, emit_fn *emit, void *cookie);

#endif
