/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYTURN_CLI_SCAN_OWN_H
#define KEYTURN_CLI_SCAN_OWN_H

/*
 * Our own values, to be found at any offset of any data, without keeping one: what is kept is their
 * hashes under keys of this run, which lie in secret memory.
 *
 * A value is known by the hashes of its first windows of eight bytes, one a byte further than the
 * other, and by one of 128 bits of the whole. Data are looked at in steps as long as there are
 * windows, so that one of them is met wherever the value begins.
 */

#include <keyturn/keyturn.h>

#define OWN_WINDOW 8
#define OWN_MIN 8       /* bytes: shorter values are not looked for */
#define OWN_MAX 1000000 /* values */

struct own;

/** enum own_form - how a value is written */
enum own_form { OWN_PLAIN, OWN_JSON, OWN_PERCENT };

/** struct own_match - where a value is */
struct own_match {
    const char *name;
    const char *version;
    uint64_t print; /* its fingerprint */
    enum own_form form;
    size_t from, to;
};

/** own_new - @print_key: of the fingerprints; KT_SUCCESS or KT_NO_MEMORY */
int own_new(const uint64_t print_key[2], struct own **out) KT_MUST_CHECK;
void own_free(struct own *o);

/** enum own_added - what own_add() made of a value */
enum own_added { OWN_ADDED, OWN_SHORT, OWN_SIMPLE, OWN_FULL, OWN_NO_MEMORY };

/**
 * own_add - look for this value, too, without blanks and line ends around it
 *
 * Not for one that is shorter than OWN_MIN (OWN_SHORT) or that any text may hold (OWN_SIMPLE). Of a
 * JSON object, each string is a value.
 */
enum own_added own_add(struct own *o, const char *name, const char *version, const void *data,
                       size_t len);
/** own_build - after the last own_add(), before the first own_find() */
bool own_build(struct own *o);
size_t own_count(const struct own *o);
size_t own_longest(const struct own *o);  /* bytes, as written */
size_t own_shortest(const struct own *o); /* 0: there are none */
bool own_has_binary(const struct own *o); /* some value is no text */

/** own_find - tell @found of each value in the @n bytes @p, in order of where it begins, nearly */
void own_find(const struct own *o, const unsigned char *p, size_t n,
              void (*found)(void *cookie, const struct own_match *m), void *cookie);

/** own_print - the fingerprint of any bytes */
uint64_t own_print(const uint64_t print_key[2], const void *data, size_t len);

#endif
