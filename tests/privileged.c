/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A setuid program's view, for test-privileged.sh: privileged WORD does one thing and prints the
 * status, the error's text, or the value.
 */

#include <keyturn/keyturn.h>

#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

/* Built with ASan: a leak checker cannot look into a setuid process, which cannot read options either. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "detect_leaks=0";
}

static int tell(int rc, const struct kt_err *err)
{
    printf("%s%s%s\n", kt_status_name(rc), rc != KT_SUCCESS ? ": " : "",
           rc != KT_SUCCESS ? err->msg : "");
    return kt_status_exit(rc);
}

static int open_with(struct kt_open_options *o)
{
    struct kt_handle *h = NULL;
    struct kt_err err;
    const int rc = kt_open("svc", o, &h, &err);

    kt_close(h);
    return tell(rc, &err);
}

static int get(const char *service, const char *name)
{
    struct kt_handle *h = NULL;
    struct kt_secret *s = NULL;
    struct kt_err err;
    int rc = kt_open(service, NULL, &h, &err);

    if (rc == KT_SUCCESS)
        rc = kt_get(h, name, NULL, &s, &err);
    kt_close(h);
    if (rc != KT_SUCCESS)
        return tell(rc, &err);
    printf("%s\n", (const char *)kt_secret_data(s));
    kt_secret_free(s);
    return 0;
}

static int run_verb(void)
{
    struct kt_err err;

    return tell(kt_module_run(NULL, NULL, "debug", "viable", 0, NULL, NULL, NULL, NULL, &err),
                &err);
}

int main(int argc, char **argv)
{
    struct kt_open_options o = { .size = sizeof o };
    const char *what = argc > 1 ? argv[1] : "";

    if (strcmp(what, "who") == 0)
        printf("secure=%lu uid=%d euid=%d\n", getauxval(AT_SECURE), (int)getuid(), (int)geteuid());
    else if (strcmp(what, "config_dir") == 0 && argc > 2)
        return o.config_dir = argv[2], open_with(&o);
    else if (strcmp(what, "module_dir") == 0 && argc > 2)
        return o.module_dir = argv[2], open_with(&o);
    else if (strcmp(what, "get") == 0 && argc > 3)
        return get(argv[2], argv[3]);
    else if (strcmp(what, "verb") == 0)
        return run_verb();
    else
        return 2;
    return 0;
}
