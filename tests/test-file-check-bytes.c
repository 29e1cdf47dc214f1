/* SPDX-License-Identifier: Apache-2.0 */

/* `keyturn file check` of a store with wrong bytes in it: pages that SQLite cannot read, a damaged log,
 * files that are something else. */

#include "filestore.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct filestore fs;

static void setup(void)
{
    char id[KT_ID_SIZE] = "";

    filestore_open(&fs, NULL);
    ck_assert_int_eq(filestore_put(&fs, "a", "a-one", id, NULL), KT_SUCCESS);
    id[0] = '\0';
    ck_assert_int_eq(filestore_put(&fs, "b", "b-one", id, NULL), KT_SUCCESS);
}

static void teardown(void)
{
    filestore_close(&fs);
    ck_assert_uint_eq(modhost_live(), 0);
}

static void shut(void)
{
    fs.m->close(fs.state);
    modhost_call_done(&fs.call);
}

static void open_again(void)
{
    filestore_reopen(&fs, NULL);
}

static int check(void)
{
    int rc;

    modhost_call_reset(&fs.call);
    rc = modhost_verb(fs.m, fs.state, &fs.call, "check", NULL);
    ck_assert_int_eq(fs.call.fails, rc == KT_SUCCESS ? 0 : 1);
    if (fs.call.out == NULL)
        fs.call.out = strdup("");
    return rc;
}

static void must_say(const char *title, const char *text)
{
    ck_assert_msg(strstr(fs.call.out, text) != NULL, "%s: no '%s' in: %s", title, text,
                  fs.call.out);
}

/* ---- bytes ---------------------------------------------------------------------------------- */

static void overwrite(const char *suffix, off_t at, const char *bytes, size_t len)
{
    char path[4096];
    int fd;

    (void)snprintf(path, sizeof(path), "%s%s", fs.path, suffix);
    fd = open(path, O_WRONLY);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(pwrite(fd, bytes, len, at), (ssize_t)len);
    ck_assert_int_eq(close(fd), 0);
}

/* Another byte than the one that is there, whatever that is. */
static void flip(const char *suffix, off_t at)
{
    char path[4096];
    char byte;
    int fd;

    (void)snprintf(path, sizeof(path), "%s%s", fs.path, suffix);
    fd = open(path, O_RDONLY);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(pread(fd, &byte, 1, at), 1);
    ck_assert_int_eq(close(fd), 0);
    byte = (char)(byte ^ 0xa5);
    overwrite(suffix, at, &byte, 1);
}

static void copy_file(const char *from, const char *to)
{
    char data[65536];
    FILE *in = fopen(from, "rb");
    FILE *out = fopen(to, "wb");
    size_t n;

    ck_assert_ptr_nonnull(in);
    ck_assert_ptr_nonnull(out);
    while ((n = fread(data, 1, sizeof(data), in)) > 0)
        ck_assert_uint_eq(fwrite(data, 1, n, out), n);
    ck_assert_int_eq(fclose(in), 0);
    ck_assert_int_eq(fclose(out), 0);
    ck_assert_int_eq(chmod(to, 0600), 0);
}

START_TEST(pages_that_cannot_be_read_do_not_end_the_check)
{
    static const struct {
        const char *title;
        off_t page; /* from 1; 0: the header */
        const char *say;
    } rows[] = {
        { "header", 0, "file is not a database" }, { "first page", 1, "cannot be read" },
        { "store", 2, "the store's own row" },     { "slots", 3, "table of slots" },
        { "data keys", 4, "table of data keys" },  { "records", 5, "malformed" },
    };
    static const char nonsense[64] = "\x77";

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct filestore one;
        char id[KT_ID_SIZE] = "";

        filestore_open(&one, NULL);
        ck_assert_int_eq(filestore_put(&one, "a", "x", id, NULL), KT_SUCCESS);
        one.m->close(one.state);
        modhost_call_done(&one.call);
        const struct filestore keep = fs;
        fs = one;
        overwrite("",
                  rows[i].page == 0 ? 0 : (rows[i].page - 1) * 4096 + (rows[i].page == 1 ? 100 : 0),
                  nonsense, sizeof(nonsense));
        open_again();
        ck_assert_msg(check() == KT_CORRUPT, "%s: %d %s", rows[i].title, fs.call.status,
                      fs.call.msg);
        must_say(rows[i].title, rows[i].say);
        must_say(rows[i].title, "\nchecked ");
        filestore_close(&fs);
        fs = keep;
    }
}
END_TEST

/* A page of many: what lies before and behind it is still looked at. */
START_TEST(records_behind_a_broken_page_are_checked)
{
    static const char nonsense[4096] = "\x77";
    char name[32];
    unsigned long long seen = 0;
    off_t size;
    struct stat st;

    for (int i = 0; i < 300; i++) {
        char id[KT_ID_SIZE] = "";

        (void)snprintf(name, sizeof(name), "many/%d", i);
        ck_assert_int_eq(filestore_put(&fs, name, "value", id, NULL), KT_SUCCESS);
    }
    shut();
    ck_assert_int_eq(stat(fs.path, &st), 0);
    size = st.st_size;
    overwrite("", size / 2 / 4096 * 4096, nonsense, sizeof(nonsense));
    open_again();
    ck_assert_int_eq(check(), KT_CORRUPT);
    must_say("page", "malformed");
    ck_assert_int_eq(sscanf(strstr(fs.call.out, "checked "), "checked %llu", &seen), 1);
    ck_assert_uint_gt(seen, 20); /* how many depends on where the tags fell */
    ck_assert_uint_lt(seen, 302);
}
END_TEST

START_TEST(an_empty_file_is_damage)
{
    shut();
    ck_assert_int_eq(truncate(fs.path, 0), 0);
    open_again();
    ck_assert_int_eq(check(), KT_CORRUPT);
    must_say("empty", "is empty");
}
END_TEST

START_TEST(what_is_no_store_is_not_called_damaged)
{
    shut();
    ck_assert_int_eq(unlink(fs.path), 0);
    filestore_sql(&fs, "CREATE TABLE t (a)");
    ck_assert_int_eq(chmod(fs.path, 0600), 0);
    open_again();
    ck_assert_int_eq(check(), KT_CONFIG_ERROR);
    ck_assert_str_eq(fs.call.out, "");
}
END_TEST

START_TEST(a_newer_store_is_left_alone)
{
    shut();
    filestore_sql(&fs, "UPDATE store SET format = 9; PRAGMA user_version = 9");
    open_again();
    ck_assert_int_eq(check(), KT_UNSUPPORTED);
    ck_assert_str_eq(fs.call.out, "");
}
END_TEST

/* ---- the log -------------------------------------------------------------------------------- */

/* The store as a crash would leave it: files copied while they are in use, and shut down then. */
static void crash(void)
{
    static const char *const suffixes[] = { "", "-wal" };
    char from[4096];
    char to[4096];

    for (int back = 0; back < 2; back++) {
        for (size_t i = 0; i < 2; i++) {
            (void)snprintf(from, sizeof(from), "%s%s%s", fs.path, suffixes[i], back ? ".kept" : "");
            (void)snprintf(to, sizeof(to), "%s%s%s", fs.path, suffixes[i], back ? "" : ".kept");
            copy_file(from, to);
            if (back)
                ck_assert_int_eq(unlink(from), 0);
        }
        if (!back)
            shut();
    }
}

#define FRAME(n) (32 + ((n)-1) * (24 + 4096))

static off_t log_size(void)
{
    char path[4096];
    struct stat st;

    (void)snprintf(path, sizeof(path), "%s-wal", fs.path);
    ck_assert_int_eq(stat(path, &st), 0);
    return st.st_size;
}

START_TEST(damage_in_the_log_is_told_from_a_crash)
{
    static const struct {
        const char *title;
        off_t at;        /* negative: from the end */
        const char *say; /* NULL: what a crash leaves */
    } rows[] = {
        { "in the first frame", FRAME(1) + 1000, "damaged from its frame 1 on" },
        { "its mark", FRAME(1), "damaged from its frame 1 on" },
        { "its checksum", FRAME(1) + 16, "damaged from its frame 1 on" },
        { "in the second", FRAME(2) + 24, "damaged from its frame 2 on" },
        { "the log's own checksum", 24, "damaged from its frame 1 on" },
        { "its salt", 17, "damaged from its frame 1 on" },
        { "its magic", 0, "damaged from its frame 1 on" },
        { "its page size", 10, "damaged from its frame 1 on" },
        { "the last frame", -100, NULL },
    };
    char id[KT_ID_SIZE];

    for (int i = 0; i < 4; i++) {
        id[0] = '\0';
        ck_assert_int_eq(filestore_put(&fs, "a", "more", id, NULL), KT_SUCCESS);
    }
    crash();
    ck_assert_int_gt(log_size(), FRAME(6));
    char *db = kt_harness_path(fs.dir, "store.db.whole");
    char *log = kt_harness_path(fs.dir, "log.whole");
    char path[4096];
    (void)snprintf(path, sizeof(path), "%s-wal", fs.path);
    copy_file(fs.path, db);
    copy_file(path, log);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        copy_file(db, fs.path);
        copy_file(log, path);
        flip("-wal", rows[i].at >= 0 ? rows[i].at : log_size() + rows[i].at);
        open_again();
        const int rc = check();
        ck_assert_msg(rc == (rows[i].say != NULL ? KT_CORRUPT : KT_SUCCESS), "%s: %d %s%s",
                      rows[i].title, rc, fs.call.msg, fs.call.out);
        if (rows[i].say != NULL)
            must_say(rows[i].title, rows[i].say);
        shut();
    }
    copy_file(db, fs.path);
    copy_file(log, path);
    open_again();
    ck_assert_int_eq(check(), KT_SUCCESS);
    free(db);
    free(log);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("file-check-bytes");
    TCase *tc = tcase_create("bytes");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, pages_that_cannot_be_read_do_not_end_the_check);
    tcase_add_test(tc, records_behind_a_broken_page_are_checked);
    tcase_add_test(tc, an_empty_file_is_damage);
    tcase_add_test(tc, what_is_no_store_is_not_called_damaged);
    tcase_add_test(tc, a_newer_store_is_left_alone);
    tcase_add_test(tc, damage_in_the_log_is_told_from_a_crash);
    suite_add_tcase(s, tc);
    return kt_harness_run(s);
}
