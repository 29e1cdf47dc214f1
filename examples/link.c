/* SPDX-License-Identifier: Apache-2.0 */

/*
 * link: a program that links libkeyturn. `get NAME` prints the value of a secret; `set NAME` stores
 * standard input as a new version of it and prints the version's id.
 *
 *     cc -o link link.c $(pkg-config --cflags --libs keyturn)
 *     printf sk-example | ./link set deepseek/api-key
 *     ./link get deepseek/api-key
 */

#include <stdio.h>
#include <string.h>

#include <keyturn/keyturn.h>

static int fail(const struct kt_err *err)
{
    fprintf(stderr, "link: %s\n", err->msg);
    return kt_status_exit(err->status);
}

static int get(struct kt_handle *h, const char *name)
{
    struct kt_secret *s;
    struct kt_err err;
    size_t len;
    int rc = 0;

    if (kt_get(h, name, NULL, &s, &err) != KT_SUCCESS)
        return fail(&err);
    len = kt_secret_len(s);
    /* Unbuffered: stdio would keep a copy of the value that nobody wipes. */
    setvbuf(stdout, NULL, _IONBF, 0);
    if (fwrite(kt_secret_data(s), 1, len, stdout) != len)
        rc = 1;
    kt_secret_free(s);
    return rc;
}

static int set(struct kt_handle *h, const char *name)
{
    static char value[KT_VALUE_MAX + 1];
    char id[KT_ID_SIZE];
    struct kt_err err;
    size_t len;
    int rc;

    setvbuf(stdin, NULL, _IONBF, 0);
    len = fread(value, 1, sizeof(value), stdin);
    rc = kt_put(h, name, value, len, NULL, id, &err);
    explicit_bzero(value, sizeof(value));
    if (rc != KT_SUCCESS)
        return fail(&err);
    printf("%s\n", id);
    return 0;
}

int main(int argc, char **argv)
{
    struct kt_handle *h;
    struct kt_err err;
    int rc;

    if (argc != 3 || (strcmp(argv[1], "get") != 0 && strcmp(argv[1], "set") != 0)) {
        fprintf(stderr, "usage: link get|set NAME\n");
        return 2;
    }
    if (kt_open("deepseek", NULL, &h, &err) != KT_SUCCESS)
        return fail(&err);
    rc = argv[1][0] == 'g' ? get(h, argv[2]) : set(h, argv[2]);
    kt_close(h);
    return rc;
}
