/* SPDX-License-Identifier: Apache-2.0 */

/* The stack machine alone, row by row: which lines have their turn, and what the stack answers. */

#include "core/dispatch.h"
#include "harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINES_MAX 24

/*
 * A stack in short: CONTROL:STATUS, blanks between; `(` and `)` stand around a substack; a control is
 * a keyword or STATUS=ACTION pairs with commas, the first of which wins, `default` last.
 * asked: the lines that had their turn, counted from 1 without markers. granter: 0 none.
 */
struct row {
    const char *title;
    const char *stack;
    const char *asked;
    int want;
    int granter;
};

static const struct {
    const char *word;
    const char *pairs;
} keywords[] = {
    { "required", "success=ok,ignore=ignore,default=bad" },
    { "requisite", "success=ok,ignore=ignore,default=die" },
    { "sufficient", "success=done,default=ignore" },
    { "optional", "success=ok,default=ignore" },
    { "binding", "success=done,ignore=ignore,default=bad" },
};

static const struct row rows[] = {
    { "a required success", "required:success", "1", KT_SUCCESS, 1 },
    { "a required failure is the answer", "required:locked", "1", KT_LOCKED, 0 },
    { "a required failure lets the rest run", "required:locked required:success", "12", KT_LOCKED,
      0 },
    { "the first failure is the answer", "required:locked required:denied", "12", KT_LOCKED, 0 },
    { "a later failure vetoes", "required:success required:throttled", "12", KT_THROTTLED, 0 },
    { "a requisite failure ends it", "requisite:locked required:success", "1", KT_LOCKED, 0 },
    { "a requisite keeps the earlier failure", "required:timeout requisite:locked required:success",
      "12", KT_TIMEOUT, 0 },
    { "sufficient ends it", "sufficient:success required:denied", "1", KT_SUCCESS, 1 },
    { "sufficient does not end a refused stack",
      "required:denied sufficient:success optional:success", "123", KT_DENIED, 0 },
    { "a sufficient failure is passed over", "sufficient:unavailable required:success", "12",
      KT_SUCCESS, 2 },
    { "an optional failure beside a success", "optional:denied required:success", "12", KT_SUCCESS,
      2 },
    { "binding ends it", "binding:success required:denied", "1", KT_SUCCESS, 1 },
    { "a binding failure counts", "binding:not_found required:success", "12", KT_NOT_FOUND, 0 },
    { "the first granter's value", "required:success required:success", "12", KT_SUCCESS, 1 },

    { "no lines", "", "", KT_UNSUPPORTED, 0 },
    { "D1: could not ask outranks not found", "optional:not_found optional:unavailable", "12",
      KT_UNAVAILABLE, 0 },
    { "D1: whichever came first", "optional:unavailable optional:not_found", "12", KT_UNAVAILABLE,
      0 },
    { "D1: denied outranks unavailable", "sufficient:denied sufficient:unavailable", "12",
      KT_DENIED, 0 },
    { "D1: only not found", "optional:not_found optional:not_found", "12", KT_NOT_FOUND, 0 },
    { "D1: nothing but ignore", "required:ignore required:ignore", "12", KT_UNSUPPORTED, 0 },
    { "D1: a failure that jumped", "unavailable=1,default=bad:unavailable required:success", "1",
      KT_UNAVAILABLE, 0 },
    { "D1: a success that was ignored", "success=ignore,default=bad:success", "1", KT_UNSUPPORTED,
      0 },
    { "D1: a refusal that was reset", "required:locked default=reset:success", "12", KT_LOCKED, 0 },
    { "D2: an agreed ignore", "default=ok:ignore", "1", KT_UNSUPPORTED, 0 },
    { "D2: an agreed ignore and a failure", "optional:throttled default=ok:ignore", "12",
      KT_THROTTLED, 0 },
    { "D2: an agreed ignore keeps later successes out", "default=ok:ignore required:success", "12",
      KT_UNSUPPORTED, 0 },
    { "D2: a refused ignore", "default=bad:ignore", "1", KT_DENIED, 0 },
    { "a refused success is no success", "default=bad:success", "1", KT_DENIED, 0 },
    { "a deadly success is no success", "success=die:success required:success", "1", KT_DENIED, 0 },
    { "what no pair names is bad", "not_found=ignore:success", "1", KT_DENIED, 0 },

    { "an agreed failure", "unavailable=ok,default=bad:unavailable", "1", KT_UNAVAILABLE, 0 },
    { "an agreed failure keeps later successes out",
      "unavailable=ok,default=bad:unavailable required:success", "12", KT_UNAVAILABLE, 0 },
    { "a success, then an agreed failure", "required:success default=ok:expired", "12", KT_EXPIRED,
      0 },
    { "done after an agreed failure ends it",
      "default=ok:expired sufficient:success required:denied", "12", KT_EXPIRED, 0 },

    { "a jump to the end after a success", "required:success success=1:success required:denied",
      "12", KT_SUCCESS, 1 },
    { "a jump grants nothing", "success=1:success required:denied", "1", KT_UNSUPPORTED, 0 },
    { "a jump of two", "success=2:success required:denied required:denied required:success", "14",
      KT_SUCCESS, 4 },
    { "a jump counts a substack as one",
      "success=1:success ( required:denied required:denied ) "
      "required:success",
      "14", KT_SUCCESS, 4 },
    { "a jump over a substack in a substack",
      "( success=1:success ( required:denied ) required:success )"
      " required:success",
      "134", KT_SUCCESS, 3 },
    { "a jump to a substack's end",
      "( required:success success=2:success required:denied "
      "required:denied ) required:success",
      "125", KT_SUCCESS, 1 },

    { "reset as last line", "required:success default=reset:success", "12", KT_UNSUPPORTED, 0 },
    { "reset forgets a refusal", "required:denied default=reset:ignore required:success", "123",
      KT_SUCCESS, 3 },
    { "reset forgets who granted", "required:success default=reset:ignore required:success", "123",
      KT_SUCCESS, 3 },
    { "reset goes back to where the substack began",
      "required:success ( required:denied default=reset:ignore ) required:success", "1234",
      KT_SUCCESS, 1 },
    { "reset keeps a refusal from before the substack",
      "required:locked ( default=reset:ignore required:success ) required:success", "1234",
      KT_LOCKED, 0 },
    { "reset in a substack that begins with one",
      "required:success ( ( required:denied ) default=reset:ignore ) required:success", "1234",
      KT_SUCCESS, 1 },
    { "reset above a substack that follows another",
      "( required:success ) ( default=reset:ignore required:locked default=reset:ignore ) "
      "optional:denied",
      "12345", KT_SUCCESS, 1 },

    { "done ends only the substack", "( sufficient:success required:denied ) required:success",
      "13", KT_SUCCESS, 1 },
    { "die ends only the substack", "( requisite:locked required:success ) required:success", "13",
      KT_LOCKED, 0 },
    { "die in a substack, sufficient after it",
      "( requisite:locked ) sufficient:success required:success", "123", KT_LOCKED, 0 },
    { "die in a substack of a substack",
      "( ( requisite:locked required:success ) required:success ) required:success", "134",
      KT_LOCKED, 0 },
    { "done leaves substacks below its own level too",
      "( sufficient:success ( required:denied ) required:denied ) required:success", "14",
      KT_SUCCESS, 1 },
    { "an empty substack", "( ) required:success", "1", KT_SUCCESS, 1 },
    { "an empty substack is all there is", "( )", "", KT_UNSUPPORTED, 0 },
    { "a jump over an empty substack", "success=1:success ( ) required:success", "12", KT_SUCCESS,
      2 },

    { "module_error is bad whatever the control", "optional:module_error required:success", "12",
      KT_MODULE_ERROR, 0 },
    { "module_error dies where failures do", "requisite:module_error required:success", "1",
      KT_MODULE_ERROR, 0 },
};

static int status_of(const char *word)
{
    for (int i = 0; i < KT_STATUS_COUNT; i++)
        if (strcmp(kt_status_name(i), word) == 0)
            return i;
    ck_abort_msg("'%s' is no status", word);
    return -1;
}

static int action_of(const char *word)
{
    static const char *const words[] = { "ignore", "ok", "done", "bad", "die", "reset" };

    for (int i = 0; i < 6; i++)
        if (strcmp(words[i], word) == 0)
            return -i;
    ck_assert_msg(atoi(word) > 0, "'%s' is no action", word);
    return atoi(word);
}

static void set_control(struct kt_control *c, const char *text)
{
    char pairs[256];
    char *rest = pairs;
    bool set[KT_STATUS_COUNT] = { false };

    for (size_t i = 0; i < sizeof(keywords) / sizeof(keywords[0]); i++)
        if (strcmp(keywords[i].word, text) == 0)
            text = keywords[i].pairs;
    ck_assert_uint_lt(strlen(text), sizeof(pairs));
    (void)snprintf(pairs, sizeof(pairs), "%s", text);
    for (int i = 0; i < KT_STATUS_COUNT; i++)
        c->action[i] = KT_DO_BAD;
    for (char *pair; (pair = strsep(&rest, ",")) != NULL;) {
        const char *word = strsep(&pair, "=");
        const int status = strcmp(word, "default") == 0 ? -1 : status_of(word);

        for (int i = 0; i < KT_STATUS_COUNT; i++)
            if ((status < 0 || status == i) && !set[i]) {
                c->action[i] = action_of(pair);
                set[i] = true;
            }
    }
}

/* Fills lines and, for each, the status that it will be fed; returns how many. */
static size_t build(const char *text, struct kt_line *lines, int *statuses)
{
    char copy[1024];
    char *rest = copy;
    unsigned level = 0;
    size_t n = 0;

    ck_assert_uint_lt(strlen(text), sizeof(copy));
    (void)snprintf(copy, sizeof(copy), "%s", text);
    for (char *word; (word = strsep(&rest, " ")) != NULL;) {
        if (word[0] == '\0')
            continue;
        if (word[0] == ')') {
            level--;
            continue;
        }
        ck_assert_uint_lt(n, LINES_MAX);
        lines[n] = (struct kt_line){ .facility = KT_READ, .level = level };
        if (word[0] == '(') {
            lines[n++].substack = true;
            level++;
            continue;
        }
        const char *control = strsep(&word, ":");

        set_control(&lines[n].control, control);
        statuses[n++] = status_of(word);
    }
    return n;
}

/* The line's number without markers, from 1; 0 for none. */
static int number_of(const struct kt_line *lines, int at)
{
    int number = at < 0 ? 0 : 1;

    for (int i = 0; i < at; i++)
        number += lines[i].substack ? 0 : 1;
    return number;
}

START_TEST(stack_answers_as_its_row_says)
{
    const struct row *r = &rows[_i];
    struct kt_line lines[LINES_MAX];
    int statuses[LINES_MAX];
    struct kt_stack stack = { .lines = lines, .n = build(r->stack, lines, statuses) };
    struct kt_run run;
    char asked[LINES_MAX + 1] = "";
    size_t n = 0;

    memset(&run, 0x5a, sizeof(run)); /* nothing of an earlier run may matter */
    for (kt_run_start(&run, &stack); !kt_run_over(&run, &stack);) {
        const size_t at = run.next;

        ck_assert_msg(n < LINES_MAX, "%s: it does not end", r->title);
        ck_assert_msg(!lines[at].substack, "%s: a marker has no turn", r->title);
        asked[n++] = (char)('0' + number_of(lines, (int)at));
        (void)kt_run_feed(&run, &stack, statuses[at]);
    }
    const int answer = kt_run_answer(&run);

    ck_assert_msg(strcmp(asked, r->asked) == 0, "%s: asked %s, not %s", r->title, asked, r->asked);
    ck_assert_msg(answer == r->want, "%s: %s, not %s", r->title, kt_status_name(answer),
                  kt_status_name(r->want));
    const int granter = answer == KT_SUCCESS ? number_of(lines, run.now.granter) : 0;
    ck_assert_msg(granter == r->granter, "%s: granted by %d, not %d", r->title, granter,
                  r->granter);
}
END_TEST

START_TEST(a_number_that_is_no_status_is_module_error)
{
    static const int numbers[] = { -1, KT_STATUS_COUNT, 4711, INT32_MIN, INT32_MAX };
    struct kt_line lines[LINES_MAX];
    int statuses[LINES_MAX];
    struct kt_stack stack = { .lines = lines, .n = build("optional:success", lines, statuses) };

    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        struct kt_run run;

        kt_run_start(&run, &stack);
        ck_assert_int_eq(kt_run_feed(&run, &stack, numbers[i]), KT_DO_BAD);
        ck_assert_int_eq(kt_run_answer(&run), KT_MODULE_ERROR);
    }
}
END_TEST

START_TEST(an_ended_run_answers_what_ended_it)
{
    struct kt_line lines[LINES_MAX];
    int statuses[LINES_MAX];
    struct kt_stack stack = { .lines = lines,
                              .n = build("required:success optional:success", lines, statuses) };
    struct kt_run run;

    kt_run_start(&run, &stack);
    (void)kt_run_feed(&run, &stack, KT_SUCCESS);
    ck_assert_int_eq(run.now.granter, 0);
    kt_run_end(&run, &stack, KT_CONFIG_ERROR);
    ck_assert(kt_run_over(&run, &stack));
    ck_assert_int_eq(kt_run_answer(&run), KT_CONFIG_ERROR);
    ck_assert_int_eq(run.now.granter, -1);
}
END_TEST

START_TEST(actions_have_words)
{
    char buf[24];

    ck_assert_str_eq(kt_action_text(KT_DO_IGNORE, buf), "ignore");
    ck_assert_str_eq(kt_action_text(KT_DO_OK, buf), "ok");
    ck_assert_str_eq(kt_action_text(KT_DO_DONE, buf), "done");
    ck_assert_str_eq(kt_action_text(KT_DO_BAD, buf), "bad");
    ck_assert_str_eq(kt_action_text(KT_DO_DIE, buf), "die");
    ck_assert_str_eq(kt_action_text(KT_DO_RESET, buf), "reset");
    ck_assert_str_eq(kt_action_text(1, buf), "jump 1");
    ck_assert_str_eq(kt_action_text(4096, buf), "jump 4096");
    ck_assert_str_eq(kt_impression_text(KT_UNDECIDED), "undecided");
    ck_assert_str_eq(kt_impression_text(KT_GRANTED), "granted");
    ck_assert_str_eq(kt_impression_text(KT_REFUSED), "refused");
}
END_TEST

int main(void)
{
    Suite *s = suite_create("stack");
    TCase *tc = tcase_create("stack");

    tcase_add_loop_test(tc, stack_answers_as_its_row_says, 0,
                        (int)(sizeof(rows) / sizeof(rows[0])));
    tcase_add_test(tc, a_number_that_is_no_status_is_module_error);
    tcase_add_test(tc, an_ended_run_answers_what_ended_it);
    tcase_add_test(tc, actions_have_words);
    suite_add_tcase(s, tc);
    return kt_harness_run(s);
}
