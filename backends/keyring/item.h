/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYTURN_KEYRING_ITEM_H
#define KEYTURN_KEYRING_ITEM_H

#include <keyturn/module.h>

#include <gio/gio.h>

/*
 * An item is one version. All that keyturn knows of it stands in its attributes, so that value and
 * metadata are made by one request and a version is never half there:
 *
 *   xdg:schema           org.keyturn.Secret (the current version) or org.keyturn.Version
 *   service, name        of the current version; of others they are empty, so that no search by
 *                        {service, name} finds them. An empty attribute counts as none: KeePassXC
 *                        adds and alters attributes and never takes one away
 *   keyturn:service, keyturn:name, keyturn:id
 *                        of every version
 *   keyturn:turn         counts how often another version has become current: of two, after a crash,
 *                        the greater is
 *   keyturn:previous     id of the version that was current before this one
 *   keyturn:stage        "pending"
 *   keyturn:state        "disabled" or "destroyed"
 *   keyturn:created, keyturn:expires, keyturn:not-before
 *                        milliseconds since 1970
 *   keyturn:encoding     "base64"
 *   keyturn:check        kt_text_check() of the value
 *   keyturn:asof         of a copy: wall clock, boot clock, boot id
 *   keyturn:attr:KEY     an attribute of the version's
 */

#define KT_SCHEMA_SECRET "org.keyturn.Secret"
#define KT_SCHEMA_VERSION "org.keyturn.Version"

/**
 * struct kt_item - an item, and what its attributes say
 * @attrs:     as the service gave them, without what is KeePassXC's own
 * @secret:    NULL, or (oayays) for this session; without it the item is locked
 * @modified:  seconds since 1970, if it was asked for
 * @ours:      it has an id of ours: keyturn made it
 * @damaged:   some attribute of ours cannot be understood
 * @id:        of a version that others made: made of path and time, see kt_item_name_foreign()
 * @user:      @nuser attributes of the version
 */
struct kt_item {
    char *path;
    GHashTable *attrs;
    GVariant *secret;
    int64_t modified;
    bool ours;
    bool damaged;
    bool pending;
    bool encoded;
    bool checked;
    uint32_t state;
    uint64_t check;
    uint64_t turn;
    char id[KT_ID_SIZE];
    const char *previous; /* NULL: none */
    int64_t created_ms;
    int64_t expires_ms;
    int64_t not_before_ms;
    struct kt_asof asof;
    size_t nuser;
    struct kt_attr user[KT_ATTRS_MAX];
    GPtrArray *texts; /* of @user */
};

/** kt_item_new - from a{ss} */
struct kt_item *kt_item_new(const char *path, GVariant *attrs);
void kt_item_free(struct kt_item *item); /* NULL is allowed */

/** kt_item_name_foreign - an id for what others wrote: `keyring:ITEM.SECONDS` */
void kt_item_name_foreign(struct kt_item *item);

/** kt_item_is_current - does it bear {service, name}? */
bool kt_item_is_current(const struct kt_item *item, const char *service, const char *name);

/** kt_item_newer - of two that are current, or pending: which counts? */
bool kt_item_newer(const struct kt_item *a, const struct kt_item *b);

/** kt_item_version - what a host is told of it; borrows from @item */
struct kt_version kt_item_version(const struct kt_item *item, uint32_t stages);

/* ---- attributes to be set: tables of g_malloc()ed strings ------------------------------------- */

/** kt_attrs_new - of a new version; its place is set with one of the functions below */
GHashTable *kt_attrs_new(const char *service, const char *name, const struct kt_put *put,
                         bool encoded);

/** kt_attrs_of - those that an item has */
GHashTable *kt_attrs_of(const struct kt_item *item);
void kt_attrs_set(GHashTable *attrs, const char *key, const char *value);

/** kt_attrs_promote - current, the @turn-th; @previous may be NULL */
void kt_attrs_promote(GHashTable *attrs, const char *service, const char *name, uint64_t turn,
                      const char *previous);

/** kt_attrs_retire - older, or pending */
void kt_attrs_retire(GHashTable *attrs, const char *service, const char *name, const char *id);
void kt_attrs_set_number(GHashTable *attrs, const char *key, uint64_t value);
void kt_attrs_set_asof(GHashTable *attrs, const struct kt_asof *asof);

/** kt_attrs_variant - a{ss}, floating */
GVariant *kt_attrs_variant(GHashTable *attrs);

/** kt_query_current - a{ss}, floating: what is current; @name NULL: of all names */
GVariant *kt_query_current(const char *service, const char *name);

/** kt_query_versions - a{ss}, floating: of ours; @key NULL: all of them */
GVariant *kt_query_versions(const char *service, const char *name, const char *key,
                            const char *value);

#endif
