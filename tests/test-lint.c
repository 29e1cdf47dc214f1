/* SPDX-License-Identifier: Apache-2.0 */
#include "servicefile.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Findings as text: level, file, line, column and words, one a line. */
struct heard {
    char text[4096];
    size_t n;
};

static void hear(void *cookie, const struct kt_finding *f)
{
    static const char *const levels[] = { "error", "warning", "info", "debug" };
    struct heard *h = cookie;

    ck_assert_ptr_nonnull(f->file);
    h->n += (size_t)snprintf(h->text + h->n, sizeof(h->text) - h->n, "%s %s:%u:%u: %s\n",
                             levels[f->level], strrchr(f->file, '/') + 1, f->line, f->column,
                             f->text);
    ck_assert_uint_lt(h->n, sizeof(h->text));
}

static size_t count_lines(const char *text)
{
    size_t n = 0;

    for (; (text = strchr(text, '\n')) != NULL; text++)
        n++;
    return n;
}

#define SERVED "read required mock_store\n"

/* Each finding that is told, in order, as the beginning of its line: no more, no fewer. */
static const struct {
    const char *text;
    const char *says[4];
} services[] = {
    { SERVED, { NULL } },
    { SERVED "write required mock_store\n", { NULL } },
    { "",
      { "warning svc:0:0: there are no read lines: nothing can be read",
        "warning svc:0:0: there are no write lines" } },
    /* lines that no status can reach */
    { "read [default=die] mock_store\n" SERVED, { "warning svc:2:1: no status leads here" } },
    { "read [default=done] mock_store\n" SERVED SERVED,
      { "warning svc:2:1: no status leads", "warning svc:3:1: no status leads" } },
    { "read required mock_store\nread [default=done] mock_store\n" SERVED, { NULL } },
    { "read [success=ok default=die] mock_store\n" SERVED, { NULL } },
    { "read requisite mock_store\n" SERVED, { NULL } },
    { "read [default=bad] mock_store\n" SERVED, { NULL } },
    { "read [default=1] mock_store\n" SERVED SERVED, { "warning svc:2:1: no status leads here" } },
    { "read [default=2] mock_store\n" SERVED "read substack plain\n" SERVED,
      { "warning svc:2:1: no", "warning svc:3:1: no", "warning plain:1:1: no" } },
    { "read substack over\n" SERVED,
      { "warning over:2:1: no status leads here: the lines before it "
        "always end the substack" } },
    { "read [default=reset] mock_store\nread [default=die] mock_store\n" SERVED,
      { "warning svc:3:1: no status" } },
    { SERVED
      "write required mock_store\nwrite [default=die] mock_store\nwrite optional mock_store\n",
      { "warning svc:4:1: no status leads here: the lines before it always end the stack" } },
    /* overrides */
    { "read sufficient mock_env\n" SERVED, { "info svc:1:1: 'mock_env' is an override" } },
    { "read sufficient mock_cloud max-stale=none\n" SERVED,
      { "info svc:1:1: 'mock_cloud' is an override",
        "warning svc:2:1: what 'mock_cloud' (cloud) does not give may come from 'mock_store' "
        "(sealed "
        "file), a weaker class" } },
    /* weaker classes */
    { "read sufficient mock_store max-stale=1h\nread required mock_plain\n",
      { "warning svc:2:1: what 'mock_store' (sealed file) does not give may come from 'mock_plain' "
        "(plain), a weaker class of protection" } },
    { "read fallback mock_cloud max-stale=1h\nread fallback mock_store max-stale=1h\n"
      "read required mock_plain\n",
      { "warning svc:2:1: what 'mock_cloud' (cloud)",
        "warning svc:3:1: what 'mock_cloud' (cloud)" } },
    { "read sufficient mock_plain max-stale=1h\n" SERVED, { NULL } },
    { "read optional mock_store max-stale=1h\nread required mock_plain\n", { NULL } },
    { "read sufficient mock_store max-stale=1h\nread [success=ignore] mock_plain max-stale=1h\n"
      "read required mock_store\n",
      { NULL } },
    { "-read sufficient mock_none max-stale=1h\nread required mock_plain\n"
      "write required mock_plain\n-write optional mock_none\n",
      { "info svc:1:1: module 'mock_none' is not installed: the line answers unavailable until",
        "info svc:4:1: module 'mock_none' is not installed",
        "info svc:4:1: a put succeeds though 'mock_none' fails here" } },
    { "read front mock_cache\nread front mock_agent\n" SERVED, { NULL } },
    /* fill */
    { "read fallback mock_plain max-stale=1h fill\n" SERVED,
      { "warning svc:1:1: fill makes copies in 'mock_plain' that no write line renews or deletes: "
        "they last up to max-stale=1h" } },
    { "read fallback mock_plain max-stale=none fill\n" SERVED,
      { "info svc:1:1: 'mock_plain' is an override",
        "warning svc:1:1: fill means nothing here: overrides are never filled" } },
    { "read optional mock_env fill\n" SERVED,
      { "info svc:1:1: 'mock_env' is an override",
        "warning svc:1:1: fill means nothing here: overrides" } },
    { "read fallback mock_plain max-stale=1h fill\n" SERVED
      "write required mock_store\nwrite required mock_plain\n",
      { NULL } },
    { "read required mock_store fill\n",
      { "warning svc:1:1: fill means nothing here: 'mock_store' is "
        "the authority" } },
    { "read front mock_cache fill\n" SERVED,
      { "warning svc:1:1: fill means nothing here: "
        "'mock_cache' is no follower" } },
    /* write lines */
    { SERVED "write required mock_store\nwrite optional mock_memory\n",
      { "warning svc:3:1: 'mock_memory' keeps values in memory only" } },
    { "read required mock_test\nwrite required mock_test\n", { NULL } },
    { "read fallback mock_plain max-stale=2h\n" SERVED
      "write required mock_store\nwrite optional mock_plain\n",
      { "info svc:4:1: a put succeeds though 'mock_plain' fails here: readers may then be given "
        "the "
        "old version from line 1, for up to max-stale=2h" } },
    { "read fallback mock_plain max-stale=none\n" SERVED
      "write required mock_store\nwrite optional mock_plain\n",
      { "info svc:1:1: 'mock_plain' is an override", "info svc:4:1: a put succeeds" } },
    { SERVED "write required mock_store\nwrite optional mock_plain\n", { NULL } },
    { SERVED "write required mock_store ttl=1m\n",
      { "warning svc:2:1: ttl, max-stale, negative, fill "
        "and expiry mean nothing on a write line" } },
    { SERVED "write required mock_store fill\n", { "warning svc:2:1: ttl, max-stale" } },
    { SERVED "write required mock_store expiry=enforce timeout=1s\n", { "warning svc:2:1: ttl" } },
    { SERVED "write required mock_store timeout=1s\n", { NULL } },
    { SERVED "write substack writes\n", { NULL } },
    /* the authority */
    { "read required mock_plain max-stale=1h\nwrite required mock_store\n",
      { "warning svc:2:1: no read line names the authority 'mock_store'" } },
    { "read front mock_agent\nwrite required mock_store\n", { NULL } },
    { "write required mock_store\n",
      { "warning svc:0:0: there are no read lines: nothing can be read" } },
    { "read required mock_cloud field=api_key\n",
      { "warning svc:1:1: field= in 'mock_cloud', which has no compare-and-swap" } },
    { "read required mock_cloud field=api_key\nwrite required mock_cloud\n",
      { "warning svc:2:1: field= in 'mock_cloud'" } },
    { "read required mock_cloud\nread optional mock_cloud field=api_key\n",
      { "warning svc:2:1: field= in 'mock_cloud'" } },
    { "read required mock_store field=api_key\n", { NULL } },
    { "read required mock_cache\n", { NULL } },
    /* policies */
    { SERVED "policy a/** rotate=1d\npolicy a/** rotate=2d\n",
      { "warning svc:3:1: this policy never applies: 'a/**' on line 2 matches all names of "
        "'a/**'" } },
    { SERVED "policy **\npolicy a/**\npolicy b\n",
      { "warning svc:3:1: this policy never applies: '**'", "warning svc:4:1: this policy" } },
    { SERVED "policy a/*\npolicy a/b*\npolicy a/c\n",
      { "warning svc:3:1: this policy", "warning svc:4:1: this policy" } },
    { SERVED "policy a/b\npolicy a/*\npolicy a/**\npolicy **\n", { NULL } },
    { "read front mock_cache max-stale=6h\n" SERVED "policy a/** grace=7d\n",
      { "info svc:1:1: max-stale=6h holds for names under a policy; for others it is 5h" } },
    { "read front mock_cache max-stale=6h\n" SERVED "policy ** grace=7d\n", { NULL } },
    { "read front mock_cache max-stale=5h\n" SERVED "policy a/** grace=7d\n", { NULL } },
};

START_TEST(what_is_unwise_is_told)
{
    struct heard h = { .n = 0 };
    struct kt_service *s;
    const char *at = h.text;
    size_t n = 0;

    servicefile_put("plain", SERVED);
    servicefile_put("over", "read [default=done] mock_store\n" SERVED);
    servicefile_put("writes", "write required mock_store\n");
    s = servicefile_good(services[_i].text);
    kt_service_lint(s, hear, &h);
    for (; n < 4 && services[_i].says[n] != NULL; n++) {
        ck_assert_msg(strncmp(at, services[_i].says[n], strlen(services[_i].says[n])) == 0,
                      "%s\nnot: %s", h.text, services[_i].says[n]);
        at = strchr(at, '\n') + 1;
    }
    ck_assert_msg(count_lines(h.text) == n, "%s", h.text);
    kt_service_free(s);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("lint");
    TCase *c = tcase_create("lint");

    tcase_add_checked_fixture(c, NULL, servicefile_forget);
    tcase_add_loop_test(c, what_is_unwise_is_told, 0, ROWS(services));
    suite_add_tcase(s, c);
    return kt_harness_run(s);
}
