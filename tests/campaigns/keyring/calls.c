/* SPDX-License-Identifier: Apache-2.0 */
#include "keyring.h"

#include <string.h>

#define TIMEOUT_MS 60000

struct kt_handle *open_keyring(void)
{
    const struct kt_open_options options = { .size = sizeof(options),
                                             .module_dir = getenv("KEYTURN_TEST_MODULES") };
    struct kt_handle *h = NULL;
    struct kt_err err;

    if (kt_open(NULL, &options, &h, &err) != KT_SUCCESS)
        WRONG("open: %s", err.msg);
    return h;
}

struct kt_secret *fetch(struct kt_handle *h, const char *name, const char *stage)
{
    const struct kt_get_options options = { .size = sizeof(options),
                                            .timeout_ms = TIMEOUT_MS,
                                            .stage = stage };
    struct kt_secret *s = NULL;
    struct kt_err err;
    const int rc = kt_get(h, name, &options, &s, &err);

    if (rc != KT_SUCCESS && rc != KT_NOT_FOUND)
        WRONG("get %s: %s", name, err.msg);
    return s;
}

int store(struct kt_handle *h, const char *name, const void *data, size_t len, const char *expected)
{
    const struct kt_put_options options = { .size = sizeof(options),
                                            .timeout_ms = TIMEOUT_MS,
                                            .expected = broken("cas") ? NULL : expected };
    struct kt_err err;
    int rc = KT_SUCCESS;

    const bool first = expected != NULL && expected[0] == '\0';
    if (first || !broken("ack") || any_of(20) != 0) /* else as if it lied */
        rc = kt_put(h, name, data, len, &options, NULL, &err);
    if (rc != KT_SUCCESS && (rc != KT_CONFLICT || expected == NULL))
        WRONG("put %s: %s", name, err.msg);
    return rc;
}

void drop(struct kt_handle *h, const char *name)
{
    const struct kt_delete_options options = { .size = sizeof(options),
                                               .timeout_ms = TIMEOUT_MS,
                                               .purge = true };
    struct kt_err err;

    if (kt_delete(h, name, &options, NULL, &err) != KT_SUCCESS)
        WRONG("delete %s: %s", name, err.msg);
}

size_t tidy(struct kt_handle *h, const char *name)
{
    const struct kt_call_options call = { .size = sizeof(call), .timeout_ms = TIMEOUT_MS };
    struct kt_list *l = NULL;
    struct kt_err err;
    size_t left = 0, current = 0;

    if (kt_versions(h, name, &call, &l, &err) != KT_SUCCESS)
        WRONG("versions of %s: %s", name, err.msg);
    for (size_t i = 0; i < kt_list_count(l); i++) {
        const struct kt_info *info = &kt_list_item(l, i)->info;
        const struct kt_delete_options options = {
            .size = sizeof(options), .timeout_ms = TIMEOUT_MS, .version = info->id, .purge = true
        };

        if ((info->stages & KT_STAGE_CURRENT) != 0)
            current++;
        if (info->stages != 0) {
            left++;
            continue;
        }
        const int rc = kt_delete(h, name, &options, NULL, &err);
        if (rc != KT_SUCCESS && rc != KT_NOT_FOUND) /* others tidy up, too */
            WRONG("purge %s of %s: %s", info->id, name, err.msg);
    }
    kt_list_free(l);
    if (current != 1)
        WRONG("%s has %zu current versions", name, current);
    return left;
}
