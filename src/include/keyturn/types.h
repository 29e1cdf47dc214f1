/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYTURN_TYPES_H
#define KEYTURN_TYPES_H

/* What programs (keyturn.h) and modules (module.h) both speak of. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <keyturn/status.h>

#define KT_VALUE_MAX 65536 /* bytes of a value; 0 is allowed */
#define KT_NAME_MAX 512    /* bytes of a name, NUL not counted */
#define KT_ID_SIZE 96      /* bytes of a version id, NUL counted */
#define KT_UUID_SIZE 37    /* bytes of a UUID as text, NUL counted */
#define KT_ATTR_KEY_MAX 128
#define KT_ATTR_VALUE_MAX 1024
#define KT_ATTRS_MAX 32

#define KT_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#define KT_MUST_CHECK __attribute__((warn_unused_result))

/** struct kt_attr - one attribute of a version: both strings are UTF-8, NUL-terminated. */
struct kt_attr {
    const char *key;
    const char *value;
};

enum kt_state {
    KT_STATE_ENABLED = 0,
    KT_STATE_DISABLED = 1,
    KT_STATE_DESTROYED = 2, /* the bytes are gone, the record stays */
};

/* Stage labels, as bits: at most one version of a secret bears each. */
#define KT_STAGE_CURRENT 1U
#define KT_STAGE_PREVIOUS 2U
#define KT_STAGE_PENDING 4U

/* What a caller should know about a value it was given. */
#define KT_FLAG_STALE 1U    /* between ttl and max-stale, and the authority could not be asked */
#define KT_FLAG_OVERRIDE 2U /* from a line whose age nobody judges */
#define KT_FLAG_SAME 4U     /* the authority still has the version that not_version named */
#define KT_FLAG_EXPIRED 8U  /* past its expiry (expiry=warn) */
#define KT_FLAG_NOT_YET 16U /* before its first valid instant (expiry=warn) */
#define KT_FLAG_FOREIGN 32U /* list: a name of the store's own that we could not have made */
#define KT_FLAG_COPY 64U    /* from a follower or a cache, young enough */

/* class of protection, strongest first */
enum kt_class {
    KT_CLASS_HARDWARE = 0,
    KT_CLASS_CLOUD = 1,
    KT_CLASS_KEYRING = 2,
    KT_CLASS_SEALED = 3,
    KT_CLASS_PLAIN = 4,
    KT_CLASS_MEMORY = 5, /* nothing survives the process */
};

enum kt_log_level { KT_LOG_ERROR = 0, KT_LOG_WARNING = 1, KT_LOG_INFO = 2, KT_LOG_DEBUG = 3 };

enum kt_clock_id {
    KT_CLOCK_WALL = 0,      /* CLOCK_REALTIME */
    KT_CLOCK_MONOTONIC = 1, /* CLOCK_MONOTONIC: deadlines */
    KT_CLOCK_BOOT = 2,      /* CLOCK_BOOTTIME: ages */
};

enum kt_report {
    KT_REJECTED = 1, /* the provider answered 401: the key is not, or no longer, accepted */
    KT_USED = 2,     /* the provider accepted it */
};

#endif
