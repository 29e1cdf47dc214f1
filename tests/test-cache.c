/* SPDX-License-Identifier: Apache-2.0 */

/* cache: gives back what it was filled with, whole, and nothing else. */

#include "harness.h"
#include "modhost.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static struct kt_call call;
static const struct kt_module *m;
static void *state;

static void open_with(const char *options)
{
    if (state)
        m->close(state);
    ck_assert_int_eq(modhost_open(m, &call, options, &state), KT_SUCCESS);
}

static void setup(void)
{
    modhost_call_init(&call);
    m = modhost_load("cache");
    state = NULL;
    open_with(NULL);
}

static void teardown(void)
{
    if (state)
        m->close(state);
    modhost_call_done(&call);
    ck_assert_uint_eq(modhost_live(), 0);
}

static const struct kt_asof early = { .wall_ms = 1000, .boot_ms = 10, .boot_id = "boot" };
static const struct kt_asof late = { .wall_ms = 9000, .boot_ms = 90, .boot_id = "boot" };

static int get(const char *name)
{
    modhost_call_reset(&call);
    return m->get(state, &call, name, modhost_want(NULL));
}

static void fill(const char *name, const char *id, const void *data, size_t len,
                 const struct kt_asof *asof)
{
    const struct kt_put copy = {
        .size = sizeof(copy),
        .stage = KT_STAGE_CURRENT,
        .id = id,
        .data = data,
        .len = len,
        .asof = *asof,
    };

    ck_assert_int_eq(m->fill(state, &call, name, &copy), KT_SUCCESS);
}

static void fill_text(const char *name, const char *id, const char *text)
{
    fill(name, id, text, strlen(text), &early);
}

static void assert_value(const char *name, const char *id, const char *value)
{
    ck_assert_msg(get(name) == KT_SUCCESS, "%s is not there", name);
    ck_assert_uint_eq(call.ngiven, 1);
    ck_assert_str_eq(call.given[0].id, id);
    ck_assert_uint_eq(call.given[0].len, strlen(value));
    ck_assert_str_eq(call.given[0].data, value);
}

static void assert_misses(const char *name, uint32_t misses)
{
    ck_assert_int_eq(get(name), KT_NOT_FOUND);
    ck_assert_uint_eq(call.ngiven, 1);
    ck_assert_ptr_null(call.given[0].id);
    ck_assert_uint_eq(call.given[0].misses, misses);
    ck_assert_uint_eq(call.given[0].len, 0);
}

static void assert_none(const char *name)
{
    ck_assert_int_eq(get(name), KT_IGNORE);
    ck_assert_uint_eq(call.ngiven, 0);
}

START_TEST(gives_back_everything_it_was_told)
{
    const struct kt_attr attrs[] = { { "owner", "me" }, { "empty", "" } };
    const struct kt_put copy = {
        .size = sizeof(copy),
        .stage = KT_STAGE_CURRENT,
        .id = "id:1",
        .data = "a\0b\n",
        .len = 4,
        .created_ms = 1,
        .expires_ms = 2,
        .not_before_ms = -3,
        .asof = early,
        .attrs = attrs,
        .nattrs = 2,
    };
    const struct modhost_given *g;

    assert_none("n");
    ck_assert_int_eq(m->fill(state, &call, "n", &copy), KT_SUCCESS);
    ck_assert_int_eq(get("n"), KT_SUCCESS);
    /* A refresh changes the as-of and nothing else. */
    for (int i = 0; i < 2; i++) {
        g = &call.given[0];
        ck_assert_str_eq(g->id, "id:1");
        ck_assert_uint_eq(g->len, 4);
        ck_assert_mem_eq(g->data, "a\0b\n", 4);
        ck_assert_uint_eq(g->stages, KT_STAGE_CURRENT);
        ck_assert_int_eq(g->created_ms, 1);
        ck_assert_int_eq(g->expires_ms, 2);
        ck_assert_int_eq(g->not_before_ms, -3);
        ck_assert_mem_eq(&g->asof, i ? &late : &early, sizeof(early));
        ck_assert_uint_eq(g->nattrs, 2);
        ck_assert_str_eq(g->attrs[0].key, "owner");
        ck_assert_str_eq(g->attrs[0].value, "me");
        ck_assert_str_eq(g->attrs[1].key, "empty");
        ck_assert_str_eq(g->attrs[1].value, "");
        fill("n", "id:1", NULL, 0, &late);
        ck_assert_int_eq(get("n"), KT_SUCCESS);
    }
    assert_none("N");
    assert_none("n/n");
    assert_none("");
}
END_TEST

START_TEST(an_unchanged_version_needs_the_same_id)
{
    fill("n", "id:1", NULL, 0, &late);
    assert_none("n");
    fill_text("n", "id:1", "one");
    fill("n", "id:2", NULL, 0, &late);
    assert_value("n", "id:1", "one");
    ck_assert_mem_eq(&call.given[0].asof, &early, sizeof(early));
    fill("n", NULL, NULL, 0, &early);
    fill("n", "id:1", NULL, 0, &late);
    assert_misses("n", 1);
}
END_TEST

START_TEST(an_empty_value_is_a_value)
{
    fill("n", "id:1", "", 0, &early);
    assert_value("n", "id:1", "");
}
END_TEST

START_TEST(only_the_current_version_is_known)
{
    struct kt_want want = { .size = sizeof(want), .stage = KT_STAGE_PREVIOUS };

    fill_text("n", "id:1", "one");
    ck_assert_int_eq(m->get(state, &call, "n", &want), KT_IGNORE);
    ck_assert_int_eq(m->get(state, &call, "n", modhost_want("id:2")), KT_IGNORE);
    want = *modhost_want(NULL);
    want.not_version = "id:1";
    ck_assert_int_eq(m->get(state, &call, "n", &want), KT_IGNORE);
    ck_assert_uint_eq(call.ngiven, 0);
    ck_assert_int_eq(m->get(state, &call, "n", modhost_want("id:1")), KT_SUCCESS);
    fill("gone", NULL, NULL, 0, &early);
    ck_assert_int_eq(m->get(state, &call, "gone", modhost_want("id:1")), KT_IGNORE);
}
END_TEST

START_TEST(absences_are_counted)
{
    for (uint32_t i = 1; i <= 5; i++) {
        fill("n", NULL, NULL, 0, i == 5 ? &late : &early);
        assert_misses("n", i);
    }
    ck_assert_mem_eq(&call.given[0].asof, &late, sizeof(late));
    fill_text("n", "id:1", "one");
    assert_value("n", "id:1", "one");
    fill("n", NULL, NULL, 0, &early);
    assert_misses("n", 1);
}
END_TEST

START_TEST(forget_drops_all_but_the_new_version)
{
    fill_text("a", "id:1", "one");
    fill_text("b", "id:1", "other");
    ck_assert_int_eq(m->forget(state, &call, "a", "id:1"), KT_SUCCESS);
    assert_value("a", "id:1", "one");
    ck_assert_int_eq(m->forget(state, &call, "a", "id:2"), KT_SUCCESS);
    assert_none("a");
    fill_text("a", "id:1", "one");
    ck_assert_int_eq(m->forget(state, &call, "a", NULL), KT_SUCCESS);
    assert_none("a");
    fill("a", NULL, NULL, 0, &early);
    ck_assert_int_eq(m->forget(state, &call, "a", "id:1"), KT_SUCCESS);
    assert_none("a");
    ck_assert_int_eq(m->forget(state, &call, "a", NULL), KT_SUCCESS);
    assert_value("b", "id:1", "other");
}
END_TEST

START_TEST(a_rejected_version_goes)
{
    fill_text("n", "id:1", "one");
    ck_assert_int_eq(m->report(state, &call, "n", "id:1", KT_USED), KT_SUCCESS);
    ck_assert_int_eq(m->report(state, &call, "n", "id:0", KT_REJECTED), KT_SUCCESS);
    assert_value("n", "id:1", "one");
    ck_assert_int_eq(m->report(state, &call, "n", "id:1", KT_REJECTED), KT_SUCCESS);
    assert_none("n");
    fill_text("n", "id:1", "one");
    ck_assert_int_eq(m->report(state, &call, "n", NULL, KT_REJECTED), KT_SUCCESS);
    assert_none("n");
}
END_TEST

static const size_t sizes[] = { 1, 7, 8, 100, 1900, 2048, 4096, 30000, KT_VALUE_MAX };

START_TEST(values_of_any_size_come_back)
{
    size_t len = sizes[_i];
    char *data = malloc(len);

    for (size_t i = 0; i < len; i++)
        data[i] = (char)(i * 31);
    for (int i = 0; i < 3; i++) {
        fill("n", i == 1 ? "id:2" : "id:1", data, len, &early);
        ck_assert_int_eq(get("n"), KT_SUCCESS);
        ck_assert_uint_eq(call.given[0].len, len);
        ck_assert_mem_eq(call.given[0].data, data, len);
        data[len / 2] ^= 1;
    }
    free(data);
}
END_TEST

START_TEST(the_oldest_of_a_set_makes_room)
{
    char name[32];
    char value[32];
    int kept = 0;

    open_with("entries=8");
    for (int i = 0; i < 100; i++) {
        snprintf(name, sizeof(name), "n/%d", i);
        snprintf(value, sizeof(value), "v%d", i);
        fill_text(name, "id:1", value);
    }
    for (int i = 0; i < 92; i++) {
        snprintf(name, sizeof(name), "n/%d", i);
        assert_none(name);
    }
    for (int i = 92; i < 100; i++) {
        snprintf(name, sizeof(name), "n/%d", i);
        snprintf(value, sizeof(value), "v%d", i);
        assert_value(name, "id:1", value);
        kept++;
    }
    ck_assert_int_eq(kept, 8);
    ck_assert_uint_le(modhost_live(), 9);
}
END_TEST

START_TEST(many_entries_are_kept_apart)
{
    const int n = 20000;
    char name[32];
    int kept = 0;

    open_with("entries=40000");
    for (int i = 0; i < n; i++) {
        int len = snprintf(name, sizeof(name), "many/%d", i);

        fill(name, name, name, (size_t)len, &early);
    }
    for (int i = 0; i < n; i++) {
        snprintf(name, sizeof(name), "many/%d", i);
        if (get(name) != KT_SUCCESS)
            continue;
        kept++;
        ck_assert_str_eq(call.given[0].data, name);
        ck_assert_str_eq(call.given[0].id, name);
    }
    ck_assert_int_ge(kept, n * 9 / 10);
}
END_TEST

START_TEST(memory_is_bounded)
{
    static char big[60000];
    char name[32];
    int kept = 0;

    open_with("memory=1M");
    for (int i = 0; i < 100; i++) {
        snprintf(name, sizeof(name), "n/%d", i);
        fill(name, "id:1", big, sizeof(big), &early);
    }
    for (int i = 0; i < 100; i++) {
        snprintf(name, sizeof(name), "n/%d", i);
        kept += get(name) == KT_SUCCESS;
    }
    ck_assert_int_ge(kept, 8);
    ck_assert_int_le(kept, 17);
}
END_TEST

static const char *const bad[] = { "entries=0", "entries=1000001", "memory=0", "memory=4095" };

START_TEST(refuses_what_it_cannot_be)
{
    void *none = NULL;

    ck_assert_int_eq(modhost_open(m, &call, bad[_i], &none), KT_CONFIG_ERROR);
    ck_assert_int_eq(call.fails, 1);
}
END_TEST

START_TEST(a_million_entries_cost_nothing_until_used)
{
    open_with("entries=1000000");
    fill_text("n", "id:1", "one");
    assert_value("n", "id:1", "one");
}
END_TEST

START_TEST(a_child_finds_nothing)
{
    static char big[5000];
    int status;
    pid_t pid;

    fill_text("n", "id:1", "one");
    fill("big", "id:1", big, sizeof(big), &early);
    fill("gone", NULL, NULL, 0, &early);
    pid = fork();
    if (pid == 0)
        _exit(get("n") != KT_IGNORE || get("big") != KT_IGNORE || get("gone") != KT_IGNORE);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(status, 0);
    assert_value("n", "id:1", "one");
}
END_TEST

/* ---- storm: a value is made of its id, so a mixture of two is seen --------------------------- */

#define STORM_ROUNDS 10000

/* check's own assertions are not for threads: they write to a file and leak in each. */
#define MUST(condition)                                                                            \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);                \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

static unsigned storm_names;
static atomic_uint_fast64_t storm_hits;
static atomic_bool storm_over;

static size_t storm_value(unsigned n, char *out)
{
    static const size_t lens[] = { 40, 0, 3000, 1750, 1700, 1800 };
    size_t len = lens[n % 6] + n % 5;

    for (size_t i = 0; i < len; i++)
        out[i] = (char)(n * 7 + i);
    return len;
}

/* A host whose give only looks: the value must be the one that its id says, under its name. */
struct storm_call {
    struct kt_call host;
    unsigned name;
};

static int storm_give(struct kt_call *c, size_t index, const struct kt_version *v, const void *data,
                      size_t len)
{
    const struct storm_call *s = (const struct storm_call *)c;
    char want[4096];
    unsigned name;
    unsigned n;

    MUST(index == 0);
    if (!v->id) {
        MUST(v->misses >= 1);
        return KT_SUCCESS;
    }
    MUST(sscanf(v->id, "id:%u:%u", &name, &n) == 2);
    MUST(name == s->name);
    MUST(v->created_ms == (int64_t)n);
    MUST(v->asof.wall_ms == v->asof.boot_ms);
    MUST(v->nattrs == n % 2);
    if (v->nattrs)
        MUST(strcmp(v->attrs[0].value, v->id) == 0);
    MUST(len == storm_value(n, want));
    if (len)
        MUST(memcmp(data, want, len) == 0);
    atomic_fetch_add_explicit(&storm_hits, 1, memory_order_relaxed);
    return KT_SUCCESS;
}

static void *storm_read(void *cookie)
{
    struct storm_call mine;
    unsigned seed = (unsigned)(uintptr_t)cookie;
    char name[32];

    modhost_call_init(&mine.host);
    while (!atomic_load_explicit(&storm_over, memory_order_relaxed)) {
        int rc;

        mine.name = (unsigned)rand_r(&seed) % storm_names;
        snprintf(name, sizeof(name), "storm/%u", mine.name);
        rc = m->get(state, &mine.host, name, modhost_want(NULL));
        MUST(rc == KT_SUCCESS || rc == KT_NOT_FOUND || rc == KT_IGNORE);
    }
    modhost_call_done(&mine.host);
    return NULL;
}

static void *storm_write(void *cookie)
{
    unsigned seed = (unsigned)(uintptr_t)cookie;
    struct kt_call mine;
    char value[4096];
    char name[32];
    char id[32];

    modhost_call_init(&mine);
    for (unsigned i = 0; i < STORM_ROUNDS; i++) {
        unsigned which = (unsigned)rand_r(&seed) % storm_names;
        unsigned n = (unsigned)rand_r(&seed) % 1000;
        const struct kt_attr attr = { "id", id };
        struct kt_put copy = {
            .size = sizeof(copy),
            .stage = KT_STAGE_CURRENT,
            .id = id,
            .data = value,
            .len = storm_value(n, value),
            .created_ms = n,
            .asof = { .wall_ms = i, .boot_ms = i },
            .attrs = &attr,
            .nattrs = n % 2,
        };

        snprintf(name, sizeof(name), "storm/%u", which);
        snprintf(id, sizeof(id), "id:%u:%u", which, n);
        switch (rand_r(&seed) % 8) {
        case 0:
            MUST(m->forget(state, &mine, name, NULL) == KT_SUCCESS);
            break;
        case 1:
            copy.id = NULL;
            copy.data = NULL;
            break;
        case 2:
            copy.data = NULL;
            break;
        default:
            break;
        }
        MUST(m->fill(state, &mine, name, &copy) == KT_SUCCESS);
    }
    modhost_call_done(&mine);
    return NULL;
}

static void storm(int64_t entries, unsigned names)
{
    static struct kt_host host;
    const struct kt_arg args[] = { { "entries", "", entries }, { "memory", "1M", 1 << 20 } };
    const struct kt_open_args open = { .size = sizeof(open), .args = args, .nargs = 2 };
    pthread_t readers[3];
    pthread_t writers[2];

    storm_names = names;
    host = modhost;
    host.give = storm_give;
    m->close(state);
    state = NULL;
    ck_assert_int_eq(m->open(&host, &call, &open, &state), KT_SUCCESS);
    atomic_store(&storm_over, false);
    atomic_store(&storm_hits, 0);
    for (uintptr_t i = 0; i < 3; i++)
        ck_assert_int_eq(pthread_create(&readers[i], NULL, storm_read, (void *)(i + 1)), 0);
    for (uintptr_t i = 0; i < 2; i++)
        ck_assert_int_eq(pthread_create(&writers[i], NULL, storm_write, (void *)(i + 9)), 0);
    for (int i = 0; i < 2; i++)
        pthread_join(writers[i], NULL);
    atomic_store(&storm_over, true);
    for (int i = 0; i < 3; i++)
        pthread_join(readers[i], NULL);
    ck_assert_uint_gt(atomic_load(&storm_hits), 100);
}

START_TEST(no_reader_ever_sees_half_an_entry)
{
    storm(64, 24);
    storm(64, 2);
}
END_TEST

/* Blocks change hands between names all the time. */
START_TEST(no_reader_ever_sees_another_names_entry)
{
    storm(8, 12);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("cache");
    TCase *t = tcase_create("cache");

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, gives_back_everything_it_was_told);
    tcase_add_test(t, an_unchanged_version_needs_the_same_id);
    tcase_add_test(t, an_empty_value_is_a_value);
    tcase_add_test(t, only_the_current_version_is_known);
    tcase_add_test(t, absences_are_counted);
    tcase_add_test(t, forget_drops_all_but_the_new_version);
    tcase_add_test(t, a_rejected_version_goes);
    tcase_add_loop_test(t, values_of_any_size_come_back, 0, sizeof(sizes) / sizeof(sizes[0]));
    tcase_add_test(t, the_oldest_of_a_set_makes_room);
    tcase_add_test(t, many_entries_are_kept_apart);
    tcase_add_test(t, memory_is_bounded);
    tcase_add_loop_test(t, refuses_what_it_cannot_be, 0, sizeof(bad) / sizeof(bad[0]));
    tcase_add_test(t, a_million_entries_cost_nothing_until_used);
    tcase_add_test(t, a_child_finds_nothing);
    tcase_add_test(t, no_reader_ever_sees_half_an_entry);
    tcase_add_test(t, no_reader_ever_sees_another_names_entry);
    suite_add_tcase(s, t);
    return kt_harness_run(s);
}
