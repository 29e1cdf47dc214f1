/* SPDX-License-Identifier: Apache-2.0 */

/*
 * keyring MODULE-DIR SERVICE NAME [BLOCKS]
 *
 * What kt_get() costs when the keyring module answers, beside libsecret's own simple look-up of the same
 * item, in turns: blocks of 50 of each, in one process, both connected. Then what a child hears, and when.
 */

#include <libsecret/secret.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <keyturn/keyturn.h>

#define BLOCK 50
#define BLOCKS_MAX 1000

static const SecretSchema schema = {
    .name = "org.freedesktop.Secret.Generic",
    .flags = SECRET_SCHEMA_DONT_MATCH_NAME, /* as secret-tool asks */
    .attributes = { { "service", SECRET_SCHEMA_ATTRIBUTE_STRING },
                    { "name", SECRET_SCHEMA_ATTRIBUTE_STRING } },
};

static double now_us(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static int order(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* The @part of @n samples, which it sorts: 0.5 is the median. */
static double quantile(double *samples, size_t n, double part)
{
    qsort(samples, n, sizeof(*samples), order);
    return samples[(size_t)((double)(n - 1) * part)];
}

static void ours(struct kt_handle *h, const char *name)
{
    struct kt_secret *s = NULL;
    struct kt_err err;

    if (kt_get(h, name, NULL, &s, &err) != KT_SUCCESS) {
        fprintf(stderr, "keyring: %s\n", err.msg);
        exit(EXIT_FAILURE);
    }
    kt_secret_free(s);
}

static void theirs(const char *service, const char *name)
{
    GError *error = NULL;
    gchar *value = secret_password_lookup_sync(&schema, NULL, &error, "service", service, "name",
                                               name, NULL);

    if (value == NULL) {
        fprintf(stderr, "keyring: libsecret: %s\n",
                error != NULL ? error->message : "no such item");
        exit(EXIT_FAILURE);
    }
    secret_password_free(value);
}

static double block_of_ours(struct kt_handle *h, const char *name)
{
    double samples[BLOCK];

    for (size_t i = 0; i < BLOCK; i++) {
        const double began = now_us();
        ours(h, name);
        samples[i] = now_us() - began;
    }
    return quantile(samples, BLOCK, 0.5);
}

static double block_of_theirs(const char *service, const char *name)
{
    double samples[BLOCK];

    for (size_t i = 0; i < BLOCK; i++) {
        const double began = now_us();
        theirs(service, name);
        samples[i] = now_us() - began;
    }
    return quantile(samples, BLOCK, 0.5);
}

static void in_turns(struct kt_handle *h, const char *service, const char *name, size_t blocks)
{
    static double module[BLOCKS_MAX], bare[BLOCKS_MAX], ratio[BLOCKS_MAX];

    ours(h, name); /* both connect */
    theirs(service, name);
    for (size_t i = 0; i < blocks; i++) {
        /* who is first takes turns, too */
        if (i % 2 == 0)
            module[i] = block_of_ours(h, name);
        bare[i] = block_of_theirs(service, name);
        if (i % 2 != 0)
            module[i] = block_of_ours(h, name);
        ratio[i] = module[i] / bare[i];
    }
    printf("kt_get, connected     %7.0f us  (p25 %.0f, p75 %.0f)\n", quantile(module, blocks, 0.5),
           quantile(module, blocks, 0.25), quantile(module, blocks, 0.75));
    printf("libsecret's look-up   %7.0f us  (p25 %.0f, p75 %.0f)\n", quantile(bare, blocks, 0.5),
           quantile(bare, blocks, 0.25), quantile(bare, blocks, 0.75));
    printf("ratio                 %7.2f     (p25 %.2f, p75 %.2f; wanted: at most 1.20)\n",
           quantile(ratio, blocks, 0.5), quantile(ratio, blocks, 0.25),
           quantile(ratio, blocks, 0.75));
}

static int after_fork(struct kt_handle *h, const char *name)
{
    const pid_t pid = fork();
    int status = 0;

    if (pid == 0) {
        struct kt_secret *s = NULL;
        struct kt_err err;
        const double began = now_us();
        const int rc = kt_get(h, name, NULL, &s, &err);

        printf("a child after a read: %s after %.2f ms   (wanted: unavailable, under 50)\n",
               kt_status_name(rc), (now_us() - began) / 1e3);
        (void)fflush(stdout);
        _exit(rc == KT_UNAVAILABLE ? 0 : 1);
    }
    return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
    const size_t blocks = argc == 5 ? strtoull(argv[4], NULL, 10) : 60;
    struct kt_handle *h = NULL;
    struct kt_err err;

    if (argc < 4 || argc > 5 || blocks < 1 || blocks > BLOCKS_MAX) {
        fprintf(stderr, "usage: keyring MODULE-DIR SERVICE NAME [BLOCKS]\n");
        return 2;
    }
    const struct kt_open_options options = { .size = sizeof(options), .module_dir = argv[1] };
    if (kt_open(argv[2], &options, &h, &err) != KT_SUCCESS) {
        fprintf(stderr, "keyring: %s\n", err.msg);
        return EXIT_FAILURE;
    }
    in_turns(h, argv[2], argv[3], blocks);
    (void)fflush(stdout);
    const int rc = after_fork(h, argv[3]);
    kt_close(h);
    return rc;
}
