/* SPDX-License-Identifier: Apache-2.0 */
#include "copying.h"
#include "import-source.h"
#include "sealed.h"

static int copy_from(const struct cli *cli, struct sealed *s, const char *path)
{
    AUTO(session_closep) struct kt_handle *h = NULL;
    struct copying c = { .cli = cli,
                         .from_name = path,
                         .to_name = cli->service != NULL ? cli->service : "deepseek",
                         .from = s->h,
                         .dry = args_value(cli, "dry-run") != NULL,
                         .replace = args_value(cli, "replace") != NULL,
                         .allow_weaker = true };
    const char *only;
    size_t from = 0;
    int rc = session_open(cli, &h);

    if (rc != 0)
        return rc;
    c.to = h;
    rc = copying_begin(&c);
    if (rc == 0 && args_value(cli, "only") == NULL)
        rc = copying_all(&c, NULL);
    while (rc == 0 && (only = args_next(cli, "only", &from)) != NULL)
        rc = copying_one(&c, only);
    return copying_end(&c, rc);
}

int import_archive(const struct cli *cli, const char *path)
{
    struct sealed s;
    int rc;

    if (args_value(cli, "prefix") != NULL || args_value(cli, "map") != NULL)
        return fail_usage(cli,
                          "import: an archive's secrets keep their names: no --prefix, no --map");
    rc = sealed_read(cli, path, &s);
    if (rc == 0)
        rc = copy_from(cli, &s, path);
    sealed_done(&s);
    return rc;
}
