/* SPDX-License-Identifier: Apache-2.0 */

/*
 * For the tests of `keyturn copy`: fills a service with secrets, and tells all that it has.
 *
 *     copy-store fill SERVICE FIRST LAST VERSIONS    secrets some/NNNNN, values of any bytes
 *     copy-store dump SERVICE                        a line a version, in order; values as a hash
 *     copy-store ids SERVICE                         the same, as far as it is bare: NAME ID STAGES
 */
#include <keyturn/keyturn.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static _Noreturn void die(const char *what, const struct kt_err *err)
{
    (void)fprintf(stderr, "copy-store: %s: %s\n", what, err != NULL ? err->msg : "failed");
    exit(1);
}

static struct kt_handle *open_service(const char *name)
{
    const struct kt_open_options options = {
        .size = sizeof(options),
        .module_dir = getenv("KEYTURN_TEST_MODULES"),
    };
    struct kt_handle *h = NULL;
    struct kt_err err = { 0 };

    if (kt_open(name, &options, &h, &err) != KT_SUCCESS)
        die(name, &err);
    return h;
}

/* Each version has its own length, NUL bytes and all; some have none at all. */
static size_t make_value(unsigned secret, unsigned version, unsigned char *out)
{
    const size_t len = (secret * 7 + version * 13) % 97;
    uint64_t x = secret * 1000003U + version + 1;

    for (size_t i = 0; i < len; i++) {
        x = x * 6364136223846793005U + 1442695040888963407U;
        out[i] = (unsigned char)(x >> 56);
    }
    return len;
}

static void fill(struct kt_handle *h, unsigned first, unsigned last, unsigned versions)
{
    for (unsigned s = first; s <= last; s++) {
        for (unsigned v = 0; v < versions; v++) {
            const struct kt_attr attrs[] = { { "account", s % 2 == 0 ? "main" : "h\xc3\xb6he" },
                                             { "number", v % 2 == 0 ? "even" : "odd" } };
            const struct kt_put_options o = {
                .size = sizeof(o),
                .timeout_ms = 60000,
                /* the last of every third waits for its promotion */
                .stage = s % 3 == 0 && v > 0 && v + 1 == versions ? "pending" : "current",
                .attrs = attrs,
                .nattrs = s % 4,
                .expires_ms = s % 5 == 0 ? 4102444800123 + v : 0,
                .not_before_ms = s % 7 == 0 ? 1000000000000 : 0,
            };
            unsigned char value[128];
            char name[32];
            struct kt_err err = { 0 };
            struct kt_put_options own = o;

            own.nattrs = own.nattrs > 2 ? 2 : own.nattrs;
            (void)snprintf(name, sizeof(name), "some/%05u", s);
            if (kt_put(h, name, value, make_value(s, v, value), &own, NULL, &err) != KT_SUCCESS)
                die(name, &err);
        }
    }
}

static uint64_t hash(const struct kt_secret *s)
{
    const unsigned char *p = kt_secret_data(s);
    uint64_t h = 0xcbf29ce484222325U;

    for (size_t i = 0; i < kt_secret_len(s); i++)
        h = (h ^ p[i]) * 0x100000001b3U;
    return h;
}

static int by_key(const void *a, const void *b)
{
    return strcmp(((const struct kt_attr *)a)->key, ((const struct kt_attr *)b)->key);
}

static void dump_value(struct kt_handle *h, const char *name, const struct kt_info *info)
{
    const struct kt_get_options o = { .size = sizeof(o), .timeout_ms = 60000, .version = info->id };
    struct kt_attr attrs[KT_ATTRS_MAX];
    struct kt_secret *s = NULL;
    struct kt_err err = { 0 };

    if (kt_get(h, name, &o, &s, &err) != KT_SUCCESS)
        die(name, &err);
    const struct kt_info *full = kt_secret_info(s);
    for (size_t i = 0; i < full->nattrs; i++)
        attrs[i] = full->attrs[i];
    qsort(attrs, full->nattrs, sizeof(attrs[0]), by_key);
    (void)printf(" %" PRId64 " %" PRId64 " %" PRId64 " %zu:%016" PRIx64, full->created_ms,
                 full->expires_ms, full->not_before_ms, kt_secret_len(s), hash(s));
    for (size_t i = 0; i < full->nattrs; i++)
        (void)printf(" %s=%s", attrs[i].key, attrs[i].value);
    kt_secret_free(s);
}

static void dump(struct kt_handle *h, bool whole)
{
    const struct kt_call_options o = { .size = sizeof(o), .timeout_ms = 600000 };
    struct kt_list *names = NULL, *versions;
    struct kt_err err = { 0 };
    const struct kt_item *item, *v;

    if (kt_list(h, NULL, &o, &names, &err) != KT_SUCCESS)
        die("list", &err);
    for (size_t i = 0; (item = kt_list_item(names, i)) != NULL; i++) {
        if (kt_versions(h, item->name, &o, &versions, &err) != KT_SUCCESS)
            die(item->name, &err);
        for (size_t k = 0; (v = kt_list_item(versions, k)) != NULL; k++) {
            (void)printf("%s %s %u %u", item->name, v->info.id, v->info.stages, v->info.state);
            if (whole)
                dump_value(h, item->name, &v->info);
            (void)printf("\n");
        }
        kt_list_free(versions);
    }
    kt_list_free(names);
}

int main(int argc, char **argv)
{
    struct kt_handle *h;

    if (argc < 3)
        die("usage", NULL);
    h = open_service(argv[2]);
    if (strcmp(argv[1], "fill") == 0 && argc == 6)
        fill(h, (unsigned)strtoul(argv[3], NULL, 10), (unsigned)strtoul(argv[4], NULL, 10),
             (unsigned)strtoul(argv[5], NULL, 10));
    else if (argc == 3)
        dump(h, strcmp(argv[1], "dump") == 0);
    else
        die("usage", NULL);
    kt_close(h);
    return 0;
}
