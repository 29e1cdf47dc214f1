/* SPDX-License-Identifier: Apache-2.0 */
#include "means.h"
#include "place.h"
#include "recovery.h"

#include <stdio.h>
#include <string.h>

#define SECRET_MIN 16 /* bytes: 128 bits, if they are random; as for key files */
#define SECRET_MADE 64

static int no_memory(struct kt_fault *f)
{
    return kt_fault(f, KT_NO_MEMORY, "out of memory");
}

static void begin(const struct kt_unlock *u, const char *kind, struct kt_means *m)
{
    *m = (struct kt_means){ .ikm = NULL };
    (void)snprintf(m->slot.kind, sizeof(m->slot.kind), "%s", kind);
    m->slot.created_ms = u->host->now_ns(u->call, KT_CLOCK_WALL) / 1000000;
}

void kt_means_done(const struct kt_host *host, struct kt_means *m)
{
    host->secret_free(m->ikm);
    host->secret_free(m->code);
    m->ikm = NULL;
    m->code = NULL;
}

/* ---- what is typed -------------------------------------------------------------------------- */

int kt_ask(const struct kt_unlock *u, const char *what, char *buf, size_t *len, struct kt_fault *f)
{
    char text[300];
    int n;

    (void)snprintf(text, sizeof(text), "%s for %s: ", what, u->path);
    n = u->host->prompt(u->call, text, false, buf, KT_PASSPHRASE_MAX);
    if (n < 0)
        return kt_fault_told(f, -n);
    *len = (size_t)n;
    return KT_SUCCESS;
}

static int ask_twice(const struct kt_unlock *u, char *first, char *second, size_t *len,
                     struct kt_fault *f)
{
    size_t again = 0;
    int rc = kt_ask(u, "New passphrase", first, len, f);

    if (rc == KT_SUCCESS && *len == 0)
        rc = kt_fault(f, KT_INVALID, "an empty passphrase protects nothing; nothing was done to %s",
                      u->path);
    if (rc == KT_SUCCESS)
        rc = kt_ask(u, "The same passphrase again", second, &again, f);
    if (rc == KT_SUCCESS && (*len != again || !kt_same(first, second, again)))
        rc = kt_fault(f, KT_INVALID, "the two passphrases differ; nothing was done to %s", u->path);
    return rc;
}

static int stretch(const struct kt_unlock *u, struct kt_means *m, struct kt_bytes typed,
                   struct kt_fault *f)
{
    int rc;

    m->ikm = u->host->secret_alloc(KT_KEY_SIZE, 0);
    m->len = KT_KEY_SIZE;
    if (m->ikm == NULL)
        return no_memory(f);
    rc = kt_slot_new_scrypt(&m->slot, f);
    return rc == KT_SUCCESS ? kt_slot_stretch(&m->slot, typed, m->ikm, f) : rc;
}

int kt_means_passphrase(const struct kt_unlock *u, struct kt_means *out, struct kt_fault *f)
{
    char *first = u->host->secret_alloc(KT_PASSPHRASE_MAX, 0);
    char *second = u->host->secret_alloc(KT_PASSPHRASE_MAX, 0);
    size_t len = 0;
    int rc = first == NULL || second == NULL ? no_memory(f) : KT_SUCCESS;

    begin(u, "passphrase", out);
    if (rc == KT_SUCCESS)
        rc = ask_twice(u, first, second, &len, f);
    if (rc == KT_SUCCESS)
        rc = stretch(u, out, (struct kt_bytes){ first, len }, f);
    u->host->secret_free(first);
    u->host->secret_free(second);
    return rc;
}

int kt_means_recovery(const struct kt_unlock *u, struct kt_means *out, struct kt_fault *f)
{
    int rc;

    begin(u, "recovery", out);
    out->code = u->host->secret_alloc(KT_RECOVERY_SIZE, 0);
    if (out->code == NULL)
        return no_memory(f);
    rc = kt_recovery_make(out->code, f);
    return rc == KT_SUCCESS ? stretch(u, out, (struct kt_bytes){ out->code, strlen(out->code) }, f)
                            : rc;
}

/* ---- what lies somewhere -------------------------------------------------------------------- */

int kt_means_keyfile(const struct kt_unlock *u, const char *path, struct kt_means *out,
                     struct kt_fault *f)
{
    int rc;

    begin(u, "keyfile", out);
    rc = kt_key_make(path, f);
    return rc == KT_SUCCESS ? kt_key_read(u->host, path, &out->ikm, &out->len, f) : rc;
}

/* 32 random bytes as 64 hexadecimal digits: any store of secrets takes these. */
static int make_secret(const struct kt_unlock *u, const char *where, struct kt_fault *f)
{
    uint8_t bytes[KT_KEY_SIZE];
    char *text = u->host->secret_alloc(SECRET_MADE + 1, 0);
    int rc = text == NULL ? no_memory(f) : kt_random(bytes, sizeof(bytes), f);

    for (size_t i = 0; rc == KT_SUCCESS && i < sizeof(bytes); i++)
        (void)snprintf(text + 2 * i, 3, "%02x", bytes[i]);
    if (rc == KT_SUCCESS)
        rc = kt_need_put(u, where, text, SECRET_MADE, f);
    explicit_bzero(bytes, sizeof(bytes));
    u->host->secret_free(text);
    return rc;
}

int kt_means_secret(const struct kt_unlock *u, const char *where, struct kt_means *out,
                    struct kt_fault *f)
{
    const size_t len = strlen(where);
    int rc;

    begin(u, "secret", out);
    if (len > KT_SLOT_PARAMS_MAX || !kt_text_is_plain(where, len) || strchr(where, '/') == NULL)
        return kt_fault(f, KT_INVALID, "secret=: expected SERVICE/NAME");
    memcpy(out->slot.params, where, len);
    out->slot.params_len = len;
    rc = kt_need_get(u, where, &out->ikm, &out->len, f);
    if (rc == KT_NOT_FOUND) {
        rc = make_secret(u, where, f);
        if (rc == KT_SUCCESS) /* what is there now, should another process have put one, too */
            rc = kt_need_get(u, where, &out->ikm, &out->len, f);
    }
    if (rc == KT_SUCCESS && out->len < SECRET_MIN)
        rc = kt_fault(f, KT_INVALID,
                      "the secret %s is too short for a key, expected at least %d "
                      "bytes",
                      where, SECRET_MIN);
    return rc;
}
