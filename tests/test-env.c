/* SPDX-License-Identifier: Apache-2.0 */

/* env: the environment, a .env file, and what may be written to it. */

#include "harness.h"
#include "modhost.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static struct kt_call call;
static const struct kt_module *m;
static void *state;
static char *path;

static void setup(void)
{
    char *dir = kt_harness_dir();

    modhost_call_init(&call);
    m = modhost_load("env");
    state = NULL;
    path = kt_harness_path(dir, ".env");
    free(dir);
    unsetenv("DEEPSEEK_API_KEY");
    unsetenv("DEEPSEEK_ENVIRONMENT");
    unsetenv("KT_TEST");
}

static void teardown(void)
{
    if (state)
        m->close(state);
    free(path);
    modhost_call_done(&call);
    ck_assert_uint_eq(modhost_live(), 0);
}

static void open_as(bool mapped, bool privileged, bool with_file)
{
    const struct kt_open_args as = {
        .size = sizeof(as),
        .mapped = mapped,
        .privileged = privileged,
        .service = "deepseek",
    };
    char options[512] = "";

    if (state)
        m->close(state);
    if (with_file)
        snprintf(options, sizeof(options), "file=%s", path);
    ck_assert_int_eq(modhost_open_as(m, &call, &as, options, &state), KT_SUCCESS);
}

static int get(const char *name)
{
    modhost_call_reset(&call);
    return m->get(state, &call, name, modhost_want(NULL));
}

static int put_bytes(const char *name, const void *data, size_t len)
{
    const struct kt_put put = {
        .size = sizeof(put),
        .stage = KT_STAGE_CURRENT,
        .id = "0197f3a0-0000-7000-8000-000000000001",
        .data = data,
        .len = len,
    };
    int rc;

    modhost_call_reset(&call);
    rc = m->put(state, &call, KT_PREPARE, name, &put);
    return rc == KT_SUCCESS ? m->put(state, &call, KT_COMMIT, name, &put) : rc;
}

static int put(const char *name, const char *value)
{
    return put_bytes(name, value, strlen(value));
}

static int del(const char *name)
{
    const struct kt_delete d = { .size = sizeof(d) };
    bool restorable = true;
    int rc;

    modhost_call_reset(&call);
    rc = m->del(state, &call, KT_PREPARE, name, &d, &restorable);
    if (rc == KT_SUCCESS)
        rc = m->del(state, &call, KT_COMMIT, name, &d, &restorable);
    ck_assert(rc != KT_SUCCESS || !restorable);
    return rc;
}

static void write_file(const char *text)
{
    kt_harness_write(path, text, 0600);
}

static void assert_file(const char *text)
{
    char buf[4096];
    int fd = open(path, O_RDONLY);
    ssize_t n = read(fd, buf, sizeof(buf) - 1);

    ck_assert_int_ge(n, 0);
    buf[n] = '\0';
    close(fd);
    ck_assert_str_eq(buf, text);
}

static void assert_value(const char *name, const char *value)
{
    ck_assert_msg(get(name) == KT_SUCCESS, "%s: %s", name, call.msg);
    ck_assert_str_eq(call.given[0].data, value);
}

/* ---- reading --------------------------------------------------------------------------------- */

START_TEST(reads_the_variables_of_its_names)
{
    open_as(false, false, false);
    ck_assert_int_eq(get("deepseek/api-key"), KT_NOT_FOUND);
    setenv("DEEPSEEK_API_KEY", "sk-1", 1);
    setenv("DEEPSEEK_ENVIRONMENT", "", 1);
    assert_value("deepseek/api-key", "sk-1");
    assert_value("deepseek-api-key", "sk-1");
    assert_value("deepseek/environment", "");
    ck_assert_uint_eq(call.given[0].len, 0);
    assert_value("deepseek-environment", "");
    ck_assert_int_eq(get("DEEPSEEK_API_KEY"), KT_NOT_FOUND);
    ck_assert_int_eq(get("deepseek"), KT_NOT_FOUND);
    ck_assert_int_eq(get("PATH"), KT_NOT_FOUND);
}
END_TEST

START_TEST(reads_the_variable_that_name_maps_to)
{
    open_as(true, false, false);
    setenv("KT_TEST", "x", 1);
    assert_value("KT_TEST", "x");
    ck_assert_int_eq(get("KT/TEST"), KT_NOT_FOUND);
    ck_assert_int_eq(get("1KT"), KT_NOT_FOUND);
    ck_assert_int_eq(get("KT_TEST="), KT_NOT_FOUND);
    ck_assert_int_eq(get(""), KT_NOT_FOUND);
}
END_TEST

START_TEST(does_not_read_the_environment_when_privileged)
{
    setenv("DEEPSEEK_API_KEY", "planted", 1);
    open_as(false, true, false);
    ck_assert_int_eq(get("deepseek/api-key"), KT_DENIED);
    ck_assert_int_eq(call.fails, 1);
    ck_assert_int_eq(m->list(state, &call, NULL), KT_DENIED);
    open_as(false, true, true);
    ck_assert_int_eq(get("deepseek/api-key"), KT_NOT_FOUND);
    write_file("DEEPSEEK_API_KEY=mine\n");
    assert_value("deepseek/api-key", "mine");
    modhost_call_reset(&call);
    open_as(true, true, true);
    ck_assert_int_eq(m->list(state, &call, NULL), KT_SUCCESS);
    ck_assert_uint_eq(call.ngiven, 1);
}
END_TEST

START_TEST(counts_the_values_it_has_seen)
{
    struct kt_want previous = { .size = sizeof(previous), .stage = KT_STAGE_PREVIOUS };
    unsigned long first;
    char id[KT_ID_SIZE];

    open_as(true, false, false);
    setenv("KT_TEST", "x", 1);
    ck_assert_int_eq(get("KT_TEST"), KT_SUCCESS);
    ck_assert_int_eq(sscanf(call.given[0].id, "env:%lu", &first), 1);
    ck_assert_uint_eq(call.given[0].stages, KT_STAGE_CURRENT);
    open_as(true, false, false);
    ck_assert_int_eq(get("KT_TEST"), KT_SUCCESS);
    snprintf(id, sizeof(id), "env:%lu", first);
    ck_assert_str_eq(call.given[0].id, id);
    modhost_call_reset(&call);
    ck_assert_int_eq(m->get(state, &call, "KT_TEST", modhost_want(id)), KT_SUCCESS);
    setenv("KT_TEST", "y", 1);
    ck_assert_int_eq(get("KT_TEST"), KT_SUCCESS);
    snprintf(id, sizeof(id), "env:%lu", first + 1);
    ck_assert_str_eq(call.given[0].id, id);
    modhost_call_reset(&call);
    ck_assert_int_eq(m->versions(state, &call, "KT_TEST"), KT_SUCCESS);
    ck_assert_uint_eq(call.ngiven, 1);
    ck_assert_str_eq(call.given[0].id, id);
    modhost_call_reset(&call);
    ck_assert_int_eq(m->get(state, &call, "KT_TEST", modhost_want("env:999")), KT_NOT_FOUND);
    ck_assert_int_eq(m->get(state, &call, "KT_TEST", &previous), KT_NOT_FOUND);
}
END_TEST

static void *count_many(void *cookie)
{
    struct kt_call mine;

    (void)cookie;
    modhost_call_init(&mine);
    for (int i = 0; i < 500; i++) {
        if (m->get(state, &mine, "KT_TEST", modhost_want(NULL)) != KT_SUCCESS)
            abort(); /* check's own assertions are not for threads */
        modhost_call_reset(&mine);
    }
    modhost_call_done(&mine);
    return NULL;
}

START_TEST(counts_in_many_threads_and_over_fork)
{
    pthread_t threads[4];

    setenv("KT_TEST", "x", 1);
    open_as(true, false, false);
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, count_many, NULL), 0);
    for (int i = 0; i < 10; i++) {
        int status;
        pid_t pid = fork();

        if (pid == 0) {
            alarm(600);
            /* no exit: what the other threads had in hand would look lost to valgrind */
            if (get("KT_TEST") == KT_SUCCESS)
                (void)kill(getpid(), SIGKILL);
            _exit(1);
        }
        ck_assert_int_eq(waitpid(pid, &status, 0), pid);
        ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    }
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
}
END_TEST

static const struct {
    const char *text;
    const char *value; /* of KT_TEST; NULL: malformed */
    int line;          /* then the line that is */
} texts[] = {
    { "KT_TEST=plain", "plain", 0 },
    { "KT_TEST=plain\n", "plain", 0 },
    { "KT_TEST=crlf\r\n", "crlf", 0 },
    { "KT_TEST=\n", "", 0 },
    { "KT_TEST=''\n", "", 0 },
    { "# c\n\n \t# d\n  export  KT_TEST = a b \t # c\n", "a b", 0 },
    { "KT_TEST=a#b\n", "a#b", 0 },
    { "KT_TEST=#b\n", "#b", 0 },
    { "KT_TEST= #b\n", "", 0 },
    { "KT_TEST=a\\nb$HOME\n", "a\\nb$HOME", 0 },
    { "KT_TEST=it's\n", "it's", 0 },
    { "KT_TEST='a\\nb # \"$HOME\"' # c\r\n", "a\\nb # \"$HOME\"", 0 },
    { "KT_TEST='a\nb'\n", "a\nb", 0 },
    { "KT_TEST=\"a\nb\"\n", "a\nb", 0 },
    { "KT_TEST=\"\\n\\r\\t\\\"\\\\\\$\\x\\'\"\n", "\n\r\t\"\\$\\x\\'", 0 },
    { "KT_TEST=one\nOTHER=x\nKT_TEST=two\n", "two", 0 },
    { "export=1\nKT_TEST=a\n", "a", 0 },
    { "a.b-c=1\nKT_TEST=a\n", "a", 0 },
    { "KT_TEST=a\nKT_TESTING=b\nKT_TES=c\n", "a", 0 },
    { "nonsense\n", NULL, 1 },
    { "\n\nKT_TEST\n", NULL, 3 },
    { "=x\n", NULL, 1 },
    { "1A=x\n", NULL, 1 },
    { "A='x\n\n", NULL, 1 },
    { "B='1\n2'\nA=\"x\\\"", NULL, 3 },
    { "A='x' y\n", NULL, 1 },
    { "A='x'y\n", NULL, 1 },
    { "A=\"x\"\ry\n", NULL, 1 },
    { "A=1\nset -a\n", NULL, 2 },
    { "\xef\xbb\xbf"
      "A=1\n",
      NULL, 1 },
};

START_TEST(reads_what_dotenv_readers_agree_on)
{
    char where[32];

    write_file(texts[_i].text);
    open_as(true, false, true);
    if (texts[_i].value) {
        assert_value("KT_TEST", texts[_i].value);
        return;
    }
    ck_assert_int_eq(get("KT_TEST"), KT_CORRUPT);
    snprintf(where, sizeof(where), "line %d:", texts[_i].line);
    ck_assert_msg(strstr(call.msg, where) != NULL, "%s", call.msg);
    ck_assert_int_eq(m->list(state, &call, NULL), KT_CORRUPT);
    ck_assert_int_eq(put("KT_TEST", "x"), KT_CORRUPT);
    assert_file(texts[_i].text);
}
END_TEST

START_TEST(a_malformed_line_is_not_quoted_in_the_message)
{
    write_file("sk-canary-value\n");
    open_as(true, false, true);
    ck_assert_int_eq(get("KT_TEST"), KT_CORRUPT);
    ck_assert_ptr_null(strstr(call.msg, "canary"));
}
END_TEST

START_TEST(a_nul_in_the_file_is_malformed)
{
    int fd = open(path, O_WRONLY | O_CREAT, 0600);

    ck_assert_int_eq(write(fd, "KT_TEST=a\0b\n", 12), 12);
    close(fd);
    open_as(true, false, true);
    ck_assert_int_eq(get("KT_TEST"), KT_CORRUPT);
}
END_TEST

START_TEST(the_environment_counts_before_the_file)
{
    write_file("KT_TEST=file\n");
    setenv("KT_TEST", "environment", 1);
    open_as(true, false, true);
    assert_value("KT_TEST", "environment");
    ck_assert_int_eq(put("KT_TEST", "x"), KT_READ_ONLY);
    ck_assert_int_eq(del("KT_TEST"), KT_READ_ONLY);
    unsetenv("KT_TEST");
    assert_value("KT_TEST", "file");
}
END_TEST

START_TEST(what_cannot_be_asked_is_not_absent)
{
    open_as(true, false, true);
    ck_assert_int_eq(get("KT_TEST"), KT_NOT_FOUND);
    ck_assert_int_eq(mkdir(path, 0700), 0);
    ck_assert_int_eq(get("KT_TEST"), KT_UNAVAILABLE);
    ck_assert_int_eq(rmdir(path), 0);
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    ck_assert_int_eq(get("KT_TEST"), KT_UNAVAILABLE);
    ck_assert_int_eq(unlink(path), 0);
    write_file("A=1\n");
    ck_assert_int_eq(truncate(path, 1024 * 1024 + 1), 0);
    ck_assert_int_eq(get("KT_TEST"), KT_UNAVAILABLE);
    if (geteuid() == 0)
        return;
    write_file("KT_TEST=1\n");
    ck_assert_int_eq(chmod(path, 0), 0);
    ck_assert_int_eq(get("KT_TEST"), KT_DENIED);
}
END_TEST

START_TEST(lists_each_variable_once)
{
    write_file("KT_TEST=1\nKT_OTHER=2\nKT_TEST=3\nnot.a-variable=4\n");
    open_as(true, true, true);
    ck_assert_int_eq(m->list(state, &call, NULL), KT_SUCCESS);
    ck_assert_uint_eq(call.ngiven, 2);
    ck_assert_str_eq(call.given[0].name, "KT_OTHER");
    ck_assert_str_eq(call.given[1].name, "KT_TEST");
    modhost_call_reset(&call);
    ck_assert_int_eq(m->list(state, &call, "KT_TEST"), KT_SUCCESS);
    ck_assert_uint_eq(call.ngiven, 1);
    modhost_call_reset(&call);
    write_file("DEEPSEEK_API_KEY=1\nDEEPSEEK_ENVIRONMENT=2\n");
    setenv("DEEPSEEK_API_KEY", "x", 1);
    open_as(false, false, true);
    ck_assert_int_eq(m->list(state, &call, "deepseek"), KT_SUCCESS);
    ck_assert_uint_eq(call.ngiven, 2);
    ck_assert_str_eq(call.given[0].name, "deepseek/api-key");
    ck_assert_str_eq(call.given[1].name, "deepseek/environment");
    modhost_call_reset(&call);
    ck_assert_int_eq(m->list(state, &call, "deepseek/environment"), KT_SUCCESS);
    ck_assert_uint_eq(call.ngiven, 1);
}
END_TEST

/* ---- writing --------------------------------------------------------------------------------- */

START_TEST(writes_only_to_a_file)
{
    open_as(false, false, false);
    ck_assert_int_eq(put("deepseek/api-key", "x"), KT_READ_ONLY);
    ck_assert_int_eq(del("deepseek/api-key"), KT_READ_ONLY);
    open_as(false, false, true);
    ck_assert_int_eq(put("other", "x"), KT_INVALID);
    ck_assert_int_eq(del("other"), KT_NOT_FOUND);
    ck_assert_int_eq(access(path, F_OK), -1);
    open_as(true, false, true);
    ck_assert_int_eq(put("KT/TEST", "x"), KT_INVALID);
    ck_assert_int_eq(put("2", "x"), KT_INVALID);
}
END_TEST

START_TEST(the_first_put_makes_the_file_and_reads_do_not)
{
    struct stat st;

    open_as(false, false, true);
    ck_assert_int_eq(get("deepseek/api-key"), KT_NOT_FOUND);
    ck_assert_int_eq(del("deepseek/api-key"), KT_NOT_FOUND);
    ck_assert_int_eq(m->list(state, &call, NULL), KT_SUCCESS);
    ck_assert_int_eq(access(path, F_OK), -1);
    ck_assert_int_eq(put("deepseek/api-key", "sk-1"), KT_SUCCESS);
    assert_file("DEEPSEEK_API_KEY=sk-1\n");
    ck_assert_int_eq(stat(path, &st), 0);
    ck_assert_uint_eq(st.st_mode & 07777, 0600);
    assert_value("deepseek/api-key", "sk-1");
}
END_TEST

static const struct {
    const char *before;
    const char *value; /* NULL: delete */
    const char *after;
} edits[] = {
    { "A=1\n# c\n\nKT_TEST=old # gone\nB='x\ny'\n", "new", "A=1\n# c\n\nKT_TEST=new\nB='x\ny'\n" },
    { "A=1\n  export KT_TEST = \"o\nld\"\r\nB=2", "new", "A=1\n  export KT_TEST=new\nB=2" },
    { "A=1", "new", "A=1\nKT_TEST=new\n" },
    { "", "new", "KT_TEST=new\n" },
    { "KT_TEST=1\n#\nKT_TEST=2\nA=1\n", "new", "#\nKT_TEST=new\nA=1\n" },
    { "KT_TEST=1", "", "KT_TEST=\n" },
    { "A=1\nKT_TEST=1\n# c\nKT_TEST=2\nB=2\n", NULL, "A=1\n# c\nB=2\n" },
    { "KT_TEST=1", NULL, "" },
    { "", "a b", "KT_TEST='a b'\n" },
    { "", "a'b", "KT_TEST=\"a'b\"\n" },
    { "", "$(x)", "KT_TEST='$(x)'\n" },
    { "", "l1\nl2\r\t\"\\$", "KT_TEST=\"l1\\nl2\\r\\t\\\"\\\\\\$\"\n" },
};

START_TEST(changes_one_line_and_keeps_the_others)
{
    write_file(edits[_i].before);
    open_as(true, false, true);
    if (edits[_i].value) {
        ck_assert_int_eq(put("KT_TEST", edits[_i].value), KT_SUCCESS);
        assert_file(edits[_i].after);
        assert_value("KT_TEST", edits[_i].value);
    } else {
        ck_assert_int_eq(del("KT_TEST"), KT_SUCCESS);
        assert_file(edits[_i].after);
        ck_assert_int_eq(get("KT_TEST"), KT_NOT_FOUND);
        ck_assert_int_eq(del("KT_TEST"), KT_NOT_FOUND);
    }
}
END_TEST

START_TEST(keeps_every_byte_but_nul)
{
    char all[256];

    for (int i = 0; i < 255; i++)
        all[i] = (char)(i + 1);
    all[255] = 1;
    open_as(true, false, true);
    ck_assert_int_eq(put_bytes("KT_TEST", all, sizeof(all)), KT_SUCCESS);
    ck_assert_int_eq(get("KT_TEST"), KT_SUCCESS);
    ck_assert_uint_eq(call.given[0].len, sizeof(all));
    ck_assert_mem_eq(call.given[0].data, all, sizeof(all));
    for (int i = 0; i < 255; i++) {
        ck_assert_int_eq(put_bytes("KT_TEST", all + i, 1), KT_SUCCESS);
        ck_assert_int_eq(get("KT_TEST"), KT_SUCCESS);
        ck_assert_uint_eq(call.given[0].len, 1);
        ck_assert_mem_eq(call.given[0].data, all + i, 1);
    }
    ck_assert_int_eq(put_bytes("KT_TEST", "a\0b", 3), KT_INVALID);
    ck_assert_int_eq(get("KT_TEST"), KT_SUCCESS);
    ck_assert_uint_eq(call.given[0].len, 1);
}
END_TEST

START_TEST(refuses_to_grow_the_file_over_its_limit)
{
    size_t len = 1024 * 1024 - 4;
    char *big = malloc(len + 1);

    memset(big, '#', len);
    big[len] = '\0';
    write_file(big);
    open_as(true, false, true);
    ck_assert_int_eq(put("KT_TEST", "x"), KT_NO_SPACE);
    ck_assert_int_eq(get("KT_TEST"), KT_NOT_FOUND);
    free(big);
}
END_TEST

START_TEST(a_link_stays_and_its_target_changes)
{
    char target[512];
    struct stat st;

    snprintf(target, sizeof(target), "%s.real", path);
    kt_harness_write(target, "A=1\n", 0640);
    ck_assert_int_eq(symlink(target, path), 0);
    open_as(true, false, true);
    ck_assert_int_eq(put("KT_TEST", "x"), KT_SUCCESS);
    ck_assert_int_eq(lstat(path, &st), 0);
    ck_assert(S_ISLNK(st.st_mode));
    assert_file("A=1\nKT_TEST=x\n");
}
END_TEST

START_TEST(what_a_crash_left_is_no_obstacle)
{
    char temp[512];

    open_as(true, false, true);
    snprintf(temp, sizeof(temp), "%.*s/..env.keyturn", (int)(strrchr(path, '/') - path), path);
    kt_harness_write(temp, "half of a", 0644);
    ck_assert_int_eq(put("KT_TEST", "x"), KT_SUCCESS);
    assert_file("KT_TEST=x\n");
    ck_assert_int_eq(access(temp, F_OK), -1);
}
END_TEST

START_TEST(says_what_it_cannot_do)
{
    struct kt_put p = { .size = sizeof(p), .stage = KT_STAGE_CURRENT, .id = "x:1", .expected = "" };
    struct kt_delete d = { .size = sizeof(d), .version = "env:1" };
    bool restorable;

    write_file("KT_TEST=1\n");
    open_as(true, false, true);
    ck_assert_int_eq(m->put(state, &call, KT_PREPARE, "KT_TEST", &p), KT_UNSUPPORTED);
    p.expected = NULL;
    p.stage = KT_STAGE_PENDING;
    ck_assert_int_eq(m->put(state, &call, KT_COMMIT, "KT_TEST", &p), KT_UNSUPPORTED);
    ck_assert_int_eq(m->del(state, &call, KT_COMMIT, "KT_TEST", &d, &restorable), KT_UNSUPPORTED);
    assert_file("KT_TEST=1\n");
}
END_TEST

static void *put_many(void *cookie)
{
    const char *name = cookie;
    struct kt_call mine;
    char value[16];

    modhost_call_init(&mine);
    for (int i = 0; i < 20; i++) {
        struct kt_put p = {
            .size = sizeof(p), .stage = KT_STAGE_CURRENT, .id = "x:1", .data = value
        };

        p.len = (size_t)snprintf(value, sizeof(value), "%d", i);
        if (m->put(state, &mine, KT_COMMIT, name, &p) != KT_SUCCESS)
            abort();
    }
    modhost_call_done(&mine);
    return NULL;
}

START_TEST(writers_lose_nothing_of_each_other)
{
    static char names[][5] = { "KT_A", "KT_B", "KT_C", "KT_D" };
    pthread_t threads[4];

    open_as(true, false, true);
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, put_many, names[i]), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < 4; i++)
        assert_value(names[i], "19");
}
END_TEST

int main(void)
{
    Suite *s = suite_create("env");
    TCase *t = tcase_create("env");

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, reads_the_variables_of_its_names);
    tcase_add_test(t, reads_the_variable_that_name_maps_to);
    tcase_add_test(t, does_not_read_the_environment_when_privileged);
    tcase_add_test(t, counts_the_values_it_has_seen);
    tcase_add_test(t, counts_in_many_threads_and_over_fork);
    tcase_add_loop_test(t, reads_what_dotenv_readers_agree_on, 0, sizeof(texts) / sizeof(texts[0]));
    tcase_add_test(t, a_malformed_line_is_not_quoted_in_the_message);
    tcase_add_test(t, a_nul_in_the_file_is_malformed);
    tcase_add_test(t, the_environment_counts_before_the_file);
    tcase_add_test(t, what_cannot_be_asked_is_not_absent);
    tcase_add_test(t, lists_each_variable_once);
    tcase_add_test(t, writes_only_to_a_file);
    tcase_add_test(t, the_first_put_makes_the_file_and_reads_do_not);
    tcase_add_loop_test(t, changes_one_line_and_keeps_the_others, 0,
                        sizeof(edits) / sizeof(edits[0]));
    tcase_add_test(t, keeps_every_byte_but_nul);
    tcase_add_test(t, refuses_to_grow_the_file_over_its_limit);
    tcase_add_test(t, a_link_stays_and_its_target_changes);
    tcase_add_test(t, what_a_crash_left_is_no_obstacle);
    tcase_add_test(t, says_what_it_cannot_do);
    tcase_add_test(t, writers_lose_nothing_of_each_other);
    suite_add_tcase(s, t);
    return kt_harness_run(s);
}
