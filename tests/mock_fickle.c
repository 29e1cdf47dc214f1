/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A store for the tests of `keyturn copy`: it has what its line says, in memory, and does wrong what the
 * line asks for. What it holds in the end goes to a file.
 */

#include <stdio.h>

#include "mock.h"

#define ROWS 64
#define FIELDS 6

enum { SEED, DUMP, THROTTLE, DIES, STATUS, INTRUDER, TORN, LOSES, OPTIONS };

static const struct kt_option options[] = {
    { "seed", KT_OPTION_STRING, NULL, "NAME|ID|VALUE|STAGES|STATE|CREATED, as a|x:1|v|c|e|1000" },
    { "dump", KT_OPTION_PATH, NULL, "file to write in the end" },
    { "throttle", KT_OPTION_NUMBER, "0", "so many puts are throttled first" },
    { "dies", KT_OPTION_NUMBER, "0", "from this call on, all fail" },
    { "status", KT_OPTION_STRING, "unavailable", "by this status" },
    { "intruder", KT_OPTION_NUMBER, "0", "with this put another writer changes the secret" },
    { "torn", KT_OPTION_FLAG, NULL, "gives other bytes than it was given" },
    { "loses", KT_OPTION_FLAG, NULL, "forgets attributes" },
    { .name = NULL },
};

struct row {
    char name[64];
    char id[KT_ID_SIZE];
    char value[64];
    size_t len;
    uint32_t stages;
    uint32_t state;
    int64_t created_ms;
    struct kt_attr attr; /* the first one */
    char key[16];
    char text[16];
};

struct fickle {
    const struct kt_host *host;
    const char *given[OPTIONS];
    int64_t number[OPTIONS];
    char *texts[OPTIONS];
    struct row rows[ROWS];
    size_t n;
    int64_t calls;
    int64_t puts;
};

static const char *const statuses[KT_STATUS_COUNT] = {
#define STATUS_NAME(sym, num, name, tell, exit, meaning) [num] = (name),
    KT_STATUS_MAP(STATUS_NAME)
#undef STATUS_NAME
};

static uint32_t stages_of(const char *letters)
{
    return (strchr(letters, 'c') ? KT_STAGE_CURRENT : 0) |
           (strchr(letters, 'p') ? KT_STAGE_PREVIOUS : 0) |
           (strchr(letters, 'n') ? KT_STAGE_PENDING : 0);
}

static void seed(struct fickle *f, char *text)
{
    for (char *item; f->n < ROWS && (item = strsep(&text, ",")) != NULL;) {
        const char *field[FIELDS] = { "", "", "", "", "e", "0" };
        struct row *r = &f->rows[f->n++];

        for (size_t i = 0; i < FIELDS && item; i++)
            field[i] = strsep(&item, "|");
        snprintf(r->name, sizeof(r->name), "%s", field[0]);
        snprintf(r->id, sizeof(r->id), "%s", field[1]);
        snprintf(r->value, sizeof(r->value), "%s", field[2]);
        r->len = strlen(r->value);
        r->stages = stages_of(field[3]);
        r->state = field[4][0] == 'd'   ? KT_STATE_DISABLED
                   : field[4][0] == 'x' ? KT_STATE_DESTROYED
                                        : KT_STATE_ENABLED;
        r->created_ms = strtoll(field[5], NULL, 10);
    }
}

static void fickle_close(void *state)
{
    struct fickle *f = state;
    FILE *to = f->given[DUMP] ? fopen(f->given[DUMP], "w") : NULL;

    for (size_t i = 0; to && i < f->n; i++)
        fprintf(to, "%s %s %.*s %s%s%s%s%s%s%s\n", f->rows[i].name, f->rows[i].id,
                (int)f->rows[i].len, f->rows[i].value,
                f->rows[i].stages & KT_STAGE_CURRENT ? "c" : "",
                f->rows[i].stages & KT_STAGE_PREVIOUS ? "p" : "",
                f->rows[i].stages & KT_STAGE_PENDING ? "n" : "", f->rows[i].stages ? "" : "-",
                f->rows[i].attr.key ? " " : "", f->rows[i].attr.key ? f->rows[i].key : "",
                f->rows[i].attr.key ? f->rows[i].text : "");
    if (to)
        fclose(to);
    for (size_t i = 0; i < OPTIONS; i++)
        free(f->texts[i]);
    free(f);
}

static int fickle_open(const struct kt_host *host, struct kt_call *call,
                       const struct kt_open_args *args, void **state)
{
    struct fickle *f = calloc(1, sizeof(*f));

    if (!f)
        return host->fail(call, KT_NO_MEMORY, "mock_fickle: out of memory");
    f->host = host;
    for (size_t i = 0; i < args->nargs; i++)
        for (size_t k = 0; k < OPTIONS; k++)
            if (strcmp(args->args[i].name, options[k].name) == 0) {
                f->texts[k] = strdup(args->args[i].value);
                f->given[k] = f->texts[k];
                f->number[k] = args->args[i].number;
            }
    if (f->texts[SEED])
        seed(f, f->texts[SEED]);
    *state = f;
    return KT_SUCCESS;
}

/* Every call passes here: from one on they all fail. */
static int turn(struct fickle *f, struct kt_call *call)
{
    int status = KT_UNAVAILABLE;

    f->calls++;
    if (f->number[DIES] == 0 || f->calls < f->number[DIES])
        return KT_SUCCESS;
    for (int i = 0; i < KT_STATUS_COUNT; i++)
        if (strcmp(statuses[i], f->given[STATUS]) == 0)
            status = i;
    return f->host->fail(call, status, "mock_fickle: gone");
}

static struct kt_version version_of(const struct row *r)
{
    return (struct kt_version){
        .size = sizeof(struct kt_version),
        .id = r->id,
        .stages = r->stages,
        .state = r->state,
        .created_ms = r->created_ms,
        .attrs = r->attr.key ? &r->attr : NULL,
        .nattrs = r->attr.key ? 1 : 0,
    };
}

static struct row *find(struct fickle *f, const char *name, const char *id, uint32_t stage)
{
    for (size_t i = 0; i < f->n; i++) {
        struct row *r = &f->rows[i];

        if (strcmp(r->name, name) == 0 && (id ? strcmp(r->id, id) == 0 : (r->stages & stage) != 0))
            return r;
    }
    return NULL;
}

static int fickle_get(void *state, struct kt_call *call, const char *name,
                      const struct kt_want *want)
{
    struct fickle *f = state;
    const struct row *r = find(f, name, want->version, want->stage);
    int rc = turn(f, call);
    char value[sizeof(r->value)];
    struct kt_version v;

    if (rc != KT_SUCCESS)
        return rc;
    if (!r)
        return KT_NOT_FOUND;
    if (r->state != KT_STATE_ENABLED)
        return f->host->fail(call, KT_DISABLED, "mock_fickle: not enabled");
    memcpy(value, r->value, sizeof(value));
    if (f->given[TORN] && r->len > 0)
        value[r->len - 1] ^= 1;
    v = version_of(r);
    return f->host->give(call, 0, &v, value, r->len);
}

static int fickle_list(void *state, struct kt_call *call, const char *prefix)
{
    struct fickle *f = state;
    int rc = KT_SUCCESS;

    (void)prefix;
    for (size_t i = 0; i < f->n && rc == KT_SUCCESS; i++) {
        rc = turn(f, call);
        if (rc == KT_SUCCESS && (i == 0 || strcmp(f->rows[i].name, f->rows[i - 1].name) != 0))
            rc = f->host->give_name(call, f->rows[i].name, NULL);
    }
    return rc;
}

static int fickle_versions(void *state, struct kt_call *call, const char *name)
{
    struct fickle *f = state;
    int rc = turn(f, call);
    bool any = false;

    for (size_t i = 0; i < f->n && rc == KT_SUCCESS; i++)
        if (strcmp(f->rows[i].name, name) == 0) {
            const struct kt_version v = version_of(&f->rows[i]);

            any = true;
            rc = f->host->give_version(call, &v);
        }
    return rc == KT_SUCCESS && !any ? KT_NOT_FOUND : rc;
}

/* As DESIGN has it: current leaves previous behind, and is not pending any more. */
static void move(struct fickle *f, const char *name, uint32_t stage, struct row *to)
{
    for (size_t i = 0; i < f->n; i++) {
        struct row *r = &f->rows[i];

        if (strcmp(r->name, name) != 0)
            continue;
        if (stage == KT_STAGE_CURRENT && r != to)
            r->stages = r->stages & KT_STAGE_CURRENT ? KT_STAGE_PREVIOUS
                                                     : r->stages & ~KT_STAGE_PREVIOUS;
        r->stages &= ~stage;
    }
    if (to)
        to->stages = stage == KT_STAGE_CURRENT ? stage : to->stages | stage;
}

static struct row *add(struct fickle *f, const char *name, const char *id, const void *data,
                       size_t len)
{
    struct row *r = f->n < ROWS && len < sizeof(r->value) ? &f->rows[f->n] : NULL;

    if (!r)
        return NULL;
    f->n++;
    snprintf(r->name, sizeof(r->name), "%s", name);
    snprintf(r->id, sizeof(r->id), "%s", id);
    memcpy(r->value, data, len);
    r->len = len;
    return r;
}

static int commit(struct fickle *f, struct kt_call *call, const char *name,
                  const struct kt_put *put)
{
    struct row *r = add(f, name, put->id, put->data, put->len);

    if (!r)
        return f->host->fail(call, KT_NO_SPACE, "mock_fickle: full");
    if (put->nattrs > 0 && !f->given[LOSES]) {
        snprintf(r->key, sizeof(r->key), "%s", put->attrs[0].key);
        snprintf(r->text, sizeof(r->text), "%s", put->attrs[0].value);
        r->attr = (struct kt_attr){ r->key, r->text };
    }
    r->created_ms = put->created_ms;
    move(f, name, put->stage, r);
    if (++f->puts == f->number[INTRUDER])
        move(f, name, KT_STAGE_CURRENT, add(f, name, "fickle:other", "other", 5));
    return KT_SUCCESS;
}

static int check_expected(struct fickle *f, struct kt_call *call, const char *name,
                          const char *expected)
{
    const struct row *now = find(f, name, NULL, KT_STAGE_CURRENT);

    if (!expected || strcmp(expected, now ? now->id : "") == 0)
        return KT_SUCCESS;
    return f->host->fail(call, KT_CONFLICT, "mock_fickle: current is %s", now ? now->id : "none");
}

static int fickle_put(void *state, struct kt_call *call, enum kt_phase phase, const char *name,
                      const struct kt_put *put)
{
    struct fickle *f = state;
    const struct row *same = find(f, name, put->id, 0);
    int rc = turn(f, call);

    if (rc != KT_SUCCESS)
        return rc;
    if (f->number[THROTTLE] > 0) {
        f->number[THROTTLE]--;
        return f->host->fail(call, KT_THROTTLED, "mock_fickle: slower, please");
    }
    if (same)
        return same->len == put->len && memcmp(same->value, put->data, put->len) == 0 ? KT_SUCCESS
                                                                                      : KT_EXISTS;
    rc = check_expected(f, call, name, put->expected);
    return rc == KT_SUCCESS && phase == KT_COMMIT ? commit(f, call, name, put) : rc;
}

static int fickle_stage(void *state, struct kt_call *call, enum kt_phase phase, const char *name,
                        uint32_t stage, const char *version, const char *expected)
{
    struct fickle *f = state;
    struct row *r = version ? find(f, name, version, 0) : NULL;
    int rc = turn(f, call);

    if (rc == KT_SUCCESS && version && !r)
        return KT_NOT_FOUND;
    if (rc == KT_SUCCESS)
        rc = check_expected(f, call, name, expected);
    if (rc == KT_SUCCESS && phase == KT_COMMIT)
        move(f, name, stage, r);
    return rc;
}

const struct kt_module kt_module = {
    .abi = KT_MODULE_ABI,
    .size = sizeof(struct kt_module),
    .kind = KT_KIND_BACKEND,
    .role = KT_ROLE_STORE,
    .protection = KT_CLASS_SEALED,
    .cas = KT_CAS_NATIVE,
    .capabilities = KT_CAP_ATTRS | KT_CAP_DISABLE | KT_CAP_VERSIONS | KT_CAP_STAGES |
                    KT_CAP_BINARY | KT_CAP_LIST | KT_CAP_OWN_ID,
    .value_max = 60,
    .name_max = KT_NAME_MAX,
    .name = "mock_fickle",
    .version = "0.1",
    .summary = "does wrong what it is told to",
    .options = options,
    .open = fickle_open,
    .close = fickle_close,
    .get = fickle_get,
    .list = fickle_list,
    .versions = fickle_versions,
    .put = fickle_put,
    .stage = fickle_stage,
};
