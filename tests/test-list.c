/* SPDX-License-Identifier: Apache-2.0 */

/* Lists: the union of all lines, never silently short, and what the authority lacks left out. */

#include "scene.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct scene *s;
static struct kt_handle *a, *f; /* the stores `a` and `f`, alone */

static void set_up(void)
{
    s = scene_new();
    a = scene_open(s, "a", "read required mock_good label=a\nwrite required mock_good label=a\n");
    f = scene_open(s, "f", "read required mock_good label=f\nwrite required mock_good label=f\n");
}

static void tear_down(void)
{
    kt_close(a);
    kt_close(f);
    scene_free(s);
    kt_harness_no_secrets();
}

/* "NAME:LINE NAME:LINE …", then " | LINE:STATUS …" for each line that was asked; or the failure. */
static const char *list(struct kt_handle *h, const char *prefix)
{
    static char text[4096];
    struct kt_list *l = NULL;
    struct kt_err err = { 0 };
    const struct kt_line_status *lines;
    const int rc = kt_list(h, prefix, NULL, &l, &err);
    size_t len = 0;

    if (rc != KT_SUCCESS) {
        ck_assert_ptr_null(l);
        ck_assert_int_eq(err.status, rc);
        return kt_status_name(rc);
    }
    text[0] = '\0';
    for (size_t i = 0; i < kt_list_count(l); i++) {
        const struct kt_item *item = kt_list_item(l, i);

        len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s:%u ",
                                item->info.flags & KT_FLAG_FOREIGN ? "!" : "", item->name,
                                item->info.line);
    }
    ck_assert_ptr_null(kt_list_item(l, kt_list_count(l)));
    const size_t n = kt_list_lines(l, &lines);

    len += (size_t)snprintf(text + len, sizeof(text) - len, "|");
    for (size_t i = 0; i < n; i++) {
        len += (size_t)snprintf(text + len, sizeof(text) - len, " %u:%s", lines[i].line,
                                kt_status_name(lines[i].status));
        ck_assert_ptr_nonnull(lines[i].module);
        ck_assert_ptr_nonnull(strstr(lines[i].file, "/config/"));
        ck_assert_msg(lines[i].status == KT_SUCCESS || lines[i].msg[0] != '\0', "no words");
    }
    kt_list_free(l);
    return text;
}

static void fill_stores(void)
{
    scene_put(a, "b/c", "1", (char[KT_ID_SIZE]){ 0 });
    scene_put(a, "a", "1", (char[KT_ID_SIZE]){ 0 });
    scene_put(a, "b/d/e", "1", (char[KT_ID_SIZE]){ 0 });
    scene_put(a, "bc", "1", (char[KT_ID_SIZE]){ 0 });
    scene_put(f, "a", "1", (char[KT_ID_SIZE]){ 0 });
    scene_put(f, "gone", "1", (char[KT_ID_SIZE]){ 0 });
}

static const struct {
    const char *title;
    const char *stack;
    const char *prefix;
    const char *want;
} rows[] = {
    { "all, in order of name", "read required mock_good label=a\n", NULL,
      "a:1 b/c:1 b/d/e:1 bc:1 | 1:success" },
    { "a prefix is whole parts", "read required mock_good label=a\n", "b",
      "b/c:1 b/d/e:1 | 1:success" },
    { "a prefix is a name, too", "read required mock_good label=a\n", "b/c", "b/c:1 | 1:success" },
    { "a prefix that nothing has", "read required mock_good label=a\n", "zz", "| 1:success" },
    { "a prefix that is no name", "read required mock_good label=a\n", "b/", "invalid" },
    { "a prefix of ours", "read required mock_good label=a\n", ".keyturn", "invalid" },
    { "the first line that has it, and no name that the authority lacks",
      "read fallback mock_good label=f max-stale=1h\nread required mock_good label=a\n", NULL,
      "a:1 b/c:2 b/d/e:2 bc:2 | 1:success 2:success" },
    { "an override's names stand",
      "read sufficient mock_good label=f max-stale=none\nread required mock_good label=a\n", NULL,
      "a:1 b/c:2 b/d/e:2 bc:2 gone:1 | 1:success 2:success" },
    { "a line that fails is shown",
      "read sufficient debug list=unavailable\nread required mock_good label=a\n", "b/c",
      "b/c:2 | 1:unavailable 2:success" },
    { "a line that hangs is shown",
      "read fallback mock_hang max-stale=1h timeout=50ms\nread required mock_good label=a\n", "b/c",
      "b/c:2 | 1:timeout 2:success" },
    { "a store that cannot be listed is shown",
      "read fallback mock_short max-stale=1h\nread required mock_good label=a\n", "b/c",
      "b/c:2 | 1:unsupported 2:success" },
    { "a module that is not installed is shown",
      "-read fallback nobody_has_this max-stale=1h\nread required mock_good label=a\n", "b/c",
      "b/c:2 | 1:unavailable 2:success" },
    { "the authority that fails",
      "read fallback mock_good label=f max-stale=1h\n"
      "read required mock_slow delay=1h timeout=50ms\n",
      NULL, "timeout" },
    { "caches have no names of their own", "read front cache\nread required mock_good label=a\n",
      "a", "a:2 | 2:success" },
    { "one store is asked once",
      "read sufficient mock_good label=a\nread required mock_good label=a\n", "a",
      "a:1 | 1:success" },
    { "ours are hidden", "read required debug names=x,.keyturn/rotation/x,.keyturn/y\n", NULL,
      "x:1 | 1:success" },
    { "names that we could not have made are marked", "read required mock_liar\n", NULL,
      "!../not a name:1 | 1:success" },
    { "and are under no prefix", "read required mock_liar\n", "x", "| 1:success" },
    { "config_error ends it",
      "read optional debug list=config_error\nread required mock_good label=a\n", NULL,
      "config_error" },
    { "names that name= makes, and no others",
      "read required debug names=prod/x/k,prod/y/k,other name=prod/%n/k\n", NULL,
      "x:1 y:1 | 1:success" },
    { "one fixed place cannot be listed", "read required mock_good label=a name=place\n", NULL,
      "unsupported" },
    { "no lines", "write required mock_good label=a\n", NULL, "unsupported" },
    { "in a substack", "read substack other\nread required mock_good label=a\n", "a",
      "a:1 | 1:success 2:success" },
};

START_TEST(a_list_is_as_its_row_says)
{
    struct kt_handle *h;
    const char *got;

    fill_stores();
    scene_write(s, "other", "read sufficient mock_good label=f max-stale=none\n");
    h = scene_open(s, "t", "%s", rows[_i].stack);
    got = list(h, rows[_i].prefix);
    ck_assert_msg(strcmp(got, rows[_i].want) == 0, "%s: %s", rows[_i].title, got);
    kt_close(h);
}
END_TEST

START_TEST(a_row_tells_the_current_version)
{
    const struct kt_attr attr = { "owner", "us" };
    const struct kt_put_options o = {
        .size = sizeof(o), .attrs = &attr, .nattrs = 1, .expires_ms = 4102444800000
    };
    struct kt_list *l = NULL;
    char id[KT_ID_SIZE];

    scene_put(a, "x", "1", id);
    ck_assert_int_eq(kt_put(a, "x", "2", 1, &o, id, NULL), KT_SUCCESS);
    ck_assert_int_eq(kt_list(a, NULL, NULL, &l, NULL), KT_SUCCESS);
    ck_assert_uint_eq(kt_list_count(l), 1);
    const struct kt_info *info = &kt_list_item(l, 0)->info;
    ck_assert_str_eq(info->id, id);
    ck_assert_int_eq(info->expires_ms, o.expires_ms);
    ck_assert_int_gt(info->created_ms, 0);
    ck_assert_uint_eq(info->nattrs, 1);
    ck_assert_str_eq(info->attrs[0].value, "us");
    ck_assert_str_eq(info->module, "mock_good");
    kt_list_free(l);
    kt_list_free(NULL);
}
END_TEST

START_TEST(versions_come_newest_first)
{
    const struct kt_put_options pending = { .size = sizeof(pending), .stage = "pending" };
    struct kt_delete_options destroy = { .size = sizeof(destroy) };
    struct kt_list *l = NULL;
    char id[3][KT_ID_SIZE];
    static const uint32_t stages[] = { KT_STAGE_PENDING, KT_STAGE_CURRENT, KT_STAGE_PREVIOUS };

    scene_put(a, "x", "1", id[2]);
    scene_later(s, SECOND);
    scene_put(a, "x", "2", id[1]);
    scene_later(s, SECOND);
    ck_assert_int_eq(kt_put(a, "x", "3", 1, &pending, id[0], NULL), KT_SUCCESS);
    destroy.version = id[2];
    ck_assert_int_eq(kt_delete(a, "x", &destroy, NULL, NULL), KT_SUCCESS);
    ck_assert_int_eq(kt_versions(a, "x", NULL, &l, NULL), KT_SUCCESS);
    ck_assert_uint_eq(kt_list_count(l), 3);
    for (size_t i = 0; i < 3; i++) {
        const struct kt_item *item = kt_list_item(l, i);

        ck_assert_str_eq(item->name, "x");
        ck_assert_str_eq(item->info.id, id[i]);
        ck_assert_uint_eq(item->info.stages, stages[i]);
        ck_assert_uint_eq(item->info.state, i == 2 ? KT_STATE_DESTROYED : KT_STATE_ENABLED);
    }
    kt_list_free(l);
    l = NULL;
    ck_assert_int_eq(kt_versions(a, "y", NULL, &l, NULL), KT_NOT_FOUND);
    ck_assert_int_eq(kt_versions(a, "y//", NULL, &l, NULL), KT_INVALID);
    ck_assert_ptr_null(l);
}
END_TEST

START_TEST(versions_are_the_authoritys)
{
    struct kt_handle *h = scene_open(s, "t",
                                     "read fallback mock_good label=f max-stale=1h\n"
                                     "read required mock_good label=a\n");
    struct kt_handle *mute = scene_open(s, "u", "read required mock_slow\n");
    struct kt_list *l = NULL;
    char id[KT_ID_SIZE];

    scene_put(f, "x", "copy", id);
    ck_assert_int_eq(kt_versions(h, "x", NULL, &l, NULL), KT_NOT_FOUND);
    scene_put(a, "x", "1", id);
    ck_assert_int_eq(kt_versions(h, "x", NULL, &l, NULL), KT_SUCCESS);
    ck_assert_uint_eq(kt_list_count(l), 1);
    ck_assert_str_eq(kt_list_item(l, 0)->info.id, id);
    ck_assert_uint_eq(kt_list_item(l, 0)->info.line, 2);
    kt_list_free(l);
    ck_assert_int_eq(kt_versions(mute, "x", NULL, &l, NULL), KT_UNSUPPORTED);
    kt_close(mute);
    kt_close(h);
}
END_TEST

struct heard {
    char names[200];
    size_t stop_after; /* 0: never */
    size_t n;
};

static int hear(void *cookie, const struct kt_item *item)
{
    struct heard *heard = cookie;
    const size_t len = strlen(heard->names);

    (void)snprintf(heard->names + len, sizeof(heard->names) - len, "%s:%u ", item->name,
                   item->info.line);
    return ++heard->n == heard->stop_after ? KT_NO_SPACE : KT_SUCCESS;
}

/* What the authority gives passes through; the others' names come at the end. */
START_TEST(rows_one_at_a_time)
{
    struct kt_handle *h = scene_open(s, "t",
                                     "read sufficient mock_good label=f max-stale=none\n"
                                     "read required mock_names count=3\n"
                                     "read sufficient debug list=unavailable\n");
    struct heard heard = { .n = 0 };
    struct kt_list *lines = NULL;
    const struct kt_line_status *line;
    struct kt_err err = { 0 };

    scene_put(f, "n/0000001", "1", (char[KT_ID_SIZE]){ 0 });
    scene_put(f, "own", "1", (char[KT_ID_SIZE]){ 0 });
    ck_assert_int_eq(kt_list_each(h, NULL, NULL, hear, &heard, &lines, &err), KT_SUCCESS);
    ck_assert_str_eq(heard.names, "n/0000000:2 n/0000002:2 n/0000001:1 own:1 ");
    ck_assert_uint_eq(kt_list_count(lines), 0);
    ck_assert_uint_eq(kt_list_lines(lines, &line), 3);
    for (uint32_t i = 0; i < 3; i++)
        ck_assert_uint_eq(line[i].line, i + 1);
    ck_assert_int_eq(line[2].status, KT_UNAVAILABLE);
    kt_list_free(lines);
    lines = NULL;
    heard = (struct heard){ .stop_after = 2 };
    ck_assert_int_eq(kt_list_each(h, "", NULL, hear, &heard, &lines, &err), KT_NO_SPACE);
    ck_assert_ptr_null(lines);
    ck_assert_uint_eq(heard.n, 2);
    heard = (struct heard){ .n = 0 };
    ck_assert_int_eq(kt_list_each(h, "own", NULL, hear, &heard, NULL, NULL), KT_SUCCESS);
    ck_assert_str_eq(heard.names, "own:1 ");
    kt_close(h);
}
END_TEST

START_TEST(options_that_break_the_rules_are_refused)
{
    const struct kt_call_options odd = { .size = 1 };
    const struct kt_call_options late = { .size = sizeof(late), .timeout_ms = -1 };
    struct kt_list *l = NULL;

    ck_assert_int_eq(kt_list(a, NULL, &odd, &l, NULL), KT_INVALID);
    ck_assert_int_eq(kt_list(a, NULL, &late, &l, NULL), KT_INVALID);
    ck_assert_int_eq(kt_versions(a, "x", &odd, &l, NULL), KT_INVALID);
    ck_assert_int_eq(kt_versions(a, "x", &late, &l, NULL), KT_INVALID);
    ck_assert_int_eq(kt_report(a, "x", NULL, KT_USED, &odd, NULL), KT_INVALID);
    ck_assert_ptr_null(l);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("list");
    TCase *tc = tcase_create("list");

    tcase_add_checked_fixture(tc, set_up, tear_down);
    scene_add_rows(tc, a_list_is_as_its_row_says, rows);
    tcase_add_test(tc, a_row_tells_the_current_version);
    tcase_add_test(tc, versions_come_newest_first);
    tcase_add_test(tc, versions_are_the_authoritys);
    tcase_add_test(tc, rows_one_at_a_time);
    tcase_add_test(tc, options_that_break_the_rules_are_refused);
    suite_add_tcase(suite, tc);
    return kt_harness_run(suite);
}
