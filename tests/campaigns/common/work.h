/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYTURN_TESTS_CAMPAIGNS_WORK_H
#define KEYTURN_TESTS_CAMPAIGNS_WORK_H

/* A line of the file module, and what campaigns do with it. */

#include "model.h"

#include "../../modhost.h"

#define KT_WHY_MAX 600
#define KT_DIR_MAX 400

/* a secret that several writers count up; campaigns look after it themselves */
#define KT_SHARED "shared/counter"

enum kt_effect {
    KT_EFFECT_NONE, /* the secrets are what they were */
    KT_EFFECT_SAVE, /* they are in a file besides */
    KT_EFFECT_LOAD, /* they are what they were when the file was made */
};

/**
 * struct kt_verb_row - `keyturn file VERB`
 * @title:   for kt_verb_find()
 * @options: %s is the directory; NULL: none
 * @answers: what a person would type
 * @file:    what it makes, beside the store
 * @beside:  may run while others write
 * @whole:   loads all secrets or none; otherwise each secret whole
 */
struct kt_verb_row {
    const char *title;
    const char *verb;
    const char *options;
    const char *const *answers;
    enum kt_effect effect;
    const char *file;
    bool beside;
    bool whole;
};

/* ends with a NULL verb */
extern const struct kt_verb_row kt_verbs[];

/** kt_verb_find - its row */
unsigned kt_verb_find(const char *title);

/** struct kt_work - the store DIR/store.db with its key DIR/store.key */
struct kt_work {
    const struct kt_module *m;
    void *state;
    struct kt_call call;
    char dir[KT_DIR_MAX];
};

void kt_work_open(struct kt_work *w, const char *dir);
void kt_work_close(struct kt_work *w);

/** kt_work_do - both phases of an operation; its status, words in @w->call.msg */
int kt_work_do(struct kt_work *w, const struct kt_op *op);

/** kt_work_look - everything that is in the store, read as programs read; or @why it cannot be had */
bool kt_work_look(struct kt_work *w, struct kt_model *out, char why[KT_WHY_MAX]);

/**
 * kt_work_match - is what was seen what was acknowledged, but for operations that were under way?
 * @pending: done whole or not at all, each
 */
bool kt_work_match(const struct kt_model *seen, const struct kt_model *acked,
                   const struct kt_op *pending, size_t npending, char why[KT_WHY_MAX]);

/** kt_work_sound - SQLite's integrity_check */
bool kt_work_sound(const char *dir, char why[KT_WHY_MAX]);

/** kt_work_litter - are there more than @most files that do not belong to a store? */
bool kt_work_litter(const char *dir, unsigned most, char why[KT_WHY_MAX]);

/** kt_work_empty - remove what is in a directory, with the directories in it */
void kt_work_empty(const char *dir);

#endif
