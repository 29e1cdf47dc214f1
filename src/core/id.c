/* SPDX-License-Identifier: Apache-2.0 */
#include "id.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include "clock.h"
#include "err.h"

#define UUID_LEN (KT_UUID_SIZE - 1)
#define NS_PER_MS 1000000

static const char hex[] = "0123456789abcdef";

/* A kernel whose pool is not yet seeded is an answer, not a wait: no deadline reaches in here. */
static int fill_random(void *buf, size_t len, struct kt_err *err)
{
    if (getrandom(buf, len, GRND_NONBLOCK) != (ssize_t)len) /* up to 256 bytes come at once */
        return kt_fail(err, KT_UNAVAILABLE,
                       "a version id cannot be made: no random numbers from the kernel: %m");
    return KT_SUCCESS;
}

int kt_id_make(int64_t wall_ns, char id[KT_ID_SIZE], struct kt_err *err)
{
    uint8_t random[8];
    uint64_t ms, fraction, high, low = 0;
    int rc;

    rc = fill_random(random, sizeof(random), err);
    if (rc != KT_SUCCESS)
        return rc;
    if (wall_ns < 0) /* a clock before 1970 */
        wall_ns = 0;
    ms = (uint64_t)wall_ns / NS_PER_MS;
    fraction = (uint64_t)wall_ns % NS_PER_MS * 4096 / NS_PER_MS;
    for (size_t i = 0; i < sizeof(random); i++)
        low = low << 8 | random[i];
    low = (low & 0x3fffffffffffffffU) | 0x8000000000000000U; /* variant 10 */
    high = ms << 16 | 0x7000 | fraction;
    for (size_t i = 0, digit = 0; i < UUID_LEN; i++) {
        if (i == 8 || i == 13 || i == 18 || i == 23) {
            id[i] = '-';
            continue;
        }
        id[i] = hex[(digit < 16 ? high : low) >> (60 - digit % 16 * 4) & 0xf];
        digit++;
    }
    id[UUID_LEN] = '\0';
    return KT_SUCCESS;
}

int kt_id_new(char id[KT_ID_SIZE])
{
    return kt_id_make(kt_clock_ns(&kt_clock_system, KT_CLOCK_WALL), id, NULL);
}

bool kt_id_is_ours(const char *id)
{
    static const char shape[] = "xxxxxxxx-xxxx-7xxx-Vxxx-xxxxxxxxxxxx";

    for (size_t i = 0; i < UUID_LEN; i++) { /* a shorter id ends in a NUL, which fits nowhere */
        if (shape[i] == 'x' || shape[i] == 'V') {
            if (id[i] == '\0' || strchr(shape[i] == 'x' ? hex : "89ab", id[i]) == NULL)
                return false;
        } else if (id[i] != shape[i]) {
            return false;
        }
    }
    return id[UUID_LEN] == '\0';
}

int kt_id_check(const char *id, struct kt_err *err)
{
    size_t module, len;

    if (id == NULL || *id == '\0')
        return kt_fail(err, KT_INVALID, "the version id is empty");
    len = strnlen(id, KT_ID_SIZE);
    if (len == KT_ID_SIZE)
        return kt_fail(err, KT_INVALID, "the version id '%.32s...' is longer than %d bytes", id,
                       KT_ID_SIZE - 1);
    if (kt_id_is_ours(id))
        return KT_SUCCESS;
    for (size_t i = 0; i < len; i++)
        if (id[i] <= ' ' || id[i] > '~')
            return kt_fail(err, KT_INVALID,
                           "the version id '%s' has a blank, a control byte or one "
                           "beyond ASCII (byte %zu)",
                           id, i + 1);
    module = strspn(id, "abcdefghijklmnopqrstuvwxyz0123456789_-");
    if (module == 0 || id[module] != ':' || id[module + 1] == '\0')
        return kt_fail(err, KT_INVALID,
                       "the version id '%s' is neither a UUIDv7 in lower case nor MODULE:ID", id);
    return KT_SUCCESS;
}

int64_t kt_id_ms(const char *id)
{
    int64_t ms = 0;

    if (!kt_id_is_ours(id))
        return 0;
    for (size_t i = 0; i < 13; i++) /* twelve digits, and the dash among them */
        if (id[i] != '-')
            ms = ms << 4 | (id[i] <= '9' ? id[i] - '0' : id[i] - 'a' + 10);
    return ms;
}
