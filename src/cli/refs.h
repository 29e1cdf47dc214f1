/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYTURN_CLI_REFS_H
#define KEYTURN_CLI_REFS_H

#include "cli.h"

/*
 * References: which value is meant, as `exec`, `render` and files of references write it.
 *
 *     keyturn://SERVICE/NAME      of that service
 *     keyturn:///NAME             of the one that -s says, or the default one
 *     …?stage=previous            current (default), previous, pending
 *     …?version=ID                one version
 *     …?field=MEMBER              of a value that is a JSON object, this member; %XX as in URIs
 *
 * On the command line a bare NAME is keyturn:///NAME, and may have the part after `?` too. Source of
 * the syntax: RFC 3986.
 */
#define REF_SCHEME "keyturn:"

/** struct ref - taken apart; owns its text */
struct ref {
    char *service; /* NULL = the command line's */
    char *name;
    char *version; /* NULL = by stage */
    char *stage;   /* NULL = current */
    char *field;   /* NULL = the whole value */
};

/**
 * ref_parse - @text, @len bytes, as a reference; with @bare a NAME alone is one too
 *
 * KT_SUCCESS, or KT_INVALID explained in @err. ref_done() releases what was taken apart.
 */
int ref_parse(const char *text, size_t len, bool bare, struct ref *out,
              struct kt_err *err) KT_MUST_CHECK;
void ref_done(struct ref *r);

/**
 * struct refs - references whose values are wanted together
 *
 * Each service is opened once, each secret is asked for once: names of one service go in one
 * kt_get_many(). Values stay in secret memory.
 */
struct refs;

struct refs *refs_new(const struct cli *cli); /* exits on no memory */
void refs_free(struct refs *r);               /* NULL is allowed */
void refs_freep(struct refs **r);

/** refs_add - one more; the same reference twice gets one index. KT_SUCCESS or KT_INVALID */
int refs_add(struct refs *r, const struct ref *ref, size_t *index,
             struct kt_err *err) KT_MUST_CHECK;

/**
 * refs_fetch - ask for all values, within --timeout
 * @failed: gets the index of the reference that failed
 *
 * All or none: KT_SUCCESS, or the status of the first reference that could not be had. Fetched
 * before: nobody is asked at the terminal any more, and the old values are replaced only if all new
 * ones came. Not thread-safe: no other function here may run at the same time.
 */
int refs_fetch(struct refs *r, size_t *failed, struct kt_err *err) KT_MUST_CHECK;

/** refs_changed - the last fetch brought a value that is another than before it */
bool refs_changed(const struct refs *r);
/** refs_warn - say which of the values are stale, expired or not valid yet */
void refs_warn(const struct refs *r);

/** refs_adopt - the value of a reference as somebody else fetched it; nothing else is known of it */
int refs_adopt(struct refs *r, size_t index, const void *data, size_t len,
               struct kt_err *err) KT_MUST_CHECK;

size_t refs_count(const struct refs *r);
/** refs_value - its bytes, until the next fetch; no NUL counted, one follows */
const char *refs_value(const struct refs *r, size_t index, size_t *len);
/** refs_info - of its version; NULL: adopted */
const struct kt_info *refs_info(const struct refs *r, size_t index);
/** refs_text - as it was meant, "keyturn:///NAME", for messages */
const char *refs_text(const struct refs *r, size_t index);
/** refs_handle, refs_name, refs_moves - to follow it; a reference to one version does not move */
struct kt_handle *refs_handle(const struct refs *r, size_t index);
const char *refs_name(const struct refs *r, size_t index);
bool refs_moves(const struct refs *r, size_t index);

#endif
