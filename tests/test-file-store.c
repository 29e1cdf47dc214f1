/* SPDX-License-Identifier: Apache-2.0 */

/* What the file backend does for one caller after the other. */

#include "filestore.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct filestore fs;

static void setup(void)
{
    filestore_open(&fs, NULL);
}

static void teardown(void)
{
    filestore_close(&fs);
    ck_assert_uint_eq(modhost_live(), 0);
}

START_TEST(what_is_put_is_got)
{
    const struct kt_attr attrs[] = { { "label", "blue" }, { "empty", "" } };
    char id[KT_ID_SIZE];
    const struct kt_put put = { .size = sizeof(put),
                                .stage = KT_STAGE_CURRENT,
                                .id = id,
                                .data = "a\0b\n",
                                .len = 4,
                                .created_ms = 111,
                                .expires_ms = 333,
                                .not_before_ms = 222,
                                .asof = { .wall_ms = 5, .boot_ms = 6, .boot_id = { 7 } },
                                .attrs = attrs,
                                .nattrs = 2 };

    modhost_id(id);
    ck_assert_int_eq(filestore_put_as(&fs, "a/b", &put), KT_SUCCESS);
    ck_assert_int_eq(filestore_get(&fs, "a/b", NULL), KT_SUCCESS);
    ck_assert_str_eq(fs.given->id, id);
    ck_assert_uint_eq(fs.given->len, 4);
    ck_assert_mem_eq(fs.given->data, "a\0b\n", 4);
    ck_assert_int_eq(fs.given->created_ms, 111);
    ck_assert_int_eq(fs.given->expires_ms, 333);
    ck_assert_int_eq(fs.given->not_before_ms, 222);
    ck_assert_uint_eq(fs.given->stages, KT_STAGE_CURRENT);
    ck_assert_uint_eq(fs.given->state, KT_STATE_ENABLED);
    ck_assert_mem_eq(&fs.given->asof, &put.asof, sizeof(put.asof));
    ck_assert_uint_eq(fs.given->nattrs, 2);
    ck_assert_str_eq(fs.given->attrs[0].key, "label");
    ck_assert_str_eq(fs.given->attrs[0].value, "blue");
    ck_assert_str_eq(fs.given->attrs[1].value, "");
}
END_TEST

START_TEST(a_store_that_was_never_made_has_nothing_and_is_not_made_by_reading)
{
    struct kt_call *c = &fs.call;

    ck_assert_int_eq(filestore_get(&fs, "a", NULL), KT_NOT_FOUND);
    modhost_call_reset(c);
    ck_assert_int_eq(fs.m->versions(fs.state, c, "a"), KT_NOT_FOUND);
    modhost_call_reset(c);
    ck_assert_int_eq(fs.m->list(fs.state, c, NULL), KT_SUCCESS);
    ck_assert_uint_eq(c->ngiven, 0);
    ck_assert_int_eq(filestore_stage(&fs, "a", KT_STAGE_CURRENT, "x", NULL), KT_NOT_FOUND);
    ck_assert_int_eq(filestore_delete(&fs, "a", NULL, false), KT_NOT_FOUND);
    ck_assert_int_eq(filestore_fill(&fs, "a", NULL, NULL, 1), KT_SUCCESS);
    ck_assert_int_eq(filestore_fill(&fs, "a", "x", NULL, 1), KT_NOT_FOUND);
    modhost_call_reset(c);
    ck_assert_int_eq(modhost_verb(fs.m, fs.state, c, "viable", NULL), KT_SUCCESS);
    ck_assert_ptr_nonnull(strstr(c->out, "not made yet"));
    /* the directory is as empty as it was: rmdir says so */
    ck_assert_int_eq(rmdir(fs.dir), 0);
    ck_assert_int_eq(filestore_get(&fs, "a", NULL), KT_NOT_FOUND);
}
END_TEST

START_TEST(sizes_up_to_the_limit_are_kept_and_over_it_refused)
{
    static const size_t sizes[] = { 0, 1, 500, 1000, 4096, 65535, 65536 };
    char *value = calloc(1, 65537);
    char name[600];
    char id[KT_ID_SIZE];
    struct kt_put put = { .size = sizeof(put), .stage = KT_STAGE_CURRENT, .id = id, .data = value };

    for (size_t i = 0; i < 65537; i++)
        value[i] = (char)(i * 7);
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        modhost_id(id);
        put.len = sizes[i];
        ck_assert_int_eq(filestore_put_as(&fs, "a", &put), KT_SUCCESS);
        ck_assert_int_eq(filestore_get(&fs, "a", NULL), KT_SUCCESS);
        ck_assert_uint_eq(fs.given->len, sizes[i]);
        ck_assert_mem_eq(fs.given->data, value, sizes[i]);
    }
    modhost_id(id);
    put.len = 65537;
    ck_assert_int_eq(filestore_put_as(&fs, "a", &put), KT_TOO_LARGE);
    put.len = 1;
    memset(name, 'n', sizeof(name));
    name[512] = '\0';
    ck_assert_int_eq(filestore_put_as(&fs, name, &put), KT_SUCCESS);
    ck_assert_int_eq(filestore_get(&fs, name, NULL), KT_SUCCESS);
    name[512] = 'n';
    name[513] = '\0';
    ck_assert_int_eq(filestore_put_as(&fs, name, &put), KT_TOO_LARGE);
    free(value);
}
END_TEST

START_TEST(the_same_put_again_changes_nothing_and_another_with_its_id_is_refused)
{
    char first[KT_ID_SIZE] = "";
    char second[KT_ID_SIZE] = "";

    ck_assert_int_eq(filestore_put(&fs, "a", "one", first, ""), KT_SUCCESS);
    ck_assert_int_eq(filestore_put(&fs, "a", "two", second, first), KT_SUCCESS);
    /* whatever is expected, and the first does not become current again */
    ck_assert_int_eq(filestore_put(&fs, "a", "one", first, ""), KT_SUCCESS);
    ck_assert_int_eq(filestore_put(&fs, "a", "one", first, "nonsense"), KT_SUCCESS);
    filestore_must_get(&fs, "a", "two");
    ck_assert_int_eq(filestore_put(&fs, "a", "ONE", first, NULL), KT_EXISTS);
    ck_assert_int_eq(filestore_put(&fs, "a", "one1", first, NULL), KT_EXISTS);
    ck_assert_int_eq(filestore_delete(&fs, "a", first, false), KT_SUCCESS);
    ck_assert_int_eq(filestore_put(&fs, "a", "one", first, NULL), KT_EXISTS);
    filestore_must_get(&fs, "a", "two");
}
END_TEST

START_TEST(expected_decides)
{
    char one[KT_ID_SIZE] = "";
    char two[KT_ID_SIZE] = "";
    char three[KT_ID_SIZE] = "";

    ck_assert_int_eq(filestore_put(&fs, "a", "1", one, "nonsense"), KT_CONFLICT);
    ck_assert_int_eq(filestore_get(&fs, "a", NULL), KT_NOT_FOUND);
    ck_assert_int_eq(filestore_put(&fs, "a", "1", one, ""), KT_SUCCESS);
    ck_assert_int_eq(filestore_put(&fs, "a", "2", two, ""), KT_CONFLICT);
    ck_assert_int_eq(filestore_put(&fs, "a", "2", two, two), KT_CONFLICT);
    ck_assert_int_eq(filestore_put(&fs, "a", "2", two, one), KT_SUCCESS);
    ck_assert_int_eq(filestore_put(&fs, "a", "3", three, one), KT_CONFLICT);
    ck_assert_int_eq(filestore_put(&fs, "a", "3", three, NULL), KT_SUCCESS);
    filestore_must_get(&fs, "a", "3");
}
END_TEST

START_TEST(stages_follow_each_other)
{
    char one[KT_ID_SIZE] = "";
    char two[KT_ID_SIZE] = "";
    char next[KT_ID_SIZE];
    const struct kt_put pending = { .size = sizeof(pending),
                                    .stage = KT_STAGE_PENDING,
                                    .id = next,
                                    .data = "next",
                                    .len = 4,
                                    .expected = two };

    modhost_id(next);
    ck_assert_int_eq(filestore_put(&fs, "a", "1", one, NULL), KT_SUCCESS);
    ck_assert_int_eq(filestore_get_stage(&fs, "a", KT_STAGE_PREVIOUS), KT_NOT_FOUND);
    ck_assert_int_eq(filestore_put(&fs, "a", "2", two, NULL), KT_SUCCESS);
    ck_assert_int_eq(filestore_put_as(&fs, "a", &pending), KT_SUCCESS);
    filestore_must_get(&fs, "a", "2");
    ck_assert_int_eq(filestore_get_stage(&fs, "a", KT_STAGE_PREVIOUS), KT_SUCCESS);
    ck_assert_str_eq(fs.given->id, one);
    ck_assert_int_eq(filestore_get_stage(&fs, "a", KT_STAGE_PENDING), KT_SUCCESS);
    ck_assert_str_eq(fs.given->id, next);

    /* promotion, and again, which is no second promotion */
    ck_assert_int_eq(filestore_stage(&fs, "a", KT_STAGE_CURRENT, next, one), KT_CONFLICT);
    ck_assert_int_eq(filestore_stage(&fs, "a", KT_STAGE_CURRENT, next, two), KT_SUCCESS);
    ck_assert_int_eq(filestore_stage(&fs, "a", KT_STAGE_CURRENT, next, two), KT_SUCCESS);
    filestore_must_get(&fs, "a", "next");
    ck_assert_int_eq(filestore_get_stage(&fs, "a", KT_STAGE_PREVIOUS), KT_SUCCESS);
    ck_assert_str_eq(fs.given->id, two);
    ck_assert_int_eq(filestore_get_stage(&fs, "a", KT_STAGE_PENDING), KT_NOT_FOUND);

    /* back again */
    ck_assert_int_eq(filestore_stage(&fs, "a", KT_STAGE_CURRENT, two, NULL), KT_SUCCESS);
    filestore_must_get(&fs, "a", "2");
    ck_assert_int_eq(filestore_get_stage(&fs, "a", KT_STAGE_PREVIOUS), KT_SUCCESS);
    ck_assert_str_eq(fs.given->id, next);

    /* pending comes and goes */
    ck_assert_int_eq(filestore_stage(&fs, "a", KT_STAGE_PENDING, one, NULL), KT_SUCCESS);
    ck_assert_int_eq(filestore_get_stage(&fs, "a", KT_STAGE_PENDING), KT_SUCCESS);
    ck_assert_int_eq(filestore_stage(&fs, "a", KT_STAGE_PENDING, NULL, NULL), KT_SUCCESS);
    ck_assert_int_eq(filestore_stage(&fs, "a", KT_STAGE_PENDING, NULL, NULL), KT_SUCCESS);
    ck_assert_int_eq(filestore_get_stage(&fs, "a", KT_STAGE_PENDING), KT_NOT_FOUND);

    ck_assert_int_eq(filestore_stage(&fs, "a", KT_STAGE_PREVIOUS, one, NULL), KT_INVALID);
    ck_assert_int_eq(filestore_stage(&fs, "a", KT_STAGE_CURRENT, NULL, NULL), KT_INVALID);
    ck_assert_int_eq(filestore_stage(&fs, "a", KT_STAGE_CURRENT, "none", NULL), KT_NOT_FOUND);
}
END_TEST

START_TEST(a_secret_with_only_a_pending_version_has_no_current_one)
{
    char id[KT_ID_SIZE];
    const struct kt_put pending = {
        .size = sizeof(pending), .stage = KT_STAGE_PENDING, .id = id, .data = "p", .len = 1
    };
    char other[KT_ID_SIZE] = "";

    modhost_id(id);
    ck_assert_int_eq(filestore_put_as(&fs, "a", &pending), KT_SUCCESS);
    ck_assert_int_eq(filestore_get(&fs, "a", NULL), KT_NOT_FOUND);
    modhost_call_reset(&fs.call);
    ck_assert_int_eq(fs.m->list(fs.state, &fs.call, NULL), KT_SUCCESS);
    ck_assert_uint_eq(fs.call.ngiven, 1);
    ck_assert(!fs.call.given[0].version);
    ck_assert_int_eq(filestore_put(&fs, "a", "x", other, ""), KT_CONFLICT);
    ck_assert_int_eq(filestore_put(&fs, "a", "x", other, id), KT_CONFLICT);
    ck_assert_int_eq(filestore_stage(&fs, "a", KT_STAGE_CURRENT, id, NULL), KT_SUCCESS);
    filestore_must_get(&fs, "a", "p");
}
END_TEST

START_TEST(what_is_disabled_or_destroyed_is_not_given)
{
    const struct kt_attr attr = { "label", "kept" };
    char one[KT_ID_SIZE] = "";
    char off[KT_ID_SIZE];
    const struct kt_put disabled = { .size = sizeof(disabled),
                                     .stage = KT_STAGE_CURRENT,
                                     .state = KT_STATE_DISABLED,
                                     .id = off,
                                     .data = "off",
                                     .len = 3,
                                     .attrs = &attr,
                                     .nattrs = 1 };
    struct kt_call *c = &fs.call;

    modhost_id(off);
    ck_assert_int_eq(filestore_put(&fs, "a", "1", one, NULL), KT_SUCCESS);
    ck_assert_int_eq(filestore_put_as(&fs, "a", &disabled), KT_SUCCESS);
    ck_assert_int_eq(filestore_get(&fs, "a", NULL), KT_DISABLED);
    ck_assert_int_eq(filestore_get(&fs, "a", off), KT_DISABLED);
    ck_assert_int_eq(filestore_get(&fs, "a", one), KT_SUCCESS);
    ck_assert_int_eq(filestore_stage(&fs, "a", KT_STAGE_CURRENT, one, NULL), KT_SUCCESS);
    ck_assert_int_eq(filestore_stage(&fs, "a", KT_STAGE_CURRENT, off, NULL), KT_DISABLED);

    ck_assert_int_eq(filestore_delete(&fs, "a", off, false), KT_SUCCESS);
    ck_assert_int_eq(filestore_delete(&fs, "a", off, false), KT_SUCCESS);
    ck_assert_int_eq(filestore_get(&fs, "a", off), KT_DISABLED);
    ck_assert_int_eq(filestore_delete(&fs, "a", "none", false), KT_NOT_FOUND);
    modhost_call_reset(c);
    ck_assert_int_eq(fs.m->versions(fs.state, c, "a"), KT_SUCCESS);
    ck_assert_uint_eq(c->ngiven, 2);
    for (size_t i = 0; i < 2; i++) {
        const bool is_off = strcmp(c->given[i].id, off) == 0;

        ck_assert_uint_eq(c->given[i].state, is_off ? KT_STATE_DESTROYED : KT_STATE_ENABLED);
        ck_assert_uint_eq(c->given[i].nattrs, is_off ? 1 : 0);
    }
    filestore_must_get(&fs, "a", "1");
}
END_TEST

START_TEST(purge_takes_the_record_unless_it_bears_a_stage)
{
    char ids[4][KT_ID_SIZE] = { "", "", "", "" };

    for (size_t i = 0; i < 4; i++)
        ck_assert_int_eq(filestore_put(&fs, "a", "v", ids[i], NULL), KT_SUCCESS);
    ck_assert_int_eq(filestore_delete(&fs, "a", ids[0], true), KT_SUCCESS);
    ck_assert_int_eq(filestore_get(&fs, "a", ids[0]), KT_NOT_FOUND);
    ck_assert_int_eq(filestore_delete(&fs, "a", ids[2], true), KT_SUCCESS);
    ck_assert_int_eq(filestore_get(&fs, "a", ids[2]), KT_DISABLED);
    ck_assert_int_eq(filestore_get(&fs, "a", ids[1]), KT_SUCCESS);
    filestore_must_get(&fs, "a", "v");
}
END_TEST

START_TEST(a_deleted_secret_is_gone_with_all_versions)
{
    char one[KT_ID_SIZE] = "";
    char two[KT_ID_SIZE] = "";
    const struct kt_delete wrong = { .size = sizeof(wrong), .expected = one };
    bool restorable;

    ck_assert_int_eq(filestore_put(&fs, "a", "1", one, NULL), KT_SUCCESS);
    ck_assert_int_eq(filestore_put(&fs, "a", "2", two, NULL), KT_SUCCESS);
    ck_assert_int_eq(filestore_put(&fs, "a/b", "other", (char[KT_ID_SIZE]){ "" }, NULL),
                     KT_SUCCESS);
    modhost_call_reset(&fs.call);
    ck_assert_int_eq(fs.m->del(fs.state, &fs.call, KT_COMMIT, "a", &wrong, &restorable),
                     KT_CONFLICT);
    ck_assert_int_eq(filestore_delete(&fs, "a", NULL, false), KT_SUCCESS);
    ck_assert_int_eq(filestore_delete(&fs, "a", NULL, false), KT_NOT_FOUND);
    ck_assert_int_eq(filestore_get(&fs, "a", one), KT_NOT_FOUND);
    filestore_must_get(&fs, "a/b", "other");
    /* the same id again is a new version of a new secret */
    ck_assert_int_eq(filestore_put(&fs, "a", "new", one, ""), KT_SUCCESS);
    filestore_must_get(&fs, "a", "new");
    ck_assert_ptr_null(fs.m->restore);
}
END_TEST

START_TEST(a_list_tells_all_names_under_whole_parts)
{
    static const struct {
        const char *prefix;
        size_t want;
    } rows[] = { { NULL, 205 }, { "p", 201 },  { "p/12", 1 },    { "p/1", 1 },
                 { "q", 1 },    { "none", 0 }, { ".keyturn", 1 } };
    char name[32];

    for (int i = 0; i < 200; i++) {
        (void)snprintf(name, sizeof(name), "p/%d", i);
        ck_assert_int_eq(filestore_put(&fs, name, "v", (char[KT_ID_SIZE]){ "" }, NULL), KT_SUCCESS);
    }
    ck_assert_int_eq(filestore_put(&fs, "p", "v", (char[KT_ID_SIZE]){ "" }, NULL), KT_SUCCESS);
    ck_assert_int_eq(filestore_put(&fs, "pp/x", "v", (char[KT_ID_SIZE]){ "" }, NULL), KT_SUCCESS);
    ck_assert_int_eq(filestore_put(&fs, "p-p", "v", (char[KT_ID_SIZE]){ "" }, NULL), KT_SUCCESS);
    ck_assert_int_eq(filestore_put(&fs, "q", "v", (char[KT_ID_SIZE]){ "" }, NULL), KT_SUCCESS);
    ck_assert_int_eq(filestore_put(&fs, "q", "w", (char[KT_ID_SIZE]){ "" }, NULL), KT_SUCCESS);
    ck_assert_int_eq(filestore_put(&fs, ".keyturn/x", "v", (char[KT_ID_SIZE]){ "" }, NULL),
                     KT_SUCCESS);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        modhost_call_reset(&fs.call);
        ck_assert_int_eq(fs.m->list(fs.state, &fs.call, rows[i].prefix), KT_SUCCESS);
        ck_assert_msg(fs.call.ngiven == rows[i].want, "%s: %zu", rows[i].prefix, fs.call.ngiven);
    }
    modhost_call_reset(&fs.call);
    fs.call.stop_list = KT_CANCELLED;
    fs.call.stop_after = 70;
    ck_assert_int_eq(fs.m->list(fs.state, &fs.call, NULL), KT_CANCELLED);
    ck_assert_uint_eq(fs.call.ngiven, 70);
    fs.call.stop_list = KT_SUCCESS;

    /* cancelled on the way */
    int cancel[2];
    ck_assert_int_eq(pipe(cancel), 0);
    ck_assert_int_eq(write(cancel[1], "x", 1), 1);
    modhost_call_reset(&fs.call);
    fs.call.cancel_fd = cancel[0];
    ck_assert_int_eq(fs.m->list(fs.state, &fs.call, NULL), KT_CANCELLED);
    ck_assert_int_eq(fs.call.fails, 1);
    fs.call.cancel_fd = -1;
}
END_TEST

START_TEST(versions_tells_all_with_stages_and_attributes)
{
    const struct kt_attr attr = { "n", "2" };
    char one[KT_ID_SIZE] = "";
    char two[KT_ID_SIZE];
    const struct kt_put put = { .size = sizeof(put),
                                .stage = KT_STAGE_CURRENT,
                                .id = two,
                                .data = "2",
                                .len = 1,
                                .expires_ms = 9,
                                .attrs = &attr,
                                .nattrs = 1 };
    struct kt_call *c = &fs.call;

    ck_assert_int_eq(filestore_put(&fs, "a", "1", one, NULL), KT_SUCCESS);
    modhost_id(two);
    ck_assert_int_eq(filestore_put_as(&fs, "a", &put), KT_SUCCESS);
    ck_assert_int_eq(fs.m->versions(fs.state, c, "none"), KT_NOT_FOUND);
    modhost_call_reset(c);
    ck_assert_int_eq(fs.m->versions(fs.state, c, "a"), KT_SUCCESS);
    ck_assert_uint_eq(c->ngiven, 2);
    for (size_t i = 0; i < 2; i++) {
        const bool second = strcmp(c->given[i].id, two) == 0;

        ck_assert_uint_eq(c->given[i].stages, second ? KT_STAGE_CURRENT : KT_STAGE_PREVIOUS);
        ck_assert_uint_eq(c->given[i].nattrs, second ? 1 : 0);
        ck_assert_int_eq(c->given[i].expires_ms, second ? 9 : 0);
        ck_assert_int_ne(c->given[i].created_ms, 0);
    }
}
END_TEST

START_TEST(a_follower_keeps_what_the_authority_said)
{
    char id[KT_ID_SIZE];
    char newer[KT_ID_SIZE];

    modhost_id(id);
    modhost_id(newer);
    ck_assert_int_eq(filestore_fill(&fs, "a", id, "one", 1000), KT_SUCCESS);
    filestore_must_get(&fs, "a", "one");
    ck_assert_int_eq(fs.given->asof.wall_ms, 1000);
    ck_assert_int_eq(fs.given->asof.boot_ms, 7);
    /* unchanged: only the instant is new */
    ck_assert_int_eq(filestore_fill(&fs, "a", id, NULL, 2000), KT_SUCCESS);
    filestore_must_get(&fs, "a", "one");
    ck_assert_int_eq(fs.given->asof.wall_ms, 2000);
    ck_assert_int_eq(filestore_fill(&fs, "a", newer, NULL, 3000), KT_NOT_FOUND);
    /* other bytes under the id: the authority is right */
    ck_assert_int_eq(filestore_fill(&fs, "a", id, "ONE", 3000), KT_SUCCESS);
    filestore_must_get(&fs, "a", "ONE");
    ck_assert_int_eq(filestore_fill(&fs, "a", newer, "two", 4000), KT_SUCCESS);
    filestore_must_get(&fs, "a", "two");
    ck_assert_int_eq(filestore_fill(&fs, "a", id, NULL, 5000), KT_NOT_FOUND);
    ck_assert_int_eq(filestore_get_stage(&fs, "a", KT_STAGE_PREVIOUS), KT_SUCCESS);
    ck_assert_str_eq(fs.given->id, id);
    /* somebody else's versions */
    ck_assert_int_eq(filestore_fill(&fs, "a", "aws:0123456789", "", 6000), KT_SUCCESS);
    filestore_must_get(&fs, "a", "");
    ck_assert_str_eq(fs.given->id, "aws:0123456789");
    /* there is no such secret any more */
    ck_assert_int_eq(filestore_fill(&fs, "a", NULL, NULL, 7000), KT_SUCCESS);
    ck_assert_int_eq(filestore_get(&fs, "a", NULL), KT_NOT_FOUND);
    ck_assert_int_eq(filestore_fill(&fs, "a", NULL, NULL, 7000), KT_SUCCESS);
}
END_TEST

START_TEST(what_the_store_cannot_hold_is_refused_before_the_write)
{
    char long_text[1100];
    struct kt_attr many[33];
    char id[KT_ID_SIZE];
    char long_id[200];
    const struct kt_put good = {
        .size = sizeof(good), .stage = KT_STAGE_CURRENT, .id = id, .data = "v", .len = 1
    };
    struct kt_put puts[8];

    memset(long_text, 'x', sizeof(long_text));
    long_text[1099] = '\0';
    memset(long_id, 'i', sizeof(long_id));
    long_id[96] = '\0';
    for (size_t i = 0; i < 33; i++)
        many[i] = (struct kt_attr){ "k", "v" };
    modhost_id(id);
    for (size_t i = 0; i < 8; i++)
        puts[i] = good;
    puts[0].nattrs = 33;
    puts[0].attrs = many;
    puts[1].nattrs = 1;
    puts[1].attrs = &(struct kt_attr){ "", "v" };
    puts[2].nattrs = 1;
    puts[2].attrs = &(struct kt_attr){ "k", long_text };
    puts[3].nattrs = 1;
    puts[3].attrs = &(struct kt_attr){ long_text, "v" };
    puts[4].id = NULL;
    puts[5].id = long_id;
    puts[6].stage = KT_STAGE_PREVIOUS;
    puts[7].state = 3;
    for (size_t i = 0; i < 8; i++)
        ck_assert_msg(filestore_put_as(&fs, "a", &puts[i]) == KT_INVALID, "row %zu", i);
    ck_assert_int_eq(filestore_put_as(&fs, "", &good), KT_INVALID);
    ck_assert_int_eq(rmdir(fs.dir), 0);
}
END_TEST

START_TEST(the_verbs_tell_what_is_there)
{
    struct kt_call *c = &fs.call;

    ck_assert_int_eq(filestore_put(&fs, "a", "1", (char[KT_ID_SIZE]){ "" }, NULL), KT_SUCCESS);
    ck_assert_int_eq(filestore_put(&fs, "a", "2", (char[KT_ID_SIZE]){ "" }, NULL), KT_SUCCESS);
    ck_assert_int_eq(filestore_put(&fs, "b", "2", (char[KT_ID_SIZE]){ "" }, NULL), KT_SUCCESS);
    modhost_call_reset(c);
    ck_assert_int_eq(modhost_verb(fs.m, fs.state, c, "status", NULL), KT_SUCCESS);
    ck_assert_ptr_nonnull(strstr(c->out, "secrets:   2\n"));
    ck_assert_ptr_nonnull(strstr(c->out, "versions:  3\n"));
    ck_assert_ptr_nonnull(strstr(c->out, "slot 1: key file"));
    modhost_call_reset(c);
    ck_assert_int_eq(modhost_verb(fs.m, fs.state, c, "viable", NULL), KT_SUCCESS);
    ck_assert_ptr_nonnull(strstr(c->out, "it can be opened\n"));
    ck_assert_int_eq(unlink(fs.key), 0);
    modhost_call_reset(c);
    ck_assert_int_eq(modhost_verb(fs.m, fs.state, c, "status", NULL), KT_SUCCESS);
}
END_TEST

/* On one connection: what it knows of the data keys changes under its own hands. */
START_TEST(a_put_after_a_re_encryption_is_not_under_the_key_that_went)
{
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(filestore_put(&fs, "a", "before", (char[KT_ID_SIZE]){ "" }, NULL),
                         KT_SUCCESS);
        modhost_call_reset(&fs.call);
        ck_assert_int_eq(modhost_verb(fs.m, fs.state, &fs.call, "re-encrypt", NULL), KT_SUCCESS);
        ck_assert_int_eq(filestore_put(&fs, "a", "after", (char[KT_ID_SIZE]){ "" }, NULL),
                         KT_SUCCESS);
        fs.m->close(fs.state);
        modhost_call_done(&fs.call);
        filestore_reopen(&fs, NULL);
        filestore_must_get(&fs, "a", "after");
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("file-store");
    TCase *tc = tcase_create("store");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, what_is_put_is_got);
    tcase_add_test(tc, a_store_that_was_never_made_has_nothing_and_is_not_made_by_reading);
    tcase_add_test(tc, sizes_up_to_the_limit_are_kept_and_over_it_refused);
    tcase_add_test(tc, the_same_put_again_changes_nothing_and_another_with_its_id_is_refused);
    tcase_add_test(tc, expected_decides);
    tcase_add_test(tc, stages_follow_each_other);
    tcase_add_test(tc, a_secret_with_only_a_pending_version_has_no_current_one);
    tcase_add_test(tc, what_is_disabled_or_destroyed_is_not_given);
    tcase_add_test(tc, purge_takes_the_record_unless_it_bears_a_stage);
    tcase_add_test(tc, a_deleted_secret_is_gone_with_all_versions);
    tcase_add_test(tc, a_list_tells_all_names_under_whole_parts);
    tcase_add_test(tc, versions_tells_all_with_stages_and_attributes);
    tcase_add_test(tc, a_follower_keeps_what_the_authority_said);
    tcase_add_test(tc, what_the_store_cannot_hold_is_refused_before_the_write);
    tcase_add_test(tc, the_verbs_tell_what_is_there);
    tcase_add_test(tc, a_put_after_a_re_encryption_is_not_under_the_key_that_went);
    suite_add_tcase(s, tc);
    return kt_harness_run(s);
}
