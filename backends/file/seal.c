/* SPDX-License-Identifier: Apache-2.0 */

/*
 * libgcrypt: a process that reads one secret pays 2 ms for OpenSSL's first cipher, a tenth of that
 * here (bench/RESULTS.md).
 */

#include "seal.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include <gcrypt.h>

#define NONCE_SIZE 12
#define TAG_SIZE 16
#define BLOCK_SIZE 64
#define PIECES_MAX 8
#define SCRYPT_R 8 /* the only block size that libgcrypt has */

static pthread_once_t setup_once = PTHREAD_ONCE_INIT;
static bool usable;

/*
 * The library is the process's: a program that has set it up keeps its settings. What we keep in it
 * is wiped with each handle, so that its own secure memory has nothing to do for us.
 */
static void setup(void)
{
    if (gcry_control(GCRYCTL_INITIALIZATION_FINISHED_P) == 0) {
        if (gcry_check_version(NULL) == NULL)
            return;
        (void)gcry_control(GCRYCTL_DISABLE_SECMEM, 0);
        (void)gcry_control(GCRYCTL_INITIALIZATION_FINISHED, 0);
    }
    usable = gcry_cipher_test_algo(GCRY_CIPHER_AES256) == 0;
}

int kt_seal_setup(struct kt_fault *f)
{
    (void)pthread_once(&setup_once, setup);
    if (!usable)
        return kt_fault(f, KT_UNAVAILABLE, "libgcrypt has no AES-256; check its installation");
    return KT_SUCCESS;
}

/* ---- hashes --------------------------------------------------------------------------------- */

/*
 * One pass over at most PIECES_MAX pieces, on the stack: without HMAC's flag libgcrypt allocates no
 * handle for it and has nothing that can fail. If it does all the same, there is no digest to go on with.
 */
static void hash(const struct kt_bytes *first, const struct kt_bytes *pieces, size_t n,
                 uint8_t out[KT_DIGEST_SIZE])
{
    gcry_buffer_t all[PIECES_MAX] = { { .size = 0 } };
    size_t count = 0;

    if (n >= PIECES_MAX)
        abort();
    if (first != NULL)
        all[count++] = (gcry_buffer_t){ .data = (void *)first->data, .len = first->len };
    for (size_t i = 0; i < n; i++)
        all[count++] = (gcry_buffer_t){ .data = (void *)pieces[i].data, .len = pieces[i].len };
    if (gcry_md_hash_buffers(GCRY_MD_SHA256, 0, out, all, (int)count) != 0)
        abort();
}

void kt_digest(const struct kt_bytes *pieces, size_t n, uint8_t out[KT_DIGEST_SIZE])
{
    hash(NULL, pieces, n, out);
}

void kt_hmac(struct kt_bytes key, const struct kt_bytes *pieces, size_t n,
             uint8_t out[KT_DIGEST_SIZE])
{
    uint8_t block[BLOCK_SIZE] = { 0 };
    uint8_t inner[KT_DIGEST_SIZE];

    if (key.len > sizeof(block))
        kt_digest(&key, 1, block);
    else if (key.len > 0)
        memcpy(block, key.data, key.len);
    for (size_t i = 0; i < sizeof(block); i++)
        block[i] ^= 0x36;
    hash(&(struct kt_bytes){ block, sizeof(block) }, pieces, n, inner);
    for (size_t i = 0; i < sizeof(block); i++)
        block[i] ^= 0x36 ^ 0x5c;
    hash(&(struct kt_bytes){ block, sizeof(block) }, &(struct kt_bytes){ inner, sizeof(inner) }, 1,
         out);
    explicit_bzero(block, sizeof(block));
    explicit_bzero(inner, sizeof(inner));
}

bool kt_same(const void *a, const void *b, size_t len)
{
    const volatile uint8_t *x = a, *y = b;
    uint8_t difference = 0;

    for (size_t i = 0; i < len; i++)
        difference |= x[i] ^ y[i];
    return difference == 0;
}

/* HKDF to one block: extract, then the first step of expand. */
static void derive(struct kt_bytes ikm, const uint8_t *salt, uint8_t key[KT_KEY_SIZE])
{
    static const uint8_t info[] = "keyturn-file-1\x01"; /* its NUL is not hashed */
    uint8_t prk[KT_DIGEST_SIZE];

    kt_hmac((struct kt_bytes){ salt, KT_SALT_SIZE }, &ikm, 1, prk);
    kt_hmac((struct kt_bytes){ prk, sizeof(prk) }, &(struct kt_bytes){ info, sizeof(info) - 1 }, 1,
            key);
    explicit_bzero(prk, sizeof(prk));
}

/* ---- AES-256-GCM ---------------------------------------------------------------------------- */

static const uint8_t nonce[NONCE_SIZE];

/* A handle with key, nonce and associated data; closing it wipes the key schedule. */
static gcry_cipher_hd_t keyed(const uint8_t *key, struct kt_bytes aad)
{
    gcry_cipher_hd_t c;

    if (gcry_cipher_open(&c, GCRY_CIPHER_AES256, GCRY_CIPHER_MODE_GCM, 0) != 0)
        return NULL;
    if (gcry_cipher_setkey(c, key, KT_KEY_SIZE) == 0 &&
        gcry_cipher_setiv(c, nonce, sizeof(nonce)) == 0 &&
        gcry_cipher_authenticate(c, aad.data, aad.len) == 0)
        return c;
    gcry_cipher_close(c);
    return NULL;
}

static bool encrypt(gcry_cipher_hd_t c, struct kt_bytes plain, uint8_t *out)
{
    return (plain.len == 0 || gcry_cipher_encrypt(c, out, plain.len, plain.data, plain.len) == 0) &&
           gcry_cipher_gettag(c, out + plain.len, TAG_SIZE) == 0;
}

static bool decrypt(gcry_cipher_hd_t c, const uint8_t *in, size_t len, uint8_t *out)
{
    return (len == 0 || gcry_cipher_decrypt(c, out, len, in, len) == 0) &&
           gcry_cipher_checktag(c, in + len, TAG_SIZE) == 0;
}

int kt_seal(struct kt_bytes ikm, struct kt_bytes aad, struct kt_bytes plain, void *out,
            struct kt_fault *f)
{
    uint8_t key[KT_KEY_SIZE];
    uint8_t *p = out;
    gcry_cipher_hd_t c;
    bool ok;
    int rc = kt_random(p, KT_SALT_SIZE, f);

    if (rc != KT_SUCCESS)
        return rc;
    derive(ikm, p, key);
    c = keyed(key, aad);
    explicit_bzero(key, sizeof(key));
    if (c == NULL)
        return kt_fault(f, KT_NO_MEMORY, "out of memory");
    ok = encrypt(c, plain, p + KT_SALT_SIZE);
    gcry_cipher_close(c);
    return ok ? KT_SUCCESS : kt_fault(f, KT_UNAVAILABLE, "libgcrypt could not encrypt");
}

int kt_seal_open(struct kt_bytes ikm, struct kt_bytes aad, struct kt_bytes sealed, void *out)
{
    const uint8_t *in = sealed.data;
    uint8_t key[KT_KEY_SIZE];
    gcry_cipher_hd_t c;
    size_t len;
    bool ok;

    if (sealed.len < KT_SEAL_EXTRA || sealed.len > INT_MAX)
        return KT_CORRUPT;
    len = sealed.len - KT_SEAL_EXTRA;
    derive(ikm, in, key);
    c = keyed(key, aad);
    explicit_bzero(key, sizeof(key));
    if (c == NULL)
        return KT_NO_MEMORY;
    ok = decrypt(c, in + KT_SALT_SIZE, len, out);
    gcry_cipher_close(c);
    if (!ok && len > 0)
        explicit_bzero(out, len);
    return ok ? KT_SUCCESS : KT_CORRUPT;
}

/* ---- passphrases and randomness ------------------------------------------------------------- */

int kt_scrypt(struct kt_bytes passphrase, struct kt_bytes salt, unsigned log_n, unsigned r,
              unsigned p, uint8_t out[KT_KEY_SIZE], struct kt_fault *f)
{
    gpg_error_t e;

    if (r != SCRYPT_R || log_n > 30)
        return kt_fault(f, KT_UNSUPPORTED, "scrypt with r=%u, N=2^%u: only r=8 is known, N to 2^30",
                        r, log_n);
    e = gcry_kdf_derive(passphrase.data, passphrase.len, GCRY_KDF_SCRYPT, 1 << log_n, salt.data,
                        salt.len, p, KT_KEY_SIZE, out);
    if (gcry_err_code(e) == GPG_ERR_ENOMEM)
        return kt_fault(f, KT_NO_MEMORY, "scrypt needs %llu MiB of memory and did not get them",
                        (unsigned long long)(128 * (uint64_t)r << log_n >> 20));
    if (e != 0)
        return kt_fault(f, KT_UNAVAILABLE, "libgcrypt's scrypt: %s", gcry_strerror(e));
    return KT_SUCCESS;
}

int kt_random(void *out, size_t len, struct kt_fault *f)
{
    uint8_t *p = out;

    while (len > 0) {
        ssize_t n = getrandom(p, len, 0);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return kt_fault_errno(f, KT_UNAVAILABLE, errno, "cannot get random bytes");
        p += n;
        len -= (size_t)n;
    }
    return KT_SUCCESS;
}
