/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYTURN_CORE_OFFER_H
#define KEYTURN_CORE_OFFER_H

#include "service.h"

#include <keyturn/keyturn.h>
#include <keyturn/module.h>

#define KT_OFFER_INLINE 512 /* bytes of a value that need no allocation */

/**
 * struct kt_offer - a copy of what a module gave for one name
 * @line:     whose it is; NULL = nothing was offered
 * @data:     @len bytes, in @inlined or in the arena; NULL with a negative entry
 * @inlined:  storage of the caller's, KT_OFFER_INLINE bytes, or NULL
 * @attrs:    in one arena block, NULL = none
 * @age_ms:   judged, -1 not known
 * @fault:    how what was offered breaks the module's contract; NULL = it does not
 */
struct kt_offer {
    const struct kt_line *line;
    char id[KT_ID_SIZE];
    bool negative;
    uint32_t state;
    uint32_t stages;
    uint32_t flags;
    uint32_t misses;
    int64_t created_ms;
    int64_t expires_ms;
    int64_t not_before_ms;
    int64_t age_ms;
    struct kt_asof asof;
    char *data;
    size_t len;
    char *inlined;
    struct kt_attr *attrs;
    size_t nattrs;
    const char *fault;
};

void kt_offer_init(struct kt_offer *o, char *inlined);

/** kt_offer_clear - wipe and forget; the inline storage stays */
void kt_offer_clear(struct kt_offer *o);

/** kt_offer_take - copy what a module gave: KT_SUCCESS; KT_MODULE_ERROR, with @fault set;
 * KT_NO_MEMORY */
int kt_offer_take(struct kt_offer *o, const struct kt_line *line, const struct kt_version *v,
                  const void *data, size_t len) KT_MUST_CHECK;

/** kt_offer_move - @to gets what @from has (its own is cleared); @from is empty afterwards */
void kt_offer_move(struct kt_offer *to, struct kt_offer *from);

/** kt_offer_pick - keep only the member that the line's `field=` names; KT_SUCCESS, KT_NOT_FOUND,
 * KT_CORRUPT, KT_NO_MEMORY */
int kt_offer_pick(struct kt_offer *o, const char *field, struct kt_err *err) KT_MUST_CHECK;

/** kt_offer_info - what a program is told of it; attributes stay the offer's */
void kt_offer_info(const struct kt_offer *o, struct kt_info *info);

#endif
