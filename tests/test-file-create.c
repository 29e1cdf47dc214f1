/* SPDX-License-Identifier: Apache-2.0 */

/* `keyturn file create`: stores that are made with what is to open them. */

#include "slots.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* The code as the verb showed it. */
static void shown_code(char shown[KT_RECOVERY_SHOWN_SIZE])
{
    const char *at = strstr(slots_out(), "recovery code: ");

    ck_assert_msg(at != NULL, "%s", slots_out());
    (void)snprintf(shown, KT_RECOVERY_SHOWN_SIZE, "%s", at + strlen("recovery code: "));
    ck_assert_uint_eq(strlen(shown), KT_RECOVERY_SHOWN_SIZE - 1);
    ck_assert_uint_eq(strspn(shown, "0123456789ABCDEFGHJKMNPQRSTVWXYZ-"), strlen(shown));
}

START_TEST(create_makes_what_the_first_put_would)
{
    slots_must("create", NULL);
    slots_say("made ");
    slots_say("slot 1: key file ");
    ck_assert_int_eq(slots_format(), 2);
    ck_assert_int_eq(filestore_get(&fs, "a", NULL), KT_NOT_FOUND);
    slots_refused("create", NULL, KT_EXISTS, "slot");
    slots_refused("create", "recovery", KT_EXISTS, "slot");
    slots_put(&fs, "a", "1");
    slots_reopen(NULL);
    filestore_must_get(&fs, "a", "1");
}
END_TEST

START_TEST(create_as_the_line_says)
{
    slots_reopen("passphrase");
    fs.call.answers = NULL;
    ck_assert_int_eq(slots_verb("create", NULL), KT_LOCKED);
    (void)slots_typing("correct horse", "correct horse");
    slots_must("create", NULL);
    slots_say("slot 1: passphrase");
    ck_assert_int_ne(access(fs.key, F_OK), 0);
    fs.call.answers = NULL;
}
END_TEST

START_TEST(create_takes_any_combination)
{
    char shown[KT_RECOVERY_SHOWN_SIZE];
    char words[200];

    (void)snprintf(words, sizeof(words),
                   "passphrase recovery secret=vault/k keyfile=%s/other.key label=new", fs.dir);
    (void)slots_typing("one", "two");
    slots_refused("create", words, KT_INVALID, "differ");
    ck_assert_int_ne(access(fs.path, F_OK), 0);
    (void)slots_typing("correct horse", "correct horse");
    slots_must("create", words);
    shown_code(shown);
    slots_say("key=");
    slots_say("slot 1: passphrase");
    slots_say("slot 2: secret vault/k");
    slots_say("slot 3: key file, perhaps");
    slots_say("slot 4: recovery code");
    slots_put(&fs, "a", "1");
    slots_reopen(NULL);
    filestore_must_get(&fs, "a", "1"); /* by the secret */
    modhost_secret_set("vault/k", NULL, 0);
    slots_reopen(NULL);
    (void)slots_typing(shown, NULL);
    modhost_call_reset(&fs.call);
    ck_assert_int_eq(fs.m->get(fs.state, &fs.call, "a", modhost_want(NULL)), KT_SUCCESS);
    fs.call.answers = NULL;
}
END_TEST

START_TEST(create_with_a_secret_alone_needs_a_word)
{
    slots_refused("create", "secret=vault/k", KT_INVALID, "recovery, for a recovery code");
    ck_assert_ptr_nonnull(strstr(fs.call.msg, "no-recovery"));
    ck_assert_int_ne(access(fs.path, F_OK), 0);
    slots_must("create", "secret=vault/k no-recovery");
    slots_put(&fs, "a", "1");
    slots_reopen(NULL);
    filestore_must_get(&fs, "a", "1");
    modhost_secret_set("vault/k", NULL, 0);
}
END_TEST

START_TEST(a_line_with_a_secret_makes_its_store_by_create_alone)
{
    slots_reopen("secret=vault/k");
    slots_must("viable", NULL);
    slots_say("'keyturn file create' makes it");
    ck_assert_int_eq(filestore_get(&fs, "a", NULL), KT_NOT_FOUND);
    ck_assert_int_eq(filestore_put(&fs, "a", "1", (char[KT_ID_SIZE]){ "" }, NULL), KT_UNSUPPORTED);
    ck_assert_ptr_nonnull(strstr(fs.call.msg, "keyturn file create"));
    ck_assert_int_eq(filestore_fill(&fs, "a", "x", "v", 1), KT_NOT_FOUND);
    slots_refused("create", NULL, KT_INVALID, "recovery");
    slots_must("create", "recovery");
    slots_say("slot 1: secret vault/k");
    slots_say("slot 2: recovery code");
    ck_assert_int_ne(access(fs.key, F_OK), 0);
    slots_put(&fs, "a", "1");
    slots_reopen(NULL);
    filestore_must_get(&fs, "a", "1");
    modhost_secret_set("vault/k", NULL, 0);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("file-create");
    TCase *tc = tcase_create("create");

    tcase_add_checked_fixture(tc, slots_setup, slots_teardown);
    tcase_add_test(tc, create_makes_what_the_first_put_would);
    tcase_add_test(tc, create_as_the_line_says);
    tcase_add_test(tc, create_takes_any_combination);
    tcase_add_test(tc, create_with_a_secret_alone_needs_a_word);
    tcase_add_test(tc, a_line_with_a_secret_makes_its_store_by_create_alone);
    suite_add_tcase(s, tc);
    return kt_harness_run(s);
}
