/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What does keyturn say? Reads service names from standard input, gets the secret "n" from each by
 * kt_get() and by kt_trace(), and prints a line each, tabs between:
 *
 *   NAME STATUS VALUE FILE:LINE MODULE TRACE-STATUS STEP STEP …
 *   NAME open STATUS MESSAGE                      where the service does not open
 *
 * with STEP as FILE:LINE,LEVEL,MODULE,RAW,STATUS,ACTION,IMPRESSION,STATE; "-" is no value, place, module.
 *
 *   subject MODULEDIR CONFDIR < names
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <keyturn/keyturn.h>

static const char *base(const char *path)
{
    const char *slash = path == NULL ? NULL : strrchr(path, '/');

    return path == NULL ? "-" : slash == NULL ? path : slash + 1;
}

static void tell(void *cookie, const struct kt_step *s)
{
    (void)fprintf(cookie, "\t%s:%u,%u,%s,%s,%s,%s,%s,%s", base(s->file), s->line, s->level,
                  s->module == NULL ? "-" : s->module, s->raw < 0 ? "-" : kt_status_name(s->raw),
                  kt_status_name(s->status), s->action, s->impression, kt_status_name(s->state));
}

static void ask(const struct kt_open_options *options, const char *name)
{
    struct kt_handle *h = NULL;
    struct kt_secret *value = NULL;
    struct kt_err err = { 0 };
    int rc = kt_open(name, options, &h, &err);

    if (rc != KT_SUCCESS) {
        printf("%s\topen\t%s\t%s\n", name, kt_status_name(rc), err.msg);
        return;
    }
    rc = kt_get(h, "n", NULL, &value, &err);
    printf("%s\t%s", name, kt_status_name(rc));
    if (rc == KT_SUCCESS) {
        const struct kt_info *info = kt_secret_info(value);

        printf("\t%.*s\t%s:%u\t%s", (int)kt_secret_len(value), (const char *)kt_secret_data(value),
               base(info->file), info->line, info->module);
    } else {
        printf("\t-\t-\t-");
    }
    kt_secret_free(value);

    /* The steps come before the answer: they are kept until it is known. */
    char *steps = NULL;
    size_t len = 0;
    FILE *kept = open_memstream(&steps, &len);

    if (kept != NULL) {
        rc = kt_trace(h, "n", NULL, tell, kept, NULL, &err);
        (void)fclose(kept);
        printf("\t%s%s", kt_status_name(rc), steps);
        free(steps);
    }
    printf("\n");
    kt_close(h);
}

int main(int argc, char **argv)
{
    char name[256];

    if (argc != 3) {
        (void)fprintf(stderr, "usage: %s MODULEDIR CONFDIR < names\n", argv[0]);
        return 2;
    }
    const struct kt_open_options options = { .size = sizeof(options),
                                             .config_dir = argv[2],
                                             .module_dir = argv[1] };

    while (fgets(name, sizeof(name), stdin) != NULL) {
        name[strcspn(name, "\n")] = '\0';
        ask(&options, name);
    }
    return 0;
}
