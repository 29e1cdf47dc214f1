/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Asking at a terminal: the test is the person. Each case has a pseudo terminal whose other side runs
 * a function, or keyturn itself, as the leader of a session of its own.
 */
#include "cli/cli.h"

#include "harness.h"

#include <errno.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

struct person {
    int fd;
    pid_t pid;
    size_t len;
    char seen[65536]; /* everything that the terminal has shown */
};

static struct person p;

static void start(void (*body)(void))
{
    p = (struct person){ .fd = -1 };
    p.pid = forkpty(&p.fd, NULL, NULL, NULL);
    ck_assert_int_ge(p.pid, 0);
    if (p.pid == 0) {
        static const int signals[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGALRM };

        for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
            (void)signal(signals[i], SIG_DFL); /* libcheck catches some */
        alarm(600);
        body();
        _exit(99);
    }
}

/* Until the terminal has shown @text (once more), or closed. */
static bool wait_for(const char *text)
{
    size_t from = p.len;

    for (;;) {
        struct pollfd fd = { .fd = p.fd, .events = POLLIN };
        ssize_t n;

        if (strstr(p.seen + from, text) != NULL)
            return true;
        if (poll(&fd, 1, 300000) <= 0 || p.len + 1 >= sizeof(p.seen))
            return false;
        n = read(p.fd, p.seen + p.len, sizeof(p.seen) - 1 - p.len);
        if (n <= 0)
            return false;
        p.len += (size_t)n;
        p.seen[p.len] = '\0';
    }
}

static void type(const char *text)
{
    size_t len = strlen(text);

    while (len > 0) {
        ssize_t n = write(p.fd, text, len);

        ck_assert_int_gt(n, 0);
        text += n;
        len -= (size_t)n;
    }
}

static int end_of(void)
{
    int status;

    (void)wait_for("\x01never shown"); /* drains it */
    ck_assert_int_eq(waitpid(p.pid, &status, 0), p.pid);
    (void)close(p.fd);
    return status;
}

static bool echoes(void)
{
    struct termios tio;

    ck_assert_int_eq(tcgetattr(p.fd, &tio), 0);
    return (tio.c_lflag & (ECHO | ICANON)) == (ECHO | ICANON);
}

/* ---- prompt_ask() itself ---- */

static char answer[64];

static void ask(void)
{
    int n = prompt_ask(NULL, "Say: ", false, answer, sizeof(answer), -1, -1);

    /* told in a way that the terminal would not show by itself */
    printf("<%d:", n);
    for (int i = 0; i < n; i++)
        printf("%02x", (unsigned char)answer[i]);
    printf(">");
    fflush(stdout);
    _exit(0);
}

static const struct {
    const char *keys;
    const char *told;
} entries[] = {
    { "abc\n", "<3:616263>" },
    { "abc\r", "<3:616263>" },
    { "\n", "<0:>" },
    { "ax\x7f"
      "bc\n",
      "<3:616263>" },
    { "ax\x08"
      "bc\n",
      "<3:616263>" },
    { "\x7f"
      "a\n",
      "<1:61>" },
    { "a\xc3\xa9\x7f\n", "<1:61>" }, /* a whole character */
    { "wrong\x15"
      "a\n",
      "<1:61>" },          /* ^U */
    { "a\x04", "<1:61>" }, /* ^D ends a line */
    { "\x04", "<-7:>" },   /* and alone cancels */
    { "0123456789012345678901234567890123456789012345678901234567890123\n",
      "<64:30313233343536373839303132333435363738393031323334353637383930313233343536373839"
      "303132333435363738393031323334353637383930313233>" },
    { "01234567890123456789012345678901234567890123456789012345678901234\n", "<-13:>" },
};

START_TEST(keys_become_an_entry)
{
    start(ask);
    ck_assert(wait_for("Say: "));
    ck_assert(!echoes());
    type(entries[_i].keys);
    ck_assert_msg(wait_for(entries[_i].told), "wanted %s in: %s", entries[_i].told, p.seen);
    ck_assert(strstr(p.seen, "abc") == NULL);
    ck_assert(echoes());
    ck_assert_int_eq(end_of(), 0);
}
END_TEST

static void ask_with_deadline(void)
{
    _exit(-prompt_ask(NULL, "Say: ", false, answer, sizeof(answer), 200, -1));
}

START_TEST(the_deadline_holds)
{
    start(ask_with_deadline);
    ck_assert(wait_for("Say: "));
    (void)!write(p.fd, "half an ent", 11); /* does not prolong it; or it is over already */
    ck_assert_int_eq(WEXITSTATUS(end_of()), KT_TIMEOUT);
}
END_TEST

static void ask_cancelled(void)
{
    int fds[2];

    if (pipe(fds) != 0 || write(fds[1], "", 1) != 1)
        _exit(98);
    _exit(-prompt_ask(NULL, "Say: ", false, answer, sizeof(answer), -1, fds[0]));
}

START_TEST(the_cancel_descriptor_ends_it)
{
    start(ask_cancelled);
    ck_assert_int_eq(WEXITSTATUS(end_of()), KT_CANCELLED);
}
END_TEST

static void ask_nobody(void)
{
    (void)setsid(); /* the leader of another session has no terminal */
    if (fork() == 0) {
        (void)setsid();
        _exit(-prompt_ask(NULL, "Say: ", false, answer, sizeof(answer), -1, -1));
    }
    int status;
    (void)wait(&status);
    _exit(WEXITSTATUS(status));
}

START_TEST(without_a_terminal_nobody_is_asked)
{
    start(ask_nobody);
    ck_assert_int_eq(WEXITSTATUS(end_of()), KT_LOCKED);
}
END_TEST

static const int deadly[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };

START_TEST(a_signal_ends_it_and_the_terminal_is_as_before)
{
    int status;

    start(ask);
    ck_assert(wait_for("Say: "));
    ck_assert(!echoes());
    type("se");
    ck_assert_int_eq(kill(p.pid, deadly[_i]), 0);
    ck_assert_int_eq(waitpid(p.pid, &status, 0), p.pid);
    ck_assert(WIFSIGNALED(status));
    ck_assert_int_eq(WTERMSIG(status), deadly[_i]);
    ck_assert(echoes());
    (void)close(p.fd);
}
END_TEST

START_TEST(an_interrupt_key_is_a_signal)
{
    int status;

    start(ask);
    ck_assert(wait_for("Say: "));
    type("se\x03");
    ck_assert_int_eq(waitpid(p.pid, &status, 0), p.pid);
    ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGINT);
    ck_assert(echoes());
    (void)close(p.fd);
}
END_TEST

START_TEST(stopped_and_continued_it_asks_again)
{
    start(ask);
    ck_assert(wait_for("Say: "));
    type("half");
    /* nobody could continue it, being alone in its session: so it is not even stopped */
    ck_assert_int_eq(kill(p.pid, SIGTSTP), 0);
    ck_assert(wait_for("Say: "));
    type("secret\n");
    ck_assert(wait_for("<6:736563726574>"));
    ck_assert_int_eq(end_of(), 0);
}
END_TEST

/* ---- keyturn at a terminal ---- */

static char *dir;
static const char *args[12];

static void setup(void)
{
    dir = kt_harness_dir();
    ck_assert_int_eq(setenv("KEYTURN_CONFIG_DIR", dir, 1), 0);
    ck_assert_int_eq(setenv("TERM", "dumb", 1), 0);
}

static void teardown(void)
{
    free(dir);
}

KT_PRINTF(1, 2)
static void serve(const char *format, ...)
{
    char *path = kt_harness_path(dir, "deepseek"), *text;
    va_list ap;

    va_start(ap, format);
    ck_assert_int_gt(vasprintf(&text, format, ap), 0);
    va_end(ap);
    kt_harness_write(path, text, 0600);
    free(text);
    free(path);
}

static void keyturn(void)
{
    const char *program = getenv("KEYTURN");
    const char *argv[16] = { program, "--module-dir", kt_harness_modules() };

    if (program == NULL)
        _exit(96);
    memcpy(argv + 3, args, sizeof(args));
    execv(program, (char *const *)(uintptr_t)argv);
    _exit(97);
}

static void start_keyturn(const char *const *words)
{
    memset(args, 0, sizeof(args));
    for (size_t i = 0; words[i] != NULL; i++)
        args[i] = words[i];
    start(keyturn);
}

#define KEYTURN(...) start_keyturn((const char *const[]){ __VA_ARGS__, NULL })

/* It asks, and then the deadline comes; a slow machine needs longer than a fast one to get so far. */
static void keyturn_asks(const char *question, const char *command, const char *name)
{
    static const char *const timeouts[] = { "300ms", "3s", "30s", "200s" };

    for (size_t i = 0; i < sizeof(timeouts) / sizeof(timeouts[0]); i++) {
        KEYTURN("--timeout", timeouts[i], command, name);
        if (wait_for(question))
            return;
        (void)end_of();
    }
    ck_abort_msg("it does not ask '%s': %s", question, p.seen);
}

#define STORE                                                                                      \
    "read required env name=%%n file=%s/store\nwrite required env name=%%n file=%s/store\n"

START_TEST(set_asks_twice_and_shows_nothing)
{
    serve(STORE, dir, dir);
    KEYTURN("set", "DEEPSEEK_API_KEY");
    ck_assert_msg(wait_for("Value of DEEPSEEK_API_KEY: "), "%s", p.seen);
    type("sk-hidden\n");
    ck_assert(wait_for("Once more: "));
    type("sk-hidden\n");
    ck_assert_msg(end_of() == 0, "%s", p.seen);
    ck_assert_msg(strstr(p.seen, "sk-hidden") == NULL, "%s", p.seen);
    KEYTURN("get", "DEEPSEEK_API_KEY");
    ck_assert_msg(wait_for("sk-hidden\r\n"), "%s", p.seen); /* a newline at a terminal */
    ck_assert_int_eq(end_of(), 0);
}
END_TEST

START_TEST(an_entry_may_be_longer_than_a_terminal_line)
{
    static char entry[20000];

    memset(entry, 'k', sizeof(entry) - 2);
    entry[sizeof(entry) - 2] = '\n';
    serve(STORE, dir, dir);
    KEYTURN("set", "LONG");
    ck_assert(wait_for("Value of LONG: "));
    type(entry);
    ck_assert(wait_for("Once more: "));
    type(entry);
    ck_assert_msg(end_of() == 0, "%s", p.seen);
    KEYTURN("get", "LONG");
    entry[sizeof(entry) - 2] = '\0';
    ck_assert(wait_for(entry));
    ck_assert_int_eq(end_of(), 0);
}
END_TEST

START_TEST(entries_that_differ_store_nothing)
{
    serve(STORE, dir, dir);
    KEYTURN("set", "A");
    ck_assert(wait_for("Value of A: "));
    type("one\n");
    ck_assert(wait_for("Once more: "));
    type("two\n");
    ck_assert(wait_for("the two entries differ; nothing was stored"));
    ck_assert_int_eq(WEXITSTATUS(end_of()), kt_status_exit(KT_INVALID));
    KEYTURN("get", "A");
    ck_assert_int_eq(WEXITSTATUS(end_of()), kt_status_exit(KT_NOT_FOUND));
}
END_TEST

START_TEST(an_empty_entry_stores_nothing)
{
    serve(STORE, dir, dir);
    KEYTURN("set", "A");
    ck_assert(wait_for("Value of A: "));
    type("\n");
    ck_assert(wait_for("nothing was entered"));
    ck_assert_int_eq(WEXITSTATUS(end_of()), kt_status_exit(KT_INVALID));
}
END_TEST

START_TEST(a_bad_name_is_refused_before_the_value_is_typed)
{
    serve(STORE, dir, dir);
    KEYTURN("set", "a//b");
    ck_assert_int_eq(WEXITSTATUS(end_of()), kt_status_exit(KT_INVALID));
    ck_assert(strstr(p.seen, "Value of") == NULL);
}
END_TEST

START_TEST(delete_asks_first)
{
    serve("read required debug\nwrite required debug\n");
    KEYTURN("delete", "A");
    ck_assert(wait_for("Delete A with all its versions? [y/N] "));
    type("n\n");
    ck_assert(wait_for("not confirmed; nothing was deleted"));
    ck_assert_int_eq(WEXITSTATUS(end_of()), kt_status_exit(KT_CANCELLED));
    KEYTURN("delete", "A", "--purge");
    ck_assert(wait_for("beyond restore? [y/N] "));
    type("y\n");
    ck_assert_msg(end_of() == 0, "%s", p.seen);
    KEYTURN("delete", "A", "-f");
    ck_assert_int_eq(end_of(), 0);
    ck_assert(strstr(p.seen, "[y/N]") == NULL);
}
END_TEST

START_TEST(a_module_may_ask)
{
    serve("read required mock_talks\n");
    KEYTURN("get", "A");
    ck_assert_msg(wait_for("Password: "), "%s", p.seen);
    type("open sesame\n");
    ck_assert_msg(wait_for("open sesame\r\n"), "%s", p.seen); /* the mock gives it as the value */
    ck_assert_int_eq(end_of(), 0);
}
END_TEST

START_TEST(a_module_that_asks_waits_no_longer_than_the_call)
{
    serve("read required mock_talks\n");
    keyturn_asks("Password: ", "get", "A");
    ck_assert_int_eq(WEXITSTATUS(end_of()), kt_status_exit(KT_TIMEOUT));
}
END_TEST

START_TEST(a_value_has_to_be_entered_in_time)
{
    serve("read required debug\nwrite required debug\n");
    keyturn_asks("Value of A: ", "set", "A");
    ck_assert_int_eq(WEXITSTATUS(end_of()), kt_status_exit(KT_TIMEOUT));
    ck_assert_msg(strstr(p.seen, "no value was entered within --timeout") != NULL, "%s", p.seen);
    keyturn_asks("[y/N] ", "delete", "A");
    ck_assert_int_eq(WEXITSTATUS(end_of()), kt_status_exit(KT_CANCELLED));
}
END_TEST

START_TEST(lists_are_tables)
{
    serve("read required debug names=a,b/c\n");
    KEYTURN("list");
    ck_assert(wait_for("NAME "));
    ck_assert_int_eq(end_of(), 0);
    ck_assert(strstr(p.seen, "\x1b[") == NULL); /* TERM=dumb */
    ck_assert_int_eq(setenv("TERM", "xterm", 1), 0);
    KEYTURN("explain", "a");
    ck_assert(wait_for("\x1b[32msuccess\x1b[0m"));
    ck_assert_int_eq(end_of(), 0);
    ck_assert_int_eq(setenv("NO_COLOR", "1", 1), 0);
    KEYTURN("explain", "a");
    ck_assert_int_eq(end_of(), 0);
    ck_assert(strstr(p.seen, "\x1b[") == NULL);
    ck_assert_int_eq(unsetenv("NO_COLOR"), 0);
}
END_TEST

START_TEST(a_terminal_is_warned_of_control_bytes)
{
    serve("read required mock_talks\n");
    KEYTURN("get", "A");
    ck_assert(wait_for("Password: "));
    type("a\x1b[2Jb\n");
    ck_assert(wait_for("control bytes"));
    ck_assert_int_eq(end_of(), 0);
}
END_TEST

#define COUNT(a) (int)(sizeof(a) / sizeof((a)[0]))

int main(void)
{
    Suite *s = suite_create("prompt");
    TCase *ask_case = tcase_create("ask"), *cli = tcase_create("keyturn");

    tcase_add_loop_test(ask_case, keys_become_an_entry, 0, COUNT(entries));
    tcase_add_test(ask_case, the_deadline_holds);
    tcase_add_test(ask_case, the_cancel_descriptor_ends_it);
    tcase_add_test(ask_case, without_a_terminal_nobody_is_asked);
    tcase_add_loop_test(ask_case, a_signal_ends_it_and_the_terminal_is_as_before, 0, COUNT(deadly));
    tcase_add_test(ask_case, an_interrupt_key_is_a_signal);
    tcase_add_test(ask_case, stopped_and_continued_it_asks_again);
    suite_add_tcase(s, ask_case);
    tcase_add_checked_fixture(cli, setup, teardown);
    tcase_add_test(cli, set_asks_twice_and_shows_nothing);
    tcase_add_test(cli, an_entry_may_be_longer_than_a_terminal_line);
    tcase_add_test(cli, entries_that_differ_store_nothing);
    tcase_add_test(cli, an_empty_entry_stores_nothing);
    tcase_add_test(cli, a_bad_name_is_refused_before_the_value_is_typed);
    tcase_add_test(cli, delete_asks_first);
    tcase_add_test(cli, a_module_may_ask);
    tcase_add_test(cli, a_module_that_asks_waits_no_longer_than_the_call);
    tcase_add_test(cli, a_value_has_to_be_entered_in_time);
    tcase_add_test(cli, lists_are_tables);
    tcase_add_test(cli, a_terminal_is_warned_of_control_bytes);
    suite_add_tcase(s, cli);
    return kt_harness_run(s);
}
