/* SPDX-License-Identifier: Apache-2.0 */

/* What opens a store of the file backend: adding, listing and removing slots. */

#include "slots.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- kinds ---------------------------------------------------------------------------------- */

START_TEST(a_passphrase_is_added_and_opens)
{
    static const char odd[] = "na\xc3\xafve \xff caf\xc3\xa9"; /* bytes as typed */
    char denied[508];

    slots_put(&fs, "a", "1");
    (void)slots_typing(odd, "something else");
    slots_refused("slot add", "passphrase", KT_INVALID, "differ");
    (void)slots_typing("", "");
    slots_refused("slot add", "passphrase", KT_INVALID, "empty");
    fs.call.answers = NULL;
    ck_assert_int_eq(slots_verb("slot add", "passphrase"), KT_LOCKED);
    (void)slots_typing(odd, odd);
    slots_must("slot add", "passphrase label=mine");
    slots_say("added slot 2: passphrase, scrypt N=2^17 r=8 p=1, made 20");
    slots_say("label mine");
    slots_hide_key();
    (void)slots_typing(odd, NULL);
    filestore_must_get(&fs, "a", "1");
    ck_assert_ptr_nonnull(strstr(fs.call.question, "Passphrase for "));
    ck_assert_uint_eq(fs.call.asked, 1);

    /* whatever there is, and however it fails, the words are the same */
    slots_reopen(NULL);
    (void)slots_typing("wrong", NULL);
    ck_assert_int_eq(filestore_get(&fs, "a", NULL), KT_DENIED);
    (void)snprintf(denied, sizeof(denied), "%s", fs.call.msg);
    (void)slots_typing("", NULL);
    ck_assert_int_eq(filestore_get(&fs, "a", NULL), KT_DENIED);
    ck_assert_str_eq(fs.call.msg, denied);
    (void)slots_typing(odd, NULL);
    slots_must("slot add", "recovery");
    slots_reopen(NULL);
    (void)slots_typing("wrong", NULL);
    ck_assert_int_eq(filestore_get(&fs, "a", NULL), KT_DENIED);
    ck_assert_str_eq(fs.call.msg, denied);
    ck_assert_ptr_nonnull(strstr(fs.call.question, "Passphrase or recovery code for "));
    fs.call.answers = NULL;
}
END_TEST

START_TEST(a_changed_passphrase_is_an_added_and_a_removed_slot)
{
    slots_reopen("passphrase");
    (void)slots_typing("old one", "old one");
    slots_put(&fs, "a", "1");
    (void)slots_typing("new one", "new one");
    slots_must("slot add", "passphrase");
    slots_must("slot remove", "id=1");
    slots_say("removed slot 1");
    slots_say("slot 2: passphrase");
    slots_reopen(NULL);
    (void)slots_typing("old one", NULL);
    ck_assert_int_eq(filestore_get(&fs, "a", NULL), KT_DENIED);
    (void)slots_typing("new one", NULL);
    filestore_must_get(&fs, "a", "1");
    fs.call.answers = NULL;
}
END_TEST

START_TEST(a_key_file_is_added_and_opens)
{
    char *other = kt_harness_path(fs.dir, "dir/other.key");
    char *words;
    char *key;
    struct stat st;

    slots_put(&fs, "a", "1");
    ck_assert_int_ge(asprintf(&words, "keyfile=%s", other), 0);
    ck_assert_int_ge(asprintf(&key, "key=%s", other), 0);
    slots_must("slot add", words);
    slots_say("slot 2: key file ");
    slots_say(key);
    ck_assert_int_eq(stat(other, &st), 0);
    ck_assert_int_eq(st.st_mode & 07777, 0600);
    slots_refused("slot add", words, KT_EXISTS, "slot 2");
    slots_list("slot 2: key file, another one than ");
    slots_must("slot remove", "id=1");
    slots_reopen(NULL);
    ck_assert_int_eq(filestore_get(&fs, "a", NULL), KT_LOCKED);
    fs.m->close(fs.state);
    free(fs.key);
    fs.key = other;
    filestore_reopen(&fs, NULL);
    filestore_must_get(&fs, "a", "1");
    slots_list("slot 2: key file ");
    ck_assert_ptr_null(strstr(slots_out(), "another"));
    free(words);
    free(key);
}
END_TEST

START_TEST(a_key_file_that_is_there_is_added_as_it_is)
{
    char *other = kt_harness_path(fs.dir, "other.key");
    char *words;

    slots_put(&fs, "a", "1");
    ck_assert_int_ge(asprintf(&words, "keyfile=%s", other), 0);
    kt_harness_write(other, "too short", 0600);
    slots_refused("slot add", words, KT_CONFIG_ERROR, "too short");
    kt_harness_write(other, "seen by everybody", 0644);
    slots_refused("slot add", words, KT_CONFIG_ERROR, "chmod");
    kt_harness_write(other, "quite long enough", 0600);
    slots_must("slot add", words);
    ck_assert_int_eq(rename(other, fs.key), 0);
    slots_reopen(NULL);
    filestore_must_get(&fs, "a", "1");
    free(words);
    free(other);
}
END_TEST

/* The code as the verb showed it. */
static void shown_code(char shown[KT_RECOVERY_SHOWN_SIZE])
{
    const char *at = strstr(slots_out(), "recovery code: ");

    ck_assert_msg(at != NULL, "%s", slots_out());
    (void)snprintf(shown, KT_RECOVERY_SHOWN_SIZE, "%s", at + strlen("recovery code: "));
    ck_assert_uint_eq(strlen(shown), KT_RECOVERY_SHOWN_SIZE - 1);
    ck_assert_uint_eq(strspn(shown, "0123456789ABCDEFGHJKMNPQRSTVWXYZ-"), strlen(shown));
}

/* As somebody would type it: small, in other groups, O for 0 and l for 1. */
static void type_sloppily(const char *shown, char typed[100])
{
    size_t n = 0;

    for (size_t i = 0; shown[i] != '\0'; i++) {
        char c = shown[i];

        if (c == '-') {
            if (i % 2 == 0)
                typed[n++] = ' ';
            continue;
        }
        if (c >= 'A')
            c = (char)(c - 'A' + 'a');
        typed[n++] = c == '0' ? 'O' : c == '1' ? 'l' : c;
    }
    typed[n++] = ' ';
    typed[n] = '\0';
}

START_TEST(a_recovery_code_opens_however_it_is_typed)
{
    char shown[KT_RECOVERY_SHOWN_SIZE];
    char typed[100];
    char denied[508];
    char other[KT_RECOVERY_SIZE];
    struct kt_fault f;

    slots_put(&fs, "a", "1");
    slots_must("slot add", "recovery");
    slots_say("slot 2: recovery code, scrypt");
    shown_code(shown);
    slots_must("slot list", NULL);
    ck_assert_ptr_null(strstr(slots_out(), shown)); /* this once */
    slots_hide_key();
    ck_assert_int_eq(fs.m->get(fs.state, &fs.call, "a", modhost_want(NULL)), KT_LOCKED);
    ck_assert_ptr_nonnull(strstr(fs.call.msg, fs.key)); /* that is what could be mended */
    (void)slots_typing(shown, NULL);
    filestore_must_get(&fs, "a", "1");
    ck_assert_ptr_nonnull(strstr(fs.call.question, "Recovery code for "));
    type_sloppily(shown, typed);
    slots_reopen(NULL);
    (void)slots_typing(typed, NULL);
    filestore_must_get(&fs, "a", "1");

    /* another code, and this one with a slip, are denied alike; only the log tells of the slip */
    slots_reopen(NULL);
    ck_assert_int_eq(kt_recovery_make(other, &f), KT_SUCCESS);
    (void)slots_typing(other, NULL);
    ck_assert_int_eq(filestore_get(&fs, "a", NULL), KT_DENIED);
    (void)snprintf(denied, sizeof(denied), "%s", fs.call.msg);
    ck_assert_ptr_null(fs.call.log);
    /* in the last, which checks the others: one slip of 4096 in those is another code */
    shown[strlen(shown) - 1] = shown[strlen(shown) - 1] == '7' ? '8' : '7';
    (void)slots_typing(shown, NULL);
    ck_assert_int_eq(filestore_get(&fs, "a", NULL), KT_DENIED);
    ck_assert_str_eq(fs.call.msg, denied);
    ck_assert_ptr_nonnull(fs.call.log);
    ck_assert_ptr_null(strstr(fs.call.log, "7"));
    fs.call.answers = NULL;
}
END_TEST

START_TEST(a_passphrase_may_look_like_a_code)
{
    char code[KT_RECOVERY_SIZE];
    struct kt_fault f;

    ck_assert_int_eq(kt_recovery_make(code, &f), KT_SUCCESS);
    for (size_t i = 0; code[i] != '\0'; i++)
        if (code[i] >= 'A')
            code[i] = (char)(code[i] - 'A' + 'a');
    slots_put(&fs, "a", "1");
    slots_must("slot add", "recovery");
    (void)slots_typing(code, code);
    slots_must("slot add", "passphrase");
    slots_hide_key();
    (void)slots_typing(code, NULL);
    filestore_must_get(&fs, "a", "1");
    fs.call.answers = NULL;
}
END_TEST

START_TEST(codes_show_their_typing_errors)
{
    char read_back[KT_RECOVERY_SIZE];
    char code[KT_RECOVERY_SIZE];
    char shown[KT_RECOVERY_SHOWN_SIZE];
    unsigned missed = 0;
    unsigned tried = 0;
    struct kt_fault f;

    for (int round = 0; round < 200; round++) {
        ck_assert_int_eq(kt_recovery_make(code, &f), KT_SUCCESS);
        kt_recovery_show(code, shown);
        ck_assert_int_eq(kt_recovery_read(shown, strlen(shown), read_back), KT_RECOVERY_CODE);
        ck_assert_str_eq(code, read_back);
        ck_assert_int_eq(kt_recovery_read(code, 27, read_back), KT_RECOVERY_TYPO);
        for (size_t i = 0; i < 28; i++) {
            const char was = code[i];

            code[i] = was == 'X' ? 'Y' : 'X';
            missed += kt_recovery_read(code, 28, read_back) == KT_RECOVERY_CODE ? 1 : 0;
            tried++;
            code[i] = was;
            if (i > 0 && code[i] != code[i - 1]) { /* two exchanged */
                code[i] = code[i - 1];
                code[i - 1] = was;
                missed += kt_recovery_read(code, 28, read_back) == KT_RECOVERY_CODE ? 1 : 0;
                tried++;
                code[i - 1] = code[i];
                code[i] = was;
            }
        }
    }
    ck_assert_msg(missed * 500 < tried, "%u of %u not noticed", missed, tried); /* 1 in 4096 */
    ck_assert_int_eq(kt_recovery_read("correct horse battery staple", 28, read_back),
                     KT_RECOVERY_NONE);
    ck_assert_int_eq(kt_recovery_read("", 0, read_back), KT_RECOVERY_NONE);
    ck_assert_int_eq(
        kt_recovery_read("AAAA-AAAA-AAAA-AAAA-AAAA-AAAA-AAAA-AAAA-AAAA", 44, read_back),
        KT_RECOVERY_NONE);
}
END_TEST

START_TEST(a_secret_of_another_service_is_added_and_opens)
{
    slots_put(&fs, "a", "1");
    slots_must("slot add", "secret=vault/store-key label=v");
    slots_list("slot 2: secret vault/store-key, made 20");
    slots_refused("slot add", "secret=vault/store-key", KT_EXISTS, "slot 2");
    slots_hide_key();
    filestore_must_get(&fs, "a", "1");

    slots_reopen(NULL);
    modhost_secret_set("vault/store-key", "another value, not that one", 27);
    ck_assert_int_eq(filestore_get(&fs, "a", NULL), KT_LOCKED);
    ck_assert_ptr_nonnull(strstr(fs.call.msg, "vault/store-key"));
    modhost_secret_set("vault/store-key", NULL, 0);
    modhost_call_reset(&fs.call);
    ck_assert_int_eq(fs.m->get(fs.state, &fs.call, "a", modhost_want(NULL)), KT_LOCKED);
    ck_assert_int_eq(fs.call.status, KT_LOCKED);
    ck_assert_ptr_nonnull(strstr(fs.call.msg, "no secret vault/store-key"));
}
END_TEST

START_TEST(a_secret_that_is_there_is_used)
{
    slots_put(&fs, "a", "1");
    modhost_secret_set("vault/short", "15 bytes, short", 15);
    slots_refused("slot add", "secret=vault/short", KT_INVALID, "too short");
    modhost_secret_set("vault/k", "\0these are \n 26 bytes, any\xff", 26);
    slots_must("slot add", "secret=vault/k");
    slots_refused("slot add", "secret=noslash", KT_INVALID, "SERVICE/NAME");
    slots_hide_key();
    filestore_must_get(&fs, "a", "1");
    modhost_secret_set("vault/k", NULL, 0);
    modhost_secret_set("vault/short", NULL, 0);
}
END_TEST

/* ---- rules ---------------------------------------------------------------------------------- */

START_TEST(the_last_slot_stays)
{
    char *other = kt_harness_path(fs.dir, "other.key");
    char *words;

    ck_assert_int_eq(slots_verb("slot list", NULL), KT_NOT_FOUND);
    slots_refused("slot add", "recovery", KT_NOT_FOUND, "never made");
    slots_put(&fs, "a", "1");
    ck_assert_int_ge(asprintf(&words, "keyfile=%s", other), 0);
    slots_refused("slot remove", "id=1", KT_INVALID, "slot add");
    slots_refused("slot remove", "id=1 no-recovery", KT_INVALID, "slot add");
    slots_refused("slot remove", "id=7", KT_NOT_FOUND, "slot 7");
    slots_refused("slot remove", NULL, KT_INVALID, "which one");
    slots_must("slot add", words);
    filestore_sql(&fs, "UPDATE slot SET label = 'forged' WHERE id = 2");
    slots_list("slot 2: key file (damaged)");
    slots_refused("slot remove", "id=1", KT_INVALID,
                  "slot add"); /* what is damaged opens nothing */
    slots_must("slot remove", "id=2");
    free(words);
    free(other);
}
END_TEST

START_TEST(secrets_alone_need_a_recovery_code_or_a_word)
{
    slots_put(&fs, "a", "1");
    slots_must("slot add", "secret=vault/one");
    slots_refused("slot remove", "id=1", KT_INVALID, "slot add recovery");
    ck_assert_ptr_nonnull(strstr(fs.call.msg, "no-recovery"));
    slots_must("slot add", "recovery");
    slots_must("slot remove", "id=1");
    slots_refused("slot remove", "id=3", KT_INVALID, "no-recovery");
    slots_must("slot remove", "id=3 no-recovery");
    slots_refused("slot add", "secret=vault/two", KT_INVALID, "no-recovery");
    slots_must("slot add", "secret=vault/two no-recovery");
    slots_refused("slot remove", "id=2", KT_INVALID, "no-recovery");
    slots_must("slot remove", "id=2 no-recovery");
    slots_refused("slot remove", "id=3 no-recovery", KT_INVALID, "nothing else");
    slots_reopen(NULL);
    filestore_must_get(&fs, "a", "1");
    modhost_secret_set("vault/one", NULL, 0);
    modhost_secret_set("vault/two", NULL, 0);
}
END_TEST

START_TEST(exactly_one_kind_is_added)
{
    slots_put(&fs, "a", "1");
    slots_refused("slot add", NULL, KT_INVALID, "expected one of");
    slots_refused("slot add", "label=x", KT_INVALID, "expected one of");
    slots_refused("slot add", "passphrase recovery", KT_INVALID, "expected one of");
    slots_refused("slot add", "secret=a/b keyfile=/x", KT_INVALID, "expected one of");
}
END_TEST

START_TEST(labels_are_short_text)
{
    static const char *const bad[] = {
        "label=bell\x07",
        "label=escape\x1b[2J",
        "label=latin\xe9",
        "label=cut\xc3",
        "label=c1\xc2\x85",
        "label=over\xc0\xaflong",
        "label=half\xed\xa0\x80",
        "label=turned\xe2\x80\xae",
        "label=0123456789012345678901234567890123456789012345678901234567890123x",
    };
    char words[200];

    slots_put(&fs, "a", "1");
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        (void)snprintf(words, sizeof(words), "recovery %s", bad[i]);
        slots_refused("slot add", words, KT_INVALID, "label");
        (void)snprintf(words, sizeof(words), "keyfile=%s/more.key %s", fs.dir, bad[i]);
        slots_refused("create", words, KT_INVALID, "label");
    }
    (void)snprintf(words, sizeof(words),
                   "keyfile=%s/more.key "
                   "label=0123456789012345678901234567890123456789012345678901234567890123",
                   fs.dir);
    slots_must("slot add", words);
    (void)snprintf(words, sizeof(words),
                   "keyfile=%s/two.key label=\xc3\xa9t\xc3\xa9\xf0\x9f\x94\x91", fs.dir);
    slots_must("slot add", words);
    slots_list("label \xc3\xa9t\xc3\xa9\xf0\x9f\x94\x91");
}
END_TEST

START_TEST(there_is_room_for_32)
{
    char words[200];

    slots_put(&fs, "a", "1");
    for (int i = 2; i <= KT_SLOTS_MAX; i++) {
        (void)snprintf(words, sizeof(words), "keyfile=%s/%d.key", fs.dir, i);
        slots_must("slot add", words);
    }
    slots_refused("slot add", "recovery", KT_INVALID, "32");
    slots_must("slot remove", "id=5");
    (void)snprintf(words, sizeof(words), "keyfile=%s/5.key", fs.dir);
    slots_must("slot add", words);
    slots_say("slot 33");
}
END_TEST

int main(void)
{
    Suite *s = suite_create("file-slots");
    TCase *tc = tcase_create("slots");

    tcase_add_checked_fixture(tc, slots_setup, slots_teardown);
    tcase_add_test(tc, a_passphrase_is_added_and_opens);
    tcase_add_test(tc, a_changed_passphrase_is_an_added_and_a_removed_slot);
    tcase_add_test(tc, a_key_file_is_added_and_opens);
    tcase_add_test(tc, a_key_file_that_is_there_is_added_as_it_is);
    tcase_add_test(tc, a_recovery_code_opens_however_it_is_typed);
    tcase_add_test(tc, a_passphrase_may_look_like_a_code);
    tcase_add_test(tc, codes_show_their_typing_errors);
    tcase_add_test(tc, a_secret_of_another_service_is_added_and_opens);
    tcase_add_test(tc, a_secret_that_is_there_is_used);
    tcase_add_test(tc, the_last_slot_stays);
    tcase_add_test(tc, secrets_alone_need_a_recovery_code_or_a_word);
    tcase_add_test(tc, exactly_one_kind_is_added);
    tcase_add_test(tc, labels_are_short_text);
    tcase_add_test(tc, there_is_room_for_32);
    suite_add_tcase(s, tc);
    return kt_harness_run(s);
}
