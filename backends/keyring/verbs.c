/* SPDX-License-Identifier: Apache-2.0 */
#include "link.h"
#include "master.h"
#include "place.h"
#include "scan.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- unlock ---------------------------------------------------------------------------------- */

/* Nobody has refused: nobody could be asked. */
static int nobody_asked(struct kt_op *op)
{
    return op->host->fail(op->call, KT_UNSUPPORTED,
                          "keyring: the service unlocks '%.100s' only by its own prompt, and "
                          "nobody may be asked here: unlock it on the desktop, or, for GNOME "
                          "Keyring, say allow-master-password on the line and run 'keyturn "
                          "unlock' on a terminal",
                          op->line->collection);
}

static int unlock_body(struct kt_op *op, void *arg)
{
    bool locked = true;
    int rc = kt_place_locked(op, &locked);

    (void)arg;
    if (rc != KT_SUCCESS)
        return rc;
    if (!locked) {
        op->host->print(op->call, "keyring '%s' is not locked", op->line->collection);
        return KT_SUCCESS;
    }
    rc = kt_place_open(op);
    if (rc == KT_LOCKED && !op->host->may_prompt(op->call))
        return nobody_asked(op);
    if (rc == KT_SUCCESS)
        op->host->print(op->call, "keyring '%s' is unlocked", op->line->collection);
    return rc;
}

static int unlock(void *state, struct kt_call *call, const struct kt_arg *args, size_t nargs)
{
    (void)args;
    (void)nargs;
    return kt_op_run(state, call, unlock_body, NULL);
}

/* ---- viable ---------------------------------------------------------------------------------- */

static void print_owner(struct kt_op *op)
{
    char link[40], exe[PATH_MAX] = "";
    struct kt_reply reply;
    guint32 pid = 0;
    ssize_t n;

    if (kt_op_ask(op, KT_BUS, "GetConnectionUnixProcessID", g_variant_new("(s)", op->owner), "(u)",
                  &reply) == KT_SUCCESS) {
        g_variant_get(reply.body, "(u)", &pid);
        kt_reply_done(&reply);
    }
    (void)snprintf(link, sizeof(link), "/proc/%u/exe", pid);
    n = readlink(link, exe, sizeof(exe) - 1);
    exe[n > 0 ? n : 0] = '\0';
    op->host->print(op->call, "service: %s is %s, process %u (%s)", KT_SECRETS, op->owner, pid,
                    n > 0 ? exe : "its program cannot be seen");
}

static int look_body(struct kt_op *op, void *arg)
{
    char *path = NULL;
    bool locked = true;
    int rc;

    (void)arg;
    op->host->print(op->call, "bus: %s", op->link->address);
    print_owner(op);
    rc = kt_place_find(op, &path);
    if (rc == KT_SUCCESS)
        rc = kt_place_locked(op, &locked);
    if (rc == KT_SUCCESS)
        op->host->print(op->call, "keyring '%s': %s, %s", op->line->collection, path,
                        locked ? "locked" : "not locked");
    g_free(path);
    if (rc == KT_SUCCESS && locked)
        return kt_place_closed(op);
    return rc;
}

/* Where GNOME Keyring has its files; NULL: nowhere. */
static char *keyrings(void)
{
    const char *data = getenv("XDG_DATA_HOME"), *home = getenv("HOME");

    if (data != NULL && data[0] == '/')
        return g_strdup_printf("%s/keyrings", data);
    return home != NULL && home[0] == '/' ? g_strdup_printf("%s/.local/share/keyrings", home)
                                          : NULL;
}

static bool is_keyring(const char *name)
{
    const char *dot = strrchr(name, '.');

    return dot != NULL && dot != name && strcmp(dot, ".keyring") == 0;
}

/* The number of damaged files; each has its line. */
static unsigned scan_files(const struct kt_host *host, struct kt_call *call, const char *path)
{
    DIR *d = opendir(path);
    unsigned damaged = 0;
    const struct dirent *e;

    while (d != NULL && (e = readdir(d)) != NULL) {
        long line;

        if (!is_keyring(e->d_name))
            continue;
        line = kt_scan_file(dirfd(d), e->d_name);
        if (line > 0)
            host->print(call,
                        "%s/%.100s: line %ld is none that GNOME Keyring can read: a value with a "
                        "newline was stored; while the daemon still runs, store that value anew "
                        "without it, or all of this keyring is lost at the next start",
                        path, e->d_name, line);
        else if (line < 0)
            host->print(call, "%s/%.100s: cannot be read: %s", path, e->d_name, strerror(errno));
        damaged += line > 0;
    }
    if (d != NULL)
        (void)closedir(d);
    return damaged;
}

static int viable(void *state, struct kt_call *call, const struct kt_arg *args, size_t nargs)
{
    const struct kt_keyring *line = state;
    char *path = keyrings();
    const unsigned damaged = path != NULL ? scan_files(line->host, call, path) : 0;
    int rc = kt_op_run(state, call, look_body, NULL);

    (void)args;
    (void)nargs;
    g_free(path);
    if (rc == KT_SUCCESS && damaged > 0)
        return line->host->fail(call, KT_CORRUPT, "keyring: %u keyring file%s damaged, see above",
                                damaged, damaged == 1 ? " is" : "s are");
    return rc;
}

const struct kt_verb kt_keyring_verbs[] = {
    { "viable", "say whether the keyring can be used here, and what to do if not", NULL, viable },
    { "unlock", "unlock the keyring, by its own prompt or on the terminal", NULL, unlock },
    { .name = NULL },
};
