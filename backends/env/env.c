/* SPDX-License-Identifier: Apache-2.0 */

/*
 * env: secrets in environment variables and in a `.env` file.
 *
 * The environment is read with getenv() when asked; a program that calls setenv() in another thread
 * meanwhile breaks POSIX's rule, not ours. A variable of the environment counts before the file's,
 * as with every dotenv, and what it hides cannot be written.
 */

#include <stdlib.h>
#include <string.h>

#include <keyturn/module.h>

#include "dotfile.h"
#include "sighting.h"

extern char **environ;

struct env {
    const struct kt_host *host;
    bool mapped;
    bool privileged;
    char *file; /* NULL: environment only */
};

static const struct kt_option options[] = {
    { "file", KT_OPTION_PATH, NULL, "a .env file to read besides the environment, and to write" },
    { .name = NULL },
};

/* Names on a line without `name=`. The first name of a variable is the one that lists show. */
static const struct {
    const char *name;
    const char *variable;
} names[] = {
    { "deepseek/api-key", "DEEPSEEK_API_KEY" },
    { "deepseek-api-key", "DEEPSEEK_API_KEY" },
    { "deepseek/environment", "DEEPSEEK_ENVIRONMENT" },
    { "deepseek-environment", "DEEPSEEK_ENVIRONMENT" },
};

#define NAMES (sizeof(names) / sizeof(names[0]))

/* NULL: the name has no variable. */
static const char *variable_of(const struct env *e, const char *name)
{
    if (e->mapped)
        return kt_dotenv_is_key(name) ? name : NULL;
    for (size_t i = 0; i < NAMES; i++)
        if (strcmp(names[i].name, name) == 0)
            return names[i].variable;
    return NULL;
}

static void env_close(void *state)
{
    struct env *e = state;

    free(e->file);
    free(e);
}

static int env_open(const struct kt_host *host, struct kt_call *call,
                    const struct kt_open_args *args, void **state)
{
    struct env *e = calloc(1, sizeof(*e));

    if (!e)
        return host->fail(call, KT_NO_MEMORY, "env: out of memory");
    e->host = host;
    e->mapped = args->mapped;
    e->privileged = args->privileged;
    if (args->nargs > 0) {
        e->file = strdup(args->args[0].value);
        if (!e->file) {
            env_close(e);
            return host->fail(call, KT_NO_MEMORY, "env: out of memory");
        }
    }
    *state = e;
    return KT_SUCCESS;
}

/* Without a file there is nobody left to ask in a privileged process. */
static int check_allowed(const struct env *e, struct kt_call *call)
{
    if (!e->privileged || e->file)
        return KT_SUCCESS;
    return e->host->fail(call, KT_DENIED,
                         "env: a privileged program does not trust its environment: use another "
                         "module, or 'file='");
}

static const char *from_environment(const struct env *e, const char *variable)
{
    return e->privileged ? NULL : getenv(variable);
}

/* ---- reading --------------------------------------------------------------------------------- */

/* One value, in the environment or in the file's text. */
struct found {
    struct dotfile file;
    const char *data;
    size_t len;
    char *decoded; /* secret memory */
    char id[KT_ID_SIZE];
};

static void found_done(struct found *f)
{
    f->file.host->secret_free(f->decoded);
    dotfile_done(&f->file);
}

static int find_in_file(const struct env *e, struct kt_call *call, const char *variable,
                        struct found *f)
{
    struct kt_dotenv_entry entry;
    int rc;

    if (!e->file)
        return KT_NOT_FOUND;
    f->file.path = e->file;
    rc = dotfile_read(&f->file, call);
    if (rc != KT_SUCCESS)
        return rc;
    if (!dotfile_find(&f->file, variable, &entry))
        return KT_NOT_FOUND;
    f->decoded = e->host->secret_alloc(entry.raw_len + 1, 0);
    if (!f->decoded)
        return e->host->fail(call, KT_NO_MEMORY, "env: out of memory");
    f->len = kt_dotenv_value(&entry, f->decoded);
    f->data = f->decoded;
    return KT_SUCCESS;
}

/* Release with found_done(), whatever is returned. */
static int find(const struct env *e, struct kt_call *call, const char *name, struct found *f)
{
    const char *variable = variable_of(e, name);
    int rc = check_allowed(e, call);

    *f = (struct found){ .file.host = e->host };
    if (rc != KT_SUCCESS)
        return rc;
    if (!variable)
        return KT_NOT_FOUND;
    f->data = from_environment(e, variable);
    if (f->data)
        f->len = strlen(f->data);
    else
        rc = find_in_file(e, call, variable, f);
    if (rc != KT_SUCCESS)
        return rc;
    if (f->len > KT_VALUE_MAX)
        return e->host->fail(call, KT_TOO_LARGE, "env: %s is longer than %d bytes", variable,
                             KT_VALUE_MAX);
    if (!sighting_id(variable, f->data, f->len, f->id))
        return e->host->fail(call, KT_NO_MEMORY, "env: out of memory");
    return KT_SUCCESS;
}

static struct kt_version version_of(const struct found *f)
{
    return (struct kt_version){
        .size = sizeof(struct kt_version),
        .id = f->id,
        .stages = KT_STAGE_CURRENT,
    };
}

static int env_get(void *state, struct kt_call *call, const char *name, const struct kt_want *want)
{
    const struct env *e = state;
    struct found f;
    int rc = find(e, call, name, &f);

    if (rc == KT_SUCCESS) {
        struct kt_version version = version_of(&f);

        if (want->version ? strcmp(want->version, f.id) != 0 : want->stage != KT_STAGE_CURRENT)
            rc = KT_NOT_FOUND;
        else
            rc = e->host->give(call, 0, &version, f.data, f.len);
    }
    found_done(&f);
    return rc;
}

static int env_versions(void *state, struct kt_call *call, const char *name)
{
    const struct env *e = state;
    struct found f;
    int rc = find(e, call, name, &f);

    if (rc == KT_SUCCESS) {
        struct kt_version version = version_of(&f);

        rc = e->host->give_version(call, &version);
    }
    found_done(&f);
    return rc;
}

static bool has_prefix(const char *name, const char *prefix)
{
    size_t len = prefix ? strlen(prefix) : 0;

    return len == 0 || (strncmp(name, prefix, len) == 0 && (!name[len] || name[len] == '/'));
}

static int give_name(const struct env *e, struct kt_call *call, const char *text, size_t len,
                     const char *prefix)
{
    char name[KT_NAME_MAX + 1];

    if (len > KT_NAME_MAX)
        return KT_SUCCESS;
    memcpy(name, text, len);
    name[len] = '\0';
    if (!kt_dotenv_is_key(name) || !has_prefix(name, prefix))
        return KT_SUCCESS;
    return e->host->give_name(call, name, NULL);
}

/* Every variable there is; the host knows which of them are names of ours. */
static int list_variables(const struct env *e, struct kt_call *call, const struct dotfile *file,
                          const char *prefix)
{
    struct kt_dotenv d = { .text = file->text, .len = file->len };
    struct kt_dotenv_entry entry;
    struct kt_dotenv_entry last;
    int rc = KT_SUCCESS;

    for (char **v = e->privileged ? NULL : environ; v && *v && rc == KT_SUCCESS; v++)
        rc = give_name(e, call, *v, strcspn(*v, "="), prefix);
    while (rc == KT_SUCCESS && kt_dotenv_next(&d, &entry) == KT_SUCCESS) {
        char key[KT_NAME_MAX + 1];

        if (entry.key_len > KT_NAME_MAX)
            continue;
        memcpy(key, entry.key, entry.key_len);
        key[entry.key_len] = '\0';
        /* Each once: not those of the environment, nor assignments that do not count. */
        if (from_environment(e, key) || !dotfile_find(file, key, &last) ||
            last.begin != entry.begin)
            continue;
        rc = give_name(e, call, key, entry.key_len, prefix);
    }
    return rc;
}

static int list_defaults(const struct env *e, struct kt_call *call, const struct dotfile *file,
                         const char *prefix)
{
    int rc = KT_SUCCESS;

    for (size_t i = 0; i < NAMES && rc == KT_SUCCESS; i++) {
        const char *variable = names[i].variable;
        struct kt_dotenv_entry entry;

        if (i > 0 && strcmp(variable, names[i - 1].variable) == 0)
            continue;
        if (has_prefix(names[i].name, prefix) &&
            (from_environment(e, variable) || dotfile_find(file, variable, &entry)))
            rc = e->host->give_name(call, names[i].name, NULL);
    }
    return rc;
}

static int env_list(void *state, struct kt_call *call, const char *prefix)
{
    const struct env *e = state;
    struct dotfile file = { .host = e->host, .path = e->file };
    int rc = check_allowed(e, call);

    if (rc == KT_SUCCESS && e->file) {
        rc = dotfile_read(&file, call);
        if (rc == KT_NOT_FOUND)
            rc = KT_SUCCESS;
    }
    if (rc == KT_SUCCESS)
        rc = (e->mapped ? list_variables : list_defaults)(e, call, &file, prefix);
    dotfile_done(&file);
    return rc;
}

/* ---- writing --------------------------------------------------------------------------------- */

static int check_writable(const struct env *e, struct kt_call *call, const char *variable)
{
    if (!e->file)
        return e->host->fail(call, KT_READ_ONLY,
                             "env: the environment cannot be written: name a file with 'file='");
    if (variable && from_environment(e, variable))
        return e->host->fail(call, KT_READ_ONLY,
                             "env: %s is set in the environment, which counts before '%s': unset "
                             "it first",
                             variable, e->file);
    return KT_SUCCESS;
}

static int check_put(const struct env *e, struct kt_call *call, const char *name,
                     const struct kt_put *put)
{
    const char *variable = variable_of(e, name);
    int rc = check_writable(e, call, variable);

    if (rc != KT_SUCCESS)
        return rc;
    if (!variable)
        return e->host->fail(call, KT_INVALID, "env: '%s' %s", name,
                             e->mapped ? "cannot be the name of a variable: letters, digits and _"
                                       : "has no variable: say 'name='");
    if (put->expected)
        return e->host->fail(call, KT_UNSUPPORTED, "env: cannot compare the version before a put");
    if (put->stage != KT_STAGE_CURRENT)
        return e->host->fail(call, KT_UNSUPPORTED, "env: has no stage but 'current'");
    if (put->len > 0 && memchr(put->data, 0, put->len))
        return e->host->fail(call, KT_INVALID,
                             "env: the value of '%s' has a NUL byte, which no variable can hold",
                             name);
    return KT_SUCCESS;
}

static int env_put(void *state, struct kt_call *call, enum kt_phase phase, const char *name,
                   const struct kt_put *put)
{
    const struct env *e = state;
    int rc = check_put(e, call, name, put);

    if (rc != KT_SUCCESS)
        return rc;
    return dotfile_set(e->host, call, e->file, variable_of(e, name), put->len ? put->data : "",
                       put->len, phase == KT_COMMIT);
}

static int env_del(void *state, struct kt_call *call, enum kt_phase phase, const char *name,
                   const struct kt_delete *del, bool *restorable)
{
    const struct env *e = state;
    const char *variable = variable_of(e, name);
    int rc = check_writable(e, call, variable);

    if (rc != KT_SUCCESS)
        return rc;
    if (!variable)
        return KT_NOT_FOUND;
    if (del->version || del->expected)
        return e->host->fail(call, KT_UNSUPPORTED, "env: knows no versions to tell apart");
    *restorable = false;
    return dotfile_set(e->host, call, e->file, variable, NULL, 0, phase == KT_COMMIT);
}

/* ---- verbs ----------------------------------------------------------------------------------- */

static void print_variables(const struct env *e, struct kt_call *call)
{
    for (size_t i = 0; i < NAMES && !e->mapped; i++)
        if (i == 0 || strcmp(names[i].variable, names[i - 1].variable) != 0)
            e->host->print(call, "%s is %s in the environment", names[i].variable,
                           from_environment(e, names[i].variable) ? "set" : "not set");
}

static size_t count_assignments(const struct dotfile *f)
{
    struct kt_dotenv d = { .text = f->text, .len = f->len };
    struct kt_dotenv_entry entry;
    size_t n = 0;

    while (kt_dotenv_next(&d, &entry) == KT_SUCCESS)
        n++;
    return n;
}

/* May it be looked at, and is the file one that can be read? */
static int env_viable(void *state, struct kt_call *call, const struct kt_arg *args, size_t nargs)
{
    const struct env *e = state;
    struct dotfile file = { .host = e->host, .path = e->file };
    int rc = check_allowed(e, call);

    (void)args;
    (void)nargs;
    if (rc != KT_SUCCESS)
        return rc;
    print_variables(e, call);
    if (!e->file)
        return KT_SUCCESS;
    rc = dotfile_read(&file, call);
    if (rc == KT_SUCCESS)
        e->host->print(call, "%s has %zu assignments", e->file, count_assignments(&file));
    if (rc == KT_NOT_FOUND)
        e->host->print(call, "%s is not there yet: the first put makes it", e->file);
    dotfile_done(&file);
    return rc == KT_NOT_FOUND ? KT_SUCCESS : rc;
}

static const struct kt_verb verbs[] = {
    { "viable", "say which variables are set, and whether the file can be read", NULL, env_viable },
    { .name = NULL },
};

const struct kt_module kt_module = {
    .abi = KT_MODULE_ABI,
    .size = sizeof(struct kt_module),
    .kind = KT_KIND_BACKEND,
    .role = KT_ROLE_OVERRIDE,
    .protection = KT_CLASS_PLAIN,
    .cas = KT_CAS_NONE,
    .naming = KT_NAMING_OWN,
    .capabilities = KT_CAP_LIST,
    .value_max = KT_VALUE_MAX,
    .name_max = KT_NAME_MAX,
    .name = "env",
    .version = KT_VERSION,
    .summary = "environment variables and .env files",
    .options = options,
    .verbs = verbs,
    .open = env_open,
    .close = env_close,
    .get = env_get,
    .list = env_list,
    .versions = env_versions,
    .put = env_put,
    .del = env_del,
};
