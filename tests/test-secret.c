/* SPDX-License-Identifier: Apache-2.0 */
#include "harness.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "child.h"
#include "core/arena.h"
#include "core/secret.h"

static const size_t sizes[] = { 0, 1, 31, 32, 51, 4096, KT_VALUE_MAX - 1, KT_VALUE_MAX };

START_TEST(a_secret_is_its_bytes_and_a_nul)
{
    static char data[KT_VALUE_MAX];
    const size_t len = sizes[_i];
    struct kt_secret *s = NULL;

    for (size_t i = 0; i < len; i++)
        data[i] = (char)(i * 31); /* NUL and newline among them */
    ck_assert_int_eq(kt_secret_new(data, len, &s), KT_SUCCESS);
    ck_assert_uint_eq(kt_secret_len(s), len);
    ck_assert_mem_eq(kt_secret_data(s), data, len);
    ck_assert_int_eq(((const char *)kt_secret_data(s))[len], '\0');
    ck_assert_uint_eq(kt_secret_live(), 1);
    kt_secret_free(s);
    ck_assert_uint_eq(kt_secret_live(), 0);
}
END_TEST

START_TEST(an_empty_secret_needs_no_bytes)
{
    struct kt_secret *s = NULL;

    ck_assert_int_eq(kt_secret_new(NULL, 0, &s), KT_SUCCESS);
    ck_assert_uint_eq(kt_secret_len(s), 0);
    ck_assert_str_eq(kt_secret_data(s), "");
    kt_secret_free(s);
    kt_secret_free(NULL);
}
END_TEST

START_TEST(a_new_secret_knows_nothing)
{
    struct kt_secret *s = NULL;
    const struct kt_info *info;

    ck_assert_int_eq(kt_secret_new("x", 1, &s), KT_SUCCESS);
    info = kt_secret_info(s);
    ck_assert_str_eq(info->id, "");
    ck_assert_int_eq(info->age_ms, -1);
    ck_assert_int_eq(info->created_ms, 0);
    ck_assert_uint_eq(info->nattrs, 0);
    ck_assert_ptr_null(info->attrs);
    ck_assert_ptr_null(info->file);
    ck_assert_ptr_null(info->module);
    kt_secret_free(s);
}
END_TEST

START_TEST(too_large_leaves_the_output_alone)
{
    static char data[KT_VALUE_MAX + 1];
    static const struct kt_info crowd = { .nattrs = KT_ATTRS_MAX + 1 };
    struct kt_secret *s = (struct kt_secret *)(void *)data;

    ck_assert_int_eq(kt_secret_new(data, sizeof(data), &s), KT_TOO_LARGE);
    ck_assert_int_eq(kt_secret_new(data, SIZE_MAX, &s), KT_TOO_LARGE);
    ck_assert_int_eq(kt_secret_make("x", 1, &crowd, &s), KT_TOO_LARGE);
    ck_assert_ptr_eq(s, data);
}
END_TEST

/* All that a secret was made from is gone before it is looked at. */
START_TEST(a_secret_outlives_what_it_was_made_from)
{
    char *value = strdup("sk-canary");
    char *file = strdup("/etc/keyturn.d/deepseek");
    char *module = strdup("file");
    char *strings[KT_ATTRS_MAX][2];
    struct kt_attr *attrs = calloc(KT_ATTRS_MAX, sizeof(*attrs));
    struct kt_info info = { .id = "gcp:7",
                            .created_ms = 1,
                            .expires_ms = 2,
                            .not_before_ms = 3,
                            .age_ms = 4,
                            .state = KT_STATE_DISABLED,
                            .stages = KT_STAGE_CURRENT,
                            .flags = KT_FLAG_COPY,
                            .line = 12,
                            .nattrs = KT_ATTRS_MAX };
    const struct kt_info *got;
    struct kt_secret *s = NULL;

    for (size_t i = 0; i < KT_ATTRS_MAX; i++) {
        ck_assert_int_gt(asprintf(&strings[i][0], "key-%zu", i), 0);
        ck_assert_int_gt(asprintf(&strings[i][1], "%*zu", i == 5 ? KT_ATTR_VALUE_MAX : 1, i), 0);
        attrs[i] = (struct kt_attr){ strings[i][0], strings[i][1] };
    }
    info.file = file;
    info.module = module;
    info.attrs = attrs;
    ck_assert_int_eq(kt_secret_make(value, strlen(value), &info, &s), KT_SUCCESS);
    ck_assert_uint_eq(kt_secret_live(), 1); /* one block, whatever is known */
    for (size_t i = 0; i < KT_ATTRS_MAX; i++) {
        free(strings[i][0]);
        free(strings[i][1]);
    }
    free(attrs);
    free(module);
    free(file);
    free(value);
    memset(&info, 'x', sizeof(info));

    got = kt_secret_info(s);
    ck_assert_str_eq(kt_secret_data(s), "sk-canary");
    ck_assert_str_eq(got->id, "gcp:7");
    ck_assert_int_eq(got->created_ms, 1);
    ck_assert_int_eq(got->expires_ms, 2);
    ck_assert_int_eq(got->not_before_ms, 3);
    ck_assert_int_eq(got->age_ms, 4);
    ck_assert_uint_eq(got->state, KT_STATE_DISABLED);
    ck_assert_uint_eq(got->stages, KT_STAGE_CURRENT);
    ck_assert_uint_eq(got->flags, KT_FLAG_COPY);
    ck_assert_uint_eq(got->line, 12);
    ck_assert_str_eq(got->file, "/etc/keyturn.d/deepseek");
    ck_assert_str_eq(got->module, "file");
    ck_assert_uint_eq(got->nattrs, KT_ATTRS_MAX);
    for (size_t i = 0; i < KT_ATTRS_MAX; i++) {
        char want[16];

        snprintf(want, sizeof(want), "key-%zu", i);
        ck_assert_str_eq(got->attrs[i].key, want);
        ck_assert_uint_eq(strtoul(got->attrs[i].value, NULL, 10), i);
    }
    ck_assert_uint_eq(strlen(got->attrs[5].value), KT_ATTR_VALUE_MAX);
    kt_secret_free(s);
}
END_TEST

START_TEST(attributes_do_not_touch_the_value)
{
    static const struct kt_attr attrs[] = { { "a", NULL }, { "", "" } };
    static const struct kt_info info = { .attrs = attrs, .nattrs = 2, .module = "m" };

    for (size_t len = 0; len <= 64; len++) {
        struct kt_secret *s = NULL;
        char value[64];

        memset(value, 'v', sizeof(value));
        ck_assert_int_eq(kt_secret_make(value, len, &info, &s), KT_SUCCESS);
        ck_assert_mem_eq(kt_secret_data(s), value, len);
        ck_assert_int_eq(((const char *)kt_secret_data(s))[len], '\0');
        ck_assert_str_eq(kt_secret_info(s)->attrs[0].key, "a");
        ck_assert_ptr_null(kt_secret_info(s)->attrs[0].value);
        ck_assert_str_eq(kt_secret_info(s)->attrs[1].key, "");
        ck_assert_str_eq(kt_secret_info(s)->attrs[1].value, "");
        ck_assert_str_eq(kt_secret_info(s)->module, "m");
        kt_secret_free(s);
    }
}
END_TEST

START_TEST(a_freed_secret_is_nowhere)
{
    static const struct kt_attr attrs[] = { { "account", "hush-hush" } };
    static const struct kt_info info = { .attrs = attrs, .nattrs = 1 };
    struct kt_secret *s = NULL;
    void *neighbour; /* keeps the slab mapped */
    const char *data;

    ck_assert_int_eq(kt_secret_make("sk-canary", 9, &info, &s), KT_SUCCESS);
    neighbour = kt_arena_alloc(64, 0);
    data = kt_secret_data(s);
    ck_assert_ptr_nonnull(memmem(data, 64, "sk-canary", 9));
    ck_assert_ptr_nonnull(memmem(data, 64, "hush-hush", 9));
    kt_secret_free(s);
    for (size_t i = 0; i < 64; i++)
        ck_assert_int_eq(data[i], 0);
    kt_arena_free(neighbour);
}
END_TEST

static void run_out(void *arg)
{
    static char data[KT_VALUE_MAX];
    struct kt_secret *s = arg;

    deny(SYS_mmap, 2, PROT_NONE, ENOMEM);
    CHILD_MUST(kt_secret_new(data, sizeof(data), &s) == KT_NO_MEMORY);
    CHILD_MUST(s == arg);
    CHILD_MUST(kt_secret_live() == 0);
}

START_TEST(no_memory_is_an_answer)
{
    ck_assert_int_eq(run_child(run_out, NULL), 0);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("secret");
    TCase *t = tcase_create("secret");

    tcase_add_checked_fixture(t, NULL, kt_harness_no_secrets);
    tcase_add_test(t, no_memory_is_an_answer); /* first: no slab is there yet */
    tcase_add_loop_test(t, a_secret_is_its_bytes_and_a_nul, 0, sizeof(sizes) / sizeof(sizes[0]));
    tcase_add_test(t, an_empty_secret_needs_no_bytes);
    tcase_add_test(t, a_new_secret_knows_nothing);
    tcase_add_test(t, too_large_leaves_the_output_alone);
    tcase_add_test(t, a_secret_outlives_what_it_was_made_from);
    tcase_add_test(t, attributes_do_not_touch_the_value);
    tcase_add_test(t, a_freed_secret_is_nowhere);
    suite_add_tcase(s, t);
    return kt_harness_run(s);
}
