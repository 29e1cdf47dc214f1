/* SPDX-License-Identifier: Apache-2.0 */
#include "item.h"

#include "text.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define USER "keyturn:attr:"

/* KeePassXC shows an entry's fields as attributes, and does not let them be set as such. */
static bool is_field(const char *key)
{
    static const char *const fields[] = { "Notes", "Path", "Title", "URL", "UserName", "Uuid" };

    for (size_t i = 0; i < G_N_ELEMENTS(fields); i++)
        if (strcmp(fields[i], key) == 0)
            return true;
    return false;
}

/* ---- reading --------------------------------------------------------------------------------- */

static const char *text_of(const struct kt_item *item, const char *key)
{
    const char *value = g_hash_table_lookup(item->attrs, key);

    return value != NULL && value[0] != '\0' ? value : NULL;
}

static bool parse_number(const char *text, int base, uint64_t *out)
{
    char *end;

    if (text[strspn(text, base == 16 ? "0123456789abcdef" : "0123456789")] != '\0' ||
        strlen(text) > (base == 16 ? 16 : 18))
        return false;
    *out = strtoull(text, &end, base);
    return *end == '\0';
}

/* False: it is there and no number. */
static bool read_number(const struct kt_item *item, const char *key, int base, uint64_t *out)
{
    const char *text = text_of(item, key);

    return text == NULL || parse_number(text, base, out);
}

static bool read_time(const struct kt_item *item, const char *key, int64_t *out)
{
    uint64_t number = 0;
    const bool good = read_number(item, key, 10, &number);

    *out = (int64_t)number;
    return good;
}

/* One of @words, or none: 0. */
static bool read_word(const struct kt_item *item, const char *key, const char *const *words,
                      uint32_t *out)
{
    const char *text = text_of(item, key);

    *out = 0;
    if (text == NULL)
        return true;
    for (uint32_t i = 1; words[i] != NULL; i++)
        if (strcmp(words[i], text) == 0)
            *out = i;
    return *out != 0;
}

static bool read_asof(const struct kt_item *item, struct kt_asof *out)
{
    const char *text = text_of(item, "keyturn:asof");
    char boot[33];
    int used = 0;

    if (text == NULL)
        return true;
    if (sscanf(text, "%" SCNd64 " %" SCNd64 " %32[0-9a-f]%n", &out->wall_ms, &out->boot_ms, boot,
               &used) != 3 ||
        strlen(boot) != 32 || text[used] != '\0')
        return false;
    for (size_t i = 0; i < sizeof(out->boot_id); i++) {
        const char digits[3] = { boot[2 * i], boot[2 * i + 1], '\0' };

        out->boot_id[i] = (uint8_t)strtoul(digits, NULL, 16);
    }
    return true;
}

static bool read_id(struct kt_item *item, const char *id)
{
    if (strlen(id) >= sizeof(item->id))
        return false;
    for (const char *p = id; *p != '\0'; p++)
        if (*p <= ' ' || *p > '~')
            return false;
    (void)snprintf(item->id, sizeof(item->id), "%s", id);
    return true;
}

static bool read_user(struct kt_item *item)
{
    GHashTableIter at;
    gpointer key, value;

    g_hash_table_iter_init(&at, item->attrs);
    while (g_hash_table_iter_next(&at, &key, &value)) {
        struct kt_attr *a = &item->user[item->nuser];
        char *k, *v;

        if (strncmp(key, USER, sizeof(USER) - 1) != 0 || *(const char *)value == '\0')
            continue;
        if (item->nuser == KT_ATTRS_MAX)
            return false;
        if (item->texts == NULL)
            item->texts = g_ptr_array_new_with_free_func(g_free);
        k = g_strdup((const char *)key + sizeof(USER) - 1);
        v = g_strdup(value);
        g_ptr_array_add(item->texts, k);
        g_ptr_array_add(item->texts, v);
        if (!kt_text_unescape(k) || !kt_text_unescape(v))
            return false;
        *a = (struct kt_attr){ .key = k, .value = v };
        item->nuser++;
    }
    return true;
}

static void read_ours(struct kt_item *item, const char *id)
{
    static const char *const states[] = { "", "disabled", "destroyed", NULL };
    static const char *const stages[] = { "", "pending", NULL };
    static const char *const encodings[] = { "", "base64", NULL };
    uint32_t stage, encoding;
    bool good = read_id(item, id);

    item->ours = true;
    good = read_word(item, "keyturn:state", states, &item->state) && good;
    good = read_word(item, "keyturn:stage", stages, &stage) && good;
    good = read_word(item, "keyturn:encoding", encodings, &encoding) && good;
    good = read_number(item, "keyturn:turn", 10, &item->turn) && good;
    good = read_number(item, "keyturn:check", 16, &item->check) && good;
    good = read_time(item, "keyturn:created", &item->created_ms) && good;
    good = read_time(item, "keyturn:expires", &item->expires_ms) && good;
    good = read_time(item, "keyturn:not-before", &item->not_before_ms) && good;
    good = read_asof(item, &item->asof) && good;
    good = read_user(item) && good;
    item->pending = stage != 0;
    item->encoded = encoding != 0;
    item->checked = text_of(item, "keyturn:check") != NULL;
    item->previous = text_of(item, "keyturn:previous");
    item->damaged = !good;
}

struct kt_item *kt_item_new(const char *path, GVariant *attrs)
{
    struct kt_item *item = g_new0(struct kt_item, 1);
    const char *key, *value, *id;
    GVariantIter at;

    item->path = g_strdup(path);
    item->attrs = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    g_variant_iter_init(&at, attrs);
    while (g_variant_iter_next(&at, "{&s&s}", &key, &value))
        if (!is_field(key))
            (void)g_hash_table_insert(item->attrs, g_strdup(key), g_strdup(value));
    id = text_of(item, "keyturn:id");
    if (id != NULL)
        read_ours(item, id);
    return item;
}

void kt_item_free(struct kt_item *item)
{
    if (item == NULL)
        return;
    if (item->secret != NULL)
        g_variant_unref(item->secret);
    if (item->texts != NULL)
        g_ptr_array_unref(item->texts);
    g_hash_table_unref(item->attrs);
    g_free(item->path);
    g_free(item);
}

void kt_item_name_foreign(struct kt_item *item)
{
    const char *slash = strrchr(item->path, '/');

    (void)snprintf(item->id, sizeof(item->id), "keyring:%.60s.%" PRId64,
                   slash != NULL ? slash + 1 : item->path, item->modified);
}

static bool bears(const struct kt_item *item, const char *key, const char *value)
{
    const char *has = g_hash_table_lookup(item->attrs, key);

    return has != NULL && strcmp(has, value) == 0;
}

bool kt_item_is_current(const struct kt_item *item, const char *service, const char *name)
{
    return bears(item, "service", service) && bears(item, "name", name);
}

/* Beside what others wrote only the time tells, and it tells seconds: then ours counts. */
bool kt_item_newer(const struct kt_item *a, const struct kt_item *b)
{
    if (a->ours && b->ours && a->turn != b->turn)
        return a->turn > b->turn;
    if (!(a->ours && b->ours) && a->modified != b->modified)
        return a->modified > b->modified;
    if (a->ours != b->ours)
        return a->ours;
    return strcmp(a->id, b->id) > 0;
}

struct kt_version kt_item_version(const struct kt_item *item, uint32_t stages)
{
    return (struct kt_version){
        .size = sizeof(struct kt_version),
        .state = item->state,
        .stages = stages,
        .id = item->id,
        .created_ms = item->ours ? item->created_ms : item->modified * 1000,
        .expires_ms = item->expires_ms,
        .not_before_ms = item->not_before_ms,
        .asof = item->asof,
        .attrs = item->user,
        .nattrs = item->nuser,
    };
}

/* ---- writing --------------------------------------------------------------------------------- */

void kt_attrs_set(GHashTable *attrs, const char *key, const char *value)
{
    (void)g_hash_table_insert(attrs, g_strdup(key), g_strdup(value));
}

void kt_attrs_set_number(GHashTable *attrs, const char *key, uint64_t value)
{
    char text[24];

    (void)snprintf(text, sizeof(text), "%" PRIu64, value);
    kt_attrs_set(attrs, key, text);
}

/* Where there is one already, none is an empty text. */
static void set_or_empty(GHashTable *attrs, const char *key, const char *value)
{
    if (value != NULL || g_hash_table_contains(attrs, key))
        kt_attrs_set(attrs, key, value != NULL ? value : "");
}

static void set_time(GHashTable *attrs, const char *key, int64_t ms)
{
    if (ms > 0)
        kt_attrs_set_number(attrs, key, (uint64_t)ms);
}

void kt_attrs_set_asof(GHashTable *attrs, const struct kt_asof *asof)
{
    static const struct kt_asof none;
    char text[80];
    int n;

    if (asof->wall_ms == none.wall_ms && asof->boot_ms == none.boot_ms) {
        set_or_empty(attrs, "keyturn:asof", NULL);
        return;
    }
    n = snprintf(text, sizeof(text), "%" PRId64 " %" PRId64 " ", asof->wall_ms, asof->boot_ms);
    for (size_t i = 0; i < sizeof(asof->boot_id); i++)
        n += snprintf(text + n, sizeof(text) - (size_t)n, "%02x", asof->boot_id[i]);
    kt_attrs_set(attrs, "keyturn:asof", text);
}

static void set_user(GHashTable *attrs, const struct kt_attr *a)
{
    char *key = kt_text_escape(a->key), *value = kt_text_escape(a->value);
    char *whole = key != NULL ? g_strconcat(USER, key, NULL) : NULL;

    if (whole != NULL && value != NULL)
        kt_attrs_set(attrs, whole, value);
    g_free(whole);
    free(key);
    free(value);
}

GHashTable *kt_attrs_new(const char *service, const char *name, const struct kt_put *put,
                         bool encoded)
{
    static const char *const states[] = { NULL, "disabled", "destroyed" };
    GHashTable *attrs = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    char check[17];

    (void)snprintf(check, sizeof(check), "%016" PRIx64,
                   kt_text_check(service, name, put->id, put->data, put->len));
    kt_attrs_set(attrs, "keyturn:check", check);
    set_or_empty(attrs, "keyturn:encoding", encoded ? "base64" : NULL);
    set_or_empty(attrs, "keyturn:state", states[put->state]);
    set_time(attrs, "keyturn:created", put->created_ms);
    set_time(attrs, "keyturn:expires", put->expires_ms);
    set_time(attrs, "keyturn:not-before", put->not_before_ms);
    kt_attrs_set_asof(attrs, &put->asof);
    for (size_t i = 0; i < put->nattrs; i++)
        set_user(attrs, &put->attrs[i]);
    kt_attrs_retire(attrs, service, name, put->id);
    return attrs;
}

GHashTable *kt_attrs_of(const struct kt_item *item)
{
    GHashTable *attrs = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    GHashTableIter at;
    gpointer key, value;

    g_hash_table_iter_init(&at, item->attrs);
    while (g_hash_table_iter_next(&at, &key, &value))
        kt_attrs_set(attrs, key, value);
    return attrs;
}

void kt_attrs_promote(GHashTable *attrs, const char *service, const char *name, uint64_t turn,
                      const char *previous)
{
    kt_attrs_set(attrs, "xdg:schema", KT_SCHEMA_SECRET);
    kt_attrs_set(attrs, "service", service);
    kt_attrs_set(attrs, "name", name);
    kt_attrs_set_number(attrs, "keyturn:turn", turn);
    set_or_empty(attrs, "keyturn:previous", previous);
    set_or_empty(attrs, "keyturn:stage", NULL);
}

void kt_attrs_retire(GHashTable *attrs, const char *service, const char *name, const char *id)
{
    kt_attrs_set(attrs, "xdg:schema", KT_SCHEMA_VERSION);
    set_or_empty(attrs, "service", NULL);
    set_or_empty(attrs, "name", NULL);
    kt_attrs_set(attrs, "keyturn:service", service);
    kt_attrs_set(attrs, "keyturn:name", name);
    kt_attrs_set(attrs, "keyturn:id", id);
}

GVariant *kt_attrs_variant(GHashTable *attrs)
{
    GVariantBuilder b;
    GHashTableIter at;
    gpointer key, value;

    g_variant_builder_init(&b, G_VARIANT_TYPE("a{ss}"));
    g_hash_table_iter_init(&at, attrs);
    while (g_hash_table_iter_next(&at, &key, &value))
        g_variant_builder_add(&b, "{ss}", key, value);
    return g_variant_builder_end(&b);
}

/* Pairs of strings; those whose value is NULL are left out. */
static GVariant *query(const char *const pairs[][2], size_t n)
{
    GVariantBuilder b;

    g_variant_builder_init(&b, G_VARIANT_TYPE("a{ss}"));
    for (size_t i = 0; i < n; i++)
        if (pairs[i][1] != NULL)
            g_variant_builder_add(&b, "{ss}", pairs[i][0], pairs[i][1]);
    return g_variant_builder_end(&b);
}

GVariant *kt_query_current(const char *service, const char *name)
{
    const char *const pairs[][2] = { { "service", service }, { "name", name } };

    return query(pairs, G_N_ELEMENTS(pairs));
}

GVariant *kt_query_versions(const char *service, const char *name, const char *key,
                            const char *value)
{
    const char *const pairs[][2] = { { "keyturn:service", service },
                                     { "keyturn:name", name },
                                     { key, value } };

    return query(pairs, G_N_ELEMENTS(pairs));
}
