/* SPDX-License-Identifier: Apache-2.0 */

/* What is deleted is gone, what can come back does, and lists say so. */

#include "conform-battery.h"

#include <stdio.h>
#include <string.h>

static enum conform_verdict deletes(struct battery *b)
{
    enum conform_verdict verdict = CONFORM_FAILED;
    bool restorable = false;
    char name[NAME_SIZE];
    int rc = put(b, new_name(b, name), "x", NULL);

    if (rc != KT_SUCCESS)
        return odd(b, "put", rc, KT_SUCCESS);
    rc = del_with(b, name, (struct kt_delete_options){ 0 }, &restorable);
    if (rc == KT_UNSUPPORTED)
        return skip(b, "it deletes nothing");
    if (rc != KT_SUCCESS)
        (void)odd(b, "delete", rc, KT_SUCCESS);
    else if (restorable != ((b->caps & KT_CAP_RESTORE) != 0))
        (void)bad(b, "delete says that it can%s be undone, the module says otherwise",
                  restorable ? "" : "not");
    else if ((rc = get_status(b, name)) != KT_NOT_FOUND)
        (void)odd(b, "get after delete", rc, KT_NOT_FOUND);
    else if ((rc = del_with(b, name, (struct kt_delete_options){ 0 }, NULL)) != KT_NOT_FOUND)
        (void)odd(b, "delete after delete", rc, KT_NOT_FOUND);
    else if ((rc = put(b, name, "again", NULL)) != KT_SUCCESS)
        (void)odd(b, "put after delete", rc, KT_SUCCESS);
    else if (holds_text(b, name, "again"))
        verdict = CONFORM_OK;
    drop(b, name);
    return verdict;
}

static int restore(struct battery *b, const char *name)
{
    const struct kt_call_options o = { .size = sizeof(o), .timeout_ms = b->timeout_ms };

    return kt_restore(b->h, name, &o, &b->err);
}

static enum conform_verdict restores(struct battery *b)
{
    const struct kt_delete_options purge = { .purge = true };
    enum conform_verdict verdict = CONFORM_FAILED;
    char name[NAME_SIZE];
    int rc = put(b, new_name(b, name), "x", NULL);

    if (rc == KT_SUCCESS)
        rc = del_with(b, name, (struct kt_delete_options){ 0 }, NULL);
    if (rc != KT_SUCCESS)
        return odd(b, "put and delete", rc, KT_SUCCESS);
    if ((rc = restore(b, name)) != KT_SUCCESS)
        (void)odd(b, "restore", rc, KT_SUCCESS);
    else if (!holds_text(b, name, "x"))
        goto out;
    else if ((rc = del_with(b, name, purge, NULL)) != KT_SUCCESS)
        (void)odd(b, "purge", rc, KT_SUCCESS);
    else if ((rc = restore(b, name)) != KT_NOT_FOUND)
        (void)odd(b, "restore after a purge", rc, KT_NOT_FOUND);
    else
        verdict = CONFORM_OK;
out:
    drop(b, name);
    return verdict;
}

static enum conform_verdict destroys(struct battery *b)
{
    enum conform_verdict verdict = CONFORM_FAILED;
    char name[NAME_SIZE], old[KT_ID_SIZE];
    struct kt_secret *s;
    int rc = put(b, new_name(b, name), "old", old);

    if (rc == KT_SUCCESS)
        rc = put(b, name, "new", NULL);
    if (rc != KT_SUCCESS)
        return odd(b, "put", rc, KT_SUCCESS);
    rc = del_with(b, name, (struct kt_delete_options){ .version = old }, NULL);
    if (rc != KT_SUCCESS) {
        (void)odd(b, "delete of a version", rc, KT_SUCCESS);
        goto out;
    }
    rc = get_with(b, name, (struct kt_get_options){ .version = old }, &s);
    kt_secret_free(s);
    if (rc != KT_DISABLED && rc != KT_NOT_FOUND)
        (void)odd(b, "get of a destroyed version", rc, KT_DISABLED);
    else if (holds_text(b, name, "new"))
        verdict = CONFORM_OK;
out:
    drop(b, name);
    return verdict;
}

static enum conform_verdict lists_what_is_there(struct battery *b)
{
    enum conform_verdict verdict = CONFORM_FAILED;
    char name[NAME_SIZE];
    int rc = put(b, new_name(b, name), "x", NULL), found;

    if (rc != KT_SUCCESS)
        return odd(b, "put", rc, KT_SUCCESS);
    found = lists(b, NULL, name);
    if (found == 0)
        (void)bad(b, "a name that is there is not listed");
    else if (found > 0 &&
             (rc = del_with(b, name, (struct kt_delete_options){ 0 }, NULL)) != KT_SUCCESS)
        (void)odd(b, "delete", rc, KT_SUCCESS);
    else if (found > 0 && (found = lists(b, NULL, name)) > 0)
        (void)bad(b, "a name that was deleted is listed");
    else if (found == 0)
        verdict = CONFORM_OK;
    drop(b, name);
    return verdict;
}

/* A prefix covers whole parts: "s" has "s" and "s/b", and not "sx". */
static enum conform_verdict lists_by_prefix(struct battery *b)
{
    static const char *const ends[] = { "", "/b", "/b/c", "x", "x/b" };
    static const int under[] = { 1, 1, 1, 0, 0 };
    enum { N = sizeof(ends) / sizeof(ends[0]) };
    enum conform_verdict verdict = CONFORM_OK;
    char stem[NAME_SIZE], name[N][NAME_SIZE];
    size_t made = 0;

    (void)new_name(b, stem);
    for (; made < N && verdict == CONFORM_OK; made++) {
        int rc;

        (void)snprintf(name[made], NAME_SIZE, "%.400s%s", stem, ends[made]);
        rc = put(b, name[made], "x", NULL);
        if (rc == KT_INVALID)
            verdict = skip(b, "it takes no name of more than one part");
        else if (rc != KT_SUCCESS)
            verdict = odd(b, "put", rc, KT_SUCCESS);
    }
    for (size_t i = 0; i < N && verdict == CONFORM_OK; i++) {
        int found = lists(b, stem, name[i]);

        if (found < 0)
            verdict = CONFORM_FAILED;
        else if (found != under[i])
            verdict = bad(b, "'%s' is %slisted under the prefix '%s'", name[i], found ? "" : "not ",
                          stem);
    }
    for (size_t i = 0; i < made; i++)
        drop(b, name[i]);
    return verdict;
}

const struct check checks_deletes[] = {
    { "what is deleted is gone", FOR_WRITER, 0, deletes },
    { "what was deleted can come back, unless it was purged", FOR_WRITER, KT_CAP_RESTORE,
      restores },
    { "one version can be destroyed", FOR_WRITER, KT_CAP_DESTROY | KT_CAP_VERSIONS | KT_CAP_OWN_ID,
      destroys },
    { "a list has what is there", FOR_WRITER, KT_CAP_LIST, lists_what_is_there },
    { "a prefix covers whole parts", FOR_WRITER, KT_CAP_LIST, lists_by_prefix },
    { .title = NULL },
};
