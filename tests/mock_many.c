/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Answers as the name says: `locked/x` is locked, a name whose first part is no status has itself as
 * value, `lie` is a success without one. Appends `m` to `file` for each get_many, `g` for each get.
 */

#include <fcntl.h>
#include <unistd.h>

#include "mock.h"

static const struct kt_option options[] = {
    { "file", KT_OPTION_PATH, NULL, "file to append to" },
    { .name = NULL },
};

static const char *const statuses[KT_STATUS_COUNT] = {
#define STATUS_NAME(sym, num, name, tell, exit, meaning) [num] = (name),
    KT_STATUS_MAP(STATUS_NAME)
#undef STATUS_NAME
};

static void count(const struct mock *m, char what)
{
    int fd = m->text ? open(m->text, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600) : -1;

    if (fd >= 0) {
        if (write(fd, &what, 1) != 1)
            abort();
        close(fd);
    }
}

static int answer(const struct mock *m, struct kt_call *call, const char *name, size_t index)
{
    const struct kt_version version = {
        .size = sizeof(version),
        .id = MOCK_ID,
        .stages = KT_STAGE_CURRENT,
    };
    const size_t len = strcspn(name, "/");

    if (strcmp(name, "lie") == 0)
        return KT_SUCCESS;
    for (int i = 1; i < KT_STATUS_COUNT; i++)
        if (strlen(statuses[i]) == len && memcmp(statuses[i], name, len) == 0)
            return m->host->fail(call, i, "mock_many: told to answer '%s'", statuses[i]);
    return m->host->give(call, index, &version, name, strlen(name));
}

static int many_get(void *state, struct kt_call *call, const char *name, const struct kt_want *want)
{
    (void)want;
    count(state, 'g');
    return answer(state, call, name, 0);
}

static int many_get_many(void *state, struct kt_call *call, const char *const *names, size_t n,
                         const struct kt_want *want, int *answers)
{
    (void)want;
    count(state, 'm');
    for (size_t i = 0; i < n; i++)
        answers[i] = answer(state, call, names[i], i);
    return KT_SUCCESS;
}

const struct kt_module kt_module = {
    .abi = KT_MODULE_ABI,
    .size = sizeof(struct kt_module),
    .kind = KT_KIND_BACKEND,
    .role = KT_ROLE_TEST,
    .protection = KT_CLASS_MEMORY,
    .value_max = KT_VALUE_MAX,
    .name_max = KT_NAME_MAX,
    .name = "mock_many",
    .version = "0.1",
    .summary = "answers as the name says, many at once",
    .capabilities = KT_CAP_SCRIPTED | KT_CAP_BINARY,
    .options = options,
    .open = mock_open,
    .close = mock_close,
    .get = many_get,
    .get_many = many_get_many,
};
