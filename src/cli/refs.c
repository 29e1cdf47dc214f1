/* SPDX-License-Identifier: Apache-2.0 */
#include "refs.h"

#include "core/field.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MANY 10000 /* names that kt_get_many() takes */

/** struct home - a service that is referred to; opened when it is first asked */
struct home {
    char *service; /* NULL = the command line's */
    struct kt_handle *h;
};

/**
 * struct value - a version that is wanted, asked for once however many fields of it are
 * @fresh, @status: what the fetch under way has got; @asked: it has asked
 */
struct value {
    size_t home;
    struct ref ref; /* its field is NULL */
    struct kt_secret *secret;
    struct kt_secret *fresh;
    struct kt_err err;
    bool asked;
};

/** struct wanted - a reference; @member, @fresh: its field's content, if it names one */
struct wanted {
    char *text;
    char *field;
    size_t value;
    struct kt_secret *member;
    struct kt_secret *fresh;
};

struct refs {
    const struct cli *cli;
    struct home *homes;
    struct value *values;
    struct wanted *wanted;
    size_t nhomes;
    size_t nvalues;
    size_t n;
    bool fetched;
    bool changed;
};

static int no_memory(struct kt_err *err)
{
    return err_explain(err, KT_NO_MEMORY, "out of memory");
}

struct refs *refs_new(const struct cli *cli)
{
    struct refs *r = calloc(1, sizeof(*r));

    if (r == NULL) {
        (void)fail_status(cli, KT_NO_MEMORY, NULL, "out of memory");
        _exit(kt_status_exit(KT_NO_MEMORY));
    }
    r->cli = cli;
    return r;
}

static void forget_fresh(struct refs *r)
{
    for (size_t i = 0; i < r->nvalues; i++) {
        kt_secret_free(r->values[i].fresh);
        r->values[i].fresh = NULL;
        r->values[i].asked = false;
    }
    for (size_t i = 0; i < r->n; i++) {
        kt_secret_free(r->wanted[i].fresh);
        r->wanted[i].fresh = NULL;
    }
}

void refs_free(struct refs *r)
{
    if (r == NULL)
        return;
    forget_fresh(r);
    for (size_t i = 0; i < r->n; i++) {
        kt_secret_free(r->wanted[i].member);
        free(r->wanted[i].text);
        free(r->wanted[i].field);
    }
    for (size_t i = 0; i < r->nvalues; i++) {
        kt_secret_free(r->values[i].secret);
        ref_done(&r->values[i].ref);
    }
    for (size_t i = 0; i < r->nhomes; i++) {
        kt_close(r->homes[i].h);
        free(r->homes[i].service);
    }
    free(r->wanted);
    free(r->values);
    free(r->homes);
    free(r);
}

void refs_freep(struct refs **r)
{
    refs_free(*r);
}

/* ---- adding ----------------------------------------------------------------------------------- */

static bool same(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

/* One of @n members of @size bytes more, zeroed; NULL: no memory. */
static void *one_more(void *array, size_t n, size_t size, void **at)
{
    void *grown = n % 16 == 0 ? reallocarray(array, n + 16, size) : array;

    if (grown == NULL)
        return NULL;
    *at = (char *)grown + n * size;
    memset(*at, 0, size);
    return grown;
}

static int copy_text(const char *text, char **out, struct kt_err *err)
{
    char *copy = NULL;

    if (text != NULL) {
        copy = strdup(text);
        if (copy == NULL)
            return no_memory(err);
    }
    *out = copy;
    return KT_SUCCESS;
}

static int add_home(struct refs *r, const char *service, size_t *index, struct kt_err *err)
{
    void *at, *grown;

    for (size_t i = 0; i < r->nhomes; i++)
        if (same(r->homes[i].service, service)) {
            *index = i;
            return KT_SUCCESS;
        }
    grown = one_more(r->homes, r->nhomes, sizeof(*r->homes), &at);
    if (grown == NULL)
        return no_memory(err);
    r->homes = grown;
    *index = r->nhomes++;
    return copy_text(service, &r->homes[*index].service, err);
}

static int add_value(struct refs *r, const struct ref *ref, size_t home, size_t *index,
                     struct kt_err *err)
{
    const char *stage = ref->stage != NULL && strcmp(ref->stage, "current") != 0 ? ref->stage
                                                                                 : NULL;
    void *at, *grown;
    struct value *v;
    int rc;

    for (size_t i = 0; i < r->nvalues; i++) {
        v = &r->values[i];
        if (v->home == home && strcmp(v->ref.name, ref->name) == 0 &&
            same(v->ref.version, ref->version) && same(v->ref.stage, stage)) {
            *index = i;
            return KT_SUCCESS;
        }
    }
    grown = one_more(r->values, r->nvalues, sizeof(*r->values), &at);
    if (grown == NULL)
        return no_memory(err);
    r->values = grown;
    v = at;
    v->home = home;
    rc = copy_text(ref->name, &v->ref.name, err);
    if (rc == KT_SUCCESS)
        rc = copy_text(ref->version, &v->ref.version, err);
    if (rc == KT_SUCCESS)
        rc = copy_text(stage, &v->ref.stage, err);
    if (rc != KT_SUCCESS) {
        ref_done(&v->ref);
        return rc;
    }
    *index = r->nvalues++;
    return KT_SUCCESS;
}

/* As it was meant; a field's bytes are shown as they are. */
static char *tell(const struct ref *ref)
{
    char *text = NULL;
    const char *which = ref->version != NULL ? ref->version : ref->stage;

    if (asprintf(&text, REF_SCHEME "//%s/%s%s%s%s%s", ref->service != NULL ? ref->service : "",
                 ref->name,
                 ref->version != NULL ? "?version="
                 : which != NULL      ? "?stage="
                                      : "",
                 which != NULL ? which : "",
                 ref->field == NULL ? ""
                 : which != NULL    ? "&field="
                                    : "?field=",
                 ref->field != NULL ? ref->field : "") < 0)
        return NULL;
    return text;
}

int refs_add(struct refs *r, const struct ref *ref, size_t *index, struct kt_err *err)
{
    size_t home = 0, value = 0;
    struct wanted *w;
    void *at, *grown;
    int rc = add_home(r, ref->service, &home, err);

    if (rc == KT_SUCCESS)
        rc = add_value(r, ref, home, &value, err);
    if (rc != KT_SUCCESS)
        return rc;
    for (size_t i = 0; i < r->n; i++)
        if (r->wanted[i].value == value && same(r->wanted[i].field, ref->field)) {
            *index = i;
            return KT_SUCCESS;
        }
    grown = one_more(r->wanted, r->n, sizeof(*r->wanted), &at);
    if (grown == NULL)
        return no_memory(err);
    r->wanted = grown;
    w = at;
    w->value = value;
    w->text = tell(ref);
    rc = copy_text(ref->field, &w->field, err);
    if (w->text == NULL || rc != KT_SUCCESS) {
        free(w->text);
        free(w->field);
        return no_memory(err);
    }
    *index = r->n++;
    return KT_SUCCESS;
}

/* ---- fetching --------------------------------------------------------------------------------- */

/* A person is asked the first time at most: later the terminal is somebody else's. */
static int options_of(const struct refs *r, const struct value *v, int64_t until_ms,
                      struct kt_get_options *options, struct kt_err *err)
{
    const int64_t left = until_ms - session_now_ms();

    *options = (struct kt_get_options){
        .size = sizeof(*options),
        .timeout_ms = left,
        .may_prompt = !r->fetched && session_call(r->cli).may_prompt,
        .version = v->ref.version,
        .stage = v->ref.stage,
    };
    if (left > 0)
        return KT_SUCCESS;
    return err_explain(err, KT_TIMEOUT, "no answer within --timeout");
}

/* These go in one question: one service, one stage, and no version named. */
static bool go_together(const struct value *a, const struct value *b)
{
    return a->home == b->home && a->ref.version == NULL && b->ref.version == NULL &&
           same(a->ref.stage, b->ref.stage);
}

static int ask_many(struct kt_handle *h, struct value **batch, size_t n,
                    const struct kt_get_options *options, struct kt_err *err)
{
    const char **names = calloc(n, sizeof(*names));
    struct kt_result *results = calloc(n, sizeof(*results));
    int rc = KT_NO_MEMORY;

    if (names == NULL || results == NULL) {
        rc = no_memory(err);
        goto out;
    }
    for (size_t i = 0; i < n; i++)
        names[i] = batch[i]->ref.name;
    rc = kt_get_many(h, names, n, options, results, err);
    for (size_t i = 0; i < n; i++) {
        batch[i]->fresh = results[i].secret;
        batch[i]->err = results[i].err;
        if (rc == KT_SUCCESS)
            batch[i]->err.status = results[i].status;
    }
out:
    free(names);
    free(results);
    return rc;
}

/* Asks for the value at @first and all that go with it; their .err tell how that went. */
static void ask(struct refs *r, size_t first, int64_t until_ms)
{
    struct value *v = &r->values[first];
    struct home *home = &r->homes[v->home];
    struct value **batch = calloc(r->nvalues - first, sizeof(struct value *));
    struct kt_get_options options;
    struct kt_err err = { .status = KT_SUCCESS };
    size_t n = 0;
    int rc = batch == NULL ? no_memory(&err) : options_of(r, v, until_ms, &options, &err);

    for (size_t i = first; batch != NULL && i < r->nvalues && n < MANY; i++)
        if (i == first || (!r->values[i].asked && go_together(v, &r->values[i]))) {
            r->values[i].asked = true;
            batch[n++] = &r->values[i];
        }
    if (rc == KT_SUCCESS && home->h == NULL)
        rc = session_open_service(r->cli, home->service != NULL ? home->service : r->cli->service,
                                  &home->h, &err);
    if (rc == KT_SUCCESS && n > 1) {
        rc = ask_many(home->h, batch, n, &options, &err);
    } else if (rc == KT_SUCCESS) {
        v->err = (struct kt_err){ 0 };
        v->err.status = kt_get(home->h, v->ref.name, &options, &v->fresh, &v->err);
    }
    if (rc != KT_SUCCESS)
        for (size_t i = 0; i < n; i++)
            batch[i]->err = err;
    if (batch == NULL) {
        v->asked = true;
        v->err = err;
    }
    free(batch);
}

static int take_field(struct wanted *w, const struct value *v, struct kt_err *err)
{
    const char *data = kt_secret_data(v->fresh);
    struct input room = { 0 };
    struct kt_field f;
    int rc = kt_field_find(data, kt_secret_len(v->fresh), w->field, &f);

    if (rc == KT_NOT_FOUND)
        return err_explain(err, rc, "the value has no member '%.128s'", w->field);
    if (rc != KT_SUCCESS)
        return err_explain(err, rc, "the value is no JSON object, so it has no member '%.128s'",
                           w->field);
    if (!input_new(&room))
        return no_memory(err);
    rc = kt_secret_new(room.data, kt_field_decode(data, &f, (char *)room.data), &w->fresh);
    input_free(&room);
    return rc == KT_SUCCESS ? rc : no_memory(err);
}

static bool differs(const struct kt_secret *a, const struct kt_secret *b)
{
    return a == NULL || kt_secret_len(a) != kt_secret_len(b) ||
           memcmp(kt_secret_data(a), kt_secret_data(b), kt_secret_len(a)) != 0;
}

static void replace(struct kt_secret **old, struct kt_secret **fresh)
{
    kt_secret_free(*old);
    *old = *fresh;
    *fresh = NULL;
}

/* All have come: they take the place of the old ones. */
static void settle(struct refs *r)
{
    r->changed = false;
    for (size_t i = 0; i < r->n; i++) {
        const struct wanted *w = &r->wanted[i];
        const struct value *v = &r->values[w->value];

        r->changed |= w->field != NULL ? differs(w->member, w->fresh)
                                       : differs(v->secret, v->fresh);
    }
    for (size_t i = 0; i < r->n; i++)
        if (r->wanted[i].field != NULL)
            replace(&r->wanted[i].member, &r->wanted[i].fresh);
    for (size_t i = 0; i < r->nvalues; i++)
        replace(&r->values[i].secret, &r->values[i].fresh);
    r->fetched = true;
}

int refs_fetch(struct refs *r, size_t *failed, struct kt_err *err)
{
    const int64_t until_ms = (r->fetched ? session_now_ms() : r->cli->begun_ms) +
                             r->cli->timeout_ms;

    for (size_t i = 0; i < r->n; i++) {
        struct wanted *w = &r->wanted[i];
        struct value *v = &r->values[w->value];
        int rc;

        if (!v->asked)
            ask(r, w->value, until_ms);
        *err = v->err;
        rc = v->err.status;
        if (rc == KT_SUCCESS && w->field != NULL)
            rc = take_field(w, v, err);
        if (rc != KT_SUCCESS) {
            *failed = i;
            forget_fresh(r);
            return rc;
        }
    }
    settle(r);
    forget_fresh(r);
    return KT_SUCCESS;
}

int refs_adopt(struct refs *r, size_t index, const void *data, size_t len, struct kt_err *err)
{
    struct kt_secret *own = NULL;

    if (kt_secret_new(data, len, &own) != KT_SUCCESS)
        return no_memory(err);
    replace(&r->wanted[index].member, &own);
    return KT_SUCCESS;
}

/* ---- what came -------------------------------------------------------------------------------- */

bool refs_changed(const struct refs *r)
{
    return r->changed;
}

size_t refs_count(const struct refs *r)
{
    return r->n;
}

const char *refs_value(const struct refs *r, size_t index, size_t *len)
{
    const struct wanted *w = &r->wanted[index];
    const struct kt_secret *s = w->member != NULL ? w->member : r->values[w->value].secret;

    *len = kt_secret_len(s);
    return kt_secret_data(s);
}

const struct kt_info *refs_info(const struct refs *r, size_t index)
{
    const struct kt_secret *s = r->values[r->wanted[index].value].secret;

    return s != NULL ? kt_secret_info(s) : NULL;
}

void refs_warn(const struct refs *r)
{
    for (size_t i = 0; i < r->nvalues; i++)
        if (r->values[i].secret != NULL)
            info_warn(r->cli, r->values[i].ref.name, kt_secret_info(r->values[i].secret));
}

const char *refs_text(const struct refs *r, size_t index)
{
    return r->wanted[index].text;
}

struct kt_handle *refs_handle(const struct refs *r, size_t index)
{
    return r->homes[r->values[r->wanted[index].value].home].h;
}

const char *refs_name(const struct refs *r, size_t index)
{
    return r->values[r->wanted[index].value].ref.name;
}

bool refs_moves(const struct refs *r, size_t index)
{
    return r->values[r->wanted[index].value].ref.version == NULL;
}
