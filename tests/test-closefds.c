/* SPDX-License-Identifier: Apache-2.0 */

/* A host that closes every descriptor it does not know, as daemons do, and goes on. */

#include "scene.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static struct scene *s;

static void set_up(void)
{
    s = scene_new();
}

static void tear_down(void)
{
    scene_free(s);
    kt_harness_no_secrets();
}

#define STORE(name)                                                                                \
    "read required file path=%s/" name "/store.db key=%s/" name "/store.key\n"                     \
    "write required file\n"

/* All but the standard three and the test's own; then others take their numbers. */
static void close_everything(void)
{
    for (int fd = 3; fd < 256; fd++)
        if (fcntl(fd, F_GETFD) >= 0 && (fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0)
            (void)close(fd);
    for (int i = 0; i < 8; i++)
        ck_assert_int_ge(open("/dev/null", O_RDWR | O_CLOEXEC), 0);
}

START_TEST(another_service_opened_afterwards_is_itself)
{
    struct kt_handle *a = scene_open(s, "a", STORE("a"), s->dir, s->dir), *b;

    scene_put(a, "n", "of a", NULL);
    scene_expect(a, "n", "of a", KT_SUCCESS);
    close_everything();
    b = scene_open(s, "b", STORE("b"), s->dir, s->dir);
    scene_expect(b, "n", NULL, KT_NOT_FOUND);
    scene_put(b, "n", "of b", NULL);
    scene_expect(b, "n", "of b", KT_SUCCESS);
    scene_expect(a, "n", "of a", KT_SUCCESS);
    scene_put(a, "n", "of a again", NULL);
    scene_expect(a, "n", "of a again", KT_SUCCESS);
    scene_expect(b, "n", "of b", KT_SUCCESS);
    kt_close(a);
    kt_close(b);
}
END_TEST

START_TEST(a_module_loaded_afterwards_is_the_right_one)
{
    struct kt_handle *a = scene_open(s, "a", "read required debug value=debug\n"), *b;

    scene_expect(a, "n", "debug", KT_SUCCESS);
    close_everything();
    b = scene_open(s, "b", "read required mock_good\nwrite required mock_good\n");
    scene_expect(b, "n", NULL, KT_NOT_FOUND);
    scene_put(b, "n", "good", NULL);
    scene_expect(b, "n", "good", KT_SUCCESS);
    scene_expect(a, "n", "debug", KT_SUCCESS);
    kt_close(a);
    kt_close(b);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("closefds");
    TCase *tc = tcase_create("closefds");

    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_add_test(tc, another_service_opened_afterwards_is_itself);
    tcase_add_test(tc, a_module_loaded_afterwards_is_the_right_one);
    suite_add_tcase(suite, tc);
    return kt_harness_run(suite);
}
