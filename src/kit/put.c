/* SPDX-License-Identifier: Apache-2.0 */
#include "put.h"

#include <string.h>

const char *kt_put_unfit(const char *name, const struct kt_put *put, int *rc)
{
    *rc = KT_TOO_LARGE;
    if (strlen(name) > KT_NAME_MAX)
        return "the name has more than 512 bytes";
    if (put->len > KT_VALUE_MAX)
        return "the value has more than 65536 bytes";
    *rc = KT_INVALID;
    if (name[0] == '\0')
        return "the name is empty";
    if (put->id != NULL && (put->id[0] == '\0' || strlen(put->id) >= KT_ID_SIZE))
        return "the version id is empty or has more than 95 bytes";
    if (put->state > KT_STATE_DESTROYED)
        return "there is no such state";
    if (put->nattrs > KT_ATTRS_MAX)
        return "there are more than 32 attributes";
    for (size_t i = 0; i < put->nattrs; i++)
        if (put->attrs[i].key[0] == '\0' || strlen(put->attrs[i].key) > KT_ATTR_KEY_MAX ||
            strlen(put->attrs[i].value) > KT_ATTR_VALUE_MAX)
            return "an attribute's name is empty or over 128 bytes, or its value over 1024";
    return NULL;
}
