/* SPDX-License-Identifier: Apache-2.0 */

/* Any bytes are a head, a body, or neither; what was understood is written back byte for byte. */

#include "../../backends/file/record.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_head(const uint8_t *data, size_t size)
{
    struct kt_head h;
    uint8_t *back;

    if (kt_head_decode(data, size, &h) != KT_SUCCESS)
        return;
    assert(h.name[0] != '\0' && strlen(h.name) <= KT_NAME_MAX);
    for (size_t i = 0; i < h.n; i++)
        assert(kt_head_find(&h, h.entries[i].id, NULL) == i);
    assert(kt_head_size(&h) == size);
    back = malloc(size);
    if (!back)
        abort();
    kt_head_encode(&h, back);
    assert(memcmp(back, data, size) == 0);
    free(back);
    if (h.n > 0) {
        kt_head_move(&h, KT_STAGE_CURRENT, h.n - 1);
        kt_head_move(&h, KT_STAGE_PENDING, h.n);
        assert(kt_head_staged(&h, KT_STAGE_CURRENT) == h.n - 1);
        assert(kt_head_staged(&h, KT_STAGE_PENDING) == h.n);
    }
    kt_head_done(&h);
}

static void check_body(const uint8_t *data, size_t size)
{
    struct kt_body b;
    uint8_t *back;

    if (kt_body_decode(data, size, &b) != KT_SUCCESS)
        return;
    assert(kt_body_size(&b) == size);
    back = malloc(size);
    if (!back)
        abort();
    kt_body_encode(&b, back);
    assert(memcmp(back, data, size) == 0);
    free(back);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    check_head(data, size);
    check_body(data, size);
    return 0;
}
