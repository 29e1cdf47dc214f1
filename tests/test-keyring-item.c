/* SPDX-License-Identifier: Apache-2.0 */

/* The keyring module's items: what their attributes say, and which of two counts. */

#include "harness.h"

#include "../backends/keyring/item.h"

#include <string.h>

#define ROWS(table) (int)(sizeof(table) / sizeof((table)[0]))
#define ID "0197f3a0-0000-7000-8000-000000000001"
#define OTHER "0197f3a0-0000-7000-8000-000000000002"
#define PATH "/org/freedesktop/secrets/collection/login/7"

static struct kt_item *item_of(GHashTable *attrs)
{
    GVariant *v = g_variant_ref_sink(kt_attrs_variant(attrs));
    struct kt_item *item = kt_item_new(PATH, v);

    g_variant_unref(v);
    return item;
}

static GHashTable *table(void)
{
    return g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
}

START_TEST(what_is_put_is_read)
{
    const struct kt_attr user[] = { { "owner", "me" }, { "note%", "" }, { "line", "a\nb" } };
    const struct kt_put put = {
        .id = ID,
        .data = "v\n",
        .len = 2,
        .state = KT_STATE_DISABLED,
        .created_ms = 1,
        .expires_ms = 4102444800000,
        .not_before_ms = 946684800000,
        .asof = { 5, -6, { 1, 2, 0xff } },
        .attrs = user,
        .nattrs = 3,
    };
    GHashTable *attrs = kt_attrs_new("deepseek", "a/b", &put, true);
    struct kt_item *item = item_of(attrs);
    unsigned seen = 0;

    ck_assert(item->ours && !item->damaged && item->encoded && item->checked && !item->pending);
    ck_assert_str_eq(item->id, ID);
    ck_assert_uint_eq(item->state, KT_STATE_DISABLED);
    ck_assert_int_eq(item->created_ms, 1);
    ck_assert_int_eq(item->expires_ms, 4102444800000);
    ck_assert_int_eq(item->not_before_ms, 946684800000);
    ck_assert(memcmp(&item->asof, &put.asof, sizeof(put.asof)) == 0);
    ck_assert(!kt_item_is_current(item, "deepseek", "a/b"));
    ck_assert_uint_eq(item->nuser, 3);
    for (size_t i = 0; i < 3; i++)
        for (size_t k = 0; k < 3; k++)
            seen += strcmp(item->user[i].key, user[k].key) == 0 &&
                    strcmp(item->user[i].value, user[k].value) == 0;
    ck_assert_uint_eq(seen, 3);
    kt_item_free(item);
    g_hash_table_unref(attrs);
}
END_TEST

START_TEST(a_version_becomes_current_and_older_again)
{
    const struct kt_put put = { .id = ID, .data = "v", .len = 1 };
    GHashTable *attrs = kt_attrs_new("s", "n", &put, false);
    struct kt_item *item;

    kt_attrs_set(attrs, "keyturn:stage", "pending");
    kt_attrs_promote(attrs, "s", "n", 7, OTHER);
    item = item_of(attrs);
    ck_assert(kt_item_is_current(item, "s", "n"));
    ck_assert(!kt_item_is_current(item, "s", "N"));
    ck_assert(!item->pending);
    ck_assert_uint_eq(item->turn, 7);
    ck_assert_str_eq(item->previous, OTHER);
    ck_assert_str_eq(g_hash_table_lookup(item->attrs, "xdg:schema"), KT_SCHEMA_SECRET);
    g_hash_table_unref(attrs);
    attrs = kt_attrs_of(item);
    kt_item_free(item);
    kt_attrs_retire(attrs, "s", "n", ID);
    item = item_of(attrs);
    ck_assert(!kt_item_is_current(item, "s", "n"));
    ck_assert_str_eq(g_hash_table_lookup(item->attrs, "service"), "");
    ck_assert_str_eq(g_hash_table_lookup(item->attrs, "name"), "");
    ck_assert_str_eq(g_hash_table_lookup(item->attrs, "xdg:schema"), KT_SCHEMA_VERSION);
    ck_assert_str_eq(item->id, ID);
    ck_assert(!item->damaged);
    kt_item_free(item);
    g_hash_table_unref(attrs);
}
END_TEST

START_TEST(fields_of_keepassxc_are_never_written_back)
{
    static const char *const fields[] = { "Notes", "Path", "Title", "URL", "UserName", "Uuid" };
    GHashTable *attrs = table(), *again;
    struct kt_item *item;

    for (size_t i = 0; i < 6; i++)
        kt_attrs_set(attrs, fields[i], "x");
    kt_attrs_set(attrs, "keyturn:id", ID);
    item = item_of(attrs);
    again = kt_attrs_of(item);
    ck_assert_uint_eq(g_hash_table_size(again), 1);
    g_hash_table_unref(again);
    g_hash_table_unref(attrs);
    kt_item_free(item);
}
END_TEST

static const char *const damages[][2] = {
    { "keyturn:state", "asleep" },
    { "keyturn:stage", "current" },
    { "keyturn:encoding", "rot13" },
    { "keyturn:turn", "-1" },
    { "keyturn:turn", "1x" },
    { "keyturn:turn", "99999999999999999999" },
    { "keyturn:check", "xyz" },
    { "keyturn:check", "00000000000000000" },
    { "keyturn:expires", "soon" },
    { "keyturn:created", "1 " },
    { "keyturn:not-before", "0x1" },
    { "keyturn:asof", "1 2" },
    { "keyturn:asof", "1 2 00" },
    { "keyturn:asof", "1 2 0102ff000000000000000000000000000" },
    { "keyturn:attr:k", "%"
                        "0" },
    { "keyturn:attr:%", "v%2" },
    { "keyturn:id", "a b" },
};

START_TEST(attributes_that_cannot_be_understood_are_damage)
{
    GHashTable *attrs = table();
    struct kt_item *item;

    kt_attrs_set(attrs, "keyturn:id", ID);
    item = item_of(attrs);
    ck_assert(item->ours && !item->damaged);
    kt_item_free(item);
    kt_attrs_set(attrs, damages[_i][0], damages[_i][1]);
    item = item_of(attrs);
    ck_assert_msg(item->ours && item->damaged, "%s=%s", damages[_i][0], damages[_i][1]);
    kt_item_free(item);
    g_hash_table_unref(attrs);
}
END_TEST

START_TEST(an_empty_attribute_counts_as_none)
{
    GHashTable *attrs = table();
    struct kt_item *item;

    kt_attrs_set(attrs, "keyturn:id", ID);
    for (int i = 0; i < ROWS(damages) - 1; i++)
        kt_attrs_set(attrs, damages[i][0], "");
    item = item_of(attrs);
    ck_assert(!item->damaged && !item->pending && !item->encoded && !item->checked);
    ck_assert_uint_eq(item->nuser, 0);
    ck_assert_ptr_null(item->previous);
    kt_item_free(item);
    kt_attrs_set(attrs, "keyturn:id", "");
    item = item_of(attrs);
    ck_assert(!item->ours);
    kt_item_free(item);
    g_hash_table_unref(attrs);
}
END_TEST

START_TEST(items_of_others_are_named_by_place_and_time)
{
    GHashTable *attrs = table();
    struct kt_item *item;

    kt_attrs_set(attrs, "service", "s");
    kt_attrs_set(attrs, "name", "n");
    item = item_of(attrs);
    item->modified = 1795253478;
    kt_item_name_foreign(item);
    ck_assert(!item->ours && kt_item_is_current(item, "s", "n"));
    ck_assert_str_eq(item->id, "keyring:7.1795253478");
    ck_assert_int_eq(kt_item_version(item, 0).created_ms, 1795253478000);
    kt_item_free(item);
    g_hash_table_unref(attrs);
}
END_TEST

static const struct {
    const char *title;
    struct kt_item a, b;
    bool newer;
} pairs[] = {
    { "the greater turn",
      { .ours = true, .turn = 10, .id = "1" },
      { .ours = true, .turn = 9, .id = "2" },
      true },
    { "not the later change, if both are ours",
      { .ours = true, .turn = 1, .modified = 9 },
      { .ours = true, .turn = 2, .modified = 1 },
      false },
    { "the greater id at the same turn",
      { .ours = true, .turn = 1, .id = "2" },
      { .ours = true, .turn = 1, .id = "1" },
      true },
    { "what others changed later",
      { .ours = false, .modified = 9 },
      { .ours = true, .turn = 5, .modified = 8 },
      true },
    { "ours, if changed later",
      { .ours = true, .modified = 9 },
      { .ours = false, .modified = 8 },
      true },
    { "ours in the same second",
      { .ours = true, .modified = 8, .id = "1" },
      { .ours = false, .modified = 8, .id = "2" },
      true },
    { "of others the later one",
      { .ours = false, .modified = 9, .id = "1" },
      { .ours = false, .modified = 8, .id = "2" },
      true },
};

START_TEST(of_two_current_ones_the_newer_counts)
{
    ck_assert_msg(kt_item_newer(&pairs[_i].a, &pairs[_i].b) == pairs[_i].newer, "%s",
                  pairs[_i].title);
    ck_assert_msg(kt_item_newer(&pairs[_i].b, &pairs[_i].a) != pairs[_i].newer, "%s",
                  pairs[_i].title);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("keyring-item");
    TCase *tc = tcase_create("item");

    tcase_add_test(tc, what_is_put_is_read);
    tcase_add_test(tc, a_version_becomes_current_and_older_again);
    tcase_add_test(tc, fields_of_keepassxc_are_never_written_back);
    tcase_add_loop_test(tc, attributes_that_cannot_be_understood_are_damage, 0, ROWS(damages));
    tcase_add_test(tc, an_empty_attribute_counts_as_none);
    tcase_add_test(tc, items_of_others_are_named_by_place_and_time);
    tcase_add_loop_test(tc, of_two_current_ones_the_newer_counts, 0, ROWS(pairs));
    suite_add_tcase(s, tc);
    return kt_harness_run(s);
}
