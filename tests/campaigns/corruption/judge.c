/* SPDX-License-Identifier: Apache-2.0 */

/* Ask everything, and compare with what is known. */

#include "corrupt.h"

#include <string.h>

/* ---- asking -------------------------------------------------------------------------------------- */

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* What was given, as text that can be compared; lists in order. */
static char *text_of(const struct kt_call *call)
{
    char **lines = calloc(call->ngiven + 1, sizeof(*lines));
    char *text = NULL;
    size_t len = 0;
    FILE *f;

    MUST(lines != NULL);
    for (size_t i = 0; i < call->ngiven; i++) {
        const struct modhost_given *g = &call->given[i];
        struct bytes b = { g->data, g->len };
        uint64_t sum = 0xcbf29ce484222325U;

        for (size_t k = 0; k < b.len; k++)
            sum = (sum ^ b.data[k]) * 0x100000001b3U;
        f = open_memstream(&lines[i], &len);
        MUST(f != NULL);
        fprintf(f, "%s %s %u %u %lld %lld %zu %llx", g->name != NULL ? g->name : "-",
                g->id != NULL ? g->id : "-", g->state, g->stages, (long long)g->created_ms,
                (long long)g->expires_ms, b.len, (unsigned long long)sum);
        for (size_t k = 0; k < g->nattrs; k++)
            fprintf(f, " %s=%s", g->attrs[k].key, g->attrs[k].value);
        MUST(fclose(f) == 0);
    }
    qsort(lines, call->ngiven, sizeof(*lines), by_text);
    f = open_memstream(&text, &len);
    MUST(f != NULL);
    for (size_t i = 0; i < call->ngiven; i++) {
        fprintf(f, "%s\n", lines[i]);
        free(lines[i]);
    }
    MUST(fclose(f) == 0);
    free(lines);
    return text;
}

static int ask_once(struct filestore *fs, const struct query *q)
{
    static const uint32_t stages[] = { KT_STAGE_CURRENT, KT_STAGE_PENDING, KT_STAGE_PREVIOUS };

    switch (q->ask) {
    case CURRENT:
    case PENDING:
    case PREVIOUS:
        return filestore_get_stage(fs, names[q->name], stages[q->ask]);
    case VERSION:
        return filestore_get(fs, names[q->name], q->id);
    case VERSIONS:
        modhost_call_reset(&fs->call);
        return fs->m->versions(fs->state, &fs->call, names[q->name]);
    case LIST:
        modhost_call_reset(&fs->call);
        return fs->m->list(fs->state, &fs->call, NULL);
    }
    return KT_INVALID;
}

/* A machine that stood still for ten seconds says nothing about the store; a hang comes again. */
static int ask(struct filestore *fs, const struct query *q)
{
    int rc = ask_once(fs, q);

    for (int i = 0; i < 2 && (rc == KT_TIMEOUT || rc == KT_BUSY); i++)
        rc = ask_once(fs, q);
    return rc;
}

/* ---- what is right ------------------------------------------------------------------------------- */

static bool is_value(const char *name, const struct modhost_given *g)
{
    static uint8_t value[65536];
    const size_t len = base_value(name, g->id, value);

    return g->len == len && memcmp(g->data, value, len) == 0;
}

static void record(struct filestore *fs, struct base *b, struct query q)
{
    MUST(b->nqueries < QUERIES_MAX);
    q.rc = ask(fs, &q);
    MUST(q.rc == KT_SUCCESS || q.rc == KT_NOT_FOUND || q.rc == KT_DISABLED);
    if (q.rc == KT_SUCCESS && q.ask < VERSIONS)
        MUST(is_value(names[q.name], fs->given));
    q.text = text_of(&fs->call);
    b->queries[b->nqueries++] = q;
}

void judge_record(struct filestore *fs, struct base *b)
{
    for (size_t i = 0; i < nnames; i++) {
        char ids[64][KT_ID_SIZE];
        size_t n = 0;

        for (enum ask a = CURRENT; a <= PREVIOUS; a++)
            record(fs, b, (struct query){ .ask = a, .name = i });
        record(fs, b, (struct query){ .ask = VERSIONS, .name = i });
        for (; n < fs->call.ngiven; n++)
            (void)snprintf(ids[n], KT_ID_SIZE, "%s", fs->call.given[n].id);
        for (size_t k = 0; k < n; k++) {
            struct query q = { .ask = VERSION, .name = i };

            memcpy(q.id, ids[k], sizeof(q.id));
            record(fs, b, q);
        }
    }
    record(fs, b, (struct query){ .ask = LIST });
}

/* ---- judging ------------------------------------------------------------------------------------- */

struct trial {
    const struct damage *d;
    struct filestore fs;
    struct tally *t;
    bool talk;
    bool doubt;        /* an answer was not the right one */
    unsigned in_a_row; /* corrupt ones */
    char why[600];
};

static const char *wrong(struct trial *t, const struct query *q, int rc, const char *why)
{
    (void)snprintf(t->why, sizeof(t->why), "%s: %d of %s %s: status %d %.300s", why, (int)q->ask,
                   q->ask == LIST ? "all" : names[q->name], q->id, rc, t->fs.call.msg);
    return t->why;
}

static bool has_line(const char *whole, const char *line, size_t n)
{
    for (; *whole != '\0'; whole += strcspn(whole, "\n") + 1)
        if (strncmp(whole, line, n) == 0)
            return true;
    return false;
}

/* Of a name that was hit an older head may have been put back: a list opens no more than heads. */
static bool may_be_listed(const struct trial *t, const char *line)
{
    const size_t n = strcspn(line, " ");

    for (size_t i = 0; i < nnames; i++)
        if (t->d->touched[i] && strlen(names[i]) == n && strncmp(names[i], line, n) == 0)
            return true;
    return false;
}

/* A list that is not whole: nothing in it that is not so, nothing missing that was not hit. */
static const char *judge_list(struct trial *t, const struct query *q, int rc, const char *text)
{
    const struct damage *d = t->d;

    if (d->back)
        return NULL;
    for (const char *line = text; *line != '\0'; line += strcspn(line, "\n") + 1)
        if (!has_line(q->text, line, strcspn(line, "\n") + 1) && !may_be_listed(t, line))
            return wrong(t, q, rc, "the list says what is not so");
    for (const char *line = q->text; d->only_these && *line != '\0';
         line += strcspn(line, "\n") + 1)
        if (!has_line(text, line, strcspn(line, " ") + 1) &&
            (rc == KT_SUCCESS || !may_be_listed(t, line)))
            return wrong(t, q, rc, "the list is short of a secret");
    return NULL;
}

static const char *judge_status(struct trial *t, const struct query *q, int rc)
{
    const struct damage *d = t->d;

    switch (rc) {
    case KT_CORRUPT:
        t->t->corrupt++;
        return NULL;
    case KT_NOT_FOUND:
    case KT_DISABLED:
        t->t->lost++;
        return d->lost || d->back ? NULL : wrong(t, q, rc, "a secret is gone");
    case KT_UNSUPPORTED:
        t->t->unsupported++;
        return d->version ? NULL : wrong(t, q, rc, "no newer format was written");
    default:
        return wrong(t, q, rc, "a status that is not allowed");
    }
}

static const char *judge_answer(struct trial *t, const struct query *q)
{
    const struct damage *d = t->d;
    const int rc = ask(&t->fs, q);
    char *text = text_of(&t->fs.call);
    const char *why = NULL;
    const bool right = rc == q->rc && strcmp(text, q->text) == 0;

    t->t->right += right ? 1 : 0;
    t->doubt |= !right;
    t->in_a_row = rc == KT_CORRUPT ? t->in_a_row + 1 : 0;
    if (right)
        ;
    else if (d->none || (d->only_these && q->ask != LIST && !d->touched[q->name]))
        why = wrong(t, q, rc, "a secret that was not hit");
    else if (q->ask == LIST && (rc == KT_SUCCESS || rc == KT_CORRUPT))
        why = judge_list(t, q, rc, text);
    else if (rc != KT_SUCCESS)
        why = judge_status(t, q, rc);
    else if (!d->back)
        why = wrong(t, q, rc, "a wrong answer");
    else if (q->ask < VERSIONS && !is_value(names[q->name], t->fs.given))
        why = wrong(t, q, rc, "a wrong value");
    else
        t->t->older++;
    if (t->talk && !right)
        printf("# %d %s %s: status %d, expected %d %s\n", (int)q->ask,
               q->ask == LIST ? "all" : names[q->name], q->id, rc, q->rc, t->fs.call.msg);
    free(text);
    return why;
}

/* What was hit is asked for, in one way or another, some of the rest, and the list; or all. Of a store that
 * is corrupt whatever one asks, a little: each such answer opens it twice. */
static bool is_asked(const struct trial *t, const struct query *q, struct dice *dice, bool all)
{
    const struct damage *d = t->d;
    const size_t draw = dice_below(dice, 24);
    const bool hit = d->only_these && q->ask != LIST && d->touched[q->name];

    if (t->talk || q->ask == LIST)
        return true;
    if (t->in_a_row >= 5 && !d->only_these)
        return draw == 0 && !all;
    return all || draw < 2 || (hit && (q->ask == CURRENT || draw < 8));
}

/* Was the secret found whose rows were hit, if anybody could? */
static const char *judge_check(struct trial *t)
{
    struct filestore *fs = &t->fs;
    int rc = KT_TIMEOUT;

    for (int i = 0; i < 3; i++) {
        modhost_call_reset(&fs->call);
        rc = modhost_verb(fs->m, fs->state, &fs->call, "check", NULL);
        if (rc != KT_TIMEOUT && rc != KT_BUSY)
            break;
    }
    if (t->talk)
        printf("%s# check: status %d %s\n", fs->call.out != NULL ? fs->call.out : "", rc,
               fs->call.msg);
    t->t->found += rc == KT_CORRUPT ? 1 : 0;
    if (rc == KT_SUCCESS && t->doubt && t->d->silent) {
        t->t->silent++;
        return NULL;
    }
    if (rc == (t->doubt ? KT_CORRUPT : KT_SUCCESS) || (rc == KT_CORRUPT && !t->d->none))
        return NULL;
    (void)snprintf(t->why, sizeof(t->why), "check: status %d %.400s, expected %s", rc, fs->call.msg,
                   t->doubt ? "corrupt" : "success");
    return t->why;
}

/* What was not hit can still be written. */
static const char *judge_put(struct trial *t, struct dice *dice)
{
    struct filestore *fs = &t->fs;
    char id[KT_ID_SIZE] = "";
    size_t name;
    int rc;

    do {
        name = dice_below(dice, nnames);
    } while (t->d->touched[name]);
    rc = filestore_put(fs, names[name], "written after", id, NULL);
    if (rc == KT_SUCCESS)
        rc = filestore_get(fs, names[name], NULL);
    if (rc == KT_SUCCESS && strcmp(fs->given->data, "written after") == 0)
        return NULL;
    (void)snprintf(t->why, sizeof(t->why), "put of %s, which was not hit: status %d %.400s",
                   names[name], rc, fs->call.msg);
    return t->why;
}

const char *judge(const char *dir, const struct damage *d, struct dice *dice, bool all, bool talk,
                  struct tally *tally)
{
    static char kept[600];
    struct trial t = { .d = d, .t = tally, .talk = talk };
    const char *why = NULL;

    t.fs.m = modhost_load("file");
    t.fs.path = path_of(dir, "s.db");
    t.fs.key = path_of(dir, "s.key");
    line_open(&t.fs);
    for (size_t i = 0; why == NULL && i < d->base->nqueries; i++)
        if (is_asked(&t, &d->base->queries[i], dice, all))
            why = judge_answer(&t, &d->base->queries[i]);
    /* it has to find something if an answer was not right; else it may, if anything was damaged */
    if (why == NULL && (t.doubt || d->none || talk || dice_below(dice, 3) == 0))
        why = judge_check(&t);
    if (why == NULL && d->only_these && !d->none && dice_below(dice, 16) == 0)
        why = judge_put(&t, dice);
    t.fs.m->close(t.fs.state);
    modhost_call_done(&t.fs.call);
    free(t.fs.path);
    free(t.fs.key);
    if (why == NULL && modhost_live() != 0)
        why = "secret memory was not given back";
    if (why == NULL)
        return NULL;
    (void)snprintf(kept, sizeof(kept), "%s", why);
    return kept;
}
