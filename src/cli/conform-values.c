/* SPDX-License-Identifier: Apache-2.0 */

/* Bytes in, bytes out; what a store cannot hold is refused before the write. */

#include "conform-battery.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *what;
    const char *data;
    size_t len;
    bool binary; /* only a store with KT_CAP_BINARY must take it */
} samples[] = {
    { "an empty value", "", 0, false },
    { "one byte", "k", 1, false },
    { "a key", "sk-0123456789abcdef0123456789abcdef", 35, false },
    { "blanks around", "  k  ", 5, false },
    { "quotes and escapes", "a'b\"c\\d$e`f#g\\n", 15, false },
    { "a newline", "\n", 1, true },
    { "a newline at the end", "key\n", 4, true },
    { "CR LF", "a\r\nb\r", 5, true },
    { "a NUL", "\0", 1, true },
    { "a NUL inside", "a\0b", 3, true },
    { "invalid UTF-8", "\xff\xfe\xc0\x80\xed\xa0\x80", 7, true },
    { "control bytes", "\1\2\x1b[0m\x7f", 7, true },
};

/* A refusal must leave what was there. */
static bool refuses(struct battery *b, const char *name, const void *data, size_t len,
                    const char *before)
{
    int rc = put_with(b, name, data, len, (struct kt_put_options){ 0 }, NULL);

    if (rc != KT_INVALID && rc != KT_TOO_LARGE) {
        (void)odd(b, "a value that does not fit", rc, KT_TOO_LARGE);
        return false;
    }
    return holds_text(b, name, before);
}

static bool keeps_sample(struct battery *b, const char *name, size_t i)
{
    const bool fits = samples[i].len >= b->value_min && samples[i].len <= b->value_max;
    int rc = put_with(b, name, samples[i].data, samples[i].len, (struct kt_put_options){ 0 }, NULL);
    char why[sizeof(b->why)];

    if (rc == KT_SUCCESS && !fits) {
        (void)bad(b, "%s: %zu bytes are outside of what it says it takes", samples[i].what,
                  samples[i].len);
        return false;
    }
    if (rc == KT_SUCCESS) {
        if (holds(b, name, (struct kt_get_options){ 0 }, samples[i].data, samples[i].len))
            return true;
    } else if (rc == KT_INVALID || rc == KT_TOO_LARGE) {
        if (!fits || (samples[i].binary && (b->caps & KT_CAP_BINARY) == 0))
            return holds_text(b, name, "before");
        (void)odd(b, "put", rc, KT_SUCCESS);
    } else {
        (void)odd(b, "put", rc, KT_SUCCESS);
    }
    memcpy(why, b->why, sizeof(why));
    (void)bad(b, "%s: %.900s", samples[i].what, why);
    return false;
}

static enum conform_verdict keeps_bytes(struct battery *b)
{
    char name[NAME_SIZE];
    bool good = true;

    for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]) && good; i++) {
        int rc = put(b, new_name(b, name), "before", NULL);

        if (rc != KT_SUCCESS)
            return odd(b, "put", rc, KT_SUCCESS);
        good = keeps_sample(b, name, i);
        drop(b, name);
    }
    return good ? CONFORM_OK : CONFORM_FAILED;
}

/* Every byte there is, or every byte of text for a store of text. */
static char *long_value(const struct battery *b, size_t len)
{
    char *value = malloc(len);

    for (size_t i = 0; value != NULL && i < len; i++)
        value[i] = (b->caps & KT_CAP_BINARY) != 0 ? (char)(i * 7) : (char)('!' + i * 7 % 94);
    return value;
}

static enum conform_verdict keeps_the_longest(struct battery *b)
{
    const size_t len = b->value_max;
    char *value = long_value(b, len + 1);
    enum conform_verdict verdict = CONFORM_FAILED;
    char name[NAME_SIZE];
    int rc;

    if (value == NULL)
        return skip(b, "out of memory");
    rc = put_with(b, new_name(b, name), value, len, (struct kt_put_options){ 0 }, NULL);
    if (rc != KT_SUCCESS)
        (void)odd(b, "put of value_max bytes", rc, KT_SUCCESS);
    else if (holds(b, name, (struct kt_get_options){ 0 }, value, len))
        verdict = CONFORM_OK;
    drop(b, name);
    free(value);
    return verdict;
}

static enum conform_verdict refuses_longer(struct battery *b)
{
    char *value = long_value(b, b->value_max + 1);
    char name[NAME_SIZE];
    bool good;
    int rc;

    if (value == NULL)
        return skip(b, "out of memory");
    rc = put(b, new_name(b, name), "before", NULL);
    good = rc == KT_SUCCESS && refuses(b, name, value, b->value_max + 1, "before");
    if (good && b->value_min > 0)
        good = refuses(b, name, value, b->value_min - 1, "before");
    drop(b, name);
    free(value);
    if (rc != KT_SUCCESS)
        return odd(b, "put", rc, KT_SUCCESS);
    return good ? CONFORM_OK : CONFORM_FAILED;
}

/* A store may find a long name too long, but then says so before it writes. */
static enum conform_verdict keeps_long_names(struct battery *b)
{
    const size_t len = b->name_max < KT_NAME_MAX ? b->name_max : KT_NAME_MAX;
    enum conform_verdict verdict = CONFORM_OK;
    char name[NAME_SIZE];
    size_t n = strlen(new_name(b, name));
    int rc;

    if (n < len)
        memset(name + n, 'N', len - n);
    name[n < len ? len : n] = '\0';
    rc = put(b, name, "long", NULL);
    if (rc == KT_SUCCESS)
        verdict = holds_text(b, name, "long") ? CONFORM_OK : CONFORM_FAILED;
    else if (rc != KT_TOO_LARGE && rc != KT_INVALID)
        verdict = odd(b, "put under a long name", rc, KT_TOO_LARGE);
    else if ((rc = get_status(b, name)) != KT_NOT_FOUND)
        verdict = odd(b, "get of a name that was refused", rc, KT_NOT_FOUND);
    drop(b, name);
    return verdict;
}

/* Names that a careless mapping would make one. */
static enum conform_verdict tells_names_apart(struct battery *b)
{
    static const char *const parts[] = { "a/b", "a-b",   "a_b", "a.b", "a--b", "A/b",
                                         "a/B", "a/b/c", "a=b", "a+b", "a@b" };
    enum { N = sizeof(parts) / sizeof(parts[0]) };
    enum conform_verdict verdict = CONFORM_OK;
    char name[N][NAME_SIZE], stem[NAME_SIZE];
    bool there[N] = { false };

    (void)new_name(b, stem);
    for (size_t i = 0; i < N && verdict == CONFORM_OK; i++) {
        int rc;

        (void)snprintf(name[i], NAME_SIZE, "%.400s_%s", stem, parts[i]);
        rc = put(b, name[i], parts[i], NULL);
        there[i] = rc == KT_SUCCESS;
        if (!there[i] && rc != KT_INVALID && rc != KT_TOO_LARGE)
            verdict = odd(b, name[i], rc, KT_INVALID);
    }
    for (size_t i = 0; i < N && verdict == CONFORM_OK; i++)
        if (there[i] && !holds_text(b, name[i], parts[i]))
            verdict = CONFORM_FAILED;
    for (size_t i = 0; i < N; i++)
        if (there[i])
            drop(b, name[i]);
    return verdict;
}

static enum conform_verdict gets_many(struct battery *b)
{
    struct kt_get_options o = { .size = sizeof(o), .timeout_ms = b->timeout_ms };
    char name[3][NAME_SIZE];
    const char *names[3];
    struct kt_result results[3];
    enum conform_verdict verdict = CONFORM_OK;
    int rc = KT_SUCCESS;

    for (int i = 0; i < 3; i++)
        names[i] = new_name(b, name[i]);
    for (int i = 0; i < 3 && rc == KT_SUCCESS; i += 2)
        rc = put(b, names[i], names[i], NULL);
    if (rc != KT_SUCCESS)
        return odd(b, "put", rc, KT_SUCCESS);
    rc = kt_get_many(b->h, names, 3, &o, results, &b->err);
    if (rc != KT_SUCCESS)
        verdict = odd(b, "get_many", rc, KT_SUCCESS);
    for (int i = 0; i < 3; i++) {
        const int want = i == 1 ? KT_NOT_FOUND : KT_SUCCESS;

        if (verdict == CONFORM_OK && results[i].status != want) {
            b->err = results[i].err;
            verdict = odd(b, "one of three names", results[i].status, want);
        } else if (verdict == CONFORM_OK && i != 1 &&
                   strcmp(kt_secret_data(results[i].secret), names[i]) != 0) {
            verdict = bad(b, "a name was given another one's value");
        }
        kt_secret_free(results[i].secret);
        drop(b, names[i]);
    }
    return verdict;
}

static enum conform_verdict survives_close(struct battery *b)
{
    char name[NAME_SIZE];
    bool good;
    int rc;

    if (is_memory(b))
        return skip(b, "it says that it keeps nothing");
    rc = put(b, new_name(b, name), "kept", NULL);
    if (rc != KT_SUCCESS)
        return odd(b, "put", rc, KT_SUCCESS);
    good = battery_open(b) && holds_text(b, name, "kept");
    if (b->h != NULL)
        drop(b, name);
    return good ? CONFORM_OK : CONFORM_FAILED;
}

/* The first pass of a put may not write: here the second never comes. */
static enum conform_verdict prepares_without_writing(struct battery *b)
{
    enum conform_verdict verdict = CONFORM_OK;
    char name[NAME_SIZE];
    int rc = KT_SUCCESS;

    (void)new_name(b, name);
    b->beside = "prepare=locked";
    if (!battery_open(b)) {
        verdict = skip(b, "needs the module 'debug': %.400s", b->err.msg);
    } else {
        rc = put(b, name, "x", NULL);
        if (rc != KT_LOCKED)
            verdict = odd(b, "put beside a line that is locked", rc, KT_LOCKED);
        else if ((rc = get_status(b, name)) != KT_NOT_FOUND)
            verdict = odd(b, "get after a put that ended in its first pass", rc, KT_NOT_FOUND);
    }
    b->beside = NULL;
    if (!battery_open(b))
        return CONFORM_FAILED;
    drop(b, name);
    return verdict;
}

const struct check checks_values[] = {
    { "bytes come back as they went in", FOR_WRITER, 0, keeps_bytes },
    { "the longest value comes back", FOR_WRITER, 0, keeps_the_longest },
    { "a value over the limit is refused, and what was there stays", FOR_WRITER, 0,
      refuses_longer },
    { "a name of the greatest length is kept or refused", FOR_WRITER, 0, keeps_long_names },
    { "names that look alike are kept apart", FOR_WRITER, 0, tells_names_apart },
    { "many names are asked for at once", FOR_WRITER, 0, gets_many },
    { "the first pass of a put writes nothing", FOR_WRITER, 0, prepares_without_writing },
    { "a value outlives the handle", FOR_WRITER, 0, survives_close },
    { .title = NULL },
};
