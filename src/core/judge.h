/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYTURN_CORE_JUDGE_H
#define KEYTURN_CORE_JUDGE_H

#include "handle.h"
#include "offer.h"

/* Age is judged here, not by modules. Source: DESIGN 5. */

/**
 * struct kt_terms - what the caller asked for
 * @max_age_ms: -1 = as the lines say; 0 = only the authority
 * @ruled:      a policy covers the name
 */
struct kt_terms {
    struct kt_want want;
    int64_t max_age_ms;
    bool ruled;
};

enum kt_verdict {
    KT_ANSWERS, /* the status stands */
    KT_IN_HAND, /* too old to answer, young enough if nobody else can be asked */
    KT_PASSED,  /* no answer of this line's to give */
};

/**
 * kt_judge_skips - there is no use in asking this line
 * @note: a few words why
 */
bool kt_judge_skips(const struct kt_handle *h, const struct kt_line *line,
                    const struct kt_terms *terms, const char **note);

/**
 * kt_judge - what a line's answer is worth
 * @raw:  what its module answered
 * @o:    what it offered; age and flags are set here
 * @note: a few words why, for explain
 *
 * Returns the status that goes to the stack, and says in @verdict whether the offer is an answer.
 */
int kt_judge(const struct kt_handle *h, const struct kt_line *line, const struct kt_terms *terms,
             int raw, struct kt_offer *o, enum kt_verdict *verdict, const char **note);

#endif
