/* SPDX-License-Identifier: Apache-2.0 */

/* debug: stores nothing and answers as its line tells, for tests of stacks. */

#include <stdlib.h>
#include <string.h>

#include <keyturn/module.h>

enum op { GET, PREPARE, COMMIT, LIST, DELETE, STAGE, OPS };

struct debug {
    const struct kt_host *host;
    int answer[OPS];
    int64_t delay_ms;
    char *value;
    char *id;
    char *names;
};

static const struct kt_option options[] = {
    { "get", KT_OPTION_STRING, "success", "what get and versions answer: the name of a status" },
    { "put", KT_OPTION_STRING, NULL, "what both phases of a put answer" },
    { "prepare", KT_OPTION_STRING, NULL, "what a put's first phase answers" },
    { "commit", KT_OPTION_STRING, NULL, "what a put's second phase answers" },
    { "list", KT_OPTION_STRING, "success", "what list answers" },
    { "delete", KT_OPTION_STRING, "success", "what delete and restore answer" },
    { "stage", KT_OPTION_STRING, "success", "what stage answers" },
    { "value", KT_OPTION_STRING, "debug", "value of every secret" },
    { "id", KT_OPTION_STRING, "debug:1", "version id of every secret" },
    { "names", KT_OPTION_STRING, NULL, "names to list, separated by commas" },
    { "delay", KT_OPTION_DURATION, NULL, "wait this long before each answer" },
    { .name = NULL },
};

/* Which answers an option sets; `put` comes first and loses: the host keeps the table's order. */
static const struct {
    const char *option;
    unsigned ops;
} scripts[] = {
    { "get", 1U << GET },         { "put", 1U << PREPARE | 1U << COMMIT },
    { "prepare", 1U << PREPARE }, { "commit", 1U << COMMIT },
    { "list", 1U << LIST },       { "delete", 1U << DELETE },
    { "stage", 1U << STAGE },
};

static const char *const statuses[KT_STATUS_COUNT] = {
#define STATUS_NAME(sym, num, name, tell, exit, meaning) [num] = (name),
    KT_STATUS_MAP(STATUS_NAME)
#undef STATUS_NAME
};

static int find_status(const char *word)
{
    for (int i = 0; i < KT_STATUS_COUNT; i++)
        if (strcmp(statuses[i], word) == 0)
            return i;
    return -1;
}

static int set_script(struct debug *d, struct kt_call *call, const struct kt_arg *arg)
{
    for (size_t i = 0; i < sizeof(scripts) / sizeof(scripts[0]); i++) {
        int status;

        if (strcmp(scripts[i].option, arg->name) != 0)
            continue;
        status = find_status(arg->value);
        if (status < 0)
            return d->host->fail(call, KT_CONFIG_ERROR,
                                 "debug: '%s=%s': expected the name of a status, e.g. '%s=locked'",
                                 arg->name, arg->value, arg->name);
        for (int op = 0; op < OPS; op++)
            if (scripts[i].ops & 1U << op)
                d->answer[op] = status;
    }
    return KT_SUCCESS;
}

static void debug_close(void *state)
{
    struct debug *d = state;

    free(d->value);
    free(d->id);
    free(d->names);
    free(d);
}

static int debug_open(const struct kt_host *host, struct kt_call *call,
                      const struct kt_open_args *args, void **state)
{
    struct debug *d = calloc(1, sizeof(*d));
    int rc = KT_SUCCESS;

    if (!d)
        return host->fail(call, KT_NO_MEMORY, "debug: out of memory");
    d->host = host;
    for (size_t i = 0; i < args->nargs && rc == KT_SUCCESS; i++) {
        const struct kt_arg *arg = &args->args[i];
        char **text = strcmp(arg->name, "value") == 0   ? &d->value
                      : strcmp(arg->name, "id") == 0    ? &d->id
                      : strcmp(arg->name, "names") == 0 ? &d->names
                                                        : NULL;

        if (text) {
            *text = strdup(arg->value);
            if (!*text)
                rc = host->fail(call, KT_NO_MEMORY, "debug: out of memory");
        } else if (strcmp(arg->name, "delay") == 0) {
            d->delay_ms = arg->number;
        } else {
            rc = set_script(d, call, arg);
        }
    }
    if (rc != KT_SUCCESS) {
        debug_close(d);
        return rc;
    }
    *state = d;
    return KT_SUCCESS;
}

static int answer(const struct debug *d, struct kt_call *call, enum op op)
{
    int status = d->answer[op];

    if (d->delay_ms > 0) {
        int rc = d->host->sleep(call, d->delay_ms);

        if (rc != KT_SUCCESS)
            return rc;
    }
    if (status == KT_SUCCESS || status == KT_NOT_FOUND || status == KT_IGNORE)
        return status;
    return d->host->fail(call, status, "debug: told to answer '%s'", statuses[status]);
}

static struct kt_version only_version(const struct debug *d)
{
    return (struct kt_version){
        .size = sizeof(struct kt_version),
        .id = d->id,
        .stages = KT_STAGE_CURRENT,
    };
}

static int debug_get(void *state, struct kt_call *call, const char *name,
                     const struct kt_want *want)
{
    const struct debug *d = state;
    struct kt_version version = only_version(d);
    int rc = answer(d, call, GET);

    (void)name;
    if (rc != KT_SUCCESS)
        return rc;
    if (want->version && strcmp(want->version, d->id) != 0)
        return KT_NOT_FOUND;
    return d->host->give(call, 0, &version, d->value, strlen(d->value));
}

static int debug_versions(void *state, struct kt_call *call, const char *name)
{
    const struct debug *d = state;
    struct kt_version version = only_version(d);
    int rc = answer(d, call, GET);

    (void)name;
    return rc == KT_SUCCESS ? d->host->give_version(call, &version) : rc;
}

static bool has_prefix(const char *name, const char *prefix)
{
    size_t len = prefix ? strlen(prefix) : 0;

    return len == 0 || (strncmp(name, prefix, len) == 0 && (!name[len] || name[len] == '/'));
}

static int debug_list(void *state, struct kt_call *call, const char *prefix)
{
    const struct debug *d = state;
    struct kt_version version = only_version(d);
    int rc = answer(d, call, LIST);
    char *names;
    char *rest;

    if (rc != KT_SUCCESS || !d->names)
        return rc;
    names = strdup(d->names);
    if (!names)
        return d->host->fail(call, KT_NO_MEMORY, "debug: out of memory");
    rest = names;
    for (const char *name; rc == KT_SUCCESS && (name = strsep(&rest, ",")) != NULL;)
        if (*name && has_prefix(name, prefix))
            rc = d->host->give_name(call, name, &version);
    free(names);
    return rc;
}

static int debug_put(void *state, struct kt_call *call, enum kt_phase phase, const char *name,
                     const struct kt_put *put)
{
    (void)name;
    (void)put;
    return answer(state, call, phase == KT_PREPARE ? PREPARE : COMMIT);
}

static int debug_stage(void *state, struct kt_call *call, enum kt_phase phase, const char *name,
                       uint32_t stage, const char *version, const char *expected)
{
    (void)phase;
    (void)name;
    (void)stage;
    (void)version;
    (void)expected;
    return answer(state, call, STAGE);
}

static int debug_del(void *state, struct kt_call *call, enum kt_phase phase, const char *name,
                     const struct kt_delete *del, bool *restorable)
{
    (void)phase;
    (void)name;
    (void)del;
    *restorable = false;
    return answer(state, call, DELETE);
}

static int debug_restore(void *state, struct kt_call *call, enum kt_phase phase, const char *name)
{
    (void)phase;
    (void)name;
    return answer(state, call, DELETE);
}

static int debug_forget(void *state, struct kt_call *call, const char *name, const char *id)
{
    (void)state;
    (void)call;
    (void)name;
    (void)id;
    return KT_SUCCESS;
}

static int debug_report(void *state, struct kt_call *call, const char *name, const char *id,
                        enum kt_report what)
{
    (void)state;
    (void)call;
    (void)name;
    (void)id;
    (void)what;
    return KT_SUCCESS;
}

/* As a store that cannot be read would say. */
static int debug_viable(void *state, struct kt_call *call, const struct kt_arg *args, size_t nargs)
{
    const struct debug *d = state;

    (void)args;
    (void)nargs;
    d->host->print(call, "it answers as it is told");
    return answer(d, call, GET);
}

static const struct kt_verb verbs[] = {
    { "viable", "answer as a get", NULL, debug_viable },
    { .name = NULL },
};

const struct kt_module kt_module = {
    .abi = KT_MODULE_ABI,
    .size = sizeof(struct kt_module),
    .kind = KT_KIND_BACKEND,
    .role = KT_ROLE_TEST,
    .protection = KT_CLASS_MEMORY,
    .cas = KT_CAS_NATIVE,
    .naming = KT_NAMING_PLAIN,
    .capabilities = KT_CAP_SCRIPTED | KT_CAP_ATTRS | KT_CAP_DISABLE | KT_CAP_DESTROY |
                    KT_CAP_VERSIONS | KT_CAP_STAGES | KT_CAP_BINARY | KT_CAP_EXPIRES |
                    KT_CAP_RESTORE | KT_CAP_LIST | KT_CAP_OWN_ID,
    .value_max = KT_VALUE_MAX,
    .name_max = KT_NAME_MAX,
    .name = "debug",
    .version = KT_VERSION,
    .summary = "stores nothing and answers as told, for tests of stacks",
    .options = options,
    .verbs = verbs,
    .open = debug_open,
    .close = debug_close,
    .get = debug_get,
    .list = debug_list,
    .versions = debug_versions,
    .put = debug_put,
    .stage = debug_stage,
    .del = debug_del,
    .restore = debug_restore,
    .forget = debug_forget,
    .report = debug_report,
};
