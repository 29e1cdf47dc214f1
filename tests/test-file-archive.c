/* SPDX-License-Identifier: Apache-2.0 */

/* keyturn file export and import: everything that a store has, in one file under a passphrase. */

#include "child.h"
#include "filestore.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

static struct filestore fs;    /* what is exported */
static struct filestore other; /* what it is imported into: made by that */
static char *archive;

static const char *const twice[] = { "over the rainbow", "over the rainbow", NULL };
static const char *const wrong[] = { "under the carpet", NULL };

static void setup(void)
{
    filestore_open(&fs, NULL);
    filestore_open(&other, NULL);
    archive = kt_harness_path(fs.dir, "archive");
}

static void teardown(void)
{
    free(archive);
    filestore_close(&fs);
    filestore_close(&other);
    ck_assert_uint_eq(modhost_live(), 0);
}

static int run(struct filestore *f, const char *verb, const char *const *answers, const char *path,
               const char *more)
{
    char words[600];
    int rc;

    (void)snprintf(words, sizeof(words), "%s=%s %s", verb[0] == 'e' ? "to" : "from", path, more);
    modhost_call_reset(&f->call);
    f->call.answers = answers;
    rc = modhost_verb(f->m, f->state, &f->call, verb, words);
    f->call.answers = NULL;
    MUST(f->call.fails == (rc == KT_SUCCESS ? 0 : 1));
    return rc;
}

static int export_to(const char *more)
{
    return run(&fs, "export", twice, archive, more);
}

static int import_from(const char *more)
{
    return run(&other, "import", twice, archive, more);
}

static bool says(const struct filestore *f, const char *text)
{
    if (f->call.out != NULL && strstr(f->call.out, text) != NULL)
        return true;
    fprintf(stderr, "# not said: '%s' in:\n%s", text, f->call.out != NULL ? f->call.out : "");
    return false;
}

static void put(struct filestore *f, const char *name, const char *value, char id[KT_ID_SIZE])
{
    char own[KT_ID_SIZE] = "";

    ck_assert_msg(filestore_put(f, name, value, id != NULL ? id : own, NULL) == KT_SUCCESS, "%s",
                  f->call.msg);
}

/* How many files of the store's directory begin with @prefix. */
static int count_files(const char *prefix)
{
    DIR *dir = opendir(fs.dir);
    const struct dirent *e;
    int n = 0;

    ck_assert_ptr_nonnull(dir);
    while ((e = readdir(dir)) != NULL)
        n += strncmp(e->d_name, prefix, strlen(prefix)) == 0 ? 1 : 0;
    (void)closedir(dir);
    return n;
}

/* ---- there and back ------------------------------------------------------------------------- */

static void compare_version(const struct modhost_given *a, const struct modhost_given *b)
{
    ck_assert_str_eq(a->id, b->id);
    ck_assert_uint_eq(a->state, b->state);
    ck_assert_uint_eq(a->stages, b->stages);
    ck_assert_int_eq(a->created_ms, b->created_ms);
    ck_assert_int_eq(a->expires_ms, b->expires_ms);
    ck_assert_int_eq(a->not_before_ms, b->not_before_ms);
    ck_assert_mem_eq(&a->asof, &b->asof, sizeof(a->asof));
    ck_assert_uint_eq(a->nattrs, b->nattrs);
    for (size_t i = 0; i < a->nattrs; i++) {
        ck_assert_str_eq(a->attrs[i].key, b->attrs[i].key);
        ck_assert_str_eq(a->attrs[i].value, b->attrs[i].value);
    }
}

/* All versions of a secret, and the bytes of those that can be read. */
static void compare(struct filestore *a, struct filestore *b, const char *name)
{
    size_t n;

    modhost_call_reset(&a->call);
    modhost_call_reset(&b->call);
    ck_assert_int_eq(a->m->versions(a->state, &a->call, name), KT_SUCCESS);
    ck_assert_msg(b->m->versions(b->state, &b->call, name) == KT_SUCCESS, "%s: %s", name,
                  b->call.msg);
    n = a->call.ngiven;
    ck_assert_uint_eq(n, b->call.ngiven);
    for (size_t i = 0; i < n; i++)
        compare_version(&a->call.given[i], &b->call.given[i]);
    for (size_t i = 0; i < n; i++) {
        char *id;
        int rc;

        modhost_call_reset(&a->call);
        ck_assert_int_eq(a->m->versions(a->state, &a->call, name), KT_SUCCESS);
        id = strdup(a->call.given[i].id);
        rc = filestore_get(a, name, id);
        ck_assert_int_eq(filestore_get(b, name, id), rc);
        if (rc == KT_SUCCESS) {
            ck_assert_uint_eq(a->given->len, b->given->len);
            ck_assert_mem_eq(a->given->data, b->given->data, a->given->len);
        }
        free(id);
    }
}

static void put_everything(void)
{
    const struct kt_attr attrs[] = { { "env", "prod" }, { "owner", "me \xc3\xa9" } };
    char ids[3][KT_ID_SIZE] = { "" };
    struct kt_put rich = { .size = sizeof(rich),
                           .stage = KT_STAGE_PENDING,
                           .data = "\0\n\xff binary",
                           .len = 10,
                           .created_ms = 1700000000000,
                           .expires_ms = 1900000000000,
                           .not_before_ms = 1600000000000,
                           .attrs = attrs,
                           .nattrs = 2 };

    for (int i = 0; i < 3; i++)
        put(&fs, "app/many", i == 0 ? "one" : i == 1 ? "two" : "three", ids[i]);
    ck_assert_int_eq(filestore_delete(&fs, "app/many", ids[0], false), KT_SUCCESS);
    rich.id = "0190aaaa-bbbb-7ccc-8ddd-eeeeeeeeeeee";
    ck_assert_int_eq(filestore_put_as(&fs, "app/many", &rich), KT_SUCCESS);
    rich.id = "foreign:1";
    rich.stage = KT_STAGE_CURRENT;
    rich.state = KT_STATE_DISABLED;
    ck_assert_int_eq(filestore_put_as(&fs, "disabled", &rich), KT_SUCCESS);
    put(&fs, ".keyturn/rotation/app/many", "a record", NULL);
    put(&fs, "empty", "", NULL);
    ck_assert_int_eq(filestore_fill(&fs, "copy", "aws:1", "copied", 12345), KT_SUCCESS);
}

static const char *const everything[] = { "app/many", "disabled", ".keyturn/rotation/app/many",
                                          "empty", "copy" };

START_TEST(an_archive_brings_everything_back)
{
    struct stat st;

    put_everything();
    ck_assert_msg(export_to("") == KT_SUCCESS, "%s", fs.call.msg);
    ck_assert_uint_eq(fs.call.asked, 2);
    ck_assert_ptr_nonnull(strstr(fs.call.question, archive));
    ck_assert_ptr_null(strstr(fs.call.question, ".part"));
    ck_assert(says(&fs, "secrets: 5, versions: 8"));
    ck_assert_uint_eq(fs.call.progress_done, 5);
    ck_assert_uint_eq(fs.call.progress_total, 5);
    ck_assert_int_eq(stat(archive, &st), 0);
    ck_assert_uint_eq(st.st_mode & 07777, 0600);
    ck_assert_int_eq(count_files("archive"), 1);

    ck_assert_msg(import_from("") == KT_SUCCESS, "%s", other.call.msg);
    ck_assert_uint_eq(other.call.asked, 1);
    ck_assert(says(&other, "secrets made: 5"));
    ck_assert(says(&other, "versions added: 8"));
    ck_assert_int_eq(count_files("archive"), 1);
    for (size_t i = 0; i < 5; i++)
        compare(&fs, &other, everything[i]);
    ck_assert_int_eq(import_from("replace"), KT_SUCCESS);
    ck_assert(says(&other, "secrets made: 0\nsecrets changed: 0\nsecrets unchanged: 5\n"
                           "versions added: 0\nconflicts: 0\n"));
    for (size_t i = 0; i < 5; i++)
        compare(&fs, &other, everything[i]);
    put(&other, "app/many", "on with it", NULL);
}
END_TEST

START_TEST(an_archive_is_a_store)
{
    struct filestore as_store = {
        .m = fs.m, .dir = strdup(fs.dir), .path = strdup(archive), .key = strdup(fs.key)
    };

    put_everything();
    ck_assert_int_eq(export_to(""), KT_SUCCESS);
    filestore_reopen(&as_store, NULL);
    ck_assert_int_eq(filestore_get(&as_store, "app/many", NULL), KT_LOCKED); /* nobody is asked */
    as_store.call.answers = twice;
    ck_assert_int_eq(filestore_get(&as_store, "app/many", NULL), KT_SUCCESS);
    ck_assert_str_eq(as_store.given->data, "three");
    for (size_t i = 0; i < 5; i++)
        compare(&fs, &as_store, everything[i]);
    as_store.call.answers = NULL;
    filestore_close(&as_store);
}
END_TEST

START_TEST(only_what_is_below_a_prefix)
{
    put(&fs, "app/a", "1", NULL);
    put(&fs, "app/b/c", "2", NULL);
    put(&fs, "app", "3", NULL);
    put(&fs, "apple", "4", NULL);
    put(&fs, "z", "5", NULL);
    ck_assert_int_eq(export_to("prefix=app"), KT_SUCCESS);
    ck_assert(says(&fs, "secrets: 3, versions: 3"));
    ck_assert_int_eq(import_from(""), KT_SUCCESS);
    filestore_must_get(&other, "app/b/c", "2");
    filestore_must_get(&other, "app", "3");
    ck_assert_int_eq(filestore_get(&other, "apple", NULL), KT_NOT_FOUND);
    ck_assert_int_eq(filestore_get(&other, "z", NULL), KT_NOT_FOUND);
}
END_TEST

START_TEST(a_code_instead_of_a_passphrase)
{
    const char *answers[2] = { NULL };
    char code[64] = "";

    put(&fs, "a", "1", NULL);
    ck_assert_msg(run(&fs, "export", NULL, archive, "recovery") == KT_SUCCESS, "%s", fs.call.msg);
    ck_assert_int_eq(sscanf(strstr(fs.call.out, "opened by: "), "opened by: %63s", code), 1);
    answers[0] = code;
    ck_assert_msg(run(&other, "import", answers, archive, "") == KT_SUCCESS, "%s: %s", code,
                  other.call.msg);
    filestore_must_get(&other, "a", "1");
}
END_TEST

/* ---- what is refused ------------------------------------------------------------------------ */

START_TEST(what_is_typed_matters)
{
    static const char *const differ[] = { "one", "another", NULL };
    static const char *const nothing[] = { "", "", NULL };

    put(&fs, "a", "1", NULL);
    ck_assert_int_eq(run(&fs, "export", differ, archive, ""), KT_INVALID);
    ck_assert_int_eq(run(&fs, "export", nothing, archive, ""), KT_INVALID);
    ck_assert_int_eq(run(&fs, "export", NULL, archive, ""), KT_LOCKED);
    ck_assert_int_eq(count_files("archive"), 0);
    ck_assert_int_eq(export_to(""), KT_SUCCESS);
    ck_assert_int_eq(run(&other, "import", wrong, archive, ""), KT_DENIED);
    ck_assert_int_eq(run(&other, "import", NULL, archive, ""), KT_LOCKED);
    ck_assert_int_ne(access(other.path, F_OK), 0); /* no store was made for that */
}
END_TEST

START_TEST(names_and_files)
{
    ck_assert_int_eq(export_to(""), KT_NOT_FOUND);
    put(&fs, "a", "1", NULL);
    kt_harness_write(archive, "something", 0600);
    ck_assert_int_eq(export_to(""), KT_EXISTS);
    ck_assert_uint_eq(fs.call.asked, 0);
    ck_assert_int_eq(import_from(""), KT_CORRUPT);
    ck_assert_int_eq(export_to("replace"), KT_SUCCESS);
    ck_assert_int_eq(run(&fs, "export", twice, fs.path, "replace"), KT_INVALID);
    ck_assert_int_eq(run(&fs, "import", twice, fs.path, ""), KT_INVALID);
    ck_assert_int_eq(run(&fs, "import", twice, "/nonexistent/archive", ""), KT_NOT_FOUND);
    modhost_call_reset(&fs.call);
    ck_assert_int_eq(modhost_verb(fs.m, fs.state, &fs.call, "export", ""), KT_INVALID);
    modhost_call_reset(&fs.call);
    ck_assert_int_eq(modhost_verb(fs.m, fs.state, &fs.call, "import", ""), KT_INVALID);
    ck_assert_int_eq(count_files("archive"), 1);
}
END_TEST

/* ---- without a store, and without an archive ------------------------------------------------ */

START_TEST(a_dry_run_makes_no_store)
{
    put_everything();
    ck_assert_int_eq(export_to(""), KT_SUCCESS);
    ck_assert_msg(import_from("dry-run") == KT_SUCCESS, "%s", other.call.msg);
    ck_assert(says(&other, "secrets would be made: 5"));
    ck_assert(says(&other, "versions would be added: 8"));
    ck_assert_int_ne(access(other.path, F_OK), 0);
    ck_assert_int_ne(access(other.key, F_OK), 0);
}
END_TEST

START_TEST(a_backup_can_be_imported_by_its_key_file)
{
    char words[600];

    put_everything();
    (void)snprintf(words, sizeof(words), "to=%s", archive);
    modhost_call_reset(&fs.call);
    ck_assert_int_eq(modhost_verb(fs.m, fs.state, &fs.call, "backup", words), KT_SUCCESS);
    put(&other, "own", "own", NULL);
    ck_assert_int_eq(run(&other, "import", NULL, archive, ""), KT_LOCKED);
    (void)snprintf(words, sizeof(words), "archive-key=%s", fs.key);
    ck_assert_msg(run(&other, "import", NULL, archive, words) == KT_SUCCESS, "%s", other.call.msg);
    for (size_t i = 0; i < 5; i++)
        compare(&fs, &other, everything[i]);
    /* what was deleted comes back into the store itself, by its own key */
    ck_assert_int_eq(filestore_delete(&fs, "empty", NULL, false), KT_SUCCESS);
    ck_assert_int_eq(run(&fs, "import", NULL, archive, ""), KT_SUCCESS);
    ck_assert(says(&fs, "secrets made: 1\n"));
    filestore_must_get(&fs, "empty", "");
}
END_TEST

/* ---- damage --------------------------------------------------------------------------------- */

START_TEST(what_is_damaged_is_named_and_left_out_if_asked)
{
    put(&fs, "good", "1", NULL);
    put(&fs, "bad", "2", NULL);
    put(&fs, "fine", "3", NULL);
    put(&fs, "bad", "4", NULL);
    filestore_sql(&fs,
                  "UPDATE record SET sealed = zeroblob(length(sealed)) WHERE id <> '' AND tag ="
                  " (SELECT tag FROM record GROUP BY tag HAVING count(*) = 3)");
    ck_assert_int_eq(export_to(""), KT_CORRUPT);
    ck_assert_ptr_nonnull(strstr(fs.call.msg, "'bad'"));
    ck_assert_int_eq(count_files("archive"), 0);
    ck_assert_int_eq(export_to("prefix=good"), KT_SUCCESS); /* no business of its */
    ck_assert_msg(export_to("skip-damaged replace") == KT_SUCCESS, "%s", fs.call.msg);
    ck_assert(says(&fs, "left out: 'bad'"));
    ck_assert(says(&fs, "secrets: 2, versions: 2"));
    ck_assert(says(&fs, "left out, damaged: 1"));
    ck_assert_int_eq(import_from(""), KT_SUCCESS);
    ck_assert(says(&other, "secrets made: 2"));
    filestore_must_get(&other, "good", "1");
    filestore_must_get(&other, "fine", "3");
}
END_TEST

START_TEST(a_damaged_archive)
{
    struct filestore a = {
        .m = fs.m, .dir = strdup(fs.dir), .path = strdup(archive), .key = strdup(fs.key)
    };

    put(&fs, "good", "1", NULL);
    put(&fs, "bad", "2", NULL);
    put(&fs, "bad", "4", NULL);
    ck_assert_int_eq(export_to(""), KT_SUCCESS);
    filestore_sql(&a,
                  "UPDATE record SET sealed = zeroblob(length(sealed)) WHERE id = (SELECT max(id)"
                  " FROM record)");
    ck_assert_int_eq(import_from(""), KT_CORRUPT);
    ck_assert_int_eq(import_from("skip-damaged dry-run"), KT_SUCCESS);
    ck_assert_int_eq(import_from("skip-damaged"), KT_SUCCESS);
    ck_assert(says(&other, "left out: 'bad'"));
    ck_assert(says(&other, "left out, damaged: 1"));
    filestore_must_get(&other, "good", "1");
    ck_assert_int_eq(filestore_get(&other, "bad", NULL), KT_NOT_FOUND);
    filestore_reopen(&a, NULL);
    filestore_close(&a);
}
END_TEST

/* ---- much, others, and what goes wrong ------------------------------------------------------ */

static void put_many(struct filestore *f, int n)
{
    for (int i = 0; i < n; i++) {
        char name[32];

        (void)snprintf(name, sizeof(name), "k/%d", i);
        put(f, name, name, NULL);
    }
}

static void must_have_many(struct filestore *f, int n)
{
    for (int i = 0; i < n; i++) {
        char name[32];

        (void)snprintf(name, sizeof(name), "k/%d", i);
        filestore_must_get(f, name, name);
    }
}

static struct filestore_other somebody;
static int written;

static void write_once(struct kt_call *call)
{
    char name[32];

    (void)call;
    (void)snprintf(name, sizeof(name), "w/%d", written++ % 50);
    filestore_other_put(&somebody, name, name);
}

/* Between any two steps. */
START_TEST(others_write_meanwhile)
{
    put_many(&fs, 1500);
    filestore_other_start(&somebody, &fs);
    written = 0;
    fs.call.meanwhile = write_once;
    ck_assert_msg(export_to("") == KT_SUCCESS, "%s", fs.call.msg);
    fs.call.meanwhile = NULL;
    filestore_other_end(&somebody);
    ck_assert_int_gt(written, 5);

    put(&other, "own", "own", NULL);
    filestore_other_start(&somebody, &other);
    written = 0;
    other.call.meanwhile = write_once;
    ck_assert_msg(import_from("") == KT_SUCCESS, "%s", other.call.msg);
    other.call.meanwhile = NULL;
    filestore_other_end(&somebody);
    ck_assert_int_gt(written, 5);
    must_have_many(&other, 1500);
    filestore_must_get(&other, "w/0", "w/0");
}
END_TEST

START_TEST(killed_it_can_be_run_again)
{
    int none = 0;

    put_many(&fs, 400);
    put(&other, "own", "own", NULL);
    for (int round = 0; round < 8 || (none == 0 && round < 1000); round++) {
        const pid_t pid = fork();

        if (pid == 0) {
            CHILD_MUST(export_to("replace") == KT_SUCCESS);
            _exit(0);
        }
        /* the passphrase takes most of the time */
        (void)usleep(round < 8 ? 50000 + 120000 * (useconds_t)round : 1000);
        (void)kill(pid, SIGKILL);
        ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
        if (access(archive, F_OK) != 0) {
            none++;
            continue;
        }
        ck_assert_msg(import_from("dry-run") == KT_SUCCESS, "%s", other.call.msg);
        ck_assert(says(&other, "secrets would be made: 400"));
        ck_assert_int_eq(unlink(archive), 0);
    }
    ck_assert_int_gt(none, 0);
    ck_assert_msg(export_to("replace") == KT_SUCCESS, "%s", fs.call.msg);
    ck_assert_int_eq(count_files("archive"), 1);
    for (int round = 0; round < 6; round++) {
        const pid_t pid = fork();

        if (pid == 0) {
            CHILD_MUST(import_from("") == KT_SUCCESS);
            _exit(0);
        }
        (void)usleep(300000 + 30000 * (useconds_t)round);
        (void)kill(pid, SIGKILL);
        ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
        filestore_must_get(&other, "own", "own");
    }
    ck_assert_msg(import_from("") == KT_SUCCESS, "%s", other.call.msg);
    must_have_many(&other, 400);
}
END_TEST

static void against_a_limit(void *arg)
{
    const bool importing = *(const bool *)arg;

    (void)signal(SIGXFSZ, SIG_IGN);
    CHILD_MUST(setrlimit(RLIMIT_FSIZE, &(struct rlimit){ 400000, 400000 }) == 0);
    CHILD_MUST((importing ? import_from("") : export_to("")) == KT_NO_SPACE);
    fs.m->close(fs.state);
    other.m->close(other.state);
    _exit(0);
}

START_TEST(a_full_disk)
{
    char *big = malloc(60001);

    memset(big, 'x', 60000);
    big[60000] = '\0';
    for (int i = 0; i < 12; i++) {
        char name[16];

        (void)snprintf(name, sizeof(name), "big/%d", i);
        put(&fs, name, big, NULL);
    }
    free(big);
    put(&other, "own", "own", NULL);
    ck_assert_int_eq(run_child(against_a_limit, &(bool){ false }), 0);
    ck_assert_int_eq(count_files("archive"), 0);
    ck_assert_int_eq(export_to(""), KT_SUCCESS);
    ck_assert_int_eq(run_child(against_a_limit, &(bool){ true }), 0);
    filestore_must_get(&other, "own", "own");
    ck_assert_msg(import_from("") == KT_SUCCESS, "%s", other.call.msg);
    for (int i = 0; i < 12; i++) {
        char name[16];

        (void)snprintf(name, sizeof(name), "big/%d", i);
        compare(&fs, &other, name);
    }
}
END_TEST

START_TEST(cancelled)
{
    int cancel[2];

    put(&fs, "a", "1", NULL);
    ck_assert_int_eq(pipe(cancel), 0);
    ck_assert_int_eq(write(cancel[1], "x", 1), 1);
    fs.call.cancel_fd = cancel[0];
    ck_assert_int_eq(export_to(""), KT_CANCELLED);
    fs.call.cancel_fd = -1;
    ck_assert_int_eq(count_files("archive"), 0);
    (void)close(cancel[0]);
    (void)close(cancel[1]);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("file-archive");
    TCase *tc = tcase_create("archive");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, an_archive_brings_everything_back);
    tcase_add_test(tc, an_archive_is_a_store);
    tcase_add_test(tc, only_what_is_below_a_prefix);
    tcase_add_test(tc, a_code_instead_of_a_passphrase);
    tcase_add_test(tc, what_is_typed_matters);
    tcase_add_test(tc, names_and_files);
    tcase_add_test(tc, a_dry_run_makes_no_store);
    tcase_add_test(tc, a_backup_can_be_imported_by_its_key_file);
    tcase_add_test(tc, what_is_damaged_is_named_and_left_out_if_asked);
    tcase_add_test(tc, a_damaged_archive);
    tcase_add_test(tc, others_write_meanwhile);
    tcase_add_test(tc, killed_it_can_be_run_again);
    tcase_add_test(tc, a_full_disk);
    tcase_add_test(tc, cancelled);
    suite_add_tcase(s, tc);
    return kt_harness_run(s);
}
