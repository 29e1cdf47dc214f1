/* SPDX-License-Identifier: Apache-2.0 */

/* Appends a byte to `file` for each thing that is asked of it: o open, g get, p put, f fill, … */

#include <fcntl.h>
#include <unistd.h>

#include "mock.h"

static const struct kt_option options[] = {
    { "file", KT_OPTION_PATH, NULL, "file to append to" },
    { .name = NULL },
};

static int count(const struct mock *m, char what)
{
    int fd = m->text ? open(m->text, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600) : -1;

    if (fd >= 0) {
        if (write(fd, &what, 1) != 1)
            abort();
        close(fd);
    }
    return KT_SUCCESS;
}

static int counts_open(const struct kt_host *host, struct kt_call *call,
                       const struct kt_open_args *args, void **state)
{
    int rc = mock_open(host, call, args, state);

    return rc == KT_SUCCESS ? count(*state, 'o') : rc;
}

static void counts_close(void *state)
{
    count(state, 'c');
    mock_close(state);
}

static int counts_get(void *state, struct kt_call *call, const char *name,
                      const struct kt_want *want)
{
    (void)name;
    (void)want;
    count(state, 'g');
    return mock_give(state, call, "counts", 6);
}

static int counts_list(void *state, struct kt_call *call, const char *prefix)
{
    (void)call;
    (void)prefix;
    return count(state, 'l');
}

static int counts_put(void *state, struct kt_call *call, enum kt_phase phase, const char *name,
                      const struct kt_put *put)
{
    (void)call;
    (void)name;
    (void)put;
    return count(state, phase == KT_PREPARE ? 'P' : 'p');
}

static int counts_fill(void *state, struct kt_call *call, const char *name,
                       const struct kt_put *copy)
{
    (void)call;
    (void)name;
    (void)copy;
    return count(state, 'f');
}

static int counts_forget(void *state, struct kt_call *call, const char *name, const char *id)
{
    (void)call;
    (void)name;
    (void)id;
    return count(state, 'x');
}

static int counts_report(void *state, struct kt_call *call, const char *name, const char *id,
                         enum kt_report what)
{
    (void)call;
    (void)name;
    (void)id;
    return count(state, what == KT_REJECTED ? 'r' : 'u');
}

const struct kt_module kt_module = {
    MOCK_HEAD("mock_counts", "counts what is asked of it"),
    .capabilities = KT_CAP_SCRIPTED | KT_CAP_BINARY | KT_CAP_LIST | KT_CAP_OWN_ID,
    .options = options,
    .open = counts_open,
    .close = counts_close,
    .get = counts_get,
    .list = counts_list,
    .put = counts_put,
    .fill = counts_fill,
    .forget = counts_forget,
    .report = counts_report,
};
