/* SPDX-License-Identifier: Apache-2.0 */
#include <keyturn/keyturn.h>

struct word {
    const char *name;
    const char *meaning;
    int tell;
    int exit;
};

static const struct word words[] = {
#define ROW(sym, num, name_, tell_, exit_, meaning_)                                               \
    [num] = { .name = name_, .meaning = meaning_, .tell = tell_, .exit = exit_ },
    KT_STATUS_MAP(ROW)
#undef ROW
};

_Static_assert(sizeof(words) / sizeof(words[0]) == KT_STATUS_COUNT, "KT_STATUS_COUNT is wrong");

/* What is no status came out of a broken module; it is spoken of, and ranks, as such. */
static const struct word *look_up(int status)
{
    if (status < 0 || status >= KT_STATUS_COUNT)
        return NULL;
    return &words[status];
}

const char *kt_status_name(int status)
{
    const struct word *w = look_up(status);

    return w != NULL ? w->name : "unknown";
}

const char *kt_status_meaning(int status)
{
    const struct word *w = look_up(status);

    return w != NULL ? w->meaning : "no status of keyturn's";
}

int kt_status_exit(int status)
{
    const struct word *w = look_up(status);

    return w != NULL ? w->exit : words[KT_MODULE_ERROR].exit;
}

int kt_status_tell(int status)
{
    const struct word *w = look_up(status);

    return w != NULL ? w->tell : words[KT_MODULE_ERROR].tell;
}
