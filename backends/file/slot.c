/* SPDX-License-Identifier: Apache-2.0 */
#include "slot.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define CONTEXT_MAX (KT_WRAP_CONTEXT_SIZE + KT_SLOT_KIND_MAX + KT_SLOT_PARAMS_MAX)
#define SCRYPT_PARAMS_SIZE (1 + 1 + 4 + 4 + KT_SALT_SIZE)
#define SCRYPT_WORK_MAX (UINT64_C(1) << 23) /* N r p: eight times as much as today's, 1 GiB */

/* ---- associated data ------------------------------------------------------------------------ */

static void put_number(uint8_t *out, size_t n, uint64_t v)
{
    for (size_t i = 0; i < n; i++)
        out[i] = (uint8_t)(v >> (8 * i));
}

static uint32_t number_at(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

size_t kt_wrap_context(char what, const uint8_t store_id[KT_STORE_ID_SIZE], int64_t id,
                       uint8_t out[KT_WRAP_CONTEXT_SIZE])
{
    static const char tag[] = "keyturn-file-1"; /* of all formats so far */
    uint8_t *p = out;

    memcpy(p, tag, sizeof(tag));
    p += sizeof(tag);
    *p++ = (uint8_t)what;
    memcpy(p, store_id, KT_STORE_ID_SIZE);
    p += KT_STORE_ID_SIZE;
    put_number(p, 8, (uint64_t)id);
    return (size_t)(p + 8 - out);
}

static struct kt_bytes slot_context(const uint8_t *store_id, const struct kt_slot *s,
                                    uint8_t out[CONTEXT_MAX])
{
    const size_t kind = strlen(s->kind) + 1;
    size_t n = kt_wrap_context('S', store_id, s->id, out);

    memcpy(out + n, s->kind, kind);
    n += kind;
    memcpy(out + n, s->params, s->params_len);
    return (struct kt_bytes){ out, n + s->params_len };
}

void kt_slot_sum(int format, const uint8_t store_id[KT_STORE_ID_SIZE], const struct kt_slot *s,
                 uint8_t out[KT_SUM_SIZE])
{
    uint8_t digest[KT_DIGEST_SIZE];
    uint8_t context[CONTEXT_MAX];
    uint8_t created[8];
    const struct kt_bytes pieces[] = { slot_context(store_id, s, context),
                                       { s->wrapped, sizeof(s->wrapped) },
                                       { created, sizeof(created) },
                                       { s->label, strlen(s->label) } };

    put_number(created, sizeof(created), (uint64_t)s->created_ms);
    kt_digest(pieces, format == 1 ? 2 : 4, digest);
    memcpy(out, digest, KT_SUM_SIZE);
}

/* ---- opening and sealing -------------------------------------------------------------------- */

bool kt_slot_is(const struct kt_slot *s, const char *kind)
{
    return s->whole && strcmp(s->kind, kind) == 0;
}

bool kt_slot_is_typed(const struct kt_slot *s)
{
    return kt_slot_is(s, "passphrase") || kt_slot_is(s, "recovery");
}

int kt_slot_try(const uint8_t store_id[KT_STORE_ID_SIZE], const struct kt_slot *s,
                struct kt_bytes ikm, uint8_t master[KT_KEY_SIZE])
{
    uint8_t context[CONTEXT_MAX];

    return kt_seal_open(ikm, slot_context(store_id, s, context),
                        (struct kt_bytes){ s->wrapped, KT_WRAPPED_SIZE }, master);
}

int kt_slot_seal(const uint8_t store_id[KT_STORE_ID_SIZE], struct kt_slot *s, struct kt_bytes ikm,
                 const uint8_t master[KT_KEY_SIZE], struct kt_fault *f)
{
    uint8_t context[CONTEXT_MAX];

    s->whole = true;
    return kt_seal(ikm, slot_context(store_id, s, context),
                   (struct kt_bytes){ master, KT_KEY_SIZE }, s->wrapped, f);
}

/* ---- scrypt --------------------------------------------------------------------------------- */

/** struct scrypt - a slot's parameters */
struct scrypt {
    unsigned log_n;
    uint32_t r;
    uint32_t p;
};

static bool scrypt_of(const struct kt_slot *s, struct scrypt *out)
{
    if (s->params_len != SCRYPT_PARAMS_SIZE || s->params[0] != 1)
        return false;
    *out = (struct scrypt){ s->params[1], number_at(s->params + 2), number_at(s->params + 6) };
    return true;
}

static uint64_t work_of(struct scrypt y)
{
    return ((uint64_t)y.r * y.p) << y.log_n;
}

int kt_slot_new_scrypt(struct kt_slot *s, struct kt_fault *f)
{
    s->params[0] = 1;
    s->params[1] = KT_SCRYPT_LOG_N;
    put_number(s->params + 2, 4, KT_SCRYPT_R);
    put_number(s->params + 6, 4, KT_SCRYPT_P);
    s->params_len = SCRYPT_PARAMS_SIZE;
    return kt_random(s->params + 10, KT_SALT_SIZE, f);
}

/* The parameters come from the file: within bounds, whoever wrote them. */
int kt_slot_stretch(const struct kt_slot *s, struct kt_bytes typed, uint8_t out[KT_KEY_SIZE],
                    struct kt_fault *f)
{
    struct scrypt y;

    if (!scrypt_of(s, &y))
        return kt_fault(f, KT_UNSUPPORTED, "slot %lld is of an unknown kind; update keyturn",
                        (long long)s->id);
    if (y.log_n < 1 || y.log_n > 24 || y.r < 1 || y.r > 64 || y.p < 1 || y.p > 64 ||
        work_of(y) > SCRYPT_WORK_MAX)
        return kt_fault(f, KT_UNSUPPORTED, "slot %lld asks for too much memory or time",
                        (long long)s->id);
    return kt_scrypt(typed, (struct kt_bytes){ s->params + 10, KT_SALT_SIZE }, y.log_n, y.r, y.p,
                     out, f);
}

bool kt_slot_is_weak(const struct kt_slot *s)
{
    struct scrypt y;

    return scrypt_of(s, &y) && y.log_n <= KT_SCRYPT_LOG_N &&
           work_of(y) < work_of((struct scrypt){ KT_SCRYPT_LOG_N, KT_SCRYPT_R, KT_SCRYPT_P });
}

/* ---- words ---------------------------------------------------------------------------------- */

/* Length of the character at @p, 0 if it is none or a control character. */
static size_t character(const uint8_t *p, size_t left)
{
    static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
    const size_t n = p[0] < 0x80 ? 1 : p[0] < 0xc2 ? 0 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
    uint32_t c = n == 1 ? p[0] : p[0] & (0x7fU >> n);

    if (n == 0 || n > left)
        return 0;
    for (size_t i = 1; i < n; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0;
        c = c << 6 | (p[i] & 0x3f);
    }
    if (c < least[n] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
        return 0;
    if (c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x2028 || c == 0x2029)
        return 0;
    /* what turns the direction of a line around could make one slot look like another */
    return (c >= 0x202a && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069) ? 0 : n;
}

bool kt_text_is_plain(const char *text, size_t len)
{
    const uint8_t *p = (const uint8_t *)text;
    size_t n;

    for (size_t i = 0; i < len; i += n) {
        n = character(p + i, len - i);
        if (n == 0)
            return false;
    }
    return true;
}

static int what_text(const struct kt_slot *s, const char *keyfile, char *out, size_t size)
{
    struct scrypt y;

    if (strcmp(s->kind, "keyfile") == 0)
        return snprintf(out, size, "%s", s->whole ? keyfile : "key file");
    if (strcmp(s->kind, "secret") == 0)
        return snprintf(out, size, "secret%s%.*s", s->whole ? " " : "",
                        s->whole ? (int)s->params_len : 0, (const char *)s->params);
    if (strcmp(s->kind, "passphrase") != 0 && strcmp(s->kind, "recovery") != 0)
        return snprintf(out, size, "of a kind that this keyturn does not know");
    if (!s->whole || !scrypt_of(s, &y))
        y = (struct scrypt){ 0 };
    if (y.p == 0)
        return snprintf(out, size, "%s", s->kind);
    return snprintf(out, size, "%s%s, scrypt N=2^%u r=%u p=%u", s->kind,
                    strcmp(s->kind, "recovery") == 0 ? " code" : "", y.log_n, y.r, y.p);
}

void kt_slot_text(const struct kt_slot *s, const char *keyfile, char out[KT_SLOT_TEXT_SIZE])
{
    const time_t created = (time_t)(s->created_ms / 1000);
    char what[KT_SLOT_TEXT_SIZE / 2];
    char when[40] = "";
    struct tm tm;

    (void)what_text(s, keyfile, what, sizeof(what));
    if (s->whole && s->created_ms > 0 && gmtime_r(&created, &tm) != NULL)
        (void)strftime(when, sizeof(when), ", made %Y-%m-%dT%H:%M:%SZ", &tm);
    (void)snprintf(out, KT_SLOT_TEXT_SIZE, "slot %lld: %s%s%s%s%s", (long long)s->id, what, when,
                   s->whole && s->label[0] != '\0' ? ", label " : "", s->whole ? s->label : "",
                   s->whole ? "" : " (damaged)");
}
