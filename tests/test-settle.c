/* SPDX-License-Identifier: Apache-2.0 */
#include "servicefile.h"

#include "core/settle.h"

#include <stdlib.h>
#include <string.h>

/*
 * What the lines of a stack are, a letter each: A the authority's store, f a follower, o an override
 * (which is a follower too), . neither, - a marker.
 */
static const char *spell(const struct kt_service *s, const struct kt_stack *stack, char out[32])
{
    size_t n = 0;

    for (; n < stack->n; n++) {
        const struct kt_line *l = &stack->lines[n];
        const bool a = kt_line_is_authority(s, l), f = kt_line_is_follower(s, l);
        const bool o = kt_line_is_override(s, l);
        ck_assert(!(a && f) && (!o || f));
        out[n] = '.';
        if (l->substack)
            out[n] = '-';
        else if (a)
            out[n] = 'A';
        else if (f)
            out[n] = o ? 'o' : 'f';
    }
    out[n] = '\0';
    return out;
}

#define STALE " max-stale=1h\n"

static const struct {
    const char *text;
    const char *read;
    const char *write;
} roles[] = {
    { "read required mock_store", "A", "" },
    { "read required mock_store\nwrite required mock_store", "A", "A" },
    /* without write lines: the first that is required, requisite or binding, else the last */
    { "read sufficient mock_store" STALE "read required mock_plain", "fA", "" },
    { "read sufficient mock_store" STALE "read requisite mock_plain", "fA", "" },
    { "read optional mock_store" STALE "read binding mock_plain", "fA", "" },
    { "read required mock_store\nread required mock_plain" STALE, "Af", "" },
    { "read sufficient mock_store" STALE "read sufficient mock_plain", "fA", "" },
    { "read [success=ok default=bad] mock_store" STALE "read optional mock_plain", "fA", "" },
    { "read substack inner", "-A", "" },
    { "read required mock_cache\nread optional mock_store\nread optional mock_plain" STALE, NULL,
      "" },
    { "read optional mock_plain" STALE "read required mock_cache\nread optional mock_store", "f.A",
      "" },
    { "read required mock_cache", ".", "" },
    { "read required mock_env", "A", "" },
    { "read sufficient mock_env\nread required mock_store", "oA", "" },
    { "read sufficient mock_env max-stale=1h\nread required mock_store", "oA", "" },
    { "read sufficient mock_plain max-stale=none\nread required mock_store", "oA", "" },
    { "read required mock_store max-stale=none", "A", "" },
    { "read front mock_agent\nread required mock_store", ".A", "" },
    { "read front mock_agent\nread required mock_test\nread optional mock_store" STALE, ".Af", "" },
    { "read optional mock_test\nread required mock_store", ".A", "" },
    { "read required mock_agent", "A", "" },
    { "-read fallback mock_none" STALE "read required mock_store", "fA", "" },
    { "-read fallback mock_none\nread required mock_store", "fA",
      "" }, /* what it is nobody knows */
    { "-read required mock_none", "A", "" },
    /* with write lines: the first of them */
    { "read required mock_plain" STALE "write required mock_store", "f", "A" },
    { "read required mock_plain" STALE "read optional mock_store\nwrite requisite mock_store\n"
      "write optional mock_plain",
      "fA", "Af" },
    { "read required mock_store\nwrite substack writes", "A", "-A" },
    { "read required mock_store\nwrite required mock_agent\n", NULL, NULL },
    { "read front mock_agent\nwrite required mock_agent", "A", "A" },
    { "write required mock_store", "", "A" },
    { "write required mock_test", "", "A" },
    { "read required mock_store\nwrite include empty", "A", "" },
    { "read required mock_store\nwrite substack empty", "A", "-" },
    /* one store: the same module with the same options, or the same label */
    { "read optional mock_store a=1 b=2\nread required mock_store b=2 a=1", "AA", "" },
    { "read required mock_store a=1\nread optional mock_store a=2" STALE, "Af", "" },
    { "read required mock_store a=1 store=x\nread optional mock_plain store=x", "AA", "" },
    { "read required mock_store a=1 store=x\nread optional mock_store a=2 store=y" STALE, "Af",
      "" },
    { "read required mock_store name=a\nread optional mock_store field=b ttl=1s", "AA", "" },
    { "read required mock_store [a=1 b=2]\nread optional mock_store a=1 b=2" STALE, "Af", "" },
    /* a write line without options takes those of its module's only read line */
    { "read required mock_store a=1\nwrite required mock_store", "A", "A" },
    { "read required mock_store a=1\nwrite required mock_store a=2", NULL, NULL },
    { "read required mock_plain\nread optional mock_store a=1" STALE
      "read optional mock_store a=2" STALE "write required mock_plain\nwrite optional mock_store",
      "Aff", "Af" },
    { "", "", "" },
};

START_TEST(lines_are_authority_follower_override)
{
    struct kt_service *s;
    char out[32];

    servicefile_put("inner", "read required mock_store\n");
    servicefile_put("writes", "write required mock_store\n");
    servicefile_put("empty", "");
    if (roles[_i].read == NULL) {
        servicefile_bad(roles[_i].text, "max-stale=1h");
        return;
    }
    s = servicefile_good(roles[_i].text);
    ck_assert_str_eq(spell(s, &s->read, out), roles[_i].read);
    ck_assert_str_eq(spell(s, &s->write, out), roles[_i].write);
    ck_assert_int_eq(s->writable, strchr(roles[_i].write, 'A') != NULL);
    ck_assert_int_eq(s->authority != NULL, strchr(roles[_i].read, 'A') != NULL || s->writable);
    kt_service_free(s);
}
END_TEST

static const struct {
    const char *text;
    const char *says;
} refused[] = {
    { "write sufficient mock_store", "svc:1:1: expected required or requisite on the first write "
                                     "line, which names the authority, found 'sufficient'" },
    { "write binding mock_store", "found 'binding'" },
    { "write [success=ok default=bad] mock_store", "found '[success=ok default=bad]'" },
    { "write required mock_cache\nwrite required mock_store",
      "svc:1:1: expected a store on the first write line, which names the authority, found the "
      "cache "
      "'mock_cache'" },
    { "\nread fallback mock_plain\nread required mock_store",
      "svc:2:1: 'mock_plain' holds copies here, the authority is 'mock_store' on line 3: add "
      "max-stale=1h" },
    { "read fallback mock_plain ttl=1m\nread required mock_store", "add max-stale=1h" },
    { "read required mock_store a=1 b=2 c\nwrite required mock_store b=2 a=3",
      "svc:1:1: this line and the authority on line 2 differ in 'a', 'c': give both the same "
      "options, "
      "or the same store=LABEL; or, if this is another store" },
    { "read front mock_cache max-stale=none\nread required mock_store",
      "expected a time as max-stale of 'mock_cache', found 'none'" },
    { "read front mock_agent max-stale=none\nread required mock_store", "of 'mock_agent'" },
    { "read front mock_cache ttl=2m max-stale=1m\nread required mock_store",
      "expected a ttl of at most max-stale, found ttl=2m, max-stale=1m" },
    { "read front mock_cache ttl=2h\nread required mock_store",
      "found ttl=2h, max-stale=1h (the default): say max-stale too" },
    { "read front mock_cache max-stale=301m\nread required mock_store",
      "svc:1:1: max-stale=301m is over 5h, which needs a policy line" },
    { "read fallback mock_plain max-stale=6h\nread required mock_store",
      "max-stale=6h is over 5h" },
};

START_TEST(what_does_not_hold_is_refused)
{
    servicefile_bad(refused[_i].text, refused[_i].says);
}
END_TEST

START_TEST(a_default_ttl_gives_way_to_max_stale)
{
    struct kt_service *s = servicefile_good("read front mock_cache max-stale=1m\n"
                                            "read optional mock_env max-stale=none\n"
                                            "read required mock_store max-stale=5h\n");

    ck_assert_int_eq(s->read.lines[0].core.ttl_ms, 60000);
    ck_assert_int_eq(s->read.lines[1].core.max_stale_ms, KT_FOREVER);
    ck_assert_int_eq(s->read.lines[1].core.ttl_ms, 300000);
    ck_assert_int_eq(s->read.lines[2].core.ttl_ms, 300000);
    kt_service_free(s);
    kt_service_free(
        servicefile_good("read front mock_cache max-stale=6h\nread required mock_store\n"
                         "policy ** grace=7h\n"));
}
END_TEST

START_TEST(a_write_line_takes_what_its_reader_says)
{
    struct kt_service *s = servicefile_good(
        "read required mock_store region=eu [note=a b] store=main name=p/%n "
        "field=api_key ttl=1m\n"
        "write required mock_store timeout=2s\n");
    const struct kt_line *r = &s->read.lines[0], *w = &s->write.lines[0];

    ck_assert_str_eq(w->identity, r->identity);
    ck_assert_uint_eq(w->nwords, 2);
    ck_assert_str_eq(w->words[1].text, "note=a b");
    ck_assert_uint_eq(w->words[1].lineno, 2); /* messages name the line that is being opened */
    ck_assert_str_eq(w->core.store, "main");
    ck_assert_str_eq(w->core.name, "p/%n");
    ck_assert_str_eq(w->core.field, "api_key");
    ck_assert_int_eq(w->core.timeout_ms, 2000);
    ck_assert_uint_eq(w->core.given, KT_GIVEN_TIMEOUT);
    ck_assert(kt_line_same_store(r, w));
    kt_service_free(s);
}
END_TEST

START_TEST(a_write_line_with_words_of_its_own_keeps_them)
{
    struct kt_service *s = servicefile_good("read required mock_store region=eu name=p/%n field=f\n"
                                            "write required mock_store name=q/%n\n");

    ck_assert_str_eq(s->write.lines[0].core.name, "q/%n");
    ck_assert_ptr_null(s->write.lines[0].core.field);
    ck_assert_uint_eq(s->write.lines[0].nwords, 1);
    kt_service_free(s);
    s = servicefile_good("read required mock_store region=eu name=p/%n store=x\n"
                         "write required mock_store region=us store=x\n");
    ck_assert_ptr_null(s->write.lines[0].core.name);
    ck_assert_str_eq(s->write.lines[0].words[0].text, "region=us");
    kt_service_free(s);
}
END_TEST

START_TEST(an_absent_module_has_no_probe)
{
    struct kt_service *s = servicefile_good("-read required mock_none\nread optional mock_cache\n");

    ck_assert_ptr_null(kt_line_probe(s, &s->read.lines[0]));
    ck_assert_int_eq(kt_line_role(s, &s->read.lines[0]), KT_ROLE_STORE);
    ck_assert_int_eq(kt_line_role(s, &s->read.lines[1]), KT_ROLE_CACHE);
    ck_assert_ptr_eq(s->authority, &s->read.lines[0]);
    kt_service_free(s);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("settle");
    TCase *c = tcase_create("settle");

    tcase_add_checked_fixture(c, NULL, servicefile_forget);
    tcase_add_loop_test(c, lines_are_authority_follower_override, 0, ROWS(roles));
    tcase_add_loop_test(c, what_does_not_hold_is_refused, 0, ROWS(refused));
    tcase_add_test(c, a_default_ttl_gives_way_to_max_stale);
    tcase_add_test(c, a_write_line_takes_what_its_reader_says);
    tcase_add_test(c, a_write_line_with_words_of_its_own_keeps_them);
    tcase_add_test(c, an_absent_module_has_no_probe);
    suite_add_tcase(s, c);
    return kt_harness_run(s);
}
