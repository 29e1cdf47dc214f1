/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYTURN_FILE_PAGES_H
#define KEYTURN_FILE_PAGES_H

#include "store.h"

/* Whole stores, page by page: what is sealed stays so, and no key is needed. All inside the gate. */

/** struct kt_counts - what is in a store, as far as one can tell without its keys */
struct kt_counts {
    int64_t secrets;
    int64_t versions;
};

/** struct kt_patience - how long copying may take; look before entering the gate */
struct kt_patience {
    const struct kt_host *host;
    struct kt_call *call;
    int cancel_fd;
};

/** kt_pages_number - what a statement that counts says */
int kt_pages_number(struct kt_conn *c, enum kt_sql which, int64_t *out,
                    struct kt_fault *f) KT_MUST_CHECK;
int kt_pages_count(struct kt_conn *c, struct kt_counts *out, struct kt_fault *f) KT_MUST_CHECK;

/** kt_pages_check - is the database sound? @deep: and do its indices fit its tables? KT_CORRUPT */
int kt_pages_check(struct kt_conn *c, bool deep, struct kt_fault *f) KT_MUST_CHECK;

/**
 * kt_pages_copy - make @to what @from is at one instant, in one transaction of @to
 *
 * @from has a transaction open if others may write it. KT_AGAIN, KT_NO_SPACE, KT_CANCELLED …: @to is
 * what it was.
 */
int kt_pages_copy(struct kt_conn *from, struct kt_conn *to, const struct kt_patience *patience,
                  struct kt_fault *f) KT_MUST_CHECK;

/** kt_pages_write - the same, to a new file at @path, 0600, which is not synced yet */
int kt_pages_write(struct kt_conn *from, const char *path, const struct kt_patience *patience,
                   struct kt_fault *f) KT_MUST_CHECK;

/**
 * kt_pages_reset - the same, over a file that cannot be opened any more, in place
 *
 * Whoever has the file open goes on and sees what is new. If it is interrupted, the file stays
 * damaged.
 */
int kt_pages_reset(struct kt_conn *from, const char *path, const struct kt_patience *patience,
                   struct kt_fault *f) KT_MUST_CHECK;

#endif
