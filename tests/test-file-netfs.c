/* SPDX-License-Identifier: Apache-2.0 */

/* A store on a network file system is refused: this program answers statfs() in libc's place. */

#include "filestore.h"

#include <string.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

static unsigned long answer; /* 0: the truth */

__attribute__((visibility("default"))) int statfs(const char *path, struct statfs *out)
{
    const int rc = (int)syscall(SYS_statfs, path, out);

    if (rc == 0 && answer != 0)
        out->f_type = (__typeof__(out->f_type))answer;
    return rc;
}

static struct filestore fs;

static void setup(void)
{
    answer = 0;
    filestore_open(&fs, NULL);
}

static void teardown(void)
{
    filestore_close(&fs);
    ck_assert_uint_eq(modhost_live(), 0);
}

static const struct {
    unsigned long magic;
    const char *name;
} refused[] = {
    { 0x6969, "(nfs)" },    { 0xff534d42, "(cifs)" }, { 0xfe534d42, "(smb2)" },
    { 0x01021997, "(9p)" }, { 0x00c36400, "(ceph)" },
};

START_TEST(a_store_that_others_share_is_not_opened)
{
    ck_assert_int_eq(filestore_put(&fs, "a", "value", (char[KT_ID_SIZE]){ "" }, NULL), KT_SUCCESS);
    fs.m->close(fs.state);
    filestore_reopen(&fs, NULL);
    answer = refused[_i].magic;
    ck_assert_int_eq(filestore_get(&fs, "a", NULL), KT_UNSUPPORTED);
    ck_assert_ptr_nonnull(strstr(fs.call.msg, refused[_i].name));
    ck_assert_int_eq(filestore_put(&fs, "a", "other", (char[KT_ID_SIZE]){ "" }, NULL),
                     KT_UNSUPPORTED);
    answer = 0;
    filestore_must_get(&fs, "a", "value");
}
END_TEST

START_TEST(none_is_made_there)
{
    answer = refused[_i].magic;
    ck_assert_int_eq(filestore_put(&fs, "a", "value", (char[KT_ID_SIZE]){ "" }, NULL),
                     KT_UNSUPPORTED);
    ck_assert_int_ne(access(fs.path, F_OK), 0);
    ck_assert_int_ne(access(fs.key, F_OK), 0);
}
END_TEST

/* FUSE serves both: what it is stands in the table of mounts, where this directory is none of it. */
START_TEST(fuse_alone_is_no_reason)
{
    answer = 0x65735546;
    ck_assert_int_eq(filestore_put(&fs, "a", "value", (char[KT_ID_SIZE]){ "" }, NULL), KT_SUCCESS);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("file-netfs");
    TCase *tc = tcase_create("netfs");
    const int n = sizeof(refused) / sizeof(refused[0]);

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_loop_test(tc, a_store_that_others_share_is_not_opened, 0, n);
    tcase_add_loop_test(tc, none_is_made_there, 0, n);
    tcase_add_test(tc, fuse_alone_is_no_reason);
    suite_add_tcase(s, tc);
    return kt_harness_run(s);
}
