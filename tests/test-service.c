/* SPDX-License-Identifier: Apache-2.0 */
#include "servicefile.h"

#include "core/find.h"
#include "core/places.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MOCK "read required mock_store\n"

/* Linked with --wrap=kt_privileged: a test may pretend to be a setuid program. */
static bool privileged;
bool __wrap_kt_privileged(void);
bool __wrap_kt_privileged(void)
{
    return privileged;
}

static void reset(void)
{
    servicefile_forget();
    privileged = false;
    (void)unsetenv("KEYTURN_CONFIG_DIR");
    (void)unsetenv("XDG_CONFIG_HOME");
}

/* ---- lines ------------------------------------------------------------------------------------- */

START_TEST(a_line_has_its_parts)
{
    struct kt_service *s = servicefile_good("# a comment\n"
                                            "\n"
                                            "  -read   [success=done default=1]  mock_store \\\n"
                                            "    region=eu [text=a b] ttl=1s max-stale=2s \\\n"
                                            "    negative=3s timeout=4s fill expiry=enforce \\\n"
                                            "    store=main name=p/%n/%b%% [field=a field]\n"
                                            "read required mock_plain\n"
                                            "-notify mock_notify ttl=5\n"
                                            "issuer mine mock_issuer from=x/\n");
    const struct kt_line *l = &s->read.lines[0];

    ck_assert_str_eq(s->name, "svc");
    ck_assert_uint_eq(s->nfiles, 1);
    ck_assert_str_eq(s->files[0], l->file);
    ck_assert(!s->builtin && !s->writable);
    ck_assert_uint_eq(s->read.n, 2);
    ck_assert_int_eq(l->facility, KT_READ);
    ck_assert_uint_eq(l->lineno, 3);
    ck_assert_uint_eq(l->column, 3);
    ck_assert(l->absent_ok && !l->substack);
    ck_assert_str_eq(l->control.text, "[success=done default=1]");
    ck_assert_int_eq(l->control.action[KT_DENIED], 1);
    ck_assert_str_eq(l->module, "mock_store");
    ck_assert_uint_eq(l->nwords, 2);
    ck_assert_str_eq(l->words[0].text, "region=eu");
    ck_assert_str_eq(l->words[1].text, "text=a b");
    ck_assert_uint_eq(l->words[1].lineno, 4);
    ck_assert_uint_eq(l->words[1].column, 15);
    ck_assert_int_eq(l->core.ttl_ms, 1000);
    ck_assert_int_eq(l->core.max_stale_ms, 2000);
    ck_assert_int_eq(l->core.negative_ms, 3000);
    ck_assert_int_eq(l->core.timeout_ms, 4000);
    ck_assert(l->core.fill && l->core.enforce_expiry);
    ck_assert_str_eq(l->core.store, "main");
    ck_assert_str_eq(l->core.name, "p/%n/%b%%");
    ck_assert_str_eq(l->core.field, "a field");
    ck_assert_uint_eq(l->core.given,
                      KT_GIVEN_TTL | KT_GIVEN_MAX_STALE | KT_GIVEN_NEGATIVE | KT_GIVEN_TIMEOUT);
    l = &s->read.lines[1];
    ck_assert(!l->absent_ok && l->core.given == 0 && l->core.name == NULL);
    ck_assert_int_eq(l->core.ttl_ms, 300000);
    ck_assert_int_eq(l->core.max_stale_ms, 3600000);
    ck_assert_int_eq(l->core.negative_ms, 5000);
    ck_assert_int_eq(l->core.timeout_ms, 0);
    ck_assert_uint_eq(s->sets.n, 2);
    l = &s->sets.lines[0];
    ck_assert_int_eq(l->facility, KT_NOTIFY);
    ck_assert_str_eq(l->words[0].text,
                     "ttl=5"); /* the core's options are of read and write lines */
    l = &s->sets.lines[1];
    ck_assert_int_eq(l->facility, KT_ISSUER);
    ck_assert_str_eq(l->label, "mine");
    ck_assert_str_eq(l->module, "mock_issuer");
    ck_assert_str_eq(s->places[l->place].module, "mock_issuer");
    ck_assert_int_eq(s->places[l->place].probe.kind, KT_KIND_ISSUER);
    kt_service_free(s);
}
END_TEST

static const struct {
    const char *text;
    const char *says;
} refused[] = {
    { "red required mock_store",
      "svc:1:1: expected read, write, issuer, notify, audit, policy or" },
    { "Read required mock_store", "found 'Read'" },
    { "\n [read] required mock_store", "svc:2:2: expected read, write" },
    { "--read required mock_store", "found '--read'" },
    { "- required mock_store", "found '-'" },
    { "read", "svc:1:5: expected a control such as required" },
    { "read needed mock_store", "svc:1:6: expected required, requisite, sufficient" },
    { "read\\\n  needed", "svc:2:3: expected required" },
    { "read required",
      "svc:1:14: expected a module's name, 1 to 64 of a-z 0-9 _ -, found the end" },
    { "read [default=ok]", "svc:1:18: expected a module's name" },
    { "read required ../x", "svc:1:15: expected a module's name" },
    { "read required Mock", "found 'Mock'" },
    { "read required m.so", "found 'm.so'" },
    { "read [success=0] mock_store", "svc:1:15: expected a number of lines to skip" },
    { "read required mock_store\n[] x", "svc:2:1: expected read" },
    { "read [] mock_store", "svc:1:7: expected status=action" },
    { "read [success=ok mock_store", "svc:1:6: expected ']'" },
    { "read required mock_store []", "svc:1:26: expected an option, found ''" },
    { "read required mock_store [ ]", "expected an option" },
    { MOCK "read required mock_store\r", "svc:2:25: expected a newline alone" },
    { "read required mock_store \\\n", "expected another line after '\\'" },
    /* the core's options */
    { "read required mock_store ttl=5", "svc:1:26: option 'ttl': expected a time such as" },
    { "read required mock_store ttl=10001d", "of at most 10000d, found '10001d'" },
    { "read required mock_store ttl", "expected 'ttl=...', found 'ttl' alone" },
    { "read required mock_store ttl=1s ttl=2s", "svc:1:33: option 'ttl' is given twice" },
    { "read required mock_store max-stale=never", "option 'max-stale': expected a time" },
    { "read required mock_store negative=x", "option 'negative': expected a time" },
    { "read required mock_store timeout=0", "option 'timeout': expected a time over 0" },
    { "read required mock_store timeout=x", "option 'timeout': expected a time over 0" },
    { "read required mock_store fill=1h", "expected 'fill' alone" },
    { "read required mock_store fill fill", "option 'fill' is given twice" },
    { "read required mock_store expiry=maybe", "expected warn or enforce, found 'maybe'" },
    { "read required mock_store store=a/b", "option 'store': expected a label" },
    { "read required mock_store store=", "option 'store': expected a label" },
    { "read required mock_store name=", "option 'name': expected 1 to 512 bytes" },
    { "read required mock_store name=%x", "option 'name': expected %n, %b or %% after each %" },
    { "read required mock_store name=a%", "expected %n, %b or %%" },
    { "read required mock_store name=%%%", "expected %n, %b or %%" },
    { "read required mock_store field=", "option 'field': expected 1 to 256 bytes" },
    /* the other facilities */
    { "issuer", "svc:1:7: expected an issuer's label" },
    { "issuer a", "svc:1:9: expected a module's name" },
    { "issuer a/b mock_issuer", "expected an issuer's label, 1 to 64 of a-z 0-9 _ -, found 'a/b'" },
    { "notify", "svc:1:7: expected a module's name" },
    { "audit", "expected a module's name" },
    { "policy", "svc:1:7: expected a pattern of names" },
    { "policy a/***", "svc:1:8: expected a pattern of names" },
    { "-policy a", "svc:1:1: expected no '-' before policy" },
    /* modules */
    { "read required mock_none", "svc:1:15: no module 'mock_none' is installed in /" },
    { "read required mock_notify", "svc:1:15: expected the name of a backend on this line, found "
                                   "'mock_notify', which is a notifier" },
    { "-read required mock_notify", "which is a notifier" },
    { "notify mock_store",
      "expected the name of a notifier on this line, found 'mock_store', which "
      "is a backend" },
    { "issuer a mock_store", "expected the name of an issuer" },
    { "audit mock_store", "expected the name of an auditor" },
    /* includes */
    { "@include", "svc:1:9: expected a service's name" },
    { "@include a/b", "svc:1:10: expected a service's name, 1 to 64 of a-z 0-9 _ -, found 'a/b'" },
    { "@include other more", "svc:1:16: expected the end of the line, found 'more'" },
    { "@include nowhere", "svc:1:10: no service 'nowhere' in /" },
    { "-@include other", "found '-@include'" },
    { "@Include other", "found '@Include'" },
    { "read include", "svc:1:13: expected a service's name" },
    { "read include nowhere", "svc:1:14: no service 'nowhere'" },
    { "read include other more", "svc:1:20: expected the end of the line" },
    { "-read include other", "svc:1:1: expected no '-' where a service is included" },
    { "read substack", "expected a service's name" },
    { "read [include] other", "svc:1:7: expected a status or default, found 'include'" },
    { "notify include other", "no module 'include' is installed" },
    { "@include svc", "expected includes without a cycle: '/" },
    { "read substack svc", "svc:1:15: expected includes without a cycle" },
    { "@include bad", "bad:2:7: expected required" },
    { "read include bad", "bad:2:7: expected required" }, /* a write line that is not wanted */
    /* jumps, as the stack is after all includes */
    { "read [success=1 default=die] mock_store",
      "svc:1:6: expected a jump of at most 0, to the end "
      "of the stack, found 1" },
    { "write required mock_store\nwrite [default=1] mock_store", "svc:2:7: expected a jump" },
    { "read substack jump\n" MOCK, "jump:1:6: expected a jump of at most 1, to the end of the "
                                   "substack, found 2" },
};

START_TEST(other_lines_are_refused)
{
    servicefile_put("other", MOCK);
    servicefile_put("bad", MOCK "write needed mock_store\n");
    servicefile_put("jump", "read [default=2] mock_store\n" MOCK);
    servicefile_bad(refused[_i].text, refused[_i].says);
}
END_TEST

START_TEST(a_jump_may_leave_from_an_include_but_not_from_a_substack)
{
    servicefile_put("jump", "read [default=2] mock_store\n" MOCK);
    kt_service_free(servicefile_good("read include jump\n" MOCK));
    servicefile_bad("read substack jump\n" MOCK, "jump:1:6: expected a jump");
}
END_TEST

START_TEST(long_names_and_templates_are_refused)
{
    char text[1200];

    (void)snprintf(text, sizeof(text), "read required mock_store name=%0513d", 1);
    servicefile_bad(text, "expected 1 to 512 bytes, found '0000");
    (void)snprintf(text, sizeof(text), "read required mock_store field=%0257d", 1);
    servicefile_bad(text, "expected 1 to 256 bytes");
    (void)snprintf(text, sizeof(text), "read required mock_store name=%0512d field=%0256d", 1, 2);
    kt_service_free(servicefile_good(text));
    (void)snprintf(text, sizeof(text), "read required %065d", 1);
    servicefile_bad(text, "expected a module's name");
}
END_TEST

/* ---- includes ---------------------------------------------------------------------------------- */

/* The read stack as text: each line's level and module, a marker as '-'. */
static void spell(const struct kt_stack *stack, char *out, size_t size)
{
    size_t used = 0;

    out[0] = '\0';
    for (size_t i = 0; i < stack->n; i++)
        used += (size_t)snprintf(out + used, size - used, "%u%s ", stack->lines[i].level,
                                 stack->lines[i].substack ? "-" : stack->lines[i].core.name);
}

static const struct {
    const char *text;
    const char *read;
    const char *write;
    size_t sets;
    size_t policies;
} joined[] = {
    { "@include other", "0a 0b ", "0a ", 1, 1 },
    { "read include other", "0a 0b ", "", 0, 0 },
    { "write include other", "", "0a ", 0, 0 },
    { "read required mock_store name=x\nread include other\nread required mock_store name=y",
      "0x 0a 0b 0y ", "", 0, 0 },
    { "read substack other", "0- 1a 1b ", "", 0, 0 },
    { "read substack other\nread required mock_store name=y", "0- 1a 1b 0y ", "", 0, 0 },
    { "read substack nested\nread required mock_store name=y", "0- 1- 2a 2b 1n 0y ", "", 0, 0 },
    { "read include nested", "0- 1a 1b 0n ", "", 0, 0 },
    { "@include nested", "0- 1a 1b 0n ", "0a ", 0, 0 },
    { "read substack all", "0- 1a 1b ", "", 0, 0 },
    { "write include all", "", "0a ", 0, 0 },
    { "@include all", "0a 0b ", "0a ", 1, 1 },
    { "read substack empty\nread required mock_store name=y", "0- 0y ", "", 0, 0 },
    { "read include other\nread include other", "0a 0b 0a 0b ", "", 0, 0 },
};

START_TEST(includes_bring_their_lines)
{
    struct kt_service *s;
    char out[128];

    servicefile_put("other", "read required mock_store name=a\nwrite required mock_store name=a\n"
                             "notify mock_notify\npolicy ** rotate=1d\n"
                             "read required mock_store name=b\n");
    servicefile_put("nested", "read substack other\nread required mock_store name=n\n"
                              "write include other\n");
    servicefile_put("all", "@include other\n");
    servicefile_put("empty", "# nothing\n");
    s = servicefile_good(joined[_i].text);
    spell(&s->read, out, sizeof(out));
    ck_assert_str_eq(out, joined[_i].read);
    spell(&s->write, out, sizeof(out));
    ck_assert_str_eq(out, joined[_i].write);
    ck_assert_uint_eq(s->sets.n, joined[_i].sets);
    ck_assert_uint_eq(s->npolicies, joined[_i].policies);
    kt_service_free(s);
}
END_TEST

START_TEST(lines_know_their_own_file)
{
    struct kt_service *s;
    const struct kt_line *l;

    servicefile_put("other", "\n" MOCK);
    s = servicefile_good(MOCK "read substack other\n");
    ck_assert_uint_eq(s->nfiles, 2);
    l = &s->read.lines[2];
    ck_assert_ptr_eq(l->file, s->files[1]);
    ck_assert_str_eq(strrchr(l->file, '/'), "/other");
    ck_assert_uint_eq(l->lineno, 2);
    ck_assert_str_eq(s->read.lines[1].control.text, "substack");
    ck_assert_int_eq(s->read.lines[1].place, -1);
    ck_assert_ptr_null(s->read.lines[1].module);
    kt_service_free(s);
}
END_TEST

START_TEST(a_long_way_round_is_a_cycle_too)
{
    servicefile_put("one", "read substack two\n");
    servicefile_put("two", "write required mock_store\n@include three\n");
    servicefile_put("three", "read include one\n");
    servicefile_bad("@include one\n", "three:1:14: expected includes without a cycle: '/");
    servicefile_bad("@include one\n", "/one' is being read already");
    /* the other facility's lines lead nowhere */
    servicefile_put("three", "write include one\n" MOCK);
    kt_service_free(servicefile_good("read include one\n"));
}
END_TEST

static void put_chain(int files)
{
    char name[16], text[64];

    for (int i = 1; i <= files; i++) {
        (void)snprintf(name, sizeof(name), "c%d", i);
        (void)snprintf(text, sizeof(text), "read substack c%d\n", i + 1);
        servicefile_put(name, i == files ? MOCK : text);
    }
}

START_TEST(includes_go_sixteen_deep)
{
    struct kt_service *s;

    put_chain(16);
    s = servicefile_good("read substack c1\n");
    ck_assert_uint_eq(s->read.n, 17);
    ck_assert_uint_eq(s->read.lines[16].level, 16);
    kt_service_free(s);
    put_chain(17);
    servicefile_bad("read substack c1\n", "c16:1:15: expected includes at most 16 deep: '/");
}
END_TEST

START_TEST(lines_and_bytes_are_bounded_over_all_files)
{
    char *text = malloc(KT_FILE_MAX + 2);
    struct kt_service *s;
    size_t n = 0;

    for (int i = 0; i < KT_LINES_MAX; i++)
        n += (size_t)snprintf(text + n, 32, "read optional mock_store\n");
    s = servicefile_good(text);
    ck_assert_uint_eq(s->read.n, KT_LINES_MAX);
    kt_service_free(s);
    memcpy(text + n, MOCK, sizeof(MOCK));
    servicefile_bad(text, "svc:4097:1: expected at most 4096 lines");

    memset(text, '#', KT_FILE_MAX + 1);
    text[KT_FILE_MAX + 1] = '\0';
    servicefile_bad(text, "expected at most 1048576 bytes");
    text[KT_FILE_MAX] = '\0';
    kt_service_free(servicefile_good(text));
    servicefile_put("other", text);
    servicefile_bad("@include other\n", "expected at most 1048576 bytes");
    /* 2^12 reads of a file that is small itself */
    put_chain(1);
    for (int i = 12; i > 0; i--) {
        char name[16];
        (void)snprintf(name, sizeof(name), "d%d", i);
        (void)snprintf(text, 100, "@include %s%d\n@include %s%d\n", i == 12 ? "c" : "d",
                       i == 12 ? 1 : i + 1, i == 12 ? "c" : "d", i == 12 ? 1 : i + 1);
        servicefile_put(name, text);
    }
    servicefile_bad("@include d1\n", "expected at most 4096 lines");
    free(text);
}
END_TEST

/* ---- places ------------------------------------------------------------------------------------ */

static int try_path(const char *path, struct kt_service **out, struct kt_err *err)
{
    const struct kt_open_options options = {
        .size = sizeof(options),
        .config_dir = servicefile_dir(),
        .module_dir = kt_harness_modules(),
    };

    return kt_service_read(path, &options, out, err);
}

START_TEST(no_file_anywhere_is_the_file_module)
{
    const struct kt_open_options options = {
        .size = sizeof(options),
        .config_dir = servicefile_dir(),
        .module_dir = servicefile_dir(),
    };
    char *from = kt_harness_path(kt_harness_modules(), "mock_store.so");
    char *to = kt_harness_path(servicefile_dir(), "file.so");
    struct kt_service *s = NULL;
    struct kt_err err;

    ck_assert_int_eq(kt_service_read("none-such", &options, &s, &err), KT_CONFIG_ERROR);
    ck_assert_ptr_nonnull(strstr(err.msg, "builtin: no module 'file' is installed in"));
    ck_assert_int_eq(symlink(from, to), 0);
    ck_assert_msg(kt_service_read("none-such", &options, &s, &err) == KT_SUCCESS, "%s", err.msg);
    ck_assert(s->builtin && s->writable);
    ck_assert_uint_eq(s->nfiles, 0);
    ck_assert_uint_eq(s->read.n, 1);
    ck_assert_uint_eq(s->write.n, 1);
    ck_assert_str_eq(s->read.lines[0].module, "file");
    ck_assert_uint_eq(s->read.lines[0].lineno, 0);
    ck_assert_ptr_eq(s->authority, &s->write.lines[0]);
    ck_assert_str_eq(s->places[0].path + strlen(s->places[0].path) - 14, "/mock_store.so");
    kt_service_free(s);
    free(from);
    free(to);
}
END_TEST

START_TEST(a_service_may_be_a_path)
{
    char *path = kt_harness_path(servicefile_dir(), "x.keyturn"), *cwd = get_current_dir_name();
    struct kt_service *s = NULL;
    struct kt_err err;

    servicefile_put("x.keyturn", "@include other\n");
    servicefile_put("other", MOCK);
    ck_assert_int_eq(try_path(path, &s, &err), KT_SUCCESS);
    ck_assert_str_eq(s->name, "x.keyturn");
    ck_assert_uint_eq(s->read.n, 1);
    kt_service_free(s);
    ck_assert_int_eq(chdir(servicefile_dir()), 0);
    ck_assert_int_eq(try_path("./x.keyturn", &s, &err), KT_SUCCESS);
    ck_assert_ptr_nonnull(strstr(s->files[0], "x.keyturn"));
    kt_service_free(s);
    ck_assert_int_eq(try_path("./y.keyturn", &s, &err), KT_CONFIG_ERROR);
    ck_assert_str_eq(err.msg, "no service file './y.keyturn'");
    ck_assert_int_eq(chdir(cwd), 0);
    privileged = true;
    ck_assert_int_eq(kt_service_read(path, NULL, &s, &err), KT_CONFIG_ERROR);
    ck_assert_ptr_nonnull(strstr(err.msg, "a privileged process opens services by name only"));
    free(cwd);
    free(path);
}
END_TEST

START_TEST(a_service_name_is_checked)
{
    struct kt_service *s = NULL;
    struct kt_err err;

    ck_assert_int_eq(servicefile_read("a.b", &s, &err), KT_INVALID);
    ck_assert_int_eq(servicefile_read("", &s, &err), KT_INVALID);
    ck_assert_int_eq(servicefile_read("Up", &s, &err), KT_INVALID);
}
END_TEST

/* With the environment's places: KEYTURN_CONFIG_DIR, then XDG_CONFIG_HOME/keyturn. */
static int try_env(const char *name, struct kt_service **out, struct kt_err *err)
{
    const struct kt_open_options options = {
        .size = sizeof(options),
        .module_dir = privileged ? NULL : kt_harness_modules(),
    };

    return kt_service_read(name, &options, out, err);
}

START_TEST(the_first_place_that_has_it_counts)
{
    char *own = kt_harness_path(servicefile_dir(), "own");
    char *xdg = kt_harness_path(servicefile_dir(), "xdg/keyturn");
    struct kt_service *s = NULL;
    struct kt_err err = { .msg = "" };
    struct kt_dirs d;

    ck_assert_int_eq(mkdir(own, 0700), 0);
    *strrchr(xdg, '/') = '\0';
    ck_assert_int_eq(mkdir(xdg, 0700), 0);
    ck_assert_int_eq(setenv("XDG_CONFIG_HOME", xdg, 1), 0);
    ck_assert_int_eq(setenv("KEYTURN_CONFIG_DIR", own, 1), 0);
    xdg[strlen(xdg)] = '/';
    ck_assert_int_eq(mkdir(xdg, 0700), 0);
    servicefile_put("xdg/keyturn/kt-test-svc", "read required mock_store xdg\n");
    ck_assert_msg(try_env("kt-test-svc", &s, &err) == KT_SUCCESS, "%s", err.msg);
    ck_assert_str_eq(s->read.lines[0].words[0].text, "xdg");
    kt_service_free(s);
    servicefile_put("own/kt-test-svc", "read required mock_store own\n");
    ck_assert_int_eq(try_env("kt-test-svc", &s, &err), KT_SUCCESS);
    ck_assert_str_eq(s->read.lines[0].words[0].text, "own");
    kt_service_free(s);
    /* one that is there and wrong is refused, not passed over */
    servicefile_put("own/kt-test-svc", "read\n");
    ck_assert_int_eq(try_env("kt-test-svc", &s, &err), KT_CONFIG_ERROR);
    servicefile_put("own/kt-test-svc", "@include kt-test-none\n");
    ck_assert_int_eq(try_env("kt-test-svc", &s, &err), KT_CONFIG_ERROR);
    ck_assert_ptr_nonnull(strstr(err.msg, "/own, /"));
    ck_assert_ptr_nonnull(strstr(err.msg, "/xdg/keyturn or " KT_SYSCONF_DIR));
    ck_assert_int_eq(setenv("KEYTURN_CONFIG_DIR", "own", 1), 0);
    ck_assert_int_eq(try_env("kt-test-svc", &s, &err), KT_CONFIG_ERROR);
    ck_assert_ptr_nonnull(strstr(err.msg, "expected a path that begins with /"));
    /* empty and relative ones count as not set: the home's is next */
    ck_assert_int_eq(setenv("KEYTURN_CONFIG_DIR", "", 1), 0);
    ck_assert_int_eq(setenv("XDG_CONFIG_HOME", "xdg", 1), 0);
    ck_assert_int_eq(kt_dirs_init(&d, NULL, &err), KT_SUCCESS);
    ck_assert_uint_eq(d.n, 2);
    ck_assert_ptr_nonnull(strstr(d.dir[0], "/.config/keyturn"));
    kt_dirs_done(&d);
    free(own);
    free(xdg);
}
END_TEST

START_TEST(a_privileged_process_has_the_machines_place_alone)
{
    struct kt_open_options options = { .size = sizeof(options), .config_dir = servicefile_dir() };
    struct kt_service *s = NULL;
    struct kt_dirs d;
    struct kt_err err;
    const char *dir;

    ck_assert_int_eq(setenv("KEYTURN_CONFIG_DIR", servicefile_dir(), 1), 0);
    ck_assert_int_eq(setenv("XDG_CONFIG_HOME", servicefile_dir(), 1), 0);
    servicefile_put("kt-test-svc", MOCK);
    privileged = true;
    ck_assert_int_eq(kt_dirs_init(&d, NULL, &err), KT_SUCCESS);
    ck_assert_uint_eq(d.n, 1);
    ck_assert_str_eq(d.dir[0], KT_SYSCONF_DIR);
    kt_dirs_done(&d);
    ck_assert_int_eq(kt_service_read("kt-test-svc", &options, &s, &err), KT_CONFIG_ERROR);
    ck_assert_ptr_nonnull(strstr(err.msg, "a privileged process reads service files from"));
    options.config_dir = NULL;
    options.module_dir = kt_harness_modules();
    ck_assert_int_eq(kt_service_read("kt-test-svc", &options, &s, &err), KT_CONFIG_ERROR);
    ck_assert_ptr_nonnull(strstr(err.msg, "a privileged process loads modules from"));
    ck_assert_int_eq(kt_module_dir(NULL, &dir, &err), KT_SUCCESS);
    ck_assert_int_eq(dir[0], '/');
}
END_TEST

START_TEST(files_that_others_could_write_are_refused)
{
    char *path = kt_harness_path(servicefile_dir(), "svc");
    struct kt_service *s = NULL;
    struct kt_err err;

    kt_harness_write(path, MOCK, 0666);
    ck_assert_int_eq(servicefile_read("svc", &s, &err), KT_CONFIG_ERROR);
    ck_assert_ptr_nonnull(strstr(err.msg, "writable by everyone"));
    servicefile_put("good", "@include svc\n");
    ck_assert_int_eq(servicefile_read("good", &s, &err), KT_CONFIG_ERROR);
    ck_assert_ptr_nonnull(strstr(err.msg, "good:1:10: "));
    if (geteuid() != 0) {
        kt_harness_write(path, MOCK, 0);
        ck_assert_int_eq(servicefile_read("svc", &s, &err), KT_DENIED);
    } else {
        kt_harness_write(path, MOCK, 0600);
        ck_assert_int_eq(chown(path, 12345, 0), 0);
        ck_assert_int_eq(servicefile_read("svc", &s, &err), KT_CONFIG_ERROR);
        ck_assert_ptr_nonnull(strstr(err.msg, "sudo -H"));
        ck_assert_ptr_nonnull(strstr(err.msg, "-s"));
    }
    free(path);
}
END_TEST

START_TEST(a_dangling_link_is_not_an_absent_file)
{
    char *path = kt_harness_path(servicefile_dir(), "svc");
    struct kt_service *s = NULL;
    struct kt_err err;

    ck_assert_int_eq(symlink("nowhere", path), 0);
    ck_assert_int_eq(servicefile_read("svc", &s, &err), KT_CONFIG_ERROR);
    ck_assert_ptr_nonnull(strstr(err.msg, "is a link to a file that is not there"));
    servicefile_put("real", MOCK);
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(symlink("real", path), 0);
    ck_assert_int_eq(servicefile_read("svc", &s, &err), KT_SUCCESS);
    ck_assert_str_eq(strrchr(s->files[0], '/'), "/real");
    kt_service_free(s);
    free(path);
}
END_TEST

START_TEST(paths_that_are_too_long_are_refused)
{
    static char dir[PATH_MAX + 10];
    struct kt_open_options options = { .size = sizeof(options), .config_dir = dir };
    struct kt_place place;
    struct kt_service *s = NULL;
    struct kt_err err;

    memset(dir, 'd', sizeof(dir) - 1);
    dir[0] = '/';
    ck_assert_int_eq(kt_service_read("svc", &options, &s, &err), KT_CONFIG_ERROR);
    ck_assert_ptr_nonnull(strstr(err.msg, "too long a path"));
    ck_assert_int_eq(kt_place_look(dir, "mock_store", &place, &err), KT_CONFIG_ERROR);
    ck_assert_ptr_nonnull(strstr(err.msg, "too long a path"));
}
END_TEST

/* ---- modules ----------------------------------------------------------------------------------- */

START_TEST(modules_are_looked_at_once_and_not_loaded)
{
    struct kt_service *s = servicefile_good("read optional mock_plain max-stale=1h\n" MOCK
                                            "write required mock_store\n"
                                            "write optional mock_plain\n");
    char line[512];
    FILE *maps = fopen("/proc/self/maps", "re");

    ck_assert_uint_eq(s->nplaces, 2);
    ck_assert_int_eq(s->read.lines[0].place, s->write.lines[1].place);
    ck_assert_str_eq(strrchr(s->places[0].path, '/'), "/mock_plain.so");
    ck_assert_uint_eq(s->places[0].probe.protection, KT_CLASS_PLAIN);
    ck_assert_ptr_nonnull(maps);
    while (fgets(line, sizeof(line), maps) != NULL)
        ck_assert_msg(strstr(line, "mock_") == NULL, "%s", line);
    (void)fclose(maps);
    kt_service_free(s);
}
END_TEST

static const struct {
    const char *module;
    const char *says;
} bad_modules[] = {
    { "mock_abi", "mock_abi.so' has module ABI 999, this library has 1: rebuild the module" },
    { "mock_head", "mock_head.so' has a descriptor of 16 bytes, expected" },
    { "mock_odd",
      "mock_odd.so' says kind 0, role 77, protection 3, cas 2, naming 0, which is more" },
    { "text", "text.so'" },
};

START_TEST(modules_that_do_not_fit_are_refused)
{
    const struct kt_open_options options = {
        .size = sizeof(options),
        .config_dir = servicefile_dir(),
        .module_dir = servicefile_dir(),
    };
    char text[64], name[32];
    char *to, *from;
    struct kt_service *s = NULL;
    struct kt_err err;

    (void)snprintf(name, sizeof(name), "%s.so", bad_modules[_i].module);
    to = kt_harness_path(servicefile_dir(), name);
    from = kt_harness_path(kt_harness_modules(), name);
    if (strcmp(name, "text.so") == 0)
        servicefile_put("text.so", "not a shared object\n");
    else
        ck_assert_int_eq(symlink(from, to), 0);
    (void)snprintf(text, sizeof(text), "-read required %s\n", bad_modules[_i].module);
    servicefile_put("svc", text);
    ck_assert_int_eq(kt_service_read("svc", &options, &s, &err), KT_MODULE_ERROR);
    ck_assert_int_eq(err.status, KT_MODULE_ERROR);
    ck_assert_msg(strstr(err.msg, bad_modules[_i].says) != NULL, "%s", err.msg);
    ck_assert_ptr_nonnull(strstr(err.msg, "svc:1:"));
    ck_assert_int_eq(kt_service_read("svc", &options, &s, NULL), KT_MODULE_ERROR);
    free(to);
    free(from);
}
END_TEST

START_TEST(an_absent_module_may_be_allowed)
{
    struct kt_service *s = servicefile_good("-read fallback mock_none max-stale=1m\n" MOCK
                                            "-notify mock_none\n");

    ck_assert_int_eq(s->read.lines[0].place, -1);
    ck_assert_str_eq(s->read.lines[0].module, "mock_none");
    ck_assert(kt_line_is_follower(s, &s->read.lines[0]));
    ck_assert_int_eq(s->sets.lines[0].place, -1);
    ck_assert_uint_eq(s->nplaces, 1);
    kt_service_free(s);
}
END_TEST

START_TEST(a_module_that_others_could_write_is_refused)
{
    const struct kt_open_options options = {
        .size = sizeof(options),
        .config_dir = servicefile_dir(),
        .module_dir = servicefile_dir(),
    };
    char *path = kt_harness_path(servicefile_dir(), "mock_store.so");
    struct kt_service *s = NULL;
    struct kt_err err;

    kt_harness_write(path, "", 0777);
    servicefile_put("svc", "-" MOCK);
    ck_assert_int_eq(kt_service_read("svc", &options, &s, &err), KT_CONFIG_ERROR);
    ck_assert_ptr_nonnull(strstr(err.msg, "svc:1:"));
    ck_assert_ptr_nonnull(strstr(err.msg, "writable by everyone"));
    free(path);
}
END_TEST

START_TEST(the_module_directory_is_absolute)
{
    const struct kt_open_options options = {
        .size = sizeof(options),
        .config_dir = servicefile_dir(),
        .module_dir = "modules",
    };
    struct kt_service *s = NULL;
    struct kt_err err;

    servicefile_put("svc", MOCK);
    ck_assert_int_eq(kt_service_read("svc", &options, &s, &err), KT_CONFIG_ERROR);
    ck_assert_ptr_nonnull(strstr(err.msg, "the module directory is 'modules'"));
}
END_TEST

START_TEST(some_modules_are_not_for_privileged_processes)
{
    struct kt_place place;
    struct kt_err err;

    ck_assert_int_eq(kt_place_look(kt_harness_modules(), "mock_user", &place, &err), KT_SUCCESS);
    kt_place_done(&place);
    privileged = true;
    ck_assert_int_eq(kt_place_look(kt_harness_modules(), "mock_user", &place, &err),
                     KT_CONFIG_ERROR);
    ck_assert_ptr_nonnull(strstr(err.msg, "mock_user.so' is not for privileged processes"));
}
END_TEST

static void add_lines(Suite *s)
{
    TCase *c = tcase_create("lines");

    tcase_add_checked_fixture(c, NULL, reset);
    tcase_add_test(c, a_line_has_its_parts);
    tcase_add_loop_test(c, other_lines_are_refused, 0, ROWS(refused));
    tcase_add_test(c, a_jump_may_leave_from_an_include_but_not_from_a_substack);
    tcase_add_test(c, long_names_and_templates_are_refused);
    tcase_add_loop_test(c, includes_bring_their_lines, 0, ROWS(joined));
    tcase_add_test(c, lines_know_their_own_file);
    tcase_add_test(c, a_long_way_round_is_a_cycle_too);
    tcase_add_test(c, includes_go_sixteen_deep);
    tcase_add_test(c, lines_and_bytes_are_bounded_over_all_files);
    suite_add_tcase(s, c);
}

static void add_places(Suite *s)
{
    TCase *c = tcase_create("places");

    tcase_add_checked_fixture(c, NULL, reset);
    tcase_add_test(c, no_file_anywhere_is_the_file_module);
    tcase_add_test(c, a_service_may_be_a_path);
    tcase_add_test(c, a_service_name_is_checked);
    tcase_add_test(c, the_first_place_that_has_it_counts);
    tcase_add_test(c, a_privileged_process_has_the_machines_place_alone);
    tcase_add_test(c, files_that_others_could_write_are_refused);
    tcase_add_test(c, a_dangling_link_is_not_an_absent_file);
    tcase_add_test(c, paths_that_are_too_long_are_refused);
    tcase_add_test(c, modules_are_looked_at_once_and_not_loaded);
    tcase_add_loop_test(c, modules_that_do_not_fit_are_refused, 0, ROWS(bad_modules));
    tcase_add_test(c, an_absent_module_may_be_allowed);
    tcase_add_test(c, a_module_that_others_could_write_is_refused);
    tcase_add_test(c, the_module_directory_is_absolute);
    tcase_add_test(c, some_modules_are_not_for_privileged_processes);
    suite_add_tcase(s, c);
}

int main(void)
{
    Suite *s = suite_create("service");

    add_lines(s);
    add_places(s);
    return kt_harness_run(s);
}
