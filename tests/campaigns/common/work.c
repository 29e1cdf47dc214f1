/* SPDX-License-Identifier: Apache-2.0 */
#include "work.h"

#include <dirent.h>
#include <ftw.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sqlite3.h>

static const char *const archive_words[] = { "words that keep nothing", "words that keep nothing",
                                             NULL };

const struct kt_verb_row kt_verbs[] = {
    { .title = "check", .verb = "check", .beside = true },
    { .title = "re-encrypt", .verb = "re-encrypt", .beside = true },
    { .title = "compact", .verb = "compact", .beside = true },
    { .title = "backup",
      .verb = "backup",
      .options = "to=%s/store.backup replace",
      .effect = KT_EFFECT_SAVE,
      .file = "store.backup",
      .beside = true },
    { .title = "restore",
      .verb = "restore",
      .options = "from=%s/store.backup replace",
      .effect = KT_EFFECT_LOAD,
      .whole = true },
    { .title = "import",
      .verb = "import",
      .options = "from=%s/store.backup",
      .effect = KT_EFFECT_LOAD },
    { .title = "export",
      .verb = "export",
      .options = "to=%s/store.archive replace",
      .answers = archive_words,
      .file = "store.archive" },
    { .title = "import an archive, dry",
      .verb = "import",
      .options = "from=%s/store.archive dry-run",
      .answers = archive_words },
    { .verb = NULL },
};

unsigned kt_verb_find(const char *title)
{
    unsigned i = 0;

    while (strcmp(kt_verbs[i].title, title) != 0)
        i++;
    return i;
}

static bool no(char why[KT_WHY_MAX], const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static bool no(char why[KT_WHY_MAX], const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(why, KT_WHY_MAX, fmt, ap);
    va_end(ap);
    return false;
}

/* ---- a line --------------------------------------------------------------------------------- */

void kt_work_open(struct kt_work *w, const char *dir)
{
    char words[2 * KT_DIR_MAX + 40];

    *w = (struct kt_work){ .m = modhost_load("file") };
    (void)snprintf(w->dir, sizeof(w->dir), "%s", dir);
    (void)snprintf(words, sizeof(words), "path=%s/store.db key=%s/store.key", dir, dir);
    modhost_call_init(&w->call);
    if (modhost_open(w->m, &w->call, words, &w->state) != KT_SUCCESS) {
        fprintf(stderr, "cannot open the module: %s\n", w->call.msg);
        abort();
    }
}

void kt_work_close(struct kt_work *w)
{
    w->m->close(w->state);
    modhost_call_done(&w->call);
}

/* ---- operations ----------------------------------------------------------------------------- */

static int put(struct kt_work *w, const char *name, const struct kt_op *op)
{
    uint8_t value[KT_VALUE_MAX];
    const struct kt_put p = {
        .size = sizeof(p),
        .stage = op->kind == KT_OP_PENDING ? KT_STAGE_PENDING : KT_STAGE_CURRENT,
        .id = op->id,
        .data = value,
        .len = op->len,
        .expected = op->kind == KT_OP_CREATE || op->kind == KT_OP_CAS ? op->expected : NULL,
    };
    int rc;

    kt_model_value(op->seed, op->len, value);
    rc = w->m->put(w->state, &w->call, KT_PREPARE, name, &p);
    return rc == KT_SUCCESS ? w->m->put(w->state, &w->call, KT_COMMIT, name, &p) : rc;
}

static int stage(struct kt_work *w, const char *name, uint32_t which, const char *id)
{
    int rc = w->m->stage(w->state, &w->call, KT_PREPARE, name, which, id, NULL);

    if (rc == KT_SUCCESS)
        rc = w->m->stage(w->state, &w->call, KT_COMMIT, name, which, id, NULL);
    return rc;
}

static int delete (struct kt_work *w, const char *name, const char *id, bool purge)
{
    const struct kt_delete d = { .size = sizeof(d), .purge = purge, .version = id };
    bool restorable;
    int rc = w->m->del(w->state, &w->call, KT_PREPARE, name, &d, &restorable);

    if (rc == KT_SUCCESS)
        rc = w->m->del(w->state, &w->call, KT_COMMIT, name, &d, &restorable);
    return rc;
}

static int verb(struct kt_work *w, const struct kt_verb_row *v)
{
    char options[2 * KT_DIR_MAX];

    w->call.answers = v->answers;
    w->call.asked = 0;
    if (v->options == NULL)
        return modhost_verb(w->m, w->state, &w->call, v->verb, NULL);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    (void)snprintf(options, sizeof(options), v->options, w->dir);
#pragma GCC diagnostic pop
    return modhost_verb(w->m, w->state, &w->call, v->verb, options);
}

int kt_work_do(struct kt_work *w, const struct kt_op *op)
{
    char name[16];

    kt_model_name(op->secret, name);
    modhost_call_reset(&w->call);
    switch (op->kind) {
    case KT_OP_PUT:
    case KT_OP_CREATE:
    case KT_OP_CAS:
    case KT_OP_PENDING:
        return put(w, name, op);
    case KT_OP_PROMOTE:
        return stage(w, name, KT_STAGE_CURRENT, op->id);
    case KT_OP_UNSTAGE:
        return stage(w, name, KT_STAGE_PENDING, NULL);
    case KT_OP_DESTROY:
        return delete (w, name, op->id, false);
    case KT_OP_PURGE:
        return delete (w, name, op->id, true);
    case KT_OP_DELETE:
        return delete (w, name, NULL, false);
    case KT_OP_VERB:
        return verb(w, &kt_verbs[op->verb]);
    }
    return KT_INVALID;
}

/* ---- looking -------------------------------------------------------------------------------- */

static int by_id(const void *a, const void *b)
{
    return strcmp(((const struct kt_mversion *)a)->id, ((const struct kt_mversion *)b)->id);
}

/* The value of a version, and that it is what its stage gives, too. */
static bool look_value(struct kt_work *w, const char *name, struct kt_mversion *v,
                       char why[KT_WHY_MAX])
{
    const struct kt_want current = { .size = sizeof(current),
                                     .stage = KT_STAGE_CURRENT,
                                     .max_age_ms = -1 };
    const struct modhost_given *g;
    int rc;

    modhost_call_reset(&w->call);
    rc = w->m->get(w->state, &w->call, name, modhost_want(v->id));
    if (rc != KT_SUCCESS)
        return no(why, "get %s %s: status %d: %s", name, v->id, rc, w->call.msg);
    g = w->call.given;
    if (!kt_model_seed(g->data, g->len, &v->seed))
        return no(why, "get %s %s: torn: %zu bytes that nobody wrote so", name, v->id, g->len);
    v->len = (uint32_t)g->len;
    if ((v->stages & KT_STAGE_CURRENT) == 0)
        return true;
    modhost_call_reset(&w->call);
    rc = w->m->get(w->state, &w->call, name, &current);
    if (rc != KT_SUCCESS || strcmp(w->call.given->id, v->id) != 0)
        return no(why, "get %s: status %d: %s; versions says that %s is current", name, rc,
                  w->call.msg, v->id);
    return true;
}

static bool look_secret(struct kt_work *w, unsigned i, struct kt_msecret *out, char why[KT_WHY_MAX])
{
    char name[16];
    int rc;

    kt_model_name(i, name);
    modhost_call_reset(&w->call);
    rc = w->m->versions(w->state, &w->call, name);
    if (rc != KT_SUCCESS)
        return no(why, "versions %s: status %d: %s", name, rc, w->call.msg);
    if (w->call.ngiven == 0 || w->call.ngiven > KT_MODEL_VERSIONS)
        return no(why, "versions %s: %zu of them", name, w->call.ngiven);
    for (size_t k = 0; k < w->call.ngiven; k++) {
        const struct modhost_given *g = &w->call.given[k];
        struct kt_mversion *v = &out->v[out->n++];

        *v = (struct kt_mversion){ .stages = g->stages,
                                   .destroyed = g->state == KT_STATE_DESTROYED };
        (void)snprintf(v->id, sizeof(v->id), "%s", g->id);
    }
    qsort(out->v, out->n, sizeof(out->v[0]), by_id);
    for (unsigned k = 0; k < out->n; k++)
        if (!out->v[k].destroyed && !look_value(w, name, &out->v[k], why))
            return false;
    return true;
}

/* Which secrets there are; @listed in the order of the model. */
static bool look_names(struct kt_work *w, struct kt_model *out, bool *listed, char why[KT_WHY_MAX])
{
    char name[16];
    int rc;

    modhost_call_reset(&w->call);
    rc = w->m->list(w->state, &w->call, NULL);
    out->made = rc != KT_NOT_FOUND;
    if (rc == KT_NOT_FOUND)
        return true;
    if (rc != KT_SUCCESS)
        return no(why, "list: status %d: %s", rc, w->call.msg);
    for (size_t k = 0; k < w->call.ngiven; k++) {
        unsigned i = 0;

        for (; i < KT_MODEL_SECRETS; i++) {
            kt_model_name(i, name);
            if (strcmp(name, w->call.given[k].name) == 0)
                break;
        }
        if (i < KT_MODEL_SECRETS && !listed[i])
            listed[i] = true;
        else if (strcmp(w->call.given[k].name, KT_SHARED) != 0)
            return no(why, "list: '%s' was never stored, or comes twice", w->call.given[k].name);
    }
    return true;
}

bool kt_work_look(struct kt_work *w, struct kt_model *out, char why[KT_WHY_MAX])
{
    bool listed[KT_MODEL_SECRETS] = { false };

    memset(out, 0, sizeof(*out));
    if (!look_names(w, out, listed, why))
        return false;
    for (unsigned i = 0; i < KT_MODEL_SECRETS; i++)
        if (listed[i] && !look_secret(w, i, &out->secrets[i], why))
            return false;
    return true;
}

/* What differs, for a person. */
static const char *secret_text(const struct kt_msecret *s, char *out, size_t len)
{
    size_t n = (size_t)snprintf(out, len, "%u versions", s->n);

    for (unsigned i = 0; i < s->n && n + 60 < len; i++)
        n += (size_t)snprintf(out + n, len - n, "%s %.36s/%u%s%u", i == 0 ? ":" : ",", s->v[i].id,
                              s->v[i].len, s->v[i].destroyed ? "!" : "@", s->v[i].stages);
    return out;
}

static bool all_same(const struct kt_model *a, const struct kt_model *b)
{
    for (unsigned i = 0; i < KT_MODEL_SECRETS; i++)
        if (!kt_model_same(&a->secrets[i], &b->secrets[i]))
            return false;
    return true;
}

bool kt_work_match(const struct kt_model *seen, const struct kt_model *acked,
                   const struct kt_op *pending, size_t npending, char why[KT_WHY_MAX])
{
    static struct kt_model after;
    char a[220];
    char b[220];
    char name[16];

    if (acked->made && !seen->made)
        return no(why, "the store is gone");
    for (size_t k = 0; k < npending; k++) {
        if (pending[k].kind != KT_OP_VERB || !kt_verbs[pending[k].verb].whole)
            continue;
        after = *acked;
        kt_model_apply(&after, &pending[k]);
        if (all_same(seen, &after))
            return true;
    }
    for (unsigned i = 0; i < KT_MODEL_SECRETS; i++) {
        bool same = kt_model_same(&seen->secrets[i], &acked->secrets[i]);

        for (size_t k = 0; !same && k < npending; k++) {
            if (pending[k].kind == KT_OP_VERB ? kt_verbs[pending[k].verb].whole
                                              : pending[k].secret != i)
                continue;
            after = *acked;
            kt_model_apply(&after, &pending[k]);
            same = kt_model_same(&seen->secrets[i], &after.secrets[i]);
        }
        kt_model_name(i, name);
        if (!same)
            return no(why, "%s is not what was acknowledged: has %s; expected %s", name,
                      secret_text(&seen->secrets[i], a, sizeof(a)),
                      secret_text(&acked->secrets[i], b, sizeof(b)));
    }
    return true;
}

/* ---- files ---------------------------------------------------------------------------------- */

static int take_text(void *arg, int n, char **values, char **names)
{
    (void)names;
    (void)snprintf(arg, KT_WHY_MAX, "%s", n > 0 && values[0] != NULL ? values[0] : "nothing");
    return 0;
}

bool kt_work_sound(const char *dir, char why[KT_WHY_MAX])
{
    char path[KT_DIR_MAX + 20];
    char said[KT_WHY_MAX] = "";
    sqlite3 *db = NULL;
    int rc;

    (void)snprintf(path, sizeof(path), "%s/store.db", dir);
    if (access(path, F_OK) != 0)
        return true;
    rc = sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(db, "PRAGMA integrity_check", take_text, said, NULL);
    if (rc != SQLITE_OK)
        (void)snprintf(said, sizeof(said), "%s", sqlite3_errmsg(db));
    (void)sqlite3_close(db);
    return strcmp(said, "ok") == 0 ? true : no(why, "integrity_check: %.400s", said);
}

/* What a store may have beside it, and what verbs make. */
static bool belongs(const char *name)
{
    static const char *const own[] = { "store.db",      "store.db-wal",     "store.db-shm",
                                       "store.db-lock", "store.db-journal", "store.key" };

    if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        return true;
    for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
        if (strcmp(name, own[i]) == 0)
            return true;
    for (unsigned i = 0; kt_verbs[i].verb != NULL; i++)
        if (kt_verbs[i].file != NULL && strcmp(name, kt_verbs[i].file) == 0)
            return true;
    return false;
}

bool kt_work_litter(const char *dir, unsigned most, char why[KT_WHY_MAX])
{
    DIR *d = opendir(dir);
    const struct dirent *e;
    unsigned found = 0;

    while (d != NULL && (e = readdir(d)) != NULL)
        if (!belongs(e->d_name) && ++found > most)
            (void)no(why, "%s/%s was left over, and %u more", dir, e->d_name, found - 1);
    if (d != NULL)
        (void)closedir(d);
    return found > most;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st;
    (void)type;
    if (at->level > 0)
        (void)remove(path);
    return 0;
}

void kt_work_empty(const char *dir)
{
    (void)nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}
