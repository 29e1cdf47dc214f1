/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYTURN_POWERLOSS_JUDGE_H
#define KEYTURN_POWERLOSS_JUDGE_H

#include "story.h"

/**
 * struct pl_verdict - what came of one state
 * @checked: `check` looked at the whole store
 * @why:     "": all is well
 */
struct pl_verdict {
    bool checked;
    char why[1500];
};

/**
 * pl_judge - open the store in @dir, in a process of its own, and see that what must be there is there:
 * every secret as the acknowledged operations left it, the running one's whole or not at all, and
 * that the next put works. @thorough: open it once more after that, and `check` it
 */
void pl_judge(const char *dir, const struct pl_expected *e, bool thorough, struct pl_verdict *out);

#endif
