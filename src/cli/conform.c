/* SPDX-License-Identifier: Apache-2.0 */
#include "conform-battery.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define SERVICE "conform"
#define TIMEOUT_MS 10000
#define SCRIPT_TIMEOUT_MS 500 /* a script may say that nothing ever comes */

static const struct check *const batteries[] = { checks_basic,   checks_values,  checks_versions,
                                                 checks_cas,     checks_deletes, checks_cache,
                                                 checks_manners, checks_races };

static int fail(const struct conform_options *o, int status, const char *fmt, ...) KT_PRINTF(3, 4);

static int fail(const struct conform_options *o, int status, const char *fmt, ...)
{
    va_list ap;

    o->err->status = status;
    va_start(ap, fmt);
    (void)vsnprintf(o->err->msg, sizeof(o->err->msg), fmt, ap);
    va_end(ap);
    return status;
}

/* ---- what the module says of itself ---------------------------------------------------------- */

static void take_info(void *cookie, const struct kt_module_info *m)
{
    struct battery *b = cookie;

    if (m->status != KT_SUCCESS) {
        b->err.status = m->status;
        (void)snprintf(b->err.msg, sizeof(b->err.msg), "%s", m->problem);
        return;
    }
    b->err.status = KT_SUCCESS;
    b->caps = m->capabilities;
    b->value_min = m->value_min;
    b->value_max = m->value_max;
    b->name_max = m->name_max;
    (void)snprintf(b->cas, sizeof(b->cas), "%s", m->cas);
    (void)snprintf(b->protection, sizeof(b->protection), "%s", m->protection);
    (void)snprintf(b->role, sizeof(b->role), "%s", m->role);
    if (strcmp(m->kind, "backend") != 0)
        (void)bad(b, "its kind is '%s': the battery is for backends", m->kind);
    else if (m->value_max > KT_VALUE_MAX || m->value_min > m->value_max)
        (void)bad(b, "it takes values of %llu to %llu bytes: they have 0 to %d",
                  (unsigned long long)m->value_min, (unsigned long long)m->value_max, KT_VALUE_MAX);
    else if (m->name_max == 0)
        (void)bad(b, "it takes no name: name_max is 0");
    else if (strcmp(m->name, b->module) != 0)
        (void)bad(b, "it calls itself '%s'", m->name);
}

/* The first check is run by hand: the others hang on what it finds out. */
static enum conform_verdict look(struct battery *b)
{
    struct kt_err own;
    int rc;

    b->err.status = KT_NOT_FOUND;
    (void)snprintf(b->err.msg, sizeof(b->err.msg), "it is not installed");
    rc = kt_modules(b->module, &b->open, NULL, take_info, b, &own);
    if (rc != KT_SUCCESS)
        b->err = own;
    b->absent = b->err.status == KT_NOT_FOUND;
    if (b->err.status != KT_SUCCESS)
        return odd(b, "loading", b->err.status, KT_SUCCESS);
    if (b->why[0] != '\0')
        return CONFORM_FAILED;
    b->timeout_ms = TIMEOUT_MS;
    if ((b->caps & KT_CAP_SCRIPTED) != 0 || strcmp(b->role, "test") == 0) {
        b->kind = FOR_SCRIPT;
        b->timeout_ms = SCRIPT_TIMEOUT_MS;
    } else if (strcmp(b->role, "cache") == 0) {
        b->kind = FOR_CACHE;
    } else {
        b->kind = FOR_STORE | FOR_WRITER; /* until a put is refused */
    }
    return CONFORM_OK;
}

/* ---- a service of our own -------------------------------------------------------------------- */

static void put_line(FILE *f, const struct battery *b, const char *facility)
{
    (void)fprintf(f, "%s %s", facility, b->module);
    for (int i = 0; i < b->nargs; i++) {
        const char *arg = b->args[i];

        if (strpbrk(arg, " \t]") == NULL && arg[0] != '#' && arg[0] != '[') {
            (void)fprintf(f, " %s", arg);
            continue;
        }
        (void)fputs(" [", f);
        for (; *arg != '\0'; arg++)
            (void)fprintf(f, "%s%c", *arg == ']' ? "\\" : "", *arg);
        (void)fputc(']', f);
    }
    (void)fprintf(f, "%s\n", b->mapped ? " name=%n" : "");
}

static int write_service(struct battery *b, const char *path)
{
    FILE *f = fopen(path, "wxe");

    if (f == NULL)
        return -1;
    (void)fchmod(fileno(f), 0600);
    put_line(f, b, b->below != NULL ? "read front" : "read required");
    if (b->below != NULL)
        (void)fprintf(f, "read required debug %s\n", b->below);
    else
        put_line(f, b, "write required");
    if (b->beside != NULL)
        (void)fprintf(f, "write required debug %s\n", b->beside);
    return fclose(f);
}

/* The file is gone before the module is loaded: if that kills us, nothing is left behind. */
bool battery_open(struct battery *b)
{
    const char *tmp = getenv("TMPDIR");
    char dir[128], path[sizeof(dir) + sizeof(SERVICE) + 1];
    int rc = KT_UNAVAILABLE;

    kt_close(b->h);
    b->h = NULL;
    if (tmp == NULL || tmp[0] != '/' || strlen(tmp) > sizeof(dir) - 32)
        tmp = "/tmp";
    (void)snprintf(dir, sizeof(dir), "%s/keyturn-conform.XXXXXX", tmp);
    if (mkdtemp(dir) == NULL) {
        (void)bad(b, "'%s': %s", tmp, strerror(errno));
        return false;
    }
    (void)snprintf(path, sizeof(path), "%s/" SERVICE, dir);
    if (write_service(b, path) != 0) {
        (void)bad(b, "'%s': %s", path, strerror(errno));
    } else {
        b->open.config_dir = dir;
        rc = kt_open(SERVICE, &b->open, &b->h, &b->err);
        b->open.config_dir = NULL;
        if (rc != KT_SUCCESS)
            (void)odd(b, "open", rc, KT_SUCCESS);
    }
    (void)unlink(path);
    (void)rmdir(dir);
    b->over = rc != KT_SUCCESS;
    return rc == KT_SUCCESS;
}

bool battery_serve(struct battery *b, const char *below)
{
    b->below = below;
    return battery_open(b);
}

/* ---- one check after the other --------------------------------------------------------------- */

static void run_check(struct battery *b, const struct check *c, bool *failed)
{
    enum conform_verdict verdict;

    b->why[0] = '\0';
    b->o->begin(b->o->cookie, c->title);
    if (b->over) {
        verdict = skip(b, "not run after what went wrong before");
    } else if ((b->caps & c->caps) != c->caps) {
        verdict = skip(b, "not among the module's capabilities");
    } else {
        verdict = c->run(b);
    }
    if (b->absent)
        return; /* that is nothing it did wrong */
    if (verdict == CONFORM_OK)
        b->why[0] = '\0';
    *failed = *failed || verdict == CONFORM_FAILED;
    b->o->end(b->o->cookie, c->title, verdict, b->why);
}

static bool run_all(struct battery *b)
{
    static const struct check first = { "it loads, and what it says of itself is in order", FOR_ALL,
                                        0, look };
    bool failed = false;

    run_check(b, &first, &failed);
    for (size_t i = 0; i < sizeof(batteries) / sizeof(batteries[0]); i++)
        for (const struct check *c = batteries[i]; c->title != NULL; c++)
            if ((b->kind & c->kind) != 0)
                run_check(b, c, &failed);
    return !failed;
}

int conform_run(const char *module, int nargs, const char *const *args,
                const struct conform_options *o)
{
    struct battery b = {
        .o = o, .module = module, .nargs = nargs, .args = args, .timeout_ms = TIMEOUT_MS
    };
    uint32_t tag;
    bool passed;

    if (getrandom(&tag, sizeof(tag), 0) != sizeof(tag))
        return fail(o, KT_UNAVAILABLE, "getrandom: %s", strerror(errno));
    (void)snprintf(b.tag, sizeof(b.tag), "%08X", tag);
    b.open = (struct kt_open_options){ .size = sizeof(b.open), .module_dir = o->module_dir };
    b.before = manners_new();
    if (b.before == NULL)
        return fail(o, KT_NO_MEMORY, "out of memory");
    passed = run_all(&b);
    manners_free(b.before);
    kt_close(b.h);
    if (b.absent)
        return fail(o, KT_NOT_FOUND, "%s", b.err.msg);
    return passed ? KT_SUCCESS
                  : fail(o, KT_MODULE_ERROR, "'%s' does not keep its contract", module);
}
