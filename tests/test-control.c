/* SPDX-License-Identifier: Apache-2.0 */
#include "harness.h"

#include "core/control.h"
#include "core/words.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROWS(table) (int)(sizeof(table) / sizeof((table)[0]))
#define SOME 8 /* statuses that a row names, at most */

static int parse(const char *text, unsigned form, struct kt_control *out, struct kt_err *err)
{
    char copy[256];
    const struct kt_word word = { .text = copy, .column = 6, .lineno = 3 };

    ck_assert_uint_lt(strlen(text), sizeof(copy));
    memcpy(copy, text, strlen(text) + 1);
    return kt_control_parse("f", &word, form, out, err);
}

/* What a control makes of some statuses, and of all others. */
static const struct {
    const char *text;
    unsigned form;
    struct {
        int status;
        int action;
    } some[SOME];
    int rest;
} controls[] = {
    { "required", 0, { { KT_SUCCESS, KT_DO_OK }, { KT_IGNORE, KT_DO_IGNORE } }, KT_DO_BAD },
    { "requisite", 0, { { KT_SUCCESS, KT_DO_OK }, { KT_IGNORE, KT_DO_IGNORE } }, KT_DO_DIE },
    { "sufficient", 0, { { KT_SUCCESS, KT_DO_DONE } }, KT_DO_IGNORE },
    { "optional", 0, { { KT_SUCCESS, KT_DO_OK } }, KT_DO_IGNORE },
    { "binding", 0, { { KT_SUCCESS, KT_DO_DONE }, { KT_IGNORE, KT_DO_IGNORE } }, KT_DO_BAD },
    { "fallback",
      0,
      { { KT_SUCCESS, KT_DO_DONE },
        { KT_IGNORE, KT_DO_IGNORE },
        { KT_NOT_FOUND, KT_DO_IGNORE },
        { KT_UNAVAILABLE, KT_DO_IGNORE },
        { KT_THROTTLED, KT_DO_IGNORE },
        { KT_TIMEOUT, KT_DO_IGNORE },
        { KT_LOCKED, KT_DO_IGNORE } },
      KT_DO_DIE },
    { "front",
      0,
      { { KT_SUCCESS, KT_DO_DONE },
        { KT_IGNORE, KT_DO_IGNORE },
        { KT_UNAVAILABLE, KT_DO_IGNORE },
        { KT_TIMEOUT, KT_DO_IGNORE } },
      KT_DO_DIE },
    { "success=ok", KT_WORD_GROUPED, { { KT_SUCCESS, KT_DO_OK } }, KT_DO_BAD },
    { " success = done\tdefault= ignore ",
      KT_WORD_GROUPED,
      { { KT_SUCCESS, KT_DO_DONE } },
      KT_DO_IGNORE },
    /* default fills only what is unset where it stands; explicit pairs overwrite */
    { "default=bad success=ok", KT_WORD_GROUPED, { { KT_SUCCESS, KT_DO_OK } }, KT_DO_BAD },
    { "default=die default=ok", KT_WORD_GROUPED, { { KT_DENIED, KT_DO_DIE } }, KT_DO_DIE },
    { "denied=ok denied=reset default=2", KT_WORD_GROUPED, { { KT_DENIED, KT_DO_RESET } }, 2 },
    { "default=2147483647", KT_WORD_GROUPED, { { KT_SUCCESS, INT32_MAX } }, INT32_MAX },
    { "config_error=die not_found=ignore ignore=007",
      KT_WORD_GROUPED,
      { { KT_CONFIG_ERROR, KT_DO_DIE }, { KT_NOT_FOUND, KT_DO_IGNORE }, { KT_IGNORE, 7 } },
      KT_DO_BAD },
};

START_TEST(controls_say_what_each_status_does)
{
    struct kt_control c;
    struct kt_err err;
    int want[KT_STATUS_COUNT];

    ck_assert_msg(parse(controls[_i].text, controls[_i].form, &c, &err) == KT_SUCCESS, "%s",
                  err.msg);
    for (size_t i = 0; i < KT_STATUS_COUNT; i++)
        want[i] = controls[_i].rest;
    for (size_t i = 0; i < SOME; i++)
        if (controls[_i].some[i].status != 0 || i == 0)
            want[controls[_i].some[i].status] = controls[_i].some[i].action;
    if (controls[_i].some[0].status != KT_SUCCESS)
        want[KT_SUCCESS] = controls[_i].rest;
    for (size_t i = 0; i < KT_STATUS_COUNT; i++)
        ck_assert_msg(c.action[i] == want[i], "%s: %s is %d", c.text, kt_status_name((int)i),
                      c.action[i]);
    ck_assert_uint_eq(c.lineno, 3);
    ck_assert_uint_eq(c.column, 6);
    if (controls[_i].form != 0) {
        ck_assert_int_eq(c.text[0], '[');
        ck_assert_int_eq(c.text[strlen(c.text) - 1], ']');
    }
    free(c.text);
}
END_TEST

START_TEST(a_bracket_knows_every_status)
{
    for (int i = 0; i < KT_STATUS_COUNT; i++) {
        struct kt_control c;
        char text[64];
        (void)snprintf(text, sizeof(text), "%s=reset default=done", kt_status_name(i));
        ck_assert_int_eq(parse(text, KT_WORD_GROUPED, &c, NULL), KT_SUCCESS);
        for (int k = 0; k < KT_STATUS_COUNT; k++)
            ck_assert_int_eq(c.action[k], k == i ? KT_DO_RESET : KT_DO_DONE);
        free(c.text);
    }
}
END_TEST

static const struct {
    const char *text;
    unsigned form;
    const char *says;
} refused[] = {
    { "Required", 0, "f:3:6: expected required, requisite," },
    { "require", 0, "found 'require'" },
    { "success=ok", 0, "found 'success=ok'" }, /* libpam takes it without its brackets */
    { "required", KT_WORD_GROUPED, "f:3:7: expected a status or default, found 'required'" },
    { "success", KT_WORD_GROUPED, "f:3:14: expected '=', found the end of '['" },
    { "", KT_WORD_GROUPED, "f:3:7: expected status=action, found the end of '['" },
    { "  ", KT_WORD_GROUPED, "f:3:9: expected status=action" },
    { "SUCCESS=ok", KT_WORD_GROUPED, "f:3:7: expected a status or default, found 'SUCCESS'" },
    { "succ=ok", KT_WORD_GROUPED, "found 'succ'" },
    { "user_unknown=ok", KT_WORD_GROUPED, "found 'user_unknown'" },
    { "unknown=ok", KT_WORD_GROUPED, "found 'unknown'" },
    { "success=okdefault=die", KT_WORD_GROUPED, "f:3:15: expected ok, done, bad, die" },
    { "success=OK", KT_WORD_GROUPED, "found 'OK'" },
    { "success=", KT_WORD_GROUPED, "f:3:15: expected ok, done, bad, die, ignore, reset" },
    { "success ok", KT_WORD_GROUPED, "f:3:15: expected '=', found 'ok'" },
    { "=ok", KT_WORD_GROUPED, "f:3:7: expected a status or default, found '='" },
    { "success==ok", KT_WORD_GROUPED, "f:3:15: expected ok" },
    { "success=0", KT_WORD_GROUPED, "f:3:15: expected a number of lines to skip from 1" },
    { "success=00", KT_WORD_GROUPED, "found '00'" },
    { "success=2147483648", KT_WORD_GROUPED, "found '2147483648'" },
    { "success=99999999999999999999999999", KT_WORD_GROUPED, "expected ok, done" },
    { "success=9223372036854775808", KT_WORD_GROUPED, "expected ok, done" },
    { "success=-1", KT_WORD_GROUPED, "found '-1'" },
    { "success=+1", KT_WORD_GROUPED, "found '+1'" },
    { "success=0x1", KT_WORD_GROUPED, "found '0x1'" },
    { "success=1.", KT_WORD_GROUPED, "found '1.'" },
    { "success=ok x", KT_WORD_GROUPED, "f:3:18: expected a status or default, found 'x'" },
    { "success=ok x", KT_WORD_GROUPED | KT_WORD_BROKEN, "f:3:6: expected a status" },
};

START_TEST(malformed_controls_are_refused)
{
    struct kt_control c = { .text = NULL };
    struct kt_err err = { .msg = "" };

    ck_assert_int_eq(parse(refused[_i].text, refused[_i].form, &c, &err), KT_CONFIG_ERROR);
    ck_assert_ptr_null(c.text);
    ck_assert_msg(strstr(err.msg, refused[_i].says) != NULL, "%s", err.msg);
}
END_TEST

/* Stacks as levels; line @at jumps, by how far at most: '-' is a marker. */
static const struct {
    const char *levels;
    size_t at;
    int most;
} stacks[] = {
    { "0", 0, 0 },       { "000", 0, 2 },     { "000", 1, 1 },     { "000", 2, 0 },
    { "0-110", 0, 2 },   { "0-110", 2, 1 },   { "0-110", 3, 0 },   { "0-110", 4, 0 },
    { "0-1-210", 0, 2 }, { "0-1-210", 2, 2 }, { "0-1-210", 4, 0 }, { "0-1-210", 5, 0 },
};

START_TEST(a_jump_goes_to_the_end_of_its_level_at_most)
{
    struct kt_line lines[8];
    struct kt_stack stack = { .lines = lines };
    struct kt_err err;
    unsigned level = 0;

    memset(lines, 0, sizeof(lines));
    for (const char *p = stacks[_i].levels; *p != '\0'; p++) {
        struct kt_line *l = &lines[stack.n++];
        l->file = "f";
        l->substack = *p == '-';
        level = *p == '-' ? level : (unsigned)(*p - '0');
        l->level = level;
        level += *p == '-';
    }
    lines[stacks[_i].at].control.lineno = 9;
    lines[stacks[_i].at].control.column = 6;
    lines[stacks[_i].at].control.action[KT_DENIED] = stacks[_i].most;
    ck_assert_int_eq(kt_control_check_jumps(&stack, &err), KT_SUCCESS);
    lines[stacks[_i].at].control.action[KT_DENIED] = stacks[_i].most + 1;
    ck_assert_int_eq(kt_control_check_jumps(&stack, &err), KT_CONFIG_ERROR);
    ck_assert_ptr_nonnull(strstr(err.msg, "f:9:6: expected a jump of at most"));
    ck_assert_ptr_nonnull(
        strstr(err.msg, lines[stacks[_i].at].level > 0 ? "of the substack" : "of the stack"));
}
END_TEST

START_TEST(only_required_and_requisite_demand)
{
    ck_assert(kt_control_demands(&(struct kt_control){ .text = (char *)"required" }));
    ck_assert(kt_control_demands(&(struct kt_control){ .text = (char *)"requisite" }));
    ck_assert(!kt_control_demands(&(struct kt_control){ .text = (char *)"binding" }));
    ck_assert(!kt_control_demands(&(struct kt_control){ .text = NULL }));
}
END_TEST

int main(void)
{
    Suite *s = suite_create("control");
    TCase *c = tcase_create("control");

    tcase_add_loop_test(c, controls_say_what_each_status_does, 0, ROWS(controls));
    tcase_add_test(c, a_bracket_knows_every_status);
    tcase_add_loop_test(c, malformed_controls_are_refused, 0, ROWS(refused));
    tcase_add_loop_test(c, a_jump_goes_to_the_end_of_its_level_at_most, 0, ROWS(stacks));
    tcase_add_test(c, only_required_and_requisite_demand);
    suite_add_tcase(s, c);
    return kt_harness_run(s);
}
