/* SPDX-License-Identifier: Apache-2.0 */
#include "tool-check.h"
#include "tools.h"

#include <stdio.h>

/* What is left of the deadline is somebody else's affair; these are about what opens the store. */
static bool is_about_keys(int rc)
{
    switch (rc) {
    case KT_CANCELLED:
    case KT_TIMEOUT:
    case KT_BUSY:
    case KT_NO_MEMORY:
    case KT_SUCCESS:
        return false;
    default:
        return true;
    }
}

static void print_faults(struct kt_check *c)
{
    c->faults += kt_check_print(c);
}

/* Found on the way in: what it is about has been told, unless only opening could tell. */
static void take_corrupt(struct kt_check *c, const struct kt_fault *f)
{
    if (c->faults > 0)
        return;
    kt_check_damage(c, "%.350s", f->msg);
    print_faults(c);
}

/*
 * Everything that can be looked at; @keys is why nothing could be opened, or KT_SUCCESS. Returns what
 * ended the check early.
 */
static int check_all(struct kt_check *c, struct kt_fault *keys, struct kt_fault *f)
{
    int rc;

    print_faults(c);
    rc = kt_check_look(c, kt_check_base, f);
    if (rc == KT_CORRUPT)
        kt_check_damage(c, "%.350s", f->msg);
    else if (rc != KT_SUCCESS)
        return rc;
    print_faults(c);
    rc = kt_check_open(c, kt_check_datakeys, f);
    if (rc == KT_CORRUPT)
        take_corrupt(c, f);
    else if (is_about_keys(rc))
        *keys = *f;
    else if (rc != KT_SUCCESS)
        return rc;
    c->opened = rc == KT_SUCCESS;
    print_faults(c);
    rc = kt_check_rows(c, c->opened, f);
    if (rc == KT_CORRUPT)
        take_corrupt(c, f);
    else if (rc != KT_SUCCESS)
        return rc;
    if (c->replaced && c->damaged + c->faults == 0 &&
        kt_check_look(c, kt_check_unused, f) != KT_SUCCESS)
        kt_check_forget(c); /* a note, no more */
    kt_check_place(c);
    print_faults(c);
    return KT_SUCCESS;
}

static void print_sum(struct kt_check *c)
{
    char damage[100] = "sound";

    if (c->damaged > 0 && c->faults > 0)
        (void)snprintf(damage, sizeof(damage), "%llu damaged, and the store itself",
                       (unsigned long long)c->damaged);
    else if (c->damaged > 0)
        (void)snprintf(damage, sizeof(damage), "%llu damaged", (unsigned long long)c->damaged);
    else if (c->faults > 0)
        (void)snprintf(damage, sizeof(damage), "the store itself is damaged");
    else if (!c->opened)
        (void)snprintf(damage, sizeof(damage), "nothing is wrong as far as one can see");
    c->host->print(c->call, "checked %llu secrets, %llu versions%s: %s",
                   (unsigned long long)c->secrets, (unsigned long long)c->versions,
                   c->opened ? "" : " without opening them", damage);
}

/* A header that says another format than the store's own row, which is whole, is damaged. */
static int believe_row(struct kt_session *s, void *check)
{
    int64_t format;

    (void)check;
    return kt_conn_store_row(s->conn, &format) ? KT_SUCCESS : KT_UNSUPPORTED;
}

/* Is there a store that this keyturn can check, however damaged? */
static int begin(struct kt_check *c, struct kt_fault *f)
{
    struct kt_fault ignored;
    int rc = kt_store_try(c->store, c->call, KT_LOOK, kt_store_nothing, NULL, f);

    if (rc == KT_CORRUPT ||
        (rc == KT_UNSUPPORTED && kt_check_look(c, believe_row, &ignored) == KT_SUCCESS))
        rc = KT_SUCCESS;
    return rc;
}

KT_TOOL(kt_file_check)
{
    const struct kt_line_state *line = state;
    struct kt_check c = { .host = line->host,
                          .store = line->store,
                          .call = call,
                          .cancel_fd = line->host->cancel_fd(call) };
    struct kt_fault keys = { .status = KT_SUCCESS };
    struct kt_fault f = { .status = KT_SUCCESS };
    int rc;

    (void)args;
    (void)nargs;
    /* before SQLite sees it: whoever is the last to close the store throws the log away */
    kt_check_log(&c);
    rc = begin(&c, &f);
    if (rc == KT_SUCCESS)
        rc = check_all(&c, &keys, &f);
    if (rc != KT_SUCCESS) {
        kt_check_forget(&c);
        return kt_store_tell(line->host, call, &f);
    }
    print_sum(&c);
    if (c.damaged > 0 || c.faults > 0)
        return line->host->fail(call, KT_CORRUPT,
                                "file: %s is damaged, see above; restore it from a backup",
                                line->store->path);
    return keys.status == KT_SUCCESS ? KT_SUCCESS : kt_store_tell(line->host, call, &keys);
}
