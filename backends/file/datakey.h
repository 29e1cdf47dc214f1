/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYTURN_FILE_DATAKEY_H
#define KEYTURN_FILE_DATAKEY_H

#include "store.h"

/*
 * Exchanging the data key. From the commit of kt_datakey_begin() on every writer seals under the new
 * key. Then all that is sealed under older ones is sealed anew, and kt_datakey_end() drops those.
 * Nothing of this is remembered anywhere but in the table datakey: a replaced key that is still
 * there says that a walk did not come to its end.
 */

/** struct kt_mark - by which a store is known that is still the one in which a walk began: another
 * file has another inode, and SQLite counts restoring and compacting as changes of the schema */
struct kt_mark {
    dev_t dev;
    ino_t ino;
    int64_t cookie;
};

/**
 * struct kt_exchange - an exchange of data keys
 * @key:     all rows under data keys with smaller ids are to be sealed anew
 * @resumed: there was no need for a new key: one that replaces others was there
 * @mark:    of the store when it began
 */
struct kt_exchange {
    int64_t key;
    bool resumed;
    struct kt_mark mark;
};

/**
 * kt_datakey_begin - see that there is a data key to seal everything under; inside a transaction
 * @now_ms: wall time. Ids grow with it, so that none is used twice, not after an old copy of the store
 *          was put back either
 * @fresh:  add one in any case
 *
 * KT_CORRUPT: KT_DATAKEYS_MAX keys are kept for what is damaged.
 */
int kt_datakey_begin(struct kt_session *s, int64_t now_ms, bool fresh,
                     struct kt_exchange *out) KT_MUST_CHECK;

/** struct kt_kept - data keys that rows are left under; @all: nobody can tell which */
struct kt_kept {
    int64_t ids[KT_DATAKEYS_MAX];
    size_t n;
    bool all;
};

/** kt_kept_add - a row is left under this data key */
void kt_kept_add(struct kt_kept *kept, int64_t id);

/**
 * kt_datakey_end - everything was looked at since kt_datakey_begin(): drop the older keys but those
 * that are kept; inside a transaction
 * @changed: set if the store is no longer the one in which @e began: nothing was dropped, and what was
 *           looked at has to be looked at again
 */
int kt_datakey_end(struct kt_session *s, const struct kt_exchange *e, const struct kt_kept *kept,
                   bool *changed) KT_MUST_CHECK;

#endif
