/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYTURN_CLI_SCAN_RULES_H
#define KEYTURN_CLI_SCAN_RULES_H

/*
 * What unknown keys look like. Every shape has at least SHAPE_RUN bytes of [A-Za-z0-9+/_.~-] in a
 * row: whoever looks for shapes looks for such runs first.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SHAPE_RUN 20     /* bytes */
#define SHAPE_MAX 4096   /* bytes: nothing longer is a shape */
#define SHAPE_BEHIND 512 /* bytes before a run that are looked at */

/** enum chars - which bytes; bits of chars_of[] */
enum chars {
    CHARS_LOWHEX = 1,
    CHARS_HEX = 2,
    CHARS_UPPER = 4,   /* A-Z 0-9 */
    CHARS_ALNUM = 8,   /* A-Z a-z 0-9 */
    CHARS_WORD = 16,   /* and _ - */
    CHARS_DOTTED = 32, /* and . ~ */
    CHARS_BASE64 = 64, /* A-Z a-z 0-9 + / */
    CHARS_RUN = 128,   /* all of these */
};

extern const unsigned char chars_of[256];

/** enum verdict - what a rule's check says; ordered */
enum verdict {
    VERDICT_NO,
    VERDICT_DOUBTFUL, /* the shape is right, the checksum in it is not */
    VERDICT_YES,
};

/**
 * struct rule - one shape; rows with the same @name stand together
 * @prefix: what is looked for
 * @at:     bytes of the key before it, of @chars too
 * @min:    bytes after it, of @chars; @max: at most
 * @spread: how varied those must be, with the ones before, as spread_of() counts
 * @check:  NULL, or what else must be so; @key: from the prefix on
 */
struct rule {
    const char *name;
    const char *title;
    const char *prefix;
    unsigned at;
    enum chars chars;
    unsigned min, max;
    unsigned spread;
    enum verdict (*check)(const unsigned char *key, size_t len);
};

extern const struct rule rules[]; /* a NULL name ends it */

/** struct shape - where a rule fits */
struct shape {
    const struct rule *rule;
    size_t from, to;
    bool doubtful;
};

/** rules_init - once, before the others */
void rules_init(void);

extern uint64_t rules_pairs[1024]; /* a bit for each two bytes that a prefix begins with */

/** rules_begin - may a prefix begin with these two bytes? */
static inline bool rules_begin(const unsigned char p[2])
{
    const unsigned pair = (unsigned)p[0] << 8 | p[1];

    return (rules_pairs[pair / 64] >> pair % 64 & 1) != 0;
}

/** rules_match - a rule whose prefix stands at @i of the @n bytes @p, with what comes before */
bool rules_match(const unsigned char *p, size_t n, size_t i, struct shape *out);
/** rules_match_run - shapes without a prefix, in the run from @a to @b: AWS's secret keys, PEM */
bool rules_match_aws_secret(const unsigned char *p, size_t n, size_t a, size_t b,
                            struct shape *out);
bool rules_match_pem(const unsigned char *p, size_t n, size_t a, size_t b, struct shape *out);

/* ---- scan-checks.c -------------------------------------------------------------------------- */

/** spread_of - number of different bytes, those that come often counted for less: len^2 / sum n_i^2 */
unsigned spread_of(const unsigned char *p, size_t len);
/** is_placeholder - says in words, or by its pattern, that it is none */
bool is_placeholder(const unsigned char *p, size_t len);
/** has_break - a newline at @p, also one escaped as in JSON: its length; 0: none */
size_t has_break(const unsigned char *p, size_t len);

enum verdict check_crc(const unsigned char *key, size_t len); /* GitHub's and npm's */
enum verdict check_sendgrid(const unsigned char *key, size_t len);
enum verdict check_jwt(const unsigned char *key, size_t len);
enum verdict check_azure_storage(const unsigned char *key, size_t len);
enum verdict check_slack(const unsigned char *key, size_t len);

#endif
