/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYTURN_CORE_FIELD_H
#define KEYTURN_CORE_FIELD_H

#include <keyturn/status.h>

#include <stddef.h>

/*
 * One member of a JSON object, read and written in the text itself: the other members keep their
 * bytes. Strict: RFC 8259, UTF-8, depth at most 64; a member that stands twice is corrupt.
 */

/** struct kt_field - where a member lies in the text; half-open spans */
struct kt_field {
    size_t member_from; /* of its key's quote */
    size_t value_from;
    size_t value_to;
    size_t count;  /* members in the object */
    size_t index;  /* of this one */
    size_t inside; /* just after the object's `{` */
    size_t close;  /* of its `}` */
};

/** kt_field_find - KT_SUCCESS; KT_NOT_FOUND: an object without it (@f tells the object);
 * KT_CORRUPT: no JSON object */
int kt_field_find(const char *text, size_t len, const char *member, struct kt_field *f);

/**
 * kt_field_decode - the member's value as bytes: a string's content, other values as their text
 * @out: room for value_to - value_from bytes
 *
 * Returns the number of bytes.
 */
size_t kt_field_decode(const char *text, const struct kt_field *f, char *out);

/** kt_field_encoded_size - bytes that kt_field_set() needs at most, NUL not counted */
size_t kt_field_encoded_size(size_t len, const char *member, size_t value_len);

/**
 * kt_field_set - the text with the member set to a string
 * @text: NULL or empty = no object yet
 * @out:  kt_field_encoded_size() bytes
 *
 * KT_SUCCESS; KT_CORRUPT: @text is no object; KT_INVALID: @value is no UTF-8.
 */
int kt_field_set(const char *text, size_t len, const char *member, const void *value,
                 size_t value_len, char *out, size_t *out_len);

/** kt_field_remove - the text without the member; @out: @len bytes. As kt_field_find(). */
int kt_field_remove(const char *text, size_t len, const char *member, char *out, size_t *out_len);

#endif
