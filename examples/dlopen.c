/* SPDX-License-Identifier: Apache-2.0 */

/*
 * dlopen: a program that runs with or without keyturn on the machine. It does not link libkeyturn: it
 * opens it, looks up one symbol, and prints the value of NAME. LIBRARY says where it is, if it is not
 * where the system looks.
 *
 *     cc -o dlopen dlopen.c $(pkg-config --cflags keyturn)
 *     ./dlopen [LIBRARY] deepseek/api-key
 */

#include <dlfcn.h>
#include <stdio.h>

#include <keyturn/keyturn.h>

static const struct kt_api *load(const char *library)
{
    const struct kt_api *(*get)(uint32_t) = NULL;
    const struct kt_api *kt;
    void *lib = dlopen(library, RTLD_NOW | RTLD_LOCAL);

    if (!lib) {
        fprintf(stderr, "dlopen: %s\n", dlerror());
        return NULL;
    }
    *(void **)&get = dlsym(lib, "kt_api_get");
    kt = get ? get(KT_API_VERSION) : NULL;
    if (!kt)
        fprintf(stderr, "dlopen: this libkeyturn has no API version %d\n", KT_API_VERSION);
    return kt;
}

int main(int argc, char **argv)
{
    const struct kt_api *kt;
    struct kt_handle *h;
    struct kt_secret *s;
    struct kt_err err;
    int rc;

    if (argc != 2 && argc != 3) {
        fprintf(stderr, "usage: dlopen [LIBRARY] NAME\n");
        return 2;
    }
    kt = load(argc == 3 ? argv[1] : "libkeyturn.so.0");
    if (!kt)
        return 1;
    rc = kt->open("deepseek", NULL, &h, &err);
    if (rc == KT_SUCCESS) {
        rc = kt->get(h, argv[argc - 1], NULL, &s, &err);
        if (rc == KT_SUCCESS) {
            /* Unbuffered: stdio would keep a copy of the value that nobody wipes. */
            setvbuf(stdout, NULL, _IONBF, 0);
            fwrite(kt->secret_data(s), 1, kt->secret_len(s), stdout);
            putchar('\n');
            kt->secret_free(s);
        }
        kt->close(h);
    }
    if (rc != KT_SUCCESS)
        fprintf(stderr, "dlopen: %s\n", err.msg);
    return kt->status_exit(rc);
}
