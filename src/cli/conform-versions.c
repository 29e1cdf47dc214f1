/* SPDX-License-Identifier: Apache-2.0 */

/* Versions, their ids, their stages, and what is kept beside them. */

#include "conform-battery.h"

#include <stdio.h>
#include <string.h>

/* What a get tells of a version; false: @b->why. */
static bool get_info(struct battery *b, const char *name, struct kt_get_options o,
                     struct kt_secret **s)
{
    const int rc = get_with(b, name, o, s);

    if (rc != KT_SUCCESS)
        (void)odd(b, "get", rc, KT_SUCCESS);
    return rc == KT_SUCCESS;
}

static bool has_id(struct battery *b, const char *name, struct kt_get_options o, const char *id)
{
    struct kt_secret *s;
    bool same;

    if (!get_info(b, name, o, &s))
        return false;
    same = strcmp(kt_secret_info(s)->id, id) == 0;
    if (!same)
        (void)bad(b, "expected version %s, got %s", id, kt_secret_info(s)->id);
    kt_secret_free(s);
    return same;
}

static bool holds_version(struct battery *b, const char *name, const char *id, const char *text)
{
    return holds(b, name, (struct kt_get_options){ .version = id }, text, strlen(text));
}

static enum conform_verdict ids_are_kept(struct battery *b)
{
    enum conform_verdict verdict = CONFORM_OK;
    char name[NAME_SIZE], id[KT_ID_SIZE];
    int rc = put(b, new_name(b, name), "one", id);

    if (rc != KT_SUCCESS)
        return odd(b, "put", rc, KT_SUCCESS);
    if (!has_id(b, name, (struct kt_get_options){ 0 }, id) || !holds_version(b, name, id, "one"))
        verdict = CONFORM_FAILED;
    drop(b, name);
    return verdict;
}

static enum conform_verdict ids_are_told(struct battery *b)
{
    enum conform_verdict verdict = CONFORM_OK;
    char name[NAME_SIZE], first[KT_ID_SIZE];
    struct kt_secret *s;
    int rc = put(b, new_name(b, name), "one", NULL);

    if (rc != KT_SUCCESS)
        return odd(b, "put", rc, KT_SUCCESS);
    if (!get_info(b, name, (struct kt_get_options){ 0 }, &s)) {
        drop(b, name);
        return CONFORM_FAILED;
    }
    (void)snprintf(first, sizeof(first), "%s", kt_secret_info(s)->id);
    kt_secret_free(s);
    s = NULL;
    if (!has_id(b, name, (struct kt_get_options){ 0 }, first))
        verdict = CONFORM_FAILED;
    else if (put(b, name, "two", NULL) != KT_SUCCESS)
        verdict = bad(b, "a second put: %.400s", b->err.msg);
    else if (!get_info(b, name, (struct kt_get_options){ 0 }, &s))
        verdict = CONFORM_FAILED;
    else if (strcmp(kt_secret_info(s)->id, first) == 0)
        verdict = bad(b, "two values bear the same id, %s", first);
    kt_secret_free(s);
    drop(b, name);
    return verdict;
}

/* Three versions: rows of a list, in order, the stages where they belong. */
static bool rows_are_right(struct battery *b, const char *name, char id[3][KT_ID_SIZE])
{
    static const uint32_t stages[] = { 0, KT_STAGE_PREVIOUS, KT_STAGE_CURRENT };
    struct kt_list *l;
    int rc = versions(b, name, &l);
    size_t n = kt_list_count(l);
    bool good = rc == KT_SUCCESS && n == 3;

    if (rc != KT_SUCCESS)
        (void)odd(b, "versions", rc, KT_SUCCESS);
    else if (n != 3)
        (void)bad(b, "versions: expected 3, got %zu", n);
    for (size_t i = 0; i < 3 && good; i++) {
        const struct kt_info *info = &kt_list_item(l, i)->info;

        good = strcmp(info->id, id[2 - i]) == 0 && info->state == KT_STATE_ENABLED;
        if (!good)
            (void)bad(b, "versions: row %zu is %s, in state %u", i + 1, info->id, info->state);
        else if ((b->caps & KT_CAP_STAGES) != 0 && info->stages != stages[2 - i]) {
            good = false;
            (void)bad(b, "versions: row %zu has stages 0x%x, expected 0x%x", i + 1, info->stages,
                      stages[2 - i]);
        }
    }
    kt_list_free(l);
    return good;
}

static enum conform_verdict older_are_kept(struct battery *b)
{
    static const char *const texts[] = { "one", "two", "three" };
    char name[NAME_SIZE], id[3][KT_ID_SIZE];
    bool good = true;

    (void)new_name(b, name);
    for (int i = 0; i < 3; i++) {
        int rc = put(b, name, texts[i], id[i]);

        if (rc != KT_SUCCESS)
            return odd(b, "put", rc, KT_SUCCESS);
    }
    good = holds_text(b, name, "three") && rows_are_right(b, name, id);
    for (int i = 0; i < 3 && good; i++)
        good = holds_version(b, name, id[i], texts[i]);
    if (good && (b->caps & KT_CAP_STAGES) != 0)
        good = holds(b, name, (struct kt_get_options){ .stage = "previous" }, "two", 3);
    drop(b, name);
    return good ? CONFORM_OK : CONFORM_FAILED;
}

static enum conform_verdict repeating_is_harmless(struct battery *b)
{
    enum conform_verdict verdict = CONFORM_OK;
    char name[NAME_SIZE], id[KT_ID_SIZE];
    int rc = put(b, new_name(b, name), "one", id);

    if (rc != KT_SUCCESS)
        return odd(b, "put", rc, KT_SUCCESS);
    rc = put_with(b, name, "one", 3, (struct kt_put_options){ .id = id }, NULL);
    if (rc != KT_SUCCESS)
        verdict = odd(b, "the same put again", rc, KT_SUCCESS);
    else if (has_cas(b) &&
             (rc = put_with(b, name, "one", 3, (struct kt_put_options){ .id = id, .expected = "" },
                            NULL)) != KT_SUCCESS)
        verdict = odd(b, "the same put again, expecting what was there before it", rc, KT_SUCCESS);
    else if ((rc = put_with(b, name, "other", 5, (struct kt_put_options){ .id = id }, NULL)) !=
             KT_EXISTS)
        verdict = odd(b, "a put with the same id and other bytes", rc, KT_EXISTS);
    else if (!holds_text(b, name, "one") || !has_id(b, name, (struct kt_get_options){ 0 }, id))
        verdict = CONFORM_FAILED;
    drop(b, name);
    return verdict;
}

/* An older version, put again: it is there, so nothing changes. */
static enum conform_verdict repeating_the_past_changes_nothing(struct battery *b)
{
    enum conform_verdict verdict = CONFORM_OK;
    char name[NAME_SIZE], first[KT_ID_SIZE], second[KT_ID_SIZE];
    int rc = put(b, new_name(b, name), "one", first);

    if (rc == KT_SUCCESS)
        rc = put(b, name, "two", second);
    if (rc != KT_SUCCESS)
        return odd(b, "put", rc, KT_SUCCESS);
    rc = put_with(b, name, "one", 3, (struct kt_put_options){ .id = first }, NULL);
    if (rc != KT_SUCCESS)
        verdict = odd(b, "the put before the last, again", rc, KT_SUCCESS);
    else if (!has_id(b, name, (struct kt_get_options){ 0 }, second))
        verdict = CONFORM_FAILED;
    drop(b, name);
    return verdict;
}

static enum conform_verdict pending_is_not_current(struct battery *b)
{
    const struct kt_put_options pending = { .stage = "pending" };
    enum conform_verdict verdict = CONFORM_FAILED;
    char name[NAME_SIZE], old[KT_ID_SIZE], new[KT_ID_SIZE];
    int rc = put(b, new_name(b, name), "old", old);

    if (rc == KT_SUCCESS)
        rc = put_with(b, name, "new", 3, pending, new);
    if (rc != KT_SUCCESS)
        return odd(b, "put", rc, KT_SUCCESS);
    if (!holds_text(b, name, "old") ||
        !holds(b, name, (struct kt_get_options){ .stage = "pending" }, "new", 3))
        goto out;
    if (has_cas(b) && (rc = stage(b, name, "current", new, new)) != KT_CONFLICT) {
        verdict = odd(b, "promotion that expects another current", rc, KT_CONFLICT);
        goto out;
    }
    rc = stage(b, name, "current", new, has_cas(b) ? old : NULL);
    if (rc != KT_SUCCESS)
        verdict = odd(b, "promotion", rc, KT_SUCCESS);
    else if (holds_text(b, name, "new") && has_id(b, name, (struct kt_get_options){ 0 }, new) &&
             holds(b, name, (struct kt_get_options){ .stage = "previous" }, "old", 3))
        verdict = CONFORM_OK;
out:
    drop(b, name);
    return verdict;
}

static enum conform_verdict pending_can_be_taken_back(struct battery *b)
{
    enum conform_verdict verdict = CONFORM_FAILED;
    char name[NAME_SIZE];
    struct kt_secret *s;
    int rc = put(b, new_name(b, name), "old", NULL);

    if (rc == KT_SUCCESS)
        rc = put_with(b, name, "new", 3, (struct kt_put_options){ .stage = "pending" }, NULL);
    if (rc != KT_SUCCESS)
        return odd(b, "put", rc, KT_SUCCESS);
    rc = stage(b, name, "pending", NULL, NULL);
    if (rc != KT_SUCCESS) {
        verdict = odd(b, "taking the label away", rc, KT_SUCCESS);
    } else {
        rc = get_with(b, name, (struct kt_get_options){ .stage = "pending" }, &s);
        kt_secret_free(s);
        if (rc != KT_NOT_FOUND)
            verdict = odd(b, "get of stage pending", rc, KT_NOT_FOUND);
        else if (holds_text(b, name, "old"))
            verdict = CONFORM_OK;
    }
    drop(b, name);
    return verdict;
}

static enum conform_verdict one_can_go_back(struct battery *b)
{
    enum conform_verdict verdict = CONFORM_FAILED;
    char name[NAME_SIZE], first[KT_ID_SIZE], second[KT_ID_SIZE];
    int rc = put(b, new_name(b, name), "one", first);

    if (rc == KT_SUCCESS)
        rc = put(b, name, "two", second);
    if (rc != KT_SUCCESS)
        return odd(b, "put", rc, KT_SUCCESS);
    rc = stage(b, name, "current", first, NULL);
    if (rc != KT_SUCCESS)
        verdict = odd(b, "making an older version current", rc, KT_SUCCESS);
    else if (holds_text(b, name, "one") && has_id(b, name, (struct kt_get_options){ 0 }, first) &&
             has_id(b, name, (struct kt_get_options){ .stage = "previous" }, second))
        verdict = CONFORM_OK;
    if (verdict == CONFORM_OK &&
        (rc = stage(b, name, "current", "0197f3a0-0000-7000-8000-000000000000", NULL)) !=
            KT_NOT_FOUND)
        verdict = odd(b, "making a version current that there is not", rc, KT_NOT_FOUND);
    drop(b, name);
    return verdict;
}

static enum conform_verdict attributes_are_kept(struct battery *b)
{
    const struct kt_attr attrs[] = { { "owner", "conform" }, { "note", "\xc3\xa4 \" = , ;" } };
    enum conform_verdict verdict = CONFORM_OK;
    char name[NAME_SIZE];
    struct kt_secret *s;
    int rc = put_with(b, new_name(b, name), "x", 1,
                      (struct kt_put_options){ .attrs = attrs, .nattrs = 2 }, NULL);

    if (rc != KT_SUCCESS)
        return odd(b, "put", rc, KT_SUCCESS);
    if (!get_info(b, name, (struct kt_get_options){ 0 }, &s))
        verdict = CONFORM_FAILED;
    for (size_t i = 0; i < 2 && verdict == CONFORM_OK; i++) {
        const struct kt_info *info = kt_secret_info(s);
        const char *found = NULL;

        for (size_t k = 0; k < info->nattrs; k++)
            if (strcmp(info->attrs[k].key, attrs[i].key) == 0)
                found = info->attrs[k].value;
        if (found == NULL || strcmp(found, attrs[i].value) != 0)
            verdict = bad(b, "attribute %s: expected '%s', got '%s'", attrs[i].key, attrs[i].value,
                          found != NULL ? found : "none");
    }
    kt_secret_free(s);
    drop(b, name);
    return verdict;
}

static enum conform_verdict times_are_kept(struct battery *b)
{
    const struct kt_put_options o = { .expires_ms = 4102444800000, .not_before_ms = 946684800000 };
    enum conform_verdict verdict = CONFORM_OK;
    char name[NAME_SIZE];
    struct kt_secret *s;
    int rc = put_with(b, new_name(b, name), "x", 1, o, NULL);

    if (rc != KT_SUCCESS)
        return odd(b, "put", rc, KT_SUCCESS);
    if (!get_info(b, name, (struct kt_get_options){ 0 }, &s))
        verdict = CONFORM_FAILED;
    else if (kt_secret_info(s)->expires_ms != o.expires_ms ||
             kt_secret_info(s)->not_before_ms != o.not_before_ms)
        verdict = bad(b, "expected %lld and %lld, got %lld and %lld", (long long)o.expires_ms,
                      (long long)o.not_before_ms, (long long)kt_secret_info(s)->expires_ms,
                      (long long)kt_secret_info(s)->not_before_ms);
    kt_secret_free(s);
    drop(b, name);
    return verdict;
}

const struct check checks_versions[] = {
    { "a version keeps the id it was put with", FOR_WRITER, KT_CAP_OWN_ID, ids_are_kept },
    { "another value bears another id", FOR_WRITER, 0, ids_are_told },
    { "older versions are kept, in order", FOR_WRITER, KT_CAP_VERSIONS | KT_CAP_OWN_ID,
      older_are_kept },
    { "a put can be repeated with its id", FOR_WRITER, KT_CAP_OWN_ID, repeating_is_harmless },
    { "a put of an older version changes nothing", FOR_WRITER, KT_CAP_VERSIONS | KT_CAP_OWN_ID,
      repeating_the_past_changes_nothing },
    { "pending does not become current until it is promoted", FOR_WRITER,
      KT_CAP_STAGES | KT_CAP_OWN_ID, pending_is_not_current },
    { "the label pending can be taken away", FOR_WRITER, KT_CAP_STAGES, pending_can_be_taken_back },
    { "an older version can become current again", FOR_WRITER,
      KT_CAP_STAGES | KT_CAP_VERSIONS | KT_CAP_OWN_ID, one_can_go_back },
    { "attributes are kept", FOR_WRITER, KT_CAP_ATTRS, attributes_are_kept },
    { "times of validity are kept", FOR_WRITER, KT_CAP_EXPIRES, times_are_kept },
    { .title = NULL },
};
