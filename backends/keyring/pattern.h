/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYTURN_KEYRING_PATTERN_H
#define KEYTURN_KEYRING_PATTERN_H

#include <stdbool.h>
#include <stddef.h>

#define KT_PATTERN_MAX 16         /* pairs */
#define KT_PATTERN_VALUE_MAX 2048 /* bytes of a value with the name in it */

/**
 * struct kt_pattern - what `attributes=KEY:VALUE,…` says: items that others made
 * @n:     of @pairs
 * @pairs: @value with `%n` (the name), `%b` (its last part), `%%`, `%,` and `%:` in it
 */
struct kt_pattern {
    size_t n;
    struct {
        char *key;
        char *value;
    } pairs[KT_PATTERN_MAX];
};

/**
 * kt_pattern_parse - the option's text
 * @out: released with kt_pattern_free()
 *
 * Returns NULL, or what is wrong. `xdg:schema` needs no `%:`.
 */
const char *kt_pattern_parse(const char *text, struct kt_pattern **out);
void kt_pattern_free(struct kt_pattern *p);

/** kt_pattern_expand - a value for @name; false: over @size */
bool kt_pattern_expand(const char *value, const char *name, char *out, size_t size);

/** kt_pattern_named - the pair that a name can be told from: `%n` once and no `%b`; @n: none */
size_t kt_pattern_named(const struct kt_pattern *p);

/** kt_pattern_match - the name whose value this is; false: none */
bool kt_pattern_match(const char *value, const char *text, char *name, size_t size);

#endif
