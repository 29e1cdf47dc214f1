/* SPDX-License-Identifier: Apache-2.0 */
#include "servicefile.h"

#include <stdlib.h>
#include <string.h>

static char *dir;

const char *servicefile_dir(void)
{
    if (dir == NULL)
        dir = kt_harness_dir();
    return dir;
}

void servicefile_forget(void)
{
    free(dir);
    dir = NULL;
}

void servicefile_put(const char *name, const char *text)
{
    char *path = kt_harness_path(servicefile_dir(), name);

    kt_harness_write(path, text, 0600);
    free(path);
}

int servicefile_read(const char *name, struct kt_service **out, struct kt_err *err)
{
    const struct kt_open_options options = {
        .size = sizeof(options),
        .config_dir = servicefile_dir(),
        .module_dir = kt_harness_modules(),
    };

    return kt_service_read(name, &options, out, err);
}

struct kt_service *servicefile_good(const char *text)
{
    struct kt_service *s = NULL;
    struct kt_err err = { .msg = "" };

    servicefile_put("svc", text);
    ck_assert_msg(servicefile_read("svc", &s, &err) == KT_SUCCESS, "%s\n%s", err.msg, text);
    return s;
}

void servicefile_bad(const char *text, const char *says)
{
    struct kt_service *s = NULL;
    struct kt_err err = { .msg = "" };

    servicefile_put("svc", text);
    ck_assert_msg(servicefile_read("svc", &s, &err) == KT_CONFIG_ERROR, "accepted:\n%s", text);
    ck_assert_ptr_null(s);
    ck_assert_int_eq(err.status, KT_CONFIG_ERROR);
    ck_assert_msg(strstr(err.msg, says) != NULL, "%s\nhas no: %s", err.msg, says);
    ck_assert_int_eq(servicefile_read("svc", &s, NULL), KT_CONFIG_ERROR);
}
