/* SPDX-License-Identifier: Apache-2.0 */
#include "copying.h"
#include "export.h"
#include "sealed.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int copy_all(const struct cli *cli, struct kt_handle *h, struct sealed *s,
                    const char *prefix)
{
    struct copying c = { .cli = cli,
                         .from = h,
                         .to = s->h,
                         .from_name = cli->service != NULL ? cli->service : "deepseek",
                         .to_name = s->archive,
                         .allow_weaker = true };
    bool whole;
    int rc = copying_begin(&c), written;

    if (rc == 0)
        rc = copying_all(&c, prefix);
    whole = rc == 0 && c.secrets.failed == 0;
    rc = copying_end(&c, rc);
    if (whole && c.secrets.copied + c.secrets.unchanged == 0)
        return fail_status(cli, KT_NOT_FOUND, NULL, "there is nothing to export; %s was not made",
                           s->archive);
    if (!whole)
        return fail_status(cli, KT_PARTIAL, NULL, "%s was not made", s->archive);
    written = sealed_write(s, args_value(cli, "force") != NULL);
    if (written == 0)
        (void)say_done(cli, s->archive, "written");
    return written != 0 ? written : rc;
}

/* Nobody types a passphrase for a file that is then not written. */
static int check_place(const struct cli *cli, const char *file)
{
    const char *slash = strrchr(file, '/');
    char dir[PATH_MAX];
    struct stat st;

    if (lstat(file, &st) == 0 && (args_value(cli, "force") == NULL || !S_ISREG(st.st_mode)))
        return fail_status(cli, KT_EXISTS, NULL,
                           S_ISREG(st.st_mode) ? "%s is there already; --force replaces it"
                                               : "%s is there, and is no regular file",
                           file);
    if (snprintf(dir, sizeof(dir), "%.*s", slash != NULL ? (int)(slash - file) + 1 : 1,
                 slash != NULL ? file : ".") >= (int)sizeof(dir))
        return fail_io(cli, file, ENAMETOOLONG);
    return access(dir, W_OK) == 0 ? 0 : fail_io(cli, file, errno);
}

int export_archive(const struct cli *cli, const char *file, const char *prefix)
{
    AUTO(session_closep) struct kt_handle *h = NULL;
    struct sealed s;
    int rc = check_place(cli, file);

    if (rc == 0)
        rc = session_open(cli, &h);
    if (rc != 0)
        return rc;
    rc = sealed_make(cli, file, &s);
    if (rc == 0)
        rc = copy_all(cli, h, &s, prefix);
    sealed_done(&s);
    return rc;
}
