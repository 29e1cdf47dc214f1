/* SPDX-License-Identifier: Apache-2.0 */

/* The keyring module where there is no bus, or what is there is none: an answer at once, or in time. */

#include "child.h"
#include "harness.h"
#include "modhost.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define ROWS(table) (int)(sizeof(table) / sizeof((table)[0]))
#define SOON_MS 100

static struct kt_call call;
static const struct kt_module *m;
static void *state;
static char *dir;

static void set_up(void)
{
    dir = kt_harness_dir();
    ck_assert_int_eq(setenv("XDG_RUNTIME_DIR", dir, 1), 0);
    ck_assert_int_eq(unsetenv("DBUS_SESSION_BUS_ADDRESS"), 0);
    modhost_call_init(&call);
    m = modhost_load("keyring");
    ck_assert_int_eq(modhost_open(m, &call, NULL, &state), KT_SUCCESS);
}

static void tear_down(void)
{
    m->close(state);
    modhost_call_done(&call);
    ck_assert_uint_eq(modhost_live(), 0);
    free(dir);
}

/* A get that must answer @status with @says among its words. */
static void expect(int status, const char *says)
{
    const int rc = m->get(state, &call, "a", modhost_want(NULL));

    ck_assert_msg(rc == status, "expected %d, got %d: %s", status, rc, call.msg);
    ck_assert_msg(strstr(call.msg, says) != NULL, "'%s' is not in '%s'", says, call.msg);
}

/* ---- nothing there --------------------------------------------------------------------------- */

static const struct {
    const char *address, *says; /* NULL: none */
} nowhere[] = {
    { NULL, "there is no session bus" },
    { "", "there is no session bus" },
    { "unix:path=/nonexistent/bus", "No such file" },
    { "unix:abstract=keyturn-test-nobody-listens-here", "refused" },
    { "autolaunch:", "names no Unix socket" },
    { "tcp:host=127.0.0.1,port=1", "names no Unix socket" },
    { "unixexec:path=/bin/false", "names no Unix socket" },
    { "nonsense", "names no Unix socket" },
};

START_TEST(a_bus_that_is_not_there_is_unavailable)
{
    if (nowhere[_i].address != NULL)
        ck_assert_int_eq(setenv("DBUS_SESSION_BUS_ADDRESS", nowhere[_i].address, 1), 0);
    if (geteuid() == 0 && access("/run/user/0/bus", F_OK) == 0 &&
        strstr(nowhere[_i].says, "no session bus") != NULL)
        return; /* somebody's desktop */
    expect(KT_UNAVAILABLE, nowhere[_i].says);
    ck_assert_int_eq(m->versions(state, &call, "a"), KT_UNAVAILABLE);
    ck_assert_int_eq(m->list(state, &call, NULL), KT_UNAVAILABLE);
}
END_TEST

/* ---- something there that is no bus ---------------------------------------------------------- */

/** struct peer - a socket, and what is said to whoever comes; NULL ends, "" hangs up */
struct peer {
    int fd;
    const char *says[3];
    pthread_t thread;
};

static void *serve(void *cookie)
{
    struct peer *p = cookie;
    const int fd = accept(p->fd, NULL, NULL);
    char buf[256];

    for (int i = 0; i < 3 && p->says[i] != NULL && fd >= 0; i++) {
        if (recv(fd, buf, sizeof(buf), 0) <= 0 || p->says[i][0] == '\0')
            break;
        if (send(fd, p->says[i], strlen(p->says[i]), MSG_NOSIGNAL) < 0)
            break;
    }
    if (fd >= 0 && (p->says[0] == NULL || p->says[0][0] != '\0'))
        while (recv(fd, buf, sizeof(buf), 0) > 0) /* until the other side goes */
            ;
    if (fd >= 0)
        (void)close(fd);
    return NULL;
}

/* Where $XDG_RUNTIME_DIR has it: it needs no variable to be found. */
static void begin(struct peer *p)
{
    struct sockaddr_un un = { .sun_family = AF_UNIX };

    (void)snprintf(un.sun_path, sizeof(un.sun_path), "%s/bus", dir);
    p->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(p->fd, (struct sockaddr *)&un, sizeof(un)), 0);
    ck_assert_int_eq(listen(p->fd, 4), 0);
    ck_assert_int_eq(pthread_create(&p->thread, NULL, serve, p), 0);
}

static void end(struct peer *p)
{
    (void)pthread_join(p->thread, NULL);
    (void)close(p->fd);
}

static const struct {
    const char *title, *says[3];
    bool answers; /* else it is waited for */
    const char *words;
} peers[] = {
    { "it says nothing", { NULL }, false, "" },
    { "it hangs up", { "" }, true, "closed the connection" },
    { "it lets nobody in", { "REJECTED EXTERNAL\r\n" }, true, "does not let this user in" },
    { "it speaks HTTP", { "HTTP/1.1 400 Bad Request\r\n" }, true, "does not let this user in" },
    { "half a line", { "OK 0123" }, false, "" },
    { "it lets us in and is silent", { "OK 00\r\n", NULL }, false, "" },
    { "it answers Hello with nonsense", { "OK 00\r\n", "nonsense nonsense nonsense" }, false, "" },
};

START_TEST(a_peer_that_is_no_bus_is_left_in_time)
{
    struct peer p = { .fd = -1 };

    memcpy(p.says, peers[_i].says, sizeof(p.says));
    begin(&p);
    if (!peers[_i].answers)
        call.deadline_ms = modhost.now_ns(&call, KT_CLOCK_MONOTONIC) / 1000000 + SOON_MS;
    expect(peers[_i].answers ? KT_UNAVAILABLE : KT_TIMEOUT, peers[_i].words);
    end(&p);
}
END_TEST

START_TEST(a_wait_for_a_peer_can_be_cancelled)
{
    struct peer p = { .fd = -1 };
    const int cancel = eventfd(1, EFD_CLOEXEC);

    memcpy(p.says, peers[_i].says, sizeof(p.says));
    if (!peers[_i].answers) {
        begin(&p);
        call.cancel_fd = cancel;
        expect(KT_CANCELLED, "");
        end(&p);
    }
    (void)close(cancel);
}
END_TEST

START_TEST(a_line_that_never_ends_is_refused)
{
    static char endless[600];
    struct peer p = { .says = { endless } };

    memset(endless, 'x', sizeof(endless) - 1);
    begin(&p);
    expect(KT_UNAVAILABLE, "no bus");
    end(&p);
}
END_TEST

/* ---- forks ----------------------------------------------------------------------------------- */

static void ask_in_child(void *arg)
{
    void *other = NULL;

    (void)arg;
    CHILD_MUST(modhost_open(m, &call, NULL, &other) == KT_SUCCESS);
    CHILD_MUST(m->get(other, &call, "a", modhost_want(NULL)) == KT_UNAVAILABLE);
    CHILD_MUST(strstr(call.msg, "forked") != NULL);
    CHILD_MUST(m->get(state, &call, "a", modhost_want(NULL)) == KT_UNAVAILABLE);
    m->close(other);
    m->close(state);
    _exit(0);
}

START_TEST(a_child_of_one_that_used_it_is_told_so)
{
    expect(KT_UNAVAILABLE, "no session bus");
    ck_assert_int_eq(run_child(ask_in_child, NULL), 0);
    expect(KT_UNAVAILABLE, "no session bus");
}
END_TEST

static void ask_first_in_child(void *arg)
{
    (void)arg;
    CHILD_MUST(m->get(state, &call, "a", modhost_want(NULL)) == KT_UNAVAILABLE);
    CHILD_MUST(strstr(call.msg, "forked") == NULL);
    _exit(0);
}

START_TEST(a_child_of_one_that_only_opened_it_may_use_it)
{
    ck_assert_int_eq(run_child(ask_first_in_child, NULL), 0);
}
END_TEST

/* ---- options and what is refused without asking ---------------------------------------------- */

static const struct {
    const char *options, *says;
} wrong[] = {
    { "collection=", "collection" },     { "collection=//", "collection" },
    { "collection=/", "collection" },    { "collection=/a-b", "collection" },
    { "collection=\xff", "collection" }, { "attributes=", "attributes" },
    { "attributes=a", "attributes" },    { "attributes=a:%z", "attributes" },
};

START_TEST(malformed_options_are_refused)
{
    void *other = NULL;

    ck_assert_int_eq(modhost_open(m, &call, wrong[_i].options, &other), KT_CONFIG_ERROR);
    ck_assert_msg(strstr(call.msg, wrong[_i].says) != NULL, "%s", call.msg);
    ck_assert_ptr_null(other);
}
END_TEST

START_TEST(a_privileged_program_is_refused)
{
    const struct kt_open_args as = { .size = sizeof(as), .privileged = true, .service = "s" };
    void *other = NULL;

    ck_assert_int_eq(modhost_open_as(m, &call, &as, NULL, &other), KT_DENIED);
}
END_TEST

START_TEST(a_line_with_attributes_writes_nothing)
{
    const struct kt_put put = { .size = sizeof(put), .stage = KT_STAGE_CURRENT, .id = "x" };
    const struct kt_delete del = { .size = sizeof(del) };
    bool restorable;
    void *other = NULL;

    ck_assert_int_eq(modhost_open(m, &call, "attributes=a:%n", &other), KT_SUCCESS);
    for (int phase = KT_PREPARE; phase <= KT_COMMIT; phase++) {
        ck_assert_int_eq(m->put(other, &call, phase, "a", &put), KT_READ_ONLY);
        ck_assert_int_eq(m->del(other, &call, phase, "a", &del, &restorable), KT_READ_ONLY);
        ck_assert_int_eq(m->stage(other, &call, phase, "a", KT_STAGE_CURRENT, "x", NULL),
                         KT_READ_ONLY);
    }
    m->close(other);
}
END_TEST

START_TEST(what_it_cannot_hold_is_refused_before_anybody_is_asked)
{
    static char big[KT_VALUE_MAX + 1], name[KT_NAME_MAX + 2];
    const struct kt_attr bad = { "k", "\xff" };
    struct kt_put put = { .size = sizeof(put), .stage = KT_STAGE_CURRENT, .id = "x", .data = "v" };

    put.len = 1;
    memset(name, 'n', sizeof(name) - 1);
    ck_assert_int_eq(m->put(state, &call, KT_COMMIT, name, &put), KT_TOO_LARGE);
    ck_assert_int_eq(m->put(state, &call, KT_COMMIT, "", &put), KT_INVALID);
    ck_assert_int_eq(m->put(state, &call, KT_COMMIT, "a\nb", &put), KT_INVALID);
    ck_assert_int_eq(m->put(state, &call, KT_COMMIT, "a\xff", &put), KT_INVALID);
    put.attrs = &bad;
    put.nattrs = 1;
    ck_assert_int_eq(m->put(state, &call, KT_COMMIT, "a", &put), KT_INVALID);
    put.nattrs = 0;
    put.data = big;
    put.len = sizeof(big);
    ck_assert_int_eq(m->put(state, &call, KT_COMMIT, "a", &put), KT_TOO_LARGE);
    put.len = 1;
    put.stage = KT_STAGE_PREVIOUS;
    ck_assert_int_eq(m->put(state, &call, KT_COMMIT, "a", &put), KT_INVALID);
    ck_assert_int_eq(m->stage(state, &call, KT_COMMIT, "a", KT_STAGE_CURRENT, NULL, NULL),
                     KT_INVALID);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("keyring-bus");
    TCase *tc = tcase_create("bus");

    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_set_timeout(tc, 120);
    tcase_add_loop_test(tc, a_bus_that_is_not_there_is_unavailable, 0, ROWS(nowhere));
    tcase_add_loop_test(tc, a_peer_that_is_no_bus_is_left_in_time, 0, ROWS(peers));
    tcase_add_loop_test(tc, a_wait_for_a_peer_can_be_cancelled, 0, ROWS(peers));
    tcase_add_test(tc, a_line_that_never_ends_is_refused);
    tcase_add_test(tc, a_child_of_one_that_used_it_is_told_so);
    tcase_add_test(tc, a_child_of_one_that_only_opened_it_may_use_it);
    tcase_add_loop_test(tc, malformed_options_are_refused, 0, ROWS(wrong));
    tcase_add_test(tc, a_privileged_program_is_refused);
    tcase_add_test(tc, a_line_with_attributes_writes_nothing);
    tcase_add_test(tc, what_it_cannot_hold_is_refused_before_anybody_is_asked);
    suite_add_tcase(s, tc);
    return kt_harness_run(s);
}
