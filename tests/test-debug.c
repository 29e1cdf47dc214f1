/* SPDX-License-Identifier: Apache-2.0 */

/* debug answers as it is told, and is told only what can be answered. */

#include "harness.h"
#include "modhost.h"

#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

static struct kt_call call;
static void *state;
static const struct kt_module *m;

static void setup(void)
{
    modhost_call_init(&call);
    m = modhost_load("debug");
    state = NULL;
}

static void teardown(void)
{
    if (state)
        m->close(state);
    modhost_call_done(&call);
    ck_assert_uint_eq(modhost_live(), 0);
}

static int open_with(const char *options)
{
    return modhost_open(m, &call, options, &state);
}

static const struct {
    const char *options;
    int get, prepare, commit, list, del, stage;
} rows[] = {
    { NULL, 0, 0, 0, 0, 0, 0 },
    { "get=not_found", KT_NOT_FOUND, 0, 0, 0, 0, 0 },
    { "put=read_only", 0, KT_READ_ONLY, KT_READ_ONLY, 0, 0, 0 },
    { "put=read_only commit=success", 0, KT_READ_ONLY, 0, 0, 0, 0 },
    { "commit=no_space", 0, 0, KT_NO_SPACE, 0, 0, 0 },
    { "prepare=locked put=busy", 0, KT_LOCKED, KT_BUSY, 0, 0, 0 },
    { "list=throttled delete=denied stage=conflict", 0, 0, 0, KT_THROTTLED, KT_DENIED,
      KT_CONFLICT },
    { "get=config_error list=ignore", KT_CONFIG_ERROR, 0, 0, KT_IGNORE, 0, 0 },
};

START_TEST(answers_what_its_line_says)
{
    const struct kt_put put = { .size = sizeof(put), .id = "x:1" };
    const struct kt_delete del = { .size = sizeof(del) };
    bool restorable;

    ck_assert_int_eq(open_with(rows[_i].options), KT_SUCCESS);
    ck_assert_int_eq(m->get(state, &call, "n", modhost_want(NULL)), rows[_i].get);
    ck_assert_uint_eq(call.ngiven, rows[_i].get == KT_SUCCESS);
    if (rows[_i].get == KT_SUCCESS) {
        ck_assert_str_eq(call.given[0].data, "debug");
        ck_assert_str_eq(call.given[0].id, "debug:1");
    } else if (rows[_i].get != KT_NOT_FOUND) {
        ck_assert_int_eq(call.status, rows[_i].get);
    }
    ck_assert_int_eq(m->put(state, &call, KT_PREPARE, "n", &put), rows[_i].prepare);
    ck_assert_int_eq(m->put(state, &call, KT_COMMIT, "n", &put), rows[_i].commit);
    ck_assert_int_eq(m->list(state, &call, NULL), rows[_i].list);
    ck_assert_int_eq(m->del(state, &call, KT_COMMIT, "n", &del, &restorable), rows[_i].del);
    ck_assert_int_eq(m->restore(state, &call, KT_COMMIT, "n"), rows[_i].del);
    ck_assert_int_eq(m->stage(state, &call, KT_COMMIT, "n", KT_STAGE_PENDING, NULL, NULL),
                     rows[_i].stage);
    ck_assert_int_eq(m->forget(state, &call, "n", NULL), KT_SUCCESS);
    ck_assert_int_eq(m->report(state, &call, "n", NULL, KT_REJECTED), KT_SUCCESS);
}
END_TEST

START_TEST(gives_value_id_and_names_as_told)
{
    ck_assert_int_eq(open_with("value=v id=aws:7 names=a/b,a,ab,,c"), KT_SUCCESS);
    ck_assert_int_eq(m->get(state, &call, "n", modhost_want(NULL)), KT_SUCCESS);
    ck_assert_str_eq(call.given[0].data, "v");
    ck_assert_str_eq(call.given[0].id, "aws:7");
    modhost_call_reset(&call);
    ck_assert_int_eq(m->get(state, &call, "n", modhost_want("aws:7")), KT_SUCCESS);
    ck_assert_int_eq(m->get(state, &call, "n", modhost_want("aws:8")), KT_NOT_FOUND);
    modhost_call_reset(&call);
    ck_assert_int_eq(m->versions(state, &call, "n"), KT_SUCCESS);
    ck_assert_uint_eq(call.ngiven, 1);
    modhost_call_reset(&call);
    ck_assert_int_eq(m->list(state, &call, NULL), KT_SUCCESS);
    ck_assert_uint_eq(call.ngiven, 4);
    modhost_call_reset(&call);
    ck_assert_int_eq(m->list(state, &call, "a"), KT_SUCCESS);
    ck_assert_uint_eq(call.ngiven, 2);
    modhost_call_reset(&call);
    call.stop_list = KT_TIMEOUT;
    call.stop_after = 1;
    ck_assert_int_eq(m->list(state, &call, NULL), KT_TIMEOUT);
    ck_assert_uint_eq(call.ngiven, 1);
}
END_TEST

static const char *const bad[] = { "get=found", "put=SUCCESS", "prepare=", "stage=0",
                                   "delete=succes" };

START_TEST(refuses_a_word_that_is_no_status)
{
    ck_assert_int_eq(open_with(bad[_i]), KT_CONFIG_ERROR);
    ck_assert_ptr_nonnull(strstr(call.msg, bad[_i]));
}
END_TEST

START_TEST(delay_ends_with_the_deadline_and_the_cancel)
{
    ck_assert_int_eq(open_with("delay=1h"), KT_SUCCESS);
    call.deadline_ms = modhost.now_ns(&call, KT_CLOCK_MONOTONIC) / 1000000 + 30;
    ck_assert_int_eq(m->get(state, &call, "n", modhost_want(NULL)), KT_TIMEOUT);
    ck_assert_uint_eq(call.ngiven, 0);
    modhost_call_reset(&call);
    call.cancel_fd = eventfd(1, EFD_CLOEXEC);
    ck_assert_int_eq(m->get(state, &call, "n", modhost_want(NULL)), KT_CANCELLED);
    close(call.cancel_fd);
}
END_TEST

START_TEST(delay_delays)
{
    int64_t begin = modhost.now_ns(&call, KT_CLOCK_MONOTONIC);

    ck_assert_int_eq(open_with("delay=40ms"), KT_SUCCESS);
    ck_assert_int_eq(m->get(state, &call, "n", modhost_want(NULL)), KT_SUCCESS);
    ck_assert_int_ge(modhost.now_ns(&call, KT_CLOCK_MONOTONIC) - begin, 39 * 1000000);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("debug");
    TCase *t = tcase_create("debug");

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_loop_test(t, answers_what_its_line_says, 0, sizeof(rows) / sizeof(rows[0]));
    tcase_add_test(t, gives_value_id_and_names_as_told);
    tcase_add_loop_test(t, refuses_a_word_that_is_no_status, 0, sizeof(bad) / sizeof(bad[0]));
    tcase_add_test(t, delay_ends_with_the_deadline_and_the_cancel);
    tcase_add_test(t, delay_delays);
    suite_add_tcase(s, t);
    return kt_harness_run(s);
}
