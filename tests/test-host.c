/* SPDX-License-Identifier: Apache-2.0 */

/* What the host lends to modules: secrets of other services, a person to ask. */

#include "scene.h"

#include <string.h>

static struct scene *s;

static void set_up(void)
{
    s = scene_new();
}

static void tear_down(void)
{
    scene_free(s);
    kt_harness_no_secrets();
}

/* ---- secrets of other services ------------------------------------------------------------------ */

static const struct {
    const char *title;
    const char *from;
    const char *inner;
    int want;
    const char *words;
} rows[] = {
    { "there", "inner/a/b", "read required debug value=deep\n", KT_SUCCESS, NULL },
    { "not there", "inner/a", "read required debug get=not_found\n", KT_NOT_FOUND, NULL },
    { "locked there", "inner/a", "read required debug get=locked\n", KT_LOCKED, "/config/inner:1" },
    { "could not ask there", "inner/a", "read required debug get=throttled\n", KT_THROTTLED,
      "inner" },
    { "a service that does not open", "inner/a", "read required\n", KT_CONFIG_ERROR,
      "/config/inner:1" },
    { "itself", "outer/a", "", KT_CONFIG_ERROR, "cycle" },
    { "one that needs it", "inner/a", "read required mock_asks from=outer/a\n", KT_CONFIG_ERROR,
      "cycle" },
    { "one that needs itself", "inner/a", "read required mock_asks from=inner/a\n", KT_CONFIG_ERROR,
      "cycle" },
    { "through a third", "inner/a", "read required mock_asks from=third/x\n", KT_SUCCESS, NULL },
    { "no name", "inner", "", KT_CONFIG_ERROR, "SERVICE/NAME" },
    { "no service", "/a", "", KT_CONFIG_ERROR, "SERVICE/NAME" },
    { "a name that breaks the rules", "inner/a//b", "read required debug\n", KT_INVALID, NULL },
    { "a service name that breaks the rules", "In.ner/a", "", KT_INVALID, "In.ner" },
};

START_TEST(a_secret_of_another_service)
{
    struct kt_handle *h;
    struct kt_secret *v = NULL;
    struct kt_err err = { 0 };
    int rc;

    scene_write(s, "inner", "%s", rows[_i].inner);
    scene_write(s, "third", "read required debug value=deep\n");
    h = scene_open(s, "outer", "read required mock_asks from=%s\n", rows[_i].from);
    rc = kt_get(h, "x", NULL, &v, &err);
    ck_assert_msg(rc == rows[_i].want, "%s: %s (%s)", rows[_i].title, kt_status_name(rc), err.msg);
    if (rc == KT_SUCCESS)
        ck_assert_str_eq(kt_secret_data(v), "deep");
    else if (rows[_i].words != NULL)
        ck_assert_msg(strstr(err.msg, rows[_i].words) != NULL, "%s: no '%s' in: %s", rows[_i].title,
                      rows[_i].words, err.msg);
    kt_secret_free(v);
    kt_close(h);
}
END_TEST

START_TEST(a_secret_put_into_another_service)
{
    struct kt_handle *h, *inner;

    inner = scene_open(s, "inner", "read required mock_good\nwrite required mock_good\n");
    scene_expect(inner, "a", NULL, KT_NOT_FOUND); /* its store lives while somebody has it open */
    h = scene_open(s, "outer",
                   "read required mock_asks from=inner/a\n"
                   "write required mock_asks from=inner/a\n");
    scene_put(h, "x", "v", NULL);
    scene_expect(inner, "a", "v", KT_SUCCESS);
    scene_expect(h, "x", "v", KT_SUCCESS);
    kt_close(h);
    scene_write(s, "inner", "read required mock_good\n");
    h = scene_open(s, "outer", "write required mock_asks from=inner/a\n");
    ck_assert_int_eq(kt_put(h, "x", "w", 1, NULL, NULL, NULL), KT_UNSUPPORTED);
    kt_close(h);
    kt_close(inner);
}
END_TEST

START_TEST(another_service_is_waited_for_no_longer_than_the_line_is)
{
    struct kt_handle *h;
    int64_t begin;
    int status;

    scene_write(s, "inner", "read required mock_hang\n");
    h = scene_open(s, "outer",
                   "read fallback mock_asks from=inner/a max-stale=1h timeout=40ms\n"
                   "read required debug\n");
    s->clockwork = true;
    begin = scene_now_ms(s, KT_CLOCK_MONOTONIC);
    ck_assert_str_eq(scene_get(h, "x", GET_OPTIONS(.timeout_ms = HOUR), &status, NULL), "debug");
    ck_assert_int_lt(scene_now_ms(s, KT_CLOCK_MONOTONIC) - begin, 80);
    kt_close(h);
}
END_TEST

/* ---- a person ------------------------------------------------------------------------------------- */

struct person {
    const char *answer; /* NULL: refuses with @status */
    int status;
    int claims; /* if not 0: how many bytes it says it wrote */
    int asked;
};

static int answer(void *cookie, const char *text, bool echo, char *buf, size_t len,
                  int64_t deadline_ms, int cancel_fd)
{
    struct person *p = cookie;

    p->asked++;
    if (strcmp(text, "What is it? ") != 0 || echo || deadline_ms <= 0 || cancel_fd < 0)
        return -KT_MODULE_ERROR;
    if (p->answer == NULL)
        return -p->status;
    if (strlen(p->answer) <= len)
        memcpy(buf, p->answer, strlen(p->answer));
    return p->claims != 0 ? p->claims : (int)strlen(p->answer);
}

static const struct {
    const char *title;
    struct person person;
    bool may_prompt;
    bool nobody;
    int want;
    int asked;
} people[] = {
    { "answers", { .answer = "yes" }, true, false, KT_SUCCESS, 1 },
    { "answers nothing", { .answer = "" }, true, false, KT_SUCCESS, 1 },
    { "may not be asked", { .answer = "yes" }, false, false, KT_LOCKED, 0 },
    { "is not there", { .answer = "yes" }, true, true, KT_LOCKED, 0 },
    { "turns away", { .status = KT_CANCELLED }, true, false, KT_CANCELLED, 1 },
    { "takes too long", { .status = KT_TIMEOUT }, true, false, KT_TIMEOUT, 1 },
    { "says more than there is room for",
      { .answer = "yes", .claims = 9 },
      true,
      false,
      KT_INVALID,
      1 },
};

START_TEST(a_person_is_asked_only_where_that_is_allowed)
{
    struct person person = people[_i].person;
    const struct kt_open_options o = {
        .size = sizeof(o),
        .config_dir = s->config,
        .module_dir = kt_harness_modules(),
        .prompt = people[_i].nobody ? NULL : answer,
        .cookie = &person,
    };
    struct kt_handle *h = NULL;
    const char *value;
    int status;

    scene_write(s, "t", "read required mock_asks from=?\n");
    ck_assert_int_eq(kt_open("t", &o, &h, NULL), KT_SUCCESS);
    value = scene_get(h, "x", GET_OPTIONS(.may_prompt = people[_i].may_prompt), &status, NULL);
    ck_assert_msg(status == people[_i].want, "%s: %s", people[_i].title, kt_status_name(status));
    ck_assert_int_eq(person.asked, people[_i].asked);
    if (status == KT_SUCCESS)
        ck_assert_str_eq(value, people[_i].person.answer);
    kt_close(h);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("host");
    TCase *tc = tcase_create("host");

    tcase_add_checked_fixture(tc, set_up, tear_down);
    scene_add_rows(tc, a_secret_of_another_service, rows);
    tcase_add_test(tc, a_secret_put_into_another_service);
    tcase_add_test(tc, another_service_is_waited_for_no_longer_than_the_line_is);
    scene_add_rows(tc, a_person_is_asked_only_where_that_is_allowed, people);
    suite_add_tcase(suite, tc);
    return kt_harness_run(suite);
}
